//! From what an expression is to what its place wants. Every conversion becomes a node of its own; what does not
//! convert by itself is M007 with the function that does it, a list against one value M008.

use super::{Checker, Low};
use crate::ast::{Expr, ExprKind};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan::{Conversion, Node};
use crate::types::Type;

/// What a place wants of the expression in it.
#[derive(Clone, Copy, Debug)]
pub struct Want<'w> {
    pub ty: &'w Type,
    /// The place in words, for messages: `` `groups` ``, `` `lower` ``.
    pub place: &'w str,
    /// Dates are written as text here (targets, templates); elsewhere that is `format_date`'s.
    pub dates_as_text: bool,
    /// `keep` may be the result.
    pub keep: bool,
}

impl<'w> Want<'w> {
    pub const fn argument(ty: &'w Type, place: &'w str) -> Self {
        Self { ty, place, dates_as_text: false, keep: false }
    }

    pub const fn of(self, ty: &'w Type) -> Self {
        Self { ty, keep: false, ..self }
    }
}

/// The conversions from one type to another, in order; `None` = they do not convert by themselves.
pub fn steps(from: &Type, to: &Type, dates_as_text: bool) -> Option<&'static [Conversion]> {
    use Conversion as C;
    Some(match (from, to) {
        (Type::Unknown | Type::Nothing, _) | (_, Type::Unknown | Type::Nothing) => &[],
        (from, to) if from == to => &[],
        (Type::Json | Type::String, Type::Guid) => &[C::GuidBytes],
        (Type::Json | Type::String, Type::Sid) => &[C::SidBytes],
        (Type::Json, Type::String | Type::Dn | Type::GenTime) => &[C::Text],
        // Directories write a filetime as digits, whatever the attribute is declared as.
        (Type::Json, Type::Int | Type::FileTime) | (Type::String, Type::FileTime) => &[C::Int],
        (Type::Json, Type::Bool) => &[C::Bool],
        (Type::Json, Type::Binary) => &[C::Binary],
        (Type::Json, Type::DateTime) => &[C::TextToDateTime],
        (Type::Json, Type::Record(_)) => &[C::Record],
        (Type::Dn, Type::String) | (Type::String, Type::Dn | Type::GenTime) | (Type::Binary, Type::Guid | Type::Sid) => &[],
        (Type::Guid, Type::String) => &[C::GuidText],
        (Type::Sid, Type::String) => &[C::SidText],
        (Type::Guid, Type::Binary) => &[C::GuidBytes],
        (Type::Sid, Type::Binary) => &[C::SidBytes],
        (Type::FileTime, Type::Int) => &[C::Int],
        (Type::Int, Type::FileTime) => &[],
        (Type::FileTime, Type::DateTime) => &[C::FileTimeToDateTime],
        (Type::GenTime, Type::DateTime) => &[C::GenTimeToDateTime],
        (Type::DateTime, Type::String) if dates_as_text => &[C::DateTimeToText],
        (Type::Duration, Type::String) if dates_as_text => &[C::DurationToText],
        (Type::FileTime, Type::String) if dates_as_text => &[C::FileTimeToDateTime, C::DateTimeToText],
        (Type::GenTime, Type::String) if dates_as_text => &[C::GenTimeToDateTime, C::DateTimeToText],
        (Type::Record(_), Type::Record(_)) => &[],
        // What JSON can hold.
        (Type::Guid, Type::Json) => &[C::GuidText],
        (Type::Sid, Type::Json) => &[C::SidText],
        (Type::DateTime, Type::Json) => &[C::DateTimeToText],
        (Type::Duration, Type::Json) => &[C::DurationToText],
        (Type::Binary, Type::Json) => &[C::BinaryToText],
        (Type::FileTime, Type::Json) => &[C::FileTimeToDateTime, C::DateTimeToText],
        (Type::GenTime, Type::Json) => &[C::GenTimeToDateTime, C::DateTimeToText],
        (Type::String | Type::Bool | Type::Int | Type::Dn | Type::Record(_), Type::Json) => &[],
        _ => return None,
    })
}

/// Filetime and GeneralizedTime may say "never".
fn may_drop(conversions: &[Conversion]) -> bool {
    conversions.iter().any(|one| matches!(one, Conversion::FileTimeToDateTime | Conversion::Text | Conversion::Record))
}

impl<'a> Checker<'a> {
    pub fn convert(&mut self, low: Low, conversions: &[Conversion], ty: Type) -> Low {
        let mut low = low;
        for &to in conversions {
            low.node = self.add(Node::Convert { to, value: low.node, optional: false }, low.span);
        }
        low.may_be_absent |= may_drop(conversions);
        Low { ty, ..low }
    }

    /// Never fails: what does not convert is absent. For comparisons, where another kind is simply not equal.
    pub fn convert_or_absent(&mut self, low: Low, to: Conversion, ty: Type) -> Low {
        let node = self.add(Node::Convert { to, value: low.node, optional: true }, low.span);
        Low { node, ty, may_be_absent: true, span: low.span }
    }

    pub fn convert_each(&mut self, low: Low, conversions: &[Conversion], item: Type) -> Low {
        let mut low = low;
        for &to in conversions {
            low.node = self.add(Node::ConvertEach { to, list: low.node }, low.span);
        }
        Low { ty: item.list(), ..low }
    }

    /// Converts or reports. `written` helps to say how it would have been right.
    pub fn coerce(&mut self, low: Low, want: Want<'_>, written: &'a Expr) -> Low {
        match (&low.ty, want.ty) {
            (Type::List(from), Type::List(to)) => {
                let (from, to) = ((**from).clone(), (**to).clone());
                match steps(&from, &to, want.dates_as_text) {
                    Some(conversions) => self.convert_each(low, conversions, to),
                    None => self.wrong_type(&low, want),
                }
            }
            (Type::List(from), Type::Json) => {
                let from = (**from).clone();
                let conversions = steps(&from, &Type::Json, true).unwrap_or_default();
                self.convert_each(low, conversions, Type::Json)
            }
            (Type::Json, Type::List(item)) => {
                let item = (**item).clone();
                let list = self.convert(low, &[Conversion::List], Type::Json.list());
                let list = Low { may_be_absent: false, ..list };
                let conversions = steps(&Type::Json, &item, want.dates_as_text).unwrap_or_default();
                self.convert_each(list, conversions, item)
            }
            (Type::Unknown | Type::Nothing, _) | (_, Type::Unknown | Type::Nothing) => low,
            (Type::List(_), _) | (_, Type::List(_)) => self.wrong_shape(&low, want, written),
            (from, to) => match steps(from, to, want.dates_as_text) {
                Some(conversions) => self.convert(low, conversions, want.ty.clone()),
                None => self.wrong_type(&low, want),
            },
        }
    }

    fn wrong_type(&mut self, low: &Low, want: Want<'_>) -> Low {
        let message = format!("{} needs {}, this is {}", want.place, want.ty, low.ty);
        let text = self.text_of(low.span);
        let mut diagnostic = Diagnostic::new(Code::M007, low.span, message).help(way(&low.ty, want.ty, text));
        if let (Type::Int | Type::Bool, Type::String) = (&low.ty, want.ty) {
            diagnostic = diagnostic.fix(low.span, format!("text({text})"));
        }
        self.refuse(diagnostic, low.span)
    }

    fn wrong_shape(&mut self, low: &Low, want: Want<'_>, written: &'a Expr) -> Low {
        let any = Type::Nothing.list();
        let wanted = if *want.ty == any { "a list".to_owned() } else { want.ty.to_string() };
        let message = format!("{} needs {wanted}, this is {}", want.place, low.ty);
        let text = self.text_of(written.span);
        if low.ty.is_list() {
            let diagnostic = Diagnostic::new(Code::M008, low.span, message).label("a list of values");
            let diagnostic = match &written.kind {
                ExprKind::All(inner) => {
                    let one = self.text_of(inner.span).to_owned();
                    diagnostic.help(format!("take the first value: {one}")).fix(written.span, one)
                }
                _ => diagnostic.help(format!("take the first value: first({text})")).fix(written.span, format!("first({text})")),
            };
            return self.refuse(diagnostic, low.span);
        }
        let diagnostic = match leftmost(written) {
            Some(source) => {
                let name = self.text_of(source.span);
                let label = Diagnostic::new(Code::M008, source.span, message).label("reads only the first value");
                let all = format!("{name}[*]");
                let whole = if source.span == written.span {
                    all
                } else {
                    format!("[ {} for g in {all} ]", self.with_variable(written, source))
                };
                label.help(format!("take all values: {whole}")).fix(written.span, whole)
            }
            None => Diagnostic::new(Code::M008, low.span, message)
                .label("one value")
                .help(format!("make it a list of one: [ {text} ]"))
                .fix(written.span, format!("[ {text} ]")),
        };
        self.refuse(diagnostic, low.span)
    }

    /// The text of `whole` with `g` in place of `source`.
    fn with_variable(&self, whole: &Expr, source: &Expr) -> String {
        let before = crate::span::Span { end: source.span.start, ..whole.span };
        let after = crate::span::Span { start: source.span.end, ..whole.span };
        format!("{}g{}", self.text_of(before), self.text_of(after))
    }
}

/// The source attribute an expression goes along: `$memberOf` of `$memberOf.rdn("CN")`.
fn leftmost(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Source(_) => Some(expr),
        ExprKind::Call { arguments, .. } => leftmost(&arguments.first()?.value),
        ExprKind::Field(base, _) => leftmost(base),
        _ => None,
    }
}

/// How `text` of one type becomes another.
fn way(from: &Type, to: &Type, text: &str) -> String {
    match (from, to) {
        (Type::Int | Type::Bool, Type::String) => format!("write text({text})"),
        (Type::DateTime | Type::FileTime | Type::GenTime, Type::String) => format!("write format_date({text}, \"…\")"),
        (Type::Binary, Type::String) => format!("write base64({text}), hex({text}) or utf8({text})"),
        (Type::Record(_), Type::String) => format!("name a member, or write json_text({text})"),
        (Type::String, Type::Int) => format!("write int({text}), or int?({text}) for absent where it is no number"),
        (Type::String, Type::Bool) => format!("write present({text}), bool({text}) or a comparison"),
        (Type::Int, Type::Bool) => format!("write a comparison: {text} != 0"),
        (_, Type::Bool) => format!("write present({text}) or a comparison"),
        (Type::String, Type::DateTime) => format!("write datetime({text})"),
        (Type::Int, Type::DateTime) => format!("write unix({text}) or filetime({text})"),
        (Type::String, Type::Binary) => format!("write unbase64({text})"),
        (_, Type::Record(_)) => "write a record: { name: value }".to_owned(),
        _ => format!("give it {to}"),
    }
}
