//! The providers and applications of others that tests of OpenID Connect stand on do what their files say: without a gateway, with
//! each other.

use crate::support::authlib::Authlib;
use crate::support::browser::Browser;
use crate::support::emulate::{Emulate, TENANT, people};
use crate::support::glewlwyd::Glewlwyd;
use crate::support::mod_auth_openidc::ModAuthOpenidc;
use crate::support::openid_client::OpenidClient;
use crate::support::page::Page;
use crate::support::panva::{Panva, alice, application};
use crate::support::relying_party::Registration;
use crate::support::web::{Web, answer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::HashMap;

const SCOPE: &str = "openid profile email groups offline_access";

fn registration(panva: &Panva) -> Registration<'_> {
    Registration { issuer: &panva.issuer, client_id: "app", client_secret: "app-secret", scope: SCOPE }
}

fn registered(redirect_uri: &str, signed_out_uri: &str) -> Value {
    let mut application = application("app", "app-secret", redirect_uri);
    application["post_logout_redirect_uris"] = json!([signed_out_uri]);
    application
}

async fn fetched(url: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap().json().await.unwrap()
}

/// The parameters of the address a page has.
fn query(page: &Page) -> HashMap<String, String> {
    page.url.query_pairs().into_owned().collect()
}

/// A strict provider and an application of openid-client that know each other.
struct Strict {
    panva: Panva,
    application: OpenidClient,
}

impl Strict {
    fn start() -> Self {
        let (panva, mut application) = (Panva::start(), OpenidClient::new());
        panva.register(&[registered(&application.redirect_uri(), &application.signed_out_uri())]);
        application.start(registration(&panva));
        Self { panva, application }
    }

    async fn log_in(&self, browser: &mut Browser) -> Value {
        browser.open(&self.application.page("login?prompt=consent")).await;
        self.panva.sign_in(browser, "alice").await.json()
    }

    async fn asked(&self, browser: &mut Browser, page: &str) -> (u16, Value) {
        let page = browser.open(&self.application.page(page)).await;
        (page.status, page.json())
    }
}

#[tokio::test]
async fn the_strict_provider_answers_its_discovery_document_and_signs_alice_in() {
    let strict = Strict::start();
    let told = fetched(&format!("{}/.well-known/openid-configuration", strict.panva.issuer)).await;
    assert_eq!(told["issuer"], json!(strict.panva.issuer));
    assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(told["authorization_response_iss_parameter_supported"], json!(true));

    let me = strict.log_in(&mut Browser::new()).await;
    assert_eq!((&me["claims"]["sub"], &me["claims"]["email"]), (&json!("alice"), &Value::Null), "{me}");
    for (name, value) in alice().as_object().unwrap() {
        assert_eq!(me["userinfo"][name], *value, "{name}");
    }

    strict.panva.tell_in_id_token(true);
    let mut changed = alice();
    changed["family_name"] = json!("Moor-Blum");
    strict.panva.set_person("alice", &changed);
    let me = strict.log_in(&mut Browser::new()).await;
    assert_eq!(me["claims"]["family_name"], json!("Moor-Blum"), "{me}");
}

#[tokio::test]
async fn the_strict_provider_refuses_what_is_not_right() {
    let strict = Strict::start();
    let asked = |redirect_uri: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("client_id", "app"), ("response_type", "code"), ("scope", "openid"), ("redirect_uri", redirect_uri)])
            .finish();
        format!("{}/auth?{query}", strict.panva.issuer)
    };
    // Without PKCE, at a way back that is registered.
    let mut browser = Browser::new();
    browser.open(&asked(&strict.application.redirect_uri())).await;
    let page = query(browser.page());
    assert_eq!(page["error"], "invalid_request");
    assert!(page["error_description"].contains("PKCE"), "{page:?}");
    assert_eq!(page["iss"], strict.panva.issuer);
    // At any other it sends nobody back.
    let page = browser.open(&asked("http://127.0.0.2:9/cb")).await;
    assert_eq!((page.status, page.url.host_str()), (400, Some("127.0.0.2")));
    assert!(page.text.contains("redirect_uri"), "{}", page.text);
    // A person who does not agree.
    let mut browser = Browser::new();
    browser.open(&strict.application.page("login?prompt=consent")).await;
    let refused = strict.panva.refuse(&mut browser, "alice").await;
    assert_eq!(refused.json()["error"], json!("access_denied"));
}

#[tokio::test]
async fn the_strict_provider_changes_its_keys_with_the_former_beside_them_or_without() {
    let panva = Panva::start();
    let kids = async || {
        let keys = fetched(&format!("{}/jwks", panva.issuer)).await["keys"].clone();
        let kids: Vec<String> = keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        assert!(keys.as_array().unwrap().iter().all(|key| key["d"] == Value::Null));
        kids
    };
    assert_eq!(kids().await, ["RS256-0", "ES256-0", "EdDSA-0"]);
    panva.roll_over(true);
    assert_eq!(kids().await, ["RS256-1", "ES256-1", "EdDSA-1", "RS256-0", "ES256-0", "EdDSA-0"]);
    panva.roll_over(false);
    assert_eq!(kids().await, ["RS256-2", "ES256-2", "EdDSA-2"]);
}

#[tokio::test]
async fn the_application_of_openid_client_refreshes_asks_revokes_and_signs_out() {
    let strict = Strict::start();
    let mut browser = Browser::new();
    assert_eq!(strict.log_in(&mut browser).await["has_refresh_token"], json!(true));
    let (status, refreshed) = strict.asked(&mut browser, "refresh").await;
    assert_eq!((status, &refreshed["is_rotated"], &refreshed["claims"]["sub"]), (200, &json!(true), &json!("alice")));
    assert_eq!(strict.asked(&mut browser, "introspect").await.1["active"], json!(true));
    assert_eq!(strict.asked(&mut browser, "revoke").await, (200, json!({})));
    let (status, refused) = strict.asked(&mut browser, "refresh").await;
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")));

    let page = browser.open(&strict.application.page("logout")).await;
    let form = page.form_with("xsrf").with("logout", "yes");
    browser.submit(&form).await;
    assert_eq!(browser.page().url.as_str(), format!("{}?state=bye", strict.application.signed_out_uri()));
}

#[tokio::test]
async fn the_application_of_authlib_signs_in_refreshes_and_revokes() {
    let (panva, mut application) = (Panva::start(), Authlib::new());
    panva.register(&[registered(&application.redirect_uri(), &application.signed_out_uri())]);
    application.start(registration(&panva));
    let mut browser = Browser::new();
    browser.open(&application.page("login?prompt=consent")).await;
    let me = panva.sign_in(&mut browser, "alice").await.json();
    assert_eq!((&me["claims"]["sub"], &me["userinfo"]["groups"]), (&json!("alice"), &json!(["eng", "ops"])), "{me}");
    assert_eq!(browser.open(&application.page("refresh")).await.json(), json!({"is_rotated": true}));
    assert_eq!(browser.open(&application.page("revoke")).await.status, 200);
    let refused = browser.open(&application.page("refresh")).await;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));
    let page = browser.open(&application.page("logout")).await;
    let form = page.form_with("xsrf").with("logout", "yes");
    assert_eq!(browser.submit(&form).await.json(), json!({"state": "bye"}));
}

#[tokio::test]
async fn the_application_behind_apache_learns_who_it_is_by_headers_and_signs_out() {
    let (panva, mut application) = (Panva::start(), ModAuthOpenidc::new());
    panva.register(&[registered(&application.redirect_uri(), &application.signed_out_uri())]);
    application.start(registration(&panva));
    let mut browser = Browser::new();
    browser.open(&application.page()).await;
    let page = panva.sign_in(&mut browser, "alice").await;
    assert_eq!((page.url.as_str(), page.text.as_str()), (application.page().as_str(), "signed in"));
    let told = ["x-sub", "x-name", "x-email", "x-groups", "x-iss"].map(|name| page.header(name).unwrap_or_default());
    assert_eq!(told, ["alice", "Alice Moor", "Alice@example.org", "eng,ops", &panva.issuer]);

    let page = browser.open(&application.logout()).await;
    let form = page.form_with("xsrf").with("logout", "yes");
    assert_eq!(browser.submit(&form).await.text, "signed out");
    let page = browser.open(&application.page()).await;
    assert!(page.url.as_str().starts_with(&panva.issuer), "{}", page.url);
}

#[tokio::test]
async fn the_provider_in_c_signs_alice_in_and_changes_the_refresh_token() {
    let (glewlwyd, mut application) = (Glewlwyd::start().await, OpenidClient::new());
    glewlwyd.register("app", "secret", &application.redirect_uri()).await;
    let scope = "openid profile email offline_access";
    application.start(Registration { issuer: &glewlwyd.issuer, client_id: "app", client_secret: "secret", scope });
    let mut browser = Browser::new();
    browser.open(&application.page("login")).await;
    let me = glewlwyd.sign_in(&mut browser).await.json();
    assert_eq!((&me["userinfo"]["name"], &me["userinfo"]["email"]), (&json!("Alice Moor"), &json!("alice@example.org")), "{me}");
    assert_eq!(me["claims"]["iss"], json!(glewlwyd.issuer));
    glewlwyd.rename("Alice Blum", "blum@example.org").await;
    let changed = browser.open(&application.page("me")).await.json();
    assert_eq!((&changed["userinfo"]["sub"], &changed["userinfo"]["name"]), (&me["claims"]["sub"], &json!("Alice Blum")));
    assert_eq!(browser.open(&application.page("refresh")).await.json()["is_rotated"], json!(true));
}

/// A login at one of the copies: where it begins, where the code is exchanged, how one is called there.
struct Copy<'a> {
    service: &'static str,
    authorize: &'static str,
    token: &'static str,
    scope: &'static str,
    who: &'static str,
    emulate: &'a Emulate,
    /// Where people come back to.
    web: Web,
}

impl<'a> Copy<'a> {
    async fn of(emulate: &'a Emulate, service: &'static str) -> Self {
        let (authorize, token, scope, who) = match service {
            "github" => ("/login/oauth/authorize", "/login/oauth/access_token", "read:user user:email", "balint"),
            "google" => ("/o/oauth2/v2/auth", "/oauth2/token", "openid profile email", "mia@corp.example"),
            "microsoft" => ("/oauth2/v2.0/authorize", "/oauth2/v2.0/token", "openid profile email", "erin@tenant.example"),
            "apple" => ("/auth/authorize", "/auth/token", "openid name email", "dora@example.org"),
            _ => panic!("no {service} here"),
        };
        let web = Web::plain(|_| answer("200 OK", &["content-type: text/plain"], "back")).await;
        emulate.register(service, "app", &format!("http://127.0.0.1:{}/cb", web.port));
        Self { service, authorize, token, scope, who, emulate, web }
    }

    /// What the token endpoint answers, and what the way back was told beside the code.
    async fn log_in(&self, mode: &str) -> (Value, HashMap<String, String>) {
        let back = format!("http://127.0.0.1:{}/cb", self.web.port);
        let base = self.emulate.base(self.service);
        let asked = [
            ("client_id", "app"),
            ("response_type", "code"),
            ("redirect_uri", &back),
            ("scope", self.scope),
            ("state", "s"),
            ("nonce", "n"),
            ("response_mode", mode),
        ];
        let begin = url::Url::parse_with_params(&format!("{base}{}", self.authorize), asked).unwrap();
        let mut browser = Browser::new();
        browser.open(begin.as_str()).await;
        let told = if mode == "form_post" {
            let form = crate::support::emulate::chosen(browser.page(), self.who);
            browser.submit_until(&form, "code").await.fields.into_iter().collect()
        } else {
            query(&self.emulate.sign_in(&mut browser, self.who).await)
        };
        let exchanged = [
            ("grant_type", "authorization_code"),
            ("code", &told["code"]),
            ("redirect_uri", &back),
            ("client_id", "app"),
            ("client_secret", "secret"),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(exchanged).finish();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{base}{}", self.token)).header("accept", "application/json");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        (request.send().await.unwrap().json().await.unwrap(), told)
    }
}

fn claims(tokens: &Value) -> Value {
    let token = tokens["id_token"].as_str().unwrap_or_else(|| panic!("no ID token: {tokens}"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn the_copy_of_google_signs_in_and_keeps_the_id_when_the_name_changes() {
    let emulate = Emulate::start();
    let google = Copy::of(&emulate, "google").await;
    let first = claims(&google.log_in("query").await.0);
    assert_eq!(
        (&first["iss"], &first["hd"], &first["nonce"]),
        (&json!(emulate.base("google")), &json!("corp.example"), &json!("n"))
    );
    let mut changed = people()["google"]["users"].clone();
    changed[0]["family_name"] = json!("Sol-Blum");
    emulate.set_people("google", &changed);
    let second = claims(&google.log_in("query").await.0);
    assert_eq!((&second["sub"], &second["family_name"]), (&first["sub"], &json!("Sol-Blum")));
}

#[tokio::test]
async fn the_copy_of_microsoft_names_the_tenant_in_its_issuer() {
    let emulate = Emulate::start();
    let told = fetched(&format!("{}/.well-known/openid-configuration", emulate.tenant_issuer())).await;
    assert_eq!(told["issuer"], json!(emulate.tenant_issuer()));
    let claims = claims(&Copy::of(&emulate, "microsoft").await.log_in("query").await.0);
    assert_eq!((&claims["iss"], &claims["tid"]), (&json!(emulate.tenant_issuer()), &json!(TENANT)));
    assert_eq!(claims["email_verified"], Value::Null);
}

#[tokio::test]
async fn the_copy_of_apple_tells_the_name_in_its_form_and_the_first_time_alone() {
    let emulate = Emulate::start();
    let apple = Copy::of(&emulate, "apple").await;
    let (tokens, told) = apple.log_in("form_post").await;
    let claims = claims(&tokens);
    assert_eq!((&claims["email_verified"], &claims["is_private_email"]), (&json!("true"), &json!("true")));
    let user: Value = serde_json::from_str(&told["user"]).unwrap();
    assert_eq!(user["name"], json!({"firstName": "Dora", "lastName": "Nagy"}));
    assert_eq!(apple.log_in("form_post").await.1.get("user"), None);
}

#[tokio::test]
async fn the_copy_of_github_tells_addresses_beside_the_account() {
    let emulate = Emulate::start();
    let tokens = Copy::of(&emulate, "github").await.log_in("query").await.0;
    let asked = async |path: &str| -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("{}{path}", emulate.base("github"))).header("user-agent", "rosterd");
        let request = request.bearer_auth(tokens["access_token"].as_str().unwrap());
        request.send().await.unwrap().json().await.unwrap()
    };
    let user = asked("/user").await;
    assert_eq!((&user["login"], user["id"].is_i64()), (&json!("balint"), true));
    assert_eq!(asked("/user/emails").await[0]["email"], json!("b@example.org"));
}
