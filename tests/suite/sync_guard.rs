//! What waits for somebody's word: an empty answer, most people gone, a budget that is used up, a filter that was changed,
//! entries without an id, an id borne twice, a server that lags behind, one attribute changed for many. And that the word
//! lets exactly that through.

use crate::support::corp::{Corp, on_both};
use crate::support::scripted_directory::{Asked, Say, entry, listen};
use crate::support::slapd::{SUFFIX, Slapd};
use serde_json::{Value, json};
use std::cell::Cell;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

fn codes(report: &Value) -> Vec<String> {
    let why = report["summary"]["why"].as_array().expect("reasons");
    why.iter().map(|one| one["reason"].as_str().expect("a code").to_owned()).collect()
}

fn delete(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("dn: uid=u{number:06},ou=people,{SUFFIX}\nchangetype: delete\n\n")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_answer_and_most_people_gone_are_held_however_small_the_directory() {
    let slapd = Slapd::start(3);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let people = corp.footprint().await;
        corp.set("user_filter=(uid=nobody)");
        let held = corp.sync_ends(3, "");
        assert_eq!(codes(&held), ["empty", "area_changed"]);
        corp.set("user_filter=(uid=u000000)");
        let held = corp.sync_ends(3, "");
        assert_eq!(codes(&held), ["most_gone", "area_changed"]);
        assert_eq!(corp.footprint().await, people, "nothing happened to anybody");
        let run = held["run_id"].as_str().unwrap();
        let shown = corp.run(&format!("runs show {run} --json")).json();
        assert_eq!((&shown["state"], shown["items"].as_array().map(Vec::len)), (&json!("held"), Some(2)));
        // The directory as it was: nothing waits any more.
        corp.set("user_filter=");
        assert_eq!(corp.sync(), json!({"unchanged": 3}));
        assert_eq!(corp.count("runs WHERE state = 'held'").await, 0);
        let late = corp.run(&format!("sync corp --confirm {run}"));
        assert!(late.refusal().contains("is superseded and holds nothing"), "{late:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_judged_is_what_is_written_though_the_mapping_looks_at_the_stored_profile() {
    on_both(async |postgres| {
        let slapd = Slapd::start(5);
        let corp = Corp::start(postgres, &slapd, "--set budget=1,0%").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\napp_metadata.first = old.app_metadata.first ?? $cn\n");
        corp.run("connection update corp --mapping own").succeeded();
        assert_eq!(corp.sync(), json!({"created": 5}));
        let before = corp.person("u000002").await;
        let rename =
            |at: usize| format!("dn: uid=u{at:06},ou=people,{SUFFIX}\nchangetype: modify\nreplace: cn\ncn: Other {at}\n\n");
        slapd.modify(&(0..5).map(rename).collect::<String>());
        // Nothing changes of anybody: nothing is held as a mass change.
        assert_eq!(corp.sync(), json!({"updated": 5}));
        assert_eq!(corp.person("u000002").await["doc"], before["doc"]);
        assert_eq!(corp.sync(), json!({"unchanged": 5}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_confirmed_happens_and_nothing_else() {
    on_both(async |postgres| {
        let slapd = Slapd::start(12);
        let corp = Corp::start(postgres, &slapd, "--set budget=1,0%").await;
        corp.sync();
        slapd.modify(&delete(0..3));
        let held = corp.sync_ends(3, "");
        assert_eq!((codes(&held), &held["summary"]["held"]), (vec![String::from("over_budget")], &json!(3)));
        let run = held["run_id"].as_str().unwrap().to_owned();
        assert_eq!(corp.sync_ends(3, "")["run_id"], run.as_str(), "the same list is one run");
        assert_eq!(corp.count("runs WHERE state = 'held'").await, 1);
        // Somebody of the list is back as they were, and two more are gone.
        slapd.modify(&delete(3..5));
        let report = corp.sync_ends(3, &format!("--confirm {run}"));
        assert_eq!(
            (&report["summary"]["people"], codes(&report)),
            (&json!({"left": 3, "unchanged": 7}), vec![String::from("over_budget")])
        );
        let gone = corp.list("SELECT user_name FROM identities WHERE NOT listed ORDER BY user_name").await;
        assert_eq!(gone, ["u000000", "u000001", "u000002"]);
        assert_eq!(corp.list(&format!("SELECT state FROM runs WHERE id = '{run}'")).await, ["done"]);
        // By the list's hash instead; the next run does it, and the word is used up.
        let next = report["run_id"].as_str().unwrap();
        let hash = report["list_hash"].as_str().unwrap();
        assert!(corp.run(&format!("runs confirm {next} --hash 00")).refusal().contains("the hash is not that of the list"));
        corp.run(&format!("runs confirm {next} --hash {hash}")).succeeded();
        assert_eq!(corp.sync(), json!({"left": 2, "unchanged": 7}));
        slapd.modify(&delete(5..7));
        assert_eq!(codes(&corp.sync_ends(3, "")), ["over_budget"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_who_come_or_change_are_taken_in_while_others_wait() {
    on_both(async |postgres| {
        let slapd = Slapd::start(6);
        let corp = Corp::start(postgres, &slapd, "--set budget=0,0%").await;
        corp.sync();
        slapd.modify(&format!(
            "{}dn: uid=u000001,ou=people,{SUFFIX}\nchangetype: modify\nreplace: sn\nsn: New\n\n\
             dn: uid=new,ou=people,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new\ncn: New\nsn: New\nmail: new@example.test\n\n",
            delete(0..1)
        ));
        // A budget of nothing holds every change of a value that was there as well; of a little, only who goes.
        corp.set("budget=1,0%");
        slapd.modify(&delete(5..6));
        let report = corp.sync_ends(3, "");
        assert_eq!(report["summary"]["people"], json!({"created": 1, "unchanged": 3, "updated": 1}));
        assert_eq!(corp.count("identities WHERE listed").await, 7);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_people_count_as_the_missing_do() {
    on_both(async |postgres| {
        let slapd = Slapd::start(8);
        let corp = Corp::start(postgres, &slapd, "--set budget=2,0%").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nblocked = has($title)\n");
        corp.run("connection update corp --mapping own").succeeded();
        corp.sync();
        let disable =
            |number: usize| format!("dn: uid=u{number:06},ou=people,{SUFFIX}\nchangetype: modify\nadd: title\ntitle: gone\n\n");
        slapd.modify(&(disable(0) + &disable(1) + &delete(2..3)));
        let held = corp.sync_ends(3, "");
        assert_eq!((codes(&held), &held["summary"]["held"]), (vec![String::from("over_budget")], &json!(3)));
        assert_eq!(corp.count("blocks").await, 0);
        let report = corp.sync_ends(0, &format!("--confirm {}", held["run_id"].as_str().unwrap()));
        assert_eq!(report["summary"]["people"], json!({"left": 1, "unchanged": 5, "updated": 2}));
        assert_eq!(corp.count("blocks").await, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_disabled_is_locked_out_at_once_though_a_mass_change_waits() {
    on_both(async |postgres| {
        let slapd = Slapd::start(8);
        let corp = Corp::start(postgres, &slapd, "--set budget=2,0%").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nfamily_name = $sn\nblocked = has($title)\n");
        corp.run("connection update corp --mapping own").succeeded();
        corp.sync();
        let change =
            |number: usize, line: &str| format!("dn: uid=u{number:06},ou=people,{SUFFIX}\nchangetype: modify\n{line}\n\n");
        let marry: String = (0..4).map(|number| change(number, "replace: sn\nsn: Same")).collect();
        slapd.modify(&(marry + &change(0, "add: title\ntitle: fired")));
        let held = corp.sync_ends(3, "");
        assert_eq!((codes(&held), corp.count("blocks").await), (vec![String::from("mass_change")], 1));
        assert_eq!(corp.person("u000000").await["blocked"], json!(true));
        assert_eq!(corp.person("u000001").await["doc"]["family_name"], "Lee 1", "who only changed waits");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_attribute_that_changes_for_many_waits_and_comes_once_it_is_confirmed() {
    on_both(async |postgres| {
        let slapd = Slapd::start(6);
        let corp = Corp::start(postgres, &slapd, "--set budget=3,0%").await;
        corp.sync();
        let marry =
            |number: usize| format!("dn: uid=u{number:06},ou=people,{SUFFIX}\nchangetype: modify\nreplace: sn\nsn: Same\n\n");
        slapd.modify(&(0..4).map(marry).collect::<String>());
        let held = corp.sync_ends(3, "");
        assert_eq!(codes(&held), ["mass_change"]);
        assert!(held["summary"]["why"][0]["text"].as_str().unwrap().contains("family_name changes for 4 people"), "{held}");
        assert_eq!(corp.person("u000000").await["doc"]["family_name"], "Lee 0");
        let report = corp.sync_ends(0, &format!("--confirm {}", held["run_id"].as_str().unwrap()));
        assert_eq!(report["summary"]["people"], json!({"unchanged": 2, "updated": 4}));
        assert_eq!(corp.person("u000000").await["doc"]["family_name"], "Same");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrower_filter_is_no_reason_to_let_people_go_until_somebody_says_so() {
    let slapd = Slapd::start(5);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        corp.set("user_filter=(&(uid=*)(!(uid=u000004)))");
        let held = corp.sync_ends(3, "");
        assert_eq!(codes(&held), ["area_changed"]);
        assert_eq!(codes(&corp.sync_ends(3, "")), ["area_changed"], "it stays so");
        let report = corp.sync_ends(0, &format!("--confirm {}", held["run_id"].as_str().unwrap()));
        assert_eq!(report["summary"]["people"], json!({"left": 1, "unchanged": 4}));
        assert_eq!(corp.sync(), json!({"unchanged": 4}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_id_attribute_writes_nothing_at_all() {
    let slapd = Slapd::start(3);
    let numbered = |number| {
        format!(
            "dn: uid=u{number:06},ou=people,{SUFFIX}\nchangetype: modify\nreplace: employeeNumber\nemployeeNumber: {number}\n\n"
        )
    };
    slapd.modify(&(0..3).map(numbered).collect::<String>());
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let before = corp.footprint().await;
        corp.set("id_attribute=employeeNumber");
        assert_eq!(codes(&corp.sync_ends(3, ""))[0], "id_attribute_changed");
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_runs_lets_somebody_be_missing_for_a_while() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::start(postgres, &slapd, "--set missing_runs=3").await;
        corp.sync();
        let away = |from: &str, to: &str| {
            format!("dn: uid=u000003,ou={from},{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=u000003\ndeleteoldrdn: 0\nnewsuperior: ou={to},{SUFFIX}\n\n")
        };
        slapd.modify(&away("people", "empty"));
        for run in 1..3 {
            assert_eq!(corp.sync(), json!({"missing": 1, "unchanged": 3}));
            let person = corp.person("u000003").await;
            assert_eq!((&person["missing_runs"], &person["listed"]), (&json!(run), &json!(true)));
        }
        slapd.modify(&away("empty", "people"));
        assert_eq!(corp.sync(), json!({"unchanged": 4}), "there again, as they were");
        assert_eq!(corp.person("u000003").await["missing_runs"], json!(0));
        slapd.modify(&away("people", "empty"));
        for _ in 0..2 {
            assert_eq!(corp.sync(), json!({"missing": 1, "unchanged": 3}));
        }
        assert_eq!(corp.sync(), json!({"left": 1, "unchanged": 3}));
    })
    .await;
}

/// An entry as a scripted directory shows it.
#[derive(Clone)]
struct Person {
    id: Option<&'static str>,
    uid: &'static str,
    changed: &'static str,
}

const IDS: [&str; 4] = [
    "00000000-0000-0000-0000-00000000000a",
    "00000000-0000-0000-0000-00000000000b",
    "00000000-0000-0000-0000-00000000000c",
    "00000000-0000-0000-0000-00000000000d",
];

fn person(id: Option<&'static str>, uid: &'static str) -> Person {
    Person { id, uid, changed: "20260101000000Z" }
}

/// A directory of these people, who may be exchanged.
fn directory(people: &[Person]) -> (u16, Arc<Mutex<Vec<Person>>>) {
    let shown = Arc::new(Mutex::new(people.to_vec()));
    let read = Arc::clone(&shown);
    let port = listen(move |asked: &Asked| {
        let mut says: Vec<Say> = Vec::new();
        if asked.base.starts_with("ou=people") {
            for person in read.lock().unwrap().iter() {
                let dn = format!("uid={},ou=people,{SUFFIX}", person.uid);
                let mail = format!("{}@example.test", person.uid);
                let mut attributes: Vec<(&str, &[&str])> = vec![];
                let (id, uid, mails, changed) =
                    ([person.id.unwrap_or_default()], [person.uid], [mail.as_str()], [person.changed]);
                if person.id.is_some() {
                    attributes.push(("entryUUID", &id));
                }
                attributes.extend([("uid", &uid[..]), ("cn", &uid[..]), ("mail", &mails[..]), ("modifyTimestamp", &changed[..])]);
                says.push(entry(&dn, &attributes));
            }
        }
        says.push(Say::Done(0, Some(b"")));
        says
    });
    (port, shown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_two_entries_bear_is_nobodys_and_nobody_is_missing_for_it() {
    on_both(async |postgres| {
        let (port, shown) = directory(&[person(Some(IDS[0]), "ann"), person(Some(IDS[1]), "bob"), person(Some(IDS[2]), "cat")]);
        let corp = Corp::scripted(postgres, &[port], "--set server=openldap").await;
        assert_eq!(corp.sync(), json!({"created": 3}));
        *shown.lock().unwrap() = vec![
            person(Some(IDS[0]), "ann"),
            person(Some(IDS[1]), "first"),
            person(Some(IDS[1]), "second"),
            person(Some(IDS[2]), "cat"),
            person(Some(IDS[3]), "new"),
            person(Some(IDS[3]), "newer"),
        ];
        assert_eq!(corp.sync(), json!({"unchanged": 2}));
        assert_eq!(corp.person("bob").await["listed"], json!(true));
        assert_eq!(corp.count("identities").await, 3);
        let inbox = corp.inbox().await;
        assert_eq!(inbox.iter().map(|row| row["subject"].as_str().unwrap()).collect::<Vec<_>>(), [IDS[1], IDS[3]]);
        assert!(inbox.iter().all(|row| row["kind"] == "sync_id_twice"), "{inbox:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_without_an_id_keeps_whoever_has_its_place_and_holds_whoever_might_be_it() {
    on_both(async |postgres| {
        let all = [person(Some(IDS[0]), "ann"), person(Some(IDS[1]), "bob"), person(Some(IDS[2]), "cat")];
        let (port, shown) = directory(&all);
        let corp = Corp::scripted(postgres, &[port], "--set server=openldap").await;
        corp.sync();
        // Bob's id can't be read, but his place is his.
        shown.lock().unwrap()[1] = person(None, "bob");
        assert_eq!(corp.sync(), json!({"unchanged": 2}));
        assert_eq!(corp.person("bob").await["listed"], json!(true));
        // Somebody without an id, elsewhere, while he is gone: it may be him.
        shown.lock().unwrap()[1] = person(None, "robert");
        assert_eq!(codes(&corp.sync_ends(3, "")), ["without_id"]);
        assert_eq!(corp.person("bob").await["listed"], json!(true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lags_behind_takes_nobody_away_and_brings_nobody_back() {
    on_both(async |postgres| {
        let at = |uid, id, changed| Person { id: Some(id), uid, changed };
        let old =
            [at("ann", IDS[0], "20260101000000Z"), at("bob", IDS[1], "20260102000000Z"), at("cat", IDS[2], "20260101000000Z")];
        let (first, shown) = directory(&old);
        let (second, lagging) = directory(&old);
        let corp = Corp::scripted(postgres, &[first, second], "--set server=openldap").await;
        corp.sync();
        // On the first server bob goes and dan comes; the second does not know yet.
        *shown.lock().unwrap() = vec![old[0].clone(), old[2].clone(), at("dan", IDS[3], "20260103000000Z")];
        assert_eq!(corp.sync(), json!({"created": 1, "left": 1, "unchanged": 2}));
        let before = corp.footprint().await;
        corp.run(&format!("connection update corp --set url=ldap://127.0.0.1:{second}")).succeeded();
        let held = corp.sync_ends(3, "");
        assert_eq!(codes(&held)[0], "older_state");
        assert_eq!(corp.footprint().await, before, "dan stays, bob stays away");
        // It has caught up.
        lagging.lock().unwrap().clone_from(&shown.lock().unwrap());
        assert_eq!(corp.sync(), json!({"unchanged": 3}));
        // The same address may be another server: an entry that went back in time says so.
        lagging.lock().unwrap()[2].changed = "20260102000000Z";
        assert_eq!(codes(&corp.sync_ends(3, "")), ["older_state"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_published_during_a_run_counts_from_the_next_one() {
    on_both(async |postgres| {
        // The second read of people, which writes them, waits until the new version is there.
        let ((tell_reading, reading), (tell_go, go)) = (mpsc::channel(), mpsc::channel::<()>());
        let looks = Cell::new(0);
        let port = listen(move |asked: &Asked| {
            let mut says: Vec<Say> = Vec::new();
            if asked.base.starts_with("ou=people") && asked.scope == 2 {
                looks.set(looks.get() + 1);
                if looks.get() == 2 {
                    tell_reading.send(()).expect("the test waits");
                    go.recv().expect("the test goes on");
                }
                let mut attributes: Vec<(&str, &[&str])> =
                    vec![("entryUUID", &IDS[..1]), ("uid", &["ann"]), ("modifyTimestamp", &["20260101000000Z"])];
                if asked.attributes.iter().any(|name| name == "employeeType") {
                    attributes.push(("employeeType", &["staff"]));
                }
                says.push(entry(&format!("uid=ann,ou=people,{SUFFIX}"), &attributes));
            }
            says.push(Say::Done(0, Some(b"")));
            says
        });
        let corp = Corp::scripted(postgres, &[port], "--set server=openldap").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\n");
        corp.run("connection update corp --mapping own").succeeded();
        let run = corp.spawn_sync();
        reading.recv_timeout(Duration::from_secs(60)).expect("the run reads again");
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nblocked = not has($employeeType)\n");
        // Nobody is stored yet, so that there is nothing to preview.
        corp.run("mapping publish own").succeeded();
        // Longer than a process goes by the version it knows.
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        tell_go.send(()).expect("the directory waits");
        let run = run.wait_with_output().expect("it ends");
        assert!(run.status.success(), "{run:?}");
        assert_eq!(corp.list("SELECT mapping_version FROM identities").await, [json!(1)]);
        assert_eq!(corp.person("ann").await["blocked"], json!(false));
        corp.sync();
        assert_eq!(corp.list("SELECT mapping_version FROM identities").await, [json!(2)]);
        assert_eq!(corp.person("ann").await["blocked"], json!(false));
    })
    .await;
}
