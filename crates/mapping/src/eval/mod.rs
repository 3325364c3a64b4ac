//! Runs a plan on one entry. Owns the order of a run (gates, then rules; where a gate ends it, still whether `blocked` is
//! true), what happens to each rule's result (`required`, `absent reject`, `check`, `max`) and the bounds. Refuses: acting
//! on policy words, I/O, clocks.
//!
//! A rule that fails fails alone. Everything made lives in one arena that is reset before the next entry.

mod budget;
mod call;
mod compare;
mod convert;
mod list;
mod machine;
mod random;
pub(crate) mod rule;
mod shortcut;

#[cfg(test)]
mod tests;

pub use compare::equal;
pub use convert::display;

use crate::functions::Call;
use crate::limits::FUEL;
use crate::plan::{Evaluation, Gate, GateHit, Given, Node, NodeId, Plan, SlotId};
use crate::source::Entry;
use crate::value::{Failure, Value};
use bumpalo::Bump;
use jiff::Timestamp;
use machine::{Machine, Memo};
use random::Stream;

/// What a run may know besides the entry. Nothing is ambient.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// What `now` is.
    pub now: Timestamp,
    /// Of create-only functions: 32 random bytes per entry; a fixed one in tests. What a rule draws depends on this
    /// and the rule alone.
    pub seed: [u8; 32],
    /// The stored profile, for `old.x`; `None` on create.
    pub stored: Option<&'a serde_json::Map<String, serde_json::Value>>,
    /// Secrets by name, for `hmac`.
    pub keys: &'a [(&'a str, &'a [u8])],
}

impl Environment<'_> {
    /// No stored profile, no keys, a seed of zeros.
    pub fn at(now: Timestamp) -> Self {
        Self { now, seed: [0; 32], stored: None, keys: &[] }
    }
}

/// Hears what a run does. With [`NoTrace`] every call is empty and vanishes.
pub trait Trace {
    /// A rule (by its index in the plan) begins.
    fn rule(&mut self, _rule: u16) {}
    /// What it gave.
    fn given(&mut self, _rule: u16, _given: &Given<'_>) {}
    fn gate(&mut self, _gate: u16) {}
    /// A slot was read: its first value, if it has one, and how many there are.
    fn read(&mut self, _slot: SlotId, _first: Option<&Value<'_>>, _count: usize) {}
    /// A `??` took its right side.
    fn fallback(&mut self, _node: NodeId, _right: NodeId) {}
    /// A let is computed between these two; a later use only says so.
    fn let_begins(&mut self, _index: u16) {}
    fn let_ends(&mut self, _index: u16) {}
    fn let_used(&mut self, _index: u16) {}
}

/// Costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {}

/// One per worker: the memory of a run, kept from entry to entry.
#[derive(Debug)]
pub struct Evaluator {
    arena: Bump,
}

/// A worker's arena starts at this, and goes back to it after an entry that needed far more.
const ARENA_BYTES: usize = 64 * 1024;
const ARENA_KEPT_BYTES: usize = 4 * 1024 * 1024;

impl Default for Evaluator {
    fn default() -> Self {
        Self::new()
    }
}

impl Evaluator {
    pub fn new() -> Self {
        Self { arena: Bump::with_capacity(ARENA_BYTES) }
    }

    /// The emptied arena for the next entry: read into it, then [`run`] in it.
    pub fn fresh(&mut self) -> &Bump {
        if self.arena.allocated_bytes() > ARENA_KEPT_BYTES {
            self.arena = Bump::with_capacity(ARENA_BYTES);
        }
        self.arena.reset();
        &self.arena
    }

    /// Runs the plan on an entry that lies elsewhere.
    pub fn run<'a>(&'a mut self, plan: &'a Plan, entry: &Entry<'a>, environment: &Environment<'a>) -> Evaluation<'a> {
        run(self.fresh(), plan, entry, environment, &mut NoTrace)
    }

    /// The same, telling `trace` what happens.
    pub fn run_traced<'a, T: Trace>(
        &'a mut self,
        plan: &'a Plan,
        entry: &Entry<'a>,
        environment: &Environment<'a>,
        trace: &mut T,
    ) -> Evaluation<'a> {
        run(self.fresh(), plan, entry, environment, trace)
    }
}

/// Runs the plan on one entry; everything made lives in `arena`. Never fails as a whole: each rule has its own result.
/// A plan with more slots than the entry reads the missing ones as missing.
pub fn run<'a, T: Trace>(
    arena: &'a Bump,
    plan: &'a Plan,
    entry: &Entry<'a>,
    environment: &Environment<'a>,
    trace: &mut T,
) -> Evaluation<'a> {
    let stream: &'a Stream<'a> = arena.alloc(Stream::new(plan, environment.seed));
    let keys = environment.keys;
    let mut machine = Machine {
        arena,
        plan,
        slots: entry.slots,
        stored: environment.stored,
        call: Call {
            arena,
            now: environment.now,
            random: arena.alloc(move |bytes: &mut [u8]| stream.fill(bytes)),
            key: arena.alloc(move |name: &str| keys.iter().find(|(known, _)| *known == name).map(|(_, key)| *key)),
            read_name: std::cell::Cell::new(""),
        },
        stream,
        lets: arena.alloc_slice_fill_copy(plan.lets.len(), Memo::Unset),
        locals: arena.alloc_slice_fill_copy(usize::from(plan.locals), Value::Absent),
        given: arena.alloc_slice_fill_copy(plan.rules.len(), Given::Absent),
        several: arena.alloc_slice_fill_copy(plan.slots.len().div_ceil(64), 0u64),
        it: Value::Absent,
        fuel: FUEL,
        reserve: 0,
        depth: 0,
        output: 0,
        missed: false,
        trace,
    };
    for (index, gate) in (0..).zip(&plan.gates) {
        machine.trace.gate(index);
        if let Some(mut hit) = machine.gate(index, gate) {
            let several = machine.several();
            hit.bars = machine.bars();
            return Evaluation { gate: Some(hit), given: &[], several };
        }
    }
    machine.rules();
    let several = machine.several();
    Evaluation { gate: None, given: machine.given, several }
}

impl<'a, T: Trace> Machine<'a, '_, T> {
    fn gate(&mut self, index: u16, gate: &'a Gate) -> Option<GateHit<'a>> {
        match self.truth(gate.condition) {
            Ok(false) => None,
            Ok(true) => {
                // A hole without a value is no reason to hide the reason.
                let reason = match &self.plan.nodes[gate.reason as usize] {
                    Node::Template(parts) => self.template(gate.reason, parts, true),
                    _ => self.value(gate.reason),
                };
                let reason = match reason {
                    Ok(Value::String(text)) => text,
                    _ => "",
                };
                Some(GateHit { gate: index, reason, failure: None, bars: false })
            }
            Err(fault) => {
                let failure = self.shown(fault.failure, rule::sensitive(self.plan, [gate.condition]));
                Some(GateHit { gate: index, reason: failure.message, failure: Some(failure), bars: false })
            }
        }
    }

    /// Does the rule for `blocked` give true, though a gate ended the run? With steps of its own: a gate may have used them up.
    fn bars(&mut self) -> bool {
        let plan = self.plan;
        let Some(blocked) = plan.rules.iter().position(|rule| &*rule.target == "blocked") else { return false };
        let read: Vec<u16> = rule::reachable(plan, rule::roots(&plan.rules[blocked]))
            .filter_map(|node| if let Node::New(rule) = &plan.nodes[node as usize] { Some(*rule) } else { None })
            .collect();
        (self.fuel, self.reserve) = (FUEL, 0);
        self.lets.fill(Memo::Unset);
        for &index in plan.order.iter().filter(|&&index| usize::from(index) == blocked || read.contains(&index)) {
            self.given[usize::from(index)] = self.by_nodes(index);
        }
        matches!(self.given[blocked], Given::Value(Value::Bool(true)))
    }

    /// The slots of which one of several values was taken.
    fn several(&self) -> &'a [SlotId] {
        let words = &self.several;
        if words.iter().all(|word| *word == 0) {
            return &[];
        }
        let slots = (0..self.plan.slots.len()).filter(|slot| words[slot / 64] & (1 << (slot % 64)) != 0);
        let mut out = bumpalo::collections::Vec::new_in(self.arena);
        out.extend(slots.filter_map(|slot| SlotId::try_from(slot).ok()));
        out.into_bump_slice()
    }
}

/// The rules that failed, by their index in the plan, and why.
pub fn failures<'e, 'a>(evaluation: &'e Evaluation<'a>) -> impl Iterator<Item = (usize, Failure<'a>)> + use<'e, 'a> {
    evaluation.given.iter().enumerate().filter_map(|(rule, given)| match given {
        Given::Failed { failure, .. } => Some((rule, *failure)),
        Given::Value(_) | Given::Absent | Given::Keep | Given::FirstFree(_) => None,
    })
}
