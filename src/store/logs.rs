//! Rows of the log as they are read: one, those after a place, and those of one person, connection, type, application or
//! address by an index that ends in the order of time. Names are looked up for a page at once. Refuses to search: what a filter
//! says beyond its index is decided over the rows ([`crate::api`]).

use super::dialect::{in_list, pad_list};
use super::statements::{Form, statements};
use super::{Error, Row, Store, Value};
use crate::args;
use crate::model::ids::TenantId;
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;

macro_rules! columns {
    () => {
        "id, position, kind, outcome, type, connection_id, identity_id, group_id, profile_id, user_id, client_id, ip, user_agent, \
         actor, request_id, history_id, detail, created_at"
    };
}

statements! {
    FIND_LOG = concat!("SELECT ", columns!(), " FROM log WHERE tenant_id = $1 AND id = $2");
    LOG_AFTER = concat!("SELECT ", columns!(), " FROM log WHERE tenant_id = $1 AND position > $2 ORDER BY position LIMIT $3");
    /// Of the row itself, or of the first after it: retention took it meanwhile.
    POSITION_FROM = "SELECT id, position FROM log WHERE tenant_id = $1 AND id >= $2 ORDER BY id LIMIT 1";
}

/// Rows of one `IN (…)`.
const IDS_PER_READ: usize = 256;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    pub id: String,
    pub position: Option<i64>,
    pub kind: String,
    pub outcome: String,
    /// As it is called outside.
    pub kind_type: String,
    pub connection_id: Option<String>,
    pub identity_id: Option<String>,
    pub group_id: Option<String>,
    pub profile_id: Option<String>,
    pub user_id: Option<String>,
    pub client_id: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub actor: String,
    pub request_id: String,
    pub history_id: Option<String>,
    pub detail: Json,
    pub created_at: i64,
}

fn record(row: &Row) -> Result<LogRecord, Error> {
    let detail = row.opt_text(16)?.map(|text| serde_json::from_str(&text)).transpose();
    Ok(LogRecord {
        id: row.text(0)?,
        position: row.opt_int(1)?,
        kind: row.text(2)?,
        outcome: row.text(3)?,
        kind_type: row.text(4)?,
        connection_id: row.opt_text(5)?,
        identity_id: row.opt_text(6)?,
        group_id: row.opt_text(7)?,
        profile_id: row.opt_text(8)?,
        user_id: row.opt_text(9)?,
        client_id: row.opt_text(10)?,
        ip: row.opt_text(11)?,
        user_agent: row.opt_text(12)?,
        actor: row.text(13)?,
        request_id: row.text(14)?,
        history_id: row.opt_text(15)?,
        detail: detail.map_err(|_| Error::Corrupt { what: "log.detail is no JSON" })?.unwrap_or_default(),
        created_at: row.int(17)?,
    })
}

pub async fn find(store: &Store, tenant: &TenantId, id: &str) -> Result<Option<LogRecord>, Error> {
    store.read(FIND_LOG, args![tenant, id]).await?.first().map(record).transpose()
}

/// Up to `limit` rows behind the row `id` (empty: from the first on), in the order of their positions. A row that is gone stands
/// for where it was; one that is newer than all there are, for the end.
pub async fn after(store: &Store, tenant: &TenantId, id: &str, limit: i64) -> Result<Vec<LogRecord>, Error> {
    let place = if id.is_empty() {
        Some(0)
    } else {
        let rows = store.read(POSITION_FROM, args![tenant, id]).await?;
        let found = rows.first().map(|row| Ok::<_, Error>((row.text(0)?, row.opt_int(1)?))).transpose()?;
        // Of one that has no place yet nothing follows.
        found.and_then(|(found, position)| position.map(|position| if found == id { position } else { position - 1 }))
    };
    let Some(place) = place else { return Ok(Vec::new()) };
    store.read(LOG_AFTER, args![tenant, place, limit]).await?.iter().map(record).collect()
}

/// What an index leads to. Each ends in the order of ids, and so of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The whole log of the tenant.
    All,
    Profile(String),
    /// The public id of somebody who is gone.
    Gone(String),
    Connection(String),
    /// One of the types that are rare.
    Type(String),
    Client(String),
    Ip(String),
}

impl By {
    fn condition(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::All => ("", None),
            Self::Profile(id) => (" AND profile_id = $2", Some(id)),
            Self::Gone(id) => (" AND user_id = $2", Some(id)),
            Self::Connection(id) => (" AND connection_id = $2", Some(id)),
            Self::Type(name) => (" AND rare AND type = $2", Some(name)),
            Self::Client(id) => (" AND client_id = $2", Some(id)),
            Self::Ip(address) => (" AND ip = $2", Some(address)),
        }
    }
}

/// Which rows, and from where on. Both ids are left out themselves; empty: no bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub by: By,
    pub after: String,
    pub before: String,
    pub newest_first: bool,
}

/// What sorts after every id.
const LAST_ID: &str = "~";

impl Wanted {
    fn bound(&self, tenant: &TenantId) -> (String, Vec<Value>) {
        let (condition, value) = self.by.condition();
        let mut args = args![tenant];
        args.extend(value.map(Value::from));
        let next = args.len() + 1;
        args.extend(args![self.after.as_str(), if self.before.is_empty() { LAST_ID } else { self.before.as_str() }]);
        (format!("FROM log WHERE tenant_id = $1{condition} AND id > ${next} AND id < ${}", next + 1), args)
    }

    fn page(&self, tenant: &TenantId, limit: i64, offset: i64) -> Form {
        let (bound, mut args) = self.bound(tenant);
        let way = if self.newest_first { " DESC" } else { "" };
        let n = args.len();
        args.extend(args![limit, offset]);
        let sql = format!("SELECT {} {bound} ORDER BY id{way} LIMIT ${} OFFSET ${}", columns!(), n + 1, n + 2);
        Form { name: format!("log by {:?}, newest first: {}", self.by, self.newest_first), sql, args }
    }

    fn count(&self, tenant: &TenantId, most: i64) -> Form {
        let (bound, mut args) = self.bound(tenant);
        args.extend(args![most]);
        let sql = format!("SELECT count(*) FROM (SELECT id {bound} ORDER BY id LIMIT ${}) l", args.len());
        Form { name: format!("count of the log by {:?}", self.by), sql, args }
    }
}

/// A part of those rows.
pub async fn page(store: &Store, tenant: &TenantId, wanted: &Wanted, limit: i64, offset: i64) -> Result<Vec<LogRecord>, Error> {
    let form = wanted.page(tenant, limit, offset);
    store.read_built(form.sql, form.args).await?.iter().map(record).collect()
}

/// How many there are, counted as far as `most`.
pub async fn count(store: &Store, tenant: &TenantId, wanted: &Wanted, most: i64) -> Result<i64, Error> {
    let form = wanted.count(tenant, most);
    store.read_built(form.sql, form.args).await?.first().map_or(Ok(0), |row| row.int(0))
}

/// Every text of these reads, for the tests of their plans.
pub fn forms(tenant: &TenantId, id: &str, limit: i64) -> Vec<Form> {
    let id = || id.to_owned();
    let ways =
        [By::All, By::Profile(id()), By::Gone(id()), By::Connection("c1".into()), By::Type(id()), By::Client(id()), By::Ip(id())];
    let mut forms = Vec::new();
    for by in ways {
        for newest_first in [true, false] {
            let wanted = Wanted { by: by.clone(), after: String::new(), before: String::new(), newest_first };
            forms.extend([wanted.page(tenant, limit, 0), wanted.count(tenant, limit)]);
        }
    }
    forms.extend(NAMES.map(|(name, sql)| names_form(tenant, name, sql, &[id()])));
    forms
}

/// What the ids in rows stand for.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub connections: HashMap<String, NamedConnection>,
    pub users: HashMap<String, NamedUser>,
    /// User names at the source.
    pub identities: HashMap<String, String>,
    pub clients: HashMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedConnection {
    pub name: String,
    pub kind: String,
    pub organization_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedUser {
    pub user_id: String,
    pub email: Option<String>,
    pub organization_id: Option<String>,
}

const NAMES: [(&str, &str); 4] = [
    ("names of connections", "SELECT id, name, kind, organization_id FROM connections WHERE tenant_id = $1 AND id IN "),
    ("names of users", "SELECT id, user_id, email, organization_id FROM users WHERE tenant_id = $1 AND id IN "),
    ("names of identities", "SELECT id, user_name FROM identities WHERE tenant_id = $1 AND id IN "),
    ("names of clients", "SELECT id, name FROM clients WHERE tenant_id = $1 AND id IN "),
];

fn names_form(tenant: &TenantId, name: &str, sql: &str, ids: &[String]) -> Form {
    let mut args = args![tenant];
    pad_list(&mut args, ids.iter().map(Value::from));
    Form { name: name.to_owned(), sql: format!("{sql}({})", in_list(2, ids.len())), args }
}

/// What the ids in `rows` are called.
pub async fn names(store: &Store, tenant: &TenantId, rows: &[LogRecord]) -> Result<Names, Error> {
    let mut names = Names::default();
    let ids = |of: fn(&LogRecord) -> Option<&String>| rows.iter().filter_map(of).cloned().collect::<BTreeSet<String>>();
    for row in named(store, tenant, 0, ids(|row| row.connection_id.as_ref())).await? {
        let named = NamedConnection { name: row.text(1)?, kind: row.text(2)?, organization_id: row.opt_text(3)? };
        names.connections.insert(row.text(0)?, named);
    }
    for row in named(store, tenant, 1, ids(|row| row.profile_id.as_ref())).await? {
        let named = NamedUser { user_id: row.text(1)?, email: row.opt_text(2)?, organization_id: row.opt_text(3)? };
        names.users.insert(row.text(0)?, named);
    }
    put(&mut names.identities, named(store, tenant, 2, ids(|row| row.identity_id.as_ref())).await?)?;
    put(&mut names.clients, named(store, tenant, 3, ids(|row| row.client_id.as_ref())).await?)?;
    Ok(names)
}

fn put<S: BuildHasher>(names: &mut HashMap<String, String, S>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        names.extend(row.opt_text(1)?.map(|name| Ok::<_, Error>((row.text(0)?, name))).transpose()?);
    }
    Ok(())
}

async fn named(store: &Store, tenant: &TenantId, which: usize, ids: BTreeSet<String>) -> Result<Vec<Row>, Error> {
    let (name, sql) = NAMES[which];
    let ids: Vec<String> = ids.into_iter().collect();
    let mut rows = Vec::new();
    for chunk in ids.chunks(IDS_PER_READ) {
        let form = names_form(tenant, name, sql, chunk);
        rows.extend(store.read_built(form.sql, form.args).await?);
    }
    Ok(rows)
}
