//! The mappings that come with Rosterd and those of the reference compile without an error, and their tests pass.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

use rosterd_mapping::check::{self, Sources};
use rosterd_mapping::diagnostic::render::{self, Source};
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

fn passes(file: &Path) -> Result<(), String> {
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
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

#[test]
fn every_mapping_of_the_reference_passes_its_own_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mappings");
    let failed: Vec<String> = mappings(&folder)
        .iter()
        .filter_map(|file| passes(file).err().map(|said| format!("{}\n{said}", file.display())))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_shipped_mapping_passes_its_own_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
    let failed: Vec<String> = mappings(&folder)
        .iter()
        .filter_map(|file| passes(file).err().map(|said| format!("{}\n{said}", file.display())))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
