//! Captured entries as test blocks: what the mapping gives today is what it is expected to give tomorrow. Whether that
//! is what the original gave is the caller's to prove.

use super::{ENTRIES_MAX, write};
use crate::check;
use crate::eval::{Environment, Evaluator, NoTrace, run};
use crate::limits::FILE_BYTES_MAX;
use crate::output;
use crate::plan::{Evaluation, Given, Plan};
use crate::source::{Names, json};
use crate::syntax;
use crate::tester;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The text with a test per entry that has one, and how many. An entry has none if the language has no literals for it,
/// or if the file would grow over its limit.
pub fn with_tests(text: String, plan: &Plan, captured: &[Map<String, Value>]) -> (String, usize) {
    let names = Names::new(plan);
    let mut evaluator = Evaluator::new();
    let mut blocks = Vec::new();
    let mut bytes = text.len();
    for (at, entry) in captured.iter().take(ENTRIES_MAX).enumerate() {
        let entry = writable(entry);
        let Some(test) = block(at + 1, plan, &names, &mut evaluator, &entry) else { continue };
        bytes += test.len() + 1;
        if bytes > FILE_BYTES_MAX {
            break;
        }
        if passes(&format!("{text}\n{test}\n")) {
            blocks.push(test);
        }
    }
    // Formatted it may be longer than it was.
    while !blocks.is_empty() {
        if let Ok(formatted) = syntax::format(&format!("{text}\n{}\n", blocks.join("\n"))) {
            return (formatted, blocks.len());
        }
        blocks.truncate(blocks.len() / 2);
    }
    (text, 0)
}

/// Without the members that can't be written in a test: null says what missing says, to these mappings.
fn writable(entry: &Map<String, Value>) -> Map<String, Value> {
    entry.iter().filter(|(_, value)| write::literal(value).is_some()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn block(number: usize, plan: &Plan, names: &Names, evaluator: &mut Evaluator, entry: &Map<String, Value>) -> Option<String> {
    let arena = evaluator.fresh();
    let read = json::read_map(arena, names, entry).ok()?;
    let now = Timestamp::from_second(tester::NOW_SECONDS).ok()?;
    let evaluation = run(arena, plan, &read, &Environment::at(now), &mut NoTrace);
    let given = write::record(entry.iter().map(|(name, value)| (name.as_str(), write::literal(value))))?;
    let expected = match &evaluation.gate {
        Some(hit) => format!("skip {}", write::string(hit.reason)),
        None => expected(plan, &evaluation)?,
    };
    Some(format!("test \"captured entry {number}\" {{\n  given {given}\n  expect {expected}\n}}"))
}

/// Values as they came; what came not is `absent` or `keep`. A rule that failed is not spoken of.
fn expected(plan: &Plan, evaluation: &Evaluation<'_>) -> Option<String> {
    let mut tree = Node::default();
    for (rule, given) in plan.rules.iter().zip(evaluation.given) {
        let value = match given {
            Given::Value(value) => {
                let Some(literal) = write::literal(&output::to_json(*value)) else { continue };
                literal
            }
            Given::Absent => "absent".to_owned(),
            Given::Keep => "keep".to_owned(),
            Given::FirstFree(_) | Given::Failed { .. } => continue,
        };
        tree.put(&rule.path, value);
    }
    tree.write()
}

/// A nested record under construction.
#[derive(Default)]
struct Node {
    value: Option<String>,
    members: Vec<(String, Self)>,
}

impl Node {
    fn put(&mut self, path: &[Box<str>], value: String) {
        let Some((first, rest)) = path.split_first() else {
            self.value = Some(value);
            return;
        };
        let at = self.members.iter().position(|(name, _)| **name == **first).unwrap_or_else(|| {
            self.members.push((first.to_string(), Self::default()));
            self.members.len() - 1
        });
        self.members[at].1.put(rest, value);
    }

    fn write(&self) -> Option<String> {
        if self.value.is_some() {
            return self.value.clone();
        }
        write::record(self.members.iter().map(|(name, node)| (name.as_str(), node.write())))
    }
}

/// Whether the one test of the text passes.
fn passes(text: &str) -> bool {
    let compiled = check::compile("imported", text, &super::draft::NoSources);
    compiled.plan.is_some_and(|plan| !compiled.tests.is_empty() && tester::run_tests(&plan, &compiled.tests, &[]).passed())
}
