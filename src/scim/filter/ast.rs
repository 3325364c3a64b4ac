//! A filter as a tree. `Display` prints valid filter text that parses back to the same tree.

use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, Type};
use serde_json::Number;
use std::fmt;

/// RFC 7644 §3.4.2.2, figure 1. `and` and `or` are binary and group to the left.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    /// `path pr`
    Present(AttributePath),
    /// `path op value`
    Compare(AttributePath, Operator, Value),
    /// `path[filter]`: one element satisfies all of the filter, whose paths are relative to the element. It holds
    /// no other `Element`: brackets don't nest.
    Element(AttributePath, Box<Filter>),
}

/// RFC 7644 table 3, without `pr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Operator {
    pub const ALL: [Self; 9] = [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    /// In whatever case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str().eq_ignore_ascii_case(word))
    }
}

/// What an attribute is compared with. Lenient, a bare word is read as a string.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    String(String),
    Number(Number),
    Boolean(bool),
    Null,
}

impl Value {
    /// A string for `true` or `false` in whatever case: some clients quote booleans.
    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            Self::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The value as a document would hold it in `attribute`; `None` for `null`, the empty string and what is of
    /// another type.
    pub fn to_json(&self, attribute: &Attribute) -> Option<serde_json::Value> {
        match (attribute.kind, self) {
            (Type::Boolean, value) => value.as_boolean().map(serde_json::Value::from),
            (Type::Integer | Type::Decimal, Self::Number(number)) => Some(number.clone().into()),
            (Type::String | Type::Reference | Type::DateTime | Type::Binary, Self::String(text)) if !text.is_empty() => {
                Some(text.as_str().into())
            }
            _ => None,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The right side of `and`, `or` is in parentheses where it would otherwise group to the left.
            Self::Or(left, right) => {
                write!(f, "{left} or ")?;
                grouped(f, right, matches!(**right, Self::Or(..)))
            }
            Self::And(left, right) => {
                grouped(f, left, matches!(**left, Self::Or(..)))?;
                f.write_str(" and ")?;
                grouped(f, right, matches!(**right, Self::Or(..) | Self::And(..)))
            }
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Compare(path, operator, value) => write!(f, "{path} {} {value}", operator.as_str()),
            Self::Element(path, inner) => write!(f, "{path}[{inner}]"),
        }
    }
}

fn grouped(f: &mut fmt::Formatter<'_>, filter: &Filter, parentheses: bool) -> fmt::Result {
    if parentheses { write!(f, "({filter})") } else { write!(f, "{filter}") }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Self::Number(number) => write!(f, "{number}"),
            Self::Boolean(boolean) => write!(f, "{boolean}"),
            Self::Null => f.write_str("null"),
        }
    }
}
