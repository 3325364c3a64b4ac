//! A group of one connection, as stored. Who is in it are rows.

use super::ids::{ConnectionId, GroupId, TenantId};

/// A row of `groups`.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub tenant_id: TenantId,
    pub id: GroupId,
    pub connection_id: ConnectionId,
    pub external_id: Option<String>,
    pub name: String,
    pub name_key: String,
    /// JSON text of the resource without members.
    pub raw: String,
    pub raw_hash: String,
    /// What the connection's group mapping made of it, if there is one.
    pub mapped: Option<MappedGroup>,
    /// Of an entry of a directory: the key of its DN ([`super::dn`]).
    pub dn_key: Option<String>,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A group mapping's result and which text gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct MappedGroup {
    /// JSON text: `{"name": …, "app_metadata": {…}}` or `{"skipped": reason}`.
    pub text: String,
    pub mapping: String,
    pub version: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    User,
    Group,
}

impl MemberKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// Someone or some group that is, or is to be, in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub kind: MemberKind,
}
