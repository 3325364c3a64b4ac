//! Mapping files: drafts in `mappings.dir`, and those that come inside the program. Owns finding a mapping and what
//! it includes by name. A name never leads out of the folder.

use crate::mapping::{Language, Published};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Shipped with the program, so that it needs no folder beside it. One of the same name in `mappings.dir` goes first.
const SHIPPED: &[(&str, &str)] = &[("scim", include_str!("../mappings/scim.mapping"))];

/// A file larger than this is no mapping.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The draft called `name`, as version 1: `NAME.mapping` or `NAME.js` in `dir`, else the shipped one.
///
/// # Errors
/// In words: a file that can't be read, is too large or is no UTF-8; two files of one name.
pub fn find(dir: &Path, name: &str) -> Result<Option<Published>, String> {
    let mut found = None;
    for language in [Language::Mapping, Language::JavaScript] {
        let path = dir.join(format!("{name}.{}", language.extension()));
        let Some(text) = read(&path)? else { continue };
        if found.is_some() {
            return Err(format!("{name}.mapping and {name}.js are both in {}: remove one", dir.display()));
        }
        found = Some(draft(name, language, text));
    }
    let shipped = || SHIPPED.iter().find(|(shipped, _)| *shipped == name);
    Ok(found.or_else(|| shipped().map(|(_, text)| draft(name, Language::Mapping, (*text).to_owned()))))
}

fn draft(name: &str, language: Language, text: String) -> Published {
    Published { name: name.to_owned(), version: 1, language, text, includes: Vec::new() }
}

/// The text of a file; `None` if there is none.
fn read(path: &PathBuf) -> Result<Option<String>, String> {
    let said = |error: std::io::Error| format!("{} can't be read: {error}", path.display());
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(said(error)),
    };
    if size > FILE_BYTES_MAX {
        return Err(format!("{} is larger than {FILE_BYTES_MAX} bytes", path.display()));
    }
    std::fs::read_to_string(path).map(Some).map_err(said)
}
