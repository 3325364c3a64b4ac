//! Attacks on a login by OAuth or OpenID Connect as they reach the gateway, on both stores: each line of RFC 9700 and its
//! neighbours that concerns the one who asks. What a token alone can be is in `oidc_bad_provider` and the unit tests.

use crate::support::bad_provider::{BadProvider, CLIENT_ID, jwk, object, sign};
use crate::support::caller::on_both_gateways;
use crate::support::gateway::Gateway;
use crate::support::oidc_site::OidcSite;
use serde_json::json;
use url::Url;

fn with(address: &str, name: &str, value: Option<&str>) -> String {
    let mut url = Url::parse(address).expect("an address");
    let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(found, _)| found != name).collect();
    url.query_pairs_mut().clear().extend_pairs(kept);
    value.into_iter().for_each(|value| _ = url.query_pairs_mut().append_pair(name, value));
    url.into()
}

on_both_gateways! {
    async fn attack_mix_up_the_answer_is_another_providers(store) {
        let site = OidcSite::start(store, &[]).await;
        for (issuer, code) in [(Some("https://evil.example"), "oidc_callback_issuer"), (None, "oidc_callback_issuer")] {
            let mut browser = site.browser();
            let address = site.begin(&mut browser, "/login/acme").await;
            let back = with(&site.provider.authorize(&address), "iss", issuer);
            let answer = browser.send("GET", &back, None).await;
            assert!(answer.status == 403 && answer.text.contains(code), "{issuer:?}: {}", answer.text);
        }
        assert_eq!(site.provider.asked("token"), 0, "the code went to nobody");
    }

    async fn attack_mix_up_an_answer_reaches_another_connection(store) {
        let site = OidcSite::start(store, &[]).await;
        site.connect("other", "oidc", &[&format!("issuer={}", site.provider.url)]);
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let back = site.provider.authorize(&address).replace("/callback/acme", "/callback/other");
        let answer = browser.send("GET", &back, None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_state_unknown"), "{}", answer.text);
        assert_eq!(site.provider.asked("token"), 0);
    }

    async fn attack_the_connection_leads_to_another_provider_meanwhile(store) {
        let site = OidcSite::start(store, &[]).await;
        let other = BadProvider::start().await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        site.site.gateway.cli(&["connection", "update", "acme", "--set", &format!("issuer={}", other.url)]);
        let answer = browser.send("GET", &site.provider.authorize(&address), None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_state_expired"), "{}", answer.text);
        assert_eq!((site.provider.asked("token"), other.asked("token")), (0, 0));
    }

    async fn attack_login_csrf_a_victims_browser_is_given_the_attackers_answer(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut attacker = site.browser();
        let address = site.begin(&mut attacker, "/login/acme").await;
        let back = site.provider.authorize(&address);
        let mut victim = site.browser();
        site.begin(&mut victim, "/login/acme").await;
        let answer = victim.send("GET", &back, None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_state_unknown"), "{}", answer.text);
        assert_eq!(victim.session().await.status, 401);
        assert_eq!(site.provider.asked("token"), 0);
    }

    async fn attack_codes_are_made_up_until_the_provider_has_had_enough_of_us(store) {
        let site = OidcSite::without_connection(store, &[("login.failures_per_address", "3")]).await;
        site.connect("acme", "oidc", &[&format!("issuer={}", site.provider.url)]);
        for round in 0..6 {
            let mut browser = site.browser();
            let own = site.provider.authorize(&site.begin(&mut browser, "/login/acme").await);
            let answer = browser.send("GET", &with(&own, "code", Some("made-up")), None).await;
            assert_eq!(answer.status, if round < 3 { 403 } else { 429 }, "{round}: {}", answer.text);
        }
        assert_eq!(site.provider.asked("token"), 3, "the rest was asked of nobody");
    }

    async fn a_person_who_signs_in_often_is_not_counted_among_those_who_make_up_codes(store) {
        let site = OidcSite::without_connection(store, &[("login.failures_per_address", "3")]).await;
        site.connect("acme", "oidc", &[&format!("issuer={}", site.provider.url)]);
        for round in 0..5 {
            assert_eq!(site.log_in(&mut site.browser()).await.status, 303, "{round}");
        }
    }

    async fn attack_a_code_of_somebody_else_is_put_into_an_answer(store) {
        let site = OidcSite::start(store, &[]).await;
        let (mut victim, mut attacker) = (site.browser(), site.browser());
        let stolen = site.provider.authorize(&site.begin(&mut victim, "/login/acme").await);
        let stolen = Url::parse(&stolen).expect("an address").query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
        let own = site.provider.authorize(&site.begin(&mut attacker, "/login/acme").await);
        let answer = attacker.send("GET", &with(&own, "code", Some(&stolen)), None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_exchange_refused"), "{}", answer.text);
        assert_eq!(attacker.session().await.status, 401);
    }

    async fn attack_a_code_of_somebody_else_at_a_provider_without_challenges(store) {
        let site = OidcSite::start(store, &["pkce=never"]).await;
        let (mut victim, mut attacker) = (site.browser(), site.browser());
        let stolen = site.provider.authorize(&site.begin(&mut victim, "/login/acme").await);
        let stolen = Url::parse(&stolen).expect("an address").query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
        let own = site.provider.authorize(&site.begin(&mut attacker, "/login/acme").await);
        let answer = attacker.send("GET", &with(&own, "code", Some(&stolen)), None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_nonce_mismatch"), "{}", answer.text);
    }

    async fn attack_pkce_downgrade_a_verifier_goes_only_with_its_challenge(store) {
        let site = OidcSite::start(store, &["pkce=never"]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        assert!(!address.contains("code_challenge"));
        assert_eq!(browser.send("GET", &site.provider.authorize(&address), None).await.status, 303);
        assert!(!site.provider.last("token").contains_key("code_verifier"));
        // A challenge that got lost on the way: the provider sees a verifier that belongs to nothing.
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let address = with(&site.begin(&mut browser, "/login/acme").await, "code_challenge", None);
        let answer = browser.send("GET", &site.provider.authorize(&address), None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_exchange_refused"), "{}", answer.text);
    }

    async fn attack_an_answer_is_replayed_in_the_same_browser(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let (waiting, back) = (browser.cookies.clone(), site.provider.authorize(&address));
        assert_eq!(browser.send("GET", &back, None).await.status, 303);
        browser.cookies = waiting;
        let answer = browser.send("GET", &back, None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_state_used"), "{}", answer.text);
        assert_eq!(site.provider.asked("token"), 1);
    }

    async fn attack_an_answer_is_replayed_at_every_replica_at_once(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let back = site.provider.authorize(&address);
        let (mut a, mut b, mut c) = (browser.clone(), browser.clone(), browser.clone());
        let answers = tokio::join!(a.send("GET", &back, None), b.send("GET", &back, None), c.send("GET", &back, None));
        let mut statuses = [answers.0.status, answers.1.status, answers.2.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 403, 403]);
        assert_eq!(site.provider.asked("token"), 1);
    }

    async fn attack_a_state_is_guessed_cut_or_doubled(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let back = site.provider.authorize(&address);
        for state in [None, Some(""), Some("x"), Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), Some("../../../../../../..")] {
            let answer = browser.send("GET", &with(&back, "state", state), None).await;
            assert!(answer.status == 403 && answer.text.contains("oidc_state_unknown"), "{state:?}: {}", answer.text);
        }
        for twice in ["&state=x", "&code=x", "&iss=x"] {
            let answer = browser.send("GET", &format!("{back}{twice}"), None).await;
            assert!(answer.status == 403 && answer.text.contains("oidc_callback"), "{twice}: {}", answer.text);
        }
        assert_eq!(site.provider.asked("token"), 0);
        assert_eq!(browser.send("GET", &back, None).await.status, 303, "none of that used it up");
    }

    async fn attack_a_login_is_made_to_go_on_elsewhere(store) {
        let site = OidcSite::start(store, &[]).await;
        for evil in ["https://evil.example", "//evil.example", "/%5Cevil.example", "https:evil.example", "https://id@evil.example", "/%0d%0aX:y"] {
            let answer = site.browser().send("GET", &format!("/login/acme?return_to={evil}"), None).await;
            assert!(answer.status == 400 && answer.text.contains("invalid_return_to"), "{evil}: {}", answer.text);
            assert!(!answer.text.contains("evil.example"), "{}", answer.text);
        }
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let back = with(&site.provider.authorize(&address), "return_to", Some("https://evil.example"));
        let answer = browser.send("GET", &back, None).await;
        assert_eq!(answer.header("location"), Some("/session"), "what an answer says of it counts for nothing");
    }

    async fn attack_tokens_that_were_got_elsewhere_are_no_login(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let back = with(&site.provider.authorize(&address), "code", None);
        let token = sign("first", &json!({"alg": "RS256", "kid": "first"}), &json!({"sub": "ann"}));
        for (name, value) in [("access_token", "access-token-of-the-provider"), ("id_token", token.as_str())] {
            let answer = browser.clone().send("GET", &with(&back, name, Some(value)), None).await;
            assert_eq!(answer.status, 403, "{name}");
        }
        let answer = browser.send("POST", "/login/callback/acme", Some(&[("id_token", &token), ("state", "x")])).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")));
        assert_eq!(browser.session().await.status, 401);
    }

    async fn attack_a_key_comes_with_the_token(store) {
        let site = OidcSite::start(store, &[]).await;
        site.provider.act(|act| {
            act.signs_with = String::from("second");
            act.header = json!({
                "alg": "RS256", "kid": "first", "jwk": jwk("second"), "jku": "http://127.0.0.1:9/jwks", "x5u": "http://127.0.0.1:9/x",
            });
        });
        site.refused("oidc_signature").await;
    }

    async fn attack_a_token_for_another_client_of_the_provider(store) {
        let site = OidcSite::start(store, &[]).await;
        site.provider.act(|act| act.claims = object(json!({"aud": "game", "azp": "game"})));
        site.refused("oidc_audience").await;
        site.provider.act(|act| act.claims = object(json!({"aud": ["game", CLIENT_ID], "azp": "game"})));
        site.refused("oidc_authorized_party").await;
    }

    async fn attack_ssrf_a_provider_leads_inside(store) {
        let site = OidcSite::without_connection(store, &[]).await;
        for (number, inside) in
            ["https://127.0.0.1:8443", "https://10.0.0.1", "https://169.254.169.254", "https://[::ffff:10.0.0.1]", "https://100.64.0.1"]
                .into_iter()
                .enumerate()
        {
            let name = format!("inside{number}");
            let issuer = format!("issuer={inside}");
            site.connect(&name, "oidc", &["allow_plaintext=false", &issuer]);
            let answer = site.browser().send("GET", &format!("/login/{name}"), None).await;
            assert!(answer.status == 503 && answer.text.contains("oidc_discovery_unavailable"), "{inside}: {}", answer.text);
            assert!(answer.took.as_secs() < 5, "{inside}: it was called");
        }
    }

    async fn attack_ssrf_a_good_document_names_addresses_inside(store) {
        let site = OidcSite::start(store, &[]).await;
        for (name, code) in [("jwks_uri", "oidc_keys_unavailable"), ("token_endpoint", "oidc_exchange_failed")] {
            let site = OidcSite::start(store, &[]).await;
            site.provider.act(|act| act.document.insert(name.to_owned(), "https://169.254.169.254/latest".into()));
            site.refused(code).await;
        }
        site.provider.act(|act| act.document.insert(String::from("authorization_endpoint"), "javascript:alert(1)".into()));
        let answer = site.browser().send("GET", "/login/acme", None).await;
        assert!(answer.text.contains("oidc_discovery_endpoint") && answer.header("location").is_none(), "{}", answer.text);
    }

    async fn attack_plain_http_is_taken_only_where_that_is_said(store) {
        let site = OidcSite::without_connection(store, &[]).await;
        let secret = format!("client_secret=file:{}", site.site.gateway.folder().join("secret").display());
        let issuer = format!("issuer={}", site.provider.url);
        let line = ["connection", "create", "acme", "--kind", "oidc", "--secret", &secret, "--set", "client_id=us", "--set", &issuer];
        let output = site.site.gateway.run(&line);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains("an address is http://"), "{printed}");
    }

    async fn attack_session_fixation_a_login_has_a_session_of_its_own(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        assert_eq!(site.log_in(&mut browser).await.status, 303);
        let first = browser.clone();
        let before = browser.cookies["rosterd_session"].clone();
        assert_eq!(site.log_in(&mut browser).await.status, 303);
        assert_ne!(browser.cookies["rosterd_session"], before);
        let mut old = first;
        assert_eq!(old.session().await.status, 401, "the one before has ended");
        let planted = "rst_session_planted";
        let mut victim = site.browser();
        victim.cookies.insert(String::from("rosterd_session"), planted.to_owned());
        assert_eq!(site.log_in(&mut victim).await.status, 303);
        assert_ne!(victim.cookies["rosterd_session"], planted);
    }

    async fn attack_secrets_are_looked_for_in_what_is_printed_and_kept(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let back = site.provider.authorize(&address);
        assert_eq!(browser.send("GET", &back, None).await.status, 303);
        let form = site.provider.last("token");
        site.provider.act(|act| act.claims = object(json!({"nonce": "x"})));
        site.refused("oidc_nonce_mismatch").await;
        let traffic = site.site.recorded("oidc_nonce_mismatch").await;
        let printed = site.site.gateway.everything_printed();
        let mut kept = String::new();
        for table in ["identities", "users", "log", "history", "traffic", "sessions", "login_used", "connections"] {
            kept += &format!("{:?}", site.site.rows(&format!("SELECT * FROM {table}")).await);
        }
        for secret in ["access-token-of-the-provider", "s3cret: ", &form["code"], &form["code_verifier"]] {
            for (place, text) in [("traffic", &traffic), ("printed", &printed), ("kept", &kept)] {
                assert!(!text.contains(secret), "{secret} is in what is {place}");
            }
        }
    }

    async fn attack_pages_are_framed_or_tell_where_somebody_came_from(store) {
        let site = OidcSite::start(store, &[]).await;
        let answer = site.browser().send("GET", "/login/callback/acme?state=x&code=secret-code", None).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
        assert!(!answer.text.contains("secret-code"), "{}", answer.text);
    }

    async fn attack_a_connection_that_is_bound_to_a_domain_brings_an_address_of_another(store) {
        let site = OidcSite::start(store, &[]).await;
        let mapping = "mapping bound from oidc to profile\n\
            deny when not (lower($email ?? \"\").ends_with(\"@corp.example\")) because \"an address of another domain\"\nemail = $email\n";
        std::fs::write(site.site.gateway.folder().join("mappings/bound.mapping"), mapping).expect("written");
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "mapping=bound"]);
        for other in ["ceo@victim.example", "ceo@corp.example.evil.example", "ceo@corp.example@evil.example", ""] {
            site.provider.act(|act| act.profile["email"] = other.into());
            let mut browser = site.browser();
            let answer = site.log_in(&mut browser).await;
            assert!(answer.status == 403 && answer.text.contains("access_denied"), "{other}: {}", answer.text);
            assert_eq!(browser.session().await.status, 401, "{other}");
        }
        site.provider.act(|act| act.profile["email"] = "ann@corp.example".into());
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
    }

    async fn attack_another_sites_page_begins_logins(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let answer = browser.send_with("GET", "/login/acme", None, &[("sec-fetch-mode", "no-cors")]).await;
        assert!(answer.status == 403 && browser.cookies.is_empty(), "{}", answer.text);
        for _ in 0..8 {
            site.begin(&mut browser, "/login/acme").await;
        }
        assert_eq!(browser.cookies.len(), 5, "room for few");
    }

    async fn attack_another_tenants_connection_is_not_there(store) {
        let site = OidcSite::start(store, &[]).await;
        for path in ["/login/callback/nobody?state=x", "/login/callback/?state=x", "/login/callback/%2e%2e?state=x"] {
            let answer = site.browser().send("GET", path, None).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        }
    }

    async fn attack_apple_posts_from_another_site_and_the_cookie_does_not_come_along(store) {
        let site = OidcSite::without_connection(store, &[]).await;
        apple(&site);
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        assert!(address.contains("response_mode=form_post") && address.contains("scope=name+email"), "{address}");
        let back = Url::parse(&site.provider.authorize(&address)).expect("an address");
        let mut fields: Vec<(String, String)> = back.query_pairs().into_owned().collect();
        fields.push((String::from("user"), json!({"name": {"firstName": "Dora"}, "email": "ceo@corp.example"}).to_string()));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // Without any cookie, as a browser sends it.
        let answer = site.browser().send("POST", "/login/callback/acme", Some(&fields)).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let on = answer.header("location").expect("somewhere").to_owned();
        assert!(!on.contains("code-") && !on.contains("Dora"), "{on}");
        let stranger = site.browser().send("GET", &on, None).await;
        assert!(stranger.status == 403 && stranger.text.contains("oidc_state_unknown"), "{}", stranger.text);
        let (start, end) = on.split_at(on.len() - 8);
        let altered = site.browser().send("GET", &format!("{start}AAAA{}", &end[4..]), None).await;
        assert!(altered.text.contains("oidc_callback"), "{}", altered.text);
        let answer = browser.send("GET", &on, None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let raw = site.site.rows("SELECT login_raw FROM identities").await.remove(0)["login_raw"].clone();
        let raw: serde_json::Value = serde_json::from_str(raw.as_str().expect("a text")).expect("JSON");
        assert_eq!(raw["extra"], json!({"apple_user": {"name": {"firstName": "Dora"}}}), "nobody signed that address: {raw}");
        let secret = site.provider.last("token")["client_secret"].clone();
        assert_eq!(secret.split('.').count(), 3, "a token that we signed");
        assert_eq!(site.provider.asked("userinfo"), 0);
    }
}

/// `acme` as Apple: its secret is a token of ours, and the provider of the suite takes any.
fn apple(site: &OidcSite) {
    let folder = site.site.gateway.folder();
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).expect("a curve");
    let key = openssl::ec::EcKey::generate(&group).expect("a key");
    let pem = openssl::pkey::PKey::from_ec_key(key).expect("a key").private_key_to_pem_pkcs8().expect("PEM");
    std::fs::write(folder.join("AuthKey.p8"), pem).expect("written");
    let key = format!("client_key=file:{}", folder.join("AuthKey.p8").display());
    site.connect("acme", "apple", &[&format!("issuer={}", site.provider.url), "team_id=TEAM", "key_id=KEY"]);
    site.site.gateway.cli(&["connection", "update", "acme", "--secret", &key]);
    site.provider.act(|act| {
        act.document.shift_remove("userinfo_endpoint");
        act.takes_any_secret = true;
    });
}

/// A second replica believes what the first one sealed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_began_at_one_replica_ends_at_another() {
    let site = OidcSite::start(crate::support::gateway::Store::Postgres, &[]).await;
    let beside = Gateway::beside(&site.site.gateway);
    let mut browser = site.browser();
    let address = site.begin(&mut browser, "/login/acme").await;
    let back = site.provider.authorize(&address).replace(site.site.gateway.base_url(), beside.base_url());
    let answer = browser.send("GET", &back, None).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
}
