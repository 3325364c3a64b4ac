//! One user at one connection, as stored.

use super::ids::{ConnectionId, IdentityId, ProfileId, TenantId};

/// What the connection says of the person now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityState {
    Active,
    /// The source said so: SCIM `active:false`, a disabled directory entry.
    DisabledAtSource,
    /// DELETEd by the source; kept for revival under its external id.
    Deleted,
}

impl IdentityState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::DisabledAtSource => "disabled_at_source",
            Self::Deleted => "deleted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::DisabledAtSource, Self::Deleted].into_iter().find(|state| state.as_str() == text)
    }
}

/// What a login says of the person: raw and mapped once more, beside those of a push.
#[derive(Clone, Debug, PartialEq)]
pub struct LoginSide {
    /// JSON text of the verified claims or the decoded entry.
    pub raw: String,
    pub raw_hash: String,
    /// JSON text: the login mapping's result over the whole of `raw`.
    pub mapped: String,
    pub mapping: String,
    pub mapping_version: i64,
}

/// A row of `identities`.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub tenant_id: TenantId,
    pub id: IdentityId,
    pub connection_id: ConnectionId,
    /// None while a mapping's `skip` keeps the person out of the roster.
    pub profile_id: Option<ProfileId>,
    /// 0 = primary.
    pub position: i64,
    pub external_id: Option<String>,
    pub user_name: Option<String>,
    pub user_name_key: Option<String>,
    pub label: Option<String>,
    pub state: IdentityState,
    /// In the roster by a push or by its directory, and not deleted. What was pushed and is listed is what a SCIM client sees.
    pub listed: bool,
    /// What the pushed resource says of it; `None` where it says nothing, and then `state` stays as it was.
    pub active: Option<bool>,
    /// JSON text of the merged resource; None before the first push.
    pub raw: Option<String>,
    pub raw_hash: Option<String>,
    /// JSON text: the mapping's result over the whole of `raw`.
    pub mapped: Option<String>,
    pub mapping: Option<String>,
    pub mapping_version: Option<i64>,
    /// None before the first login.
    pub login: Option<LoginSide>,
    pub last_source: String,
    /// Of an entry of a directory: the key of its DN ([`super::dn`]).
    pub dn_key: Option<String>,
    /// In how many complete reads of its directory in a row it was not seen.
    pub missing_runs: i64,
    pub version: i64,
    pub first_seen: i64,
    pub last_seen: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub deleted_at: Option<i64>,
}
