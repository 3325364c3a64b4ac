//! Values while running. Everything is borrowed: from the entry, from the plan or from the arena of this entry, so a
//! value is two words and a tag and copying one is free. Static types carry the rest: at run time a guid is
//! [`Value::Binary`], a dn is [`Value::String`], a filetime is [`Value::Int`] (or still the source's text).

use crate::diagnostic::codes::Code;
use jiff::{SignedDuration, Timestamp};

// The tag is a word of its own: packed beside a boolean it was copied in pieces, and reading what was just written in
// other pieces stalls the processor (a third of the time of a mapping, measured).
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u64)]
pub enum Value<'a> {
    Absent,
    /// Leave the stored value alone. Only ever the whole result of a rule.
    Keep,
    /// JSON null. Absent for everything but `has` and `is_null`.
    Null,
    Bool(bool),
    Int(i64),
    /// A JSON number that is no integer; only its text or a rounding function can use it.
    Float(f64),
    String(&'a str),
    Binary(&'a [u8]),
    DateTime(Timestamp),
    Duration(SignedDuration),
    List(&'a [Self]),
    Record(&'a [(&'a str, Self)]),
    /// Only as the argument of a function.
    Regex(&'a Regex),
    Table(&'a crate::plan::Table),
}

impl Value<'_> {
    /// Neither missing nor empty: mapping.md §3, the column `present`.
    pub const fn is_present(&self) -> bool {
        match self {
            Self::Absent | Self::Null | Self::Keep => false,
            Self::String(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            _ => true,
        }
    }

    /// The kind in words, for messages; never the value.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Keep => "keep",
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number with a fraction",
            Self::String(_) => "text",
            Self::Binary(_) => "binary",
            Self::DateTime(_) => "a datetime",
            Self::Duration(_) => "a duration",
            Self::List(_) => "a list",
            Self::Record(_) => "a record",
            Self::Regex(_) => "a regular expression",
            Self::Table(_) => "a table",
        }
    }
}

/// Why one attribute has no result. The message lives in the arena and never holds a sensitive value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failure<'a> {
    pub code: Code,
    pub message: &'a str,
}

/// A compiled regular expression; two are equal when they were written alike. The shape is what makes the simple ones
/// (most of them) cost no automaton.
#[derive(Clone, Debug)]
pub struct Regex(pub regex::Regex, pub crate::pattern::Shape);

impl Regex {
    /// Compiles within the language's bounds.
    ///
    /// # Errors
    /// What is wrong with the pattern, or that it is too large.
    pub fn compile(pattern: &str, ignore_case: bool) -> Result<Self, regex::Error> {
        let regex = regex::RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .size_limit(crate::limits::REGEX_BYTES_MAX)
            .dfa_size_limit(crate::limits::REGEX_BYTES_MAX)
            .nest_limit(crate::limits::REGEX_NESTING_MAX)
            .build()?;
        let shape = crate::pattern::Shape::of(pattern, ignore_case);
        Ok(Self(regex, shape))
    }

    /// Whether it matches anywhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.1.is_match(text).unwrap_or_else(|| self.0.is_match(text))
    }
}

/// Nothing is known of how it was built, so its shape is the general one.
impl From<regex::Regex> for Regex {
    fn from(regex: regex::Regex) -> Self {
        Self(regex, crate::pattern::Shape::General)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}
