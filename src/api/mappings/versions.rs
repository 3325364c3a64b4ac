//! `GET /mappings/{name}/versions`, by checkpoint, the newest first.

use super::show::brief;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::store::mapping_versions;
use serde_json::{Value, json};

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let name = call.id_after("mappings");
    let list = format!("mapping versions {name}");
    let page = Page::of(call, &list)?;
    let before = page.after.parse().unwrap_or(i64::MAX);
    let mut found = mapping_versions::versions(&call.api.store, &call.tenant, name, before, page.take + 1).await?;
    if found.is_empty() && page.after.is_empty() {
        return Err(Problem::no_mapping());
    }
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let mut answer = json!({ "versions": found.iter().map(brief).collect::<Vec<Value>>() });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, &list, &last.version.to_string()).into();
    }
    Ok(Answer::ok(answer))
}
