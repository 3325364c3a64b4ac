//! The search text of the management API (`q`, management API reference §8): text → [`ast::Node`] → `model::user_search::UserQuery`.
//!
//! Owns: the grammar with its limits, which fields there are, and what may be asked of each. Refuses: running a search, and passing
//! over any part of one: an unknown field or a wrong type is an error with its place, for a part that is dropped finds everybody.
//!
//! Where the reference is silent: words side by side mean AND; `*` alone is everybody; a word without a field that has a wildcard is
//! asked of the fields that allow it; in a range `:` needs no `\`.

pub mod ast;
mod compile;
mod fields;
mod parse;

pub use compile::compile;
pub use parse::parse;

/// Longest text in bytes.
pub const BYTES_MAX: usize = 2_048;
/// Most comparisons.
pub const CLAUSES_MAX: usize = 50;
/// Deepest nesting of parentheses.
pub const DEPTH_MAX: usize = 10;
/// Most wildcards.
pub const WILDCARDS_MAX: usize = 5;
/// Least plain characters beside a wildcard that stands in front.
pub const PLAIN_CHARS_MIN: usize = 3;

/// Why a text is no search, and where in it: the column, from 1, counted in characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{says} (at column {column})")]
pub struct Refused {
    pub column: usize,
    pub says: String,
}

impl Refused {
    fn at(column: usize, says: impl Into<String>) -> Self {
        Self { column, says: says.into() }
    }
}

/// A piece of the text, short enough for a message and without control characters.
fn excerpt(text: &str) -> String {
    const CHARS: usize = 40;
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS).collect();
    if text.chars().nth(CHARS).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
