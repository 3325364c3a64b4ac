//! What an operator makes of its sides. Of arithmetic only masks, sums of literals and text put together are followed.

use super::Scope;
use crate::import::javascript::tree::Node;
use crate::import::javascript::value::{self, Code, Made, Part, Ty, Val, why};

impl Scope<'_> {
    pub(super) fn unary(&mut self, operator: &str, inner: &Node) -> Made<Val> {
        Ok(match operator {
            "!" => Val::Code(self.condition(inner)?.not()),
            "-" => match self.value(inner)? {
                Val::Number(number) => Val::Number(number.saturating_neg()),
                _ => return why("arithmetic"),
            },
            "+" => {
                let value = self.value(inner)?;
                Val::Code(value::int(self.draft, &value)?)
            }
            "void" => Val::Nothing,
            other => return why(format!("`{other}`")),
        })
    }

    pub(super) fn binary(&mut self, operator: &str, left: &Node, right: &Node) -> Made<Val> {
        match operator {
            "||" | "??" => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.either(left, right)
            }
            "&&" => {
                let condition = self.condition(left)?;
                let right = self.value(right)?;
                if let Val::Code(Code { ty: Ty::Bool, .. }) | Val::Bool(_) = right {
                    let right = value::condition(self.draft, &right)?;
                    return Ok(Val::Code(condition.and(&right)));
                }
                self.choose(&condition, right, Val::Nothing)
            }
            "+" => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                if let (Val::Number(a), Val::Number(b)) = (&left, &right) {
                    return a.checked_add(*b).map_or_else(|| why("arithmetic"), |sum| Ok(Val::Number(sum)));
                }
                let mut parts: Vec<Part> = Vec::new();
                value::append(self.draft, &mut parts, &left)?;
                value::append(self.draft, &mut parts, &right)?;
                Ok(Val::Template(parts))
            }
            "&" => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                let (left, right) = (value::int(self.draft, &left)?, value::int(self.draft, &right)?);
                let text = format!("band({}, {})", left.text, right.text);
                Ok(Val::Code(Code::call(text, Ty::Int, &left, false)))
            }
            "===" | "==" => self.equal(left, right).map(Val::Code),
            "!==" | "!=" => self.equal(left, right).map(|code| Val::Code(code.not())),
            "<" | ">" | "<=" | ">=" => self.order(operator, left, right).map(Val::Code),
            "in" => match (self.value(left)?, self.value(right)?) {
                (Val::Text(name), Val::Raw) => value::has(self.draft, &name).map(Val::Code),
                _ => why("`in`"),
            },
            "instanceof" => why("`instanceof`"),
            _ => why(format!("arithmetic with `{operator}`")),
        }
    }
}
