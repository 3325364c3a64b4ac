//! Who is calling, once the bearer token is known, and the tokens themselves. Handlers get a [`Principal`] or nothing.

use super::connection::Connection;
use super::ids::{ConnectionId, TenantId, TokenId};
use super::tenant::TenantState;
use std::sync::Arc;

/// The caller behind a valid token.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A SCIM client: it may touch this connection and nothing else. `state` is that of the connection's tenant.
    Scim { token: TokenId, connection: Arc<Connection>, scopes: Vec<String>, state: TenantState },
    /// An administrator's token for the management API of one tenant.
    Management { token: TokenId, tenant: TenantId, scopes: Vec<String> },
    /// A person, by an application of theirs: for their own profile and no other.
    Person { token: TokenId, tenant: TenantId, user_id: String, scopes: Vec<String> },
}

impl Principal {
    pub fn token(&self) -> &TokenId {
        match self {
            Self::Scim { token, .. } | Self::Management { token, .. } | Self::Person { token, .. } => token,
        }
    }

    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Scim { connection, .. } => &connection.tenant_id,
            Self::Management { tenant, .. } | Self::Person { tenant, .. } => tenant,
        }
    }

    /// Whether the token was given `scope`, by name or by [`EVERY_SCOPE`].
    pub fn allows(&self, scope: &str) -> bool {
        let (Self::Scim { scopes, .. } | Self::Management { scopes, .. } | Self::Person { scopes, .. }) = self;
        let all = !matches!(self, Self::Person { .. });
        scopes.iter().any(|given| given == scope || all && given == EVERY_SCOPE)
    }
}

/// Stands for every scope, also of later versions. What a management token gets when nothing is said.
pub const EVERY_SCOPE: &str = "*";

/// The only scope of the one-time code that signs in to the console: it opens nothing else.
pub const CONSOLE_SCOPE: &str = "console:sign-in";

/// What calls of the management API ask for. A token may be given others too: they are those of other versions.
pub const API_SCOPES: [&str; 46] = [
    "read:users",
    "create:users",
    "update:users",
    "update:users_app_metadata",
    "delete:users",
    "read:user_idp_tokens",
    "read:connections",
    "create:connections",
    "update:connections",
    "delete:connections",
    "read:scim_config",
    "create:scim_config",
    "update:scim_config",
    "delete:scim_config",
    "read:scim_token",
    "create:scim_token",
    "delete:scim_token",
    "read:raw",
    "read:groups",
    "read:group_members",
    "delete:groups",
    "read:organizations",
    "read:tenant_settings",
    "read:clients",
    "create:clients",
    "update:clients",
    "delete:clients",
    "read:logs",
    "read:logs_users",
    "read:history",
    "read:conflicts",
    "update:conflicts",
    "read:events",
    "read:webhooks",
    "create:webhooks",
    "update:webhooks",
    "delete:webhooks",
    "read:mappings",
    "update:mappings",
    "read:runs",
    "update:runs",
    "read:sessions",
    "delete:sessions",
    "read:refresh_tokens",
    "delete:refresh_tokens",
    "erase:users",
];

/// What an access token that a person's application got may be given: for that person's own profile and no other.
pub const OWN_SCOPES: [&str; 4] =
    ["read:current_user", "create:current_user_metadata", "update:current_user_metadata", "update:current_user_identities"];

/// What a SCIM token may be given; without a choice it gets all of them.
pub const SCIM_SCOPES: [&str; 10] = [
    "get:users",
    "post:users",
    "put:users",
    "patch:users",
    "delete:users",
    "get:groups",
    "post:groups",
    "put:groups",
    "patch:groups",
    "delete:groups",
];

/// A stored token, without anything that could open something.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub tenant_id: TenantId,
    pub id: TokenId,
    /// `None`: a management token.
    pub connection_id: Option<ConnectionId>,
    pub name: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub created_at: i64,
}

impl Token {
    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}
