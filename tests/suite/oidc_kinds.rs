//! A whole login by each kind of account, on both stores: what a fixture of `fixtures/oidc` says of a person comes from a provider, the
//! mapping that comes with the program makes the profile, the next login brings what changed, and one by a connection that owns the
//! roots no longer brings nothing. What each fixture has to give is its own `mapped`; here is what it takes to be such a provider.

use crate::support::bad_provider::{BadProvider, CLIENT_ID, CLIENT_SECRET, object};
use crate::support::caller::on_both_gateways;
use crate::support::saml_site::SamlSite;
use serde_json::{Map, Value, json};
use std::path::Path;

/// What of an ID token is the provider's own, and not the fixture's.
const OWN: [&str; 9] = ["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "auth_time"];

struct Kind {
    name: &'static str,
    fixture: &'static str,
    /// Whom the connection knows the person by; `None`: what the mapping calls them.
    known_by: Option<&'static str>,
    /// Where in what is said, and to what, it changes; and which attribute that is.
    change: (&'static str, &'static str, &'static str),
}

const KINDS: [Kind; 15] = [
    kind("google-oauth2", "workspace", None, ("/given_name", "Mia Anna", "given_name")),
    kind(
        "waad",
        "id-token",
        Some("1f0c6d2a-0000-4000-8000-000000000001.7b9b2d1e-0000-4000-8000-000000000002"),
        ("/name", "Erin Short", "name"),
    ),
    kind("windowslive", "id-token", Some("AAAAAAAAAAAAAAAAAAAAAHMZ"), ("/name", "Ivo Ten", "name")),
    kind("github", "private-address", None, ("/name", "Balint B", "name")),
    kind("gitlab", "userinfo", None, ("/name", "Gil Be", "name")),
    kind("facebook", "me", None, ("/last_name", "Volume", "family_name")),
    kind("linkedin", "userinfo", None, ("/family_name", "Ked-In", "family_name")),
    kind("apple", "later", None, ("/email", "dora@y.example", "email")),
    kind("twitter", "users-me", None, ("/data/name", "Tia Wet", "name")),
    kind("slack", "userinfo", None, ("/given_name", "Slate", "given_name")),
    kind("discord", "users-me", None, ("/global_name", "Nell", "name")),
    kind("amazon", "profile", None, ("/name", "Ama Zone", "name")),
    kind("salesforce", "userinfo", None, ("/family_name", "Farce", "family_name")),
    kind("oidc", "standard", None, ("/family_name", "Roe", "family_name")),
    kind("oauth2", "profile", None, ("/last_name", "Li", "family_name")),
];

const fn kind(
    name: &'static str,
    fixture: &'static str,
    known_by: Option<&'static str>,
    change: (&'static str, &'static str, &'static str),
) -> Kind {
    Kind { name, fixture, known_by, change }
}

/// One kind at a gateway: its provider, and what is said of the person.
struct Account<'a> {
    site: &'a SamlSite,
    kind: &'static Kind,
    provider: BadProvider,
    raw: Value,
    mapped: Map<String, Value>,
}

impl<'a> Account<'a> {
    async fn connect(site: &'a SamlSite, kind: &'static Kind) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/oidc/{}/{}.json", kind.name, kind.fixture));
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("a fixture")).expect("JSON");
        let provider = BadProvider::start().await;
        let account = Self { site, kind, raw: recorded["raw"].clone(), mapped: object(recorded["mapped"].clone()), provider };
        account.is_such_a_provider();
        let url = &account.provider.url;
        let mut options = vec![String::from("allow_plaintext=true"), format!("client_id={CLIENT_ID}")];
        options.extend(match kind.name {
            "waad" => vec![format!("issuer={url}/organizations/v2.0"), String::from("allowed_tenants=*")],
            "github" | "facebook" | "twitter" | "discord" | "amazon" | "oauth2" => {
                let at = |option: &str, path: &str| format!("{option}={url}/{path}");
                vec![at("authorization_url", "authorize"), at("token_url", "token"), at("profile_url", "userinfo")]
            }
            _ => vec![format!("issuer={url}")],
        });
        match kind.name {
            "apple" => options.extend([String::from("team_id=TEAM"), String::from("key_id=KEY")]),
            "oauth2" => options.push(String::from("user_id_path=id")),
            _ => {}
        }
        let secret = match kind.name {
            "apple" => format!("client_key=file:{}", account.file("AuthKey.p8", &p256())),
            _ => format!("client_secret=file:{}", account.file("secret", CLIENT_SECRET)),
        };
        let name = account.name();
        let mut line = vec!["connection", "create", &name, "--kind", kind.name, "--secret", &secret];
        options.iter().for_each(|option| line.extend(["--set", option]));
        site.gateway.cli(&line);
        account
    }

    /// What the connection is called: not like its kind, which would be no part of ids then.
    fn name(&self) -> String {
        format!("at-{}", self.kind.name)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.site.gateway.folder().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    }

    /// What the kind has in its own way.
    fn is_such_a_provider(&self) {
        let url = self.provider.url.clone();
        self.provider.act(|act| match self.kind.name {
            "waad" => {
                act.document.insert(String::from("issuer"), format!("{url}/{{tenantid}}/v2.0").into());
                act.document.insert(String::from("authorization_response_iss_parameter_supported"), false.into());
            }
            "apple" => {
                act.document.shift_remove("userinfo_endpoint");
                act.takes_any_secret = true;
            }
            _ => {}
        });
        self.says(&self.raw);
    }

    fn says(&self, raw: &Value) {
        let mut said = object(raw.clone());
        let extra = said.shift_remove("extra").unwrap_or_default();
        for name in OWN {
            said.shift_remove(name);
        }
        let url = self.provider.url.clone();
        self.provider.act(|act| {
            act.profile = Value::Object(said.clone());
            act.emails = extra["emails"].clone();
            act.claims = said.clone();
            match self.kind.name {
                "waad" => {
                    _ = act
                        .claims
                        .insert(String::from("iss"), format!("{url}/{}/v2.0", raw["tid"].as_str().expect("a tenant")).into());
                }
                // Repeats none.
                "linkedin" => _ = act.claims.insert(String::from("nonce"), Value::Null),
                _ => {}
            }
        });
    }

    /// Somebody signs in; what `/session` shows of them.
    async fn log_in(&self) -> Value {
        let mut browser = self.site.browser();
        let begun = browser.send("GET", &format!("/login/{}", self.name()), None).await;
        let address = begun.header("location").unwrap_or_else(|| panic!("{}: {}", self.kind.name, begun.text)).to_owned();
        let answer = browser.send("GET", &self.provider.authorize(&address), None).await;
        assert_eq!(answer.status, 303, "{}: {}", self.kind.name, answer.text);
        browser.session().await.json()
    }

    /// The root attributes are what the fixture says they become.
    fn is_as_recorded(&self, session: &Value) {
        for (name, value) in self.mapped.iter().filter(|(name, _)| !name.contains('.')) {
            let expected = if name == "user_id" {
                json!(format!("{}|{}|{}", self.kind.name, self.name(), value.as_str().expect("an id")))
            } else {
                value.clone()
            };
            assert_eq!(session[name], expected, "{}: {name} of {session}", self.kind.name);
        }
    }

    fn changed(&self, to: &str) -> Value {
        let mut changed = self.raw.clone();
        *changed.pointer_mut(self.kind.change.0).expect("it stands there") = to.into();
        changed
    }

    async fn of_the_person(&self, sql: &str) -> Vec<Map<String, Value>> {
        let whose = format!(
            "SELECT i.id FROM identities i JOIN connections c ON c.id = i.connection_id WHERE c.name = '{}'",
            self.name()
        );
        let rows = self.site.rows(&whose).await;
        assert_eq!(rows.len(), 1, "{}: one person, however often they sign in", self.kind.name);
        self.site.rows(&sql.replace("$id", rows[0]["id"].as_str().expect("an id"))).await
    }
}

fn p256() -> String {
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).expect("a curve");
    let key = openssl::pkey::PKey::from_ec_key(openssl::ec::EcKey::generate(&group).expect("a key")).expect("a key");
    String::from_utf8(key.private_key_to_pem_pkcs8().expect("PEM")).expect("text")
}

on_both_gateways! {
    async fn each_kind_makes_its_person_brings_what_changed_and_keeps_to_the_policy(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        let mut accounts = Vec::new();
        for kind in &KINDS {
            let account = Account::connect(&site, kind).await;
            account.is_as_recorded(&account.log_in().await);
            let known = account.of_the_person("SELECT external_id FROM identities WHERE id = '$id'").await;
            let called = account.mapped["user_id"].as_str().expect("an id");
            assert_eq!(known[0]["external_id"], kind.known_by.unwrap_or(called), "{}", kind.name);

            let (_, to, attribute) = kind.change;
            account.says(&account.changed(to));
            let session = account.log_in().await;
            assert_eq!((&session[attribute], &session["logins_count"]), (&json!(to), &json!(2)), "{}: {session}", kind.name);
            let history = account.of_the_person("SELECT changes FROM history WHERE identity_id = '$id' ORDER BY id").await;
            assert_eq!(history.len(), 2, "{}: {history:?}", kind.name);
            let was = &history[1]["changes"][attribute];
            assert_eq!(was["before"], account.mapped[attribute], "{}: {history:?}", kind.name);
            assert_eq!((&was["by"]["mapping"], &was["by"]["event"]), (&json!(kind.name), &json!("login")), "{}", kind.name);
            site.gateway.cli(&["connection", "update", &account.name(), "--set", "set_user_root_attributes=on_first_login"]);
            accounts.push(account);
        }
        // In force everywhere within two seconds.
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        for account in &accounts {
            let (_, to, attribute) = account.kind.change;
            account.says(&account.changed("x@somebody.example"));
            let session = account.log_in().await;
            assert_eq!((&session[attribute], &session["logins_count"]), (&json!(to), &json!(3)), "{}: {session}", account.kind.name);
        }
    }
}
