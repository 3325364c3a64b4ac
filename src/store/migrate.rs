//! The schema's steps: one folder for both databases, applied once, in order, by whoever comes first.
//!
//! Owns: the list of steps, the table of what was applied, the locking of concurrent starters. Refuses: a step whose
//! text has changed since, and a schema that is newer than this binary.

use super::Error;
use super::dialect::{self, Backend};
use super::postgres::Postgres;
use super::sqlite::{self, Sqlite};
use crate::clock::Micros;
use rusqlite::TransactionBehavior;
use sha2::{Digest, Sha256};
#[expect(clippy::disallowed_types, reason = "the embedded migrations, tokens replaced")]
use sqlx::AssertSqlSafe;
use sqlx::Row as _;
use std::time::Duration;

/// One file of `migrations/`. A file is never changed once it was released.
struct Migration {
    version: i64,
    name: &'static str,
    text: &'static str,
}

macro_rules! migrations {
    ($($version:literal $file:literal),+ $(,)?) => {
        &[$(Migration { version: $version, name: $file, text: include_str!(concat!("../../migrations/", $file)) }),+]
    };
}

const MIGRATIONS: &[Migration] = migrations![1 "0001_roster.sql"];

/// `version` 0 is no step: it is the row that starters on PostgreSQL lock.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT NOT NULL PRIMARY KEY,
    checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)";
const APPLIED: &str = "SELECT version, checksum FROM schema_migrations WHERE version > 0 ORDER BY version";
const INSERT: &str = "INSERT INTO schema_migrations (version, checksum, applied_at) VALUES ($1, $2, $3)";

/// How often a starter that lost a race on PostgreSQL tries again, and how long it waits at most between two tries.
const TRIES_MAX: u32 = 12;
const TRY_WAIT_MS: u64 = 250;

/// How the schema stands to this binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    Current,
    /// So many steps are to be applied.
    Pending(usize),
    /// It can't be used; the sentence says why.
    Unusable(String),
}

/// A step as one database gets it.
struct Step {
    version: i64,
    name: &'static str,
    text: String,
    checksum: String,
}

fn steps(backend: Backend) -> Vec<Step> {
    let step = |migration: &Migration| {
        let text = dialect::migration(migration.text, backend)?;
        let checksum = Sha256::digest(&text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        Some(Step { version: migration.version, name: migration.name, text, checksum })
    };
    MIGRATIONS.iter().filter_map(step).collect()
}

/// The steps that are missing, or why the schema can't be used.
fn missing(steps: Vec<Step>, applied: &[(i64, String)]) -> Result<Vec<Step>, String> {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    if let Some((version, _)) = applied.iter().find(|(version, _)| *version > newest) {
        return Err(format!(
            "the database is newer than this binary: it has schema {version}, this binary knows {newest}. \
             Start the newer binary, or restore the backup from before the upgrade"
        ));
    }
    let mut missing = Vec::new();
    for step in steps {
        match applied.iter().find(|(version, _)| *version == step.version) {
            Some((_, checksum)) if *checksum != step.checksum => {
                return Err(format!(
                    "schema step {} was applied with another text than this binary carries: the database was made by \
                     a different build",
                    step.name
                ));
            }
            Some(_) => {}
            None => missing.push(step),
        }
    }
    Ok(missing)
}

fn state(steps: Vec<Step>, applied: &[(i64, String)]) -> SchemaState {
    match missing(steps, applied) {
        Ok(missing) if missing.is_empty() => SchemaState::Current,
        Ok(missing) => SchemaState::Pending(missing.len()),
        Err(why) => SchemaState::Unusable(why),
    }
}

fn unusable(reason: String) -> Error {
    Error::Setup { reason }
}

fn failed(step: &Step, error: Error) -> Error {
    match error {
        Error::Statement { reason } => Error::Statement { reason: format!("schema step {}: {reason}", step.name) },
        other => other,
    }
}

// --- SQLite -----------------------------------------------------------------------------------------------------

/// BEGIN IMMEDIATE is the lock: whoever comes second waits, then finds nothing to do. Blocks on the disk.
pub(super) fn migrate_sqlite(sqlite: &Sqlite, now: Micros) -> Result<(), Error> {
    let mut connection = sqlite.connect()?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite::refused)?;
    transaction.execute_batch(TABLE).map_err(sqlite::refused)?;
    let applied = applied_sqlite(&transaction)?;
    for step in missing(steps(Backend::Sqlite), &applied).map_err(unusable)? {
        transaction.execute_batch(&step.text).map_err(|error| failed(&step, sqlite::refused(error)))?;
        transaction.execute(&dialect::numbered(INSERT), (step.version, &step.checksum, now)).map_err(sqlite::refused)?;
    }
    transaction.commit().map_err(sqlite::refused)
}

/// Blocks on the disk.
pub(super) fn state_sqlite(sqlite: &Sqlite) -> Result<SchemaState, Error> {
    let connection = sqlite.connect()?;
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'";
    let exists = connection.query_row(table, [], |row| row.get::<_, i64>(0)).map_err(sqlite::refused)? > 0;
    let applied = if exists { applied_sqlite(&connection)? } else { Vec::new() };
    Ok(state(steps(Backend::Sqlite), &applied))
}

fn applied_sqlite(connection: &rusqlite::Connection) -> Result<Vec<(i64, String)>, Error> {
    let mut statement = connection.prepare(APPLIED).map_err(sqlite::refused)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(sqlite::refused)?;
    rows.collect::<Result<_, _>>().map_err(sqlite::refused)
}

// --- PostgreSQL -------------------------------------------------------------------------------------------------

/// Starters lock one row in turn. Advisory locks would bind us to a session, and some engines lack them. What still
/// collides (two making the table at once, a serialisation failure) goes round again.
pub(super) async fn migrate_postgres(postgres: &Postgres, now: Micros) -> Result<(), Error> {
    let mut attempt = 0;
    loop {
        match try_migrate_postgres(postgres, now).await {
            Err(Error::Conflict | Error::Stale) if attempt < TRIES_MAX => {
                attempt += 1;
                let most = (5_u64 << attempt.min(6)).min(TRY_WAIT_MS);
                tokio::time::sleep(Duration::from_millis(rand::random_range(1..=most))).await;
            }
            other => return other,
        }
    }
}

async fn try_migrate_postgres(postgres: &Postgres, now: Micros) -> Result<(), Error> {
    sqlx::raw_sql(TABLE).execute(postgres.pool()).await.map_err(raced)?;
    let lock_row = "INSERT INTO schema_migrations (version, checksum, applied_at) VALUES (0, '', 0) ON CONFLICT DO NOTHING";
    sqlx::raw_sql(lock_row).execute(postgres.pool()).await?;
    let mut transaction = postgres.pool().begin().await?;
    sqlx::raw_sql("UPDATE schema_migrations SET applied_at = 0 WHERE version = 0").execute(&mut *transaction).await?;
    let applied = sqlx::raw_sql(APPLIED).fetch_all(&mut *transaction).await?;
    let applied = applied_postgres(&applied)?;
    for step in missing(steps(Backend::Postgres), &applied).map_err(unusable)? {
        let Step { version, checksum, .. } = &step;
        let run = sqlx::raw_sql(AssertSqlSafe(step.text.as_str())).execute(&mut *transaction).await;
        run.map_err(|error| failed(&step, raced(error)))?;
        let insert = sqlx::query(INSERT).persistent(false).bind(version).bind(checksum).bind(now);
        insert.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn state_postgres(postgres: &Postgres) -> Result<SchemaState, Error> {
    let applied = match sqlx::raw_sql(APPLIED).fetch_all(postgres.pool()).await {
        Ok(rows) => applied_postgres(&rows)?,
        // No such table: nothing was applied yet.
        Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some("42P01") => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(state(steps(Backend::Postgres), &applied))
}

fn applied_postgres(rows: &[sqlx::postgres::PgRow]) -> Result<Vec<(i64, String)>, Error> {
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Two that make one thing at once: "already exists" (42P07, 42710) and "tuple concurrently updated" mean go round.
fn raced(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|refusal| refusal.code().map(std::borrow::Cow::into_owned));
    match code.as_deref() {
        Some("42P07" | "42710") => Error::Stale,
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_list_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        assert_eq!(files, MIGRATIONS.iter().map(|migration| migration.name).collect::<Vec<_>>());
        for (migration, version) in MIGRATIONS.iter().zip(1..) {
            assert_eq!(migration.version, version);
            assert!(migration.name.starts_with(&format!("{version:04}_")), "{}", migration.name);
        }
    }

    #[test]
    fn what_was_applied_decides() {
        let checksum = |backend| steps(backend)[0].checksum.clone();
        let state = |applied: &[(i64, String)]| state(steps(Backend::Sqlite), applied);
        assert_eq!(state(&[]), SchemaState::Pending(MIGRATIONS.len()));
        let all: Vec<_> = steps(Backend::Sqlite).into_iter().map(|step| (step.version, step.checksum)).collect();
        assert_eq!(state(&all), SchemaState::Current);
        assert_ne!(checksum(Backend::Sqlite), checksum(Backend::Postgres), "the rendered text is what counts");
    }

    #[test]
    fn a_newer_schema_and_a_changed_step_are_named() {
        let state = |applied: &[(i64, String)]| match state(steps(Backend::Sqlite), applied) {
            SchemaState::Unusable(why) => why,
            other => panic!("{other:?}"),
        };
        assert!(state(&[(999, String::new())]).contains("newer than this binary: it has schema 999"));
        assert!(state(&[(1, String::from("00"))]).contains("0001_roster.sql was applied with another text"));
    }
}
