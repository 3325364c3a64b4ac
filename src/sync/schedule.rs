//! When a directory is looked at by itself. Pure: what the last runs came to and the clock in, an instant out.

use crate::clock::{Micros, SECOND};
use crate::model::connection::Connection;
use crate::store::sync_state::SyncState;

/// The first wait after a failure; it doubles with each further one.
const FIRST_WAIT: Micros = 300 * SECOND;
/// No wait is longer, unless the schedule's own is.
const WAIT_MAX: Micros = 6 * 3_600 * SECOND;
/// So many failures in a row, and no run begins by itself any more.
pub const FAILURES_MAX: i64 = 12;

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// `schedule=off`.
    Off,
    /// The next run begins then, or as soon as possible after it.
    Due(Micros),
    /// A run was undone: it waits for `rosterd sync`.
    Paused,
    /// It failed so often that it waits for a change of the connection, or for `rosterd sync`.
    Quarantined,
}

/// When the next run begins by itself. No wait is as long as a clock that was wrong once would make it.
pub fn standing(connection: &Connection, state: &SyncState, now: Micros) -> Standing {
    let Some(every) = every(connection) else { return Standing::Off };
    if state.paused_by.is_some() {
        return Standing::Paused;
    }
    // Whoever changed the connection after a failure wants to see whether that helped.
    if state.failed_at.is_some_and(|failed| connection.updated_at > failed) {
        return Standing::Due(connection.updated_at);
    }
    if state.failures >= FAILURES_MAX {
        return Standing::Quarantined;
    }
    if state.completed_at.is_none() && state.failures == 0 {
        // Time to look at it with --dry-run first.
        return Standing::Due(connection.created_at.saturating_add(every));
    }
    let latest = now.saturating_add(every.max(WAIT_MAX));
    Standing::Due(if state.next_at > latest { now } else { state.next_at })
}

/// Between two runs.
pub fn every(connection: &Connection) -> Option<Micros> {
    connection.options.directory.schedule_seconds.map(|seconds| Micros::from(seconds) * SECOND)
}

/// How long a run waits after so many failures in a row.
pub fn wait(failures: i64, every: Micros) -> Micros {
    let doubled = u32::try_from(failures.clamp(1, 32) - 1).unwrap_or(31);
    FIRST_WAIT.saturating_mul(1_i64 << doubled).min(WAIT_MAX.max(every))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::{ConnectionKind, Options};
    use crate::model::ids::{ConnectionId, TenantId};

    const HOUR: Micros = 3_600 * SECOND;

    fn connection(schedule_seconds: Option<u32>) -> Connection {
        let mut options = Options::defaults(ConnectionKind::Ldap);
        options.directory.schedule_seconds = schedule_seconds;
        Connection {
            tenant_id: TenantId::new("t"),
            id: ConnectionId::new("c"),
            name: "corp".into(),
            kind: ConnectionKind::Ldap,
            organization_id: None,
            options,
            version: 1,
            created_at: 10 * HOUR,
            updated_at: 10 * HOUR,
        }
    }

    #[test]
    fn after_an_undo_nothing_begins_by_itself_whatever_is_changed() {
        let state = SyncState { paused_by: Some("run_1".into()), failed_at: Some(1), ..SyncState::default() };
        assert_eq!(standing(&connection(Some(3_600)), &state, 100 * HOUR), Standing::Paused);
        assert_eq!(standing(&connection(None), &state, 100 * HOUR), Standing::Off);
    }

    #[test]
    fn a_new_connection_is_first_looked_at_one_interval_after_it_was_made() {
        assert_eq!(standing(&connection(Some(3_600)), &SyncState::default(), 10 * HOUR), Standing::Due(11 * HOUR));
        assert_eq!(standing(&connection(None), &SyncState::default(), 10 * HOUR), Standing::Off);
    }

    #[test]
    fn after_a_run_the_next_is_when_that_run_said_and_after_many_failures_never() {
        let done = SyncState { completed_at: Some(20 * HOUR), next_at: 21 * HOUR, ..SyncState::default() };
        assert_eq!(standing(&connection(Some(3_600)), &done, 20 * HOUR), Standing::Due(21 * HOUR));
        let failing = SyncState { failures: FAILURES_MAX, failed_at: Some(30 * HOUR), next_at: 31 * HOUR, ..done };
        assert_eq!(standing(&connection(Some(3_600)), &failing, 30 * HOUR), Standing::Quarantined);
        let mut changed = connection(Some(3_600));
        changed.updated_at = 32 * HOUR;
        assert_eq!(standing(&changed, &failing, 30 * HOUR), Standing::Due(32 * HOUR), "somebody mended it, perhaps");
    }

    #[test]
    fn a_clock_that_stood_a_year_ahead_once_stops_nobody() {
        let ahead = SyncState { completed_at: Some(20 * HOUR), next_at: 9_000 * HOUR, ..SyncState::default() };
        assert_eq!(standing(&connection(Some(3_600)), &ahead, 30 * HOUR), Standing::Due(30 * HOUR));
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_six_hours_or_the_schedules_own() {
        let minutes = |failures| wait(failures, HOUR) / (60 * SECOND);
        assert_eq!([1, 2, 3, 7, 12, 99].map(minutes), [5, 10, 20, 320, 360, 360]);
        assert_eq!(wait(99, 24 * HOUR), 24 * HOUR);
        assert_eq!(wait(0, HOUR), FIRST_WAIT);
    }
}
