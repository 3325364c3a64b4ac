//! Bearer tokens, found by their hash. That look-up carries no tenant: it is what tells the tenant.

use super::audit::Audit;
use super::connections::{StoredConnection, stored};
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::access::Token;
use crate::model::ids::{ConnectionId, TenantId, TokenId};
use crate::model::tenant::TenantState;
use crate::secret::TokenHash;

statements! {
    /// Look-up without a tenant. All that an authentication needs, in one statement.
    FIND_TOKEN_BY_HASH = "SELECT t.tenant_id, t.id, t.connection_id, t.name, t.scopes, t.expires_at, t.revoked_at, \
        t.last_used_at, t.created_at, t.hash, n.created_at, n.version, c.tenant_id, c.id, c.name, c.kind, c.organization_id, c.options, \
        c.version, c.created_at, c.updated_at FROM tokens t JOIN tenants n ON n.tenant_id = t.tenant_id \
        LEFT JOIN connections c ON c.tenant_id = t.tenant_id AND c.id = t.connection_id \
        WHERE t.hash = $1 ORDER BY t.created_at, t.id LIMIT 1";
    FIND_TOKEN = "SELECT tenant_id, id, connection_id, name, scopes, expires_at, revoked_at, last_used_at, created_at \
        FROM tokens WHERE tenant_id = $1 AND id = $2";
    LIVE_TOKENS_BY_NAME = "SELECT tenant_id, id, connection_id, name, scopes, expires_at, revoked_at, last_used_at, created_at \
        FROM tokens WHERE tenant_id = $1 AND name = $2 AND revoked_at IS NULL AND client_id IS NULL ORDER BY id LIMIT 100";
    /// Those that clients fetch by themselves are no administrator's to list.
    LIST_TOKENS = "SELECT tenant_id, id, connection_id, name, scopes, expires_at, revoked_at, last_used_at, created_at \
        FROM tokens WHERE tenant_id = $1 AND id > $2 AND client_id IS NULL ORDER BY id LIMIT $3";
    LIST_TOKENS_OF_CONNECTION = "SELECT tenant_id, id, connection_id, name, scopes, expires_at, revoked_at, last_used_at, \
        created_at FROM tokens WHERE tenant_id = $1 AND connection_id = $2 AND id > $3 ORDER BY id LIMIT $4";
    /// Was there ever one? A revoked token stays.
    ANY_TOKEN_OF_CONNECTION = "SELECT id FROM tokens WHERE tenant_id = $1 AND connection_id = $2 LIMIT 1";
    INSERT_TOKEN = "INSERT INTO tokens (tenant_id, id, connection_id, name, hash, scopes, expires_at, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    UPDATE_TOKEN = "UPDATE tokens SET name = $3, scopes = $4, expires_at = $5 \
        WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL";
    REVOKE_TOKEN = "UPDATE tokens SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL";
    TOUCH_TOKEN = "UPDATE tokens SET last_used_at = $3 \
        WHERE tenant_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)";
}

/// A token, the connection it opens, and the state of its tenant at that moment.
#[derive(Clone, Debug)]
pub struct FoundToken {
    pub token: Token,
    pub hash: TokenHash,
    pub connection: Option<StoredConnection>,
    pub tenant: TenantState,
}

/// Was a token ever made for this connection? Then somebody pushes to it.
pub async fn has_any(store: &Store, tenant: &TenantId, connection: &ConnectionId) -> Result<bool, Error> {
    Ok(!store.read(ANY_TOKEN_OF_CONNECTION, args![tenant, connection]).await?.is_empty())
}

fn token(row: &Row) -> Result<Token, Error> {
    Ok(Token {
        tenant_id: TenantId::new(row.text(0)?),
        id: TokenId::new(row.text(1)?),
        connection_id: row.opt_text(2)?.map(ConnectionId::new),
        name: row.text(3)?,
        scopes: row.text(4)?.split_whitespace().map(str::to_owned).collect(),
        expires_at: row.opt_int(5)?,
        revoked_at: row.opt_int(6)?,
        last_used_at: row.opt_int(7)?,
        created_at: row.int(8)?,
    })
}

/// The token stored under `hash`, live or not.
pub async fn find_by_hash(store: &Store, hash: &TokenHash) -> Result<Option<FoundToken>, Error> {
    let rows = store.read(FIND_TOKEN_BY_HASH, args![&hash.as_bytes()[..]]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let token = token(row)?;
    let hash = row.opt_bytes(9)?.and_then(|bytes| TokenHash::from_bytes(&bytes));
    Ok(Some(FoundToken {
        hash: hash.ok_or(Error::Corrupt { what: "the hash of a token has another length" })?,
        tenant: TenantState { created_at: row.int(10)?, version: row.int(11)? },
        connection: token.connection_id.as_ref().map(|_| stored(row, 12)).transpose()?,
        token,
    }))
}

pub async fn find(store: &Store, tenant: &TenantId, id: &TokenId) -> Result<Option<Token>, Error> {
    store.read(FIND_TOKEN, args![tenant, id]).await?.first().map(token).transpose()
}

/// Tokens called `name` that were not revoked, the oldest first.
pub async fn find_by_name(store: &Store, tenant: &TenantId, name: &str) -> Result<Vec<Token>, Error> {
    store.read(LIVE_TOKENS_BY_NAME, args![tenant, name]).await?.iter().map(token).collect()
}

/// Up to `limit` tokens whose ids come after `after` (at first ""), of one connection or of all and none.
pub async fn list(
    store: &Store,
    tenant: &TenantId,
    connection: Option<&ConnectionId>,
    after: &str,
    limit: i64,
) -> Result<Vec<Token>, Error> {
    let rows = match connection {
        Some(id) => store.read(LIST_TOKENS_OF_CONNECTION, args![tenant, id, after, limit]).await?,
        None => store.read(LIST_TOKENS, args![tenant, after, limit]).await?,
    };
    rows.iter().map(token).collect()
}

/// Stores `new` under `hash`. Not recorded by itself: one batch may store several.
pub fn insert(batch: &mut Batch, new: &Token, hash: &TokenHash) {
    batch.one(
        INSERT_TOKEN,
        args![
            &new.tenant_id,
            &new.id,
            new.connection_id.as_ref(),
            &new.name,
            &hash.as_bytes()[..],
            new.scopes.join(" "),
            new.expires_at,
            new.created_at
        ],
    );
}

/// [`insert`] with its log row.
pub fn create(batch: &mut Batch, new: &Token, hash: &TokenHash, audit: &Audit) {
    insert(batch, new, hash);
    audit.record(batch, &new.tenant_id, "token.created", connection_of(new), &new.name);
}

/// Writes name, scopes and expiry of a token that was not revoked.
pub fn update(batch: &mut Batch, changed: &Token, audit: &Audit) {
    let Token { tenant_id, id, name, scopes, expires_at, .. } = changed;
    batch.one(UPDATE_TOKEN, args![tenant_id, id, name, scopes.join(" "), *expires_at]);
    audit.record(batch, tenant_id, "token.updated", connection_of(changed), name);
}

/// Revokes a token for good. The row stays, so that the log can name it.
pub fn revoke(batch: &mut Batch, token: &Token, audit: &Audit) {
    batch.one(REVOKE_TOKEN, args![&token.tenant_id, &token.id, audit.at]);
    audit.record(batch, &token.tenant_id, "token.revoked", connection_of(token), &token.name);
}

/// [`create`] for a token that replaces `old` ones: these are revoked in the same batch.
pub fn replace(batch: &mut Batch, new: &Token, hash: &TokenHash, old: &[Token], audit: &Audit) {
    for token in old {
        batch.any(REVOKE_TOKEN, args![&token.tenant_id, &token.id, audit.at]);
    }
    create(batch, new, hash, audit);
}

/// Stores a token that takes over from `old`, which stays usable with the name and expiry it has here.
pub fn rotate(batch: &mut Batch, new: &Token, hash: &TokenHash, old: &Token, audit: &Audit) {
    let Token { tenant_id, id, name, scopes, expires_at, .. } = old;
    batch.one(UPDATE_TOKEN, args![tenant_id, id, name, scopes.join(" "), *expires_at]);
    insert(batch, new, hash);
    audit.record(batch, tenant_id, "token.rotated", connection_of(new), &new.name);
}

/// Notes that a token was used. Not recorded: it happens all the time.
pub fn touch(batch: &mut Batch, tenant: &TenantId, id: &TokenId, at: i64) {
    batch.any(TOUCH_TOKEN, args![tenant, id, at]);
}

fn connection_of(token: &Token) -> Option<&str> {
    token.connection_id.as_ref().map(ConnectionId::as_str)
}
