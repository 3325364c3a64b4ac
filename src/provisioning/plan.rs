//! Decided changes, as values: they can be printed, compared, refused, and turned into one batch by
//! [`super::apply`]. Nothing here reads or writes.

use super::decide::LoginTrace;
use crate::model::event::{Announcement, History, InboxEntry, LogEntry};
use crate::model::group::{Group, Member};
use crate::model::identity::Identity;
use crate::model::user::{Block, BlockKind, User};
use std::fmt;

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

/// Ids that are named where a refusal is put into words.
const NAMED_MAX: usize = 5;

impl Refusal {
    /// In words for an administrator: which attribute, if it is one's, and what is wrong with it and can be changed.
    pub fn reasons(&self) -> Vec<(String, String)> {
        let (attribute, reason) = match self {
            Self::Rejected { reasons } => return reasons.clone(),
            Self::NotFound => ("", "there is no such user or group on this connection any more".to_owned()),
            Self::VersionMismatch => ("", "it was changed meanwhile: read it again and repeat".to_owned()),
            Self::Taken { attribute: "displayName" } => (
                "displayName",
                "another group of this connection has the name: rename one of them, or tell them apart in a `group_mapping`"
                    .to_owned(),
            ),
            Self::Taken { attribute } => {
                (*attribute, "somebody else on this connection has it: change it for one of the two".to_owned())
            }
            Self::EmailElsewhere { .. } => (
                "email",
                "the address is that of a profile another connection feeds: change one of the two, or set `join` or \
                 `on_email_match=new`"
                    .to_owned(),
            ),
            Self::Erased => ("", "the person asked to be erased, and does not come back under this external id".to_owned()),
            Self::Repost => {
                ("", "the person left and `repost=conflict` keeps them out: `repost=reactivate` lets them come back".to_owned())
            }
            Self::TooLarge { bytes_max } => (
                "",
                format!(
                    "the profile would be larger than {bytes_max} bytes: let the mapping take less of the entry, or bound a value \
                     with `max`"
                ),
            ),
            Self::UnknownMembers { ids } => {
                let named = ids.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
                let more = ids.len().saturating_sub(NAMED_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                ("members", format!("{named}{more}: no user or group of this connection has that id"))
            }
            Self::Cycle { group_id } => {
                ("members", format!("the group would hold itself by way of {group_id}: take one out of the other"))
            }
            Self::OverBudget { retry_after_seconds } => (
                "",
                format!(
                    "the connection's `budget` of this hour is used up: what would go is held as a run (`rosterd runs list`), or goes in \
                     {retry_after_seconds} seconds"
                ),
            ),
        };
        vec![(attribute.to_owned(), reason)]
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (attribute, reason)) in self.reasons().into_iter().enumerate() {
            let (before, colon) = (if at > 0 { "; " } else { "" }, if attribute.is_empty() { "" } else { ": " });
            write!(f, "{before}{attribute}{colon}{reason}")?;
        }
        Ok(())
    }
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
    /// Nothing of it: the change is of the profile alone.
    Untouched(Identity),
}

impl IdentityWrite {
    pub fn identity(&self) -> &Identity {
        match self {
            Self::Insert(identity)
            | Self::Update { identity, .. }
            | Self::Login { identity, .. }
            | Self::Seen(identity)
            | Self::Untouched(identity)
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
    /// What a person of a database connection is known by: kind and key.
    pub handles: ValueDiff,
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
    /// Who is removed here leaves no tombstone: they should never have been, and may come anew.
    pub forgets: bool,
    /// The record was not taken and its reasons; all that is written is that its source bars the person.
    pub rejected: Option<Vec<(String, String)>>,
    /// What became of each attribute, if this is a login.
    pub trace: Option<LoginTrace>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_words_and_not_as_the_program_has_it() {
        let rejected =
            Refusal::Rejected { reasons: vec![("email".into(), "has no value".into()), (String::new(), "odd".into())] };
        assert_eq!(rejected.to_string(), "email: has no value; odd");
        let ids = (0..7).map(|at| format!("m{at}")).collect();
        assert!(Refusal::UnknownMembers { ids }.to_string().starts_with("members: m0, m1, m2, m3, m4 and 2 more: no user"));
        let all = [
            Refusal::NotFound,
            Refusal::VersionMismatch,
            Refusal::Taken { attribute: "userName" },
            Refusal::Taken { attribute: "displayName" },
            Refusal::Erased,
            Refusal::Repost,
            Refusal::TooLarge { bytes_max: 65_536 },
            Refusal::Cycle { group_id: "g".into() },
            Refusal::OverBudget { retry_after_seconds: 60 },
        ];
        for refusal in all {
            let (words, name) = (refusal.to_string(), format!("{refusal:?}"));
            let name = name.split([' ', '{', '(']).next().unwrap_or_default();
            assert!(!words.contains(name) && !words.contains('{') && words.len() > 30, "{words}");
        }
    }
}
