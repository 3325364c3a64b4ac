//! `rosterd mapping import`: another product's mapping as one of ours, with what could not be translated, and proof on
//! captured entries that a script and its translation give the same.

use crate::cli::output;
use crate::mapping::{self, Gate, Given, Input, Language, Mapped, Published};
use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;
use rosterd_mapping::import::{self, ENTRIES_MAX, Format, Imported, TEXT_BYTES_MAX};
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Some of it is not translated, or gives something else.
const EXIT_PARTLY: u8 = 3;
const ENTRIES_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Entries compared; all of them unless somebody hands over a whole directory.
const COMPARED_MAX: usize = 100_000;
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// profileMapper.js, a connection's fieldsMap, or an inbound SCIM map; `-` is standard input
    file: PathBuf,
    /// What the file is, where it does not show: auth0-saml, auth0-scim, auth0-oauth, profile-mapper
    #[arg(long, value_name = "FORMAT", value_parser = format_of)]
    from: Option<Format>,
    /// Captured entries, one JSON object a line: they become tests, and a script is compared with its translation
    #[arg(long, value_name = "FILE")]
    entries: Option<PathBuf>,
    /// Where the mapping goes; without it, standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

fn format_of(name: &str) -> Result<Format, String> {
    let known: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
    Format::parse(name).ok_or_else(|| format!("it is one of {}", known.join(", ")))
}

/// A value on which the script and its translation do not agree.
#[derive(Debug, PartialEq, serde::Serialize)]
pub struct Difference {
    /// From 1.
    entry: usize,
    target: String,
    original: Value,
    imported: Value,
}

/// What the comparison found.
#[derive(Debug, Default, PartialEq, serde::Serialize)]
pub struct Proof {
    /// Entries on which both ran, or which neither takes.
    compared: usize,
    /// Entries the original fails on: with what.
    failed: Vec<(usize, String)>,
    differences: Vec<Difference>,
}

pub fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let text = read(&args.file, TEXT_BYTES_MAX as u64 + 1)?;
    let entries = args.entries.as_deref().map(entries).transpose()?;
    let format = match args.from {
        Some(format) => format,
        None => import::detect(&text)?,
    };
    let name = args.file.file_name().map_or_else(|| "standard input".into(), |name| name.to_string_lossy());
    let captured = entries.as_deref().unwrap_or_default();
    // A mapping goes by the name of its file.
    let to = args.output.as_deref().and_then(Path::file_name).map_or_else(|| name.clone(), |name| name.to_string_lossy());
    let imported = import::import_as(&to, &name, &text, format, &captured[..captured.len().min(ENTRIES_MAX)])?;
    let proof = match &entries {
        Some(entries) if format == Format::ProfileMapper => Some(prove(&text, &imported.text, entries)?),
        _ => None,
    };
    if let Some(path) = &args.output {
        write_new(path, &imported.text)?;
    }
    report(args, &imported, proof.as_ref(), captured.len())?;
    let proven = proof.is_none_or(|proof| proof.differences.is_empty());
    Ok(if imported.untranslated.is_empty() && proven { ExitCode::SUCCESS } else { ExitCode::from(EXIT_PARTLY) })
}

/// A file or standard input, as UTF-8, no more than so many bytes.
fn read(path: &Path, bytes_max: u64) -> anyhow::Result<String> {
    let shown = path.display();
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(bytes_max).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("{shown} can't be read"))?;
        file.take(bytes_max).read_to_string(&mut text)
    };
    read.with_context(|| format!("{shown} can't be read as UTF-8 text"))?;
    Ok(text)
}

/// What is there may have been corrected by hand: it is not written over.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let file =
        std::fs::File::create_new(path).with_context(|| format!("{} can't be made: a file that is there stays", path.display()));
    file?.write_all(text.as_bytes()).with_context(|| format!("{} can't be written", path.display()))
}

fn entries(path: &Path) -> anyhow::Result<Vec<Map<String, Value>>> {
    let text = read(path, ENTRIES_BYTES_MAX + 1)?;
    if text.len() as u64 > ENTRIES_BYTES_MAX {
        bail!("{} is larger than {ENTRIES_BYTES_MAX} bytes", path.display());
    }
    let mut out = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if out.len() >= COMPARED_MAX {
            bail!("{} holds more than {COMPARED_MAX} entries", path.display());
        }
        let entry = serde_json::from_str(line).with_context(|| format!("{}, line {}: no JSON object", path.display(), at + 1))?;
        out.push(entry);
    }
    Ok(out)
}

/// Runs the script and the mapping on every entry and compares, target by target.
fn prove(script: &str, mapping: &str, entries: &[Map<String, Value>]) -> anyhow::Result<Proof> {
    let load = |language: Language, text: &str| {
        let published =
            Published { name: "imported".to_owned(), version: 1, language, text: text.to_owned(), includes: Vec::new() };
        mapping::compile(&published).map_err(anyhow::Error::msg)
    };
    let original = load(Language::JavaScript, script).context("the script does not run")?;
    let imported = load(Language::Mapping, mapping)?;
    let mut proof = Proof::default();
    for (at, entry) in entries.iter().enumerate() {
        let input = Input { payload: entry, stored: None, now: 0, seed: [0; 32] };
        let (original, imported) = (original.map(&input), imported.map(&input));
        let refusal = original.given.iter().find_map(|(rule, given)| match given {
            Given::Error(message) if rule.required => Some(message.clone()),
            _ => None,
        });
        match (refusal, &imported.gate) {
            // Neither takes the entry.
            (Some(_), Some(_)) => {
                proof.compared += 1;
                continue;
            }
            (Some(message), None) => {
                proof.failed.push((at + 1, message));
                continue;
            }
            (None, Some(Gate::Skip { reason } | Gate::Deny { reason })) => {
                proof.compared += 1;
                proof.differences.push(Difference {
                    entry: at + 1,
                    target: "the entry".to_owned(),
                    original: "a profile".into(),
                    imported: format!("skipped: {reason}").into(),
                });
                continue;
            }
            (None, None) => proof.compared += 1,
        }
        for (rule, given) in imported.given {
            let (was, is) = (value_of(&original, &rule.target), shown(Some(&given)));
            if !alike(&was, &is) {
                proof.differences.push(Difference {
                    entry: at + 1,
                    target: rule.target.to_string(),
                    original: was,
                    imported: is,
                });
            }
        }
    }
    Ok(proof)
}

fn shown(given: Option<&Given>) -> Value {
    match given {
        Some(Given::Value(value)) => value.clone(),
        Some(Given::Error(message)) => json!({ "error": message }),
        Some(Given::Absent | Given::Keep | Given::FirstFree(_)) | None => Value::Null,
    }
}

/// Under a target: a rule of the script, or what it hands on under a name of its own.
fn value_of(original: &Mapped, target: &str) -> Value {
    if let Some((_, given)) = original.given.iter().find(|(rule, _)| &*rule.target == target) {
        return shown(Some(given));
    }
    let path: Vec<&str> = target.split('.').collect();
    let at = |path: &[&str]| {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(original.extras.get(*first)?, |value, name| value.get(*name)).cloned()
    };
    let below = path.strip_prefix(&["app_metadata"]).filter(|rest| !rest.is_empty());
    at(&path).or_else(|| at(below?)).unwrap_or(Value::Null)
}

/// Nothing is nothing, however it is said; a date is its instant; of several values the first is one.
fn alike(was: &Value, is: &Value) -> bool {
    let nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if was == is || (nothing(was) && nothing(is)) {
        return true;
    }
    match (was, is) {
        (Value::String(was), Value::String(is)) => match (was.parse::<Timestamp>(), is.parse::<Timestamp>()) {
            (Ok(was), Ok(is)) => was == is,
            _ => false,
        },
        _ => false,
    }
}

fn report(args: &ImportArgs, imported: &Imported, proof: Option<&Proof>, captured: usize) -> anyhow::Result<()> {
    if args.json {
        output::json(&json!({ "imported": imported, "proof": proof }))?;
        return Ok(());
    }
    if args.output.is_none() {
        print!("{}", imported.text);
    }
    for left in &imported.untranslated {
        eprintln!("not translated, {}: {}", left.at, output::printable(&left.what));
        eprintln!("    {}", output::printable(&left.why));
        if let Some(suggestion) = &left.suggestion {
            eprintln!("    {}", output::printable(suggestion));
        }
    }
    if captured > 0 {
        eprintln!("{} of {captured} captured entries became tests", imported.tests);
    }
    let Some(proof) = proof else { return Ok(()) };
    for (entry, message) in proof.failed.iter().take(SHOWN_MAX) {
        eprintln!("entry {entry}: the original fails: {}", output::printable(message));
    }
    for difference in proof.differences.iter().take(SHOWN_MAX) {
        let Difference { entry, target, original, imported } = difference;
        eprintln!("entry {entry}: {target}: the original gives {original}, the import {imported}");
    }
    eprintln!(
        "{} entries compared, {} differences; the original fails on {}",
        proof.compared,
        proof.differences.len(),
        proof.failed.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("an object") };
        object
    }

    fn proof(script: &str, entries: &[Map<String, Value>]) -> (Imported, Proof) {
        let imported = import::import("m.js", script, Format::ProfileMapper, entries).expect("a script");
        let proof = prove(script, &imported.text, entries).expect("both run");
        (imported, proof)
    }

    #[test]
    fn a_script_and_its_import_agree_on_captured_entries() {
        for name in ["default", "rich"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/mapping/tests/import/profile-mapper");
            let script = std::fs::read_to_string(folder.join(format!("{name}.js"))).expect("a script");
            let entries = entries(&folder.join("rich.entries.ndjson")).expect("entries");
            let (imported, proof) = proof(&script, &entries);
            assert_eq!(imported.untranslated, []);
            assert_eq!(proof.compared, 2, "{name}: {:?}", proof.failed);
            let told: Vec<&str> = proof.differences.iter().map(|difference| &*difference.target).collect();
            // `groups` of the default mapper are worked out by the connector, which these entries do not hold.
            let expected: &[&str] = if name == "default" { &["groups", "groups"] } else { &[] };
            assert_eq!(told, expected, "{:?}", proof.differences);
        }
    }

    #[test]
    fn a_difference_is_found_and_told() {
        let script = "module.exports = r => ({ id: r.uid, nickname: r.a + '!', tags: r.b });";
        let entries =
            [object(json!({"dn": "cn=x", "uid": "u", "b": ["1", "2"]})), object(json!({"dn": "cn=y", "uid": "v", "a": "é"}))];
        let (_, proof) = proof(script, &entries);
        assert_eq!(
            proof.differences,
            [
                Difference { entry: 1, target: "nickname".into(), original: "undefined!".into(), imported: Value::Null },
                Difference { entry: 1, target: "app_metadata.tags".into(), original: json!(["1", "2"]), imported: "1".into() },
            ]
        );
    }

    #[test]
    fn an_entry_the_script_fails_on_is_counted_apart() {
        let (_, proof) = proof("module.exports = r => ({ id: r.uid, x: r.a.trim() });", &[object(json!({"dn": "cn=x"}))]);
        assert_eq!((proof.compared, proof.failed.len()), (0, 1));
        assert!(proof.failed[0].1.contains("of undefined"), "{:?}", proof.failed);
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.mapping");
        write_new(&path, "a").expect("a new file");
        assert!(write_new(&path, "b").unwrap_err().to_string().contains("stays"));
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "a");
    }
}
