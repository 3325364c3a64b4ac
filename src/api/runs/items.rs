//! `GET /runs/{id}/items`, by checkpoint.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::replay::shown;
use crate::store::runs;
use serde_json::{Value, json};

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let run = super::find(call).await?;
    let list = format!("run items {}", run.id);
    let page = Page::of(call, &list)?;
    let mut found = runs::list_items(&call.api.store, &call.tenant, &run.id, &page.after, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let mut answer = json!({ "items": found.iter().map(shown::item).collect::<Vec<Value>>() });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, &list, &last.id).into();
    }
    Ok(Answer::ok(answer))
}
