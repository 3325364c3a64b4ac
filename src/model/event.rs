//! The rows that say what happened: history (values before), log (who, what, outcome), outbox (what to announce),
//! inbox (what needs a person). They are written in the same transaction as the change, or not at all.

use super::ids::{ConnectionId, GroupId, IdentityId, ProfileId};

/// A row of `history`: the values before, each with why it was so.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    pub id: String,
    pub profile_id: ProfileId,
    /// Of the profile, after the change.
    pub version: i64,
    pub event: &'static str,
    pub connection_id: ConnectionId,
    pub identity_id: IdentityId,
    pub mapping: String,
    pub mapping_version: i64,
    pub actor: String,
    /// JSON text. A creation: `{"created": [names]}`; else per path `{"before": value, "by": provenance}`.
    pub changes: String,
    pub at: i64,
}

/// A row of `log`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogEntry {
    pub id: String,
    pub kind: &'static str,
    pub outcome: &'static str,
    pub connection_id: Option<ConnectionId>,
    pub identity_id: Option<IdentityId>,
    pub group_id: Option<GroupId>,
    pub profile_id: Option<ProfileId>,
    pub actor: String,
    pub request_id: String,
    pub history_id: Option<String>,
    /// JSON text.
    pub detail: Option<String>,
    pub at: i64,
}

/// A row of `outbox`.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    pub id: String,
    pub kind: &'static str,
    pub profile_id: Option<ProfileId>,
    pub group_id: Option<GroupId>,
    pub connection_id: ConnectionId,
    pub version: i64,
    /// JSON text: changed names, or for members their ids (counts above 1,000).
    pub changed: String,
    pub log_id: String,
    pub at: i64,
}

/// A row of `conflicts`: opened once per subject, counted after that.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxEntry {
    pub id: String,
    pub connection_id: ConnectionId,
    pub kind: &'static str,
    pub subject: String,
    /// JSON text.
    pub detail: String,
    pub at: i64,
}
