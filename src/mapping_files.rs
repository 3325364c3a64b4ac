//! Mapping files: drafts in `mappings.dir`, and those that come inside the program. Owns finding a mapping and what
//! it includes by name, and recording the latter, so that a published version holds all it is made of. A name never
//! leads out of the folder.

use crate::mapping::{Language, Published};
use rosterd_mapping::check::{self, Sources};
use rosterd_mapping::limits::{FILE_BYTES_MAX, TABLE_BYTES_MAX};
use rosterd_mapping::span::FileId;
use rosterd_mapping::syntax;
use std::cell::RefCell;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Shipped with the program, so that it needs no folder beside it. One of the same name in `mappings.dir` goes first.
const SHIPPED: &[(&str, &str)] = &[
    ("active-directory", include_str!("../mappings/active-directory.mapping")),
    ("adfs", include_str!("../mappings/adfs.mapping")),
    ("amazon", include_str!("../mappings/amazon.mapping")),
    ("apple", include_str!("../mappings/apple.mapping")),
    ("application", include_str!("../mappings/application.mapping")),
    ("directory-389", include_str!("../mappings/directory-389.mapping")),
    ("discord", include_str!("../mappings/discord.mapping")),
    ("entra-saml", include_str!("../mappings/entra-saml.mapping")),
    ("facebook", include_str!("../mappings/facebook.mapping")),
    ("github", include_str!("../mappings/github.mapping")),
    ("gitlab", include_str!("../mappings/gitlab.mapping")),
    ("google", include_str!("../mappings/google.mapping")),
    ("google-oauth2", include_str!("../mappings/google-oauth2.mapping")),
    ("google-saml", include_str!("../mappings/google-saml.mapping")),
    ("keycloak-saml", include_str!("../mappings/keycloak-saml.mapping")),
    ("linkedin", include_str!("../mappings/linkedin.mapping")),
    ("oauth2", include_str!("../mappings/oauth2.mapping")),
    ("oidc", include_str!("../mappings/oidc.mapping")),
    ("okta-saml", include_str!("../mappings/okta-saml.mapping")),
    ("onelogin", include_str!("../mappings/onelogin.mapping")),
    ("openldap", include_str!("../mappings/openldap.mapping")),
    ("salesforce", include_str!("../mappings/salesforce.mapping")),
    ("scim", include_str!("../mappings/scim.mapping")),
    ("shibboleth", include_str!("../mappings/shibboleth.mapping")),
    ("simplesamlphp", include_str!("../mappings/simplesamlphp.mapping")),
    ("slack", include_str!("../mappings/slack.mapping")),
    ("twitter", include_str!("../mappings/twitter.mapping")),
    ("waad", include_str!("../mappings/waad.mapping")),
    ("windowslive", include_str!("../mappings/windowslive.mapping")),
    // What `entra-saml` and `waad` include; no mapping of its own.
    ("tables/entra-groups.csv", include_str!("../mappings/tables/entra-groups.csv")),
];

/// Files looked at in one folder.
const FOLDER_FILES_MAX: usize = 10_000;

/// The draft called `name`, as version 1: `NAME.mapping` or `NAME.js` in `dir`, else the shipped one.
///
/// # Errors
/// In words: a file that can't be read, is too large or is no UTF-8, itself or among those it includes; two files of
/// one name.
pub fn find(dir: &Path, name: &str) -> Result<Option<Published>, String> {
    if !is_name(name) {
        return Ok(None);
    }
    let mut found = None;
    for language in [Language::Mapping, Language::JavaScript] {
        let path = dir.join(format!("{name}.{}", language.extension()));
        let Some(text) = read(&path)? else { continue };
        if found.is_some() {
            return Err(format!("{name}.mapping and {name}.js are both in {}: remove one", dir.display()));
        }
        found = Some((language, text));
    }
    let shipped = || SHIPPED.iter().find(|(shipped, _)| *shipped == name);
    let found = found.or_else(|| shipped().map(|(_, text)| (Language::Mapping, (*text).to_owned())));
    found.map(|(language, text)| draft(dir, name, language, text)).transpose()
}

/// `text`, which lies in `dir`, as version 1 with everything it includes.
///
/// # Errors
/// In words: something it includes can't be had.
pub fn draft(dir: &Path, name: &str, language: Language, text: String) -> Result<Published, String> {
    let folder = Folder::new(dir);
    if language == Language::Mapping {
        // What is wrong with the text itself is for whoever compiles it.
        check::compile(name, &text, &folder);
    }
    let Folder { taken, refused, .. } = folder;
    match refused.into_inner().into_iter().next() {
        Some(reason) => Err(reason),
        None => Ok(Published { name: name.to_owned(), version: 1, language, text, includes: taken.into_inner() }),
    }
}

/// The names of all drafts in `dir` and of the shipped mappings, sorted; a folder that is not there has none.
///
/// # Errors
/// In words: the folder can't be read, or holds too much.
pub fn names(dir: &Path) -> Result<Vec<String>, String> {
    let files = if dir.exists() { files(dir)? } else { Vec::new() };
    let stem = |path: &PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = files.iter().filter_map(stem).collect();
    names.extend(SHIPPED.iter().filter(|(name, _)| is_name(name)).map(|(name, _)| (*name).to_owned()));
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The mapping files of a folder, sorted; what lies deeper is there to be included.
///
/// # Errors
/// In words: the folder can't be read, or holds too much.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let said = |error: std::io::Error| format!("{} can't be read: {error}", dir.display());
    let mut files = Vec::new();
    for (count, entry) in std::fs::read_dir(dir).map_err(said)?.enumerate() {
        if count >= FOLDER_FILES_MAX {
            return Err(format!("{} holds more than {FOLDER_FILES_MAX} files", dir.display()));
        }
        let path = entry.map_err(said)?.path();
        if language(&path).is_some() && path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// What a file is written in, by its extension.
pub fn language(path: &Path) -> Option<Language> {
    let extension = path.extension()?;
    [Language::Mapping, Language::JavaScript].into_iter().find(|language| extension == language.extension())
}

/// The text of a mapping file; `None` if there is none.
///
/// # Errors
/// In words: it can't be read, is too large or is no UTF-8.
pub fn read(path: &Path) -> Result<Option<String>, String> {
    let Some(bytes) = read_bytes(path, FILE_BYTES_MAX)? else { return Ok(None) };
    let text = syntax::text_of(&bytes, FileId(0)).map_err(|diagnostic| format!("{}: {}", path.display(), diagnostic.message))?;
    Ok(Some(text.to_owned()))
}

fn read_bytes(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
    let said = |error: std::io::Error| format!("{} can't be read: {error}", path.display());
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(said(error)),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(said)?;
    if bytes.len() > bytes_max {
        return Err(format!("{} is larger than {bytes_max} bytes", path.display()));
    }
    Ok(Some(bytes))
}

/// Whether it can be the name of a mapping: of one file in the folder itself.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// What mappings of one folder include: files beside them, then the shipped ones. Remembers what was taken.
pub struct Folder {
    dir: PathBuf,
    /// In the order of asking: path and contents.
    taken: RefCell<Vec<(String, String)>>,
    refused: RefCell<Vec<String>>,
}

impl Folder {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), taken: RefCell::default(), refused: RefCell::default() }
    }

    fn take(&self, path: &str, bytes_max: usize) -> Result<String, String> {
        let result = self.look(path, bytes_max);
        match &result {
            Ok(text) if !self.taken.borrow().iter().any(|(known, _)| known == path) => {
                self.taken.borrow_mut().push((path.to_owned(), text.clone()));
            }
            Ok(_) => {}
            Err(reason) => self.refused.borrow_mut().push(format!("`{path}` can't be included: {reason}")),
        }
        result
    }

    fn look(&self, path: &str, bytes_max: usize) -> Result<String, String> {
        let is_inside = path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\\', ':', '\0']);
        if !is_inside {
            return Err("a path is relative and does not lead upwards".into());
        }
        let file = self.dir.join(path);
        if let Some(bytes) = read_bytes(&file, bytes_max)? {
            self.stays_inside(&file)?;
            return String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                format!("{} is not UTF-8: byte at offset {at}", file.display())
            });
        }
        let name = path.strip_suffix(".mapping").unwrap_or(path);
        let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name.strip_prefix("std/").unwrap_or(name));
        shipped.map(|(_, text)| (*text).to_owned()).ok_or_else(|| format!("there is no {}", file.display()))
    }

    /// A link may lead elsewhere in the folder, not out of it.
    fn stays_inside(&self, file: &Path) -> Result<(), String> {
        let real = |path: &Path| path.canonicalize().map_err(|error| format!("{} can't be read: {error}", path.display()));
        // Of a bare file name the folder is "".
        let dir = if self.dir.as_os_str().is_empty() { Path::new(".") } else { &self.dir };
        if real(file)?.starts_with(real(dir)?) {
            return Ok(());
        }
        Err(format!("{} is a link that leads out of {}", file.display(), dir.display()))
    }
}

impl Sources for Folder {
    fn include(&self, path: &str) -> Result<String, String> {
        self.take(path, FILE_BYTES_MAX)
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        self.take(path, TABLE_BYTES_MAX).map(String::into_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("lib")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("lib/names.mapping", "mapping names from scim to profile\nname = $displayName\n");
        write("lib/roles.csv", "id,name\n1,admin\n");
        write(
            "acme.mapping",
            "mapping acme from scim to profile\nuse \"lib/names.mapping\"\n\
             table role from \"lib/roles.csv\" (id, name) else absent\n\
             username = $userName\napp_metadata.role = role[$title]\n",
        );
        dir
    }

    #[test]
    fn a_draft_holds_all_it_is_made_of_and_runs_without_its_folder() {
        let dir = folder();
        let draft = find(dir.path(), "acme").unwrap().unwrap();
        let paths: Vec<&str> = draft.includes.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["lib/names.mapping", "lib/roles.csv"]);
        drop(dir);
        assert!(mapping::compile(&draft).is_ok());
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = folder();
        std::fs::remove_file(dir.path().join("lib/roles.csv")).unwrap();
        let reason = find(dir.path(), "acme").unwrap_err();
        assert!(reason.starts_with("`lib/roles.csv` can't be included: there is no "), "{reason}");
    }

    #[test]
    fn nothing_outside_the_folder_is_included() {
        let dir = folder();
        let inner = dir.path().join("lib");
        std::os::unix::fs::symlink(dir.path().join("acme.mapping"), inner.join("link.mapping")).unwrap();
        let folder = Folder::new(&inner);
        for path in ["../acme.mapping", "/etc/hostname", "a/../../acme.mapping", "link.mapping"] {
            assert!(folder.include(path).is_err(), "{path}");
        }
        assert!(folder.include("names.mapping").is_ok());
        assert_eq!(find(&inner, "../acme"), Ok(None));
    }

    #[test]
    fn shipped_mappings_are_included_where_no_file_is_in_their_way() {
        let dir = folder();
        let folder = Folder::new(dir.path());
        assert!(folder.include("std/scim").unwrap().contains("mapping scim from scim to profile"));
        std::fs::write(dir.path().join("scim.mapping"), "# own").unwrap();
        assert_eq!(folder.include("scim.mapping").unwrap(), "# own");
    }

    #[test]
    fn a_file_that_is_no_text_or_too_large_is_refused() {
        let dir = folder();
        std::fs::write(dir.path().join("latin.mapping"), b"# caf\xe9").unwrap();
        assert!(find(dir.path(), "latin").unwrap_err().contains("not UTF-8: byte 0xe9 at offset 5"));
        std::fs::write(dir.path().join("big.mapping"), " ".repeat(FILE_BYTES_MAX + 1)).unwrap();
        assert!(find(dir.path(), "big").unwrap_err().contains("larger than"));
    }

    #[test]
    fn drafts_are_listed_with_the_shipped_ones() {
        let shipped = [
            "active-directory",
            "adfs",
            "amazon",
            "apple",
            "application",
            "directory-389",
            "discord",
            "entra-saml",
            "facebook",
            "github",
            "gitlab",
            "google",
            "google-oauth2",
            "google-saml",
            "keycloak-saml",
            "linkedin",
            "oauth2",
            "oidc",
            "okta-saml",
            "onelogin",
            "openldap",
            "salesforce",
            "scim",
            "shibboleth",
            "simplesamlphp",
            "slack",
            "twitter",
            "waad",
            "windowslive",
        ];
        assert_eq!(names(Path::new("/nowhere/at/all")).unwrap(), shipped);
        let names = names(folder().path()).unwrap();
        assert_eq!((&*names[0], &names[1..]), ("acme", &shipped.map(str::to_owned)[..]));
    }

    #[test]
    fn every_shipped_mapping_runs_where_there_is_no_folder() {
        let nowhere = Path::new("/nowhere/at/all");
        for name in names(nowhere).unwrap() {
            let draft = find(nowhere, &name).unwrap().unwrap();
            assert!(mapping::compile(&draft).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_table_of_a_shipped_mapping_is_replaced_by_a_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tables")).unwrap();
        std::fs::write(dir.path().join("tables/entra-groups.csv"), "object_id,name\n1,admin\n").unwrap();
        let draft = find(dir.path(), "entra-saml").unwrap().unwrap();
        assert_eq!(draft.includes, [("tables/entra-groups.csv".to_owned(), "object_id,name\n1,admin\n".to_owned())]);
        assert_eq!(find(dir.path(), "tables/entra-groups.csv"), Ok(None));
    }
}
