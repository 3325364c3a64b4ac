//! PostgreSQL, and engines that speak its protocol: a pool, reads as they are, a batch as one joined statement; batches and
//! look-ups alone or with others that wait ([`super::lanes`]) and are alike ([`super::joint`], [`super::look_up`]).
//!
//! Owns: the pool, binding, the joined texts it has made, what a refusal means. Refuses: transactions across calls,
//! session state, advisory locks.
//!
//! **Poolers.** A session-level pooler needs nothing. One in transaction mode hands each transaction to another
//! session, so a statement prepared in one is not there in the next. PgBouncer from 1.21 on tracks prepared statements
//! itself (`max_prepared_statements` above 0): nothing to set. For others set `statement_cache = false`: every read
//! and every batch is then prepared and run within one short transaction of its own, at the price of three more round
//! trips. No start-up parameter is sent that such a pooler does not know.

use super::batch::{Batch, Write};
use super::joint::{self, Form, Part, Shape};
use super::lanes::{self, Answer, Ended, Lane, Lanes};
use super::look_up::{self, LookUp};
use super::young::{self, Young};
use super::{Error, Row, StoreOptions, Value, dialect};
#[expect(clippy::disallowed_types, reason = "texts that dialect and query_sql built; every value is bound")]
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{Arguments, Column, Connection as _, Row as _, SqlSafeStr, SqlStr, TypeInfo};
use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// Prepared statements kept by each connection.
const STATEMENTS_MAX: usize = 256;
/// Joined texts kept; the plans make few lists of statements.
const JOINED_MAX: usize = 1_024;
/// How often a lane steps back before it looks who is in line.
const GATHERING: usize = 4;
/// How often a read is asked in all; the pauses double from 1 ms.
const READS_MAX: usize = 7;
/// A connection that rested longer is asked whether it still lives before it is used.
const IDLE_TRUST: Duration = Duration::from_secs(1);

pub(super) struct Postgres {
    session: Arc<Session>,
    rules: joint::Rules,
    writes: Lanes<joint::Waiting>,
    look_ups: Lanes<LookUp>,
    /// The longest anybody waits for a place.
    patience: Duration,
}

/// What a statement is run with; a lane outlives the call that opened it.
struct Session {
    pool: PgPool,
    statement_cache: bool,
    joined: RwLock<HashMap<Shape, Arc<str>>>,
    /// By the text for one.
    looked_up: RwLock<HashMap<Cow<'static, str>, Arc<str>>>,
    young: Young,
}

impl Postgres {
    /// Connects once, so that a wrong address is known at start.
    pub(super) async fn open(options: &StoreOptions) -> Result<Self, Error> {
        let connect = PgConnectOptions::from_str(options.url.expose())
            // The parser's own message may hold parts of the address, and so the password.
            .map_err(|_| Error::Setup { reason: String::from("the database address is no valid postgres:// address") })?
            .application_name("rosterd")
            .statement_cache_capacity(STATEMENTS_MAX)
            .extra_float_digits(None);
        let pool = PgPoolOptions::new()
            .max_connections(options.pool_size.max(1))
            .acquire_timeout(Duration::from_millis(options.pool_wait_ms))
            .test_before_acquire(false)
            .before_acquire(|connection, rested| {
                Box::pin(async move {
                    if rested.idle_for < IDLE_TRUST {
                        return Ok(true);
                    }
                    Ok(connection.ping().await.is_ok())
                })
            })
            .connect_lazy_with(connect);
        let session = Session {
            pool,
            statement_cache: options.statement_cache,
            joined: RwLock::default(),
            looked_up: RwLock::default(),
            young: Young::default(),
        };
        let postgres = Self {
            session: Arc::new(session),
            rules: joint::Rules::default(),
            writes: Lanes::default(),
            look_ups: Lanes::default(),
            patience: Duration::from_millis(options.pool_wait_ms),
        };
        postgres.read(Cow::Borrowed("SELECT TRUE"), Vec::new()).await?;
        Ok(postgres)
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.session.pool
    }

    pub(super) async fn read(&self, sql: Cow<'static, str>, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        Box::pin(self.session.read(sql, &args)).await
    }

    /// The same for what ends in few rows at once: alone or with others that wait.
    pub(super) async fn look_up(&self, sql: Cow<'static, str>, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        let (ticket, lane) = self.look_ups.push(LookUp { sql, args });
        if let Some(lane) = lane {
            tokio::spawn(answer_look_ups(Arc::clone(&self.session), lane));
        }
        match ticket.outcome(lanes::STANDSTILL_MAX, self.patience).await {
            Ended::Answered(outcome) => outcome,
            // Apart from the rest: it is rare, and large, and would make every request as large as itself.
            Ended::Left(LookUp { sql, args }) => Box::pin(self.session.read(sql, &args)).await,
        }
    }

    /// The rows for each of `asked`, in its order.
    pub(super) async fn read_each(&self, sql: &'static str, asked: Vec<Vec<Value>>) -> Result<Vec<Vec<Row>>, Error> {
        let asked: Vec<LookUp> = asked.into_iter().map(|args| LookUp { sql: Cow::Borrowed(sql), args }).collect();
        Box::pin(self.session.look_up_together(&asked)).await
    }

    /// One round trip, alone or with others that wait. A caller that goes away while it waits has asked for nothing;
    /// later it is left to the database, which either commits it or not.
    pub(super) async fn apply(&self, batch: Batch) -> Result<(), Error> {
        let Some(kind) = self.rules.kind(&batch.0) else { return Box::pin(self.run_alone(batch)).await };
        let (ticket, lane) = self.writes.push(joint::Waiting { kind, batch });
        if let Some(lane) = lane {
            tokio::spawn(empty_the_line(Arc::clone(&self.session), lane));
        }
        match ticket.outcome(lanes::STANDSTILL_MAX, self.patience).await {
            Ended::Answered(outcome) => outcome,
            Ended::Left(joint::Waiting { batch, .. }) => Box::pin(self.run_alone(batch)).await,
        }
    }

    async fn run_alone(&self, batch: Batch) -> Result<(), Error> {
        self.session.run(&joint::alone(&batch.0)).await
    }

    /// Connections in use, and what stands in line for one.
    pub(super) fn waiting(&self) -> usize {
        let pool = &self.session.pool;
        (pool.size() as usize).saturating_sub(pool.num_idle()) + self.writes.waiting() + self.look_ups.waiting()
    }
}

/// Lets what is ready to run come first, so that requests that arrived together are in line together. On an idle machine
/// nothing is ready, and it costs microseconds. Measured: without it a statement held 2.8 look-ups, with it 6 to 7.
async fn gather() {
    for _ in 0..GATHERING {
        tokio::task::yield_now().await;
    }
}

async fn empty_the_line(session: Arc<Session>, mut lane: Lane<joint::Waiting>) {
    loop {
        gather().await;
        let Some(group) = lane.next() else { return };
        session.run_group(group).await;
    }
}

async fn answer_look_ups(session: Arc<Session>, mut lane: Lane<LookUp>) {
    loop {
        gather().await;
        let Some(group) = lane.next() else { return };
        session.look_up_group(group).await;
    }
}

impl Session {
    /// A read that another transaction got in the way of (40001, 40P01) is asked again: it changed nothing, and no
    /// caller has to know of it. A write goes back to whoever decided it.
    async fn fetch_again(&self, sql: SqlStr, bind: impl Fn() -> Result<PgArguments, Error>) -> Result<Vec<PgRow>, Error> {
        let mut pause = Duration::from_millis(1);
        for _ in 1..READS_MAX {
            match self.fetch(sql.clone(), bind()?).await {
                Err(Error::Stale) => tokio::time::sleep(pause).await,
                answered => return answered,
            }
            pause *= 2;
        }
        self.fetch(sql, bind()?).await
    }

    async fn read(&self, sql: Cow<'static, str>, args: &[Value]) -> Result<Vec<Row>, Error> {
        self.fetch_again(AssertSqlSafe(sql).into_sql_str(), || bind(args)).await?.iter().map(from_postgres).collect()
    }

    /// All in one statement. If that is refused each is asked alone, so that a refusal meets only whoever earned it.
    async fn look_up_group(&self, group: Vec<(LookUp, Answer<LookUp>)>) {
        if group.len() > 1 {
            let (asked, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            match self.look_up_together(&asked).await {
                Ok(found) => answers.into_iter().zip(found).for_each(|(answer, rows)| drop(answer.send(Ok(rows)))),
                Err(_) => {
                    for (LookUp { sql, args }, answer) in asked.into_iter().zip(answers) {
                        // Its caller may have gone meanwhile.
                        if !answer.is_closed() {
                            drop(answer.send(self.read(sql, &args).await));
                        }
                    }
                }
            }
            return;
        }
        for (LookUp { sql, args }, answer) in group {
            drop(answer.send(self.read(sql, &args).await));
        }
    }

    async fn look_up_together(&self, asked: &[LookUp]) -> Result<Vec<Vec<Row>>, Error> {
        let text = AssertSqlSafe(self.look_up_text(&asked[0])).into_sql_str();
        let rows: Vec<Cow<'_, [Value]>> = asked.iter().map(|one| Cow::Borrowed(one.args.as_slice())).collect();
        let bind = || {
            let mut arguments = PgArguments::default();
            bind_columns(&mut arguments, &rows)?;
            bind_numbers(&mut arguments, rows.len())?;
            Ok(arguments)
        };
        look_up::dealt_out(asked.len(), self.fetch_again(text, bind).await?.iter().map(from_postgres))
    }

    /// All in one statement. If that is refused, nothing of it was stored, and the halves are tried apart, so that in the
    /// end a refusal meets only whoever earned it. A database that is away is away for all.
    async fn run_group(&self, group: Vec<(joint::Waiting, Answer<joint::Waiting>)>) {
        let mut apart = vec![group];
        while let Some(mut group) = apart.pop() {
            let batches: Vec<&[Write]> = group.iter().map(|(waiting, _)| waiting.batch.0.as_slice()).collect();
            let parts = if let [batch] = batches[..] { joint::alone(batch) } else { joint::together(&batches) };
            match self.run(&parts).await {
                Err(Error::Conflict | Error::Stale | Error::Statement { .. } | Error::Corrupt { .. }) if group.len() > 1 => {
                    drop(parts);
                    let half = group.split_off(group.len() / 2);
                    apart.extend([half, group]);
                }
                outcome => {
                    drop(parts);
                    answer_all(group, outcome);
                }
            }
        }
    }

    async fn run(&self, parts: &[Part<'_>]) -> Result<(), Error> {
        let text = self.text(parts)?;
        let arguments = bind_parts(parts)?;
        self.fetch(AssertSqlSafe(text), arguments).await?;
        for table in self.young.grown(parts.iter().map(|part| (part.sql, part.rows.len()))) {
            let pool = self.pool.clone();
            tokio::spawn(async move {
                if let Err(error) = young::refresh(&pool, table).await {
                    tracing::warn!(%error, table, "the statistics of a young table were not refreshed");
                }
            });
        }
        Ok(())
    }

    async fn fetch(&self, sql: impl SqlSafeStr, arguments: PgArguments) -> Result<Vec<PgRow>, Error> {
        let query = sqlx::query_with(sql, arguments).persistent(self.statement_cache);
        if self.statement_cache {
            return query.fetch_all(&self.pool).await.map_err(|error| self.refused(error));
        }
        let work = async {
            let mut transaction = self.pool.begin().await?;
            let rows = query.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(rows)
        };
        work.await.map_err(|error| self.refused(error))
    }

    fn text(&self, parts: &[Part]) -> Result<Arc<str>, Error> {
        let shape = joint::shape(parts);
        if let Some(text) = self.joined.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&shape) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = dialect::joined(parts)?.into();
        let mut joined = self.joined.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if joined.len() >= JOINED_MAX {
            joined.clear();
        }
        joined.insert(shape, Arc::clone(&text));
        Ok(text)
    }

    fn look_up_text(&self, asked: &LookUp) -> Arc<str> {
        if let Some(text) = self.looked_up.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&*asked.sql) {
            return Arc::clone(text);
        }
        let text: Arc<str> = dialect::looked_up(&asked.sql, &asked.args).into();
        let mut looked_up = self.looked_up.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if looked_up.len() >= JOINED_MAX {
            looked_up.clear();
        }
        looked_up.insert(asked.sql.clone(), Arc::clone(&text));
        text
    }

    fn refused(&self, error: sqlx::Error) -> Error {
        match error {
            // The pool tries to connect for as long as a caller waits: with places free, it could not.
            sqlx::Error::PoolTimedOut if self.pool.size() < self.pool.options().get_max_connections() => {
                Error::Unavailable { reason: String::from("no connection could be made in time") }
            }
            error => refused(error),
        }
    }
}

/// Nobody listening is fine: what is stored is stored all the same.
fn answer_all(mut group: Vec<(joint::Waiting, Answer<joint::Waiting>)>, outcome: Result<(), Error>) {
    let last = group.pop();
    for (_, answer) in group {
        let _ = answer.send(outcome.as_ref().map_err(Error::repeated).copied());
    }
    if let Some((_, answer)) = last {
        let _ = answer.send(outcome);
    }
}

fn bind(args: &[Value]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    arguments.reserve(args.len(), args.len() * 24);
    args.iter().try_for_each(|value| bind_value(&mut arguments, value))?;
    Ok(arguments)
}

/// In the order [`dialect::joined`] numbers them.
fn bind_parts(parts: &[Part]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for Part { rows, form, must, .. } in parts {
        if *form == Form::Once {
            rows[0].iter().try_for_each(|value| bind_value(&mut arguments, value))?;
            continue;
        }
        bind_columns(&mut arguments, rows)?;
        if *form == Form::Few {
            bind_numbers(&mut arguments, rows.len())?;
        }
        if let Some(must) = must {
            bind_value(&mut arguments, &Value::Int(i64::try_from(*must).ok()))?;
        }
    }
    Ok(arguments)
}

fn bind_value(arguments: &mut PgArguments, value: &Value) -> Result<(), Error> {
    let added = match value {
        Value::Text(text) => arguments.add(text.as_deref()),
        Value::Int(int) => arguments.add(*int),
        Value::Bool(bool) => arguments.add(*bool),
        Value::Bytes(bytes) => arguments.add(bytes.as_deref()),
    };
    added.map_err(|error| Error::Statement { reason: error.to_string() })
}

fn bind_columns(arguments: &mut PgArguments, rows: &[Cow<'_, [Value]>]) -> Result<(), Error> {
    (0..rows[0].len()).try_for_each(|column| bind_column(arguments, rows, column))
}

/// The numbers of so many rows.
fn bind_numbers(arguments: &mut PgArguments, rows: usize) -> Result<(), Error> {
    let numbers: Vec<i32> = (1..).take(rows).collect();
    arguments.add(numbers).map_err(|error| Error::Statement { reason: error.to_string() })
}

/// One array of a column's values.
fn bind_column(arguments: &mut PgArguments, rows: &[Cow<'_, [Value]>], column: usize) -> Result<(), Error> {
    macro_rules! array {
        ($kind:ident, $value:ident => $to:expr) => {{
            let values: Option<Vec<_>> = rows
                .iter()
                .map(|row| match row.get(column) {
                    Some(Value::$kind($value)) => Some($to),
                    _ => None,
                })
                .collect();
            let values = values.ok_or_else(|| Error::Statement { reason: String::from("rows of unlike types") })?;
            arguments.add(values)
        }};
    }
    let added = match &rows[0][column] {
        Value::Text(_) => array!(Text, value => value.as_deref()),
        Value::Int(_) => array!(Int, value => *value),
        Value::Bool(_) => array!(Bool, value => *value),
        Value::Bytes(_) => array!(Bytes, value => value.as_deref()),
    };
    added.map_err(|error| Error::Statement { reason: error.to_string() })
}

fn from_postgres(row: &PgRow) -> Result<Row, Error> {
    let values = row.columns().iter().enumerate().map(|(at, column)| {
        Ok(match column.type_info().name() {
            "TEXT" | "VARCHAR" | "NAME" => Value::Text(row.try_get(at)?),
            "INT8" => Value::Int(row.try_get(at)?),
            "INT4" => Value::Int(row.try_get::<Option<i32>, _>(at)?.map(i64::from)),
            "BOOL" => Value::Bool(row.try_get(at)?),
            "BYTEA" => Value::Bytes(row.try_get(at)?),
            // SQLite would have answered, so this has to be loud.
            other => return Err(Error::Statement { reason: format!("column {at} is {other}: cast it") }),
        })
    });
    Ok(Row(values.collect::<Result<_, Error>>()?))
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        refused(error)
    }
}

/// What a refusal of PostgreSQL, or of the way to it, means to a caller.
pub(super) fn refused(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::PoolTimedOut => Error::Busy { what: "no connection came free in time" },
        sqlx::Error::Database(refusal) => by_code(refusal.code().as_deref().unwrap_or(""), &error),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Error::Unavailable { reason: error.to_string() },
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Error::Corrupt { what: "a column holds what its type does not allow" }
        }
        _ => Error::Statement { reason: error.to_string() },
    }
}

fn by_code(code: &str, error: &sqlx::Error) -> Error {
    let reason = || error.to_string();
    match code {
        "23505" => Error::Conflict,
        // 22012: our own check of `must`. 23503: a row this one points to went meanwhile. 40001, 40P01: another
        // transaction was first.
        "22012" | "23503" | "40001" | "40P01" => Error::Stale,
        "53300" => Error::Busy { what: "the database has no connection left" },
        "55P03" | "57014" => Error::Busy { what: "the database gave up waiting" },
        // Failover to a server that does not write yet, a full disk, a stop, a lost connection, a refused log-in. 40003: it
        // may have been stored, so it is not run again.
        "25006" | "3D000" | "40003" => Error::Unavailable { reason: reason() },
        _ if ["08", "28", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class)) => {
            Error::Unavailable { reason: reason() }
        }
        _ => Error::Statement { reason: reason() },
    }
}
