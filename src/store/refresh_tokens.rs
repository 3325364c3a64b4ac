//! Refresh tokens: stored by hash, used once. The grant is the family.

use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::grant::{Grant, Person, TOKENS_MAX};
use crate::model::ids::TenantId;
use crate::secret::TokenHash;

statements! {
    /// As of [`super::access_tokens`]; used or not.
    FIND_REFRESH_TOKEN = "SELECT r.used_at, r.successor, r.created_at, r.expires_at, g.id, g.client_id, g.session_id, g.profile_id, \
        g.identity_id, g.offline, g.scope, g.asked, g.auth_time, g.created_at, g.expires_at, g.organization_id, u.user_id, u.doc, \
        u.updated_at, r.parent, g.proof \
        FROM refresh_tokens r JOIN grants g ON g.tenant_id = $1 AND g.id = (SELECT grant_id FROM refresh_tokens WHERE tenant_id = $1 AND hash = $2) \
        AND g.expires_at + 0 > $3 \
        JOIN identities i ON i.tenant_id = g.tenant_id AND i.id = g.identity_id AND i.profile_id = g.profile_id AND i.state = 'active' \
        JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.profile_id AND NOT u.blocked \
        WHERE r.tenant_id = $1 AND r.hash = $2";
    INSERT_REFRESH_TOKEN = "INSERT INTO refresh_tokens (tenant_id, hash, grant_id, parent, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    /// Whoever comes second touches no row.
    USE_REFRESH_TOKEN = "UPDATE refresh_tokens SET used_at = $3, successor = $4 WHERE tenant_id = $1 AND hash = $2 AND used_at IS NULL";
    /// Those of a family beyond the newest so many: whoever still shows one of these has slept through all of it.
    DELETE_OLDEST_REFRESH_TOKENS = "DELETE FROM refresh_tokens WHERE tenant_id = $1 AND grant_id = $2 AND created_at < coalesce((SELECT created_at \
        FROM refresh_tokens WHERE tenant_id = $1 AND grant_id = $2 ORDER BY created_at DESC LIMIT 1 OFFSET $3), 0)";
    /// Whoever has the successor has no use for its predecessor any more.
    FORGET_SUCCESSOR = "UPDATE refresh_tokens SET successor = NULL WHERE tenant_id = $1 AND hash = $2";
    OLD_REFRESH_TOKENS = "SELECT hash FROM refresh_tokens WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3";
    DELETE_REFRESH_TOKEN = "DELETE FROM refresh_tokens WHERE tenant_id = $1 AND hash = $2";
}

/// A token, used or not, and whom it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshToken {
    pub used_at: Option<i64>,
    /// What it came for; the first of a family for none.
    pub parent: Option<TokenHash>,
    /// The text of the next one, sealed. `None` once that is used: then it is nobody's to have again.
    pub successor: Option<Vec<u8>>,
    pub created_at: i64,
    pub expires_at: i64,
    pub grant: Grant,
    pub person: Person,
}

/// The token stored under `hash`, if its grant counts at `now`.
pub async fn find(store: &Store, tenant: &TenantId, hash: &TokenHash, now: i64) -> Result<Option<RefreshToken>, Error> {
    let rows = store.read(FIND_REFRESH_TOKEN, args![tenant, &hash.as_bytes()[..], now]).await?;
    let read = |row: &Row| {
        Ok(RefreshToken {
            used_at: row.opt_int(0)?,
            parent: row.opt_bytes(19)?.and_then(|bytes| TokenHash::from_bytes(&bytes)),
            successor: row.opt_bytes(1)?,
            created_at: row.int(2)?,
            expires_at: row.int(3)?,
            grant: super::access_tokens::grant(tenant, row, 4, 20)?,
            person: Person { user_id: row.text(16)?, doc: row.text(17)?, updated_at: row.int(18)? },
        })
    };
    rows.first().map(read).transpose()
}

/// A new one of `grant`; `parent` was used for it.
pub fn insert(batch: &mut Batch, grant: &Grant, hash: &TokenHash, parent: Option<&TokenHash>, (now, until): (i64, i64)) {
    let parent = parent.map(|hash| hash.as_bytes().to_vec());
    batch.any(DELETE_OLDEST_REFRESH_TOKENS, args![&grant.tenant_id, &grant.id, TOKENS_MAX - 1]);
    batch.one(INSERT_REFRESH_TOKEN, args![&grant.tenant_id, &hash.as_bytes()[..], &grant.id, parent, now, until]);
}

/// The batch is [`Error::Stale`] if it was used.
pub fn use_up(
    batch: &mut Batch,
    tenant: &TenantId,
    (hash, parent): (&TokenHash, Option<&TokenHash>),
    at: i64,
    successor: Vec<u8>,
) {
    batch.one(USE_REFRESH_TOKEN, args![tenant, &hash.as_bytes()[..], at, successor]);
    if let Some(parent) = parent {
        batch.any(FORGET_SUCCESSOR, args![tenant, &parent.as_bytes()[..]]);
    }
}

/// Deletes up to `limit` that ended before `before`. How many were found.
pub async fn delete_old(store: &Store, tenant: &TenantId, before: i64, limit: i64) -> Result<usize, Error> {
    super::retention::delete_by_hash(store, tenant, (OLD_REFRESH_TOKENS, DELETE_REFRESH_TOKEN), before, limit).await
}
