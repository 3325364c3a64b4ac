//! What a member or an item of something is: an attribute of the entry, a part of an object, a place in a list.

use super::Scope;
use crate::import::javascript::tree::Node;
use crate::import::javascript::value::{self, Code, Level, Made, Member, Ty, Val, why, why_but};

impl Scope<'_> {
    pub(super) fn member(&mut self, base: &Node, name: &str) -> Made<Val> {
        Ok(match self.value(base)? {
            Val::Raw => Val::Attr(name.to_owned()),
            Val::Object(members) => match members.into_iter().find(|member| member.name == name) {
                Some(Member { value: Val::Unknown(line), .. }) => {
                    return why(format!("`{name}` comes from line {line}, which is not translated"));
                }
                Some(member) => member.value,
                None => Val::Nothing,
            },
            value if name == "length" => {
                let code = match &value {
                    Val::Attr(attr) if !value::is_list(attr) => {
                        return why_but(
                            "how long an attribute is depends on whether it has one value",
                            "len($x) or count($x[*])",
                        );
                    }
                    Val::Code(code) if code.ty == Ty::Text => format!("len({})", code.text),
                    _ => format!("count({})", self.list(&value)?.text),
                };
                Val::Code(Code::new(code, Ty::Int, Level::Post))
            }
            _ => return why(format!("`.{name}` of something that is no object")),
        })
    }

    pub(super) fn index(&mut self, base: &Node, index: &Node) -> Made<Val> {
        let number = match self.value(index)? {
            Val::Text(name) => return self.member(base, &name),
            Val::Number(number) => number,
            _ => return why("an index that is worked out"),
        };
        let base = self.value(base)?;
        let Ok(at) = usize::try_from(number) else { return why("a negative index") };
        Ok(match base {
            Val::Array(items) => items.get(at).cloned().unwrap_or(Val::Nothing),
            Val::Attr(name) if !value::is_list(&name) => {
                self.draft
                    .differs("`x[0]` of an attribute with one value: the original takes its first letter, here its first value");
                if at == 0 {
                    return Ok(Val::Attr(name));
                }
                let all = self.list(&Val::Attr(name))?.text;
                Val::Code(Code::new(all.replace("[*]", &format!("[{at}]")), Ty::Text, Level::Post))
            }
            Val::Match { text, pattern } => {
                Val::Code(Code::call(format!("capture({}, {pattern}, {at})", text.text), Ty::Text, &text, true))
            }
            Val::OrEmpty(inner) if at == 0 => match *inner {
                Val::Attr(name) => Val::Attr(name),
                other => self.item(&other, at)?,
            },
            other => self.item(&other, at)?,
        })
    }

    fn item(&mut self, value: &Val, at: usize) -> Made<Val> {
        if let (Val::Mapped(inner, function), 0) = (value, at) {
            let first = match &**inner {
                Val::Attr(name) => Val::Attr(name.clone()),
                other => self.item(other, 0)?,
            };
            return self.apply(function, &[first]);
        }
        let list = self.list(value)?;
        let text = match (list.text.strip_suffix("[*]"), list.text.starts_with('['), at) {
            (Some(source), ..) => format!("{source}[{at}]"),
            (None, true, 0) => format!("first({})", list.text),
            (None, true, _) => format!("({})[{at}]", list.text),
            (None, false, _) => format!("{}[{at}]", list.at(Level::Post)),
        };
        Ok(Val::Code(Code { needs: list.needs.clone(), empty: list.empty, ..Code::new(text, Ty::Text, Level::Post) }))
    }
}
