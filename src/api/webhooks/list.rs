//! `GET /webhooks`: in the order they were made.

use super::super::Answer;
use super::super::call::Call;
use super::super::page::Page;
use super::super::problem::Problem;
use crate::events::webhooks::shown;
use crate::store::webhooks;
use serde_json::{Value, json};

const LIST: &str = "webhooks";

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, LIST)?;
    // One more than asked for: whether there is a next page.
    let mut found = webhooks::list(&call.api.store, &call.tenant, &page.after, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let entries: Vec<Value> = found.iter().map(|stored| shown::webhook(stored, None)).collect();
    let mut answer = json!({ LIST: entries });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, LIST, last.webhook.id.as_str()).into();
    }
    Ok(Answer::ok(answer))
}
