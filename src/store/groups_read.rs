//! Groups as administrators look at them: of all connections of a tenant, with who is in them by their user ids.

use super::query_sql::after_prefix;
use super::statements::statements;
use super::{Error, Row, Store};
use crate::args;
use crate::model::fold::fold;
use crate::model::ids::{ProfileId, TenantId};
use serde_json::Value as Json;

macro_rules! columns {
    () => {
        "g.id, g.connection_id, c.name, g.external_id, g.name, g.mapped, g.created_at, g.updated_at"
    };
}

statements! {
    FIND_GROUP = concat!("SELECT ", columns!(), " FROM groups g JOIN connections c ON c.tenant_id = g.tenant_id \
        AND c.id = g.connection_id WHERE g.tenant_id = $1 AND g.id = $2 AND g.listed");
    LIST_GROUPS = concat!("SELECT ", columns!(), " FROM groups g CROSS JOIN connections c WHERE g.tenant_id = $1 AND g.id > $2 \
        AND g.listed AND c.tenant_id = g.tenant_id AND c.id = g.connection_id ORDER BY g.id LIMIT $3");
    LIST_GROUPS_OF_CONNECTION = concat!("SELECT ", columns!(), " FROM groups g CROSS JOIN connections c WHERE g.tenant_id = $1 \
        AND g.connection_id = $4 AND g.id > $2 AND g.listed AND c.tenant_id = $1 AND c.id = $4 ORDER BY g.id LIMIT $3");
    /// By way of the connections, so that the index on names is used; likewise below.
    LIST_GROUPS_BY_NAME = concat!("SELECT ", columns!(), " FROM connections c CROSS JOIN groups g WHERE c.tenant_id = $1 \
        AND g.tenant_id = c.tenant_id AND g.connection_id = c.id AND g.name_key >= $4 AND g.name_key < $5 AND g.listed \
        AND g.id > $2 ORDER BY g.id LIMIT $3");
    LIST_GROUPS_BY_EXTERNAL_ID = concat!("SELECT ", columns!(), " FROM connections c CROSS JOIN groups g WHERE c.tenant_id = $1 \
        AND g.tenant_id = c.tenant_id AND g.connection_id = c.id AND g.external_id = $4 AND g.listed AND g.id > $2 \
        ORDER BY g.id LIMIT $3");
    /// Who has no profile is left out: nobody knows them by a user id.
    LIST_MEMBERS = "SELECT m.member_id, m.kind, m.added_at, u.user_id, n.name FROM members m \
        LEFT JOIN identities i ON i.tenant_id = m.tenant_id AND i.id = m.member_id AND i.listed \
        LEFT JOIN users u ON u.tenant_id = m.tenant_id AND u.id = i.profile_id \
        LEFT JOIN groups n ON n.tenant_id = m.tenant_id AND n.id = m.member_id AND n.listed \
        WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id > $3 AND (u.id IS NOT NULL OR n.id IS NOT NULL) \
        ORDER BY m.member_id LIMIT $4";
    /// The groups of every identity of a profile, nested ones included (to depth 20).
    GROUPS_OF_USER = concat!("WITH RECURSIVE up(id, depth) AS (\
        SELECT m.group_id, CAST(1 AS BIGINT) FROM identities i \
        CROSS JOIN members m WHERE i.tenant_id = $1 AND i.profile_id = $2 AND m.tenant_id = i.tenant_id AND m.member_id = i.id \
        UNION SELECT m.group_id, up.depth + 1 FROM up CROSS JOIN members m \
        WHERE m.tenant_id = $1 AND m.member_id = up.id AND up.depth < 20) \
        SELECT ", columns!(), " FROM (SELECT DISTINCT up.id FROM up WHERE up.id > $3) AS nearest CROSS JOIN groups g \
        CROSS JOIN connections c WHERE g.tenant_id = $1 AND g.id = nearest.id AND g.listed AND c.tenant_id = $1 \
        AND c.id = g.connection_id ORDER BY g.id LIMIT $4");
}

/// A group with the connection it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRecord {
    pub id: String,
    pub connection_id: String,
    pub connection: String,
    pub external_id: Option<String>,
    /// As its source calls it.
    pub name: String,
    /// What the group mapping gave.
    pub mapped: Json,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Somebody in a group.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberRecord {
    /// The identity, or the group.
    pub member_id: String,
    pub added_at: i64,
    pub who: Who,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    User { user_id: String },
    Group { name: String },
}

/// Which groups are asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Which {
    All,
    OfConnection(String),
    /// By the whole name in any case.
    Named(String),
    /// By how the name begins, in any case.
    Beginning(String),
    ExternalId(String),
}

fn group(row: &Row) -> Result<GroupRecord, Error> {
    Ok(GroupRecord {
        id: row.text(0)?,
        connection_id: row.text(1)?,
        connection: row.text(2)?,
        external_id: row.opt_text(3)?,
        name: row.text(4)?,
        mapped: row.opt_text(5)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        created_at: row.int(6)?,
        updated_at: row.int(7)?,
    })
}

pub async fn find(store: &Store, tenant: &TenantId, id: &str) -> Result<Option<GroupRecord>, Error> {
    store.read(FIND_GROUP, args![tenant, id]).await?.first().map(group).transpose()
}

/// Up to `limit` groups whose ids come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, which: &Which, after: &str, limit: i64) -> Result<Vec<GroupRecord>, Error> {
    let rows = match which {
        Which::All => store.read(LIST_GROUPS, args![tenant, after, limit]).await?,
        Which::OfConnection(id) => store.read(LIST_GROUPS_OF_CONNECTION, args![tenant, after, limit, id]).await?,
        Which::Named(name) => {
            let key = fold(name);
            // Nothing stands between a text and the same with U+0001 behind it.
            let end = format!("{key}\u{1}");
            store.read(LIST_GROUPS_BY_NAME, args![tenant, after, limit, key, end]).await?
        }
        Which::Beginning(text) => {
            let key = fold(text);
            let end = after_prefix(&key).unwrap_or_else(|| String::from("\u{10ffff}"));
            store.read(LIST_GROUPS_BY_NAME, args![tenant, after, limit, key, end]).await?
        }
        Which::ExternalId(id) => store.read(LIST_GROUPS_BY_EXTERNAL_ID, args![tenant, after, limit, id]).await?,
    };
    rows.iter().map(group).collect()
}

/// Up to `limit` members of a group whose ids come after `after` (at first "").
pub async fn members(store: &Store, tenant: &TenantId, group: &str, after: &str, limit: i64) -> Result<Vec<MemberRecord>, Error> {
    let member = |row: &Row| {
        let who = match row.opt_text(3)? {
            Some(user_id) => Who::User { user_id },
            None => Who::Group { name: row.text(4)? },
        };
        Ok(MemberRecord { member_id: row.text(0)?, added_at: row.int(2)?, who })
    };
    store.read(LIST_MEMBERS, args![tenant, group, after, limit]).await?.iter().map(member).collect()
}

/// Up to `limit` groups that a profile is in, also by way of others, whose ids come after `after` (at first ""). A blocked profile's are
/// the caller's to withhold.
pub async fn of_user(
    store: &Store,
    tenant: &TenantId,
    profile: &ProfileId,
    after: &str,
    limit: i64,
) -> Result<Vec<GroupRecord>, Error> {
    store.read(GROUPS_OF_USER, args![tenant, profile, after, limit]).await?.iter().map(group).collect()
}
