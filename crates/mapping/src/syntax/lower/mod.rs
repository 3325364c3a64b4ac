//! Tree to [`ast`]. Owns what a literal says, and which items are whole enough to be worth checking: a binding or a
//! rule whose value is lost stays, with [`ast::ExprKind::Error`] in its place, so that its name is still known.

mod expressions;
mod items;
mod literals;
mod tests;

use super::Log;
use super::kind::{SyntaxElement, SyntaxKind as K, SyntaxNode, SyntaxToken};
use crate::ast;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::span::{FileId, Name, Span, Spanned};

/// The file that `tree` describes.
pub fn file(tree: &SyntaxNode, file: FileId, log: &mut Log) -> ast::File {
    let mut lowering = Lowering { file, log };
    let mut lowered = ast::File { header: None, items: Vec::new() };
    for node in tree.children() {
        if node.kind() == K::Header {
            lowered.header = lowering.header(&node);
        } else if let Some(item) = lowering.item(&node) {
            lowered.items.push(item);
        }
    }
    lowered
}

struct Lowering<'l> {
    file: FileId,
    log: &'l mut Log,
}

impl Lowering<'_> {
    fn span(&self, range: rowan::TextRange) -> Span {
        Span::new(self.file, range.start().into(), range.end().into())
    }

    /// Complains about the literal at `span`.
    fn malformed(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.log.push(|| Diagnostic::new(Code::M014, span, message).help(help));
    }

    fn name(&self, token: &SyntaxToken) -> Name {
        Spanned { span: self.span(token.text_range()), value: token.text().into() }
    }

    /// The text of a string that stands where no hole may.
    fn text(&mut self, node: &SyntaxNode) -> Spanned<Box<str>> {
        let span = self.span(node.text_range());
        let value = match self.expression(node).kind {
            ast::ExprKind::String(text) => text,
            _ => "".into(),
        };
        Spanned { span, value }
    }

    /// The first string directly in `node`.
    fn text_in(&mut self, node: &SyntaxNode) -> Option<Spanned<Box<str>>> {
        let string = node.children().find(is_text)?;
        Some(self.text(&string))
    }
}

/// Tokens directly in `node`, without spaces and comments.
fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    elements(node).filter_map(SyntaxElement::into_token)
}

fn elements(node: &SyntaxNode) -> impl Iterator<Item = SyntaxElement> + use<> {
    node.children_with_tokens().filter(|element| !element.kind().is_trivia())
}

fn names(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    tokens(node).filter(|token| token.kind() == K::Name)
}

fn has(node: &SyntaxNode, kind: K) -> bool {
    tokens(node).any(|token| token.kind() == kind)
}

fn child(node: &SyntaxNode, kind: K) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

fn is_text(node: &SyntaxNode) -> bool {
    node.kind() == K::String || node.kind() == K::Literal && has(node, K::RawString)
}
