//! What a run says of an entry it can't map: per case in `said/` a mapping, an entry (`.json`) and the words (`.txt`) as
//! `rosterd mapping try` and `test` print them. `UPDATE_EXPECTATIONS=1` writes the words anew, for review. Every code of
//! a run has a case, and no case is left over from a code that is gone.

#![expect(clippy::unwrap_used, reason = "a test says what it expects the short way")]

use bumpalo::Bump;
use rosterd_mapping::check::{Compiled, Sources, compile};
use rosterd_mapping::diagnostic::Diagnostic;
use rosterd_mapping::diagnostic::codes::Code;
use rosterd_mapping::diagnostic::render::{Source, terminal};
use rosterd_mapping::eval::{Environment, NoTrace, run};
use rosterd_mapping::plan::Given;
use rosterd_mapping::said;
use rosterd_mapping::source::{Names, json};
use rosterd_mapping::tester::run_tests;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/said")
}

struct Files;

impl Sources for Files {
    fn include(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(folder().join(format!("{path}.mapping"))).map_err(|_| "no such file".to_owned())
    }

    fn table(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("no such file".to_owned())
    }
}

/// One case, compiled.
struct Case {
    name: String,
    compiled: Compiled,
}

fn cases() -> Vec<Case> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mapping"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let case = |name: String| {
        let file = format!("{name}.mapping");
        let text = fs::read_to_string(folder().join(&file)).unwrap();
        let compiled = compile(&file, &text, &Files);
        assert!(compiled.plan.is_some(), "{name}: {:#?}", compiled.diagnostics);
        Case { name, compiled }
    };
    names.into_iter().map(case).collect()
}

impl Case {
    /// What is said of the entry: by the run, by whoever looked for a free name, and of rules without a test.
    fn said(&self) -> Vec<Diagnostic> {
        let plan = self.compiled.plan.as_ref().unwrap();
        if self.name.starts_with("l07") {
            return run_tests(plan, &self.compiled.tests, &[]).lints(plan);
        }
        let entry = fs::read(folder().join(format!("{}.json", self.name))).unwrap();
        let arena = Bump::new();
        let entry = json::read(&arena, &Names::new(plan), &entry).unwrap();
        let evaluation = run(&arena, plan, &entry, &Environment::at(jiff::Timestamp::UNIX_EPOCH), &mut NoTrace);
        let mut all = said::of_run(plan, &evaluation);
        let chosen = plan.rules.iter().zip(evaluation.given).filter(|(_, given)| matches!(given, Given::FirstFree(_)));
        all.extend(chosen.map(|(rule, _)| said::none_is_free(plan, rule)));
        all
    }

    fn shown(&self, said: &[Diagnostic]) -> String {
        let files: Vec<Source<'_>> = self.compiled.files.iter().map(|(name, text)| Source { name, text }).collect();
        terminal(said, &files, false)
    }
}

#[test]
fn each_case_says_exactly_what_stands_beside_it() {
    let mut wrong = String::new();
    for case in cases() {
        let file = folder().join(format!("{}.txt", case.name));
        let actual = case.shown(&case.said());
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if std::env::var_os("UPDATE_EXPECTATIONS").is_some() {
            fs::write(&file, actual).unwrap();
        } else if actual != expected {
            writeln!(wrong, "{}\nexpected:\n{expected}said:\n{actual}", case.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_case_is_about_its_code_with_a_place_a_reason_and_a_way_out() {
    for case in cases() {
        let said = case.said();
        assert!(!said.is_empty(), "{}", case.name);
        for one in said {
            assert!(case.name.starts_with(&one.code.as_str().to_lowercase()), "{}: {one:?}", case.name);
            let (_, text) = &case.compiled.files[usize::from(one.span.file.0)];
            assert!(!text[one.span.range()].is_empty() && !one.message.is_empty() && one.help.is_some(), "{one:?}");
        }
    }
}

#[test]
fn a_failing_test_gives_the_reasons_that_a_trial_gives() {
    let mut compared = 0;
    for case in cases() {
        let plan = case.compiled.plan.as_ref().unwrap();
        let run = run_tests(plan, &case.compiled.tests, &[]);
        for test in run.tests.iter().filter(|test| !test.mismatches.is_empty()) {
            assert_eq!(case.shown(&test.said), case.shown(&case.said()), "{}", case.name);
            compared += 1;
        }
    }
    assert!(compared >= 15, "{compared} cases have a test that fails");
}

#[test]
fn what_is_sensitive_is_not_in_the_words() {
    let case = cases().into_iter().find(|case| case.name == "m101_sensitive").unwrap();
    let words = case.shown(&case.said());
    assert!(words.contains("‹redacted›") && !words.contains("top secret"), "{words}");
}

#[test]
fn the_codes_of_a_run_are_exactly_those_with_words_here() {
    let of_a_run = |code: &&str| (code.starts_with('M') && *code >= "M100") || code.starts_with('N') || *code == "L07";
    let known: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str()).filter(of_a_run).map(str::to_lowercase).collect();
    let words = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let words = words.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let shown: BTreeSet<String> =
        words.map(|path| path.file_stem().unwrap().to_string_lossy().split('_').next().unwrap().to_owned()).collect();
    assert_eq!(shown, known);
}
