//! The receivers of docs/events.md, run as they stand there: programs of others check each signature, by the former secret too while it counts.

use crate::support::caller::{Caller, user};
use crate::support::gateway::{Gateway, Store};
use crate::support::receiver::PATIENCE;
use crate::support::served::{HOST, Served, address, free_port, target};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The code in `language` that the page shows.
fn example(language: &str) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).expect("the page is there");
    let (_, code) = page.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("no {language} in the page"));
    code.split_once("```").expect("it ends").0.to_owned()
}

struct Program {
    _served: Served,
    log: PathBuf,
    _folder: TempDir,
}

impl Program {
    fn start(
        name: &'static str,
        file: &str,
        code: &str,
        command: impl Fn(&Path) -> Vec<PathBuf>,
        (secret, port): (&str, u16),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(file);
        std::fs::write(&file, code).expect("is written");
        let (port_text, log) = (port.to_string(), folder.path().join("log"));
        let environment = [("WEBHOOK_SECRET", OsStr::new(secret)), ("PORT", OsStr::new(&port_text)), ("HOST", OsStr::new(HOST))];
        let served = Served::start(name, folder.path(), &command(&file), &environment, address(port));
        Self { _served: served, log, _folder: folder }
    }

    /// Waits until it printed this.
    async fn says(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let printed = std::fs::read_to_string(&self.log).unwrap_or_default();
            if printed.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "no {text} in {printed}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn takes_what_is_signed(name: &'static str, file: &str, code: &str, command: impl Fn(&Path) -> Vec<PathBuf>) {
    let gateway =
        Gateway::start_with(Store::Sqlite, &[("webhooks.retry_first_milliseconds", "50"), ("webhooks.retry_max_seconds", "1")])
            .await;
    let port = free_port();
    let url = format!("http://{HOST}:{port}/");
    let json = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
    let made = json(gateway.cli(&["webhook", "create", "--url", &url, "--allow-plaintext", "--json"]));
    let (id, secret) = (made["id"].as_str().expect("an id"), made["secret"].as_str().expect("a secret"));
    let caller = Caller::new(&gateway);
    let first = Program::start(name, file, code, &command, (secret, port));
    caller.create("Users", &user("ann")).await;
    first.says("user.created").await;
    first.says("x-ann").await;
    // The former secret counts for an hour.
    let rotated = json(gateway.cli(&["webhook", "update", id, "--rotate-secret", "--overlap", "1h", "--json"]));
    caller.create("Users", &user("bob")).await;
    first.says("x-bob").await;
    drop(first);
    let second = Program::start(name, file, code, &command, (rotated["secret"].as_str().expect("a secret"), port));
    caller.create("Users", &user("cid")).await;
    second.says("x-cid").await;
    drop(second);
    // Who has another secret takes nothing.
    let stranger = Program::start(name, file, code, &command, ("whsec_c3RyYW5nZXI=", port));
    let tried = gateway.run(&["webhook", "test", id, "--json"]);
    let tried: Value = serde_json::from_slice(&tried.stdout).expect("JSON");
    assert_eq!(tried["status"], 401, "{tried}");
    drop(stranger);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receiver_in_python_takes_what_is_signed() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    assert!(python.exists(), "standardwebhooks is not installed: scripts/venv.sh");
    let command = |file: &Path| vec![python.clone(), file.to_owned()];
    takes_what_is_signed("webhook-receiver-python", "receiver.py", &example("python"), command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receiver_in_node_takes_what_is_signed() {
    let modules = target().join("idp/webhook-receiver/node_modules");
    assert!(modules.exists(), "standardwebhooks is not installed: scripts/identity-providers.sh");
    let command = |file: &Path| {
        let link = file.with_file_name("node_modules");
        if !link.exists() {
            std::os::unix::fs::symlink(std::fs::canonicalize(&modules).expect("a folder"), &link).expect("a link");
        }
        vec![PathBuf::from("node"), file.to_owned()]
    };
    takes_what_is_signed("webhook-receiver-node", "receiver.mjs", &example("js"), command).await;
}

/// The page's table has a row for each type, and no other.
#[test]
fn the_page_lists_every_type_of_event() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).expect("the page is there");
    let (_, table) = page.split_once("| type | when |").expect("the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let listed: Vec<&str> = rows.filter_map(|line| line.split('`').nth(1)).collect();
    assert_eq!(listed, rosterd::model::event::EVENT_TYPES);
}

/// Every kind that something in the program announces is a type of event. A kind that is made elsewhere fails where it is stored.
#[test]
fn every_kind_that_is_announced_is_a_type_of_event() {
    let mut announced = Vec::new();
    for file in ["decide/rows.rs", "decide_group.rs"] {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provisioning").join(file))
            .expect("it is there");
        let texts = text.split('"').skip(1).step_by(2);
        announced.extend(
            texts
                .filter(|text| (text.starts_with("user.") || text.starts_with("group.")) && text.matches('.').count() < 3)
                .map(str::to_owned),
        );
    }
    assert!(announced.len() >= 8, "{announced:?}");
    for kind in announced {
        assert!(rosterd::model::event::EVENT_TYPES.contains(&kind.as_str()), "{kind} has no type");
    }
}
