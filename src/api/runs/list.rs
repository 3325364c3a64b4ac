//! `GET /runs`, by checkpoint.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::replay::shown;
use crate::store::runs;
use serde_json::{Value, json};

const LIST: &str = "runs";

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, LIST)?;
    // One more than asked for: whether there is a next page.
    let mut found = runs::list(&call.api.store, &call.tenant, &page.after, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let mut answer = json!({ "runs": found.iter().map(shown::run).collect::<Vec<Value>>() });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, LIST, &last.id).into();
    }
    Ok(Answer::ok(answer))
}
