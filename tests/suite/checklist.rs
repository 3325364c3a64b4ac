//! `docs/scim-checklist.md` says which test shows what of the RFCs, and which shows its refusal. Here it is held to that:
//! every row of the lists below stands there, and every test it names is one that runs.
//!
//! Tests are found as the compiler finds them, from `main.rs` and `lib.rs` along the modules: a name in a comment, a text, a
//! file that no module names or an ignored test is none. `docs/oidc-checklist.md` and
//! `docs/profile-checklist.md` are held to the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

const PAGE: &str = "docs/scim-checklist.md";
const OIDC_PAGE: &str = "docs/oidc-checklist.md";
const PROFILE_PAGE: &str = "docs/profile-checklist.md";

/// Rows of the tables of the RFCs: each with a test and a refusal, or one of [`NOTHING_TO_REFUSE`].
const ITEMS: [&str; 87] = [
    "7643-2.1-a",
    "7643-2.2-a",
    "7643-2.3-a",
    "7643-2.3-b",
    "7643-2.3-c",
    "7643-2.4-a",
    "7643-2.5-a",
    "7643-3-a",
    "7643-3.1-a",
    "7643-3.1-b",
    "7643-3.1-c",
    "7643-3.3-a",
    "7643-3.3-b",
    "7643-4.1-a",
    "7643-4.1-b",
    "7643-4.1-c",
    "7643-4.1-d",
    "7643-4.1.2-a",
    "7643-4.2-a",
    "7643-4.2-b",
    "7643-4.2-c",
    "7643-4.3-a",
    "7643-4.3-b",
    "7643-5-a",
    "7643-5-b",
    "7643-6-a",
    "7643-7-a",
    "7644-3.1-a",
    "7644-3.1-b",
    "7644-3.13-a",
    "7644-3.3-a",
    "7644-3.3-b",
    "7644-3.3-c",
    "7644-3.4.1-a",
    "7644-3.4.2-a",
    "7644-3.4.2-b",
    "7644-3.4.2-c",
    "7644-3.4.2-d",
    "7644-3.4.2.2-a",
    "7644-3.4.2.2-b",
    "7644-3.4.2.2-c",
    "7644-3.4.2.2-d",
    "7644-3.4.2.2-e",
    "7644-3.4.2.2-f",
    "7644-3.4.2.2-g",
    "7644-3.4.2.2-h",
    "7644-3.4.2.3-a",
    "7644-3.4.2.4-a",
    "7644-3.4.3-a",
    "7644-3.5.1-a",
    "7644-3.5.1-b",
    "7644-3.5.1-c",
    "7644-3.5.1-d",
    "7644-3.5.2-a",
    "7644-3.5.2-b",
    "7644-3.5.2-c",
    "7644-3.5.2-d",
    "7644-3.5.2-e",
    "7644-3.5.2-f",
    "7644-3.5.2-g",
    "7644-3.6-a",
    "7644-3.7-a",
    "7644-3.7-b",
    "7644-3.7.1-a",
    "7644-3.7.3-a",
    "7644-3.7.4-a",
    "7644-3.7-c",
    "7644-3.9-a",
    "7644-3.10-a",
    "7644-3.11-a",
    "7644-3.12-a",
    "7644-3.12-b",
    "7644-3.12-c",
    "7644-3.14-a",
    "7644-3.14-b",
    "7644-3.14-c",
    "7644-4-a",
    "7644-6-a",
    "7644-7-a",
    "7644-7.5-a",
    "9865-2-a",
    "9865-2-b",
    "9865-2-c",
    "9865-2.1-a",
    "9865-2.4-a",
    "9865-4-a",
    "9967-a",
];

/// Rows of the table of attacks: each with its tests.
const ATTACKS: [&str; 35] = [
    "safety-1-a",
    "safety-1-b",
    "safety-1-c",
    "safety-1-d",
    "safety-1-e",
    "safety-1-f",
    "safety-2-a",
    "safety-3-a",
    "safety-3-b",
    "safety-3-c",
    "safety-4-a",
    "safety-4-b",
    "safety-5-a",
    "safety-5-b",
    "safety-5-c",
    "safety-5-d",
    "safety-6-a",
    "safety-6-b",
    "safety-6-c",
    "safety-7-a",
    "safety-8-a",
    "safety-8-b",
    "safety-9-a",
    "safety-9-b",
    "safety-10-a",
    "safety-10-b",
    "safety-10-c",
    "safety-11-a",
    "safety-11-b",
    "safety-12-a",
    "safety-12-b",
    "safety-12-c",
    "safety-13-a",
    "safety-14-a",
    "safety-15-a",
];

/// Rows of `docs/oidc-checklist.md`: each with its tests.
const OPENID: [&str; 84] = [
    "basic-config",
    "basic-jwks",
    "basic-code",
    "basic-response-type",
    "basic-id-token",
    "basic-nonce",
    "basic-userinfo",
    "basic-scopes",
    "basic-scope-unknown",
    "basic-wishes",
    "basic-prompt-login",
    "basic-prompt-none",
    "basic-max-age",
    "basic-hint",
    "basic-request-object",
    "basic-claims",
    "basic-code-twice",
    "basic-redirect-uri",
    "basic-redirect-query",
    "basic-client-auth",
    "basic-private-key",
    "basic-acr",
    "basic-refresh",
    "basic-rotation",
    "basic-pkce",
    "basic-logout",
    "basic-form-post",
    "basic-post",
    "basic-token-request",
    "basic-cors",
    "basic-caches",
    "basic-introspect",
    "basic-machine",
    "rp-openid-client",
    "rp-mod-auth-openidc",
    "rp-authlib",
    "rp-openidconnect",
    "rp-chain",
    "rp-chain-joined",
    "rp-pages",
    "in-issuer",
    "in-subject",
    "in-audience",
    "in-times",
    "in-kid",
    "in-signature",
    "in-nonce",
    "in-token",
    "in-profile",
    "in-rotation",
    "in-answers",
    "in-panva",
    "in-glewlwyd",
    "in-lemonldap",
    "in-copies",
    "in-kinds",
    "in-proof",
    "in-trace",
    "link-known",
    "link-pushed",
    "link-address",
    "link-unverified",
    "link-changed",
    "safe-mix-up",
    "safe-state",
    "safe-pkce",
    "safe-redirect",
    "safe-code",
    "safe-token-kinds",
    "safe-leak",
    "safe-ssrf",
    "safe-jose",
    "safe-client-key",
    "safe-session",
    "safe-markup",
    "safe-step-up",
    "safe-guessing",
    "safe-refresh",
    "safe-tenant",
    "safe-enabled",
    "safe-domain",
    "safe-withdrawn",
    "safe-home",
    "safe-leaving",
];

/// Rows of the rules of a profile: each with its tests.
const PROFILE: [&str; 49] = [
    "write-database",
    "write-each",
    "write-first",
    "write-never",
    "write-word",
    "write-script",
    "write-metadata",
    "write-database-only",
    "write-verified",
    "write-secondary",
    "write-late",
    "metadata-merge",
    "metadata-clear",
    "metadata-patch",
    "metadata-names",
    "metadata-size",
    "metadata-limits",
    "link-1",
    "link-2",
    "link-3",
    "link-4",
    "link-5",
    "link-6",
    "link-7",
    "link-8",
    "link-self",
    "link-flatten",
    "link-unlink",
    "link-primary",
    "link-suggest",
    "link-undo",
    "link-block",
    "block-admin",
    "block-source",
    "block-failures",
    "block-any",
    "leave-inactive",
    "leave-delete",
    "leave-missing",
    "leave-filter",
    "leave-guard",
    "leave-erase",
    "leave-api",
    "event-login-none",
    "event-login",
    "event-post",
    "event-put",
    "event-sync",
    "event-create",
];

/// Rows that the product does not hold yet. A row that is open on the page and not here, or the other way round, fails.
const OPEN: [&str; 0] = [];

/// Why a row may lack a refusal. Nothing else is a reason.
const NOTHING_TO_REFUSE: [&str; 2] = ["— any value of that type is taken", "— what is not known is passed over"];

/// One row of the page.
#[derive(Debug)]
struct Row {
    id: String,
    cells: Vec<String>,
}

/// What is wrong with a page, given the tests there are.
fn faults(page: &str, tests: &BTreeSet<String>, items: &[&str], attacks: &[&str], open: &[&str]) -> Vec<String> {
    let rows = rows(page);
    let mut faults = vec![];
    let mut seen = BTreeSet::new();
    for row in &rows {
        let (id, is_open) = (row.id.as_str(), row.cells.get(1).is_some_and(|cell| cell.starts_with("open: ")));
        if !seen.insert(id) {
            faults.push(format!("{id} stands there twice"));
        }
        if is_open != open.contains(&id) {
            faults.push(format!("{id} is open on one side only, the page or the list"));
        }
        let wanted = match (items.contains(&id), attacks.contains(&id)) {
            (true, false) => 3,
            (false, true) => 2,
            _ => {
                faults.push(format!("{id} is in no list"));
                continue;
            }
        };
        if row.cells.len() != wanted {
            faults.push(format!("{id} has {} cells behind its name, not {wanted}", row.cells.len()));
        }
        for (at, cell) in row.cells.iter().enumerate().skip(1) {
            let may_lack = at == 2 && NOTHING_TO_REFUSE.contains(&cell.as_str());
            let stays_open = is_open && at == 1;
            if !may_lack && !stays_open {
                faults.extend(cell_faults(cell, tests).into_iter().map(|fault| format!("{id}: {fault}")));
            }
        }
    }
    let missing = items.iter().chain(attacks).filter(|id| !seen.contains(**id));
    faults.extend(missing.map(|id| format!("{id} is missing")));
    faults
}

/// A cell names tests in backticks, with commas between, and nothing else; each of them is there. A name may leave out the
/// store: then it is there for both.
fn cell_faults(cell: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut faults = vec![];
    for part in cell.split(',').map(str::trim) {
        let Some(name) = part.strip_prefix('`').and_then(|part| part.strip_suffix('`')) else {
            faults.push(format!("{part:?} is no test in backticks"));
            continue;
        };
        let on_both = ["sqlite", "postgres"].iter().all(|store| tests.contains(&format!("{name}::{store}")));
        if !on_both && !tests.contains(name) {
            faults.push(format!("there is no test {name}"));
        }
    }
    faults
}

/// The rows of all tables whose first column is `id`.
fn rows(page: &str) -> Vec<Row> {
    let mut rows = vec![];
    let mut inside = false;
    for line in page.lines() {
        let Some(cells) = line.strip_prefix('|') else {
            inside = false;
            continue;
        };
        let cells = cells.trim_end();
        let mut cells = cells.strip_suffix('|').unwrap_or(cells).split('|').map(|cell| cell.trim().to_owned());
        let id = cells.next().unwrap_or_default();
        if id == "id" {
            inside = true;
        } else if inside && !id.starts_with("--") {
            rows.push(Row { id, cells: cells.collect() });
        }
    }
    rows
}

/// Every test below a root file, by the name the runner prints.
fn tests_of(root: &Path) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let folder = root.parent().expect("a file stands in a folder");
    read_file(root, folder, "", &mut tests);
    tests
}

fn read_file(file: &Path, below: &Path, module: &str, tests: &mut BTreeSet<String>) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    read(tokens, &Place { below: Some(below.to_owned()), module: module.to_owned(), on_both: false }, tests);
}

/// Where items stand.
struct Place {
    /// The folder that holds files of modules; none inside a macro.
    below: Option<PathBuf>,
    module: String,
    /// Inside `on_both!` or `on_both_gateways!` each function is two tests.
    on_both: bool,
}

impl Place {
    fn path(&self, name: &str) -> String {
        if self.module.is_empty() { name.to_owned() } else { format!("{}::{name}", self.module) }
    }
}

/// Reads items. Bodies of functions are stepped over, for a function is followed by its body before the next item.
fn read(tokens: TokenStream, place: &Place, tests: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let word = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => ident.to_string(),
        Some(TokenTree::Punct(punct)) => punct.as_char().to_string(),
        _ => String::new(),
    };
    let braced = |at: usize| match tokens.get(at) {
        Some(TokenTree::Group(group)) => Some(group.stream()),
        _ => None,
    };
    let mut attributes: Vec<String> = vec![];
    for at in 0..tokens.len() {
        match (word(at).as_str(), word(at + 1).as_str(), word(at + 2).as_str()) {
            ("#", _, _) => attributes.extend(braced(at + 1).map(|inner| inner.to_string().replace(' ', ""))),
            ("fn", name, _) => {
                let is_test = attributes.iter().any(|attribute| is_test(attribute));
                let is_ignored = attributes.iter().any(|attribute| attribute.starts_with("ignore"));
                match (is_ignored, place.on_both, is_test) {
                    (true, ..) | (_, false, false) => {}
                    (_, true, _) => tests.extend(["sqlite", "postgres"].map(|store| place.path(&format!("{name}::{store}")))),
                    (_, _, true) => tests.extend([place.path(name)]),
                }
                attributes.clear();
            }
            ("mod", name, ";") => {
                if let Some(below) = &place.below {
                    let inside = below.join(name);
                    // `#[path = "…"]`, from the folder of the file that says so.
                    let said = attributes.iter().find_map(|text| text.strip_prefix("path=\"")?.strip_suffix('"'));
                    let said = said.and_then(|path| Some(below.parent()?.join(path)));
                    let files = [below.join(format!("{name}.rs")), inside.join("mod.rs")].into_iter().chain(said);
                    let mut files = files.filter(|file| file.exists());
                    let file = &files.next().unwrap_or_else(|| panic!("mod {name} has no file"));
                    read_file(file, &inside, &place.path(name), tests);
                }
                attributes.clear();
            }
            ("mod", name, _) => {
                if let Some(inner) = braced(at + 2) {
                    let below = place.below.as_ref().map(|below| below.join(name));
                    read(inner, &Place { below, module: place.path(name), on_both: false }, tests);
                }
                attributes.clear();
            }
            ("on_both" | "on_both_gateways", "!", _) => {
                if let Some(inner) = braced(at + 2) {
                    read(inner, &Place { below: None, module: place.module.clone(), on_both: true }, tests);
                }
            }
            ("proptest", "!", _) => {
                if let Some(inner) = braced(at + 2) {
                    read(inner, &Place { below: None, module: place.module.clone(), on_both: false }, tests);
                }
            }
            // `products! { entra okta }` of the assertions: a module each.
            ("products", "!", _) => {
                let products = braced(at + 2).into_iter().flatten().filter(|token| matches!(token, TokenTree::Ident(_)));
                for product in products {
                    let checks = ["sends_is_taken", "says_otherwise_is_noticed", "sends_is_tried_as_it_comes"];
                    tests.extend(checks.map(|check| place.path(&format!("{product}::what_it_{check}"))));
                }
            }
            // `replays!(entra, okta)` of the recordings: a module each.
            ("replays", "!", _) => {
                let vendors = braced(at + 2).into_iter().flatten().filter(|token| matches!(token, TokenTree::Ident(_)));
                for vendor in vendors {
                    tests.extend(["sqlite", "postgres"].map(|store| place.path(&format!("{vendor}::replays_on_{store}"))));
                }
            }
            _ => {
                // What follows the head of another item, or of a function, is not looked into.
                if let Some(TokenTree::Group(group)) = tokens.get(at)
                    && group.delimiter() == Delimiter::Brace
                {
                    attributes.clear();
                }
            }
        }
    }
}

/// `#[test]`, `#[tokio::test]`, `#[tokio::test(…)]`.
fn is_test(attribute: &str) -> bool {
    let path = attribute.split('(').next().unwrap_or_default();
    ["test", "tokio::test"].contains(&path)
}

fn all_tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = tests_of(&root.join("tests/suite/main.rs"));
    tests.extend(tests_of(&root.join("src/lib.rs")));
    tests
}

#[test]
fn every_row_of_the_checklist_names_tests_that_run() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).expect("the page is there");
    let faults = faults(&page, &all_tests(), &ITEMS, &ATTACKS, &OPEN);
    assert!(faults.is_empty(), "{PAGE}: {} faults\n{}", faults.len(), faults.join("\n"));
    for id in OPEN {
        eprintln!("open: {id}");
    }
}

#[test]
fn every_row_of_the_openid_checklist_names_tests_that_run() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(OIDC_PAGE)).expect("the page is there");
    let faults = faults(&page, &all_tests(), &[], &OPENID, &[]);
    assert!(faults.is_empty(), "{OIDC_PAGE}: {} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_rule_of_a_profile_names_tests_that_run() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PROFILE_PAGE)).expect("the page is there");
    let faults = faults(&page, &all_tests(), &[], &PROFILE, &[]);
    assert!(faults.is_empty(), "{PROFILE_PAGE}: {} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_tests_that_are_found_are_those_that_run() {
    let running = std::process::Command::new(std::env::current_exe().expect("a test runs from a file"))
        .args(["--list", "--format", "terse"])
        .output()
        .expect("the runner lists");
    let listed: BTreeSet<String> = String::from_utf8_lossy(&running.stdout)
        .lines()
        .filter_map(|line| line.strip_suffix(": test").map(str::to_owned))
        .collect();
    let found = tests_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/main.rs"));
    assert!(listed.len() > 100, "{} tests", listed.len());
    assert_eq!(found.symmetric_difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn a_name_in_a_comment_a_text_or_an_ignored_test_is_no_test() {
    let text = "\
        // #[test] fn in_a_comment() {}\n\
        /// #[test] fn in_a_doc_comment() {}\n\
        const TEXT: &str = \"#[test] fn in_a_text() {}\";\n\
        #[test]\n#[ignore = \"slow\"]\nfn ignored() {}\n\
        fn plain() { #[test] fn inside() {} }\n\
        #[test] fn one() {}\n\
        fn after_one() {}\n\
        mod inner { #[tokio::test(flavor = \"x\")] async fn two() { let x = 1; } struct S { f: u8 } fn three() {} }\n\
        on_both! { /// Says more.\n async fn four(test) { fn five() {} } async fn six(test) {} }\n\
        proptest! { #[test] fn seven(x in 0..1) {} }\n\
        macro_rules! made { () => { #[test] fn eight() {} } }\n";
    let mut tests = BTreeSet::new();
    read(text.parse().expect("tokens"), &Place { below: None, module: "m".into(), on_both: false }, &mut tests);
    let expected =
        ["m::four::postgres", "m::four::sqlite", "m::inner::two", "m::one", "m::seven", "m::six::postgres", "m::six::sqlite"];
    assert_eq!(tests.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_page_that_lacks_something_is_found_out() {
    let tests: BTreeSet<String> =
        ["a::shown", "a::both::sqlite", "a::both::postgres", "a::half::sqlite"].map(str::to_owned).into();
    let page =
        |rows: &str| format!("# Page\n\n| id | item | shown by | refusal |\n|---|---|---|---|\n{rows}\n\nEnd. `a::shown`\n");
    let good = "| 1-a | an item | `a::shown`, `a::both` | `a::both::sqlite` |";
    let check = |rows: &str, open: &[&str]| faults(&page(rows), &tests, &["1-a"], &[], open);
    assert_eq!(check(good, &[]), Vec::<String>::new());
    assert_eq!(check(&format!("| 1-a | an item | `a::shown` | {} |", NOTHING_TO_REFUSE[0]), &[]), Vec::<String>::new());
    assert_eq!(check("| 1-a | an item | open: not built | `a::shown` |", &["1-a"]), Vec::<String>::new());
    for (rows, open, told) in [
        ("", vec![], "1-a is missing"),
        ("| 1-a | an item | `a::gone` | `a::shown` |", vec![], "1-a: there is no test a::gone"),
        ("| 1-a | an item | `a::half` | `a::shown` |", vec![], "1-a: there is no test a::half"),
        ("| 1-a | an item | a::shown | `a::shown` |", vec![], "1-a: \"a::shown\" is no test in backticks"),
        ("| 1-a | an item | `a::shown` |  |", vec![], "1-a: \"\" is no test in backticks"),
        ("| 1-a | an item | `a::shown` | — too hard |", vec![], "1-a: \"— too hard\" is no test in backticks"),
        ("| 1-a | an item | — any value of that type is taken | `a::shown` |", vec![], "is no test in backticks"),
        ("| 1-a | an item | `a::shown` |", vec![], "1-a has 2 cells behind its name, not 3"),
        ("| 1-b | an item | `a::shown` | `a::shown` |", vec![], "1-b is in no list"),
        ("| 1-a | an item | open: not built | `a::shown` |", vec![], "1-a is open on one side only"),
        (good, vec!["1-a"], "1-a is open on one side only"),
    ] {
        let faults = check(rows, &open);
        assert!(faults.iter().any(|fault| fault.contains(told)), "{rows}: {faults:?}");
    }
    let twice = check(&format!("{good}\n{good}"), &[]);
    assert_eq!(twice, ["1-a stands there twice"]);
}
