//! A write as a value: statements, arguments and the number of rows each has to touch.

use super::Value;

/// One statement of a batch. The text is a constant of the registry, without RETURNING.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// `must`: rows it has to touch, else the whole batch is [`super::Error::Stale`].
    One { sql: &'static str, args: Vec<Value>, must: Option<u64> },
    /// One single-row INSERT, UPDATE or DELETE, run for every row of arguments. `must`: rows all of them
    /// together have to touch. PostgreSQL gets one statement over `unnest`, made mechanically from the text.
    Each { sql: &'static str, rows: Vec<Vec<Value>>, must: Option<u64> },
}

/// Writes that happen together or not at all. No row may be written twice in one batch: on PostgreSQL all parts
/// see the state from before, and the second write would be lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch(pub Vec<Write>);

impl Batch {
    /// A statement that may touch any number of rows.
    pub fn any(&mut self, sql: &'static str, args: Vec<Value>) {
        self.0.push(Write::One { sql, args, must: None });
    }

    /// A statement that has to touch exactly one row.
    pub fn one(&mut self, sql: &'static str, args: Vec<Value>) {
        self.0.push(Write::One { sql, args, must: Some(1) });
    }

    /// One single-row statement for every row; nothing when there is none.
    pub fn each(&mut self, sql: &'static str, rows: Vec<Vec<Value>>) {
        if !rows.is_empty() {
            self.0.push(Write::Each { sql, rows, must: None });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
