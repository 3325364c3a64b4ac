//! Pages of what a SCIM client sees: users and groups of one connection, by a neutral query, in an order that an index
//! serves. Without another it is the order of creation (ids are UUIDv7), so pages neither repeat nor skip what did not
//! change. Texts are built from fixed parts and the compiled condition; every value is bound.
//!
//! An order is read in two stretches: rows with a value in the order of the index, and rows without one in the order of
//! ids. So where NULL stands is written here and not left to the database.

use super::dialect::{in_list, pad_list};
use super::query_sql::{Compiled, Target};
use super::statements::Form;
use super::{Error, Row, Store, Value};
use crate::args;
use crate::model::connection::Connection;
use crate::model::query::Index;
use crate::model::query::order::Order;
use std::collections::HashMap;

/// Ids in one statement.
const IDS_PER_READ: usize = 256;

/// An order that an index serves. Keys are unique among the rows of a connection; rows without a key are ordered by id,
/// after the others. Descending is the exact reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    column: Column,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// No row has a key.
    Id,
    UserName,
    ExternalId,
    GroupName,
}

impl Sequence {
    /// Oldest first.
    pub const BY_CREATION: Self = Self { column: Column::Id, descending: false };

    /// The sequence that is this order, if an index has it.
    pub fn of(order: &Order, target: Target) -> Option<Self> {
        let column = match &order.field {
            // Nobody has a value: only ids are left to order by.
            None => Column::Id,
            Some(field) => match (&field.index, target) {
                // An id is made of the instant of creation and refines it.
                (Index::Id | Index::CreatedAt, _) => Column::Id,
                (Index::ExternalId, _) if field.case_exact => Column::ExternalId,
                (Index::UserName, Target::Users) if !field.case_exact => Column::UserName,
                (Index::GroupName, Target::Groups) if !field.case_exact => Column::GroupName,
                _ => return None,
            },
        };
        Some(Self { column, descending: order.descending })
    }

    /// Whether it is more than the order of ids.
    pub fn has_keys(self) -> bool {
        self.column != Column::Id
    }

    pub fn is_descending(self) -> bool {
        self.descending
    }

    fn name(self, target: Target) -> Option<&'static str> {
        match (self.column, target) {
            (Column::Id, _) => None,
            (Column::UserName, _) => Some("identities.user_name_key"),
            (Column::ExternalId, Target::Users) => Some("identities.external_id"),
            (Column::ExternalId, Target::Groups) => Some("groups.external_id"),
            (Column::GroupName, _) => Some("groups.name_key"),
        }
    }

    fn stretches(self) -> &'static [Stretch] {
        match (self.column, self.descending) {
            (Column::Id, _) => &[Stretch::Keyless],
            (Column::GroupName, _) => &[Stretch::Keyed],
            (_, false) => &[Stretch::Keyed, Stretch::Keyless],
            (_, true) => &[Stretch::Keyless, Stretch::Keyed],
        }
    }
}

/// Part of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretch {
    Keyed,
    Keyless,
}

impl Stretch {
    fn is_before(self, other: Self, descending: bool) -> bool {
        self != other && (self == Self::Keyed) != descending
    }
}

/// A place in a sequence: after the row with this key and id, whether or not there still is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub key: Option<String>,
    pub id: String,
}

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
    /// What it has in the column of the sequence it was read by.
    pub key: Option<String>,
}

/// Arguments that stand before the condition's own: tenant, connection, limit, and two that say where to begin.
pub const FIRST_ARGUMENT: usize = 6;

fn table(target: Target) -> &'static str {
    match target {
        Target::Users => "identities",
        Target::Groups => "groups",
    }
}

fn in_groups(target: Target) -> &'static str {
    match target {
        Target::Users => {
            // No EXISTS: PostgreSQL would make one table of all members for it, however few rows the page has.
            "coalesce((SELECT CAST(1 AS BIGINT) FROM members m WHERE m.tenant_id = identities.tenant_id \
             AND m.member_id = identities.id LIMIT 1), 0)"
        }
        Target::Groups => "CAST(0 AS BIGINT)",
    }
}

fn select(target: Target, key: Option<&str>) -> String {
    let table = table(target);
    format!(
        "SELECT {table}.id, {table}.raw, {table}.version, {table}.created_at, {table}.updated_at, {}, {} FROM {table}",
        in_groups(target),
        key.unwrap_or("CAST(NULL AS TEXT)")
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
        key: row.opt_text(6)?,
    })
}

/// What a text says of one stretch: the condition to stand after `AND`, and what to order by.
fn stretch_sql(sequence: Sequence, target: Target, stretch: Stretch) -> (String, String) {
    let id = format!("{}.id", table(target));
    let way = if sequence.descending { " DESC" } else { "" };
    match (stretch, sequence.name(target)) {
        (Stretch::Keyed, Some(key)) => (format!(" AND {key} IS NOT NULL"), format!("{key}{way}")),
        // The key is the same in all of them: it is named for PostgreSQL to see that the index has this order.
        (Stretch::Keyless, Some(key)) => (format!(" AND {key} IS NULL"), format!("{key}{way}, {id}{way}")),
        (_, None) => (String::new(), format!("{id}{way}")),
    }
}

fn arguments(connection: &Connection, limit: i64, begin: [Value; 2], compiled: Option<&Compiled>) -> Vec<Value> {
    let mut args = args![&connection.tenant_id, &connection.id, limit];
    args.extend(begin);
    args.extend(compiled.into_iter().flat_map(|compiled| compiled.args.iter().cloned()));
    args
}

/// One page by offset. Without a condition the index alone is walked to the offset, from the nearer end, and the page's
/// rows are read from there.
pub async fn page(
    store: &Store,
    connection: &Connection,
    target: Target,
    compiled: Option<&Compiled>,
    sequence: Sequence,
    mut offset: i64,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let stretches = sequence.stretches();
    for (at, stretch) in stretches.iter().enumerate() {
        let left = limit - i64::try_from(items.len()).unwrap_or(i64::MAX);
        if left <= 0 {
            break;
        }
        let sql = page_text(target, compiled, sequence, *stretch, offset);
        // $5 stands for nothing here, so that the condition's numbers are the same in every text.
        let args = arguments(connection, left, [offset.into(), 0_i64.into()], compiled);
        let found = rows_of(store, compiled, sql, args).await?;
        if !found.is_empty() {
            offset = 0;
        } else if offset > 0 && at + 1 < stretches.len() {
            offset = (offset - length(store, connection, target, compiled, sequence, *stretch).await?).max(0);
        }
        for row in &found {
            items.push(item(row)?);
        }
    }
    Ok(items)
}

async fn rows_of(store: &Store, compiled: Option<&Compiled>, sql: String, args: Vec<Value>) -> Result<Vec<Row>, Error> {
    if compiled.is_some_and(|compiled| compiled.by_key) {
        store.look_up_built(sql, args).await
    } else {
        store.read_built(sql, args).await
    }
}

fn page_text(target: Target, compiled: Option<&Compiled>, sequence: Sequence, stretch: Stretch, offset: i64) -> String {
    let scope = scope(target, compiled);
    let select = select(target, sequence.name(target));
    let (part, by) = stretch_sql(sequence, target, stretch);
    if compiled.is_none() && offset > 0 {
        // Where the page begins is read from the index, and the page from there.
        let (key, sign) = (begin_of(sequence, target, stretch), if sequence.descending { '<' } else { '>' });
        let begin = begin_by_offset(target, sequence, stretch);
        format!("{select} {scope}{part} AND {key} {sign}= {begin} ORDER BY {by} LIMIT $3")
    } else {
        format!("{select} {scope}{part} AND $5 = 0 ORDER BY {by} LIMIT $3 OFFSET $4")
    }
}

/// The key of the row at offset `$4`. Where all rows of a connection are one stretch its counter tells how many they are,
/// and the index is walked from the nearer end; one statement reads both, so they are of one instant.
fn begin_by_offset(target: Target, sequence: Sequence, stretch: Stretch) -> String {
    let (table, scope) = (table(target), scope(target, None));
    let key = begin_of(sequence, target, stretch);
    let (part, by) = stretch_sql(sequence, target, stretch);
    let at = |by: &str, offset: &str| {
        format!("(SELECT {key} FROM {table} {scope}{part} AND $5 = 0 ORDER BY {by} LIMIT 1 OFFSET {offset})")
    };
    let forwards = at(&by, "$4");
    if sequence.stretches().len() > 1 {
        return forwards;
    }
    let kind = match target {
        Target::Users => "user",
        Target::Groups => "group",
    };
    let total = format!(
        "(SELECT CAST(coalesce(sum(counters.total), 0) AS BIGINT) FROM counters WHERE counters.tenant_id = $1 \
         AND counters.scope = $2 AND counters.kind = '{kind}')"
    );
    let (_, reverse) = stretch_sql(Sequence { descending: !sequence.descending, ..sequence }, target, stretch);
    let backwards = at(&reverse, &format!("{total} - 1 - $4"));
    format!("(CASE WHEN $4 >= {total} THEN NULL WHEN $4 < {total} - $4 THEN {forwards} ELSE {backwards} END)")
}

/// What no two rows of a stretch have in common, in its order.
fn begin_of(sequence: Sequence, target: Target, stretch: Stretch) -> String {
    let key = sequence.name(target).filter(|_| stretch == Stretch::Keyed);
    key.map_or_else(|| format!("{}.id", table(target)), str::to_owned)
}

/// How many rows one stretch has.
async fn length(
    store: &Store,
    connection: &Connection,
    target: Target,
    compiled: Option<&Compiled>,
    sequence: Sequence,
    stretch: Stretch,
) -> Result<i64, Error> {
    let (part, _) = stretch_sql(sequence, target, stretch);
    count_of(store, connection, target, compiled, &part).await
}

/// The next rows after a position (`None`: the first), wherever it is at the same cost.
pub async fn after(
    store: &Store,
    connection: &Connection,
    target: Target,
    compiled: Option<&Compiled>,
    sequence: Sequence,
    position: Option<&Position>,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let begins = position.map(|position| if position.key.is_some() { Stretch::Keyed } else { Stretch::Keyless });
    let mut items = Vec::new();
    for stretch in sequence.stretches() {
        let left = limit - i64::try_from(items.len()).unwrap_or(i64::MAX);
        if left <= 0 {
            break;
        }
        if begins.is_some_and(|begins| stretch.is_before(begins, sequence.descending)) {
            continue;
        }
        let inside = position.filter(|_| begins == Some(*stretch));
        let sql = after_text(target, compiled, sequence, *stretch, inside.is_some());
        let (key, id) = inside.map_or(("", ""), |at| (at.key.as_deref().unwrap_or_default(), at.id.as_str()));
        let rows = rows_of(store, compiled, sql, arguments(connection, left, [key.into(), id.into()], compiled)).await?;
        for row in &rows {
            items.push(item(row)?);
        }
    }
    Ok(items)
}

fn after_text(target: Target, compiled: Option<&Compiled>, sequence: Sequence, stretch: Stretch, inside: bool) -> String {
    let scope = scope(target, compiled);
    let select = select(target, sequence.name(target));
    let (part, by) = stretch_sql(sequence, target, stretch);
    let begin = begin_after(target, sequence, stretch, inside);
    format!("{select} {scope}{part} AND {begin} ORDER BY {by} LIMIT $3")
}

/// $4 and $5 stand in every text, so that the condition's numbers are the same in all of them.
fn begin_after(target: Target, sequence: Sequence, stretch: Stretch, inside: bool) -> String {
    let (table, sign) = (table(target), if sequence.descending { '<' } else { '>' });
    match (inside, stretch, sequence.name(target)) {
        (false, ..) => String::from("$4 = '' AND $5 = ''"),
        (true, Stretch::Keyed, Some(key)) => format!("{key} {sign}= $4 AND ({key} {sign} $4 OR {table}.id {sign} $5)"),
        (true, ..) => format!("$4 = '' AND {table}.id {sign} $5"),
    }
}

/// A row that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub position: Position,
    /// Whether the condition holds for it.
    pub matches: bool,
}

/// Looks at the next `limit` rows after a position, whether or not the condition holds for them: what it costs is
/// bounded by that, wherever the matches are.
pub async fn look(
    store: &Store,
    connection: &Connection,
    target: Target,
    compiled: &Compiled,
    sequence: Sequence,
    position: Option<&Position>,
    limit: i64,
) -> Result<Vec<Looked>, Error> {
    let begins = position.map(|position| if position.key.is_some() { Stretch::Keyed } else { Stretch::Keyless });
    let mut looked = Vec::new();
    for stretch in sequence.stretches() {
        let left = limit - i64::try_from(looked.len()).unwrap_or(i64::MAX);
        if left <= 0 {
            break;
        }
        if begins.is_some_and(|begins| stretch.is_before(begins, sequence.descending)) {
            continue;
        }
        let inside = position.filter(|_| begins == Some(*stretch));
        let sql = look_text(target, compiled, sequence, *stretch, inside.is_some());
        let (key, id) = inside.map_or(("", ""), |at| (at.key.as_deref().unwrap_or_default(), at.id.as_str()));
        for row in &store.read_built(sql, arguments(connection, left, [key.into(), id.into()], Some(compiled))).await? {
            let position = Position { key: row.opt_text(1)?, id: row.text(0)? };
            looked.push(Looked { position, matches: row.int(2)? != 0 });
        }
    }
    Ok(looked)
}

fn look_text(target: Target, compiled: &Compiled, sequence: Sequence, stretch: Stretch, inside: bool) -> String {
    let (table, scope) = (table(target), scope(target, None));
    let (part, by) = stretch_sql(sequence, target, stretch);
    let begin = begin_after(target, sequence, stretch, inside);
    let key = sequence.name(target).unwrap_or("CAST(NULL AS TEXT)");
    let condition = compiled.condition.as_deref().unwrap_or("TRUE");
    // What conditions ask of, and no document: the rows stand under the name of their table.
    let columns = match target {
        Target::Users => "tenant_id, connection_id, id, user_name_key, external_id, active, created_at, updated_at",
        Target::Groups => "tenant_id, connection_id, id, name_key, external_id, created_at, updated_at",
    };
    format!(
        "SELECT {table}.id, {key}, CAST(CASE WHEN {condition} THEN 1 ELSE 0 END AS BIGINT) FROM (SELECT {columns} FROM {table} \
         {scope}{part} AND {begin} ORDER BY {by} LIMIT $3) AS {table} ORDER BY {by}"
    )
}

/// Whether a condition would have to collect more from its index than it may.
pub async fn exceeds(store: &Store, connection: &Connection, target: Target, compiled: &Compiled) -> Result<bool, Error> {
    let Some(range) = &compiled.range else { return Ok(false) };
    let sql = exceeds_text(target, compiled, &range.ids);
    let rows = store.read_built(sql, count_arguments(connection, Some(compiled))).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int(0))? > range.most)
}

fn exceeds_text(target: Target, compiled: &Compiled, ids: &str) -> String {
    let (table, scope) = (table(target), scope(target, Some(compiled)));
    // The second half is nothing: it names every argument, so that PostgreSQL knows their types.
    format!(
        "SELECT max(counted.n) FROM (SELECT count(*) AS n FROM ({ids}) AS entries \
         UNION ALL SELECT count(*) AS n FROM {table} {scope} AND FALSE AND $3 = $4 AND $4 = $5) AS counted"
    )
}

/// These rows, as they are now; those that are gone are missing.
pub async fn by_ids(
    store: &Store,
    connection: &Connection,
    target: Target,
    ids: &[String],
) -> Result<HashMap<String, Item>, Error> {
    let mut found = HashMap::new();
    for chunk in ids.chunks(IDS_PER_READ) {
        let mut args = args![&connection.tenant_id, &connection.id];
        pad_list(&mut args, chunk.iter().map(Value::from));
        for row in &store.read_built(by_ids_text(target, chunk.len()), args).await? {
            let item = item(row)?;
            found.insert(item.id.clone(), item);
        }
    }
    Ok(found)
}

fn by_ids_text(target: Target, count: usize) -> String {
    let (table, select, scope) = (table(target), select(target, None), scope(target, None));
    format!("{select} {scope} AND {table}.id IN ({})", in_list(3, count))
}

/// How many rows satisfy an exact condition.
pub async fn count(store: &Store, connection: &Connection, target: Target, compiled: &Compiled) -> Result<i64, Error> {
    count_of(store, connection, target, Some(compiled), "").await
}

async fn count_of(
    store: &Store,
    connection: &Connection,
    target: Target,
    compiled: Option<&Compiled>,
    part: &str,
) -> Result<i64, Error> {
    let rows = store.read_built(count_text(target, compiled, part), count_arguments(connection, compiled)).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

fn count_text(target: Target, compiled: Option<&Compiled>, part: &str) -> String {
    // $3 to $5 stand in every text so that the condition's numbers fit; here they are always true.
    format!("SELECT count(*) FROM {} {}{part} AND $3 = $4 AND $4 = $5", table(target), scope(target, compiled))
}

fn count_arguments(connection: &Connection, compiled: Option<&Compiled>) -> Vec<Value> {
    arguments(connection, 1, [1_i64.into(), 1_i64.into()], compiled)
}

/// Every text of a page of `limit` rows, by offset and after a position, in every sequence that `target` has.
pub fn page_forms(
    connection: &Connection,
    target: Target,
    compiled: Option<&Compiled>,
    (offset, position): (i64, &Position),
    limit: i64,
) -> Vec<Form> {
    let mut forms = Vec::new();
    for sequence in sequences(target) {
        for stretch in sequence.stretches() {
            let name = |what: &str| format!("{what} of {target:?}, {sequence:?}, {stretch:?}");
            for at in [0, offset] {
                let sql = page_text(target, compiled, sequence, *stretch, at);
                let args = arguments(connection, limit, [at.into(), 0_i64.into()], compiled);
                forms.push(Form { name: name(if at == 0 { "first page" } else { "page by offset" }), sql, args });
            }
            let key = position.key.as_deref().filter(|_| *stretch == Stretch::Keyed && sequence.has_keys());
            for (what, inside, key, id) in
                [("first page by cursor", false, "", ""), ("page by cursor", true, key.unwrap_or_default(), position.id.as_str())]
            {
                let sql = after_text(target, compiled, sequence, *stretch, inside);
                let args = arguments(connection, limit, [key.into(), id.into()], compiled);
                forms.push(Form { name: name(what), sql, args });
            }
        }
    }
    forms
}

/// The texts that look rows up, by id and by a condition, and the one that counts them.
pub fn look_up_forms(connection: &Connection, target: Target, compiled: &Compiled, ids: &[String]) -> Vec<Form> {
    let mut args = args![&connection.tenant_id, &connection.id];
    pad_list(&mut args, ids.iter().map(Value::from));
    let by_ids = Form { name: format!("{target:?} by id"), sql: by_ids_text(target, ids.len()), args };
    let (sql, args) = (count_text(target, Some(compiled), ""), count_arguments(connection, Some(compiled)));
    let count = Form { name: format!("count of {target:?}"), sql, args };
    let sql = page_text(target, Some(compiled), Sequence::BY_CREATION, Stretch::Keyless, 0);
    let args = arguments(connection, 100, [0_i64.into(), 0_i64.into()], Some(compiled));
    let mut forms = vec![by_ids, count, Form { name: format!("{target:?} by condition"), sql, args }];
    forms.extend(compiled.range.as_ref().map(|range| Form {
        name: format!("entries of {target:?}"),
        sql: exceeds_text(target, compiled, &range.ids),
        args: count_arguments(connection, Some(compiled)),
    }));
    forms
}

/// Every text that looks at `limit` rows, from the first on and after a position, in every sequence that `target` has.
pub fn look_forms(connection: &Connection, target: Target, compiled: &Compiled, position: &Position, limit: i64) -> Vec<Form> {
    let mut forms = Vec::new();
    for sequence in sequences(target) {
        for stretch in sequence.stretches() {
            let key = position.key.as_deref().filter(|_| *stretch == Stretch::Keyed && sequence.has_keys());
            for (inside, key, id) in [(false, "", ""), (true, key.unwrap_or_default(), position.id.as_str())] {
                let name = format!("look at {target:?}, {sequence:?}, {stretch:?}, {inside}");
                let sql = look_text(target, compiled, sequence, *stretch, inside);
                let args = arguments(connection, limit, [key.into(), id.into()], Some(compiled));
                forms.push(Form { name, sql, args });
            }
        }
    }
    forms
}

fn sequences(target: Target) -> impl Iterator<Item = Sequence> {
    let columns = match target {
        Target::Users => [Column::Id, Column::UserName, Column::ExternalId],
        Target::Groups => [Column::Id, Column::GroupName, Column::ExternalId],
    };
    columns.into_iter().flat_map(|column| [false, true].map(|descending| Sequence { column, descending }))
}
