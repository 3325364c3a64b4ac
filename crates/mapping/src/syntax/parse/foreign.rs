//! Tokens the language has no use for, and what their writer wants instead: other languages' operators and quotes,
//! strings without an end, letters outside ASCII.

use super::{Parser, shortened};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::syntax::kind::SyntaxKind::{self as K};

impl Parser<'_> {
    /// If this token can stand nowhere: says why and gives the item up.
    pub(super) fn explain_foreign_token(&mut self) -> bool {
        let kind = self.current();
        let range = self.range(0);
        let (message, label, help) = match kind {
            K::UnclosedRegex => (
                "the regular expression is not closed",
                "no `/` follows on this line",
                "end it with `/`; a slash inside is written `\\/`. There is no division",
            ),
            K::UnclosedLiteral => ("the literal is not closed", "no `\"` follows on this line", "end it with `\"`"),
            K::UnclosedSource => ("the attribute name is not closed", "no `\"` follows on this line", "end it with `\"`"),
            K::Bridge => (
                "rules that work both ways are not part of the language",
                "`<=>`",
                "write two mappings, one per direction, with `=`",
            ),
            K::SingleQuoted => return self.single_quoted(),
            K::Foreign => return self.foreign_letters(),
            K::Bang => ("`!` is written `not`", "", "write `not x`, or `x != y`"),
            K::Question => ("`?` has no meaning here", "", "a choice is written `if c then a else b`; `int?(x)` is a call"),
            K::Unknown | K::Star => {
                self.fail(|p| {
                    let word = shortened(p.word(0));
                    Diagnostic::new(Code::M001, p.span(range), format!("`{}` has no meaning here", word.escape_debug())).help(
                        if word == "$" {
                            "a source attribute is `$name`, or `$\"any name\"`"
                        } else {
                            "text stands in double quotes, comments start with `#`"
                        },
                    )
                });
                return true;
            }
            _ => return false,
        };
        self.fail(|p| Diagnostic::new(Code::M001, p.span(range), message).label(label).help(help));
        true
    }

    fn single_quoted(&mut self) -> bool {
        let range = self.range(0);
        self.fail(|p| {
            let text = p.word(0);
            let inner = text.strip_prefix('\'').unwrap_or(text);
            let mut diagnostic = Diagnostic::new(Code::M001, p.span(range), "text stands in double quotes, not single ones")
                .help("write \"…\"; in it `{…}` is a hole, `\\{` a brace");
            if let Some(inner) = inner.strip_suffix('\'') {
                let inner = inner.replace('\\', "\\\\").replace('"', "\\\"").replace('{', "\\{");
                diagnostic = diagnostic.fix(p.span(range), format!("\"{inner}\""));
            }
            diagnostic
        });
        true
    }

    fn foreign_letters(&mut self) -> bool {
        let range = self.range(0);
        self.fail(|p| {
            let word = p.word(0);
            let first = word.chars().next().unwrap_or_default();
            let (message, help) = if first.is_alphabetic() {
                (
                    format!("names are made of ASCII letters, not `{}`", shortened(word)),
                    "quote it: `$\"name\"` for a source attribute, `record[\"name\"]` for a field",
                )
            } else if matches!(first, '“' | '”' | '„' | '‘' | '’' | '«' | '»') {
                (format!("`{first}` is not a quote of this language"), "write the straight quote `\"`")
            } else if first.is_whitespace() || !first.is_ascii_graphic() && shortened(word).trim().is_empty() {
                (format!("a space that is not one: U+{:04X}", u32::from(first)), "replace it by an ordinary space")
            } else {
                (format!("`{}` has no meaning here", shortened(word).escape_debug()), "text stands in double quotes")
            };
            Diagnostic::new(Code::M001, p.span(range), message).help(help)
        });
        true
    }
}
