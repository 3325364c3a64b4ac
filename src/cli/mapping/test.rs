//! `rosterd mapping test`

use super::files::{self, Checked, Text};
use super::render::{self, ColourArg, number};
use crate::cli::Global;
use crate::cli::output::{self, printable};
use anyhow::Context as _;
use clap::Args;
use rosterd_mapping::check::Compiled;
use rosterd_mapping::plan::Plan;
use rosterd_mapping::span::{Span, line_of};
use rosterd_mapping::tester::{self, TestReport, TestRun};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct TestArgs {
    /// Mappings, or folders of them; without any those in mappings.dir
    #[arg(value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    colour: ColourArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

/// What became of one mapping's tests.
struct Outcome {
    passed: usize,
    failed: usize,
    /// For people.
    text: String,
    /// For programs.
    object: Value,
}

pub fn run(global: &Global, args: &TestArgs) -> anyhow::Result<ExitCode> {
    let paths = files::meant(global, &args.paths)?;
    let (mut passed, mut failed, mut broken, mut listed) = (0, 0, 0, Vec::new());
    for path in &paths {
        let text = files::read(path)?;
        match tests_of(&text, args.colour.wanted())? {
            Ok(outcome) => {
                passed += outcome.passed;
                failed += outcome.failed;
                if args.json {
                    listed.push(outcome.object);
                } else {
                    output::text(format_args!("{}\n{}", text.shown, outcome.text))?;
                }
            }
            Err(object) => {
                broken += 1;
                if args.json { listed.push(object.1) } else { output::text(format_args!("{}\n{}", text.shown, object.0))? }
            }
        }
    }
    if args.json {
        output::json(&Value::Array(listed))?;
    } else {
        let broken = if broken > 0 { format!(", {} not compiled", number(broken, "mapping")) } else { String::new() };
        output::line(format_args!("{passed} passed, {failed} failed{broken}"))?;
    }
    Ok(if failed + broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What stopped the tests, for people and for programs.
type Broken = (String, Value);

fn tests_of(text: &Text, colour: bool) -> anyhow::Result<Result<Outcome, Broken>> {
    let object = |reports: Vec<Value>| json!({ "file": text.shown, "diagnostics": reports, "tests": [] });
    Ok(match text.check() {
        Checked::Script(Ok(_)) => Ok(Outcome {
            passed: 0,
            failed: 0,
            text: "  a script holds no tests: compare it with `rosterd mapping diff`\n".into(),
            object: object(Vec::new()),
        }),
        Checked::Script(Err(reason)) => {
            Err((format!("error: {reason}\n"), object(vec![render::report_of_text(&text.shown, &reason)])))
        }
        Checked::Language(compiled) => match &compiled.plan {
            None => {
                let said = render::terminal(&compiled.diagnostics, &compiled, colour);
                Err((said, object(render::reports(&compiled.diagnostics, &compiled)?)))
            }
            Some(plan) => Ok(outcome(text, &compiled, plan, colour)?),
        },
    })
}

/// The mapping's own tests, run without any secret: a test with `hmac` can't know what it gives.
pub fn run_tests(compiled: &Compiled) -> Option<TestRun> {
    compiled.plan.as_ref().map(|plan| tester::run_tests(plan, &compiled.tests, &[]))
}

/// The failed tests in words, for whoever refuses because of them.
pub fn failures(compiled: &Compiled, run: &TestRun) -> String {
    run.tests.iter().filter(|test| !test.mismatches.is_empty()).map(|test| one(compiled, test, false)).collect()
}

fn outcome(text: &Text, compiled: &Compiled, plan: &Plan, colour: bool) -> anyhow::Result<Outcome> {
    let run = run_tests(compiled).context("a plan is there")?;
    let failed = run.tests.iter().filter(|test| !test.mismatches.is_empty()).count();
    let passed = run.tests.len() - failed;
    let mut lines: String = run.tests.iter().map(|test| one(compiled, test, colour)).collect();
    let rules = plan.rules.len();
    lines.push_str(&format!("  {} of {} tested\n", rules - run.untested.len(), number(rules, "rule")));
    for diagnostic in run.lints(plan) {
        lines.push_str(&format!("    {} line {}: {}\n", diagnostic.code, line(compiled, diagnostic.span), diagnostic.message));
    }
    let mismatch = |found: &tester::Mismatch| json!({ "what": found.what, "line": line(compiled, found.span), "expected": found.expected, "actual": found.actual });
    let test = |test: &TestReport| {
        Ok(json!({
            "name": test.name,
            "line": line(compiled, test.span),
            "passed": test.mismatches.is_empty(),
            "mismatches": test.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
            "said": render::reports(&test.said, compiled)?,
        }))
    };
    let untested = |&rule: &usize| json!({ "target": plan.rules[rule].target, "line": plan.rules[rule].line });
    let object = json!({
        "file": text.shown,
        "diagnostics": render::reports(&run.lints(plan), compiled)?,
        "tests": run.tests.iter().map(test).collect::<anyhow::Result<Vec<_>>>()?,
        "rules": rules,
        "untested": run.untested.iter().map(untested).collect::<Vec<_>>(),
    });
    Ok(Outcome { passed, failed, text: lines, object })
}

fn one(compiled: &Compiled, test: &TestReport, colour: bool) -> String {
    let name = printable(&test.name);
    if test.mismatches.is_empty() {
        return format!("  ok      {name}\n");
    }
    let mut lines = format!("  FAILED  {name}\n");
    let width = test.mismatches.iter().map(|found| found.what.chars().count()).max().unwrap_or(0);
    for found in &test.mismatches {
        let (expected, actual) = (printable(&found.expected), printable(&found.actual));
        lines.push_str(&format!("          {:width$}  expected {expected}  (line {})\n", found.what, line(compiled, found.span)));
        lines.push_str(&format!("          {:width$}  actual   {actual}\n", ""));
    }
    // Why what came is no value, at the place in the rule.
    for line in render::terminal(&test.said, compiled, colour).lines() {
        lines.push_str(format!("          {line}").trim_end());
        lines.push('\n');
    }
    lines
}

fn line(compiled: &Compiled, span: Span) -> u32 {
    compiled.files.get(usize::from(span.file.0)).map_or(1, |(_, text)| line_of(text, span.start))
}
