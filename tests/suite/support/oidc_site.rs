//! A gateway with a connection `acme` to the suite's own provider, and browsers in front of it that follow nothing by
//! themselves.

use super::bad_provider::{BadProvider, CLIENT_ID, CLIENT_SECRET};
use super::gateway::{Answer, Store};
use super::saml_site::{Browser, SamlSite};

/// What the mapping of `acme` makes of a login.
const MAPPING: &str = "email = $email\nemail_verified = bool?($email_verified) ?? false\nname = $name\n\
    blocked = $employment == \"gone\"\n";

pub struct OidcSite {
    pub site: SamlSite,
    pub provider: BadProvider,
}

impl OidcSite {
    /// With `acme` of kind `oidc`.
    pub async fn start(store: Store, options: &[&str]) -> Self {
        let made = Self::without_connection(store, &[]).await;
        let issuer = format!("issuer={}", made.provider.url);
        let mut all = vec![issuer.as_str()];
        all.extend(options);
        made.connect("acme", "oidc", &all);
        made
    }

    /// With `acme` of a kind that publishes nothing about itself: its three addresses are the provider's.
    pub async fn of_oauth(store: Store, kind: &str, options: &[&str]) -> Self {
        let made = Self::without_connection(store, &[]).await;
        let at = |option: &str, path: &str| format!("{option}={}/{path}", made.provider.url);
        let addresses = [at("authorization_url", "authorize"), at("token_url", "token"), at("profile_url", "userinfo")];
        let mut all: Vec<&str> = addresses.iter().map(String::as_str).collect();
        all.extend(options);
        made.connect("acme", kind, &all);
        made
    }

    pub async fn without_connection(store: Store, settings: &[(&str, &str)]) -> Self {
        let site = SamlSite::without_connection(store, settings).await;
        let folder = site.gateway.folder();
        for from in ["oidc", "oauth"] {
            let text = format!("mapping people-{from} from {from} to profile\nattrs {{ extra: json }}\n{MAPPING}");
            std::fs::write(folder.join(format!("mappings/people-{from}.mapping")), text).expect("written");
        }
        std::fs::write(folder.join("secret"), CLIENT_SECRET).expect("written");
        Self { site, provider: BadProvider::start().await }
    }

    pub fn connect(&self, name: &str, kind: &str, options: &[&str]) {
        let is_oauth = ["github", "facebook", "twitter", "discord", "amazon", "oauth2"].contains(&kind);
        let mapping = if is_oauth { "people-oauth" } else { "people-oidc" };
        let secret = format!("client_secret=file:{}", self.site.gateway.folder().join("secret").display());
        let client = format!("client_id={CLIENT_ID}");
        let mut line = vec!["connection", "create", name, "--kind", kind, "--mapping", mapping, "--secret", &secret];
        line.extend(["--set", &client]);
        if !options.contains(&"allow_plaintext=false") {
            line.extend(["--set", "allow_plaintext=true"]);
        }
        options.iter().for_each(|option| line.extend(["--set", option]));
        self.site.gateway.cli(&line);
    }

    pub fn browser(&self) -> Browser<'_> {
        self.site.browser()
    }

    /// Begins a login; where the browser is sent.
    pub async fn begin(&self, browser: &mut Browser<'_>, path: &str) -> String {
        let answer = browser.send("GET", path, None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let location = answer.header("location").expect("somewhere to go").to_owned();
        assert!(location.starts_with(&self.provider.url), "{location}");
        location
    }

    /// Goes through a login in this browser; what the gateway says of the answer.
    pub async fn log_in(&self, browser: &mut Browser<'_>) -> Answer {
        let address = self.begin(browser, "/login/acme").await;
        let back = self.provider.authorize(&address);
        browser.send("GET", &back, None).await
    }

    /// A login that has to be refused, by this code; nobody is signed in by it, and the administrator is told.
    pub async fn refused(&self, code: &str) {
        let mut browser = self.browser();
        let answer = self.log_in(&mut browser).await;
        assert!(matches!(answer.status, 403 | 503), "{code}: {} {}", answer.status, answer.text);
        assert!(answer.text.contains(code), "{code}: {}", answer.text);
        assert_eq!(browser.session().await.status, 401, "{code}");
        assert_eq!(self.site.reasons().await.last().map(String::as_str), Some(code));
    }
}
