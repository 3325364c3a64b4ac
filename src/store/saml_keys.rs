//! Our keys towards the identity provider of a SAML connection, sealed: one that signs, one that will, one that did.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::connection::Connection;
use crate::model::saml::KeyState;

statements! {
    FIND_SAML_KEYS = "SELECT number, state, certificate, key, created_at FROM saml_keys WHERE tenant_id = $1 AND connection_id = $2 ORDER BY number";
    /// Whoever comes second finds the first's.
    INSERT_SAML_KEY = "INSERT INTO saml_keys (tenant_id, connection_id, number, state, certificate, key, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, connection_id, number) DO NOTHING";
    DELETE_SAML_KEYS = "DELETE FROM saml_keys WHERE tenant_id = $1 AND connection_id = $2 AND state = $3";
    MOVE_SAML_KEY = "UPDATE saml_keys SET state = $5 WHERE tenant_id = $1 AND connection_id = $2 AND number = $3 AND state = $4";
}

/// A row of `saml_keys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// From 1.
    pub number: i64,
    pub state: KeyState,
    /// DER.
    pub certificate: Vec<u8>,
    /// A PEM text, sealed.
    pub key: Vec<u8>,
    pub created_at: i64,
}

/// The keys of a connection; at first there are none.
pub async fn find(store: &Store, connection: &Connection) -> Result<Vec<StoredKey>, Error> {
    let rows = store.read(FIND_SAML_KEYS, args![&connection.tenant_id, &connection.id]).await?;
    let read = |row: &super::Row| {
        let state = KeyState::parse(&row.text(1)?).ok_or(Error::Corrupt { what: "saml_keys.state is no state of a key" })?;
        let bytes = |at| row.opt_bytes(at)?.ok_or(Error::Corrupt { what: "a key of SAML has no bytes" });
        Ok(StoredKey { number: row.int(0)?, state, certificate: bytes(2)?, key: bytes(3)?, created_at: row.int(4)? })
    };
    rows.iter().map(read).collect()
}

/// Stores the first key of a connection, unless there is one.
pub fn insert_first(batch: &mut Batch, connection: &Connection, new: &StoredKey) {
    batch.any(INSERT_SAML_KEY, row(connection, new));
}

/// Stores the key that will sign. The batch is [`Error::Stale`] if somebody else's was quicker.
pub fn insert_next(batch: &mut Batch, connection: &Connection, new: &StoredKey, audit: &Audit) {
    batch.one(INSERT_SAML_KEY, row(connection, new));
    changed(batch, connection, audit, "added next");
}

fn row(connection: &Connection, new: &StoredKey) -> Vec<super::Value> {
    let StoredKey { number, state, certificate, key, created_at } = new;
    let (tenant, id) = (&connection.tenant_id, &connection.id);
    args![tenant, id, *number, state.as_str(), certificate.as_slice(), key.as_slice(), *created_at]
}

/// The key `next` signs from now on, and `current` is kept to open what is still encrypted to it. The batch is
/// [`Error::Stale`] if they are no longer what they were.
pub fn promote(batch: &mut Batch, connection: &Connection, current: i64, next: i64, audit: &Audit) {
    let (tenant, id) = (&connection.tenant_id, &connection.id);
    batch.any(DELETE_SAML_KEYS, args![tenant, id, KeyState::Former.as_str()]);
    batch.one(MOVE_SAML_KEY, args![tenant, id, current, KeyState::Current.as_str(), KeyState::Former.as_str()]);
    batch.one(MOVE_SAML_KEY, args![tenant, id, next, KeyState::Next.as_str(), KeyState::Current.as_str()]);
    changed(batch, connection, audit, "next signs");
}

/// Takes the former key away.
pub fn delete_former(batch: &mut Batch, connection: &Connection, audit: &Audit) {
    batch.any(DELETE_SAML_KEYS, args![&connection.tenant_id, &connection.id, KeyState::Former.as_str()]);
    changed(batch, connection, audit, "deleted former");
}

fn changed(batch: &mut Batch, connection: &Connection, audit: &Audit, what: &str) {
    let detail = format!("{{\"keys\":\"{what}\"}}");
    audit.record(batch, &connection.tenant_id, "connection.updated", Some(connection.id.as_str()), &detail);
}
