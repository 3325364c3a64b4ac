//! Profiles, what they are searched by, and their blocks: the writes. Reads for provisioning stand beside the identity they come with.

use super::batch::Keys;
use super::dialect::{in_list, pad_list};
use super::statements::statements;
use super::{Batch, Error, Store, Value};
use crate::args;
use crate::model::connection::Connection;
use crate::model::ids::{ProfileId, TenantId};
use crate::model::user::{Block, BlockKind, User};
use crate::model::user_search;

statements! {
    INSERT = "INSERT INTO users (tenant_id, id, user_id, organization_id, email, email_key, email_trusted, username_key, blocked, \
        doc, provenance, version, created_at, updated_at, last_login_at, logins_count, email_order, login_order) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, coalesce($6, ''), coalesce($15, CAST(0 AS BIGINT)))";
    UPDATE = "UPDATE users SET email = $3, email_key = $4, email_order = coalesce($4, ''), email_trusted = $5, username_key = $6, blocked = $7, doc = $8, \
        provenance = $9, version = version + 1, updated_at = $10 WHERE tenant_id = $1 AND id = $2 AND version = $11";
    /// The same by a login, which counts.
    UPDATE_AT_LOGIN = "UPDATE users SET email = $3, email_key = $4, email_order = coalesce($4, ''), email_trusted = $5, username_key = $6, blocked = $7, doc = $8, \
        provenance = $9, version = version + 1, updated_at = $10, last_login_at = $12, login_order = $12, logins_count = logins_count + 1 \
        WHERE tenant_id = $1 AND id = $2 AND version = $11";
    /// A login that changes nothing counts blindly; who was blocked meanwhile does not get in.
    COUNT_LOGIN = "UPDATE users SET last_login_at = $3, login_order = $3, logins_count = logins_count + 1 \
        WHERE tenant_id = $1 AND id = $2 AND NOT blocked";
    DELETE = "DELETE FROM users WHERE tenant_id = $1 AND id = $2 AND version = $3";
    INSERT_BLOCK = "INSERT INTO blocks (tenant_id, profile_id, kind, origin, since, actor, reason, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    DELETE_BLOCK = "DELETE FROM blocks WHERE tenant_id = $1 AND profile_id = $2 AND kind = $3 AND origin = $4";
    /// The difference is one of documents: a value that is there already is no reason to refuse the write of a profile.
    INSERT_VALUES = "INSERT INTO user_values (tenant_id, attribute, value_key, profile_id) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (tenant_id, attribute, value_key, profile_id) DO NOTHING";
    DELETE_VALUES = "DELETE FROM user_values WHERE tenant_id = $1 AND attribute = $2 AND value_key = $3 AND profile_id = $4";
    /// How many profiles a tenant has is kept in slots, so that creates do not queue for one row. Not the text that counts for
    /// connections: batches that go together are joined by their texts, and slots of one count are as good as each other.
    COUNT = "INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (tenant_id, scope, kind, slot) DO UPDATE SET total = excluded.total + counters.total";
    SUM = "SELECT CAST(coalesce(sum(total), 0) AS BIGINT) FROM counters WHERE tenant_id = $1 AND scope = '' AND kind = 'profile'";
    INSERT_TOMBSTONE = "INSERT INTO tombstones (tenant_id, kind, subject, reason, created_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (tenant_id, kind, subject) DO NOTHING";
}

/// Which of these folded values a profile of the connection's organization bears already, as its `email` or `username`.
/// Nothing else can be asked for: then none is taken.
pub async fn find_taken(store: &Store, connection: &Connection, target: &str, keys: &[String]) -> Result<Vec<String>, Error> {
    let column = match target {
        "email" => "email_key",
        "username" => "username_key",
        _ => return Ok(Vec::new()),
    };
    let list = in_list(3, keys.len());
    let sql = format!(
        "SELECT DISTINCT {column} FROM users WHERE tenant_id = $1 AND coalesce(organization_id, '') = $2 AND {column} IN ({list})"
    );
    let organization = connection.organization_id.as_ref().map_or("", |id| id.as_str());
    let mut args = args![&connection.tenant_id, organization];
    pad_list(&mut args, keys.iter().map(Value::from));
    store.read_built(sql, args).await?.iter().map(|row| row.text(0)).collect()
}

/// `login`: when the person came in, if this is their first login.
pub fn insert(batch: &mut Batch, u: &User, login: Option<i64>) {
    batch.one(
        INSERT,
        args![
            &u.tenant_id,
            &u.id,
            u.user_id.as_str(),
            u.organization_id.as_ref(),
            u.email.as_ref(),
            u.email_key.as_ref(),
            u.email_trusted,
            u.username_key.as_ref(),
            u.blocked,
            u.doc.as_str(),
            u.provenance.as_str(),
            u.version,
            u.created_at,
            u.updated_at,
            login,
            i64::from(login.is_some()),
        ],
    );
    count_one(batch, u, 1);
    move_values(batch, u);
}

/// A profile was put back by another statement: it is counted, and found.
pub fn arrived(batch: &mut Batch, u: &User) {
    count_one(batch, u, 1);
    move_values(batch, u);
}

/// The searchable values that the document has and had not, and those it has no more. Every write of a document ends here.
fn move_values(batch: &mut Batch, u: &User) {
    let of = |doc: &str| user_search::values(doc, &u.user_id);
    let (before, after) = match &u.was {
        None => (Vec::new(), of(&u.doc)),
        Some(was) if *was == u.doc => return,
        Some(was) => (of(was), of(&u.doc)),
    };
    // Both are sorted.
    let only = |these: &[(String, String)], those: &[(String, String)]| {
        let rows = these.iter().filter(|row| those.binary_search(row).is_err());
        rows.map(|(attribute, key)| args![&u.tenant_id, attribute, key, &u.id]).collect::<Vec<_>>()
    };
    batch.each(DELETE_VALUES, only(&before, &after));
    batch.each(INSERT_VALUES, only(&after, &before));
}

/// Slots of the count of profiles.
const SLOTS: u8 = 64;

fn count_one(batch: &mut Batch, u: &User, by: i64) {
    // The end of an id is drawn.
    let slot = u.id.as_str().bytes().rev().take(2).fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % SLOTS;
    batch.add(COUNT, args![&u.tenant_id, "", "profile", i64::from(slot), by], Keys::Drawn(4));
}

/// How many profiles the tenant has.
pub async fn count(store: &Store, tenant: &TenantId) -> Result<i64, Error> {
    let rows = store.read(SUM, args![tenant]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Writes the row if it still has version `expected`; the version moves by one. `login`: when the person came in, if
/// a login is what writes.
pub fn update(batch: &mut Batch, u: &User, expected: i64, login: Option<i64>) {
    let mut args = args![
        &u.tenant_id,
        &u.id,
        u.email.as_ref(),
        u.email_key.as_ref(),
        u.email_trusted,
        u.username_key.as_ref(),
        u.blocked,
        u.doc.as_str(),
        u.provenance.as_str(),
        u.updated_at,
        expected,
    ];
    match login {
        None => batch.one(UPDATE, args),
        Some(at) => {
            args.push(at.into());
            batch.one(UPDATE_AT_LOGIN, args);
        }
    }
    move_values(batch, u);
}

/// Counts a login that changes nothing of the profile; refused as stale if it is blocked by now.
pub fn count_login(batch: &mut Batch, tenant: &TenantId, profile: &ProfileId, at: i64) {
    batch.one(COUNT_LOGIN, args![tenant, profile, at]);
}

/// Remembers who was removed from a connection, so that no login makes them anew.
pub fn bury_identity(batch: &mut Batch, tenant: &TenantId, tombstone: &str, reason: &str, now: i64) {
    batch.any(INSERT_TOMBSTONE, args![tenant, "identity", tombstone, reason, now]);
}

/// Removes the profile with its searchable values, blocks and history.
pub fn delete(batch: &mut Batch, u: &User) {
    batch.one(DELETE, args![&u.tenant_id, &u.id, u.version]);
    count_one(batch, u, -1);
}

/// The user_id of somebody who was removed is never borne again.
pub fn bury(batch: &mut Batch, u: &User, reason: &str, now: i64) {
    batch.any(INSERT_TOMBSTONE, args![&u.tenant_id, "user_id", u.user_id.as_str(), reason, now]);
}

/// An external id, as a hash, of somebody who asked to be erased: no source brings them back.
pub fn bury_erased(batch: &mut Batch, tenant: &TenantId, subject: &str, now: i64) {
    batch.any(INSERT_TOMBSTONE, args![tenant, "erased", subject, "erased", now]);
}

pub fn insert_block(batch: &mut Batch, tenant: &TenantId, profile: &ProfileId, b: &Block) {
    batch.one(
        INSERT_BLOCK,
        args![tenant, profile, b.kind.as_str(), b.origin.as_str(), b.since, b.actor.as_str(), b.reason.as_str(), b.expires_at],
    );
}

pub fn delete_block(batch: &mut Batch, tenant: &TenantId, profile: &ProfileId, kind: BlockKind, origin: &str) {
    batch.one(DELETE_BLOCK, args![tenant, profile, kind.as_str(), origin]);
}
