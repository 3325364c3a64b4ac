//! All SQL is here. Reads are a statement and its arguments; a write is a value, a [`Batch`], that runs whole or
//! not at all: on SQLite in a savepoint of the group commit (own writer thread, WAL, `synchronous=FULL`), on
//! PostgreSQL as one joined statement. No other module opens a transaction, and none is held across an await.
//!
//! Owns: the two executors, the migrations, every statement, the compilation of `model::query` to bound SQL.
//! Refuses: knowing SCIM, deciding anything.

pub mod audit;
pub mod batch;
pub mod connections;
pub mod mapping_versions;
pub mod organizations;
pub mod retention;
pub mod statements;
pub mod tenants;
pub mod tokens;
pub mod users_read;
pub mod value;

pub use batch::{Batch, Write};
pub use value::{Row, Value};

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
}
