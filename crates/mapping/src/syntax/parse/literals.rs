//! Literals and strings. What a literal says is read when the tree is lowered.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::syntax::kind::SyntaxKind::{self as K};

impl Parser<'_> {
    /// The token here as a literal.
    pub(super) fn literal(&mut self) {
        self.open(K::Literal);
        self.bump();
        self.close();
    }

    /// A literal, `-1` included; nothing that is computed.
    pub(super) fn literal_or(&mut self, what: &str, help: &str) {
        match self.current() {
            K::StringStart => self.plain_string(what, help),
            K::RawString | K::Bytes | K::Int | K::HexInt | K::Duration | K::DateTime => self.literal(),
            K::Minus if matches!(self.raw(1), K::Int | K::HexInt | K::Duration) => {
                self.open(K::Negative);
                self.bump();
                self.literal();
                self.close();
            }
            K::Name if matches!(self.word(0), "true" | "false") => self.literal(),
            K::Size | K::BadNumber => {
                self.primary();
            }
            _ => self.unexpected(what, help),
        }
    }

    pub(super) fn string(&mut self) -> usize {
        let start = self.range(0).0;
        self.open(K::String);
        self.bump();
        let mut height = 0;
        loop {
            match self.current() {
                K::StringText => self.bump(),
                K::HoleStart => height = height.max(self.hole()),
                K::StringEnd => {
                    self.bump();
                    break;
                }
                _ => {
                    self.fail(|p| {
                        Diagnostic::new(Code::M001, p.span((start, p.previous_end())), "the string is not closed")
                            .label("no `\"` follows on this line")
                            .help("end it with `\"`; a quote inside is written `\\\"`, a line end `\\n`")
                    });
                    break;
                }
            }
        }
        self.close();
        self.grown(height)
    }

    fn hole(&mut self) -> usize {
        let opened = self.range(0);
        self.open(K::Hole);
        self.bump();
        let height = self.expression();
        self.eat(K::Question);
        self.expect_close(K::HoleEnd, opened);
        self.close();
        height
    }

    /// A string that is known as it stands: no holes.
    pub(super) fn plain_string(&mut self, what: &str, help: &str) {
        match self.current() {
            K::RawString => self.literal(),
            K::StringStart => {
                let start = self.range(0).0;
                let before = self.position;
                self.string();
                let holes = (before..self.position).any(|at| self.tokens[self.meaning[at] as usize].kind == K::HoleStart);
                if holes && !self.failed {
                    let span = self.span((start, self.previous_end()));
                    self.log.push(|| {
                        Diagnostic::new(Code::M001, span, "this text must be known as it stands")
                            .label("has a hole `{…}`")
                            .help("a brace in text is written `\\{`")
                    });
                }
            }
            _ => self.unexpected(what, help),
        }
    }
}
