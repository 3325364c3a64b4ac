//! What applications were let have. Their tokens hang on it and go with it.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::grant::Grant;
use crate::model::ids::{GrantId, IdentityId, ProfileId, SessionId, TenantId};

statements! {
    INSERT_GRANT = "INSERT INTO grants (tenant_id, id, client_id, session_id, profile_id, identity_id, offline, scope, asked, auth_time, \
        created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    DELETE_GRANT = "DELETE FROM grants WHERE tenant_id = $1 AND id = $2";
    DELETE_GRANTS_OF_PROFILE = "DELETE FROM grants WHERE tenant_id = $1 AND profile_id = $2";
    DELETE_GRANTS_OF_IDENTITY = "DELETE FROM grants WHERE tenant_id = $1 AND profile_id = $2 AND identity_id = $3";
    /// What was for as long as the session.
    DELETE_GRANTS_OF_SESSION = "DELETE FROM grants WHERE tenant_id = $1 AND profile_id = $2 AND session_id = $3 AND NOT offline";
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
        created_at,
        expires_at,
    } = new;
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
            *expires_at
        ],
    );
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
