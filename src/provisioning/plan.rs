//! Decided changes, as values: they can be printed, compared, refused, and turned into one batch by
//! [`super::apply`]. Nothing here reads or writes.

use crate::model::event::{Announcement, History, InboxEntry, LogEntry};
use crate::model::group::{Group, Member};
use crate::model::identity::Identity;
use crate::model::user::{Block, BlockKind, User};

/// What a decision came to.
#[derive(Debug, PartialEq)]
pub enum Decision<P> {
    Write(Box<P>),
    /// Everything is so already: no row moves, no version either.
    Nothing,
    Refused(Refusal),
}

/// Why a record is not taken. A policy's answer, not an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// No such thing on this connection, or none any more.
    NotFound,
    /// If-Match names another version.
    VersionMismatch,
    /// A unique value is taken; `attribute` in the profile's or the source's words.
    Taken { attribute: &'static str },
    /// The address belongs to a profile another connection feeds. Opens an inbox row; nothing else is stored.
    EmailElsewhere { inbox: InboxEntry, log: LogEntry },
    /// The person asked to be erased.
    Erased,
    /// Re-posting is refused by the connection's `repost = conflict`.
    Repost,
    /// The mapping refuses the record: attribute and reason, all of them.
    Rejected { reasons: Vec<(String, String)> },
    /// The profile would pass its limit.
    TooLarge { bytes_max: usize },
    /// These ids are no user or group of this connection.
    UnknownMembers { ids: Vec<String> },
    /// The group would hold itself.
    Cycle { group_id: String },
    /// The source's hour is used up; what would go is held as a run.
    OverBudget { retry_after_seconds: u64 },
}

#[derive(Debug, PartialEq)]
pub enum IdentityWrite {
    Insert(Identity),
    /// Only if it still has version `expected`.
    Update {
        identity: Identity,
        expected: i64,
    },
    /// Only what a login changes, if it still has version `expected`.
    Login {
        identity: Identity,
        expected: i64,
    },
    /// Nothing but when it was last seen: no version moves.
    Seen(Identity),
    Remove {
        identity: Identity,
        expected: i64,
    },
}

impl IdentityWrite {
    pub fn identity(&self) -> &Identity {
        match self {
            Self::Insert(identity)
            | Self::Update { identity, .. }
            | Self::Login { identity, .. }
            | Self::Seen(identity)
            | Self::Remove { identity, .. } => identity,
        }
    }
}

#[derive(Debug, PartialEq)]
pub enum ProfileWrite {
    None,
    Insert(User),
    Update { user: User, expected: i64 },
    Remove { user: User, reason: &'static str },
}

/// The searchable values that join and leave.
#[derive(Debug, Default, PartialEq)]
pub struct ValueDiff {
    pub gone: Vec<(String, String)>,
    pub new: Vec<(String, String)>,
}

impl ValueDiff {
    /// The difference, so that no row is written twice.
    pub fn between(old: &[(String, String)], new: &[(String, String)]) -> Self {
        let only = |these: &[(String, String)], those: &[(String, String)]| {
            let mut rows: Vec<_> = these.iter().filter(|row| !those.contains(row)).cloned().collect();
            rows.sort();
            rows.dedup();
            rows
        };
        Self { gone: only(old, new), new: only(new, old) }
    }
}

/// What one write of one user comes to.
#[derive(Debug, PartialEq)]
pub struct UserPlan {
    pub identity: IdentityWrite,
    pub profile: ProfileWrite,
    pub values: ValueDiff,
    pub blocks: Vec<Block>,
    /// Kind and origin of the blocks that go.
    pub lifts: Vec<(BlockKind, String)>,
    pub history: Option<History>,
    pub log: Vec<LogEntry>,
    pub outbox: Vec<Announcement>,
    pub inbox: Vec<InboxEntry>,
    /// How the connection's count of users moves, and in which slot.
    pub counted: i64,
    pub slot: i64,
    /// Member rows of the identity go; the groups it was in move their version.
    pub leaves_groups: bool,
    /// When the person logged in, if this is a login: the profile counts it.
    pub login: Option<i64>,
    /// The record was not taken and its reasons; all that is written is that its source bars the person.
    pub rejected: Option<Vec<(String, String)>>,
}

#[derive(Debug, PartialEq)]
pub enum GroupWrite {
    Insert(Group),
    /// Document or name changed: only if it still has version `expected`.
    Update {
        group: Group,
        expected: i64,
    },
    /// Only member rows moved: the version moves blindly.
    Touch {
        group: Group,
        expected: Option<i64>,
    },
    Remove {
        group: Group,
        expected: Option<i64>,
    },
}

impl GroupWrite {
    pub fn group(&self) -> &Group {
        match self {
            Self::Insert(group) | Self::Update { group, .. } | Self::Touch { group, .. } | Self::Remove { group, .. } => group,
        }
    }
}

/// What one write of one group comes to.
#[derive(Debug, PartialEq)]
pub struct GroupPlan {
    pub group: GroupWrite,
    pub joins: Vec<Member>,
    pub leaves: Vec<String>,
    /// Some where groups join: stale unless no other group took a group in since.
    pub nestings_seen: Option<i64>,
    pub log: Vec<LogEntry>,
    pub outbox: Vec<Announcement>,
    pub counted: i64,
    pub slot: i64,
}
