//! What other products can say, said in our language and run. A page of `equivalence/` is prose that becomes a page of
//! `docs/mapping`; in it `##` is a table, `###` a cell, and a cell is a mapping with runs:
//!
//! ```text
//! - given `{ upn: "ann" }`, peer: `"ann.test"`
//! - given `{}`, ours: `absent`. Why we differ
//! - carries `email`: `create, absent keep`
//! ```
//!
//! `peer` is what the other product documents, `ours` where we differ on purpose. Behind `given` may follow whatever a
//! test may hold (`existing`, `at`, `seed`); what is expected is a value, or an outcome of the mapping.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

mod snippets;

use rosterd_mapping::plan::{Plan, Rule};
use rosterd_mapping::target::{Absent, Merge};
use rosterd_mapping::tester;
use snippets::Snippet;
use std::path::{Path, PathBuf};

/// Every table with its number of cells: none goes without a trace.
const TABLES: &[(&str, &str, usize)] = &[
    ("entra.md", "Entra provisioning", 59),
    ("okta.md", "Okta EL (classic)", 38),
    ("okta.md", "Okta EL (Identity Engine)", 12),
    ("keycloak.md", "Keycloak identity-provider mappers", 11),
    ("keycloak.md", "Keycloak LDAP mappers", 8),
    ("keycloak.md", "Keycloak client (outgoing) mappers", 16),
    ("auth0.md", "Auth0", 18),
    ("others.md", "Others", 8),
];

/// Secrets for `hmac`.
const KEYS: &[(&str, &[u8])] = &[("pairwise", b"a secret of 32 bytes, or so it is")];

struct Cell {
    page: &'static str,
    table: String,
    name: String,
    text: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/equivalence")
}

fn page(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pages() -> Vec<&'static str> {
    let mut pages: Vec<&str> = TABLES.iter().map(|(page, ..)| *page).collect();
    pages.dedup();
    pages
}

fn cells(name: &'static str) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let (mut table, mut inside) = (String::new(), false);
    for line in page(name).lines() {
        if let Some(title) = line.strip_prefix("### ") {
            cells.push(Cell { page: name, table: table.clone(), name: title.to_owned(), text: String::new() });
            inside = true;
        } else if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut table);
            inside = false;
        } else if let (true, Some(cell)) = (inside, cells.last_mut()) {
            cell.text.push_str(line);
            cell.text.push('\n');
        }
    }
    cells
}

/// What stands in the first pair of backticks, and what follows them.
fn quoted(text: &str) -> (&str, &str) {
    let inner = text.strip_prefix('`').and_then(|rest| rest.split_once('`'));
    inner.unwrap_or_else(|| panic!("no backticks: {text}"))
}

/// Runs one cell; gives how many runs it had.
fn run(cell: &Cell) -> Result<usize, String> {
    let snippets = snippets::of(&cell.text);
    let [snippet] = &snippets[..] else { return Err(format!("{} mappings where one is wanted", snippets.len())) };
    let mut text = snippet.whole();
    let mut carried = Vec::new();
    let mut runs = 0;
    for line in cell.text.lines().filter(|line| line.starts_with("- ")) {
        if let Some(rest) = line.strip_prefix("- given ") {
            text.push_str(&test(snippet, runs, rest));
            runs += 1;
        } else if let Some(rest) = line.strip_prefix("- carries ") {
            let (target, rest) = quoted(rest);
            carried.push((target, quoted(rest.trim_start_matches(": ")).0));
        } else {
            return Err(format!("not understood: {line}"));
        }
    }
    if runs < 2 {
        return Err(format!("{runs} runs: one ordinary and one with input that is absent or bad are wanted"));
    }
    let compiled = snippets::compile(&text)?;
    let plan = compiled.plan.ok_or("no plan")?;
    let wrong: Vec<String> = tester::run_tests(&plan, &compiled.tests, KEYS)
        .tests
        .iter()
        .flat_map(|test| &test.mismatches)
        .map(|wrong| {
            let line = text[..wrong.span.start as usize].rfind('\n').map_or(0, |at| at + 1);
            let run = text[line..].lines().next().unwrap_or_default();
            format!("{run}\n    {}: expected {}, got {}", wrong.what, wrong.expected, wrong.actual)
        })
        .collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    for (target, words) in carried {
        carries(&plan, target, words)?;
    }
    Ok(runs)
}

/// One run as a test of the language.
fn test(snippet: &Snippet, number: usize, line: &str) -> String {
    let (given, rest) = quoted(line);
    let (who, rest) = rest.strip_prefix(", ").and_then(|rest| rest.split_once(": ")).unwrap_or_else(|| panic!("who? {line}"));
    let (expected, why) = quoted(rest);
    match who {
        "peer" => {}
        "ours" => assert!(why.trim_start_matches('.').trim().len() > 10, "no reason: {line}"),
        _ => panic!("peer or ours? {line}"),
    }
    let expect = match (snippet.is_expression(), expected) {
        (true, "error") => "error app_metadata.example".to_owned(),
        (true, value) => format!("{{ app_metadata: {{ example: {value} }} }}"),
        (false, outcome) => outcome.to_owned(),
    };
    format!("\ntest \"{number}\" {{ given {given} expect {expect} }}\n")
}

/// Whether a rule carries these words.
fn carries(plan: &Plan, target: &str, words: &str) -> Result<(), String> {
    let rule = plan.rules.iter().find(|rule| &*rule.target == target).ok_or_else(|| format!("no rule writes {target}"))?;
    let said = words_of(rule);
    let missing: Vec<&str> = words.split(", ").filter(|word| !said.iter().any(|said| said == word)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("{target} carries {said:?}, not {missing:?}")) }
}

fn words_of(rule: &Rule) -> Vec<String> {
    let absent = match rule.absent {
        Absent::Clear => "absent clear",
        Absent::Keep => "absent keep",
        Absent::Reject => "absent reject",
    };
    let merge = match rule.merge {
        Merge::Owned => "merge owned",
        Merge::Replace => "merge replace",
        Merge::Union => "merge union",
    };
    let policy = rule.policy.map_or("the connection's policy", rosterd_mapping::target::WritePolicy::as_str);
    let mut words = vec![policy.to_owned(), absent.to_owned(), merge.to_owned()];
    words.extend(rule.required.then(|| "required".to_owned()));
    words.extend(rule.sensitive.then(|| "sensitive".to_owned()));
    words.extend(rule.attributes.iter().map(|(word, value)| format!("{word} {value}")));
    words
}

#[test]
fn every_cell_gives_what_it_says() {
    let mut runs = 0;
    let mut wrong = Vec::new();
    for cell in pages().into_iter().flat_map(cells) {
        match run(&cell) {
            Ok(some) => runs += some,
            Err(said) => wrong.push(format!("{} / {} / {}\n{said}", cell.page, cell.table, cell.name)),
        }
    }
    assert!(wrong.is_empty(), "{} cells\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(runs > 330, "only {runs} runs");
}

#[test]
fn no_cell_of_a_table_is_dropped() {
    let cells: Vec<Cell> = pages().into_iter().flat_map(cells).collect();
    let mut found: Vec<(&str, &str, usize)> = Vec::new();
    for cell in &cells {
        match found.iter_mut().find(|(page, table, _)| *page == cell.page && *table == cell.table) {
            Some((.., count)) => *count += 1,
            None => found.push((cell.page, &cell.table, 1)),
        }
    }
    assert_eq!(found, TABLES);
}

#[test]
fn a_cell_stands_once() {
    let mut names: Vec<String> =
        pages().into_iter().flat_map(cells).map(|cell| format!("{} / {} / {}", cell.page, cell.table, cell.name)).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}
