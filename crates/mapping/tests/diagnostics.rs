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

/// A case in no file of its own, but for the one that is about the file's name.
fn compiled(name: &str, text: &str) -> Compiled {
    let file = if about(name) == "L17" { format!("{name}.mapping") } else { name.to_owned() };
    compile(&file, text, &Files)
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
        let compiled = compiled(&name, &mapping);
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
        let compiled = compiled(&name, &split(&text).1);
        let errors = compiled.diagnostics.iter().any(|one| one.code.as_str().starts_with('M'));
        assert_eq!(compiled.plan.is_some(), !errors, "{name}");
    }
}

#[test]
fn every_error_and_lint_has_a_way_out_and_points_into_its_text() {
    for (name, text) in cases() {
        for one in compiled(&name, &split(&text).1).diagnostics {
            assert!(one.help.is_some(), "{name}: {one:?}");
        }
    }
}

/// `m003_near` is a case of M003; `fine_…` says nothing.
fn about(name: &str) -> String {
    name.split('_').next().unwrap_or_default().to_uppercase()
}

#[test]
fn each_case_shows_the_code_it_is_named_after() {
    for (name, text) in cases().into_iter().filter(|(name, _)| !name.starts_with("fine_")) {
        let said = compiled(&name, &split(&text).1).diagnostics;
        assert!(said.iter().any(|one| one.code.as_str() == about(&name)), "{name}: {said:?}");
    }
}

#[test]
fn the_codes_of_compiling_are_exactly_those_with_a_case_here() {
    // What a run says, and L07 of the tester, has its cases in `said/`.
    let of_a_run = |code: &str| (code.starts_with('M') && code >= "M100") || code.starts_with('N') || code == "L07";
    let known: BTreeSet<String> =
        Code::ALL.iter().map(|code| code.as_str()).filter(|code| !of_a_run(code)).map(str::to_owned).collect();
    let shown: BTreeSet<String> =
        cases().iter().filter(|(name, _)| !name.starts_with("fine_")).map(|(name, _)| about(name)).collect();
    assert_eq!(shown, known);
}
