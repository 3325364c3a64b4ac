//! What applications were let have. Their tokens hang on it and go with it.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::grant::{GRANTS_MAX, Grant};
use crate::model::ids::{ClientId, GrantId, IdentityId, OrganizationId, ProfileId, SessionId, TenantId};
use crate::secret::TokenHash;

statements! {
    INSERT_GRANT = "INSERT INTO grants (tenant_id, id, client_id, session_id, profile_id, identity_id, offline, scope, asked, auth_time, \
        created_at, expires_at, organization_id, proof) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    /// Those of a person and an application beyond the newest so many: ids are in order of time.
    DELETE_OLDEST_GRANTS = "DELETE FROM grants WHERE tenant_id = $1 AND profile_id = $2 AND client_id = $3 AND id <= coalesce((SELECT id \
        FROM grants WHERE tenant_id = $1 AND profile_id = $2 AND client_id = $3 ORDER BY id DESC LIMIT 1 OFFSET $4), '')";
    /// What hung on a session hangs on the one that takes its place, if that is the same identity's.
    MOVE_CODES = "UPDATE codes SET session_id = $5 WHERE tenant_id = $1 AND profile_id = $2 AND identity_id = $3 AND session_id = \
        (SELECT id FROM sessions WHERE tenant_id = $1 AND hash = $4 LIMIT 1)";
    MOVE_GRANTS = "UPDATE grants SET session_id = $5 WHERE tenant_id = $1 AND profile_id = $2 AND identity_id = $3 AND session_id = \
        (SELECT id FROM sessions WHERE tenant_id = $1 AND hash = $4 LIMIT 1)";
    DELETE_GRANT = "DELETE FROM grants WHERE tenant_id = $1 AND id = $2";
    DELETE_GRANTS_OF_PROFILE = "DELETE FROM grants WHERE tenant_id = $1 AND profile_id = $2";
    DELETE_GRANTS_OF_IDENTITY = "DELETE FROM grants WHERE tenant_id = $1 AND profile_id = $2 AND identity_id = $3";
    /// What was for as long as the session.
    DELETE_GRANTS_OF_SESSION = "DELETE FROM grants WHERE tenant_id = $1 AND profile_id = $2 AND session_id = $3 AND NOT offline";
    GRANTS_OF_CLIENT = "SELECT id FROM grants WHERE tenant_id = $1 AND client_id = $2 ORDER BY id LIMIT $3";
    COUNT_GRANTS_OF_CLIENT = "SELECT count(*) FROM (SELECT id FROM grants WHERE tenant_id = $1 AND client_id = $2 ORDER BY id LIMIT $3) AS of_client";
    OLD_GRANTS = "SELECT id FROM grants WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3";
}

pub fn insert(batch: &mut Batch, new: &Grant) {
    let Grant {
        tenant_id,
        id,
        client_id,
        session_id,
        profile_id,
        identity_id,
        offline,
        scope,
        asked,
        auth_time,
        proof,
        created_at,
        expires_at,
        organization_id,
    } = new;
    // Of those from before: with the new one there are as many as there may be.
    batch.any(DELETE_OLDEST_GRANTS, args![tenant_id, profile_id, client_id, GRANTS_MAX - 1]);
    batch.one(
        INSERT_GRANT,
        args![
            tenant_id,
            id,
            client_id,
            session_id,
            profile_id,
            identity_id,
            *offline,
            scope,
            asked,
            *auth_time,
            *created_at,
            *expires_at,
            organization_id.as_ref().map(OrganizationId::as_str),
            proof.to_text()
        ],
    );
}

/// The session stored under `from` gives way to `to`, begun by the same identity of the same person: applications do not notice.
pub fn move_to_session(
    batch: &mut Batch,
    tenant: &TenantId,
    (profile, identity): (&ProfileId, &IdentityId),
    from: &TokenHash,
    to: &SessionId,
) {
    for moves in [MOVE_GRANTS, MOVE_CODES] {
        batch.any(moves, args![tenant, profile, identity, &from.as_bytes()[..], to]);
    }
}

/// Ends it, with all of its tokens.
pub fn delete(batch: &mut Batch, tenant: &TenantId, id: &GrantId) {
    batch.any(DELETE_GRANT, args![tenant, id]);
}

/// Ends all of a person's.
pub fn delete_of_profile(batch: &mut Batch, tenant: &TenantId, profile: &ProfileId) {
    batch.any(DELETE_GRANTS_OF_PROFILE, args![tenant, profile]);
}

/// Ends those that a person gave signed in by this identity.
pub fn delete_of_identity(batch: &mut Batch, tenant: &TenantId, profile: &ProfileId, identity: &IdentityId) {
    batch.any(DELETE_GRANTS_OF_IDENTITY, args![tenant, profile, identity]);
}

/// Ends those that were for as long as the session.
pub fn delete_of_session(batch: &mut Batch, tenant: &TenantId, profile: &ProfileId, session: &SessionId) {
    batch.any(DELETE_GRANTS_OF_SESSION, args![tenant, profile, session]);
}

/// Ends up to `limit` of an application's. How many were found.
pub async fn delete_of_client(store: &Store, tenant: &TenantId, client: &ClientId, limit: i64) -> Result<usize, Error> {
    let rows = store.read(GRANTS_OF_CLIENT, args![tenant, client, limit]).await?;
    let all = rows.iter().map(|row| Ok(args![tenant, row.text(0)?])).collect::<Result<_, Error>>()?;
    let mut batch = Batch::default();
    batch.each(DELETE_GRANT, all);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}

/// How many an application has, counted up to `limit`.
pub async fn count_of_client(store: &Store, tenant: &TenantId, client: &ClientId, limit: i64) -> Result<i64, Error> {
    let rows = store.read(COUNT_GRANTS_OF_CLIENT, args![tenant, client, limit]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Deletes up to `limit` that ended before `before`. How many were found.
pub async fn delete_old(store: &Store, tenant: &TenantId, before: i64, limit: i64) -> Result<usize, Error> {
    let rows = store.read(OLD_GRANTS, args![tenant, before, limit]).await?;
    let old = rows.iter().map(|row| Ok(args![tenant, row.text(0)?])).collect::<Result<_, Error>>()?;
    let mut batch = Batch::default();
    batch.each(DELETE_GRANT, old);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}
