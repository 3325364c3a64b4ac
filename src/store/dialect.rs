//! The few places where SQLite and PostgreSQL are told different things: parameter spelling, the joining of a
//! batch into one statement, lists in reads, and the tokens of the migrations.
//!
//! Owns: rewriting of our own constant texts. Refuses: values (they are always bound) and foreign SQL.

use super::joint::{Form, Part};
use super::{Error, Value};
use std::fmt::Write as _;
use std::ops::Range;

/// Which database a store talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// Most parameters one statement of PostgreSQL's protocol can carry.
const PARAMETERS_MAX: usize = 65_535;

/// A piece of SQL: what is between quotes or in a comment is not code.
enum Piece {
    Code(Range<usize>),
    Other(Range<usize>),
}

/// Splits a text into code and the rest (quoted text, quoted names, comments).
fn pieces(sql: &str) -> Vec<Piece> {
    let bytes = sql.as_bytes();
    let (mut pieces, mut code, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let rest = &sql[at..];
        let length = match bytes[at] {
            quote @ (b'\'' | b'"') => bytes[at + 1..].iter().position(|b| *b == quote).map_or(rest.len(), |end| end + 2),
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => {
                // Only ASCII starts a piece, so this never cuts a character.
                at += 1;
                continue;
            }
        };
        pieces.push(Piece::Code(code..at));
        pieces.push(Piece::Other(at..at + length));
        at += length;
        code = at;
    }
    pieces.push(Piece::Code(code..bytes.len()));
    pieces
}

/// Rewrites every `$n` outside quotes and comments.
fn map_parameters(sql: &str, mut to: impl FnMut(usize, &mut String)) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    for piece in pieces(sql) {
        let mut rest = match piece {
            Piece::Other(range) => {
                out.push_str(&sql[range]);
                continue;
            }
            Piece::Code(range) => &sql[range],
        };
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            let digits = rest[dollar + 1..].bytes().take_while(u8::is_ascii_digit).count();
            match rest[dollar + 1..=dollar + digits].parse() {
                Ok(n) => to(n, &mut out),
                Err(_) => out.push_str(&rest[dollar..=dollar + digits]),
            }
            rest = &rest[dollar + 1 + digits..];
        }
        out.push_str(rest);
    }
    out
}

/// The highest `$n` of a text: how many arguments it takes.
pub(super) fn arity(sql: &str) -> usize {
    let mut highest = 0;
    map_parameters(sql, |n, _| highest = highest.max(n));
    highest
}

/// `$n` as SQLite numbers it. There `$2` is a *name* and would be counted by first appearance.
pub(super) fn numbered(sql: &str) -> String {
    map_parameters(sql, |n, out| {
        let _ = write!(out, "?{n}");
    })
}

/// Placeholders for a list of `count` values in an `IN (…)`, starting at `$first`. The count is rounded up to 1, 4,
/// 16, 64 or 256 so that few texts exist; pad the arguments with [`pad_list`]. At most 256 values.
pub fn in_list(first: usize, count: usize) -> String {
    (first..first + list_slots(count)).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// Repeats the last value until the list fills the slots of [`in_list`]; an empty list gets an id no row has.
pub fn pad_list(args: &mut Vec<Value>, values: impl IntoIterator<Item = Value>) {
    let start = args.len();
    args.extend(values);
    let slots = list_slots(args.len() - start);
    let last = if args.len() > start { args[args.len() - 1].clone() } else { Value::from("") };
    args.resize(start + slots, last);
}

fn list_slots(count: usize) -> usize {
    debug_assert!(count <= 256, "lists are read in parts of 256");
    [1, 4, 16, 64, 256].into_iter().find(|slots| *slots >= count).unwrap_or(count)
}

/// One statement for all parts, and so one round trip and one implicit transaction. Arguments in order: of
/// [`Form::Once`] each value; else one array per column, for [`Form::Few`] the numbers of the rows, then `must` if it
/// has one.
///
/// A `must` that is not met divides by zero (22012), which undoes everything and is read as *stale*.
pub(super) fn joined(parts: &[Part]) -> Result<String, Error> {
    let (mut with, mut checks, mut base) = (Vec::new(), String::from("1"), 0);
    for (i, part) in parts.iter().enumerate() {
        let row = &part.rows[0];
        let mut used = row.len();
        let (sql, must) = if part.form == Form::Once {
            (part.sql.to_owned(), part.must.map(|must| must.to_string()))
        } else {
            used += usize::from(part.form == Form::Few);
            let sql = over_rows(part.sql, row, part.form)?;
            // Bound, not written: the text has to stay the same for any number of rows.
            let must = part.must.map(|_| {
                used += 1;
                format!("${}", base + used)
            });
            (sql, must)
        };
        let shifted = map_parameters(&sql, |n, out| {
            let _ = write!(out, "${}", n + base);
        });
        with.push(format!("w{i} AS ({shifted} RETURNING 1)"));
        if let Some(must) = must {
            let _ = write!(checks, " + 1/(CASE WHEN (SELECT count(*) FROM w{i}) = {must} THEN 1 ELSE 0 END)");
        }
        base += used;
    }
    if base > PARAMETERS_MAX {
        return Err(Error::Statement { reason: format!("a batch of {base} parameters, more than {PARAMETERS_MAX}") });
    }
    Ok(format!("WITH {} SELECT {checks}", with.join(", ")))
}

/// A single-row statement made to run for many. [`Form::Many`]: for every row of `unnest`, `$n` becomes `v.an`.
/// [`Form::Few`]: for every number of a row, `$n` becomes the element of that number; `unnest` keeps a table for each
/// column, which for a few rows costs more than they do.
///
/// Forms: `INSERT … VALUES (…) [ON CONFLICT …]`, `INSERT … SELECT … [FROM …] [WHERE …] [ON CONFLICT …]`,
/// `UPDATE … SET … [FROM …] WHERE …`, `DELETE FROM … WHERE …`.
fn over_rows(sql: &str, row: &[Value], form: Form) -> Result<String, Error> {
    let unknown = || Error::Statement { reason: format!("not a form that runs for each row: {sql}") };
    let array = |n: usize| format!("${n}::{}[]", row[n - 1].pg_type());
    let rows = if form == Form::Few {
        numbers(row.len() + 1)
    } else {
        let arrays: Vec<_> = (1..=row.len()).map(array).collect();
        let names: Vec<_> = (1..=row.len()).map(|n| format!("a{n}")).collect();
        format!("unnest({}) AS v({})", arrays.join(", "), names.join(", "))
    };
    let column = |part: &str| {
        map_parameters(part, |n, out| {
            let _ = if form == Form::Few { write!(out, "({})[v.i]", array(n)) } else { write!(out, "v.a{n}") };
        })
    };
    if sql.starts_with("INSERT") {
        let (insert, conflict) = sql.split_at(top_level(sql, "ON CONFLICT").unwrap_or(sql.len()));
        if arity(conflict) > 0 {
            return Err(unknown());
        }
        if let Some(at) = top_level(insert, "VALUES") {
            let values = insert[at + "VALUES".len()..].trim();
            let values = values.strip_prefix('(').and_then(|values| values.strip_suffix(')')).ok_or_else(unknown)?;
            return Ok(format!("{}SELECT {} FROM {rows} {conflict}", &insert[..at], column(values)));
        }
        let select = top_level(insert, "SELECT").ok_or_else(unknown)?;
        return Ok(format!("{}{} {conflict}", &insert[..select], with_source(&column(&insert[select..]), "FROM", &rows)));
    }
    if sql.starts_with("UPDATE") {
        return Ok(with_source(&column(sql), "FROM", &rows));
    }
    // `DELETE FROM t`: its own FROM names the target.
    let target = sql.strip_prefix("DELETE FROM ").ok_or_else(unknown)?;
    Ok(format!("DELETE FROM {}", with_source(&column(target), "USING", &rows)))
}

/// A read for several at once: `$n` becomes the element of who asks of an array, and the number of who asked stands before
/// each row. What is asked for one stays a query of its own, so that the indexes it has are used for each.
pub(super) fn looked_up(sql: &str, row: &[Value]) -> String {
    let inner = map_parameters(sql, |n, out| {
        let _ = write!(out, "(${n}::{}[])[v.i]", row[n - 1].pg_type());
    });
    // A bound, so that the planner does not pull it up into a join.
    let fence = if top_level(sql, "LIMIT").is_some() { "" } else { " OFFSET 0" };
    format!("SELECT v.i, x.* FROM {} CROSS JOIN LATERAL ({inner}{fence}) AS x", numbers(row.len() + 1))
}

/// The numbers of the rows, bound as `$n`. Within a SELECT, so that the planner sees their count neither in a plan for
/// these arguments nor in one for any: else the former looks cheaper whenever they are few, and it plans for every call.
fn numbers(n: usize) -> String {
    format!("unnest((SELECT ${n}::int[])) AS v(i)")
}

/// Puts `rows` in front of the sources a statement already has, else before its WHERE, else at its end.
fn with_source(sql: &str, keyword: &str, rows: &str) -> String {
    // Only before the WHERE: `IS DISTINCT FROM` is no source.
    let (head, tail) = sql.split_at(top_level(sql, "WHERE").unwrap_or(sql.len()));
    match top_level(head, keyword) {
        Some(at) => format!("{}{keyword} {rows} CROSS JOIN{}{tail}", &head[..at], &head[at + keyword.len()..]),
        None => format!("{} {keyword} {rows} {tail}", head.trim_end()),
    }
}

/// Where `keyword` stands as words of its own, outside brackets, quotes and comments.
pub(super) fn top_level(sql: &str, keyword: &str) -> Option<usize> {
    let bytes = sql.as_bytes();
    let word = |at: Option<&u8>| at.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let mut depth = 0_usize;
    for piece in pieces(sql) {
        let Piece::Code(range) = piece else { continue };
        for at in range {
            match bytes[at] {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ if depth == 0
                    && bytes[at..].starts_with(keyword.as_bytes())
                    && !word(at.checked_sub(1).and_then(|before| bytes.get(before)))
                    && !word(bytes.get(at + keyword.len())) =>
                {
                    return Some(at);
                }
                _ => {}
            }
        }
    }
    None
}

/// A migration's text as `backend` reads it, or nothing if its header says that it is for the other database.
///
/// Tokens: `TEXT` becomes `TEXT COLLATE "C"` on PostgreSQL, so that both order by bytes; `/* keyed */` becomes
/// `WITHOUT ROWID` on SQLite; a first line `-- postgres only` or `-- sqlite only`.
pub(super) fn migration(text: &str, backend: Backend) -> Option<String> {
    let only = match text.lines().next().map(str::trim) {
        Some("-- postgres only") => Some(Backend::Postgres),
        Some("-- sqlite only") => Some(Backend::Sqlite),
        _ => None,
    };
    if only.is_some_and(|only| only != backend) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 1024);
    for piece in pieces(text) {
        match piece {
            Piece::Other(range) if backend == Backend::Sqlite && &text[range.clone()] == "/* keyed */" => {
                out.push_str("WITHOUT ROWID");
            }
            Piece::Code(range) if backend == Backend::Postgres => collate(&text[range], &mut out),
            Piece::Code(range) | Piece::Other(range) => out.push_str(&text[range]),
        }
    }
    Some(out)
}

fn collate(code: &str, out: &mut String) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = code;
    while let Some(at) = rest.find("TEXT") {
        let (before, after) = (&rest[..at], &rest[at + 4..]);
        out.push_str(before);
        out.push_str("TEXT");
        if !before.ends_with(word) && !after.starts_with(word) {
            out.push_str(" COLLATE \"C\"");
        }
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn part(sql: &'static str, row: Vec<Value>, form: Form, must: Option<u64>) -> Part<'static> {
        Part { sql, rows: vec![row.into()], form, must }
    }

    #[test]
    fn parameters_are_found_outside_quotes_and_comments_only() {
        assert_eq!(numbered("SELECT '$9' WHERE a = $12 AND b = $2 -- $7\n"), "SELECT '$9' WHERE a = ?12 AND b = ?2 -- $7\n");
        assert_eq!(arity("SELECT 'it''s $9', $2, \"$8\" /* $7 */"), 2);
        assert_eq!(arity("SELECT 'ü', $1"), 1);
    }

    #[test]
    fn parts_become_one_statement() {
        let parts = [
            part("UPDATE t SET a = $1 WHERE id = $2", args!["x", 1], Form::Once, Some(1)),
            part("INSERT INTO u (a, b) VALUES ($1, $2)", args!["x", 1], Form::Many, None),
            part("INSERT INTO v (a, b) VALUES ($1, $2)", args!["x", 1], Form::Few, Some(1)),
            part("DELETE FROM w WHERE a = $1", args!["x"], Form::Once, None),
        ];
        assert_eq!(
            joined(&parts).unwrap(),
            "WITH w0 AS (UPDATE t SET a = $1 WHERE id = $2 RETURNING 1), \
             w1 AS (INSERT INTO u (a, b) SELECT v.a1, v.a2 FROM unnest($3::text[], $4::bigint[]) AS v(a1, a2)  RETURNING 1), \
             w2 AS (INSERT INTO v (a, b) SELECT ($5::text[])[v.i], ($6::bigint[])[v.i] FROM unnest((SELECT $7::int[])) AS v(i)  RETURNING 1), \
             w3 AS (DELETE FROM w WHERE a = $9 RETURNING 1) \
             SELECT 1 + 1/(CASE WHEN (SELECT count(*) FROM w0) = 1 THEN 1 ELSE 0 END) \
             + 1/(CASE WHEN (SELECT count(*) FROM w2) = $8 THEN 1 ELSE 0 END)"
        );
    }

    #[test]
    fn each_form_of_statement_runs_over_rows() {
        let two = args!["x", "y"];
        let rows = |sql: &str| over_rows(sql, &two, Form::Many).unwrap();
        let source = "unnest($1::text[], $2::text[]) AS v(a1, a2)";
        assert_eq!(
            rows("INSERT INTO t (a, b, c) VALUES ($1, 'k', $2) ON CONFLICT (a) DO UPDATE SET b = excluded.b"),
            format!("INSERT INTO t (a, b, c) SELECT v.a1, 'k', v.a2 FROM {source} ON CONFLICT (a) DO UPDATE SET b = excluded.b")
        );
        assert_eq!(
            rows("INSERT INTO t (a) SELECT $1 WHERE EXISTS (SELECT 1 FROM u WHERE b = $2)"),
            format!("INSERT INTO t (a) SELECT v.a1 FROM {source} WHERE EXISTS (SELECT 1 FROM u WHERE b = v.a2) ")
        );
        assert_eq!(
            rows("INSERT INTO t (a) SELECT u.a FROM u WHERE u.b = $1 AND u.c = $2"),
            format!("INSERT INTO t (a) SELECT u.a FROM {source} CROSS JOIN u WHERE u.b = v.a1 AND u.c = v.a2 ")
        );
        assert_eq!(
            rows("UPDATE t SET a = $1 WHERE b IS DISTINCT FROM $2"),
            format!("UPDATE t SET a = v.a1 FROM {source} WHERE b IS DISTINCT FROM v.a2")
        );
        assert_eq!(
            rows("UPDATE t SET a = $1 FROM u WHERE u.b = $2"),
            format!("UPDATE t SET a = v.a1 FROM {source} CROSS JOIN u WHERE u.b = v.a2")
        );
        assert_eq!(
            rows("DELETE FROM t WHERE a = $1 AND b IN (SELECT b FROM u WHERE c = $2)"),
            format!("DELETE FROM t USING {source} WHERE a = v.a1 AND b IN (SELECT b FROM u WHERE c = v.a2)")
        );
        let few = "UPDATE t SET a = ($1::text[])[v.i] FROM unnest((SELECT $3::int[])) AS v(i) WHERE b = ($2::text[])[v.i]";
        assert_eq!(over_rows("UPDATE t SET a = $1 WHERE b = $2", &two, Form::Few).unwrap(), few);
        for form in [Form::Few, Form::Many] {
            assert!(over_rows("INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = $2", &two, form).is_err());
            assert!(over_rows("SELECT $1, $2", &two, form).is_err());
        }
    }

    #[test]
    fn a_read_for_several_stays_a_query_of_its_own_for_each() {
        let row = [Value::from("x"), Value::from(1)];
        assert_eq!(
            looked_up("SELECT a, b FROM t WHERE a = $1 AND b = $2", &row),
            "SELECT v.i, x.* FROM unnest((SELECT $3::int[])) AS v(i) CROSS JOIN LATERAL \
             (SELECT a, b FROM t WHERE a = ($1::text[])[v.i] AND b = ($2::bigint[])[v.i] OFFSET 0) AS x"
        );
        assert!(looked_up("SELECT a FROM t WHERE a = $1 LIMIT $2", &row).ends_with("LIMIT ($2::bigint[])[v.i]) AS x"));
    }

    #[test]
    fn more_parameters_than_the_protocol_carries_are_refused() {
        let parts =
            |count| (0..count).map(|_| part("DELETE FROM t WHERE a = $1", args!["x"], Form::Once, None)).collect::<Vec<_>>();
        assert!(joined(&parts(65_535)).is_ok());
        assert!(joined(&parts(65_536)).is_err());
    }

    #[test]
    fn lists_come_in_few_sizes() {
        assert_eq!(in_list(2, 3), "$2, $3, $4, $5");
        let mut args = args!["t"];
        pad_list(&mut args, args!["a", "b", "c"]);
        assert_eq!(args, args!["t", "a", "b", "c", "c"]);
        let mut none = vec![];
        pad_list(&mut none, []);
        assert_eq!(none, args![""]);
    }

    #[test]
    fn migrations_are_rendered_for_each_database() {
        let text = "-- a TEXT here\nCREATE TABLE t (text TEXT NOT NULL, TEXTS TEXT DEFAULT 'TEXT') /* keyed */;";
        assert_eq!(
            migration(text, Backend::Postgres).unwrap(),
            "-- a TEXT here\nCREATE TABLE t (text TEXT COLLATE \"C\" NOT NULL, TEXTS TEXT COLLATE \"C\" DEFAULT 'TEXT') /* keyed */;"
        );
        assert_eq!(
            migration(text, Backend::Sqlite).unwrap(),
            "-- a TEXT here\nCREATE TABLE t (text TEXT NOT NULL, TEXTS TEXT DEFAULT 'TEXT') WITHOUT ROWID;"
        );
        assert_eq!(migration("-- postgres only\nSELECT 1", Backend::Sqlite), None);
        assert!(migration("-- sqlite only\nSELECT 1", Backend::Sqlite).is_some());
    }
}
