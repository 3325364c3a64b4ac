//! What PostgreSQL is sent at once: one batch, or several that waited together and are alike, as a list of parts.
//!
//! Owns: which batches may go together, and the rows of each part. Refuses: texts ([`super::dialect`]) and running them.
//!
//! Batches go together only where that is the same as running them at the same time in transactions of their own: of one
//! tenant, with the same statements, each of which adds rows, takes rows away, or names the one row it changes by its key.
//! Whatever of it does not come out (a key that is taken, a row that moved) undoes all, and they are tried again apart.

use super::Value;
use super::batch::{Batch, Keys, Write};
use super::dialect;
use super::lanes::Work;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

/// The keys of the tables, without the tenant: an UPDATE, or a DELETE that has to touch a row, may go together with
/// others only if it compares all of one of them. So it can't make up for another's row that was not there.
const KEYS: [&[&str]; 3] = [&["id"], &["group_id", "member_id"], &["profile_id", "kind", "origin"]];

/// Rows of one part that are bound as arrays and taken out by number, which costs least while they are few: to find the
/// n-th text of an array PostgreSQL walks over those before it.
const FEW: usize = 128;
/// A batch with more rows than this in one part goes alone.
const ROWS_MAX: usize = 32;

/// A statement of the joined text with all its rows.
pub(super) struct Part<'a> {
    pub sql: &'static str,
    pub rows: Vec<Cow<'a, [Value]>>,
    pub form: Form,
    pub must: Option<u64>,
}

/// How a part's rows are bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// One row, value by value.
    Once,
    /// An array per column, and the numbers of the rows.
    Few,
    /// An array per column, unnested.
    Many,
}

/// What makes two lists of parts the same text: address and length of each statement (they are constants), its form,
/// and its `must`; where the number is bound only whether there is one.
pub(super) type Shape = Vec<((usize, usize), Form, Option<u64>)>;

pub(super) fn shape(parts: &[Part]) -> Shape {
    let must = |part: &Part| if part.form == Form::Once { part.must } else { part.must.map(|_| 0) };
    parts.iter().map(|part| (address(part.sql), part.form, must(part))).collect()
}

/// Batches of the same kind may go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    tenant: Value,
    /// Of each its address, and whether it has to touch its rows.
    statements: Vec<((usize, usize), bool)>,
}

/// A batch in line.
pub(super) struct Waiting {
    pub kind: Kind,
    pub batch: Batch,
}

impl Work for Waiting {
    type Outcome = ();

    fn goes_with(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What a text allows, by its address and length.
#[derive(Default)]
pub(super) struct Rules(RwLock<HashMap<(usize, usize), Rule>>);

/// What a statement does, as far as its text says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// One new row for each row of arguments, or a refusal.
    Inserts,
    /// Changes or takes away the one row that it names.
    NamesItsRow,
    /// Adds what is not there, or takes away whatever it finds: twice is the same as once.
    SameTwice,
    Other,
}

impl Rules {
    /// `None`: this batch goes alone.
    pub(super) fn kind(&self, batch: &[Write]) -> Option<Kind> {
        let tenant = batch.first()?.rows().first()?.first()?;
        let few = batch.iter().all(|write| write.rows().len() <= ROWS_MAX);
        let its_own = batch.iter().flat_map(Write::rows).all(|row| row.first() == Some(tenant));
        if !few || !its_own || !batch.iter().all(|write| self.goes_together(write)) {
            return None;
        }
        Some(Kind {
            tenant: tenant.clone(),
            statements: batch.iter().map(|write| (address(write.sql()), write.must().is_some())).collect(),
        })
    }

    fn goes_together(&self, write: &Write) -> bool {
        if let Write::Add { .. } = write {
            return true;
        }
        let each_one = write.must() == Some(write.rows().len() as u64);
        match self.of(write.sql()) {
            Rule::Inserts => each_one || write.must().is_none(),
            Rule::NamesItsRow => each_one || (write.must().is_none() && write.sql().starts_with("DELETE")),
            Rule::SameTwice => write.must().is_none(),
            Rule::Other => false,
        }
    }

    /// Read once from each text.
    fn of(&self, sql: &'static str) -> Rule {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&address(sql)).copied();
        known.unwrap_or_else(|| {
            let rule = rule(sql);
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert(address(sql), rule);
            rule
        })
    }
}

/// Texts are constants: two that are equal may be two, which is no harm.
fn address(sql: &'static str) -> (usize, usize) {
    (sql.as_ptr() as usize, sql.len())
}

fn rule(sql: &str) -> Rule {
    let has = |keyword| dialect::top_level(sql, keyword).is_some();
    match sql.split_whitespace().next() {
        Some("INSERT") if has("VALUES") && !has("ON CONFLICT") => Rule::Inserts,
        Some("INSERT") if has("VALUES") && sql.ends_with(" DO NOTHING") => Rule::SameTwice,
        Some("UPDATE" | "DELETE") if names_its_row(sql) => Rule::NamesItsRow,
        Some("DELETE") => Rule::SameTwice,
        _ => Rule::Other,
    }
}

/// Does its condition compare the tenant and all of some table's key with arguments?
fn names_its_row(sql: &str) -> bool {
    let Some(at) = dialect::top_level(sql, "WHERE") else { return false };
    let compared: Vec<&str> = sql[at + "WHERE".len()..]
        .split(" AND ")
        .filter_map(|part| part.split_once(" = $"))
        .filter(|(_, place)| place.trim().bytes().all(|byte| byte.is_ascii_digit()))
        .map(|(column, _)| column.trim())
        .collect();
    !sql.contains(" OR ")
        && compared.contains(&"tenant_id")
        && KEYS.iter().any(|key| key.iter().all(|column| compared.contains(column)))
}

/// One batch as it is.
pub(super) fn alone(batch: &[Write]) -> Vec<Part<'_>> {
    batch
        .iter()
        .map(|write| Part {
            sql: write.sql(),
            rows: write.rows().iter().map(|row| Cow::Borrowed(row.as_slice())).collect(),
            form: match write {
                Write::One { .. } | Write::Add { .. } => Form::Once,
                Write::Each { rows, .. } => form(rows.len()),
            },
            must: write.must(),
        })
        .collect()
}

fn form(rows: usize) -> Form {
    if rows <= FEW { Form::Few } else { Form::Many }
}

/// Several batches of one kind. Rows stand in the order of their values, so that two processes that write the same rows
/// take them in the same order and don't wait for each other in a ring.
pub(super) fn together<'a>(batches: &[&'a [Write]]) -> Vec<Part<'a>> {
    (0..batches.first().map_or(0, |batch| batch.len()))
        .map(|at| {
            let writes = batches.iter().map(|batch| &batch[at]);
            let sql = batches[0][at].sql();
            let (mut rows, must) = match &batches[0][at] {
                Write::Add { keys, must, .. } => {
                    let rows = added(writes, *keys);
                    let must = must.map(|_| rows.len() as u64);
                    (rows, must)
                }
                first => {
                    let rows: Vec<_> = writes.flat_map(Write::rows).map(|row| Cow::Borrowed(row.as_slice())).collect();
                    let must = first.must().map(|_| rows.len() as u64);
                    (rows, must)
                }
            };
            rows.sort();
            Part { sql, form: form(rows.len()), rows, must }
        })
        .collect()
}

/// One row for each row that is added to.
fn added<'a>(writes: impl Iterator<Item = &'a Write>, keys: Keys) -> Vec<Cow<'a, [Value]>> {
    let mut rows: BTreeMap<&[Value], Cow<'a, [Value]>> = BTreeMap::new();
    for row in writes.flat_map(Write::rows) {
        let key = match keys {
            Keys::First(keys) => &row[..keys],
            // Whichever slot the first of them drew.
            Keys::Drawn(keys) => &row[..keys - 1],
        };
        match rows.entry(key) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(Cow::Borrowed(row.as_slice()));
            }
            std::collections::btree_map::Entry::Occupied(mut before) => add(before.get_mut().to_mut(), row),
        }
    }
    rows.into_values().collect()
}

fn add(sum: &mut [Value], row: &[Value]) {
    let last = sum.len() - 1;
    for (value, other) in sum.iter_mut().zip(row).take(last) {
        if *other > *value {
            value.clone_from(other);
        }
    }
    if let (Value::Int(Some(sum)), Value::Int(Some(amount))) = (&mut sum[last], &row[last]) {
        *sum += amount;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::store::Batch;

    const INSERT: &str = "INSERT INTO t (tenant_id, id, a) VALUES ($1, $2, $3)";
    const ADDS_IF_MISSING: &str = "INSERT INTO t (tenant_id, id) VALUES ($1, $2) ON CONFLICT (tenant_id, id) DO NOTHING";
    const UPDATE: &str = "UPDATE t SET a = $3 WHERE tenant_id = $1 AND id = $2 AND version = $4";
    const ADD: &str = "UPDATE t SET version = version + $4, updated_at = $3 WHERE tenant_id = $1 AND id = $2";

    fn batch(make: impl Fn(&mut Batch)) -> Vec<Write> {
        let mut batch = Batch::default();
        make(&mut batch);
        batch.0
    }

    fn one(sql: &'static str, args: Vec<Value>) -> Vec<Write> {
        batch(|batch| batch.one(sql, args.clone()))
    }

    fn kind(batch: &[Write]) -> Option<Kind> {
        Rules::default().kind(batch)
    }

    fn any(sql: &'static str) -> Vec<Write> {
        batch(|batch| batch.any(sql, args!["t", "x"]))
    }

    #[test]
    fn what_adds_rows_or_names_its_row_goes_together() {
        assert!(kind(&one(INSERT, args!["t", "x", 1])).is_some());
        assert!(kind(&one(UPDATE, args!["t", "x", 1, 1])).is_some());
        assert!(kind(&any("DELETE FROM v WHERE tenant_id = $1 AND identity_id = $2")).is_some());
        assert!(kind(&any(ADDS_IF_MISSING)).is_some());
        assert!(
            kind(&one("DELETE FROM members WHERE tenant_id = $1 AND group_id = $2 AND member_id = $3", args!["t", "g", "m"]))
                .is_some()
        );
    }

    #[test]
    fn what_could_lose_a_write_or_hide_one_goes_alone() {
        // The same row of two batches would be written once.
        assert_eq!(kind(&any("UPDATE t SET a = 1 WHERE tenant_id = $1 AND id = $2")), None);
        // Two rows of one could stand for none of the other.
        assert_eq!(kind(&one("UPDATE t SET a = 1 WHERE tenant_id = $1 AND b = $2", args!["t", "x"])), None);
        assert_eq!(kind(&one("DELETE FROM t WHERE tenant_id = $1 AND id = (SELECT $2)", args!["t", "x"])), None);
        assert_eq!(kind(&one("UPDATE t SET a = 1 WHERE tenant_id = $1 AND (id = $2 OR b = 1)", args!["t", "x"])), None);
        assert_eq!(kind(&one("INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET b = 1", args!["t", "x"])), None);
        // What the other one added would be missed.
        assert_eq!(kind(&one(ADDS_IF_MISSING, args!["t", "x"])), None);
        assert_eq!(kind(&one("INSERT INTO t (a) SELECT $1 FROM u WHERE u.a = $2", args!["t", "x"])), None);
        assert_eq!(kind(&[]), None);
    }

    #[test]
    fn only_the_same_statements_of_the_same_tenant_are_of_one_kind() {
        assert_eq!(kind(&one(INSERT, args!["t", "x", 1])), kind(&one(INSERT, args!["t", "y", 2])));
        assert_ne!(kind(&one(INSERT, args!["t", "x", 1])), kind(&one(INSERT, args!["u", "x", 1])));
        assert_ne!(kind(&one(INSERT, args!["t", "x", 1])), kind(&one(UPDATE, args!["t", "x", 1, 1])));
    }

    #[test]
    fn rows_stand_in_the_order_of_their_values_and_each_has_to_be_met() {
        let (b, a) = (one(UPDATE, args!["t", "b", 1, 1]), one(UPDATE, args!["t", "a", 1, 1]));
        let parts = together(&[&b, &a]);
        assert_eq!((parts[0].rows[0][1].clone(), parts[0].rows[1][1].clone()), (Value::from("a"), Value::from("b")));
        assert_eq!((parts.len(), parts[0].must, parts[0].form), (1, Some(2), Form::Few));
    }

    #[test]
    fn amounts_for_the_same_row_add_up_and_the_latest_stands() {
        let add = |id: &str, at: i64| batch(|batch| batch.add(ADD, args!["t", id, at, 1], Keys::First(2)));
        let (one, other, apart) = (add("x", 20), add("x", 10), add("y", 5));
        let parts = together(&[&one, &other, &apart]);
        let rows: Vec<_> = parts[0].rows.iter().map(|row| row.to_vec()).collect();
        assert_eq!(rows, [args!["t", "x", 20, 2], args!["t", "y", 5, 1]]);
        assert_eq!(parts[0].must, Some(2));
    }

    #[test]
    fn amounts_with_a_drawn_slot_go_to_one_slot() {
        let add = |slot: i64| batch(|batch| batch.add(ADD, args!["t", "x", slot, 1], Keys::Drawn(3)));
        let (one, other) = (add(7), add(3));
        let rows = together(&[&one, &other]).remove(0).rows;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0][3], Value::from(2));
    }
}
