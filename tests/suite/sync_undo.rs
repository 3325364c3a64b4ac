//! `rosterd runs undo` against a real OpenLDAP, on both stores: what a run did is put back where nothing newer did the same, what
//! stays is told, and nothing begins by itself until somebody runs a sync.

use crate::support::corp::{Corp, on_both};
use crate::support::rows::Database;
use crate::support::slapd::{SUFFIX, Slapd};
use serde_json::{Value, json};

fn modify(uid: &str, change: &str) -> String {
    format!("dn: uid={uid},ou=people,{SUFFIX}\nchangetype: modify\n{change}\n\n")
}

fn set(uid: &str, attribute: &str, value: &str) -> String {
    modify(uid, &format!("replace: {attribute}\n{attribute}: {value}"))
}

fn away(uid: &str) -> String {
    format!(
        "dn: uid={uid},ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid={uid}\ndeleteoldrdn: 0\nnewsuperior: ou=empty,{SUFFIX}\n\n"
    )
}

/// A run: its id.
fn run(corp: &Corp) -> String {
    corp.sync_ends(0, "")["run_id"].as_str().expect("an id").to_owned()
}

fn undo(corp: &Corp, run: &str) -> Value {
    corp.run(&format!("runs undo {run} --json")).json()
}

fn numbers(undone: &Value) -> Value {
    json!([undone["changes"], undone["restored"], undone["kept"], undone["as_before"]])
}

fn standing(corp: &Corp) -> Value {
    corp.run("connection show corp --json").json()["sync"]["state"].clone()
}

/// Who is in a group, by login name.
async fn members(corp: &Corp, name: &str) -> Vec<Value> {
    let sql = format!(
        "SELECT i.user_name FROM groups g JOIN members m ON m.tenant_id = g.tenant_id AND m.group_id = g.id \
         JOIN identities i ON i.tenant_id = g.tenant_id AND i.id = m.member_id WHERE g.name = '{name}' AND g.listed ORDER BY 1"
    );
    corp.list(&sql).await
}

/// All profiles with what is said of them, to compare.
async fn people(corp: &Corp) -> Value {
    let sql = "SELECT u.user_id, u.doc, u.provenance, u.email, u.blocked, i.state, i.listed, i.user_name FROM users u \
        JOIN identities i ON i.tenant_id = u.tenant_id AND i.profile_id = u.id ORDER BY u.user_id";
    json!(corp.rows(sql).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_import_is_undone_whole_and_everybody_may_come_anew_under_the_same_id() {
    let slapd = Slapd::start(6);
    on_both(async |postgres| {
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        let first = run(&corp);
        let ids = corp.list("SELECT user_id FROM users ORDER BY user_id").await;
        let looked = corp.run(&format!("runs undo {first} --dry-run --json")).json();
        assert_eq!((numbers(&looked), &looked["run_id"]), (json!([8, 8, 0, 0]), &Value::Null));
        assert_eq!((corp.count("users").await, corp.count("runs").await), (6, 1), "only looked");

        let undone = undo(&corp, &first);
        assert_eq!(numbers(&undone), json!([8, 8, 0, 0]));
        for table in ["users", "identities", "members", "blocks", "tombstones", "groups WHERE listed"] {
            assert_eq!(corp.count(table).await, 0, "{table}");
        }
        assert_eq!(corp.count("outbox WHERE kind = 'user.deleted'").await, 6);
        let totals = corp.list("SELECT CAST(sum(total) AS BIGINT) AS n FROM counters WHERE kind IN ('user', 'group')").await;
        assert_eq!(totals, [json!(0)]);
        let runs = corp.rows("SELECT kind, state, summary FROM runs ORDER BY id").await;
        assert_eq!((&runs[0]["kind"], &runs[0]["state"]), (&json!("sync"), &json!("undone")));
        assert_eq!((&runs[1]["kind"], &runs[1]["state"]), (&json!("undo"), &json!("done")));
        let log = corp.rows("SELECT actor, request_id FROM log WHERE kind = 'run.undone'").await;
        assert_eq!((&log[0]["actor"], &log[0]["request_id"]), (&json!("cli"), &undone["run_id"]));
        assert_eq!(standing(&corp), "paused");

        let before = corp.footprint().await;
        let again = undo(&corp, &first);
        assert_eq!(
            (&again["already_undone"], &again["run_id"], numbers(&again)),
            (&json!(true), &Value::Null, json!([0, 0, 0, 0]))
        );
        assert_eq!(corp.footprint().await, before);

        assert_eq!(corp.sync(), json!({"created": 6}));
        assert_eq!(corp.list("SELECT user_id FROM users ORDER BY user_id").await, ids);
        assert_eq!(members(&corp, "staff").await.len(), 6);
        assert_eq!(standing(&corp), "scheduled");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mass_disable_is_undone_but_where_something_newer_speaks_and_nothing_redoes_it_by_itself() {
    on_both(async |postgres| {
        let slapd = Slapd::start(6);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping(
            "mapping own from ldap to profile\nusername = $uid\nemail = $mail\nname = $cn\nblocked = $title == \"gone\"\n",
        );
        corp.run("connection update corp --mapping own").succeeded();
        corp.sync();
        let before = people(&corp).await;
        slapd.modify(&(0..5).map(|at| set(&format!("u{at:06}"), "title", "gone")).collect::<String>());
        let disable = run(&corp);
        assert_eq!(corp.count("users WHERE blocked").await, 5);
        // One of them is enabled and disabled again by later runs, and one blocked by an administrator as well.
        slapd.modify(&set("u000004", "title", "back"));
        run(&corp);
        slapd.modify(&set("u000004", "title", "gone"));
        run(&corp);
        let administrator = "INSERT INTO blocks (tenant_id, profile_id, kind, origin, since, actor, reason) \
            SELECT u.tenant_id, u.id, 'admin', '', 1, 'cli', 'theft' FROM users u WHERE u.email = 'u000003@example.test'";
        Database::change(&corp.database, administrator).await;

        let undone = undo(&corp, &disable);
        assert_eq!(numbers(&undone), json!([5, 4, 1, 0]));
        let kept: Vec<&Value> = undone["items"].as_array().unwrap().iter().filter(|item| item["kept"] != json!([])).collect();
        assert_eq!((kept.len(), &kept[0]["subject"], &kept[0]["kept"][0]["what"]), (1, &json!("u000004"), &json!("blocked")));
        assert!(kept[0]["kept"][0]["why"].as_str().unwrap().contains("written since by sync.user.updated"), "{kept:?}");
        let blocked = corp.list("SELECT email FROM users WHERE blocked ORDER BY email").await;
        assert_eq!(blocked, ["u000003@example.test", "u000004@example.test"]);
        assert_eq!(corp.count("identities WHERE state = 'active'").await, 5);
        let shown = corp.run(&format!("runs show {}", undone["run_id"].as_str().unwrap()));
        assert!(shown.out.contains("u000004: blocked (written since"), "{shown:?}");
        assert_eq!(standing(&corp), "paused");

        // The directory still says so, and whoever runs it by hand is told first.
        let looked = corp.run("sync corp --dry-run --json").json();
        assert_eq!(looked["people"], json!({"unchanged": 2, "update": 4}));
        slapd.modify(&(0..5).map(|at| modify(&format!("u{at:06}"), "delete: title")).collect::<String>());
        assert_eq!(corp.sync(), json!({"unchanged": 1, "updated": 5}));
        Database::change(&corp.database, "DELETE FROM blocks WHERE kind = 'admin'").await;
        let after = people(&corp).await;
        for (before, after) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
            assert_eq!((&after["doc"], &after["state"], &after["listed"]), (&before["doc"], &before["state"], &before["listed"]));
        }
        assert_eq!(corp.count("blocks").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_who_left_are_back_with_their_groups_and_who_was_removed_for_good_is_told() {
    on_both(async |postgres| {
        let slapd = Slapd::start(6);
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        corp.sync();
        let before = people(&corp).await;
        slapd.modify(&(away("u000001") + &away("u000002")));
        let leave = run(&corp);
        assert_eq!((corp.count("identities WHERE listed").await, members(&corp, "staff").await.len()), (4, 4));
        let undone = undo(&corp, &leave);
        assert_eq!(undone["kept"], json!(0), "{undone}");
        assert_eq!(people(&corp).await, before);
        assert_eq!((members(&corp, "staff").await.len(), corp.count("blocks").await), (6, 0));
        // Nobody is there, so whoever runs it sees them go again.
        assert_eq!(corp.sync(), json!({"left": 2, "unchanged": 4}));

        let slapd = Slapd::start(4);
        let corp = Corp::start(postgres, &slapd, "--set deprovision=delete").await;
        corp.sync();
        slapd.modify(&away("u000001"));
        let leave = run(&corp);
        let undone = undo(&corp, &leave);
        assert_eq!(numbers(&undone), json!([1, 0, 1, 0]));
        assert!(undone["items"][0]["kept"][0]["why"].as_str().unwrap().contains("removed for good"), "{undone}");
        assert_eq!(corp.count("users").await, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_values_and_members_are_as_before_but_those_that_changed_once_more() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        corp.sync();
        let before = people(&corp).await;
        let member = |verb: &str, group: &str, uid: &str| {
            format!(
                "dn: cn={group},ou=groups,{SUFFIX}\nchangetype: modify\n{verb}: member\nmember: uid={uid},ou=people,{SUFFIX}\n\n"
            )
        };
        slapd.modify(
            &(set("u000000", "mail", "other0@example.test")
                + &set("u000001", "mail", "other1@example.test")
                + &member("delete", "staff", "u000002")
                + &member("add", "first", "u000003")),
        );
        let wrong = run(&corp);
        slapd.modify(&set("u000001", "mail", "newer@example.test"));
        let newer = run(&corp);
        assert_eq!((members(&corp, "staff").await.len(), members(&corp, "first").await.len()), (3, 2));

        let table = corp.run(&format!("runs undo {wrong} --dry-run"));
        assert!(table.out.contains("u000001") && table.out.contains("email: written since by sync.user.updated"), "{table:?}");
        let undone = undo(&corp, &wrong);
        assert_eq!(numbers(&undone), json!([4, 4, 1, 0]), "{undone}");
        assert_eq!(corp.person("u000000").await["doc"]["email"], "u000000@example.test");
        assert_eq!(corp.person("u000001").await["doc"]["email"], "newer@example.test");
        assert_eq!(members(&corp, "staff").await.len(), 4);
        assert_eq!(members(&corp, "first").await, ["u000000"]);
        // The newer one as well: what was before it is what the first run wrote.
        assert_eq!(numbers(&undo(&corp, &newer)), json!([1, 1, 0, 0]));
        assert_eq!(corp.person("u000001").await["doc"]["email"], "other1@example.test");
        // Mended, and followed again.
        slapd.modify(
            &(set("u000000", "mail", "u000000@example.test\nmail: second0@example.test")
                + &set("u000001", "mail", "u000001@example.test\nmail: second1@example.test")
                + &member("add", "staff", "u000002")
                + &member("delete", "first", "u000003")),
        );
        assert_eq!(corp.sync(), json!({"unchanged": 2, "updated": 2}));
        let documents = |all: &Value| all.as_array().unwrap().iter().map(|one| one["doc"].clone()).collect::<Vec<_>>();
        assert_eq!(documents(&people(&corp).await), documents(&before));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_something_newer_changed_stays_as_that_left_it_until_the_newer_is_undone() {
    on_both(async |postgres| {
        let slapd = Slapd::start(4);
        let corp = Corp::with_groups(postgres, &slapd, "").await;
        corp.sync();
        let staff = |verb: &str| {
            let member = format!("{verb}: member\nmember: uid=u000002,ou=people,{SUFFIX}");
            format!("dn: cn=staff,ou=groups,{SUFFIX}\nchangetype: modify\n{member}\n\n")
        };
        slapd.modify(&staff("delete"));
        let first = run(&corp);
        slapd.modify(&staff("add"));
        run(&corp);
        slapd.modify(&staff("delete"));
        let second = run(&corp);
        // The second removal is nobody's mistake.
        let looked = corp.run(&format!("runs undo {first} --dry-run --json")).json();
        assert_eq!(numbers(&looked), json!([1, 0, 1, 0]), "{looked}");
        assert_eq!(looked["items"][0]["kept"], json!([{"what": "members", "why": "taken out again since: 1"}]));
        assert_eq!(numbers(&undo(&corp, &second)), json!([1, 1, 0, 0]));
        assert_eq!((numbers(&undo(&corp, &first)), members(&corp, "staff").await.len()), (json!([1, 0, 0, 1]), 4));

        let group = format!("dn: cn=new,ou=groups,{SUFFIX}\nchangetype:");
        let member = |uid: &str| format!("member: uid={uid},ou=people,{SUFFIX}");
        slapd.modify(&format!("{group} add\nobjectClass: groupOfNames\ncn: new\n{}\n\n", member("u000000")));
        let made = run(&corp);
        slapd.modify(&format!("{group} modify\nadd: member\n{}\n\n", member("u000001")));
        let newer = run(&corp);
        assert_eq!(members(&corp, "new").await, ["u000000", "u000001"]);
        let looked = corp.run(&format!("runs undo {made} --dry-run --json")).json();
        let kept: Vec<&Value> =
            looked["items"].as_array().unwrap().iter().flat_map(|item| item["kept"].as_array()).flatten().collect();
        assert_eq!(kept, [&json!({"what": "group", "why": "was changed since"})], "{looked}");

        // A word that was given for what was judged before an undo lets nothing through after it.
        let word = "INSERT INTO runs (tenant_id, id, connection_id, kind, state, summary, created_at, updated_at) \
            SELECT tenant_id, 'run_word', id, 'sync', 'confirmed', '{}', 1, 1 FROM connections WHERE name = 'corp'";
        Database::change(&corp.database, word).await;
        undo(&corp, &newer);
        assert_eq!(corp.list("SELECT state FROM runs WHERE id = 'run_word'").await, ["superseded"]);
        assert_eq!(members(&corp, "new").await, ["u000000"]);
        let undone = undo(&corp, &made);
        assert_eq!(undone["kept"], json!(0), "{undone}");
        assert_eq!(corp.count("groups WHERE name = 'new' AND listed").await, 0);

        // A run that is held as a whole wrote nothing, and ends no pause.
        slapd.modify(&set("u000000", "employeeNumber", "1"));
        corp.set("id_attribute=employeeNumber");
        corp.sync_ends(3, "");
        assert_eq!(standing(&corp), "paused");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cant_be_undone_is_refused_with_the_way_out() {
    let slapd = Slapd::start(2);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        let first = run(&corp);
        assert!(corp.run("runs undo run_0").refusal().contains("`rosterd runs list` names those there are"));
        corp.run("tenant create acme").succeeded();
        let elsewhere = corp.run(&format!("runs undo {first} --tenant acme"));
        assert!(elsewhere.refusal().contains("there is no run"), "{elsewhere:?}");
        assert_eq!(corp.count("users").await, 2);
        // Somebody else works on the connection.
        let lease = "UPDATE leases SET owner = 'the other one', expires_at = 9000000000000000 WHERE name LIKE 'sync:%'";
        Database::change(&corp.database, lease).await;
        assert!(corp.run(&format!("runs undo {first}")).refusal().contains("the other one is running this sync"));
        assert_eq!((corp.count("users").await, standing(&corp)), (2, json!("scheduled")));
        Database::change(&corp.database, "UPDATE leases SET expires_at = 0 WHERE name LIKE 'sync:%'").await;
        let undone = undo(&corp, &first);
        let again = corp.run(&format!("runs undo {}", undone["run_id"].as_str().unwrap()));
        assert!(again.refusal().contains("`rosterd sync corp` follows the directory again"), "{again:?}");
    })
    .await;
}
