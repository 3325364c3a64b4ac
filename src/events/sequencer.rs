//! Gives log and outbox rows their position. One holder of a lease does it for the installation; ids order nothing,
//! because a row with a smaller id may be committed later. Per subject the order is that of its version.

use crate::clock::{Clock, Entropy, SECOND};
use crate::store::positions::{self, Feed, Waiting};
use crate::store::{Batch, Error, Store};
use std::collections::HashMap;
use std::time::Duration;

const LEASE: &str = "sequencer";
/// How long the lease holds; renewed with every pass.
const LEASE_TIME: i64 = 10 * SECOND;
/// Rows read in one pass.
const ROWS: u32 = 1_000;
/// Between passes that found some, but no more than they could take: what a pass costs is shared by the rows of this time.
const BUSY: Duration = Duration::from_millis(100);
/// Between passes that found nothing, and after a failure.
const IDLE: Duration = Duration::from_millis(250);
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Runs until it is dropped.
pub async fn run(store: Store, clock: Clock, entropy: Entropy) {
    let owner = entropy.uuid(clock.now());
    loop {
        match pass(&store, &clock, &owner).await {
            Ok(given) if given >= ROWS as usize => {}
            Ok(given) if given > 0 => tokio::time::sleep(BUSY).await,
            Ok(_) | Err(Error::Stale | Error::Conflict) => tokio::time::sleep(IDLE).await,
            Err(error) => {
                tracing::debug!(%error, "positions have to wait");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// One pass over both feeds if the lease is ours; the number of rows that got a position.
pub async fn pass(store: &Store, clock: &Clock, owner: &str) -> Result<usize, Error> {
    let mut waiting = Vec::new();
    for feed in Feed::ALL {
        let rows = positions::find_waiting(store, feed, ROWS.into()).await?;
        if !rows.is_empty() {
            waiting.push((feed, rows));
        }
    }
    if waiting.is_empty() {
        return Ok(0);
    }
    let Some(fencing) = store.claim_lease("", LEASE, owner, clock.now(), LEASE_TIME).await? else { return Ok(0) };
    let mut given = 0;
    for (feed, rows) in waiting {
        for (tenant, rows) in by_tenant(rows) {
            let last = positions::find_last(store, feed, &tenant).await?;
            let rows = in_order(rows);
            let mut batch = Batch::default();
            batch.guard_lease("", LEASE, fencing);
            positions::give(&mut batch, feed, &tenant, last, &rows);
            store.apply(batch).await?;
            given += rows.len();
        }
    }
    Ok(given)
}

fn by_tenant(rows: Vec<Waiting>) -> Vec<(String, Vec<Waiting>)> {
    let mut tenants: Vec<(String, Vec<Waiting>)> = Vec::new();
    for row in rows {
        match tenants.last_mut() {
            Some((tenant, rows)) if *tenant == row.tenant_id => rows.push(row),
            _ => tenants.push((row.tenant_id.clone(), vec![row])),
        }
    }
    tenants
}

/// By id, but the rows of one subject take their places in the order of its versions.
fn in_order(rows: Vec<Waiting>) -> Vec<Waiting> {
    let mut of_subject: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| !row.subject.is_empty()) {
        of_subject.entry(row.subject.clone()).or_default().push(at);
    }
    let mut ordered = rows.clone();
    for places in of_subject.into_values().filter(|places| places.len() > 1) {
        let mut theirs: Vec<&Waiting> = places.iter().map(|at| &rows[*at]).collect();
        theirs.sort_by_key(|row| (row.version, rank(&row.kind)));
        for (place, row) in places.iter().zip(theirs) {
            ordered[*place] = row.clone();
        }
    }
    ordered
}

/// What one change tells of is told in the order in which it makes sense: a group is there before somebody joins it.
fn rank(kind: &str) -> u8 {
    match kind {
        _ if kind.contains(".member.") => 2,
        _ if kind.ends_with(".created") => 0,
        _ if kind.ends_with(".deleted") => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, subject: &str, version: i64) -> Waiting {
        Waiting { tenant_id: "t".into(), id: id.into(), subject: subject.into(), version, kind: String::from("user.updated") }
    }

    #[test]
    fn a_group_is_told_of_before_who_joins_it_and_who_left_before_it_is_gone() {
        let of = |id: &str, version, kind: &str| Waiting { kind: kind.into(), ..row(id, "sales", version) };
        let rows = vec![
            of("1", 1, "group.member.added"),
            of("2", 1, "group.created"),
            of("3", 2, "group.deleted"),
            of("4", 2, "group.member.deleted"),
        ];
        let ids: Vec<String> = in_order(rows).into_iter().map(|row| row.id).collect();
        assert_eq!(ids, ["2", "1", "4", "3"]);
    }

    #[test]
    fn a_replica_with_a_slow_clock_does_not_turn_a_users_versions_round() {
        let rows = vec![row("1", "ann", 3), row("2", "bob", 1), row("3", "ann", 2), row("4", "", 0)];
        let ids: Vec<String> = in_order(rows).into_iter().map(|row| row.id).collect();
        assert_eq!(ids, ["3", "2", "1", "4"]);
    }
}
