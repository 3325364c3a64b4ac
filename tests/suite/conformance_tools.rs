//! The public conformance tools, run against the released binary on both databases: scim2-tester (every check a
//! success) and scim-sanity (strict, no failure). `make test` installs them into `.venv` at the repository's root.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::support::gateway::{Gateway, Store};

/// Checks of scim2-tester for User, Group and the enterprise extension.
const TESTER_CHECKS: usize = 135;
/// The same with [`EXTENSION`] registered: its schema, and three operations on it and on each of its six writable attributes.
const TESTER_CHECKS_WITH_EXTENSION: usize = TESTER_CHECKS + 1 + 3 * (1 + 6);
/// Checks of scim-sanity that must pass at least; it counts those it skips apart.
const SANITY_CHECKS: u64 = 28;
/// What scim-sanity skips on a server without the types of an individual draft.
const SKIPPED_TYPES: [&str; 2] = ["Agent", "AgenticApplication"];

fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin").join(name);
    assert!(
        path.is_file(),
        "{name} is not installed: run `make test`, or\n  python3 -m venv .venv && .venv/bin/pip install scim2-cli==0.6.0 \
         scim2-tester==0.5.2 scim-sanity==0.7.4"
    );
    path
}

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, printed)
}

/// An extension with what the tester can judge. It reads a binary back as bytes, makes random text for a decimal and a
/// dateTime and stumbles over that itself, and expects a list to hold only what was added (RFC 7644 §3.5.2.1 appends).
const EXTENSION: &str = r#"{"id": "urn:example:hr:2.0:User", "name": "HrUser", "description": "What HR knows.", "attributes": [
    {"name": "badge", "type": "string", "caseExact": true, "description": "d"},
    {"name": "level", "type": "integer", "description": "d"},
    {"name": "remote", "type": "boolean", "description": "d"},
    {"name": "handbook", "type": "reference", "referenceTypes": ["external"], "description": "d"},
    {"name": "code", "type": "string", "mutability": "readOnly", "description": "d"},
    {"name": "site", "type": "string", "returned": "always", "description": "d"},
    {"name": "contract", "type": "complex", "description": "d", "subAttributes": [
        {"name": "kind", "type": "string", "description": "d"}, {"name": "fixed", "type": "boolean", "description": "d"}]}
]}"#;

async fn every_check_of_scim2_tester_succeeds(store: Store, checks_expected: usize) {
    let gateway = Gateway::start(store).await;
    if checks_expected > TESTER_CHECKS {
        std::fs::write(gateway.folder().join("schema.json"), EXTENSION).expect("a file");
        gateway.cli(&["schema", "create", "schema.json"]);
    }
    let (output, printed) = run(Command::new(tool("scim"))
        .args(["--url", &gateway.scim_url("scim"), "test"])
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {}", gateway.token())));
    // A check is a line that begins with its status; its reason is indented below it.
    let checks: Vec<&str> = printed
        .lines()
        .skip_while(|line| !line.starts_with("Performing"))
        .skip(1)
        .filter(|line| !line.starts_with(' '))
        .collect();
    let others: Vec<&&str> = checks.iter().filter(|check| !check.starts_with("SUCCESS ")).collect();
    assert!(others.is_empty() && output.status.success(), "scim2-tester ended with {}:\n{printed}", output.status);
    assert_eq!(checks.len(), checks_expected, "the number of checks tells what was looked at:\n{printed}");
}

async fn scim_sanity_finds_nothing(store: Store) {
    let gateway = Gateway::start(store).await;
    // It adds a made-up member to a group and wants 200 (docs/decisions/0003).
    gateway.cli(&["connection", "update", "scim", "--set", "unknown_members=ignore"]);
    let (output, printed) = run(Command::new(tool("scim-sanity")).args([
        "probe",
        &gateway.scim_url("scim"),
        "--token",
        gateway.token(),
        "--strict",
        "--json-output",
        "--i-accept-side-effects",
    ]));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error} in:\n{printed}"));
    let results = report["results"].as_array().expect("a list of results");
    let passed = |result: &Value| {
        let name = result["name"].as_str().unwrap_or_default();
        result["status"] == "pass" || (result["status"] == "skip" && SKIPPED_TYPES.iter().any(|kind| name.starts_with(kind)))
    };
    let others: Vec<String> = results.iter().filter(|result| !passed(result)).map(Value::to_string).collect();
    assert!(others.is_empty(), "scim-sanity found:\n{}", others.join("\n"));
    assert!(output.status.success(), "scim-sanity ended with {}:\n{printed}", output.status);
    assert!(report["summary"]["passed"].as_u64() >= Some(SANITY_CHECKS), "too little was looked at:\n{printed}");
}

#[tokio::test]
async fn scim2_tester_on_sqlite() {
    every_check_of_scim2_tester_succeeds(Store::Sqlite, TESTER_CHECKS).await;
}

#[tokio::test]
async fn scim2_tester_on_postgres() {
    every_check_of_scim2_tester_succeeds(Store::Postgres, TESTER_CHECKS).await;
}

#[tokio::test]
async fn scim2_tester_with_an_extension_on_sqlite() {
    every_check_of_scim2_tester_succeeds(Store::Sqlite, TESTER_CHECKS_WITH_EXTENSION).await;
}

#[tokio::test]
async fn scim2_tester_with_an_extension_on_postgres() {
    every_check_of_scim2_tester_succeeds(Store::Postgres, TESTER_CHECKS_WITH_EXTENSION).await;
}

#[tokio::test]
async fn scim_sanity_on_sqlite() {
    scim_sanity_finds_nothing(Store::Sqlite).await;
}

#[tokio::test]
async fn scim_sanity_on_postgres() {
    scim_sanity_finds_nothing(Store::Postgres).await;
}
