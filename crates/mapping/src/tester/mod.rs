//! Runs the `test` blocks of a mapping against its plan: what is given, what is expected, what came instead. Owns
//! matching ([`matching`]) and rule coverage (L07). Refuses: rendering, files, clocks (a test has its own instant).

mod literal;
mod matching;

#[cfg(test)]
mod tests;

use crate::ast::{Expect, Expr, ExprKind, Test};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::eval::{Environment, Evaluator, NoTrace, run};
use crate::plan::{Evaluation, Given, Plan};
use crate::source::{Builder, Entry, Names};
use crate::span::Span;
use crate::value::Value;
use bumpalo::Bump;
use jiff::Timestamp;

/// `now` of a test without `at`: 2026-01-01T00:00:00Z.
pub const NOW_SECONDS: i64 = 1_767_225_600;

/// All tests of one mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRun {
    pub tests: Vec<TestReport>,
    /// Rules whose target no test expects anything of, by index.
    pub untested: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TestReport {
    pub name: String,
    pub span: Span,
    /// Empty when the test passes.
    pub mismatches: Vec<Mismatch>,
    /// Of a test that does not pass: the failures that were not expected.
    pub said: Vec<Diagnostic>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// In the test.
    pub span: Span,
    /// The target, or `outcome`.
    pub what: String,
    pub expected: String,
    pub actual: String,
}

impl TestRun {
    pub fn passed(&self) -> bool {
        self.tests.iter().all(|test| test.mismatches.is_empty())
    }

    /// L07 for each rule without a test.
    pub fn lints(&self, plan: &Plan) -> Vec<Diagnostic> {
        let lint = |&rule: &usize| {
            let rule = &plan.rules[rule];
            Diagnostic::new(Code::L07, rule.span, format!("no test expects anything of `{}`", rule.target))
                .help(format!("name it in a test: expect {{ {}: … }}", rule.target))
        };
        self.untested.iter().map(lint).collect()
    }
}

/// Runs the tests in their order. `keys` are secrets for `hmac`, as in [`Environment`].
pub fn run_tests(plan: &Plan, tests: &[Test], keys: &[(&str, &[u8])]) -> TestRun {
    let names = Names::new(plan);
    let mut evaluator = Evaluator::new();
    let mut tested = vec![false; plan.rules.len()];
    let report = |test: &Test| {
        let (mismatches, said) = run_test(evaluator.fresh(), plan, &names, test, keys, &mut tested);
        TestReport { name: test.name.value.to_string(), span: test.name.span, mismatches, said }
    };
    let tests = tests.iter().map(report).collect();
    TestRun { tests, untested: (0..plan.rules.len()).filter(|rule| !tested[*rule]).collect() }
}

fn run_test(
    arena: &Bump,
    plan: &Plan,
    names: &Names,
    test: &Test,
    keys: &[(&str, &[u8])],
    tested: &mut [bool],
) -> (Vec<Mismatch>, Vec<Diagnostic>) {
    let refused = |span: Span, message: String| {
        let mismatch = Mismatch { span, what: "test".to_owned(), expected: "literal values".to_owned(), actual: message };
        (vec![mismatch], Vec::new())
    };
    let entry = match entry(arena, names, &test.given) {
        Ok(entry) => entry,
        Err((span, message)) => return refused(span, message),
    };
    let existing = match test.existing.as_ref().map(|existing| literal::value(arena, existing)).transpose() {
        Ok(existing) => existing.map(crate::output::to_json),
        Err((span, message)) => return refused(span, message),
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&test.seed.as_ref().map_or(0, |seed| seed.value).to_le_bytes());
    let now = test.at.as_ref().map_or_else(|| Timestamp::from_second(NOW_SECONDS).unwrap_or_default(), |at| at.value);
    let stored = existing.as_ref().and_then(serde_json::Value::as_object);
    let evaluation = run(arena, plan, &entry, &Environment { now, seed, stored, keys }, &mut NoTrace);
    let mut matcher =
        matching::Matcher { arena, plan, evaluation: &evaluation, tested, mismatches: Vec::new(), said: Vec::new() };
    matcher.outcome(test);
    (matcher.mismatches, matcher.said)
}

/// What a test gives, as the source's own reader would have read it.
fn entry<'a>(arena: &'a Bump, names: &Names, given: &'a Expr) -> Result<Entry<'a>, (Span, String)> {
    let ExprKind::Record(members) = &given.kind else {
        return Err((given.span, "`given` is a record of attributes".to_owned()));
    };
    let mut builder = Builder::new(arena, names);
    for (name, expr) in members {
        let value = literal::value(arena, expr)?;
        if !matches!(value, Value::Absent | Value::Keep) {
            builder.put_written(&name.value, value).map_err(|error| (name.span, error.to_string()))?;
        }
    }
    Ok(builder.finish())
}

/// The rules for which the whole entry is refused: a required value is missing, or has failed.
fn rejections(plan: &Plan, evaluation: &Evaluation<'_>) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    for (index, (rule, given)) in plan.rules.iter().zip(evaluation.given).enumerate() {
        if let Given::Failed { failure, .. } = given
            && (rule.required || failure.code == Code::M110)
        {
            out.push((index, format!("`{}` {}: {}", rule.target, failure.code, failure.message)));
        }
    }
    out
}

/// Whether this outcome looks at results of rules.
const fn reads_rules(expect: &Expect) -> bool {
    matches!(expect, Expect::Record { .. } | Expect::Error { .. })
}
