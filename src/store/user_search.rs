//! Users by a [`UserQuery`], in an order, page by page.
//!
//! Owns: which index tells who may match, and how much is looked at. Refuses: putting a value into a text, and a statement that goes
//! over more than it was allowed. Three ways lead to a page:
//! - nothing is asked: the index of the order is read from where the page begins;
//! - an index tells who may match, and they are few: they are collected, asked the rest, and sorted;
//! - else rows are looked at in order, some thousands at a time, until the page is full or the time is up. Where one value of an
//!   index is asked for and people are wanted in the order of their creation, only those with the value are looked at.
//!
//! What a search costs is what it shows where an index serves it; otherwise it is bounded by the time it is given.

mod condition;

use super::dialect::{in_list, pad_list};
use super::statements::Form;
use super::users_read::{self, UserRecord};
use super::{Error, Row, Store, Value};
use crate::args;
use crate::model::ids::TenantId;
use crate::model::user_search::UserQuery;
use condition::{Builder, Part};
use std::collections::HashMap;

/// How many an index may tell to be collected and sorted at once.
pub const COLLECTED_MAX: i64 = 20_000;
/// Rows looked at at a time.
const LOOK: i64 = 2_000;
/// The same while they are only counted.
const LOOK_TO_COUNT: i64 = 10_000;

/// What users are ordered by; ties by the order of creation, which is also the order where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    Creation,
    UserId,
    Email,
    CreatedAt,
    UpdatedAt,
    LastLogin,
    LoginsCount,
    /// One of `model::user_search::SORTED`.
    Value(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub by: OrderBy,
    pub descending: bool,
}

/// A place in an order: after whoever has this key and id, whether or not they are still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// What they have in the order; none in that of creation.
    pub key: Option<Value>,
    pub id: String,
}

#[derive(Clone, Debug)]
pub enum Begin {
    /// So many are before the page.
    Offset(i64),
    /// The page is after somebody; `None`: at the beginning.
    After(Option<Position>),
}

pub struct Wanted<'a> {
    pub query: &'a UserQuery,
    pub order: Order,
    pub begin: Begin,
    pub take: i64,
    /// Whether the number of all who match is asked for.
    pub total: bool,
    /// When the time is up.
    pub until: i64,
}

/// A page.
#[derive(Debug, Default)]
pub struct Found {
    pub users: Vec<UserRecord>,
    /// Where the next page begins, if there is anybody.
    pub next: Option<Position>,
    /// If it was asked for.
    pub total: Option<i64>,
}

/// Somebody on the way.
struct Looked {
    position: Position,
    matches: bool,
}

/// `None`: the time was up before the answer was known.
pub async fn search(store: &Store, tenant: &TenantId, wanted: &Wanted<'_>) -> Result<Option<Found>, Error> {
    let reader = Reader { store, asked: Asked::of(tenant, wanted.query) };
    let Some((mut positions, total)) = reader.positions(wanted).await? else { return Ok(None) };
    let take = usize::try_from(wanted.take).unwrap_or_default();
    let more = positions.len() > take;
    positions.truncate(take);
    let next = positions.last().filter(|_| more).cloned();
    let users = reader.users(&positions).await?;
    Ok(Some(Found { users, next, total }))
}

struct Reader<'a> {
    store: &'a Store,
    asked: Asked,
}

/// What is asked, and the texts that ask it.
struct Asked {
    /// With the arguments of the condition.
    builder: Builder,
    part: Part,
}

type Positions = Option<(Vec<Position>, Option<i64>)>;

impl Reader<'_> {
    /// Up to one more than a page.
    async fn positions(&self, wanted: &Wanted<'_>) -> Result<Positions, Error> {
        if self.asked.part.is_everybody() {
            let form = self.asked.everybody(wanted);
            let found = self.rows(&form, wanted.order).await?.into_iter().map(|row| row.position).collect();
            let total = if wanted.total { Some(self.count_of_all().await?) } else { None };
            return Ok(Some((found, total)));
        }
        // Entries of one value lie in the order of creation already.
        let in_order = wanted.order.by == OrderBy::Creation && self.asked.part.one_value.as_ref().is_some_and(|one| one.is_all);
        if in_order {
            return self.walked(wanted).await;
        }
        if self.asked.part.entries.is_some() && self.number(&self.asked.exceeds()).await? <= COLLECTED_MAX {
            let found =
                self.rows(&self.asked.collected(wanted), wanted.order).await?.into_iter().map(|row| row.position).collect();
            let total = if wanted.total { Some(self.number(&self.asked.collected_count()).await?) } else { None };
            return Ok(Some((found, total)));
        }
        self.walked(wanted).await
    }

    /// Looks at people in order until enough were found; and at all of them, if their number is asked for and no index tells.
    async fn walked(&self, wanted: &Wanted<'_>) -> Result<Positions, Error> {
        let by_value = self.asked.part.one_value.is_some() && wanted.order.by == OrderBy::Creation;
        let known = match &self.asked.part.one_value {
            Some(one) if wanted.total && one.is_all => Some(self.number(&self.asked.one_value_count()).await?),
            _ => None,
        };
        let count_on = wanted.total && known.is_none();
        let (mut skip, mut last) = match &wanted.begin {
            Begin::Offset(offset) => (*offset, None),
            Begin::After(position) => (0, position.clone()),
        };
        let enough = usize::try_from(wanted.take).unwrap_or_default() + 1;
        let (mut found, mut matched) = (Vec::new(), 0_i64);
        loop {
            let full = found.len() >= enough;
            if full && !count_on {
                return Ok(Some((found, known)));
            }
            if self.store.clock.now() >= wanted.until {
                return Ok(None);
            }
            let limit = if full { LOOK_TO_COUNT } else { LOOK };
            let form = self.asked.look(wanted.order, last.as_ref(), limit, by_value);
            let looked = self.rows(&form, wanted.order).await?;
            let is_end = i64::try_from(looked.len()).unwrap_or(i64::MAX) < limit;
            for row in looked {
                // Two identities of one person are two entries.
                let again = last.as_ref().is_some_and(|last| last.id == row.position.id);
                if row.matches && !again {
                    matched += 1;
                    if skip > 0 {
                        skip -= 1;
                    } else if found.len() < enough {
                        found.push(row.position.clone());
                    }
                }
                last = Some(row.position);
            }
            if is_end {
                let total = wanted.total.then(|| known.unwrap_or(matched));
                return Ok(Some((found, total)));
            }
        }
    }

    async fn rows(&self, form: &Form, order: Order) -> Result<Vec<Looked>, Error> {
        let looked = |row: &Row| {
            let key = if order.by == OrderBy::Creation { None } else { row.0.get(1).cloned() };
            Ok(Looked { position: Position { key, id: row.text(0)? }, matches: row.int(2)? != 0 })
        };
        self.store.read_built(form.sql.clone(), form.args.clone()).await?.iter().map(looked).collect()
    }

    async fn number(&self, form: &Form) -> Result<i64, Error> {
        let rows = self.store.read_built(form.sql.clone(), form.args.clone()).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    async fn count_of_all(&self) -> Result<i64, Error> {
        super::users::count(self.store, &self.asked.builder.tenant).await
    }

    /// The people at `positions`, in that order; who is gone by now is missing.
    async fn users(&self, positions: &[Position]) -> Result<Vec<UserRecord>, Error> {
        let mut found: HashMap<String, UserRecord> = HashMap::new();
        for ids in positions.chunks(users_read::IDS_MAX) {
            let form = by_ids(&self.asked.builder.tenant, ids);
            for row in &self.store.read_built(form.sql, form.args).await? {
                let user = users_read::user(row)?;
                found.insert(user.id.to_string(), user);
            }
        }
        Ok(positions.iter().filter_map(|position| found.remove(&position.id)).collect())
    }
}

impl Asked {
    fn of(tenant: &TenantId, query: &UserQuery) -> Self {
        let mut builder = Builder::new(tenant);
        let part = builder.query(query);
        Self { builder, part }
    }

    /// A page of everybody.
    fn everybody(&self, wanted: &Wanted<'_>) -> Form {
        let mut builder = self.builder.clone();
        let (begin, offset) = match &wanted.begin {
            Begin::Offset(offset) => (String::new(), *offset),
            Begin::After(position) => (after(&mut builder, wanted.order, position.as_ref(), wanted.order.source()), 0),
        };
        let limit = builder.bind(wanted.take + 1);
        let offset = builder.bind(offset);
        let source = wanted.order.source();
        let sql = format!(
            "SELECT {id}, {key}, CAST(1 AS BIGINT) FROM {table} WHERE {scope}{begin} ORDER BY {by} LIMIT {limit} OFFSET {offset}",
            id = source.id,
            key = source.key,
            table = source.table,
            scope = source.scope,
            by = wanted.order.sql(source.key, source.id),
        );
        builder.form("everybody", sql)
    }

    /// How many entries an index has, no more than may be collected and one.
    fn exceeds(&self) -> Form {
        let mut builder = self.builder.clone();
        let limit = builder.bind(COLLECTED_MAX + 1);
        let (entries, each) = (self.part.entries.as_deref().unwrap_or_default(), &self.part.each);
        // The second half is nothing: it names every argument, so that PostgreSQL knows their types.
        let sql = format!(
            "SELECT max(counted.n) FROM (SELECT count(*) AS n FROM ({entries} LIMIT {limit}) AS found UNION ALL \
             SELECT count(*) AS n FROM users WHERE users.tenant_id = $1 AND users.id = '' AND {each}) AS counted"
        );
        builder.form("entries", sql)
    }

    /// Those an index tells, to stand between the columns and what else is asked; `sorted` is joined to users.
    fn collected_from(&self, builder: &mut Builder, sorted: &str) -> String {
        let limit = builder.bind(COLLECTED_MAX);
        let entries = self.part.entries.as_deref().unwrap_or_default();
        // Within CASE, so that no index serves the rest.
        let rest = self.part.rest();
        let rest = if rest == "TRUE" { String::new() } else { format!(" AND CASE WHEN {rest} THEN TRUE ELSE FALSE END") };
        // CROSS JOIN: SQLite begins with what was collected, and not with an index of everybody that has all columns.
        format!(
            "FROM (SELECT DISTINCT found.id AS id FROM ({entries} LIMIT {limit}) AS found) AS collected CROSS JOIN users{sorted} \
             WHERE users.tenant_id = $1 AND users.id = collected.id{rest}"
        )
    }

    /// A page of those an index tells.
    fn collected(&self, wanted: &Wanted<'_>) -> Form {
        let mut builder = self.builder.clone();
        let beside = wanted.order.beside();
        let from = self.collected_from(&mut builder, beside.table.strip_prefix("users").unwrap_or_default());
        let (begin, offset) = match &wanted.begin {
            Begin::Offset(offset) => (String::new(), *offset),
            Begin::After(position) => (after(&mut builder, wanted.order, position.as_ref(), beside), 0),
        };
        let (limit, offset) = (builder.bind(wanted.take + 1), builder.bind(offset));
        let sql = format!(
            "SELECT {id}, {key}, CAST(1 AS BIGINT) {from}{begin} ORDER BY {by} LIMIT {limit} OFFSET {offset}",
            id = beside.id,
            key = beside.key,
            by = wanted.order.sql(&wanted.order.unindexed(beside.key), "users.id || ''"),
        );
        builder.form("collected", sql)
    }

    fn collected_count(&self) -> Form {
        let mut builder = self.builder.clone();
        let from = self.collected_from(&mut builder, "");
        builder.form("collected and counted", format!("SELECT count(*) {from}"))
    }

    fn one_value_count(&self) -> Form {
        let entries = self.part.entries.as_deref().unwrap_or_default();
        let is_unique = self.part.one_value.as_ref().is_some_and(|one| one.is_unique);
        let counted = if is_unique { "count(*)" } else { "count(DISTINCT found.id)" };
        self.builder.form("one value counted", format!("SELECT {counted} FROM ({entries}) AS found"))
    }

    /// The next people in order, each with whether they match.
    fn look(&self, order: Order, last: Option<&Position>, limit: i64, by_value: bool) -> Form {
        // The number stands in the text: with a plan for any number PostgreSQL reads everybody and sorts.
        let mut builder = self.builder.clone();
        let one = self.part.one_value.as_ref().filter(|_| by_value);
        let (condition, key, inner) = if let Some(one) = one {
            let begin = last.map(|last| {
                let sign = if order.descending { '<' } else { '>' };
                format!(" AND {} {sign} {}", one.id, builder.bind(last.id.as_str()))
            });
            let way = if order.descending { " DESC" } else { "" };
            let entries = self.part.entries.as_deref().unwrap_or_default();
            let inner = format!("{entries}{} ORDER BY {}{way} LIMIT {limit}", begin.unwrap_or_default(), one.id);
            (self.part.rest(), "CAST(NULL AS TEXT)", inner)
        } else {
            let source = order.source();
            let begin = after(&mut builder, order, last, source);
            let inner = format!(
                "SELECT {id} AS id, {key} AS sorted_by FROM {table} WHERE {scope}{begin} ORDER BY {by} LIMIT {limit}",
                id = source.id,
                key = source.key,
                table = source.table,
                scope = source.scope,
                by = order.sql(source.key, source.id)
            );
            (self.part.each.as_str(), "found.sorted_by", inner)
        };
        // A value of each, and no join: PostgreSQL would hash everybody for the few that are looked at.
        let sql = format!(
            "SELECT found.id, {key}, CAST(coalesce((SELECT CASE WHEN {condition} THEN 1 ELSE 0 END FROM users \
             WHERE users.tenant_id = $1 AND users.id = found.id), 0) AS BIGINT) FROM ({inner}) AS found ORDER BY {by}",
            by = order.sql(key, "found.id"),
        );
        builder.form("looked at", sql)
    }
}

fn by_ids(tenant: &TenantId, positions: &[Position]) -> Form {
    let mut args = args![tenant];
    pad_list(&mut args, positions.iter().map(|position| Value::from(position.id.as_str())));
    let sql = format!("{} WHERE tenant_id = $1 AND id IN ({})", users_read::SELECT_USER, in_list(2, positions.len()));
    Form { name: "users by id".to_owned(), sql, args }
}

/// Where an order is read from.
#[derive(Clone, Copy)]
struct Source {
    table: &'static str,
    scope: &'static str,
    key: &'static str,
    id: &'static str,
}

impl Order {
    /// The index of the order alone.
    fn source(self) -> Source {
        let of_users = |key| Source { table: "users", scope: "users.tenant_id = $1", key, id: "users.id" };
        let of_values =
            |scope| Source { table: "user_values AS sorted", scope, key: "sorted.value_key", id: "sorted.profile_id" };
        match self.by {
            OrderBy::Value("name") => of_values("sorted.tenant_id = $1 AND sorted.attribute = 'name'"),
            OrderBy::Value("given_name") => of_values("sorted.tenant_id = $1 AND sorted.attribute = 'given_name'"),
            OrderBy::Value("family_name") => of_values("sorted.tenant_id = $1 AND sorted.attribute = 'family_name'"),
            OrderBy::Value(_) => of_values("sorted.tenant_id = $1 AND sorted.attribute = 'nickname'"),
            _ => of_users(self.column()),
        }
    }

    /// The same for people who are known already: no index of the order is used.
    fn beside(self) -> Source {
        let joined = |table| Source { table, scope: "", key: "sorted.value_key", id: "users.id" };
        // An attribute that is compared as an expression leaves the index of the profile alone to go by.
        match self.by {
            OrderBy::Value("name") => joined(
                "users JOIN user_values AS sorted ON sorted.tenant_id = users.tenant_id AND sorted.profile_id = users.id AND sorted.attribute || '' = 'name'",
            ),
            OrderBy::Value("given_name") => joined(
                "users JOIN user_values AS sorted ON sorted.tenant_id = users.tenant_id AND sorted.profile_id = users.id AND sorted.attribute || '' = 'given_name'",
            ),
            OrderBy::Value("family_name") => joined(
                "users JOIN user_values AS sorted ON sorted.tenant_id = users.tenant_id AND sorted.profile_id = users.id AND sorted.attribute || '' = 'family_name'",
            ),
            OrderBy::Value(_) => joined(
                "users JOIN user_values AS sorted ON sorted.tenant_id = users.tenant_id AND sorted.profile_id = users.id AND sorted.attribute || '' = 'nickname'",
            ),
            _ => Source { table: "users", scope: "", key: self.column(), id: "users.id" },
        }
    }

    /// As the indexes have it. Who has none is before everybody who has one.
    fn column(self) -> &'static str {
        match self.by {
            OrderBy::Creation | OrderBy::Value(_) => "CAST(NULL AS TEXT)",
            OrderBy::UserId => "users.user_id",
            OrderBy::Email => "users.email_order",
            OrderBy::CreatedAt => "users.created_at",
            OrderBy::UpdatedAt => "users.updated_at",
            OrderBy::LastLogin => "users.login_order",
            OrderBy::LoginsCount => "users.logins_count",
        }
    }

    fn unindexed(self, key: &str) -> String {
        match self.by {
            OrderBy::CreatedAt | OrderBy::UpdatedAt | OrderBy::LastLogin | OrderBy::LoginsCount => format!("{key} + 0"),
            _ => format!("{key} || ''"),
        }
    }

    fn sql(self, key: &str, id: &str) -> String {
        let way = if self.descending { " DESC" } else { "" };
        if self.by == OrderBy::Creation { format!("{id}{way}") } else { format!("{key}{way}, {id}{way}") }
    }
}

/// The condition that people are after a position, to stand behind others.
fn after(builder: &mut Builder, order: Order, position: Option<&Position>, source: Source) -> String {
    let Some(position) = position else { return String::new() };
    let sign = if order.descending { '<' } else { '>' };
    let Source { key, id, .. } = source;
    let at = builder.bind(position.id.as_str());
    match &position.key {
        Some(value) if order.by != OrderBy::Creation => {
            let value = builder.bind(value.clone());
            // As one comparison: with two, everybody who is alike would be stepped over.
            format!(" AND ({key}, {id}) {sign} ({value}, {at})")
        }
        _ => format!(" AND {id} {sign} {at}"),
    }
}

/// Every order there is, both ways.
pub fn orders() -> impl Iterator<Item = Order> {
    let columns = [
        OrderBy::Creation,
        OrderBy::UserId,
        OrderBy::Email,
        OrderBy::CreatedAt,
        OrderBy::UpdatedAt,
        OrderBy::LastLogin,
        OrderBy::LoginsCount,
    ];
    let values = crate::model::user_search::SORTED.map(OrderBy::Value);
    columns.into_iter().chain(values).flat_map(|by| [false, true].map(|descending| Order { by, descending }))
}

/// Every text that is run for `wanted`, for the tests that ask the databases how they run each: pages of everybody if nothing is
/// asked, else those an index tells, and those that look at rows, `look` at a time.
pub fn forms(tenant: &TenantId, wanted: &Wanted<'_>, look: i64) -> Vec<Form> {
    let asked = Asked::of(tenant, wanted.query);
    let last = match &wanted.begin {
        Begin::After(position) => position.clone(),
        Begin::Offset(_) => None,
    };
    if asked.part.is_everybody() {
        return vec![asked.everybody(wanted)];
    }
    let mut forms = vec![asked.look(wanted.order, last.as_ref(), look, false)];
    if asked.part.entries.is_some() {
        forms.extend([asked.exceeds(), asked.collected(wanted), asked.collected_count()]);
    }
    if asked.part.one_value.is_some() && wanted.order.by == OrderBy::Creation {
        forms.push(asked.look(wanted.order, last.as_ref(), look, true));
    }
    forms.extend(last.map(|last| by_ids(tenant, &[last])));
    forms
}
