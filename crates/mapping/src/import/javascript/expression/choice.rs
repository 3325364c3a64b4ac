//! Which of two values it is: conditions, `a ? b : c`, `a || b`. What a script asks only for the shape of an attribute (one
//! value or a list) is no choice here.

use super::Scope;
use crate::import::javascript::tree::{Kind, Node};
use crate::import::javascript::value::{self, Code, Made, Ty, Val};

impl Scope<'_> {
    pub fn condition(&mut self, node: &Node) -> Made {
        if let Kind::Member(base, name) = &node.kind
            && **name == *"length"
        {
            let base = self.value(base)?;
            return value::condition(self.draft, &listless(base));
        }
        if let Kind::Binary(operator, left, right) = &node.kind
            && matches!(&**operator, "&&" | "||")
        {
            let (left, right) = (self.condition(left)?, self.condition(right)?);
            return Ok(if &**operator == "&&" { left.and(&right) } else { left.or(&right) });
        }
        let value = self.value(node)?;
        if let Val::Attr(_) = value {
            self.draft.differs("a condition on an attribute without a value (`[]`) holds in the original, here it does not");
        }
        value::condition(self.draft, &value)
    }

    /// One of two values.
    pub fn choose(&mut self, condition: &Code, then: Val, other: Val) -> Made<Val> {
        if then == other {
            return Ok(then);
        }
        match condition.text.as_str() {
            "true" => return Ok(then),
            "false" => return Ok(other),
            _ => {}
        }
        let is_bool = |value: &Val| matches!(value, Val::Bool(_)) || matches!(value, Val::Code(code) if code.ty == Ty::Bool);
        if is_bool(&then) && is_bool(&other) {
            let (yes, no) = (value::condition(self.draft, &then)?, value::condition(self.draft, &other)?);
            return Ok(Val::Code(match (yes.text.as_str(), no.text.as_str()) {
                ("true", "false") => condition.clone(),
                ("false", "true") => condition.not(),
                _ => Code { ty: Ty::Bool, ..Code::chosen(condition, &yes, &no) },
            }));
        }
        let is_text = |value: &Val| match value {
            Val::Attr(name) => !value::is_list(name),
            Val::Text(_) | Val::Template(_) => true,
            Val::Code(code) => matches!(code.ty, Ty::Text | Ty::Date),
            _ => false,
        };
        let attribute = |value: &Val| match value {
            Val::Attr(name) => Some(name.clone()),
            _ => None,
        };
        // `x ? x : undefined`
        if let (Some(name), Val::Nothing) = (attribute(&then), &other)
            && value::condition(self.draft, &Val::Attr(name.clone()))?.text == condition.text
        {
            return Ok(Val::Attr(name));
        }
        if is_text(&then) && matches!(&other, Val::Text(text) if text.is_empty()) {
            let code = Code::chosen(condition, &self.text(&then)?, &Code::absent());
            return Ok(Val::OrEmpty(Box::new(Val::Code(code))));
        }
        if (is_text(&then) || then == Val::Nothing) && (is_text(&other) || other == Val::Nothing) {
            return Ok(Val::Code(Code::chosen(condition, &self.text(&then)?, &self.text(&other)?)));
        }
        Ok(Val::If(condition.clone(), Box::new(then), Box::new(other)))
    }

    pub(super) fn ternary(&mut self, condition: &Node, then: &Node, other: &Node) -> Made<Val> {
        if let Some(asked) = array_test(condition) {
            // Which of the two shapes it has is no question here.
            if let Kind::Index(base, at) = &then.kind
                && same(base, asked)
                && at.kind == Kind::Number(0.0)
                && same(other, asked)
            {
                return match self.value(asked)? {
                    Val::Attr(name) => Ok(Val::Attr(name)),
                    value => self.text(&value).map(Val::Code),
                };
            }
            if let Kind::Array(items) = &other.kind
                && let [item] = items.as_slice()
                && same(then, asked)
                && same(item, asked)
            {
                let value = self.value(asked)?;
                return self.list(&value).map(Val::Code);
            }
        }
        let condition = self.condition(condition)?;
        let (then, other) = (self.value(then)?, self.value(other)?);
        self.choose(&condition, then, other)
    }

    /// `left || right`
    pub fn either(&mut self, left: Val, right: Val) -> Made<Val> {
        match &right {
            Val::Text(text) if text.is_empty() => return Ok(Val::OrEmpty(Box::new(left))),
            Val::Array(items) if items.is_empty() => return Ok(Val::OrEmpty(Box::new(left))),
            Val::Nothing => return Ok(left),
            _ => {}
        }
        if left == Val::Nothing {
            return Ok(right);
        }
        let is_bool = |value: &Val| matches!(value, Val::Bool(_)) || matches!(value, Val::Code(code) if code.ty == Ty::Bool);
        if is_bool(&left) && is_bool(&right) {
            let (left, right) = (value::condition(self.draft, &left)?, value::condition(self.draft, &right)?);
            return Ok(Val::Code(if right.text == "false" { left } else { left.or(&right) }));
        }
        self.draft.differs("`||`: an attribute without a value (`[]`) counts as one in the original; here the next is tried");
        if matches!(right, Val::Object(_)) || matches!(left, Val::Object(_) | Val::If(..)) {
            let condition = value::condition(self.draft, &left)?;
            return self.choose(&condition, left, right);
        }
        if value::is_several(&left) || value::is_several(&right) {
            let (left, right) = (self.list(&left)?, self.list(&right)?);
            return Ok(Val::Code(left.coalesce(&right)));
        }
        let (left, right) = (self.text(&left)?, self.text(&right)?);
        Ok(Val::Code(left.coalesce(&right)))
    }
}

/// `x || []` asked for its length is `x`.
fn listless(value: Val) -> Val {
    match value {
        Val::OrEmpty(inner) => *inner,
        other => other,
    }
}

/// Alike but for where they stand.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Member(a, name), Kind::Member(b, other)) => name == other && same(a, b),
        (a, b) => matches!(a, Kind::Name(_)) && a == b,
    }
}

fn array_test(node: &Node) -> Option<&Node> {
    let Kind::Call(callee, arguments) = &node.kind else { return None };
    match (&callee.kind, arguments.as_slice()) {
        (Kind::Member(base, name), [asked]) if base.is_name("Array") && **name == *"isArray" => Some(asked),
        _ => None,
    }
}
