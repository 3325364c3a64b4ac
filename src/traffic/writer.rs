//! From noted exchanges to rows: redacted, recognised, inserted in batches; and the rows beyond the newest removed.

use super::cause::Cause;
use super::recorder::{Answered, Asked, REFUSALS_MAX, SUCCESSES_MAX, Seen, Work};
use super::redact::Redactor;
use super::sign::{Request, signs_of};
use crate::clock::Entropy;
use crate::model::ids::{ConnectionId, TenantId, TokenId};
use crate::model::tenant::DEFAULT_TENANT;
use crate::model::traffic::Exchange;
use crate::store::{Batch, Error, Store, connections, traffic};
use crate::telemetry::Metrics;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows in one batch: other writers get their turn between two.
const ROWS: usize = 100;
/// Refusals that wait for a store that takes nothing.
const UNWRITTEN_MAX: usize = 2_000;
/// Rows added to a connection before those beyond the newest are removed again.
const PRUNE_EVERY: u32 = 50;
const PRUNE_ROWS: i64 = 500;
const HEADER_BYTES_MAX: usize = 200;

/// What lasts from one round of writing to the next.
#[derive(Default)]
pub(super) struct State {
    unwritten: Vec<Exchange>,
    /// Rows added since the last pruning: answered, refused.
    added: HashMap<ConnectionId, Added>,
}

struct Added {
    tenant: TenantId,
    successes: u32,
    refusals: u32,
}

/// The connection that an address names, by id, or by name in the tenant that answers without a host.
pub(super) async fn look_up(store: &Store, named: &str) -> Option<(TenantId, ConnectionId)> {
    let found = if named.starts_with("con_") {
        connections::find_anywhere(store, &ConnectionId::new(named)).await
    } else {
        connections::find_by_name(store, &TenantId::new(DEFAULT_TENANT), named).await
    };
    let connection = found.ok()??.connection;
    Some((connection.tenant_id, connection.id))
}

/// Writes one round. False if the store took nothing: what was refused waits for the next, answered requests are given up.
pub(super) async fn write(store: &Store, entropy: &Entropy, metrics: &Metrics, state: &mut State, work: Work) -> bool {
    let mut taken = true;
    let waiting = std::mem::take(&mut state.unwritten);
    for rows in waiting.chunks(ROWS).map(<[Exchange]>::to_vec) {
        taken = insert(store, metrics, state, rows, taken).await;
    }
    let strangers = work.strangers.into_iter().map(|(tenant, connection, stranger)| {
        let whose = Whose { tenant, connection, token: None };
        exchange(whose, &stranger.asked, &stranger.answered, &Arc::default(), entropy)
    });
    let strangers: Vec<Exchange> = strangers.collect();
    if !strangers.is_empty() {
        taken = insert(store, metrics, state, strangers, taken).await;
    }
    let mut seen = work.seen.into_iter();
    loop {
        let chunk: Vec<Seen> = seen.by_ref().take(ROWS).collect();
        if chunk.is_empty() {
            break;
        }
        let entropy = entropy.clone();
        // Work for the processor: not on a thread that answers requests.
        let made = tokio::task::spawn_blocking(move || chunk.iter().map(|seen| of_seen(seen, &entropy)).collect::<Vec<_>>());
        let Ok(rows) = made.await else { continue };
        taken = insert(store, metrics, state, rows, taken).await;
    }
    if taken {
        prune(store, state).await;
    }
    taken
}

/// Unless the store took nothing just now (`taken`): asking once more for each batch would take minutes.
async fn insert(store: &Store, metrics: &Metrics, state: &mut State, rows: Vec<Exchange>, taken: bool) -> bool {
    if !taken {
        give_up(metrics, state, rows, true);
        return false;
    }
    let attempt = || async {
        let mut batch = Batch::default();
        traffic::insert(&mut batch, &rows);
        store.apply(batch).await
    };
    let mut outcome = attempt().await;
    // A connection that went in this moment is not there at the second attempt.
    if matches!(outcome, Err(Error::Conflict | Error::Stale)) {
        outcome = attempt().await;
    }
    match outcome {
        Ok(()) => {
            for row in &rows {
                let added = state.added.entry(row.connection_id.clone());
                let added = added.or_insert_with(|| Added {
                    tenant: row.tenant_id.clone(),
                    successes: PRUNE_EVERY,
                    refusals: PRUNE_EVERY,
                });
                let count = if row.refused { &mut added.refusals } else { &mut added.successes };
                *count = count.saturating_add(1);
            }
            let refused = rows.iter().filter(|row| row.refused).count();
            metrics.traffic_recorded("refusal", refused as u64);
            metrics.traffic_recorded("success", (rows.len() - refused) as u64);
            true
        }
        Err(error) => {
            tracing::debug!(%error, "traffic could not be written");
            let again = matches!(error, Error::Busy { .. } | Error::Unavailable { .. } | Error::Stale);
            give_up(metrics, state, rows, again);
            // What the store will never take is no reason to try again.
            !again
        }
    }
}

/// Refusals wait for another round, if there is one and room; the others are lost and counted.
fn give_up(metrics: &Metrics, state: &mut State, rows: Vec<Exchange>, again: bool) {
    let (refusals, successes): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.refused);
    metrics.traffic_dropped("success", successes.len() as u64);
    let room = if again { UNWRITTEN_MAX.saturating_sub(state.unwritten.len()) } else { 0 };
    metrics.traffic_dropped("refusal", refusals.len().saturating_sub(room) as u64);
    state.unwritten.extend(refusals.into_iter().take(room));
}

async fn prune(store: &Store, state: &mut State) {
    for (connection, added) in &mut state.added {
        for (refused, count, keep) in [(false, &mut added.successes, SUCCESSES_MAX), (true, &mut added.refusals, REFUSALS_MAX)] {
            if *count < PRUNE_EVERY {
                continue;
            }
            *count = 0;
            let keep = i64::try_from(keep).unwrap_or(i64::MAX);
            loop {
                match traffic::delete_beyond(store, &added.tenant, connection, refused, keep, PRUNE_ROWS).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "old traffic has to wait");
                        break;
                    }
                }
            }
        }
    }
}

struct Whose {
    tenant: TenantId,
    connection: ConnectionId,
    token: Option<TokenId>,
}

fn of_seen(seen: &Seen, entropy: &Entropy) -> Exchange {
    let whose =
        Whose { tenant: seen.connection.tenant_id.clone(), connection: seen.connection.id.clone(), token: seen.token.clone() };
    exchange(whose, &seen.asked, &seen.answered, &seen.secrets, entropy)
}

/// The row of one exchange: every text of it goes through one [`Redactor`], the request's body first, because the others may
/// quote it.
fn exchange(whose: Whose, asked: &Asked, answered: &Answered, secrets: &Arc<[String]>, entropy: &Entropy) -> Exchange {
    let mut redactor = Redactor::of(Arc::clone(secrets));
    let (path, query) = asked.target.split_once('?').map_or((asked.target.as_str(), None), |(path, query)| (path, Some(query)));
    let path = below_connection(path);
    let mut body: Option<Value> = asked.body.as_ref().and_then(|bytes| serde_json::from_slice(without_mark(bytes)).ok());
    let signs = signs_of(&Request {
        method: asked.method.as_str(),
        path,
        query,
        user_agent: asked.user_agent.as_deref(),
        content_type: asked.content_type.as_deref(),
        body: body.as_ref(),
    });
    let signs: Vec<&str> = signs.into_iter().map(super::sign::Sign::as_str).collect();
    let query = query.filter(|query| !query.is_empty()).map(|query| redactor.query(query));
    let request_body = asked.body.as_ref().and_then(|bytes| redactor.body(bytes, body.as_mut()));
    let mut answer: Option<Value> = answered.body.as_ref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    let response_body = match (&answered.body, &mut answer) {
        (Some(bytes), Some(value)) => redactor.body(bytes, Some(value)),
        _ => None,
    };
    let status = answered.status;
    let cause = answered.cause.or_else(|| Cause::of_answer(status, answered.scim_type));
    Exchange {
        id: entropy.uuid(asked.at),
        tenant_id: whose.tenant,
        connection_id: whose.connection,
        refused: status >= 400,
        created_at: asked.at,
        token_id: whose.token,
        request_id: redactor.short(&asked.request_id),
        method: redactor.text(asked.method.as_str(), 32),
        path: redactor.path(path),
        query: query.map(|query| redactor.long_query(&query)),
        status: i64::from(status),
        scim_type: answered.scim_type.map(str::to_owned),
        cause: cause.map(|cause| cause.as_str().to_owned()),
        detail: answered.detail.as_ref().map(|detail| redactor.short(detail)),
        duration_us: i64::try_from(answered.took.as_micros()).unwrap_or(i64::MAX),
        user_agent: asked.user_agent.as_ref().map(|agent| redactor.text(agent, HEADER_BYTES_MAX)),
        content_type: asked.content_type.as_ref().map(|kind| redactor.text(kind, HEADER_BYTES_MAX)),
        signs: signs.join(" "),
        request_bytes: i64::try_from(asked.body_bytes).unwrap_or(i64::MAX),
        response_bytes: i64::try_from(answered.body_bytes).unwrap_or(i64::MAX),
        request_body,
        response_body,
    }
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// `/connections/acme/Users/1` → `/Users/1`; what names no connection stays as it is.
fn below_connection(path: &str) -> &str {
    let Some((_, named)) = path.split_once("/connections/") else { return path };
    named.find('/').map_or("/", |at| &named[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderMap, HeaderValue, Method, Uri};
    use bytes::Bytes;
    use std::time::Duration;

    fn row(address: &'static str, body: &Bytes, headers: &HeaderMap, answered: Answered) -> Exchange {
        let mut asked = Asked::new(1_700_000_000_000_000, String::from("r"), &Method::PATCH, &Uri::from_static(address), headers);
        asked.with_body(body);
        let whose = Whose { tenant: TenantId::new("t"), connection: ConnectionId::new("c"), token: None };
        exchange(whose, &asked, &answered, &Arc::default(), &Entropy::system())
    }

    fn refused(detail: &str) -> Answered {
        let (scim_type, detail) = (Some("invalidValue"), Some(detail.to_owned()));
        let body = Some(Bytes::from(format!("{{\"detail\":\"{}\"}}", detail.as_deref().unwrap_or_default())));
        Answered {
            status: 400,
            scim_type,
            cause: None,
            detail,
            body_bytes: body.as_ref().map_or(0, Bytes::len),
            body,
            took: Duration::from_micros(1_234),
        }
    }

    #[test]
    fn a_row_holds_no_secret_of_the_body_though_detail_and_answer_quote_it() {
        let body = Bytes::from(r#"{"Operations":[{"op":"Replace","value":"Swordfish-7f3a9c","path":"password"}]}"#);
        let headers = HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, HeaderValue::from_static("Bearer rst_x"))]);
        let row = row("/connections/a/Users/1?count=Swordfish-7f3a9c&x=1", &body, &headers, refused("not Swordfish-7f3a9c"));
        assert!(!format!("{row:?}").contains("Swordfish"), "{row:?}");
        assert_eq!((row.detail.as_deref(), row.query.as_deref()), (Some("not ***"), Some("count=***&x=***")));
        assert_eq!((row.path.as_str(), row.duration_us, row.refused), ("/Users/1", 1_234, true));
        assert_eq!((row.cause.as_deref(), row.signs.as_str()), (Some("invalid_value"), "capital_operations"));
    }

    #[test]
    fn of_a_very_large_body_only_the_size_is_kept() {
        let body = Bytes::from(format!("{{\"a\":\"{}\"}}", "x".repeat(300_000)));
        let row = row("/connections/a/Users", &body, &HeaderMap::new(), refused("no"));
        assert_eq!((row.request_body, row.request_bytes), (None, 300_008));
    }

    #[test]
    fn paths_are_kept_below_the_connection() {
        assert_eq!(below_connection("/scim/v2/connections/acme/Users/1"), "/Users/1");
        assert_eq!(below_connection("/connections/acme"), "/");
        assert_eq!(below_connection("/Users"), "/Users");
    }
}
