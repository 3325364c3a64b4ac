//! Runs that read what changed and no more, against a real Active Directory (a Samba), on both stores and in each of its ways:
//! by its count of changes as an ordinary account and as one that sees who is deleted, and by DirSync.

use crate::support::corp::{Corp, on_both};
use crate::support::samba::{ADMINISTRATOR, OF_THE_ADMINISTRATOR, Ou, ROOT, delete, domain_controller, rename, replace, unit};
use rosterd::clock::{Clock, SECOND};
use serde_json::{Value, json};

/// `blocked` by the clock, names and address.
const MAPPING: &str = "mapping own from ldap to profile\n\
     attrs { userAccountControl: int, accountExpires: filetime, mail: string list }\nusername = $sAMAccountName\nemail = $mail[0]\nname = $displayName\n\
     blocked = uac($userAccountControl, ACCOUNTDISABLE) or expired($accountExpires)\n";

/// As whom, by which way, and whether it is told who was deleted.
#[derive(Clone, Copy, Debug)]
struct Way {
    option: &'static str,
    administrator: bool,
    by: &'static str,
    tells: bool,
}

const WAYS: [Way; 3] = [
    Way { option: "uSNChanged", administrator: false, by: "uSNChanged", tells: false },
    Way { option: "auto", administrator: true, by: "uSNChanged", tells: true },
    Way { option: "DirSync", administrator: true, by: "DirSync", tells: true },
];

async fn corp(postgres: bool, ou: &Ou, way: Way, more: &str) -> Corp {
    let corp = Corp::in_domain(postgres, ou, &format!("--set delta={} {more}", way.option)).await;
    corp.mapping(MAPPING);
    corp.run("connection update corp --mapping own").succeeded();
    if way.administrator {
        corp.sandbox.write("administrator", OF_THE_ADMINISTRATOR);
        corp.run(&format!("connection update corp --set bind_dn={ADMINISTRATOR} --secret bind_password=file:administrator"))
            .succeeded();
    }
    corp
}

async fn each_way(body: impl AsyncFn(Way, bool)) {
    for way in WAYS {
        for postgres in [false, true] {
            body(way, postgres).await;
        }
    }
}

/// A run that read changes alone; what it says.
fn delta(corp: &Corp) -> Value {
    let summary = corp.sync_ends(0, "")["summary"].take();
    assert_eq!(summary["kind"], "delta", "{summary}");
    summary
}

/// A complete run finds nothing left to do.
async fn is_settled(corp: &Corp) {
    let before = corp.footprint().await;
    let summary = corp.sync_ends(0, "--full")["summary"].take();
    assert_eq!(corp.footprint().await, before, "{summary}");
}

/// With what only complete reads see, where the account is not told who was deleted.
fn caught_up(corp: &Corp, way: Way) {
    if !way.tells {
        corp.sync_ends(0, "--full");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_sees_who_comes_changes_moves_is_disabled_deleted_and_made_again() {
    each_way(async |way, postgres| {
        let (samba, ou, elsewhere) = (domain_controller(), Ou::new(), Ou::new());
        let names = ["ann", "bob", "cid", "dan", "eve", "fay", "guy", "hal", "ida", "joe"];
        samba.modify(&(names.map(|name| ou.person(name)).concat() + &elsewhere.person("out")));
        let corp = corp(postgres, &ou, way, "").await;
        let first = corp.sync_ends(0, "")["summary"].take();
        assert_eq!((&first["people"], &first["by"]), (&json!({"created": 10}), &json!(way.by)), "{first}");
        let before = corp.footprint().await;
        assert_eq!(delta(&corp)["people"], json!({}));
        assert_eq!(corp.footprint().await, before);

        let cid = corp.person(&ou.login("cid")).await;
        samba.modify(
            &(ou.person("new")
                + &replace(&ou.dn_of("ann"), "displayName", "Ann Two")
                + &replace(&ou.dn_of("bob"), "userAccountControl", "514")
                + &rename(&ou.dn_of("cid"), "CN=cecil", None)
                + &rename(&elsewhere.dn_of("out"), "CN=out", Some(&ou.dn))
                + &rename(&ou.dn_of("dan"), "CN=dan", Some(&elsewhere.dn))),
        );
        let told = delta(&corp);
        let people = &told["people"];
        assert_eq!((&people["created"], &people["updated"], &people["left"]), (&json!(2), &json!(3), &json!(1)), "{told}");
        assert_eq!(corp.person(&ou.login("ann")).await["doc"]["name"], "Ann Two");
        assert_eq!(corp.person(&ou.login("bob")).await["blocked"], json!(true));
        assert_eq!(corp.person(&ou.login("cid")).await["id"], cid["id"]);
        assert_eq!(corp.person(&ou.login("dan")).await["blocked"], json!(true));

        // Back again; and deleted, under whose name somebody else comes.
        let eve = corp.person(&ou.login("eve")).await;
        samba.modify(&(rename(&elsewhere.dn_of("dan"), "CN=dan", Some(&ou.dn)) + &delete(&ou.dn_of("eve")) + &ou.person("eve")));
        let told = delta(&corp);
        assert_eq!((&told["people"]["revived"], &told["people"]["created"]), (&json!(1), &json!(1)), "{told}");
        assert_eq!(told["people"]["left"], if way.tells { json!(1) } else { Value::Null }, "{told}");
        caught_up(&corp, way);
        let state = corp.list(&format!("SELECT listed FROM identities WHERE id = '{}'", eve["id"].as_str().unwrap())).await;
        assert_eq!(state, [json!(false)]);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_not_shown_who_is_deleted_reads_everything_unless_it_is_told_to_go_by_changes() {
    let (samba, ou) = (domain_controller(), Ou::new());
    samba.modify(&(["ann", "bob"].map(|name| ou.person(name)).concat() + &delete(&ou.dn_of("bob"))));
    let corp = corp(false, &ou, Way { option: "auto", ..WAYS[0] }, "").await;
    for _ in 0..2 {
        let summary = corp.sync_ends(0, "")["summary"].take();
        assert_eq!((&summary["kind"], &summary["by"]), (&json!("full"), &Value::Null), "{summary}");
        assert!(summary["why_no_delta"].as_str().unwrap().contains("let it read CN=Deleted Objects"), "{summary}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_undeleted_is_the_same_person_and_in_the_groups_that_the_directory_names_them_in() {
    on_both(async |postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        let names = ["ann", "bob", "cid", "dan", "eve", "fay"];
        samba.modify(&(names.map(|name| ou.person(name)).concat() + &ou.group("team", &[&ou.dn_of("ann"), &ou.dn_of("bob")])));
        let corp = corp(postgres, &ou, WAYS[1], "").await;
        corp.sync();
        let login = ou.login("ann");
        let before = corp.person(&login).await;
        samba.modify(&delete(&ou.dn_of("ann")));
        assert_eq!(delta(&corp)["people"], json!({"left": 1}));
        assert_eq!(corp.members("team").await, [ou.login("bob")], "without a word of the group");
        let deleted = samba.search(&format!("CN=Deleted Objects,{ROOT}"), &format!("(sAMAccountName={login})"), &["dn"]);
        let dn = deleted.lines().find(|line| line.starts_with("dn:")).expect("it is there").to_owned();
        samba.undelete(&dn, &ou.dn_of("ann"));
        let told = delta(&corp);
        assert_eq!(told["people"]["revived"], json!(1), "{told}");
        let after = corp.person(&login).await;
        assert_eq!((&after["id"], &after["user_id"]), (&before["id"], &before["user_id"]));
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_nested_renamed_and_of_members_who_go_follow_by_deltas() {
    each_way(async |way, postgres| {
        let (samba, ou, elsewhere) = (domain_controller(), Ou::new(), Ou::new());
        let [ann, bob, cid, team, staff] = ["ann", "bob", "cid", "team", "staff"].map(|name| ou.dn_of(name));
        samba.modify(
            &(["ann", "bob", "cid", "dan", "eve", "fay"].map(|name| ou.person(name)).concat()
                + &elsewhere.person("out")
                + &ou.group("team", &[&ann, &bob, &elsewhere.dn_of("out")])
                + &ou.group("staff", &[&team, &cid])),
        );
        let corp = corp(postgres, &ou, way, "--set budget=off").await;
        corp.sync();
        assert_eq!(delta(&corp)["people"], json!({}));
        // A membership alone; a new group in an old one.
        samba.modify(
            &(format!("dn: {team}\nchangetype: modify\ndelete: member\nmember: {bob}\n-\nadd: member\nmember: {cid}\n\n")
                + &ou.group("inner", &[&bob])
                + &format!("dn: {staff}\nchangetype: modify\nadd: member\nmember: {}\n\n", ou.dn_of("inner"))),
        );
        delta(&corp);
        assert_eq!(corp.members("team").await, [ou.login("ann"), ou.login("cid")]);
        assert_eq!(corp.members("staff").await, [json!(ou.login("cid")), json!("inner"), json!("team")]);
        // Somebody whom a group names comes into the base: the group says nothing of it.
        samba.modify(&rename(&elsewhere.dn_of("out"), "CN=out", Some(&ou.dn)));
        delta(&corp);
        assert_eq!(corp.members("team").await, [ou.login("ann"), ou.login("cid"), elsewhere.login("out")]);
        // Who goes is taken out of the list by the directory; who is renamed and a group that is renamed stay.
        samba.modify(&(delete(&cid) + &rename(&ann, "CN=anna", None) + &rename(&team, "CN=crew", None)));
        delta(&corp);
        caught_up(&corp, way);
        assert_eq!(corp.members("crew").await, [ou.login("ann"), elsewhere.login("out")]);
        assert_eq!(corp.members("staff").await, ["crew", "inner"]);
        assert_eq!(corp.count("unresolved_members").await, 0);
        samba.modify(&delete(&ou.dn_of("inner")));
        delta(&corp);
        caught_up(&corp, way);
        assert_eq!(corp.members("staff").await, ["crew"]);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_group_follows_by_deltas_though_it_names_nobody() {
    each_way(async |way, postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        let [ann, bob, team, other] = ["ann", "bob", "team", "other"].map(|name| ou.dn_of(name));
        samba.modify(
            &(["ann", "bob"].map(|name| ou.person(name)).concat()
                + &ou.group("team", &[&ann, &bob])
                + &ou.group("other", &[&ann])),
        );
        let corp = corp(postgres, &ou, way, "").await;
        corp.sync();
        let number = |dn: &str| {
            let told = samba.search(dn, "(objectClass=group)", &["primaryGroupToken"]);
            told.lines().find_map(|line| line.strip_prefix("primaryGroupToken: ")).expect("a number").to_owned()
        };
        samba.modify(&replace(&ann, "primaryGroupID", &number(&team)));
        delta(&corp);
        assert_eq!(corp.members("team").await, [ou.login("ann"), ou.login("bob")]);
        // Something else of the group: who is in it without being named stays.
        samba.modify(&replace(&team, "description", "the team"));
        delta(&corp);
        assert_eq!(corp.members("team").await, [ou.login("ann"), ou.login("bob")]);
        samba.modify(
            &(replace(&ann, "primaryGroupID", &number(&other))
                + &format!("dn: {team}\nchangetype: modify\ndelete: member\nmember: {ann}\n\n")),
        );
        delta(&corp);
        assert_eq!(corp.members("team").await, [ou.login("bob")]);
        assert_eq!(corp.members("other").await, [ou.login("ann")]);
        // Somebody new whose primary group it is from the start, and says so alone.
        samba.modify(
            &(ou.person("cid") + &format!("dn: {other}\nchangetype: modify\nadd: member\nmember: {}\n\n", ou.dn_of("cid"))),
        );
        samba.modify(&replace(&ou.dn_of("cid"), "primaryGroupID", &number(&other)));
        delta(&corp);
        assert_eq!(corp.members("other").await, [ou.login("ann"), ou.login("cid")]);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_is_renamed_takes_those_in_it_along_and_one_that_moves_out_takes_them_away() {
    each_way(async |way, postgres| {
        let (samba, ou, elsewhere) = (domain_controller(), Ou::new(), Ou::new());
        let (inner, guests) = (format!("OU=inner,{}", ou.dn), format!("OU=guests,{}", ou.dn));
        let people = ["ann", "bob", "cid", "dan", "eve", "fay"].map(|name| ou.person(name)).concat();
        samba.modify(&(unit(&inner) + &unit(&guests) + &people));
        samba.modify(
            &(rename(&ou.dn_of("ann"), "CN=ann", Some(&inner))
                + &rename(&ou.dn_of("bob"), "CN=bob", Some(&guests))
                + &ou.group("team", &[&format!("CN=ann,{inner}"), &format!("CN=bob,{guests}"), &ou.dn_of("cid")])),
        );
        let corp = corp(postgres, &ou, way, "").await;
        corp.sync();
        samba.modify(&(rename(&inner, "OU=core", None) + &rename(&guests, "OU=guests", Some(&elsewhere.dn))));
        let told = delta(&corp);
        assert_eq!((&told["people"]["updated"], &told["people"]["left"]), (&json!(1), &json!(1)), "{told}");
        assert_eq!(corp.person(&ou.login("ann")).await["raw"]["dn"], format!("CN=ann,OU=core,{}", ou.dn));
        assert_eq!(corp.members("team").await, [ou.login("ann"), ou.login("cid")]);
        is_settled(&corp).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_end_comes_is_blocked_by_a_delta() {
    on_both(async |postgres| {
        let (samba, ou) = (domain_controller(), Ou::new());
        samba.modify(&["ann", "bob"].map(|name| ou.person(name)).concat());
        let clock = Clock::system();
        let corp = corp(postgres, &ou, WAYS[0], "").await;
        let end = clock.now() + 5 * SECOND;
        let ticks = (end + 11_644_473_600 * SECOND) * 10;
        samba.modify(&replace(&ou.dn_of("ann"), "accountExpires", &ticks.to_string()));
        corp.sync();
        assert_eq!(corp.person(&ou.login("ann")).await["blocked"], json!(false));
        while clock.now() < end + SECOND / 10 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(delta(&corp)["people"], json!({"updated": 1}));
        assert_eq!(corp.person(&ou.login("ann")).await["blocked"], json!(true));
        assert_eq!(corp.person(&ou.login("bob")).await["blocked"], json!(false));
        is_settled(&corp).await;
    })
    .await;
}
