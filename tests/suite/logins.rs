//! Logins through the library beside a running gateway, on both stores: what a verified record does to identity and
//! profile under each policy word and option, who does not get in, and how a login and a push meet on one connection.
//! The stored value, history, `users why` and `users show` have to agree.

use std::convert::Infallible;
use std::sync::Arc;

use rosterd::clock::{Clock, Entropy};
use rosterd::mapping_files;
use rosterd::model::connection::{Connection, ConnectionKind, Options};
use rosterd::model::ids::{ConnectionId, TenantId};
use rosterd::profile::verified::{LoginRecord, Verified, Verify};
use rosterd::provisioning::Provisioner;
use rosterd::provisioning::decide::login::Denial;
use rosterd::provisioning::login::{LoggedIn, Login};
use rosterd::secret::Secret;
use rosterd::store::audit::Audit;
use rosterd::store::connections::{self, StoredConnection};
use rosterd::store::{Batch, Store as Roster, StoreOptions};
use serde_json::{Map, Value, json};

use crate::support::caller::{Caller, on_both_gateways, user};
use crate::support::gateway::{Gateway, Store};
use crate::support::rows::Database;

/// Line 1 is the header; each rule's line is named in the tests.
const WORDS: &str = r#"mapping words from oidc to profile
name        = $name with always
nickname    = $nickname with create
given_name  = $given_name with if_empty
family_name = $family_name with on_change
locale      = $locale
picture     = $picture with absent clear
groups      = $groups[*]
skip when $kind == "robot" because "no robots"
deny when $kind == "intern" because "interns wait"
"#;

/// A connector whose check always passes: these tests are about what comes after it.
struct Passed(LoginRecord);

impl Verify for Passed {
    type Record = LoginRecord;
    type Failure = Infallible;

    async fn verify(self) -> Result<LoginRecord, Infallible> {
        Ok(self.0)
    }
}

/// A gateway, and the same program as a library on its database.
struct Site {
    gateway: Gateway,
    roster: Roster,
    provisioner: Arc<Provisioner>,
}

impl Site {
    async fn start(store: Store) -> Self {
        let gateway = Gateway::start(store).await;
        let folder = gateway.folder().join("mappings");
        std::fs::create_dir_all(&folder).expect("a folder for mappings");
        std::fs::write(folder.join("words.mapping"), WORDS).expect("a mapping file");
        let options = StoreOptions::new(Secret::new(gateway.database_url().to_owned()));
        let roster = Roster::open(&options).await.expect("the store opens");
        let drafts = Arc::new(move |name: &str| mapping_files::find(&folder, name));
        let values = |_: &Map<String, Value>| Vec::new();
        let provisioner = Provisioner::new(roster.clone(), Clock::system(), Entropy::system(), drafts, values);
        Self { gateway, roster, provisioner: Arc::new(provisioner) }
    }

    fn mapping(&self, name: &str, text: &str) {
        std::fs::write(self.gateway.folder().join(format!("mappings/{name}.mapping")), text).expect("a mapping file");
    }

    /// A connection people log in through. No command makes one yet.
    async fn connect(&self, name: &str, options: Value) -> Connection {
        let Value::Object(mut set) = options else { panic!("an object") };
        set.entry("mapping").or_insert("words".into());
        let connection = Connection {
            tenant_id: TenantId::new("default"),
            id: ConnectionId::new(format!("con_{name}")),
            name: name.to_owned(),
            kind: ConnectionKind::Oidc,
            organization_id: None,
            options: Options::parse(ConnectionKind::Oidc, &set).expect("options"),
            version: 1,
            created_at: 1,
            updated_at: 1,
        };
        let audit = Audit { actor: "test".into(), request_id: "r".into(), log_id: format!("log-{name}"), at: 1, from: None };
        let mut batch = Batch::default();
        connections::create(&mut batch, &StoredConnection { connection: connection.clone(), set }, None, &audit);
        self.roster.apply(batch).await.expect("the connection is stored");
        connection
    }

    /// A SCIM client of a connection.
    fn client(&self, connection: &Connection) -> Caller {
        let printed = self.gateway.cli(&["token", "create", "--connection", &connection.name, "--json"]);
        let token: Value = serde_json::from_str(&printed).expect("JSON");
        Caller::of(&self.gateway, &connection.name, token["token"].as_str().expect("a token"))
    }

    async fn log_in(&self, connection: &Connection, external_id: &str, claims: Value) -> Result<LoggedIn, Denial> {
        log_in(&self.provisioner, connection, external_id, claims).await
    }

    async fn rows(&self, sql: &str) -> Vec<Map<String, Value>> {
        Database::open(self.gateway.database_url()).await.rows(sql).await
    }

    async fn count(&self, table: &str) -> usize {
        self.rows(&format!("SELECT * FROM {table}")).await.len()
    }

    /// The one profile's document.
    async fn doc(&self) -> Value {
        let mut rows = self.rows("SELECT doc FROM users").await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0).remove("doc").expect("a document")
    }

    /// An administrator's edit.
    async fn edit(&self, names: &[&str]) {
        let mut doc = self.doc().await;
        for name in names {
            doc[*name] = "edited".into();
        }
        Database::change(self.gateway.database_url(), &format!("UPDATE users SET version = version + 1, doc = '{doc}'")).await;
    }

    fn why(&self, user: &str, attribute: &str) -> Value {
        let printed = self.gateway.cli(&["users", "why", user, attribute, "--json"]);
        let mut reasons: Value = serde_json::from_str(&printed).expect("JSON");
        reasons[0].take()
    }

    fn shown(&self, user: &str) -> Value {
        serde_json::from_str(&self.gateway.cli(&["users", "show", user, "--json"])).expect("JSON")
    }
}

async fn log_in(
    provisioner: &Provisioner,
    connection: &Connection,
    external_id: &str,
    claims: Value,
) -> Result<LoggedIn, Denial> {
    let Value::Object(claims) = claims else { panic!("an object") };
    let record = LoginRecord::new(external_id, claims).expect("a record");
    let Ok(verified) = Verified::by(Passed(record)).await;
    let agent = Some("Mozilla/5.0");
    let login = Login { connection, request_id: "r-login", ip: Some([192, 0, 2, 7].into()), user_agent: agent };
    provisioner.login(&login, &verified).await.expect("nothing but the rules stops a login")
}

/// What the provider says; `n` numbers every value.
fn claims(n: u32) -> Value {
    json!({
        "sub": "e-1", "name": format!("Name {n}"), "nickname": format!("Nick {n}"), "given_name": format!("Given {n}"),
        "family_name": format!("Family {n}"), "locale": format!("xx-{n}")
    })
}

const WORDED: [&str; 5] = ["name", "nickname", "given_name", "family_name", "locale"];

fn values(doc: &Value) -> [String; 5] {
    WORDED.map(|name| doc[name].as_str().unwrap_or("-").to_owned())
}

on_both_gateways! {
    async fn each_word_under_each_option_treats_an_edit_and_later_logins_as_the_table_says(store) {
        let site = Site::start(store).await;
        // always, create, if_empty, on_change are the rules' own words; the last rule has what the option means.
        for (option, first, again, changed) in [
            ("on_each_login", "xx-1", "xx-1", "xx-2"),
            ("on_first_login", "xx-1", "edited", "edited"),
            ("never_on_login", "-", "edited", "edited"),
        ] {
            let name = option.replace('_', "-");
            let connection = site.connect(&name, json!({"set_user_root_attributes": option})).await;
            let user = format!("oidc|{name}|e-1");

            let entered = site.log_in(&connection, "e-1", claims(1)).await.expect("gets in");
            assert!(entered.is_new);
            assert_eq!(entered.user_id, user);
            assert_eq!(values(&site.doc().await), ["Name 1", "Nick 1", "Given 1", "Family 1", first], "{option}: created");

            site.edit(&WORDED).await;
            // The provider says the same of every rule, and something new that no rule reads.
            let mut same = claims(1);
            same["acr"] = "2".into();
            site.log_in(&connection, "e-1", same).await.expect("gets in");
            assert_eq!(values(&site.doc().await), ["Name 1", "edited", "edited", "edited", again], "{option}: said again");

            let entered = site.log_in(&connection, "e-1", claims(2)).await.expect("gets in");
            let doc = site.doc().await;
            assert_eq!(values(&doc), ["Name 2", "edited", "edited", "Family 2", changed], "{option}: said anew");
            assert_eq!(Value::Object(entered.profile.0), doc, "what the login hands out is what is stored");

            // History has what stood there before, `why` the line that wrote it and what the source says now.
            let last = site.rows("SELECT changes, event FROM history ORDER BY id").await.pop().expect("an event");
            assert_eq!((&last["event"], &last["changes"]["family_name"]["before"]), (&json!("login"), &json!("edited")));
            assert_eq!(last["changes"]["name"]["before"], "Name 1");
            assert!(last["changes"].get("nickname").is_none() && last["changes"].get("given_name").is_none(), "{last:?}");
            assert_eq!(last["changes"].get("locale").is_some(), option == "on_each_login", "{last:?}");
            for (attribute, line) in WORDED.iter().zip(2..) {
                if option == "never_on_login" && *attribute == "locale" {
                    continue;
                }
                let reason = site.why(&user, attribute);
                assert_eq!(reason["value"], doc[*attribute], "{option}: {reason}");
                assert_eq!((&reason["line"], &reason["event"], &reason["actor"]), (&json!(line), &json!("login"), &json!("login")));
                assert_eq!(reason["mapped"], claims(2)[*attribute], "what the source says now");
            }
            let shown = site.shown(&user);
            assert_eq!(values(&shown), values(&doc));
            assert_eq!(shown["logins_count"], 3);
            assert_eq!(shown["identities"][0]["last_source"], "login");
            Database::change(site.gateway.database_url(), "DELETE FROM users").await;
        }
    }

    async fn an_unchanged_record_moves_nothing_but_the_counters(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({})).await;
        site.log_in(&connection, "e-1", claims(1)).await.expect("gets in");
        let state = "SELECT u.version, u.doc, u.updated_at, i.version AS row_version, i.updated_at AS row_updated_at \
            FROM users u JOIN identities i ON i.tenant_id = u.tenant_id AND i.profile_id = u.id";
        let before = site.rows(state).await;
        let again = site.log_in(&connection, "e-1", claims(1)).await.expect("gets in");
        assert!(!again.is_new);
        assert_eq!(site.rows(state).await, before);
        assert_eq!((site.count("history").await, site.count("outbox").await), (1, 1), "nothing happened to tell of");
        let counted = site.rows("SELECT logins_count, last_login_at FROM users").await;
        assert_eq!(counted[0]["logins_count"], 2);
        let seen = site.rows("SELECT last_seen FROM identities").await;
        assert_eq!(seen[0]["last_seen"], counted[0]["last_login_at"]);
        let log = site.rows("SELECT outcome, type, ip, user_agent, request_id, detail FROM log WHERE kind = 'login' ORDER BY id").await;
        assert_eq!(log.len(), 2, "every login is logged");
        assert_eq!((&log[1]["outcome"], &log[1]["request_id"]), (&json!("ok"), &json!("r-login")));
        let known = (&log[1]["type"], &log[1]["ip"], &log[1]["user_agent"], &log[1]["detail"]);
        assert_eq!(known, (&json!("s"), &json!("192.0.2.7"), &json!("Mozilla/5.0"), &Value::Null));
    }

    async fn what_the_provider_leaves_out_stays_unless_the_rule_says_clear(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({})).await;
        let mut first = claims(1);
        first["picture"] = "https://acme.example/a.png".into();
        site.log_in(&connection, "e-1", first).await.expect("gets in");
        site.log_in(&connection, "e-1", json!({"sub": "e-1"})).await.expect("gets in");
        let doc = site.doc().await;
        assert_eq!(doc["name"], "Name 1", "oidc keeps what is absent");
        assert!(doc.get("picture").is_none(), "with absent clear: {doc}");
    }

    async fn a_push_attaches_to_the_identity_a_login_made(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({})).await;
        let entered = site.log_in(&connection, "e-1", claims(1)).await.expect("gets in");
        let client = site.client(&connection);
        assert_eq!(client.get(&format!("/Users/{}", entered.identity_id)).await.status, 404, "SCIM lists only who was pushed");
        let mut body = user("ann@acme.example");
        body["externalId"] = "e-1".into();
        body["displayName"] = "Ann of HR".into();
        body["locale"] = "de".into();
        let answer = client.send("POST", "/Users", Some(&body)).await;
        assert_eq!((answer.status, answer.json()["id"].as_str()), (201, Some(entered.identity_id.as_str())), "{}", answer.text);
        assert_eq!(site.doc().await["name"], "Ann of HR");
        assert_eq!((site.count("users").await, site.count("identities").await), (1, 1));
        let sides = site.rows("SELECT raw, mapping, login_mapping FROM identities").await.remove(0);
        assert_eq!((&sides["mapping"], &sides["login_mapping"]), (&json!("scim"), &json!("words")), "both sides are kept");
        assert_eq!(sides["raw"]["displayName"], "Ann of HR");
        assert_eq!(site.why("oidc|acme|e-1", "name")["event"], "scim.user.created");

        // From now on the push owns what no rule of the login claims for itself.
        let later = site.log_in(&connection, "e-1", claims(2)).await.expect("gets in");
        assert_eq!((later.user_id.as_str(), later.is_new), ("oidc|acme|e-1", false));
        let doc = site.doc().await;
        assert_eq!((&doc["name"], &doc["locale"]), (&json!("Name 2"), &json!("de")), "with always; the default never");
    }

    async fn a_login_attaches_to_the_identity_a_push_made_and_leaves_its_roots(store) {
        let site = Site::start(store).await;
        site.mapping("plain", "mapping plain from oidc to profile\nname = $name\ngroups = $groups\n");
        let connection = site.connect("acme", json!({"mapping": "plain"})).await;
        let client = site.client(&connection);
        let mut body = user("ann@acme.example");
        body["externalId"] = "e-1".into();
        body["displayName"] = "Ann of HR".into();
        let id = client.create("Users", &body).await;
        let entered = site.log_in(&connection, "e-1", claims(1)).await.expect("gets in");
        assert_eq!((entered.identity_id.as_str(), entered.is_new), (id.as_str(), false));
        assert_eq!(site.doc().await["name"], "Ann of HR", "never_on_login is the default beside a SCIM side");
        assert_eq!(client.get(&format!("/Users/{id}")).await.json()["displayName"], "Ann of HR");
        assert_eq!(site.count("history").await, 1, "the login changed nothing of the profile");
        assert_eq!(site.shown("oidc|acme|e-1")["logins_count"], 1);
    }

    async fn whoever_left_or_is_blocked_does_not_get_in_and_is_not_made_anew(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({})).await;
        let client = site.client(&connection);
        let mut body = user("ann@acme.example");
        body["externalId"] = "e-1".into();
        let id = client.create("Users", &body).await;
        let path = format!("/Users/{id}");
        client.patch(&path, json!([{"op": "replace", "path": "active", "value": false}])).await;
        let denial = site.log_in(&connection, "e-1", claims(1)).await.expect_err("inactive");
        assert_eq!(denial.code(), "blocked");
        client.patch(&path, json!([{"op": "replace", "path": "active", "value": true}])).await;
        site.log_in(&connection, "e-1", claims(1)).await.expect("active again");

        // An administrator's block: also an unchanged record does not pass it.
        let block = "INSERT INTO blocks (tenant_id, profile_id, kind, origin, since, actor, reason) \
            SELECT tenant_id, id, 'admin', '', 1, 'token:admin', 'left' FROM users";
        Database::change(site.gateway.database_url(), block).await;
        Database::change(site.gateway.database_url(), "UPDATE users SET blocked = TRUE, version = version + 1").await;
        let denial = site.log_in(&connection, "e-1", claims(1)).await.expect_err("blocked");
        assert_eq!(denial.detail()["blocks"], json!(["admin"]));
        Database::change(site.gateway.database_url(), "DELETE FROM blocks").await;
        Database::change(site.gateway.database_url(), "UPDATE users SET blocked = FALSE, version = version + 1").await;

        client.send("DELETE", &path, None).await;
        assert_eq!(site.log_in(&connection, "e-1", claims(1)).await.expect_err("deleted"), Denial::Deprovisioned);
        let log = site.rows("SELECT kind, outcome, identity_id FROM log WHERE kind = 'login' AND outcome = 'refused'").await;
        assert_eq!(log.len(), 3, "each refusal is logged");
        assert!(log.iter().all(|entry| entry["identity_id"] == id.as_str()), "{log:?}");
        assert_eq!(site.rows("SELECT logins_count FROM users").await[0]["logins_count"], 1, "only who got in counts");
    }

    async fn whoever_was_removed_for_good_is_not_made_anew_by_a_login(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({"deprovision": "delete"})).await;
        let client = site.client(&connection);
        let mut body = user("ann@acme.example");
        body["externalId"] = "e-1".into();
        let id = client.create("Users", &body).await;
        client.send("DELETE", &format!("/Users/{id}"), None).await;
        assert_eq!(site.count("users").await, 0);
        assert_eq!(site.log_in(&connection, "e-1", claims(1)).await.expect_err("removed"), Denial::Deprovisioned);
        assert_eq!(site.count("users").await, 0);
        // The source may bring them back; then they get in.
        client.create("Users", &body).await;
        site.log_in(&connection, "e-1", claims(1)).await.expect("pushed again");
    }

    async fn without_jit_only_who_is_known_gets_in(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({"create_on_login": false})).await;
        assert_eq!(site.log_in(&connection, "e-1", claims(1)).await.expect_err("unknown"), Denial::NoJit);
        assert_eq!((site.count("users").await, site.count("identities").await), (0, 0));
        let mut body = user("ann@acme.example");
        body["externalId"] = "e-1".into();
        site.client(&connection).create("Users", &body).await;
        site.log_in(&connection, "e-1", claims(1)).await.expect("pushed, so known");
    }

    async fn gates_and_missing_values_refuse_with_their_reasons_and_store_nothing(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({})).await;
        let mut said = claims(1);
        said["kind"] = "robot".into();
        assert_eq!(site.log_in(&connection, "e-1", said.clone()).await.expect_err("skip"), Denial::Skipped { reason: "no robots".into() });
        said["kind"] = "intern".into();
        assert_eq!(site.log_in(&connection, "e-1", said).await.expect_err("deny"), Denial::Denied { reason: "interns wait".into() });

        site.mapping("strict", "mapping strict from oidc to profile\nname = $name with required\nemail = $email with absent reject\n");
        let strict = site.connect("strict", json!({"mapping": "strict"})).await;
        let denial = site.log_in(&strict, "e-1", json!({"sub": "e-1"})).await.expect_err("nothing there");
        assert_eq!(denial.code(), "rejected");
        let because = denial.detail()["because"].to_string();
        assert!(because.contains("name") && because.contains("email"), "all of them: {because}");

        site.mapping("barred", "mapping barred from oidc to profile\nname = $name\nblocked = bool?($locked) ?? false\n");
        let barred = site.connect("barred", json!({"mapping": "barred"})).await;
        let locked = json!({"sub": "e-1", "name": "Ann", "locked": true});
        assert_eq!(site.log_in(&barred, "e-1", locked).await.expect_err("locked"), Denial::BlockedAtSource);
        for table in ["users", "identities", "blocks", "history", "outbox"] {
            assert_eq!(site.count(table).await, 0, "{table}");
        }
        site.log_in(&barred, "e-1", json!({"sub": "e-1", "name": "Ann"})).await.expect("no longer locked");
    }

    async fn whom_a_push_keeps_out_of_the_roster_no_login_lets_in(store) {
        let site = Site::start(store).await;
        site.mapping("choosy", "mapping choosy from scim to profile\nskip when $userType == \"Robot\" because \"no robots\"\nname = $displayName\n");
        let connection = site.connect("acme", json!({"scim_mapping": "choosy"})).await;
        let mut body = user("r2@acme.example");
        body["externalId"] = "e-1".into();
        body["userType"] = "Robot".into();
        site.client(&connection).create("Users", &body).await;
        assert_eq!(site.log_in(&connection, "e-1", claims(1)).await.expect_err("skipped").code(), "skipped");
        assert_eq!(site.count("users").await, 0);
    }

    async fn a_joining_login_is_secondary_and_refreshes_only_its_own_data(store) {
        let site = Site::start(store).await;
        let hr = Caller::of(&site.gateway, "hr", &site.gateway.connect("hr", &[]));
        let mut body = user("ann@hr.example");
        body["externalId"] = "e-1".into();
        body["displayName"] = "Ann of HR".into();
        hr.create("Users", &body).await;
        let idp = site.connect("idp", json!({"join": "hr", "join_on": "external_id", "create_on_login": false})).await;
        let entered = site.log_in(&idp, "e-1", claims(1)).await.expect("joins, which makes no profile");
        assert_eq!((entered.user_id.as_str(), entered.is_new), ("scim|hr|e-1", false));
        let line = entered.trace.as_ref().expect("a trace").line();
        assert!(line.starts_with("somebody known by another connection, joined now: words version 1"), "{line}");
        let again = site.log_in(&idp, "e-1", claims(2)).await.expect("gets in");
        let trace = again.trace.expect("a trace").to_json();
        let name = json!({"attribute": "name", "line": 2, "outcome": "kept", "because": "secondary identity"});
        assert!(trace["attributes"].as_array().expect("attributes").contains(&name), "{trace}");
        let shown = site.shown("scim|hr|e-1");
        assert_eq!((&shown["name"], &shown["logins_count"]), (&json!("Ann of HR"), &json!(2)), "the primary owns the roots");
        assert_eq!(shown["identities"][1]["profileData"]["name"], "Name 2");
        let linked = site.rows("SELECT identity_id FROM log WHERE kind = 'identity.linked'").await;
        assert_eq!(json!(linked), json!([{"identity_id": entered.identity_id}]));
        assert_eq!(site.log_in(&idp, "e-2", claims(1)).await.expect_err("nobody to join"), Denial::NoJit);
    }

    async fn a_verified_address_that_is_known_elsewhere_is_suggested_and_never_matched(store) {
        let site = Site::start(store).await;
        site.mapping("mails", "mapping mails from oidc to profile\nemail = $email\nemail_verified = bool?($email_verified) ?? false\n");
        let hr = Caller::of(&site.gateway, "hr", &site.gateway.connect("hr", &[]));
        let mut body = user("ann@acme.example");
        body["emails"] = json!([{"value": "ann@acme.example", "type": "work", "primary": true}]);
        hr.create("Users", &body).await;
        let idp = site.connect("idp", json!({"mapping": "mails"})).await;
        let said = |verified: bool| json!({"email": "Ann@acme.example", "email_verified": verified});
        assert!(site.log_in(&idp, "e-1", said(false)).await.expect("gets in").is_new);
        assert_eq!(site.count("conflicts").await, 0, "anybody can claim an address");
        assert!(site.log_in(&idp, "e-2", said(true)).await.expect("gets in").is_new);
        let inbox = site.rows("SELECT kind, state, subject FROM conflicts").await;
        assert_eq!(json!(inbox), json!([{"kind": "link_suggestion", "state": "open", "subject": "e-2"}]));
        assert_eq!(site.count("users").await, 3);
    }

    async fn groups_of_a_login_count_and_those_of_a_push_beside_them(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({})).await;
        let client = site.client(&connection);
        let mut body = user("ann@acme.example");
        body["externalId"] = "e-1".into();
        let id = client.create("Users", &body).await;
        client.create("Groups", &crate::support::caller::group("staff", &[&id])).await;
        let mut said = claims(1);
        said["groups"] = json!(["wiki", "vpn"]);
        let entered = site.log_in(&connection, "e-1", said.clone()).await.expect("gets in");
        assert_eq!(entered.groups, ["staff", "vpn", "wiki"]);
        said["groups"] = json!(["wiki"]);
        assert_eq!(site.log_in(&connection, "e-1", said).await.expect("gets in").groups, ["staff", "wiki"]);
        assert_eq!(site.shown("oidc|acme|e-1")["groups"], json!(["staff", "wiki"]));
        let reason = site.why("oidc|acme|e-1", "groups");
        assert_eq!((&reason["value"], &reason["line"], &reason["history"][0]["before"]), (&json!(["wiki"]), &json!(8), &json!(["wiki", "vpn"])));
    }

    async fn many_first_logins_and_a_push_at_once_are_one_person(store) {
        let site = Site::start(store).await;
        let connection = site.connect("acme", json!({})).await;
        let client = site.client(&connection);
        let logins: Vec<_> = (0..8)
            .map(|_| {
                let (provisioner, connection) = (Arc::clone(&site.provisioner), connection.clone());
                tokio::spawn(async move { log_in(&provisioner, &connection, "e-1", claims(1)).await })
            })
            .collect();
        let mut body = user("ann@acme.example");
        body["externalId"] = "e-1".into();
        assert_eq!(client.send("POST", "/Users", Some(&body)).await.status, 201);
        for login in logins {
            login.await.expect("the task ends").expect("gets in");
        }
        assert_eq!((site.count("users").await, site.count("identities").await), (1, 1));
        assert_eq!(site.rows("SELECT logins_count FROM users").await[0]["logins_count"], 8);
    }
}
