//! The language itself: `mappings/rich.mapping` compiled, a line decoded into slots, the plan run, the result written as
//! JSON text.

use crate::Contender;
use bumpalo::Bump;
use rosterd_mapping::check::{Sources, compile};
use rosterd_mapping::eval::{Environment, Evaluator, NoTrace, Trace, run};
use rosterd_mapping::output::Writer;
use rosterd_mapping::plan::{Evaluation, Given, NodeId, Plan, SlotId};
use rosterd_mapping::source::{Entry, Names, json};
use rosterd_mapping::value::Value;
use std::hint::black_box;

const MAPPING: &str = include_str!("../mappings/rich.mapping");

/// The mapping stands alone.
struct Nothing;

impl Sources for Nothing {
    fn include(&self, path: &str) -> Result<String, String> {
        Err(format!("no {path} here"))
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {path} here"))
    }
}

/// `TRACED`: with a trace that hears everything and keeps nothing, so that what tracing costs the evaluator can be seen
/// beside what it costs when it is off, which is nothing: the same plan, the calls compiled away.
pub struct Ours<const TRACED: bool> {
    plan: &'static Plan,
    names: &'static Names,
    writer: Writer,
    evaluator: Evaluator,
    environment: Environment<'static>,
    entries: Vec<Entry<'static>>,
}

impl<const TRACED: bool> Default for Ours<TRACED> {
    fn default() -> Self {
        let compiled = compile("rich.mapping", MAPPING, &Nothing);
        let plan = compiled.plan.expect("rich.mapping compiles: crates/mapping tests it");
        let plan: &'static Plan = Box::leak(Box::new(plan));
        Self {
            names: Box::leak(Box::new(Names::new(plan))),
            writer: Writer::new(plan),
            plan,
            evaluator: Evaluator::new(),
            environment: Environment::at(jiff::Timestamp::UNIX_EPOCH),
            entries: Vec::new(),
        }
    }
}

/// Counts what it is told.
#[derive(Default)]
struct Heard(usize);

impl Trace for Heard {
    fn rule(&mut self, _rule: u16) {
        self.0 += 1;
    }

    fn given(&mut self, _rule: u16, given: &Given<'_>) {
        self.0 += usize::from(matches!(given, Given::Value(_)));
    }

    fn read(&mut self, _slot: SlotId, _first: Option<&Value<'_>>, count: usize) {
        self.0 += count;
    }

    fn fallback(&mut self, _node: NodeId, _right: NodeId) {
        self.0 += 1;
    }
}

fn evaluated<'a, const TRACED: bool>(
    arena: &'a Bump,
    plan: &'static Plan,
    entry: &Entry<'a>,
    environment: &Environment<'a>,
) -> Evaluation<'a> {
    if !TRACED {
        return run(arena, plan, entry, environment, &mut NoTrace);
    }
    let mut heard = Heard::default();
    let evaluation = run(arena, plan, entry, environment, &mut heard);
    black_box(heard.0);
    evaluation
}

impl<const TRACED: bool> Contender for Ours<TRACED> {
    fn load(&mut self, lines: &'static [&'static [u8]]) {
        // Decoded once and kept: the arena lives as long as the process.
        let arena: &'static Bump = Box::leak(Box::default());
        let entry = |line: &&'static [u8]| json::read(arena, self.names, line).expect("generated entries can be read");
        self.entries = lines.iter().map(entry).collect();
    }

    fn map(&mut self, index: usize) {
        let arena = self.evaluator.fresh();
        black_box(evaluated::<TRACED>(arena, self.plan, &self.entries[index], &self.environment));
    }

    fn map_to_json(&mut self, index: usize, out: &mut Vec<u8>) {
        let arena = self.evaluator.fresh();
        let evaluation = evaluated::<TRACED>(arena, self.plan, &self.entries[index], &self.environment);
        self.writer.write(&evaluation, out);
    }

    fn bytes_to_json(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let arena = self.evaluator.fresh();
        let entry = json::read(arena, self.names, line).expect("generated entries can be read");
        let evaluation = evaluated::<TRACED>(arena, self.plan, &entry, &self.environment);
        self.writer.write(&evaluation, out);
    }
}
