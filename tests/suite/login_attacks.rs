//! What somebody without an account, or with another's cookie, may try against logins and sessions (ldap.md §7, oidc.md §6):
//! each test is named after the attack and shows that it gets nothing. Against a real OpenLDAP, and a scripted directory
//! for what only others do.

use crate::support::caller::on_both_gateways;
use crate::support::gateway::{Answer, Store};
use crate::support::login_site::{LoginSite, cookie, outside};
use crate::support::rows::Database;
use crate::support::scripted_directory::{Say, Signing, entry, listen_to_sign_ins};
use crate::support::slapd::{PASSWORD, SUFFIX, SYNC, Slapd};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const WRONG: &str = "not-the-password";
/// 16 bytes of text are a GUID as well.
const GUID: &str = "ABCDEFGHIJKLMNOP";
const MAPPING: &str = "mapping short from ldap to profile\nuser_id = $objectGUID with create, required\nname = $displayName\n";

/// Every operation that a scripted directory was asked for, in order.
type Operations = Arc<Mutex<Vec<String>>>;

/// A directory of one person, Ann, that answers a sign-in of hers by `signing`; everybody else's fails as on Active Directory.
fn active_directory(signing: impl Fn(&Signing) -> Vec<Say> + Send + Sync + 'static) -> (u16, Operations) {
    let operations = Operations::default();
    let (noting_binds, noting_searches) = (Arc::clone(&operations), Arc::clone(&operations));
    let note = |operations: &Operations, what: &str| operations.lock().expect("not poisoned").push(what.to_owned());
    let port = listen_to_sign_ins(
        move |asked| {
            if asked.dn == SYNC {
                note(&noting_binds, "sign-in of the account");
                return signed(0, "");
            }
            note(&noting_binds, "sign-in");
            if asked.dn.starts_with("CN=Ann") { signing(asked) } else { signed(49, "data 525") }
        },
        move |asked| {
            note(&noting_searches, &format!("search {} {}", asked.base, asked.scope));
            let is_ann = asked.filter().windows(3).any(|window| window == b"ann");
            let ann = entry("CN=Ann,DC=example,DC=test", &[("objectGUID", &[GUID]), ("displayName", &["Ann"])]);
            if is_ann { vec![ann, Say::Done(0, None)] } else { vec![Say::Done(0, None)] }
        },
    );
    (port, operations)
}

fn signed(code: u32, words: &str) -> Vec<Say> {
    vec![Say::Signed(code, words.to_owned(), None)]
}

async fn site_of(store: Store, port: u16, more: &[&str]) -> LoginSite {
    let site = LoginSite::without_connection(store, &[]).await;
    std::fs::create_dir_all(site.gateway.folder().join("mappings")).expect("a folder");
    std::fs::write(site.gateway.folder().join("mappings/short.mapping"), MAPPING).expect("written");
    let (url, dn) = (format!("url=ldap://127.0.0.1:{port}"), format!("bind_dn={SYNC}"));
    let all = ["server=ad", &url, "allow_plaintext=true", &dn, "user_base=DC=example,DC=test", "mapping=short"];
    site.describe("corp", &[&all, more].concat());
    site
}

fn assert_refused(answer: &Answer) {
    assert_eq!((answer.status, &answer.json()["errorCode"]), (401, &json!("invalid_credentials")), "{}", answer.text);
    assert_eq!(answer.header("set-cookie"), None);
}

async fn nobody_got_in(site: &LoginSite) {
    for table in ["users", "identities", "sessions"] {
        assert!(site.rows(&format!("SELECT tenant_id FROM {table}")).await.is_empty(), "{table}");
    }
}

on_both_gateways! {
    async fn a_filter_injected_through_the_user_name(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start_with(store, &slapd, &[("login.failures_per_address", "1000")], &[]).await;
        for name in [
            "*", "u*", "u000000*", "*)(uid=*", "u000000)(objectClass=*", "u000000)(|(uid=*", "\\2a", "u00000\\30", "u000000)",
            "(u000000", "u000000\0", "\0", "u000000\0)(uid=*", &format!("uid=u000000,ou=people,{SUFFIX}"), "u000000\n", "",
        ] {
            assert_refused(&site.log_in(name, PASSWORD).await);
        }
        nobody_got_in(&site).await;
        let reasons = site.reasons().await;
        assert!(reasons.iter().all(|reason| reason == "unknown_user" || reason == "malformed_credentials"), "{reasons:?}");
        assert_eq!(site.log_in("u000000", PASSWORD).await.status, 200, "the account is there");
    }

    async fn an_empty_password_that_the_directory_takes_for_nobodys(store) {
        // Active Directory answers a name without a password with success (RFC 4513 §5.1.2).
        let (port, operations) = active_directory(|asked| if asked.password.is_empty() { signed(0, "") } else { signed(49, "data 52e") });
        let site = site_of(store, port, &[]).await;
        let wrong = site.log_in("ann", WRONG).await;
        operations.lock().expect("not poisoned").clear();
        for nothing in ["", "\0", "\0\0", "\0secret"] {
            let answer = site.log_in("ann", nothing).await;
            assert_refused(&answer);
            assert_eq!(outside(&answer), outside(&wrong));
            site.forget_failures().await;
        }
        assert!(operations.lock().expect("not poisoned").is_empty(), "the directory was not even asked");
        nobody_got_in(&site).await;
    }

    async fn a_name_without_an_entry_that_the_directory_binds_all_the_same(store) {
        // Whatever a directory lets in under another name than one that our search found counts for nothing.
        let port = listen_to_sign_ins(|_| signed(0, ""), |_| vec![Say::Done(0, None)]);
        let site = site_of(store, port, &[]).await;
        assert_refused(&site.log_in("ann", PASSWORD).await);
        nobody_got_in(&site).await;
    }

    async fn telling_accounts_by_what_is_answered(store) {
        let slapd = Slapd::start(2);
        let site = LoginSite::start(store, &slapd, &[]).await;
        site.log_in("u000001", PASSWORD).await;
        Database::change(site.gateway.database_url(), "UPDATE users SET blocked = TRUE").await;
        let known = outside(&site.log_in("u000000", WRONG).await);
        assert_eq!(known.0, 401);
        for (name, password) in [
            ("nobody", WRONG), ("u000001", PASSWORD), ("u000001", WRONG), ("u000000", ""), ("", WRONG), ("*", WRONG),
            (&"x".repeat(5_000), WRONG), ("u000000", &"x".repeat(5_000)),
        ] {
            assert_eq!(outside(&site.log_in(name, password).await), known, "{name:.9} {password:.9}");
        }
        // The limit is the same for who is there and who is not.
        site.forget_failures().await;
        let mut limits = Vec::new();
        for name in ["u000000", "nobody"] {
            let mut told = Vec::new();
            for _ in 0..7 {
                let answer = site.log_in(name, WRONG).await;
                told.push((answer.status, answer.text));
            }
            limits.push(told);
        }
        assert_eq!(limits[0], limits[1]);
        assert_eq!(limits[0].iter().map(|told| told.0).collect::<Vec<_>>(), [401, 401, 401, 401, 429, 429, 429]);
    }

    async fn telling_accounts_by_two_names_that_mean_one_person(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &["login_filter=(|(uid={})(mail={}))"]).await;
        let mut told = Vec::new();
        for names in [["u000000", "u000000@example.test"], ["nobody", "nobody@example.test"]] {
            let mut answers = Vec::new();
            for _ in 0..6 {
                for name in names {
                    let answer = site.log_in(name, WRONG).await;
                    answers.push((answer.status, answer.text));
                }
            }
            told.push(answers);
        }
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0].iter().filter(|answer| answer.0 == 401).count(), 8, "each name has its own tries, as typed");
        // The person's are no more than one name's all the same.
        let reasons = site.reasons().await;
        let of = |word: &str| reasons.iter().filter(|reason| *reason == word).count();
        assert_eq!((of("wrong_password"), of("too_many_failures"), of("unknown_user")), (4, 4, 8));
    }

    async fn choosing_when_a_refusal_is_answered_by_sending_slowly(store) {
        let slapd = Slapd::start(0);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let address = site.gateway.base_url().strip_prefix("http://").expect("plain HTTP").to_owned();
        let body = json!({"username": "ann", "password": ""}).to_string();
        let head = format!(
            "POST /login/corp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        for late in [60, 130, 200] {
            let mut stream = TcpStream::connect(&address).await.expect("it listens");
            stream.write_all(head.as_bytes()).await.expect("sent");
            tokio::time::sleep(Duration::from_millis(late)).await;
            let began = Instant::now();
            stream.write_all(body.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            let took = began.elapsed();
            assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
            assert!(took >= Duration::from_millis(240), "the step begins when all was read, not {late} ms before: {took:?}");
            site.forget_failures().await;
        }
    }

    async fn telling_accounts_by_how_long_it_takes(store) {
        let (port, operations) = active_directory(|_| signed(49, "data 52e"));
        let site = site_of(store, port, &[]).await;
        let mut asked = Vec::new();
        for name in ["ann", "nobody"] {
            let answer = site.log_in(name, WRONG).await;
            assert_refused(&answer);
            assert!(answer.took >= Duration::from_millis(240), "refusals wait for their step: {:?}", answer.took);
            asked.push(std::mem::take(&mut *operations.lock().expect("not poisoned")));
        }
        assert_eq!(asked[0], asked[1], "the directory is asked the same, and as often");
        assert_eq!(asked[0].len(), 3, "{asked:?}");
        assert_eq!(site.reasons().await, ["wrong_password", "unknown_user"]);
    }

    async fn locking_somebodys_account_in_the_directory_by_failing_here(store) {
        let slapd = Slapd::start_with(1, "moduleload ppolicy\n", &format!("overlay ppolicy\nppolicy_default cn=default,{SUFFIX}\n"));
        // What the directory itself allows, one more than we do.
        slapd.modify(&format!(
            "dn: cn=default,{SUFFIX}\nchangetype: add\nobjectClass: device\nobjectClass: pwdPolicy\ncn: default\n\
             pwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 6\n"
        ));
        let settings = [("server.trusted_proxies", "127.0.0.1")];
        let site = LoginSite::start_with(store, &slapd, &settings, &["login_filter=(|(uid={})(mail={}))"]).await;
        // By each of the names that one account has, by spellings that the directory takes for the same, from many places.
        for round in 0..4 {
            for name in ["u000000", "U000000", "u000000@example.test", "second0@example.test", " u000000"] {
                let address = format!("192.0.2.{round}");
                let answer = site.log_in_with(&[("x-forwarded-for", &address)], name, &format!("{WRONG}{round}")).await;
                assert!(matches!(answer.status, 401 | 429), "{}", answer.text);
            }
        }
        let reasons = site.reasons().await;
        let tried = reasons.iter().filter(|reason| *reason == "wrong_password").count();
        assert_eq!(tried, 5, "no more tries reach the directory than we allow");
        assert!(reasons.iter().all(|reason| reason == "wrong_password" || reason == "too_many_failures"), "{reasons:?}");
        // Its owner waits for us, not for an administrator of the directory.
        let owners = [("x-forwarded-for", "198.51.100.1")];
        assert_eq!(site.log_in_with(&owners, "u000000", PASSWORD).await.status, 429);
        site.forget_failures().await;
        assert_eq!(site.log_in_with(&owners, "u000000", PASSWORD).await.status, 200);
        assert!(site.rows("SELECT subject FROM login_failures WHERE scope <> ''").await.is_empty(), "a success begins the count anew");
    }

    async fn keeping_somebody_out_by_failing_for_them_from_one_place(store) {
        let slapd = Slapd::start(1);
        let settings = [("server.trusted_proxies", "127.0.0.1")];
        let site = LoginSite::start_with(store, &slapd, &settings, &["login_filter=(|(uid={})(mail={}))"]).await;
        let (theirs, owners) = ([("x-forwarded-for", "192.0.2.1")], [("x-forwarded-for", "198.51.100.1")]);
        for name in ["u000000", "u000000@example.test"] {
            for _ in 0..10 {
                site.log_in_with(&theirs, name, WRONG).await;
            }
        }
        assert_eq!(site.log_in_with(&theirs, "u000000", PASSWORD).await.status, 429);
        assert_eq!(site.reasons().await, [["wrong_password"; 4], ["too_many_failures"; 4]].concat());
        assert_eq!(site.log_in_with(&owners, "u000000", PASSWORD).await.status, 200, "from elsewhere a try is left");
    }

    async fn guessing_with_many_requests_at_once(store) {
        let (port, operations) = active_directory(|_| signed(49, "data 52e"));
        let site = site_of(store, port, &[]).await;
        let guesses: Vec<String> = (0..20).map(|n| format!("guess-{n}")).collect();
        let mut statuses = Vec::new();
        let mut waiting = tokio::task::JoinSet::new();
        for guess in guesses {
            let (url, body) = (format!("{}/login/corp", site.gateway.base_url()), json!({"username": "ann", "password": guess}).to_string());
            waiting.spawn(async move {
                let client = reqwest::Client::new();
                client.post(url).header("content-type", "application/json").body(body).send().await.expect("an answer").status().as_u16()
            });
        }
        while let Some(status) = waiting.join_next().await {
            statuses.push(status.expect("it ends"));
        }
        statuses.sort_unstable();
        assert_eq!((statuses.iter().filter(|status| **status == 401).count(), statuses[19]), (4, 429), "{statuses:?}");
        let tried = operations.lock().expect("not poisoned").iter().filter(|what| *what == "sign-in").count();
        assert_eq!(tried, 4);
    }

    async fn guessing_many_names_from_one_address(store) {
        let slapd = Slapd::start(1);
        let settings = [("login.failures_per_address", "3"), ("server.trusted_proxies", "127.0.0.1")];
        let site = LoginSite::start_with(store, &slapd, &settings, &[]).await;
        let from = |address: &'static str| [("x-forwarded-for", address)];
        for name in ["a", "b", "c"] {
            assert_refused(&site.log_in_with(&from("192.0.2.1"), name, WRONG).await);
        }
        let refused = site.log_in_with(&from("192.0.2.1"), "u000000", PASSWORD).await;
        assert_eq!(refused.status, 429);
        let seconds: u64 = refused.header("retry-after").expect("how long").parse().expect("seconds");
        assert!((1..=900).contains(&seconds), "{seconds}");
        // What a client writes itself is not believed: the proxy adds where it came from.
        assert_eq!(site.log_in_with(&from("203.0.113.9, 192.0.2.1"), "u000000", PASSWORD).await.status, 429);
        assert_eq!(site.log_in_with(&from("192.0.2.2"), "u000000", PASSWORD).await.status, 200);
    }

    async fn an_address_forged_in_front_of_no_proxy(store) {
        let slapd = Slapd::start(0);
        let site = LoginSite::start_with(store, &slapd, &[("login.failures_per_address", "3")], &[]).await;
        for n in 0..3 {
            assert_refused(&site.log_in_with(&[("x-forwarded-for", &format!("192.0.2.{n}"))], &format!("n{n}"), WRONG).await);
        }
        assert_eq!(site.log_in_with(&[("x-forwarded-for", "192.0.2.9")], "n9", WRONG).await.status, 429);
    }

    async fn a_link_that_sends_a_browser_to_another_site_after_its_login(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start_with(store, &slapd, &[("login.return_to", "https://app.example.com")], &[]).await;
        for evil in ["//evil.example", "https://evil.example/", "/\\evil.example", "https:evil.example", "javascript:alert(1)", "https://app.example.com@evil.example"] {
            let answer = site.submit(&[], &[("username", "u000000"), ("password", PASSWORD), ("return_to", evil)]).await;
            assert_eq!((answer.status, &answer.json()["errorCode"]), (400, &json!("invalid_return_to")), "{evil}");
            assert_eq!((answer.header("location"), answer.header("set-cookie")), (None, None));
        }
        nobody_got_in(&site).await;
        let allowed = [("username", "u000000"), ("password", PASSWORD), ("return_to", "https://app.example.com/in")];
        assert_eq!(site.submit(&[], &allowed).await.header("location"), Some("https://app.example.com/in"));
    }

    async fn a_session_that_an_attacker_left_in_the_browser_before_the_login(store) {
        let slapd = Slapd::start(2);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let attackers = cookie(&site.log_in("u000001", PASSWORD).await);
        let made_up = "rosterd_session=rss_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for planted in [made_up, &attackers] {
            let victims = cookie(&site.log_in_with(&[("cookie", planted)], "u000000", PASSWORD).await);
            assert_ne!(victims, planted, "a login makes a new secret");
            assert_eq!(site.session(planted).await.status, 401, "and what was there before opens nothing");
            assert_eq!(site.session(&victims).await.json()["username"], "u000000");
        }
    }

    async fn another_sites_page_that_logs_its_visitor_in_or_out(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let fields = [("username", "u000000"), ("password", PASSWORD)];
        let mine = cookie(&site.submit(&[], &fields).await);
        for foreign in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site")] {
            for answer in [
                site.submit(&[foreign], &fields).await,
                site.log_in_with(&[foreign], "u000000", PASSWORD).await,
                site.send("DELETE", "/session", &[foreign, ("cookie", &mine)], None).await,
            ] {
                assert_eq!((answer.status, &answer.json()["errorCode"]), (403, &json!("cross_origin")), "{foreign:?}");
                assert_eq!(answer.header("set-cookie"), None);
            }
        }
        // Nor as a form that a browser sends without asking first.
        let body = json!({"username": "u000000", "password": PASSWORD}).to_string();
        assert_eq!(site.send("POST", "/login/corp", &[("content-type", "text/plain")], Some(body)).await.status, 415);
        assert_eq!(site.session(&mine).await.status, 200);
        let own = site.gateway.base_url().to_owned();
        assert_eq!(site.submit(&[("origin", &own)], &fields).await.status, 303);
        assert_eq!(site.submit(&[("sec-fetch-site", "same-origin")], &fields).await.status, 303);
    }

    async fn a_cookie_stolen_before_the_logout(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let stolen = cookie(&site.log_in("u000000", PASSWORD).await);
        site.send("DELETE", "/session", &[("cookie", &stolen)], None).await;
        assert_eq!(site.session(&stolen).await.status, 401);
        // What is stored is of no use either.
        site.log_in("u000000", PASSWORD).await;
        let rows = site.rows("SELECT * FROM sessions").await;
        let secret = stolen.split_once('=').expect("a cookie").1;
        assert!(!Value::from(rows).to_string().contains(&secret[..20]), "no secret is stored");
    }

    async fn a_token_of_another_kind_for_a_session_and_the_other_way_round(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        for token in [site.gateway.token(), site.gateway.bootstrapped("admin_token"), site.gateway.bootstrapped("console_code")] {
            assert_eq!(site.session(&format!("rosterd_session={token}")).await.status, 401);
        }
        let cookie = cookie(&site.log_in("u000000", PASSWORD).await);
        let bearer = format!("Bearer {}", cookie.split_once('=').expect("a cookie").1);
        for path in ["/api/v2/connections/x/traffic", "/scim/v2/connections/scim/Users"] {
            assert_eq!(site.send("GET", path, &[("authorization", &bearer)], None).await.status, 401, "{path}");
        }
    }

    async fn another_tenants_session_and_connection(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        site.gateway.cli(&["tenant", "create", "rival", "--host", "rival.example"]);
        let there = [("host", "rival.example"), ("content-type", "application/json")];
        let body = || Some(json!({"username": "u000000", "password": PASSWORD}).to_string());
        let id = site.rows("SELECT id FROM connections WHERE name = 'corp'").await.remove(0);
        let id = id["id"].as_str().expect("an id");
        // Ours is not there by name or id, and nothing tells it from what never was.
        let nowhere = site.send("POST", "/login/nowhere", &there, body()).await;
        for named in ["corp", id] {
            let answer = site.send("POST", &format!("/login/{named}"), &there, body()).await;
            assert_eq!(outside(&answer), outside(&nowhere), "{named}");
            assert_eq!(answer.status, 404);
        }
        let ours = cookie(&site.log_in("u000000", PASSWORD).await);
        let shown = site.send("GET", "/session", &[("host", "rival.example"), ("cookie", &ours)], None).await;
        assert_eq!(shown.status, 401);
        site.send("DELETE", "/session", &[("host", "rival.example"), ("cookie", &ours)], None).await;
        assert_eq!(site.session(&ours).await.status, 200, "nor can it be ended from there");
    }

    async fn looking_for_the_password_everywhere(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start_with(store, &slapd, &[("log.level", "trace")], &[]).await;
        let typed = "a-password-that-was-mistyped-73";
        let mut texts = vec![
            site.log_in("u000000", typed).await.text,
            site.submit(&[], &[("username", "u000000"), ("password", typed)]).await.text,
            // Into the wrong field.
            site.log_in(typed, "u000000").await.text,
            site.send("POST", "/login/corp", &[("content-type", "application/json")], Some(format!("{{\"password\":\"{typed}\""))).await.text,
            site.log_in("u000000", PASSWORD).await.text,
        ];
        texts.push(site.gateway.printed_with("\"/login/{connection}\"").await);
        for table in ["log", "login_failures", "sessions", "identities", "users", "traffic", "outbox", "history"] {
            texts.push(Value::from(site.rows(&format!("SELECT * FROM {table}")).await).to_string());
        }
        for text in texts {
            for secret in [typed, PASSWORD] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }

    async fn a_blocked_person_with_the_right_password(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let mine = cookie(&site.log_in("u000000", PASSWORD).await);
        Database::change(site.gateway.database_url(), "UPDATE users SET blocked = TRUE").await;
        assert_eq!(site.session(&mine).await.status, 401);
        // Whether the password was right does not show in how often it may be tried, either.
        for _ in 0..4 {
            assert_refused(&site.log_in("u000000", PASSWORD).await);
        }
        assert_eq!(site.log_in("u000000", PASSWORD).await.status, 429);
        assert_eq!(site.reasons().await, ["blocked"; 4]);
        assert_eq!(site.rows("SELECT id FROM sessions").await.len(), 1, "the one from before");
    }

    async fn a_person_whom_the_directory_bars(store) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        let (port, _) = active_directory(move |_| telling.lock().expect("not poisoned").pop().expect("told what to say"));
        let site = site_of(store, port, &[]).await;
        let say = |what: Vec<Say>| told.lock().expect("not poisoned").push(what);
        say(signed(0, ""));
        assert_eq!(site.log_in("ann", PASSWORD).await.status, 200);
        let ad = |data: &str| signed(49, &format!("80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {data}, v4563"));
        let must_change = vec![Say::Signed(0, String::new(), Some(vec![0x30, 3, 0x81, 1, 2]))];
        let expected = [
            (ad("525"), "unknown_user"), (ad("52e"), "wrong_password"), (ad("530"), "logon_denied"), (ad("531"), "logon_denied"),
            (ad("532"), "password_expired"), (ad("533"), "disabled_at_source"), (ad("701"), "account_expired"),
            (ad("773"), "must_change_password"), (ad("775"), "locked_out_at_source"), (must_change, "must_change_password"),
        ];
        let mut seen = Vec::new();
        for (says, _) in &expected {
            say(says.clone());
            let answer = site.log_in("ann", PASSWORD).await;
            assert_refused(&answer);
            seen.push(outside(&answer));
            site.forget_failures().await;
        }
        assert!(seen.windows(2).all(|two| two[0] == two[1]), "nobody outside is told one from the other");
        assert_eq!(site.reasons().await, expected.map(|(_, word)| word));
        let log = site.rows("SELECT identity_id FROM log WHERE outcome = 'refused'").await;
        assert!(log.iter().all(|row| row["identity_id"].is_string()), "and the log names who it was");
    }

    async fn somebody_in_the_middle_who_shows_another_certificate(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let other = format!("ca_file={}", slapd.other_ca().display());
        site.gateway.cli(&["connection", "update", "corp", "--set", &other]);
        assert_eq!(site.log_in("u000000", PASSWORD).await.status, 503, "no password is sent to whom we don't know");
        nobody_got_in(&site).await;
    }

    async fn taking_every_place_of_the_gateway_with_a_directory_that_hangs(store) {
        let port = listen_to_sign_ins(|_| signed(0, ""), |_| vec![Say::Wait(Duration::from_secs(20)), Say::Close]);
        let site = site_of(store, port, &[]).await;
        let mut waiting = tokio::task::JoinSet::new();
        for n in 0..90 {
            let body = json!({"username": format!("n{n}"), "password": WRONG}).to_string();
            let request = reqwest::Client::new().post(format!("{}/login/corp", site.gateway.base_url()));
            let request = request.header("content-type", "application/json").body(body);
            waiting.spawn(async move { request.send().await.map_or(0, |answer| answer.status().as_u16()) });
        }
        // Those that find no place are answered while the others wait.
        let mut turned_away = 0;
        while turned_away < 26 {
            assert_eq!(waiting.join_next().await.expect("some are left").expect("it ends"), 503);
            turned_away += 1;
        }
        assert_eq!(site.session("").await.status, 401, "and everybody else is served");
        waiting.abort_all();
    }

    async fn a_server_that_hangs_costs_nobody_a_try_and_nobody_else_the_wait(store) {
        // given two servers with the times a connection has by itself, the first of which signs in and then says nothing more
        let hangs = listen_to_sign_ins(|_| signed(0, ""), |_| vec![Say::Wait(Duration::from_secs(60)), Say::Close]);
        let (serves, _) = active_directory(|_| signed(0, ""));
        let second = format!("url=ldap://127.0.0.1:{serves}");
        let site = site_of(store, hangs, &[&second]).await;
        let first = site.log_in("ann", PASSWORD).await;
        assert_eq!((first.status, first.header("retry-after")), (503, Some("5")), "{}", first.text);
        assert!(first.took < Duration::from_secs(20), "{:?}", first.took);
        let counted = site.rows("SELECT failures FROM login_failures WHERE failures > 0").await;
        assert!(counted.is_empty(), "no password was sent: {counted:?}");
        let next = site.log_in("ann", PASSWORD).await;
        assert_eq!(next.status, 200, "the one that hung is asked last: {}", next.text);
        assert!(next.took < Duration::from_secs(5), "{:?}", next.took);
    }

    async fn locking_the_account_of_the_connection_by_asking_to_sign_in(store) {
        let operations = Operations::default();
        let noting = Arc::clone(&operations);
        let port = listen_to_sign_ins(
            move |asked| {
                noting.lock().expect("not poisoned").push(asked.dn.clone());
                signed(49, "data 52e")
            },
            |_| vec![Say::Close],
        );
        let site = site_of(store, port, &[]).await;
        for n in 0..10 {
            assert_eq!(site.log_in(&format!("n{n}"), WRONG).await.status, 503);
        }
        assert_eq!(*operations.lock().expect("not poisoned"), [SYNC], "it is tried once");
        let counted = site.rows("SELECT failures FROM login_failures WHERE failures > 0").await;
        assert!(counted.is_empty(), "nobody's password was looked at: {counted:?}");
        // Whoever mends the connection need not wait.
        site.gateway.cli(&["connection", "update", "corp", "--secret", "bind_password=file:bind-password"]);
        assert_eq!(site.log_in("ann", WRONG).await.status, 503);
        assert_eq!(operations.lock().expect("not poisoned").len(), 2);
    }

    async fn a_directory_that_hangs_over_the_password(store) {
        let (port, _) = active_directory(|_| vec![Say::Wait(Duration::from_secs(20)), Say::Close]);
        let site = site_of(store, port, &["answer_timeout_seconds=1"]).await;
        let answer = site.log_in("ann", PASSWORD).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{}", answer.text);
        assert!(answer.took < Duration::from_secs(10), "{:?}", answer.took);
        nobody_got_in(&site).await;
    }

    async fn a_directory_that_answers_a_password_with_nonsense(store) {
        for nonsense in [vec![Say::Close], vec![Say::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Say::Close], signed(51, "busy"), signed(10, "")] {
            let (port, _) = active_directory(move |_| nonsense.clone());
            let site = site_of(store, port, &[]).await;
            assert_eq!(site.log_in("ann", PASSWORD).await.status, 503);
            nobody_got_in(&site).await;
        }
    }
}

/// A password reset by an administrator binds, and may do nothing but be changed (draft-behera-ldap-password-policy).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_has_to_be_changed_first() {
    let slapd = Slapd::start_with(
        1,
        "moduleload ppolicy\n",
        &format!("overlay ppolicy\nppolicy_default cn=default,{SUFFIX}\nppolicy_use_lockout\n"),
    );
    slapd.modify(&format!(
        "dn: cn=default,{SUFFIX}\nchangetype: add\nobjectClass: device\nobjectClass: pwdPolicy\ncn: default\n\
         pwdAttribute: userPassword\npwdMustChange: TRUE\npwdLockout: TRUE\npwdMaxFailure: 3\n"
    ));
    let site = LoginSite::start(Store::Sqlite, &slapd, &["mapping=openldap"]).await;
    let dn = format!("uid=u000000,ou=people,{SUFFIX}");
    slapd.modify(&format!("dn: {dn}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n"));
    assert_refused(&site.log_in("u000000", PASSWORD).await);
    slapd.modify(&format!("dn: {dn}\nchangetype: modify\ndelete: pwdReset\n"));
    assert_eq!(site.log_in("u000000", PASSWORD).await.status, 200);
    // Locked: only the control tells it from a wrong password.
    slapd.modify(&format!("dn: {dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"));
    assert_refused(&site.log_in("u000000", PASSWORD).await);
    assert_eq!(site.reasons().await, ["must_change_password", "locked_out_at_source"]);
}

/// Whoever is in is told so, though what failed before stays counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_that_can_not_be_forgotten_keeps_nobody_out() {
    let slapd = Slapd::start(1);
    let site = LoginSite::start(Store::Sqlite, &slapd, &[]).await;
    let stuck = "CREATE TRIGGER stuck BEFORE DELETE ON login_failures BEGIN SELECT RAISE(ABORT, 'stuck'); END";
    Database::change(site.gateway.database_url(), stuck).await;
    let answer = site.log_in("u000000", PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(site.session(&cookie(&answer)).await.status, 200);
}
