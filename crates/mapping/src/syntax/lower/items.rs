//! Header and items.

use super::{Lowering, child, elements, has, names, tokens};
use crate::ast::{self, Item};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::span::{Name, Span, Spanned};
use crate::syntax::kind::{SyntaxElement, SyntaxKind as K, SyntaxNode};

impl Lowering<'_> {
    pub(super) fn header(&mut self, node: &SyntaxNode) -> Option<ast::Header> {
        let name = child(node, K::HeaderName)?;
        // mapping NAME from KIND to KIND
        let mut words = names(node);
        let from = words.nth(2)?;
        let to = words.nth(1)?;
        Some(ast::Header {
            span: self.span(node.text_range()),
            name: Spanned { span: self.span(name.text_range()), value: name.text().to_string().into() },
            from: self.name(&from),
            to: self.name(&to),
        })
    }

    /// `None`: too little of it could be read.
    pub(super) fn item(&mut self, node: &SyntaxNode) -> Option<Item> {
        let span = self.span(node.text_range());
        Some(match node.kind() {
            K::Use => Item::Use { span, path: self.text_in(node)? },
            K::Prefix => {
                let name = self.second_name(node)?;
                let value = self.text_in(node).unwrap_or(Spanned { span, value: "".into() });
                Item::Prefix { span, name, value }
            }
            K::Const | K::Let => Item::Let {
                span,
                constant: node.kind() == K::Const,
                name: self.second_name(node)?,
                value: self.only_expression(node),
            },
            K::Table => Item::Table(self.table(node, span)?),
            K::Attrs => Item::Attrs {
                span,
                attributes: node
                    .children()
                    .filter(|child| child.kind() == K::Attribute)
                    .filter_map(|attribute| self.attribute(&attribute))
                    .collect(),
            },
            K::Default => Item::Default { span, modifiers: self.modifiers(node) },
            K::Gate => Item::Gate(self.gate(node, span)?),
            K::Rule => Item::Rule(self.rule(node, span)?),
            K::Remove => Item::Remove { span, target: self.target_in(node)? },
            K::Test => Item::Test(self.test(node, span)?),
            _ => return None,
        })
    }

    /// The name behind the item's keyword.
    fn second_name(&self, node: &SyntaxNode) -> Option<Name> {
        names(node).nth(1).map(|token| self.name(&token))
    }

    fn table(&mut self, node: &SyntaxNode, span: Span) -> Option<ast::Table> {
        let name = self.second_name(node)?;
        let rows = if let Some(csv) = child(node, K::TableCsv) {
            self.csv(&csv)?
        } else {
            let rows = node.children().filter(|child| child.kind() == K::TableRow);
            ast::TableRows::Inline(rows.filter_map(|row| self.row(&row)).collect())
        };
        let otherwise = child(node, K::TableElse).and_then(|clause| self.table_else(&clause));
        Some(ast::Table { span, name, rows, otherwise })
    }

    /// `from "x.csv" (key, value)`
    fn csv(&mut self, node: &SyntaxNode) -> Option<ast::TableRows> {
        let mut found: Vec<Spanned<Box<str>>> = Vec::new();
        for element in elements(node).skip(1) {
            match element {
                SyntaxElement::Node(child) => found.push(self.text(&child)),
                SyntaxElement::Token(token) if token.kind() == K::Name => found.push(self.name(&token)),
                SyntaxElement::Token(_) => {}
            }
        }
        let [path, key, value] = <[_; 3]>::try_from(found).ok()?;
        Some(ast::TableRows::Csv { path, key, value })
    }

    fn row(&mut self, node: &SyntaxNode) -> Option<(Vec<ast::Expr>, ast::Expr)> {
        let mut literals: Vec<ast::Expr> = node.children().map(|literal| self.expression(&literal)).collect();
        if !has(node, K::Arrow) {
            return None;
        }
        let value = literals.pop()?;
        (!literals.is_empty()).then_some((literals, value))
    }

    fn table_else(&mut self, node: &SyntaxNode) -> Option<Spanned<ast::TableElse>> {
        if let Some(literal) = node.children().next() {
            let value = self.expression(&literal);
            return Some(Spanned { span: value.span, value: ast::TableElse::Value(value) });
        }
        let word = names(node).nth(1)?;
        let value = match word.text() {
            "absent" => ast::TableElse::Absent,
            "key" => ast::TableElse::Key,
            "error" => ast::TableElse::Error,
            _ => return None,
        };
        Some(Spanned { span: self.span(word.text_range()), value })
    }

    fn attribute(&mut self, node: &SyntaxNode) -> Option<ast::Attribute> {
        let source = child(node, K::SourceName)?;
        let name = if let Some(quoted) = source.children().next() {
            ast::SourceName::Quoted(self.text(&quoted))
        } else {
            let mut parts = tokens(&source);
            let first = self.name(&parts.next()?);
            match (parts.nth(1), source.last_token()) {
                (Some(rest), Some(last)) => {
                    let span = self.span(rest.text_range().cover(last.text_range()));
                    let text: String = tokens(&source).skip(2).map(|token| token.text().to_owned()).collect();
                    ast::SourceName::Prefixed { prefix: first, rest: Spanned { span, value: text.into() } }
                }
                _ => ast::SourceName::Plain(first),
            }
        };
        let mut words = names(node);
        let ty = self.name(&words.next()?);
        let flags: Vec<String> = words.map(|word| word.text().to_owned()).collect();
        Some(ast::Attribute {
            span: self.span(node.text_range()),
            name,
            ty,
            list: flags.iter().any(|flag| flag == "list"),
            sensitive: flags.iter().any(|flag| flag == "sensitive"),
        })
    }

    fn gate(&mut self, node: &SyntaxNode, span: Span) -> Option<ast::Gate> {
        let deny = names(node).next()?.text() == "deny";
        let mut parts = node.children().filter(|child| child.kind().is_expression());
        let condition = self.expression_or_error(parts.next().as_ref(), node);
        let reason = self.expression_or_error(parts.next().as_ref(), node);
        Some(ast::Gate { span, deny, condition, reason })
    }

    fn rule(&mut self, node: &SyntaxNode, span: Span) -> Option<ast::Rule> {
        if !has(node, K::Equal) {
            return None;
        }
        let value = match child(node, K::FirstFree) {
            Some(candidates) => self.first_free(&candidates),
            None => ast::RuleValue::Expr(self.only_expression(node)),
        };
        Some(ast::Rule {
            span,
            replaces: names(node).next().is_some(),
            target: self.target_in(node)?,
            value,
            condition: child(node, K::When).map(|clause| self.only_expression(&clause)),
            modifiers: child(node, K::With).map(|clause| self.modifiers(&clause)).unwrap_or_default(),
        })
    }

    fn first_free(&mut self, node: &SyntaxNode) -> ast::RuleValue {
        match self.only_expression(node) {
            ast::Expr { kind: ast::ExprKind::List(candidates), .. } => ast::RuleValue::FirstFree(candidates),
            other => {
                if other.kind != ast::ExprKind::Error {
                    self.log.push(|| {
                        Diagnostic::new(Code::M001, other.span, "`first_free` takes a list of candidates")
                            .help("`first_free [ \"{a}\", \"{a}.{b}\" ]`")
                    });
                }
                ast::RuleValue::FirstFree(Vec::new())
            }
        }
    }

    pub(super) fn target_in(&mut self, node: &SyntaxNode) -> Option<ast::Target> {
        let target = child(node, K::Target)?;
        let mut path = Vec::new();
        for element in elements(&target) {
            match element {
                SyntaxElement::Node(text) => path.push(self.text(&text)),
                SyntaxElement::Token(token) if token.kind() == K::Name => path.push(self.name(&token)),
                SyntaxElement::Token(_) => {}
            }
        }
        (!path.is_empty()).then(|| ast::Target { span: self.span(target.text_range()), path })
    }

    fn modifiers(&mut self, node: &SyntaxNode) -> Vec<ast::Modifier> {
        let modifiers = node.children().filter(|child| child.kind() == K::Modifier);
        modifiers.filter_map(|modifier| self.modifier(&modifier)).collect()
    }

    fn modifier(&mut self, node: &SyntaxNode) -> Option<ast::Modifier> {
        let mut parts = elements(node);
        let word = self.name(&parts.next()?.into_token()?);
        let argument = parts.next().and_then(|element| self.argument_of_modifier(&element));
        let text = parts.next().and_then(SyntaxElement::into_node).map(|text| self.text(&text));
        Some(ast::Modifier { span: self.span(node.text_range()), word, argument, text })
    }

    fn argument_of_modifier(&mut self, element: &SyntaxElement) -> Option<ast::Argument> {
        Some(match element {
            SyntaxElement::Token(token) if token.kind() == K::Name => ast::Argument::Word(self.name(token)),
            SyntaxElement::Token(token) => {
                ast::Argument::Size(Spanned { span: self.span(token.text_range()), value: self.size(token) })
            }
            SyntaxElement::Node(node) if super::is_text(node) => ast::Argument::Text(self.text(node)),
            SyntaxElement::Node(node) => ast::Argument::Expr(self.expression(node)),
        })
    }
}
