//! What is wrong with a mapping, said where, how, and with what way out: one file per case in `diagnostics/`, its
//! expectations in the comments on top (`#!`). `UPDATE_EXPECTATIONS=1` writes them anew, for review.

#![expect(clippy::unwrap_used, reason = "a test says what it expects the short way")]

use rosterd_mapping::check::{Compiled, Sources, compile};
use rosterd_mapping::diagnostic::codes::Code;
use rosterd_mapping::span::line_of;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

struct Files;

impl Sources for Files {
    fn include(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(folder().join(format!("{path}.mapping"))).map_err(|_| "no such file".to_owned())
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(folder().join(path)).map_err(|_| "no such file".to_owned())
    }
}

fn cases() -> Vec<(String, String)> {
    let mut cases: Vec<(String, String)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mapping"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    cases.sort();
    cases
}

/// `CODE line `text`: message (label)`, then notes, help and fix.
fn said(compiled: &Compiled) -> String {
    let mut out = String::new();
    for one in &compiled.diagnostics {
        let (name, text) = &compiled.files[usize::from(one.span.file.0)];
        let place = if one.span.file.0 == 0 { String::new() } else { format!("{name}:") };
        let line = line_of(text, one.span.start);
        let label = if one.label.is_empty() { String::new() } else { format!(" ({})", one.label) };
        writeln!(out, "#! {} {place}{line} `{}`: {}{label}", one.code, &text[one.span.range()], one.message).unwrap();
        for (span, note) in &one.secondary {
            let (_, text) = &compiled.files[usize::from(span.file.0)];
            writeln!(out, "#!     {} `{}`: {note}", line_of(text, span.start), &text[span.range()]).unwrap();
        }
        if let Some(help) = &one.help {
            writeln!(out, "#!     help: {help}").unwrap();
        }
        if let Some(fix) = &one.fix {
            writeln!(out, "#!     fix: `{}` -> `{}`", &text[fix.span.range()], fix.replacement).unwrap();
        }
    }
    out
}

fn split(text: &str) -> (String, String) {
    let expected: String =
        text.lines().take_while(|line| line.starts_with("#!")).fold(String::new(), |all, line| all + line + "\n");
    let rest = text[expected.len().min(text.len())..].to_owned();
    (expected, rest)
}

#[test]
fn each_case_says_exactly_what_stands_above_it() {
    let mut wrong = String::new();
    for (name, text) in cases() {
        let (expected, mapping) = split(&text);
        let compiled = compile(&name, &mapping, &Files);
        let actual = said(&compiled);
        if std::env::var_os("UPDATE_EXPECTATIONS").is_some() {
            fs::write(folder().join(format!("{name}.mapping")), format!("{actual}{mapping}")).unwrap();
        } else if actual != expected {
            writeln!(wrong, "{name}\nexpected:\n{expected}said:\n{actual}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn there_is_a_plan_exactly_when_nothing_is_an_error() {
    for (name, text) in cases() {
        let compiled = compile(&name, &split(&text).1, &Files);
        let errors = compiled.diagnostics.iter().any(|one| one.code.as_str().starts_with('M'));
        assert_eq!(compiled.plan.is_some(), !errors, "{name}");
    }
}

#[test]
fn every_error_and_lint_has_a_way_out_and_points_into_its_text() {
    for (name, text) in cases() {
        for one in compile(&name, &split(&text).1, &Files).diagnostics {
            assert!(one.help.is_some(), "{name}: {one:?}");
        }
    }
}

#[test]
fn every_code_of_the_checker_has_a_case() {
    // M001, M012 and M014 are the parser's, L07 the tester's, M1xx and N01 those of a run.
    const ELSEWHERE: [&str; 5] = ["M001", "M012", "M014", "L07", "N01"];
    let run_time = |code: &str| code.starts_with("M1") && code >= "M100";
    let covered: BTreeSet<&str> = cases()
        .iter()
        .flat_map(|(name, text)| compile(name, &split(text).1, &Files).diagnostics)
        .map(|one| one.code.as_str())
        .collect();
    let missing: Vec<&str> = Code::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| !ELSEWHERE.contains(code) && !run_time(code) && !covered.contains(code))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}
