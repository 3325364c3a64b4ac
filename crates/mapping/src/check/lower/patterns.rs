//! `match`: patterns against a subject, arms of one type.

use super::operators::join;
use super::{Checker, Low, Want};
use crate::ast::{Arm, Expr, ExprKind, PatternKind};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan::{self, Constant, Conversion, Node};
use crate::span::Span;
use crate::types::Type;

impl<'a> Checker<'a> {
    pub fn matching(
        &mut self,
        subject: &'a Expr,
        arms: &'a [Arm],
        otherwise: &'a Expr,
        want: Option<Want<'_>>,
        span: Span,
    ) -> Low {
        let subject_low = self.infer(subject);
        let subject_low = self.subject(subject_low, subject, arms);
        let mut patterns = Vec::with_capacity(arms.len());
        for arm in arms {
            let lowered: Vec<_> = arm.patterns.iter().filter_map(|one| self.pattern(&subject_low, &one.kind)).collect();
            let guard = arm.guard.as_ref().map(|guard| self.condition(guard).node);
            patterns.push((lowered, guard));
        }
        let exprs: Vec<&'a Expr> = arms.iter().map(|arm| &arm.value).chain([otherwise]).collect();
        let (mut values, ty) = match want {
            Some(want) => (exprs.iter().map(|&expr| self.wanted(expr, want)).collect::<Vec<_>>(), want.ty.clone()),
            None => {
                let lows = exprs.iter().map(|&expr| self.infer(expr)).collect();
                self.unify(lows, exprs, "the arms of this `match`")
            }
        };
        let Some(last) = values.pop() else { return self.unknown(span) };
        let may_be_absent = last.may_be_absent || values.iter().any(|low| low.may_be_absent);
        let arms = patterns
            .into_iter()
            .zip(&values)
            .map(|((patterns, guard), value)| plan::Arm { patterns: patterns.into(), guard, value: value.node })
            .collect();
        self.low(Node::Match { subject: subject_low.node, arms, otherwise: last.node }, ty, may_be_absent, span)
    }

    /// The subject as what its patterns are: JSON takes their type, guids and names are text.
    fn subject(&mut self, low: Low, written: &'a Expr, arms: &'a [Arm]) -> Low {
        match &low.ty {
            Type::List(_) => {
                let list = self.text_of(written.span);
                let diagnostic = Diagnostic::new(Code::M008, low.span, format!("`match` needs one value, this is {}", low.ty))
                    .label("a list of values")
                    .help(format!("match each: [ match x {{ … }} for x in {list} ]"));
                self.refuse(diagnostic, low.span)
            }
            Type::Json => match pattern_type(arms) {
                Type::Int => self.convert_or_absent(low, Conversion::Int, Type::Int),
                Type::Bool => self.convert_or_absent(low, Conversion::Bool, Type::Bool),
                Type::DateTime => self.convert_or_absent(low, Conversion::TextToDateTime, Type::DateTime),
                _ => self.convert_or_absent(low, Conversion::Text, Type::String),
            },
            Type::Guid | Type::Sid | Type::Dn => self.coerce(low, Want::argument(&Type::String, "`match`"), written),
            Type::FileTime if pattern_type(arms) == Type::Int => self.convert(low, &[Conversion::Int], Type::Int),
            Type::FileTime | Type::GenTime => self.coerce(low, Want::argument(&Type::DateTime, "`match`"), written),
            _ => low,
        }
    }

    /// `None` = reported.
    fn pattern(&mut self, subject: &Low, pattern: &'a PatternKind) -> Option<plan::Pattern> {
        match pattern {
            PatternKind::Absent => Some(plan::Pattern::Absent),
            PatternKind::Range(from, to) => {
                let (from, to) = (self.pattern_literal(subject, from)?, self.pattern_literal(subject, to)?);
                Some(plan::Pattern::Range(from, to))
            }
            PatternKind::Value(expr) => match self.regex_literal(expr) {
                Some(regex) => {
                    if !matches!(subject.ty, Type::String | Type::Unknown | Type::Nothing) {
                        let message = format!("a regular expression matches text, this is {}", subject.ty);
                        self.sink.push(Diagnostic::new(Code::M007, expr.span, message).help("match text(x)"));
                        return None;
                    }
                    regex.map(plan::Pattern::Regex)
                }
                None => Some(plan::Pattern::Equals(self.pattern_literal(subject, expr)?)),
            },
        }
    }

    fn pattern_literal(&mut self, subject: &Low, expr: &'a Expr) -> Option<Constant> {
        let low = self.infer(expr);
        if low.is_unknown() || subject.is_unknown() {
            return None;
        }
        if join(&low.ty, &subject.ty).is_none() || low.ty.is_list() {
            let message = format!("a {} never matches {}", subject.ty, low.ty);
            self.sink
                .push(Diagnostic::new(Code::M007, expr.span, message).help(format!("write a literal of type {}", subject.ty)));
            return None;
        }
        let known = self.known(low.node).cloned();
        if known.is_none() {
            let diagnostic =
                Diagnostic::new(Code::M007, expr.span, "a pattern is a literal").help("compare in a guard: x if x == y => …");
            self.sink.push(diagnostic);
        }
        known
    }
}

/// What the first literal pattern is.
fn pattern_type(arms: &[Arm]) -> Type {
    let first = arms.iter().flat_map(|arm| &arm.patterns).find_map(|pattern| match &pattern.kind {
        PatternKind::Value(expr) | PatternKind::Range(expr, _) => Some(&expr.kind),
        PatternKind::Absent => None,
    });
    match first {
        Some(ExprKind::Int(_) | ExprKind::Negative(_)) => Type::Int,
        Some(ExprKind::Bool(_)) => Type::Bool,
        Some(ExprKind::DateTime(_)) => Type::DateTime,
        _ => Type::String,
    }
}
