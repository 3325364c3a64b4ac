//! The rows that say what happened: history (values before), log (who, what, outcome), outbox (what to announce),
//! inbox (what needs a person). They are written in the same transaction as the change, or not at all.

use super::ids::{ClientId, ConnectionId, GroupId, IdentityId, ProfileId};
use std::net::IpAddr;

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
    /// Public, of somebody who is gone with this row.
    pub user_id: Option<String>,
    /// The application that was part of it.
    pub client_id: Option<ClientId>,
    /// Where the browser or the application called from, and what it says it is.
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub actor: String,
    pub request_id: String,
    pub history_id: Option<String>,
    /// JSON text.
    pub detail: Option<String>,
    pub at: i64,
}

/// Every kind an announcement has. It is the `type` of the event that tells of it (docs/events.md has the same list).
pub const EVENT_TYPES: [&str; 8] = [
    "user.created",
    "user.updated",
    "user.deleted",
    "group.created",
    "group.updated",
    "group.deleted",
    "group.member.added",
    "group.member.deleted",
];

/// What `changed` says where something was removed: what is still known of it when nothing is left to be read.
pub fn last_known(name: &str, value: &str) -> serde_json::Value {
    serde_json::json!({ "known": { name: value } })
}

/// Characters of a user agent that the log keeps.
const USER_AGENT_CHARS_MAX: usize = 256;

impl LogEntry {
    /// With from where somebody called: the user agent bounded, and without what a terminal would obey.
    #[must_use]
    pub fn from_where(self, ip: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.map(bounded_user_agent).filter(|agent| !agent.is_empty());
        Self { ip, user_agent, ..self }
    }
}

/// What the log keeps of a user agent.
pub fn bounded_user_agent(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect()
}

/// A row of `outbox`.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    pub id: String,
    /// One of [`EVENT_TYPES`].
    pub kind: &'static str,
    pub profile_id: Option<ProfileId>,
    pub group_id: Option<GroupId>,
    pub connection_id: ConnectionId,
    pub version: i64,
    /// JSON text: changed names, for members their ids (counts above 1,000), of what was removed [`last_known`].
    pub changed: String,
    pub log_id: String,
    pub at: i64,
}

/// The inbox's word for two profiles that may be one person: nothing was refused, and nothing is linked by itself.
pub const LINK_SUGGESTION: &str = "link_suggestion";

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
