//! How a directory is followed, for `connection show`.

use crate::cli::context::Context;
use crate::clock::{Micros, rfc3339};
use crate::model::connection::Connection;
use crate::store::sync_state::{self, SyncState};
use crate::sync::schedule::{FAILURES_MAX, Standing, standing};
use serde_json::{Value, json};

pub struct Followed {
    state: SyncState,
    standing: Standing,
    now: Micros,
}

pub async fn of(context: &Context, connection: &Connection) -> anyhow::Result<Followed> {
    let state = sync_state::find(&context.store, connection).await?;
    let now = context.clock.now();
    let standing = standing(connection, &state, now);
    Ok(Followed { state, standing, now })
}

impl Followed {
    /// One line for people.
    pub fn line(&self) -> String {
        let last = match self.state.completed_at {
            Some(at) => format!("last run {}", rfc3339(at)),
            None => String::from("never run"),
        };
        let next = match self.standing {
            Standing::Off => String::from("begins only by hand (schedule=off)"),
            Standing::Due(at) if at <= self.now => String::from("due now"),
            Standing::Due(at) => format!("next {}", rfc3339(at)),
            Standing::Paused => {
                let by = self.state.paused_by.as_deref().unwrap_or_default();
                format!("paused since a run was undone ({by}): look with `rosterd sync --dry-run`, go on with `rosterd sync`")
            }
            Standing::Quarantined => {
                format!("stopped after {FAILURES_MAX} failures: change what is wrong, or try `rosterd sync`")
            }
        };
        match &self.state.last_error {
            Some(error) => {
                let first = error.lines().next().unwrap_or_default();
                format!("{last}; failed {} times since: {first}; {next}", self.state.failures)
            }
            None => format!("{last}; {next}"),
        }
    }

    pub fn to_json(&self) -> Value {
        let (standing, next) = match self.standing {
            Standing::Off => ("off", None),
            Standing::Due(at) => ("scheduled", Some(rfc3339(at))),
            Standing::Paused => ("paused", None),
            Standing::Quarantined => ("quarantined", None),
        };
        json!({
            "state": standing,
            "next_at": next,
            "completed_at": self.state.completed_at.map(rfc3339),
            "full_at": self.state.full_at.map(rfc3339),
            "server": self.state.server,
            "failures": self.state.failures,
            "last_error": self.state.last_error,
            "paused_by": self.state.paused_by,
        })
    }
}
