//! The inbox rows of a sync: entries nobody can be made of. A row is opened once and closed by the run that no longer finds
//! the reason; a run that finds the same again writes nothing.

use super::survey::Refused;
use crate::clock::{Entropy, Micros};
use crate::model::connection::Connection;
use crate::model::event::InboxEntry;
use crate::store::{Batch, Store, events};
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// Kinds of rows that only runs open and close.
const KINDS: [&str; 5] = ["sync_rejected", "sync_id_twice", "sync_without_id", "sync_failed", "sync_group"];

/// Brings the rows in line with what a complete run could not take. `is_partial`: more was refused than is known one by
/// one, and no row is closed.
///
/// # Errors
/// The store's.
pub async fn settle(
    store: &Store,
    connection: &Connection,
    refused: &[Refused],
    is_partial: bool,
    (entropy, now): (&Entropy, Micros),
    batch: &mut Batch,
) -> Result<(), crate::store::Error> {
    let mut open: HashMap<(String, String), String> = HashMap::new();
    for kind in KINDS {
        for row in events::open_of_kind(store, connection, kind).await? {
            open.insert((kind.to_owned(), row.subject), row.detail);
        }
    }
    let (mut new, mut standing) = (Vec::new(), HashSet::new());
    for one in refused {
        let key = (one.kind.to_owned(), one.subject.clone());
        let reasons: Vec<_> =
            one.reasons.iter().map(|(attribute, reason)| json!({"attribute": attribute, "reason": reason})).collect();
        let detail = json!({"dn": one.dn, "reasons": reasons}).to_string();
        // Two entries of one id are one row.
        if !standing.insert(key.clone()) || open.get(&key) == Some(&detail) {
            continue;
        }
        new.push(InboxEntry {
            id: entropy.uuid(now),
            connection_id: connection.id.clone(),
            kind: one.kind,
            subject: one.subject.clone(),
            detail,
            at: now,
        });
    }
    let gone: Vec<(String, String)> =
        if is_partial { Vec::new() } else { open.into_keys().filter(|key| !standing.contains(key)).collect() };
    let tenant = &connection.tenant_id;
    events::open_conflicts_together(batch, tenant, &new);
    events::resolve(batch, connection, &gone, now);
    Ok(())
}
