//! Text to tokens, all of it: spaces, line ends and comments too. Never fails; what is no token is [`K::Unknown`].
//! Owns the modes of a string: text, and holes that hold code, which may hold strings again. A string ends at the end
//! of its line at the latest, so one missing quote costs one line.

use super::kind::SyntaxKind::{self as K};
use logos::Logos;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: K,
    /// Byte offset; the end is the start of the next one.
    pub start: u32,
}

/// The tokens of `text`, which is shorter than 4 GiB.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len() / 4);
    let mut lexer = K::lexer(text);
    // For each string whose hole we are in: braces open in that hole.
    let mut holes: Vec<u32> = Vec::new();
    let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    while let Some(found) = lexer.next() {
        let start = lexer.span().start;
        let mut kind = found.unwrap_or(K::Unknown);
        let mut in_string = kind == K::StringStart;
        match kind {
            K::Newline => holes.clear(),
            K::LeftBrace => {
                if let Some(braces) = holes.last_mut() {
                    *braces += 1;
                }
            }
            K::RightBrace => match holes.last_mut() {
                Some(0) => {
                    holes.pop();
                    kind = K::HoleEnd;
                    in_string = true;
                }
                Some(braces) => *braces -= 1,
                None => {}
            },
            _ => {}
        }
        tokens.push(Token { kind, start: at(start) });
        if !in_string {
            continue;
        }
        let start = lexer.span().end;
        let length = string_text(lexer.remainder());
        if length > 0 {
            tokens.push(Token { kind: K::StringText, start: at(start) });
            lexer.bump(length);
        }
        let end = lexer.span().end;
        match text.as_bytes().get(end) {
            Some(b'"') => {
                tokens.push(Token { kind: K::StringEnd, start: at(end) });
                lexer.bump(1);
            }
            Some(b'{') => {
                tokens.push(Token { kind: K::HoleStart, start: at(end) });
                lexer.bump(1);
                holes.push(0);
            }
            _ => holes.clear(),
        }
    }
    tokens
}

/// Length of the text up to the end of the string, the next hole or the end of the line.
fn string_text(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'{' | b'\n' => return at,
            // `\u{…}` opens no hole.
            b'\\' if bytes[at + 1..].starts_with(b"u{") => at += 3,
            b'\\' if bytes.get(at + 1).is_some_and(|next| *next != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<(K, &str)> {
        let tokens = tokens(text);
        let ends = tokens.iter().skip(1).map(|t| t.start as usize).chain([text.len()]);
        tokens
            .iter()
            .zip(ends)
            .map(|(token, end)| (token.kind, &text[token.start as usize..end]))
            .filter(|(kind, _)| *kind != K::Whitespace)
            .collect()
    }

    #[test]
    fn a_hole_holds_code_with_strings_of_its_own() {
        assert_eq!(
            listed(r#""a{join(" {x}", {k: 1})}b""#),
            [
                (K::StringStart, "\""),
                (K::StringText, "a"),
                (K::HoleStart, "{"),
                (K::Name, "join"),
                (K::LeftParen, "("),
                (K::StringStart, "\""),
                (K::StringText, " "),
                (K::HoleStart, "{"),
                (K::Name, "x"),
                (K::HoleEnd, "}"),
                (K::StringEnd, "\""),
                (K::Comma, ","),
                (K::LeftBrace, "{"),
                (K::Name, "k"),
                (K::Colon, ":"),
                (K::Int, "1"),
                (K::RightBrace, "}"),
                (K::RightParen, ")"),
                (K::HoleEnd, "}"),
                (K::StringText, "b"),
                (K::StringEnd, "\""),
            ]
        );
    }

    #[test]
    fn a_string_without_its_end_stops_at_the_end_of_the_line() {
        assert_eq!(
            listed("\"a{b\nc"),
            [
                (K::StringStart, "\""),
                (K::StringText, "a"),
                (K::HoleStart, "{"),
                (K::Name, "b"),
                (K::Newline, "\n"),
                (K::Name, "c"),
            ]
        );
    }

    #[test]
    fn each_literal_is_one_token() {
        for (text, kind) in [
            ("$mail", K::Source),
            ("$c:upn", K::Source),
            ("$edu:1.3.6-x", K::Source),
            (r#"$"cn;lang-de""#, K::QuotedSource),
            (r#"r"\d{3}""#, K::RawString),
            (r#"hex"00ff""#, K::Bytes),
            (r"/^a\/b/i", K::Regex),
            ("90d", K::Duration),
            ("1d12h", K::Duration),
            ("64kb", K::Size),
            ("0x1F", K::HexInt),
            ("1_000", K::Int),
            ("12abc", K::BadNumber),
            ("@2026-01-31T00:00:00Z", K::DateTime),
            ("@2026-01-31T00:00:00.5+02:00", K::DateTime),
            ("'x'", K::SingleQuoted),
            ("größe", K::Name),
        ] {
            assert_eq!(listed(text)[0].0, kind, "{text}");
            if kind != K::Name {
                assert_eq!(listed(text).len(), 1, "{text}");
            }
        }
    }

    #[test]
    fn what_follows_a_source_name_is_not_part_of_it() {
        assert_eq!(
            listed("$x-1 $p:a.b $p:1.2.b @2026..@2027"),
            [
                (K::Source, "$x"),
                (K::Minus, "-"),
                (K::Int, "1"),
                (K::Source, "$p:a"),
                (K::Dot, "."),
                (K::Name, "b"),
                (K::Source, "$p:1.2"),
                (K::Dot, "."),
                (K::Name, "b"),
                (K::DateTime, "@2026"),
                (K::DotDot, ".."),
                (K::DateTime, "@2027"),
            ]
        );
    }
}
