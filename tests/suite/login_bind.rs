//! `POST /login/{connection}` against a real OpenLDAP, on both stores: a password that opens ends in a profile and a session
//! by the same path as every login, and one that does not in one answer.

use crate::support::caller::on_both_gateways;
use crate::support::gateway::{Gateway, Store};
use crate::support::login_site::{LoginSite, cookie, outside};
use crate::support::rows::Database;
use crate::support::slapd::{PASSWORD, SUFFIX, SYNC, Slapd};
use serde_json::{Value, json};
use std::time::Duration;

const WRONG: &str = "not-the-password";

/// What the name is at the place of the directory's own id.
async fn external_id(site: &LoginSite) -> String {
    let rows = site.rows("SELECT external_id FROM identities").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0]["external_id"].as_str().expect("an id").to_owned()
}

on_both_gateways! {
    async fn the_right_password_makes_a_profile_and_a_session(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let answer = site.log_in("u000001", PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let profile = answer.json();
        let id = external_id(&site).await;
        assert_eq!(profile["user_id"], format!("ldap|corp|{id}"));
        assert_eq!((&profile["email"], &profile["username"]), (&json!("u000001@example.test"), &json!("u000001")));
        assert_eq!(profile["session"]["connection"], "corp");
        assert!(profile.get("app_metadata").is_none(), "an administrator's, not theirs: {profile}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));

        let again = site.session(&cookie(&answer)).await;
        assert_eq!((again.status, again.json()), (200, profile), "the login answers what the session shows");
        let log = site.rows("SELECT outcome, ip FROM log WHERE kind = 'login'").await;
        assert_eq!((log.len(), &log[0]["outcome"], &log[0]["ip"]), (1, &json!("ok"), &json!("127.0.0.1")), "{log:?}");

        // What was stored is the entry as a sync would store it.
        let row = site.rows("SELECT login_raw FROM identities").await.remove(0);
        let raw: Value = serde_json::from_str(row["login_raw"].as_str().expect("a text")).expect("JSON");
        assert_eq!(raw["dn"], format!("uid=u000001,ou=people,{SUFFIX}"));
        assert_eq!(raw["mail"], json!(["u000001@example.test", "second1@example.test"]));
    }

    async fn a_form_is_answered_with_where_to_go(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let fields = [("username", "u000001"), ("password", PASSWORD), ("return_to", "/app?x=1")];
        let answer = site.submit(&[], &fields).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/app?x=1")));
        assert_eq!(site.session(&cookie(&answer)).await.status, 200);
        let without = site.submit(&[], &fields[..2]).await;
        assert_eq!((without.status, without.header("location")), (303, Some("/session")));
        let wrong = site.submit(&[], &[("username", "u000001"), ("password", WRONG), ("return_to", "/app")]).await;
        assert_eq!((wrong.status, wrong.header("location"), wrong.header("set-cookie")), (401, None, None));
    }

    async fn who_logs_in_again_is_the_same_person_and_the_entry_of_today_counts(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let first = site.log_in("u000000", PASSWORD).await.json();
        let dn = format!("uid=u000000,ou=people,{SUFFIX}");
        slapd.modify(&format!("dn: {dn}\nchangetype: modify\nreplace: displayName\ndisplayName: Ann Newname\n"));
        slapd.modify(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\n"));
        let again = site.log_in("renamed", PASSWORD).await.json();
        assert_eq!(again["user_id"], first["user_id"], "a new login name is no new person");
        assert_eq!((&again["name"], &again["username"]), (&json!("Ann Newname"), &json!("renamed")));
        assert_eq!(again["logins_count"], 2);
    }

    async fn the_policy_says_what_a_login_writes(store) {
        let slapd = Slapd::start(1);
        let rename = |to: &str| {
            slapd.modify(&format!("dn: uid=u000000,ou=people,{SUFFIX}\nchangetype: modify\nreplace: displayName\ndisplayName: {to}\n"));
        };
        let site = LoginSite::without_connection(store, &[]).await;
        for (option, first, second) in [
            ("on_each_login", json!("One"), json!("Two")),
            ("on_first_login", json!("One"), json!("One")),
            ("never_on_login", Value::Null, Value::Null),
        ] {
            site.connect("corp", &slapd, &[&format!("set_user_root_attributes={option}")]);
            rename("One");
            assert_eq!(site.log_in("u000000", PASSWORD).await.json()["name"], first, "{option}");
            rename("Two");
            assert_eq!(site.log_in("u000000", PASSWORD).await.json()["name"], second, "{option}");
            Database::change(site.gateway.database_url(), "DELETE FROM users").await;
            Database::change(site.gateway.database_url(), "DELETE FROM connections WHERE name = 'corp'").await;
        }
    }

    async fn without_create_on_login_only_who_is_known_gets_in(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &["create_on_login=false"]).await;
        let unknown = site.log_in("u000001", PASSWORD).await;
        assert_eq!(unknown.status, 401);
        assert_eq!(outside(&unknown), outside(&site.log_in("u000001", WRONG).await), "nor is it told why");
        assert_eq!(site.reasons().await, ["no_jit", "wrong_password"]);
        assert!(site.rows("SELECT id FROM users").await.is_empty());
        site.gateway.cli(&["connection", "update", "corp", "--set", "create_on_login=true"]);
        let known = site.log_in("u000001", PASSWORD).await.json();
        site.gateway.cli(&["connection", "update", "corp", "--set", "create_on_login=false"]);
        assert_eq!(site.log_in("u000001", PASSWORD).await.json()["user_id"], known["user_id"]);
    }

    async fn a_name_has_to_mean_exactly_one(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &["login_filter=(|(uid={})(objectClass={}))"]).await;
        assert_eq!(site.log_in("u000001", PASSWORD).await.status, 200);
        assert_eq!(site.log_in("inetOrgPerson", PASSWORD).await.status, 401);
        assert_eq!(site.reasons().await, ["ambiguous_user"]);
    }

    async fn the_filter_of_people_holds_for_logins(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &["user_filter=(uid=u000002)"]).await;
        assert_eq!(site.log_in("u000001", PASSWORD).await.status, 401);
        assert_eq!(site.log_in("u000002", PASSWORD).await.status, 200);
        assert_eq!(site.reasons().await, ["unknown_user"]);
    }

    async fn right_passwords_at_once_are_no_failures_of_each_other(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let body = json!({"username": "u000001", "password": PASSWORD}).to_string();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let request = reqwest::Client::new().post(format!("{}/login/corp", site.gateway.base_url()));
            let request = request.header("content-type", "application/json").body(body.clone());
            waiting.spawn(async move { request.send().await.expect("an answer").status().as_u16() });
        }
        assert_eq!(waiting.join_all().await, [200; 12]);
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 1);
        assert_eq!(site.rows("SELECT logins_count FROM users").await[0]["logins_count"], 12);
    }

    async fn somebody_a_sync_brought_logs_in_as_the_same_person(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &[]).await;
        assert_eq!(site.sync(), json!({"created": 3}));
        let person = "SELECT i.id, i.profile_id, i.external_id, i.listed, u.user_id FROM identities i JOIN users u \
            ON u.tenant_id = i.tenant_id AND u.id = i.profile_id WHERE i.user_name = 'u000001'";
        let synced = site.rows(person).await;
        let profile = site.log_in("u000001", PASSWORD).await.json();
        assert_eq!((profile["user_id"].as_str(), &profile["logins_count"]), (synced[0]["user_id"].as_str(), &json!(1)));
        assert_eq!(site.rows(person).await, synced);
        let sessions = site.rows("SELECT identity_id, profile_id FROM sessions").await;
        assert_eq!(sessions.len(), 1);
        assert_eq!((&sessions[0]["identity_id"], &sessions[0]["profile_id"]), (&synced[0]["id"], &synced[0]["profile_id"]));
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 3);
        assert_eq!(site.sync(), json!({"unchanged": 3}), "a login is no change of the directory");
    }

    async fn somebody_who_logged_in_first_is_taken_over_by_the_sync(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let first = site.log_in("u000001", PASSWORD).await;
        let listed = "SELECT id, listed FROM identities WHERE login_raw IS NOT NULL";
        let before = site.rows(listed).await;
        assert_eq!((before.len(), &before[0]["listed"]), (1, &json!(false)));
        site.sync();
        let after = site.rows(listed).await;
        assert_eq!((after.len(), &after[0]["id"], &after[0]["listed"]), (1, &before[0]["id"], &json!(true)));
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 3);
        assert_eq!(site.session(&cookie(&first)).await.status, 200, "the session goes on");
        assert_eq!(site.log_in("u000001", PASSWORD).await.json()["user_id"], first.json()["user_id"]);
        assert_eq!(site.sync(), json!({"unchanged": 3}));
    }

    async fn a_public_url_with_tls_binds_the_cookie_to_its_host(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start_with(store, &slapd, &[("server.public_url", "https://roster.example.com")], &[]).await;
        let answer = site.log_in("u000001", PASSWORD).await;
        let set = answer.header("set-cookie").expect("a cookie");
        assert!(set.starts_with("__Host-rosterd_session=rss_"), "{set}");
        for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(set.contains(part), "{set}");
        }
        assert!(!set.contains("Domain"), "{set}");
        let kept = cookie(&answer);
        assert_eq!(site.session(&kept).await.status, 200);
        assert_eq!(site.session(&kept.replace("__Host-", "")).await.status, 401, "a cookie that anybody can set is not read");
    }

    async fn a_tenant_of_its_own_signs_people_in_at_its_own_host(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::without_connection(store, &[]).await;
        site.gateway.cli(&["tenant", "create", "acme", "--host", "acme.example"]);
        let (url, ca) = (format!("url={}", slapd.ldaps()), format!("ca_file={}", slapd.ca().display()));
        let (dn, base) = (format!("bind_dn={SYNC}"), format!("user_base=ou=people,{SUFFIX}"));
        let mut line = vec!["connection", "create", "corp", "--tenant", "acme", "--kind", "ldap", "--json"];
        line.extend(["--secret", "bind_password=file:bind-password"]);
        ["server=openldap", &url, &ca, &dn, &base].into_iter().for_each(|option| line.extend(["--set", option]));
        let made: Value = serde_json::from_str(&site.gateway.cli(&line)).expect("JSON");
        let path = format!("/login/{}", made["id"].as_str().expect("an id"));
        let body = || Some(json!({"username": "u000001", "password": PASSWORD}).to_string());
        let there = [("host", "acme.example"), ("content-type", "application/json")];
        let answer = site.send("POST", &path, &there, body()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let kept = cookie(&answer);
        assert_eq!(site.send("GET", "/session", &[("host", "acme.example"), ("cookie", &kept)], None).await.status, 200);
        assert_eq!(site.session(&kept).await.status, 401, "at another host it is nobody's");
        assert_eq!(site.send("POST", &path, &there[1..], body()).await.status, 404);
    }

    async fn every_way_to_protect_and_to_sign_in_serves_logins_too(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let (certificate, key) = slapd.client_certificate();
        let ldap = format!("url={}", slapd.ldap());
        let (certificate, key) = (format!("client_cert_file={}", certificate.display()), format!("client_key_file={}", key.display()));
        site.gateway.cli(&["connection", "update", "corp", "--set", &ldap, "--set", "start_tls=true"]);
        assert_eq!(site.log_in("u000001", PASSWORD).await.status, 200, "StartTLS");
        let external = ["--set", "bind_method=external", "--set", "bind_dn=", "--secret", "bind_password=", "--set", &certificate, "--set", &key];
        site.gateway.cli(&[&["connection", "update", "corp"], &external[..]].concat());
        assert_eq!(site.log_in("u000001", PASSWORD).await.status, 200, "a certificate for us, a password for them");
        assert_eq!(site.log_in("u000001", WRONG).await.status, 401, "the certificate lets nobody else in");
        assert_eq!(site.log_in("u000001", "").await.status, 401);
    }

    async fn a_filter_without_a_place_for_the_name_is_refused_when_it_is_set(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        for filter in ["login_filter=(uid=ann)", "login_filter=({}=ann)", "login_filter=uid={}", "login_filter=(uid={}"] {
            let refused = site.gateway.run(&["connection", "update", "corp", "--set", filter]);
            let told = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(!refused.status.success() && told.contains("login_filter: "), "{filter}: {told}");
        }
        let shown = site.gateway.cli(&["connection", "options", "ldap"]);
        assert!(shown.contains("login_filter"), "{shown}");
    }

    async fn a_directory_that_can_not_be_reached_is_no_refusal(store) {
        let mut slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        slapd.stop();
        for _ in 0..7 {
            let away = site.log_in("u000000", PASSWORD).await;
            assert_eq!((away.status, away.header("retry-after")), (503, Some("5")), "{}", away.text);
        }
        assert!(site.reasons().await.is_empty(), "nothing is known of the person");
        let counted = site.rows("SELECT failures FROM login_failures WHERE failures > 0").await;
        assert!(counted.is_empty(), "nobody is locked out by it: {counted:?}");
    }

    async fn the_next_server_is_asked_when_the_first_is_away(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &[]).await;
        // One that takes connections and never says a word.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = [format!("url=ldaps://{}", silent.local_addr().expect("bound")), format!("url={}", slapd.ldaps())];
        site.gateway.cli(&["connection", "update", "corp", "--set", &url[0], "--set", &url[1], "--set", "connect_timeout_seconds=1"]);
        let first = site.log_in("u000001", PASSWORD).await;
        assert_eq!((first.status, first.took >= Duration::from_secs(1)), (200, true), "{:?}", first.took);
        let second = site.log_in("u000001", PASSWORD).await;
        assert_eq!((second.status, second.took < Duration::from_secs(1)), (200, true), "asked last for a while: {:?}", second.took);
    }

    async fn what_is_no_login_is_told_so(store) {
        let slapd = Slapd::start(3);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let body = json!({"username": "u000001", "password": PASSWORD}).to_string();
        let json_type = [("content-type", "application/json")];
        for (path, method, kind, text, status, code) in [
            ("/login/corp", "GET", "application/json", body.as_str(), 405, "method_not_allowed"),
            ("/login/nowhere", "POST", "application/json", &body, 404, "inexistent_connection"),
            ("/login/%00", "POST", "application/json", &body, 404, "inexistent_connection"),
            ("/login/scim", "POST", "application/json", &body, 404, "no_password_login"),
            ("/login/corp", "POST", "text/plain", &body, 415, "unsupported_media_type"),
            ("/login/corp", "POST", "application/json", "[]", 400, "invalid_body"),
            ("/login/corp", "POST", "application/json", "{\"username\":\"u000001\"}", 400, "invalid_body"),
            ("/login/corp", "POST", "application/json", "{\"username\":1,\"password\":\"x\"}", 400, "invalid_body"),
            ("/login/corp", "POST", "application/json", &"x".repeat(17 << 10), 413, "too_large"),
        ] {
            let answer = site.send(method, path, &[("content-type", kind)], Some(text.to_owned())).await;
            assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{method} {path}");
        }
        let id = site.rows("SELECT id FROM connections WHERE name = 'corp'").await.remove(0);
        let path = format!("/login/{}", id["id"].as_str().expect("an id"));
        assert_eq!(site.send("POST", &path, &json_type, Some(body)).await.status, 200, "a connection goes by its id, too");
    }
}

/// Two replicas count together, and sessions of one are sessions of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_sessions_and_counts() {
    let slapd = Slapd::start(3);
    let site = LoginSite::start(Store::Postgres, &slapd, &[]).await;
    let other = Gateway::beside(&site.gateway);
    let signed_in = site.log_in("u000001", PASSWORD).await;
    let headers = [("cookie".to_owned(), cookie(&signed_in))];
    let there = other.send("GET", &format!("{}/session", other.base_url()), &headers, None).await.expect("an answer");
    assert_eq!(there.status, 200);
    for _ in 0..4 {
        assert_eq!(site.log_in("u000002", WRONG).await.status, 401);
    }
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let body = json!({"username": "u000002", "password": PASSWORD}).to_string();
    let refused = other.send("POST", &format!("{}/login/corp", other.base_url()), &headers, Some(body)).await.expect("an answer");
    assert_eq!(refused.status, 429);
}
