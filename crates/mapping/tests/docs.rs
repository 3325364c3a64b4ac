//! `docs/mapping`: what is generated is what its source gives (run with `REWRITE=1` to write it), and every mapping in
//! it compiles, passes the tests inside it, or is refused with the diagnostic it is there to show.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

mod snippets;

use rosterd_mapping::functions::reference;
use rosterd_mapping::tester;
use snippets::Snippet;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mapping")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn written(name: &str, text: &str) {
    let path = docs().join(name);
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    } else {
        assert!(read(&path) == text, "docs/mapping/{name} is not what its source gives: run this test with REWRITE=1");
    }
}

#[test]
fn the_page_of_functions_is_the_registry() {
    written("functions.md", &reference::markdown());
}

#[test]
fn the_pages_for_those_who_come_from_elsewhere_are_the_cells_that_are_run() {
    for page in ["auth0", "entra", "keycloak", "okta", "others"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/equivalence/{page}.md"));
        written(&format!("coming-from-{page}.md"), &read(&source));
    }
}

fn pages() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(docs()).unwrap_or_else(|error| panic!("docs/mapping: {error}"));
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

fn holds(snippet: &Snippet) -> Result<(), String> {
    let compiled = match (snippets::compile(&snippet.whole()), snippet.refused()) {
        (Ok(compiled), None) => compiled,
        (Err(said), None) => return Err(said),
        (Ok(_), Some(code)) => return Err(format!("compiles, and {code} was expected")),
        (Err(said), Some(code)) if said.contains(&format!("[{code}]")) => return Ok(()),
        (Err(said), Some(code)) => return Err(format!("{code} was expected\n{said}")),
    };
    let plan = compiled.plan.ok_or("no plan")?;
    let run = tester::run_tests(&plan, &compiled.tests, &[]);
    let wrong =
        |test: &tester::TestReport| (!test.mismatches.is_empty()).then(|| format!("{}: {:?}", test.name, test.mismatches));
    let wrong: Vec<String> = run.tests.iter().filter_map(wrong).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

#[test]
fn every_mapping_in_the_guide_holds() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for snippet in snippets::of(&read(&page)) {
            count += 1;
            if let Err(said) = holds(&snippet) {
                wrong.push(format!("docs/mapping/{name}:{}\n{said}", snippet.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count > 150, "only {count} mappings were found");
}

#[test]
fn the_guide_links_to_files_that_are_there() {
    let mut missing = Vec::new();
    for page in pages() {
        for rest in read(&page).split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !docs().join(target).exists() {
                missing.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
