//! The language itself: `mappings/rich.mapping` compiled, a line decoded into slots, the plan run, the result written as
//! JSON text.

use crate::Contender;
use bumpalo::Bump;
use rosterd_mapping::check::{Sources, compile};
use rosterd_mapping::eval::{Environment, Evaluator, NoTrace, run};
use rosterd_mapping::output::Writer;
use rosterd_mapping::plan::Plan;
use rosterd_mapping::source::{Entry, Names, json};
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

pub struct Ours {
    plan: &'static Plan,
    names: &'static Names,
    writer: Writer,
    evaluator: Evaluator,
    environment: Environment<'static>,
    entries: Vec<Entry<'static>>,
}

impl Default for Ours {
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

impl Contender for Ours {
    fn load(&mut self, lines: &'static [&'static [u8]]) {
        // Decoded once and kept: the arena lives as long as the process.
        let arena: &'static Bump = Box::leak(Box::default());
        let entry = |line: &&'static [u8]| json::read(arena, self.names, line).expect("generated entries can be read");
        self.entries = lines.iter().map(entry).collect();
    }

    fn map(&mut self, index: usize) {
        let arena = self.evaluator.fresh();
        black_box(run(arena, self.plan, &self.entries[index], &self.environment, &mut NoTrace));
    }

    fn map_to_json(&mut self, index: usize, out: &mut Vec<u8>) {
        let arena = self.evaluator.fresh();
        let evaluation = run(arena, self.plan, &self.entries[index], &self.environment, &mut NoTrace);
        self.writer.write(&evaluation, out);
    }

    fn bytes_to_json(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let arena = self.evaluator.fresh();
        let entry = json::read(arena, self.names, line).expect("generated entries can be read");
        let evaluation = run(arena, self.plan, &entry, &self.environment, &mut NoTrace);
        self.writer.write(&evaluation, out);
    }
}
