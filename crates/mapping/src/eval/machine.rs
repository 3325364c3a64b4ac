//! One node at a time: match dispatch over the flat arena. Owns absence (mapping.md §3), fuel and depth; lists,
//! comparisons and conversions are next door.

use super::Trace;
use super::random::{Drawer, Stream};
use crate::diagnostic::codes::Code;
use crate::functions::Call;
use crate::limits::RUN_DEPTH_MAX;
use crate::plan::{Constant, Given, Node, NodeId, Part, Pattern, Plan, SlotId, Table, TableElse};
use crate::source::Slot;
use crate::value::{Failure, Value};
use bumpalo::Bump;

/// A failure with the node it happened at. In the arena, so that a result stays as small as a value.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    pub failure: Failure<'a>,
    pub node: NodeId,
}

pub type Outcome<'a, T = Value<'a>> = Result<T, &'a Fault<'a>>;

// Copied at every step: a failure must not make it larger than a value is.
const _: () = assert!(size_of::<Outcome<'static>>() <= 24, "two words and a tag");

/// A let, once per entry: its value or why it has none.
#[derive(Clone, Copy)]
pub enum Memo<'a> {
    Unset,
    Done(Outcome<'a>),
}

pub struct Machine<'a, 't, T: Trace> {
    pub arena: &'a Bump,
    pub plan: &'a Plan,
    pub slots: &'a [Slot<'a>],
    pub stored: Option<&'a serde_json::Map<String, serde_json::Value>>,
    pub call: Call<'a>,
    pub stream: &'a Stream<'a>,
    pub lets: &'a mut [Memo<'a>],
    pub locals: &'a mut [Value<'a>],
    pub given: &'a mut [Given<'a>],
    /// A bit per slot: several values were there, one was taken.
    pub several: &'a mut [u64],
    pub it: Value<'a>,
    /// Steps left of the whole entry, and how many of them are the later rules'.
    pub fuel: u32,
    pub reserve: u32,
    pub depth: u32,
    /// Bytes of the results so far.
    pub output: usize,
    /// The shortcut at hand is not for this entry.
    pub missed: bool,
    pub trace: &'t mut T,
}

impl<'a, T: Trace> Machine<'a, '_, T> {
    /// What a node gives. Leaves cost no fuel: who asked for them paid.
    #[inline(always)]
    pub fn value(&mut self, id: NodeId) -> Outcome<'a> {
        let plan = self.plan;
        match &plan.nodes[id as usize] {
            Node::Constant(value) => Ok(constant(value)),
            Node::One { slot, strict } => self.one(id, *slot, *strict),
            Node::Local(local) => Ok(self.locals[usize::from(*local)]),
            Node::It => Ok(self.it),
            Node::Let(index) => self.evaluated_let(id, *index),
            node => self.node(id, node),
        }
    }

    /// What a node above the leaves gives, within the bounds.
    #[inline(never)]
    fn node(&mut self, id: NodeId, node: &'a Node) -> Outcome<'a> {
        self.burn(id, 1)?;
        if self.depth >= RUN_DEPTH_MAX {
            return Err(self.fault(id, Code::M190, format_args!("values nested more than {RUN_DEPTH_MAX} deep")));
        }
        self.depth += 1;
        let outcome = self.dispatch(id, node);
        self.depth -= 1;
        outcome
    }

    /// What mappings are mostly made of; the rest is [`Self::rare`], so that this keeps a small frame.
    #[inline]
    fn dispatch(&mut self, id: NodeId, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Call { function, arguments, optional } => self.call(id, function, arguments, *optional),
            Node::Coalesce(left, right) => {
                let value = self.value(*left)?;
                if value.is_present() || (matches!(value, Value::String("")) && self.ends_in_literal(*left)) {
                    return Ok(value);
                }
                self.trace.fallback(id, *right);
                self.value(*right)
            }
            Node::Comprehension { list, local, condition, item, unique } => {
                self.comprehension(id, (*list, *local), *condition, *item, *unique)
            }
            Node::All(slot) => Ok(self.all(*slot)),
            Node::RegexArgument(regex) => Ok(Value::Regex(&self.plan.regexes[usize::from(*regex)])),
            Node::Template(parts) => self.template(id, parts, false),
            Node::Convert { to, value, optional } => {
                let value = self.value(*value)?;
                match self.converted(id, *to, value) {
                    Err(_) if *optional => Ok(Value::Absent),
                    outcome => outcome,
                }
            }
            node => self.rare(id, node),
        }
    }

    #[inline(never)]
    fn rare(&mut self, id: NodeId, node: &'a Node) -> Outcome<'a> {
        match node {
            // Dealt with above.
            Node::Constant(_)
            | Node::One { .. }
            | Node::Local(_)
            | Node::It
            | Node::Let(_)
            | Node::Call { .. }
            | Node::Coalesce(..)
            | Node::Comprehension { .. }
            | Node::All(_)
            | Node::RegexArgument(_)
            | Node::Template(_)
            | Node::Convert { .. } => self.value(id),
            Node::Has(slot) => Ok(Value::Bool(!matches!(self.slot(*slot), Slot::Missing))),
            Node::SlotIsNull(slot) => Ok(Value::Bool(matches!(self.slot(*slot), Slot::Null))),
            Node::IsNull(value) => Ok(Value::Bool(matches!(self.value(*value)?, Value::Null))),
            Node::Now => Ok(Value::DateTime(self.call.now)),
            Node::New(rule) => self.result_of(*rule),
            Node::Old(path) => Ok(self.old(*path)),
            Node::Field(record, name) => {
                let record = self.value(*record)?;
                self.field(id, record, name)
            }
            Node::Item(list, index) => self.item(*list, *index),
            Node::Member(record, name) => self.member(id, *record, *name),
            Node::Filter { list, local, condition } => self.filter(id, *list, *local, *condition),
            Node::Any { list, condition } => self.quantified(id, *list, *condition, true),
            Node::Every { list, condition } => self.quantified(id, *list, *condition, false),
            Node::List(items) => self.list(id, items),
            Node::Record(members) => self.record(members),
            Node::Not(value) => Ok(Value::Bool(!self.truth(*value)?)),
            Node::And(left, right) => Ok(Value::Bool(self.truth(*left)? && self.truth(*right)?)),
            Node::Or(left, right) => Ok(Value::Bool(self.truth(*left)? || self.truth(*right)?)),
            Node::If { condition, then, otherwise } => {
                let branch = if self.truth(*condition)? { then } else { otherwise };
                self.value(*branch)
            }
            Node::Match { subject, arms, otherwise } => {
                let subject = self.value(*subject)?;
                for arm in arms {
                    let hit = arm.patterns.iter().any(|pattern| self.pattern(pattern, subject));
                    if hit && arm.guard.map_or(Ok(true), |guard| self.truth(guard))? {
                        return self.value(arm.value);
                    }
                }
                self.value(*otherwise)
            }
            Node::Compare { operator, left, right } => {
                let left = self.value(*left)?;
                let right = self.value(*right)?;
                self.burn_items(id, super::compare::weight(left))?;
                Ok(Value::Bool(super::compare::holds(*operator, left, right)))
            }
            Node::Matches { text, regex } => {
                let text = self.value(*text)?;
                Ok(Value::Bool(matches!(text, Value::String(text) if self.plan.regexes[usize::from(*regex)].is_match(text))))
            }
            Node::In { needle, list } => self.contained(id, *needle, *list),
            Node::InSet { needle, set } => {
                let needle = self.value(*needle)?;
                Ok(Value::Bool(matches!(needle, Value::String(text) if self.plan.sets[usize::from(*set)].contains_key(text))))
            }
            Node::Add(left, right) => self.added(id, *left, *right),
            Node::Subtract(left, right) => self.subtracted(id, *left, *right),
            Node::Negative(value) => self.negated(id, *value),
            Node::Lookup { table, key } => {
                let key = self.value(*key)?;
                self.looked_up(id, &self.plan.tables[usize::from(*table)], key)
            }
            Node::LookupAll { table, keys } => self.lookup_all(id, *table, *keys),
            Node::TableArgument(table) => Ok(Value::Table(&self.plan.tables[usize::from(*table)])),
            Node::Present(value) => Ok(Value::Bool(self.value(*value)?.is_present())),
            Node::ConvertEach { to, list } => self.convert_each(id, *to, *list),
        }
    }

    /// A condition: absent is false.
    pub fn truth(&mut self, id: NodeId) -> Outcome<'a, bool> {
        match self.value(id)? {
            Value::Bool(holds) => Ok(holds),
            Value::Absent | Value::Null | Value::Keep => Ok(false),
            other => Err(self.mismatch(id, "a boolean", other)),
        }
    }

    #[inline]
    pub fn slot(&self, slot: SlotId) -> &'a Slot<'a> {
        self.slots.get(usize::from(slot)).unwrap_or(&Slot::Missing)
    }

    #[inline]
    fn one(&mut self, id: NodeId, slot: SlotId, strict: bool) -> Outcome<'a> {
        match self.slot(slot) {
            Slot::One(value) => {
                self.trace.read(slot, Some(value), 1);
                Ok(*value)
            }
            Slot::Many(values) => self.first(id, slot, values, strict),
            Slot::Missing | Slot::Null | Slot::Empty => {
                self.trace.read(slot, None, 0);
                Ok(Value::Absent)
            }
        }
    }

    #[inline(never)]
    fn first(&mut self, id: NodeId, slot: SlotId, values: &'a [Value<'a>], strict: bool) -> Outcome<'a> {
        self.trace.read(slot, values.first(), values.len());
        if values.len() > 1 {
            if strict {
                let name = &self.plan.slots[usize::from(slot)].name;
                let message = format_args!("`{name}` has {} values where one is wanted", values.len());
                return Err(self.fault(id, Code::M113, message));
            }
            self.several[usize::from(slot) / 64] |= 1 << (slot % 64);
        }
        Ok(values.first().copied().unwrap_or(Value::Absent))
    }

    fn all(&mut self, slot: SlotId) -> Value<'a> {
        let values = match self.slot(slot) {
            Slot::Missing | Slot::Null | Slot::Empty => &[],
            Slot::One(value) => std::slice::from_ref(value),
            Slot::Many(values) => *values,
        };
        self.trace.read(slot, values.first(), values.len());
        Value::List(values)
    }

    #[inline(never)]
    fn evaluated_let(&mut self, id: NodeId, index: u16) -> Outcome<'a> {
        if let Memo::Done(outcome) = self.lets[usize::from(index)] {
            self.trace.let_used(index);
            return outcome;
        }
        self.burn(id, 1)?;
        if self.depth >= RUN_DEPTH_MAX {
            return Err(self.fault(id, Code::M190, format_args!("values nested more than {RUN_DEPTH_MAX} deep")));
        }
        self.depth += 1;
        self.trace.let_begins(index);
        // What a loop around the first use has bound is none of the let's business, and it draws as itself.
        let it = std::mem::replace(&mut self.it, Value::Absent);
        let drawer = self.stream.begin(Drawer::Let(index));
        let outcome = self.value(self.plan.lets[usize::from(index)].1);
        self.stream.resume(drawer);
        self.it = it;
        self.trace.let_ends(index);
        self.depth -= 1;
        self.lets[usize::from(index)] = Memo::Done(outcome);
        outcome
    }

    /// `new.x`. A rule that failed has no result to build on, so who reads it fails alike rather than clear a value.
    fn result_of(&mut self, rule: u16) -> Outcome<'a> {
        match self.given[usize::from(rule)] {
            Given::Value(value) => Ok(value),
            Given::Absent | Given::Keep | Given::FirstFree(_) => Ok(Value::Absent),
            Given::Failed { failure, node } => Err(self.arena.alloc(Fault { failure, node })),
        }
    }

    fn old(&self, path: u16) -> Value<'a> {
        let path = &self.plan.old[usize::from(path)];
        let Some((first, rest)) = path.split_first() else { return Value::Absent };
        let mut found = self.stored.and_then(|stored| stored.get(&**first));
        for segment in rest {
            found = found.and_then(|found| found.get(&**segment));
        }
        found.map_or(Value::Absent, |found| crate::source::json::value_of(self.arena, found))
    }

    /// A literal `""` is a value, one that came from a source is not (mapping.md §3): whether `""` can only be literal.
    fn ends_in_literal(&self, id: NodeId) -> bool {
        match &self.plan.nodes[id as usize] {
            Node::Constant(_) => true,
            Node::Coalesce(_, right) => self.ends_in_literal(*right),
            Node::If { then, otherwise, .. } => self.ends_in_literal(*then) && self.ends_in_literal(*otherwise),
            _ => false,
        }
    }

    pub fn field(&mut self, id: NodeId, of: Value<'a>, name: &str) -> Outcome<'a> {
        match of {
            Value::Record(members) => Ok(self.member_of(members, name)),
            Value::List(items) => {
                self.burn_items(id, items.len())?;
                let mut out = bumpalo::collections::Vec::with_capacity_in(items.len(), self.arena);
                for item in items {
                    if let Value::Record(members) = item {
                        out.extend(Some(self.member_of(members, name)).filter(|value| !is_absent(value)));
                    }
                }
                Ok(Value::List(out.into_bump_slice()))
            }
            _ => Ok(Value::Absent),
        }
    }

    /// Names below an attribute compare like the attribute's own.
    fn member_of(&self, members: &[(&'a str, Value<'a>)], name: &str) -> Value<'a> {
        let exact = members.iter().find(|(key, _)| *key == name);
        let found = match exact {
            None if self.plan.from.folds_case() => members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)),
            exact => exact,
        };
        found.map_or(Value::Absent, |(_, value)| read(value))
    }

    fn item(&mut self, list: NodeId, index: NodeId) -> Outcome<'a> {
        let list = self.value(list)?;
        let index = self.value(index)?;
        let Value::Int(index) = index else { return Ok(Value::Absent) };
        Ok(item_of(as_list(&list), index).map_or(Value::Absent, read))
    }

    fn member(&mut self, id: NodeId, record: NodeId, name: NodeId) -> Outcome<'a> {
        let record = self.value(record)?;
        match (record, self.value(name)?) {
            (record, Value::String(name)) => self.field(id, record, name),
            (Value::List(items), Value::Int(index)) => Ok(item_of(items, index).map_or(Value::Absent, read)),
            _ => Ok(Value::Absent),
        }
    }

    fn record(&mut self, members: &'a [(Box<str>, NodeId)]) -> Outcome<'a> {
        let mut out = bumpalo::collections::Vec::with_capacity_in(members.len(), self.arena);
        for (name, value) in members {
            match self.value(*value)? {
                Value::Absent | Value::Null | Value::Keep => {}
                value => out.push((&**name, value)),
            }
        }
        Ok(Value::Record(out.into_bump_slice()))
    }

    /// The parts as one text; absent when a hole is, unless it is (or all are) optional.
    #[inline(never)]
    pub fn template(&mut self, id: NodeId, parts: &'a [Part], lenient: bool) -> Outcome<'a> {
        const INLINE: usize = 8;
        let mut inline = [""; INLINE];
        let texts: &mut [&'a str] =
            if parts.len() <= INLINE { &mut inline[..parts.len()] } else { self.arena.alloc_slice_fill_copy(parts.len(), "") };
        let mut length = 0;
        for (text, part) in texts.iter_mut().zip(parts) {
            *text = match part {
                Part::Text(text) => text,
                Part::Hole { value, optional } => match self.value(*value)? {
                    Value::String(text) => text,
                    Value::Absent | Value::Null | Value::Keep if *optional || lenient => "",
                    Value::Absent | Value::Null | Value::Keep => return Ok(Value::Absent),
                    value => match super::display(self.arena, value) {
                        Some(text) => text,
                        None => return Err(self.mismatch(*value_id(part), "text", value)),
                    },
                },
            };
            length += text.len();
        }
        self.bound_text(id, length)?;
        let mut out = bumpalo::collections::String::with_capacity_in(length, self.arena);
        texts.iter().for_each(|text| out.push_str(text));
        Ok(Value::String(out.into_bump_str()))
    }

    fn pattern(&self, pattern: &'a Pattern, subject: Value<'a>) -> bool {
        use super::compare::{equal, holds};
        use crate::plan::Comparison::{GreaterOrEqual, LessOrEqual};
        match pattern {
            Pattern::Absent => is_absent(&subject),
            _ if is_absent(&subject) => false,
            Pattern::Equals(value) => equal(subject, constant(value)),
            Pattern::Range(from, to) => {
                holds(GreaterOrEqual, subject, constant(from)) && holds(LessOrEqual, subject, constant(to))
            }
            Pattern::Regex(regex) => {
                matches!(subject, Value::String(text) if self.plan.regexes[usize::from(*regex)].is_match(text))
            }
        }
    }

    /// A row of a table; the key is text, or the text of an int or a boolean.
    pub fn looked_up(&mut self, id: NodeId, table: &'a Table, key: Value<'a>) -> Outcome<'a> {
        let text = match key {
            Value::String(text) => text,
            Value::Absent | Value::Null | Value::Keep => return Ok(Value::Absent),
            other => match super::display(self.arena, other) {
                Some(text) => text,
                None => return Err(self.mismatch(id, "text", other)),
            },
        };
        if let Some(row) = table.rows.get(text) {
            return Ok(constant(row));
        }
        match &table.otherwise {
            TableElse::Value(value) => Ok(constant(value)),
            TableElse::Absent => Ok(Value::Absent),
            TableElse::Key => Ok(Value::String(text)),
            TableElse::Error => {
                let text = excerpt(text);
                Err(self.fault(id, Code::M101, format_args!("table `{}` has no row for {text:?}", table.name)))
            }
        }
    }

    #[cold]
    pub fn fault(&self, node: NodeId, code: Code, message: std::fmt::Arguments<'_>) -> &'a Fault<'a> {
        let message = bumpalo::format!(in self.arena, "{}", message).into_bump_str();
        self.arena.alloc(Fault { failure: Failure { code, message }, node })
    }

    #[cold]
    pub fn mismatch(&self, node: NodeId, wanted: &str, found: Value<'a>) -> &'a Fault<'a> {
        self.fault(node, Code::M102, format_args!("{wanted} is wanted, the source gives {}", found.kind()))
    }
}

/// The node of a hole.
fn value_id(part: &Part) -> &NodeId {
    match part {
        Part::Hole { value, .. } => value,
        Part::Text(_) => &0,
    }
}

/// At most 80 characters of what a source gave, for messages.
pub fn excerpt(text: &str) -> &str {
    text.char_indices().nth(80).map_or(text, |(end, _)| &text[..end])
}

#[inline]
pub fn constant(value: &Constant) -> Value<'_> {
    match value {
        Constant::String(text) => Value::String(text),
        Constant::Absent => Value::Absent,
        Constant::Keep => Value::Keep,
        Constant::Bool(value) => Value::Bool(*value),
        Constant::Int(value) => Value::Int(*value),
        Constant::Binary(bytes) => Value::Binary(bytes),
        Constant::DateTime(value) => Value::DateTime(*value),
        Constant::Duration(value) => Value::Duration(*value),
    }
}

/// Nothing there: what list builders drop and `match … absent` takes.
#[inline]
pub const fn is_absent(value: &Value<'_>) -> bool {
    matches!(value, Value::Absent | Value::Null | Value::Keep)
}

/// What reading a part of a source value gives: an empty text counts as absent there too.
#[inline]
fn read<'a>(value: &Value<'a>) -> Value<'a> {
    match value {
        Value::String("") => Value::Absent,
        value => *value,
    }
}

/// One value is a list of one, nothing is the empty list.
pub fn as_list<'a, 'v>(value: &'v Value<'a>) -> &'v [Value<'a>] {
    match value {
        Value::List(items) => items,
        Value::Absent | Value::Null | Value::Keep => &[],
        one => std::slice::from_ref(one),
    }
}

fn item_of<'v, 'a>(items: &'v [Value<'a>], index: i64) -> Option<&'v Value<'a>> {
    let at = if index < 0 {
        items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(index).ok()?
    };
    items.get(at)
}
