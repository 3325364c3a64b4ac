//! `GET /conflicts`

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::model::conflict::{ConflictKind, ConflictState};
use crate::model::ids::ConnectionId;
use crate::provisioning::inbox;
use crate::store::{conflicts, connections};
use serde_json::json;

/// Rows looked through for one part of the list.
const LOOKED_AT: usize = 5_000;
/// Rows read at a time.
const PART: i64 = 500;

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let (store, tenant) = (&call.api.store, &call.tenant);
    let word = |name: &str, known: &[&str]| {
        Problem::query(format!("Query validation error: '{name}' must be one of {}", known.join(", ")))
    };
    let state = match call.parameter("state") {
        None => ConflictState::Open,
        Some(text) => ConflictState::parse(text).ok_or_else(|| word("state", &ConflictState::WORDS))?,
    };
    let kind = call.parameter("kind").map(|text| ConflictKind::parse(text).ok_or_else(|| word("kind", &ConflictKind::WORDS)));
    let kind = kind.transpose()?;
    let connection = match (call.parameter("connection_id"), call.parameter("connection")) {
        (Some(id), _) => Some(ConnectionId::new(id)),
        (None, Some(name)) => match connections::find_by_name(store, tenant, name).await? {
            Some(found) => Some(found.connection.id),
            None => return Ok(Answer::ok(json!({ "conflicts": [] }))),
        },
        (None, None) => None,
    };
    let list = format!("conflicts {} {kind:?} {connection:?}", state.as_str());
    let page = Page::of(call, &list)?;
    let take = usize::try_from(page.take).unwrap_or_default();
    let mut after = page.after;
    let (mut found, mut next, mut looked) = (Vec::new(), None, 0);
    'rows: loop {
        let limit = if kind.is_some() { PART } else { page.take + 1 };
        let rows = conflicts::list(store, tenant, connection.as_ref(), state, &after, limit).await?;
        let is_last = i64::try_from(rows.len()).is_ok_and(|rows| rows < limit);
        looked += rows.len();
        for row in rows {
            if found.len() == take {
                next = Some(after);
                break 'rows;
            }
            after.clone_from(&row.id);
            if kind.is_some_and(|kind| kind != row.kind) {
                continue;
            }
            // Of a connection that went in this moment nothing is left to decide.
            if let Some(item) = inbox::load(store, row, tenant).await? {
                found.push(inbox::as_json(&item));
            }
        }
        if is_last {
            break;
        }
        if looked >= LOOKED_AT {
            next = Some(after);
            break;
        }
    }
    let mut answer = json!({ "conflicts": found });
    if let Some(next) = next {
        answer["next"] = Page::next(call, &list, &next).into();
    }
    Ok(Answer::ok(answer))
}
