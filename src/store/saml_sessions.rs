//! What an identity provider calls the sessions it began here, by which it may end them.

use super::login_used::digest;
use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::connection::Connection;
use crate::model::ids::{ConnectionId, SessionId, TenantId};

statements! {
    INSERT_SAML_SESSION = "INSERT INTO saml_sessions (tenant_id, session_id, connection_id, digest, subject) VALUES ($1, $2, $3, $4, $5)";
    FIND_SAML_SESSION = "SELECT connection_id, subject FROM saml_sessions WHERE tenant_id = $1 AND session_id = $2";
    FIND_SAML_SESSIONS_OF_SUBJECT = "SELECT session_id, subject FROM saml_sessions \
        WHERE tenant_id = $1 AND connection_id = $2 AND digest = $3 ORDER BY session_id DESC LIMIT $4";
}

/// Sessions of one subject that are looked at, the newest. A person has fewer; several may be called alike.
pub const OF_SUBJECT_MAX: usize = 1_000;

/// Stores what `session` is called: `name_id` to find it by, `subject` (JSON) with the rest.
pub fn insert(batch: &mut Batch, connection: &Connection, session: &SessionId, name_id: &str, subject: &str) {
    batch.one(INSERT_SAML_SESSION, args![&connection.tenant_id, session, &connection.id, digest(&[name_id]), subject]);
}

/// Which connection began the session, and what it calls it.
pub async fn find(store: &Store, tenant: &TenantId, session: &SessionId) -> Result<Option<(ConnectionId, String)>, Error> {
    let rows = store.read(FIND_SAML_SESSION, args![tenant, session]).await?;
    rows.first().map(|row| Ok((ConnectionId::new(row.text(0)?), row.text(1)?))).transpose()
}

/// The sessions of whomever the connection calls `name_id`, with what it calls them.
pub async fn of_subject(store: &Store, connection: &Connection, name_id: &str) -> Result<Vec<(SessionId, String)>, Error> {
    let args =
        args![&connection.tenant_id, &connection.id, digest(&[name_id]), i64::try_from(OF_SUBJECT_MAX).unwrap_or(i64::MAX)];
    let rows = store.read(FIND_SAML_SESSIONS_OF_SUBJECT, args).await?;
    rows.iter().map(|row| Ok((SessionId::new(row.text(0)?), row.text(1)?))).collect()
}
