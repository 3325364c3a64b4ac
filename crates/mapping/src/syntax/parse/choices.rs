//! `if` and `match`.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::syntax::kind::SyntaxKind::{self as K};

const IF_HELP: &str = "`if CONDITION then VALUE else VALUE`; the last may be `absent` or `keep`";
const MATCH_HELP: &str = "`match VALUE { \"a\" | \"b\" => VALUE, /regex/ => VALUE, else => VALUE }`";

impl Parser<'_> {
    pub(super) fn if_(&mut self) -> usize {
        self.open(K::If);
        self.bump();
        let mut height = self.expression();
        self.expect_word("then", IF_HELP);
        height = height.max(self.expression());
        self.expect_word("else", IF_HELP);
        height = height.max(self.expression());
        self.close();
        self.grown(height)
    }

    pub(super) fn match_(&mut self) -> usize {
        self.open(K::Match);
        self.bump();
        let mut height = self.expression();
        let opened = self.range(0);
        self.expect(K::LeftBrace, "`{`", MATCH_HELP);
        loop {
            if self.at_word("else") {
                self.open(K::Otherwise);
                self.bump();
                self.expect(K::Arrow, "`=>`", MATCH_HELP);
                height = height.max(self.expression());
                self.close();
                self.eat(K::Comma);
                break;
            }
            if matches!(self.current(), K::RightBrace | K::End) {
                self.fail(|p| {
                    Diagnostic::new(Code::M001, p.here(), "the `match` has no `else`")
                        .label("expected `else => VALUE`")
                        .help("say what holds otherwise; `else => absent` for nothing")
                });
                break;
            }
            height = height.max(self.arm());
            if !self.eat(K::Comma) {
                self.unexpected("`,`", MATCH_HELP);
                break;
            }
        }
        self.expect_close(K::RightBrace, opened);
        self.close();
        self.grown(height)
    }

    fn arm(&mut self) -> usize {
        self.open(K::Arm);
        self.pattern();
        while self.eat(K::Pipe) {
            self.pattern();
        }
        let mut height = 0;
        if self.eat_word("if") {
            height = self.expression();
        }
        self.expect(K::Arrow, "`=>`", MATCH_HELP);
        height = height.max(self.expression());
        self.close();
        height
    }

    fn pattern(&mut self) {
        let help = "patterns are literals, ranges `1..9`, regular expressions and `absent`; conditions follow in `if …`";
        self.open(K::Pattern);
        if self.at(K::Regex) || self.at_word("absent") {
            self.literal();
        } else {
            self.literal_or("a pattern", help);
            if self.eat(K::DotDot) {
                self.literal_or("the end of the range", help);
            }
        }
        self.close();
    }
}
