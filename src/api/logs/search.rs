//! What of the log is asked for: `q`, in the grammar of [`crate::search`], over the fields of an entry that can be searched. Pure: a
//! tree in, and whether it is met by an entry as it is shown. Dates that everything else has to meet too bound the ids instead.

use crate::clock::{Micros, SECOND};
use crate::model::ids::first_id_of;
use crate::model::nearest::nearest;
use crate::search::ast::{Asked, Bound, Field, Node, Term};
use crate::search::{self, Refused};
use serde_json::Value;

/// What may stand before a colon.
const FIELDS: [&str; 16] = [
    "client_id",
    "client_name",
    "connection",
    "connection_id",
    DATE,
    "description",
    "hostname",
    "ip",
    "log_id",
    "organization_id",
    "strategy",
    "strategy_type",
    "type",
    "user_agent",
    "user_id",
    "user_name",
];
const DATE: &str = "date";

/// A query, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    /// All of them have to be met.
    tests: Vec<Test>,
    when: Span,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Exists(&'static str),
    Equal(&'static str, String),
    /// Plain parts, with anything between each two.
    Like(&'static str, Vec<String>),
    When(Span),
}

/// From this instant on, and before that one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    from: Option<Micros>,
    until: Option<Micros>,
}

impl Span {
    fn and(self, other: Self) -> Self {
        let until = [self.until, other.until].into_iter().flatten().min();
        Self { from: self.from.max(other.from), until }
    }

    fn holds(self, at: Micros) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

impl Filter {
    /// Whether every entry of the index that leads there is meant.
    pub(super) fn asks_nothing(&self) -> bool {
        self.tests.is_empty()
    }

    /// Between which ids, both left out, the entries of the asked time are.
    pub(super) fn ids(&self) -> (String, String) {
        let id = |at: Option<Micros>| at.map(first_id_of).unwrap_or_default();
        (id(self.when.from), id(self.when.until))
    }

    /// The one value that `field` has to have, and the filter without that test.
    pub(super) fn without_exact(&self, field: &str) -> Option<(String, Self)> {
        let exact = |test: &Test| match test {
            Test::Equal(name, value) if *name == field => Some(value.clone()),
            _ => None,
        };
        let (at, value) = self.tests.iter().enumerate().find_map(|(at, test)| Some((at, exact(test)?)))?;
        let mut rest = self.clone();
        rest.tests.remove(at);
        Some((value, rest))
    }

    pub(super) fn matches(&self, entry: &Value) -> bool {
        self.tests.iter().all(|test| test.is_met_by(entry))
    }
}

impl Test {
    fn is_met_by(&self, entry: &Value) -> bool {
        let text = |field: &str| entry.get(field).and_then(Value::as_str);
        match self {
            Self::All(tests) => tests.iter().all(|test| test.is_met_by(entry)),
            Self::Any(tests) => tests.iter().any(|test| test.is_met_by(entry)),
            Self::Not(test) => !test.is_met_by(entry),
            Self::Exists(field) => text(field).is_some(),
            Self::Equal(field, wanted) => text(field) == Some(wanted),
            Self::Like(field, parts) => text(field).is_some_and(|value| is_like(value, parts)),
            Self::When(span) => text(DATE).and_then(instant).is_some_and(|at| span.holds(at)),
        }
    }
}

fn is_like(value: &str, parts: &[String]) -> bool {
    let [first, between @ .., last] = parts else { return parts.first().is_some_and(|only| only == value) };
    let Some(mut rest) = value.strip_prefix(first.as_str()) else { return false };
    for part in between {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last.as_str())
}

/// Reads a query; empty: everything.
pub(super) fn parse(text: &str) -> Result<Filter, Refused> {
    let mut filter = Filter::default();
    let parts = match search::parse(text)? {
        None => return Ok(filter),
        Some(Node::And(parts)) => parts,
        Some(node) => vec![node],
    };
    for part in parts {
        match test(&part)? {
            Test::When(span) => filter.when = filter.when.and(span),
            other => filter.tests.push(other),
        }
    }
    Ok(filter)
}

fn test(node: &Node) -> Result<Test, Refused> {
    let all = |nodes: &[Node]| nodes.iter().map(test).collect::<Result<Vec<_>, _>>();
    Ok(match node {
        Node::And(parts) => Test::All(all(parts)?),
        Node::Or(parts) => Test::Any(all(parts)?),
        Node::Not(inner) => Test::Not(Box::new(test(inner)?)),
        Node::Exists(named) => Test::Exists(field(named)?),
        Node::Clause { field: None, column, .. } => {
            return Err(refused(*column, "the log is searched by fields, as in type:\"fp\""));
        }
        Node::Clause { field: Some(named), asked, column } => match (field(named)?, asked) {
            (DATE, asked) => Test::When(span(asked, *column)?),
            (name, Asked::Phrase(text)) => Test::Equal(name, text.clone()),
            (name, Asked::Term(term)) if term.is_anything() => Test::Exists(name),
            (name, Asked::Term(Term(parts))) => match parts.as_slice() {
                [only] => Test::Equal(name, only.clone()),
                parts => Test::Like(name, parts.to_vec()),
            },
            (_, Asked::Range { .. }) => return Err(refused(*column, "only a date has a range")),
        },
    })
}

fn field(named: &Field) -> Result<&'static str, Refused> {
    FIELDS.into_iter().find(|known| *known == named.name).ok_or_else(|| {
        let hint = nearest(&named.name, FIELDS.into_iter()).map(|near| format!(", did you mean {near}?"));
        refused(named.column, format!("there is no field of that name in the log{}", hint.unwrap_or_default()))
    })
}

/// An instant, whose millisecond is meant, a day, or a range of these.
fn span(asked: &Asked, column: usize) -> Result<Span, Refused> {
    let whole = |text: &str| {
        let wanted = || refused(column, "a date is one like 2026-11-20 or 2026-11-20T23:50:00Z");
        let (begin, long) = match text.len() {
            10 => (instant(&format!("{text}T00:00:00Z")), 86_400 * SECOND),
            _ => (instant(text), 1_000),
        };
        let begin = begin.ok_or_else(wanted)?;
        let begin = begin - begin.rem_euclid(1_000);
        Ok((begin, begin + long))
    };
    let bound = |bound: &Bound| bound.value.as_ref().map(|edge| whole(&edge.text)).transpose();
    match asked {
        Asked::Phrase(text) => whole(text).map(|(from, until)| Span { from: Some(from), until: Some(until) }),
        Asked::Term(term) => {
            let text = term.plain().ok_or_else(|| refused(column, "a date has no wildcard"))?;
            whole(text).map(|(from, until)| Span { from: Some(from), until: Some(until) })
        }
        Asked::Range { from, to } => Ok(Span {
            from: bound(from)?.map(|(begin, end)| if from.inclusive { begin } else { end }),
            until: bound(to)?.map(|(begin, end)| if to.inclusive { end } else { begin }),
        }),
    }
}

fn instant(text: &str) -> Option<Micros> {
    text.parse::<jiff::Timestamp>().ok().map(|at| at.as_microsecond())
}

fn refused(column: usize, says: impl Into<String>) -> Refused {
    Refused { column, says: says.into() }
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    fn matches(query: &str) -> bool {
        let entry = shown::entry(&shown::tests::row(), &shown::tests::names());
        parse(query).unwrap_or_else(|error| panic!("{query}: {error}")).matches(&entry)
    }

    #[test]
    fn an_entry_meets_what_it_says_and_nothing_else() {
        for query in [
            "",
            "type:fp",
            "type:\"fp\" AND connection:\"corp\"",
            "type:fp ip:192.0.2.7",
            "type:(f OR fp OR fu)",
            "type:s OR ip:\"192.0.2.7\"",
            "user_name:ana*",
            "user_name:*corp*",
            "user_name:a*example",
            "NOT type:s",
            "-type:s AND _exists_:ip",
            "NOT _exists_:client_id",
            "user_id:\"ad|corp|7\"",
            "ip:*",
            "NOT date:[2024-01-01 TO *]",
        ] {
            assert!(matches(query), "{query}");
        }
        for query in [
            "type:s",
            "type:fp AND connection:other",
            "NOT type:fp",
            "user_name:bob*",
            "user_name:*nowhere*",
            "_exists_:client_id",
            "type:(s OR slo)",
            "type:s OR date:[2024-01-01 TO *]",
        ] {
            assert!(!matches(query), "{query}");
        }
    }

    #[test]
    fn one_exact_value_leads_and_the_rest_is_asked_of_each_entry() {
        let filter = parse("type:fp AND user_id:\"ad|corp|7\"").expect("reads");
        let (value, rest) = filter.without_exact("user_id").expect("an exact test");
        assert_eq!((value.as_str(), rest, filter.asks_nothing()), ("ad|corp|7", parse("type:fp").expect("reads"), false));
        for other in ["NOT ip:a", "ip:a*", "ip:(a OR b)", "ip:a OR type:f"] {
            assert!(parse(other).expect("reads").without_exact("ip").is_none(), "{other}");
        }
    }

    #[test]
    fn dates_bound_the_ids_and_a_day_is_all_of_it() {
        let ids = |query: &str| parse(query).expect("reads").ids();
        let at = |text: &str| first_id_of(instant(text).expect("an instant"));
        assert_eq!(ids("date:[2026-01-01 TO 2026-01-31]"), (at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")));
        assert_eq!(ids("date:{2026-01-01 TO 2026-01-31}"), (at("2026-01-02T00:00:00Z"), at("2026-01-31T00:00:00Z")));
        assert_eq!(ids("date:[\"2026-01-01T10:00:00.000Z\" TO *]"), (at("2026-01-01T10:00:00Z"), String::new()));
        assert_eq!(ids("date:2026-01-01"), (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z")));
        assert_eq!(ids("date:[2026-01-01 TO *] AND date:[* TO 2026-01-01]"), ids("date:2026-01-01"));
        assert!(parse("date:2026-01-01").expect("reads").asks_nothing(), "the ids say it all");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        for (query, says) in [
            ("typ:fp", "did you mean type?"),
            ("nonsense", "by fields"),
            ("date:yesterday", "a date is one like"),
            ("date:2026*", "no wildcard"),
            ("type:[a TO b]", "only a date"),
            ("_exists_:nothing", "no field of that name"),
            ("type:fp OR nonsense", "by fields"),
        ] {
            let error = parse(query).expect_err(query).to_string();
            assert!(error.contains(says) && error.contains("column"), "{query}: {error}");
        }
        assert!(parse("type:").is_err() && parse("type:\"fp").is_err());
    }
}
