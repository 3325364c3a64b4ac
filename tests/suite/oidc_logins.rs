//! Logins by OAuth and OpenID Connect on both stores, against the suite's own provider: what they make of a person, who is kept
//! out, what a browser sees, and what each kind does in its own way.

use crate::support::bad_provider::{At, CLIENT_ID};
use crate::support::caller::on_both_gateways;
use crate::support::oidc_site::OidcSite;
use serde_json::{Value, json};
use url::Url;

fn asked(address: &str, name: &str) -> Option<String> {
    let url = Url::parse(address).expect("an address");
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

const TENANT: &str = "1f0c0000-0000-4000-8000-000000000001";

on_both_gateways! {
    async fn a_login_begins_with_what_only_this_browser_can_answer_and_stores_nothing(store) {
        let site = OidcSite::start(store, &["authorize_params=prompt=select_account"]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme?return_to=/app").await;
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("scope", "openid profile email"),
            ("code_challenge_method", "S256"),
            ("prompt", "select_account"),
            ("redirect_uri", &format!("{}/login/callback/acme", site.site.gateway.base_url())),
        ] {
            assert_eq!(asked(&address, name).as_deref(), Some(value), "{name}");
        }
        for random in ["state", "nonce", "code_challenge"] {
            assert_eq!(asked(&address, random).expect(random).len(), 43, "{random}: 256 bits");
        }
        let again = site.begin(&mut site.browser(), "/login/acme").await;
        for random in ["state", "nonce", "code_challenge"] {
            assert_ne!(asked(&again, random), asked(&address, random), "{random}");
        }
        assert_eq!(browser.cookies.len(), 1, "what it waits for");
        assert_eq!(site.site.rows("SELECT 1 AS one FROM login_used").await.len(), 0);
        assert_eq!(browser.session().await.status, 401);
    }

    async fn the_answer_makes_the_person_and_a_session(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme?return_to=/app").await;
        let answer = browser.send("GET", &site.provider.authorize(&address), None).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/app")), "{}", answer.text);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["rosterd_session"], "nothing is waited for any more");
        let session = browser.session().await.json();
        assert_eq!(session["user_id"], "oidc|acme|ann", "{session}");
        assert_eq!((&session["email"], &session["email_verified"]), (&json!("ann@corp.example"), &json!(true)));
        assert_eq!(session["session"]["connection"], "acme");
        assert_eq!(site.provider.last("token")["grant_type"], "authorization_code");
    }

    async fn the_next_login_brings_what_changed_meanwhile_and_the_history_says_so(store) {
        let site = OidcSite::start(store, &[]).await;
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        site.provider.act(|act| {
            act.profile = json!({"sub": "ann", "email": "a.lee@corp.example", "email_verified": false, "name": "Ann Lee"});
        });
        let mut browser = site.browser();
        assert_eq!(site.log_in(&mut browser).await.status, 303);
        let session = browser.session().await.json();
        assert_eq!((&session["email"], &session["email_verified"]), (&json!("a.lee@corp.example"), &json!(false)), "{session}");
        assert_eq!(session["logins_count"], 2);
        let identities = site.site.rows("SELECT external_id, last_source FROM identities").await;
        assert_eq!(identities.len(), 1, "{identities:?}");
        assert_eq!((&identities[0]["external_id"], &identities[0]["last_source"]), (&json!("ann"), &json!("login")));
        let why = site.site.gateway.cli(&["users", "why", "oidc|acme|ann", "email"]);
        assert!(why.contains("people-oidc") && why.contains("acme"), "{why}");
        let history = site.site.rows("SELECT changes FROM history ORDER BY id").await;
        assert!(history.len() >= 2, "{history:?}");
        let last = Value::Array(history.iter().map(|row| row["changes"].clone()).collect()).to_string();
        assert!(last.contains(r#""before":"ann@corp.example""#), "{last}");
    }

    async fn a_person_whom_the_login_blocks_reads_nothing_of_why_and_the_log_does(store) {
        let site = OidcSite::start(store, &[]).await;
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        site.provider.act(|act| act.profile["employment"] = "gone".into());
        let mut browser = site.browser();
        let answer = site.log_in(&mut browser).await;
        assert_eq!(answer.status, 403);
        assert!(answer.text.contains("access_denied") && !answer.text.contains("blocked"), "{}", answer.text);
        assert_eq!(browser.session().await.status, 401);
        assert_eq!(site.site.reasons().await, ["blocked_at_source"]);
        site.site.recorded("blocked_at_source").await;
    }

    async fn a_connection_that_makes_nobody_lets_nobody_new_in(store) {
        let site = OidcSite::start(store, &["create_on_login=false"]).await;
        assert_eq!(site.log_in(&mut site.browser()).await.status, 403);
        assert_eq!(site.site.reasons().await, ["no_jit"]);
        assert_eq!(site.site.rows("SELECT user_id FROM users").await.len(), 0);
    }

    async fn two_tabs_of_a_browser_sign_in_each_by_its_own_login(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let first = site.begin(&mut browser, "/login/acme?return_to=/one").await;
        let second = site.begin(&mut browser, "/login/acme?return_to=/two").await;
        for (address, path) in [(second, "/two"), (first, "/one")] {
            let answer = browser.send("GET", &site.provider.authorize(&address), None).await;
            assert_eq!(answer.header("location"), Some(path), "{}", answer.text);
        }
    }

    async fn documents_and_keys_are_read_once_for_many_logins(store) {
        let site = OidcSite::start(store, &[]).await;
        for _ in 0..3 {
            assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        }
        assert_eq!((site.provider.asked("openid-configuration"), site.provider.asked("jwks")), (1, 1));
        assert_eq!((site.provider.asked("token"), site.provider.asked("userinfo")), (3, 3));
    }

    async fn a_client_shows_its_secret_as_the_provider_wants_it(store) {
        let site = OidcSite::start(store, &[]).await;
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        let form = site.provider.last("token");
        assert!(form["authorization"].starts_with("Basic ") && !form.contains_key("client_secret"), "{form:?}");
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "client_authentication=post"]);
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        let form = site.provider.last("token");
        assert!(!form.contains_key("authorization") && form.contains_key("client_secret"), "{form:?}");
    }

    async fn somebody_who_says_no_is_told_so(store) {
        let site = OidcSite::start(store, &[]).await;
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let state = asked(&address, "state").expect("a state");
        let back = format!("/login/callback/acme?error=access_denied&error_description=%3Cscript%3E&state={state}&iss={}", site.provider.url);
        let answer = browser.send("GET", &back, None).await;
        assert_eq!(answer.status, 403);
        assert!(answer.text.contains("oidc_cancelled") && answer.text.contains("You did not sign in"), "{}", answer.text);
        assert!(!answer.text.contains("script>"), "{}", answer.text);
        assert_eq!(site.site.refusals().await[0]["received"], "access_denied: <script>");
        assert!(browser.cookies.is_empty(), "it waits for nothing any more");
    }

    async fn github_people_are_numbers_and_their_addresses_are_read_beside_the_profile(store) {
        let site = OidcSite::of_oauth(store, "github", &[]).await;
        site.provider.act(|act| {
            act.profile = json!({"login": "balint", "id": 9_007_199_254_740_993_u64, "name": null, "email": "public@x.example"});
            act.emails = json!([{"email": "b@x.example", "primary": true, "verified": true}]);
        });
        let mapping = "mapping gh from oauth to profile\nattrs { extra: json }\nlet primary = first($extra.emails[primary == true])\n\
            email = primary.email\nemail_verified = primary.verified\nname = $name ?? $login\n";
        std::fs::write(site.site.gateway.folder().join("mappings/gh.mapping"), mapping).expect("written");
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "mapping=gh"]);
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        assert_eq!(asked(&address, "scope").as_deref(), Some("read:user user:email"));
        assert_eq!(asked(&address, "nonce"), None);
        let answer = browser.send("GET", &site.provider.authorize(&address), None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let session = browser.session().await.json();
        assert_eq!(session["user_id"], "github|acme|9007199254740993", "{session}");
        assert_eq!((&session["email"], &session["email_verified"]), (&json!("b@x.example"), &json!(true)), "{session}");
        assert_eq!(site.provider.last("token")["accept"], "application/json");
    }

    async fn github_tells_its_errors_in_answers_that_went_well(store) {
        let site = OidcSite::of_oauth(store, "github", &[]).await;
        let error = "error=bad_verification_code&error_description=The+code+is+wrong";
        site.provider.act(|act| act.at.insert("token", At::Says(200, "application/x-www-form-urlencoded", error.to_owned())));
        site.refused("oidc_exchange_refused").await;
        assert_eq!(site.site.refusals().await[0]["received"], "bad_verification_code: The code is wrong");
    }

    async fn facebook_wants_a_proof_beside_the_token_and_never_says_that_an_address_is_verified(store) {
        let site = OidcSite::of_oauth(store, "facebook", &[]).await;
        site.provider.act(|act| act.profile = json!({"id": "10229876543210", "name": "Fay Book", "email": "fay@x.example"}));
        let mut browser = site.browser();
        assert_eq!(site.log_in(&mut browser).await.status, 303);
        assert_eq!(site.provider.last("userinfo")["appsecret_proof"].len(), 64);
        let session = browser.session().await.json();
        assert_eq!((&session["user_id"], &session["email_verified"]), (&json!("facebook|acme|10229876543210"), &json!(false)));
    }

    async fn slack_people_are_known_by_workspace_and_its_errors_are_errors(store) {
        let site = OidcSite::without_connection(store, &[]).await;
        site.connect("acme", "slack", &[&format!("issuer={}", site.provider.url)]);
        site.provider.act(|act| {
            act.profile = json!({
                "ok": true, "sub": "ann", "https://slack.com/user_id": "U0R7", "https://slack.com/team_id": "T0R7", "name": "Sla Ck",
            });
        });
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        assert_eq!(asked(&address, "code_challenge"), None);
        assert_eq!(browser.send("GET", &site.provider.authorize(&address), None).await.status, 303);
        assert_eq!(browser.session().await.json()["user_id"], "slack|acme|T0R7-U0R7");
        site.provider.act(|act| act.profile = json!({"ok": false, "error": "invalid_auth"}));
        site.refused("oidc_profile_refused").await;
    }

    async fn linkedin_gets_no_challenge_and_repeats_no_nonce(store) {
        let site = OidcSite::without_connection(store, &[]).await;
        site.connect("acme", "linkedin", &[&format!("issuer={}", site.provider.url)]);
        site.provider.act(|act| {
            act.claims.insert(String::from("nonce"), Value::Null);
            act.profile["locale"] = json!({"country": "US", "language": "en"});
        });
        let mut browser = site.browser();
        assert_eq!(site.log_in(&mut browser).await.status, 303);
        assert!(!site.provider.last("token").contains_key("code_verifier"));
        assert_eq!(browser.session().await.json()["user_id"], "linkedin|acme|ann");
    }

    async fn microsoft_people_are_known_by_tenant_and_their_addresses_are_verified_only_by_its_word(store) {
        let site = OidcSite::without_connection(store, &[]).await;
        let issuer = format!("{}/organizations/v2.0", site.provider.url);
        site.connect("acme", "waad", &[&format!("issuer={issuer}"), &format!("allowed_tenants={TENANT}")]);
        let url = site.provider.url.clone();
        let of = |tenant: &str| format!("{url}/{tenant}/v2.0");
        site.provider.act(|act| {
            act.document.insert(String::from("issuer"), of("{tenantid}").into());
            act.document.insert(String::from("authorization_response_iss_parameter_supported"), false.into());
            act.claims = crate::support::bad_provider::object(json!({
                "iss": of(TENANT), "tid": TENANT, "oid": "7b9b", "email": "ceo@victim.example", "email_verified": true,
            }));
            act.profile = json!({"sub": "ann", "name": "Erin Long", "email": "ceo@victim.example", "email_verified": true});
        });
        let mut browser = site.browser();
        let answer = site.log_in(&mut browser).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let session = browser.session().await.json();
        assert_eq!(session["user_id"], format!("waad|acme|{TENANT}.7b9b"), "{session}");
        assert_eq!(session["email_verified"], false, "whoever runs a tenant writes addresses");
        site.provider.act(|act| act.claims.insert(String::from("xms_edov"), json!("1")));
        let mut browser = site.browser();
        assert_eq!(site.log_in(&mut browser).await.status, 303);
        assert_eq!(browser.session().await.json()["email_verified"], true);
        let other = "1f0c0000-0000-4000-8000-000000000002";
        site.provider.act(|act| {
            act.claims.insert(String::from("iss"), of(other).into());
            act.claims.insert(String::from("tid"), other.into());
        });
        site.refused("oidc_tenant").await;
        site.provider.act(|act| act.claims.insert(String::from("tid"), TENANT.into()));
        site.refused("oidc_issuer").await;
    }

    async fn each_kind_knows_its_people_by_what_it_calls_them_for_good(store) {
        let site = OidcSite::without_connection(store, &[]).await;
        let issuer = format!("issuer={}", site.provider.url);
        let at = |option: &str, path: &str| format!("{option}={}/{path}", site.provider.url);
        let fixed = [at("authorization_url", "authorize"), at("token_url", "token"), at("profile_url", "userinfo")];
        let by_issuer = [issuer.as_str()];
        let by_addresses: Vec<&str> = fixed.iter().map(String::as_str).collect();
        for (kind, profile, id) in [
            ("google-oauth2", json!({"sub": "ann", "hd": "corp.example"}), "ann"),
            ("windowslive", json!({"sub": "ann"}), "ann"),
            ("gitlab", json!({"sub": "ann", "groups": ["eng"]}), "ann"),
            ("salesforce", json!({"sub": "ann", "user_id": "005x", "updated_at": "2026-01-02T03:04:05Z"}), "005x"),
            ("twitter", json!({"data": {"id": "2244994945", "username": "tiawit"}}), "2244994945"),
            ("discord", json!({"id": "80351110224678912", "username": "nelly", "avatar": null}), "80351110224678912"),
            ("amazon", json!({"user_id": "amzn1.account.AE7", "name": "Ama Zon"}), "amzn1.account.AE7"),
        ] {
            let is_oidc = profile.get("sub").is_some();
            site.connect(kind, kind, if is_oidc { &by_issuer } else { &by_addresses });
            site.provider.act(|act| act.profile = profile);
            let mut browser = site.browser();
            let address = site.begin(&mut browser, &format!("/login/{kind}")).await;
            let answer = browser.send("GET", &site.provider.authorize(&address), None).await;
            assert_eq!(answer.status, 303, "{kind}: {}", answer.text);
            assert_eq!(browser.session().await.json()["user_id"], format!("{kind}|{id}"), "named like its strategy");
        }
        assert!(site.provider.last("token").contains_key("code_verifier"));
    }

    async fn a_connection_of_kind_oauth2_is_told_everything(store) {
        let site = OidcSite::of_oauth(store, "oauth2", &["user_id_path=data.id", "scopes=read me"]).await;
        site.provider.act(|act| act.profile = json!({"data": {"id": 4711}, "name": "O. Auth"}));
        let mut browser = site.browser();
        assert_eq!(site.log_in(&mut browser).await.status, 303);
        assert_eq!(browser.session().await.json()["user_id"], "oauth2|acme|4711");
        site.provider.act(|act| act.profile = json!({"data": {"id": 4711.5}}));
        site.refused("oidc_user_id_shape").await;
    }

    async fn connection_check_says_what_a_login_needs_and_what_to_register(store) {
        let site = OidcSite::start(store, &[]).await;
        let checked = site.site.gateway.cli(&["connection", "check", "acme"]);
        for words in ["issuer ", "/authorize", "1 from ", "/login/callback/acme"] {
            assert!(checked.contains(words), "{words}: {checked}");
        }
        site.provider.act(|act| act.document.insert(String::from("issuer"), "https://other.example".into()));
        let output = site.site.gateway.run(&["connection", "check", "acme"]);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success() && printed.contains("oidc_discovery_issuer"), "{printed}");
    }
}
