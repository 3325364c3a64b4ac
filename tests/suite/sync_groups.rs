//! Groups follow a real OpenLDAP, on both stores: members, groups in groups, names that nobody bears yet, and that members
//! who leave count.

use crate::support::corp::{Corp, on_both};
use crate::support::scripted_directory::{Asked, Say, entry, listen};
use crate::support::slapd::{SUFFIX, Slapd};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn group(name: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|dn| format!("member: {dn}\n")).collect();
    format!("dn: cn={name},ou=groups,{SUFFIX}\nchangetype: add\nobjectClass: groupOfNames\ncn: {name}\n{members}\n")
}

fn person_dn(uid: &str) -> String {
    format!("uid={uid},ou=people,{SUFFIX}")
}

fn group_dn(name: &str) -> String {
    format!("cn={name},ou=groups,{SUFFIX}")
}

fn member(name: &str, verb: &str, dn: &str) -> String {
    format!("dn: {}\nchangetype: modify\n{verb}: member\nmember: {dn}\n\n", group_dn(name))
}

/// The names of the members of a group, sorted.
async fn members(corp: &Corp, name: &str) -> Vec<Value> {
    let sql = format!(
        "SELECT coalesce(i.user_name, n.name) AS n FROM groups g JOIN members m ON m.tenant_id = g.tenant_id AND m.group_id = g.id \
         LEFT JOIN identities i ON i.tenant_id = g.tenant_id AND i.id = m.member_id \
         LEFT JOIN groups n ON n.tenant_id = g.tenant_id AND n.id = m.member_id WHERE g.name = '{name}' ORDER BY 1"
    );
    corp.list(&sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_come_with_their_members_and_a_second_run_writes_nothing() {
    let slapd = Slapd::start(4);
    on_both(async |postgres| {
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        let report = corp.sync_ends(0, "");
        assert_eq!(report["summary"]["groups"], json!({"created": 2, "joined": 5, "met": 2}));
        assert_eq!(members(&corp, "staff").await, ["u000000", "u000001", "u000002", "u000003"]);
        assert_eq!(members(&corp, "first").await, ["u000000"]);
        let before = corp.footprint().await;
        assert_eq!(corp.sync_ends(0, "")["summary"]["groups"], json!({"met": 2}));
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_join_and_leave_and_a_name_nobody_bears_waits_for_its_bearer() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        corp.sync();
        slapd.modify(
            &(member("first", "add", &person_dn("late"))
                + &member("first", "add", "cn=elsewhere,dc=other")
                + &member("staff", "delete", &person_dn("u000001"))),
        );
        let report = corp.sync_ends(0, "");
        assert_eq!(report["summary"]["groups"], json!({"left_members": 1, "met": 2}));
        assert_eq!(members(&corp, "staff").await, ["u000000", "u000002"]);
        assert_eq!(corp.count("unresolved_members").await, 2);
        let before = corp.footprint().await;
        corp.sync();
        assert_eq!(corp.footprint().await, before);
        slapd.modify(&format!(
            "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: late\ncn: late\nsn: late\nmail: late@example.test\n\n",
            person_dn("late")
        ));
        assert_eq!(corp.sync_ends(0, "")["summary"]["groups"], json!({"joined": 1, "met": 2}));
        assert_eq!(members(&corp, "first").await, ["late", "u000000"]);
        assert_eq!(corp.list("SELECT dn FROM unresolved_members").await, ["cn=elsewhere,dc=other"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_person_stays_a_member_whatever_the_group_says_meanwhile() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::with_groups(postgres, &slapd, "--set budget=0,0%").await;
        corp.sync();
        // slapd without an overlay for it leaves the old name in the group: we are told to remove, and hold.
        slapd.modify(&format!("dn: {}\nchangetype: modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 1\n\n", person_dn("u000000")));
        slapd.modify(&(member("staff", "delete", &person_dn("u000000")) + &member("staff", "add", &person_dn("anna"))));
        slapd.modify(&(member("first", "add", &person_dn("anna")) + &member("first", "delete", &person_dn("u000000"))));
        corp.set("budget=1,0%");
        let report = corp.sync_ends(0, "");
        assert_eq!(
            (&report["summary"]["people"], &report["summary"]["groups"]),
            (&json!({"unchanged": 2, "updated": 1}), &json!({"met": 2}))
        );
        assert_eq!(members(&corp, "first").await, ["anna"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_name_given_to_somebody_new_brings_no_membership_of_the_old_one_but_those_the_directory_names() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        corp.sync();
        let old = corp.person("u000000").await["id"].clone();
        slapd.modify(&format!(
            "dn: {dn}\nchangetype: delete\n\ndn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: u000000\ncn: new\nsn: new\nmail: new@example.test\n\n",
            dn = person_dn("u000000")
        ));
        let report = corp.sync_ends(0, "");
        assert_eq!(report["summary"]["people"], json!({"created": 1, "left": 1, "unchanged": 2}));
        // The directory still names that place in both groups: the new bearer has it, the old one nothing.
        assert_eq!(report["summary"]["groups"]["joined"], json!(2));
        assert_eq!(corp.count(&format!("members WHERE member_id = '{}'", old.as_str().unwrap())).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_took_a_place_over_is_the_member_though_the_one_before_was_not_let_go_yet() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        corp.sync();
        corp.set("budget=0,0%");
        let old = corp.person("u000000").await["id"].clone();
        slapd.modify(&format!(
            "dn: {dn}\nchangetype: delete\n\ndn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: u000000\ncn: new\nsn: new\nmail: new@example.test\n\n",
            dn = person_dn("u000000")
        ));
        corp.sync_ends(3, "");
        let new = corp.person("u000000").await["id"].clone();
        assert_ne!(new, old);
        assert_eq!(corp.count(&format!("members WHERE member_id = '{}'", new.as_str().unwrap())).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_hold_groups_and_never_themselves() {
    on_both(async |postgres| {
        let slapd = Slapd::start(2);
        slapd.modify(
            &(group("a", &[&group_dn("b"), &person_dn("u000000")])
                + &group("b", &[&group_dn("c")])
                + &group("c", &[&group_dn("a"), &person_dn("u000001")])),
        );
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        corp.sync();
        let rows = corp.list("SELECT count(*) AS n FROM members WHERE kind = 'Group'").await;
        assert_eq!(rows, [json!(2)], "the third would close the ring");
        let inbox = corp.inbox().await;
        assert_eq!((inbox.len(), &inbox[0]["kind"]), (1, &json!("sync_group")));
        assert!(inbox[0]["detail"].as_str().unwrap().contains("would hold itself"), "{inbox:?}");
        let before = corp.footprint().await;
        corp.sync();
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_group_is_where_its_new_name_stands_and_nowhere_else_in_the_same_run() {
    on_both(async |postgres| {
        let slapd = Slapd::start(2);
        slapd.modify(
            &(group("told", &[&group_dn("inner"), &person_dn("u000000")])
                + &group("stale", &[&group_dn("inner"), &person_dn("u000000")])
                + &group("inner", &[&group_dn("last"), &person_dn("u000001")])
                + &group("last", &[&person_dn("u000001")])),
        );
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        corp.sync();
        assert_eq!(members(&corp, "told").await, ["inner", "u000000"]);
        // slapd without an overlay for it leaves the old name where nobody puts it right.
        slapd.modify(&format!("dn: {}\nchangetype: modrdn\nnewrdn: cn=club\ndeleteoldrdn: 1\n\n", group_dn("inner")));
        slapd.modify(
            &(member("told", "delete", &group_dn("inner"))
                + &member("told", "add", &group_dn("club"))
                + &format!("dn: {}\nchangetype: delete\n\n", group_dn("last"))),
        );
        corp.sync();
        assert_eq!(members(&corp, "told").await, ["club", "u000000"]);
        assert_eq!(members(&corp, "stale").await, ["u000000"]);
        assert_eq!(members(&corp, "club").await, ["u000001"]);
        let unresolved = corp.list("SELECT dn FROM unresolved_members WHERE dn NOT LIKE 'uid=%' ORDER BY dn").await;
        assert_eq!(unresolved, [group_dn("inner"), group_dn("last")]);
        let removed = corp.count("outbox WHERE kind = 'group.member.deleted'").await;
        let before = corp.footprint().await;
        corp.sync();
        assert_eq!(corp.footprint().await, before, "one run was enough");
        assert_eq!(removed, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_who_leave_and_groups_that_go_count_and_wait() {
    on_both(async |postgres| {
        let slapd = Slapd::start(6);
        let corp = Corp::with_groups(postgres, &slapd, "--set budget=4,0%").await;
        corp.sync();
        slapd.modify(&format!("dn: {}\nchangetype: delete\n\n", group_dn("staff")));
        let held = corp.sync_ends(3, "");
        assert_eq!(held["summary"]["why"][0]["reason"], "over_budget");
        assert_eq!(members(&corp, "staff").await.len(), 6);
        let run = held["run_id"].as_str().unwrap();
        let shown = corp.run(&format!("runs show {run} --json")).json();
        assert_eq!(shown["items"][0]["action"], "group.leave");
        let report = corp.sync_ends(0, &format!("--confirm {run}"));
        assert_eq!(report["summary"]["groups"]["left"], json!(1));
        assert_eq!(corp.count("members").await, 1);
        // All of them at once are held whatever the budget says.
        corp.set("budget=off");
        corp.set("group_filter=(cn=nothing)");
        let held = corp.sync_ends(3, "");
        assert_eq!(held["summary"]["why"].as_array().map(Vec::len), Some(2), "{held}");
        assert_eq!(corp.count("members").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_three_thousand_is_a_group() {
    let slapd = Slapd::start(3_000);
    on_both(async |postgres| {
        let corp = Corp::with_groups(postgres, &slapd, "--set page_size=500").await;
        assert_eq!(corp.sync_ends(0, "")["summary"]["groups"], json!({"created": 2, "joined": 3_001, "met": 2}));
        assert_eq!(corp.count("members").await, 3_001);
        let before = corp.footprint().await;
        corp.sync();
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_mapping_says_which_group_is_taken_and_under_which_name() {
    on_both(async |postgres| {
        let slapd = Slapd::start(2);
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        std::fs::create_dir_all(corp.sandbox.path().join("mappings")).unwrap();
        corp.sandbox.write(
            "mappings/teams.mapping",
            "mapping teams from ldap to group\nskip when $cn == \"first\" because \"not a team\"\nname = \"team {$cn}\"\n",
        );
        corp.set("group_mapping=teams");
        corp.sync();
        let mapped = corp.rows("SELECT name, mapped FROM groups ORDER BY name").await;
        assert_eq!(mapped[0]["mapped"]["skipped"], "not a team");
        assert_eq!(mapped[1]["mapped"]["name"], "team staff");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_group_of_active_directory_has_its_members_though_it_does_not_name_them() {
    // S-1-5-21-1-1-1-513 as bytes that are also text, which is all a scripted entry can say.
    let sid = "\u{1}\u{5}\0\0\0\0\0\u{5}\u{15}\0\0\0\u{1}\0\0\0\u{1}\0\0\0\u{1}\0\0\0\u{1}\u{2}\0\0";
    let port = listen(move |asked: &Asked| {
        let of = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect::<Vec<_>>()
        };
        let mut says = Vec::new();
        if asked.base.starts_with("ou=people") {
            for (id, uid, primary) in [("AAAAAAAAAAAAAAAA", "ann", "513"), ("BBBBBBBBBBBBBBBB", "bob", "514")] {
                says.push(Say::Entry(
                    format!("cn={uid},ou=people,{SUFFIX}"),
                    of(&[
                        ("objectGUID", id),
                        ("sAMAccountName", uid),
                        ("cn", uid),
                        ("mail", &format!("{uid}@example.test")),
                        ("primaryGroupID", primary),
                    ]),
                ));
            }
        } else {
            says.push(Say::Entry(
                group_dn("Domain Users"),
                of(&[("objectGUID", "CCCCCCCCCCCCCCCC"), ("cn", "Domain Users"), ("objectSid", sid)]),
            ));
        }
        says.push(Say::Done(0, Some(b"")));
        says
    });
    on_both(async |postgres| {
        let corp = Corp::scripted(postgres, &[port], &format!("--set group_base=ou=groups,{SUFFIX}")).await;
        corp.sync();
        assert_eq!(members(&corp, "Domain Users").await, ["ann"]);
        let before = corp.footprint().await;
        corp.sync();
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

/// What a scripted directory says of its one group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Whole,
    /// More members follow, and asked for them it says that there is no such group.
    CutShort,
    WithoutId,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_can_not_be_read_whole_loses_nobody_and_is_not_missing() {
    let ids = ["00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"];
    let person = |uid: &str| format!("uid={uid},ou=people,{SUFFIX}");
    let shown = Arc::new(Mutex::new(Group::Whole));
    let now = Arc::clone(&shown);
    let port = listen(move |asked: &Asked| {
        let (ann, bob) = (person("ann"), person("bob"));
        let mut says = Vec::new();
        if asked.base.starts_with("ou=people") {
            for (id, uid) in ids.iter().zip(["ann", "bob"]) {
                let mail = format!("{uid}@example.test");
                says.push(entry(&person(uid), &[("entryUUID", &[id]), ("uid", &[uid]), ("cn", &[uid]), ("mail", &[&mail])]));
            }
        } else if asked.base.starts_with("cn=") {
            return vec![Say::Done(32, None)];
        } else {
            let (id, cn) = (("entryUUID", &["00000000-0000-0000-0000-00000000000c"][..]), ("cn", &["staff"][..]));
            let both = [ann.as_str(), bob.as_str()];
            says.push(match *now.lock().unwrap() {
                Group::Whole => entry(&group_dn("staff"), &[id, cn, ("member", &both)]),
                Group::CutShort => entry(&group_dn("staff"), &[id, cn, ("member;range=0-0", &both[..1])]),
                Group::WithoutId => entry(&group_dn("staff"), &[cn, ("member", &both[..1])]),
            });
        }
        says.push(Say::Done(0, Some(b"")));
        says
    });
    on_both(async |postgres| {
        *shown.lock().unwrap() = Group::Whole;
        let corp = Corp::scripted(postgres, &[port], &format!("--set server=openldap --set group_base=ou=groups,{SUFFIX}")).await;
        corp.sync();
        assert_eq!(members(&corp, "staff").await, ["ann", "bob"]);
        for odd in [Group::CutShort, Group::WithoutId] {
            *shown.lock().unwrap() = odd;
            corp.sync();
            assert_eq!(members(&corp, "staff").await, ["ann", "bob"]);
            let inbox = corp.inbox().await;
            assert_eq!((inbox.len(), &inbox[0]["kind"]), (1, &json!("sync_group")), "{inbox:?}");
        }
    })
    .await;
}
