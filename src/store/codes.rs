//! Authorization codes: stored by hash, used once.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::grant::{GRANTS_MAX, Grant, Person};
use crate::model::ids::{ClientId, GrantId, IdentityId, OrganizationId, ProfileId, SessionId, TenantId};
use crate::model::proof::Proof;
use crate::secret::TokenHash;

statements! {
    /// The code, and whoever let it be issued as long as they are signed in, not blocked and not gone.
    FIND_CODE = "SELECT c.client_id, c.grant_id, c.session_id, c.profile_id, c.identity_id, c.redirect_uri, c.challenge, c.nonce, \
        c.scope, c.asked, c.auth_time, c.expires_at, c.used_at, u.user_id, u.doc, u.updated_at, c.organization_id, c.proof \
        FROM codes c LEFT JOIN sessions s ON s.tenant_id = $1 AND s.id = (SELECT session_id FROM codes WHERE tenant_id = $1 AND hash = $2) \
        AND s.expires_at + 0 > $3 \
        LEFT JOIN identities i ON i.tenant_id = s.tenant_id AND i.id = s.identity_id AND i.profile_id = s.profile_id AND i.state = 'active' \
        LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.profile_id AND NOT u.blocked \
        WHERE c.tenant_id = $1 AND c.hash = $2";
    /// Those of a person and an application beyond the newest so many.
    DELETE_OLDEST_CODES = "DELETE FROM codes WHERE tenant_id = $1 AND profile_id = $2 AND client_id = $3 AND expires_at < coalesce((SELECT \
        expires_at FROM codes WHERE tenant_id = $1 AND profile_id = $2 AND client_id = $3 ORDER BY expires_at DESC LIMIT 1 OFFSET $4), 0)";
    INSERT_CODE = "INSERT INTO codes (tenant_id, hash, client_id, grant_id, session_id, profile_id, identity_id, redirect_uri, \
        challenge, nonce, scope, asked, auth_time, expires_at, organization_id, proof) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    /// Whoever comes second touches no row.
    USE_CODE = "UPDATE codes SET used_at = $3 WHERE tenant_id = $1 AND hash = $2 AND used_at IS NULL";
    CODES_OF_CLIENT = "SELECT hash FROM codes WHERE tenant_id = $1 AND client_id = $2 ORDER BY expires_at LIMIT $3";
    OLD_CODES = "SELECT hash FROM codes WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3";
    DELETE_CODE = "DELETE FROM codes WHERE tenant_id = $1 AND hash = $2";
}

/// A code, what it is bound to, and whom it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCode {
    /// What the exchange begins; `expires_at` is the code's.
    pub grant: Grant,
    pub redirect_uri: String,
    /// S256; not there for an application that was let go without.
    pub challenge: Option<String>,
    pub nonce: Option<String>,
    pub used_at: Option<i64>,
    /// `None`: nobody any more.
    pub person: Option<Person>,
}

/// The code stored under `hash`, used or not.
pub async fn find(store: &Store, tenant: &TenantId, hash: &TokenHash, now: i64) -> Result<Option<StoredCode>, Error> {
    let rows = store.read(FIND_CODE, args![tenant, &hash.as_bytes()[..], now]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let person = match (row.opt_text(13)?, row.opt_text(14)?, row.opt_int(15)?) {
        (Some(user_id), Some(doc), Some(updated_at)) => Some(Person { user_id, doc, updated_at }),
        _ => None,
    };
    Ok(Some(StoredCode {
        grant: Grant {
            tenant_id: tenant.clone(),
            id: GrantId::new(row.text(1)?),
            client_id: ClientId::new(row.text(0)?),
            session_id: SessionId::new(row.text(2)?),
            profile_id: ProfileId::new(row.text(3)?),
            identity_id: IdentityId::new(row.text(4)?),
            organization_id: row.opt_text(16)?.map(OrganizationId::new),
            offline: row.text(8)?.split(' ').any(|word| word == "offline_access"),
            scope: row.text(8)?,
            asked: row.text(9)?,
            auth_time: row.int(10)?,
            proof: Proof::from_text(&row.text(17)?),
            created_at: now,
            expires_at: row.int(11)?,
        },
        redirect_uri: row.text(5)?,
        challenge: row.opt_text(6)?,
        nonce: row.opt_text(7)?,
        used_at: row.opt_int(12)?,
        person,
    }))
}

pub fn insert(batch: &mut Batch, new: &StoredCode, hash: &TokenHash) {
    let Grant {
        tenant_id, id, client_id, session_id, profile_id, identity_id, scope, asked, auth_time, proof, expires_at, ..
    } = &new.grant;
    batch.any(DELETE_OLDEST_CODES, args![tenant_id, profile_id, client_id, GRANTS_MAX - 1]);
    batch.one(
        INSERT_CODE,
        args![
            tenant_id,
            &hash.as_bytes()[..],
            client_id,
            id,
            session_id,
            profile_id,
            identity_id,
            &new.redirect_uri,
            new.challenge.as_deref(),
            new.nonce.as_deref(),
            scope,
            asked,
            *auth_time,
            *expires_at,
            new.grant.organization_id.as_ref().map(OrganizationId::as_str),
            proof.to_text()
        ],
    );
}

/// The batch is [`Error::Stale`] if it was used.
pub fn use_up(batch: &mut Batch, tenant: &TenantId, hash: &TokenHash, at: i64) {
    batch.one(USE_CODE, args![tenant, &hash.as_bytes()[..], at]);
}

/// It was used twice: what is told of that is told once.
pub fn delete(batch: &mut Batch, tenant: &TenantId, hash: &TokenHash) {
    batch.any(DELETE_CODE, args![tenant, &hash.as_bytes()[..]]);
}

/// Deletes up to `limit` of an application's. How many were found.
pub async fn delete_of_client(store: &Store, tenant: &TenantId, client: &ClientId, limit: i64) -> Result<usize, Error> {
    let rows = store.read(CODES_OF_CLIENT, args![tenant, client, limit]).await?;
    let all = rows.iter().map(|row| Ok(args![tenant, row.opt_bytes(0)?.unwrap_or_default()])).collect::<Result<_, Error>>()?;
    let mut batch = Batch::default();
    batch.each(DELETE_CODE, all);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}

/// Deletes up to `limit` codes that ended before `before`. How many were found.
pub async fn delete_old(store: &Store, tenant: &TenantId, before: i64, limit: i64) -> Result<usize, Error> {
    super::retention::delete_by_hash(store, tenant, (OLD_CODES, DELETE_CODE), before, limit).await
}
