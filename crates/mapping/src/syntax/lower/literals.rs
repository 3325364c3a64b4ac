//! What literals say. A malformed one is M014 and counts as a harmless value of its kind, so that nothing follows
//! from it.

use super::{Lowering, tokens};
use crate::ast::ExprKind;
use crate::span::Span;
use crate::syntax::kind::{SyntaxKind as K, SyntaxNode, SyntaxToken};
use jiff::{SignedDuration, Timestamp};

impl Lowering<'_> {
    pub(super) fn literal(&mut self, node: &SyntaxNode) -> ExprKind {
        let Some(token) = tokens(node).next() else { return ExprKind::Error };
        match token.kind() {
            K::RawString => ExprKind::String(inner(token.text(), 2).into()),
            K::Bytes => self.bytes(&token),
            K::Regex => self.regex(&token),
            K::Int | K::HexInt => ExprKind::Int(self.int(&token, false)),
            K::Duration => ExprKind::Duration(self.duration(&token)),
            K::DateTime => ExprKind::DateTime(self.instant(&token)),
            K::Name => ExprKind::Bool(token.text() == "true"),
            _ => ExprKind::Error,
        }
    }

    /// The number, negated if `negative`: the lowest number has no positive twin.
    pub(super) fn int(&mut self, token: &SyntaxToken, negative: bool) -> i64 {
        let digits = token.text().replace('_', "");
        let magnitude = match digits.strip_prefix("0x") {
            Some(hex) => i128::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        let value = magnitude.map(|magnitude| if negative { -magnitude } else { magnitude });
        value.ok().and_then(|value| i64::try_from(value).ok()).unwrap_or_else(|| {
            let span = self.span(token.text_range());
            self.malformed(
                span,
                "the number is out of range",
                "numbers go from -9223372036854775808 to 9223372036854775807 (0x7FFFFFFFFFFFFFFF)",
            );
            0
        })
    }

    /// Bytes.
    pub(super) fn size(&mut self, token: &SyntaxToken) -> u64 {
        let text = token.text().replace('_', "");
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
        let factor: u64 = match text.get(digits.len()..) {
            Some("kb") => 1 << 10,
            Some("mb") => 1 << 20,
            Some("gb") => 1 << 30,
            _ => 1,
        };
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).unwrap_or_else(|| {
            let span = self.span(token.text_range());
            self.malformed(span, "the size is out of range", "sizes are written `512b`, `64kb`, `2mb`");
            0
        })
    }

    /// `1d12h`: units from large to small, each once.
    pub(super) fn duration(&mut self, token: &SyntaxToken) -> SignedDuration {
        let span = self.span(token.text_range());
        let mut seconds: i64 = 0;
        let mut smallest = i64::MAX;
        for part in token.text().split_inclusive(|letter: char| letter.is_ascii_alphabetic()) {
            let (digits, unit) = part.split_at(part.len().saturating_sub(1));
            let unit = match unit {
                "d" => 86_400,
                "h" => 3_600,
                "m" => 60,
                _ => 1,
            };
            if unit >= smallest {
                self.malformed(span, "units go from large to small, each once", "for example `1d12h`, `90d`, `5m30s`");
                return SignedDuration::ZERO;
            }
            smallest = unit;
            let sum = digits.parse::<i64>().ok().and_then(|n| n.checked_mul(unit)).and_then(|n| seconds.checked_add(n));
            let Some(sum) = sum else {
                self.malformed(span, "the duration is out of range", "write fewer days");
                return SignedDuration::ZERO;
            };
            seconds = sum;
        }
        SignedDuration::from_secs(seconds)
    }

    pub(super) fn instant(&mut self, token: &SyntaxToken) -> Timestamp {
        token.text().trim_start_matches('@').parse().unwrap_or_else(|_| {
            let span = self.span(token.text_range());
            self.malformed(
                span,
                format!("`{}` is not an instant", token.text()),
                "date, time and offset: `@2026-01-31T00:00:00Z`, `@2026-01-31T00:00:00+02:00`",
            );
            Timestamp::UNIX_EPOCH
        })
    }

    fn bytes(&mut self, token: &SyntaxToken) -> ExprKind {
        let digits = inner(token.text(), 4).as_bytes();
        let byte = |pair: &[u8]| match pair {
            [high, low] => {
                let (high, low) = (char::from(*high).to_digit(16)?, char::from(*low).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()
            }
            _ => None,
        };
        let bytes: Option<Box<[u8]>> = digits.chunks(2).map(byte).collect();
        ExprKind::Bytes(bytes.unwrap_or_else(|| {
            let span = self.span(token.text_range());
            self.malformed(span, "bytes are pairs of hexadecimal digits", "for example `hex\"00ff\"`");
            Box::default()
        }))
    }

    fn regex(&mut self, token: &SyntaxToken) -> ExprKind {
        let text = token.text();
        let end = text.rfind('/').unwrap_or(0);
        let (pattern, flags) = (text.get(1..end).unwrap_or(""), text.get(end + 1..).unwrap_or(""));
        let span = self.span(token.text_range());
        if pattern.is_empty() {
            self.malformed(span, "the regular expression is empty", "comments start with `#`");
        } else if !matches!(flags, "" | "i") {
            let flags_start = span.end - u32::try_from(flags.len()).unwrap_or(0);
            self.malformed(
                Span::new(self.file, flags_start, span.end),
                format!("`{flags}` is no flag of a regular expression"),
                "the only flag is `i`, which ignores case; others are set inside: `(?s)`, `(?m)`",
            );
        }
        ExprKind::Regex { pattern: without_escaped_slashes(pattern).into(), ignore_case: flags == "i" }
    }

    /// `text` with its escapes resolved; `span` is where it starts.
    pub(super) fn unescaped(&mut self, text: &str, span: Span) -> String {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            plain.push_str(&rest[..at]);
            let escape = &rest[at..];
            let (length, character) = read_escape(escape);
            match character {
                Some(character) => plain.push(character),
                None => {
                    let start = span.start + u32::try_from(text.len() - escape.len()).unwrap_or(0);
                    let place = Span::new(self.file, start, start + u32::try_from(length).unwrap_or(0));
                    self.malformed(
                        place,
                        format!("`{}` is no escape", &escape[..length]),
                        "escapes are \\n \\t \\\\ \\\" \\{ \\} \\u{1F600}; a backslash is written `\\\\`, or use r\"…\"",
                    );
                }
            }
            rest = &escape[length..];
        }
        plain.push_str(rest);
        plain
    }
}

/// Length and meaning of the escape `text` starts with.
fn read_escape(text: &str) -> (usize, Option<char>) {
    let Some(letter) = text.chars().nth(1) else { return (text.len(), None) };
    let length = 1 + letter.len_utf8();
    let character = match letter {
        'n' => Some('\n'),
        't' => Some('\t'),
        '\\' | '"' | '{' | '}' => Some(letter),
        'u' if text.get(2..3) == Some("{") => {
            let digits: usize = text[3..].bytes().take(7).take_while(u8::is_ascii_hexdigit).count();
            if text.as_bytes().get(3 + digits) != Some(&b'}') {
                return (3 + digits, None);
            }
            let code = u32::from_str_radix(&text[3..3 + digits], 16).ok();
            return (4 + digits, code.and_then(char::from_u32));
        }
        _ => None,
    };
    (length, character)
}

/// `\/` only keeps the slash from ending the expression.
fn without_escaped_slashes(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('/') => plain.push('/'),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
            _ => plain.push(letter),
        }
    }
    plain
}

/// What stands between the opening, `skip` bytes long, and the closing quote.
fn inner(text: &str, skip: usize) -> &str {
    text.get(skip..text.len().saturating_sub(1)).unwrap_or("")
}
