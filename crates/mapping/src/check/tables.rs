//! Tables: rows written in the mapping or read from a CSV file at load. Keys are text and compare exactly; keys that
//! differ in case only, or stand twice (the first counts), are L10.

use super::csv;
use super::include::inside;
use super::lower::Checker;
use super::nearest::suggestion;
use crate::ast::{self, Expr, ExprKind, TableRows};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::limits::{TABLE_BYTES_MAX, TABLE_ROWS_MAX};
use crate::plan::{ByText, Constant, Table, TableElse};
use crate::span::{Name, Span, Spanned};
use crate::types::Type;
use std::collections::HashMap;

/// What a look-up gives.
#[derive(Clone, Debug)]
pub struct TableFacts {
    /// Index into [`crate::plan::Plan::tables`].
    pub plan: u16,
    pub ty: Type,
    pub may_be_absent: bool,
}

type Rows = ByText<Constant>;

impl<'a> Checker<'a> {
    /// Every table is read, used or not: a mistake in one is a mistake.
    pub fn all_tables(&mut self) {
        for index in 0..self.scope.tables.len() {
            let (table, _) = self.scope.tables[index];
            let facts = self.read_table(table);
            self.table_facts[index] = facts;
        }
    }

    /// `None` = reported.
    pub fn table(&self, index: usize) -> Option<TableFacts> {
        self.table_facts.get(index).cloned().flatten()
    }

    fn read_table(&mut self, table: &'a ast::Table) -> Option<TableFacts> {
        let (rows, mut ty) = match &table.rows {
            TableRows::Inline(rows) => self.inline_rows(rows)?,
            TableRows::Csv { path, key, value } => (self.csv_rows(path, key, value)?, Type::String),
        };
        let otherwise = match table.otherwise.as_ref() {
            None => TableElse::Absent,
            Some(Spanned { span, value }) => match value {
                ast::TableElse::Absent => TableElse::Absent,
                ast::TableElse::Error => TableElse::Error,
                ast::TableElse::Key => {
                    ty = self.one_type(ty, Type::String, *span)?;
                    TableElse::Key
                }
                ast::TableElse::Value(expr) => {
                    let (constant, own) = self.literal(expr)?;
                    ty = self.one_type(ty, own, expr.span)?;
                    TableElse::Value(constant)
                }
            },
        };
        // Rows may say `absent` themselves.
        let gaps = rows.values().any(|value| *value == Constant::Absent);
        let may_be_absent = gaps || matches!(otherwise, TableElse::Absent | TableElse::Value(Constant::Absent));
        self.tables.push(Table { name: table.name.value.clone(), rows, otherwise });
        let plan = u16::try_from(self.tables.len() - 1).ok()?;
        Some(TableFacts { plan, ty, may_be_absent })
    }

    fn inline_rows(&mut self, written: &'a [(Vec<Expr>, Expr)]) -> Option<(Rows, Type)> {
        let mut rows = Rows::with_capacity_and_hasher(written.len(), Default::default());
        let mut twins = Twins::default();
        let mut ty = Type::Nothing;
        let mut fine = true;
        for (keys, value) in written {
            let literal = self.literal(value);
            let joined = literal.as_ref().and_then(|(_, own)| self.one_type(ty.clone(), own.clone(), value.span));
            fine &= joined.is_some();
            ty = joined.unwrap_or(ty);
            for key in keys {
                let Some(text) = self.key(key) else {
                    fine = false;
                    continue;
                };
                self.twin(&mut twins, &text, key.span);
                if let Some((constant, _)) = &literal {
                    rows.entry(text).or_insert_with(|| constant.clone());
                }
            }
        }
        fine.then_some((rows, ty))
    }

    fn key(&mut self, key: &'a Expr) -> Option<Box<str>> {
        match self.literal(key)?.0 {
            Constant::String(text) => Some(text),
            Constant::Int(number) => Some(number.to_string().into()),
            Constant::Bool(value) => Some(value.to_string().into()),
            _ => {
                let diagnostic = Diagnostic::new(Code::M017, key.span, "a table's key is text, an int or a bool");
                self.sink.push(diagnostic.help("write the key as text"));
                None
            }
        }
    }

    /// A literal of a row; `None` = reported.
    fn literal(&mut self, expr: &'a Expr) -> Option<(Constant, Type)> {
        if matches!(expr.kind, ExprKind::Absent) {
            return Some((Constant::Absent, Type::Nothing));
        }
        if super::lower::not_constant(expr).is_none() {
            let low = self.infer(expr);
            if low.is_unknown() {
                return None;
            }
            if let Some(constant) = self.known(low.node) {
                return Some((constant.clone(), low.ty));
            }
        }
        let diagnostic = Diagnostic::new(Code::M017, expr.span, "a table holds literals only");
        self.sink.push(diagnostic.help("write text, a number, true, false or absent; what is computed goes into a `match`"));
        None
    }

    fn one_type(&mut self, one: Type, two: Type, span: Span) -> Option<Type> {
        match (one, two) {
            (Type::Nothing, other) | (other, Type::Nothing) => Some(other),
            (one, two) if one == two => Some(one),
            (one, two) => {
                let diagnostic = Diagnostic::new(Code::M017, span, format!("this table's values are {one}, this is {two}"));
                self.sink.push(diagnostic.help("give all values one type"));
                None
            }
        }
    }

    fn twin(&mut self, twins: &mut Twins, key: &str, span: Span) {
        let folded = key.to_lowercase();
        if let Some((first, at)) = twins.0.get(&folded) {
            let message = if **first == *key {
                format!("the key `{key}` stands twice, the first counts")
            } else {
                format!("the keys `{first}` and `{key}` differ in case only")
            };
            let mut diagnostic =
                Diagnostic::new(Code::L10, span, message).help("keep one; look up lower(x) if case does not count");
            if *at != span {
                diagnostic = diagnostic.also(*at, "first here");
            }
            self.sink.push(diagnostic);
            return;
        }
        twins.0.insert(folded, (key.into(), span));
    }

    fn csv_rows(&mut self, path: &Spanned<Box<str>>, key: &Name, value: &Name) -> Option<Rows> {
        if let Err(diagnostic) = inside(path) {
            self.sink.push(*diagnostic);
            return None;
        }
        let refuse = |code: Code, message: String, help: &str| Diagnostic::new(code, path.span, message).help(help);
        let bytes = match self.sources.table(&path.value) {
            Ok(bytes) => bytes,
            Err(reason) => {
                let help = "a table is a CSV file beside the mapping";
                self.sink.push(refuse(Code::M017, format!("`{}` can't be read: {reason}", path.value), help));
                return None;
            }
        };
        if bytes.len() > TABLE_BYTES_MAX {
            self.sink.push(refuse(
                Code::M015,
                format!("{} bytes, at most {TABLE_BYTES_MAX} are read", bytes.len()),
                "split the table",
            ));
            return None;
        }
        let Ok(text) = std::str::from_utf8(&bytes) else {
            self.sink.push(refuse(Code::M017, format!("`{}` is not UTF-8", path.value), "save it as UTF-8"));
            return None;
        };
        let mut records = csv::records(text);
        let header = match records.next() {
            Some(Ok(header)) => header,
            Some(Err(error)) => {
                self.sink.push(refuse(Code::M017, error.to_string(), "quote it, and write quotes inside twice"));
                return None;
            }
            None => {
                self.sink.push(refuse(Code::M017, format!("`{}` is empty", path.value), "its first line names the columns"));
                return None;
            }
        };
        let (key, value) = (self.column(&header, key, path)?, self.column(&header, value, path)?);
        let mut rows = Rows::default();
        let mut twins = Twins::default();
        for record in records {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    self.sink.push(refuse(Code::M017, error.to_string(), "quote it, and write quotes inside twice"));
                    return None;
                }
            };
            // A short line has no such column: no row.
            let (Some(key), Some(value)) = (record.get(key), record.get(value)) else { continue };
            if rows.len() >= TABLE_ROWS_MAX {
                self.sink.push(refuse(Code::M015, format!("more than {TABLE_ROWS_MAX} rows"), "split the table"));
                return None;
            }
            self.twin(&mut twins, key, path.span);
            rows.entry(Box::from(&**key)).or_insert_with(|| Constant::String(Box::from(&**value)));
        }
        Some(rows)
    }

    fn column(&mut self, header: &[std::borrow::Cow<'_, str>], name: &Name, path: &Spanned<Box<str>>) -> Option<usize> {
        let found = header.iter().position(|column| column.trim() == &*name.value);
        if found.is_none() {
            let columns: Vec<&str> = header.iter().map(|column| column.trim()).collect();
            let otherwise = format!("it has: {}", columns.join(", "));
            let message = format!("`{}` has no column `{}`", path.value, name.value);
            let help = suggestion(&name.value, columns, &otherwise);
            self.sink.push(Diagnostic::new(Code::M017, name.span, message).help(help));
        }
        found
    }
}

/// Keys seen, folded: how the first was spelt, and where.
#[derive(Default)]
struct Twins(HashMap<String, (Box<str>, Span)>);
