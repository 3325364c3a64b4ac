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

/// Which rows a run may close.
#[derive(Clone, Copy, Debug)]
pub enum Closes<'c> {
    /// Each whose reason it did not find: it saw everything.
    All,
    /// None: more was refused than is known one by one.
    None,
    /// Those about these subjects: it saw nobody else. Whether two entries have one id shows only where all are seen.
    Of(&'c HashSet<String>),
}

impl Closes<'_> {
    fn closes(self, kind: &str, subject: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Of(seen) => kind != "sync_id_twice" && seen.contains(subject),
        }
    }
}

/// The open rows about people, or groups, of whom another look may come to something else though their entries stay.
///
/// # Errors
/// The store's.
pub async fn standing(store: &Store, connection: &Connection, kinds: &[&str]) -> Result<Vec<String>, crate::store::Error> {
    let mut subjects = Vec::new();
    for kind in kinds {
        subjects.extend(events::open_of_kind(store, connection, kind).await?.into_iter().map(|row| row.subject));
    }
    Ok(subjects)
}

/// Brings the rows in line with what a run could not take; whether there was anything to do.
///
/// # Errors
/// The store's.
pub async fn settle(
    store: &Store,
    connection: &Connection,
    refused: &[Refused],
    closes: Closes<'_>,
    (entropy, now): (&Entropy, Micros),
    batch: &mut Batch,
) -> Result<bool, crate::store::Error> {
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
    let is_over = |key: &(String, String)| !standing.contains(key) && closes.closes(&key.0, &key.1);
    let gone: Vec<(String, String)> = open.into_keys().filter(is_over).collect();
    let tenant = &connection.tenant_id;
    events::open_conflicts_together(batch, tenant, &new);
    events::resolve(batch, connection, &gone, now);
    Ok(!new.is_empty() || !gone.is_empty())
}
