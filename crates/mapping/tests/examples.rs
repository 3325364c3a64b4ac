//! The mappings that come with Rosterd and those of the reference compile without an error, and their tests pass.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

use rosterd_mapping::check::{self, Sources};
use rosterd_mapping::diagnostic::Diagnostic;
use rosterd_mapping::diagnostic::render::{self, Source};
use rosterd_mapping::syntax::format;
use rosterd_mapping::tester;
use std::path::{Path, PathBuf};

struct Folder(PathBuf);

impl Sources for Folder {
    fn include(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(path)).map_err(|error| error.to_string())
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|error| error.to_string())
    }
}

fn mappings(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "mapping"));
    files.sort();
    assert!(!files.is_empty(), "{} holds no mapping", folder.display());
    files
}

/// A lint may stay where the line above says why: `# L05: …`.
fn explained(lint: &Diagnostic, text: &str) -> bool {
    let above = text[..lint.span.start as usize].lines().rev().nth(1).unwrap_or_default();
    above.starts_with(&format!("# {}: ", lint.code))
}

/// With `whole` a lint is a failure, too: also a rule that no test looks at.
fn passes(file: &Path, whole: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.parent().unwrap_or(Path::new(".")).to_path_buf();
    let compiled = check::compile(&name, &text, &Folder(folder));
    let files: Vec<Source<'_>> = compiled.files.iter().map(|(name, text)| Source { name, text }).collect();
    let said = render::terminal(&compiled.diagnostics, &files, false);
    let Some(plan) = compiled.plan else { return Err(said) };
    let run = tester::run_tests(&plan, &compiled.tests, &[]);
    let failed: Vec<String> = run
        .tests
        .iter()
        .filter(|test| !test.mismatches.is_empty())
        .map(|test| format!("{}: {:#?}", test.name, test.mismatches))
        .collect();
    let unexplained = |diagnostic: &Diagnostic| !explained(diagnostic, &text);
    let lints: Vec<Diagnostic> =
        compiled.diagnostics.iter().cloned().chain(run.lints(&plan)).filter(|lint| whole && unexplained(lint)).collect();
    let lints = render::terminal(&lints, &files, false);
    if failed.is_empty() && lints.is_empty() { Ok(()) } else { Err(failed.join("\n") + &lints) }
}

fn shipped() -> Vec<PathBuf> {
    mappings(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings"))
}

#[test]
fn every_mapping_of_the_reference_passes_its_own_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mappings");
    let failed: Vec<String> = mappings(&folder)
        .iter()
        .filter_map(|file| passes(file, false).err().map(|said| format!("{}\n{said}", file.display())))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_shipped_mapping_passes_its_own_tests_and_leaves_no_rule_untested() {
    let failed: Vec<String> =
        shipped().iter().filter_map(|file| passes(file, true).err().map(|said| format!("{}\n{said}", file.display()))).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_shipped_mapping_is_written_as_the_formatter_writes_it() {
    for file in shipped() {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let formatted = format(&text).unwrap_or_else(|said| panic!("{}: {said:?}", file.display()));
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(&file, &formatted).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        } else {
            assert!(text == formatted, "{}: run this test with REWRITE=1", file.display());
        }
    }
}
