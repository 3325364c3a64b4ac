//! Every kind of row that the program writes into the log has a type by which it is known outside: the source is read for them, so
//! that a new kind without one is noticed where it is made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rosterd::model::log_type;
use rosterd::profile::Side;
use rosterd::provisioning::decide::UserEvent;
use rosterd::provisioning::decide_group::{GroupEvent, Synced};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Kinds of the table that nothing writes yet, with who will.
const AWAITED: [&str; 1] = ["block.added"];

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            sources(&entry, all);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            all.push(entry);
        }
    }
}

/// What stands in quotes in `text` and looks like a kind.
fn quoted(text: &str) -> Vec<String> {
    let plain = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte));
    text.split('"').skip(1).step_by(2).filter(plain).map(str::to_owned).collect()
}

/// The kinds in the text of one file: of each `LogEntry` its `kind`, and what `record` and `log` of an audit are handed.
fn kinds(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut kinds = Vec::new();
    for after in text.split("LogEntry {").skip(1) {
        let literal = &after[..after.find("\n    }").unwrap_or(after.len()).min(1_200)];
        let of_kind = literal.lines().find(|line| line.trim_start().starts_with("kind:"));
        kinds.extend(of_kind.map(quoted).unwrap_or_default());
    }
    for call in ["audit.record(", "audit.log("] {
        for after in text.split(call).skip(1) {
            kinds.extend(quoted(&after[..after.find(");").unwrap_or(after.len())]).into_iter().filter(|word| word.contains('.')));
        }
    }
    kinds
}

fn written() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&Path::new(ROOT).join("src"), &mut files);
    let mut all: BTreeSet<String> = files.iter().flat_map(|file| kinds(&std::fs::read_to_string(file).expect("text"))).collect();
    for event in [
        UserEvent::Created,
        UserEvent::Replaced,
        UserEvent::Patched,
        UserEvent::Revived,
        UserEvent::Deleted,
        UserEvent::LoggedIn,
        UserEvent::Undone,
    ] {
        all.extend([Side::Push, Side::Sync, Side::Login].map(|side| event.of(side).to_owned()));
    }
    for event in [GroupEvent::Created, GroupEvent::Replaced, GroupEvent::Patched, GroupEvent::Deleted] {
        all.insert(event.as_str().to_owned());
    }
    for event in [Synced::Created, Synced::Updated, Synced::Deleted, Synced::Undone] {
        all.insert(GroupEvent::Synced(event).as_str().to_owned());
    }
    // Handed on by way of a variable.
    all.extend(
        [
            "api.user.created",
            "api.user.updated",
            "api.user.deleted",
            "self.user.created",
            "self.user.updated",
            "import.user.created",
            "import.user.updated",
            "identity.unlinked",
            "identity.link_undone",
            "erasure.done",
            "client.updated",
            "client.secret_rotated",
            "webhook.updated",
            "webhook.disabled",
            "connection.metadata_taken",
            "connection.metadata_held",
            "code.replayed",
            "refresh_token.reused",
            "run.completed",
            "run.held",
            "run.failed",
            "run.started",
        ]
        .map(str::to_owned),
    );
    all
}

#[test]
fn every_kind_that_is_written_has_a_type() {
    let known: BTreeSet<String> = log_type::kinds().map(str::to_owned).collect();
    let written = written();
    assert!(written.len() > 45, "the search finds too little: {written:?}");
    let without: Vec<&String> = written.difference(&known).collect();
    assert!(without.is_empty(), "give these a type in model::log_type: {without:?}");
}

#[test]
fn every_kind_of_the_table_is_written_by_somebody() {
    let written = written();
    let idle: Vec<&str> = log_type::kinds().filter(|kind| !written.contains(*kind) && !AWAITED.contains(kind)).collect();
    assert!(idle.is_empty(), "nothing writes {idle:?}");
}

#[test]
fn the_search_finds_both_ways_of_writing_a_row() {
    let text = "let entry = LogEntry {\n  id,\n  kind: \"garden.watered\",\n  outcome: \"ok\",\n    };\n audit.record(batch, tenant, \"hose.bought\",\n None, \"x y\");";
    assert_eq!(kinds(text), ["garden.watered", "hose.bought"]);
}
