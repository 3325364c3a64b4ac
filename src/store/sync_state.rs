//! What the last complete run over a directory saw, and when the next is due. One row per connection.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::clock::Micros;
use crate::model::connection::Connection;

statements! {
    FIND_STATE = "SELECT area, id_attribute, server, newest_mark, newest_id, completed_at, failures, last_error, next_at, failed_at, \
        full_at, question, people_place, groups_place, folders, restless, spent, idle_run, paused_by FROM sync_state WHERE tenant_id = $1 AND connection_id = $2";
    /// A run begins to write: until it ends nobody goes on from the places before it.
    PUT_AWAY_PLACES = "UPDATE sync_state SET people_place = NULL, groups_place = NULL, version = version + 1 \
        WHERE tenant_id = $1 AND connection_id = $2";
    SAVE_STATE = "INSERT INTO sync_state (tenant_id, connection_id, area, id_attribute, server, newest_mark, newest_id, completed_at, \
        failures, last_error, next_at, failed_at, full_at, question, people_place, groups_place, folders, restless, spent, idle_run, paused_by) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) \
        ON CONFLICT (tenant_id, connection_id) DO UPDATE SET area = excluded.area, id_attribute = excluded.id_attribute, \
        server = excluded.server, newest_mark = excluded.newest_mark, newest_id = excluded.newest_id, \
        completed_at = excluded.completed_at, failures = excluded.failures, last_error = excluded.last_error, \
        next_at = excluded.next_at, failed_at = excluded.failed_at, full_at = excluded.full_at, question = excluded.question, \
        people_place = excluded.people_place, groups_place = excluded.groups_place, folders = excluded.folders, \
        restless = excluded.restless, spent = excluded.spent, idle_run = excluded.idle_run, paused_by = excluded.paused_by, \
        version = sync_state.version + 1";
    PAUSE = "INSERT INTO sync_state (tenant_id, connection_id, paused_by) VALUES ($1, $2, $3) \
        ON CONFLICT (tenant_id, connection_id) DO UPDATE SET paused_by = excluded.paused_by, \
        full_at = NULL, people_place = NULL, groups_place = NULL, version = sync_state.version + 1";
    /// What a failure says and nothing else, unless a run ended since.
    NOTE_FAILURE = "INSERT INTO sync_state (tenant_id, connection_id, failures, failed_at, last_error, next_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, connection_id) DO UPDATE SET failures = excluded.failures, \
        failed_at = excluded.failed_at, last_error = excluded.last_error, next_at = excluded.next_at, version = sync_state.version + 1 \
        WHERE sync_state.failures = $7 AND sync_state.completed_at IS NOT DISTINCT FROM $8";
}

/// A row; without one, nothing was ever seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    /// Of base, filter and kind of server: what was asked for.
    pub area: Option<String>,
    pub id_attribute: Option<String>,
    /// The URL that answered.
    pub server: Option<String>,
    /// The latest change that was seen, as the directory writes it, and whose it was.
    pub newest_mark: Option<String>,
    pub newest_id: Option<String>,
    /// When the last run came to its end.
    pub completed_at: Option<Micros>,
    /// Runs in a row that failed since.
    pub failures: i64,
    pub failed_at: Option<Micros>,
    pub last_error: Option<String>,
    /// No scheduled run before this.
    pub next_at: Micros,
    /// When everything was last read in its turn, and not because a delta could not be gone on with.
    pub full_at: Option<Micros>,
    /// A hash of what was asked, and of what was made of it: with another, the places are worth nothing.
    pub question: Option<String>,
    /// From where changes of people are read, sealed.
    pub people_place: Option<Vec<u8>>,
    /// The same of groups.
    pub groups_place: Option<Vec<u8>>,
    /// A hash of the folders in which people lie.
    pub folders: Option<String>,
    /// JSON: external ids of people to look at though their entries did not change.
    pub restless: Option<String>,
    /// What deltas took of the budget since `full_at`.
    pub spent: i64,
    /// The last delta that found nothing.
    pub idle_run: Option<String>,
    /// The run that undid another: nothing begins by itself until somebody runs one.
    pub paused_by: Option<String>,
}

pub async fn find(store: &Store, connection: &Connection) -> Result<SyncState, Error> {
    let rows = store.read(FIND_STATE, args![&connection.tenant_id, &connection.id]).await?;
    let Some(row) = rows.first() else { return Ok(SyncState::default()) };
    Ok(SyncState {
        area: row.opt_text(0)?,
        id_attribute: row.opt_text(1)?,
        server: row.opt_text(2)?,
        newest_mark: row.opt_text(3)?,
        newest_id: row.opt_text(4)?,
        completed_at: row.opt_int(5)?,
        failures: row.int(6)?,
        last_error: row.opt_text(7)?,
        next_at: row.int(8)?,
        failed_at: row.opt_int(9)?,
        full_at: row.opt_int(10)?,
        question: row.opt_text(11)?,
        people_place: row.opt_bytes(12)?,
        groups_place: row.opt_bytes(13)?,
        folders: row.opt_text(14)?,
        restless: row.opt_text(15)?,
        spent: row.int(16)?,
        idle_run: row.opt_text(17)?,
        paused_by: row.opt_text(18)?,
    })
}

/// Until a run has ended and saved its own, the next one reads everything: of what this one wrote a delta would not learn.
pub fn put_away_places(batch: &mut Batch, connection: &Connection) {
    batch.any(PUT_AWAY_PLACES, args![&connection.tenant_id, &connection.id]);
}

pub fn save(batch: &mut Batch, connection: &Connection, state: &SyncState) {
    batch.one(
        SAVE_STATE,
        args![
            &connection.tenant_id,
            &connection.id,
            state.area.as_ref(),
            state.id_attribute.as_ref(),
            state.server.as_ref(),
            state.newest_mark.as_ref(),
            state.newest_id.as_ref(),
            state.completed_at,
            state.failures,
            state.last_error.as_ref(),
            state.next_at,
            state.failed_at,
            state.full_at,
            state.question.as_ref(),
            state.people_place.as_deref(),
            state.groups_place.as_deref(),
            state.folders.as_ref(),
            state.restless.as_ref(),
            state.spent,
            state.idle_run.as_ref(),
            state.paused_by.as_ref(),
        ],
    );
}

/// Nothing begins by itself until a run ends, and that one reads everything: `by` undid one.
pub fn pause(batch: &mut Batch, connection: &Connection, by: &str) {
    batch.one(PAUSE, args![&connection.tenant_id, &connection.id, by]);
}

/// Notes a failure outside a run: nothing if one ended since `before` was read. Of `after`, only what a failure says counts.
pub fn note_failure(batch: &mut Batch, connection: &Connection, (before, after): (&SyncState, &SyncState)) {
    batch.any(
        NOTE_FAILURE,
        args![
            &connection.tenant_id,
            &connection.id,
            after.failures,
            after.failed_at,
            after.last_error.as_ref(),
            after.next_at,
            before.failures,
            before.completed_at,
        ],
    );
}
