//! Where items start. Known before parsing, from the tokens alone: a line (or what follows `;`) that opens with the
//! words of an item or with `target =`. Inside brackets, too: there it can only mean that a bracket was forgotten.

use crate::syntax::kind::SyntaxKind::{self as K};
use crate::syntax::token::Token;

/// Longest `target =` looked for, in tokens, so that the search is linear.
const TARGET_TOKENS_MAX: usize = 64;

pub struct Lines<'t> {
    text: &'t str,
    tokens: &'t [Token],
    pub meaning: Vec<u32>,
    pub first_on_line: Vec<bool>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str, tokens: &'t [Token]) -> Self {
        let mut lines = Self { text, tokens, meaning: Vec::new(), first_on_line: Vec::new() };
        let mut fresh = true;
        for (index, token) in (0u32..).zip(tokens) {
            if token.kind == K::Newline {
                fresh = true;
            } else if !token.kind.is_trivia() {
                lines.meaning.push(index);
                lines.first_on_line.push(fresh);
                fresh = false;
            }
        }
        lines
    }

    /// For each meaningful token whether it looks like the start of an item.
    pub fn item_starts(&self) -> Vec<bool> {
        (0..self.meaning.len())
            .map(|at| {
                (self.first_on_line[at] || self.kind(at - 1) == K::Semicolon) && (self.opens_item(at) || self.opens_rule(at))
            })
            .collect()
    }

    fn kind(&self, at: usize) -> K {
        self.meaning.get(at).map_or(K::End, |&index| self.tokens[index as usize].kind)
    }

    /// Like `kind`, for a token on the same line as the one before it.
    fn same_line(&self, at: usize) -> K {
        if self.first_on_line.get(at) == Some(&true) { K::End } else { self.kind(at) }
    }

    fn word(&self, at: usize) -> &'t str {
        let Some(&index) = self.meaning.get(at) else { return "" };
        let end = self.tokens.get(index as usize + 1).map_or(self.text.len(), |next| next.start as usize);
        self.text.get(self.tokens[index as usize].start as usize..end).unwrap_or("")
    }

    fn opens_item(&self, at: usize) -> bool {
        if self.kind(at) != K::Name {
            return false;
        }
        let next = self.same_line(at + 1);
        let name = next == K::Name && !binds(self.word(at + 1));
        let string = matches!(next, K::StringStart | K::RawString);
        match self.word(at) {
            "use" | "test" => string,
            "prefix" | "const" | "let" | "table" | "fn" | "default" | "mapping" => name,
            "remove" | "override" => name || string,
            "attrs" => next == K::LeftBrace,
            "skip" | "deny" => next == K::Name && self.word(at + 1) == "when",
            _ => false,
        }
    }

    fn opens_rule(&self, at: usize) -> bool {
        let mut next = match self.kind(at) {
            K::Name => at + 1,
            K::StringStart => match self.after_string(at) {
                Some(next) => next,
                None => return false,
            },
            _ => return false,
        };
        while next < at + TARGET_TOKENS_MAX {
            match (self.same_line(next), self.same_line(next + 1)) {
                (K::Equal, _) => return true,
                (K::Dot, K::Name) => next += 2,
                (K::LeftBracket, K::StringStart) => match self.after_string(next + 1) {
                    Some(end) if self.same_line(end) == K::RightBracket => next = end + 1,
                    _ => return false,
                },
                _ => return false,
            }
        }
        false
    }

    fn after_string(&self, at: usize) -> Option<usize> {
        let text = usize::from(self.same_line(at + 1) == K::StringText);
        (self.same_line(at + 1 + text) == K::StringEnd).then_some(at + 2 + text)
    }
}

/// Words that bind what precedes them to what follows: no expression starts with one.
pub fn binds(word: &str) -> bool {
    matches!(word, "and" | "or" | "in" | "like" | "for" | "if" | "then" | "else" | "when" | "with" | "because")
}

/// Words at the start of a line that go on with the item before.
pub fn continues(word: &str) -> bool {
    matches!(word, "and" | "or" | "in" | "like" | "then" | "else" | "when" | "with" | "because")
}
