//! People and groups follow a real Active Directory (a Samba), on both stores: its ids, its ways to block somebody, its
//! names that change, and the two places where it says who is in a group.

use crate::support::binary::Answer;
use crate::support::corp::{Corp, on_both};
use crate::support::samba::{CROWD, CROWD_SIZE, Ou, ROOT, SYNC, delete, domain_controller, rename, replace, unit};
use crate::support::slapd::PASSWORD;
use rosterd::clock::{Clock, Micros, SECOND};
use rosterd::ldap::connect::connect;
use rosterd::ldap::search::{End, Pages, Read};
use rosterd::ldap::settings::Settings;
use rosterd::model::connection_secrets::ConnectionSecrets;
use rosterd::model::directory::{DirectoryOptions, DirectoryServer};
use rosterd::secret::Secret;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The names of the members of a group, sorted.
async fn members(corp: &Corp, name: &str) -> Vec<Value> {
    let sql = format!(
        "SELECT coalesce(i.user_name, n.name) AS n FROM groups g JOIN members m ON m.tenant_id = g.tenant_id AND m.group_id = g.id \
         LEFT JOIN identities i ON i.tenant_id = g.tenant_id AND i.id = m.member_id \
         LEFT JOIN groups n ON n.tenant_id = g.tenant_id AND n.id = m.member_id WHERE g.name = '{name}' ORDER BY 1"
    );
    corp.list(&sql).await
}

fn same_person(before: &Map<String, Value>, after: &Map<String, Value>) {
    for same in ["id", "external_id", "profile", "user_id"] {
        assert_eq!(after[same], before[same], "{same}");
    }
}

/// As `accountExpires` has it: hundreds of nanoseconds since 1601 (MS-ADTS 2.3.1).
fn filetime(at: Micros) -> String {
    ((at + 11_644_473_600 * SECOND) * 10).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_come_by_object_guid_with_names_and_address_and_a_second_run_writes_nothing() {
    on_both(async |postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        samba.modify(&["ann", "bob", "cid"].map(|name| ou.person(name)).concat());
        let corp = Corp::in_domain(postgres, &ou, "").await;
        assert_eq!(corp.sync(), json!({"created": 3}));
        let login = ou.login("ann");
        let ann = corp.person(&login).await;
        let id = ann["external_id"].as_str().unwrap();
        assert_eq!(ann["user_id"], format!("ldap|corp|{id}"));
        for (field, value) in [
            ("username", login.clone()),
            ("email", format!("{login}@example.test")),
            ("name", format!("Ann {login}")),
            ("given_name", String::from("Ann")),
            ("family_name", String::from("Lee")),
        ] {
            assert_eq!(ann["doc"][field], value, "{field}");
        }
        assert_eq!((&ann["state"], &ann["listed"], &ann["blocked"]), (&json!("active"), &json!(true), &json!(false)));

        let before = corp.footprint().await;
        assert_eq!(corp.sync(), json!({"unchanged": 3}));
        assert_eq!(corp.footprint().await, before);

        // Whoever is deleted is called by the id's text, as the directory itself writes it.
        samba.modify(&delete(&ou.dn_of("ann")));
        let deleted = samba.search(&format!("CN=Deleted Objects,{ROOT}"), &format!("(sAMAccountName={login})"), &["dn"]);
        assert!(deleted.contains(&format!("DEL:{id},")), "{id} is not in {deleted}");
        assert_eq!(corp.sync(), json!({"left": 1, "unchanged": 2}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_or_expired_account_is_blocked_and_lifted_again() {
    on_both(async |postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        samba.modify(&["ann", "bob"].map(|name| ou.person(name)).concat());
        let corp = Corp::in_domain(postgres, &ou, "").await;
        corp.sync();
        let (dn, login) = (ou.dn_of("ann"), ou.login("ann"));
        let yesterday = filetime(Clock::system().now() - 24 * 3_600 * SECOND);
        for (attribute, value, blocked) in [
            ("userAccountControl", "514", true),
            ("userAccountControl", "512", false),
            ("accountExpires", yesterday.as_str(), true),
            ("accountExpires", "9223372036854775807", false),
        ] {
            samba.modify(&replace(&dn, attribute, value));
            assert_eq!(corp.sync(), json!({"unchanged": 1, "updated": 1}), "{attribute} {value}");
            let ann = corp.person(&login).await;
            assert_eq!((&ann["blocked"], &ann["listed"]), (&json!(blocked), &json!(true)), "{attribute} {value}");
        }
        assert_eq!(corp.person(&ou.login("bob")).await["blocked"], json!(false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_end_has_come_is_blocked_though_its_entry_did_not_change() {
    let (samba, ou) = (domain_controller(), Ou::new());
    samba.modify(&["ann", "bob"].map(|name| ou.person(name)).concat());
    let corps = [Corp::in_domain(false, &ou, "").await, Corp::in_domain(true, &ou, "").await];
    // Far enough that two runs end before it.
    let clock = Clock::system();
    let end = clock.now() + 8 * SECOND;
    samba.modify(&replace(&ou.dn_of("ann"), "accountExpires", &filetime(end)));
    for corp in &corps {
        assert_eq!(corp.sync(), json!({"created": 2}));
        assert_eq!(corp.person(&ou.login("ann")).await["blocked"], json!(false));
    }
    let left = u64::try_from(end - clock.now()).unwrap_or(0);
    tokio::time::sleep(Duration::from_micros(left) + Duration::from_millis(50)).await;
    for corp in &corps {
        corp.sync();
        assert_eq!(corp.person(&ou.login("ann")).await["blocked"], json!(true));
        assert_eq!(corp.person(&ou.login("bob")).await["blocked"], json!(false));
        let before = corp.footprint().await;
        corp.sync();
        assert_eq!(corp.footprint().await, before, "blocked once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_login_another_common_name_and_another_unit_are_the_same_person() {
    on_both(async |postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        let (inner, names) = (format!("OU=inner,{}", ou.dn), ["ann", "bob", "cid", "dan"]);
        samba.modify(&(unit(&inner) + &names.map(|name| ou.person(name)).concat()));
        let corp = Corp::in_domain(postgres, &ou, "").await;
        assert_eq!(corp.sync(), json!({"created": 4}));
        let before =
            [corp.person(&ou.login("ann")).await, corp.person(&ou.login("bob")).await, corp.person(&ou.login("cid")).await];
        samba.modify(
            &(replace(&ou.dn_of("ann"), "sAMAccountName", &ou.login("anna"))
                + &rename(&ou.dn_of("bob"), "CN=Robert", None)
                + &rename(&ou.dn_of("cid"), "CN=cid", Some(&inner))),
        );
        assert_eq!(corp.sync(), json!({"unchanged": 1, "updated": 3}));
        let after =
            [corp.person(&ou.login("anna")).await, corp.person(&ou.login("bob")).await, corp.person(&ou.login("cid")).await];
        for (before, after) in before.iter().zip(&after) {
            same_person(before, after);
        }
        assert_eq!(after[0]["doc"]["username"], ou.login("anna"));
        assert_eq!(after[1]["raw"]["dn"], format!("CN=Robert,{}", ou.dn));
        assert_eq!(after[2]["raw"]["dn"], format!("CN=cid,{inner}"));
        // The name of the unit above is in the name of everybody below, and nobody's entry was touched.
        samba.modify(&rename(&inner, "OU=core", None));
        assert_eq!(corp.sync(), json!({"unchanged": 3, "updated": 1}));
        same_person(&before[2], &corp.person(&ou.login("cid")).await);
        assert_eq!(corp.count("users").await, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_moved_out_of_the_base_leaves_and_who_is_moved_back_is_the_same_person() {
    on_both(async |postgres| {
        let (samba, ou, elsewhere) = (domain_controller(), Ou::new(), Ou::new());
        samba.modify(&["ann", "bob"].map(|name| ou.person(name)).concat());
        let corp = Corp::in_domain(postgres, &ou, "").await;
        corp.sync();
        let login = ou.login("ann");
        let before = corp.person(&login).await;
        samba.modify(&rename(&ou.dn_of("ann"), "CN=ann", Some(&elsewhere.dn)));
        assert_eq!(corp.sync(), json!({"left": 1, "unchanged": 1}));
        let gone = corp.person(&login).await;
        assert_eq!((&gone["state"], &gone["listed"], &gone["blocked"]), (&json!("deleted"), &json!(false), &json!(true)));
        samba.modify(&rename(&elsewhere.dn_of("ann"), "CN=ann", Some(&ou.dn)));
        assert_eq!(corp.sync(), json!({"revived": 1, "unchanged": 1}));
        let back = corp.person(&login).await;
        assert_eq!((&back["state"], &back["listed"], &back["blocked"]), (&json!("active"), &json!(true), &json!(false)));
        same_person(&before, &back);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_made_again_under_the_same_names_is_another_person() {
    on_both(async |postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        let group = ou.group("team", &[&ou.dn_of("ann")]);
        samba.modify(&(["ann", "bob"].map(|name| ou.person(name)).concat() + &group));
        let corp = Corp::in_domain(postgres, &ou, "").await;
        corp.sync();
        let login = ou.login("ann");
        let old = corp.person(&login).await;
        samba.modify(&(delete(&ou.dn_of("ann")) + &ou.person("ann")));
        assert_eq!(corp.sync(), json!({"created": 1, "left": 1, "unchanged": 1}));
        let new = corp.person(&login).await;
        for other in ["id", "external_id", "profile", "user_id"] {
            assert_ne!(new[other], old[other], "{other}");
        }
        assert_eq!(new["blocked"], json!(false));
        let blocked =
            corp.list(&format!("SELECT blocked FROM users WHERE user_id = '{}'", old["user_id"].as_str().unwrap())).await;
        assert_eq!(blocked, [json!(true)]);
        assert_eq!(members(&corp, "team").await, Vec::<Value>::new(), "what was the old one's is not the new one's");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_hold_people_and_groups_and_a_member_outside_the_base_waits() {
    on_both(async |postgres| {
        let (samba, ou, elsewhere) = (domain_controller(), Ou::new(), Ou::new());
        let [ann, bob, team] = ["ann", "bob", "team"].map(|name| ou.dn_of(name));
        samba.modify(
            &(["ann", "bob"].map(|name| ou.person(name)).concat()
                + &elsewhere.person("out")
                + &ou.group("team", &[&ann, &elsewhere.dn_of("out")])
                + &ou.group("staff", &[&bob, &team])),
        );
        let corp = Corp::in_domain(postgres, &ou, "").await;
        let report = corp.sync_ends(0, "");
        assert_eq!(report["summary"]["groups"], json!({"created": 2, "joined": 3, "met": 2}));
        assert_eq!(members(&corp, "team").await, [ou.login("ann")]);
        assert_eq!(members(&corp, "staff").await, [json!(ou.login("bob")), json!("team")]);
        assert_eq!(corp.list("SELECT dn FROM unresolved_members").await, [elsewhere.dn_of("out")]);
        let before = corp.footprint().await;
        assert_eq!(corp.sync_ends(0, "")["summary"]["groups"], json!({"met": 2}));
        assert_eq!(corp.footprint().await, before);

        // The directory itself rewrites the names in its groups: a rename moves nobody.
        samba.modify(&rename(&ann, "CN=anna", None));
        assert_eq!(corp.sync_ends(0, "")["summary"]["groups"], json!({"met": 2}));
        // One comes into the base, one is taken out of the group.
        samba.modify(
            &(rename(&elsewhere.dn_of("out"), "CN=out", Some(&ou.dn))
                + &format!("dn: {team}\nchangetype: modify\ndelete: member\nmember: CN=anna,{}\n\n", ou.dn)),
        );
        assert_eq!(corp.sync_ends(0, "")["summary"]["groups"], json!({"joined": 1, "left_members": 1, "met": 2}));
        assert_eq!(members(&corp, "team").await, [elsewhere.login("out")]);
        assert_eq!(corp.count("unresolved_members").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_with_commas_quotes_and_umlauts_are_members_and_computers_and_contacts_are_nobody() {
    on_both(async |postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        let [lee, gross] = ["Lee\\, Ann", "J\u{fc}rgen \\+ \\\"Gro\u{df}\\\" #1"];
        samba.modify(
            &(ou.person_called(lee, "lee")
                + &ou.person_called(gross, "gross")
                + &ou.group("team", &[&ou.dn_of(lee), &ou.dn_of(gross)])
                + &format!(
                    "dn: {}\nchangetype: add\nobjectClass: computer\nsAMAccountName: {}$\n\n",
                    ou.dn_of("pc"),
                    ou.login("pc")
                )
                + &format!("dn: {}\nchangetype: add\nobjectClass: contact\nmail: c@example.test\n\n", ou.dn_of("contact"))),
        );
        let corp = Corp::in_domain(postgres, &ou, "").await;
        assert_eq!(corp.sync(), json!({"created": 2}));
        assert_eq!(members(&corp, "team").await, [ou.login("gross"), ou.login("lee")]);
        assert_eq!(corp.count("unresolved_members").await, 0);
        samba.modify(&rename(&ou.dn_of(lee), "CN=Lee-Ort\\, Ann", None));
        let report = corp.sync_ends(0, "");
        assert_eq!(report["summary"]["people"], json!({"unchanged": 1, "updated": 1}));
        assert_eq!(report["summary"]["groups"], json!({"met": 1}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_primary_group_it_becomes_stays_a_member_though_the_group_names_them_no_more() {
    on_both(async |postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        let [ann, bob, team, other] = ["ann", "bob", "team", "other"].map(|name| ou.dn_of(name));
        samba.modify(
            &(["ann", "bob"].map(|name| ou.person(name)).concat()
                + &ou.group("team", &[&ann, &bob])
                + &ou.group("other", &[&ann])),
        );
        let corp = Corp::in_domain(postgres, &ou, "").await;
        corp.sync();
        assert_eq!(members(&corp, "team").await, [ou.login("ann"), ou.login("bob")]);

        let number = |dn: &str| {
            let told = samba.search(dn, "(objectClass=group)", &["primaryGroupToken"]);
            told.lines().find_map(|line| line.strip_prefix("primaryGroupToken: ")).expect("a number").to_owned()
        };
        samba.modify(&replace(&ann, "primaryGroupID", &number(&team)));
        assert!(!samba.search(&team, "(objectClass=group)", &["member"]).contains(&ann), "the directory names her no more");
        let report = corp.sync_ends(0, "");
        assert_eq!(report["summary"]["groups"], json!({"met": 2}));
        assert_eq!(members(&corp, "team").await, [ou.login("ann"), ou.login("bob")]);

        // With another primary group she is named again in the first, and taken out of it she is gone.
        samba.modify(
            &(replace(&ann, "primaryGroupID", &number(&other))
                + &format!("dn: {team}\nchangetype: modify\ndelete: member\nmember: {ann}\n\n")),
        );
        assert_eq!(corp.sync_ends(0, "")["summary"]["groups"], json!({"left_members": 1, "met": 2}));
        assert_eq!(members(&corp, "team").await, [ou.login("bob")]);
        assert_eq!(members(&corp, "other").await, [ou.login("ann")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_more_members_than_the_directory_hands_out_at_a_time_has_them_all() {
    let _running = domain_controller();
    let crowd = Ou::crowd();
    on_both(async |postgres| {
        let corp = Corp::in_domain(postgres, &crowd, "--set page_size=500").await;
        let report = corp.sync_ends(0, "");
        assert_eq!(report["summary"]["people"], json!({"created": CROWD_SIZE}));
        assert_eq!(report["summary"]["groups"], json!({"created": 1, "joined": CROWD_SIZE, "met": 1}));
        assert_eq!(corp.count("members").await, i64::try_from(CROWD_SIZE).unwrap());
        assert_eq!(corp.count("users WHERE blocked").await, i64::try_from(CROWD_SIZE).unwrap(), "all of them are disabled");
        let before = corp.footprint().await;
        corp.sync();
        assert_eq!(corp.footprint().await, before);
    })
    .await;
}

/// Samba hands out a part of the values only to who asks for one, so the first question is for a part here.
#[tokio::test]
async fn the_rest_of_a_list_that_comes_in_parts_is_asked_for_and_every_value_is_there_once() {
    let samba = domain_controller();
    let mut options = DirectoryOptions {
        server: DirectoryServer::ActiveDirectory,
        urls: vec![samba.ldaps()],
        ca_file: Some(samba.ca().display().to_string()),
        bind_dn: Some(SYNC.into()),
        user_base: Some(CROWD.into()),
        user_filter: Some("(objectClass=group)".into()),
        ..DirectoryOptions::default()
    };
    options.settle();
    let mut secrets = ConnectionSecrets::default();
    secrets.set("bind_password", Some(Secret::new(PASSWORD.into())));
    let settings = Settings::of(&options, &secrets).expect("these settings make sense");
    let mut session = connect(&settings).await.unwrap_or_else(|not| panic!("{:?}", not.0)).session;
    for last in ["0", "999", "1598"] {
        let asked = vec![String::from("cn"), String::from("objectGUID"), format!("member;range=0-{last}")];
        let mut pages = Pages::new(&settings, &settings.users, asked);
        let mut entries = Vec::new();
        let end = loop {
            match pages.next(&mut session).await {
                Read::Page(page) => {
                    assert!(page.unreadable.is_empty(), "{:?}", page.unreadable);
                    entries.extend(page.entries);
                }
                Read::End(end) => break end,
            }
        };
        assert!(matches!(end, End::Complete(_)), "{end:?}");
        let mut members = entries[0].find("member").expect("members").values.clone();
        assert_eq!(members.len(), CROWD_SIZE, "0-{last}");
        members.sort_unstable();
        members.dedup();
        assert_eq!(members.len(), CROWD_SIZE, "0-{last}: each once");
    }
}

fn checked(answer: &Answer) -> Value {
    serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_of_a_whole_set_up_passes_every_step_by_ldaps_and_by_start_tls() {
    let (samba, ou) = (domain_controller(), Ou::new());
    samba.modify(&(["ann", "bob"].map(|name| ou.person(name)).concat() + &ou.group("team", &[&ou.dn_of("ann")])));
    for more in [String::new(), format!("--set url={} --set start_tls=true", samba.ldap())] {
        let corp = Corp::in_domain(false, &ou, &more).await;
        let answer = corp.run("connection check corp --json");
        let report = checked(&answer);
        assert_eq!((answer.code, &report["passed"]), (0, &json!(true)), "{report:#}");
        let steps = report["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| step["outcome"] == "ok"), "{report:#}");
        let details: Vec<&str> = steps.iter().map(|step| step["detail"].as_str().unwrap()).collect();
        for part in ["2 people, read to the end", "1 group, read to the end"] {
            assert!(details.contains(&part), "{report:#}");
        }
        assert!(details.iter().any(|detail| detail.starts_with("Active Directory")), "{report:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_on_the_plain_port_is_refused_with_the_way_out() {
    let (samba, ou) = (domain_controller(), Ou::new());
    let corp = Corp::in_domain(false, &ou, "").await;
    corp.run(&format!("connection update corp --set ca_file= --set url={} --set allow_plaintext=true", samba.ldap())).succeeded();
    let answer = corp.run("connection check corp --json");
    let report = checked(&answer);
    assert_eq!((answer.code, &report["passed"]), (1, &json!(false)), "{report:#}");
    let failed = report["steps"].as_array().unwrap().iter().find(|step| step["outcome"] == "failed").unwrap();
    assert_eq!(failed["step"], "bind", "{report:#}");
    assert!(failed["detail"].as_str().unwrap().contains("the directory answers 8 (strongerAuthRequired)"), "{failed}");
    assert!(failed["advice"].as_str().unwrap().contains("use ldaps://, or start_tls=true"), "{failed}");
    let refused = corp.run("sync corp --json");
    assert_ne!(refused.code, 0);
    assert!(format!("{refused:?}").contains("use ldaps://, or start_tls=true"), "{refused:?}");
    assert!(!format!("{answer:?}{refused:?}").contains(PASSWORD));
}
