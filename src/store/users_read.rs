//! Profiles as administrators look at them: by whatever name they know, with identities, blocks and history.

use super::dialect::{in_list, pad_list};
use super::statements::statements;
use super::{EACH_MAX, Error, Row, Store, Value};
use crate::args;
use crate::model::fold::fold;
use crate::model::ids::{ConnectionId, IdentityId, ProfileId, TenantId};
use serde_json::Value as Json;
use std::collections::HashMap;

statements! {
    USER_BY_USER_ID = "SELECT id, user_id, organization_id, blocked, doc, provenance, version, created_at, updated_at, \
        last_login_at, logins_count FROM users WHERE tenant_id = $1 AND user_id = $2";
    USER_BY_ID = "SELECT id, user_id, organization_id, blocked, doc, provenance, version, created_at, updated_at, \
        last_login_at, logins_count FROM users WHERE tenant_id = $1 AND id = $2";
    USERS_BY_EMAIL = "SELECT id, user_id, organization_id, blocked, doc, provenance, version, created_at, updated_at, \
        last_login_at, logins_count FROM users WHERE tenant_id = $1 AND id IN \
        (SELECT id FROM users WHERE tenant_id = $1 AND email_key = $2) ORDER BY id LIMIT $3";
    USER_BY_IDENTITY = "SELECT u.id, u.user_id, u.organization_id, u.blocked, u.doc, u.provenance, u.version, u.created_at, \
        u.updated_at, u.last_login_at, u.logins_count FROM identities i \
        JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.profile_id WHERE i.tenant_id = $1 AND i.id = $2";
    /// By way of the connections, so that the index on names is used.
    USERS_BY_USER_NAME = "SELECT u.id, u.user_id, u.organization_id, u.blocked, u.doc, u.provenance, u.version, u.created_at, \
        u.updated_at, u.last_login_at, u.logins_count FROM connections c CROSS JOIN identities i CROSS JOIN users u \
        WHERE c.tenant_id = $1 AND i.tenant_id = c.tenant_id AND i.connection_id = c.id AND i.user_name_key = $2 AND i.listed \
        AND u.tenant_id = i.tenant_id AND u.id = i.profile_id ORDER BY u.id LIMIT $3";
    LIST_USERS = "SELECT id, user_id, organization_id, blocked, doc, provenance, version, created_at, updated_at, \
        last_login_at, logins_count FROM users WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    IDENTITIES_OF_USER = "SELECT i.id, c.id, c.name, c.kind, i.position, i.external_id, i.user_name, i.state, i.active, i.raw, \
        i.mapped, i.mapping, i.mapping_version, i.login_mapped, i.login_mapping, i.login_mapping_version, i.last_source, \
        i.first_seen, i.last_seen FROM identities i JOIN connections c ON c.tenant_id = i.tenant_id AND c.id = i.connection_id \
        WHERE i.tenant_id = $1 AND i.profile_id = $2 ORDER BY i.position, i.id LIMIT 100";
    BLOCKS_OF_USER = "SELECT kind, origin, since, actor, reason, expires_at FROM blocks \
        WHERE tenant_id = $1 AND profile_id = $2 ORDER BY since, kind, origin LIMIT 100";
    /// Older than a version, the newest first.
    HISTORY_BEFORE = "SELECT h.id, h.version, h.event, (SELECT c.name FROM connections c WHERE c.tenant_id = h.tenant_id \
        AND c.id = h.connection_id), h.connection_id, h.identity_id, h.mapping, h.mapping_version, h.actor, h.changes, h.created_at \
        FROM history h WHERE h.tenant_id = $1 AND h.profile_id = $2 AND h.version < $3 ORDER BY h.version DESC, h.id DESC LIMIT $4";
    /// Newer than a version, the oldest first.
    HISTORY_AFTER = "SELECT h.id, h.version, h.event, (SELECT c.name FROM connections c WHERE c.tenant_id = h.tenant_id \
        AND c.id = h.connection_id), h.connection_id, h.identity_id, h.mapping, h.mapping_version, h.actor, h.changes, h.created_at \
        FROM history h WHERE h.tenant_id = $1 AND h.profile_id = $2 AND h.version > $3 ORDER BY h.version, h.id LIMIT $4";
}

/// The columns of [`user`], to stand before `WHERE`.
pub(super) const SELECT_USER: &str = "SELECT id, user_id, organization_id, blocked, doc, provenance, version, created_at, updated_at, \
    last_login_at, logins_count FROM users";

/// Profiles whose identities are read at once.
pub const IDS_MAX: usize = 256;
/// Identities of all of them.
const IDENTITIES_MAX: usize = 10_000;

/// May go together with others that wait.
pub(super) const LOOK_UPS: &[&str] = &[USER_BY_ID, IDENTITIES_OF_USER];

/// A profile as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRecord {
    pub id: ProfileId,
    pub user_id: String,
    pub organization_id: Option<String>,
    pub blocked: bool,
    /// The profile document.
    pub doc: Json,
    /// Per attribute path, why its value is so.
    pub provenance: Json,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub last_login_at: Option<i64>,
    pub logins_count: i64,
}

/// One identity of a profile, with the connection it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityRecord {
    pub id: IdentityId,
    pub connection_id: ConnectionId,
    pub connection: String,
    pub kind: String,
    /// 0: the primary one.
    pub position: i64,
    pub external_id: Option<String>,
    pub user_name: Option<String>,
    pub state: String,
    /// What the pushed resource says, if anything.
    pub active: Option<bool>,
    pub raw: Json,
    pub mapped: Json,
    pub mapping: Option<String>,
    pub mapping_version: Option<i64>,
    pub login_mapped: Json,
    pub login_mapping: Option<String>,
    pub login_mapping_version: Option<i64>,
    pub last_source: String,
    pub first_seen: i64,
    pub last_seen: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BlockRecord {
    pub kind: String,
    pub origin: String,
    pub since: i64,
    pub actor: String,
    pub reason: String,
    pub expires_at: Option<i64>,
}

/// One event that changed a profile; `changes` holds the values before it.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRecord {
    pub id: String,
    pub version: i64,
    pub event: String,
    /// Name of the connection, while there is one.
    pub connection: Option<String>,
    pub connection_id: Option<String>,
    pub identity_id: Option<String>,
    pub mapping: Option<String>,
    pub mapping_version: Option<i64>,
    pub actor: String,
    pub changes: Json,
    pub created_at: i64,
}

fn json(text: Option<String>) -> Result<Json, Error> {
    let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
    parsed.map(Option::unwrap_or_default).map_err(|_| Error::Corrupt { what: "a document of a profile is no JSON" })
}

pub(super) fn user(row: &Row) -> Result<UserRecord, Error> {
    Ok(UserRecord {
        id: ProfileId::new(row.text(0)?),
        user_id: row.text(1)?,
        organization_id: row.opt_text(2)?,
        blocked: row.bool(3)?,
        doc: json(row.opt_text(4)?)?,
        provenance: json(row.opt_text(5)?)?,
        version: row.int(6)?,
        created_at: row.int(7)?,
        updated_at: row.int(8)?,
        last_login_at: row.opt_int(9)?,
        logins_count: row.int(10)?,
    })
}

fn identity(row: &Row) -> Result<IdentityRecord, Error> {
    Ok(IdentityRecord {
        id: IdentityId::new(row.text(0)?),
        connection_id: ConnectionId::new(row.text(1)?),
        connection: row.text(2)?,
        kind: row.text(3)?,
        position: row.int(4)?,
        external_id: row.opt_text(5)?,
        user_name: row.opt_text(6)?,
        state: row.text(7)?,
        active: row.opt_bool(8)?,
        raw: json(row.opt_text(9)?)?,
        mapped: json(row.opt_text(10)?)?,
        mapping: row.opt_text(11)?,
        mapping_version: row.opt_int(12)?,
        login_mapped: json(row.opt_text(13)?)?,
        login_mapping: row.opt_text(14)?,
        login_mapping_version: row.opt_int(15)?,
        last_source: row.text(16)?,
        first_seen: row.int(17)?,
        last_seen: row.int(18)?,
    })
}

/// Every profile that `name` may mean: a `user_id`, the id of the profile or of an identity (the SCIM id), an e-mail
/// address, a user name. The first of these that finds something decides; at most `limit` profiles.
pub async fn find(store: &Store, tenant: &TenantId, name: &str, limit: i64) -> Result<Vec<UserRecord>, Error> {
    let key = fold(name);
    for (sql, args) in [
        (USER_BY_USER_ID, args![tenant, name]),
        (USER_BY_ID, args![tenant, name]),
        (USER_BY_IDENTITY, args![tenant, name]),
        (USERS_BY_EMAIL, args![tenant, &key, limit]),
        (USERS_BY_USER_NAME, args![tenant, &key, limit]),
    ] {
        let rows = store.read(sql, args).await?;
        if !rows.is_empty() {
            let mut found = rows.iter().map(user).collect::<Result<Vec<_>, _>>()?;
            found.dedup_by(|a, b| a.id == b.id);
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The profile with this id of ours.
pub async fn find_by_id(store: &Store, tenant: &TenantId, id: &str) -> Result<Option<UserRecord>, Error> {
    store.read(USER_BY_ID, args![tenant, id]).await?.first().map(user).transpose()
}

/// The profile that applications know by `user_id`.
pub async fn find_by_user_id(store: &Store, tenant: &TenantId, user_id: &str) -> Result<Option<UserRecord>, Error> {
    store.read(USER_BY_USER_ID, args![tenant, user_id]).await?.first().map(user).transpose()
}

/// The profiles with an address that folds to `email_key`, the oldest first; at most `limit`.
pub async fn find_by_email(store: &Store, tenant: &TenantId, email_key: &str, limit: i64) -> Result<Vec<UserRecord>, Error> {
    store.read(USERS_BY_EMAIL, args![tenant, email_key, limit]).await?.iter().map(user).collect()
}

/// Up to `limit` profiles whose ids come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<UserRecord>, Error> {
    store.read(LIST_USERS, args![tenant, after, limit]).await?.iter().map(user).collect()
}

/// The profiles with these ids, each with its identities, the primary one first; those that are gone are missing.
pub async fn many(store: &Store, tenant: &TenantId, ids: &[&str]) -> Result<Vec<(UserRecord, Vec<IdentityRecord>)>, Error> {
    let mut all = Vec::new();
    for part in ids.chunks(EACH_MAX) {
        let asked = || part.iter().map(|id| args![tenant, *id]).collect();
        let found = store.look_up_each(USER_BY_ID, asked()).await?;
        let theirs = store.look_up_each(IDENTITIES_OF_USER, asked()).await?;
        for (rows, identities) in found.iter().zip(theirs) {
            if let Some(row) = rows.first() {
                all.push((user(row)?, identities.iter().map(identity).collect::<Result<_, _>>()?));
            }
        }
    }
    Ok(all)
}

/// The identities of a profile, the primary one first.
pub async fn identities(store: &Store, tenant: &TenantId, profile: &ProfileId) -> Result<Vec<IdentityRecord>, Error> {
    store.read(IDENTITIES_OF_USER, args![tenant, profile]).await?.iter().map(identity).collect()
}

/// The same of several profiles, without what was sent of them (`raw`). At most [`IDS_MAX`] profiles, and as many identities of
/// all of them as [`IDENTITIES_MAX`].
pub async fn identities_of(
    store: &Store,
    tenant: &TenantId,
    profiles: &[ProfileId],
) -> Result<HashMap<ProfileId, Vec<IdentityRecord>>, Error> {
    let mut found: HashMap<ProfileId, Vec<IdentityRecord>> = HashMap::new();
    if profiles.is_empty() {
        return Ok(found);
    }
    let mut args = args![tenant];
    pad_list(&mut args, profiles.iter().map(Value::from));
    for row in &store.read_built(identities_text(profiles.len()), args).await? {
        found.entry(ProfileId::new(row.text(19)?)).or_default().push(identity(row)?);
    }
    Ok(found)
}

fn identities_text(profiles: usize) -> String {
    format!(
        "SELECT i.id, c.id, c.name, c.kind, i.position, i.external_id, i.user_name, i.state, i.active, CAST(NULL AS TEXT), \
         i.mapped, i.mapping, i.mapping_version, i.login_mapped, i.login_mapping, i.login_mapping_version, i.last_source, \
         i.first_seen, i.last_seen, i.profile_id FROM identities i JOIN connections c ON c.tenant_id = i.tenant_id \
         AND c.id = i.connection_id WHERE i.tenant_id = $1 AND i.profile_id IN ({}) \
         ORDER BY i.profile_id, i.position, i.id LIMIT {IDENTITIES_MAX}",
        in_list(2, profiles)
    )
}

pub async fn blocks(store: &Store, tenant: &TenantId, profile: &ProfileId) -> Result<Vec<BlockRecord>, Error> {
    let block = |row: &Row| {
        Ok(BlockRecord {
            kind: row.text(0)?,
            origin: row.text(1)?,
            since: row.int(2)?,
            actor: row.text(3)?,
            reason: row.text(4)?,
            expires_at: row.opt_int(5)?,
        })
    };
    store.read(BLOCKS_OF_USER, args![tenant, profile]).await?.iter().map(block).collect()
}

/// Up to `limit` events that changed the profile before it had `version`, newest first. Each moved the version by one.
pub async fn history_before(
    store: &Store,
    tenant: &TenantId,
    profile: &ProfileId,
    version: i64,
    limit: i64,
) -> Result<Vec<HistoryRecord>, Error> {
    store.read(HISTORY_BEFORE, args![tenant, profile, version, limit]).await?.iter().map(event).collect()
}

/// The same of those after it had `version`, oldest first.
pub async fn history_after(
    store: &Store,
    tenant: &TenantId,
    profile: &ProfileId,
    version: i64,
    limit: i64,
) -> Result<Vec<HistoryRecord>, Error> {
    store.read(HISTORY_AFTER, args![tenant, profile, version, limit]).await?.iter().map(event).collect()
}

fn event(row: &Row) -> Result<HistoryRecord, Error> {
    Ok(HistoryRecord {
        id: row.text(0)?,
        version: row.int(1)?,
        event: row.text(2)?,
        connection: row.opt_text(3)?,
        connection_id: row.opt_text(4)?,
        identity_id: row.opt_text(5)?,
        mapping: row.opt_text(6)?,
        mapping_version: row.opt_int(7)?,
        actor: row.text(8)?,
        changes: json(row.opt_text(9)?)?,
        created_at: row.int(10)?,
    })
}
