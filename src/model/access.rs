//! Who is calling, once the bearer token is known. Handlers get one of these or nothing.

use super::connection::Connection;
use super::ids::{TenantId, TokenId};
use std::sync::Arc;

/// The caller behind a valid token.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A SCIM client: it may touch this connection and nothing else.
    Scim { token: TokenId, connection: Arc<Connection>, scopes: Vec<String> },
    /// An administrator's token for the management API of one tenant.
    Management { token: TokenId, tenant: TenantId, scopes: Vec<String> },
}
