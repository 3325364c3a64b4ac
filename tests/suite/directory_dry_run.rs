//! `rosterd sync --dry-run` against a real OpenLDAP, on both stores: who is new, changed, back, unchanged, left out or
//! missing; what is held; and that nothing is concluded from a part, and nothing written.

use crate::support::binary::{Answer, Sandbox};
use crate::support::postgres::cluster;
use crate::support::rows::Database;
use crate::support::slapd::{LIMITED, PASSWORD, SUFFIX, SYNC, Slapd};
use rosterd::ldap::connect::connect;
use rosterd::ldap::search::{Pages, Read};
use rosterd::ldap::settings::Settings;
use rosterd::model::connection_secrets::ConnectionSecrets;
use rosterd::model::directory::{DirectoryOptions, DirectoryServer};
use rosterd::provisioning::decide::entry_hash;
use rosterd::secret::Secret;
use rosterd::sync::entry;
use rosterd::sync::wanted::Wanted;
use rosterd::{mapping, mapping_files};
use serde_json::{Value, json};
use std::path::Path;

/// The program on one of the stores, with a connection `corp` to a directory.
struct Site {
    sandbox: Sandbox,
    database: String,
    connection_id: String,
}

impl Site {
    async fn start(postgres: bool, slapd: &Slapd, more: &str) -> Self {
        let sandbox = Sandbox::new();
        let database = match postgres {
            true => cluster().fresh_database().await,
            false => format!("sqlite://{}", sandbox.path().join("rosterd.db").display()),
        };
        let mut site = Self { sandbox, database, connection_id: String::new() };
        site.run("bootstrap").succeeded();
        let made = site.run(&format!(
            "connection create corp --kind ldap --set server=openldap --set url={} --set ca_file={} --set bind_dn={SYNC} \
             --set user_base=ou=people,{SUFFIX} --set group_base=ou=groups,{SUFFIX} --set page_size=3 \
             --secret bind_password=env:PASSWORD --json {more}",
            slapd.ldaps(),
            slapd.ca().display(),
        ));
        site.connection_id = made.json()["id"].as_str().expect("an id").to_owned();
        site
    }

    fn run(&self, line: &str) -> Answer {
        let key = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
        let environment =
            [("ROSTERD__DATABASE__URL", self.database.as_str()), ("ROSTERD__SECRETS__KEY", key), ("PASSWORD", PASSWORD)];
        self.sandbox.run_with(line, &environment)
    }

    fn plan(&self, code: i32) -> Value {
        let answer = self.run("sync corp --dry-run --json");
        assert_eq!(answer.code, code, "{answer:?}");
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    /// Somebody a run stored before.
    async fn stored(&self, id: &str, state: &str, raw_hash: &str, version: i64) {
        let sql = format!(
            "INSERT INTO identities (tenant_id, id, connection_id, external_id, state, listed, raw_hash, mapping, mapping_version, \
             last_source, first_seen, last_seen, created_at, updated_at) VALUES ('default', 'i-{id}', '{}', '{id}', '{state}', {}, \
             '{raw_hash}', 'openldap', {version}, 'sync', 1, 1, 1, 1)",
            self.connection_id,
            if state == "deleted" { "FALSE" } else { "TRUE" },
        );
        Database::change(&self.database, &sql).await;
    }

    async fn rows(&self) -> Vec<String> {
        let mut database = Database::open(&self.database).await;
        let mut counts = Vec::new();
        for table in ["identities", "users", "groups", "mapping_versions", "log", "outbox", "runs"] {
            counts.push(format!("{:?}", database.rows(&format!("SELECT count(*) AS n FROM {table}")).await));
        }
        counts
    }
}

/// Id and hash of each entry of the directory, in the order of its pages, as a run would store them.
async fn as_stored(slapd: &Slapd) -> Vec<(String, String)> {
    let mut options = DirectoryOptions {
        server: DirectoryServer::OpenLdap,
        urls: vec![slapd.ldap()],
        allow_plaintext: true,
        bind_dn: Some(SYNC.into()),
        user_base: Some(format!("ou=people,{SUFFIX}")),
        ..DirectoryOptions::default()
    };
    options.settle();
    let mut secrets = ConnectionSecrets::default();
    secrets.set("bind_password", Some(Secret::new(PASSWORD.into())));
    let settings = Settings::of(&options, &secrets).unwrap();
    let published = mapping_files::find(Path::new("/nowhere"), "openldap").unwrap().unwrap();
    let reads = mapping::compile(&published).unwrap().reads();
    let Ok(connected) = connect(&settings).await else { panic!("it runs") };
    let mut session = connected.session;
    let beside = mapping::compile(&published).unwrap().reads_beside_groups();
    let wanted = Wanted::of(&reads, &beside, "entryUUID", DirectoryServer::OpenLdap, true);
    let mut pages = Pages::new(&settings, &settings.users, wanted.attributes.clone());
    let Read::Page(page) = pages.next(&mut session).await else { panic!("there are people") };
    let one = |found| {
        let entry = entry::read(found, "entryUUID", &wanted).entry.unwrap();
        (entry.external_id, entry_hash(&entry.payload))
    };
    page.entries.iter().map(one).collect()
}

async fn on_both(body: impl AsyncFn(bool)) {
    for postgres in [false, true] {
        body(postgres).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_first_everybody_is_new_and_nothing_is_written() {
    let slapd = Slapd::start(7);
    on_both(async |postgres| {
        let site = Site::start(postgres, &slapd, "").await;
        let before = site.rows().await;
        let plan = site.plan(0);
        assert_eq!((&plan["complete"], &plan["people"], &plan["held"]), (&json!(true), &json!({"create": 7}), &Value::Null));
        assert_eq!(plan["groups"], json!({"count": 2, "members": 8, "leaving": 0, "gone": 0}));
        assert_eq!(plan["entries"].as_array().map(Vec::len), Some(7));
        assert_eq!(plan["entries"][0]["dn"], format!("uid=u000000,ou=people,{SUFFIX}"));
        let printed = site.run("sync corp --dry-run");
        let told = "people: 7 create\ngroups: 2 with 8 members\nA run would read everything: nothing was read to its end so far.\n\
            Nothing was written.";
        assert!(printed.out.contains(told), "{printed:?}");
        assert_eq!(site.rows().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_person_is_placed_beside_what_is_stored() {
    let slapd = Slapd::start(5);
    let entries = as_stored(&slapd).await;
    on_both(async |postgres| {
        let site = Site::start(postgres, &slapd, "").await;
        let [same, changed, back, older, new] = &entries[..] else { panic!("five people") };
        site.stored(&same.0, "active", &same.1, 1).await;
        site.stored(&changed.0, "active", "what it was", 1).await;
        site.stored(&back.0, "deleted", &back.1, 1).await;
        site.stored(&older.0, "disabled_at_source", &older.1, 9).await;
        site.stored("ghost", "active", "x", 1).await;
        site.stored("gone-long-ago", "deleted", "x", 1).await;
        let plan = site.plan(0);
        assert_eq!(plan["people"], json!({"create": 1, "missing": 1, "return": 1, "unchanged": 1, "update": 2}));
        let of = |id: &str| {
            let all = plan["entries"].as_array().unwrap();
            all.iter().find(|entry| entry["external_id"] == id).map(|entry| entry["change"].as_str().unwrap().to_owned())
        };
        assert_eq!(of(&same.0), None);
        for (id, change) in [(&changed.0, "update"), (&back.0, "return"), (&older.0, "update"), (&new.0, "create")] {
            assert_eq!(of(id).as_deref(), Some(change), "{id}");
        }
        assert_eq!((of("ghost").as_deref(), of("gone-long-ago")), (Some("missing"), None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_left_out_is_told_with_the_reason() {
    let slapd = Slapd::start(3);
    slapd.modify(&format!("dn: uid=u000000,ou=people,{SUFFIX}\nchangetype: modify\ndelete: mail\n"));
    on_both(async |postgres| {
        let site = Site::start(postgres, &slapd, "").await;
        std::fs::create_dir(site.sandbox.path().join("mappings")).unwrap();
        site.sandbox.write(
            "mappings/own.mapping",
            "mapping own from ldap to profile\nskip when $uid == \"u000001\" because \"not this one\"\nemail = $mail with required\n",
        );
        site.run("connection update corp --mapping own").succeeded();
        let plan = site.plan(0);
        assert_eq!(plan["people"], json!({"create": 1, "rejected": 1, "skip": 1}));
        let reasons: Vec<&Value> = plan["entries"].as_array().unwrap().iter().map(|entry| &entry["reason"]).collect();
        assert!(reasons[0].as_str().is_some_and(|reason| reason.starts_with("email: ")), "{reasons:?}");
        assert_eq!(reasons[1], "not this one");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_shows_nobody_or_too_few_is_held() {
    let slapd = Slapd::start(1);
    on_both(async |postgres| {
        let site = Site::start(postgres, &slapd, "--set user_filter=(uid=nobody)").await;
        assert_eq!(site.plan(0)["held"], Value::Null, "nobody is known");
        site.stored("ghost", "active", "x", 1).await;
        assert_eq!(site.plan(3)["held"], "the directory shows nobody, and people are known");
        site.run("connection update corp --set user_filter=").succeeded();
        let plan = site.plan(3);
        assert_eq!(plan["held"], "1 of 1 known people are missing");
        assert_eq!(plan["people"], json!({"create": 1, "missing": 1}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_concluded_from_a_part() {
    let slapd = Slapd::start(9);
    on_both(async |postgres| {
        let site = Site::start(postgres, &slapd, "").await;
        site.stored("ghost", "active", "x", 1).await;
        for change in [
            format!("--set bind_dn={LIMITED}"),
            "--set bind_dn= --set entries_max=4".replace("bind_dn=", &format!("bind_dn={SYNC}")),
        ] {
            site.run(&format!("connection update corp {change}")).succeeded();
            let cut = site.run("sync corp --dry-run --json");
            assert!(cut.refusal().contains("were not read to the end"), "{cut:?}");
            assert!(cut.out.is_empty() && !cut.err.contains("ghost"), "{cut:?}");
        }
        let groups = format!("connection update corp --set entries_max= --set group_base=ou=nowhere,{SUFFIX}");
        site.run(&groups).succeeded();
        let cut = site.run("sync corp --dry-run");
        assert!(cut.refusal().contains("groups were not read to the end"), "{cut:?}");
        assert!(cut.err.contains("group_base"), "{cut:?}");
    })
    .await;
}

#[test]
fn other_kinds_are_not_synced() {
    let (sandbox, _) = Sandbox::bootstrapped();
    assert!(sandbox.run("sync scim --dry-run").refusal().contains("only a directory (ldap) is synced"));
}
