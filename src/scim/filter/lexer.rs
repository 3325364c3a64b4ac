//! Filter text as tokens. Words are split only at white space, parentheses, brackets and quotes: whether one is a
//! path, an operator or a bare value depends on where it stands.

use super::refused;
use crate::scim::error::ScimError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Word(&'t str),
    /// A JSON string, unescaped.
    Text(String),
}

/// A token, where it begins and where it ends (byte positions).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned<'t> {
    pub token: Token<'t>,
    pub start: usize,
    pub end: usize,
}

pub(super) struct Lexer<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, position: 0 }
    }

    /// What follows `position`.
    pub fn rest_from(&self, position: usize) -> &'t str {
        &self.text[position..]
    }

    /// The next token; `None` at the end. Errors: a string that is not closed or no JSON string.
    pub fn next(&mut self) -> Result<Option<Spanned<'t>>, ScimError> {
        let rest = &self.text[self.position..];
        let start = self.position + (rest.len() - rest.trim_start().len());
        let Some(first) = self.text[start..].chars().next() else {
            self.position = start;
            return Ok(None);
        };
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenBracket, 1),
            ']' => (Token::CloseBracket, 1),
            '"' => {
                let quoted =
                    quoted(&self.text[start..]).ok_or_else(|| refused(format!("the string at byte {start} is not closed")))?;
                let text = serde_json::from_str(quoted)
                    .map_err(|_| refused(format!("the string at byte {start} is not a JSON string")))?;
                (Token::Text(text), quoted.len())
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"');
                let word = &self.text[start..];
                let word = &word[..word.find(ends).unwrap_or(word.len())];
                (Token::Word(word), word.len())
            }
        };
        self.position = start + length;
        Ok(Some(Spanned { token, start, end: self.position }))
    }
}

/// The string `text` begins with, quotes included; `None` if it is not closed.
fn quoted(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(&text[..=at]),
            _ => {}
        }
    }
    None
}
