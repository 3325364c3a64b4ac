//! What a request costs the database, counted and not clocked: each statement of it runs once more, just before it runs, on
//! a connection that takes everything back. SQLite counts the steps of its machine, PostgreSQL the rows that the nodes of a
//! plan read.

use std::sync::{Arc, Mutex};

use axum::http::Method;
use rosterd::store::batch::Write;
use rosterd::store::{Asked, Backend, Store, StoreOptions, Value};
use rusqlite::StatementStatus;
use rusqlite::config::DbConfig;
use serde_json::Value as Json;
#[expect(clippy::disallowed_types, reason = "the statements under test")]
use sqlx::AssertSqlSafe;
use sqlx::{Connection as _, PgConnection};

use super::edge::Edge;
use super::stores::TestStore;

/// One statement as it was run.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    pub sql: String,
    pub args: Vec<Value>,
    /// How the database goes about it.
    pub plan: String,
    /// Steps of SQLite, rows of PostgreSQL.
    pub read: i64,
}

/// A connection on which statements are counted.
pub enum Probe {
    Sqlite(rusqlite::Connection),
    Postgres(Box<PgConnection>),
}

impl Probe {
    pub async fn on(test: &TestStore) -> Self {
        match test.store.backend() {
            Backend::Sqlite => {
                let connection = rusqlite::Connection::open(test.folder.path().join("roster.db")).expect("opens");
                // As the store opens it: a plan does not depend on the values that are bound.
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).expect("is set");
                connection.pragma_update(None, "foreign_keys", true).expect("is set");
                Self::Sqlite(connection)
            }
            Backend::Postgres => {
                let mut connection = PgConnection::connect(test.options.url.expose()).await.expect("connects");
                sqlx::raw_sql("SET plan_cache_mode = force_generic_plan").execute(&mut connection).await.expect("is set");
                Self::Postgres(Box::new(connection))
            }
        }
    }

    pub async fn run(&mut self, sql: &str) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}")),
            Self::Postgres(connection) => {
                let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut **connection).await;
                done.map(drop).unwrap_or_else(|error| panic!("{error}: {sql}"));
            }
        }
    }

    async fn count(&mut self, sql: &str, args: &[Value]) -> Cost {
        let (plan, read) = match self {
            Self::Sqlite(connection) => {
                let mut asked = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", numbered(sql))).expect("prepares");
                let steps = asked.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>();
                let mut statement = sqlite_bound(connection, sql, args);
                let mut rows = statement.raw_query();
                while rows.next().expect("a row").is_some() {}
                drop(rows);
                (steps.expect("a plan").join("; "), i64::from(statement.get_status(StatementStatus::VmStep)))
            }
            Self::Postgres(connection) => {
                let plan = postgres_plan(connection, sql, args, true).await;
                let of = |node: &Json, name: &str| node[name].as_str().unwrap_or_default().to_owned();
                let shape = nodes(&plan).into_iter().map(|node| format!("{} {}", of(node, "Node Type"), of(node, "Index Name")));
                #[expect(clippy::cast_possible_truncation, reason = "a count")]
                (shape.collect::<Vec<_>>().join("; "), rows_read(&plan) as i64)
            }
        };
        Cost { sql: sql.to_owned(), args: args.to_vec(), plan, read }
    }

    async fn count_asked(&mut self, asked: Vec<(String, Vec<Value>)>) -> Vec<Cost> {
        let mut costs = vec![];
        self.run("BEGIN").await;
        for (sql, args) in asked {
            costs.push(self.count(&sql, &args).await);
        }
        self.run("ROLLBACK").await;
        costs
    }
}

/// A connection's SCIM endpoint whose statements are counted.
pub struct Counted {
    pub edge: Edge,
    probe: Arc<tokio::sync::Mutex<Probe>>,
    costs: Arc<Mutex<Vec<Cost>>>,
}

impl Counted {
    /// Needs a runtime of several threads: a statement waits until it was counted.
    pub async fn new(mut test: TestStore) -> Self {
        let probe = Arc::new(tokio::sync::Mutex::new(Probe::on(&test).await));
        let costs: Arc<Mutex<Vec<Cost>>> = Arc::default();
        let (counting, noted) = (Arc::clone(&probe), Arc::clone(&costs));
        let listener = move |asked: Asked<'_>| {
            let statements = statements(asked);
            let counted = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async { counting.lock().await.count_asked(statements).await })
            });
            noted.lock().unwrap().extend(counted);
        };
        test.options = StoreOptions { listener: Some(Arc::new(listener)), ..test.options };
        test.store.close().await;
        test.store = Store::open(&test.options).await.expect("the store opens");
        Self { edge: Edge::new(test).await, probe, costs }
    }

    /// Past the gateway.
    pub async fn run(&self, sql: &str) {
        self.probe.lock().await.run(sql).await;
    }

    /// The status, the body, and what each statement of the request cost.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Json>) -> (u16, Json, Vec<Cost>) {
        self.costs.lock().unwrap().clear();
        let (status, answer) = self.edge.ask(method, path, body).await;
        (status, answer, std::mem::take(&mut *self.costs.lock().unwrap()))
    }
}

fn statements(asked: Asked<'_>) -> Vec<(String, Vec<Value>)> {
    match asked {
        Asked::Read(sql, args) => vec![(sql.to_owned(), args.to_vec())],
        Asked::Apply(batch) => {
            let each = batch.0.iter().flat_map(|write| match write {
                Write::One { sql, args, .. } | Write::Add { sql, args, .. } => vec![((*sql).to_owned(), args.clone())],
                Write::Each { sql, rows, .. } => rows.iter().map(|row| ((*sql).to_owned(), row.clone())).collect(),
            });
            each.collect()
        }
    }
}

/// `$1` as SQLite numbers it: none of the texts has a dollar elsewhere.
pub fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

/// A statement of SQLite with its arguments.
pub fn sqlite_bound<'a>(connection: &'a rusqlite::Connection, sql: &str, args: &[Value]) -> rusqlite::Statement<'a> {
    let mut statement = connection.prepare(&numbered(sql)).unwrap_or_else(|error| panic!("{error}: {sql}"));
    for (at, value) in args.iter().enumerate() {
        let bound = match value {
            Value::Text(text) => statement.raw_bind_parameter(at + 1, text.as_deref()),
            Value::Int(number) => statement.raw_bind_parameter(at + 1, number),
            Value::Bool(boolean) => statement.raw_bind_parameter(at + 1, boolean),
            Value::Bytes(bytes) => statement.raw_bind_parameter(at + 1, bytes.as_deref()),
        };
        bound.expect("binds");
    }
    statement
}

/// The plan of a statement, run if it is to count what it reads.
pub async fn postgres_plan(connection: &mut PgConnection, sql: &str, args: &[Value], run: bool) -> Json {
    planned(connection, sql, &args.iter().map(literal).collect::<Vec<_>>(), run).await
}

/// The plan of a look-up for several at once: an array for each column of their arguments, and their numbers.
pub async fn postgres_plan_of_several(connection: &mut PgConnection, sql: &str, asked: &[Vec<Value>]) -> Json {
    let array = |values: Vec<String>| format!("'{{{}}}'", values.join(",").replace('\'', ""));
    let columns = (0..asked[0].len()).map(|at| array(asked.iter().map(|args| literal(&args[at])).collect()));
    let numbers = array((1..=asked.len()).map(|number| number.to_string()).collect());
    planned(connection, sql, &columns.chain([numbers]).collect::<Vec<_>>(), false).await
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(Some(text)) => format!("'{}'", text.replace('\'', "''")),
        Value::Int(Some(number)) => number.to_string(),
        Value::Bool(Some(boolean)) => boolean.to_string(),
        Value::Bytes(Some(_)) => "'\\x00'".to_owned(),
        _ => "NULL".to_owned(),
    }
}

async fn planned(connection: &mut PgConnection, sql: &str, literals: &[String], run: bool) -> Json {
    let execute =
        if literals.is_empty() { "EXECUTE asked".to_owned() } else { format!("EXECUTE asked ({})", literals.join(", ")) };
    let options = if run { "ANALYZE, TIMING OFF, FORMAT JSON" } else { "FORMAT JSON" };
    let prepare = format!("PREPARE asked AS {sql}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    let explain = format!("EXPLAIN ({options}) {execute}");
    let rows =
        sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *connection).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    sqlx::raw_sql("DEALLOCATE asked").execute(&mut *connection).await.expect("forgets");
    let text: String = rows.iter().map(|row| sqlx::Row::get_unchecked::<String, _>(row, 0)).collect();
    let plans: Json = serde_json::from_str(&text).expect("JSON");
    plans[0]["Plan"].clone()
}

pub fn nodes(plan: &Json) -> Vec<&Json> {
    let below = plan["Plans"].as_array().into_iter().flatten().flat_map(nodes);
    std::iter::once(plan).chain(below).collect()
}

/// Rows that the nodes over tables and indexes read, thrown away ones included.
pub fn rows_read(plan: &Json) -> f64 {
    let number = |node: &Json, name: &str| node[name].as_f64().unwrap_or(0.0);
    let of_storage =
        nodes(plan).into_iter().filter(|node| node.get("Relation Name").is_some() || node.get("Index Name").is_some());
    of_storage
        .map(|node| {
            let thrown_away = number(node, "Rows Removed by Filter") + number(node, "Rows Removed by Index Recheck");
            (number(node, "Actual Rows") + thrown_away) * number(node, "Actual Loops")
        })
        .sum()
}
