//! `test` blocks.

use super::{Lowering, child, names, tokens};
use crate::ast::{self, Expect};
use crate::span::{Span, Spanned};
use crate::syntax::kind::{SyntaxKind as K, SyntaxNode};

impl Lowering<'_> {
    /// `None` for a test without `given` or `expect`.
    pub(super) fn test(&mut self, node: &SyntaxNode, span: Span) -> Option<ast::Test> {
        let name = self.text_in(node)?;
        let (mut given, mut existing, mut at, mut seed) = (None, None, None, None);
        for part in node.children().filter(|child| child.kind() == K::TestPart) {
            let value = tokens(&part).nth(1);
            match names(&part).next()?.text() {
                "given" => given = Some(self.only_expression(&part)),
                "existing" => existing = Some(self.only_expression(&part)),
                "at" => at = value.map(|token| Spanned { span: self.span(token.text_range()), value: self.instant(&token) }),
                _ => seed = value.map(|token| Spanned { span: self.span(token.text_range()), value: self.int(&token, false) }),
            }
        }
        let expect = child(node, K::Expect)?;
        Some(ast::Test { span, name, given: given?, existing, at, seed, expect: self.outcome(&expect)? })
    }

    fn outcome(&mut self, node: &SyntaxNode) -> Option<Expect> {
        let span = self.span(node.text_range());
        let mut words = names(node).skip(1);
        let word = words.next();
        Some(match word.as_ref().map_or("", |token| token.text()) {
            "" => Expect::Record { exactly: false, record: self.only_expression(node) },
            "exactly" => Expect::Record { exactly: true, record: self.only_expression(node) },
            "skip" => Expect::Skip { span, reason: self.text_in(node) },
            "deny" => Expect::Deny { span, reason: self.text_in(node) },
            "error" => Expect::Error { span, target: self.target_in(node)?, text: self.text_in(node) },
            _ => Expect::Warning { span, code: self.name(&words.next()?) },
        })
    }
}
