//! Whether two values are equal or in order, and what a script means by asking `indexOf`, `length` or `typeof` for it.

use super::Scope;
use super::literal::{is_literal, whole};
use crate::import::javascript::method;
use crate::import::javascript::tree::{Kind, Node};
use crate::import::javascript::value::{self, Code, Level, Made, Ty, Val, why};

impl Scope<'_> {
    pub(super) fn equal(&mut self, left: &Node, right: &Node) -> Made {
        if is_literal(left) && !is_literal(right) {
            return self.equal(right, left);
        }
        if let (Kind::Unary(operator, inner), Kind::Text(kind)) = (&left.kind, &right.kind)
            && &**operator == "typeof"
        {
            let Val::Attr(name) = self.value(inner)? else { return why("`typeof` of something that is no attribute") };
            return match &**kind {
                "undefined" => value::has(self.draft, &name).map(|code| code.not()),
                "string" => value::condition(self.draft, &Val::Attr(name)),
                _ => why(format!("`typeof` \"{kind}\"")),
            };
        }
        if let (Some((base, part)), Some(number)) = (method::index_of(left), self.number(right)) {
            return match number {
                -1 => method::contains(self, base, part).map(|code| code.not()),
                0 => method::starts_with(self, base, part),
                _ => why("a place inside a text"),
            };
        }
        if let Some(0) = self.number(right)
            && let Kind::Member(_, name) = &left.kind
            && **name == *"length"
        {
            return self.condition(left).map(|code| code.not());
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        match (&left, &right) {
            (Val::Attr(name), Val::Nothing) => value::has(self.draft, name).map(|code| code.not()),
            (_, Val::Nothing) => value::condition(self.draft, &left).map(|code| code.not()),
            (Val::Code(code), Val::Bool(truth)) if code.ty == Ty::Bool => Ok(if *truth { code.clone() } else { code.not() }),
            (Val::Code(code), Val::Number(number)) if code.ty == Ty::Int => {
                let mask = code
                    .text
                    .strip_prefix("band(")
                    .and_then(|rest| rest.rsplit_once(", "))
                    .map(|(_, mask)| mask.trim_end_matches(')'));
                match (mask, number) {
                    (Some(_), 0) => value::condition(self.draft, &left).map(|code| code.not()),
                    (Some(mask), number) if *mask == number.to_string() => value::condition(self.draft, &left),
                    _ => Ok(Code::new(format!("{} == {number}", code.at(Level::Post)), Ty::Bool, Level::Compare)),
                }
            }
            (_, Val::Text(text)) if text.is_empty() => value::condition(self.draft, &left).map(|code| code.not()),
            _ => {
                let (left, right) = (self.text(&left)?, self.text(&right)?);
                Ok(Code::new(format!("{} == {}", left.at(Level::Post), right.at(Level::Post)), Ty::Bool, Level::Compare))
            }
        }
    }

    pub(super) fn order(&mut self, operator: &str, left: &Node, right: &Node) -> Made {
        let number = self.number(right);
        if let Some((base, part)) = method::index_of(left)
            && matches!((operator, number), (">", Some(-1)) | (">=", Some(0)))
        {
            return method::contains(self, base, part);
        }
        if let Kind::Member(_, name) = &left.kind
            && **name == *"length"
            && matches!((operator, number), (">", Some(0)) | (">=", Some(1)))
        {
            return self.condition(left);
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        let (left, right) = (value::int(self.draft, &left)?, value::int(self.draft, &right)?);
        if let (Some(inner), ">", "0") = (left.text.strip_prefix("band("), operator, right.text.as_str()) {
            return Ok(Code::new(format!("bit({inner}"), Ty::Bool, Level::Post));
        }
        Ok(Code::new(format!("{} {operator} {}", left.at(Level::Post), right.at(Level::Post)), Ty::Bool, Level::Compare))
    }

    pub(super) fn number(&mut self, node: &Node) -> Option<i64> {
        match &node.kind {
            Kind::Number(number) => whole(*number),
            Kind::Unary(operator, inner) if &**operator == "-" => self.number(inner).map(i64::saturating_neg),
            _ => None,
        }
    }
}
