//! Runs that are killed, cut off, doubled and overtaken: whatever happens, nobody leaves by half a run, and the next one
//! ends where an undisturbed one would have.

use crate::support::corp::{Corp, on_both};
use crate::support::rows::Database;
use crate::support::slapd::{LIMITED, SYNC, Slapd};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_ends_early_changes_nobody() {
    let slapd = Slapd::start(9);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let before = corp.footprint().await;
        corp.set(&format!("bind_dn={LIMITED}"));
        let cut = corp.run("sync corp");
        assert!(cut.refusal().contains("people were not read to the end"), "{cut:?}");
        assert_eq!(corp.footprint().await, before);
        assert_eq!(corp.count("runs WHERE state = 'failed'").await, 1);
        corp.set(&format!("bind_dn={SYNC}"));
        assert_eq!(corp.sync(), json!({"unchanged": 9}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_is_told_who_holds_the_first() {
    let slapd = Slapd::start(2);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        // Somebody else's lease, for a long time yet.
        Database::change(
            &corp.database,
            "UPDATE leases SET owner = 'the other one', expires_at = 9000000000000000 WHERE name LIKE 'sync:%'",
        )
        .await;
        let refused = corp.run("sync corp");
        assert!(refused.refusal().contains("the other one is running this sync; nothing was done"), "{refused:?}");
        // It ran out: whoever comes next takes it over, with another number.
        Database::change(&corp.database, "UPDATE leases SET expires_at = 1 WHERE name LIKE 'sync:%'").await;
        assert_eq!(corp.sync(), json!({"unchanged": 2}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_killed_at_any_moment_leaves_whole_people_and_the_next_one_ends_like_an_undisturbed_one() {
    let slapd = Slapd::start(1_500);
    on_both(async |postgres| {
        let corp = Corp::with_groups(postgres, &slapd, "--set page_size=500").await;
        for round in 0..6_u64 {
            let mut run = corp.spawn_sync();
            let until = Instant::now() + Duration::from_millis(150 + 250 * round);
            while Instant::now() < until && run.try_wait().expect("a state").is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            run.kill().expect("it ends");
            run.wait().expect("it ended");
            // Every person is whole: profile, history, log and event. Asked at once: a server may still be storing the
            // last statement of a client that is gone.
            let whole = "SELECT (SELECT count(*) FROM identities) AS people, (SELECT count(*) FROM users) AS users, \
                (SELECT count(*) FROM history) AS history, (SELECT count(*) FROM log WHERE kind = 'sync.user.created') AS log, \
                (SELECT count(*) FROM outbox WHERE kind = 'user.created') AS outbox, \
                (SELECT count(*) FROM identities WHERE NOT listed) AS gone, (SELECT count(*) FROM blocks) AS blocks";
            let row = corp.rows(whole).await.pop().expect("a row");
            for what in ["users", "history", "log", "outbox"] {
                assert_eq!(row[what], row["people"], "{what} in round {round}");
            }
            assert_eq!((&row["gone"], &row["blocks"]), (&json!(0), &json!(0)));
            // What a minute would do.
            Database::change(&corp.database, "UPDATE leases SET expires_at = 1 WHERE name LIKE 'sync:%'").await;
        }
        corp.sync();
        assert_eq!((corp.count("identities").await, corp.count("members").await), (1_500, 1_501));
        let total = corp.list("SELECT CAST(sum(total) AS BIGINT) AS n FROM counters WHERE kind = 'user'").await;
        assert_eq!(total, [json!(1_500)]);
        assert_eq!(corp.count("runs WHERE state = 'running'").await, 0);
        assert_eq!(corp.sync(), json!({"unchanged": 1_500}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_frozen_past_its_lease_writes_nothing_more() {
    let slapd = Slapd::start(6_000);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "--set page_size=500").await;
        let mut frozen = corp.spawn_sync();
        let pid = libc::pid_t::try_from(frozen.id()).expect("a process id");
        // Frozen as soon as the first batch of it is written.
        let deadline = Instant::now() + Duration::from_secs(60);
        while corp.count("identities").await == 0 {
            assert!(Instant::now() < deadline && frozen.try_wait().expect("a state").is_none(), "nothing was written in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // SAFETY: the process is our child and was not waited for, so the id is still its own.
        unsafe { libc::kill(pid, libc::SIGSTOP) };
        Database::change(&corp.database, "UPDATE leases SET expires_at = 1 WHERE name LIKE 'sync:%'").await;
        let second = corp.sync();
        assert_eq!(corp.count("identities").await, 6_000, "{second}");
        let before = corp.footprint().await;
        // SAFETY: as above.
        unsafe { libc::kill(pid, libc::SIGCONT) };
        let end = frozen.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&end.stderr);
        assert!(!end.status.success() && said.contains("the run was overtaken"), "{said}");
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_breaks_in_the_middle_is_a_run_that_failed() {
    on_both(async |postgres| {
        let mut slapd = Slapd::start(3);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let before = corp.footprint().await;
        slapd.stop();
        assert!(corp.run("sync corp").refusal().contains("ldaps://"));
        assert_eq!(corp.footprint().await, before);
        let failures = corp.list("SELECT failures FROM sync_state").await;
        assert_eq!(failures, [json!(1)]);
    })
    .await;
}
