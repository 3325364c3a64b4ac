//! Tokens to tree, by recursive descent. Owns where an item begins and ends, and what happens after a mistake: the
//! item is given up, its rest goes into an error node, and the next item starts afresh. So one mistake costs one
//! message, and the parser always moves on.

mod blocks;
mod choices;
mod expressions;
mod foreign;
mod items;
mod literals;
mod modifiers;
mod starts;
#[cfg(test)]
mod tests;

use super::Log;
use super::kind::SyntaxKind::{self as K};
use super::token::Token;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::limits::EXPRESSION_DEPTH_MAX;
use crate::span::{FileId, Span};
use rowan::{Checkpoint, GreenNode, GreenNodeBuilder};

/// The tree of `tokens`, which are all of `text`.
pub fn tree(text: &str, tokens: &[Token], file: FileId) -> (GreenNode, Log) {
    let mut parser = Parser::new(text, tokens, file);
    parser.file();
    (parser.builder.finish(), parser.log)
}

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token],
    file: FileId,
    /// Where in `tokens` those are that mean something.
    meaning: Vec<u32>,
    /// Of those, which come first on their line …
    first_on_line: Vec<bool>,
    /// … and which look like the start of an item, by themselves or after `;`.
    starts_item: Vec<bool>,
    /// In `meaning`.
    position: usize,
    /// In `tokens`: what has gone into the tree.
    written: usize,
    /// The token at this position belongs to what precedes it though it stands on a new line.
    joined: usize,
    /// Brackets open in this item.
    brackets: u32,
    depth: usize,
    /// This item had its error: it ends here.
    failed: bool,
    builder: GreenNodeBuilder<'static>,
    log: Log,
    /// How often a token was looked at: the measure of work.
    #[cfg(test)]
    looks: std::cell::Cell<usize>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, tokens: &'t [Token], file: FileId) -> Self {
        let lines = starts::Lines::new(text, tokens);
        Self {
            text,
            tokens,
            file,
            starts_item: lines.item_starts(),
            meaning: lines.meaning,
            first_on_line: lines.first_on_line,
            position: 0,
            written: 0,
            joined: 0,
            brackets: 0,
            depth: 0,
            failed: false,
            builder: GreenNodeBuilder::new(),
            log: Log::default(),
            #[cfg(test)]
            looks: std::cell::Cell::new(0),
        }
    }

    fn file(&mut self) {
        self.builder.start_node(K::File.into());
        self.header();
        while self.position < self.meaning.len() {
            self.item_with_recovery();
        }
        self.write_trivia(self.tokens.len());
        self.builder.finish_node();
    }

    /// One item, or `;`. Always moves on.
    fn item_with_recovery(&mut self) {
        let start = self.position;
        self.begin_item();
        if self.raw(0) == K::Semicolon {
            self.bump();
            return;
        }
        self.item();
        self.end_item(start);
    }

    fn begin_item(&mut self) {
        self.failed = false;
        self.brackets = 0;
        self.depth = 0;
        self.joined = self.position;
    }

    /// Complains about what is left of the item that started at `start` and skips it.
    fn end_item(&mut self, start: usize) {
        if !self.failed && !matches!(self.current(), K::End | K::Semicolon) {
            self.unexpected("the end of the line", "each item stands on its own line, or after `;`");
        }
        if !self.failed {
            return;
        }
        self.open(K::Error);
        while self.position < self.meaning.len() && (self.position == start || !self.starts_item[self.position]) {
            self.bump();
        }
        self.close();
    }

    // ---- looking

    /// The kind of the token `ahead` of this one, wherever it stands.
    fn raw(&self, ahead: usize) -> K {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        self.meaning.get(self.position + ahead).map_or(K::End, |&index| self.tokens[index as usize].kind)
    }

    /// The kind of this token, or [`K::End`] where the item is over.
    fn current(&self) -> K {
        let kind = self.raw(0);
        if self.failed || kind == K::End {
            return K::End;
        }
        if self.position != self.joined && self.first_on_line[self.position] {
            let over = if self.brackets > 0 { self.starts_item[self.position] } else { !self.continues_line() };
            if over {
                return K::End;
            }
        }
        kind
    }

    /// Whether a line that starts with this token goes on with the item before it.
    fn continues_line(&self) -> bool {
        match self.raw(0) {
            K::Name => starts::continues(self.word(0)) && self.raw(1) != K::Equal,
            K::LeftBrace | K::Dot | K::DotDot | K::Pipe | K::Coalesce | K::Equal | K::Arrow | K::Bridge => true,
            K::EqualEqual | K::NotEqual | K::Less | K::LessOrEqual | K::Greater | K::GreaterOrEqual => true,
            K::Tilde | K::Plus | K::Minus | K::AndAnd | K::OrOr => true,
            _ => false,
        }
    }

    /// After an operator the line end means nothing, unless an item starts on the next line.
    fn join_line(&mut self) {
        if self.position < self.meaning.len() && !self.starts_item[self.position] {
            self.joined = self.position;
        }
    }

    /// Offsets of the token `ahead` of this one; empty at the end of the text.
    fn range(&self, ahead: usize) -> (u32, u32) {
        let end_of_text = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        match self.meaning.get(self.position + ahead) {
            Some(&index) => {
                let index = index as usize;
                (self.tokens[index].start, self.tokens.get(index + 1).map_or(end_of_text, |next| next.start))
            }
            None => (end_of_text, end_of_text),
        }
    }

    /// Offset of the end of the token before this one.
    fn previous_end(&self) -> u32 {
        let Some(&index) = self.position.checked_sub(1).and_then(|before| self.meaning.get(before)) else { return 0 };
        self.tokens.get(index as usize + 1).map_or(self.range(0).1, |next| next.start)
    }

    fn slice(&self, (start, end): (u32, u32)) -> &'t str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    fn word(&self, ahead: usize) -> &'t str {
        self.slice(self.range(ahead))
    }

    /// Whether the token `ahead` touches the one before it.
    fn adjacent(&self, ahead: usize) -> bool {
        match (self.meaning.get(self.position + ahead), (self.position + ahead).checked_sub(1)) {
            (Some(&index), Some(before)) => self.meaning[before] + 1 == index,
            _ => false,
        }
    }

    fn at(&self, kind: K) -> bool {
        self.current() == kind
    }

    fn at_word(&self, word: &str) -> bool {
        self.at(K::Name) && self.word(0) == word
    }

    fn at_string(&self) -> bool {
        matches!(self.current(), K::StringStart | K::RawString)
    }

    // ---- writing

    /// Writes the trivia before this token.
    fn write_trivia(&mut self, up_to: usize) {
        while self.written < up_to {
            let token = self.tokens[self.written];
            let end = self.tokens.get(self.written + 1).map_or(self.text.len(), |next| next.start as usize);
            self.builder.token(token.kind.into(), &self.text[token.start as usize..end]);
            self.written += 1;
        }
    }

    fn next_index(&self) -> usize {
        self.meaning.get(self.position).map_or(self.tokens.len(), |&index| index as usize)
    }

    /// Takes this token into the tree.
    fn bump(&mut self) {
        if self.position < self.meaning.len() {
            match self.raw(0) {
                K::LeftParen | K::LeftBracket | K::LeftBrace | K::HoleStart => self.brackets += 1,
                K::RightParen | K::RightBracket | K::RightBrace | K::HoleEnd => {
                    self.brackets = self.brackets.saturating_sub(1);
                }
                _ => {}
            }
            self.write_trivia(self.next_index() + 1);
            self.position += 1;
        }
    }

    fn eat(&mut self, kind: K) -> bool {
        let here = self.at(kind);
        if here {
            self.bump();
        }
        here
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let here = self.at_word(word);
        if here {
            self.bump();
        }
        here
    }

    /// Opens a node before this token. Nothing is written after a failure, so comments stay where they belong.
    fn open(&mut self, kind: K) {
        self.write_trivia(self.next_index());
        self.builder.start_node(kind.into());
    }

    fn close(&mut self) {
        self.builder.finish_node();
    }

    /// A place before which nodes can be opened later.
    fn checkpoint(&mut self) -> Checkpoint {
        self.write_trivia(self.next_index());
        self.builder.checkpoint()
    }

    fn open_at(&mut self, checkpoint: Checkpoint, kind: K) {
        self.builder.start_node_at(checkpoint, kind.into());
    }

    // ---- complaining

    fn span(&self, (start, end): (u32, u32)) -> Span {
        Span::new(self.file, start, end)
    }

    /// This token, or the place behind the one before where the item is over.
    fn here(&self) -> Span {
        if matches!(self.current(), K::End) {
            let end = self.previous_end();
            return self.span((end, end));
        }
        self.span(self.range(0))
    }

    /// A complaint after which the item is given up. Only the first of an item counts.
    fn fail(&mut self, diagnostic: impl FnOnce(&Self) -> Diagnostic) {
        if !self.failed {
            let made = (self.log.found.len() < crate::limits::DIAGNOSTICS_MAX).then(|| diagnostic(self));
            match made {
                Some(diagnostic) => self.log.found.push(diagnostic),
                None => self.log.omitted += 1,
            }
            self.failed = true;
        }
    }

    fn found(&self) -> String {
        match self.current() {
            K::End if self.position >= self.meaning.len() => "the end of the file".to_owned(),
            K::End => "the end of the line".to_owned(),
            K::StringStart | K::RawString => "a string".to_owned(),
            _ => format!("`{}`", shortened(self.word(0))),
        }
    }

    /// "expected …, found …", unless this token has a better explanation of its own.
    fn unexpected(&mut self, wanted: &str, help: &str) {
        if self.explain_foreign_token() {
            return;
        }
        self.fail(|p| {
            Diagnostic::new(Code::M001, p.here(), format!("expected {wanted}, found {}", p.found()))
                .label(format!("expected {wanted}"))
                .help(help)
        });
    }

    fn expect(&mut self, kind: K, wanted: &str, help: &str) -> bool {
        let here = self.eat(kind);
        if !here {
            self.unexpected(wanted, help);
        }
        here
    }

    fn expect_word(&mut self, word: &str, help: &str) -> bool {
        let here = self.eat_word(word);
        if !here {
            self.unexpected(&format!("`{word}`"), help);
        }
        here
    }

    fn expect_name(&mut self, what: &str, help: &str) -> bool {
        self.expect(K::Name, what, help)
    }

    /// The bracket that ends what started at `opened`.
    fn expect_close(&mut self, kind: K, opened: (u32, u32)) {
        let wanted = format!("`{}`", bracket(kind));
        self.expect_bracket(kind, opened, &wanted);
    }

    /// The same where another entry could follow instead.
    fn expect_close_of_list(&mut self, kind: K, opened: (u32, u32)) {
        let wanted = format!("`,` or `{}`", bracket(kind));
        self.expect_bracket(kind, opened, &wanted);
    }

    fn expect_bracket(&mut self, kind: K, opened: (u32, u32), wanted: &str) {
        if self.eat(kind) || self.failed || self.explain_foreign_token() {
            return;
        }
        let (open, close) = (self.slice(opened), bracket(kind));
        self.fail(|p| {
            let over = p.at(K::End) || kind == K::HoleEnd && p.at(K::StringStart);
            let (message, label) = if over {
                (format!("`{open}` is not closed"), format!("expected `{close}`"))
            } else {
                (format!("expected {wanted}, found {}", p.found()), format!("expected {wanted}"))
            };
            Diagnostic::new(Code::M001, p.here(), message)
                .label(label)
                .also(p.span(opened), format!("`{open}` is opened here"))
                .help(if over || !wanted.contains(',') {
                    format!("close it with `{close}`")
                } else {
                    format!("separate with `,`, or close with `{close}`")
                })
        });
    }

    /// Goes one level down. `false`: too deep, or the item has failed.
    fn descend(&mut self) -> bool {
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            self.too_deep();
        }
        !self.failed
    }

    fn ascend(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn too_deep(&mut self) {
        self.fail(|p| {
            Diagnostic::new(Code::M015, p.here(), format!("the expression is more than {EXPRESSION_DEPTH_MAX} levels deep"))
                .label("one level too deep; each operator of a chain counts as one")
                .help("give parts of it names with `let`, or use a `table`, a list with `in`, or `any`")
        });
    }
}

const fn bracket(kind: K) -> &'static str {
    match kind {
        K::RightParen => ")",
        K::RightBracket => "]",
        _ => "}",
    }
}

/// Long or odd text, fit for a message.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(24).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
