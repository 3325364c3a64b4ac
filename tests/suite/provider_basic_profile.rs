//! What the modules of the Basic OP profile ask beyond `provider_flow`, on both stores: ID tokens and scopes to the letter, wishes that do no
//! harm, signing in again, hints, single claims, ways back, answers by form, and what the endpoints take and tell.
//! docs/oidc-checklist.md says which test stands for which module.

use crate::support::application::{Application, CALLBACK, VERIFIER, header, returned, text};
use crate::support::caller::on_both_gateways;
use crate::support::gateway::{Answer, Store};
use crate::support::minted;
use crate::support::saml_site::{Browser, MAPPING, SamlSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

async fn signed_in(site: &SamlSite) -> Browser<'_> {
    let mut browser = site.browser();
    assert_eq!(browser.log_in(|login| login).await.status, 303);
    browser
}

/// A gateway whose people have all that there are scopes for.
async fn with_all_claims(store: Store) -> SamlSite {
    let site = SamlSite::without_connection(store, &[]).await;
    let more = "given_name = \"Alice\"\nfamily_name = \"Lee\"\nnickname = \"al\"\npicture = \"https://pics.example/a.png\"\n\
        locale = \"hu-HU\"\nzoneinfo = \"Europe/Budapest\"\nphone_number = \"+3612345678\"\nphone_verified = true\n";
    std::fs::write(
        site.gateway.folder().join("mappings/minted.mapping"),
        MAPPING.replace("$displayName", "\"Alice Lee\"") + more,
    )
    .expect("written");
    site.connect("acme", &minted::metadata(&[minted::rsa()], ""), &[]);
    site
}

/// Everybody signed in so many seconds before they did.
async fn began_earlier(site: &SamlSite, seconds: i64) {
    let by = seconds * SECOND;
    site.change(&format!("UPDATE sessions SET created_at = created_at - {by}, auth_time = auth_time - {by}")).await;
}

/// Where a person is sent to sign in; they do, and come back.
async fn sign_in_at(site: &SamlSite, browser: &mut Browser<'_>, answer: &Answer) -> Answer {
    let way = answer.header("location").unwrap_or_else(|| panic!("no way in: {}", answer.text)).to_owned();
    assert!(way.starts_with("/login/acme?"), "{way}");
    let request = browser.begin_at(&way).await;
    let login = minted::login(&site.whom(Some(&request)));
    let back = browser.hand_over(&login.signed_assertion(minted::rsa())).await;
    let back = back.header("location").unwrap_or_else(|| panic!("not signed in: {}", back.text)).to_owned();
    browser.send("GET", &back, None).await
}

fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A request to the gateway with exactly this body.
async fn raw(site: &SamlSite, method: &str, path: &str, kind: Option<&str>, body: &str) -> Answer {
    let headers: Vec<(String, String)> = kind.iter().map(|kind| (String::from("content-type"), (*kind).to_owned())).collect();
    let url = format!("{}{path}", site.gateway.base_url());
    site.gateway.send(method, &url, &headers, Some(body.to_owned())).await.expect("an answer")
}

on_both_gateways! {
    async fn an_id_token_says_for_whom_and_when_and_names_its_key_and_its_access_token(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let tokens = app.tokens(&mut signed_in(&site).await, &[]).await;
        let (id_token, access) = (text(&tokens, "id_token"), text(&tokens, "access_token"));
        let (claims, header) = (app.verified(id_token).await, header(id_token));
        assert_eq!(header["alg"], "RS256");
        let keys = site.browser().send("GET", "/.well-known/jwks.json", None).await.json();
        let kids: Vec<&Value> = keys["keys"].as_array().expect("keys").iter().map(|key| &key["kid"]).collect();
        assert!(kids.contains(&&header["kid"]), "{header:?}");
        let now = crate::support::bad_provider::now();
        let at = |name: &str| claims[name].as_i64().unwrap_or_else(|| panic!("{name} is no number: {claims:?}"));
        assert!((now - 60..=now).contains(&at("iat")) && at("exp") > now && at("exp") - at("iat") <= 3_600);
        assert!(at("auth_time") <= at("iat"));
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(site.gateway.base_url()), &json!(app.id)));
        assert!(claims["sub"].as_str().is_some_and(|sub| sub.is_ascii() && sub.len() <= 255));
        assert_eq!(claims["at_hash"], json!(URL_SAFE_NO_PAD.encode(&Sha256::digest(access)[..16])));
        assert!(!claims.contains_key("azp"), "one audience");
    }

    async fn a_nonce_comes_back_as_it_was_sent_and_none_where_none_was(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let long = "n".repeat(512);
        for nonce in ["a b+c/%&é", &long] {
            let tokens = app.tokens(&mut browser, &[("nonce", nonce)]).await;
            assert_eq!(app.verified(text(&tokens, "id_token")).await["nonce"], json!(nonce));
        }
        let tokens = app.tokens(&mut browser, &[("nonce", "")]).await;
        assert!(!app.verified(text(&tokens, "id_token")).await.contains_key("nonce"));
    }

    async fn each_scope_gives_its_own_claims_in_the_id_token_and_by_userinfo(store) {
        let site = with_all_claims(store).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let profile = [
            "family_name", "given_name", "locale", "name", "nickname", "picture", "preferred_username", "updated_at", "zoneinfo",
        ];
        let every = [&profile[..], &["email", "email_verified", "groups", "phone_number", "phone_number_verified"]].concat();
        for (scope, own) in [
            ("openid", &[][..]),
            ("openid profile", &profile[..]),
            ("openid email", &["email", "email_verified"][..]),
            ("openid phone", &["phone_number", "phone_number_verified"][..]),
            ("openid groups", &["groups"][..]),
            ("openid profile email phone groups", &every[..]),
        ] {
            let tokens = app.tokens(&mut browser, &[("scope", scope)]).await;
            let told = app.userinfo(text(&tokens, "access_token")).await.json();
            let mut expected = [own, &["sub"]].concat();
            expected.sort_unstable();
            assert_eq!(names(&told), expected, "{scope}");
            let claims = app.verified(text(&tokens, "id_token")).await;
            assert!(own.iter().all(|name| claims[*name] == told[*name]), "{scope}: {claims:?}");
            if scope.ends_with("phone groups") {
                assert_eq!((&told["phone_number"], &told["phone_number_verified"]), (&json!("+3612345678"), &json!(true)));
                assert!(told["updated_at"].is_i64(), "a number of seconds: {told}");
                assert_eq!((&told["zoneinfo"], &told["locale"]), (&json!("Europe/Budapest"), &json!("hu-HU")));
            }
        }
    }

    async fn a_scope_that_nobody_knows_is_left_out_and_the_answer_says_what_was_given(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let tokens = app.tokens(&mut signed_in(&site).await, &[("scope", "openid tenants email shoe_size")]).await;
        assert_eq!(tokens["scope"], "openid email");
    }

    async fn claims_of_scopes_stay_out_of_the_id_token_where_an_application_wants_them_by_userinfo(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &["--claims-by-userinfo"]);
        let tokens = app.tokens(&mut signed_in(&site).await, &[]).await;
        assert!(!app.verified(text(&tokens, "id_token")).await.contains_key("email"));
        assert!(app.userinfo(text(&tokens, "access_token")).await.json()["email"].is_string());
    }

    async fn a_claim_that_is_asked_for_by_name_comes_where_it_was_asked_for(store) {
        let site = with_all_claims(store).await;
        let app = Application::register(&site, "app", &[]);
        let claims = r#"{"userinfo":{"name":{"essential":true},"shoe_size":{"essential":true}},"id_token":{"email":null}}"#;
        let tokens = app.tokens(&mut signed_in(&site).await, &[("scope", "openid"), ("claims", claims)]).await;
        let told = app.userinfo(text(&tokens, "access_token")).await.json();
        assert_eq!(names(&told), ["name", "sub"], "what is not known is no failure, even if it is essential");
        let claims = app.verified(text(&tokens, "id_token")).await;
        assert!(claims.contains_key("email") && !claims.contains_key("name"), "{claims:?}");
    }

    async fn what_is_only_a_wish_or_unknown_does_no_harm(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        for (name, value) in [
            ("display", "page"),
            ("display", "popup"),
            ("display", "wap"),
            ("ui_locales", "se de-AT hu"),
            ("claims_locales", "se"),
            ("acr_values", "urn:x:1 urn:x:2"),
            ("login_hint", "somebody@nowhere.example"),
            ("prompt", "consent"),
            ("prompt", "something-new"),
            ("extra", "foobar"),
        ] {
            assert!(app.authorize(&mut browser, &[(name, value)]).await.contains_key("code"), "{name}={value}");
        }
    }

    async fn prompt_login_and_max_age_ask_again_and_auth_time_moves(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        for change in [("prompt", "login"), ("max_age", "1")] {
            began_earlier(&site, 100).await;
            let before = app.tokens(&mut browser, &[("max_age", "10000")]).await;
            let before = app.verified(text(&before, "id_token")).await;
            let asked = browser.send("GET", &app.request(&[change]), None).await;
            // Whoever comes back without having signed in is asked again.
            let way = asked.header("location").expect("a way in").to_owned();
            let address = url::Url::parse(site.gateway.base_url()).and_then(|base| base.join(&way)).expect("an address");
            let back = address.query_pairs().find(|(name, _)| name == "return_to").expect("a way back").1.into_owned();
            let again = browser.send("GET", &back, None).await;
            assert!(again.header("location").is_some_and(|way| way.starts_with("/login/acme?")), "{change:?} {}", again.text);
            let done = sign_in_at(&site, &mut browser, &asked).await;
            let tokens = app.exchange(&returned(&done)["code"]).await.json();
            let after = app.verified(text(&tokens, "id_token")).await;
            assert_eq!(before["sub"], after["sub"]);
            assert!(after["auth_time"].as_i64() > before["auth_time"].as_i64(), "{change:?}: {before:?} {after:?}");
        }
    }

    async fn prompt_none_is_a_code_for_who_is_signed_in_and_login_required_for_who_is_not(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        assert_eq!(app.authorize(&mut site.browser(), &[("prompt", "none")]).await["error"], "login_required");
        let mut browser = signed_in(&site).await;
        assert!(app.authorize(&mut browser, &[("prompt", "none")]).await.contains_key("code"));
        began_earlier(&site, 100).await;
        let old = app.authorize(&mut browser, &[("prompt", "none"), ("max_age", "10")]).await;
        assert_eq!(old["error"], "login_required", "it would have to ask");
    }

    async fn a_hint_of_somebody_else_gives_nobody_elses_code(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let tokens = app.tokens(&mut signed_in(&site).await, &[]).await;
        let hint = text(&tokens, "id_token");
        let mut bob = site.browser();
        assert_eq!(bob.log_in(|login| login.with(">alice<", ">bob<")).await.status, 303);
        let refused = app.authorize(&mut bob, &[("id_token_hint", hint), ("prompt", "none")]).await;
        assert_eq!(refused["error"], "login_required", "{refused:?}");
        let own = app.authorize(&mut signed_in(&site).await, &[("id_token_hint", hint), ("prompt", "none")]).await;
        assert!(own.contains_key("code"), "{own:?}");
    }

    async fn a_code_used_again_half_a_minute_later_ends_what_it_began(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let code = app.authorize(&mut signed_in(&site).await, &[]).await.remove("code").expect("a code");
        let tokens = app.exchange(&code).await.json();
        site.change(&format!("UPDATE codes SET used_at = used_at - {0}, expires_at = expires_at - {0}", 31 * SECOND)).await;
        assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 200);
        assert_eq!(app.exchange(&code).await.json()["error"], "invalid_grant");
        assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 401);
        assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.json()["error"], "invalid_grant");
    }

    async fn a_registered_address_with_a_query_keeps_it_and_another_query_is_another_address(store) {
        let site = SamlSite::start(store, &[]).await;
        let with_query = format!("{CALLBACK}?tenant=a%20b");
        let app = Application::made(&site, &["client", "create", "app", "--json", "--redirect-uri", &with_query]);
        let mut browser = signed_in(&site).await;
        let answer = browser.send("GET", &app.request(&[("redirect_uri", &with_query)]), None).await;
        let to = answer.header("location").expect("an address").to_owned();
        assert!(to.starts_with(&format!("{with_query}&code=")), "{to}");
        for other in [CALLBACK, &format!("{CALLBACK}?tenant=a+b"), &format!("{with_query}&x=1")] {
            let answer = browser.send("GET", &app.request(&[("redirect_uri", other)]), None).await;
            assert_eq!((answer.status, answer.header("location")), (400, None), "{other}");
        }
    }

    async fn pkce_missing_plain_or_wrong_gets_no_tokens(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        for change in [
            &[("code_challenge", ""), ("code_challenge_method", "")][..],
            &[("code_challenge", "")],
            &[("code_challenge_method", "")],
            &[("code_challenge_method", "plain"), ("code_challenge", VERIFIER)],
            &[("code_challenge", "short")],
        ] {
            assert_eq!(app.authorize(&mut browser, change).await["error"], "invalid_request", "{change:?}");
        }
        for verifier in ["", "x", &VERIFIER.replace('d', "e"), "%20"] {
            let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
            let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", verifier)];
            assert_eq!(app.ask("/oauth/token", &fields).await.json()["error"], "invalid_grant", "{verifier}");
        }
    }

    async fn an_answer_by_form_is_a_page_that_posts_it(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        for (change, field) in [(("display", "page"), "code"), (("request", "eyJ"), "error")] {
            let request = app.request(&[("response_mode", "form_post"), ("state", "\"><script>"), change]);
            let answer = browser.send("GET", &request, None).await;
            assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text);
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'nonce-"), "{policy}");
            let url = url::Url::parse(site.gateway.base_url()).expect("an address");
            let page = crate::support::page::Page { url, status: 200, headers: answer.headers.clone(), text: answer.text.clone() };
            let form = page.form_with(field);
            assert!(form.is_post && form.action.as_str() == CALLBACK, "{form:?}");
            assert_eq!((form.field("state"), form.field("iss")), (Some("\"><script>"), Some(site.gateway.base_url())));
            if field == "code" {
                assert_eq!(app.exchange(form.field("code").expect("a code")).await.status, 200);
            }
        }
        let refused = app.authorize(&mut browser, &[("response_mode", "fragment")]).await;
        assert_eq!(refused["error"], "invalid_request");
    }

    async fn a_request_may_come_by_post(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let request = app.request(&[]);
        let (path, query) = request.split_once('?').expect("a query");
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let posted = browser.send("POST", path, Some(&fields)).await;
        assert_eq!(posted.status, 303, "never 307: {}", posted.text);
        let again = posted.header("location").expect("here").to_owned();
        let answer = browser.send("GET", &again, None).await;
        assert_eq!(app.exchange(&returned(&answer)["code"]).await.status, 200);
        assert_eq!(browser.send("PUT", &request, None).await.status, 405);
    }

    async fn endpoints_for_applications_take_forms_by_post_alone(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let secret = app.secret.clone().expect("a secret");
        let form = format!("client_id={}&client_secret={secret}&grant_type=refresh_token&token=x&refresh_token=x", app.id);
        for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
            for method in ["GET", "PUT", "DELETE", "PATCH"] {
                let answer = site.gateway.send(method, &format!("{}{path}", site.gateway.base_url()), &[], None).await.expect("an answer");
                assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method} {path}");
            }
            for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx"] {
                let answer = raw(&site, "POST", path, Some(kind), &form).await;
                assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_request")), "{kind} {path}");
            }
            // Nothing of a query counts: queries stand in logs.
            let answer = raw(&site, "POST", &format!("{path}?{form}"), Some("application/x-www-form-urlencoded"), "").await;
            assert_eq!(answer.json()["error"], "invalid_client", "{path}");
            let answer = raw(&site, "POST", path, Some("application/x-www-form-urlencoded"), &"a=1&".repeat(10_000)).await;
            assert_eq!(answer.json()["error"], "invalid_request", "too long: {path}");
            let answer = raw(&site, "POST", path, Some("Application/X-WWW-Form-Urlencoded; charset=UTF-8"), &form).await;
            assert!(path != "/oauth/revoke" || answer.status == 200, "{}", answer.text);
        }
        let fields = |of: &[(&'static str, &'static str)]| of.to_vec();
        for (fields, error) in [
            (fields(&[]), "invalid_request"),
            (fields(&[("grant_type", "password"), ("username", "a"), ("password", "b")]), "unsupported_grant_type"),
            (fields(&[("grant_type", "authorization_code")]), "invalid_grant"),
            (fields(&[("grant_type", "refresh_token")]), "invalid_grant"),
            (fields(&[("grant_type", "refresh_token"), ("grant_type", "refresh_token")]), "invalid_request"),
        ] {
            let answer = app.ask("/oauth/token", &fields).await;
            assert_eq!((answer.status, &answer.json()["error"]), (400, &json!(error)), "{fields:?}");
        }
    }

    async fn pages_of_other_sites_read_what_no_cookie_decides(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &["--public"]);
        let tokens = app.tokens(&mut signed_in(&site).await, &[]).await;
        let elsewhere = ("origin", "https://spa.example");
        for path in ["/.well-known/openid-configuration", "/.well-known/jwks.json", "/oauth/token", "/oauth/revoke", "/userinfo"] {
            let asked = site.browser().send_with("OPTIONS", path, None, &[elsewhere, ("access-control-request-method", "POST")]).await;
            assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, Some("*")), "{path}");
            assert!(asked.header("access-control-allow-headers").is_some_and(|names| names.contains("authorization")), "{path}");
            let answer = site.browser().send_with("GET", path, None, &[elsewhere]).await;
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}: an error is read too");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
        }
        let bearer = format!("Bearer {}", text(&tokens, "access_token"));
        let told = site.browser().send_with("GET", "/userinfo", None, &[elsewhere, ("authorization", &bearer)]).await;
        assert_eq!((told.status, told.header("access-control-allow-origin")), (200, Some("*")));
        // Where a cookie decides, nobody else reads along.
        for path in ["/session", "/authorize", "/oidc/logout"] {
            let answer = signed_in(&site).await.send_with("GET", path, None, &[elsewhere]).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }

    async fn caches_keep_keys_for_an_hour_and_nothing_about_people(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        for path in ["/.well-known/openid-configuration", "/.well-known/jwks.json"] {
            assert_eq!(browser.send("GET", path, None).await.header("cache-control"), Some("public, max-age=3600"), "{path}");
        }
        let answer = browser.send("GET", &app.request(&[]), None).await;
        assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
        let tokens = app.exchange(&returned(&answer)["code"]).await;
        let access = text(&tokens.json(), "access_token").to_owned();
        for answer in [
            tokens,
            app.exchange("rac_x").await,
            app.userinfo(&access).await,
            app.userinfo("x").await,
            app.ask("/oauth/introspect", &[("token", &access)]).await,
            app.ask("/oauth/revoke", &[("token", &access)]).await,
            browser.send("GET", &app.request(&[("client_id", "")]), None).await,
            browser.send("GET", "/oidc/logout", None).await,
        ] {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{} {}", answer.status, answer.text);
        }
    }
}
