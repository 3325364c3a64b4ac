//! Applications and the hashes of their secrets: two at a time, so that one changes without a gap.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::access::Token;
use crate::model::client::{Client, ClientOptions, MACHINE_TOKENS_MAX};
use crate::model::ids::{ClientId, TenantId};
use crate::secret::TokenHash;

statements! {
    FIND_CLIENT = "SELECT id, name, options, hash, former_hash, former_until, version, created_at, updated_at FROM clients \
        WHERE tenant_id = $1 AND id = $2";
    FIND_CLIENT_BY_NAME = "SELECT id, name, options, hash, former_hash, former_until, version, created_at, updated_at FROM clients \
        WHERE tenant_id = $1 AND name = $2";
    LIST_CLIENTS = "SELECT id, name, options, hash, former_hash, former_until, version, created_at, updated_at FROM clients \
        WHERE tenant_id = $1 AND name > $2 ORDER BY name LIMIT $3";
    LIST_CLIENTS_FROM = "SELECT id, name, options, hash, former_hash, former_until, version, created_at, updated_at FROM clients \
        WHERE tenant_id = $1 ORDER BY name LIMIT $2 OFFSET $3";
    COUNT_CLIENTS = "SELECT count(*) FROM clients WHERE tenant_id = $1";
    INSERT_CLIENT = "INSERT INTO clients (tenant_id, id, name, options, hash, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, 1, $6, $7)";
    UPDATE_CLIENT = "UPDATE clients SET options = $4, hash = $5, former_hash = $6, former_until = $7, version = version + 1, \
        updated_at = $8, name = $9 WHERE tenant_id = $1 AND id = $2 AND version = $3";
    DELETE_CLIENT = "DELETE FROM clients WHERE tenant_id = $1 AND id = $2 AND version = $3";
    INSERT_CLIENT_TOKEN = "INSERT INTO tokens (tenant_id, id, client_id, name, hash, scopes, expires_at, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    FIND_CLIENT_TOKEN = "SELECT id, scopes, created_at, expires_at FROM tokens \
        WHERE tenant_id = $1 AND client_id = $2 AND hash = $3 AND revoked_at IS NULL";
    COUNT_CLIENT_TOKENS = "SELECT count(*) FROM tokens WHERE tenant_id = $1 AND client_id = $2 AND revoked_at IS NULL AND expires_at > $3";
    DELETE_CLIENT_TOKENS = "DELETE FROM tokens WHERE tenant_id = $1 AND client_id = $2";
    /// Those beyond the newest so many.
    DELETE_OLDEST_CLIENT_TOKENS = "DELETE FROM tokens WHERE tenant_id = $1 AND client_id = $2 AND expires_at < coalesce((SELECT expires_at \
        FROM tokens WHERE tenant_id = $1 AND client_id = $2 ORDER BY expires_at DESC LIMIT 1 OFFSET $3), 0)";
    DELETE_CLIENT_TOKEN = "DELETE FROM tokens WHERE tenant_id = $1 AND client_id = $2 AND hash = $3";
    /// Those that ended, when the next is made: nobody keeps an hour's token for longer.
    DELETE_OLD_CLIENT_TOKENS = "DELETE FROM tokens WHERE tenant_id = $1 AND client_id = $2 AND expires_at < $3";
}

/// An application and what opens it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredClient {
    pub client: Client,
    /// `None`: it has no secret.
    pub hash: Option<TokenHash>,
    /// The secret before it, and until when that counts.
    pub former: Option<(TokenHash, i64)>,
}

/// A token that a client fetched for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientToken {
    pub id: String,
    pub scopes: String,
    pub created_at: i64,
    pub expires_at: i64,
}

/// The column `options`.
pub(super) fn options_of(text: &str) -> Result<ClientOptions, Error> {
    serde_json::from_str(text).map_err(|_| Error::Corrupt { what: "options of a client are not valid" })
}

fn stored(tenant: &TenantId, row: &Row) -> Result<StoredClient, Error> {
    let hash = |at: usize| {
        let wrong = Error::Corrupt { what: "the hash of a client's secret has another length" };
        row.opt_bytes(at)?.map(|bytes| TokenHash::from_bytes(&bytes).ok_or(wrong)).transpose()
    };
    let options = options_of(&row.text(2)?)?;
    Ok(StoredClient {
        client: Client {
            tenant_id: tenant.clone(),
            id: ClientId::new(row.text(0)?),
            name: row.text(1)?,
            options,
            version: row.int(6)?,
            created_at: row.int(7)?,
            updated_at: row.int(8)?,
        },
        hash: hash(3)?,
        former: hash(4)?.zip(row.opt_int(5)?),
    })
}

pub async fn find(store: &Store, tenant: &TenantId, id: &ClientId) -> Result<Option<StoredClient>, Error> {
    store.read(FIND_CLIENT, args![tenant, id]).await?.first().map(|row| stored(tenant, row)).transpose()
}

pub async fn find_by_name(store: &Store, tenant: &TenantId, name: &str) -> Result<Option<StoredClient>, Error> {
    store.read(FIND_CLIENT_BY_NAME, args![tenant, name]).await?.first().map(|row| stored(tenant, row)).transpose()
}

/// Up to `limit` clients whose names come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<StoredClient>, Error> {
    store.read(LIST_CLIENTS, args![tenant, after, limit]).await?.iter().map(|row| stored(tenant, row)).collect()
}

/// Up to `limit` clients by name, without the first `offset`.
pub async fn list_from(store: &Store, tenant: &TenantId, offset: i64, limit: i64) -> Result<Vec<StoredClient>, Error> {
    store.read(LIST_CLIENTS_FROM, args![tenant, limit, offset]).await?.iter().map(|row| stored(tenant, row)).collect()
}

pub async fn count(store: &Store, tenant: &TenantId) -> Result<i64, Error> {
    store.read(COUNT_CLIENTS, args![tenant]).await?.first().map_or(Ok(0), |row| row.int(0))
}

fn options(client: &Client) -> String {
    serde_json::to_string(&client.options).expect("plain texts")
}

/// Refused with [`Error::Conflict`] if the name is taken.
pub fn create(batch: &mut Batch, new: &StoredClient, audit: &Audit) {
    let Client { tenant_id, id, name, created_at, updated_at, .. } = &new.client;
    let hash = new.hash.as_ref().map(|hash| hash.as_bytes().to_vec());
    batch.one(INSERT_CLIENT, args![tenant_id, id, name, options(&new.client), hash, *created_at, *updated_at]);
    audit.record(batch, tenant_id, "client.created", None, name);
}

/// Writes name, options and secrets of `changed`, whose version is the one that was read; `kind` is the log's word for it.
/// Refused with [`Error::Conflict`] if the name is taken.
pub fn update(batch: &mut Batch, changed: &StoredClient, kind: &str, audit: &Audit) {
    let Client { tenant_id, id, name, version, .. } = &changed.client;
    let hash = changed.hash.as_ref().map(|hash| hash.as_bytes().to_vec());
    let former = changed.former.as_ref().map(|(hash, _)| hash.as_bytes().to_vec());
    let until = changed.former.as_ref().map(|(_, until)| *until);
    batch.one(UPDATE_CLIENT, args![tenant_id, id, *version, options(&changed.client), hash, former, until, audit.at, name]);
    audit.record(batch, tenant_id, kind, None, name);
}

/// Removes it, with all that it was given.
pub fn delete(batch: &mut Batch, client: &Client, audit: &Audit) {
    batch.one(DELETE_CLIENT, args![&client.tenant_id, &client.id, client.version]);
    audit.record(batch, &client.tenant_id, "client.deleted", None, &client.name);
}

/// How many tokens that it fetched for itself count.
pub async fn count_tokens(store: &Store, client: &Client, now: i64) -> Result<i64, Error> {
    let rows = store.read(COUNT_CLIENT_TOKENS, args![&client.tenant_id, &client.id, now]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Says in the log that everything it was given ended, and ends every token that it fetched for itself.
pub fn revoke(batch: &mut Batch, client: &Client, audit: &Audit) {
    delete_tokens(batch, client);
    audit.record(batch, &client.tenant_id, "client.revoked", None, &client.name);
}

/// Ends every token that it fetched for itself.
pub fn delete_tokens(batch: &mut Batch, client: &Client) {
    batch.any(DELETE_CLIENT_TOKENS, args![&client.tenant_id, &client.id]);
}

/// Stores a token that `client` fetched for itself, and lets go of its old ones.
pub fn insert_token(batch: &mut Batch, client: &ClientId, new: &Token, hash: &TokenHash) {
    let tenant = &new.tenant_id;
    batch.any(DELETE_OLD_CLIENT_TOKENS, args![tenant, client, new.created_at]);
    // All that are older than the newest so many but one; with the new one there are as many as there may be.
    batch.any(DELETE_OLDEST_CLIENT_TOKENS, args![tenant, client, MACHINE_TOKENS_MAX - 2]);
    let scopes = new.scopes.join(" ");
    batch.one(
        INSERT_CLIENT_TOKEN,
        args![tenant, &new.id, client, &new.name, &hash.as_bytes()[..], scopes, new.expires_at, new.created_at],
    );
}

/// A token that this client fetched for itself.
pub async fn find_token(
    store: &Store,
    tenant: &TenantId,
    client: &ClientId,
    hash: &TokenHash,
) -> Result<Option<ClientToken>, Error> {
    let rows = store.read(FIND_CLIENT_TOKEN, args![tenant, client, &hash.as_bytes()[..]]).await?;
    let read = |row: &Row| {
        let expires_at = row.opt_int(3)?.unwrap_or_default();
        Ok(ClientToken { id: row.text(0)?, scopes: row.text(1)?, created_at: row.int(2)?, expires_at })
    };
    rows.first().map(read).transpose()
}

pub fn delete_token(batch: &mut Batch, tenant: &TenantId, client: &ClientId, hash: &TokenHash) {
    batch.any(DELETE_CLIENT_TOKEN, args![tenant, client, &hash.as_bytes()[..]]);
}
