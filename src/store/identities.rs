//! Identities, their searchable values, and what a push has to know before it decides. Every statement names the
//! tenant and, for what a SCIM client may see, the connection.

use super::dialect::{in_list, pad_list};
use super::statements::{Form, statements};
use super::{Batch, Error, Row, Store, Value};
use crate::args;
use crate::model::connection::{Connection, JoinOn};
use crate::model::group::MemberKind;
use crate::model::identity::{Identity, IdentityState, LoginSide};
use crate::model::ids::{ConnectionId, IdentityId, ProfileId, TenantId};
use crate::model::user::{Block, BlockKind, User};
use std::collections::{HashMap, HashSet};

/// The columns [`identity`] reads, in its order.
macro_rules! identity_columns {
    () => {
        "i.tenant_id, i.id, i.connection_id, i.profile_id, i.position, i.external_id, i.user_name, i.user_name_key, \
         i.label, i.state, i.listed, i.active, i.raw, i.raw_hash, i.mapped, i.mapping, i.mapping_version, i.last_source, \
         i.version, i.first_seen, i.last_seen, i.created_at, i.updated_at, i.deleted_at, i.login_raw, i.login_raw_hash, \
         i.login_mapped, i.login_mapping, i.login_mapping_version, i.dn_key, i.missing_runs"
    };
}
pub(super) use identity_columns;
const IDENTITY_COLUMNS: usize = 31;

/// The columns [`user`] reads, in its order.
macro_rules! user_columns {
    () => {
        "u.id, u.user_id, u.organization_id, u.email, u.email_key, u.email_trusted, u.username_key, u.blocked, u.doc, \
         u.provenance, u.version, u.created_at, u.updated_at"
    };
}
pub(super) use user_columns;

/// An identity of a connection with its profile and whether it is in any group, up to what says which.
macro_rules! found {
    () => {
        concat!(
            "SELECT ",
            identity_columns!(),
            ", ",
            user_columns!(),
            ", CAST(CASE WHEN EXISTS (SELECT 1 FROM members m WHERE m.tenant_id = i.tenant_id AND m.member_id = i.id) \
             THEN 1 ELSE 0 END AS BIGINT) \
             FROM identities i LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.profile_id \
             WHERE i.tenant_id = $1 AND i.connection_id = $2 AND "
        )
    };
}

statements! {
    /// An identity with its profile and whether it is in any group: all a write or a read of one user needs.
    FIND = concat!(found!(), "i.id = $3");
    /// The same, as a login finds one.
    FIND_BY_EXTERNAL_ID = concat!(found!(), "i.external_id = $3");
    /// The same, as a login finds one that is known by the name that was pushed. Of those who left the last.
    FIND_BY_USER_NAME = concat!(found!(), "i.user_name_key = $3 AND i.listed");
    FIND_BY_FORMER_NAME = concat!(found!(), "i.user_name_key = $3 AND NOT i.listed AND i.deleted_at IS NOT NULL \
        ORDER BY i.deleted_at DESC, i.id DESC LIMIT 1");
    /// Whoever was here under this external id and was removed.
    FIND_REMOVED = "SELECT subject FROM tombstones WHERE tenant_id = $1 AND kind = 'identity' AND subject = $2";
    /// What a SCIM read of one user needs, and nothing else.
    FIND_RESOURCE = "SELECT i.raw, i.version, i.created_at, i.updated_at, \
        CAST(CASE WHEN EXISTS (SELECT 1 FROM members m WHERE m.tenant_id = i.tenant_id AND m.member_id = i.id) THEN 1 ELSE 0 END AS BIGINT) \
        FROM identities i WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.id = $3 AND i.listed";
    /// Who already stands where a new identity wants to: by external id, by user name, by former user name, by a
    /// trusted address of the same organization, and whether the user_id is borne or was. One round trip.
    FIND_CLAIMS = "SELECT 'external_id', i.id, i.external_id FROM identities i \
        WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.external_id = $3 \
        UNION ALL SELECT 'user_name', i.id, i.external_id FROM identities i \
        WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.user_name_key = $4 AND i.listed \
        UNION ALL SELECT 'former_name', i.id, i.external_id FROM identities i \
        WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.user_name_key = $4 AND NOT i.listed AND i.deleted_at IS NOT NULL \
        UNION ALL SELECT 'email', u.id, u.user_id FROM users u \
        WHERE u.tenant_id = $1 AND u.email_key = $5 AND u.email_trusted AND u.organization_id IS NOT DISTINCT FROM $6 \
        AND EXISTS (SELECT 1 FROM identities o WHERE o.tenant_id = u.tenant_id AND o.profile_id = u.id AND o.connection_id <> $2) \
        UNION ALL SELECT 'user_id', u.id, u.user_id FROM users u \
        WHERE u.tenant_id = $1 AND u.user_id = $7 \
        UNION ALL SELECT 'former_user_id', t.subject, t.subject FROM tombstones t \
        WHERE t.tenant_id = $1 AND t.kind = 'user_id' AND t.subject >= $7 AND t.subject <= $8 \
        UNION ALL SELECT 'later_user_id', u.id, u.user_id FROM users u \
        WHERE u.tenant_id = $1 AND u.user_id > $7 AND u.user_id <= $8 \
        UNION ALL SELECT 'erased', t.subject, t.subject FROM tombstones t \
        WHERE t.tenant_id = $1 AND t.kind = 'erased' AND t.subject = $9";
    FIND_BLOCKS = "SELECT kind, origin, since, actor, reason, expires_at FROM blocks \
        WHERE tenant_id = $1 AND profile_id = $2 ORDER BY kind, origin";
    FIND_JOIN_EXTERNAL = "SELECT i.profile_id FROM identities i JOIN connections c ON c.tenant_id = i.tenant_id AND c.id = i.connection_id \
        WHERE i.tenant_id = $1 AND c.name = $2 AND c.organization_id IS NOT DISTINCT FROM $3 AND i.external_id = $4 AND i.profile_id IS NOT NULL";
    FIND_JOIN_USER_NAME = "SELECT i.profile_id FROM identities i JOIN connections c ON c.tenant_id = i.tenant_id AND c.id = i.connection_id \
        WHERE i.tenant_id = $1 AND c.name = $2 AND c.organization_id IS NOT DISTINCT FROM $3 AND i.user_name_key = $4 AND i.listed AND i.profile_id IS NOT NULL";
    /// Only a verified address, in a domain this organization has proven.
    FIND_JOIN_EMAIL = "SELECT i.profile_id FROM users u CROSS JOIN identities i CROSS JOIN connections c CROSS JOIN domains d \
        WHERE u.tenant_id = $1 AND i.tenant_id = u.tenant_id AND i.profile_id = u.id AND c.tenant_id = i.tenant_id \
        AND c.id = i.connection_id AND d.tenant_id = u.tenant_id AND d.domain = $5 AND d.verified_at IS NOT NULL \
        AND d.organization_id = $3 AND c.name = $2 AND c.organization_id IS NOT DISTINCT FROM $3 AND u.email_key = $4 AND u.email_trusted";
    FIND_PROFILE = concat!("SELECT ", user_columns!(), ", \
        CAST((SELECT coalesce(max(i.position), -1) FROM identities i WHERE i.tenant_id = u.tenant_id AND i.profile_id = u.id) AS BIGINT) \
        FROM users u WHERE u.tenant_id = $1 AND u.id = $2");
    COUNT_OF_PROFILE = "SELECT count(*) FROM identities WHERE tenant_id = $1 AND profile_id = $2";

    INSERT = "INSERT INTO identities (tenant_id, id, connection_id, profile_id, position, external_id, user_name, user_name_key, \
        label, state, listed, active, raw, raw_hash, mapped, mapping, mapping_version, last_source, version, first_seen, last_seen, \
        created_at, updated_at, deleted_at, login_raw, login_raw_hash, login_mapped, login_mapping, login_mapping_version, dn_key) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, \
        $25, $26, $27, $28, $29, $30)";
    UPDATE = "UPDATE identities SET profile_id = $4, position = $5, external_id = $6, user_name = $7, user_name_key = $8, \
        label = $9, state = $10, listed = $11, active = $12, raw = $13, raw_hash = $14, mapped = $15, mapping = $16, \
        mapping_version = $17, last_source = $18, version = version + 1, last_seen = $19, updated_at = $20, deleted_at = $21, dn_key = $22, \
        missing_runs = $23 WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND version = $24";
    /// What a login changes: its own side of the identity, and whose it is.
    UPDATE_LOGIN = "UPDATE identities SET profile_id = $4, position = $5, login_raw = $6, login_raw_hash = $7, login_mapped = $8, \
        login_mapping = $9, login_mapping_version = $10, last_source = $11, version = version + 1, last_seen = $12, \
        updated_at = $13 WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND version = $14";
    /// A login that says nothing new moves no version; who left meanwhile is not seen.
    SEEN = "UPDATE identities SET last_seen = $4, last_source = $5 WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 \
        AND state = 'active'";
    DELETE = "DELETE FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND version = $4";
    /// The next identity in line becomes the primary one of a profile whose primary goes.
    PROMOTE = "UPDATE identities SET position = 0 WHERE tenant_id = $1 AND profile_id = $2 AND id = (SELECT n.id FROM identities n \
        WHERE n.tenant_id = $1 AND n.profile_id = $2 AND n.id <> $3 ORDER BY n.position, n.id LIMIT 1)";
    INSERT_VALUES = "INSERT INTO identity_values (tenant_id, connection_id, attribute, value_key, identity_id) \
        VALUES ($1, $2, $3, $4, $5)";
    DELETE_VALUES = "DELETE FROM identity_values WHERE tenant_id = $1 AND connection_id = $2 AND attribute = $3 \
        AND value_key = $4 AND identity_id = $5";
    DELETE_ALL_VALUES = "DELETE FROM identity_values WHERE tenant_id = $1 AND identity_id = $2";
    /// Who is in the roster by the source's own id, in the order of those.
    PRESENT = "SELECT external_id, missing_runs FROM identities WHERE tenant_id = $1 AND connection_id = $2 \
        AND external_id > $3 AND listed ORDER BY external_id LIMIT $4";
    /// Not seen in so many complete reads in a row; 0: is there again. No version moves: nothing of the person changed.
    MISSED = "UPDATE identities SET missing_runs = $4 WHERE tenant_id = $1 AND connection_id = $2 AND external_id = $3";
    /// A page of a connection's people, whatever became of them: two, since an index holds either.
    PAGE_LISTED = "SELECT id FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND listed AND id > $3 ORDER BY id LIMIT $4";
    PAGE_UNLISTED = "SELECT id FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND NOT listed AND id > $3 ORDER BY id LIMIT $4";
    FIND_GRACE_OVER = "SELECT id, version FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND NOT listed \
        AND state = 'deleted' AND deleted_at < $3 ORDER BY id LIMIT 200";
}

/// What may go together with others of its kind.
pub(super) const LOOK_UPS: &[&str] =
    &[FIND, FIND_BY_EXTERNAL_ID, FIND_REMOVED, FIND_RESOURCE, FIND_CLAIMS, FIND_BLOCKS, FIND_PROFILE];

/// An identity as loaded, with its profile.
#[derive(Clone, Debug)]
pub struct Found {
    pub identity: Identity,
    pub user: Option<User>,
    /// Is it a direct member of some group?
    pub in_groups: bool,
}

/// The stored text of one listed user, for a read.
#[derive(Clone, Debug)]
pub struct Resource {
    pub raw: String,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub in_groups: bool,
}

/// Who stands where a new identity wants to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    pub by_external_id: Option<IdentityId>,
    /// A listed identity of this user name, with its external id.
    pub by_user_name: Option<(IdentityId, Option<String>)>,
    /// Deleted identities that last had this user name, with their external ids.
    pub by_former_name: Vec<(IdentityId, Option<String>)>,
    /// Profiles fed by another connection of the same organization that have this address: id and user_id.
    pub by_email: Vec<(ProfileId, String)>,
    /// user_ids from the wanted one on (`…`, `…~2`, `…~3`) that are borne or were.
    pub user_ids_taken: Vec<String>,
    /// Those of them that are borne now.
    pub user_ids_borne: Vec<String>,
    /// The external id belongs to a person who asked to be erased.
    pub erased: bool,
}

/// What [`Claims`] are asked about.
pub struct Wanted<'a> {
    pub external_id: Option<&'a str>,
    pub user_name_key: Option<&'a str>,
    pub email_key: Option<&'a str>,
    pub user_id: &'a str,
    pub erased_hash: Option<&'a str>,
}

fn login_side(row: &Row, at: usize) -> Result<Option<LoginSide>, Error> {
    let Some(raw) = row.opt_text(at)? else { return Ok(None) };
    Ok(Some(LoginSide {
        raw,
        raw_hash: row.text(at + 1)?,
        mapped: row.text(at + 2)?,
        mapping: row.text(at + 3)?,
        mapping_version: row.int(at + 4)?,
    }))
}

pub(super) fn identity(row: &Row, at: usize) -> Result<Identity, Error> {
    Ok(Identity {
        tenant_id: TenantId::new(row.text(at)?),
        id: IdentityId::new(row.text(at + 1)?),
        connection_id: ConnectionId::new(row.text(at + 2)?),
        profile_id: row.opt_text(at + 3)?.map(ProfileId::new),
        position: row.int(at + 4)?,
        external_id: row.opt_text(at + 5)?,
        user_name: row.opt_text(at + 6)?,
        user_name_key: row.opt_text(at + 7)?,
        label: row.opt_text(at + 8)?,
        state: IdentityState::parse(&row.text(at + 9)?).ok_or(Error::Corrupt { what: "unknown identity state" })?,
        listed: row.bool(at + 10)?,
        active: row.opt_bool(at + 11)?,
        raw: row.opt_text(at + 12)?,
        raw_hash: row.opt_text(at + 13)?,
        mapped: row.opt_text(at + 14)?,
        mapping: row.opt_text(at + 15)?,
        mapping_version: row.opt_int(at + 16)?,
        last_source: row.text(at + 17)?,
        version: row.int(at + 18)?,
        first_seen: row.int(at + 19)?,
        last_seen: row.int(at + 20)?,
        created_at: row.int(at + 21)?,
        updated_at: row.int(at + 22)?,
        deleted_at: row.opt_int(at + 23)?,
        login: login_side(row, at + 24)?,
        dn_key: row.opt_text(at + 29)?,
        missing_runs: row.int(at + 30)?,
    })
}

pub(super) fn user(tenant: &TenantId, row: &Row, at: usize) -> Result<Option<User>, Error> {
    let Some(id) = row.opt_text(at)? else { return Ok(None) };
    Ok(Some(User {
        tenant_id: tenant.clone(),
        id: ProfileId::new(id),
        user_id: row.text(at + 1)?,
        organization_id: row.opt_text(at + 2)?.map(crate::model::ids::OrganizationId::new),
        email: row.opt_text(at + 3)?,
        email_key: row.opt_text(at + 4)?,
        email_trusted: row.bool(at + 5)?,
        username_key: row.opt_text(at + 6)?,
        blocked: row.bool(at + 7)?,
        was: Some(row.text(at + 8)?),
        doc: row.text(at + 8)?,
        provenance: row.text(at + 9)?,
        version: row.int(at + 10)?,
        created_at: row.int(at + 11)?,
        updated_at: row.int(at + 12)?,
    }))
}
pub(super) const USER_COLUMNS: usize = 13;

/// One identity of one connection, whatever its state.
pub async fn find(store: &Store, connection: &Connection, id: &IdentityId) -> Result<Option<Found>, Error> {
    let rows = store.look_up(FIND, args![&connection.tenant_id, &connection.id, id]).await?;
    found(connection, &rows)
}

/// The identity that a login of `connection` means, whatever its state.
pub async fn find_by_external_id(store: &Store, connection: &Connection, external_id: &str) -> Result<Option<Found>, Error> {
    let rows = store.look_up(FIND_BY_EXTERNAL_ID, args![&connection.tenant_id, &connection.id, external_id]).await?;
    found(connection, &rows)
}

/// The identity that a login of `connection` means by the name that was pushed of it: who bears it, or else who bore it last.
/// `user_name_key` is folded, as userName compares.
pub async fn find_by_user_name(store: &Store, connection: &Connection, user_name_key: &str) -> Result<Option<Found>, Error> {
    for sql in [FIND_BY_USER_NAME, FIND_BY_FORMER_NAME] {
        let rows = store.read(sql, args![&connection.tenant_id, &connection.id, user_name_key]).await?;
        if let Some(found) = found(connection, &rows)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn found(connection: &Connection, rows: &[Row]) -> Result<Option<Found>, Error> {
    rows.first()
        .map(|row| {
            Ok(Found {
                identity: identity(row, 0)?,
                user: user(&connection.tenant_id, row, IDENTITY_COLUMNS)?,
                in_groups: row.int(IDENTITY_COLUMNS + USER_COLUMNS)? != 0,
            })
        })
        .transpose()
}

/// Was an identity with this tombstone removed?
pub async fn was_removed(store: &Store, tenant: &TenantId, tombstone: &str) -> Result<bool, Error> {
    Ok(!store.look_up(FIND_REMOVED, args![tenant, tombstone]).await?.is_empty())
}

/// The stored text of a listed user.
pub async fn find_resource(store: &Store, connection: &Connection, id: &str) -> Result<Option<Resource>, Error> {
    let rows = store.look_up(FIND_RESOURCE, args![&connection.tenant_id, &connection.id, id]).await?;
    rows.first()
        .map(|row| {
            Ok(Resource {
                raw: row.text(0)?,
                version: row.int(1)?,
                created_at: row.int(2)?,
                updated_at: row.int(3)?,
                in_groups: row.int(4)? != 0,
            })
        })
        .transpose()
}

/// Who stands where a new identity of `connection` wants to.
pub async fn find_claims(store: &Store, connection: &Connection, wanted: &Wanted<'_>) -> Result<Claims, Error> {
    let rows = store
        .look_up(
            FIND_CLAIMS,
            args![
                &connection.tenant_id,
                &connection.id,
                wanted.external_id,
                wanted.user_name_key,
                wanted.email_key,
                connection.organization_id.as_ref(),
                wanted.user_id,
                format!("{}~9999", wanted.user_id),
                wanted.erased_hash,
            ],
        )
        .await?;
    let mut claims = Claims::default();
    for row in &rows {
        let (id, with) = (row.text(1)?, row.opt_text(2)?);
        match row.text(0)?.as_str() {
            "external_id" => claims.by_external_id = Some(IdentityId::new(id)),
            "user_name" => claims.by_user_name = Some((IdentityId::new(id), with)),
            "former_name" => claims.by_former_name.push((IdentityId::new(id), with)),
            "email" => claims.by_email.push((ProfileId::new(id), with.unwrap_or_default())),
            "erased" => claims.erased = true,
            of_user_id => {
                let user_id = with.unwrap_or_default();
                if of_user_id != "former_user_id" {
                    claims.user_ids_borne.push(user_id.clone());
                }
                claims.user_ids_taken.push(user_id);
            }
        }
    }
    Ok(claims)
}

/// A profile to join, with the position its next identity takes.
pub async fn find_profile(store: &Store, tenant: &TenantId, id: &ProfileId) -> Result<Option<(User, i64)>, Error> {
    let rows = store.look_up(FIND_PROFILE, args![tenant, id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(user(tenant, row, 0)?.zip(Some(row.int(USER_COLUMNS)? + 1)))
}

/// The profiles that `key` names on the connection called `join`, of the same organization: mostly one, if any.
pub async fn find_join(
    store: &Store,
    connection: &Connection,
    join: &str,
    on: JoinOn,
    key: &str,
) -> Result<Vec<ProfileId>, Error> {
    let organization = connection.organization_id.as_ref();
    let (sql, args) = match on {
        JoinOn::ExternalId => (FIND_JOIN_EXTERNAL, args![&connection.tenant_id, join, organization, key]),
        JoinOn::Username => (FIND_JOIN_USER_NAME, args![&connection.tenant_id, join, organization, key]),
        JoinOn::Email => {
            let domain = key.rsplit_once('@').map_or("", |(_, domain)| domain);
            (FIND_JOIN_EMAIL, args![&connection.tenant_id, join, organization, key, domain])
        }
    };
    let rows = store.read(sql, args).await?;
    let mut found: Vec<ProfileId> = Vec::new();
    for row in &rows {
        let id = ProfileId::new(row.text(0)?);
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

pub async fn find_blocks(store: &Store, tenant: &TenantId, profile: &ProfileId) -> Result<Vec<Block>, Error> {
    let rows = store.look_up(FIND_BLOCKS, args![tenant, profile]).await?;
    rows.iter()
        .map(|row| {
            Ok(Block {
                kind: BlockKind::parse(&row.text(0)?).ok_or(Error::Corrupt { what: "unknown block kind" })?,
                origin: row.text(1)?,
                since: row.int(2)?,
                actor: row.text(3)?,
                reason: row.text(4)?,
                expires_at: row.opt_int(5)?,
            })
        })
        .collect()
}

/// How many identities a profile has.
pub async fn count_of_profile(store: &Store, tenant: &TenantId, profile: &ProfileId) -> Result<i64, Error> {
    let rows = store.read(COUNT_OF_PROFILE, args![tenant, profile]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Deleted identities of `connection` whose grace ended before `before`, at most 200.
pub async fn find_grace_over(store: &Store, connection: &Connection, before: i64) -> Result<Vec<IdentityId>, Error> {
    let rows = store.read(FIND_GRACE_OVER, args![&connection.tenant_id, &connection.id, before]).await?;
    rows.iter().map(|row| row.text(0).map(IdentityId::new)).collect()
}

/// What is compared of an identity that a directory shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    pub id: IdentityId,
    pub external_id: String,
    pub state: IdentityState,
    pub listed: bool,
    pub raw_hash: Option<String>,
    pub mapping: Option<String>,
    pub mapping_version: Option<i64>,
    /// JSON text: what the mapping gave last time.
    pub mapped: Option<String>,
    pub dn_key: Option<String>,
    pub missing_runs: i64,
}

/// Ids asked for in one statement.
const IDS_PER_READ: usize = 256;

/// A built statement over ids: `tenant`, `connection` and the list.
fn over_ids(name: &str, connection: &Connection, sql: impl Fn(&str) -> String, ids: &[String]) -> Form {
    let mut args = args![&connection.tenant_id, &connection.id];
    pad_list(&mut args, ids.iter().map(Value::from));
    Form { name: name.to_owned(), sql: sql(&in_list(3, ids.len())), args }
}

fn followed_form(connection: &Connection, ids: &[String]) -> Form {
    let sql = |list: &str| {
        format!(
            "SELECT external_id, id, state, listed, raw_hash, mapping, mapping_version, mapped, dn_key, missing_runs \
             FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND external_id IN ({list})"
        )
    };
    over_ids("followed", connection, sql, ids)
}

fn found_form(connection: &Connection, ids: &[String]) -> Form {
    let sql = |list: &str| {
        format!(
            concat!(
                "SELECT ",
                identity_columns!(),
                ", ",
                user_columns!(),
                ", \
             CAST(CASE WHEN EXISTS (SELECT 1 FROM members m WHERE m.tenant_id = i.tenant_id AND m.member_id = i.id) THEN 1 ELSE 0 END AS BIGINT) \
             FROM identities i LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.profile_id \
             WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.external_id IN ({list})"
            ),
            list = list
        )
    };
    over_ids("found", connection, sql, ids)
}

fn found_by_id_form(connection: &Connection, ids: &[String]) -> Form {
    let sql = |list: &str| {
        format!(
            concat!(
                "SELECT ",
                identity_columns!(),
                ", ",
                user_columns!(),
                ", CAST(0 AS BIGINT) FROM identities i LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.profile_id \
                 WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.id IN ({list})"
            ),
            list = list
        )
    };
    over_ids("found by id", connection, sql, ids)
}

fn named_form(connection: &Connection, keys: &[String]) -> Form {
    let sql = |list: &str| {
        format!(
            "SELECT dn_key, id, 'User', external_id, updated_at FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND listed \
             AND dn_key IN ({list}) UNION ALL SELECT dn_key, id, 'Group', external_id, updated_at FROM groups WHERE tenant_id = $1 AND connection_id = $2 AND listed \
             AND dn_key IN ({list})"
        )
    };
    over_ids("named", connection, sql, keys)
}

fn borne_form(connection: &Connection, user_ids: &[String]) -> Form {
    let sql = |list: &str| {
        format!(
            "SELECT u.user_id FROM users u WHERE u.tenant_id = $1 AND u.user_id IN ({list}) \
             UNION ALL SELECT t.subject FROM tombstones t WHERE t.tenant_id = $1 AND t.kind = 'user_id' AND t.subject IN ({list}) \
             AND $2 <> ''"
        )
    };
    over_ids("borne", connection, sql, user_ids)
}

fn addressed_form(connection: &Connection, keys: &[String]) -> Form {
    let sql = |list: &str| {
        format!(
            "SELECT DISTINCT u.email_key FROM users u WHERE u.tenant_id = $1 AND u.email_key IN ({list}) AND u.email_trusted \
             AND EXISTS (SELECT 1 FROM identities o WHERE o.tenant_id = u.tenant_id AND o.profile_id = u.id AND o.connection_id <> $2)"
        )
    };
    over_ids("addressed", connection, sql, keys)
}

fn external_form(connection: &Connection, ids: &[String]) -> Form {
    let sql = |list: &str| {
        format!("SELECT id, external_id FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND id IN ({list})")
    };
    over_ids("external", connection, sql, ids)
}

/// The external ids of these identities, by id; who has none is not among them.
pub async fn external_ids_of(store: &Store, connection: &Connection, ids: &[String]) -> Result<HashMap<String, String>, Error> {
    let rows = read_over(store, connection, ids, external_form).await?;
    let mut found = HashMap::new();
    for row in &rows {
        if let Some(external_id) = row.opt_text(1)? {
            found.insert(row.text(0)?, external_id);
        }
    }
    Ok(found)
}

/// The texts of this file that are built.
pub fn forms(connection: &Connection, ids: &[String]) -> Vec<Form> {
    [external_form, followed_form, found_form, found_by_id_form, named_form, borne_form, addressed_form]
        .map(|form| form(connection, ids))
        .into()
}

async fn read_over(
    store: &Store,
    connection: &Connection,
    ids: &[String],
    form: fn(&Connection, &[String]) -> Form,
) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for chunk in ids.chunks(IDS_PER_READ) {
        let form = form(connection, chunk);
        rows.extend(store.read_built(form.sql, form.args).await?);
    }
    Ok(rows)
}

/// Those of `external_ids` that are stored, whatever their state.
pub async fn followed_among(store: &Store, connection: &Connection, external_ids: &[String]) -> Result<Vec<Followed>, Error> {
    let rows = read_over(store, connection, external_ids, followed_form).await?;
    let followed = |row: &Row| {
        Ok(Followed {
            external_id: row.text(0)?,
            id: IdentityId::new(row.text(1)?),
            state: IdentityState::parse(&row.text(2)?).ok_or(Error::Corrupt { what: "unknown identity state" })?,
            listed: row.bool(3)?,
            raw_hash: row.opt_text(4)?,
            mapping: row.opt_text(5)?,
            mapping_version: row.opt_int(6)?,
            mapped: row.opt_text(7)?,
            dn_key: row.opt_text(8)?,
            missing_runs: row.int(9)?,
        })
    };
    rows.iter().map(followed).collect()
}

/// The same with all that a write of them needs.
pub async fn found_among(store: &Store, connection: &Connection, external_ids: &[String]) -> Result<Vec<Found>, Error> {
    let rows = read_over(store, connection, external_ids, found_form).await?;
    let found = |row: &Row| Ok(found(connection, std::slice::from_ref(row))?.expect("a row is there"));
    rows.iter().map(found).collect()
}

/// Up to `limit` ids of the connection's people after `after` (at first ""): those that are listed, or the others.
pub async fn page(store: &Store, connection: &Connection, listed: bool, after: &str, limit: i64) -> Result<Vec<String>, Error> {
    let sql = if listed { PAGE_LISTED } else { PAGE_UNLISTED };
    let rows = store.read(sql, args![&connection.tenant_id, &connection.id, after, limit]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// These identities with their profiles, in the order of ids; whether they are in groups is not asked. Who is gone is not among them.
pub async fn found_by_ids(store: &Store, connection: &Connection, ids: &[String]) -> Result<Vec<Found>, Error> {
    let rows = read_over(store, connection, ids, found_by_id_form).await?;
    let read = |row: &Row| Ok(found(connection, std::slice::from_ref(row))?.expect("a row is there"));
    let mut all = rows.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
    all.sort_by(|a, b| a.identity.id.as_str().cmp(b.identity.id.as_str()));
    Ok(all)
}

/// Somebody, or a group, of the roster by the name it has in its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub kind: MemberKind,
    pub external_id: Option<String>,
}

/// Who in the roster is called so in the directory, by the key of the DN.
pub async fn named_among(store: &Store, connection: &Connection, dn_keys: &[String]) -> Result<HashMap<String, Named>, Error> {
    let rows = read_over(store, connection, dn_keys, named_form).await?;
    let mut named: HashMap<String, (i64, Named)> = HashMap::new();
    for row in &rows {
        let kind = if row.text(2)? == "User" { MemberKind::User } else { MemberKind::Group };
        let (key, at) = (row.text(0)?, row.int(4)?);
        // Somebody who is missing and was not let go yet has the name still; whoever took it over came later.
        if named.get(&key).is_none_or(|(before, _)| at > *before) {
            named.insert(key, (at, Named { id: row.text(1)?, kind, external_id: row.opt_text(3)? }));
        }
    }
    Ok(named.into_iter().map(|(key, (_, named))| (key, named)).collect())
}

/// Which of these user_ids are borne, or were.
pub async fn borne_among(store: &Store, connection: &Connection, user_ids: &[String]) -> Result<HashSet<String>, Error> {
    read_over(store, connection, user_ids, borne_form).await?.iter().map(|row| row.text(0)).collect()
}

/// Which of these folded addresses a profile that another connection feeds may have.
pub async fn addressed_among(store: &Store, connection: &Connection, email_keys: &[String]) -> Result<HashSet<String>, Error> {
    read_over(store, connection, email_keys, addressed_form).await?.iter().map(|row| row.text(0)).collect()
}

/// Somebody in the roster, by the source's own id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    pub external_id: String,
    pub missing_runs: i64,
}

/// Up to `limit` of them, whose external ids come after `after` (at first "").
pub async fn present(store: &Store, connection: &Connection, after: &str, limit: i64) -> Result<Vec<Present>, Error> {
    let rows = store.read(PRESENT, args![&connection.tenant_id, &connection.id, after, limit]).await?;
    rows.iter().map(|row| Ok(Present { external_id: row.text(0)?, missing_runs: row.int(1)? })).collect()
}

/// Notes in how many complete reads in a row each of these was not seen.
pub fn missed(batch: &mut Batch, connection: &Connection, who: &[(String, i64)]) {
    let rows = who.iter().map(|(id, runs)| args![&connection.tenant_id, &connection.id, id.as_str(), *runs]).collect();
    batch.each(MISSED, rows);
}

pub fn insert(batch: &mut Batch, i: &Identity) {
    batch.one(
        INSERT,
        args![
            &i.tenant_id,
            &i.id,
            &i.connection_id,
            i.profile_id.as_ref(),
            i.position,
            i.external_id.as_ref(),
            i.user_name.as_ref(),
            i.user_name_key.as_ref(),
            i.label.as_ref(),
            i.state.as_str(),
            i.listed,
            i.active,
            i.raw.as_ref(),
            i.raw_hash.as_ref(),
            i.mapped.as_ref(),
            i.mapping.as_ref(),
            i.mapping_version,
            i.last_source.as_str(),
            i.version,
            i.first_seen,
            i.last_seen,
            i.created_at,
            i.updated_at,
            i.deleted_at,
            login(i, |side| side.raw.as_str()),
            login(i, |side| side.raw_hash.as_str()),
            login(i, |side| side.mapped.as_str()),
            login(i, |side| side.mapping.as_str()),
            i.login.as_ref().map(|side| side.mapping_version),
            i.dn_key.as_ref(),
        ],
    );
}

fn login<'i>(identity: &'i Identity, text: impl Fn(&'i LoginSide) -> &'i str) -> Option<&'i str> {
    identity.login.as_ref().map(text)
}

/// Writes what a login changes if the row still has version `expected`; the version moves by one.
pub fn update_login(batch: &mut Batch, i: &Identity, expected: i64) {
    batch.one(
        UPDATE_LOGIN,
        args![
            &i.tenant_id,
            &i.connection_id,
            &i.id,
            i.profile_id.as_ref(),
            i.position,
            login(i, |side| side.raw.as_str()),
            login(i, |side| side.raw_hash.as_str()),
            login(i, |side| side.mapped.as_str()),
            login(i, |side| side.mapping.as_str()),
            i.login.as_ref().map(|side| side.mapping_version),
            i.last_source.as_str(),
            i.last_seen,
            i.updated_at,
            expected,
        ],
    );
}

/// Notes that somebody was here; refused as stale unless the identity is still active.
pub fn seen(batch: &mut Batch, i: &Identity) {
    batch.one(SEEN, args![&i.tenant_id, &i.connection_id, &i.id, i.last_seen, i.last_source.as_str()]);
}

/// Writes the row if it still has version `expected`; the version moves by one.
pub fn update(batch: &mut Batch, i: &Identity, expected: i64) {
    batch.one(
        UPDATE,
        args![
            &i.tenant_id,
            &i.connection_id,
            &i.id,
            i.profile_id.as_ref(),
            i.position,
            i.external_id.as_ref(),
            i.user_name.as_ref(),
            i.user_name_key.as_ref(),
            i.label.as_ref(),
            i.state.as_str(),
            i.listed,
            i.active,
            i.raw.as_ref(),
            i.raw_hash.as_ref(),
            i.mapped.as_ref(),
            i.mapping.as_ref(),
            i.mapping_version,
            i.last_source.as_str(),
            i.last_seen,
            i.updated_at,
            i.deleted_at,
            i.dn_key.as_ref(),
            i.missing_runs,
            expected,
        ],
    );
}

pub fn delete(batch: &mut Batch, i: &Identity, expected: i64) {
    batch.one(DELETE, args![&i.tenant_id, &i.connection_id, &i.id, expected]);
}

/// The profile keeps a primary identity when `i`, its primary until now, goes; nothing if it has no other.
pub fn promote_next(batch: &mut Batch, i: &Identity) {
    if i.position == 0 && i.profile_id.is_some() {
        batch.any(PROMOTE, args![&i.tenant_id, i.profile_id.as_ref(), &i.id]);
    }
}

fn value_rows(i: &Identity, values: &[(String, String)]) -> Vec<Vec<Value>> {
    values.iter().map(|(attribute, key)| args![&i.tenant_id, &i.connection_id, attribute, key, &i.id]).collect()
}

pub fn insert_values(batch: &mut Batch, i: &Identity, values: &[(String, String)]) {
    batch.each(INSERT_VALUES, value_rows(i, values));
}

pub fn delete_values(batch: &mut Batch, i: &Identity, values: &[(String, String)]) {
    batch.each(DELETE_VALUES, value_rows(i, values));
}

pub fn delete_all_values(batch: &mut Batch, i: &Identity) {
    batch.any(DELETE_ALL_VALUES, args![&i.tenant_id, &i.id]);
}
