//! Expressions of a script to values: what a name holds, and which file answers for the rest. Owns the scope (names, and
//! the bounds of what is looked at). Each question is a file: [`access`] what a member or an item of something is, [`choice`]
//! which of two values it is, [`compare`] whether two are equal or in order, [`helper`] what a helper function gives, [`literal`]
//! numbers, patterns and dates, [`operator`] what an operator makes of its sides. Methods are in `method`.

mod access;
mod choice;
mod compare;
mod helper;
mod literal;
mod operator;

use super::method;
use super::tree::{Function, Kind, Node, Piece};
use super::value::{self, Made, Member, Val, why};
use crate::import::draft::Draft;
use literal::{regex, whole};
use std::collections::HashMap;

/// Nodes looked at in one script, helper functions every time they are called.
const STEPS_MAX: usize = 50_000;

/// Of one value, letters and members.
const WEIGHT_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub struct Scope<'d> {
    pub draft: &'d mut Draft,
    pub names: HashMap<Box<str>, Val>,
    calls: usize,
    steps: usize,
}

impl<'d> Scope<'d> {
    pub fn new(draft: &'d mut Draft) -> Self {
        Self { draft, names: HashMap::new(), calls: 0, steps: 0 }
    }

    pub fn value(&mut self, node: &Node) -> Made<Val> {
        let value = self.read(node)?;
        if value::weight(&value) > WEIGHT_MAX { why("the result would be too large") } else { Ok(value) }
    }

    fn read(&mut self, node: &Node) -> Made<Val> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return why("the script is too long to be followed");
        }
        Ok(match &node.kind {
            Kind::Name(name) => match self.names.get(name) {
                Some(Val::Unknown(line)) => return why(format!("`{name}` comes from line {line}, which is not translated")),
                Some(known) => known.clone(),
                None => return why(format!("`{name}` is not known here")),
            },
            Kind::Text(text) => Val::Text(text.to_string()),
            Kind::Number(number) => Val::Number(
                whole(*number).ok_or_else(|| value::Why { why: format!("{number} is no whole number"), suggestion: None })?,
            ),
            Kind::Bool(truth) => Val::Bool(*truth),
            Kind::Null | Kind::Undefined => Val::Nothing,
            Kind::Regex { pattern, flags } => regex(self.draft, pattern, flags)?,
            Kind::Member(base, name) => self.member(base, name)?,
            Kind::Index(base, index) => self.index(base, index)?,
            Kind::Call(callee, arguments) => method::call(self, callee, arguments)?,
            Kind::New(class, arguments) => self.construct(class, arguments)?,
            Kind::Object(members) => {
                let mut out: Vec<Member> = Vec::new();
                for (name, inner) in members {
                    let value = self.kept(inner);
                    out.retain(|member| *member.name != **name);
                    out.push(Member { name: name.to_string(), value, line: inner.line, text: inner.text.clone() });
                }
                Val::Object(out)
            }
            Kind::Array(items) => Val::Array(items.iter().map(|item| self.value(item)).collect::<Made<_>>()?),
            Kind::Function(function) => Val::Function(function.clone()),
            Kind::Binary(operator, left, right) => self.binary(operator, left, right)?,
            Kind::Unary(operator, inner) => self.unary(operator, inner)?,
            Kind::Ternary(condition, then, other) => self.ternary(condition, then, other)?,
            Kind::Template(pieces) => {
                let mut parts = Vec::new();
                for piece in pieces {
                    let part = match piece {
                        Piece::Text(text) => Val::Text(text.to_string()),
                        Piece::Hole(inner) => self.value(inner)?,
                    };
                    value::append(self.draft, &mut parts, &part)?;
                }
                Val::Template(parts)
            }
            Kind::Assign(..) => return why("an assignment inside an expression"),
            Kind::Other(what, _) => return why(*what),
        })
    }

    /// A member's value; one that is not understood is listed and spoils nothing else.
    pub fn kept(&mut self, node: &Node) -> Val {
        match self.value(node) {
            Ok(value) => value,
            Err(refused) => {
                self.leave(node.line, &node.text, refused);
                Val::Unknown(node.line)
            }
        }
    }

    pub fn leave(&mut self, line: u32, text: &str, refused: value::Why) {
        self.draft.leave(crate::import::Place::Line(line), text, refused.why, refused.suggestion);
    }

    pub fn text(&mut self, value: &Val) -> Made {
        value::text(self.draft, value)
    }

    pub fn text_of(&mut self, node: &Node) -> Made {
        let value = self.value(node)?;
        self.text(&value)
    }

    pub fn list(&mut self, value: &Val) -> Made {
        // The function is called with the draft taken out and put back: one borrow at a time.
        let Self { draft, names, calls, steps } = self;
        let mut each = |draft: &mut Draft, item: &Val, function: &Function| {
            let mut inner = Scope { draft, names: names.clone(), calls: *calls, steps: *steps };
            let result = inner.apply(function, std::slice::from_ref(item));
            *steps = inner.steps;
            let result = result?;
            value::text(inner.draft, &result)
        };
        value::list(draft, value, &mut each)
    }
}
