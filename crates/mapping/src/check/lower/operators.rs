//! Operators: logic, comparison, membership, sums and `??`, and one type for several branches.

use super::{Checker, Low, Want};
use crate::ast::{Expr, ExprKind, Operator};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan::{ByText, Comparison, Constant, Conversion, Node};
use crate::span::{Span, Spanned};
use crate::types::Type;

impl<'a> Checker<'a> {
    pub fn binary(&mut self, operator: &Spanned<Operator>, left: &'a Expr, right: &'a Expr, span: Span) -> Low {
        let comparison = match operator.value {
            Operator::Coalesce => {
                let lows = vec![self.infer(left), self.infer(right)];
                let (lows, ty) = self.unify(lows, [left, right], "the sides of `??`");
                let [left, right] = <[Low; 2]>::try_from(lows).unwrap_or_else(|_| [self.unknown(span), self.unknown(span)]);
                return self.coalesce(left, right, ty, span);
            }
            Operator::And | Operator::Or => return self.logic(operator.value, left, right, span),
            Operator::Matches => return self.matches(left, right, span),
            Operator::Like => return self.like(left, right, span),
            Operator::In => return self.membership(left, right, span),
            Operator::Plus | Operator::Minus => return self.sum(operator, left, right, span),
            Operator::Equal => Comparison::Equal,
            Operator::NotEqual => Comparison::NotEqual,
            Operator::Less => Comparison::Less,
            Operator::LessOrEqual => Comparison::LessOrEqual,
            Operator::Greater => Comparison::Greater,
            Operator::GreaterOrEqual => Comparison::GreaterOrEqual,
        };
        self.compare(comparison, left, right, span)
    }

    fn logic(&mut self, operator: Operator, left: &'a Expr, right: &'a Expr, span: Span) -> Low {
        let (left, right) = (self.condition(left), self.condition(right));
        let and = operator == Operator::And;
        // `true and x` is x, `false and x` is false; the other way round for `or`.
        match (self.known_bool(left.node), self.known_bool(right.node)) {
            (Some(value), _) if value == and => return Low { span, ..right },
            (_, Some(value)) if value == and => return Low { span, ..left },
            (Some(value), _) => return self.constant(Constant::Bool(value), Type::Bool, span),
            _ => {}
        }
        let node = if and { Node::And(left.node, right.node) } else { Node::Or(left.node, right.node) };
        self.low(node, Type::Bool, false, span)
    }

    /// `??`; warns when the right side can never be taken.
    pub fn coalesce(&mut self, left: Low, right: Low, ty: Type, span: Span) -> Low {
        if let Some(Constant::Absent) = self.known(left.node)
            && !left.is_unknown()
        {
            return Low { ty, ..right };
        }
        if !left.may_be_absent && !left.is_unknown() && self.surely_present(&left) {
            let text = self.text_of(left.span);
            self.sink.push(
                Diagnostic::new(Code::L03, right.span, "this fallback can never be reached")
                    .also(left.span, format!("`{text}` is always there"))
                    .help("remove it"),
            );
        }
        let may_be_absent = left.may_be_absent && right.may_be_absent;
        self.low(Node::Coalesce(left.node, right.node), ty, may_be_absent, span)
    }

    /// Never absent, and never the empty text or list either.
    fn surely_present(&self, low: &Low) -> bool {
        match self.nodes.get(low.node as usize) {
            Some(Node::Constant(constant)) => !matches!(constant, Constant::Absent | Constant::Keep),
            Some(Node::Template(parts)) => {
                parts.iter().any(|part| matches!(part, crate::plan::Part::Text(text) if !text.is_empty()))
            }
            _ => matches!(low.ty, Type::Bool | Type::Int | Type::DateTime | Type::Duration | Type::Guid | Type::Sid),
        }
    }

    fn compare(&mut self, operator: Comparison, left: &'a Expr, right: &'a Expr, span: Span) -> Low {
        let (left_low, right_low) = (self.infer(left), self.infer(right));
        if left_low.is_unknown() || right_low.is_unknown() {
            return self.constant_bool_unknown(span);
        }
        for (low, expr, other) in [(&left_low, left, right), (&right_low, right, left)] {
            if low.ty.is_list() {
                return self.list_compared(low, expr, other, span);
            }
        }
        let equality = matches!(operator, Comparison::Equal | Comparison::NotEqual);
        let Some(ty) = comparable(&left_low.ty, &right_low.ty, equality) else {
            let message = format!("{} and {} do not compare", left_low.ty, right_low.ty);
            let diagnostic = Diagnostic::new(Code::M007, span, message)
                .also(left_low.span, left_low.ty.to_string())
                .also(right_low.span, right_low.ty.to_string())
                .help("make them one type: text(x), int(x), datetime(x) or present(x)");
            self.sink.push(diagnostic);
            return self.constant_bool_unknown(span);
        };
        let left_low = self.side(left_low, &ty, left);
        let right_low = self.side(right_low, &ty, right);
        if let (Some(one), Some(two), true) = (self.known(left_low.node), self.known(right_low.node), equality)
            && !matches!(one, Constant::Absent)
            && !matches!(two, Constant::Absent)
        {
            let value = (one == two) == (operator == Comparison::Equal);
            return self.constant(Constant::Bool(value), Type::Bool, span);
        }
        self.low(Node::Compare { operator, left: left_low.node, right: right_low.node }, Type::Bool, false, span)
    }

    /// One side of a comparison: JSON of another kind is not equal, no failure.
    fn side(&mut self, low: Low, ty: &Type, written: &'a Expr) -> Low {
        if low.ty == Type::Json {
            let to = match ty {
                Type::String => Conversion::Text,
                Type::Int => Conversion::Int,
                Type::Bool => Conversion::Bool,
                Type::DateTime => Conversion::TextToDateTime,
                Type::Binary => Conversion::Binary,
                _ => return low,
            };
            return self.convert_or_absent(low, to, ty.clone());
        }
        self.coerce(low, Want::argument(ty, "a comparison"), written)
    }

    fn constant_bool_unknown(&mut self, span: Span) -> Low {
        let low = self.unknown(span);
        Low { ty: Type::Unknown, may_be_absent: false, ..low }
    }

    fn list_compared(&mut self, low: &Low, list: &'a Expr, other: &'a Expr, span: Span) -> Low {
        let (list, other) = (self.text_of(list.span), self.text_of(other.span));
        let diagnostic = Diagnostic::new(Code::M008, low.span, format!("a comparison needs one value, this is {}", low.ty))
            .label("a list of values")
            .help(format!("ask whether it holds the value: {other} in {list}; or how many there are: count({list})"));
        self.sink.push(diagnostic);
        self.constant_bool_unknown(span)
    }

    fn matches(&mut self, left: &'a Expr, right: &'a Expr, span: Span) -> Low {
        let text = self.wanted(left, Want::argument(&Type::String, "`~`"));
        match self.regex_literal(right) {
            Some(Some(regex)) => self.low(Node::Matches { text: text.node, regex }, Type::Bool, false, span),
            Some(None) => self.constant_bool_unknown(span),
            None => {
                let diagnostic = Diagnostic::new(Code::M007, right.span, "`~` needs a regular expression on its right")
                    .help("write it between slashes: x ~ /^a+$/");
                self.sink.push(diagnostic);
                self.constant_bool_unknown(span)
            }
        }
    }

    /// A literal regex, or a const of one. `Some(None)` = reported.
    pub fn regex_literal(&mut self, expr: &Expr) -> Option<Option<u16>> {
        match &expr.kind {
            ExprKind::Regex { pattern, ignore_case } => Some(self.regex(pattern, *ignore_case, expr.span)),
            ExprKind::Name(name) => match self.scope.find(self.file, name) {
                Some(super::super::scope::Binding::Const(value, _)) => match &value.kind {
                    ExprKind::Regex { pattern, ignore_case } => Some(self.regex(pattern, *ignore_case, value.span)),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    fn like(&mut self, left: &'a Expr, right: &'a Expr, span: Span) -> Low {
        let text = self.wanted(left, Want::argument(&Type::String, "`like`"));
        let pattern = self.infer(right);
        let Some(Constant::String(pattern_text)) = self.known(pattern.node).cloned() else {
            if !pattern.is_unknown() {
                let diagnostic = Diagnostic::new(Code::M007, right.span, "`like` needs a literal text on its right")
                    .help("write like \"West*\"; for a text that is read use starts_with, ends_with or contains");
                self.sink.push(diagnostic);
            }
            return self.constant_bool_unknown(span);
        };
        let mut regex = String::from(r"(?s)\A");
        let mut rest = &*pattern_text;
        while let Some(at) = rest.find(['*', '?']) {
            regex.push_str(&regex::escape(&rest[..at]));
            regex.push_str(if rest.as_bytes()[at] == b'*' { ".*" } else { "." });
            rest = &rest[at + 1..];
        }
        regex.push_str(&regex::escape(rest));
        regex.push_str(r"\z");
        match self.regex(&regex, false, right.span) {
            Some(regex) => self.low(Node::Matches { text: text.node, regex }, Type::Bool, false, span),
            None => self.constant_bool_unknown(span),
        }
    }

    fn membership(&mut self, left: &'a Expr, right: &'a Expr, span: Span) -> Low {
        let needle = self.infer(left);
        if needle.ty.is_list() {
            let (one, many) = (self.text_of(left.span), self.text_of(right.span));
            let diagnostic = Diagnostic::new(Code::M008, needle.span, format!("`in` asks for one value, this is {}", needle.ty))
                .label("a list of values")
                .help(format!("ask whether any of them is there: any({one}, it in {many})"));
            self.sink.push(diagnostic);
            return self.constant_bool_unknown(span);
        }
        let list = self.list_of(right, "`in`");
        let Type::List(item) = list.ty.clone() else { return self.constant_bool_unknown(span) };
        if needle.is_unknown() {
            return self.constant_bool_unknown(span);
        }
        let Some(ty) = comparable(&needle.ty, &item, true) else {
            let message = format!("a {} is never among {}", needle.ty, list.ty);
            let diagnostic = Diagnostic::new(Code::M007, span, message).help("make them one type: text(x) or int(x)");
            self.sink.push(diagnostic);
            return self.constant_bool_unknown(span);
        };
        let needle = self.side(needle, &ty, left);
        if ty == Type::String
            && let Some(set) = self.set_of(list.node)
        {
            return self.low(Node::InSet { needle: needle.node, set }, Type::Bool, false, span);
        }
        // JSON items stay as they are: equal or not.
        let list = if *item == Type::Json { list } else { self.coerce(list, Want::argument(&ty.list(), "`in`"), right) };
        self.low(Node::In { needle: needle.node, list: list.node }, Type::Bool, false, span)
    }

    /// The set of a list of literal texts.
    fn set_of(&mut self, list: u32) -> Option<u16> {
        let Some(Node::List(items)) = self.nodes.get(list as usize) else { return None };
        let mut set = ByText::default();
        for &item in items {
            let Some(Constant::String(text)) = self.known(item) else { return None };
            set.insert(text.clone(), ());
        }
        let index = self.sets.iter().position(|known| *known == set).unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        u16::try_from(index).ok()
    }

    fn sum(&mut self, operator: &Spanned<Operator>, left: &'a Expr, right: &'a Expr, span: Span) -> Low {
        let (left_low, right_low) = (self.infer(left), self.infer(right));
        if left_low.is_unknown() || right_low.is_unknown() {
            return self.unknown(span);
        }
        let plus = operator.value == Operator::Plus;
        let Some((one, two, result)) = summands(&left_low.ty, &right_low.ty, plus) else {
            let sign = if plus { "+" } else { "-" };
            let message = format!("`{sign}` does not take {} and {}", left_low.ty, right_low.ty);
            let help = match (plus, &left_low.ty, &right_low.ty) {
                (true, Type::String, _) | (true, _, Type::String) => {
                    format!("write a template: \"{{{}}}{{{}}}\"", self.text_of(left.span), self.text_of(right.span))
                }
                _ => "int and int, datetime and duration go together; `+` joins two texts or two lists".to_owned(),
            };
            return self.refuse(Diagnostic::new(Code::M007, span, message).help(help), span);
        };
        let left_low = self.coerce(left_low, Want::argument(&one, "a sum"), left);
        let right_low = self.coerce(right_low, Want::argument(&two, "a sum"), right);
        if let (Some(Constant::String(one)), Some(Constant::String(two))) =
            (self.known(left_low.node), self.known(right_low.node))
        {
            let text = format!("{one}{two}").into();
            return self.constant(Constant::String(text), Type::String, span);
        }
        let may_be_absent = left_low.may_be_absent || right_low.may_be_absent;
        let node = if plus { Node::Add(left_low.node, right_low.node) } else { Node::Subtract(left_low.node, right_low.node) };
        self.low(node, result, may_be_absent, span)
    }

    pub fn negative(&mut self, inner: &'a Expr, span: Span) -> Low {
        let low = self.infer(inner);
        match (self.known(low.node), &low.ty) {
            (Some(Constant::Int(number)), _) => match number.checked_neg() {
                Some(number) => self.constant(Constant::Int(number), Type::Int, span),
                None => {
                    let diagnostic = Diagnostic::new(Code::M014, span, "out of range").help("an int has 64 bits");
                    self.refuse(diagnostic, span)
                }
            },
            (Some(Constant::Duration(length)), _) if length.checked_neg().is_some() => {
                let length = length.checked_neg().unwrap_or_default();
                self.constant(Constant::Duration(length), Type::Duration, span)
            }
            (_, Type::Unknown) => low,
            (_, Type::Duration) => self.low(Node::Negative(low.node), Type::Duration, low.may_be_absent, span),
            _ => {
                let low = self.coerce(low, Want::argument(&Type::Int, "`-`"), inner);
                self.low(Node::Negative(low.node), low.ty.clone(), low.may_be_absent, span)
            }
        }
    }

    /// Makes several expressions one type, or reports that they have none in common.
    pub fn unify(&mut self, lows: Vec<Low>, exprs: impl IntoIterator<Item = &'a Expr>, place: &str) -> (Vec<Low>, Type) {
        let mut ty = Type::Nothing;
        for low in &lows {
            let Some(joined) = join(&ty, &low.ty) else {
                let code = if ty.is_list() == low.ty.is_list() { Code::M007 } else { Code::M008 };
                let message = format!("{place} are {ty} and {}", low.ty);
                let help = if code == Code::M007 {
                    "make them one type: text(x) or int(x)"
                } else {
                    "make both a list, or both one value"
                };
                let diagnostic = Diagnostic::new(code, low.span, message).help(help);
                self.sink.push(diagnostic);
                return (lows.iter().map(|low| Low { ty: Type::Unknown, ..low.clone() }).collect(), Type::Unknown);
            };
            ty = joined;
        }
        let lows = lows
            .into_iter()
            .zip(exprs)
            .map(|(low, expr)| self.coerce(low, Want { dates_as_text: false, ..Want::argument(&ty, place) }, expr))
            .collect();
        (lows, ty)
    }
}

/// The type two branches have in common.
pub fn join(one: &Type, two: &Type) -> Option<Type> {
    Some(match (one, two) {
        (Type::Unknown, _) | (_, Type::Unknown) => Type::Unknown,
        (Type::Nothing, other) | (other, Type::Nothing) => other.clone(),
        (one, two) if one == two => one.clone(),
        (Type::List(one), Type::List(two)) => join(one, two)?.list(),
        (Type::Json, list @ Type::List(_)) | (list @ Type::List(_), Type::Json) => list.clone(),
        (Type::Json, Type::Record(_)) | (Type::Record(_), Type::Json | Type::Record(_)) => Type::Record(None),
        (Type::Json, Type::Duration) | (Type::Duration, Type::Json) => return None,
        (Type::Json, other) | (other, Type::Json) => other.clone(),
        (Type::String, Type::Guid | Type::Sid | Type::Dn) | (Type::Guid | Type::Sid | Type::Dn, Type::String) => Type::String,
        (Type::Guid | Type::Sid | Type::Dn, Type::Guid | Type::Sid | Type::Dn) => Type::String,
        (Type::DateTime, Type::FileTime | Type::GenTime) | (Type::FileTime | Type::GenTime, Type::DateTime) => Type::DateTime,
        (Type::FileTime, Type::GenTime) | (Type::GenTime, Type::FileTime) => Type::DateTime,
        (Type::FileTime, Type::Int) | (Type::Int, Type::FileTime) => Type::Int,
        _ => return None,
    })
}

/// The type in which two values compare.
fn comparable(one: &Type, two: &Type, equality: bool) -> Option<Type> {
    let joined = match join(one, two)? {
        Type::Guid | Type::Sid | Type::Dn => Type::String,
        Type::FileTime | Type::GenTime => Type::DateTime,
        other => other,
    };
    let fits = match joined {
        Type::String | Type::Int | Type::DateTime | Type::Duration | Type::Unknown | Type::Nothing => true,
        Type::Bool | Type::Json | Type::Binary => equality,
        _ => false,
    };
    fits.then_some(joined)
}

/// What the sides of a sum have to be, and what it is.
fn summands(one: &Type, two: &Type, plus: bool) -> Option<(Type, Type, Type)> {
    // JSON becomes what stands beside it; beside JSON, text for `+` and a number for `-`.
    let (one, two) = match (one, two) {
        (Type::Json, Type::Json) if plus => (Type::String, Type::String),
        (Type::Json, Type::Json) => (Type::Int, Type::Int),
        (Type::Json, Type::Duration) => (Type::DateTime, Type::Duration),
        (Type::Json, other) if plus || *other != Type::String => (other.clone(), other.clone()),
        (other, Type::Json) if plus || *other != Type::String => (other.clone(), other.clone()),
        _ => (one.clone(), two.clone()),
    };
    let normal = |ty: Type| match ty {
        Type::Guid | Type::Sid | Type::Dn => Type::String,
        Type::FileTime | Type::GenTime => Type::DateTime,
        other => other,
    };
    let (one, two) = (normal(one), normal(two));
    let result = match (&one, &two, plus) {
        (Type::Nothing, other, _) | (other, Type::Nothing, _) => other.clone(),
        (Type::String, Type::String, true) => Type::String,
        (Type::Int, Type::Int, _) => Type::Int,
        (Type::Duration, Type::Duration, _) => Type::Duration,
        (Type::DateTime, Type::Duration, _) | (Type::Duration, Type::DateTime, true) => Type::DateTime,
        (Type::DateTime, Type::DateTime, false) => Type::Duration,
        (Type::List(a), Type::List(b), true) => {
            let list = join(a, b)?.list();
            return Some((list.clone(), list.clone(), list));
        }
        _ => return None,
    };
    Some((one, two, result))
}
