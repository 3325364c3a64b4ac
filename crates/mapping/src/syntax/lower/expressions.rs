//! Expressions.

use super::{Lowering, child, has, names, tokens};
use crate::ast::{self, Expr, ExprKind, Operator};
use crate::span::{Span, Spanned};
use crate::syntax::kind::{SyntaxElement, SyntaxKind as K, SyntaxNode, SyntaxToken};

impl Lowering<'_> {
    /// The value `node` stands for.
    pub(super) fn expression(&mut self, node: &SyntaxNode) -> Expr {
        let span = self.span(node.text_range());
        let mut values = node.children().filter(|child| child.kind().is_expression());
        let kind = match node.kind() {
            K::Literal => self.literal(node),
            K::String => self.string(node),
            K::SourceName => self.source(node),
            K::NameUse => name_use(node),
            K::Paren => self.only_expression(node).kind,
            K::Call => self.call(node, None),
            K::MethodCall => {
                let receiver = self.expression_or_error(values.next().as_ref(), node);
                self.call(node, Some(receiver))
            }
            K::Field => {
                let record = self.expression_or_error(values.next().as_ref(), node);
                match names(node).next() {
                    Some(name) => ExprKind::Field(Box::new(record), self.name(&name)),
                    None => ExprKind::Error,
                }
            }
            K::Index => {
                let list = self.boxed(values.next(), node);
                ExprKind::Index(list, self.boxed(values.next(), node))
            }
            K::All => ExprKind::All(self.boxed(values.next(), node)),
            K::List => ExprKind::List(values.map(|value| self.expression(&value)).collect()),
            K::Comprehension => self.comprehension(node),
            K::Record => {
                let entries = node.children().filter(|child| child.kind() == K::RecordEntry);
                ExprKind::Record(entries.filter_map(|entry| self.entry(&entry)).collect())
            }
            K::Not => ExprKind::Not(self.boxed(values.next(), node)),
            K::Negative => self.negative(node),
            K::Binary => self.binary(node),
            K::If => {
                let condition = self.boxed(values.next(), node);
                let then = self.boxed(values.next(), node);
                ExprKind::If { condition, then, otherwise: self.boxed(values.next(), node) }
            }
            K::Match => self.match_(node),
            K::Stored => {
                let mut words = names(node);
                let new = words.next().is_some_and(|word| word.text() == "new");
                let path: Vec<_> = words.map(|word| self.name(&word)).collect();
                if path.is_empty() {
                    ExprKind::Error
                } else if new {
                    ExprKind::New(path)
                } else {
                    ExprKind::Old(path)
                }
            }
            _ => ExprKind::Error,
        };
        Expr { span, kind }
    }

    /// The one value directly in `node`.
    pub(super) fn only_expression(&mut self, node: &SyntaxNode) -> Expr {
        let value = node.children().find(|child| child.kind().is_expression());
        self.expression_or_error(value.as_ref(), node)
    }

    /// The value, or an error behind `parent`, where it is missing.
    pub(super) fn expression_or_error(&mut self, node: Option<&SyntaxNode>, parent: &SyntaxNode) -> Expr {
        match node {
            Some(node) => self.expression(node),
            None => {
                let end = self.span(parent.text_range()).end;
                Expr { span: Span::new(self.file, end, end), kind: ExprKind::Error }
            }
        }
    }

    fn boxed(&mut self, node: Option<SyntaxNode>, parent: &SyntaxNode) -> Box<Expr> {
        Box::new(self.expression_or_error(node.as_ref(), parent))
    }

    fn source(&mut self, node: &SyntaxNode) -> ExprKind {
        let Some(token) = tokens(node).next() else { return ExprKind::Error };
        let span = self.span(token.text_range());
        if token.kind() == K::QuotedSource {
            let inner = token.text().get(2..token.text().len().saturating_sub(1)).unwrap_or("");
            let value = self.unescaped(inner, Span::new(self.file, span.start + 2, span.end));
            if value.is_empty() {
                self.malformed(span, "an attribute name is not empty", "write the name between the quotes, or `$all` for all");
            }
            return ExprKind::Source(ast::SourceName::Quoted(Spanned { span, value: value.into() }));
        }
        let text = token.text().trim_start_matches('$');
        let name = |from: u32, text: &str| {
            let start = span.start + 1 + from;
            let length = u32::try_from(text.len()).unwrap_or(0);
            Spanned { span: Span::new(self.file, start, start + length), value: text.into() }
        };
        ExprKind::Source(match text.split_once(':') {
            Some((prefix, rest)) => ast::SourceName::Prefixed {
                prefix: name(0, prefix),
                rest: name(u32::try_from(prefix.len()).unwrap_or(0) + 1, rest),
            },
            None => ast::SourceName::Plain(name(0, text)),
        })
    }

    fn call(&mut self, node: &SyntaxNode, receiver: Option<Expr>) -> ExprKind {
        let Some(name) = names(node).next() else { return ExprKind::Error };
        let mut arguments: Vec<ast::CallArgument> =
            receiver.into_iter().map(|value| ast::CallArgument { name: None, value }).collect();
        for argument in child(node, K::Arguments).iter().flat_map(SyntaxNode::children) {
            let name = names(&argument).next().map(|token| self.name(&token));
            arguments.push(ast::CallArgument { name, value: self.only_expression(&argument) });
        }
        ExprKind::Call { name: self.name(&name), optional: has(node, K::Question), arguments }
    }

    fn comprehension(&mut self, node: &SyntaxNode) -> ExprKind {
        let mut values = node.children().filter(|child| child.kind().is_expression());
        let item = self.boxed(values.next(), node);
        let list = self.boxed(values.next(), node);
        let condition = values.next().map(|value| Box::new(self.expression(&value)));
        match names(node).nth(1) {
            Some(name) => ExprKind::Comprehension { item, name: self.name(&name), list, condition },
            None => ExprKind::Error,
        }
    }

    fn entry(&mut self, node: &SyntaxNode) -> Option<(Spanned<Box<str>>, Expr)> {
        if !has(node, K::Colon) {
            return None;
        }
        let mut values = node.children();
        let key = match names(node).next() {
            Some(name) => self.name(&name),
            None => self.text(&values.next()?),
        };
        Some((key, self.expression_or_error(values.next().as_ref(), node)))
    }

    fn binary(&mut self, node: &SyntaxNode) -> ExprKind {
        let Some((operator, token)) = tokens(node).find_map(|token| Some((operator(&token)?, token))) else {
            return ExprKind::Error;
        };
        let mut values = node.children();
        ExprKind::Binary {
            operator: Spanned { span: self.span(token.text_range()), value: operator },
            left: self.boxed(values.next(), node),
            right: self.boxed(values.next(), node),
        }
    }

    /// `-1` is a literal, so that it may stand where only literals may.
    fn negative(&mut self, node: &SyntaxNode) -> ExprKind {
        let operand = node.children().next();
        let number = operand.as_ref().filter(|operand| operand.kind() == K::Literal).and_then(|literal| tokens(literal).next());
        match number {
            Some(token) if matches!(token.kind(), K::Int | K::HexInt) => ExprKind::Int(self.int(&token, true)),
            Some(token) if token.kind() == K::Duration => ExprKind::Duration(-self.duration(&token)),
            _ => ExprKind::Negative(self.boxed(operand, node)),
        }
    }

    fn match_(&mut self, node: &SyntaxNode) -> ExprKind {
        let subject = Box::new(self.only_expression(node));
        let arms = node.children().filter(|child| child.kind() == K::Arm).map(|arm| self.arm(&arm)).collect();
        let otherwise = match child(node, K::Otherwise) {
            Some(clause) => self.only_expression(&clause),
            None => self.expression_or_error(None, node),
        };
        ExprKind::Match { subject, arms, otherwise: Box::new(otherwise) }
    }

    fn arm(&mut self, node: &SyntaxNode) -> ast::Arm {
        let patterns = node.children().filter(|child| child.kind() == K::Pattern);
        let patterns = patterns.map(|pattern| self.pattern(&pattern)).collect();
        let mut values = node.children().filter(|child| child.kind().is_expression());
        let guard = if names(node).next().is_some() { values.next().map(|value| self.expression(&value)) } else { None };
        let value = self.expression_or_error(values.next().as_ref(), node);
        ast::Arm { span: self.span(node.text_range()), patterns, guard, value }
    }

    fn pattern(&mut self, node: &SyntaxNode) -> ast::Pattern {
        let mut values = node.children();
        let first = values.next();
        let absent = first.as_ref().and_then(|literal| names(literal).next()).is_some_and(|word| word.text() == "absent");
        let kind = if absent {
            ast::PatternKind::Absent
        } else {
            let from = self.expression_or_error(first.as_ref(), node);
            if has(node, K::DotDot) {
                ast::PatternKind::Range(from, self.expression_or_error(values.next().as_ref(), node))
            } else {
                ast::PatternKind::Value(from)
            }
        };
        ast::Pattern { span: self.span(node.text_range()), kind }
    }

    /// A string without holes, or a template.
    fn string(&mut self, node: &SyntaxNode) -> ExprKind {
        let mut parts = Vec::new();
        for element in node.children_with_tokens() {
            match element {
                SyntaxElement::Token(token) if token.kind() == K::StringText => {
                    let span = self.span(token.text_range());
                    parts.push(ast::Part::Text(self.unescaped(token.text(), span).into()));
                }
                SyntaxElement::Node(hole) if hole.kind() == K::Hole => {
                    parts.push(ast::Part::Hole { value: self.only_expression(&hole), optional: has(&hole, K::Question) });
                }
                _ => {}
            }
        }
        if parts.is_empty() {
            return ExprKind::String("".into());
        }
        if let [ast::Part::Text(text)] = parts.as_mut_slice() {
            return ExprKind::String(std::mem::take(text));
        }
        ExprKind::Template(parts)
    }
}

fn name_use(node: &SyntaxNode) -> ExprKind {
    let Some(token) = names(node).next() else { return ExprKind::Error };
    match token.text() {
        "absent" => ExprKind::Absent,
        "keep" => ExprKind::Keep,
        "it" => ExprKind::It,
        "now" => ExprKind::Now,
        "inherited" => ExprKind::Inherited,
        name => ExprKind::Name(name.into()),
    }
}

fn operator(token: &SyntaxToken) -> Option<Operator> {
    Some(match token.kind() {
        K::Coalesce => Operator::Coalesce,
        K::OrOr => Operator::Or,
        K::AndAnd => Operator::And,
        K::EqualEqual => Operator::Equal,
        K::NotEqual => Operator::NotEqual,
        K::Less => Operator::Less,
        K::LessOrEqual => Operator::LessOrEqual,
        K::Greater => Operator::Greater,
        K::GreaterOrEqual => Operator::GreaterOrEqual,
        K::Tilde => Operator::Matches,
        K::Plus => Operator::Plus,
        K::Minus => Operator::Minus,
        K::Name => match token.text() {
            "or" => Operator::Or,
            "and" => Operator::And,
            "in" => Operator::In,
            "like" => Operator::Like,
            _ => return None,
        },
        _ => return None,
    })
}
