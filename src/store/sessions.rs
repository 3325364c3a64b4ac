//! Who is signed in, found by the hash of the cookie's secret. That look-up carries no tenant; the caller compares the one
//! it finds with the one it serves.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::ids::{ConnectionId, IdentityId, OrganizationId, ProfileId, SessionId, TenantId};
use crate::model::proof::Proof;
use crate::model::session::{PER_PERSON_MAX, Session, SignedIn};
use crate::secret::TokenHash;

statements! {
    /// Look-up without a tenant. Nobody who is blocked, and nobody whose identity left the profile or its source, is there.
    FIND_SESSION_BY_HASH = "SELECT s.tenant_id, s.id, s.profile_id, s.identity_id, s.data, s.created_at, s.last_seen_at, \
        s.expires_at, s.hash, c.id, c.name, u.user_id, u.doc, u.created_at, u.updated_at, u.last_login_at, u.logins_count, s.auth_time, c.organization_id, s.proof \
        FROM sessions s JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.profile_id \
        JOIN identities i ON i.tenant_id = s.tenant_id AND i.id = s.identity_id AND i.profile_id = s.profile_id \
        JOIN connections c ON c.tenant_id = i.tenant_id AND c.id = i.connection_id \
        WHERE s.hash = $1 AND NOT u.blocked AND i.state = 'active' ORDER BY s.created_at, s.id LIMIT 1";
    INSERT_SESSION = "INSERT INTO sessions (tenant_id, id, hash, profile_id, identity_id, data, created_at, last_seen_at, expires_at, \
        auth_time, proof) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    /// Those of a person beyond the newest so many.
    DELETE_OLDEST_SESSIONS = "DELETE FROM sessions WHERE tenant_id = $1 AND profile_id = $2 AND id <= coalesce((SELECT id FROM sessions \
        WHERE tenant_id = $1 AND profile_id = $2 ORDER BY id DESC LIMIT 1 OFFSET $3), '')";
    DELETE_SESSIONS_OF_PROFILE = "DELETE FROM sessions WHERE tenant_id = $1 AND profile_id = $2";
    DELETE_SESSIONS_OF_IDENTITY = "DELETE FROM sessions WHERE tenant_id = $1 AND profile_id = $2 AND identity_id = $3";
    DELETE_SESSION_BY_ID = "DELETE FROM sessions WHERE tenant_id = $1 AND id = $2";
    DELETE_SESSION = "DELETE FROM sessions WHERE tenant_id = $1 AND hash = $2";
    TOUCH_SESSION = "UPDATE sessions SET last_seen_at = $3 WHERE tenant_id = $1 AND id = $2 AND last_seen_at < $3";
}

/// The session stored under `hash`, if its person may be signed in. Whether it is too old is the caller's to say.
pub async fn find_by_hash(store: &Store, hash: &TokenHash) -> Result<Option<SignedIn>, Error> {
    let rows = store.read(FIND_SESSION_BY_HASH, args![&hash.as_bytes()[..]]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let stored = row.opt_bytes(8)?.and_then(|bytes| TokenHash::from_bytes(&bytes));
    if stored.ok_or(Error::Corrupt { what: "the hash of a session has another length" })? != *hash {
        return Ok(None);
    }
    Ok(Some(SignedIn {
        session: Session {
            tenant_id: TenantId::new(row.text(0)?),
            id: SessionId::new(row.text(1)?),
            profile_id: ProfileId::new(row.text(2)?),
            identity_id: IdentityId::new(row.text(3)?),
            data: row.text(4)?,
            created_at: row.int(5)?,
            last_seen_at: row.int(6)?,
            expires_at: row.int(7)?,
            auth_time: row.int(17)?,
            proof: Proof::from_text(&row.text(19)?),
        },
        connection_id: ConnectionId::new(row.text(9)?),
        connection: row.text(10)?,
        organization_id: row.opt_text(18)?.map(OrganizationId::new),
        user_id: row.text(11)?,
        doc: row.text(12)?,
        created_at: row.int(13)?,
        updated_at: row.int(14)?,
        last_login_at: row.opt_int(15)?,
        logins_count: row.int(16)?,
    }))
}

/// Stores `new` under `hash`; a person's oldest beyond [`PER_PERSON_MAX`] go.
pub fn insert(batch: &mut Batch, new: &Session, hash: &TokenHash) {
    let Session { tenant_id, id, profile_id, identity_id, data, created_at, last_seen_at, expires_at, auth_time, proof } = new;
    // Of those from before: with the new one there are as many as there may be.
    batch.any(DELETE_OLDEST_SESSIONS, args![tenant_id, profile_id, PER_PERSON_MAX - 1]);
    batch.one(
        INSERT_SESSION,
        args![
            tenant_id,
            id,
            &hash.as_bytes()[..],
            profile_id,
            identity_id,
            data.as_str(),
            *created_at,
            *last_seen_at,
            *expires_at,
            *auth_time,
            proof.to_text()
        ],
    );
}

/// Ends the session stored under `hash`, if there is one.
pub fn delete(batch: &mut Batch, tenant: &TenantId, hash: &TokenHash) {
    batch.any(DELETE_SESSION, args![tenant, &hash.as_bytes()[..]]);
}

/// Ends a session, if it is there.
pub fn delete_by_id(batch: &mut Batch, tenant: &TenantId, id: &SessionId) {
    batch.any(DELETE_SESSION_BY_ID, args![tenant, id]);
}

/// Ends all of a person's.
pub fn delete_of_profile(batch: &mut Batch, tenant: &TenantId, profile: &ProfileId) {
    batch.any(DELETE_SESSIONS_OF_PROFILE, args![tenant, profile]);
}

/// Ends those that a person began by this identity.
pub fn delete_of_identity(batch: &mut Batch, tenant: &TenantId, profile: &ProfileId, identity: &IdentityId) {
    batch.any(DELETE_SESSIONS_OF_IDENTITY, args![tenant, profile, identity]);
}

/// Notes that a session was used.
pub fn touch(batch: &mut Batch, session: &Session, at: i64) {
    batch.any(TOUCH_SESSION, args![&session.tenant_id, &session.id, at]);
}
