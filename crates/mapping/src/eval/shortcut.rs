//! Runs shortcuts. Nothing (`None`) is either absent or not for a shortcut to say: then `missed` is set, and the rule's
//! nodes are run. One flag beside a text in two registers, rather than a third word with every text.

use super::Trace;
use super::list::Seen;
use super::machine::{Machine, Memo, is_absent};
use crate::decode;
use crate::functions::{Short, TestBody, TextBody, date, identifier, lower_ascii};
use crate::limits::{LIST_VALUES_MAX, OUTPUT_BYTES_MAX, RUN_DEPTH_MAX, STRING_BYTES_MAX};
use crate::plan::{Constant, Given, NodeId, SlotId, TableElse};
use crate::shortcut::{DEPTH_MAX, Link, List, Shortcut, Step, Test, Text, Truth};
use crate::source::Slot;
use crate::value::Value;
use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};

impl<'a, T: Trace> Machine<'a, '_, T> {
    /// Takes down what a rule gives, which is nothing so far; whether it could. If not, its nodes have to be asked, and
    /// nothing was spent.
    #[inline(always)]
    pub fn step(&mut self, rule: u16, step: &'a Step) -> bool {
        let fuel = self.fuel;
        self.missed = !self.spend(1);
        if !self.missed {
            let is_done = match &step.shortcut {
                Shortcut::Text(text) => match self.short_text(text) {
                    Some(text) => {
                        let takes = self.takes(text.len(), text.len()) && !(step.is_wanted && text.is_empty());
                        takes && self.give(rule, Value::String(text))
                    }
                    None => self.gave_nothing(step),
                },
                Shortcut::List(list) => match self.short_list(list) {
                    Some(items) => {
                        let takes = self.takes(sum_of_texts(items), 0) && !(step.is_wanted && items.is_empty());
                        takes && self.give(rule, Value::List(items))
                    }
                    None => self.gave_nothing(step),
                },
                Shortcut::Truth(truth) => match self.short_truth(truth) {
                    Some(truth) => self.takes(8, 0) && self.give(rule, Value::Bool(truth)),
                    None => self.gave_nothing(step),
                },
            };
            if is_done {
                return true;
            }
        }
        // What there is to say, the nodes know.
        self.fuel = fuel;
        false
    }

    #[inline(always)]
    fn give(&mut self, rule: u16, value: Value<'a>) -> bool {
        self.given[usize::from(rule)] = Given::Value(value);
        true
    }

    #[inline(always)]
    fn gave_nothing(&self, step: &Step) -> bool {
        !self.missed && !step.is_wanted
    }

    /// Whether there is room for a result of this many bytes, and for a text of so many; then it counts. Of a long text
    /// the length costs once more as a result.
    #[inline(always)]
    fn takes(&mut self, size: usize, text: usize) -> bool {
        let output = self.output + size;
        let takes = output <= OUTPUT_BYTES_MAX && (text < 256 || self.takes_long(text));
        if takes {
            self.output = output;
        }
        takes
    }

    fn takes_long(&mut self, text: usize) -> bool {
        text <= STRING_BYTES_MAX && self.spend(u32::try_from(text / 256).unwrap_or(u32::MAX))
    }

    #[inline(always)]
    fn spend(&mut self, steps: u32) -> bool {
        let is_enough = u64::from(self.fuel) >= u64::from(self.reserve) + u64::from(steps);
        if is_enough {
            self.fuel -= steps;
        }
        is_enough
    }

    #[cold]
    #[inline(never)]
    fn miss<R>(&mut self) -> Option<R> {
        self.missed = true;
        None
    }

    /// The text, if it is within the bounds: long ones cost steps.
    #[inline]
    fn bounded(&mut self, text: &'a str) -> Option<&'a str> {
        if text.len() < 256 || self.takes_long(text.len()) { Some(text) } else { self.miss() }
    }

    #[inline]
    fn slot_text(&mut self, slot: SlotId) -> Option<&'a str> {
        match self.slot(slot) {
            Slot::One(value @ Value::String(text)) => {
                self.trace.read(slot, Some(value), 1);
                Some(text)
            }
            Slot::Missing | Slot::Null | Slot::Empty => {
                self.trace.read(slot, None, 0);
                None
            }
            // Several, or no text: the node knows what there is to say about it.
            Slot::One(_) | Slot::Many(_) => self.miss(),
        }
    }

    #[inline]
    fn short_text(&mut self, text: &'a Text) -> Option<&'a str> {
        match text {
            Text::Slot(slot) => self.slot_text(*slot),
            text => self.made_text(text),
        }
    }

    /// What has a buffer is a function of its own, so that this keeps a small frame: it calls itself.
    fn made_text(&mut self, text: &'a Text) -> Option<&'a str> {
        match text {
            Text::Nothing => None,
            Text::Constant(text) => Some(text),
            Text::Slot(slot) => self.slot_text(*slot),
            Text::Let { index, node } => self.short_let(*index, *node),
            Text::Call { of, link } => {
                let text = self.short_text(of)?;
                self.link(link, text)
            }
            Text::Replace { of, regex, by } => {
                let text = self.short_text(of)?;
                self.replaced(text, *regex, by)
            }
            Text::Template(parts) => self.short_template(parts),
            Text::Either { left, right, node: id, right_node } => match self.short_text(left) {
                Some(text) if !text.is_empty() => Some(text),
                _ if self.missed => None,
                _ => {
                    self.trace.fallback(*id, *right_node);
                    self.short_text(right)
                }
            },
            Text::Unless { needle, set, of } => {
                let plan = self.plan;
                match self.short_text(needle) {
                    Some(text) if plan.sets[usize::from(*set)].contains_key(text) => None,
                    _ if self.missed => None,
                    _ => self.short_text(of),
                }
            }
            Text::Row { table, key } => {
                let key = self.short_text(key)?;
                self.row(*table, key)
            }
            Text::Guid(of) => {
                let text = self.short_text(of)?;
                self.guid(text)
            }
            Text::Sid(of) => {
                let text = self.short_text(of)?;
                self.sid(text)
            }
            Text::DataUri { bytes, head } => {
                let text = self.short_text(bytes)?;
                self.data_uri(head, text)
            }
            Text::FileTime(of) => {
                let text = self.short_text(of)?;
                self.file_time(text)
            }
        }
    }

    #[inline(never)]
    fn replaced(&mut self, text: &'a str, regex: u16, by: &str) -> Option<&'a str> {
        let text = self.bounded(text)?;
        let plan = self.plan;
        match plan.regexes[usize::from(regex)].1.replace_all(self.arena, text, by) {
            Some(text) => self.bounded(text),
            None => self.miss(),
        }
    }

    #[inline(never)]
    fn guid(&mut self, text: &str) -> Option<&'a str> {
        let mut bytes = [0; 18];
        match decode::base64_short(text.as_bytes(), &mut bytes) {
            Some(16) if text.len() == 24 => {
                let bytes = *bytes.first_chunk().unwrap_or(&[0; 16]);
                Some(self.arena.alloc_str(identifier::turned_text(&mut Short::new(), bytes)))
            }
            _ => self.miss(),
        }
    }

    #[inline(never)]
    fn sid(&mut self, text: &str) -> Option<&'a str> {
        let mut bytes = [0; 72];
        let length = decode::base64_short(text.as_bytes(), &mut bytes).unwrap_or(0);
        match identifier::sid_written(self.arena, &bytes[..length]) {
            Some(text) => Some(text),
            None => self.miss(),
        }
    }

    #[inline(never)]
    fn data_uri(&mut self, head: &str, text: &str) -> Option<&'a str> {
        if !decode::is_as_written(text.as_bytes()) {
            return self.miss();
        }
        let mut out = ArenaString::with_capacity_in(head.len() + text.len(), self.arena);
        out.push_str(head);
        out.push_str(text);
        self.bounded(out.into_bump_str())
    }

    #[inline(never)]
    fn file_time(&mut self, text: &str) -> Option<&'a str> {
        match date::plain_ticks(text).map(date::text_of_ticks) {
            Some(Some(text)) => Some(self.arena.alloc_str(text.as_str())),
            _ => self.miss(),
        }
    }

    #[inline(never)]
    fn short_let(&mut self, index: u16, node: NodeId) -> Option<&'a str> {
        let plan = self.plan;
        if let (Memo::Unset, Some(text)) = (self.lets[usize::from(index)], plan.shortcuts.bound(index)) {
            // Each let is at most so deep, so the stack is as bounded as with nodes.
            if self.depth + DEPTH_MAX >= RUN_DEPTH_MAX {
                return self.miss();
            }
            self.depth += DEPTH_MAX;
            self.trace.let_begins(index);
            let text = self.short_text(text);
            self.trace.let_ends(index);
            self.depth -= DEPTH_MAX;
            if !self.missed {
                self.lets[usize::from(index)] = Memo::Done(Ok(text.map_or(Value::Absent, Value::String)));
            }
            return text;
        }
        match self.value(node) {
            Ok(Value::String(text)) => Some(text),
            Ok(value) if is_absent(&value) => None,
            _ => self.miss(),
        }
    }

    #[inline(never)]
    fn short_template(&mut self, parts: &'a [Text]) -> Option<&'a str> {
        let mut texts = [""; DEPTH_MAX as usize];
        let mut length = 0;
        for (text, part) in texts.iter_mut().zip(parts) {
            *text = self.short_text(part)?;
            length += text.len();
        }
        let mut out = ArenaString::with_capacity_in(length, self.arena);
        texts[..parts.len()].iter().for_each(|text| out.push_str(text));
        self.bounded(out.into_bump_str())
    }

    #[inline(never)]
    fn row(&mut self, table: u16, key: &'a str) -> Option<&'a str> {
        let plan = self.plan;
        let table = &plan.tables[usize::from(table)];
        let found = match (table.rows.get(key), &table.otherwise) {
            (Some(row), _) | (None, TableElse::Value(row)) => row,
            (None, TableElse::Absent) => return None,
            (None, TableElse::Key) => return Some(key),
            (None, TableElse::Error) => return self.miss(),
        };
        match found {
            Constant::String(text) => Some(text),
            Constant::Absent => None,
            _ => self.miss(),
        }
    }

    #[inline(never)]
    fn link(&mut self, link: &'a Link, text: &'a str) -> Option<&'a str> {
        match link {
            Link::DropPrefix(prefix) => Some(text.strip_prefix(&**prefix).unwrap_or(text)),
            Link::Lower(body) => match lower_ascii(self.arena, text) {
                Some(text) if text.len() < 256 => Some(text),
                _ => self.body(*body, text, None),
            },
            Link::Other { body, other } => self.body(*body, text, other.as_deref()),
        }
    }

    #[inline(never)]
    fn body(&mut self, body: TextBody, text: &'a str, other: Option<&'a str>) -> Option<&'a str> {
        let text = self.bounded(text)?;
        match body(&self.call, text, other) {
            Ok(Value::String(text)) => self.bounded(text),
            Ok(value) if is_absent(&value) => None,
            _ => self.miss(),
        }
    }

    #[inline]
    fn asked(&mut self, body: TestBody, text: &'a str, other: &'a str) -> bool {
        self.bounded(text).is_some_and(|text| body(&self.call, text, other))
    }

    fn short_truth(&mut self, truth: &'a Truth) -> Option<bool> {
        match truth {
            Truth::HasValue(slot) => {
                let values = self.values(*slot);
                self.trace.read(*slot, values.first(), values.len());
                Some(!values.is_empty())
            }
            Truth::Bit { of, mask } => {
                let text = self.short_text(of)?;
                match date::plain_ticks(text) {
                    Some(number) => Some(number & mask != 0),
                    None => self.miss(),
                }
            }
        }
    }

    #[inline]
    fn values(&self, slot: SlotId) -> &'a [Value<'a>] {
        match self.slot(slot) {
            Slot::Missing | Slot::Null | Slot::Empty => &[],
            Slot::One(value) => std::slice::from_ref(value),
            Slot::Many(values) => values,
        }
    }

    fn short_list(&mut self, list: &'a List) -> Option<&'a [Value<'a>]> {
        match list {
            List::OrNothing { list, node, right_node } => match self.short_list(list) {
                Some(items) if !items.is_empty() => Some(items),
                _ if self.missed => None,
                _ => {
                    self.trace.fallback(*node, *right_node);
                    None
                }
            },
            List::Call { of, body, other } => {
                let text = self.short_text(of)?;
                let text = self.bounded(text)?;
                match body(&self.call, text, Some(other)) {
                    Ok(Value::List(items)) if items.len() <= LIST_VALUES_MAX => Some(items),
                    _ => self.miss(),
                }
            }
            List::Each { slot, test, links, unique } => {
                self.each(*slot, (*unique, test.is_some(), links.len()), |machine, text| {
                    machine.passed(test.as_ref(), links, text)
                })
            }
            List::Below { slot, under, rdn, below, unique } => {
                self.each(*slot, (*unique, true, 1), |machine, text| match below.value(&machine.call, text) {
                    Some(found) => found,
                    // Needs a close look.
                    None if machine.asked(*under, text, below.base()) => machine.body(*rdn, text, Some(below.kind())),
                    None => None,
                })
            }
        }
    }

    /// What a comprehension makes of one text.
    #[inline]
    fn passed(&mut self, test: Option<&'a Test>, links: &'a [Link], text: &'a str) -> Option<&'a str> {
        let passes = match test {
            None => true,
            Some(Test::StartsWith(start)) => text.as_bytes().starts_with(start.as_bytes()),
            Some(Test::Other { body, other }) => self.asked(*body, text, other),
        };
        if !passes {
            return None;
        }
        links.iter().try_fold(text, |text, link| self.link(link, text))
    }

    /// One loop: for each value, `item`; what is absent drops out, with `unique` what is there already as well.
    #[inline(always)]
    fn each(
        &mut self,
        slot: SlotId,
        (unique, has_test, calls): (bool, bool, usize),
        mut item: impl FnMut(&mut Self, &'a str) -> Option<&'a str>,
    ) -> Option<&'a [Value<'a>]> {
        let values = self.values(slot);
        self.trace.read(slot, values.first(), values.len());
        // A step for each, one for its test, one for each call on what passes.
        let steps = values.len() * (1 + usize::from(has_test));
        if values.len() > LIST_VALUES_MAX || !self.spend(u32::try_from(steps).unwrap_or(u32::MAX)) {
            return self.miss();
        }
        let mut out = ArenaVec::with_capacity_in(values.len(), self.arena);
        let mut seen = Seen::default();
        let mut passed = 0;
        for value in values {
            let Value::String(text) = value else { return self.miss() };
            match item(self, text) {
                Some(made) => {
                    passed += 1;
                    if !unique || seen.is_new_text(self.arena, &out, made) {
                        out.push(Value::String(made));
                    }
                }
                None if self.missed => return None,
                None => {}
            }
        }
        if !self.spend(u32::try_from(calls * passed).unwrap_or(u32::MAX)) {
            return self.miss();
        }
        Some(out.into_bump_slice())
    }
}

/// Bytes of the texts in a list of nothing else.
#[inline]
fn sum_of_texts(items: &[Value<'_>]) -> usize {
    items.iter().map(|item| if let Value::String(text) = item { text.len() } else { 0 }).sum()
}
