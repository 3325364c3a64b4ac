//! What the OpenID provider keeps apart and what it bounds: organizations, proofs of who somebody is, programs that nothing proves,
//! others' applications, and how much may pile up.

use crate::support::application::{Application, returned, text};
use crate::support::caller::on_both_gateways;
use crate::support::minted;
use crate::support::saml_site::{Browser, SamlSite, sent_xml};
use serde_json::json;

const SECOND: i64 = 1_000_000;

async fn signed_in(site: &SamlSite) -> Browser<'_> {
    let mut browser = site.browser();
    assert_eq!(browser.log_in(|login| login).await.status, 303);
    browser
}

/// Whatever is signed in was so for some time.
async fn rests(site: &SamlSite, seconds: i64) {
    let by = seconds * SECOND;
    site.change(&format!("UPDATE sessions SET created_at = created_at - {by}, auth_time = auth_time - {by}")).await;
}

/// Of whom the identity provider saw a proof so many seconds from now.
fn proved(login: minted::Login, seconds: i64) -> minted::Login {
    login.with(&format!("AuthnInstant=\"{}\"", minted::at(-5)), &format!("AuthnInstant=\"{}\"", minted::at(seconds)))
}

/// A parameter of an address of ours.
fn returned_from(address: &str, name: &str) -> String {
    let url = url::Url::parse(&format!("https://x{address}")).expect("an address");
    let mut all = url.query_pairs().filter(|(found, _)| found == name);
    all.next().unwrap_or_else(|| panic!("no {name} in {address}")).1.into_owned()
}

/// Where somebody is sent who asks for this.
async fn way(app: &Application<'_>, browser: &mut Browser<'_>, changes: &[(&str, &str)]) -> String {
    let answer = browser.send("GET", &app.request(changes), None).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").expect("a way").to_owned()
}

/// The login that `way` begins, as the identity provider answers it, and where that leads.
async fn by_way(
    site: &SamlSite,
    browser: &mut Browser<'_>,
    way: &str,
    change: impl Fn(minted::Login) -> minted::Login,
) -> String {
    let sent = browser.send("GET", way, None).await;
    let message = sent_xml(sent.header("location").expect("somewhere to go"));
    assert_eq!(message.0.contains("ForceAuthn=\"true\""), way.contains("force=1"), "{}", message.0);
    let login = change(minted::login(&site.whom(Some(&message.attribute("ID")))));
    let back = browser.hand_over(&login.signed_assertion(minted::rsa())).await;
    back.header("location").unwrap_or_else(|| panic!("{}", back.text)).to_owned()
}

on_both_gateways! {
    async fn whoever_has_to_prove_who_they_are_does_so_and_the_token_says_when(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        for change in [("prompt", "login"), ("max_age", "60"), ("max_age", "0")] {
            let mut browser = signed_in(&site).await;
            let before = app.verified(text(&app.tokens(&mut browser, &[]).await, "id_token")).await;
            rests(&site, 100).await;
            let way = way(&app, &mut browser, &[change]).await;
            let back = by_way(&site, &mut browser, &way, |login| login).await;
            let code = returned(&browser.send("GET", &back, None).await).remove("code").expect("a code, after one sign-in");
            let after = app.verified(text(&app.exchange(&code).await.json(), "id_token")).await;
            let moved = after["auth_time"].as_i64().expect("a time") - (before["auth_time"].as_i64().expect("a time") - 100);
            assert!(moved >= 100, "{change:?}: {moved}");
            assert_ne!(before["sid"], after["sid"], "another session");
        }
    }

    async fn attack_an_old_proof_does_not_pass_for_a_new_one(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        // The identity provider says when it saw the person prove who they are.
        let mut browser = site.browser();
        browser.log_in(|login| proved(login, -4_000)).await;
        assert!(app.authorize(&mut browser, &[("max_age", "5000")]).await.contains_key("code"));
        let way = way(&app, &mut browser, &[("max_age", "3600")]).await;
        assert!(way.ends_with("&force=1"), "{way}");
        // One that was told to ask again and did not is refused where its answer comes in.
        let sent = browser.send("GET", &way, None).await;
        let request = sent_xml(sent.header("location").expect("somewhere to go")).attribute("ID");
        let login = proved(minted::login(&site.whom(Some(&request))), -4_000);
        let answer = browser.hand_over(&login.signed_assertion(minted::rsa())).await;
        assert_eq!((answer.status, answer.header("location")), (403, None), "{}", answer.text);
    }

    async fn signing_in_anew_for_one_application_ends_nothing_of_another(store) {
        let site = SamlSite::start(store, &[]).await;
        let (one, other) = (Application::register(&site, "one", &[]), Application::register(&site, "other", &[]));
        let mut browser = signed_in(&site).await;
        let tokens = one.tokens(&mut browser, &[("scope", "openid email")]).await;
        rests(&site, 100).await;
        let way = way(&other, &mut browser, &[("prompt", "login")]).await;
        by_way(&site, &mut browser, &way, |login| login).await;
        assert_eq!(site.rows("SELECT id FROM sessions").await.len(), 1, "one took the other's place");
        assert_eq!(one.userinfo(text(&tokens, "access_token")).await.status, 200);
        // It ends with the session that it hangs on now.
        assert_eq!(browser.send("DELETE", "/session", None).await.status, 204);
        assert_eq!(one.userinfo(text(&tokens, "access_token")).await.status, 401);
    }

    async fn attack_one_organizations_application_learns_nothing_of_anothers_groups(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        for name in ["acme", "globex"] {
            site.gateway.cli(&["organization", "create", name]);
        }
        let metadata = minted::metadata(&[minted::rsa()], "");
        site.connect("acme", &metadata, &["organization=acme"]);
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let tokens = app.tokens(&mut browser, &[("organization", "acme")]).await;
        let own = site.rows("SELECT id FROM organizations WHERE name = 'acme'").await[0]["id"].clone();
        let claims = app.verified(text(&tokens, "id_token")).await;
        let told = app.userinfo(text(&tokens, "access_token")).await.json();
        assert_eq!((&claims["org_id"], &told["org_id"]), (&own, &own));
        assert!(claims["groups"].as_array().is_some_and(|groups| !groups.is_empty()), "{claims:?}");

        // The connection goes over to another organization, and its groups with it.
        site.change("UPDATE connections SET organization_id = (SELECT id FROM organizations WHERE name = 'globex')").await;
        let told = app.userinfo(text(&tokens, "access_token")).await.json();
        assert_eq!((&told["org_id"], &told["groups"]), (&own, &json!([])));
        let next = app.refresh(text(&tokens, "refresh_token")).await.json();
        assert_eq!(app.verified(text(&next, "id_token")).await["groups"], json!([]));
        let elsewhere = browser.send("GET", &app.request(&[("organization", "acme"), ("prompt", "none")]), None).await;
        assert_eq!(returned(&elsewhere)["error"], "login_required", "came by another's connection");

        // Without organizations everybody's groups are told.
        site.change("UPDATE connections SET organization_id = NULL").await;
        let tokens = app.tokens(&mut browser, &[]).await;
        let claims = app.verified(text(&tokens, "id_token")).await;
        assert!(!claims.contains_key("org_id") && claims["groups"].as_array().is_some_and(|groups| !groups.is_empty()));
    }

    async fn pages_wear_what_an_organization_chose_for_its_people(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        let logo = "https://cdn.acme.example/logo.svg?a=1&b=2";
        let line = ["organization", "create", "acme", "--display-name", "Acme & Co", "--color", "#FFDD00", "--logo-url", logo];
        site.gateway.cli(&line);
        let metadata = minted::metadata(&[minted::rsa()], "");
        for name in ["acme", "second"] {
            site.connect(name, &metadata, &["organization=acme"]);
        }
        let app = Application::register(&site, "app", &[]);
        let page = site.browser().send("GET", &app.request(&[("organization", "acme")]), None).await;
        assert!(page.text.contains("--own:#ffdd00;--own-on:#000000"), "{}", page.text);
        assert!(page.text.contains("src=\"https://cdn.acme.example/logo.svg?a=1&amp;b=2\" alt=\"Acme &amp; Co\""), "{}", page.text);
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("img-src https://cdn.acme.example;"), "{policy}");
        // Nobody else's page, and none once it was taken away.
        let plain = site.browser().send("GET", &app.request(&[]), None).await;
        assert!(!plain.text.contains("--own:") && !plain.header("content-security-policy").expect("a policy").contains("img-src"));
        let mut alice = signed_in(&site).await;
        assert!(alice.send("GET", "/oidc/logout", None).await.text.contains("--own:#ffdd00"), "asked whether to sign out");
        assert!(alice.send("POST", "/oidc/logout", Some(&[("confirmed", "yes")])).await.text.contains("logo.svg"), "signed out");
        site.gateway.cli(&["organization", "update", "acme", "--color", "", "--logo-url", ""]);
        let page = site.browser().send("GET", &app.request(&[("organization", "acme")]), None).await;
        assert!(page.status == 200 && !page.text.contains("--own:") && !page.text.contains("logo.svg"), "{}", page.text);
    }

    async fn attack_a_claim_by_name_is_no_way_around_the_question(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "survey", &["--ask-consent"]);
        let mut browser = signed_in(&site).await;
        let wanted = [("scope", "openid"), ("claims", r#"{"userinfo":{"email":null}}"#)];
        let asked = browser.send("GET", &app.request(&wanted), None).await;
        assert!(asked.text.contains("your e-mail address") && !asked.text.contains("your groups"), "{}", asked.text);
        site.change("INSERT INTO consents (tenant_id, profile_id, client_id, scope, given_at) SELECT u.tenant_id, u.id, c.id, 'openid', 0 \
            FROM users u JOIN clients c ON c.tenant_id = u.tenant_id").await;
        let silent = app.authorize(&mut browser, &[wanted[0], wanted[1], ("prompt", "none")]).await;
        assert_eq!(silent["error"], "consent_required");
        assert!(app.authorize(&mut browser, &[wanted[0], ("prompt", "none")]).await.contains_key("code"));
    }

    async fn attack_a_sign_in_of_before_is_none_for_another_request(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        rests(&site, 100).await;
        let way = way(&app, &mut browser, &[("prompt", "login")]).await;
        let back = by_way(&site, &mut browser, &way, |login| login).await;
        let since = returned_from(&back, "rosterd_since");
        rests(&site, 30).await;
        let other = app.request(&[("prompt", "login"), ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), ("rosterd_since", &since)]);
        let same = [("prompt", "login"), ("rosterd_since", &*since), ("code_challenge", "0000000000000000000000000000000000000000000")];
        for request in [other, app.request(&same)] {
            let answer = browser.send("GET", &request, None).await;
            assert!(answer.header("location").is_some_and(|to| to.starts_with("/login/acme?")), "{}", answer.text);
        }
        // Nor is one that goes by without being asked for a new proof.
        let mut old = site.browser();
        let way = self::way(&app, &mut old, &[("prompt", "login")]).await;
        let request = old.begin_at(&way.replace("&force=1", "")).await;
        let login = proved(minted::login(&site.whom(Some(&request))), -4_000);
        let back = old.hand_over(&login.signed_assertion(minted::rsa())).await.header("location").expect("back").to_owned();
        assert_eq!(returned(&old.send("GET", &back, None).await)["error"], "login_required");
    }

    async fn attack_a_program_on_the_machine_gets_no_code_unseen(store) {
        let site = SamlSite::start(store, &[]).await;
        let line = ["client", "create", "tool", "--public", "--redirect-uri", "http://127.0.0.1/cb", "--json"];
        let tool = Application::made(&site, &line);
        let mut browser = signed_in(&site).await;
        let at = ("redirect_uri", "http://127.0.0.1:5123/cb");
        let silent = browser.send("GET", &tool.request(&[at, ("prompt", "none")]), None).await;
        assert_eq!(returned(&silent)["error"], "interaction_required");
        let request = tool.request(&[at]);
        let asked = browser.send("GET", &request, None).await;
        assert!(asked.status == 200 && asked.text.contains("Continue to tool?"), "{}", asked.text);
        let url = url::Url::parse(&format!("https://x{request}")).expect("an address");
        let fields: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let with = |said: &'static str| {
            let mut all: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            all.push(("confirmed", said));
            all
        };
        // Another site's page can't press the button, and nobody by a link.
        let forged = browser.send_with("POST", "/authorize", Some(&with("yes")), &[("origin", "https://evil.example")]).await;
        let linked = browser.send("GET", &format!("{request}&confirmed=yes"), None).await;
        assert!(linked.text.contains("Continue to tool?"), "{}", linked.text);
        let location = forged.header("location").expect("to the page").to_owned();
        assert!(location.starts_with("/authorize?") && !location.contains("confirmed"), "{location}");
        let no = browser.send("POST", "/authorize", Some(&with("no"))).await;
        assert_eq!(returned(&no)["error"], "access_denied");
        let yes = browser.send("POST", "/authorize", Some(&with("yes"))).await;
        let location = yes.header("location").expect("back").to_owned();
        assert!(location.starts_with("http://127.0.0.1:5123/cb?code="), "{location}");
        // It is asked about each time; and a server's own port is its own.
        assert_eq!(browser.send("GET", &request, None).await.status, 200);
        let server = Application::made(&site, &["client", "create", "server", "--redirect-uri", "http://127.0.0.1/cb", "--json"]);
        assert_eq!(browser.send("GET", &server.request(&[at]), None).await.status, 400);
    }

    async fn anothers_application_asks_what_it_may_know_until_it_was_told(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "survey", &["--ask-consent"]);
        let mut browser = signed_in(&site).await;
        assert_eq!(app.authorize(&mut browser, &[("prompt", "none")]).await["error"], "consent_required");
        let scope = ("scope", "openid email");
        let asked = browser.send("GET", &app.request(&[scope]), None).await;
        assert!(asked.status == 200 && asked.text.contains("your e-mail address") && !asked.text.contains("your groups"), "{}", asked.text);
        let url = url::Url::parse(&format!("https://x{}", app.request(&[scope]))).expect("an address");
        let fields: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut said: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        said.push(("confirmed", "yes"));
        let yes = browser.send("POST", "/authorize", Some(&said)).await;
        assert!(returned(&yes).contains_key("code"), "{}", yes.text);
        assert!(app.authorize(&mut browser, &[scope, ("prompt", "none")]).await.contains_key("code"), "it was told");
        assert_eq!(app.authorize(&mut browser, &[("prompt", "none")]).await["error"], "consent_required", "and wants more");
        assert_eq!(browser.send("GET", &app.request(&[scope, ("prompt", "consent")]), None).await.status, 200, "asked again");
    }

    async fn a_long_request_goes_through_a_sign_in_or_is_told_that_it_can_not(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let hint = text(&app.tokens(&mut browser, &[]).await, "id_token").to_owned();
        // A hint is longer than all the rest; what is left of it still counts.
        let mut nobody = site.browser();
        let way = way(&app, &mut nobody, &[("id_token_hint", &hint), ("nothing", &"x".repeat(2_000))]).await;
        let back = by_way(&site, &mut nobody, &way, |login| login).await;
        assert!(returned(&nobody.send("GET", &back, None).await).contains_key("code"));
        let mut another = site.browser();
        let way = self::way(&app, &mut another, &[("id_token_hint", &hint)]).await;
        let back = by_way(&site, &mut another, &way, |login| login.with(">alice<", ">bob<").with("alice@", "bob@")).await;
        assert_eq!(returned(&another.send("GET", &back, None).await)["error"], "login_required", "not whom it meant");

        let long = "x".repeat(1_100);
        let told = site.browser().send("GET", &app.request(&[("state", &long)]), None).await;
        assert_eq!((&*returned(&told)["error"], &returned(&told)["state"]), ("invalid_request", &long));
        assert!(app.authorize(&mut browser, &[("state", &long)]).await.contains_key("code"), "nobody has to sign in");
        assert_eq!(app.authorize(&mut browser, &[("nonce", &"x".repeat(513))]).await["error"], "invalid_request");
    }

    async fn attack_what_comes_again_and_again_piles_up_nowhere(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
        for _ in 0..4 {
            app.exchange(&code).await;
        }
        assert_eq!(site.rows("SELECT id FROM log WHERE kind = 'code.replayed'").await.len(), 1, "told once");
        // Of one person and one application so many at a time.
        for n in 0..3 {
            let tokens = app.tokens(&mut browser, &[]).await;
            assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.status, 200, "{n}");
        }
        let rows = site.rows("SELECT id FROM grants").await.len();
        assert_eq!(rows, 3);
        let copy = |n: usize| {
            format!(
                "INSERT INTO grants (tenant_id, id, client_id, session_id, profile_id, identity_id, offline, scope, asked, auth_time, \
                 created_at, expires_at) SELECT tenant_id, '00-{n:03}', client_id, session_id, profile_id, identity_id, offline, scope, \
                 asked, auth_time, created_at, expires_at FROM grants WHERE id > '01' ORDER BY id LIMIT 1"
            )
        };
        for n in 0..100 {
            site.change(&copy(n)).await;
        }
        app.tokens(&mut browser, &[]).await;
        assert_eq!(site.rows("SELECT id FROM grants").await.len(), 100);
        assert_eq!(site.rows("SELECT id FROM grants WHERE id > '01'").await.len(), 4, "the newest stay");
    }

    async fn a_refresh_token_whose_successor_is_in_use_is_nobodys(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let first = app.tokens(&mut signed_in(&site).await, &[]).await;
        let second = app.refresh(text(&first, "refresh_token")).await.json();
        let third = app.refresh(text(&second, "refresh_token")).await.json();
        assert_eq!(app.refresh(text(&first, "refresh_token")).await.json()["error"], "invalid_grant");
        assert_eq!(app.refresh(text(&third, "refresh_token")).await.status, 200, "and ends nothing: it may be the same application");
        let sealed = site.rows("SELECT hash FROM refresh_tokens WHERE successor IS NOT NULL").await;
        assert_eq!(sealed.len(), 1, "only the last one's");
    }

    async fn whoever_guesses_at_secrets_is_told_to_wait(store) {
        let site = SamlSite::without_connection(store, &[("login.failures_per_address", "3")]).await;
        let app = Application::register(&site, "app", &[]);
        let fields = [("grant_type", "refresh_token"), ("client_id", app.id.as_str()), ("client_secret", "rcs_guess")];
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(app.post("/oauth/token", &fields, &[]).await);
        }
        let statuses: Vec<u16> = seen.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [401, 401, 401, 429, 429]);
        assert!(seen[4].header("retry-after").is_some_and(|text| text.parse::<u64>().is_ok_and(|seconds| seconds > 0)));
        let right = app.ask("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", "rrt_x")]).await;
        assert_eq!(right.json()["error"], "invalid_grant", "whoever has the secret is not held up");
    }
}

#[tokio::test]
async fn a_way_in_by_its_id_is_the_same_as_by_its_name() {
    let site = SamlSite::without_connection(crate::support::gateway::Store::Sqlite, &[]).await;
    let id = site.connect("acme", &minted::metadata(&[minted::rsa()], ""), &[]);
    let app = Application::register(&site, "app", &["--connection", "acme"]);
    for named in ["acme", &id] {
        assert!(way(&app, &mut site.browser(), &[("connection", named)]).await.starts_with("/login/acme?"), "{named}");
    }
    let mut browser = signed_in(&site).await;
    for named in ["acme", &id] {
        assert!(app.authorize(&mut browser, &[("connection", named)]).await.contains_key("code"), "{named}");
    }
}
