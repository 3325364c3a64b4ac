//! A running gateway follows directories by itself: when they are due, once however many replicas there are, and with a pause
//! that grows while it fails.

use crate::support::corp::{Corp, on_both};
use crate::support::rows::Database;
use crate::support::slapd::Slapd;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// As if the connection had been made long ago.
const LONG_AGO: &str = "UPDATE connections SET created_at = 1, updated_at = 1 WHERE name = 'corp'";

async fn until(corp: &Corp, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while corp.count(what).await == 0 {
        assert!(Instant::now() < deadline, "no {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn standing(corp: &Corp) -> Value {
    corp.run("connection show corp --json").json()["sync"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_due_is_followed_once_by_one_of_two_replicas() {
    let slapd = Slapd::start(5);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        assert_eq!((&standing(&corp)["state"], &standing(&corp)["completed_at"]), (&json!("scheduled"), &Value::Null));
        Database::change(&corp.database, LONG_AGO).await;
        let (one, other) = (corp.serve(), corp.serve());
        until(&corp, "runs WHERE state = 'done'").await;
        assert_eq!(corp.count("identities").await, 5);
        assert_eq!(corp.list("SELECT DISTINCT actor FROM log WHERE kind = 'sync.user.created'").await, ["schedule"]);
        drop((one, other));
        assert_eq!(corp.count("runs").await, 1);
        assert_eq!(standing(&corp)["failures"], json!(0));
        assert_eq!(corp.count("sync_state WHERE next_at > completed_at").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_fails_is_told_and_waits_and_stops_in_the_end() {
    on_both(async |postgres| {
        let mut slapd = Slapd::start(2);
        let corp = Corp::start(postgres, &slapd, "").await;
        Database::change(&corp.database, LONG_AGO).await;
        slapd.stop();
        let gateway = corp.serve();
        until(&corp, "runs WHERE state = 'failed'").await;
        drop(gateway);
        let stands = standing(&corp);
        assert_eq!((&stands["state"], &stands["failures"]), (&json!("scheduled"), &json!(1)));
        assert!(stands["last_error"].as_str().unwrap().contains("ldaps://127.0.0.1"), "{stands}");
        assert_eq!(corp.count("sync_state WHERE next_at >= failed_at + 300000000").await, 1, "five minutes at first");
        Database::change(&corp.database, "UPDATE sync_state SET failures = 12").await;
        assert_eq!(standing(&corp)["state"], "quarantined");
        assert!(corp.run("connection show corp").out.contains("stopped after 12 failures"));
        corp.set("missing_runs=2");
        assert_eq!(standing(&corp)["state"], "scheduled", "somebody changed it");
        corp.set("schedule=off");
        assert_eq!(standing(&corp)["state"], "off");
        assert!(corp.run("connection update corp --set schedule=1s").refusal().contains("schedule: wanted a duration"));
    })
    .await;
}
