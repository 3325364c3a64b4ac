//! Holds the source to the table "Who may use whom" of ARCHITECTURE.md: the table is read from there, so that it can't
//! say one thing and the code another. Test code may use what it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Modules and what each may use; `None`: everything.
type Table = BTreeMap<String, Option<BTreeSet<String>>>;

#[test]
fn every_module_uses_only_what_the_architecture_allows() {
    let table = table(&read(&Path::new(ROOT).join("ARCHITECTURE.md")));
    let mut strangers = Vec::new();
    for file in sources(&Path::new(ROOT).join("src")) {
        let module = module_of(&file);
        let Some(allowed) = table.get(&module) else {
            strangers.push(format!("{}: the table has no row for `{module}`", file.display()));
            continue;
        };
        let Some(allowed) = allowed else { continue };
        for used in used_modules(&read(&file)) {
            if used != module && !allowed.contains(&used) && table.contains_key(&used) {
                strangers.push(format!("{}: `{module}` may not use `{used}`", file.display()));
            }
        }
    }
    assert!(strangers.is_empty(), "{}", strangers.join("\n"));
}

#[test]
fn every_row_of_the_table_names_a_module_that_is_there() {
    let known: BTreeSet<String> = sources(&Path::new(ROOT).join("src")).iter().map(|file| module_of(file)).collect();
    let gone: Vec<String> =
        table(&read(&Path::new(ROOT).join("ARCHITECTURE.md"))).into_keys().filter(|name| !known.contains(name)).collect();
    assert_eq!(gone, Vec::<String>::new());
}

#[test]
fn uses_are_found_in_every_form_and_not_in_comments_or_tests() {
    let text = "\
        //! [`crate::api`]\n\
        use crate::model::ids;\n\
        use crate::{clock::Clock, store::{Row, batch}};\n\
        fn f() { crate::scim::http::g(crate::args![1]) } // crate::web\n\
        #[cfg(test)]\n\
        mod tests { use crate::oidc; }\n";
    let used: Vec<String> = used_modules(text).into_iter().collect();
    assert_eq!(used, ["args", "clock", "model", "scim/http", "store"]);
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the table: names in backticks on the left, what they may use on the right.
fn table(document: &str) -> Table {
    let (_, section) = document.split_once("## Who may use whom").expect("the section is there");
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut table = Table::new();
    for row in rows.skip(2) {
        let mut cells = row.trim_matches('|').split('|');
        let (left, right) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        // "`scim` except `scim/http`" is a row for `scim`.
        let left = left.split(" except ").next().unwrap_or_default();
        let allowed = (right.trim() != "everything").then(|| in_backticks(right));
        for name in in_backticks(left) {
            table.insert(name, allowed.clone());
        }
    }
    table
}

fn in_backticks(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Every source file but tests and the two that only list modules.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match (path.is_dir(), name) {
            (_, "tests" | "tests.rs" | "lib.rs" | "main.rs") => {}
            (true, _) => files.extend(sources(&path)),
            (false, _) if name.ends_with(".rs") => files.push(path),
            _ => {}
        }
    }
    files
}

/// `src/store/batch.rs` → `store`; below `src/scim/http` → `scim/http`.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(Path::new(ROOT).join("src")).expect("below src").with_extension("");
    let parts: Vec<&str> = inside.iter().filter_map(|part| part.to_str()).collect();
    if parts.starts_with(&["scim", "http"]) { String::from("scim/http") } else { parts[0].to_owned() }
}

/// The modules that non-test code names by `crate::…`.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    code.split("crate::").skip(1).flat_map(first_names).collect()
}

/// What follows `crate::`: one path, or the first name of each in braces.
fn first_names(rest: &str) -> Vec<String> {
    let Some(list) = rest.strip_prefix('{') else { return vec![first_name(rest)] };
    let (mut depth, mut names, mut path) = (0, Vec::new(), String::new());
    for character in list.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => names.push(first_name(std::mem::take(&mut path).trim())),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => path.push(character),
        }
    }
    names.push(first_name(path.trim()));
    names.retain(|name| !name.is_empty());
    names
}

fn first_name(path: &str) -> String {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    if path.starts_with("scim::http") { String::from("scim/http") } else { name(path) }
}
