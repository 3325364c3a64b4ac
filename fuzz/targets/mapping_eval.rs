//! A mapping and an entry, separated by a NUL byte: whatever compiles runs within its fuel on whatever can be read, and
//! gives one result per rule, twice the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd_mapping::check::{self, Sources};
use rosterd_mapping::eval::{self, Environment, Evaluator, NoTrace};
use rosterd_mapping::output::to_map;
use rosterd_mapping::source::{Names, json};
use rosterd_mapping::span::FileId;
use rosterd_mapping::syntax;

struct Nothing;

impl Sources for Nothing {
    fn include(&self, _: &str) -> Result<String, String> {
        Err("there are no files here".into())
    }

    fn table(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("there are no files here".into())
    }
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(text), Some(entry)) = (parts.next(), parts.next()) else { return };
    let Ok(text) = syntax::text_of(text, FileId(0)) else { return };
    let Some(plan) = check::compile("fuzz.mapping", text, &Nothing).plan else { return };
    let names = Names::new(&plan);
    let environment = Environment::at(jiff::Timestamp::UNIX_EPOCH);
    let mut evaluator = Evaluator::new();
    let mut results = Vec::new();
    for _ in 0..2 {
        let arena = evaluator.fresh();
        let Ok(read) = json::read(arena, &names, entry) else { return };
        let evaluation = eval::run(arena, &plan, &read, &environment, &mut NoTrace);
        assert!(evaluation.gate.is_some() || evaluation.given.len() == plan.rules.len());
        results.push(serde_json::Value::Object(to_map(&plan, &evaluation)).to_string());
    }
    assert_eq!(results[0], results[1]);
});
