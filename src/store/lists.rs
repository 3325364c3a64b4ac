//! Pages of what a SCIM client sees: users and groups of one connection, by a neutral query. Order is creation order
//! (ids are UUIDv7), so pages neither repeat nor skip what did not change. Texts are built from fixed parts and the
//! compiled condition; every value is bound.

use super::query_sql::{Compiled, Target};
use super::{Error, Row, Store, Value};
use crate::args;
use crate::model::connection::Connection;

/// One listed user or group, as stored.
#[derive(Clone, Debug)]
pub struct Item {
    pub id: String,
    /// JSON text of the resource without what the server owns.
    pub raw: String,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
    /// Users: is it a direct member of some group? Groups: always false.
    pub in_groups: bool,
}

/// Arguments that stand before the condition's own: tenant, connection, limit, offset or last id.
pub const FIRST_ARGUMENT: usize = 5;

fn table(target: Target) -> &'static str {
    match target {
        Target::Users => "identities",
        Target::Groups => "groups",
    }
}

fn in_groups(target: Target) -> &'static str {
    match target {
        Target::Users => {
            "CAST(CASE WHEN EXISTS (SELECT 1 FROM members m WHERE m.tenant_id = identities.tenant_id AND m.member_id = identities.id) \
             THEN 1 ELSE 0 END AS BIGINT)"
        }
        Target::Groups => "CAST(0 AS BIGINT)",
    }
}

fn select(target: Target) -> String {
    let table = table(target);
    format!(
        "SELECT {table}.id, {table}.raw, {table}.version, {table}.created_at, {table}.updated_at, {} FROM {table}",
        in_groups(target)
    )
}

fn scope(target: Target, compiled: Option<&Compiled>) -> String {
    let table = table(target);
    let condition = compiled.and_then(|compiled| compiled.condition.as_deref());
    let base = format!("WHERE {table}.tenant_id = $1 AND {table}.connection_id = $2 AND {table}.listed");
    condition.map_or_else(|| base.clone(), |condition| format!("{base} AND ({condition})"))
}

fn item(row: &Row) -> Result<Item, Error> {
    Ok(Item {
        id: row.text(0)?,
        raw: row.text(1)?,
        version: row.int(2)?,
        created_at: row.int(3)?,
        updated_at: row.int(4)?,
        in_groups: row.int(5)? != 0,
    })
}

fn arguments(connection: &Connection, third: Value, fourth: Value, compiled: Option<&Compiled>) -> Vec<Value> {
    let mut args = args![&connection.tenant_id, &connection.id];
    args.push(third);
    args.push(fourth);
    args.extend(compiled.into_iter().flat_map(|compiled| compiled.args.iter().cloned()));
    args
}

/// One page by offset. Without a condition the index alone is walked to the offset, then the page's rows are read.
pub async fn page(
    store: &Store,
    connection: &Connection,
    target: Target,
    compiled: Option<&Compiled>,
    offset: i64,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let (table, select, scope) = (table(target), select(target), scope(target, compiled));
    let sql = if compiled.is_none() && offset > 0 {
        format!(
            "{select} WHERE {table}.tenant_id = $1 AND {table}.id IN \
             (SELECT {table}.id FROM {table} {scope} ORDER BY {table}.id LIMIT $3 OFFSET $4) ORDER BY {table}.id"
        )
    } else {
        format!("{select} {scope} ORDER BY {table}.id LIMIT $3 OFFSET $4")
    };
    let rows = store.read_built(sql, arguments(connection, limit.into(), offset.into(), compiled)).await?;
    rows.iter().map(item).collect()
}

/// The next rows after an id, for a walk that decides over documents.
pub async fn after(
    store: &Store,
    connection: &Connection,
    target: Target,
    compiled: Option<&Compiled>,
    last_id: &str,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let (table, select, scope) = (table(target), select(target), scope(target, compiled));
    let sql = format!("{select} {scope} AND {table}.id > $4 ORDER BY {table}.id LIMIT $3");
    let rows = store.read_built(sql, arguments(connection, limit.into(), last_id.into(), compiled)).await?;
    rows.iter().map(item).collect()
}

/// How many rows satisfy an exact condition.
pub async fn count(store: &Store, connection: &Connection, target: Target, compiled: &Compiled) -> Result<i64, Error> {
    // $3 and $4 stand in both texts so that the condition's numbers fit; here they are always true.
    let sql = format!("SELECT count(*) FROM {} {} AND $3 = $4", table(target), scope(target, Some(compiled)));
    let rows = store.read_built(sql, arguments(connection, 1_i64.into(), 1_i64.into(), Some(compiled))).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}
