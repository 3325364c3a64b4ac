//! Tree to predicate: what each field may be asked, and in which form its values are compared.

use super::ast::{Asked, Bound, Edge, Field, Node, Term};
use super::fields::{self, BARE, Kind};
use super::{PLAIN_CHARS_MIN, Refused, excerpt};
use crate::clock::{Micros, SECOND};
use crate::model::connection::ConnectionKind;
use crate::model::fold::{KEPT_MAX, value_key};
use crate::model::query::parse_instant;
use crate::model::user_search::{Identity, Keys, Moment, Test, UserQuery, Whole, flag_key, folded_key, number_key, text_key};

/// Bytes of a wildcard or the end of a range: longer values are kept cut, and could not be compared with more.
const PART_BYTES_MAX: usize = 256;
const DAY: Micros = 24 * 3_600 * SECOND;
const MILLISECOND: Micros = SECOND / 1_000;

/// The predicate.
///
/// # Errors
/// An unknown field, or something that its field can't be asked, with the column.
pub fn compile(node: &Node) -> Result<UserQuery, Refused> {
    match node {
        Node::And(parts) => parts.iter().map(compile).collect::<Result<_, _>>().map(UserQuery::And),
        Node::Or(parts) => parts.iter().map(compile).collect::<Result<_, _>>().map(UserQuery::Or),
        Node::Not(inner) => compile(inner).map(not),
        Node::Exists(field) => exists(field),
        Node::Clause { field: None, asked, column } => bare(asked, *column),
        Node::Clause { field: Some(field), asked, column } => clause(field, asked, *column),
    }
}

fn not(query: UserQuery) -> UserQuery {
    UserQuery::Not(Box::new(query))
}

const fn test(test: Test) -> UserQuery {
    UserQuery::Test(test)
}

fn value(attribute: &str, keys: Keys) -> UserQuery {
    test(Test::Value { attribute: attribute.to_owned(), keys })
}

fn exists(field: &Field) -> Result<UserQuery, Refused> {
    Ok(match fields::kind(field)? {
        Kind::Folded { always: true, .. }
        | Kind::UserId
        | Kind::EmailVerified
        | Kind::When(Moment::Created | Moment::Updated) => UserQuery::All,
        // Everybody has an identity, and each of them all of these.
        Kind::Connection | Kind::Provider | Kind::OwnId | Kind::Social => UserQuery::All,
        Kind::Folded { attribute, .. } | Kind::Exact(attribute) => value(attribute, Keys::Any),
        Kind::Email => test(Test::Email(Keys::Any)),
        Kind::LastIp => test(Test::Nothing),
        Kind::Organization => test(Test::Organization(Keys::Any)),
        Kind::PhoneVerified => value("phone_verified", Keys::Any),
        Kind::Blocked => test(Test::Blocked),
        Kind::Logins => test(Test::Logins(Whole { from: 1, ..Whole::ALL })),
        Kind::When(Moment::LastLogin) => test(Test::When(Moment::LastLogin, Whole { from: 1, ..Whole::ALL })),
        Kind::AppMetadata | Kind::UserMetadata => test(Test::Below(field.name.clone())),
    })
}

/// Any of the fields that a person is known by.
fn bare(asked: &Asked, column: usize) -> Result<UserQuery, Refused> {
    if matches!(asked, Asked::Term(term) if term.is_anything()) {
        return Ok(UserQuery::All);
    }
    // A wildcard in front is asked of the fields that allow it.
    let in_front = matches!(asked, Asked::Term(term) if term.0.len() > 1 && term.0[0].is_empty());
    let mut parts = Vec::new();
    for name in BARE {
        let field = Field { name: name.to_owned(), column };
        let folded = matches!(fields::kind(&field)?, Kind::Folded { .. } | Kind::Email);
        if folded || !in_front {
            parts.push(clause(&field, asked, column)?);
        }
    }
    Ok(UserQuery::Or(parts))
}

fn clause(field: &Field, asked: &Asked, column: usize) -> Result<UserQuery, Refused> {
    let kind = fields::kind(field)?;
    if matches!(asked, Asked::Term(term) if term.is_anything()) && kind != Kind::UserMetadata {
        return exists(field);
    }
    let place = Place { field, column };
    match kind {
        Kind::Folded { attribute, .. } => Ok(value(attribute, place.keys(asked, true, folded_key)?)),
        Kind::Email => Ok(test(Test::Email(place.keys(asked, true, folded_key)?))),
        Kind::Exact(attribute) => Ok(value(attribute, place.keys(asked, false, str::to_owned)?)),
        Kind::UserId => Ok(test(Test::UserId(place.keys(asked, false, str::to_owned)?))),
        Kind::LastIp => place.keys(asked, false, str::to_owned).map(|_| test(Test::Nothing)),
        Kind::Connection => Ok(test(Test::Identity(Identity::Connection(place.plain(asked)?.to_owned())))),
        Kind::Provider => {
            let wanted = place.plain(asked)?;
            Ok(kinds(|kind| kind.strategy() == wanted))
        }
        Kind::OwnId => Ok(test(Test::Identity(Identity::OwnId(place.plain(asked)?.to_owned())))),
        Kind::Social => {
            let social = place.flag(asked)?;
            Ok(kinds(|kind| kind.is_social() == social))
        }
        Kind::Organization => Ok(test(Test::Organization(Keys::Equal(place.plain(asked)?.to_owned())))),
        Kind::EmailVerified => place.flag(asked).map(|flag| either(flag, value("email_verified", Keys::Equal("true".into())))),
        Kind::PhoneVerified => place.flag(asked).map(|flag| value("phone_verified", Keys::Equal(flag.to_string()))),
        Kind::Blocked => place.flag(asked).map(|flag| either(flag, test(Test::Blocked))),
        Kind::Logins => Ok(test(Test::Logins(place.whole(asked, logins)?))),
        Kind::When(moment) => {
            let mut when = place.whole(asked, instant)?;
            if moment == Moment::LastLogin {
                // Who never came in has no such time, and is in no range of it.
                when.from = when.from.max(1);
            }
            Ok(test(Test::When(moment, when)))
        }
        Kind::AppMetadata => Ok(value(&field.name, place.metadata(asked, true)?)),
        Kind::UserMetadata => Ok(value(&field.name, place.metadata(asked, false)?)),
    }
}

fn either(flag: bool, query: UserQuery) -> UserQuery {
    if flag { query } else { not(query) }
}

fn kinds(wanted: impl Fn(&ConnectionKind) -> bool) -> UserQuery {
    let kinds: Vec<_> = ConnectionKind::ALL.iter().filter(|kind| wanted(kind)).map(|kind| kind.as_str()).collect();
    test(if kinds.is_empty() { Test::Nothing } else { Test::Identity(Identity::Kinds(kinds)) })
}

/// A value of its field: what stands before the end, and before what comes after it.
type Span = fn(&Edge) -> Option<Whole>;

/// An integer, and the one after it.
fn logins(edge: &Edge) -> Option<Whole> {
    let number: i64 = edge.text.parse().ok().filter(|number: &i64| *number < i64::MAX)?;
    Some(Whole { from: number, until: number + 1 })
}

/// A day as a whole, or the millisecond that is printed.
fn instant(edge: &Edge) -> Option<Whole> {
    if let Some(at) = parse_instant(&edge.text) {
        let from = at.div_euclid(MILLISECOND) * MILLISECOND;
        return Some(Whole { from, until: from + MILLISECOND });
    }
    let day: jiff::civil::Date = edge.text.parse().ok()?;
    // Only the form that is documented: the parser would take others.
    if edge.text.len() != 10 {
        return None;
    }
    let from = jiff::tz::Offset::UTC.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).ok()?.as_microsecond();
    Some(Whole { from, until: from + DAY })
}

/// What is asked of which field, where.
struct Place<'a> {
    field: &'a Field,
    column: usize,
}

impl Place<'_> {
    fn refused(&self, says: impl std::fmt::Display) -> Refused {
        Refused::at(self.column, format!("`{}` {says}", excerpt(&self.field.name)))
    }

    /// Text with neither wildcard nor range.
    fn plain<'t>(&self, asked: &'t Asked) -> Result<&'t str, Refused> {
        match asked {
            Asked::Phrase(text) => Ok(text),
            Asked::Term(term) => term.plain().ok_or_else(|| self.refused("takes no wildcard")),
            Asked::Range { .. } => Err(self.refused("takes no range")),
        }
    }

    fn flag(&self, asked: &Asked) -> Result<bool, Refused> {
        match self.plain(asked)? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.refused("is true or false")),
        }
    }

    /// Keys of text; `anywhere`: a wildcard may stand in front.
    fn keys(&self, asked: &Asked, anywhere: bool, form: fn(&str) -> String) -> Result<Keys, Refused> {
        match asked {
            Asked::Phrase(text) => Ok(self.equal(&form(text))),
            Asked::Range { .. } => Err(self.refused("takes no range")),
            Asked::Term(term) => match term.plain() {
                Some(text) => Ok(self.equal(&form(text))),
                None => self.wildcard(term, anywhere, form),
            },
        }
    }

    fn equal(&self, key: &str) -> Keys {
        // The column of the address and of ids has whole values, rows have cut ones.
        let whole = matches!(self.field.name.as_str(), "email" | "user_id");
        Keys::Equal(if whole { key.to_owned() } else { value_key(key, true) })
    }

    fn wildcard(&self, term: &Term, anywhere: bool, form: fn(&str) -> String) -> Result<Keys, Refused> {
        let plain = term.0.concat();
        let key = form(&plain);
        if key.len() > PART_BYTES_MAX || key.len() > KEPT_MAX {
            return Err(self.refused(format!("takes at most {PART_BYTES_MAX} bytes beside a wildcard")));
        }
        let ends: Vec<bool> = term.0.iter().map(String::is_empty).collect();
        let keys = match ends.as_slice() {
            [false, true] => return Ok(Keys::Prefix(key)),
            [true, false] if anywhere => Keys::Suffix(key),
            [true, false, true] if anywhere => Keys::Contains(key),
            [true, false] | [true, false, true] => return Err(self.refused("takes a wildcard at the end alone")),
            _ => return Err(self.refused("takes a wildcard at the end, in front, or at both ends")),
        };
        if plain.chars().count() < PLAIN_CHARS_MIN {
            return Err(self.refused(format!("needs at least {PLAIN_CHARS_MIN} characters behind a wildcard in front")));
        }
        Ok(keys)
    }

    /// A number, a time, or a range of them.
    fn whole(&self, asked: &Asked, span: Span) -> Result<Whole, Refused> {
        let what = if matches!(self.field.name.as_str(), "logins_count") {
            "a whole number"
        } else {
            "a date (2026-01-31) or a date-time"
        };
        let of = |edge: &Edge, column: usize| {
            span(edge)
                .ok_or_else(|| Refused::at(column, format!("`{}` is {what}, not `{}`", self.field.name, excerpt(&edge.text))))
        };
        match asked {
            Asked::Range { from, to } => {
                let mut whole = Whole::ALL;
                if let Some(edge) = &from.value {
                    let span = of(edge, from.column)?;
                    whole.from = if from.inclusive { span.from } else { span.until };
                }
                if let Some(edge) = &to.value {
                    let span = of(edge, to.column)?;
                    whole.until = if to.inclusive { span.until } else { span.from };
                }
                Ok(whole)
            }
            Asked::Phrase(text) => of(&Edge { text: text.clone(), quoted: true }, self.column),
            Asked::Term(term) => {
                let text = term.plain().ok_or_else(|| self.refused("takes no wildcard"))?;
                of(&Edge { text: text.to_owned(), quoted: false }, self.column)
            }
        }
    }

    /// A value of metadata has its own type: a number, true or false, and text, which is all that is quoted. `rich`: with ranges and
    /// with a wildcard at the end.
    fn metadata(&self, asked: &Asked, rich: bool) -> Result<Keys, Refused> {
        match asked {
            Asked::Phrase(text) => Ok(Keys::Equal(text_key(text))),
            Asked::Term(term) => match term.plain() {
                Some(text) => Ok(Keys::Equal(typed(text))),
                None if !rich => Err(self.refused("takes no wildcard")),
                None => self.wildcard(term, false, |text| format!("s{text}")),
            },
            Asked::Range { .. } if !rich => Err(self.refused("takes no range")),
            Asked::Range { from, to } => self.between(from, to),
        }
    }

    /// Numbers if both ends are, else text.
    fn between(&self, from: &Bound, to: &Bound) -> Result<Keys, Refused> {
        let numeric =
            |bound: &Bound| bound.value.as_ref().map_or(Some(None), |edge| number(&edge.text).filter(|_| !edge.quoted).map(Some));
        let open = |bound: &Bound, key: &str| (key.to_owned(), bound.inclusive);
        if let (Some(least), Some(most)) = (numeric(from), numeric(to))
            && (least.is_some() || most.is_some())
        {
            let from = least.map_or_else(|| open(from, "n"), |number| (number_key(number), from.inclusive));
            let to = most.map_or_else(|| ("o".to_owned(), false), |number| (number_key(number), to.inclusive));
            return Ok(Keys::Between { from, to });
        }
        let text = |bound: &Bound, otherwise: (&str, bool)| match &bound.value {
            None => Ok((otherwise.0.to_owned(), otherwise.1)),
            Some(edge) if edge.text.len() > PART_BYTES_MAX => {
                Err(Refused::at(bound.column, format!("the end of a range has at most {PART_BYTES_MAX} bytes")))
            }
            Some(edge) => Ok((text_key(&edge.text), bound.inclusive)),
        };
        if from.value.is_none() && to.value.is_none() {
            // Of whatever type.
            return Ok(Keys::Any);
        }
        Ok(Keys::Between { from: text(from, ("s", true))?, to: text(to, ("t", false))? })
    }
}

/// The key of a word that is not quoted.
fn typed(text: &str) -> String {
    match (text, number(text)) {
        ("true" | "false", _) => flag_key(text == "true"),
        (_, Some(number)) => number_key(number),
        _ => text_key(text),
    }
}

/// A number as JSON writes it.
fn number(text: &str) -> Option<f64> {
    serde_json::from_str::<serde_json::Number>(text).ok()?.as_f64().filter(|number| number.is_finite())
}
