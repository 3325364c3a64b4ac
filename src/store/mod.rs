//! All SQL is here. Reads are a statement and its arguments; a write is a value, a [`Batch`], that runs whole or
//! not at all: on SQLite in a savepoint of the group commit (own writer thread, WAL, `synchronous=FULL`), on
//! PostgreSQL as one joined statement, with others that wait and are alike. No other module opens a transaction, and none is held across an await.
//!
//! Owns: the two executors, the migrations, every statement, the compilation of `model::query` to bound SQL.
//! Refuses: knowing SCIM, deciding anything.

pub mod access_tokens;
pub mod audit;
pub mod batch;
pub mod clients;
pub mod codes;
pub mod conflicts;
pub mod connections;
pub mod consents;
mod dialect;
pub mod erasure;
pub mod events;
pub mod grants;
pub mod groups;
pub mod groups_read;
pub mod handles;
pub mod identities;
mod joint;
mod lanes;
pub mod leases;
pub mod links;
pub mod lists;
pub mod login_failures;
pub mod login_used;
pub mod logs;
mod look_up;
pub mod mapping_versions;
mod migrate;
pub mod organizations;
pub mod outbox;
pub mod people;
pub mod positions;
mod postgres;
pub mod provider_keys;
pub mod query_sql;
pub mod refresh_tokens;
pub mod retention;
pub mod run_changes;
pub mod runs;
pub mod saml_keys;
pub mod saml_metadata;
pub mod saml_sessions;
pub mod schema_extensions;
pub mod sessions;
mod sqlite;
pub mod statements;
pub mod sync_state;
pub mod tenants;
pub mod tokens;
pub mod traffic;
pub mod user_search;
pub mod users;
pub mod users_read;
pub mod value;
pub mod walks;
pub mod webhook_deliveries;
pub mod webhooks;
mod young;

pub use batch::{Batch, Keys, Write};
pub use dialect::{Backend, in_list, pad_list};
pub use migrate::SchemaState;
pub use value::{Row, Value};

use crate::clock::Clock;
use crate::secret::Secret;
use postgres::Postgres;
use sqlite::Sqlite;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the store did not do what it was asked. Absence is no error: look-ups return `Option`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique key is taken. Which one: one read after this.
    #[error("a unique key is taken")]
    Conflict,
    /// A row changed, or went, between the read and this write (also 40001, 40P01): read, decide, apply again.
    #[error("the row changed meanwhile")]
    Stale,
    /// Too much is waiting: the write queue is full or no connection came free in time. Ask again later.
    #[error("the store is busy: {what}")]
    Busy { what: &'static str },
    /// The database can't be reached or failed. Nothing is known to be stored.
    #[error("the database is unavailable: {reason}")]
    Unavailable { reason: String },
    /// A stored value is not what the schema says. Never the client's fault.
    #[error("corrupt: {what}")]
    Corrupt { what: &'static str },
    /// A statement the database refused for its text or types: a mistake of ours.
    #[error("statement refused: {reason}")]
    Statement { reason: String },
    /// The address or the schema does not suit this binary: for the operator, at start.
    #[error("{reason}")]
    Setup { reason: String },
}

impl Error {
    /// The same for another whose write went together with the one that failed: a mistake is nobody else's.
    fn repeated(&self) -> Self {
        match self {
            Self::Busy { what } => Self::Busy { what },
            Self::Unavailable { reason } => Self::Unavailable { reason: reason.clone() },
            other => Self::Unavailable { reason: other.to_string() },
        }
    }
}

/// Rows of arguments in one [`Store::look_up_each`].
pub const EACH_MAX: usize = 256;

/// What the store is about to ask the database.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    Read(&'a str, &'a [Value]),
    Apply(&'a Batch),
}

/// Who is told of every statement before it runs: tests that count what a request costs.
pub type Listener = Arc<dyn Fn(Asked<'_>) + Send + Sync>;

/// Where the database is and how much of it may be used at once.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite://PATH` or `postgres://…`. A secret: it may hold a password.
    pub url: Secret<String>,
    /// Connections to PostgreSQL.
    pub pool_size: u32,
    /// How long a caller waits for one of them before [`Error::Busy`].
    pub pool_wait_ms: u64,
    /// Writes (and reads) that may wait on SQLite before [`Error::Busy`].
    pub queue_max: usize,
    /// Threads that read from SQLite.
    pub sqlite_readers: usize,
    /// Keep prepared statements between calls. False only behind a pooler in transaction mode that does not track
    /// them (see [`postgres`]).
    pub statement_cache: bool,
    pub clock: Clock,
    pub listener: Option<Listener>,
}

impl StoreOptions {
    /// The defaults for `url`.
    pub fn new(url: Secret<String>) -> Self {
        Self {
            url,
            pool_size: 8,
            pool_wait_ms: 2_000,
            queue_max: 1_024,
            sqlite_readers: 2,
            statement_cache: true,
            clock: Clock::system(),
            listener: None,
        }
    }
}

/// The store. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    clock: Clock,
    listener: Option<Listener>,
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Store {
    /// Opens the database: makes the SQLite file if there is none, connects once to PostgreSQL. Applies no schema.
    ///
    /// # Errors
    /// [`Error::Setup`] for an address that is neither; [`Error::Unavailable`] if it can't be reached.
    pub async fn open(options: &StoreOptions) -> Result<Self, Error> {
        let engine = match backend_of(options.url.expose())? {
            Address::Postgres => Engine::Postgres(Postgres::open(options).await?),
            Address::Sqlite(path) => {
                let (readers, queue_max) = (options.sqlite_readers, options.queue_max);
                Engine::Sqlite(blocking(move || Sqlite::open(&path, readers, queue_max)).await?)
            }
        };
        Ok(Self { engine: Arc::new(engine), clock: options.clock.clone(), listener: options.listener.clone() })
    }

    pub fn backend(&self) -> Backend {
        match *self.engine {
            Engine::Sqlite(_) => Backend::Sqlite,
            Engine::Postgres(_) => Backend::Postgres,
        }
    }

    /// The rows of one fixed statement. It sees every write that was answered before.
    pub async fn read(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.select(Cow::Borrowed(sql), args).await
    }

    /// The rows of a built statement: fixed text around what [`query_sql`] compiled. It never holds a value.
    pub async fn read_built(&self, sql: String, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.select(Cow::Owned(sql), args).await
    }

    /// The rows of a fixed statement that an index ends in few rows, in whatever order it gives itself. On PostgreSQL those
    /// that wait go together.
    pub async fn look_up(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        debug_assert!(statements::is_look_up(sql), "not listed as a look-up: {sql}");
        self.ask(Cow::Borrowed(sql), args, true).await
    }

    /// The rows of a look-up for each of `asked`, in its order, in one round trip. An index is used for each, whatever
    /// PostgreSQL believes of the table. At most [`EACH_MAX`].
    pub async fn look_up_each(&self, sql: &'static str, asked: Vec<Vec<Value>>) -> Result<Vec<Vec<Row>>, Error> {
        debug_assert!(asked.len() <= EACH_MAX && statements::is_look_up(sql), "too many, or not listed as a look-up: {sql}");
        for args in &asked {
            self.note(sql, args)?;
        }
        match &*self.engine {
            _ if asked.is_empty() => Ok(Vec::new()),
            Engine::Sqlite(sqlite) => sqlite.read_each(sql, asked).await,
            Engine::Postgres(postgres) => postgres.read_each(sql, asked).await,
        }
    }

    /// [`Store::look_up`] of a built statement.
    pub async fn look_up_built(&self, sql: String, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.ask(Cow::Owned(sql), args, true).await
    }

    async fn select(&self, sql: Cow<'static, str>, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.ask(sql, args, false).await
    }

    async fn ask(&self, sql: Cow<'static, str>, args: Vec<Value>, together: bool) -> Result<Vec<Row>, Error> {
        self.note(&sql, &args)?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.read(sql, args).await,
            Engine::Postgres(postgres) if together => postgres.look_up(sql, args).await,
            Engine::Postgres(postgres) => postgres.read(sql, args).await,
        }
    }

    /// What no database may be handed is refused; else the listener hears of it.
    fn note(&self, sql: &str, args: &[Value]) -> Result<(), Error> {
        if args.iter().any(Value::holds_nul) {
            return Err(Error::Statement { reason: format!("text with U+0000: {sql}") });
        }
        if cfg!(debug_assertions) && dialect::arity(sql) != args.len() {
            return Err(Error::Statement { reason: format!("{} arguments do not suit: {sql}", args.len()) });
        }
        if let Some(listener) = &self.listener {
            listener(Asked::Read(sql, args));
        }
        Ok(())
    }

    /// Does all of the batch or nothing. Answered once it is safe on disk.
    ///
    /// # Errors
    /// [`Error::Conflict`], [`Error::Stale`]: read and decide again. [`Error::Busy`]: nothing was stored.
    /// [`Error::Unavailable`]: nothing is known to be stored.
    pub async fn apply(&self, batch: Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        batch.check()?;
        if let Some(listener) = &self.listener {
            listener(Asked::Apply(&batch));
        }
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.apply(batch).await,
            Engine::Postgres(postgres) => postgres.apply(batch).await,
        }
    }

    /// Brings the schema up to this binary's. Any number of processes may do so at once.
    ///
    /// # Errors
    /// [`Error::Setup`] for a schema that is newer, or was made by a different build.
    pub async fn migrate(&self) -> Result<(), Error> {
        let now = self.clock.now();
        match &*self.engine {
            Engine::Sqlite(_) => self.on_sqlite(move |sqlite| migrate::migrate_sqlite(sqlite, now)).await,
            Engine::Postgres(postgres) => migrate::migrate_postgres(postgres, now).await,
        }
    }

    /// Whether the schema is this binary's. Changes nothing.
    pub async fn schema_state(&self) -> Result<SchemaState, Error> {
        match &*self.engine {
            Engine::Sqlite(_) => self.on_sqlite(migrate::state_sqlite).await,
            Engine::Postgres(postgres) => migrate::state_postgres(postgres).await,
        }
    }

    /// Asks the database for an answer.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read("SELECT TRUE", Vec::new()).await?;
        if self.is_ready() { Ok(()) } else { Err(Error::Unavailable { reason: String::from("the store is closed") }) }
    }

    /// False once the store was closed or its writer died. Asks nobody.
    pub fn is_ready(&self) -> bool {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.is_ready(),
            Engine::Postgres(postgres) => !postgres.pool().is_closed(),
        }
    }

    /// How much waits: writes in the queue on SQLite, connections in use and writes in line for one on PostgreSQL.
    pub fn waiting(&self) -> usize {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.waiting(),
            Engine::Postgres(postgres) => postgres.waiting(),
        }
    }

    /// Finishes what was accepted, then lets go of files and connections.
    pub async fn close(&self) {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.pool().close().await,
        }
    }

    async fn on_sqlite<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Sqlite) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let engine = Arc::clone(&self.engine);
        blocking(move || match &*engine {
            Engine::Sqlite(sqlite) => work(sqlite),
            Engine::Postgres(_) => unreachable!("asked for on SQLite only"),
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Error::Unavailable { reason: String::from("the store's work was broken off") }))
}

enum Address {
    Sqlite(PathBuf),
    Postgres,
}

fn backend_of(url: &str) -> Result<Address, Error> {
    let setup = |reason: &str| Err(Error::Setup { reason: reason.to_owned() });
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Address::Postgres);
    }
    match url.strip_prefix("sqlite:") {
        Some(rest) if rest.contains(":memory:") => {
            setup("the store keeps no database in memory: give sqlite:// a file, for instance sqlite://rosterd.db")
        }
        Some(rest) => match rest.strip_prefix("//").unwrap_or(rest) {
            "" => setup("sqlite:// lacks the path of a file, for instance sqlite://rosterd.db"),
            path if path.contains('?') => setup("sqlite:// takes the path of a file and no parameters"),
            path => Ok(Address::Sqlite(PathBuf::from(path))),
        },
        None => setup("the database address has to begin with sqlite:// or postgres://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_suit_no_database_are_named() {
        let reason = |url| backend_of(url).err().expect("refused").to_string();
        assert!(reason("sqlite::memory:").contains("no database in memory"));
        assert!(reason("sqlite://").contains("lacks the path"));
        assert!(reason("sqlite://x.db?mode=rwc").contains("no parameters"));
        assert!(reason("mysql://x").contains("sqlite:// or postgres://"));
        assert!(matches!(backend_of("sqlite:///var/x.db"), Ok(Address::Sqlite(path)) if path.to_str() == Some("/var/x.db")));
        assert!(matches!(backend_of("sqlite://x.db"), Ok(Address::Sqlite(path)) if path.to_str() == Some("x.db")));
    }
}
