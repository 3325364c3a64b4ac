//! `GET /clients`, by name, without secrets: by offset, with or without totals, or by checkpoint.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::{Offset, Page, with_fields};
use crate::api::problem::Problem;
use crate::registration::shown;
use crate::store::clients::{self, StoredClient};
use serde_json::{Value, json};

const LIST: &str = "clients";

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let (store, tenant) = (&call.api.store, &call.tenant);
    if let Some(offset) = Offset::of(call)? {
        let found = clients::list_from(store, tenant, offset.start(), offset.per_page).await?;
        let total = clients::count(store, tenant).await?;
        return Ok(Answer::ok(offset.answer(LIST, entries(call, &found)?, total)));
    }
    let page = Page::of(call, LIST)?;
    // One more than asked for: whether there is a next page.
    let mut found = clients::list(store, tenant, &page.after, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let mut answer = json!({ "clients": entries(call, &found)? });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, LIST, &last.client.name).into();
    }
    Ok(Answer::ok(answer))
}

fn entries(call: &Call<'_>, found: &[StoredClient]) -> Result<Vec<Value>, Problem> {
    found.iter().map(|stored| with_fields(call, shown::client(stored, None))).collect()
}
