//! The rows behind the gateway, read straight from its database: what a step left, not what the gateway says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::OpenFlags;
use serde_json::{Map, Value, json};
use sqlx::Connection;

/// Columns that SQLite stores as 0 and 1.
const BOOLEANS: [&str; 4] = ["listed", "active", "blocked", "refused"];
/// Columns whose text is a JSON document.
const DOCUMENTS: [&str; 5] = ["raw", "mapped", "doc", "changes", "changed"];

/// A connection to the database of a gateway, for reading.
pub enum Database {
    Sqlite(rusqlite::Connection),
    Postgres(sqlx::PgConnection),
}

impl Database {
    pub async fn open(url: &str) -> Self {
        match url.strip_prefix("sqlite://") {
            Some(path) => {
                let connection = rusqlite::Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
                    .unwrap_or_else(|error| panic!("{path}: {error}"));
                connection.busy_timeout(std::time::Duration::from_secs(10)).expect("a busy timeout");
                Self::Sqlite(connection)
            }
            None => Self::Postgres(sqlx::PgConnection::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"))),
        }
    }

    /// Changes rows behind the gateway's back, on a connection of its own: what an administrator's edit leaves.
    pub async fn change(url: &str, sql: &str) {
        match url.strip_prefix("sqlite://") {
            Some(path) => {
                let connection = rusqlite::Connection::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
                connection.busy_timeout(std::time::Duration::from_secs(10)).expect("a busy timeout");
                connection.execute(sql, []).unwrap_or_else(|error| panic!("{error}: {sql}"));
            }
            None => {
                let mut connection = sqlx::PgConnection::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
                let statement = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
                statement.execute(&mut connection).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
            }
        }
    }

    /// Keeps every write to a table waiting for as long as what is answered lives; reads go on.
    pub async fn held(url: &str, table: &str) -> Self {
        match url.strip_prefix("sqlite://") {
            Some(path) => {
                let connection = rusqlite::Connection::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
                connection.execute_batch("BEGIN IMMEDIATE").unwrap_or_else(|error| panic!("{path}: {error}"));
                Self::Sqlite(connection)
            }
            None => {
                let mut connection = sqlx::PgConnection::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
                for sql in [String::from("BEGIN"), format!("LOCK TABLE {table} IN SHARE MODE")] {
                    let statement = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
                    statement.execute(&mut connection).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
                }
                Self::Postgres(connection)
            }
        }
    }

    /// Writes all that is committed in a SQLite database to another file.
    pub fn copy_to(&self, file: &Path) {
        let Self::Sqlite(connection) = self else { panic!("only SQLite is copied by file") };
        let file = file.to_str().expect("temporary folders have readable names");
        connection.execute("VACUUM INTO ?1", [file]).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    /// The rows of a query, each as an object of its columns; documents and booleans as what they are.
    pub async fn rows(&mut self, sql: &str) -> Vec<Map<String, Value>> {
        let mut rows = match self {
            Self::Sqlite(connection) => sqlite_rows(connection, sql).unwrap_or_else(|error| panic!("{error}: {sql}")),
            Self::Postgres(connection) => {
                let as_json = format!("SELECT to_jsonb(r)::text FROM ({sql}) r");
                let texts: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(as_json))
                    .fetch_all(connection)
                    .await
                    .unwrap_or_else(|error| panic!("{error}: {sql}"));
                texts.iter().map(|text| serde_json::from_str(text).expect("PostgreSQL writes JSON")).collect()
            }
        };
        for row in &mut rows {
            for (column, value) in row.iter_mut() {
                if BOOLEANS.contains(&column.as_str())
                    && let Some(number) = value.as_i64()
                {
                    *value = Value::Bool(number != 0);
                }
                if DOCUMENTS.contains(&column.as_str())
                    && let Some(text) = value.as_str()
                {
                    *value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{column}: {error} in {text}"));
                }
            }
        }
        rows
    }
}

fn sqlite_rows(connection: &rusqlite::Connection, sql: &str) -> rusqlite::Result<Vec<Map<String, Value>>> {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare(sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (index, column) in columns.iter().enumerate() {
            let value = match row.get_ref(index)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()).into(),
            };
            object.insert(column.clone(), value);
        }
        found.push(object);
    }
    Ok(found)
}

/// A table's rows by their id.
pub type Table = BTreeMap<String, Map<String, Value>>;

/// Everything a provisioning write may touch, at one moment.
#[derive(Default)]
pub struct Snapshot {
    pub users: Table,
    pub identities: Table,
    pub groups: Table,
    pub history: Table,
    pub log: Table,
    pub outbox: Table,
    pub inbox: Table,
    /// (group id, member id, kind).
    pub members: BTreeSet<(String, String, String)>,
    /// (profile id, kind, origin).
    pub blocks: BTreeSet<(String, String, String)>,
}

impl Snapshot {
    pub async fn of(database: &mut Database) -> Self {
        Self {
            users: by_id(database.rows("SELECT id, user_id, email, email_key, blocked, doc, version FROM users").await),
            identities: by_id(
                database
                    .rows(
                        "SELECT id, connection_id, profile_id, external_id, user_name, user_name_key, label, state, listed, active, \
                         raw, mapped, version FROM identities",
                    )
                    .await,
            ),
            groups: by_id(
                database.rows("SELECT id, connection_id, external_id, name, raw, mapped, listed, version FROM groups").await,
            ),
            history: by_id(
                database.rows("SELECT id, profile_id, identity_id, connection_id, actor, changes, version FROM history").await,
            ),
            log: by_id(
                database
                    .rows(
                        "SELECT id, kind, outcome, connection_id, identity_id, group_id, profile_id, actor, request_id, history_id \
                         FROM log",
                    )
                    .await,
            ),
            outbox: by_id(
                database.rows("SELECT id, kind, profile_id, group_id, connection_id, version, changed, log_id FROM outbox").await,
            ),
            inbox: by_id(database.rows("SELECT id, connection_id, kind, state, subject, occurrences FROM conflicts").await),
            members: triples(database.rows("SELECT group_id, member_id, kind FROM members").await, "group_id", "member_id", "kind"),
            blocks: triples(database.rows("SELECT profile_id, kind, origin FROM blocks").await, "profile_id", "kind", "origin"),
        }
    }

    /// What a fixture can state about one user or group: the columns of its rows, under the names of the columns.
    ///
    /// A user: `state listed active external_id user_name label raw`, and of its profile `user_id email blocked doc` and
    /// `blocks` (their kinds); without a profile these are absent. A group: `external_id name listed raw`, `members`
    /// (ids, sorted) and `version_up`, by how much its version rose since `before`.
    pub fn view(&self, id: &str, before: &Self) -> Option<Value> {
        if let Some(identity) = self.identities.get(id) {
            let mut view = identity.clone();
            view.remove("version");
            if let Some(profile_id) = identity["profile_id"].as_str()
                && let Some(user) = self.users.get(profile_id)
            {
                view.extend(user.iter().map(|(column, value)| (column.clone(), value.clone())));
                let kinds = self.blocks.iter().filter(|(profile, ..)| profile == profile_id).map(|(_, kind, _)| kind.as_str());
                view.insert("blocks".into(), kinds.collect());
            }
            return Some(view.into());
        }
        let group = self.groups.get(id)?;
        let mut view = group.clone();
        let members = self.members.iter().filter(|(group, ..)| group == id).map(|(_, member, _)| member.as_str());
        view.insert("members".into(), members.collect());
        let version = |group: Option<&Map<String, Value>>| group.and_then(|group| group["version"].as_i64()).unwrap_or(0);
        view.insert("version_up".into(), json!(version(Some(group)) - version(before.groups.get(id))));
        Some(view.into())
    }

    /// Whether a write happened between the two: any of these rows differs.
    pub fn first_change_since(&self, before: &Self) -> Option<String> {
        let tables = [
            ("users", &self.users, &before.users),
            ("identities", &self.identities, &before.identities),
            ("groups", &self.groups, &before.groups),
        ];
        for (table, now, then) in tables {
            if let Some((id, row)) = now.iter().find(|(id, row)| then.get(*id) != Some(row)) {
                let was = then.get(id).map_or_else(|| "nothing".to_owned(), |row| json!(row).to_string());
                return Some(format!("{table}: {was}\n      became {}", json!(row)));
            }
        }
        (self.blocks != before.blocks).then(|| format!("blocks: {:?} became {:?}", before.blocks, self.blocks))
    }
}

/// The rows of `now` that `before` did not have.
pub fn added<'a>(now: &'a Table, before: &Table) -> Vec<&'a Map<String, Value>> {
    now.iter().filter(|(id, _)| !before.contains_key(*id)).map(|(_, row)| row).collect()
}

/// The attribute names a `changes` or `changed` document speaks of: the keys of an object, the texts of an array, those
/// a creation lists as `created`.
pub fn names(document: &Value) -> BTreeSet<String> {
    match document {
        Value::Object(members) if members.len() == 1 && members.contains_key("created") => names(&members["created"]),
        Value::Object(members) => members.keys().cloned().collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    }
}

fn by_id(rows: Vec<Map<String, Value>>) -> Table {
    rows.into_iter().map(|row| (row["id"].as_str().expect("ids are text").to_owned(), row)).collect()
}

fn triples(rows: Vec<Map<String, Value>>, first: &str, second: &str, third: &str) -> BTreeSet<(String, String, String)> {
    let text = |row: &Map<String, Value>, column: &str| row[column].as_str().expect("keys are text").to_owned();
    rows.iter().map(|row| (text(row, first), text(row, second), text(row, third))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::stores::both_stores;
    use super::*;

    const PEOPLE: &str = "
        INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('t', 'default', 1, 1);
        INSERT INTO users (tenant_id, id, user_id, blocked, doc, provenance, created_at, updated_at)
            VALUES ('t', 'p', 'scim|scim|1', TRUE, '{\"name\":\"Zoë\"}', '{}', 1, 1);
        INSERT INTO blocks (tenant_id, profile_id, kind, origin, since, actor, reason) VALUES ('t', 'p', 'source', 'i', 1, 'scim', '');
    ";

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn both_databases_are_read_alike() {
        for test in both_stores().await {
            let url = test.options.url.expose();
            match url.strip_prefix("sqlite://") {
                Some(path) => rusqlite::Connection::open(path).expect("opens").execute_batch(PEOPLE).expect("inserts"),
                None => {
                    let mut connection = sqlx::PgConnection::connect(url).await.expect("connects");
                    sqlx::raw_sql(PEOPLE).execute(&mut connection).await.expect("inserts");
                }
            }
            let snapshot = Snapshot::of(&mut Database::open(url).await).await;
            let expected = json!({
                "id": "p", "user_id": "scim|scim|1", "email": null, "email_key": null, "blocked": true, "doc": {"name": "Zoë"}, "version": 1
            });
            assert_eq!(json!(snapshot.users["p"]), expected);
            assert!(snapshot.blocks.contains(&("p".into(), "source".into(), "i".into())));
            assert!(snapshot.identities.is_empty() && snapshot.outbox.is_empty());
        }
    }
}
