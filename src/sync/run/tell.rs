//! How a run is told: its row, what it holds, the inbox, and what the next run is compared with, in one batch.

use super::logged::Ended;
use super::{Counts, Found, HOUR, Report, Runner, Way};
use crate::clock::Micros;
use crate::ldap::delta::Strategy;
use crate::model::connection::Connection;
use crate::provisioning;
use crate::provisioning::sync::Fence;
use crate::store::events;
use crate::store::runs::{self, SyncEnd, SyncItem};
use crate::store::sync_state::{self, SyncState};
use crate::store::{self, Batch, Store};
use crate::sync::Error;
use crate::sync::confirmed::Confirmed;
use crate::sync::inbox::{self, Closes};
use crate::sync::lease::Lease;
use crate::sync::schedule;
use crate::sync::survey::{REFUSED_MAX, Refused};
use serde_json::{Value, json};

/// How long a run that waits for nobody is told of.
const KEPT_FOR: Micros = 30 * 24 * HOUR;

impl Runner<'_> {
    /// The row of the run, what it holds, the inbox, and what the next run is compared with: in one batch.
    pub(super) async fn finish(
        &self,
        fence: &Fence,
        run_id: &str,
        found: &Found,
        (items, hash, confirmed): (&(Vec<SyncItem>, usize), &str, &Confirmed),
        (counts, refused): (&Counts, &[Refused]),
    ) -> Result<Report, Error> {
        let (connection, now) = (self.connection, self.clock.now());
        let is_held = !found.held.is_none();
        let summary = summary(found, counts, (is_held.then_some(items.1), refused.len()));
        let mut batch = Batch::default();
        let standing = runs::syncs_in_state(self.store, connection, "held").await?;
        let same = standing.into_iter().find(|run| is_held && run.list_hash.as_deref() == Some(hash));
        let told = same.as_ref().map_or(run_id, |run| run.id.as_str()).to_owned();
        let ends_as = match (&same, is_held) {
            // The same list waits already: one row of it is enough. What else the run wrote is known by the run's own row.
            (Some(_), _) => counts.wrote().then_some("superseded"),
            (None, true) => Some("held"),
            (None, false) => Some("done"),
        };
        match ends_as {
            None => runs::forget_sync(&mut batch, connection, run_id),
            Some(state) => {
                let (text, is_told) = (summary.to_string(), state == "held");
                let end = SyncEnd { state, summary: &text, list_hash: is_told.then_some(hash), at: now };
                runs::end_sync(&mut batch, connection, run_id, &end);
                if is_told {
                    let inbox = runs::held_row(self.entropy.uuid(now), &connection.id, run_id, &text, now);
                    events::open_conflicts(&mut batch, &connection.tenant_id, &[inbox]);
                    // Part of a list can't be let through one by one: the rest would be judged without it.
                    let of_each = if items.1 > items.0.len() { "sample" } else { "held" };
                    runs::hold_sync(&mut batch, connection, run_id, &items.0, of_each, now);
                }
            }
        }
        runs::supersede_syncs(&mut batch, connection, &told, now);
        // A word that nothing could be done with yet stays.
        if found.held.everything.is_empty() {
            runs::use_up_syncs(&mut batch, connection, confirmed.runs(), now);
        }
        // Of whoever was not written nobody knows whether they could be.
        let left_out = [&found.held.everything, &found.held.barring, &found.held.changes].iter().any(|why| !why.is_empty());
        let closes = match &found.way {
            _ if refused.len() >= REFUSED_MAX || left_out => Closes::None,
            Way::Full { .. } => Closes::All,
            Way::Delta { memory, .. } => Closes::Of(&memory.seen),
        };
        let mut state = self.next_state(found, counts, now);
        let saw_nobody = matches!(&found.way, Way::Delta { memory, .. } if memory.seen.is_empty());
        let mut told_anew = false;
        if !saw_nobody {
            told_anew = inbox::settle(self.store, connection, refused, closes, (self.entropy, now), &mut batch).await?;
        }
        // Of all deltas in a row that found nothing the last one is told.
        let is_idle = found.way.is_delta() && !told_anew && counts.are_of_nothing_new();
        if ends_as.is_some() && !is_idle {
            let ended = if is_held { Ended::Held(&summary) } else { Ended::Completed(&summary) };
            events::insert_log(&mut batch, &connection.tenant_id, &self.logged(run_id, &ended, now));
        }
        if is_idle {
            if let Some(before) = state.idle_run.replace(told.clone()) {
                runs::forget_idle(&mut batch, connection, &before);
            }
        } else {
            state.idle_run = None;
        }
        if !found.way.is_delta() {
            runs::forget_old_syncs(&mut batch, connection, now - KEPT_FOR);
        }
        sync_state::save(&mut batch, connection, &state);
        fence.guard(connection, &mut batch);
        self.store.apply(batch).await?;
        let list_hash = is_held.then(|| hash.to_owned());
        Ok(Report { run_id: told, held: found.held.clone(), list_hash, summary })
    }

    /// What the next run is compared with. What waits for somebody's word is compared with the same as now.
    pub(super) fn next_state(&self, found: &Found, counts: &Counts, now: Micros) -> SyncState {
        let before = found.state.clone();
        let (mark, id) = found.survey.newest.clone().unzip();
        let waits = |code: &str| found.held.reasons().iter().any(|why| why.code() == code);
        let mut state = SyncState {
            completed_at: Some(now),
            failures: 0,
            last_error: None,
            failed_at: None,
            paused_by: None,
            next_at: now + schedule::every(self.connection).unwrap_or(0),
            ..before
        };
        if !found.held.everything.is_empty() {
            // It wrote nothing: what an undo paused goes on waiting.
            state.paused_by = found.state.paused_by.clone();
            return state;
        }
        keep_places(&mut state, found, counts, now);
        if !waits("area_changed") {
            state.area = Some(self.area());
        }
        state.id_attribute = Some(self.settings.users.id_attribute.clone());
        // A view in which people are missing may be an old one: it moves what the next is compared with forwards alone.
        let saw_everybody = !found.way.is_delta() && found.held.absence.is_empty();
        if saw_everybody || mark > state.newest_mark {
            state.server = Some(found.server.clone());
            state.newest_mark = mark;
            state.newest_id = id;
        }
        state
    }

    pub(super) async fn failed(&self, fence: &Fence, run_id: &str, error: &Error) -> Result<(), Error> {
        let (connection, now) = (self.connection, self.clock.now());
        let error = error.to_string();
        let summary = json!({ "error": error }).to_string();
        let state = after_failure(connection, sync_state::find(self.store, connection).await?, now, error);
        let mut batch = Batch::default();
        runs::end_sync(&mut batch, connection, run_id, &SyncEnd { state: "failed", summary: &summary, list_hash: None, at: now });
        sync_state::save(&mut batch, connection, &state);
        let told = state.last_error.as_deref().unwrap_or_default();
        events::insert_log(&mut batch, &connection.tenant_id, &self.logged(run_id, &Ended::Failed(told), now));
        fence.guard(connection, &mut batch);
        Ok(self.store.apply(batch).await?)
    }
}

/// From where the next run goes on, and what is left of the budget.
fn keep_places(state: &mut SyncState, found: &Found, counts: &Counts, now: Micros) {
    match &found.way {
        Way::Full { why, .. } if why.is_its_turn() => (state.full_at, state.spent) = (Some(now), 0),
        // Whoever could not go is told of again, and goes then.
        _ => state.spent += (found.takes - counts.stayed).max(0),
    }
    let Some(places) = found.way.places() else { return };
    state.question = Some(places.question.clone());
    state.restless.clone_from(&places.restless);
    state.folders.clone_from(&places.folders);
    match (counts.stuck, found.way.is_delta()) {
        (0, _) => {
            state.people_place.clone_from(&places.people);
            state.groups_place.clone_from(&places.groups);
        }
        // They are told of once more: by the same changes, or by everything.
        (_, true) => {}
        (_, false) => (state.people_place, state.groups_place) = (None, None),
    }
}

/// Notes that a run could not even begin.
///
/// # Errors
/// The store's.
pub async fn note_failure(store: &Store, connection: &Connection, now: Micros, why: &str) -> Result<(), store::Error> {
    let before = sync_state::find(store, connection).await?;
    let state = after_failure(connection, before.clone(), now, why.to_owned());
    let mut batch = Batch::default();
    sync_state::note_failure(&mut batch, connection, (&before, &state));
    store.apply(batch).await
}

fn after_failure(connection: &Connection, before: SyncState, now: Micros, error: String) -> SyncState {
    let failures = before.failures + 1;
    let every = schedule::every(connection).unwrap_or(0);
    let next_at = now + schedule::wait(failures, every);
    SyncState { failures, failed_at: Some(now), last_error: Some(error), next_at, ..before }
}

/// Stale batches of somebody whose lease is gone say that it is gone.
pub(super) async fn overtaken(error: Error, lease: &Lease, runner: &Runner<'_>) -> Error {
    let stale =
        matches!(error, Error::Store(store::Error::Stale) | Error::Provisioning(provisioning::Error::Store(store::Error::Stale)));
    if stale && lease.fence.holds(runner.store, runner.connection).await.is_ok_and(|holds| !holds) {
        return Error::Overtaken;
    }
    error
}

pub(super) fn summary(found: &Found, counts: &Counts, (held, refused): (Option<usize>, usize)) -> Value {
    let why: Vec<Value> = found.held.reasons().iter().map(|why| json!({"reason": why.code(), "text": why.words()})).collect();
    let (kind, why_full, without_place) = match &found.way {
        Way::Full { why, without, .. } => ("full", Some(why.words()), without.clone()),
        Way::Delta { .. } => ("delta", None, None),
    };
    json!({
        "kind": kind,
        "by": found.way.places().and_then(|places| places.by).map(Strategy::as_str),
        "why_full": why_full,
        "why_no_delta": without_place,
        "people": counts.people,
        "groups": counts.groups,
        "known": found.missing.known,
        "met": found.survey.met(),
        "missing": found.missing.all,
        "not_taken": refused,
        "held": held,
        "why": why,
        "server": found.server,
    })
}
