//! The words after `with` and `default`. Which words there are and what they take belongs to the checker; here only
//! that flags take nothing.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::syntax::kind::SyntaxKind::{self as K};

const HELP: &str = "modifiers are words between commas: `with create, required`";

impl Parser<'_> {
    pub(super) fn modifiers(&mut self) {
        loop {
            self.join_line();
            self.modifier();
            if !self.eat(K::Comma) {
                break;
            }
        }
    }

    fn modifier(&mut self) {
        self.open(K::Modifier);
        let word = self.word(0);
        self.expect_name("a modifier", HELP);
        let flag = matches!(word, "always" | "create" | "if_empty" | "on_change" | "required" | "sensitive" | "strict");
        if !flag {
            self.modifier_argument();
            if self.at_string() {
                self.plain_string("a text", HELP);
            }
        } else if self.at(K::Name) && !matches!(self.word(0), "when" | "with") {
            self.unexpected("`,`", HELP);
        }
        if self.at_word("when") {
            self.fail(|p| {
                Diagnostic::new(Code::M001, p.here(), "`when` stands before `with`")
                    .label("too late")
                    .help("`target = value when CONDITION with MODIFIERS`")
            });
        }
        self.close();
    }

    fn modifier_argument(&mut self) {
        match self.current() {
            K::Name if !matches!(self.word(0), "when" | "with") => self.bump(),
            K::Int | K::Size | K::HexInt => self.bump(),
            K::BadNumber | K::Duration => self.fail(|p| {
                Diagnostic::new(Code::M014, p.here(), format!("`{}` is not a size", p.word(0)))
                    .help("sizes are written `512b`, `64kb`, `2mb`")
            }),
            K::Regex => self.literal(),
            K::LeftParen => {
                self.paren();
            }
            K::StringStart | K::RawString => self.plain_string("a text", HELP),
            _ => {
                self.explain_foreign_token();
            }
        }
    }
}
