//! Importers on inputs as they look in the field: the mapping beside each input is what comes of it, compiles, is
//! formatted, and carries a test per captured entry (`NAME.entries.ndjson`) that passes. `BLESS=1` writes the mappings.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

use rosterd_mapping::check::{self, Sources};
use rosterd_mapping::diagnostic::render::{self, Source};
use rosterd_mapping::import::{Format, Imported, detect, import};
use rosterd_mapping::{syntax, tester};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

struct NoFiles;

impl Sources for NoFiles {
    fn include(&self, path: &str) -> Result<String, String> {
        Err(path.to_owned())
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(path.to_owned())
    }
}

fn inputs() -> Vec<(Format, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let mut out = Vec::new();
    for format in Format::ALL {
        let folder = root.join(format.as_str());
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let files = files.map(|file| file.expect("a readable folder").path());
        out.extend(files.filter(|file| file.extension().is_some_and(|e| e == "json" || e == "js")).map(|file| (format, file)));
    }
    out.sort_by(|a, b| a.1.cmp(&b.1));
    assert!(out.len() >= 9, "the folders of inputs are there");
    out
}

fn imported(format: Format, file: &Path) -> Imported {
    let text = std::fs::read_to_string(file).expect("a readable input");
    assert_eq!(detect(&text).expect("a known format"), format, "{}", file.display());
    let entries: Vec<Map<String, Value>> = std::fs::read_to_string(file.with_extension("entries.ndjson"))
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).expect("an entry"))
        .collect();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let imported = import(&name, &text, format, &entries).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(imported.tests, entries.len(), "{}: every captured entry becomes a test", file.display());
    imported
}

#[test]
fn each_input_becomes_the_mapping_beside_it() {
    for (format, file) in inputs() {
        let imported = imported(format, &file);
        let beside = file.with_extension("mapping");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&beside, &imported.text).expect("a writable folder");
        }
        let wanted = std::fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(imported.text, wanted, "{}", file.display());
    }
}

#[test]
fn what_is_imported_compiles_is_formatted_and_passes_its_tests() {
    for (format, file) in inputs() {
        let imported = imported(format, &file);
        let compiled = check::compile("imported", &imported.text, &NoFiles);
        let files: Vec<Source<'_>> = compiled.files.iter().map(|(name, text)| Source { name, text }).collect();
        let said = render::terminal(&compiled.diagnostics, &files, false);
        let Some(plan) = compiled.plan else { panic!("{}\n{said}", file.display()) };
        assert!(tester::run_tests(&plan, &compiled.tests, &[]).passed(), "{}", file.display());
        assert_eq!(compiled.tests.len(), imported.tests);
        assert_eq!(syntax::format(&imported.text).ok().as_deref(), Some(&*imported.text), "{}", file.display());
    }
}
