//! Logins through real providers on both stores, by a browser that goes the whole way: a strict one of npm, one in C, one in Perl, and
//! the copies of Google, Microsoft, GitHub and Apple. What the first login makes of a person, what the next one changes when the provider says
//! something else, and why, as history has it.

use crate::support::browser::Browser;
use crate::support::caller::on_both_gateways;
use crate::support::emulate::{Emulate, TENANT, chosen, people};
use crate::support::gateway::Store;
use crate::support::glewlwyd::Glewlwyd;
use crate::support::lemonldap::Lemonldap;
use crate::support::panva::{Panva, alice, application};
use crate::support::upstream_site::{Changed, UpstreamSite, settled};
use serde_json::{Value, json};
use std::ops::Deref;

/// With what a form has to encode before it goes into a header.
const SECRET: &str = "s3cret: +&/%";

/// A gateway and the strict provider that know each other as `acme`.
pub struct Strict {
    site: UpstreamSite,
    pub panva: Panva,
}

impl Deref for Strict {
    type Target = UpstreamSite;

    fn deref(&self) -> &UpstreamSite {
        &self.site
    }
}

impl Strict {
    pub async fn start(store: Store, options: &[&str]) -> Self {
        Self::start_with(store, &json!({}), options).await
    }

    /// With more metadata of the gateway as the provider's application.
    pub async fn start_with(store: Store, metadata: &Value, options: &[&str]) -> Self {
        let strict = Self { site: UpstreamSite::start(store).await, panva: Panva::start() };
        strict.introduce("acme", metadata, options);
        strict
    }

    /// Makes a connection, the only one that the provider knows then.
    fn introduce(&self, name: &str, metadata: &Value, options: &[&str]) {
        let mut known = application("us", SECRET, &self.callback(name));
        known.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        known.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.panva.register(&[known]);
        let issuer = format!("issuer={}", self.panva.issuer);
        let all = [&[issuer.as_str(), "scopes=openid profile email groups"], options].concat();
        self.connect(name, "oidc", ("us", SECRET), &all);
    }

    /// A login with a new browser, to wherever it ends.
    pub async fn log_in(&self, name: &str) -> Browser {
        let mut browser = self.begin(name).await;
        self.panva.sign_in(&mut browser, "alice").await;
        browser
    }
}

on_both_gateways! {
    async fn the_strict_provider_makes_the_person_and_the_next_login_brings_what_changed(store) {
        let strict = Strict::start(store, &[]).await;
        let mut browser = strict.log_in("acme").await;
        let profile = strict.entered(&mut browser).await;
        for (name, value) in [
            ("user_id", json!("oidc|acme|alice")), ("username", json!("alice")), ("name", json!("Alice Moor")),
            ("given_name", json!("Alice")), ("family_name", json!("Moor")), ("email", json!("alice@example.org")),
            ("email_verified", json!(true)), ("locale", json!("en-GB")), ("zoneinfo", json!("Europe/London")),
            ("groups", json!(["eng", "ops"])),
        ] {
            assert_eq!(profile[name], value, "{name} of {profile}");
        }
        let raw: Value = serde_json::from_str(strict.row("SELECT login_raw FROM identities").await["login_raw"].as_str().unwrap()).unwrap();
        assert_eq!((&raw["iss"], &raw["sub"], &raw["aud"]), (&json!(strict.panva.issuer), &json!("alice"), &json!("us")), "{raw}");
        assert!(raw.get("nonce").is_none() && raw.get("exp").is_none() && raw.get("at_hash").is_none(), "another at each login: {raw}");

        let mut changed = alice();
        changed["family_name"] = json!("Moor-Blum");
        changed["email"] = json!("blum@example.org");
        changed["email_verified"] = json!(false);
        changed["groups"] = json!(["emeriti"]);
        strict.panva.set_person("alice", &changed);
        let mut browser = strict.log_in("acme").await;
        let profile = strict.entered(&mut browser).await;
        assert_eq!((&profile["email"], &profile["email_verified"]), (&json!("blum@example.org"), &json!(false)), "{profile}");
        assert_eq!((&profile["groups"], &profile["given_name"]), (&json!(["emeriti"]), &json!("Alice")), "{profile}");
        strict.shows(&Changed {
            user: "oidc|acme|alice", external_id: "alice", attribute: "family_name", before: json!("Moor"),
            now: json!("Moor-Blum"), mapping: "oidc", rule: "family_name",
        }).await;
        let changes = strict.history().await[1]["changes"].clone();
        let mut names: Vec<&String> = changes.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["email", "email_verified", "family_name", "groups"], "and nothing else: {changes}");
    }

    async fn a_login_that_says_the_same_again_writes_no_history(store) {
        let strict = Strict::start(store, &[]).await;
        for logins in 1..=3 {
            let mut browser = strict.log_in("acme").await;
            assert_eq!(strict.entered(&mut browser).await["logins_count"], logins);
        }
        assert_eq!(strict.history().await.len(), 1, "nonce, times and hashes are another at each login, and say nothing of a person");
    }

    async fn what_a_login_may_write_is_the_connections_to_say_and_then_the_rules(store) {
        let strict = Strict::start(store, &["set_user_root_attributes=on_first_login"]).await;
        let mapping = "mapping strict from oidc to profile\nemail = $email\nname = $name with always\nnickname = $preferred_username\n\
            given_name = $given_name with create\nfamily_name = $family_name with on_change\nlocale = $locale with if_empty\n";
        let folder = strict.gateway.folder().join("mappings");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("strict.mapping"), mapping).unwrap();
        strict.set_and_settled("acme", &["mapping=strict"]).await;
        strict.log_in("acme").await;
        let all = |n: u32| {
            let mut claims = alice();
            for name in ["email", "name", "given_name", "family_name", "locale", "preferred_username"] {
                claims[name] = json!(format!("{name} {n}"));
            }
            claims
        };
        strict.panva.set_person("alice", &all(2));
        let mut browser = strict.log_in("acme").await;
        let profile = strict.entered(&mut browser).await;
        for (name, value) in [
            // What the connection says, where the rule has no word.
            ("email", "Alice@example.org"), ("nickname", "alice"),
            ("name", "name 2"), ("given_name", "Alice"), ("family_name", "family_name 2"), ("locale", "en-GB"),
        ] {
            assert_eq!(profile[name], value, "{name} of {profile}");
        }
        let identity = strict.row("SELECT login_mapped FROM identities").await;
        assert!(identity["login_mapped"].to_string().contains("email 2"), "what it said is kept beside: {identity:?}");
        let why = strict.why("oidc|acme|alice", "email");
        assert_eq!((&why["value"], &why["mapped"]), (&json!("Alice@example.org"), &json!("email 2")), "{why}");

        strict.set_and_settled("acme", &["set_user_root_attributes=on_each_login"]).await;
        strict.panva.set_person("alice", &all(3));
        let mut browser = strict.log_in("acme").await;
        let profile = strict.entered(&mut browser).await;
        assert_eq!((&profile["email"], &profile["given_name"]), (&json!("email 3"), &json!("Alice")), "{profile}");
    }

    async fn the_keys_of_the_strict_provider_change_in_the_middle_of_use(store) {
        let strict = Strict::start(store, &[]).await;
        let mut browser = strict.log_in("acme").await;
        strict.entered(&mut browser).await;
        // While somebody is on the way, with the former keys still listed.
        let mut browser = strict.begin("acme").await;
        strict.panva.roll_over(true);
        strict.panva.sign_in(&mut browser, "alice").await;
        strict.entered(&mut browser).await;
        // At once, and the former are gone.
        strict.introduce("other", &json!({}), &[]);
        let mut browser = strict.log_in("other").await;
        strict.entered(&mut browser).await;
        strict.panva.roll_over(false);
        let mut browser = strict.log_in("other").await;
        strict.entered(&mut browser).await;
        // Whoever changes them again in the same minute waits for its end.
        strict.panva.roll_over(false);
        let mut browser = strict.log_in("other").await;
        strict.kept_out(&mut browser, "oidc_unknown_key").await;
    }

    async fn the_strict_provider_signs_with_each_of_its_keys_and_only_allowed_ones_count(store) {
        let strict = Strict::start(store, &[]).await;
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            let (name, algorithms) = (algorithm.to_lowercase(), format!("algorithms={algorithm}"));
            let signed = json!({"id_token_signed_response_alg": algorithm, "userinfo_signed_response_alg": algorithm});
            strict.introduce(&name, &signed, &[&algorithms]);
            let mut browser = strict.log_in(&name).await;
            let profile = strict.entered(&mut browser).await;
            assert_eq!(profile["name"], "Alice Moor", "from a profile that came signed: {profile}");
            let other = format!("{name}-not");
            strict.introduce(&other, &signed, &["algorithms=PS512"]);
            let mut browser = strict.log_in(&other).await;
            strict.kept_out(&mut browser, "oidc_algorithm").await;
        }
    }

    async fn the_strict_provider_takes_a_secret_in_the_form_and_a_client_without_one(store) {
        let posts = json!({"token_endpoint_auth_method": "client_secret_post"});
        let strict = Strict::start_with(store, &posts, &["client_authentication=post"]).await;
        let mut browser = strict.log_in("acme").await;
        strict.entered(&mut browser).await;
        for way in ["post", "basic"] {
            strict.connect(way, "oidc", ("us", "not it"), &[&format!("issuer={}", strict.panva.issuer), &format!("client_authentication={way}")]);
            let mut known = application("us", SECRET, &strict.callback(way));
            known["token_endpoint_auth_method"] = json!(format!("client_secret_{way}"));
            strict.panva.register(&[known]);
            let mut browser = strict.log_in(way).await;
            strict.kept_out(&mut browser, "oidc_exchange_refused").await;
        }
        strict.introduce("public", &json!({"token_endpoint_auth_method": "none", "client_secret": Value::Null}), &["pkce=always"]);
        strict.gateway.cli(&["connection", "update", "public", "--secret", "client_secret="]);
        let mut browser = strict.log_in("public").await;
        strict.entered(&mut browser).await;
    }

    async fn the_strict_provider_says_when_somebody_was_there_and_claims_in_either_place_are_taken(store) {
        let strict = Strict::start(store, &["max_age_seconds=60"]).await;
        strict.panva.tell_in_id_token(true);
        let mut browser = strict.log_in("acme").await;
        assert_eq!(strict.entered(&mut browser).await["family_name"], "Moor");
    }

    async fn somebody_who_does_not_agree_at_the_strict_provider_is_told_so(store) {
        let strict = Strict::start(store, &[]).await;
        let mut browser = strict.begin("acme").await;
        strict.panva.refuse(&mut browser, "alice").await;
        strict.kept_out(&mut browser, "oidc_cancelled").await;
    }

    async fn without_a_challenge_the_strict_provider_signs_nobody_in(store) {
        let strict = Strict::start(store, &["pkce=never"]).await;
        let mut browser = strict.begin("acme").await;
        strict.kept_out(&mut browser, "oidc_provider_error").await;
    }

    async fn the_provider_in_c_makes_the_person_and_the_next_login_brings_what_changed(store) {
        let (site, glewlwyd) = (UpstreamSite::start(store).await, Glewlwyd::start().await);
        glewlwyd.register("us", "secret", &site.callback("acme")).await;
        site.connect("acme", "oidc", ("us", "secret"), &[&format!("issuer={}", glewlwyd.issuer)]);
        let mut browser = site.begin("acme").await;
        glewlwyd.sign_in(&mut browser).await;
        let profile = site.entered(&mut browser).await;
        assert_eq!((&profile["name"], &profile["email"]), (&json!("Alice Moor"), &json!("alice@example.org")), "{profile}");
        assert_eq!(profile["email_verified"], json!(false), "nobody says that it is");
        glewlwyd.rename("Alice Blum", "blum@example.org").await;
        let mut browser = site.begin("acme").await;
        glewlwyd.sign_in(&mut browser).await;
        assert_eq!(site.entered(&mut browser).await["email"], "blum@example.org");
        // By an id that glewlwyd drew.
        let external_id = site.row("SELECT external_id FROM identities").await["external_id"].as_str().unwrap().to_owned();
        site.shows(&Changed {
            user: profile["user_id"].as_str().unwrap(), external_id: &external_id, attribute: "name", before: json!("Alice Moor"),
            now: json!("Alice Blum"), mapping: "oidc", rule: "name",
        }).await;
    }

    async fn the_provider_in_perl_makes_the_person_and_the_next_login_brings_what_changed(store) {
        let site = UpstreamSite::start(store).await;
        let lemonldap = Lemonldap::start(("us", "secret"), &site.callback("acme"));
        site.connect("acme", "oidc", ("us", "secret"), &[&format!("issuer={}", lemonldap.issuer), "max_age_seconds=60"]);
        let mut browser = site.begin("acme").await;
        lemonldap.sign_in(&mut browser).await;
        let profile = site.entered(&mut browser).await;
        for (name, value) in [
            ("user_id", json!("oidc|acme|alice")), ("username", json!("alice")), ("name", json!("Alice Moor")),
            ("email", json!("alice@example.org")), ("email_verified", json!(false)),
        ] {
            assert_eq!(profile[name], value, "{name} of {profile}");
        }
        lemonldap.rename("Alice Blum", "blum@example.org");
        let mut browser = site.begin("acme").await;
        lemonldap.sign_in(&mut browser).await;
        assert_eq!(site.entered(&mut browser).await["email"], "blum@example.org");
        site.shows(&Changed {
            user: "oidc|acme|alice", external_id: "alice", attribute: "name", before: json!("Alice Moor"),
            now: json!("Alice Blum"), mapping: "oidc", rule: "name",
        }).await;
    }
}

/// A gateway and a copy of a service that know each other as `acme`.
pub struct Copied {
    site: UpstreamSite,
    pub emulate: Emulate,
    service: &'static str,
    pub who: &'static str,
}

impl Deref for Copied {
    type Target = UpstreamSite;

    fn deref(&self) -> &UpstreamSite {
        &self.site
    }
}

impl Copied {
    pub async fn start(store: Store, (service, kind): (&'static str, &str), who: &'static str) -> Self {
        let (site, emulate) = (UpstreamSite::start(store).await, Emulate::start());
        emulate.register(service, "us", &site.callback("acme"));
        let base = emulate.base(service);
        let options = match (service, kind) {
            ("github", _) => vec![
                format!("authorization_url={base}/login/oauth/authorize"),
                format!("token_url={base}/login/oauth/access_token"),
                format!("profile_url={base}/user"),
            ],
            ("microsoft", "waad") => vec![format!("issuer={}", emulate.tenant_issuer()), format!("tenant={TENANT}")],
            ("microsoft", _) => vec![format!("issuer={}", emulate.tenant_issuer())],
            ("apple", _) => vec![format!("issuer={base}"), String::from("team_id=TEAM"), String::from("key_id=KEY")],
            _ => vec![format!("issuer={base}")],
        };
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        site.connect("acme", kind, ("us", "secret"), &options);
        if service == "apple" {
            let key = site.secret("client_key", &p256());
            site.gateway.cli(&["connection", "update", "acme", "--secret", &key]);
        }
        Self { site, emulate, service, who }
    }

    pub async fn log_in(&self) -> Value {
        let mut browser = self.begin("acme").await;
        self.emulate.sign_in(&mut browser, self.who).await;
        self.entered(&mut browser).await
    }

    /// The one person says this from now on.
    fn change(&self, name: &str, value: &str) {
        let mut changed = people()[self.service]["users"].clone();
        changed[0][name] = json!(value);
        self.emulate.set_people(self.service, &changed);
    }

    async fn external_id(&self) -> String {
        self.row("SELECT external_id FROM identities").await["external_id"].as_str().unwrap().to_owned()
    }
}

fn p256() -> String {
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = openssl::pkey::PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
    String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap()
}

on_both_gateways! {
    async fn the_copy_of_google_makes_the_person_and_the_next_login_brings_what_changed(store) {
        let google = Copied::start(store, ("google", "google-oauth2"), "mia@corp.example").await;
        let profile = google.log_in().await;
        assert_eq!((&profile["email"], &profile["email_verified"]), (&json!("mia@corp.example"), &json!(true)), "{profile}");
        assert_eq!((&profile["name"], &profile["given_name"]), (&json!("Mia Sol"), &json!("Mia")), "{profile}");
        google.change("family_name", "Sol-Blum");
        google.log_in().await;
        let id = google.external_id().await;
        google.shows(&Changed {
            user: &format!("google-oauth2|acme|{id}"), external_id: &id, attribute: "family_name", before: json!("Sol"),
            now: json!("Sol-Blum"), mapping: "google-oauth2", rule: "family_name",
        }).await;
    }

    async fn the_copy_of_microsoft_makes_the_person_and_never_vouches_for_an_address(store) {
        let microsoft = Copied::start(store, ("microsoft", "waad"), "erin@tenant.example").await;
        let profile = microsoft.log_in().await;
        assert_eq!((&profile["email"], &profile["email_verified"]), (&json!("erin@tenant.example"), &json!(false)), "{profile}");
        microsoft.change("name", "Erin Blum");
        microsoft.log_in().await;
        let id = microsoft.external_id().await;
        // Found by tenant and object, called by the object.
        let oid = id.strip_prefix(&format!("{TENANT}.")).expect("both");
        microsoft.shows(&Changed {
            user: &format!("waad|acme|{oid}"), external_id: &id, attribute: "name", before: json!("Erin Long"),
            now: json!("Erin Blum"), mapping: "waad", rule: "name",
        }).await;
        // Everybody of another tenant stays out, whatever its people are called.
        microsoft.set_and_settled("acme", &["allowed_tenants=1f0c6d2a-0000-4000-8000-000000000002"]).await;
        let mut browser = microsoft.begin("acme").await;
        microsoft.emulate.sign_in(&mut browser, microsoft.who).await;
        microsoft.kept_out(&mut browser, "oidc_tenant").await;
    }

    async fn the_copy_of_microsoft_is_asked_at_graph_too_where_that_is_set(store) {
        let microsoft = Copied::start(store, ("microsoft", "waad"), "erin@tenant.example").await;
        let graph = format!("graph_url={}/v1.0/me", microsoft.emulate.base("microsoft"));
        microsoft.set_and_settled("acme", &[&graph, "scopes=openid profile email User.Read"]).await;
        microsoft.log_in().await;
        let raw = microsoft.row("SELECT login_raw FROM identities").await["login_raw"].clone();
        let raw: Value = serde_json::from_str(raw.as_str().unwrap()).unwrap();
        assert_eq!((&raw["extra"]["graph_me"]["id"], &raw["extra"]["graph_me"]["surname"]), (&raw["oid"], &json!("Long")), "{raw}");
    }

    async fn private_accounts_at_the_copy_of_microsoft_are_known_by_their_subject(store) {
        let microsoft = Copied::start(store, ("microsoft", "windowslive"), "erin@tenant.example").await;
        microsoft.log_in().await;
        microsoft.change("given_name", "E.");
        microsoft.log_in().await;
        let id = microsoft.external_id().await;
        microsoft.shows(&Changed {
            user: &format!("windowslive|acme|{id}"), external_id: &id, attribute: "given_name", before: json!("Erin"),
            now: json!("E."), mapping: "windowslive", rule: "given_name",
        }).await;
    }

    async fn the_copy_of_github_makes_the_person_with_the_address_that_is_told_beside(store) {
        let github = Copied::start(store, ("github", "github"), "balint").await;
        let profile = github.log_in().await;
        assert_eq!((&profile["username"], &profile["name"]), (&json!("balint"), &json!("Balint Sas")), "{profile}");
        assert_eq!((&profile["email"], &profile["email_verified"]), (&json!("b@example.org"), &json!(true)), "{profile}");
        github.change("email", "sas@example.org");
        github.log_in().await;
        let id = github.external_id().await;
        assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
        github.shows(&Changed {
            user: &format!("github|acme|{id}"), external_id: &id, attribute: "email", before: json!("b@example.org"),
            now: json!("sas@example.org"), mapping: "github", rule: "email",
        }).await;
    }

    async fn the_copy_of_apple_posts_its_answer_and_tells_the_name_once(store) {
        let apple = Copied::start(store, ("apple", "apple"), "dora@example.org").await;
        let profile = apple.log_in().await;
        assert_eq!((&profile["name"], &profile["given_name"]), (&json!("Dora Nagy"), &json!("Dora")), "{profile}");
        assert_eq!(profile["email_verified"], json!(true), "a text at Apple");
        let doc = apple.row("SELECT doc FROM users").await["doc"].clone();
        assert_eq!(doc["app_metadata"]["is_relayed_email"], json!(true), "{doc}");
        // The name does not come again, and stays.
        let mut browser = apple.begin("acme").await;
        let posted = browser.submit_until(&chosen(browser.page(), apple.who), "code").await;
        assert!(posted.field("user").is_none() && posted.is_post, "{posted:?}");
        browser.submit(&posted).await;
        let again = apple.entered(&mut browser).await;
        assert_eq!((&again["name"], &again["user_id"]), (&json!("Dora Nagy"), &profile["user_id"]), "{again}");
        assert_eq!(apple.row("SELECT external_id FROM identities").await["external_id"], profile["user_id"].as_str().unwrap()["apple|acme|".len()..]);
    }

    async fn the_same_account_through_another_connection_is_another_person(store) {
        let google = Copied::start(store, ("google", "google-oauth2"), "mia@corp.example").await;
        google.log_in().await;
        // The same account through another connection: another identity and, with e-mail matching off, another person.
        google.emulate.register("google", "us", &google.callback("beside"));
        google.connect("beside", "google-oauth2", ("us", "secret"), &[&format!("issuer={}", google.emulate.base("google"))]);
        settled().await;
        let mut browser = google.begin("beside").await;
        google.emulate.sign_in(&mut browser, google.who).await;
        let profile = google.entered(&mut browser).await;
        assert!(profile["user_id"].as_str().unwrap().starts_with("google-oauth2|beside|"), "{profile}");
        assert_eq!(google.rows("SELECT user_id FROM users").await.len(), 2);
    }
}
