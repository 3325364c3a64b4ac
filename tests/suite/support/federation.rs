//! A gateway at a public address of its own, `https://id.example.test`, with SAML connections to real identity providers, and
//! browsers on their way between the two.

use super::browser::Browser;
use super::gateway::{Gateway, Store};
use super::page::Page;
use super::rows::Database;
use super::slapd::{PASSWORD, SUFFIX, SYNC, Slapd};
use serde_json::{Map, Value};

pub const PUBLIC_URL: &str = "https://id.example.test";

pub struct Federation {
    pub gateway: Gateway,
    /// What the gateway takes for its address.
    pub public_url: String,
}

impl Federation {
    pub async fn start(store: Store) -> Self {
        Self::start_with(store, &[]).await
    }

    /// [`Self::start`] with more settings.
    pub async fn start_with(store: Store, settings: &[(&str, &str)]) -> Self {
        let settings = [&[("server.public_url", PUBLIC_URL)], settings].concat();
        Self { gateway: Gateway::start_with(store, &settings).await, public_url: PUBLIC_URL.to_owned() }
    }

    /// At the address it listens on, which a browser of somebody else can reach.
    pub async fn start_in_the_open(store: Store) -> Self {
        let gateway = Gateway::start(store).await;
        let public_url = gateway.base_url().to_owned();
        Self { gateway, public_url }
    }

    /// A connection to whom `metadata` describes, as a file; its id.
    pub fn connect(&self, name: &str, mapping: &str, metadata: &str, options: &[&str]) -> String {
        let file = self.gateway.folder().join(format!("{name}.xml"));
        std::fs::write(&file, metadata).expect("written");
        let file = format!("metadata_file={}", file.display());
        self.create(name, mapping, &[&[file.as_str()], options].concat())
    }

    /// The same, but the gateway fetches the metadata by itself; its id.
    pub fn connect_by_url(&self, name: &str, mapping: &str, url: &str, options: &[&str]) -> String {
        let url = format!("metadata_url={url}");
        self.create(name, mapping, &[&[url.as_str(), "allow_plaintext=true"], options].concat())
    }

    fn create(&self, name: &str, mapping: &str, options: &[&str]) -> String {
        let mut line = vec!["connection", "create", name, "--kind", "samlp", "--mapping", mapping, "--json"];
        options.iter().for_each(|option| line.extend(["--set", option]));
        let made: Value = serde_json::from_str(&self.gateway.cli(&line)).expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    }

    /// A connection to a directory, whose people sign in with the password they have there.
    pub fn connect_directory(&self, name: &str, slapd: &Slapd) {
        std::fs::write(self.gateway.folder().join("bind-password"), PASSWORD).expect("written");
        let options = [
            String::from("server=openldap"),
            format!("url={}", slapd.ldaps()),
            format!("ca_file={}", slapd.ca().display()),
            format!("bind_dn={SYNC}"),
            format!("user_base=ou=people,{SUFFIX}"),
        ];
        let mut line = vec!["connection", "create", name, "--kind", "ldap", "--secret", "bind_password=file:bind-password"];
        options.iter().for_each(|option| line.extend(["--set", option]));
        self.gateway.cli(&line);
    }

    pub fn set(&self, name: &str, options: &[&str]) {
        let mut line = vec!["connection", "update", name];
        options.iter().for_each(|option| line.extend(["--set", option]));
        self.gateway.cli(&line);
    }

    /// What an administrator takes over to the identity provider.
    pub async fn metadata_of(&self, name: &str) -> String {
        let mut browser = self.browser();
        let page = browser.open(&format!("{}/saml/{name}/metadata", self.public_url)).await;
        assert_eq!(page.status, 200, "{page:?}");
        page.text.clone()
    }

    pub fn entity_id(&self, name: &str) -> String {
        format!("{}/saml/{name}/metadata", self.public_url)
    }

    pub fn login(&self, name: &str) -> String {
        format!("{}/login/{name}", self.public_url)
    }

    pub fn acs(&self, name: &str) -> String {
        format!("{}/saml/{name}/acs", self.public_url)
    }

    pub fn browser(&self) -> Browser {
        let mut browser = Browser::new();
        browser.route(&self.public_url, self.gateway.base_url());
        browser
    }

    /// `GET /session` of somebody.
    pub async fn session(&self, browser: &mut Browser) -> Page {
        browser.fetch("GET", &format!("{}/session", self.public_url)).await
    }

    /// The profile of somebody who is signed in.
    pub async fn profile(&self, browser: &mut Browser) -> Value {
        let page = self.session(browser).await;
        assert_eq!(page.status, 200, "{} after {:?}", page.text, self.reasons().await);
        page.json()
    }

    pub async fn rows(&self, sql: &str) -> Vec<Map<String, Value>> {
        Database::open(self.gateway.database_url()).await.rows(sql).await
    }

    /// Why logins were refused, in order.
    pub async fn reasons(&self) -> Vec<String> {
        let rows = self.rows("SELECT detail FROM log WHERE kind = 'login' AND outcome = 'refused' ORDER BY id").await;
        let reason = |row: &Map<String, Value>| {
            let detail: Value = serde_json::from_str(row["detail"].as_str().expect("a detail")).expect("JSON");
            detail["reason"].as_str().expect("a reason").to_owned()
        };
        rows.iter().map(reason).collect()
    }
}

/// The body of an address that is no gateway's: metadata, mostly.
pub async fn fetched(url: &str) -> String {
    let mut browser = Browser::new();
    let page = browser.open(url).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.text.clone()
}
