//! `GET /mappings`, by checkpoint.

use super::show::brief;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::store::mapping_versions;
use serde_json::{Value, json};

const LIST: &str = "mappings";

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, LIST)?;
    let mut found = mapping_versions::list(&call.api.store, &call.tenant, &page.after, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let mut answer = json!({ "mappings": found.iter().map(brief).collect::<Vec<Value>>() });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, LIST, &last.name).into();
    }
    Ok(Answer::ok(answer))
}
