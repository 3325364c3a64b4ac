//! Expressions, by precedence climbing. From loose to tight: `or`, `and`, `not`, comparisons (which do not chain),
//! `??`, `+ -`, then what stands behind a value. `??` next to a looser operator must have parentheses: it is read as
//! if they stood around it, and M012 offers them.
//!
//! Each function gives the height of the tree it made, so that no chain of operators, which costs the parser no depth,
//! makes a tree too deep to walk.

use super::{Parser, starts};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::limits::EXPRESSION_DEPTH_MAX;
use crate::syntax::kind::SyntaxKind::{self as K};
use rowan::Checkpoint;

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const COALESCE: u8 = 5;
const SUM: u8 = 6;

/// What an operand looks like from outside.
#[derive(Clone, Copy)]
struct Operand {
    height: usize,
    /// Unparenthesised `a ?? b`.
    coalesce: bool,
    comparison: bool,
    range: (u32, u32),
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> usize {
        self.join_line();
        let mut height = 0;
        if self.descend() {
            height = match self.current() {
                K::Name if self.word(0) == "if" => self.if_(),
                K::Name if self.word(0) == "match" => self.match_(),
                _ => self.binary(OR).height,
            };
        }
        self.ascend();
        height
    }

    fn binary(&mut self, least: u8) -> Operand {
        let checkpoint = self.checkpoint();
        let start = self.range(0).0;
        let mut left = self.signed(least);
        while let Some(power) = self.operator()
            && power >= least
        {
            let operator = self.range(0);
            if power == COMPARISON && left.comparison {
                self.chained_comparison();
                break;
            }
            self.open_at(checkpoint, K::Binary);
            self.bump();
            self.join_line();
            let right = self.binary(power + 1);
            self.close();
            if power < COALESCE {
                for operand in [left, right] {
                    self.unclear_coalesce(operand, operator);
                }
            }
            left = Operand {
                height: self.grown(left.height.max(right.height)),
                coalesce: power == COALESCE,
                comparison: power == COMPARISON,
                range: (start, self.previous_end()),
            };
        }
        left
    }

    fn operator(&mut self) -> Option<u8> {
        Some(match self.current() {
            K::Coalesce => COALESCE,
            K::Plus | K::Minus => SUM,
            K::EqualEqual | K::NotEqual | K::Less | K::LessOrEqual | K::Greater | K::GreaterOrEqual | K::Tilde => COMPARISON,
            K::AndAnd => self.foreign_operator("and", AND),
            K::OrOr => self.foreign_operator("or", OR),
            K::Name => match self.word(0) {
                "or" => OR,
                "and" => AND,
                "in" | "like" => COMPARISON,
                "not" if self.raw(1) == K::Name && matches!(self.word(1), "in" | "like") => {
                    self.fail(|p| {
                        let word = p.word(1);
                        Diagnostic::new(Code::M001, p.here(), format!("`not {word}` is not an operator"))
                            .help(format!("write `not (a {word} b)`"))
                    });
                    return None;
                }
                _ => return None,
            },
            K::Equal => {
                self.fail(|p| {
                    Diagnostic::new(Code::M001, p.here(), "`=` inside an expression")
                        .label("values are compared by `==`")
                        .help("write `==`; a second rule stands on its own line or after `;`")
                        .fix(p.here(), "==")
                });
                return None;
            }
            _ => return None,
        })
    }

    /// Complains and reads on: what is meant is clear.
    fn foreign_operator(&mut self, word: &str, power: u8) -> u8 {
        let (span, written) = (self.here(), self.word(0).to_owned());
        // Looked at once per level of precedence; said once.
        if self.log.found.last().is_none_or(|last| last.span != span) {
            self.log.push(|| {
                Diagnostic::new(Code::M001, span, format!("`{written}` is written `{word}`"))
                    .help(format!("write `{word}`"))
                    .fix(span, word)
            });
        }
        power
    }

    fn chained_comparison(&mut self) {
        self.fail(|p| {
            Diagnostic::new(Code::M001, p.here(), "comparisons cannot be chained")
                .label("a second comparison")
                .help("combine two of them: `a < b and b < c`")
        });
    }

    fn unclear_coalesce(&mut self, operand: Operand, operator: (u32, u32)) {
        if !operand.coalesce || self.failed {
            return;
        }
        let (whole, place) = (self.span(operand.range), self.span(operator));
        let (text, word) = (self.slice(operand.range), self.slice(operator));
        self.log.push(|| {
            Diagnostic::new(Code::M012, whole, format!("`??` beside `{word}` needs parentheses"))
                .label("needs parentheses")
                .also(place, format!("`{word}` is here"))
                .help("put parentheses around the part with `??`")
                .fix(whole, format!("({text})"))
        });
    }

    fn signed(&mut self, least: u8) -> Operand {
        let start = self.range(0);
        let plain = |height, end| Operand { height, coalesce: false, comparison: false, range: (start.0, end) };
        let negation = self.at_word("not");
        if !negation && !self.at(K::Minus) {
            let height = self.postfix();
            return plain(height, self.previous_end());
        }
        if negation && least > NOT {
            self.fail(|p| {
                Diagnostic::new(Code::M001, p.here(), "`not` inside an operand needs parentheses")
                    .help("write `a == (not b)`, or `not (a == b)`")
            });
        }
        let mut height = 0;
        if self.descend() {
            self.open(if negation { K::Not } else { K::Negative });
            self.bump();
            self.join_line();
            if negation {
                let operand = self.binary(NOT);
                self.unclear_coalesce(operand, start);
                height = self.grown(operand.height);
            } else {
                let operand = self.signed(SUM);
                height = self.grown(operand.height);
            }
            self.close();
        }
        self.ascend();
        plain(height, self.previous_end())
    }

    /// One level above `height`.
    pub(super) fn grown(&mut self, height: usize) -> usize {
        if height >= EXPRESSION_DEPTH_MAX {
            self.too_deep();
        }
        height + 1
    }

    // ---- values and what follows them

    fn postfix(&mut self) -> usize {
        let checkpoint = self.checkpoint();
        let source = self.at(K::Source);
        let mut height = self.primary();
        loop {
            height = match self.current() {
                K::Dot => self.after_dot(checkpoint, height),
                K::LeftBracket => self.index(checkpoint, height),
                K::LeftParen if source && self.adjacent(0) => {
                    self.called_source();
                    break;
                }
                _ => break,
            };
        }
        height
    }

    fn called_source(&mut self) {
        self.fail(|p| {
            let before = (p.position.checked_sub(1)).map_or("", |at| {
                let start = p.tokens[p.meaning[at] as usize].start;
                p.slice((start, p.previous_end()))
            });
            Diagnostic::new(Code::M001, p.here(), format!("`{before}` is one attribute name and cannot be called"))
                .label("a call of what?")
                .help("names behind a prefix may contain dots: write the call in front, `f($p:rest, …)`")
        });
    }

    fn after_dot(&mut self, checkpoint: Checkpoint, height: usize) -> usize {
        if self.raw(1) != K::Name {
            let number = matches!(self.raw(1), K::Int | K::Duration | K::BadNumber);
            if number {
                self.fail(|p| {
                    Diagnostic::new(Code::M014, p.here(), "numbers are whole")
                        .label("no fraction")
                        .help("compare in smaller units, or keep the number as text")
                });
            } else {
                self.bump();
                self.join_line();
                self.unexpected("the name of a field or function", "`record.field`, `value.function(…)`");
            }
            return height;
        }
        let call = self.raw(2) == K::LeftParen || self.raw(2) == K::Question && self.raw(3) == K::LeftParen;
        self.open_at(checkpoint, if call { K::MethodCall } else { K::Field });
        self.bump();
        self.join_line();
        self.bump();
        let mut height = height;
        if call {
            self.eat(K::Question);
            height = height.max(self.arguments());
        }
        self.close();
        self.grown(height)
    }

    fn index(&mut self, checkpoint: Checkpoint, height: usize) -> usize {
        let opened = self.range(0);
        let all = self.raw(1) == K::Star;
        self.open_at(checkpoint, if all { K::All } else { K::Index });
        self.bump();
        let mut height = height;
        if all {
            self.bump();
        } else {
            height = height.max(self.expression());
        }
        self.expect_close(K::RightBracket, opened);
        self.close();
        self.grown(height)
    }

    fn arguments(&mut self) -> usize {
        self.open(K::Arguments);
        let opened = self.range(0);
        self.bump();
        let mut height = 0;
        while !matches!(self.current(), K::RightParen | K::End) {
            self.open(K::Argument);
            if self.at(K::Name) && self.raw(1) == K::Colon {
                self.bump();
                self.bump();
            }
            height = height.max(self.expression());
            self.close();
            if !self.eat(K::Comma) {
                break;
            }
        }
        self.expect_close_of_list(K::RightParen, opened);
        self.close();
        height
    }

    pub(super) fn primary(&mut self) -> usize {
        match self.current() {
            K::LeftParen => return self.paren(),
            K::LeftBracket => return self.list(),
            K::LeftBrace => return self.record(),
            K::StringStart => return self.string(),
            K::RawString | K::Bytes | K::Regex | K::Int | K::HexInt | K::Duration | K::DateTime => self.literal(),
            K::Source | K::QuotedSource => {
                self.open(K::SourceName);
                self.bump();
                self.close();
            }
            K::Name => return self.named(),
            K::Size | K::BadNumber => self.fail(|p| {
                let help =
                    "numbers are `12`, `1_000`, `0x1F`; durations `90d`, `1d12h`, `30m`; sizes like `64kb` only follow `max`";
                Diagnostic::new(Code::M014, p.here(), format!("`{}` is not a number", super::shortened(p.word(0)))).help(help)
            }),
            K::HoleEnd => self.fail(|p| {
                Diagnostic::new(Code::M001, p.here(), "the hole is empty")
                    .label("expected an expression")
                    .help("a brace in text is written `\\{`")
            }),
            _ => self.no_expression(),
        }
        1
    }

    fn no_expression(&mut self) {
        self.unexpected("an expression", "for example `$mail`, `\"text\"`, `lower($mail)`; nothing at all is `absent`");
    }

    /// A name, a call, or one of the words that are values.
    fn named(&mut self) -> usize {
        let word = self.word(0);
        if matches!(word, "if" | "match") {
            return self.choice_as_operand(word == "if");
        }
        if starts::binds(word) {
            self.no_expression();
            return 1;
        }
        if self.raw(1) == K::LeftParen || self.raw(1) == K::Question && self.raw(2) == K::LeftParen {
            if self.position + 1 < self.meaning.len() && self.brackets == 0 && self.first_on_line[self.position + 1] {
                return self.bare_name(K::NameUse);
            }
            self.open(K::Call);
            self.bump();
            self.eat(K::Question);
            let height = self.arguments();
            self.close();
            return self.grown(height);
        }
        match word {
            "true" | "false" => self.bare_name(K::Literal),
            "new" | "old" if self.raw(1) == K::Dot => self.stored(),
            _ => self.bare_name(K::NameUse),
        }
    }

    fn bare_name(&mut self, kind: K) -> usize {
        self.open(kind);
        self.bump();
        self.close();
        1
    }

    /// `new.app_metadata.x`, up to a name that is called.
    fn stored(&mut self) -> usize {
        self.open(K::Stored);
        self.bump();
        let mut any = false;
        while self.at(K::Dot) {
            let called = self.raw(2) == K::LeftParen || self.raw(2) == K::Question && self.raw(3) == K::LeftParen;
            if any && called {
                break;
            }
            self.bump();
            self.join_line();
            self.expect_name("the name of a target", "`new.email` is what this run gives, `old.email` what is stored");
            any = true;
        }
        self.close();
        1
    }

    /// `a ?? if …`: read, with parentheses offered.
    fn choice_as_operand(&mut self, is_if: bool) -> usize {
        let start = self.range(0).0;
        let word = if is_if { "if" } else { "match" };
        let mut height = 0;
        if self.descend() {
            height = if is_if { self.if_() } else { self.match_() };
        }
        self.ascend();
        if !self.failed {
            let range = (start, self.previous_end());
            let (span, text) = (self.span(range), self.slice(range));
            self.log.push(|| {
                Diagnostic::new(Code::M001, span, format!("`{word}` inside an expression needs parentheses"))
                    .help("put parentheses around it")
                    .fix(span, format!("({text})"))
            });
        }
        height
    }

    // ---- brackets

    pub(super) fn paren(&mut self) -> usize {
        let opened = self.range(0);
        self.open(K::Paren);
        self.bump();
        let height = self.expression();
        self.expect_close(K::RightParen, opened);
        self.close();
        self.grown(height)
    }

    fn list(&mut self) -> usize {
        let opened = self.range(0);
        let checkpoint = self.checkpoint();
        self.bump();
        let mut height = 0;
        let mut kind = K::List;
        if !matches!(self.current(), K::RightBracket | K::End) {
            height = self.expression();
            if self.at_word("for") {
                kind = K::Comprehension;
                height = height.max(self.comprehension());
            }
        }
        while kind == K::List && self.eat(K::Comma) {
            if matches!(self.current(), K::RightBracket | K::End) {
                break;
            }
            height = height.max(self.expression());
        }
        // Opened here, where it is known which of the two it is.
        self.open_at(checkpoint, kind);
        if kind == K::List {
            self.expect_close_of_list(K::RightBracket, opened);
        } else {
            self.expect_close(K::RightBracket, opened);
        }
        self.close();
        self.grown(height)
    }

    /// `for NAME in LIST [if CONDITION]`
    fn comprehension(&mut self) -> usize {
        let help = "`[ lower(m) for m in $mail[*] if m like \"*@*\" ]`";
        self.bump();
        self.expect_name("the name each value gets", help);
        self.expect_word("in", help);
        let mut height = self.expression();
        if self.eat_word("if") {
            height = height.max(self.expression());
        }
        height
    }

    pub(super) fn record(&mut self) -> usize {
        let opened = self.range(0);
        let help = "`{ name: value, \"odd name\": value }`";
        self.open(K::Record);
        self.bump();
        let mut height = 0;
        while !matches!(self.current(), K::RightBrace | K::End) {
            self.open(K::RecordEntry);
            if self.at_string() {
                self.plain_string("a field", help);
            } else {
                self.expect_name("the name of a field", help);
            }
            self.expect(K::Colon, "`:`", "a field and its value: `{ name: value }`; names with other characters stand in quotes");
            height = height.max(self.expression());
            self.close();
            if !self.eat(K::Comma) {
                break;
            }
        }
        self.expect_close_of_list(K::RightBrace, opened);
        self.close();
        self.grown(height)
    }
}
