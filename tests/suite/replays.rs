//! Changing a mapping with its impact known before, on both stores and over a roster that was pushed, synced and signed in to: what a
//! preview counts is what publication and replay then do, a publication names its preview, a replay is one run that is held by the
//! budget, goes on where it was killed, and is undone to what was before.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::support::caller::{Caller, on_both_gateways};
use crate::support::gateway::{Gateway, Store};
use crate::support::login_site::LoginSite;
use crate::support::rows::Database;
use crate::support::slapd::{PASSWORD, Slapd};

const PUSHED: &str = "mapping pushed from scim to profile
username = $userName
name = $displayName
nickname = $nickName with if_empty
locale = $locale with create
app_metadata.title = $title
blocked = not $active
skip when $userType == \"robot\" because \"no robots\"
";

const SYNCED: &str = "mapping synced from ldap to profile
username = $uid
name = $cn
email = $mail
given_name = $givenName
family_name = $sn with on_change
app_metadata.phone = $telephoneNumber with sensitive
";

/// A gateway with everybody: two SCIM clients of one mapping, and a directory whose people sign in as well.
struct Site {
    site: LoginSite,
    slapd: Slapd,
}

impl Site {
    async fn start(store: Store, people: usize) -> Self {
        let slapd = Slapd::start(6);
        let site = LoginSite::without_connection(store, &[]).await;
        let site = Self { site, slapd };
        site.mapping("pushed", PUSHED);
        site.mapping("synced", SYNCED);
        site.site.connect("corp", &site.slapd, &["mapping=synced"]);
        site.site.sync();
        for uid in ["u000000", "u000001", "u000002"] {
            let answer = site.site.log_in(uid, PASSWORD).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        site.gateway().cli(&["connection", "update", "scim", "--mapping", "pushed"]);
        site.gateway().cli(&["connection", "create", "branch", "--kind", "scim", "--mapping", "pushed"]);
        site.push("scim", site.gateway().token(), people).await;
        let made: Value =
            serde_json::from_str(&site.gateway().cli(&["token", "create", "--connection", "branch", "--json"])).expect("JSON");
        site.push("branch", made["token"].as_str().expect("a token"), 5).await;
        site
    }

    fn gateway(&self) -> &Gateway {
        &self.site.gateway
    }

    fn mapping(&self, name: &str, text: &str) {
        let folder = self.gateway().folder().join("mappings");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.mapping")), text).expect("written");
    }

    /// People of whom each attribute is there for some and not for others.
    async fn push(&self, connection: &str, token: &str, people: usize) {
        let client = Caller::of(self.gateway(), connection, token);
        for at in 0..people {
            let mut user = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "externalId": format!("{connection}-{at}"),
                "userName": format!("{connection}{at}"),
                "displayName": format!("Person {at}"),
            });
            for (every, attribute, value) in [
                (2, "title", json!(format!("T{}", at % 3))),
                (3, "nickName", json!(format!("nick{at}"))),
                (4, "locale", json!("de-DE")),
                (5, "active", json!(at % 10 != 0)),
                (7, "userType", json!(if at % 14 == 0 { "robot" } else { "intern" })),
            ] {
                if at % every == 0 {
                    user[attribute] = value;
                }
            }
            client.create("Users", &user).await;
        }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.gateway().cli(arguments)).expect("JSON")
    }

    /// What a command prints and its exit code, whatever that is.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.gateway().run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    fn preview(&self, connection: &str, name: &str, text: &str) -> Value {
        self.mapping(name, text);
        self.json(&["mapping", "preview", connection, &format!("mappings/{name}.mapping"), "--json"])
    }

    fn publish(&self, name: &str, hash: &Value) {
        self.gateway().cli(&["mapping", "publish", name, "--preview", hash.as_str().expect("a hash")]);
    }

    fn replay(&self, connection: &str) -> Value {
        self.json(&["mapping", "replay", connection, "--all", "--json"])
    }

    async fn rows(&self, sql: &str) -> Vec<Map<String, Value>> {
        self.site.rows(sql).await
    }

    async fn count(&self, what: &str) -> i64 {
        let rows = self.rows(&format!("SELECT count(*) AS n FROM {what}")).await;
        rows[0]["n"].as_i64().expect("a number")
    }

    /// Everything a replay may move of people, to compare.
    async fn people(&self) -> Value {
        let users =
            "SELECT user_id, email, email_key, email_trusted, username_key, blocked, doc, provenance FROM users ORDER BY user_id";
        let identities = "SELECT connection_id, external_id, user_name, user_name_key, label, state, listed, active, raw, raw_hash, mapped, \
            mapping, mapping_version, login_raw, login_mapped, login_mapping, login_mapping_version, last_source, last_seen, \
            missing_runs FROM identities ORDER BY connection_id, external_id";
        let blocks = "SELECT u.user_id, b.kind, b.origin, b.since, b.actor, b.reason FROM blocks b JOIN users u \
            ON u.tenant_id = b.tenant_id AND u.id = b.profile_id ORDER BY u.user_id, b.kind, b.origin";
        json!([self.rows(users).await, self.rows(identities).await, self.rows(blocks).await])
    }

    /// Per attribute what history says of these runs: added, changed and removed.
    async fn moved(&self, runs: &[Value]) -> BTreeMap<String, [i64; 3]> {
        let mut moved: BTreeMap<String, [i64; 3]> = BTreeMap::new();
        for run in runs {
            let sql = format!(
                "SELECT h.changes, u.doc, i.mapped, i.login_mapped, l.kind FROM log l JOIN history h ON h.tenant_id = l.tenant_id \
                 AND h.profile_id = l.profile_id AND h.id = l.history_id JOIN users u ON u.tenant_id = h.tenant_id AND u.id = h.profile_id \
                 JOIN identities i ON i.tenant_id = h.tenant_id AND i.id = h.identity_id WHERE l.request_id = '{}'",
                run.as_str().expect("an id")
            );
            for row in self.rows(&sql).await {
                let changes = row["changes"].as_object().expect("changes");
                if changes.contains_key("created") {
                    continue;
                }
                for (path, entry) in changes.iter().filter(|(path, _)| !matches!(path.as_str(), "blocked" | "identities")) {
                    let now = path.split('.').try_fold(&row["doc"], |value, part| value.get(part));
                    let at = match (entry["before"].is_null(), now) {
                        (true, _) => 0,
                        (false, Some(_)) => 1,
                        (false, None) => 2,
                    };
                    moved.entry(path.clone()).or_default()[at] += 1;
                }
            }
        }
        moved
    }
}

fn attributes(preview: &Value) -> BTreeMap<String, [i64; 3]> {
    let of = |one: &Value| ["added", "changed", "removed"].map(|what| one[what].as_i64().expect("a number"));
    let all = preview["attributes"].as_array().expect("attributes").iter();
    all.map(|one| (one["attribute"].as_str().expect("a name").to_owned(), of(one))).collect()
}

/// The numbers of a report, without samples.
fn numbers(report: &Value) -> BTreeMap<&'static str, i64> {
    let plain = ["people", "derived", "changed"].map(|what| (what, report[what].as_i64().expect("a number")));
    let counted = ["let_in", "skipped", "rejected", "would_not_enter", "blocks", "unblocks", "user_ids"];
    let counted = counted.map(|what| (what, report[what]["count"].as_i64().expect("a number")));
    plain.into_iter().chain(counted).collect()
}

fn sum(reports: &[Value]) -> BTreeMap<&'static str, i64> {
    let mut all = BTreeMap::new();
    for (what, number) in reports.iter().flat_map(numbers) {
        *all.entry(what).or_insert(0) += number;
    }
    all
}

/// Texts that differ from the published one in one way each, then in many.
const TEXTS: [&str; 5] = [
    // Other values, and an attribute that goes.
    "mapping pushed from scim to profile
username = $userName
name = upper($displayName)
nickname = $nickName with if_empty
locale = $locale with create
blocked = not $active
skip when $userType == \"robot\" because \"no robots\"
",
    // Robots come in, interns are barred, nobody is blocked by their source any more.
    "mapping pushed from scim to profile
username = $userName
name = \"{$displayName} ({$userName})\"
locale = \"fr-FR\" with create
app_metadata.title = $title ?? \"none\"
blocked = false
deny when $userType == \"intern\" because \"interns wait\"
",
    // Some are skipped, of some an attribute fails, some are refused as a whole.
    "mapping pushed from scim to profile
username = $userName
user_id = $userName
name = $displayName with required, check (not ends_with(it, \"3\"))
app_metadata.level = int(drop_prefix($title, \"T\"))
app_metadata.broken = int($nickName)
blocked = not $active
skip when $title == \"T2\" because \"not these\"
",
    "mapping pushed from scim to profile
username = $userName
name = $displayName with create
nickname = $userName with on_change
app_metadata.title = $title with absent keep
",
    PUSHED,
];

on_both_gateways! {
    async fn a_preview_counts_what_publication_and_replay_then_do(store) {
        let site = Site::start(store, 60).await;
        let connections = ["scim", "branch"];
        for text in TEXTS {
            let before = (site.count("users").await, site.count("blocks").await);
            let untouched = site.people().await;
            let preview = site.preview("scim", "pushed", text);
            assert_eq!(site.people().await, untouched, "a preview writes nothing of anybody");
            assert_eq!(preview["connections"], json!(["branch", "scim"]), "{preview}");
            let again = site.json(&["mapping", "preview", "branch", "mappings/pushed.mapping", "--json"]);
            assert_eq!(again["hash"], preview["hash"], "the same over the same");
            site.publish("pushed", &preview["hash"]);
            assert_eq!(site.people().await, untouched, "publishing changes no stored value");

            let dry: Vec<Value> = connections
                .iter()
                .map(|name| site.json(&["mapping", "replay", name, "--all", "--dry-run", "--json"]))
                .collect();
            assert_eq!(sum(&dry), numbers(&preview), "{text}");
            let reports: Vec<Value> = connections.iter().map(|name| site.replay(name)).collect();
            assert_eq!(sum(&reports), numbers(&preview), "{text}");
            let runs: Vec<Value> = reports.iter().map(|report| report["run_id"].clone()).collect();
            assert_eq!(site.moved(&runs).await, attributes(&preview), "{text}");
            let after = (site.count("users").await, site.count("blocks").await);
            let of = |what: &str| numbers(&preview)[what];
            assert_eq!(after.0 - before.0, of("let_in"), "{text}");
            assert_eq!(after.1 - before.1, of("blocks") - of("unblocks"), "{text}");
            // Everything is of this version now: a further replay finds nothing to do.
            let idle = site.replay("scim");
            let count = |what: &str| idle[what].as_i64().expect("a number");
            assert_eq!((count("changed"), count("derived"), count("rows")), (0, 0, 0), "{idle}");
        }
    }

    async fn a_directory_and_its_logins_are_previewed_and_replayed_side_by_side(store) {
        let site = Site::start(store, 1).await;
        let text = "mapping synced from ldap to profile
username = $uid
name = upper($cn)
email = $mail
family_name = \"{$sn}!\" with on_change
app_metadata.phone = $telephoneNumber with sensitive
deny when $uid == \"u000001\" because \"not this one\"
";
        let preview = site.preview("corp", "synced", text);
        // Six entries, and three people who signed in, of whom one would not get in any more.
        assert_eq!(preview["people"], 9, "{preview}");
        assert_eq!(numbers(&preview)["would_not_enter"], 1);
        assert_eq!(numbers(&preview)["blocks"], 1);
        site.publish("synced", &preview["hash"]);
        let replay = site.replay("corp");
        assert_eq!(numbers(&replay), numbers(&preview));
        assert_eq!(site.moved(&[replay["run_id"].clone()]).await, attributes(&preview));
        let log = site.rows("SELECT kind, actor FROM log WHERE kind IN ('mapping.published', 'mapping.replayed') ORDER BY id").await;
        assert_eq!(log.last().expect("a row")["kind"], "mapping.replayed");
        assert!(log.iter().all(|row| row["actor"] != ""), "{log:?}");
        let refused = site.site.log_in("u000001", PASSWORD).await;
        assert_eq!(refused.status, 401);
        assert_eq!(site.site.log_in("u000000", PASSWORD).await.status, 200);
    }

    async fn what_is_sensitive_is_counted_and_not_shown(store) {
        let site = Site::start(store, 1).await;
        let preview = site.preview("corp", "synced", &SYNCED.replace("$telephoneNumber", "upper(\"tel {$telephoneNumber}\")"));
        assert_eq!(attributes(&preview)["app_metadata.phone"], [0, 6, 0]);
        let text = preview.to_string();
        assert!(!text.contains("+49") && !text.contains("TEL "), "{text}");
    }

    async fn a_publication_names_a_preview_of_the_same_text_over_the_same_roster(store) {
        let site = Site::start(store, 30).await;
        let first = TEXTS[0];
        site.mapping("pushed", first);
        let refused = |arguments: &[&str], why: &str| {
            let (code, _, err) = site.run(arguments);
            assert!(code == 1 && err.contains(why), "{code}: {err}");
        };
        refused(&["mapping", "publish", "pushed"], "no preview was named");
        refused(&["mapping", "publish", "pushed", "--preview", "0123"], "there is no preview with this hash");
        let preview = site.preview("scim", "pushed", first);
        let hash = preview["hash"].as_str().expect("a hash");
        site.mapping("pushed", TEXTS[1]);
        refused(&["mapping", "publish", "pushed", "--preview", hash], "another text");
        site.mapping("synced", &format!("{SYNCED}locale = \"de-DE\"\n"));
        refused(&["mapping", "publish", "synced", "--preview", hash], "is of mapping pushed");

        // Another version, other options, another roster.
        let other = site.preview("scim", "pushed", TEXTS[3]);
        site.publish("pushed", &other["hash"]);
        site.mapping("pushed", first);
        refused(&["mapping", "publish", "pushed", "--preview", hash], "version 2 was published since");
        let over_two = site.preview("scim", "pushed", first)["hash"].clone();
        site.gateway().cli(&["connection", "update", "branch", "--set", "repost=conflict"]);
        refused(&["mapping", "publish", "pushed", "--preview", over_two.as_str().expect("a hash")], "connections that use");
        let last = site.preview("scim", "pushed", first)["hash"].clone();
        let client = Caller::new(site.gateway());
        let all = client.get("/Users?count=100").await.json();
        let ids: Vec<&str> = all["Resources"].as_array().expect("people").iter().map(|user| user["id"].as_str().unwrap()).collect();
        let rename = async |id: &str, to: &str| {
            let answer = client.patch(&format!("/Users/{id}"), json!([{"op": "replace", "path": "displayName", "value": to}])).await;
            assert!(answer.status < 300, "{}", answer.text);
        };
        for id in &ids[..3] {
            rename(id, "a little").await;
        }
        site.json(&["mapping", "publish", "pushed", "--preview", last.as_str().expect("a hash"), "--dry-run", "--json"]);
        // Of text 3 a name is written at creation alone: nicknames move.
        for (at, id) in ids.iter().enumerate().take(25) {
            let user = json!([{"op": "replace", "path": "title", "value": format!("moved {at}")}]);
            assert!(client.patch(&format!("/Users/{id}"), user).await.status < 300);
        }
        refused(&["mapping", "publish", "pushed", "--preview", last.as_str().expect("a hash")], "profiles changed since");
        let fresh = site.preview("scim", "pushed", first);
        site.publish("pushed", &fresh["hash"]);
        assert_eq!(site.rows("SELECT max(version) AS n FROM mapping_versions WHERE name = 'pushed'").await[0]["n"], 3);
    }

    async fn a_replay_is_undone_to_what_was_before(store) {
        let site = Site::start(store, 40).await;
        let texts = [
            // Robots come in.
            "mapping pushed from scim to profile
username = $userName
name = $displayName
app_metadata.kind = $userType
",
            "mapping pushed from scim to profile
username = $userName
name = upper($displayName)
app_metadata.title = $title ?? \"none\"
nickname = $userName
blocked = present($title)
deny when $userType == \"intern\" because \"interns wait\"
skip when $userType == \"robot\" because \"no robots\"
",
            "mapping pushed from scim to profile
username = $userName
email = \"{$userName}@example.test\"
skip when $userType == \"robot\" because \"no robots\"
",
        ];
        for text in texts {
            let before = site.people().await;
            let preview = site.preview("scim", "pushed", text);
            site.publish("pushed", &preview["hash"]);
            let run = site.replay("scim")["run_id"].clone();
            let run = run.as_str().expect("an id");
            assert_ne!(site.people().await, before);
            let looked = site.json(&["runs", "undo", run, "--dry-run", "--json"]);
            let undone = site.json(&["runs", "undo", run, "--json"]);
            assert_eq!((&looked["changes"], &looked["restored"]), (&undone["changes"], &undone["restored"]), "{looked}");
            assert_eq!(undone["kept"], 0, "{undone}");
            assert_eq!(site.people().await, before, "{text}");
            assert_eq!(site.json(&["runs", "undo", run, "--json"])["already_undone"], true);
        }
        // The same of a directory, of both sides.
        let before = site.people().await;
        let text = SYNCED.replace("$cn", "upper($cn)").replace("$mail", "upper($mail)").replace("given_name = $givenName\n", "");
        let preview = site.preview("corp", "synced", &text);
        site.publish("synced", &preview["hash"]);
        let run = site.replay("corp")["run_id"].clone();
        assert_ne!(site.people().await, before);
        site.json(&["runs", "undo", run.as_str().expect("an id"), "--json"]);
        assert_eq!(site.people().await, before);
        assert_eq!(site.json(&["connection", "show", "corp", "--json"])["sync"]["state"], "paused");
    }

    async fn what_came_after_a_replay_stays_when_it_is_undone(store) {
        let site = Site::start(store, 4).await;
        let preview = site.preview("scim", "pushed", TEXTS[0]);
        site.publish("pushed", &preview["hash"]);
        let run = site.replay("scim")["run_id"].clone();
        // By then every process goes by the version that was published.
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        let client = Caller::new(site.gateway());
        let found = client.find("Users", "userName eq \"scim2\"").await.json();
        let path = format!("/Users/{}", found["Resources"][0]["id"].as_str().expect("an id"));
        let answer = client.patch(&path, json!([{"op": "replace", "path": "displayName", "value": "Somebody"}])).await;
        assert!(answer.status < 300, "{}", answer.text);
        let undone = site.json(&["runs", "undo", run.as_str().expect("an id"), "--json"]);
        assert_eq!(undone["kept"], 1, "{undone}");
        let docs = site.rows("SELECT doc FROM users WHERE user_id LIKE 'scim|scim|scim-%' ORDER BY user_id").await;
        let names: Vec<&Value> = docs.iter().map(|row| &row["doc"]["name"]).collect();
        // The first is a robot and has no profile.
        assert_eq!(names, ["Person 1", "SOMEBODY", "Person 3"]);
    }

    async fn some_people_are_replayed_and_the_others_are_not(store) {
        let site = Site::start(store, 12).await;
        let preview = site.preview("scim", "pushed", TEXTS[0]);
        site.publish("pushed", &preview["hash"]);
        let replay = site.json(&["mapping", "replay", "scim", "--user", "scim1", "--user", "scim|scim|scim-3", "--json"]);
        assert_eq!((&replay["people"], &replay["changed"]), (&json!(2), &json!(2)), "{replay}");
        let upper = site.rows("SELECT doc FROM users WHERE user_id LIKE 'scim|%'").await;
        assert_eq!(upper.iter().filter(|row| row["doc"]["name"].as_str().is_some_and(|name| name.starts_with("PERSON"))).count(), 2);
        let (code, _, err) = site.run(&["mapping", "replay", "scim", "--user", "nobody"]);
        assert!(code == 1 && err.contains("nobody is nobody"), "{err}");
        let (code, _, _) = site.run(&["mapping", "replay", "scim"]);
        assert_ne!(code, 0, "whom it is about has to be said");
    }

    async fn whom_a_replay_would_lock_out_beyond_the_budget_is_held_until_somebody_says_so(store) {
        let mut site = Site::start(store, 20).await;
        site.gateway().cli(&["connection", "update", "scim", "--set", "budget=3,1%"]);
        let text = format!("{PUSHED}deny when present($title) because \"everybody\"\n");
        let preview = site.preview("scim", "pushed", &text);
        let blocks = numbers(&preview)["blocks"];
        assert!(blocks > 5, "{preview}");
        site.publish("pushed", &preview["hash"]);
        let before = site.people().await;
        let (code, out, err) = site.run(&["mapping", "replay", "scim", "--all", "--json"]);
        assert_eq!(code, 3, "{out}{err}");
        let held: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(held["state"], "held", "{held}");
        assert_eq!(site.people().await, before, "nothing is written of a run that is held");
        let run = held["run_id"].as_str().expect("an id").to_owned();
        let shown = site.json(&["runs", "show", &run, "--json"]);
        assert_eq!(shown["items"].as_array().expect("items").len(), usize::try_from(held["held"].as_i64().unwrap()).unwrap());
        assert!(shown["items"][0]["action"] == "user.block" && shown["list_hash"] == held["list_hash"], "{shown}");
        let (code, _, err) = site.run(&["mapping", "replay", "scim", "--continue", &run]);
        assert!(code == 1 && err.contains("is held"), "{err}");
        let (code, _, _) = site.run(&["runs", "confirm", &run, "--hash", "0000"]);
        assert_eq!(code, 1);
        // A running gateway would go on with it by itself.
        site.site.gateway.kill9();
        site.gateway().cli(&["runs", "confirm", &run, "--hash", held["list_hash"].as_str().expect("a hash")]);
        let done = site.json(&["mapping", "replay", "scim", "--continue", &run, "--json"]);
        assert_eq!((&done["state"], &done["blocks"]["count"]), (&json!("done"), &held["held"]), "{done}");
        let denied = site.count("blocks WHERE kind = 'policy'").await;
        assert_eq!(denied, held["held"].as_i64().unwrap());
    }

    async fn a_list_that_changed_since_it_was_let_through_is_held_again(store) {
        let mut site = Site::start(store, 20).await;
        site.gateway().cli(&["connection", "update", "scim", "--set", "budget=3,1%"]);
        let text = format!("{PUSHED}deny when present($title) because \"everybody\"\n");
        let preview = site.preview("scim", "pushed", &text);
        site.publish("pushed", &preview["hash"]);
        let (_, out, _) = site.run(&["mapping", "replay", "scim", "--all", "--json"]);
        let held: Value = serde_json::from_str(&out).expect("JSON");
        let run = held["run_id"].as_str().expect("an id").to_owned();
        // One of them leaves meanwhile.
        let client = Caller::new(site.gateway());
        let found = client.find("Users", "userName eq \"scim2\"").await.json();
        let path = format!("/Users/{}", found["Resources"][0]["id"].as_str().expect("an id"));
        assert_eq!(client.send("DELETE", &path, None).await.status, 204);
        site.site.gateway.kill9();
        site.gateway().cli(&["runs", "confirm", &run, "--hash", held["list_hash"].as_str().expect("a hash")]);
        let (code, out, _) = site.run(&["mapping", "replay", "scim", "--continue", &run, "--json"]);
        let again: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((code, &again["state"]), (3, &json!("held")), "{again}");
        assert_ne!(again["list_hash"], held["list_hash"]);
        assert_eq!(site.count("blocks WHERE kind = 'policy'").await, 0);
    }

    async fn a_replay_that_is_killed_goes_on_and_ends_as_an_undisturbed_one(store) {
        let mut gateway = Gateway::start(store).await;
        let people = 4_000;
        crowd(&gateway, people).await;
        // Which would go on with what is killed.
        gateway.kill9();
        publish(&gateway, CROWD_AFTER);
        let mut kills = 0;
        for wait in [60, 120, 250, 400] {
            let mut replay = spawn(&gateway, &["mapping", "replay", "scim", "--all", "--json"]);
            std::thread::sleep(Duration::from_millis(wait));
            let under_way = replay.try_wait().expect("asked").is_none();
            replay.kill().expect("killed");
            replay.wait().expect("it ends");
            kills += usize::from(under_way);
            Database::change(gateway.database_url(), "UPDATE leases SET expires_at = 1").await;
        }
        assert!(kills > 0, "every replay was quicker than its end");
        let report: Value = serde_json::from_str(&gateway.cli(&["mapping", "replay", "scim", "--all", "--json"])).expect("JSON");
        assert_eq!((&report["people"], &report["changed"]), (&json!(people), &json!(people)), "{report}");
        let of = async |sql: &str| Database::open(gateway.database_url()).await.rows(sql).await;
        let wrong = of("SELECT count(*) AS n FROM users WHERE replace(doc, 'PERSON', '') = doc").await;
        assert_eq!(wrong[0]["n"], 0);
        let runs = of("SELECT id, state FROM runs WHERE kind = 'replay'").await;
        assert_eq!((runs.len(), &runs[0]["state"]), (1, &json!("done")), "one run, however often it was killed");
        let twice = of("SELECT profile_id FROM history GROUP BY profile_id HAVING count(*) > 1").await;
        assert!(twice.is_empty(), "nobody was written twice");
        let run = report["run_id"].as_str().expect("an id");
        gateway.cli(&["runs", "undo", run]);
        let back = of("SELECT count(*) AS n FROM users WHERE replace(doc, 'PERSON', '') <> doc").await;
        assert_eq!(back[0]["n"], 0);
    }

    async fn a_preview_that_is_killed_goes_on_to_the_same_hash(store) {
        let mut gateway = Gateway::start(store).await;
        crowd(&gateway, 6_000).await;
        gateway.kill9();
        std::fs::write(gateway.folder().join("mappings/crowd.mapping"), CROWD_AFTER).expect("written");
        let preview = ["mapping", "preview", "scim", "mappings/crowd.mapping", "--json"];
        let mut killed = spawn(&gateway, &preview);
        std::thread::sleep(Duration::from_millis(300));
        killed.kill().expect("killed");
        killed.wait().expect("it ends");
        Database::change(gateway.database_url(), "UPDATE leases SET expires_at = 1").await;
        let resumed: Value = serde_json::from_str(&gateway.cli(&preview)).expect("JSON");
        let anew: Value = serde_json::from_str(&gateway.cli(&preview)).expect("JSON");
        assert_eq!((&resumed["hash"], &resumed["people"]), (&anew["hash"], &json!(6_000)));
    }

    async fn preview_and_replay_of_many_keep_one_page_in_memory(store) {
        let people = crate::support::form::pick(20_000, 1_000_000);
        let gateway = Gateway::start(store).await;
        crowd(&gateway, people).await;
        std::fs::write(gateway.folder().join("mappings/crowd.mapping"), CROWD_AFTER).expect("written");
        let (preview, peak) = measured(&gateway, &["mapping", "preview", "scim", "mappings/crowd.mapping", "--json"]);
        assert_eq!(preview["people"], people, "{preview}");
        assert!(peak < MEMORY_MIB, "a preview of {people} took {peak} MiB");
        gateway.cli(&["mapping", "publish", "crowd", "--preview", preview["hash"].as_str().expect("a hash")]);
        let (replay, peak) = measured(&gateway, &["mapping", "replay", "scim", "--all", "--json"]);
        assert_eq!(replay["changed"], people, "{replay}");
        assert!(peak < MEMORY_MIB, "a replay of {people} took {peak} MiB");
    }
}

/// More than a page of people and everything the program itself needs; far below what a list of all would take.
const MEMORY_MIB: f64 = 110.0;

const CROWD_AFTER: &str = "mapping crowd from scim to profile\nname = upper($displayName)\napp_metadata.title = $title\n";

/// Fills the connection `scim` with people as pushes of a first version left them.
async fn crowd(gateway: &Gateway, people: usize) {
    std::fs::create_dir_all(gateway.folder().join("mappings")).expect("a folder");
    let before = "mapping crowd from scim to profile\nname = $displayName\napp_metadata.title = $title\n";
    std::fs::write(gateway.folder().join("mappings/crowd.mapping"), before).expect("written");
    gateway.cli(&["mapping", "publish", "crowd"]);
    gateway.cli(&["connection", "update", "scim", "--mapping", "crowd"]);
    let n = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {people})");
    let id = "'00000000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2)";
    let c = "(SELECT id FROM connections WHERE name = 'scim')";
    let doc = "'{\"name\":\"Person ' || i || '\",\"app_metadata\":{\"title\":\"Engineer\"}}'";
    let raw = "'{\"userName\":\"p' || i || '\",\"displayName\":\"Person ' || i || '\",\"title\":\"Engineer\",\"note\":\"' || \
        '0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789' || '\"}'";
    let mapped = "'{\"name\":\"Person ' || i || '\",\"app_metadata.title\":\"Engineer\"}'";
    let provenance = "'{\"events\":[],\"attributes\":{}}'";
    for sql in [
        format!(
            "{n} INSERT INTO users (tenant_id, id, user_id, doc, provenance, created_at, updated_at) \
             SELECT 'default', {id}, 'scim|scim|x' || i, {doc}, {provenance}, 1, 1 FROM n"
        ),
        format!(
            "{n} INSERT INTO identities (tenant_id, id, connection_id, profile_id, external_id, user_name, user_name_key, label, state, \
             listed, active, raw, raw_hash, mapped, mapping, mapping_version, last_source, first_seen, last_seen, created_at, updated_at) \
             SELECT 'default', {id}, {c}, {id}, 'x' || i, 'p' || i, 'p' || i, 'Person', 'active', TRUE, TRUE, {raw}, '', {mapped}, 'crowd', \
             1, 'scim', 1, 1, 1, 1 FROM n"
        ),
        format!("INSERT INTO counters (tenant_id, scope, kind, slot, total) SELECT 'default', {c}, 'user', 0, {people}"),
    ] {
        Database::change(gateway.database_url(), &sql).await;
    }
}

fn publish(gateway: &Gateway, text: &str) {
    std::fs::write(gateway.folder().join("mappings/crowd.mapping"), text).expect("written");
    let printed = gateway.cli(&["mapping", "preview", "scim", "mappings/crowd.mapping", "--json"]);
    let preview: Value = serde_json::from_str(&printed).expect("JSON");
    gateway.cli(&["mapping", "publish", "crowd", "--preview", preview["hash"].as_str().expect("a hash")]);
}

fn spawn(gateway: &Gateway, arguments: &[&str]) -> Child {
    gateway.spawn(arguments)
}

/// What a command prints, and the most memory it took, in MiB.
fn measured(gateway: &Gateway, arguments: &[&str]) -> (Value, f64) {
    let mut child = spawn(gateway, arguments);
    let status = format!("/proc/{}/status", child.id());
    let (mut peak, began) = (0.0_f64, Instant::now());
    while child.try_wait().expect("asked").is_none() {
        assert!(began.elapsed() < Duration::from_secs(3_600), "it does not end");
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0.0);
        peak = peak.max(kib / 1_024.0);
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (serde_json::from_slice(&output.stdout).expect("JSON"), peak)
}
