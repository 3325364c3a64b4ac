//! The header and the items of a file, except those with a body in braces (`blocks`).

use super::{Parser, shortened, starts};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::syntax::kind::SyntaxKind::{self as K};

const HEADER_HELP: &str = "a file starts with `mapping NAME from KIND to KIND`, for example `mapping ad from ldap to profile`";
const RULE_HELP: &str = "a rule is `target = value`, for example `email = lower($mail)`";

impl Parser<'_> {
    // ---- header

    pub(super) fn header(&mut self) {
        let start = self.position;
        self.begin_item();
        if !self.at_word("mapping") || self.raw(1) == K::Equal {
            let span = self.span(self.range(0));
            self.log.push(|| {
                Diagnostic::new(Code::M018, span, "the header is missing")
                    .label("expected `mapping NAME from KIND to KIND`")
                    .help(HEADER_HELP)
            });
            return;
        }
        self.open(K::Header);
        self.bump();
        self.header_name();
        if self.at_word("between") {
            self.header_fail(
                "mappings that work both ways are not part of the language",
                "write two mappings, one per direction: `from scim to profile` and `from profile to scim`",
            );
        }
        self.header_word("from");
        self.header_kind("a source kind", "`ldap`, `saml`, `oidc`, `oauth`, `scim`, `json` or `profile`");
        self.header_word("to");
        self.header_kind("a target kind", "`profile`, `group`, `scim`, `saml` or `oidc`");
        if self.at_word("version") {
            self.header_fail(
                "a version is not written in the file",
                "leave it out: each published text gets its number when it is published",
            );
        }
        if !self.failed && !matches!(self.current(), K::End | K::Semicolon) {
            self.header_fail_found("the end of the line", "the first item stands on the line after the header, or after `;`");
        }
        self.close();
        self.end_item(start);
    }

    fn header_fail(&mut self, message: &str, help: &str) {
        self.fail(|p| Diagnostic::new(Code::M018, p.here(), message).label("not here").help(help));
    }

    fn header_fail_found(&mut self, wanted: &str, help: &str) {
        self.fail(|p| {
            Diagnostic::new(Code::M018, p.here(), format!("expected {wanted}, found {}", p.found()))
                .label(format!("expected {wanted}"))
                .help(help)
        });
    }

    /// `ad`, `entra-saml`, `scim-2`
    fn header_name(&mut self) {
        if !matches!(self.current(), K::Name) {
            self.header_fail_found("the name of the mapping", HEADER_HELP);
            return;
        }
        self.open(K::HeaderName);
        self.bump();
        while matches!(self.current(), K::Minus | K::Name | K::Int | K::Duration | K::Size | K::BadNumber | K::HexInt)
            && self.adjacent(0)
        {
            self.bump();
        }
        self.close();
    }

    fn header_word(&mut self, word: &str) {
        if !self.eat_word(word) {
            self.header_fail_found(&format!("`{word}`"), HEADER_HELP);
        }
    }

    fn header_kind(&mut self, what: &str, kinds: &str) {
        if !self.eat(K::Name) {
            self.header_fail_found(what, &format!("kinds are {kinds}"));
        }
    }

    // ---- items

    pub(super) fn item(&mut self) {
        let word = if self.at(K::Name) { self.word(0) } else { "" };
        // `test = …` is a rule for a target of that name.
        if matches!(self.raw(1), K::Equal | K::Dot | K::LeftBracket) {
            return self.rule();
        }
        match word {
            "use" => self.use_(),
            "prefix" => self.prefix(),
            "const" => self.binding(K::Const),
            "let" => self.binding(K::Let),
            "table" => self.table(),
            "attrs" => self.attrs(),
            "default" => self.default(),
            "skip" | "deny" => self.gate(),
            "remove" => self.remove(),
            "test" => self.test(),
            "fn" => self.fail(|p| {
                Diagnostic::new(Code::M001, p.here(), "functions cannot be defined")
                    .label("not part of the language")
                    .help("name a value with `let`, translate values with a `table`")
            }),
            "mapping" => self.fail(|p| {
                Diagnostic::new(Code::M018, p.here(), "a second header")
                    .label("one file holds one mapping")
                    .help("move it into a file of its own")
            }),
            _ => self.rule(),
        }
    }

    fn use_(&mut self) {
        self.open(K::Use);
        self.bump();
        self.plain_string("the file to include", "`use \"std/ad\"`, or a path beside this file");
        if self.at_word("as") {
            self.fail(|p| {
                Diagnostic::new(Code::M001, p.here(), "included rules have no name of their own")
                    .label("`as` is not part of the language")
                    .help("leave `as NAME` out; a rule is replaced by `override`, dropped by `remove`")
            });
        }
        self.close();
    }

    fn prefix(&mut self) {
        self.open(K::Prefix);
        self.bump();
        let help = "`prefix c = \"http://…/claims/\"`; then `$c:upn` reads that with `upn` behind it";
        self.expect_name("the name of the prefix", help);
        self.expect(K::Equal, "`=`", help);
        self.join_line();
        self.plain_string("the text of the prefix", help);
        self.close();
    }

    fn binding(&mut self, kind: K) {
        self.open(kind);
        self.bump();
        let help = if kind == K::Let { "`let upn = lower($userPrincipalName)`" } else { "`const scope = \"uni.example\"`" };
        self.expect_name("a name", help);
        self.expect(K::Equal, "`=`", help);
        self.expression();
        self.close();
    }

    fn default(&mut self) {
        self.open(K::Default);
        self.bump();
        self.modifiers();
        self.close();
    }

    fn gate(&mut self) {
        self.open(K::Gate);
        let word = self.word(0);
        self.bump();
        let help = format!("`{word} when CONDITION because \"reason\"`");
        self.expect_word("when", &help);
        self.expression();
        self.expect_word("because", &help);
        self.join_line();
        if self.at(K::RawString) {
            self.literal();
        } else if self.at(K::StringStart) {
            self.string();
        } else {
            self.unexpected("the reason, a string", &help);
        }
        self.close();
    }

    fn remove(&mut self) {
        self.open(K::Remove);
        self.bump();
        self.target("`remove app_metadata.title` drops an included rule");
        self.close();
    }

    fn rule(&mut self) {
        self.open(K::Rule);
        if self.at_word("override") && self.raw(1) != K::Equal {
            self.bump();
        }
        self.target(RULE_HELP);
        self.equals();
        self.join_line();
        if self.at_word("first_free") && self.raw(1) == K::LeftBracket {
            self.open(K::FirstFree);
            self.bump();
            self.expression();
            self.close();
        } else {
            self.expression();
        }
        if self.at_word("when") {
            self.open(K::When);
            self.bump();
            self.expression();
            self.close();
        }
        if self.at_word("with") {
            self.open(K::With);
            self.bump();
            self.modifiers();
            self.close();
        }
        self.close();
    }

    /// `=`, and what others write for it.
    fn equals(&mut self) {
        if self.eat(K::Equal) {
            return;
        }
        let other = match self.current() {
            K::EqualEqual | K::Colon => true,
            K::Arrow | K::LessOrEqual => {
                self.fail(|p| {
                    Diagnostic::new(Code::M001, p.here(), "one-way bridge rules are not part of the language")
                        .label("expected `=`")
                        .help("the header says the direction: write `target = value`")
                });
                return;
            }
            _ => false,
        };
        if other {
            let mut span = self.here();
            if self.at(K::Colon) && self.raw(1) == K::Equal && self.adjacent(1) {
                span.end += 1;
            }
            let written = shortened(self.slice((span.start, span.end)));
            self.fail(|_| {
                Diagnostic::new(Code::M001, span, format!("a rule is written with `=`, not `{written}`"))
                    .label("expected `=`")
                    .help(RULE_HELP)
                    .fix(span, "=")
            });
        } else {
            self.unexpected("`=`", RULE_HELP);
        }
    }

    /// `app_metadata.title`, `"urn:oid:…"`, `app_metadata["a b"]`
    pub(super) fn target(&mut self, help: &str) {
        self.open(K::Target);
        if self.at_string() {
            self.plain_string("a target", help);
        } else if self.at(K::Name) && (!starts::binds(self.word(0)) || matches!(self.raw(1), K::Equal | K::Dot)) {
            self.bump();
            loop {
                if self.eat(K::Dot) {
                    self.expect_name("the name of a field", help);
                } else if self.at(K::LeftBracket) {
                    let opened = self.range(0);
                    self.bump();
                    self.plain_string("the name of a field, in quotes", "a field with an odd name: `app_metadata[\"a b\"]`");
                    self.expect_close(K::RightBracket, opened);
                } else {
                    break;
                }
            }
        } else {
            self.unexpected("a target", help);
        }
        self.close();
    }
}
