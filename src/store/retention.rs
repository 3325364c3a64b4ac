//! What is old enough to go, in small batches: the ids are read, then deleted by key, so that a pass never holds
//! the writer for long and says exactly how many rows went.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::ids::{TenantId, first_id_of};

statements! {
    OLD_LOG_ROWS = "SELECT id FROM log WHERE tenant_id = $1 AND created_at < $2 ORDER BY created_at LIMIT $3";
    DELETE_LOG_ROW = "DELETE FROM log WHERE tenant_id = $1 AND id = $2";
    OLD_OUTBOX_ROWS = "SELECT id FROM outbox WHERE tenant_id = $1 AND created_at < $2 ORDER BY created_at LIMIT $3";
    DELETE_OUTBOX_ROW = "DELETE FROM outbox WHERE tenant_id = $1 AND id = $2";
    /// By the key, whose ids are in the order of time: an index by age would cost every write.
    OLD_TRAFFIC_ROWS = "SELECT id FROM traffic WHERE tenant_id = $1 AND id < $2 ORDER BY id LIMIT $3";
    OLD_SESSIONS = "SELECT id FROM sessions WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3";
}

/// What retention removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    Log,
    /// Events nobody fetched.
    Events,
    /// What webhooks did not take of them.
    WebhookDeliveries,
    /// What clients asked and were answered.
    Traffic,
    /// Sessions that ended.
    Sessions,
    /// Logins that failed.
    LoginFailures,
    /// Assertions that were used and would be refused for their times now.
    LoginUsed,
    /// Codes that nobody can exchange any more, and whose second use says nothing by now.
    Codes,
    AccessTokens,
    /// What applications were let have, with its refresh tokens.
    Grants,
    /// Refresh tokens of grants that go on, used or not: one that rested too long is worth as much as none.
    RefreshTokens,
    /// Profiles that were linked to another, as they were.
    Links,
}

impl Kept {
    pub const ALL: [Self; 12] = [
        Self::Log,
        Self::Events,
        Self::WebhookDeliveries,
        Self::Traffic,
        Self::Sessions,
        Self::LoginFailures,
        Self::LoginUsed,
        Self::Codes,
        Self::AccessTokens,
        Self::Grants,
        Self::RefreshTokens,
        Self::Links,
    ];

    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Events => "events",
            Self::WebhookDeliveries => "webhook_deliveries",
            Self::Traffic => "traffic",
            Self::Sessions => "sessions",
            Self::LoginFailures => "login_failures",
            Self::LoginUsed => "login_used",
            Self::Codes => "codes",
            Self::AccessTokens => "access_tokens",
            Self::Grants => "grants",
            Self::RefreshTokens => "refresh_tokens",
            Self::Links => "links",
        }
    }
}

/// Deletes up to `limit` rows of `kept` made before `before`. Returns how many were found; fewer than `limit` means
/// that none is left.
pub async fn delete_some(store: &Store, tenant: &TenantId, kept: Kept, before: i64, limit: usize) -> Result<usize, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (rows, delete) = match kept {
        Kept::Log => (store.read(OLD_LOG_ROWS, args![tenant, before, limit]).await?, DELETE_LOG_ROW),
        Kept::Events => (store.read(OLD_OUTBOX_ROWS, args![tenant, before, limit]).await?, DELETE_OUTBOX_ROW),
        Kept::Traffic => {
            (store.read(OLD_TRAFFIC_ROWS, args![tenant, first_id_of(before), limit]).await?, super::traffic::DELETE_EXCHANGE)
        }
        Kept::Sessions => (store.read(OLD_SESSIONS, args![tenant, before, limit]).await?, super::sessions::DELETE_SESSION_BY_ID),
        // Its key is another.
        Kept::LoginFailures => return super::login_failures::delete_old(store, tenant, before, limit).await,
        Kept::WebhookDeliveries => return super::webhook_deliveries::delete_old(store, tenant, before, limit).await,
        Kept::LoginUsed => return super::login_used::delete_old(store, tenant, before, limit).await,
        Kept::Codes => return super::codes::delete_old(store, tenant, before, limit).await,
        Kept::AccessTokens => return super::access_tokens::delete_old(store, tenant, before, limit).await,
        Kept::Grants => return super::grants::delete_old(store, tenant, before, limit).await,
        Kept::RefreshTokens => return super::refresh_tokens::delete_old(store, tenant, before, limit).await,
        Kept::Links => return super::links::delete_old(store, tenant, before, limit).await,
    };
    let mut batch = Batch::default();
    batch.each(delete, rows.iter().map(|row| Ok(args![tenant, row.text(0)?])).collect::<Result<_, Error>>()?);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}

/// Deletes up to `limit` rows whose key is a hash: `which` says which are old, and deletes one. How many were found.
pub(super) async fn delete_by_hash(
    store: &Store,
    tenant: &TenantId,
    (which, delete): (&'static str, &'static str),
    before: i64,
    limit: i64,
) -> Result<usize, Error> {
    let rows = store.read(which, args![tenant, before, limit]).await?;
    let mut batch = Batch::default();
    batch.each(delete, rows.iter().map(|row| Ok(args![tenant, row.opt_bytes(0)?])).collect::<Result<_, Error>>()?);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}
