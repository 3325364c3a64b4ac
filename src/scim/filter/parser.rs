//! Tokens to a tree, by recursive descent. Every nesting is counted, so no input can exhaust the stack.

use super::ast::{Filter, Operator, Value};
use super::lexer::{Lexer, Spanned, Token};
use super::{DEPTH_MAX, LENGTH_MAX, TERMS_MAX, VALUE_PATHS_MAX, excerpt, refused};
use crate::scim::error::ScimError;
use crate::scim::mode::Mode;
use crate::scim::path::AttributePath;
use serde_json::Number;

/// Reads a filter (RFC 7644 §3.4.2.2). Precedence: brackets and parentheses, `not`, `and`, `or`; keywords and
/// operators in any case. Errors: `invalidFilter` for bad syntax or beyond a limit of [`super`]; strict, also for what
/// the grammar does not have but clients send.
pub fn parse(text: &str, mode: Mode) -> Result<Filter, ScimError> {
    let mut parser = Parser::new(text, mode)?;
    let filter = parser.or()?;
    match parser.next()? {
        None => Ok(filter),
        Some(found) => Err(parser.unexpected(Some(&found), "\"and\", \"or\" or the end")),
    }
}

/// Reads the `[filter]` that `text` begins with, as in a PATCH path, and returns what follows the bracket.
/// Errors: as [`parse`].
pub fn parse_element(text: &str, mode: Mode) -> Result<(Filter, &str), ScimError> {
    let mut parser = Parser::new(text, mode)?;
    parser.next()?;
    let filter = parser.bracketed()?;
    let rest = parser.lexer.rest_from(parser.end);
    Ok((filter, rest))
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    mode: Mode,
    /// A token that was looked at and not taken.
    ahead: Option<Spanned<'t>>,
    /// Where the token taken last ended.
    end: usize,
    depth: usize,
    terms: usize,
    value_paths: usize,
    in_brackets: bool,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, mode: Mode) -> Result<Self, ScimError> {
        if text.len() > LENGTH_MAX {
            return Err(refused(format!("the filter is longer than {LENGTH_MAX} bytes")));
        }
        let lexer = Lexer::new(text);
        Ok(Self { lexer, mode, ahead: None, end: 0, depth: 0, terms: 0, value_paths: 0, in_brackets: false })
    }

    fn next(&mut self) -> Result<Option<Spanned<'t>>, ScimError> {
        let token = match self.ahead.take() {
            Some(token) => Some(token),
            None => self.lexer.next()?,
        };
        if let Some(token) = &token {
            self.end = token.end;
        }
        Ok(token)
    }

    fn peek(&mut self) -> Result<Option<&Token<'t>>, ScimError> {
        if self.ahead.is_none() {
            self.ahead = self.lexer.next()?;
        }
        Ok(self.ahead.as_ref().map(|spanned| &spanned.token))
    }

    fn take_keyword(&mut self, keyword: &str) -> Result<bool, ScimError> {
        let found = matches!(self.peek()?, Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.next()?;
        }
        Ok(found)
    }

    fn or(&mut self) -> Result<Filter, ScimError> {
        let mut filter = self.and()?;
        while self.take_keyword("or")? {
            filter = Filter::Or(Box::new(filter), Box::new(self.and()?));
        }
        Ok(filter)
    }

    fn and(&mut self) -> Result<Filter, ScimError> {
        let mut filter = self.unary()?;
        while self.take_keyword("and")? {
            filter = Filter::And(Box::new(filter), Box::new(self.unary()?));
        }
        Ok(filter)
    }

    fn unary(&mut self) -> Result<Filter, ScimError> {
        let found = self.next()?;
        match found.as_ref().map(|spanned| &spanned.token) {
            Some(Token::Open) => self.grouped(),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("not") => {
                let open = self.next()?;
                if !matches!(&open, Some(Spanned { token: Token::Open, .. })) {
                    return Err(self.unexpected(open.as_ref(), "\"(\" after \"not\""));
                }
                Ok(Filter::Not(Box::new(self.grouped()?)))
            }
            Some(Token::Word(word)) => self.term(word),
            _ => Err(self.unexpected(found.as_ref(), "an attribute, \"not\" or \"(\"")),
        }
    }

    /// What follows an opened parenthesis.
    fn grouped(&mut self) -> Result<Filter, ScimError> {
        self.descend()?;
        let filter = self.or()?;
        let close = self.next()?;
        if !matches!(&close, Some(Spanned { token: Token::Close, .. })) {
            return Err(self.unexpected(close.as_ref(), "\")\""));
        }
        self.depth -= 1;
        Ok(filter)
    }

    /// What follows an opened bracket.
    fn bracketed(&mut self) -> Result<Filter, ScimError> {
        if self.in_brackets {
            return Err(refused("brackets don't nest"));
        }
        self.value_paths += 1;
        if self.value_paths > VALUE_PATHS_MAX {
            return Err(refused(format!("the filter has more than {VALUE_PATHS_MAX} value paths")));
        }
        self.descend()?;
        self.in_brackets = true;
        let filter = self.or()?;
        let close = self.next()?;
        if !matches!(&close, Some(Spanned { token: Token::CloseBracket, .. })) {
            return Err(self.unexpected(close.as_ref(), "\"]\""));
        }
        self.in_brackets = false;
        self.depth -= 1;
        Ok(filter)
    }

    fn descend(&mut self) -> Result<(), ScimError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(refused(format!("the filter nests deeper than {DEPTH_MAX}")));
        }
        Ok(())
    }

    /// `path pr`, `path op value`, `path[filter]`; lenient also `path[filter].sub op value`.
    fn term(&mut self, word: &str) -> Result<Filter, ScimError> {
        let path = attribute_path(word)?;
        if self.peek()? != Some(&Token::OpenBracket) {
            return self.condition(path);
        }
        self.next()?;
        let inner = self.bracketed()?;
        let end = self.end;
        let trailing = match &self.ahead_after(end)? {
            Some(word) => Some(attribute_path(word)?),
            None => None,
        };
        if self.mode.strict && trailing.is_some() {
            return Err(refused(format!(
                "a filter has no condition behind the bracket at byte {end}: write it inside, as in emails[type eq \"work\" and value eq \"…\"]"
            )));
        }
        let inner = match trailing {
            // Some clients write the last condition behind the bracket: it is about the same element.
            Some(sub) => Filter::And(Box::new(inner), Box::new(self.condition(sub)?)),
            None => inner,
        };
        Ok(Filter::Element(path, Box::new(inner)))
    }

    /// Takes the `.sub` that stands right at `end`, if one does.
    fn ahead_after(&mut self, end: usize) -> Result<Option<&'t str>, ScimError> {
        self.peek()?;
        match &self.ahead {
            Some(Spanned { token: Token::Word(word), start, .. }) if *start == end => match word.strip_prefix('.') {
                Some(sub) => {
                    self.next()?;
                    Ok(Some(sub))
                }
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// What follows a path: `pr`, or an operator and a value.
    fn condition(&mut self, path: AttributePath) -> Result<Filter, ScimError> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(refused(format!("the filter has more than {TERMS_MAX} comparisons")));
        }
        let found = self.next()?;
        let Some(Spanned { token: Token::Word(word), .. }) = found else {
            return Err(self.unexpected(found.as_ref(), "an operator"));
        };
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(path));
        }
        let operator = Operator::parse(word).ok_or_else(|| refused(format!("\"{}\" is not an operator", excerpt(word))))?;
        let before = self.end;
        let found = self.next()?;
        let value = match &found {
            Some(Spanned { token: Token::Text(text), start, .. }) if *start > before => Value::String(text.clone()),
            Some(Spanned { token: Token::Word(word), start, .. }) => self.bare(word, *start)?,
            _ => return Err(self.unexpected(found.as_ref(), "a value")),
        };
        Ok(Filter::Compare(path, operator, value))
    }

    /// A value without quotes: a JSON literal, or, lenient, a word taken as a string (Microsoft's documents show them).
    fn bare(&self, word: &str, start: usize) -> Result<Value, ScimError> {
        if let Some(literal) = json_literal(word) {
            return Ok(literal);
        }
        if self.mode.strict {
            return Err(refused(format!(
                "the value at byte {start} is a bare word: a string stands in quotes, \"…\"; true, false and null are written small"
            )));
        }
        let keyword = ["and", "or", "not"].iter().any(|keyword| keyword.eq_ignore_ascii_case(word));
        if keyword || word.contains(|c: char| c.is_control() || c == '\\') {
            return Err(refused("expected a value: a bare word is no keyword and has no backslash or control character"));
        }
        Ok(Value::String(word.to_owned()))
    }

    /// Says what kind of thing stands there, not what it holds: it may be a secret someone compared with.
    fn unexpected(&self, found: Option<&Spanned<'t>>, expected: &str) -> ScimError {
        let Some(Spanned { token, start, .. }) = found else {
            return refused(format!("expected {expected}, but the filter ends"));
        };
        let found = match token {
            Token::Open => "\"(\"",
            Token::Close => "\")\"",
            Token::OpenBracket => "\"[\"",
            Token::CloseBracket => "\"]\"",
            Token::Word(_) => "a word",
            Token::Text(_) => "a string",
        };
        refused(format!("expected {expected} at byte {start}, found {found}"))
    }
}

fn attribute_path(word: &str) -> Result<AttributePath, ScimError> {
    AttributePath::parse(word).ok_or_else(|| refused(format!("\"{}\" is not an attribute path", excerpt(word))))
}

/// What a word means where a value stands, if it is a JSON literal (RFC 7644 §3.4.2.2, `compValue`).
fn json_literal(word: &str) -> Option<Value> {
    match word {
        "true" => Some(Value::Boolean(true)),
        "false" => Some(Value::Boolean(false)),
        "null" => Some(Value::Null),
        _ => number(word).map(Value::Number),
    }
}

/// A JSON number. `str::parse` and not `serde_json`, whose fast path may be off by the last bit.
fn number(word: &str) -> Option<Number> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let json = digits.starts_with(|c: char| c.is_ascii_digit()) && serde_json::from_str::<Number>(word).is_ok();
    if !json {
        return None;
    }
    let integer = word.parse::<i64>().map(Number::from).or_else(|_| word.parse::<u64>().map(Number::from));
    integer.ok().or_else(|| word.parse::<f64>().ok().and_then(Number::from_f64))
}
