//! What administrators and applications write about a person through the management API, and what an import writes: the same
//! one write path, `decide` (pure) and a shell that reads before and stores after. [`members`] is what may be said,
//! [`draft`] a profile while it is changed, [`create`](mod@create) and [`update`](mod@update) the decisions about one profile, [`link`](mod@link) and
//! [`delete`](mod@delete) those about whole people, which come to a [`people::PeoplePlan`].
//!
//! Owns: which attribute may be written under whose policy (profile.md §4), metadata (§6), creating (§7), administrators'
//! blocks (§9). Refuses: knowing HTTP and SQL, and storing what a password is.

pub mod create;
pub mod delete;
pub mod draft;
pub mod erase;
pub mod link;
pub mod members;
pub mod people;
pub mod refused;
pub mod update;
pub mod whole;
pub mod write;

pub use members::{Form, Members, Metadata};
pub use refused::Refused;

use super::decide::Moment;
use super::plan::{IdentityWrite, ProfileWrite, UserPlan, ValueDiff};
use crate::model::event::{Announcement, History, LogEntry};
use crate::model::fold::fold;
use crate::model::identity::Identity;
use crate::model::user::User;
use crate::store;
use draft::Changed;
use serde_json::{Map, Value, json};

/// What stopped a change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Refused(Refused),
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A mapping that has to be asked can't run.
    #[error("mapping `{name}` can't run: {reason}")]
    Mapping { name: String, reason: String },
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<super::Error> for Error {
    fn from(error: super::Error) -> Self {
        match error {
            super::Error::Store(error) => Self::Store(error),
            super::Error::Mapping { name, reason } => Self::Mapping { name, reason },
            // Nothing of a source's record is decided here.
            super::Error::Refused(_) => Self::Store(store::Error::Stale),
        }
    }
}

/// On whose behalf somebody writes: what events are called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A call of the management API, or of the command line.
    Api,
    /// A row of an import.
    Import,
    /// The person themselves, by an application of theirs.
    Person,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Created,
    Updated,
}

impl By {
    /// As log, history and provenance call it.
    pub const fn event(self, act: Act) -> &'static str {
        match (self, act) {
            (Self::Api, Act::Created) => "api.user.created",
            (Self::Api, Act::Updated) => "api.user.updated",
            (Self::Import, Act::Created) => "import.user.created",
            (Self::Import, Act::Updated) => "import.user.updated",
            (Self::Person, Act::Created) => "self.user.created",
            (Self::Person, Act::Updated) => "self.user.updated",
        }
    }

    /// The word in `identities.last_source`.
    const fn source(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Api | Self::Person => "api",
        }
    }
}

/// Who writes, when, for which request.
pub struct Writer<'a> {
    pub moment: Moment<'a>,
    pub by: By,
}

/// What a person of a database connection is known by there; each once per connection.
const HANDLES: [&str; 3] = ["email", "username", "phone_number"];

/// The handles in a set of roots: kind and the key they are compared by.
pub fn handles(roots: &Map<String, Value>) -> Vec<(String, String)> {
    let key = |kind: &str| match (kind, roots.get(kind)?.as_str()?) {
        ("phone_number", number) => Some(number.to_owned()),
        (_, text) => Some(fold(text)),
    };
    HANDLES.into_iter().filter_map(|kind| Some((kind.to_owned(), key(kind)?))).collect()
}

/// One person's change as a plan, with the rows that tell of it.
fn plan(writer: &Writer<'_>, act: Act, identity: IdentityWrite, handles: ValueDiff, changed: Changed) -> UserPlan {
    let (moment, row) = (&writer.moment, identity.identity());
    let event = writer.by.event(act);
    let (user, version, kind): (&User, i64, &'static str) = match &changed.write {
        ProfileWrite::Update { user, expected } => (user, expected + 1, "user.updated"),
        ProfileWrite::Insert(user) => (user, user.version, "user.created"),
        ProfileWrite::None | ProfileWrite::Remove { .. } => unreachable!("a change makes or updates a profile"),
    };
    let history = History {
        id: changed.history_id,
        profile_id: user.id.clone(),
        version,
        event,
        connection_id: row.connection_id.clone(),
        identity_id: row.id.clone(),
        mapping: String::new(),
        mapping_version: 0,
        actor: moment.actor.to_owned(),
        changes: changed.before,
        at: moment.now,
    };
    let log = entry(writer, event, row, Some(&history.id));
    let outbox = announcement(writer, kind, row, (user, version), &json!(changed.names), &log.id);
    UserPlan {
        profile: changed.write,
        values: ValueDiff::default(),
        handles,
        blocks: changed.blocks,
        lifts: changed.lifts,
        history: Some(history),
        log: vec![log],
        outbox: vec![outbox],
        inbox: Vec::new(),
        counted: 0,
        slot: moment.slot(),
        leaves_groups: false,
        login: None,
        forgets: false,
        rejected: None,
        trace: None,
        identity,
    }
}

fn entry(writer: &Writer<'_>, kind: &'static str, identity: &Identity, history_id: Option<&String>) -> LogEntry {
    LogEntry {
        id: writer.moment.id(),
        kind,
        outcome: "ok",
        connection_id: Some(identity.connection_id.clone()),
        identity_id: Some(identity.id.clone()),
        group_id: None,
        profile_id: identity.profile_id.clone(),
        actor: writer.moment.actor.to_owned(),
        request_id: writer.moment.request_id.to_owned(),
        history_id: history_id.cloned(),
        detail: None,
        at: writer.moment.now,
        ..LogEntry::default()
    }
}

fn announcement(
    writer: &Writer<'_>,
    kind: &'static str,
    identity: &Identity,
    (user, version): (&User, i64),
    changed: &Value,
    log_id: &str,
) -> Announcement {
    Announcement {
        id: writer.moment.id(),
        kind,
        profile_id: Some(user.id.clone()),
        group_id: None,
        connection_id: identity.connection_id.clone(),
        version,
        changed: changed.to_string(),
        log_id: log_id.to_owned(),
        at: writer.moment.now,
    }
}

#[cfg(test)]
mod tests;
