//! Everything that walks a list: one fused loop per comprehension (filter, map, drop what is absent, drop repeats).

use super::Trace;
use super::compare::{equal, weight};
use super::machine::{Machine, Outcome, as_list, is_absent};
use crate::functions::{Body, TestBody, TextBody};
use crate::plan::{Constant, Conversion, Node, NodeId, Plan};
use crate::value::Value;
use bumpalo::Bump;
use std::hash::{BuildHasher as _, RandomState};

/// Up to here a repeated value is looked for one by one.
const LINEAR_MAX: usize = 24;

impl<'a, T: Trace> Machine<'a, '_, T> {
    /// The items of a list expression; one value is a list of one.
    fn items(&mut self, list: NodeId) -> Outcome<'a, &'a [Value<'a>]> {
        Ok(match self.value(list)? {
            Value::List(items) => items,
            Value::Absent | Value::Null | Value::Keep => &[],
            one => std::slice::from_ref(self.arena.alloc(one)),
        })
    }

    #[inline(never)]
    pub fn comprehension(
        &mut self,
        id: NodeId,
        (list, local): (NodeId, u16),
        condition: Option<NodeId>,
        item: NodeId,
        unique: bool,
    ) -> Outcome<'a> {
        let items = self.items(list)?;
        self.bound_list(id, items.len())?;
        let step = Step {
            node: id,
            local: usize::from(local),
            condition,
            item,
            test: condition.and_then(|condition| Test::of(self.plan, condition, local)),
            chain: Chain::of(self.plan, item, local),
        };
        let outer = self.locals[step.local];
        let mut out = bumpalo::collections::Vec::with_capacity_in(items.len(), self.arena);
        let mut seen = Seen::default();
        let mut outcome = Ok(());
        for one in items {
            match self.loop_step(&step, one) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    let steps = if unique { weight(value) * out.len() } else { 0 };
                    if let Err(fault) = self.burn_items(id, steps) {
                        outcome = Err(fault);
                        break;
                    }
                    if !unique || seen.is_new(self.arena, &out, &value) {
                        out.push(value);
                    }
                }
                Err(fault) => {
                    outcome = Err(fault);
                    break;
                }
            }
        }
        self.locals[step.local] = outer;
        outcome.map(|()| Value::List(out.into_bump_slice()))
    }

    #[inline]
    fn loop_step(&mut self, step: &Step<'a>, one: &Value<'a>) -> Outcome<'a, Option<Value<'a>>> {
        self.burn(step.node, 1)?;
        self.locals[step.local] = *one;
        let holds = match (step.condition, &step.test, one) {
            (None, ..) => true,
            (_, Some(test), Value::String(text)) => match self.chained(&test.of, text)? {
                Value::String(text) => {
                    self.burn(test.node, 1)?;
                    self.test(test.node, test.body, text, test.other)?
                }
                Value::Absent => false,
                other => return Err(self.not_text(test.node, other)),
            },
            (Some(condition), ..) => self.truth(condition)?,
        };
        if !holds {
            return Ok(None);
        }
        let value = match (&step.chain, one) {
            (Some(chain), Value::String(text)) => self.chained(chain, text)?,
            _ => self.value(step.item)?,
        };
        Ok((!is_absent(&value)).then_some(value))
    }

    /// What is at the end of a chain; absent if a call in it gives nothing.
    #[inline]
    fn chained(&mut self, chain: &Chain<'a>, text: &'a str) -> Outcome<'a> {
        let mut value = Value::String(text);
        for link in chain.links.iter().flatten() {
            self.burn(link.node, 1)?;
            value = match value {
                Value::String(text) => self.text(link.node, link.body, text, link.other, false)?,
                Value::Absent | Value::Null | Value::Keep => return Ok(Value::Absent),
                other => return Err(self.not_text(link.node, other)),
            };
        }
        Ok(value)
    }

    pub fn filter(&mut self, id: NodeId, list: NodeId, local: u16, condition: NodeId) -> Outcome<'a> {
        let items = self.items(list)?;
        self.bound_list(id, items.len())?;
        let outer = self.locals[usize::from(local)];
        let mut out = bumpalo::collections::Vec::with_capacity_in(items.len(), self.arena);
        let mut outcome = Ok(());
        for one in items {
            self.locals[usize::from(local)] = *one;
            match self.burn(id, 1).and_then(|()| self.truth(condition)) {
                Ok(false) => {}
                Ok(true) => out.push(*one),
                Err(fault) => {
                    outcome = Err(fault);
                    break;
                }
            }
        }
        self.locals[usize::from(local)] = outer;
        outcome.map(|()| Value::List(out.into_bump_slice()))
    }

    /// `any` and `all`: whether some item (or every one) fulfils the condition over `it`.
    pub fn quantified(&mut self, id: NodeId, list: NodeId, condition: NodeId, any: bool) -> Outcome<'a> {
        let items = self.items(list)?;
        let outer = self.it;
        let mut outcome = Ok(!any);
        for one in items {
            self.it = *one;
            match self.burn(id, 1).and_then(|()| self.truth(condition)) {
                Ok(holds) if holds != any => {}
                Ok(_) => {
                    outcome = Ok(any);
                    break;
                }
                Err(fault) => {
                    outcome = Err(fault);
                    break;
                }
            }
        }
        self.it = outer;
        outcome.map(Value::Bool)
    }

    /// A list builder: what is absent drops out.
    pub fn list(&mut self, id: NodeId, items: &'a [NodeId]) -> Outcome<'a> {
        self.bound_list(id, items.len())?;
        let mut out = bumpalo::collections::Vec::with_capacity_in(items.len(), self.arena);
        for item in items {
            let value = self.value(*item)?;
            if !is_absent(&value) {
                out.push(value);
            }
        }
        Ok(Value::List(out.into_bump_slice()))
    }

    pub fn contained(&mut self, id: NodeId, needle: NodeId, list: NodeId) -> Outcome<'a> {
        let needle = self.value(needle)?;
        if is_absent(&needle) {
            return Ok(Value::Bool(false));
        }
        let list = self.value(list)?;
        let items = as_list(&list);
        self.burn_items(id, items.len() / 16 + items.len() * weight(needle))?;
        Ok(Value::Bool(items.iter().any(|item| equal(*item, needle))))
    }

    pub fn lookup_all(&mut self, id: NodeId, table: u16, keys: NodeId) -> Outcome<'a> {
        let keys = self.items(keys)?;
        self.bound_list(id, keys.len())?;
        self.burn_items(id, keys.len())?;
        let table = &self.plan.tables[usize::from(table)];
        let mut out = bumpalo::collections::Vec::with_capacity_in(keys.len(), self.arena);
        for key in keys {
            let value = self.looked_up(id, table, *key)?;
            if !is_absent(&value) {
                out.push(value);
            }
        }
        Ok(Value::List(out.into_bump_slice()))
    }

    pub fn convert_each(&mut self, id: NodeId, to: Conversion, list: NodeId) -> Outcome<'a> {
        let items = self.items(list)?;
        self.bound_list(id, items.len())?;
        // Mostly the reader has given what is wanted: then the list is the source's own.
        if to == Conversion::Text && items.iter().all(|item| matches!(item, Value::String(_))) {
            return Ok(Value::List(items));
        }
        self.burn_items(id, items.len())?;
        let mut out = bumpalo::collections::Vec::with_capacity_in(items.len(), self.arena);
        for item in items {
            let value = self.converted(id, to, *item)?;
            if !is_absent(&value) {
                out.push(value);
            }
        }
        Ok(Value::List(out.into_bump_slice()))
    }
}

/// What a comprehension does with each item.
struct Step<'a> {
    node: NodeId,
    local: usize,
    condition: Option<NodeId>,
    item: NodeId,
    test: Option<Test<'a>>,
    chain: Option<Chain<'a>>,
}

/// Calls one around the other with the loop's variable at the bottom and literals beside it, for instance
/// `lower(a.drop_prefix("smtp:"))`: looked up once per loop rather than once per item.
#[derive(Default)]
struct Chain<'a> {
    links: [Option<Link<'a>>; 2],
}

#[derive(Clone, Copy)]
struct Link<'a> {
    node: NodeId,
    body: TextBody,
    other: Option<&'a str>,
}

/// A condition of the same kind: `a.starts_with("smtp:")`.
struct Test<'a> {
    node: NodeId,
    body: TestBody,
    of: Chain<'a>,
    other: &'a str,
}

impl<'a> Chain<'a> {
    /// `None` for whatever else there may be.
    fn of(plan: &'a Plan, node: NodeId, local: u16) -> Option<Self> {
        let mut chain = Self::default();
        let mut free = chain.links.iter_mut().rev();
        let mut at = node;
        loop {
            let (function, arguments) = match &plan.nodes[at as usize] {
                Node::Local(found) if *found == local => return Some(chain),
                Node::Call { function, arguments, optional: false } => (function, arguments),
                _ => return None,
            };
            let Body::Text(body) = function.body else { return None };
            let (inner, other) = match **arguments {
                [inner] => (inner, None),
                [inner, other] => (inner, Some(literal(plan, other)?)),
                _ => return None,
            };
            *free.next()? = Some(Link { node: at, body, other });
            at = inner;
        }
    }
}

impl<'a> Test<'a> {
    fn of(plan: &'a Plan, node: NodeId, local: u16) -> Option<Self> {
        let Node::Call { function, arguments, optional: false } = &plan.nodes[node as usize] else { return None };
        match (function.body, &**arguments) {
            (Body::Test(body), [inner, other]) => {
                Some(Self { node, body, of: Chain::of(plan, *inner, local)?, other: literal(plan, *other)? })
            }
            _ => None,
        }
    }
}

fn literal(plan: &Plan, node: NodeId) -> Option<&str> {
    match &plan.nodes[node as usize] {
        Node::Constant(Constant::String(text)) => Some(text),
        _ => None,
    }
}

/// The values met so far, as places in the list under construction. Linear while small, then an open table of which
/// the hash has a key of this process: names of groups are an attacker's to choose.
#[derive(Default)]
pub struct Seen<'a> {
    table: &'a mut [u32],
    state: Option<RandomState>,
    listed: usize,
    /// See [`Self::is_new_text`].
    traits: u64,
}

/// Some of what makes a text itself, spread over all bits.
#[inline]
fn trait_of(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23),
        _ => bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)),
    };
    (ends ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<'a> Seen<'a> {
    #[inline]
    pub fn is_new(&mut self, arena: &'a Bump, out: &[Value<'a>], value: &Value<'a>) -> bool {
        if out.len() < LINEAR_MAX {
            return !out.iter().any(|known| equal(*known, *value));
        }
        self.is_new_of_many(arena, out, value)
    }

    /// The same for a text among texts.
    #[inline]
    pub fn is_new_text(&mut self, arena: &'a Bump, out: &[Value<'a>], text: &'a str) -> bool {
        // A bit for the length and the ends: most texts differ in them from all before, so none has to be looked at.
        let bit = 1 << (trait_of(text) >> 58);
        let may_be_there = self.traits & bit != 0;
        self.traits |= bit;
        if out.len() < LINEAR_MAX {
            return !may_be_there || !out.iter().any(|known| matches!(known, Value::String(known) if *known == text));
        }
        self.is_new_of_many(arena, out, &Value::String(text))
    }

    #[inline(never)]
    fn is_new_of_many(&mut self, arena: &'a Bump, out: &[Value<'a>], value: &Value<'a>) -> bool {
        if self.table.len() < 2 * (out.len() + 1) {
            self.table = arena.alloc_slice_fill_copy((4 * out.len()).next_power_of_two(), u32::MAX);
            self.listed = 0;
        }
        while self.listed < out.len() {
            if let Err(free) = self.place(out, &out[self.listed]) {
                self.table[free] = u32::try_from(self.listed).unwrap_or(u32::MAX);
            }
            self.listed += 1;
        }
        self.place(out, value).is_err()
    }

    /// `Ok`: it is there already. `Err`: the free place for it.
    fn place(&mut self, out: &[Value<'a>], value: &Value<'a>) -> Result<(), usize> {
        let state = self.state.get_or_insert_with(RandomState::new);
        let hash = match value {
            Value::String(text) => state.hash_one(text),
            Value::Int(number) => state.hash_one(number),
            Value::Binary(bytes) => state.hash_one(bytes),
            Value::Bool(flag) => state.hash_one(flag),
            // Rare in lists of this length; they share a place and are compared.
            _ => 0,
        };
        let mask = self.table.len() - 1;
        let mut at = usize::try_from(hash & mask as u64).unwrap_or(0);
        loop {
            match out.get(self.table[at] as usize) {
                None => return Err(at),
                Some(known) if equal(*known, *value) => return Ok(()),
                Some(_) => at = (at + 1) & mask,
            }
        }
    }
}
