//! `GET /webhooks/{id}/deliveries`: events that were not taken at once.

use super::super::Answer;
use super::super::call::Call;
use super::super::page::Page;
use super::super::problem::Problem;
use crate::events::webhooks::shown;
use crate::store::webhook_deliveries;
use serde_json::{Value, json};

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let stored = super::find(call).await?;
    let list = format!("deliveries {}", stored.webhook.id);
    let page = Page::of(call, &list)?;
    let after = page.after.parse().unwrap_or(i64::MIN);
    let mut found = webhook_deliveries::list(&call.api.store, &stored.webhook, after, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let entries: Vec<Value> = found.iter().map(shown::delivery).collect();
    let mut answer = json!({ "deliveries": entries });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, &list, &last.position.to_string()).into();
    }
    Ok(Answer::ok(answer))
}
