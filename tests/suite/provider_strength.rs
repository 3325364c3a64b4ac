//! How somebody proved who they are, from whoever saw it to the application (`acr`, `amr`), and what an application may ask for of it, on
//! both stores.

use crate::support::application::{Application, CALLBACK, VERIFIER, returned, text};
use crate::support::caller::on_both_gateways;
use crate::support::federation::Federation;
use crate::support::minted;
use crate::support::oidc_site::OidcSite;
use crate::support::saml_site::{Browser, SamlSite, sent_xml};
use crate::support::slapd::{PASSWORD, Slapd};
use serde_json::{Value, json};

const PASSWORD_CLASS: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
const MFA: &str = "https://refeds.org/profile/mfa";

fn essential(class: &str) -> String {
    json!({"id_token": {"acr": {"essential": true, "values": [class]}}}).to_string()
}

/// Goes the way that an answer leads to, to an identity provider that vouches for this class; what the request asked for there, and where
/// the application is told.
async fn by_class(site: &SamlSite, browser: &mut Browser<'_>, way: &str, class: &str) -> (String, String) {
    let sent = browser.send("GET", way, None).await;
    let message = sent_xml(sent.header("location").expect("somewhere to go"));
    let login = minted::login(&site.whom(Some(&message.attribute("ID")))).with(PASSWORD_CLASS, class);
    let back = browser.hand_over(&login.signed_assertion(minted::rsa())).await;
    let back = back.header("location").unwrap_or_else(|| panic!("{}", back.text)).to_owned();
    let told = browser.send("GET", &back, None).await;
    (message.0.clone(), told.header("location").unwrap_or_else(|| panic!("{}", told.text)).to_owned())
}

fn field(address: &str, name: &str) -> Option<String> {
    url::Url::parse(address)
        .expect("an address")
        .query_pairs()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

on_both_gateways! {
    async fn an_id_token_says_by_what_the_identity_provider_knew_the_person_also_after_a_refresh(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303);
        let tokens = app.tokens(&mut browser, &[("acr_values", "urn:none urn:of-these")]).await;
        let claims = app.verified(text(&tokens, "id_token")).await;
        assert_eq!((&claims["acr"], &claims["amr"]), (&json!(PASSWORD_CLASS), &json!(["pwd"])), "a wish keeps nobody out");
        let next = app.refresh(text(&tokens, "refresh_token")).await.json();
        let after = app.verified(text(&next, "id_token")).await;
        assert_eq!((&after["acr"], &after["amr"]), (&claims["acr"], &claims["amr"]));
        let mut strong = site.browser();
        assert_eq!(strong.log_in(|login| login.with(PASSWORD_CLASS, MFA)).await.status, 303);
        let claims = app.verified(text(&app.tokens(&mut strong, &[]).await, "id_token")).await;
        assert_eq!((&claims["acr"], &claims["amr"]), (&json!(MFA), &json!(["mfa"])));
    }

    async fn an_essential_class_is_asked_for_and_whoever_lacks_it_does_not_go_on(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303);
        let claims = essential(MFA);
        let asked = [("claims", claims.as_str())];
        let fine = app.authorize(&mut browser, &[("claims", &essential(PASSWORD_CLASS))]).await;
        assert!(fine.contains_key("code"), "{fine:?}");
        let silent = app.authorize(&mut browser, &[asked[0], ("prompt", "none")]).await;
        assert_eq!(silent["error"], "login_required");
        for (class, told) in [(PASSWORD_CLASS, Some("unmet_authentication_requirements")), (MFA, None)] {
            let way = browser.send("GET", &app.request(&asked), None).await;
            let way = way.header("location").expect("a way in").to_owned();
            assert!(way.starts_with("/login/acme?"), "{way}");
            let (request, back) = by_class(&site, &mut browser, &way, class).await;
            assert!(request.contains("RequestedAuthnContext Comparison=\"exact\"") && request.contains(MFA), "{request}");
            assert!(back.starts_with(CALLBACK), "{back}");
            assert_eq!(field(&back, "error").as_deref(), told, "{back}");
            let Some(code) = field(&back, "code") else { continue };
            let tokens = app.exchange(&code).await.json();
            assert_eq!(app.verified(text(&tokens, "id_token")).await["acr"], json!(MFA));
        }
        // And whoever is not signed in at all is asked for it at once.
        let mut fresh = site.browser();
        let way = fresh.send("GET", &app.request(&asked), None).await.header("location").expect("a way in").to_owned();
        let (_, back) = by_class(&site, &mut fresh, &way, PASSWORD_CLASS).await;
        assert_eq!(field(&back, "error").as_deref(), Some("unmet_authentication_requirements"));
    }

    async fn a_connection_that_demands_a_class_is_not_talked_into_another(store) {
        let site = SamlSite::start(store, &[&format!("authn_contexts={MFA}")]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = site.browser();
        let way = browser.send("GET", &app.request(&[("claims", &essential("urn:weak"))]), None).await;
        let sent = browser.send("GET", way.header("location").expect("a way in"), None).await;
        let message = sent_xml(sent.header("location").expect("somewhere to go"));
        assert!(message.0.contains(MFA) && !message.0.contains("urn:weak"), "{}", message.0);
    }

    async fn what_a_provider_of_openid_connect_says_of_it_goes_through_and_so_does_the_wish(store) {
        let site = OidcSite::start(store, &[]).await;
        let line = ["client", "create", "app", "--json", "--redirect-uri", CALLBACK];
        let app = Application::made(&site.site, &line);
        site.provider.act(|act| {
            act.claims.insert(String::from("acr"), json!("urn:bank:gold"));
            act.claims.insert(String::from("amr"), json!(["pwd", "otp", 7, "a b"]));
        });
        let mut browser = site.browser();
        let request = app.request(&[("acr_values", "urn:bank:gold urn:bank:silver")]);
        let way = browser.send("GET", &request, None).await.header("location").expect("a way in").to_owned();
        let address = site.begin(&mut browser, &way).await;
        assert_eq!(field(&address, "acr_values").as_deref(), Some("urn:bank:gold urn:bank:silver"));
        let back = browser.send("GET", &site.provider.authorize(&address), None).await;
        let back = back.header("location").unwrap_or_else(|| panic!("{}", back.text)).to_owned();
        let code = returned(&browser.send("GET", &back, None).await).remove("code").expect("a code");
        let exchange =
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        let tokens = app.ask("/oauth/token", &exchange).await.json();
        let claims = app.verified(text(&tokens, "id_token")).await;
        assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:bank:gold"), &json!(["pwd", "otp"])), "what is no word is left out");
    }

    async fn a_password_at_a_directory_is_a_password(store) {
        let (slapd, federation) = (Slapd::start(3), Federation::start(store).await);
        federation.connect_directory("corp", &slapd);
        let mut browser = federation.browser();
        let made = federation.gateway.cli(&["client", "create", "app", "--json", "--redirect-uri", &format!("{}/session", federation.public_url)]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("client_id", made["client_id"].as_str().expect("an id"));
        query.append_pair("redirect_uri", &format!("{}/session", federation.public_url)).append_pair("response_type", "code");
        query.append_pair("scope", "openid").append_pair("code_challenge_method", "S256");
        query.append_pair("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        browser.open(&format!("{}/authorize?{}", federation.public_url, query.finish())).await;
        browser.sign_in("u000001", PASSWORD).await;
        assert!(browser.page().url.as_str().contains("code="), "{}", browser.told());
        for table in ["sessions", "codes"] {
            let rows = federation.rows(&format!("SELECT proof FROM {table}")).await;
            assert_eq!(rows[0]["proof"], json!(r#"{"amr":["pwd"]}"#), "{table}");
        }
    }

    async fn an_address_is_told_under_its_scope_where_a_mapping_says_what_it_is(store) {
        let site = SamlSite::start(store, &[]).await;
        let mapping = "mapping homes from profile to oidc\naddress.country = upper(\"hu\") with scope address\n\
            address.formatted = $email with scope address\n";
        std::fs::write(site.gateway.folder().join("mappings/homes.mapping"), mapping).expect("written");
        let app = Application::register(&site, "app", &["--claims-mapping", "homes"]);
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303);
        let tokens = app.tokens(&mut browser, &[("scope", "openid address")]).await;
        assert_eq!(tokens["scope"], "openid address");
        let claims = app.verified(text(&tokens, "id_token")).await;
        assert_eq!(claims["address"], json!({"country": "HU", "formatted": "alice@example.com"}));
        let without = app.tokens(&mut browser, &[("scope", "openid")]).await;
        assert!(!app.verified(text(&without, "id_token")).await.contains_key("address"));
        let plain = Application::register(&site, "plain", &[]);
        let claims = plain.verified(text(&plain.tokens(&mut browser, &[("scope", "openid address")]).await, "id_token")).await;
        assert!(!claims.contains_key("address"), "a profile has none");
    }
}
