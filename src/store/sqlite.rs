//! SQLite: one thread that writes, a few that read.
//!
//! Owns: the writer thread with its group commit (whatever waits is written in one transaction, a savepoint each, so
//! one flush to disk serves them all), the reader threads, their statement caches and bounded queues.
//! Refuses: waiting for more work before a commit (the flush itself collects the next group), answering before the
//! commit, running anything but values.

use super::{Batch, Error, Row, Value, dialect};
use rusqlite::config::DbConfig;
use rusqlite::ffi;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use std::borrow::Cow;
use std::collections::HashMap;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Most batches in one transaction. More adds latency, not throughput (measured).
const GROUP_MAX: usize = 64;
/// Prepared statements kept by each connection.
const STATEMENTS_MAX: usize = 256;
/// Rewritten texts kept by each connection; filters make new ones, but few shapes.
const TEXTS_MAX: usize = 1_024;
/// How long another process may hold the file before a write is given up as busy.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// Page cache of each connection, in KiB.
const CACHE_KIB: i64 = 8 * 1024;
/// The write-ahead log is cut back to this many bytes after a checkpoint.
const WAL_BYTES: i64 = 64 * 1024 * 1024;

type Answer<T> = oneshot::Sender<Result<T, Error>>;

enum Job {
    Apply { batch: Batch, answer: Answer<()> },
    Close,
}

enum Query {
    Read {
        sql: Cow<'static, str>,
        args: Vec<Value>,
        answer: Answer<Vec<Row>>,
    },
    /// The same statement for each row of arguments.
    Each {
        sql: &'static str,
        asked: Vec<Vec<Value>>,
        answer: Answer<Vec<Vec<Row>>>,
    },
    Close,
}

/// The handles of the threads. Dropping it ends them once their queues are empty.
pub(super) struct Sqlite {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
    queries: mpsc::Sender<Query>,
    readers: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Sqlite {
    /// Opens (or creates) the file at `path` and starts the threads. Blocks on the disk.
    pub(super) fn open(path: &Path, readers: usize, queue_max: usize) -> Result<Self, Error> {
        let writer = open_writer(path)?;
        let (jobs, inbox) = mpsc::channel(queue_max.max(1));
        let (queries, questions) = mpsc::channel(queue_max.max(1));
        let questions = Arc::new(Mutex::new(questions));
        let mut threads = vec![spawn("store-writer", move || write_until_closed(Prepared::new(writer), inbox))?];
        let readers = readers.max(1);
        for _ in 0..readers {
            let (reader, questions) = (open_reader(path)?, Arc::clone(&questions));
            threads.push(spawn("store-reader", move || read_until_closed(Prepared::new(reader), &questions))?);
        }
        Ok(Self { path: path.to_owned(), jobs, queries, readers, threads: Mutex::new(threads) })
    }

    /// Waits in the queue, then for the commit. A caller that goes away while it waits in the queue writes nothing.
    pub(super) async fn apply(&self, batch: Batch) -> Result<(), Error> {
        let (answer, outcome) = oneshot::channel();
        self.jobs.try_send(Job::Apply { batch, answer }).map_err(|error| full_or_closed(&error, "the write queue is full"))?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    pub(super) async fn read(&self, sql: Cow<'static, str>, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        let (answer, rows) = oneshot::channel();
        let query = Query::Read { sql, args, answer };
        self.queries.try_send(query).map_err(|error| full_or_closed(&error, "the read queue is full"))?;
        rows.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The rows for each of `asked`, in its order.
    pub(super) async fn read_each(&self, sql: &'static str, asked: Vec<Vec<Value>>) -> Result<Vec<Vec<Row>>, Error> {
        let (answer, rows) = oneshot::channel();
        let query = Query::Each { sql, asked, answer };
        self.queries.try_send(query).map_err(|error| full_or_closed(&error, "the read queue is full"))?;
        rows.await.unwrap_or_else(|_| Err(gone()))
    }

    /// False once the writer or every reader is gone.
    pub(super) fn is_ready(&self) -> bool {
        !self.jobs.is_closed() && !self.queries.is_closed()
    }

    /// Writes that wait in the queue.
    pub(super) fn waiting(&self) -> usize {
        self.jobs.max_capacity().saturating_sub(self.jobs.capacity())
    }

    /// A connection of one's own, for the migrations. Blocks on the disk.
    pub(super) fn connect(&self) -> Result<Connection, Error> {
        open_writer(&self.path)
    }

    /// Runs what is queued, then ends the threads and closes the files.
    pub(super) async fn close(&self) {
        for _ in 0..self.readers {
            let _ = self.queries.send(Query::Close).await;
        }
        let _ = self.jobs.send(Job::Close).await;
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        // The writer is the first of them: it goes last, so that it is the one to clear away the log.
        let join = move || threads.into_iter().rev().for_each(|thread| drop(thread.join()));
        let _ = tokio::task::spawn_blocking(join).await;
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| Error::Unavailable { reason: format!("no thread for the store: {error}") })
}

fn full_or_closed<T>(error: &mpsc::error::TrySendError<T>, what: &'static str) -> Error {
    match error {
        mpsc::error::TrySendError::Full(_) => Error::Busy { what },
        mpsc::error::TrySendError::Closed(_) => gone(),
    }
}

fn gone() -> Error {
    Error::Unavailable { reason: String::from("the store is closed") }
}

// --- connections ------------------------------------------------------------------------------------------------

fn open_writer(path: &Path) -> Result<Connection, Error> {
    let unavailable =
        |why: &dyn std::fmt::Display| Error::Unavailable { reason: format!("the database file {}: {why}", path.display()) };
    // Personal data: for its owner alone. The files beside it take the mode of this one. An existing file is not
    // touched: closing it would drop the locks that other connections of this process hold on it.
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(unavailable(&error)),
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| unavailable(&error))?;
    prepare_connection(&connection)?;
    // The switch to WAL takes a lock for which SQLite does not wait by itself.
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match mode.map_err(refused) {
            Ok(mode) if mode == "wal" => break,
            Ok(mode) => return Err(Error::Unavailable { reason: format!("no write-ahead log here, only {mode}") }),
            Err(Error::Busy { .. }) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(error),
        }
    }
    // FULL: a commit that was answered survives a power cut. NORMAL would not flush at commit.
    connection.pragma_update(None, "synchronous", "FULL").map_err(refused)?;
    connection.pragma_update(None, "wal_autocheckpoint", 2_000).map_err(refused)?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {WAL_BYTES}"), [], |row| row.get::<_, i64>(0)).map_err(refused)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(refused)?;
    prepare_connection(&connection)?;
    Ok(connection)
}

fn prepare_connection(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(LOCK_WAIT).map_err(refused)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(refused)?;
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(refused)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(refused)?;
    // Without it SQLite parses and plans a prepared statement anew whenever a bound value might change the plan: most
    // of a reader's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(refused)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// A connection and the texts it has seen, with parameters as SQLite numbers them.
struct Prepared {
    connection: Connection,
    texts: HashMap<Cow<'static, str>, Arc<str>>,
}

impl Prepared {
    fn new(connection: Connection) -> Self {
        Self { connection, texts: HashMap::new() }
    }

    fn text(&mut self, sql: Cow<'static, str>) -> Arc<str> {
        if let Some(text) = self.texts.get(&sql) {
            return Arc::clone(text);
        }
        if self.texts.len() >= TEXTS_MAX {
            self.texts.clear();
        }
        let text: Arc<str> = dialect::numbered(&sql).into();
        self.texts.insert(sql, Arc::clone(&text));
        text
    }

    fn plain(&self, sql: &str) -> Result<(), Error> {
        self.connection.prepare_cached(sql).and_then(|mut statement| statement.raw_execute()).map_err(refused)?;
        Ok(())
    }
}

// --- writing ----------------------------------------------------------------------------------------------------

fn write_until_closed(mut writer: Prepared, mut inbox: mpsc::Receiver<Job>) {
    let mut waiting = Vec::with_capacity(GROUP_MAX);
    while inbox.blocking_recv_many(&mut waiting, GROUP_MAX) > 0 {
        let mut closing = false;
        let mut group = Vec::with_capacity(waiting.len());
        for job in waiting.drain(..) {
            match job {
                Job::Apply { batch, answer } if !answer.is_closed() => group.push((batch, answer)),
                Job::Apply { .. } => {}
                Job::Close => closing = true,
            }
        }
        if !group.is_empty() && catch_unwind(AssertUnwindSafe(|| write_group(&mut writer, group))).is_err() {
            tracing::error!("the writer panicked; its group is undone");
        }
        if !writer.connection.is_autocommit() && writer.plain("ROLLBACK").is_err() {
            tracing::error!("the writer can't roll back and stops");
            return;
        }
        if closing {
            return;
        }
    }
}

/// One transaction for the group. Every outcome is sent after the commit, none before.
fn write_group(writer: &mut Prepared, group: Vec<(Batch, Answer<()>)>) {
    let (batches, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    let outcomes = match commit_group(writer, &batches) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            if !writer.connection.is_autocommit() {
                let _ = writer.plain("ROLLBACK");
            }
            answers.iter().map(|_| Err(error.repeated())).collect()
        }
    };
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        // Nobody listening is fine: the row is stored all the same.
        let _ = answer.send(outcome);
    }
}

/// The outcome of each batch, or the error that undid them all.
fn commit_group(writer: &mut Prepared, batches: &[Batch]) -> Result<Vec<Result<(), Error>>, Error> {
    writer.plain("BEGIN IMMEDIATE")?;
    let mut outcomes = Vec::with_capacity(batches.len());
    for batch in batches {
        writer.plain("SAVEPOINT w")?;
        let outcome = run(writer, batch);
        if let Err(error) = &outcome {
            // A full disk (or an I/O error, or no memory) has rolled back everything by itself. Going on would open
            // and commit a transaction per savepoint.
            if writer.connection.is_autocommit() {
                return Err(error.repeated());
            }
            writer.plain("ROLLBACK TO w")?;
        }
        writer.plain("RELEASE w")?;
        outcomes.push(outcome);
    }
    writer.plain("COMMIT")?;
    Ok(outcomes)
}

fn run(writer: &mut Prepared, batch: &Batch) -> Result<(), Error> {
    for write in &batch.0 {
        let text = writer.text(Cow::Borrowed(write.sql()));
        let mut statement = writer.connection.prepare_cached(&text).map_err(refused)?;
        let mut touched = 0;
        for row in write.rows() {
            touched += statement.execute(rusqlite::params_from_iter(row)).map_err(refused)?;
        }
        if write.must().is_some_and(|must| must != touched as u64) {
            return Err(Error::Stale);
        }
    }
    Ok(())
}

// --- reading ----------------------------------------------------------------------------------------------------

fn read_until_closed(mut reader: Prepared, questions: &Mutex<mpsc::Receiver<Query>>) {
    loop {
        // Held while waiting: whoever is free takes the next question.
        let next = questions.lock().unwrap_or_else(std::sync::PoisonError::into_inner).blocking_recv();
        match next {
            Some(Query::Read { sql, args, answer }) => answer_with(answer, || select(&mut reader, sql, &args)),
            Some(Query::Each { sql, asked, answer }) => {
                answer_with(answer, || asked.iter().map(|args| select(&mut reader, Cow::Borrowed(sql), args)).collect());
            }
            Some(Query::Close) | None => return,
        }
    }
}

/// Unless whoever asked has gone.
fn answer_with<T>(answer: Answer<T>, work: impl FnOnce() -> Result<T, Error>) {
    if answer.is_closed() {
        return;
    }
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => drop(answer.send(outcome)),
        Err(_) => tracing::error!("a reader panicked"),
    }
}

fn select(reader: &mut Prepared, sql: Cow<'static, str>, args: &[Value]) -> Result<Vec<Row>, Error> {
    let text = reader.text(sql);
    let mut statement = reader.connection.prepare_cached(&text).map_err(refused)?;
    let columns = statement.column_count();
    let mut found = statement.query(rusqlite::params_from_iter(args)).map_err(refused)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(refused)? {
        let values = (0..columns).map(|column| from_sqlite(row.get_ref(column).map_err(refused)?));
        rows.push(Row(values.collect::<Result<_, _>>()?));
    }
    Ok(rows)
}

fn from_sqlite(value: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match value {
        ValueRef::Null => Value::Text(None),
        ValueRef::Integer(int) => Value::Int(Some(int)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::from(text),
            Err(_) => return Err(Error::Corrupt { what: "a text column is not UTF-8" }),
        },
        ValueRef::Blob(bytes) => Value::from(bytes),
        ValueRef::Real(_) => return Err(Error::Corrupt { what: "a column holds a decimal" }),
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Int(Some(int)) => ValueRef::Integer(*int),
            Self::Bool(Some(bool)) => ValueRef::Integer(i64::from(*bool)),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Text(None) | Self::Int(None) | Self::Bool(None) | Self::Bytes(None) => ValueRef::Null,
        }))
    }
}

/// What a refusal of SQLite means to a caller.
pub(super) fn refused(error: rusqlite::Error) -> Error {
    let Some(code) = error.sqlite_error().map(|failure| failure.extended_code) else {
        return Error::Statement { reason: error.to_string() };
    };
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => return Error::Conflict,
        // A row this one points to went meanwhile.
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return Error::Stale,
        _ => {}
    }
    match code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Error::Busy { what: "another process holds the database file" },
        ffi::SQLITE_FULL
        | ffi::SQLITE_IOERR
        | ffi::SQLITE_NOMEM
        | ffi::SQLITE_CANTOPEN
        | ffi::SQLITE_CORRUPT
        | ffi::SQLITE_READONLY
        | ffi::SQLITE_NOTADB
        | ffi::SQLITE_INTERRUPT => Error::Unavailable { reason: error.to_string() },
        _ => Error::Statement { reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use std::os::unix::fs::PermissionsExt;

    const INSERT: &str = "INSERT INTO t (a, b) VALUES ($2, $1)";

    fn batch(a: &str, b: &str) -> Batch {
        let mut batch = Batch::default();
        batch.any(INSERT, args![b, a]);
        batch
    }

    fn writer(folder: &tempfile::TempDir) -> Prepared {
        let connection = open_writer(&folder.path().join("x.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT)").unwrap();
        Prepared::new(connection)
    }

    fn names(writer: &mut Prepared) -> Vec<String> {
        let rows = select(writer, Cow::Borrowed("SELECT a FROM t ORDER BY a"), &[]).unwrap();
        rows.iter().map(|row| row.text(0).unwrap()).collect()
    }

    #[test]
    fn a_full_disk_fails_the_whole_group_and_nothing_of_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(&folder);
        writer.connection.query_row("PRAGMA max_page_count = 8", [], |row| row.get::<_, i64>(0)).unwrap();
        let group = [batch("small", "x"), batch("big", &"x".repeat(200_000)), batch("after", "x")];
        let refused = commit_group(&mut writer, &group);
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
        if !writer.connection.is_autocommit() {
            writer.plain("ROLLBACK").unwrap();
        }
        assert!(names(&mut writer).is_empty());
        let next = commit_group(&mut writer, &[batch("next", "x")]).unwrap();
        assert!(next.into_iter().all(|outcome| outcome.is_ok()));
        assert_eq!(names(&mut writer), ["next"]);
    }

    #[test]
    fn a_refused_batch_leaves_its_neighbours_in_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(&folder);
        let outcomes = commit_group(&mut writer, &[batch("a", "x"), batch("a", "y"), batch("b", "x")]).unwrap();
        assert!(matches!(outcomes[..], [Ok(()), Err(Error::Conflict), Ok(())]), "{outcomes:?}");
        assert_eq!(names(&mut writer), ["a", "b"]);
    }

    #[test]
    fn commits_are_flushed_and_foreign_keys_checked() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let pragma = |name: &str| writer.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((pragma("synchronous"), pragma("foreign_keys")), (2, 1));
    }

    #[test]
    fn the_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let _open = writer(&folder);
        for name in ["x.db", "x.db-wal"] {
            let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        drop(writer(&folder));
        let reader = open_reader(&folder.path().join("x.db")).unwrap();
        let refused = reader.execute("INSERT INTO t (a) VALUES ('x')", []).map_err(refused);
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    }
}
