//! Whatever can be written compiles or is reported: no text makes the checker panic, run away or run out of stack.

#![expect(clippy::unwrap_used, reason = "a test says what it expects the short way")]

use proptest::prelude::*;
use rosterd_mapping::check::{Sources, compile};
use rosterd_mapping::diagnostic::Severity;
use rosterd_mapping::diagnostic::codes::Code;
use rosterd_mapping::limits::DIAGNOSTICS_MAX;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// Everything written for other tests: mappings that compile and mappings that do not.
static CORPUS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut texts = Vec::new();
    for folder in ["data/mappings", "diagnostics", "diagnostics/include"] {
        let mut paths: Vec<_> = fs::read_dir(tests.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let mappings = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "mapping"));
        texts.extend(mappings.map(|path| fs::read_to_string(path).unwrap()));
    }
    texts
});

struct Corpus;

impl Sources for Corpus {
    fn include(&self, path: &str) -> Result<String, String> {
        let number: usize = path.bytes().map(usize::from).sum();
        Ok(CORPUS[number % CORPUS.len()].clone())
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        if path.len().is_multiple_of(2) { Ok(b"code,name\na,\"b\"\n".to_vec()) } else { Err("no such file".to_owned()) }
    }
}

/// Words and signs of a text, as places to cut.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = if word(first) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        pieces.push(&rest[..length]);
        rest = &rest[length..];
    }
    pieces
}

fn compiles_or_reports(text: &str) -> Result<(), TestCaseError> {
    let compiled = compile("t", text, &Corpus);
    let errors = compiled.diagnostics.iter().any(|one| one.severity == Severity::Error);
    prop_assert!(compiled.plan.is_some() != errors, "{text}\n{:?}", compiled.diagnostics);
    prop_assert!(compiled.diagnostics.len() <= DIAGNOSTICS_MAX);
    for one in &compiled.diagnostics {
        let (_, text) = &compiled.files[usize::from(one.span.file.0)];
        prop_assert!(text.get(one.span.range()).is_some(), "{one:?}");
    }
    if let Some(plan) = &compiled.plan {
        prop_assert_eq!(plan.nodes.len(), plan.spans.len());
        for (id, node) in plan.nodes.iter().enumerate() {
            let mut children_first = true;
            node.each_child(|child| children_first &= (child as usize) < id);
            prop_assert!(children_first, "{node:?}");
        }
        rosterd_mapping::tester::run_tests(plan, &compiled.tests, &[]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mapping_with_pieces_of_others_in_it_compiles_or_is_reported(
        base in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_usize..3, 1_usize..6), 1..5),
    ) {
        let mut text = CORPUS[base.index(CORPUS.len())].clone();
        for (at, other, from, cut, take) in edits {
            let own = pieces(&text);
            let foreign = pieces(&CORPUS[other.index(CORPUS.len())]);
            let (at, from) = (at.index(own.len().max(1)), from.index(foreign.len()));
            let inserted = foreign[from..].iter().take(take).copied();
            let edited: String =
                own[..at.min(own.len())].iter().copied().chain(inserted).chain(own.iter().skip(at + cut).copied()).collect();
            text = edited;
        }
        compiles_or_reports(&text)?;
    }
}

fn codes(text: &str) -> Vec<Code> {
    compile("t", text, &Corpus).diagnostics.iter().map(|one| one.code).collect()
}

#[test]
fn a_chain_of_lets_written_backwards_is_bounded() {
    let mut text = "mapping t from ldap to profile\n".to_owned();
    for number in 0..5_000 {
        writeln!(text, "let a{number} = lower(a{})", number + 1).unwrap();
    }
    text.push_str("let a5000 = $cn\nname = a0\n");
    assert!(codes(&text).contains(&Code::M015));
}

#[test]
fn a_chain_of_lets_in_the_order_of_use_may_be_long() {
    let mut text = "mapping t from ldap to profile\nlet a0 = $cn\n".to_owned();
    for number in 0..2_000 {
        writeln!(text, "let a{} = lower(a{number})", number + 1).unwrap();
    }
    text.push_str("name = a2000\n");
    assert_eq!(codes(&text), []);
}

#[test]
fn consts_that_double_end_at_a_bound() {
    for (one, two) in [("[\"x\"]", "X + X"), ("\"xxxxxxxx\"", "\"{X}{X}\""), ("\"xxxxxxxx\"", "X + X")] {
        let mut text = format!("mapping t from ldap to profile\nconst a0 = {one}\n");
        for number in 0..40 {
            writeln!(text, "const a{} = {}", number + 1, two.replace('X', &format!("a{number}"))).unwrap();
        }
        text.push_str("app_metadata.x = a40\n");
        assert_eq!(codes(&text), [Code::M015], "{two}");
    }
}

#[test]
fn records_of_records_end_at_a_bound() {
    let mut text = "mapping t from json to profile\nlet a0 = { x: $x }\n".to_owned();
    for number in 0..60 {
        writeln!(text, "let a{} = {{ x: a{number}, y: a{number} }}", number + 1).unwrap();
    }
    text.push_str("app_metadata.x = a60.x.y.x\n");
    assert_eq!(codes(&text), []);
}

#[test]
fn more_rules_than_the_limit_are_refused() {
    let mut text = "mapping t from ldap to profile\n".to_owned();
    for number in 0..2_001 {
        writeln!(text, "app_metadata.a{number} = $cn").unwrap();
    }
    assert_eq!(codes(&text), [Code::M015]);
}

#[test]
fn a_thousand_mistakes_are_counted_and_a_hundred_said() {
    let mut text = "mapping t from ldap to profile\n".to_owned();
    for number in 0..1_000 {
        writeln!(text, "app_metadata.a{number} = $nowhere{number}").unwrap();
    }
    let compiled = compile("t", &text, &Corpus);
    assert_eq!((compiled.diagnostics.len(), compiled.uncounted), (DIAGNOSTICS_MAX, 900));
}

struct Chain;

impl Sources for Chain {
    fn include(&self, path: &str) -> Result<String, String> {
        let number: u32 = path.parse().map_err(|_| "no such file".to_owned())?;
        Ok(format!("mapping x from ldap to profile\nuse \"{}\"\n", number + 1))
    }

    fn table(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("no such file".to_owned())
    }
}

struct Wide;

impl Sources for Wide {
    fn include(&self, _: &str) -> Result<String, String> {
        Ok("mapping x from ldap to profile\n".to_owned())
    }

    fn table(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("no such file".to_owned())
    }
}

#[test]
fn includes_end_in_depth_and_in_number() {
    let deep = compile("t", "mapping t from ldap to profile\nuse \"1\"\n", &Chain);
    assert_eq!(deep.diagnostics.iter().map(|one| one.code).collect::<Vec<_>>(), [Code::M015]);
    assert_eq!(deep.files.len(), 1 + 8);

    let mut text = "mapping t from ldap to profile\n".to_owned();
    for number in 0..65 {
        writeln!(text, "use \"{number}\"").unwrap();
    }
    let wide = compile("t", &text, &Wide);
    assert_eq!(wide.diagnostics.iter().map(|one| one.code).collect::<Vec<_>>(), [Code::M015]);
}
