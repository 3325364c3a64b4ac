//! Access tokens: opaque, stored by hash. One counts only for as long as whoever it is about may be signed in.

use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::client::ClientOptions;
use crate::model::grant::{Grant, Person, TOKENS_MAX};
use crate::model::ids::{ClientId, GrantId, IdentityId, OrganizationId, ProfileId, SessionId, TenantId};
use crate::model::proof::Proof;
use crate::secret::TokenHash;

statements! {
    /// Nobody who is blocked, nobody whose identity left, and nothing of a session that ended, unless it was to go on without.
    /// Each row is named by a key known before, and `+ 0` keeps the index of age out: on tables without statistics PostgreSQL
    /// walked over it, and over all grants.
    FIND_ACCESS_TOKEN = "SELECT a.id, a.scope, a.created_at, a.expires_at, g.id, g.client_id, g.session_id, g.profile_id, g.identity_id, \
        g.offline, g.scope, g.asked, g.auth_time, g.created_at, g.expires_at, g.organization_id, u.user_id, u.doc, u.updated_at, \
        c.options, g.proof \
        FROM access_tokens a JOIN grants g ON g.tenant_id = $1 AND g.id = (SELECT grant_id FROM access_tokens WHERE tenant_id = $1 AND hash = $2) \
        AND g.expires_at + 0 > $3 \
        JOIN clients c ON c.tenant_id = g.tenant_id AND c.id = g.client_id \
        JOIN identities i ON i.tenant_id = g.tenant_id AND i.id = g.identity_id AND i.profile_id = g.profile_id AND i.state = 'active' \
        JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.profile_id AND NOT u.blocked \
        WHERE a.tenant_id = $1 AND a.hash = $2 AND a.expires_at + 0 > $3 AND (g.offline OR EXISTS (SELECT 1 FROM sessions s \
        WHERE s.tenant_id = g.tenant_id AND s.id = g.session_id AND s.expires_at + 0 > $3))";
    INSERT_ACCESS_TOKEN = "INSERT INTO access_tokens (tenant_id, hash, id, grant_id, scope, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    /// Those of a grant beyond the newest so many.
    DELETE_OLDEST_ACCESS_TOKENS = "DELETE FROM access_tokens WHERE tenant_id = $1 AND grant_id = $2 AND created_at < coalesce((SELECT created_at \
        FROM access_tokens WHERE tenant_id = $1 AND grant_id = $2 ORDER BY created_at DESC LIMIT 1 OFFSET $3), 0)";
    DELETE_ACCESS_TOKEN = "DELETE FROM access_tokens WHERE tenant_id = $1 AND hash = $2";
    OLD_ACCESS_TOKENS = "SELECT hash FROM access_tokens WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3";
}

/// A token that counts, and whom it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessToken {
    /// `jti`.
    pub id: String,
    pub scope: String,
    pub created_at: i64,
    pub expires_at: i64,
    pub grant: Grant,
    pub person: Person,
    /// Of the application it was given to.
    pub client: ClientOptions,
}

/// Columns of a grant from `at` on, in the order of `g.id … g.organization_id`.
pub(super) fn grant(tenant: &TenantId, row: &Row, at: usize, proof_at: usize) -> Result<Grant, Error> {
    Ok(Grant {
        tenant_id: tenant.clone(),
        id: GrantId::new(row.text(at)?),
        client_id: ClientId::new(row.text(at + 1)?),
        session_id: SessionId::new(row.text(at + 2)?),
        profile_id: ProfileId::new(row.text(at + 3)?),
        identity_id: IdentityId::new(row.text(at + 4)?),
        offline: row.bool(at + 5)?,
        scope: row.text(at + 6)?,
        asked: row.text(at + 7)?,
        auth_time: row.int(at + 8)?,
        proof: Proof::from_text(&row.text(proof_at)?),
        created_at: row.int(at + 9)?,
        expires_at: row.int(at + 10)?,
        organization_id: row.opt_text(at + 11)?.map(OrganizationId::new),
    })
}

/// The token stored under `hash`, if it counts at `now`.
pub async fn find(store: &Store, tenant: &TenantId, hash: &TokenHash, now: i64) -> Result<Option<AccessToken>, Error> {
    let rows = store.read(FIND_ACCESS_TOKEN, args![tenant, &hash.as_bytes()[..], now]).await?;
    let read = |row: &Row| {
        Ok(AccessToken {
            id: row.text(0)?,
            scope: row.text(1)?,
            created_at: row.int(2)?,
            expires_at: row.int(3)?,
            grant: grant(tenant, row, 4, 20)?,
            person: Person { user_id: row.text(16)?, doc: row.text(17)?, updated_at: row.int(18)? },
            client: super::clients::options_of(&row.text(19)?)?,
        })
    };
    rows.first().map(read).transpose()
}

/// A new one of `grant`, whose oldest go beyond [`TOKENS_MAX`].
pub fn insert(batch: &mut Batch, grant: &Grant, (id, scope): (&str, &str), hash: &TokenHash, (now, until): (i64, i64)) {
    batch.any(DELETE_OLDEST_ACCESS_TOKENS, args![&grant.tenant_id, &grant.id, TOKENS_MAX - 1]);
    batch.one(INSERT_ACCESS_TOKEN, args![&grant.tenant_id, &hash.as_bytes()[..], id, &grant.id, scope, now, until]);
}

pub fn delete(batch: &mut Batch, tenant: &TenantId, hash: &TokenHash) {
    batch.any(DELETE_ACCESS_TOKEN, args![tenant, &hash.as_bytes()[..]]);
}

/// Deletes up to `limit` that ended before `before`. How many were found.
pub async fn delete_old(store: &Store, tenant: &TenantId, before: i64, limit: i64) -> Result<usize, Error> {
    super::retention::delete_by_hash(store, tenant, (OLD_ACCESS_TOKENS, DELETE_ACCESS_TOKEN), before, limit).await
}
