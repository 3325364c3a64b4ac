//! People follow a real OpenLDAP, on both stores: who comes, changes, is renamed, moves, leaves and comes back; that nobody
//! is matched by what may be another's tomorrow; and that a run that finds nothing new writes nothing.

use crate::support::corp::{Corp, on_both};
use crate::support::slapd::{SUFFIX, Slapd};
use serde_json::{Value, json};

/// `dn: …` of a person, for an LDIF of changes.
fn dn(uid: &str) -> String {
    format!("dn: uid={uid},ou=people,{SUFFIX}\nchangetype:")
}

fn replace(uid: &str, attribute: &str, value: &str) -> String {
    format!("{} modify\nreplace: {attribute}\n{attribute}: {value}\n\n", dn(uid))
}

fn person(uid: &str, mail: &str) -> String {
    format!("{} add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\nmail: {mail}\n\n", dn(uid))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_comes_once_and_a_run_that_finds_nothing_new_writes_nothing() {
    let slapd = Slapd::start(7);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        assert_eq!(corp.sync(), json!({"created": 7}));
        let ann = corp.person("u000003").await;
        assert_eq!((&ann["state"], &ann["listed"], &ann["blocked"]), (&json!("active"), &json!(true), &json!(false)));
        assert_eq!(ann["doc"]["email"], "u000003@example.test");
        assert_eq!(ann["user_id"], format!("ldap|corp|{}", ann["external_id"].as_str().unwrap()));
        assert_eq!(corp.list("SELECT DISTINCT kind FROM log WHERE kind LIKE 'sync.%'").await, ["sync.user.created"]);
        assert_eq!((corp.count("outbox WHERE kind = 'user.created'").await, corp.count("history").await), (7, 7));

        let before = corp.footprint().await;
        assert_eq!(corp.sync(), json!({"unchanged": 7}));
        assert_eq!(corp.footprint().await, before);
        let runs = corp.run("runs list --json").json();
        assert_eq!(runs.as_array().map(Vec::len), Some(2));
        assert_eq!(
            (&runs[1]["kind"], &runs[1]["state"], &runs[1]["summary"]["people"]["unchanged"]),
            (&json!("sync"), &json!("done"), &json!(7))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_login_a_moved_entry_and_other_spellings_stay_the_same_person() {
    on_both(async |postgres| {
        let slapd = Slapd::start(5);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let (renamed, moved, spelled) = (corp.person("u000000").await, corp.person("u000001").await, corp.person("u000002").await);
        slapd.modify(&format!(
            "{} modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 1\n\ndn: ou=deep,ou=people,{SUFFIX}\nchangetype: add\nobjectClass: organizationalUnit\nou: deep\n\n\
             {} modrdn\nnewrdn: uid=u000001\ndeleteoldrdn: 1\nnewsuperior: ou=deep,ou=people,{SUFFIX}\n\n{}",
            dn("u000000"),
            dn("u000001"),
            replace("u000002", "mail", "U000002@Example.test\nmail: second2@example.test"),
        ));
        assert_eq!(corp.sync(), json!({"unchanged": 2, "updated": 3}));
        for (before, uid) in [(renamed, "anna"), (moved, "u000001"), (spelled, "u000002")] {
            let after = corp.person(uid).await;
            for same in ["id", "external_id", "profile", "user_id"] {
                assert_eq!(after[same], before[same], "{uid} {same}");
            }
        }
        assert_eq!(corp.person("anna").await["doc"]["username"], "anna");
        assert!(corp.person("u000001").await["raw"]["dn"].as_str().unwrap().contains("ou=deep"));
        assert_eq!(corp.count("users").await, 5);
        // The mapping lowers addresses: another spelling is a change of the entry and of nothing else.
        assert_eq!(corp.count("history WHERE event = 'sync.user.updated'").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ou_that_is_renamed_takes_nobody_along() {
    on_both(async |postgres| {
        let slapd = Slapd::start(2);
        slapd.modify(&format!(
            "dn: ou=old,ou=people,{SUFFIX}\nchangetype: add\nobjectClass: organizationalUnit\nou: old\n\n\
             dn: uid=deep,ou=old,ou=people,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: deep\ncn: Deep\nsn: Deep\n\
             mail: deep@example.test\n\n",
        ));
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let before = corp.person("deep").await;
        slapd.modify(&format!("dn: ou=old,ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: ou=new\ndeleteoldrdn: 1\n\n"));
        assert_eq!(corp.sync(), json!({"unchanged": 2, "updated": 1}));
        assert_eq!(corp.person("deep").await["id"], before["id"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_is_blocked_and_who_comes_back_is_the_same_person_again() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::start(postgres, &slapd, "").await;
        assert_eq!(corp.sync(), json!({"created": 4}));
        let before = corp.person("u000003").await;
        // Out of the base, and so out of the directory as far as we are told.
        slapd.modify(&format!("{} modrdn\nnewrdn: uid=u000003\ndeleteoldrdn: 0\nnewsuperior: ou=empty,{SUFFIX}\n\n", dn("u000003")));
        assert_eq!(corp.sync(), json!({"left": 1, "unchanged": 3}));
        let gone = corp.person("u000003").await;
        assert_eq!((&gone["state"], &gone["listed"], &gone["blocked"]), (&json!("deleted"), &json!(false), &json!(true)));
        assert_eq!(corp.list("SELECT reason FROM blocks").await, ["deleted at the source"]);
        assert_eq!(corp.sync(), json!({"unchanged": 3}), "gone once");

        slapd.modify(&format!(
            "dn: uid=u000003,ou=empty,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=u000003\ndeleteoldrdn: 0\nnewsuperior: ou=people,{SUFFIX}\n\n"
        ));
        assert_eq!(corp.sync(), json!({"revived": 1, "unchanged": 3}));
        let back = corp.person("u000003").await;
        assert_eq!((&back["state"], &back["listed"], &back["blocked"]), (&json!("active"), &json!(true), &json!(false)));
        assert_eq!((&back["id"], &back["user_id"]), (&before["id"], &before["user_id"]));
        assert_eq!(corp.count("blocks").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_given_to_somebody_new_is_another_person() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let old = corp.person("u000002").await;
        slapd.modify(&format!("{} delete\n\n{}", dn("u000002"), person("u000002", "u000002@example.test")));
        assert_eq!(corp.sync(), json!({"created": 1, "left": 1, "unchanged": 3}));
        let rows = corp
            .rows("SELECT external_id, listed, profile_id FROM identities WHERE user_name = 'u000002' ORDER BY created_at")
            .await;
        assert_eq!(rows.len(), 2);
        assert_eq!((&rows[0]["external_id"], &rows[0]["listed"]), (&old["external_id"], &json!(false)));
        assert_ne!(rows[0]["profile_id"], rows[1]["profile_id"]);
        assert_eq!(
            corp.list(&format!("SELECT blocked FROM users WHERE id = '{}'", old["profile"].as_str().unwrap())).await,
            [json!(true)]
        );
        assert_eq!(corp.person("u000002").await["blocked"], json!(false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_may_swap_address_and_login_name_within_one_run() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let (one, other) = (corp.person("u000000").await, corp.person("u000001").await);
        let rename = |from: &str, to: &str| format!("{} modrdn\nnewrdn: uid={to}\ndeleteoldrdn: 1\n\n", dn(from));
        slapd.modify(&(rename("u000000", "x") + &rename("u000001", "u000000") + &rename("x", "u000001")));
        slapd.modify(&(replace("u000000", "mail", "u000000@example.test") + &replace("u000001", "mail", "u000001@example.test")));
        assert_eq!(corp.sync(), json!({"unchanged": 2, "updated": 2}));
        let (now_one, now_other) = (corp.person("u000001").await, corp.person("u000000").await);
        assert_eq!((&now_one["id"], &now_other["id"]), (&one["id"], &other["id"]));
        assert_eq!(
            (&now_one["doc"]["email"], &now_other["doc"]["email"]),
            (&json!("u000001@example.test"), &json!("u000000@example.test"))
        );
        assert_eq!(corp.inbox().await.len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_another_connection_feeds_waits_in_the_inbox_and_the_run_goes_on() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::start(postgres, &slapd, "").await;
        slapd.modify(&person("twin", "u000001@example.test"));
        corp.run(&format!(
            "connection create other --kind ldap --set server=openldap --set url={} --set ca_file={} --set bind_dn={} \
             --set user_base=ou=people,{SUFFIX} --set user_filter=(uid=twin) --secret bind_password=env:PASSWORD",
            slapd.ldaps(),
            slapd.ca().display(),
            crate::support::slapd::SYNC,
        ))
        .succeeded();
        corp.run("sync other").succeeded();
        corp.set("user_filter=(&(uid=*)(!(uid=twin)))");
        assert_eq!(corp.sync(), json!({"created": 2, "rejected": 1}));
        let inbox = corp.inbox().await;
        assert_eq!((inbox.len(), &inbox[0]["kind"]), (1, &json!("email_match")), "{inbox:?}");
        let detail = inbox[0]["detail"].as_str().unwrap();
        assert!(detail.contains("uid=u000001,") && detail.contains("ldap|other|"), "{detail}");
        // Told once, whatever how many runs find it.
        let before = corp.footprint().await;
        assert_eq!(corp.sync(), json!({"rejected": 1, "unchanged": 2}));
        assert_eq!((corp.footprint().await, corp.inbox().await), (before, inbox));
        // Rejected is not missing, and two people of one directory may share an address.
        slapd.modify(&(replace("u000001", "mail", "u000000@example.test")));
        assert_eq!(corp.sync(), json!({"created": 1, "unchanged": 2}));
        let closed = corp.inbox().await;
        assert_eq!((closed.len(), &closed[0]["state"], &closed[0]["occurrences"]), (1, &json!("resolved"), &json!(1)));
        assert_eq!(corp.count("log WHERE kind = 'conflict.opened'").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_the_directory_disables_is_blocked_even_where_another_rule_refuses_the_entry() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nemail = $mail with required\nname = $cn\nblocked = $title == \"gone\"\n");
        corp.run("connection update corp --mapping own").succeeded();
        assert_eq!(corp.sync(), json!({"created": 3}));
        slapd.modify(&format!("{} modify\nreplace: title\ntitle: gone\n-\ndelete: mail\n\n", dn("u000001")));
        assert_eq!(corp.sync(), json!({"barred": 1, "unchanged": 2}));
        let barred = corp.person("u000001").await;
        assert_eq!((&barred["blocked"], &barred["state"], &barred["doc"]["email"]), (&json!(true), &json!("disabled_at_source"), &json!("u000001@example.test")));
        let inbox = corp.inbox().await;
        assert_eq!((&inbox[0]["kind"], &inbox[0]["state"]), (&json!("sync_rejected"), &json!("open")));
        // The same again writes nothing, and nobody is missing.
        let before = corp.footprint().await;
        assert_eq!(corp.sync(), json!({"rejected": 1, "unchanged": 2}));
        assert_eq!(corp.footprint().await, before);
        // With an address again, and enabled.
        slapd.modify(&format!("{} modify\nreplace: title\ntitle: back\n-\nadd: mail\nmail: new@example.test\n\n", dn("u000001")));
        assert_eq!(corp.sync(), json!({"unchanged": 2, "updated": 1}));
        let back = corp.person("u000001").await;
        assert_eq!((&back["blocked"], &back["state"], &back["doc"]["email"]), (&json!(false), &json!("active"), &json!("new@example.test")));
        assert_eq!(corp.inbox().await[0]["state"], "resolved");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_the_directory_disables_is_blocked_even_where_the_profile_would_be_too_large() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\napp_metadata.notes = $description[*]\nblocked = $title == \"gone\"\n");
        corp.run("connection update corp --mapping own").succeeded();
        assert_eq!(corp.sync(), json!({"created": 3}));
        let notes: String = (0..9).map(|at| format!("description: {at}{}\n", "x".repeat(8_000))).collect();
        slapd.modify(&format!("{} modify\nreplace: description\n{notes}-\nreplace: title\ntitle: gone\n\n", dn("u000001")));
        assert_eq!(corp.sync(), json!({"barred": 1, "unchanged": 2}));
        let barred = corp.person("u000001").await;
        assert_eq!((&barred["blocked"], &barred["state"]), (&json!(true), &json!("disabled_at_source")));
        assert_eq!(corp.inbox().await[0]["kind"], "sync_rejected");
        let before = corp.footprint().await;
        assert_eq!(corp.sync(), json!({"rejected": 1, "unchanged": 2}));
        assert_eq!(corp.footprint().await, before);
        // Whoever is enabled and too large is refused in words.
        slapd.modify(&replace("u000001", "title", "back"));
        assert_eq!(corp.sync(), json!({"rejected": 1, "unchanged": 2}));
        let detail = corp.inbox().await[0]["detail"].clone();
        assert!(detail.as_str().unwrap().contains("the profile would be larger than 65536 bytes: let the mapping take less"), "{detail}");
        slapd.modify(&format!("{} modify\ndelete: description\n-\ndelete: title\n\n", dn("u000001")));
        assert_eq!(corp.sync(), json!({"unchanged": 2, "updated": 1}));
        assert_eq!(corp.person("u000001").await["blocked"], json!(false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_the_directory_disables_is_blocked_even_where_the_database_refuses_the_person() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nemail = $mail[0]\nblocked = $title == \"gone\"\n");
        corp.run("connection update corp --mapping own").succeeded();
        assert_eq!(corp.sync(), json!({"created": 3}));
        let mail = too_long_for_an_index();
        slapd.modify(&format!("{} modify\nreplace: mail\nmail: {mail}\n-\nreplace: title\ntitle: gone\n\n", dn("u000001")));
        let people = corp.sync();
        let barred = corp.person("u000001").await;
        assert_eq!((&barred["blocked"], &barred["state"]), (&json!(true), &json!("disabled_at_source")));
        if postgres {
            assert_eq!((people, &barred["doc"]["email"]), (json!({"failed": 1, "unchanged": 2}), &json!("u000001@example.test")));
            assert_eq!(corp.inbox().await[0]["kind"], "sync_failed");
            let before = corp.footprint().await;
            assert_eq!(corp.sync(), json!({"failed": 1, "unchanged": 2}));
            assert_eq!(corp.footprint().await, before);
        } else {
            assert_eq!(people, json!({"unchanged": 2, "updated": 1}));
        }
        slapd.modify(&format!("{} modify\nreplace: mail\nmail: back@example.test\n-\ndelete: title\n\n", dn("u000001")));
        assert_eq!(corp.sync(), json!({"unchanged": 2, "updated": 1}));
        let back = corp.person("u000001").await;
        assert_eq!((&back["blocked"], &back["doc"]["email"]), (&json!(false), &json!("back@example.test")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_the_directory_disables_is_blocked_though_a_gate_skips_the_entry_or_cant_be_decided() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping(
            "mapping own from ldap to profile\nskip when $employeeType == \"temp\" because \"temps wait\"\n\
             skip when int($departmentNumber) > 100 because \"not ours\"\n\
             username = $uid\nemail = $mail\nname = $cn\nblocked = $title == \"gone\"\n",
        );
        corp.run("connection update corp --mapping own").succeeded();
        assert_eq!(corp.sync(), json!({"created": 4}));
        let before = corp.person("u000001").await;
        slapd.modify(&(replace("u000001", "employeeType", "temp") + &replace("u000002", "departmentNumber", "many")));
        assert_eq!(corp.sync(), json!({"rejected": 1, "unchanged": 2, "updated": 1}));
        let skipped = corp.person("u000001").await;
        assert_eq!((&skipped["blocked"], &skipped["state"], &skipped["doc"]), (&json!(false), &json!("active"), &before["doc"]));
        slapd.modify(&(replace("u000001", "title", "gone") + &replace("u000002", "title", "gone")));
        assert_eq!(corp.sync(), json!({"barred": 1, "unchanged": 2, "updated": 1}));
        for uid in ["u000001", "u000002"] {
            let barred = corp.person(uid).await;
            assert_eq!((&barred["blocked"], &barred["state"]), (&json!(true), &json!("disabled_at_source")), "{uid}");
        }
        let footprint = corp.footprint().await;
        assert_eq!(corp.sync(), json!({"rejected": 1, "unchanged": 3}));
        assert_eq!(corp.footprint().await, footprint);
        // Enabled, but still left out: nobody is let in by what is not taken.
        slapd.modify(&replace("u000001", "title", "back"));
        corp.sync();
        assert_eq!(corp.person("u000001").await["blocked"], json!(true));
        slapd.modify(&replace("u000001", "employeeType", "regular"));
        corp.sync();
        let back = corp.person("u000001").await;
        assert_eq!((&back["blocked"], &back["state"]), (&json!(false), &json!("active")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_left_and_is_there_again_as_what_is_skipped_has_not_come_back() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping(
            "mapping own from ldap to profile\nskip when $employeeType == \"temp\" because \"temps wait\"\nusername = $uid\nname = $cn\n",
        );
        corp.run("connection update corp --mapping own").succeeded();
        assert_eq!(corp.sync(), json!({"created": 4}));
        let away = format!("{} modrdn\nnewrdn: uid=u000003\ndeleteoldrdn: 0\nnewsuperior: ou=empty,{SUFFIX}\n\n", dn("u000003"));
        let home = format!(
            "dn: uid=u000003,ou=empty,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=u000003\ndeleteoldrdn: 0\nnewsuperior: ou=people,{SUFFIX}\n\n"
        );
        slapd.modify(&away);
        assert_eq!(corp.sync(), json!({"left": 1, "unchanged": 3}));
        slapd.modify(&(home + &replace("u000003", "employeeType", "temp")));
        let before = corp.footprint().await;
        for _ in 0..2 {
            assert_eq!(corp.sync(), json!({"unchanged": 3}));
            let gone = corp.person("u000003").await;
            assert_eq!((&gone["state"], &gone["listed"], &gone["blocked"]), (&json!("deleted"), &json!(false), &json!(true)));
        }
        assert_eq!(corp.footprint().await, before);
        slapd.modify(&replace("u000003", "employeeType", "regular"));
        assert_eq!(corp.sync(), json!({"revived": 1, "unchanged": 3}));
        let back = corp.person("u000003").await;
        assert_eq!((&back["state"], &back["listed"], &back["blocked"]), (&json!("active"), &json!(true), &json!(false)));
    })
    .await;
}

/// An address that PostgreSQL takes into no index, and can't press into less.
fn too_long_for_an_index() -> String {
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"abcdefghijklmnopqrstuvwxyz234567"[(state >> 59) as usize])
    };
    (0..9_000).map(|_| letter()).chain("@example.test".chars()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_nobody_can_be_made_of_is_told_once_and_stops_nobody() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        slapd.modify(&format!("{} modify\ndelete: mail\n\n", dn("u000001")));
        let corp = Corp::start(postgres, &slapd, "").await;
        assert_eq!(corp.sync(), json!({"created": 2}));
        let inbox = corp.inbox().await;
        assert_eq!((inbox.len(), &inbox[0]["kind"]), (1, &json!("sync_rejected")));
        assert!(inbox[0]["detail"].as_str().unwrap().contains("email"), "{inbox:?}");
        let before = corp.footprint().await;
        assert_eq!(corp.sync(), json!({"unchanged": 2}));
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_the_database_refuses_keeps_nobody_else_out() {
    let slapd = Slapd::start(5);
    slapd.modify(&replace("u000002", "mail", &too_long_for_an_index()));
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nemail = $mail[0]\n");
        corp.run("connection update corp --mapping own").succeeded();
        let people = corp.sync();
        if postgres {
            assert_eq!(people, json!({"created": 4, "failed": 1}));
            assert_eq!(corp.inbox().await[0]["kind"], "sync_failed");
            assert_eq!(corp.sync(), json!({"failed": 1, "unchanged": 4}));
        } else {
            assert_eq!(people, json!({"created": 5}));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_expires_is_blocked_though_its_entry_stays_as_it_is() {
    on_both(async |postgres| {
        let slapd = Slapd::start(2);
        // One second from now, as the directory writes it.
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
        let text = soon.strftime("%Y%m%d%H%M%SZ").to_string();
        slapd.modify(&replace("u000000", "description", &text));
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nblocked = expired($description)\n");
        corp.run("connection update corp --mapping own").succeeded();
        assert_eq!(corp.sync(), json!({"created": 2}));
        assert_eq!(corp.person("u000000").await["blocked"], json!(false));
        while jiff::Timestamp::now() <= soon {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(corp.sync(), json!({"unchanged": 1, "updated": 1}));
        assert_eq!(corp.person("u000000").await["blocked"], json!(true));
        let before = corp.footprint().await;
        assert_eq!(corp.sync(), json!({"unchanged": 2}));
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_delete_whoever_leaves_is_removed_and_their_user_id_is_never_borne_again() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::start(postgres, &slapd, "--set deprovision=delete").await;
        corp.sync();
        let old = corp.person("u000003").await;
        slapd.modify(&format!("{} modrdn\nnewrdn: uid=u000003\ndeleteoldrdn: 0\nnewsuperior: ou=empty,{SUFFIX}\n\n", dn("u000003")));
        assert_eq!(corp.sync(), json!({"left": 1, "unchanged": 3}));
        assert_eq!((corp.count("users").await, corp.count("identities").await), (3, 3));
        slapd.modify(&format!(
            "dn: uid=u000003,ou=empty,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=u000003\ndeleteoldrdn: 0\nnewsuperior: ou=people,{SUFFIX}\n\n"
        ));
        assert_eq!(corp.sync(), json!({"created": 1, "unchanged": 3}));
        assert_eq!(corp.person("u000003").await["user_id"], format!("{}~2", old["user_id"].as_str().unwrap()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_people_than_go_together_come_all_and_each_changes_alone() {
    let slapd = Slapd::start(1_203);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "--set page_size=400").await;
        assert_eq!(corp.sync(), json!({"created": 1_203}));
        assert_eq!((corp.count("users").await, corp.count("outbox WHERE kind = 'user.created'").await), (1_203, 1_203));
        let total = corp.list("SELECT CAST(sum(total) AS BIGINT) AS n FROM counters WHERE kind = 'user'").await;
        assert_eq!(total, [json!(1_203)]);
        assert_eq!(corp.sync(), json!({"unchanged": 1_203}));
    })
    .await;
}

#[test]
fn nothing_is_pushed_to_a_directory() {
    let slapd = Slapd::start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let corp = runtime.block_on(Corp::start(false, &slapd, ""));
    assert!(corp.run("token create --connection corp").refusal().contains("nothing is pushed to it"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_for_something_else_is_refused_before_anything_is_read() {
    let slapd = Slapd::start(1);
    let corp = Corp::start(false, &slapd, "").await;
    corp.run("connection update corp --mapping scim").succeeded();
    let refused = corp.run("sync corp");
    assert!(
        refused.refusal().contains("`from scim to profile`, and a directory needs one `from ldap to profile`"),
        "{refused:?}"
    );
    assert_eq!(corp.list("SELECT state FROM runs").await, [Value::from("failed")]);
}
