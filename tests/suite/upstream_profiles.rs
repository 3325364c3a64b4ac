//! What accounts of others say of a person (`fixtures/oidc`), mapped by the mapping that comes with the program for that kind. Then
//! every value is changed and left out, and that has to be noticed.

use rosterd::mapping::{Gate, Input, Mapping, compile};
use rosterd::mapping_files;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file, described in `fixtures/oidc/README.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    #[expect(dead_code, reason = "for the reader of the file")]
    shows: String,
    mapping: String,
    raw: Value,
    mapped: Map<String, Value>,
    unread: BTreeSet<String>,
}

struct Said {
    file: PathBuf,
    recorded: Recorded,
    mapping: Arc<dyn Mapping>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oidc")
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Everything recorded of a kind.
fn said_by(kind: &str) -> Vec<Said> {
    let files = sorted(&folder().join(kind));
    assert!(!files.is_empty(), "nothing of {kind}");
    files.into_iter().map(Said::read).collect()
}

impl Said {
    fn read(file: PathBuf) -> Self {
        let text = std::fs::read_to_string(&file).unwrap();
        let recorded: Recorded = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let published = mapping_files::find(Path::new("/nowhere/at/all"), &recorded.mapping).unwrap().expect("a shipped mapping");
        Self { mapping: compile(&published).unwrap(), recorded, file }
    }

    /// What the mapping gives; or why it lets nobody in.
    fn outcome(&self, raw: &Value) -> Result<Value, String> {
        let payload = raw.as_object().unwrap();
        let mapped = self.mapping.map(&Input { payload, stored: None, now: 0, seed: [0; 32] });
        match &mapped.gate {
            Some(Gate::Deny { reason } | Gate::Skip { reason }) => Err(reason.clone()),
            None => Ok(serde_json::from_str(&mapped.to_text(None)).unwrap()),
        }
    }

    #[track_caller]
    fn is_mapped(&self) {
        let expected = Ok(Value::Object(self.recorded.mapped.clone()));
        assert_eq!(self.outcome(&self.recorded.raw), expected, "{}", self.file.display());
    }

    #[track_caller]
    fn is_read(&self) {
        let expected = Ok(Value::Object(self.recorded.mapped.clone()));
        let mut leaves = Vec::new();
        collect(&self.recorded.raw, "", &mut leaves);
        for unread in &self.recorded.unread {
            assert!(leaves.contains(unread), "{} has no {unread}", self.file.display());
        }
        for leaf in &leaves {
            let is_noticed = altered(&self.recorded.raw, leaf).iter().any(|raw| self.outcome(raw) != expected);
            assert_eq!(is_noticed, !self.recorded.unread.contains(leaf), "{}: {leaf}", self.file.display());
        }
    }
}

/// Pointers to all values that are neither `null` nor in pieces.
fn collect(value: &Value, at: &str, leaves: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                collect(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), leaves);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                collect(item, &format!("{at}/{place}"), leaves);
            }
        }
        _ => leaves.push(at.to_owned()),
    }
}

/// The record with one value otherwise, and without it.
fn altered(raw: &Value, pointer: &str) -> Vec<Value> {
    let with = |value: Value| {
        let mut raw = raw.clone();
        *raw.pointer_mut(pointer).unwrap() = value;
        raw
    };
    let others = match raw.pointer(pointer).unwrap() {
        Value::String(text) => vec![json!(format!("x{text}")), json!(format!("{text}x"))],
        Value::Bool(truth) => vec![json!(!truth)],
        Value::Number(number) => vec![json!(number.as_i64().unwrap() + 1)],
        other => vec![json!([other])],
    };
    others.into_iter().map(with).chain([without(raw, pointer)]).collect()
}

fn without(raw: &Value, pointer: &str) -> Value {
    let mut raw = raw.clone();
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match raw.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(&last.replace("~1", "/").replace("~0", "~"))),
        Value::Array(items) => drop(items.remove(last.parse().unwrap())),
        _ => unreachable!("a value has a parent"),
    }
    raw
}

const ALL: &[&str] = &[
    "amazon",
    "apple",
    "discord",
    "facebook",
    "github",
    "gitlab",
    "google-oauth2",
    "linkedin",
    "oauth2",
    "oidc",
    "salesforce",
    "slack",
    "twitter",
    "waad",
    "windowslive",
];

#[test]
fn what_each_kind_says_becomes_a_profile() {
    ALL.iter().flat_map(|kind| said_by(kind)).for_each(|said| said.is_mapped());
}

#[test]
fn what_each_kind_says_otherwise_is_noticed() {
    ALL.iter().flat_map(|kind| said_by(kind)).for_each(|said| said.is_read());
}

#[test]
fn every_kind_of_the_folder_is_among_them() {
    let folders = sorted(&folder()).into_iter().filter(|path| path.is_dir());
    let folders: Vec<String> = folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(folders, ALL);
}

/// An address counts as verified because the service says so of this very address, and in no other way.
#[test]
fn nobody_has_a_verified_address_of_whom_nothing_says_so() {
    let victim = "ceo@victim.example";
    for (kind, raw) in [
        ("waad", json!({"oid": "1", "email": victim, "email_verified": true})),
        ("waad", json!({"oid": "1", "email": victim, "verified_primary_email": ["a@x.example"]})),
        ("waad", json!({"oid": "1", "xms_edov": true, "extra": {"graph_me": {"mail": victim}}})),
        ("windowslive", json!({"oid": "1", "email": victim, "email_verified": true})),
        ("github", json!({"id": 1, "login": "x", "email": victim})),
        ("github", json!({"id": 1, "login": "x", "extra": {"emails": [{"email": victim, "primary": true}]}})),
        ("gitlab", json!({"sub": "1", "email": victim})),
        ("facebook", json!({"id": "1", "email": victim, "verified": true})),
        ("amazon", json!({"user_id": "1", "email": victim, "email_verified": true})),
        ("apple", json!({"sub": "1", "extra": {"apple_user": {"email": victim}}, "email_verified": true})),
        ("twitter", json!({"data": {"id": "1", "email": victim, "verified": true}})),
        ("discord", json!({"id": "1", "username": "x", "email": victim})),
        ("oidc", json!({"sub": "1", "email": victim})),
        ("oidc", json!({"sub": "1", "email": victim, "email_verified": "perhaps"})),
        ("oauth2", json!({"id": "1", "email": victim, "verified": true})),
    ] {
        let said = said_by(kind).swap_remove(0);
        let given = said.outcome(&raw).unwrap();
        let is_verified = given["email_verified"] == json!(true) && given["email"] == json!(victim);
        assert!(!is_verified, "{kind}: {raw} gives {given}");
    }
}
