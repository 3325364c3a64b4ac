//! `GET /connections`, by name: by offset, with or without totals, or by checkpoint.

use super::shown;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::{Offset, Page, with_fields};
use crate::api::problem::Problem;
use crate::model::connection::ConnectionKind;
use crate::store::connections::{self, StoredConnection};
use serde_json::{Value, json};

const LIST: &str = "connections";

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let (store, tenant) = (&call.api.store, &call.tenant);
    let offset = Offset::of(call)?;
    if let Some(name) = call.parameter("name") {
        let found = connections::find_by_name(store, tenant, name).await?;
        let found: Vec<StoredConnection> = found.into_iter().filter(|found| is_wanted(call, found)).collect();
        let entries = entries(call, &found).await?;
        let total = i64::try_from(found.len()).unwrap_or_default();
        return Ok(Answer::ok(match offset {
            Some(offset) if offset.start() > 0 => offset.answer(LIST, Vec::new(), total),
            Some(offset) => offset.answer(LIST, entries, total),
            None => json!({ LIST: entries }),
        }));
    }
    let kinds = kinds(call);
    if let Some(offset) = offset {
        let found = connections::list_of(store, tenant, &kinds, "", offset.per_page, offset.start()).await?;
        let total = connections::count_of(store, tenant, &kinds).await?;
        return Ok(Answer::ok(offset.answer(LIST, entries(call, &found).await?, total)));
    }
    let list = format!("{LIST} {kinds:?}");
    let page = Page::of(call, &list)?;
    let mut found = connections::list_of(store, tenant, &kinds, &page.after, page.take + 1, 0).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let mut answer = json!({ LIST: entries(call, &found).await? });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, &list, &last.connection.name).into();
    }
    Ok(Answer::ok(answer))
}

/// The kinds that are asked for; none asked: all. A word that is no kind is asked for too, and finds nothing.
fn kinds(call: &Call<'_>) -> Vec<&'static str> {
    let asked = call.parameters("strategy");
    if asked.is_empty() {
        return Vec::new();
    }
    let known = ConnectionKind::ALL.iter().filter(|kind| asked.contains(&kind.strategy())).map(|kind| kind.as_str());
    let known: Vec<&str> = known.collect();
    if known.is_empty() { vec!["none"] } else { known }
}

fn is_wanted(call: &Call<'_>, stored: &StoredConnection) -> bool {
    let kinds = kinds(call);
    kinds.is_empty() || kinds.contains(&stored.connection.kind.as_str())
}

async fn entries(call: &Call<'_>, found: &[StoredConnection]) -> Result<Vec<Value>, Problem> {
    let mut entries = Vec::with_capacity(found.len());
    for stored in found {
        entries.push(with_fields(call, shown(call, stored).await?)?);
    }
    Ok(entries)
}
