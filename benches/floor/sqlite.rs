//! The floor on SQLite: one writer thread that shares commits (or not), two reader threads, WAL, `synchronous=FULL`.

use super::{Refusal, with_active};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::{Arc, Mutex, mpsc};
use tokio::sync::oneshot;

/// Writes that share one commit at most.
const BATCH: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    Group,
    Each,
}

enum Write {
    Create { id: String, name: String, doc: String },
    SetActive { id: String, active: bool },
    CreateGroup { id: String, doc: String },
    AddMember { group: String, member: String },
}

enum Read {
    Find { id: String },
    Named { name: String },
    Page { count: i64 },
}

type Written = Result<String, Refusal>;
type Found = Result<Vec<String>, Refusal>;

#[derive(Clone)]
pub struct Database {
    writes: tokio::sync::mpsc::Sender<(Write, oneshot::Sender<Written>)>,
    reads: mpsc::Sender<(Read, oneshot::Sender<Found>)>,
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => Self::Taken,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl Database {
    pub fn open(url: &str, commit: Commit) -> Self {
        let path = url.trim_start_matches("sqlite:").to_owned();
        let writer = connect(&path);
        writer
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, doc TEXT NOT NULL);
                 CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, doc TEXT NOT NULL);
                 CREATE TABLE IF NOT EXISTS members (group_id TEXT, member_id TEXT, PRIMARY KEY (group_id, member_id))
                     WITHOUT ROWID;",
            )
            .expect("the tables can be made");
        let (writes, waiting) = tokio::sync::mpsc::channel(1_024);
        std::thread::spawn(move || write_all(&writer, waiting, commit));
        let (reads, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..2 {
            let (reader, waiting) = (connect(&path), Arc::clone(&waiting));
            std::thread::spawn(move || read_all(&reader, &waiting));
        }
        Self { writes, reads }
    }

    async fn write(&self, write: Write) -> Written {
        let (answer, answered) = oneshot::channel();
        self.writes.send((write, answer)).await.map_err(|_| Refusal::Failed("the writer is gone".into()))?;
        answered.await.map_err(|_| Refusal::Failed("the writer is gone".into()))?
    }

    async fn read(&self, read: Read) -> Found {
        let (answer, answered) = oneshot::channel();
        self.reads.send((read, answer)).map_err(|_| Refusal::Failed("the readers are gone".into()))?;
        answered.await.map_err(|_| Refusal::Failed("the readers are gone".into()))?
    }

    pub async fn create(&self, id: String, name: String, doc: String) -> Result<(), Refusal> {
        self.write(Write::Create { id, name, doc }).await.map(drop)
    }

    pub async fn find(&self, id: String) -> Result<String, Refusal> {
        self.read(Read::Find { id }).await?.pop().ok_or(Refusal::NotFound)
    }

    pub async fn named(&self, name: String) -> Found {
        self.read(Read::Named { name }).await
    }

    pub async fn page(&self, count: i64) -> Found {
        self.read(Read::Page { count }).await
    }

    pub async fn set_active(&self, id: String, active: bool) -> Written {
        self.write(Write::SetActive { id, active }).await
    }

    pub async fn create_group(&self, id: String, doc: String) -> Result<(), Refusal> {
        self.write(Write::CreateGroup { id, doc }).await.map(drop)
    }

    pub async fn add_member(&self, group: String, member: String) -> Result<(), Refusal> {
        self.write(Write::AddMember { group, member }).await.map(drop)
    }
}

fn connect(path: &str) -> Connection {
    let connection = Connection::open(path).expect("the file can be opened");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;")
        .expect("the pragmas are SQLite's own");
    connection.set_prepared_statement_cache_capacity(32);
    connection
}

/// Runs what waits in one transaction and answers after its commit.
fn write_all(
    connection: &Connection,
    mut waiting: tokio::sync::mpsc::Receiver<(Write, oneshot::Sender<Written>)>,
    commit: Commit,
) {
    let most = if commit == Commit::Group { BATCH } else { 1 };
    let mut batch = Vec::with_capacity(most);
    while waiting.blocking_recv_many(&mut batch, most) > 0 {
        let outcome = connection.execute_batch("BEGIN IMMEDIATE").map(|()| {
            let run = |(write, answer)| (in_savepoint(connection, write), answer);
            batch.drain(..).map(run).collect::<Vec<_>>()
        });
        let committed = connection.execute_batch("COMMIT");
        for (written, answer) in outcome.into_iter().flatten() {
            // Nobody waits for the answer any more: the write happened all the same.
            let _ = answer.send(committed.as_ref().map_err(|error| Refusal::Failed(error.to_string())).and(written));
        }
        batch.clear();
    }
}

/// A savepoint each, so that a refused write takes nothing of its neighbours with it.
fn in_savepoint(connection: &Connection, write: Write) -> Written {
    connection.prepare_cached("SAVEPOINT w")?.execute([])?;
    let written = run(connection, write);
    if written.is_err() {
        connection.prepare_cached("ROLLBACK TO w")?.execute([])?;
    }
    connection.prepare_cached("RELEASE w")?.execute([])?;
    written
}

fn run(connection: &Connection, write: Write) -> Written {
    let execute = |sql: &str, arguments: &[&dyn rusqlite::ToSql]| connection.prepare_cached(sql)?.execute(arguments);
    match write {
        Write::Create { id, name, doc } => {
            execute("INSERT INTO users (id, name, doc) VALUES ($1, $2, $3)", params![id, name, doc])?;
            Ok(String::new())
        }
        Write::SetActive { id, active } => {
            let mut find = connection.prepare_cached("SELECT doc FROM users WHERE id = $1")?;
            let doc: String = find.query_row([&id], |row| row.get(0)).optional()?.ok_or(Refusal::NotFound)?;
            let doc = with_active(&doc, active)?;
            execute("UPDATE users SET doc = $2 WHERE id = $1", params![id, doc])?;
            Ok(doc)
        }
        Write::CreateGroup { id, doc } => {
            execute("INSERT INTO groups (id, doc) VALUES ($1, $2)", params![id, doc])?;
            Ok(String::new())
        }
        Write::AddMember { group, member } => {
            let insert = "INSERT INTO members (group_id, member_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            execute(insert, params![group, member])?;
            Ok(String::new())
        }
    }
}

fn read_all(connection: &Connection, waiting: &Mutex<mpsc::Receiver<(Read, oneshot::Sender<Found>)>>) {
    loop {
        let next = waiting.lock().expect("no reader panics while it holds the queue").recv();
        let Ok((read, answer)) = next else { return };
        // Nobody waits for the answer any more.
        let _ = answer.send(look_up(connection, &read));
    }
}

fn look_up(connection: &Connection, read: &Read) -> Found {
    let (sql, argument): (&str, &dyn rusqlite::ToSql) = match read {
        Read::Find { id } => ("SELECT doc FROM users WHERE id = $1", id),
        Read::Named { name } => ("SELECT doc FROM users WHERE name = $1", name),
        Read::Page { count } => ("SELECT doc FROM users ORDER BY id LIMIT $1", count),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let docs = statement.query_map([argument], |row| row.get(0))?.collect::<Result<Vec<String>, _>>();
    Ok(docs?)
}
