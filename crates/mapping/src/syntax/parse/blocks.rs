//! Items with a body in braces: tables, attribute declarations, tests.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::syntax::kind::SyntaxKind::{self as K};

const TABLE_HELP: &str = "`table lang { \"DE\" | \"AT\" => \"de\", else => absent }`, or `table t from \"t.csv\" (key, value)`";
const ATTRS_HELP: &str =
    "`attrs { mail: string list, jpegPhoto: binary sensitive }`; a name with other characters stands in quotes";
const TEST_HELP: &str = "`test \"name\" { given { mail: \"a@x.example\" } expect { email: \"a@x.example\" } }`";

impl Parser<'_> {
    pub(super) fn table(&mut self) {
        self.open(K::Table);
        self.bump();
        self.expect_name("the name of the table", TABLE_HELP);
        if self.at_word("from") {
            self.table_csv();
            if self.at_word("else") {
                self.table_else(false);
            }
        } else if self.at(K::LeftBrace) {
            self.table_rows();
        } else {
            self.unexpected("`{` or `from`", TABLE_HELP);
        }
        self.close();
    }

    fn table_csv(&mut self) {
        self.open(K::TableCsv);
        self.bump();
        self.plain_string("the path of a CSV file", TABLE_HELP);
        let opened = self.range(0);
        self.expect(K::LeftParen, "`(`, the key column and the value column", TABLE_HELP);
        self.column("the key column");
        self.expect(K::Comma, "`,`", TABLE_HELP);
        self.column("the value column");
        self.expect_close(K::RightParen, opened);
        self.close();
    }

    fn column(&mut self, what: &str) {
        if self.at_string() {
            self.plain_string(what, TABLE_HELP);
        } else {
            self.expect_name(what, TABLE_HELP);
        }
    }

    fn table_rows(&mut self) {
        let opened = self.range(0);
        self.bump();
        while !matches!(self.current(), K::RightBrace | K::End) {
            if self.at_word("else") {
                self.table_else(true);
                self.eat(K::Comma);
                break;
            }
            self.open(K::TableRow);
            self.table_literal();
            while self.eat(K::Pipe) {
                self.table_literal();
            }
            self.expect(K::Arrow, "`=>`", TABLE_HELP);
            self.table_literal();
            self.close();
            if !self.eat(K::Comma) {
                break;
            }
        }
        self.expect_close_of_list(K::RightBrace, opened);
    }

    fn table_else(&mut self, arrow: bool) {
        self.open(K::TableElse);
        self.bump();
        if arrow {
            self.expect(K::Arrow, "`=>`", TABLE_HELP);
        }
        if self.at(K::Name) && matches!(self.word(0), "absent" | "key" | "error") {
            self.bump();
        } else {
            self.table_literal();
        }
        self.close();
    }

    fn table_literal(&mut self) {
        self.literal_or("a literal", "keys and values of a table are literals: text, numbers, `true`, dates");
    }

    pub(super) fn attrs(&mut self) {
        self.open(K::Attrs);
        self.bump();
        let opened = self.range(0);
        self.expect(K::LeftBrace, "`{`", ATTRS_HELP);
        while !matches!(self.current(), K::RightBrace | K::End) {
            self.attribute();
            self.eat(K::Comma);
        }
        self.expect_close(K::RightBrace, opened);
        self.close();
    }

    fn attribute(&mut self) {
        self.open(K::Attribute);
        self.open(K::SourceName);
        if self.at_string() {
            self.plain_string("an attribute", ATTRS_HELP);
        } else {
            let rest = self.prefixed_rest();
            self.expect_name("the name of an attribute", ATTRS_HELP);
            if rest > 0 {
                for _ in 0..=rest {
                    self.bump();
                }
            }
        }
        self.close();
        self.expect(K::Colon, "`:` and a type", ATTRS_HELP);
        self.expect_name("a type", "types are string, bool, int, datetime, binary, guid, sid, filetime, gentime, dn, json");
        while self.at(K::Name) && matches!(self.word(0), "list" | "sensitive") && self.raw(1) != K::Colon {
            self.bump();
        }
        self.close();
    }

    /// Of `p:rest :`, how many tokens make up `rest`; 0 for a plain name.
    fn prefixed_rest(&self) -> usize {
        if self.raw(1) != K::Colon || !self.adjacent(1) || !self.adjacent(2) {
            return 0;
        }
        let length = (2..)
            .take_while(|&ahead| {
                self.adjacent(ahead)
                    && matches!(
                        self.raw(ahead),
                        K::Name | K::Int | K::Minus | K::Dot | K::Duration | K::Size | K::BadNumber | K::HexInt
                    )
            })
            .count();
        if self.raw(2 + length) == K::Colon { length } else { 0 }
    }

    pub(super) fn test(&mut self) {
        self.open(K::Test);
        self.bump();
        self.plain_string("the name of the test", TEST_HELP);
        let opened = self.range(0);
        self.expect(K::LeftBrace, "`{`", TEST_HELP);
        let mut seen: Vec<&str> = Vec::new();
        while !matches!(self.current(), K::RightBrace | K::End) {
            let word = if self.at(K::Name) { self.word(0) } else { "" };
            if seen.contains(&word) {
                self.fail(|p| {
                    Diagnostic::new(Code::M001, p.here(), format!("a test has one `{word}`"))
                        .label("a second one")
                        .help("write a test of its own for each case")
                });
            }
            seen.push(word);
            self.test_part(word);
        }
        for needed in ["given", "expect"] {
            if !seen.contains(&needed) {
                self.fail(|p| {
                    Diagnostic::new(Code::M001, p.here(), format!("the test has no `{needed}`"))
                        .label(format!("expected `{needed}`"))
                        .help(TEST_HELP)
                });
            }
        }
        self.expect_close(K::RightBrace, opened);
        self.close();
    }

    fn test_part(&mut self, word: &str) {
        match word {
            "given" | "existing" => {
                self.open(K::TestPart);
                self.bump();
                self.record_wanted();
                self.close();
            }
            "at" => {
                self.open(K::TestPart);
                self.bump();
                self.expect(K::DateTime, "an instant", "`at @2026-01-31T00:00:00Z`");
                self.close();
            }
            "seed" => {
                self.open(K::TestPart);
                self.bump();
                if self.at(K::HexInt) {
                    self.bump();
                } else {
                    self.expect(K::Int, "a number", "`seed 7`");
                }
                self.close();
            }
            "expect" => {
                self.open(K::Expect);
                self.bump();
                self.outcome();
                self.close();
            }
            _ => self.unexpected("`given`, `existing`, `at`, `seed` or `expect`", TEST_HELP),
        }
    }

    fn record_wanted(&mut self) {
        if self.at(K::LeftBrace) {
            self.record();
        } else {
            self.unexpected("a record `{ … }`", TEST_HELP);
        }
    }

    fn outcome(&mut self) {
        let help = "`expect { email: \"a@x.example\" }`, `expect exactly { … }`, `expect skip`, `expect deny \"reason\"`, \
                    `expect error email` or `expect warning N01`";
        if self.at(K::LeftBrace) {
            self.record();
            return;
        }
        let word = if self.at(K::Name) { self.word(0) } else { "" };
        match word {
            "exactly" => {
                self.bump();
                self.record_wanted();
            }
            "skip" | "deny" => {
                self.bump();
                self.optional_text();
            }
            "error" => {
                self.bump();
                self.target(help);
                self.optional_text();
            }
            "warning" => {
                self.bump();
                self.expect_name("the code of a note", help);
            }
            _ => self.unexpected("an outcome", help),
        }
    }

    fn optional_text(&mut self) {
        if self.at_string() {
            self.plain_string("a text", TEST_HELP);
        }
    }
}
