//! A write as a value: statements, arguments and the number of rows each has to touch.
//!
//! Owns: the shape of a batch and the rules that both databases share. Refuses: running one.
//!
//! Rules, because PostgreSQL runs a batch as one statement whose parts all see the state from before, and SQLite
//! runs it part by part:
//! - no row is written twice: on PostgreSQL the second write is lost;
//! - a parent row stands before its children: SQLite checks foreign keys after each part;
//! - nothing a cascade removes is named again;
//! - every UPDATE and DELETE that relies on a row being there says so with `must`.

use super::{Error, Value, dialect};
use std::collections::HashSet;

/// One statement of a batch. The text is a constant of the registry, without RETURNING.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// `must`: rows it has to touch, else the whole batch is [`super::Error::Stale`].
    One { sql: &'static str, args: Vec<Value>, must: Option<u64> },
    /// One single-row INSERT, UPDATE or DELETE, run for every row of arguments. `must`: rows all of them
    /// together have to touch. PostgreSQL gets one statement over `unnest`, made mechanically from the text.
    Each { sql: &'static str, rows: Vec<Vec<Value>>, must: Option<u64> },
    /// Adds to one row: the first `keys` arguments name it, the last is the amount, and what stands between is the same
    /// whoever comes last. Two that name the same row are one with both amounts.
    Add { sql: &'static str, args: Vec<Value>, keys: Keys, must: Option<u64> },
}

/// Which row a [`Write::Add`] adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keys {
    /// The first so many arguments.
    First(usize),
    /// The same, but the last of them (a slot) was drawn, and any other would have done.
    Drawn(usize),
}

impl Write {
    pub(super) fn sql(&self) -> &'static str {
        match self {
            Self::One { sql, .. } | Self::Each { sql, .. } | Self::Add { sql, .. } => sql,
        }
    }

    pub(super) fn must(&self) -> Option<u64> {
        match self {
            Self::One { must, .. } | Self::Each { must, .. } | Self::Add { must, .. } => *must,
        }
    }

    fn is_add(&self) -> bool {
        matches!(self, Self::Add { .. })
    }

    /// The rows of `other`, which is the same statement, as well. What adds to a row whose slot was drawn adds to this one's.
    fn take(&mut self, other: Self) {
        let (sql, together) = (self.sql(), self.must().zip(other.must()).map(|(ours, theirs)| ours + theirs));
        let mut rows = match self {
            Self::Add { args, .. } => {
                if let (Some(Value::Int(Some(sum))), Some(Value::Int(Some(more)))) = (args.last_mut(), other.rows()[0].last()) {
                    *sum += more;
                }
                return;
            }
            Self::One { args, .. } => vec![std::mem::take(args)],
            Self::Each { rows, .. } => std::mem::take(rows),
        };
        match other {
            Self::One { args, .. } | Self::Add { args, .. } => rows.push(args),
            Self::Each { rows: more, .. } => rows.extend(more),
        }
        *self = Self::Each { sql, rows, must: together };
    }

    /// The rows of arguments the statement runs with: one but for [`Write::Each`].
    pub(super) fn rows(&self) -> &[Vec<Value>] {
        match self {
            Self::One { args, .. } | Self::Add { args, .. } => std::slice::from_ref(args),
            Self::Each { rows, .. } => rows,
        }
    }
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

    /// Like [`Batch::each`], where every row of arguments has to touch one row.
    pub fn each_one(&mut self, sql: &'static str, rows: Vec<Vec<Value>>) {
        if !rows.is_empty() {
            let must = Some(rows.len() as u64);
            self.0.push(Write::Each { sql, rows, must });
        }
    }

    /// A statement that adds its last argument to the row that `keys` names; `must` as for [`Batch::one`].
    pub fn add(&mut self, sql: &'static str, args: Vec<Value>, keys: Keys) {
        self.0.push(Write::Add { sql, args, keys, must: Some(1) });
    }

    /// Several batches that touch no row in common as one: each statement once, for the rows of all. People go first, then
    /// their identities, then what hangs on them; between the rest the order of its first appearance stays. For batches
    /// that insert, or change rows they name, not for those whose parts read what other parts write.
    pub fn together(batches: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<Write> = Vec::new();
        for write in batches.into_iter().flat_map(|batch| batch.0) {
            match all.iter_mut().find(|known| known.sql() == write.sql() && known.is_add() == write.is_add()) {
                Some(known) => known.take(write),
                None => all.push(write),
            }
        }
        all.sort_by_key(|write| rank(write.sql()));
        Self(all)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What neither database may be handed. The rules that only a programmer can break are looked at in debug
    /// builds alone.
    pub(super) fn check(&self) -> Result<(), Error> {
        for write in &self.0 {
            if write.rows().is_empty() {
                return Err(refused(write, "a write for each of no rows"));
            }
            if write.rows().iter().flatten().any(Value::holds_nul) {
                return Err(refused(write, "text with U+0000"));
            }
        }
        if cfg!(debug_assertions) { self.check_rules() } else { Ok(()) }
    }

    fn check_rules(&self) -> Result<(), Error> {
        let mut seen = HashSet::new();
        for write in &self.0 {
            let kinds = |row: &[Value]| row.iter().map(Value::pg_type).collect::<Vec<_>>();
            let first = kinds(&write.rows()[0]);
            if write.sql().contains("RETURNING") {
                return Err(refused(write, "a write with RETURNING"));
            }
            for row in write.rows() {
                if row.len() != dialect::arity(write.sql()) {
                    return Err(refused(write, "another number of arguments than of parameters"));
                }
                if kinds(row) != first {
                    return Err(refused(write, "rows of unlike types"));
                }
                if !seen.insert((write.sql(), row)) {
                    return Err(refused(write, "the same write twice in one batch"));
                }
            }
        }
        Ok(())
    }
}

/// What a statement may only run after: SQLite looks at foreign keys as it goes.
fn rank(sql: &str) -> u8 {
    let mut words = sql.split_whitespace();
    let table = if words.next() == Some("UPDATE") { words.next() } else { words.nth(1) };
    match table {
        Some("users") => 0,
        // Before the profiles that would take them along.
        Some("identities") if sql.starts_with("DELETE") => 0,
        Some("identities") => 1,
        _ => 2,
    }
}

fn refused(write: &Write, why: &str) -> Error {
    Error::Statement { reason: format!("{why}: {}", write.sql()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    const INSERT: &str = "INSERT INTO t (a, b) VALUES ($1, $2)";

    fn refusal(batch: &Batch) -> String {
        batch.check().expect_err("refused").to_string()
    }

    #[test]
    fn a_wrong_number_of_arguments_is_refused() {
        let mut batch = Batch::default();
        batch.any(INSERT, args!["x"]);
        assert!(refusal(&batch).contains("number of arguments"));
    }

    #[test]
    fn the_same_write_twice_is_refused() {
        let mut batch = Batch::default();
        batch.any(INSERT, args!["x", 1]);
        batch.each(INSERT, vec![args!["y", 1], args!["x", 1]]);
        assert!(refusal(&batch).contains("twice"));
    }

    #[test]
    fn returning_and_no_rows_and_nul_and_unlike_rows_are_refused() {
        let one = |sql, args| Batch(vec![Write::One { sql, args, must: None }]);
        assert!(refusal(&one("DELETE FROM t WHERE a = $1 RETURNING a", args!["x"])).contains("RETURNING"));
        assert!(refusal(&one(INSERT, args!["a\0b", 1])).contains("U+0000"));
        assert!(refusal(&Batch(vec![Write::Each { sql: INSERT, rows: vec![], must: None }])).contains("no rows"));
        let mut batch = Batch::default();
        batch.each(INSERT, vec![args!["x", 1], args!["y", "1"]]);
        assert!(refusal(&batch).contains("unlike"));
    }

    #[test]
    fn batches_go_together_statement_by_statement_and_parents_first() {
        const USER: &str = "INSERT INTO users (a, b) VALUES ($1, $2)";
        const COUNT: &str = "INSERT INTO counters (a, slot, total) VALUES ($1, $2, $3)";
        let of = |name: &str, is_new: bool| {
            let mut batch = Batch::default();
            batch.any("DELETE FROM blocks WHERE a = $1", args![name]);
            batch.one("UPDATE identities SET b = 1 WHERE a = $1", args![name]);
            if is_new {
                batch.one(USER, args![name, 1]);
            }
            batch.add(COUNT, args!["t", 7, 1], Keys::Drawn(2));
            batch
        };
        let together = Batch::together([of("a", false), of("b", true), of("c", true)]);
        let told: Vec<(&str, usize, Option<u64>)> =
            together.0.iter().map(|write| (write.sql().split(' ').nth(2).unwrap(), write.rows().len(), write.must())).collect();
        assert_eq!(
            told,
            [("users", 2, Some(2)), ("SET", 3, Some(3)), ("blocks", 3, None), ("counters", 1, Some(1))],
            "{together:?}"
        );
        assert_eq!(together.0[3].rows()[0], args!["t", 7, 3]);
        assert!(together.check().is_ok());
    }

    #[test]
    fn each_without_rows_adds_nothing() {
        let mut batch = Batch::default();
        batch.each(INSERT, vec![]);
        batch.each_one(INSERT, vec![]);
        assert!(batch.is_empty());
    }
}
