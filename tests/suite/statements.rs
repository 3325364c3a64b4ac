//! Every fixed statement of the store is prepared on both databases. PostgreSQL is the type checker: it names the
//! parameter's types, which then have to be the ones that are bound.

use crate::support::stores::TestStore;
use rosterd::store::{Batch, Value, statements};
#[expect(clippy::disallowed_types, reason = "the statements under test")]
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Either, Executor, SqlSafeStr, Statement, TypeInfo};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Types that a [`rosterd::store::Value`] can be bound as or read from.
const TYPES: [&str; 4] = ["TEXT", "INT8", "BOOL", "BYTEA"];

#[tokio::test]
async fn every_statement_prepares_on_postgres_with_types_we_bind() {
    let test = TestStore::postgres().await;
    let mut connection = PgConnectOptions::from_str(test.options.url.expose()).unwrap().connect().await.unwrap();
    let mut faults = Vec::new();
    for (name, sql) in statements::all() {
        match (&mut connection).prepare(sql.into_sql_str()).await {
            Err(error) => faults.push(format!("{name}: {error}\n  {sql}")),
            Ok(prepared) => {
                let parameters = match prepared.parameters() {
                    Some(Either::Left(types)) => types.to_vec(),
                    _ => Vec::new(),
                };
                for (n, kind) in parameters.iter().enumerate().filter(|(_, kind)| !TYPES.contains(&kind.name())) {
                    faults.push(format!("{name}: ${} is {}\n  {sql}", n + 1, kind.name()));
                }
                for column in prepared.columns() {
                    let kind = sqlx::Column::type_info(column).name();
                    if !TYPES.contains(&kind) {
                        faults.push(format!("{name}: column {} is {kind}\n  {sql}", sqlx::Column::name(column)));
                    }
                }
                if parameters.len() != highest_parameter(sql) {
                    faults.push(format!("{name}: a number is left out between $1 and the last\n  {sql}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// As part of a batch, once and for each row. A text that can't run for each row is refused when the batch is made.
#[tokio::test]
async fn every_write_prepares_on_postgres_as_it_is_joined() {
    let test = TestStore::postgres().await;
    let mut connection = PgConnectOptions::from_str(test.options.url.expose()).unwrap().connect().await.unwrap();
    let (mut faults, mut prepared_count) = (Vec::new(), 0);
    for (name, sql) in statements::all().into_iter().filter(|(_, sql)| !sql.starts_with("SELECT") && !sql.starts_with("WITH")) {
        let prepared = (&mut connection).prepare(sql.into_sql_str()).await.expect("prepared elsewhere");
        let Some(Either::Left(types)) = prepared.parameters() else { panic!("{name}: no types") };
        let row: Vec<Value> = types.iter().map(|kind| null(kind.name())).collect();
        let mut once = Batch::default();
        once.one(sql, row.clone());
        let mut each = Batch::default();
        each.each_one(sql, vec![row]);
        for text in [statements::joined(&once), statements::joined(&each)].into_iter().flatten().flatten() {
            prepared_count += 1;
            if let Err(error) = (&mut connection).prepare(AssertSqlSafe(text.clone()).into_sql_str()).await {
                faults.push(format!("{name}: {error}\n  {text}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(prepared_count > 0);
}

/// As it is asked for several at once.
#[tokio::test]
async fn every_look_up_prepares_on_postgres_as_it_goes_together() {
    let test = TestStore::postgres().await;
    let mut connection = PgConnectOptions::from_str(test.options.url.expose()).unwrap().connect().await.unwrap();
    let look_ups = statements::look_ups();
    assert!(look_ups.len() >= 10, "{look_ups:?}");
    for (name, sql) in look_ups {
        let prepared = (&mut connection).prepare(sql.into_sql_str()).await.expect("prepared elsewhere");
        let Some(Either::Left(types)) = prepared.parameters() else { panic!("{name}: no types") };
        let row: Vec<Value> = types.iter().map(|kind| null(kind.name())).collect();
        let text = statements::looked_up(sql, &row);
        let alone = prepared.columns().len();
        let together = (&mut connection).prepare(AssertSqlSafe(text.clone()).into_sql_str()).await;
        let together = together.unwrap_or_else(|error| panic!("{name}: {error}\n  {text}"));
        assert_eq!(together.columns().len(), alone + 1, "{name}: the number of who asked, and its row");
    }
}

fn null(kind: &str) -> Value {
    match kind {
        "TEXT" => Value::Text(None),
        "INT8" => Value::Int(None),
        "BOOL" => Value::Bool(None),
        "BYTEA" => Value::Bytes(None),
        other => panic!("a parameter of type {other}"),
    }
}

#[tokio::test]
async fn every_statement_prepares_on_sqlite_with_its_arity() {
    let test = TestStore::sqlite().await;
    let connection = rusqlite::Connection::open(test.folder.path().join("roster.db")).unwrap();
    let mut faults = Vec::new();
    for (name, sql) in statements::all() {
        match connection.prepare(&sql.replace('$', "?")) {
            Err(error) => faults.push(format!("{name}: {error}\n  {sql}")),
            Ok(statement) if statement.parameter_count() != highest_parameter(sql) => {
                faults.push(format!("{name}: {} parameters\n  {sql}", statement.parameter_count()));
            }
            Ok(_) => {}
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_statement_says_what_the_two_databases_read_differently() {
    // Each with what to write in its place.
    let shunned = [
        ("RETURNING", "a batch counts rows itself"),
        ("lower(", "the application folds"),
        ("upper(", "the application folds"),
        ("CURRENT_TIMESTAMP", "time is a parameter"),
        ("now()", "time is a parameter"),
        ("FOR UPDATE", "compare the version"),
        ("ILIKE", "compare folded keys"),
        ("::", "CAST(… AS BIGINT)"),
        (" = 1", "bare booleans, bound numbers"),
        ("/ ", "no division: 22012 is ours"),
    ];
    for (name, sql) in statements::all() {
        for (text, instead) in shunned {
            assert!(!sql.contains(text), "{name} says {text}: {instead}\n  {sql}");
        }
    }
}

/// Tenant first (ARCHITECTURE.md, invariant 4): what is read, changed or removed is of the tenant that is named.
#[test]
fn every_statement_names_the_tenant() {
    // Those that find the tenant, and those that work for all of them.
    let without = [
        "tenants::ANY_TENANT",
        "tenants::FIND_TENANT_BY_HOST",
        "tenants::LIST_TENANTS",
        "connections::FIND_CONNECTION_ANYWHERE",
        "tokens::FIND_TOKEN_BY_HASH",
        "sessions::FIND_SESSION_BY_HASH",
        "positions::WAITING_LOG",
        "positions::WAITING_OUTBOX",
        "webhooks::WEBHOOKS_AT_WORK",
        "webhooks::WEBHOOK_LAG",
    ];
    let mut nameless = Vec::new();
    for (name, sql) in statements::all() {
        let creates = sql.split_once(" (tenant_id, ").is_some_and(|(before, after)| {
            before.starts_with("INSERT INTO") && (after.contains("VALUES ($1, ") || after.contains("SELECT $1, "))
        });
        if !creates && !sql.contains("tenant_id = $1") {
            nameless.push(name.strip_prefix("rosterd::store::").unwrap_or(name));
        }
    }
    nameless.sort_unstable();
    let mut without = without;
    without.sort_unstable();
    assert_eq!(nameless, without);
}

#[test]
fn names_and_texts_of_statements_are_unique() {
    let (mut names, mut texts) = (BTreeMap::new(), BTreeMap::new());
    for (name, sql) in statements::all() {
        assert_eq!(names.insert(name, sql), None, "{name} names two statements");
        assert_eq!(texts.insert(sql, name), None, "{name} says what another says");
    }
}

fn highest_parameter(sql: &str) -> usize {
    let numbers = sql.split('$').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse::<usize>().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}
