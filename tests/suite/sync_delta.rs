//! Runs that read what changed and no more, against a real OpenLDAP, on both stores: what they see, what they are blind to, and
//! when everything is read instead. Whatever deltas did, a complete run after them has to find nothing left to do.

use crate::support::corp::{Corp, on_both};
use crate::support::rows::Database;
use crate::support::slapd::{SUFFIX, Slapd};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Both ways of an OpenLDAP, as the option has them.
const WAYS: [&str; 2] = ["syncrepl", "modifyTimestamp"];

fn person_dn(uid: &str) -> String {
    format!("uid={uid},ou=people,{SUFFIX}")
}

fn group_dn(name: &str) -> String {
    format!("cn={name},ou=groups,{SUFFIX}")
}

fn add(uid: &str) -> String {
    format!(
        "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\nmail: {uid}@example.test\n\n",
        person_dn(uid)
    )
}

fn replace(dn: &str, attribute: &str, value: &str) -> String {
    format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n\n")
}

fn delete(dn: &str) -> String {
    format!("dn: {dn}\nchangetype: delete\n\n")
}

fn rename(dn: &str, rdn: &str, parent: Option<&str>) -> String {
    let parent = parent.map(|parent| format!("newsuperior: {parent}\n")).unwrap_or_default();
    format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n{parent}\n")
}

fn member(group: &str, how: &str, dn: &str) -> String {
    format!("dn: {}\nchangetype: modify\n{how}: member\nmember: {dn}\n\n", group_dn(group))
}

fn group(name: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|dn| format!("member: {dn}\n")).collect();
    format!("dn: {}\nchangetype: add\nobjectClass: groupOfNames\ncn: {name}\n{members}\n", group_dn(name))
}

/// A run that read changes alone; what it says, without those whom it saw for nothing: stamps go back a little.
fn delta(corp: &Corp) -> Value {
    let mut summary = corp.sync_ends(0, "")["summary"].take();
    assert_eq!(summary["kind"], "delta", "{summary}");
    summary["people"].as_object_mut().unwrap().remove("unchanged");
    summary
}

/// A run that read everything because of something like this.
fn everything(corp: &Corp, code: i32, why: &str) -> Value {
    let report = corp.sync_ends(code, "");
    assert_eq!(report["summary"]["kind"], "full", "{report}");
    assert!(report["summary"]["why_full"].as_str().unwrap().contains(why), "{report}");
    report
}

/// A complete run finds nothing left to do.
async fn is_settled(corp: &Corp) {
    let before = corp.footprint().await;
    let summary = corp.sync_ends(0, "--full")["summary"].take();
    assert_eq!((&summary["kind"], &summary["why_full"]), (&json!("full"), &json!("it was asked for")));
    assert_eq!(corp.footprint().await, before, "{summary}");
}

async fn each_way(body: impl AsyncFn(&str, bool)) {
    for way in WAYS {
        for postgres in [false, true] {
            body(way, postgres).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_changes_is_renamed_or_moved_in_is_seen_by_a_delta_and_nothing_new_writes_nothing() {
    each_way(async |way, postgres| {
        let slapd = Slapd::start(20);
        let corp = Corp::with_groups(postgres, &slapd, &format!("--set delta={way}")).await;
        let first = everything(&corp, 0, "nothing was read");
        assert_eq!((&first["summary"]["people"], &first["summary"]["by"]), (&json!({"created": 20}), &json!(way)));
        let before = corp.footprint().await;
        let nothing = delta(&corp);
        assert_eq!((&nothing["by"], &nothing["people"], &nothing["missing"]), (&json!(way), &json!({}), &json!(0)));
        assert_eq!(corp.footprint().await, before);

        slapd.modify(&format!("{}{}", add("new"), add("mover").replace("ou=people", "ou=empty")));
        assert_eq!(delta(&corp)["people"], json!({"created": 1}));
        let old = corp.person("u000002").await;
        slapd.modify(
            &(replace(&person_dn("u000001"), "mail", "other@example.test")
                + &rename(&person_dn("u000002"), "uid=anna", None)
                + &rename(&format!("uid=mover,ou=empty,{SUFFIX}"), "uid=mover", Some(&format!("ou=people,{SUFFIX}")))),
        );
        let people = delta(&corp)["people"].take();
        assert_eq!((&people["created"], &people["updated"]), (&json!(1), &json!(2)), "{people}");
        assert_eq!(corp.person("u000001").await["doc"]["email"], "other@example.test");
        assert_eq!(corp.person("anna").await["id"], old["id"]);
        assert_eq!(corp.count("users").await, 22);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_deleted_or_moved_out_leaves_by_syncrepl_and_with_stamps_by_the_next_complete_read() {
    each_way(async |way, postgres| {
        let slapd = Slapd::start(20);
        let corp = Corp::with_groups(postgres, &slapd, &format!("--set delta={way}")).await;
        corp.sync();
        slapd.modify(
            &(delete(&person_dn("u000003")) + &rename(&person_dn("u000004"), "uid=u000004", Some(&format!("ou=empty,{SUFFIX}")))),
        );
        let told = delta(&corp);
        if way == "syncrepl" {
            assert_eq!((&told["people"], &told["missing"]), (&json!({"left": 2}), &json!(2)), "{told}");
        } else {
            assert_eq!((&told["people"], &told["missing"]), (&json!({}), &json!(0)), "{told}");
            assert_eq!(corp.sync_ends(0, "--full")["summary"]["people"], json!({"left": 2, "unchanged": 18}));
        }
        assert_eq!(corp.person("u000003").await["blocked"], json!(true));
        // Back in the base, the same person; made again, another one.
        slapd.modify(
            &(rename(&format!("uid=u000004,ou=empty,{SUFFIX}"), "uid=u000004", Some(&format!("ou=people,{SUFFIX}")))
                + &add("u000003")),
        );
        let back = delta(&corp);
        assert_eq!((&back["people"]["revived"], &back["people"]["created"]), (&json!(1), &json!(1)), "{back}");
        assert_eq!(corp.person("u000004").await["blocked"], json!(false));
        assert_eq!(corp.count("users").await, 21);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_forgot_who_was_deleted_names_who_is_there_and_the_others_leave() {
    on_both(async |postgres| {
        let mut slapd = Slapd::start(30);
        let corp = Corp::with_groups(postgres, &slapd, "--set delta=auto").await;
        corp.sync();
        slapd.modify(&(delete(&person_dn("u000003")) + &delete(&group_dn("first")) + &add("new")));
        slapd.stop();
        slapd.start_again();
        let told = delta(&corp);
        assert_eq!((&told["by"], &told["people"]), (&json!("syncrepl"), &json!({"created": 1, "left": 1})), "{told}");
        assert_eq!(told["groups"]["left"], json!(1), "{told}");
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_follow_though_only_people_changed() {
    each_way(async |way, postgres| {
        let slapd = Slapd::start_with(4, "moduleload refint\n", "overlay refint\nrefint_attributes member\n");
        slapd.modify(
            &(group("a", &[&person_dn("u000000"), &person_dn("late")]) + &group("outer", &[&group_dn("a"), &group_dn("late")])),
        );
        let corp = Corp::with_groups(postgres, &slapd, &format!("--set budget=off --set delta={way}")).await;
        corp.sync();
        assert_eq!(corp.count("unresolved_members").await, 2);
        // Whom a group named before anybody was called so, and a group likewise.
        slapd.modify(&(add("late") + &group("late", &[&person_dn("u000001")])));
        let told = delta(&corp);
        assert_eq!((&told["people"], &told["groups"]["created"]), (&json!({"created": 1}), &json!(1)), "{told}");
        assert_eq!(corp.members("a").await, ["late", "u000000"]);
        assert_eq!(corp.members("outer").await, ["a", "late"]);
        assert_eq!(corp.count("unresolved_members").await, 0);
        // A membership alone.
        slapd.modify(&(member("a", "add", &person_dn("u000002")) + &member("a", "delete", &person_dn("u000000"))));
        delta(&corp);
        assert_eq!(corp.members("a").await, ["late", "u000002"]);
        // The directory shortens or renames what a group names, and says nothing of the group.
        slapd.modify(&(delete(&person_dn("u000003")) + &rename(&person_dn("u000002"), "uid=second", None)));
        delta(&corp);
        if way == "modifyTimestamp" {
            corp.sync_ends(0, "--full");
        }
        assert_eq!(corp.members("a").await, ["late", "second"]);
        assert_eq!(corp.members("staff").await, ["second", "u000000", "u000001"]);
        assert_eq!(corp.count("unresolved_members").await, 0);
        // A group that goes.
        slapd.modify(&delete(&group_dn("late")));
        delta(&corp);
        if way == "modifyTimestamp" {
            corp.sync_ends(0, "--full");
        }
        assert_eq!(corp.members("outer").await, ["a"]);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_overlay_the_name_of_whoever_left_waits_in_the_group_and_brings_them_back() {
    on_both(async |postgres| {
        let slapd = Slapd::start(20);
        let corp = Corp::with_groups(postgres, &slapd, "--set delta=syncrepl").await;
        corp.sync();
        let out = format!("uid=u000000,ou=empty,{SUFFIX}");
        slapd.modify(&rename(&person_dn("u000000"), "uid=u000000", Some(&format!("ou=empty,{SUFFIX}"))));
        assert_eq!(delta(&corp)["people"], json!({"left": 1}));
        assert_eq!(corp.members("first").await, Vec::<Value>::new());
        assert_eq!(corp.count("unresolved_members").await, 2, "both groups name them still");
        slapd.modify(&rename(&out, "uid=u000000", Some(&format!("ou=people,{SUFFIX}"))));
        assert_eq!(delta(&corp)["people"], json!({"revived": 1}));
        assert_eq!(corp.members("first").await, ["u000000"]);
        assert_eq!(corp.members("staff").await.len(), 20);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_renamed_or_made_is_a_reason_to_read_everything() {
    each_way(async |way, postgres| {
        let slapd = Slapd::start(3);
        let unit = format!("dn: ou=old,ou=people,{SUFFIX}\nchangetype: add\nobjectClass: organizationalUnit\nou: old\n\n");
        slapd.modify(
            &(unit
                + &add("deep").replace("ou=people", "ou=old,ou=people")
                + &member("first", "add", &format!("uid=deep,ou=old,ou=people,{SUFFIX}"))),
        );
        let corp = Corp::with_groups(postgres, &slapd, &format!("--set delta={way}")).await;
        corp.sync();
        delta(&corp);
        slapd.modify(&rename(&format!("ou=old,ou=people,{SUFFIX}"), "ou=new", None));
        let report = everything(&corp, 0, "a folder was");
        assert_eq!(report["summary"]["people"], json!({"unchanged": 3, "updated": 1}));
        assert_eq!(corp.person("deep").await["raw"]["dn"], format!("uid=deep,ou=new,ou=people,{SUFFIX}"));
        // Once: the next one goes on from there.
        delta(&corp);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_damaged_or_another_servers_or_too_old_is_worth_nothing() {
    on_both(async |postgres| {
        let mut slapd = Slapd::start(3);
        let other = Slapd::start(3);
        let corp = Corp::with_groups(postgres, &slapd, "--set delta=auto").await;
        corp.sync();
        delta(&corp);
        let bytes = if postgres { "decode('00ff', 'hex')" } else { "x'00ff'" };
        Database::change(&corp.database, &format!("UPDATE sync_state SET people_place = {bytes}")).await;
        everything(&corp, 0, "damaged");
        delta(&corp);
        Database::change(&corp.database, "UPDATE sync_state SET people_place = NULL").await;
        everything(&corp, 0, "no place");
        // A day later, or a clock that was ahead.
        for at in ["full_at - 86500000000", "full_at + 999999000000"] {
            Database::change(&corp.database, &format!("UPDATE sync_state SET full_at = {at}")).await;
            everything(&corp, 0, "older than full_every");
            delta(&corp);
        }
        // The next server of the same directory, with a count of its own.
        corp.run(&format!(
            "connection update corp --set allow_plaintext=true --set url={} --set url={} --set ca_file=",
            slapd.ldap(),
            other.ldap()
        ))
        .succeeded();
        everything(&corp, 0, "the connection or a mapping is another one");
        delta(&corp);
        slapd.stop();
        // Its people have other ids: all are missing there, and that is held.
        let report = everything(&corp, 3, "are others than those the place belongs to");
        assert_eq!(report["summary"]["server"].as_str().unwrap().trim_end_matches('/'), other.ldap(), "{report}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncrepl_without_a_right_to_entrycsn_is_not_believed() {
    let mut slapd = Slapd::start(3);
    slapd.hide("entryCSN");
    on_both(async |postgres| {
        let corp = Corp::with_groups(postgres, &slapd, "--set delta=auto").await;
        corp.sync();
        // It would tell that nothing changed.
        slapd.modify(&replace(&person_dn("u000001"), "displayName", &format!("Ann {postgres:?}")));
        let report = everything(&corp, 0, "no place");
        assert!(report["summary"]["why_no_delta"].as_str().expect("why").contains("not shown entryCSN"), "{report}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_mapping_option_or_word_means_reading_everything() {
    let slapd = Slapd::start(3);
    on_both(async |postgres| {
        let corp = Corp::with_groups(postgres, &slapd, "--set delta=auto").await;
        let plan = corp.run("sync corp --dry-run --json").json();
        assert_eq!(plan["run"]["kind"], "full", "{plan}");
        corp.sync();
        let plan = corp.run("sync corp --dry-run --json").json();
        assert_eq!(plan["run"], json!({"kind": "delta"}));
        assert_eq!(plan["people"], json!({"unchanged": 3}), "a look reads everything");
        assert!(corp.run("sync corp --dry-run").out.contains("A run would read what changed since the last one"));
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nemail = $mail[0]\n");
        corp.run("connection update corp --mapping own").succeeded();
        everything(&corp, 0, "is another one");
        delta(&corp);
        corp.set("full_every=12h");
        everything(&corp, 0, "is another one");
        corp.set("delta=off");
        everything(&corp, 0, "delta=off");
        corp.set("delta=DirSync");
        let report = everything(&corp, 0, "is another one");
        assert_eq!(report["summary"]["why_no_delta"], "DirSync: only Active Directory has it");
        everything(&corp, 0, "no place");
        assert!(corp.run("connection update corp --set full_every=off").refusal().contains("full_every: wanted a duration"));
        assert!(corp.run("connection update corp --set delta=always").refusal().contains("delta: wanted auto, off,"));
        let runs = corp.run("runs list").out;
        assert!(runs.contains("sync, delta") && runs.contains("sync, full"), "{runs}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_held_is_left_to_a_complete_read_that_holds_it() {
    on_both(async |postgres| {
        let slapd = Slapd::start(30);
        let corp = Corp::with_groups(postgres, &slapd, "--set budget=3,0% --set delta=auto").await;
        corp.sync();
        let gone = |numbers: std::ops::Range<u32>| numbers.map(|n| delete(&person_dn(&format!("u{n:06}")))).collect::<String>();
        slapd.modify(&(gone(1..6) + &add("new")));
        let report = everything(&corp, 3, "would wait for somebody's word");
        assert_eq!(report["summary"]["why"][0]["reason"], "over_budget", "{report}");
        assert_eq!(report["summary"]["people"], json!({"created": 1, "unchanged": 25}));
        assert_eq!(corp.count("users WHERE blocked").await, 0);
        // While it waits, everything is read each time.
        everything(&corp, 3, "a run is held");
        let run = report["run_id"].as_str().unwrap();
        corp.sync_ends(0, &format!("--confirm {run}"));
        assert_eq!(corp.count("users WHERE blocked").await, 5);
        delta(&corp);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_at_a_time_are_no_way_around_the_budget() {
    on_both(async |postgres| {
        let slapd = Slapd::start(30);
        let corp = Corp::with_groups(postgres, &slapd, "--set budget=5,0% --set delta=auto").await;
        corp.sync();
        let gone = |from: u32| (from..from + 2).map(|n| delete(&person_dn(&format!("u{n:06}")))).collect::<String>();
        for from in [0, 2] {
            slapd.modify(&gone(from));
            assert_eq!(delta(&corp)["people"], json!({"left": 2}));
        }
        slapd.modify(&gone(4));
        let report = everything(&corp, 3, "2 would go, and 4 went since the last complete read");
        assert_eq!(report["summary"]["people"]["left"], Value::Null, "{report}");
        // They wait on, in each run that comes by itself, even when it would be the complete read's turn.
        for full_at in ["full_at", "1"] {
            Database::change(&corp.database, &format!("UPDATE sync_state SET full_at = {full_at}")).await;
            let again = everything(&corp, 3, "a run is held");
            assert_eq!(again["run_id"], report["run_id"]);
        }
        assert_eq!(corp.count("users WHERE blocked").await, 4);
        // Somebody's word lets them go; they are no part of the budget, and who went before is.
        corp.sync_ends(0, &format!("--confirm {}", report["run_id"].as_str().unwrap()));
        assert_eq!(corp.count("users WHERE blocked").await, 6);
        Database::change(&corp.database, "UPDATE sync_state SET full_at = completed_at").await;
        slapd.modify(&delete(&person_dn("u000006")));
        assert_eq!(delta(&corp)["people"], json!({"left": 1}));
        slapd.modify(&gone(7));
        everything(&corp, 3, "2 would go, and 5 went since the last complete read");
        // One that is asked for begins the budget anew.
        let report = corp.sync_ends(0, "--full");
        assert_eq!(report["summary"]["people"]["left"], json!(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_miss_of_several_is_counted_by_a_delta_and_the_rest_by_complete_reads() {
    on_both(async |postgres| {
        let slapd = Slapd::start(20);
        let corp = Corp::with_groups(postgres, &slapd, "--set missing_runs=2 --set delta=auto").await;
        corp.sync();
        slapd.modify(&delete(&person_dn("u000003")));
        Database::change(&corp.database, "CREATE TABLE kept AS SELECT people_place FROM sync_state").await;
        assert_eq!(delta(&corp)["people"], json!({"missing": 1}));
        assert_eq!(delta(&corp)["people"], json!({}), "nothing says so a second time");
        // The same word once more is no other miss.
        Database::change(&corp.database, "UPDATE sync_state SET people_place = (SELECT people_place FROM kept)").await;
        assert_eq!(delta(&corp)["people"], json!({"missing": 1}));
        assert_eq!(corp.person("u000003").await["blocked"], json!(false));
        assert_eq!(corp.sync_ends(0, "--full")["summary"]["people"], json!({"left": 1, "unchanged": 19}));
        assert_eq!(corp.person("u000003").await["blocked"], json!(true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_read_by_the_groups_they_are_in_is_read_whole_each_time() {
    each_way(async |way, postgres| {
        let slapd = Slapd::start_with(20, "moduleload memberof\n", "overlay memberof\n");
        let everybody: Vec<String> = (0..20).map(|n| person_dn(&format!("u{n:06}"))).collect();
        slapd.modify(&group("vpn", &everybody.iter().map(String::as_str).collect::<Vec<_>>()));
        let filter = format!("(memberOf={})", group_dn("vpn"));
        let corp = Corp::with_groups(postgres, &slapd, &format!("--set delta={way} --set user_filter={filter}")).await;
        corp.sync();
        slapd.modify(&member("vpn", "delete", &person_dn("u000003")));
        let report = everything(&corp, 0, "no place");
        assert_eq!(report["summary"]["people"]["left"], json!(1), "{report}");
        assert!(report["summary"]["why_no_delta"].as_str().unwrap().starts_with("memberOf changes without a word"), "{report}");
        // Nor is a mapping followed by changes that reads them where no groups are read.
        let corp = Corp::start(postgres, &slapd, &format!("--set delta={way}")).await;
        corp.sync();
        let report = everything(&corp, 0, "no place");
        assert!(report["summary"]["why_no_delta"].as_str().unwrap().starts_with("memberOf changes without a word"), "{report}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_given_a_second_time_is_nobodys_and_takes_over_no_account() {
    on_both(async |postgres| {
        let slapd = Slapd::start(0);
        let numbered = |n: u32| add(&format!("n{n}")).replace("\n\n", &format!("\nemployeeNumber: {n}\n\n"));
        slapd.modify(&(1..9).map(numbered).collect::<String>());
        let options = "--set delta=modifyTimestamp --set id_attribute=employeeNumber --set user_filter=(employeeNumber=*)";
        let corp = Corp::start(postgres, &slapd, options).await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nemail = $mail[0]\n");
        corp.run("connection update corp --mapping own").succeeded();
        corp.sync();
        // Whoever is only called otherwise is followed.
        slapd.modify(&rename(&person_dn("n3"), "uid=third", None));
        assert_eq!(delta(&corp)["people"], json!({"updated": 1}));
        let one = corp.person("n1").await;
        slapd.modify(&replace(&person_dn("n2"), "employeeNumber", "1"));
        everything(&corp, 0, "two entries have the id 1");
        let after = corp.person("n1").await;
        assert_eq!((&after["user_id"], &after["raw"]["dn"]), (&one["user_id"], &json!(person_dn("n1"))));
        assert!(corp.inbox().await.iter().any(|row| row["kind"] == "sync_id_twice"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_whose_place_was_not_kept_is_read_again_and_changes_nothing_twice() {
    each_way(async |way, postgres| {
        let slapd = Slapd::start(20);
        let corp = Corp::with_groups(postgres, &slapd, &format!("--set delta={way}")).await;
        corp.sync();
        Database::change(&corp.database, "CREATE TABLE kept AS SELECT people_place, groups_place FROM sync_state").await;
        slapd.modify(&(add("new") + &replace(&person_dn("u000001"), "mail", "x@example.test") + &member("first", "add", &person_dn("new")) + &delete(&person_dn("u000009"))));
        delta(&corp);
        let before = corp.footprint().await;
        // Everything was written but what is written last.
        Database::change(
            &corp.database,
            "UPDATE sync_state SET people_place = (SELECT people_place FROM kept), groups_place = (SELECT groups_place FROM kept)",
        )
        .await;
        let again = delta(&corp);
        assert_eq!(again["people"], json!({}), "{again}");
        assert_eq!(corp.footprint().await, before);
        assert_eq!(corp.members("first").await, ["new", "u000000"]);
    })
    .await;
}

/// An address that PostgreSQL takes into no index.
fn too_long_for_an_index() -> String {
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"abcdefghijklmnopqrstuvwxyz234567"[(state >> 59) as usize])
    };
    (0..9_000).map(|_| letter()).chain("@example.test".chars()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_could_not_be_taken_in_is_tried_by_each_delta_and_their_row_is_closed_by_the_one_that_can() {
    let slapd = Slapd::start(5);
    let corp = Corp::start(true, &slapd, "--set delta=auto").await;
    corp.mapping("mapping own from ldap to profile\nusername = $uid\nemail = $mail[0]\n");
    corp.run("connection update corp --mapping own").succeeded();
    corp.sync();
    slapd.modify(&(replace(&person_dn("u000002"), "mail", &too_long_for_an_index()) + &add("new")));
    assert_eq!(delta(&corp)["people"], json!({"created": 1, "failed": 1}));
    assert_eq!(corp.inbox().await[0]["kind"], "sync_failed");
    assert_eq!(delta(&corp)["people"], json!({"failed": 1}), "nobody named them, and they are tried");
    // What somebody else has is left open by a delta that saw nothing of them.
    slapd.modify(&replace(&person_dn("u000003"), "mail", "three@example.test"));
    assert_eq!(delta(&corp)["people"], json!({"failed": 1, "updated": 1}));
    assert_eq!(corp.inbox().await[0]["state"], "open");
    slapd.modify(&replace(&person_dn("u000002"), "mail", "two@example.test"));
    assert_eq!(delta(&corp)["people"], json!({"updated": 1}));
    assert_eq!(corp.inbox().await[0]["state"], "resolved");
    is_settled(&corp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_end_comes_is_blocked_by_a_delta_though_nobody_tells_of_it() {
    on_both(async |postgres| {
        let slapd = Slapd::start(5);
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(4);
        let text = soon.strftime("%Y%m%d%H%M%SZ").to_string();
        slapd.modify(&replace(&person_dn("u000001"), "description", &text));
        let corp = Corp::with_groups(postgres, &slapd, "--set delta=syncrepl").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nblocked = expired($description)\n");
        corp.run("connection update corp --mapping own").succeeded();
        corp.sync();
        assert_eq!(corp.person("u000001").await["blocked"], json!(false));
        while jiff::Timestamp::now() < soon + jiff::SignedDuration::from_secs(1) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(delta(&corp)["people"], json!({"updated": 1}));
        assert_eq!(corp.person("u000001").await["blocked"], json!(true));
        assert_eq!(delta(&corp)["people"], json!({}), "nothing of them changes any more");
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deltas_that_find_nothing_leave_one_row_and_those_that_do_one_each() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::with_groups(postgres, &slapd, "--set delta=auto").await;
        corp.sync();
        for _ in 0..3 {
            delta(&corp);
        }
        assert_eq!(corp.count("runs").await, 2);
        slapd.modify(&add("new"));
        delta(&corp);
        delta(&corp);
        delta(&corp);
        assert_eq!(corp.count("runs").await, 4, "the complete one, nothing, somebody, nothing");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_follows_by_changes_when_it_is_time() {
    on_both(async |postgres| {
        let slapd = Slapd::start(5);
        let corp = Corp::with_groups(postgres, &slapd, "--set delta=auto").await;
        corp.sync();
        slapd.modify(&(add("new") + &replace(&person_dn("u000001"), "mail", "other@example.test")));
        Database::change(&corp.database, "UPDATE sync_state SET next_at = 1").await;
        let gateway = corp.serve();
        let deadline = Instant::now() + Duration::from_secs(90);
        while corp.count("runs WHERE state = 'done'").await < 2 {
            assert!(Instant::now() < deadline, "nothing was followed");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        drop(gateway);
        // It may have ended before it gave its lease back.
        Database::change(&corp.database, "UPDATE leases SET expires_at = 1 WHERE name LIKE 'sync:%'").await;
        let runs = corp.run("runs list --json").json();
        let kinds: Vec<&Value> = runs.as_array().unwrap().iter().map(|run| &run["summary"]["kind"]).collect();
        assert_eq!(kinds, ["full", "delta"], "{runs}");
        assert_eq!(runs[1]["summary"]["people"], json!({"created": 1, "updated": 1}));
        is_settled(&corp).await;
    })
    .await;
}
