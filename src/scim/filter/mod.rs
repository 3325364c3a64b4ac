//! Filters (RFC 7644 §3.4.2.2): text → [`ast::Filter`] → [`Query`](crate::model::query::Query).
//!
//! Owns: the grammar with its limits, the rules of type and operator, and the forms clients send that the grammar
//! does not have. Strict, these are refused: bare-word values (`userName eq bjensen`), `"True"` for a boolean, digits
//! without quotes for a string, `emails[…].value eq "x"`, `manager eq "x"`, enterprise attributes without their URN.
//! `emails co "x"` is read as `emails.value` in both modes: an example of the RFC has it. Refuses: running a filter, and ignoring any part
//! of one: what can't be run is 400 `invalidFilter`, for a filter that is dropped matches everybody.
//!
//! Policies where the RFC is silent: `eq null` is "has no value", `ne "x"` is true for what has no value,
//! an empty string is no value, `co ""` is refused, and so is any filter over what is never returned.

pub mod ast;

mod compile;
mod lexer;
mod parser;

pub use compile::{compile, compile_element, field};
pub use parser::{parse, parse_element};

use super::error::{ScimError, ScimType};

/// Longest filter in bytes.
pub const LENGTH_MAX: usize = 4 * 1024;
/// Deepest nesting of parentheses and brackets.
pub const DEPTH_MAX: usize = 20;
/// Most `pr` and comparison terms.
pub const TERMS_MAX: usize = 50;
/// Most value paths.
pub const VALUE_PATHS_MAX: usize = 10;

/// A refused filter.
fn refused(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::InvalidFilter, detail)
}

/// The beginning of a text from outside, short enough for an error's detail and without control characters.
pub(in crate::scim) fn excerpt(text: &str) -> String {
    const CHARS: usize = 60;
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS).collect();
    if text.chars().nth(CHARS).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
