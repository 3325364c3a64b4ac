//! Groups and who is in them. Membership is rows: adding or removing one member costs the same in a group of ten and
//! of half a million. Every statement names tenant and connection, so an id of another one is simply not there.

use super::dialect::{in_list, pad_list};
use super::statements::{Form, statements};
use super::{Batch, EACH_MAX, Error, Keys, Row, Store, Value, Write};
use crate::args;
use crate::model::connection::Connection;
use crate::model::group::{Group, MappedGroup, Member, MemberKind};
use crate::model::ids::{ConnectionId, GroupId, OrganizationId, ProfileId, TenantId};
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Ids asked for in one statement.
const IDS_PER_READ: usize = 256;
/// Member rows read at a time.
const MEMBERS_PER_READ: i64 = 1_000;

macro_rules! group_columns {
    () => {
        "g.tenant_id, g.id, g.connection_id, g.external_id, g.name, g.name_key, g.raw, g.raw_hash, g.mapped, g.mapping, \
         g.mapping_version, g.version, g.created_at, g.updated_at, g.dn_key"
    };
}

statements! {
    FIND = concat!("SELECT ", group_columns!(), " FROM groups g WHERE g.tenant_id = $1 AND g.connection_id = $2 AND g.id = $3 AND g.listed");
    FIND_BY_EXTERNAL_ID = concat!("SELECT ", group_columns!(), " FROM groups g WHERE g.tenant_id = $1 AND g.connection_id = $2 \
        AND g.external_id = $3 AND g.listed");
    /// Groups by the source's own id, in the order of those.
    PRESENT_GROUPS = "SELECT external_id, id FROM groups WHERE tenant_id = $1 AND connection_id = $2 AND external_id > $3 AND listed \
        ORDER BY external_id LIMIT $4";
    /// The same with their places.
    PLACED_GROUPS = "SELECT external_id, id, dn_key FROM groups WHERE tenant_id = $1 AND connection_id = $2 AND external_id > $3 AND listed \
        ORDER BY external_id LIMIT $4";
    UNRESOLVED = "SELECT dn_key FROM unresolved_members WHERE tenant_id = $1 AND group_id = $2";
    INSERT_UNRESOLVED = "INSERT INTO unresolved_members (tenant_id, group_id, dn_key, dn) VALUES ($1, $2, $3, $4)";
    DELETE_UNRESOLVED = "DELETE FROM unresolved_members WHERE tenant_id = $1 AND group_id = $2 AND dn_key = $3";
    DELETE_ALL_UNRESOLVED = "DELETE FROM unresolved_members WHERE tenant_id = $1 AND group_id = $2";
    /// Is the name or the external id borne by another listed group?
    FIND_CLAIM = "SELECT CASE WHEN g.name_key = $3 THEN 'displayName' ELSE 'externalId' END FROM groups g \
        WHERE g.tenant_id = $1 AND g.connection_id = $2 AND g.listed AND (g.name_key = $3 OR g.external_id = $4) AND g.id <> $5";
    FIND_MEMBERS = "SELECT m.member_id, m.kind, coalesce(i.label, n.name) FROM members m \
        LEFT JOIN identities i ON i.tenant_id = m.tenant_id AND i.id = m.member_id AND i.listed \
        LEFT JOIN groups n ON n.tenant_id = m.tenant_id AND n.id = m.member_id AND n.listed \
        WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id > $3 AND (i.id IS NOT NULL OR n.id IS NOT NULL) \
        ORDER BY m.member_id LIMIT $4";
    /// Of a user or group up through nested groups (to depth 20: design §3, "Groups"): which, and how near.
    MEMBERSHIPS = "WITH RECURSIVE up(id, depth) AS (\
        SELECT m.group_id, CAST(1 AS BIGINT) FROM members m WHERE m.tenant_id = $1 AND m.member_id = $2 \
        UNION SELECT m.group_id, up.depth + 1 FROM up CROSS JOIN members m \
        WHERE m.tenant_id = $1 AND m.member_id = up.id AND up.depth < 20) \
        SELECT nearest.id, (SELECT g.name FROM groups g WHERE g.tenant_id = $1 AND g.id = nearest.id AND g.listed LIMIT 1), \
        nearest.depth FROM (SELECT id, min(depth) AS depth FROM up GROUP BY id) AS nearest ORDER BY nearest.id";
    ADDED = "SELECT m.member_id, m.added_at FROM members m WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id > $3 \
        ORDER BY m.member_id LIMIT $4";
    DIRECT_OF = "SELECT m.group_id FROM members m WHERE m.tenant_id = $1 AND m.member_id = $2 ORDER BY m.group_id LIMIT 1000";
    COUNT_MEMBERS_TO = "SELECT count(*) FROM (SELECT 1 FROM members m WHERE m.tenant_id = $1 AND m.group_id = $2 LIMIT $3) AS few";
    /// Does `$3` hold `$2`, at any depth? `CROSS JOIN` here and below is for SQLite: it keeps to that order and looks members up.
    FIND_CYCLE = "WITH RECURSIVE up(id, depth) AS (\
        SELECT m.group_id, CAST(1 AS BIGINT) FROM members m WHERE m.tenant_id = $1 AND m.member_id = $2 \
        UNION SELECT m.group_id, up.depth + 1 FROM up CROSS JOIN members m \
        WHERE m.tenant_id = $1 AND m.member_id = up.id AND up.depth < 20) \
        SELECT up.id FROM up WHERE up.id = $3 LIMIT 1";

    /// The groups of every identity of a profile, nested ones included, and what logins gave.
    OF_PROFILE = "WITH RECURSIVE up(id, depth) AS (\
        SELECT m.group_id, CAST(1 AS BIGINT) FROM identities i \
        CROSS JOIN members m WHERE i.tenant_id = $1 AND i.profile_id = $2 AND m.tenant_id = i.tenant_id AND m.member_id = i.id \
        UNION SELECT m.group_id, up.depth + 1 FROM up CROSS JOIN members m \
        WHERE m.tenant_id = $1 AND m.member_id = up.id AND up.depth < 20) \
        SELECT 'row', g.name, g.mapped, c.organization_id FROM up CROSS JOIN groups g CROSS JOIN connections c \
        WHERE g.tenant_id = $1 AND g.id = up.id AND g.listed AND c.tenant_id = $1 AND c.id = g.connection_id \
        UNION ALL SELECT 'login', NULL, i.login_mapped, c.organization_id FROM identities i CROSS JOIN connections c \
        WHERE i.tenant_id = $1 AND i.profile_id = $2 AND i.login_mapped IS NOT NULL AND c.tenant_id = $1 AND c.id = i.connection_id";

    INSERT = "INSERT INTO groups (tenant_id, id, connection_id, external_id, name, name_key, raw, raw_hash, mapped, mapping, \
        mapping_version, version, created_at, updated_at, dn_key) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    UPDATE = "UPDATE groups SET external_id = $4, name = $5, name_key = $6, raw = $7, raw_hash = $8, mapped = $9, \
        mapping = $10, mapping_version = $11, version = version + 1, updated_at = $12, dn_key = $13 WHERE tenant_id = $1 \
        AND connection_id = $2 AND id = $3 AND listed AND version = $14";
    /// Members moved: blind, so that concurrent member changes never wait for each other's version.
    TOUCH = "UPDATE groups SET version = version + $5, updated_at = $4 WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND listed";
    TOUCH_IF = "UPDATE groups SET version = version + 1, updated_at = $4 WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 \
        AND listed AND version = $5";
    END = "UPDATE groups SET listed = FALSE, deleted_at = $4, updated_at = $4, version = version + 1 \
        WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND listed";
    END_IF = "UPDATE groups SET listed = FALSE, deleted_at = $4, updated_at = $4, version = version + 1 \
        WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND listed AND version = $5";
    INSERT_MEMBERS = "INSERT INTO members (tenant_id, group_id, member_id, kind, added_at) VALUES ($1, $2, $3, $4, $5)";
    DELETE_MEMBERS = "DELETE FROM members WHERE tenant_id = $1 AND group_id = $2 AND member_id = $3";
    DELETE_ALL_MEMBERS = "DELETE FROM members WHERE tenant_id = $1 AND group_id = $2";
    /// Before the rows of a leaver go: its groups move their version. Reads the state from before on both databases
    /// only because it stands first in the batch.
    TOUCH_GROUPS_OF = "UPDATE groups SET version = version + 1, updated_at = $3 WHERE tenant_id = $1 AND id IN \
        (SELECT m.group_id FROM members m WHERE m.tenant_id = $1 AND m.member_id = $2)";
    /// By way of the groups: SQLite takes the key of this table before its index, and would walk over the tenant's members.
    DELETE_MEMBERSHIPS_OF = "DELETE FROM members WHERE tenant_id = $1 AND group_id IN \
        (SELECT m.group_id FROM members m WHERE m.tenant_id = $1 AND m.member_id = $2) AND member_id = $2";
    COUNT = "INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (tenant_id, scope, kind, slot) DO UPDATE SET total = counters.total + excluded.total";
    FIND_NESTINGS = "SELECT total FROM counters WHERE tenant_id = $1 AND scope = $2 AND kind = 'nesting' AND slot = 0";
    NEST = "INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ($1, $2, 'nesting', 0, 1) \
        ON CONFLICT (tenant_id, scope, kind, slot) DO UPDATE SET total = counters.total + 1 WHERE counters.total = $3";
    SUM = "SELECT CAST(coalesce(sum(total), 0) AS BIGINT) FROM counters WHERE tenant_id = $1 AND scope = $2 AND kind = $3";
}

/// What may go together with others of its kind.
pub(super) const LOOK_UPS: &[&str] = &[FIND, FIND_CLAIM, MEMBERSHIPS];

/// One row of a member list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: String,
    pub kind: MemberKind,
    pub label: Option<String>,
}

/// One group a user or group is in.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    pub group_id: String,
    pub name: String,
    /// Not by way of another group.
    pub direct: bool,
}

pub(super) fn group(row: &Row, at: usize) -> Result<Group, Error> {
    Ok(Group {
        tenant_id: TenantId::new(row.text(at)?),
        id: GroupId::new(row.text(at + 1)?),
        connection_id: ConnectionId::new(row.text(at + 2)?),
        external_id: row.opt_text(at + 3)?,
        name: row.text(at + 4)?,
        name_key: row.text(at + 5)?,
        raw: row.text(at + 6)?,
        raw_hash: row.text(at + 7)?,
        mapped: mapped(row, at + 8)?,
        version: row.int(at + 11)?,
        created_at: row.int(at + 12)?,
        updated_at: row.int(at + 13)?,
        dn_key: row.opt_text(at + 14)?,
    })
}

fn mapped(row: &Row, at: usize) -> Result<Option<MappedGroup>, Error> {
    let Some(text) = row.opt_text(at)? else { return Ok(None) };
    Ok(Some(MappedGroup { text, mapping: row.text(at + 1)?, version: row.int(at + 2)? }))
}

/// A listed group of this connection.
pub async fn find(store: &Store, connection: &Connection, id: &str) -> Result<Option<Group>, Error> {
    let rows = store.look_up(FIND, args![&connection.tenant_id, &connection.id, id]).await?;
    rows.first().map(|row| group(row, 0)).transpose()
}

/// A listed group by the id it has in its directory.
pub async fn find_by_external_id(store: &Store, connection: &Connection, external_id: &str) -> Result<Option<Group>, Error> {
    let rows = store.read(FIND_BY_EXTERNAL_ID, args![&connection.tenant_id, &connection.id, external_id]).await?;
    rows.first().map(|row| group(row, 0)).transpose()
}

/// Up to `limit` groups, external id and id, whose external ids come after `after` (at first "").
pub async fn present(store: &Store, connection: &Connection, after: &str, limit: i64) -> Result<Vec<(String, String)>, Error> {
    let rows = store.read(PRESENT_GROUPS, args![&connection.tenant_id, &connection.id, after, limit]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// A group by the source's own id, and the key of the place where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub external_id: String,
    pub id: String,
    pub dn_key: Option<String>,
}

/// Up to `limit` groups whose external ids come after `after` (at first "").
pub async fn placed(store: &Store, connection: &Connection, after: &str, limit: i64) -> Result<Vec<Placed>, Error> {
    let rows = store.read(PLACED_GROUPS, args![&connection.tenant_id, &connection.id, after, limit]).await?;
    rows.iter().map(|row| Ok(Placed { external_id: row.text(0)?, id: row.text(1)?, dn_key: row.opt_text(2)? })).collect()
}

/// Keys of the members a group names and that nobody bears.
pub async fn find_unresolved(store: &Store, tenant: &TenantId, group: &str) -> Result<HashSet<String>, Error> {
    store.read(UNRESOLVED, args![tenant, group]).await?.iter().map(|row| row.text(0)).collect()
}

/// From now on these are unresolved as well (key and DN), and those no more.
pub fn unresolved(batch: &mut Batch, tenant: &TenantId, group: &str, new: &[(String, String)], gone: &[String]) {
    batch.each(INSERT_UNRESOLVED, new.iter().map(|(key, dn)| args![tenant, group, key.as_str(), dn.as_str()]).collect());
    batch.each(DELETE_UNRESOLVED, gone.iter().map(|key| args![tenant, group, key.as_str()]).collect());
}

pub fn forget_unresolved(batch: &mut Batch, tenant: &TenantId, group: &str) {
    batch.any(DELETE_ALL_UNRESOLVED, args![tenant, group]);
}

/// Which unique attribute another group than `except` already bears: `displayName` or `externalId`.
pub async fn find_claim(
    store: &Store,
    connection: &Connection,
    name_key: &str,
    external_id: Option<&str>,
    except: &str,
) -> Result<Option<&'static str>, Error> {
    let rows = store.look_up(FIND_CLAIM, args![&connection.tenant_id, &connection.id, name_key, external_id, except]).await?;
    rows.first().map(|row| Ok(if row.text(0)? == "displayName" { "displayName" } else { "externalId" })).transpose()
}

fn kind(text: &str) -> Result<MemberKind, Error> {
    match text {
        "User" => Ok(MemberKind::User),
        "Group" => Ok(MemberKind::Group),
        _ => Err(Error::Corrupt { what: "unknown member kind" }),
    }
}

/// Every member, in order of id. Rows of who is gone don't count: one may be left where somebody was deleted while they
/// were added.
pub async fn find_members(store: &Store, tenant: &TenantId, group: &str) -> Result<Vec<Listed>, Error> {
    find_members_beyond(store, tenant, group, usize::MAX).await
}

/// The same, ended as soon as there are more than `most`: then not all, but more than that.
pub async fn find_members_beyond(store: &Store, tenant: &TenantId, group: &str, most: usize) -> Result<Vec<Listed>, Error> {
    let mut members = Vec::new();
    let mut after = String::new();
    loop {
        let rows = store.read(FIND_MEMBERS, args![tenant, group, after.as_str(), MEMBERS_PER_READ]).await?;
        for row in &rows {
            members.push(Listed { id: row.text(0)?, kind: kind(&row.text(1)?)?, label: row.opt_text(2)? });
        }
        match members.last() {
            Some(last) if i64::try_from(rows.len()) == Ok(MEMBERS_PER_READ) && members.len() <= most => {
                after.clone_from(&last.id);
            }
            _ => return Ok(members),
        }
    }
}

/// Has the group more than `max` members? Reads at most one row more than that.
pub async fn has_more_members_than(store: &Store, tenant: &TenantId, group: &str, max: i64) -> Result<bool, Error> {
    Ok(count_members(store, tenant, group, max + 1).await? > max)
}

/// How many member rows the group has; counts no further than `most`.
pub async fn count_members(store: &Store, tenant: &TenantId, group: &str, most: i64) -> Result<i64, Error> {
    let rows = store.read(COUNT_MEMBERS_TO, args![tenant, group, most]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// The groups that somebody is in, not by way of others; at most 1,000.
pub async fn direct_of(store: &Store, tenant: &TenantId, member: &str) -> Result<Vec<String>, Error> {
    store.read(DIRECT_OF, args![tenant, member]).await?.iter().map(|row| row.text(0)).collect()
}

/// Who joined the group in one of these moments and is in it still.
pub async fn joined_at(store: &Store, tenant: &TenantId, group: &str, at: &[i64]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let rows = store.read(ADDED, args![tenant, group, after.as_str(), MEMBERS_PER_READ]).await?;
        for row in &rows {
            after = row.text(0)?;
            if at.contains(&row.int(1)?) {
                found.push(after.clone());
            }
        }
        if i64::try_from(rows.len()) != Ok(MEMBERS_PER_READ) {
            return Ok(found);
        }
    }
}

/// Which of `ids` are in the group now.
pub async fn find_members_among(store: &Store, tenant: &TenantId, group: &str, ids: &[String]) -> Result<HashSet<String>, Error> {
    let mut found = HashSet::new();
    for chunk in ids.chunks(IDS_PER_READ) {
        let form = members_among(tenant, group, chunk);
        for row in store.read_built(form.sql, form.args).await? {
            found.insert(row.text(0)?);
        }
    }
    Ok(found)
}

fn form(name: &str, sql: String, mut args: Vec<Value>, ids: &[String]) -> Form {
    pad_list(&mut args, ids.iter().map(Value::from));
    Form { name: name.to_owned(), sql, args }
}

fn members_among(tenant: &TenantId, group: &str, ids: &[String]) -> Form {
    let list = in_list(3, ids.len()).replace(", ", "), (");
    // Asked one by one: as a list, PostgreSQL may take it for a filter and read a large group whole.
    let sql = format!(
        "SELECT wanted.column1 FROM (VALUES ({list})) AS wanted WHERE (SELECT 1 FROM members m \
         WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id = wanted.column1 LIMIT 1) IS NOT NULL"
    );
    form("members among", sql, args![tenant, group], ids)
}

fn listed(connection: &Connection, ids: &[String]) -> Form {
    let list = in_list(3, ids.len());
    let sql = format!(
        "SELECT id, 'User', label FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND listed AND id IN ({list}) \
         UNION ALL SELECT id, 'Group', name FROM groups WHERE tenant_id = $1 AND connection_id = $2 AND listed AND id IN ({list})"
    );
    form("listed", sql, args![&connection.tenant_id, &connection.id], ids)
}

fn naming(connection: &Connection, keys: &[String]) -> Form {
    let list = in_list(3, keys.len());
    let sql = format!(
        "SELECT g.external_id FROM unresolved_members u CROSS JOIN groups g WHERE u.tenant_id = $1 AND u.dn_key IN ({list}) \
         AND g.tenant_id = $1 AND g.id = u.group_id AND g.connection_id = $2 AND g.listed AND g.external_id IS NOT NULL"
    );
    form("naming", sql, args![&connection.tenant_id, &connection.id], keys)
}

fn holding(connection: &Connection, ids: &[String]) -> Form {
    let list = in_list(3, ids.len());
    let sql = format!(
        "SELECT g.external_id FROM members m CROSS JOIN groups g WHERE m.tenant_id = $1 AND m.member_id IN ({list}) \
         AND g.tenant_id = $1 AND g.id = m.group_id AND g.connection_id = $2 AND g.listed AND g.external_id IS NOT NULL"
    );
    form("holding", sql, args![&connection.tenant_id, &connection.id], ids)
}

fn among_form(connection: &Connection, external_ids: &[String]) -> Form {
    let list = in_list(3, external_ids.len());
    let sql = format!(
        "SELECT external_id, id, dn_key FROM groups WHERE tenant_id = $1 AND connection_id = $2 AND listed \
         AND external_id IN ({list})"
    );
    form("among", sql, args![&connection.tenant_id, &connection.id], external_ids)
}

/// The texts of this file that are built.
pub fn forms(connection: &Connection, group: &str, ids: &[String]) -> Vec<Form> {
    let tenant = &connection.tenant_id;
    let mut forms =
        vec![members_among(tenant, group, ids), listed(connection, ids), naming(connection, ids), holding(connection, ids)];
    forms.push(among_form(connection, ids));
    forms
}

async fn external_ids(
    store: &Store,
    connection: &Connection,
    asked: &[String],
    form: fn(&Connection, &[String]) -> Form,
) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    for chunk in asked.chunks(IDS_PER_READ) {
        let form = form(connection, chunk);
        for row in store.read_built(form.sql, form.args).await? {
            found.insert(row.text(0)?);
        }
    }
    Ok(found)
}

/// Those of these that are listed, by external id.
pub async fn among(store: &Store, connection: &Connection, external_ids: &[String]) -> Result<HashMap<String, Placed>, Error> {
    let mut found = HashMap::new();
    for chunk in external_ids.chunks(IDS_PER_READ) {
        let form = among_form(connection, chunk);
        for row in store.read_built(form.sql, form.args).await? {
            let one = Placed { external_id: row.text(0)?, id: row.text(1)?, dn_key: row.opt_text(2)? };
            found.insert(one.external_id.clone(), one);
        }
    }
    Ok(found)
}

/// The groups, by external id, that name somebody by one of these keys of whom nobody knew until now.
pub async fn find_naming(store: &Store, connection: &Connection, dn_keys: &[String]) -> Result<BTreeSet<String>, Error> {
    external_ids(store, connection, dn_keys, naming).await
}

/// The groups, by external id, in which one of these is.
pub async fn find_holding(store: &Store, connection: &Connection, ids: &[String]) -> Result<BTreeSet<String>, Error> {
    external_ids(store, connection, ids, holding).await
}

/// What each of `ids` is on this connection; an id that is nothing here is missing from the answer.
pub async fn find_listed(store: &Store, connection: &Connection, ids: &[String]) -> Result<HashMap<String, Listed>, Error> {
    let mut found = HashMap::new();
    for chunk in ids.chunks(IDS_PER_READ) {
        let form = listed(connection, chunk);
        for row in store.read_built(form.sql, form.args).await? {
            let one = Listed { id: row.text(0)?, kind: kind(&row.text(1)?)?, label: row.opt_text(2)? };
            found.insert(one.id.clone(), one);
        }
    }
    Ok(found)
}

/// Would `group` hold itself if `member` joined it?
pub async fn closes_cycle(store: &Store, tenant: &TenantId, group: &str, member: &str) -> Result<bool, Error> {
    if group == member {
        return Ok(true);
    }
    Ok(!store.read(FIND_CYCLE, args![tenant, group, member]).await?.is_empty())
}

/// The groups each of `ids` is in, nested ones included; direct ones marked.
pub async fn find_memberships(
    store: &Store,
    tenant: &TenantId,
    ids: &[String],
) -> Result<HashMap<String, Vec<Membership>>, Error> {
    let mut found: HashMap<String, Vec<Membership>> = HashMap::new();
    for chunk in ids.chunks(EACH_MAX) {
        let asked = chunk.iter().map(|id| args![tenant, id]).collect();
        for (id, rows) in chunk.iter().zip(store.look_up_each(MEMBERSHIPS, asked).await?) {
            for row in rows {
                // A group that is gone has no name.
                let Some(name) = row.opt_text(1)? else { continue };
                let membership = Membership { group_id: row.text(0)?, name, direct: row.int(2)? == 1 };
                found.entry(id.clone()).or_default().push(membership);
            }
        }
    }
    Ok(found)
}

/// How many users or groups a connection lists: the sum over the slots.
pub async fn total(store: &Store, connection: &Connection, kind: &str) -> Result<i64, Error> {
    let rows = store.read(SUM, args![&connection.tenant_id, &connection.id, kind]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Moves a connection's count in one slot; nothing when it stays.
pub fn count(batch: &mut Batch, tenant: &TenantId, connection: &ConnectionId, kind: &str, slot: i64, by: i64) {
    if by != 0 {
        batch.add(COUNT, args![tenant, connection, kind, slot, by], Keys::Drawn(4));
    }
}

/// How often groups of this connection took groups in: read before [`closes_cycle`], compared by [`nest`].
pub async fn find_nestings(store: &Store, connection: &Connection) -> Result<i64, Error> {
    let rows = store.read(FIND_NESTINGS, args![&connection.tenant_id, &connection.id]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// A group takes groups in: stale if another did since `seen` was read, for two at once could close a cycle that neither
/// of them sees.
pub fn nest(batch: &mut Batch, group: &Group, seen: i64) {
    batch.one(NEST, args![&group.tenant_id, &group.connection_id, seen]);
}

/// The names of a profile's groups (design §3, "Groups"), sorted, each once: its rows under the names their mapping
/// gives them, without those it skips, and what logins gave. A blocked profile's are the caller's to withhold.
pub async fn of_profile(store: &Store, tenant: &TenantId, profile: &ProfileId) -> Result<Vec<String>, Error> {
    names_of(store, tenant, profile, |_| true).await
}

/// Those that one organization's application may know: of connections of that organization, and of those that belong to none.
pub async fn of_profile_in(
    store: &Store,
    tenant: &TenantId,
    profile: &ProfileId,
    organization: Option<&OrganizationId>,
) -> Result<Vec<String>, Error> {
    names_of(store, tenant, profile, |owner| owner.is_none_or(|owner| organization.is_some_and(|own| own.as_str() == owner)))
        .await
}

async fn names_of(
    store: &Store,
    tenant: &TenantId,
    profile: &ProfileId,
    is_wanted: impl Fn(Option<&str>) -> bool,
) -> Result<Vec<String>, Error> {
    let mut names = BTreeSet::new();
    for row in store.read(OF_PROFILE, args![tenant, profile]).await? {
        if !is_wanted(row.opt_text(3)?.as_deref()) {
            continue;
        }
        let mapped: Json = row.opt_text(2)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if row.text(0)? == "login" {
            let given = mapped.get("groups").and_then(Json::as_array).into_iter().flatten();
            names.extend(given.filter_map(Json::as_str).map(str::to_owned));
        } else if mapped.get("skipped").is_none() {
            let name = mapped.get("name").and_then(Json::as_str).map(str::to_owned);
            names.extend(name.or(row.opt_text(1)?));
        }
    }
    Ok(names.into_iter().collect())
}

pub fn insert(batch: &mut Batch, g: &Group) {
    batch.one(
        INSERT,
        args![
            &g.tenant_id,
            &g.id,
            &g.connection_id,
            g.external_id.as_ref(),
            g.name.as_str(),
            g.name_key.as_str(),
            g.raw.as_str(),
            g.raw_hash.as_str(),
            g.mapped.as_ref().map(|mapped| mapped.text.as_str()),
            g.mapped.as_ref().map(|mapped| mapped.mapping.as_str()),
            g.mapped.as_ref().map(|mapped| mapped.version),
            g.version,
            g.created_at,
            g.updated_at,
            g.dn_key.as_ref(),
        ],
    );
}

pub fn update(batch: &mut Batch, g: &Group, expected: i64) {
    batch.one(
        UPDATE,
        args![
            &g.tenant_id,
            &g.connection_id,
            &g.id,
            g.external_id.as_ref(),
            g.name.as_str(),
            g.name_key.as_str(),
            g.raw.as_str(),
            g.raw_hash.as_str(),
            g.mapped.as_ref().map(|mapped| mapped.text.as_str()),
            g.mapped.as_ref().map(|mapped| mapped.mapping.as_str()),
            g.mapped.as_ref().map(|mapped| mapped.version),
            g.updated_at,
            g.dn_key.as_ref(),
            expected,
        ],
    );
}

/// Moves the version alone; compared only if the client named one.
pub fn touch(batch: &mut Batch, g: &Group, expected: Option<i64>) {
    match expected {
        None => batch.add(TOUCH, args![&g.tenant_id, &g.connection_id, &g.id, g.updated_at, 1], Keys::First(3)),
        Some(version) => batch.one(TOUCH_IF, args![&g.tenant_id, &g.connection_id, &g.id, g.updated_at, version]),
    }
}

/// Ends the group: its member rows and its own memberships go, the groups it was in move their version.
pub fn end(batch: &mut Batch, g: &Group, expected: Option<i64>) {
    leave_all(batch, &g.tenant_id, g.id.as_str(), g.updated_at);
    match expected {
        None => batch.one(END, args![&g.tenant_id, &g.connection_id, &g.id, g.updated_at]),
        Some(version) => batch.one(END_IF, args![&g.tenant_id, &g.connection_id, &g.id, g.updated_at, version]),
    }
    batch.any(DELETE_ALL_MEMBERS, args![&g.tenant_id, &g.id]);
}

/// A user or group leaves every group it is in.
pub fn leave_all(batch: &mut Batch, tenant: &TenantId, member: &str, now: i64) {
    batch.any(TOUCH_GROUPS_OF, args![tenant, member, now]);
    batch.any(DELETE_MEMBERSHIPS_OF, args![tenant, member]);
}

fn each_must(batch: &mut Batch, sql: &'static str, rows: Vec<Vec<Value>>) {
    if !rows.is_empty() {
        let must = Some(rows.len() as u64);
        batch.0.push(Write::Each { sql, rows, must });
    }
}

/// A row that is there already refuses the batch: the caller reads again.
pub fn insert_members(batch: &mut Batch, g: &Group, members: &[Member]) {
    let rows = members.iter().map(|m| args![&g.tenant_id, &g.id, m.id.as_str(), m.kind.as_str(), g.updated_at]).collect();
    each_must(batch, INSERT_MEMBERS, rows);
}

/// A row that is gone already makes the batch stale: the caller reads again.
pub fn delete_members(batch: &mut Batch, g: &Group, members: &[String]) {
    let rows = members.iter().map(|id| args![&g.tenant_id, &g.id, id.as_str()]).collect();
    each_must(batch, DELETE_MEMBERS, rows);
}
