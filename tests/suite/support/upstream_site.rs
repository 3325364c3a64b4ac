//! A gateway at a public address with connections to real providers by OAuth and OpenID Connect, browsers that go the whole way, and
//! what a login left behind.

use super::browser::Browser;
use super::federation::Federation;
use super::gateway::Store;
use serde_json::{Map, Value};
use std::ops::Deref;
use std::time::Duration;

pub struct UpstreamSite(Federation);

impl Deref for UpstreamSite {
    type Target = Federation;

    fn deref(&self) -> &Federation {
        &self.0
    }
}

impl UpstreamSite {
    pub async fn start(store: Store) -> Self {
        Self(Federation::start(store).await)
    }

    /// A connection to a provider on this machine, with the mapping of its kind.
    pub fn connect(&self, name: &str, kind: &str, (client_id, secret): (&str, &str), options: &[&str]) {
        let (client, secret) = (format!("client_id={client_id}"), self.secret("client_secret", secret));
        let mut line = vec!["connection", "create", name, "--kind", kind, "--secret", &secret, "--set", &client];
        line.extend(["--set", "allow_plaintext=true"]);
        options.iter().for_each(|option| line.extend(["--set", option]));
        self.gateway.cli(&line);
    }

    /// What `--secret` takes for it.
    pub fn secret(&self, option: &str, text: &str) -> String {
        let file = self.gateway.folder().join(option);
        std::fs::write(&file, text).expect("written");
        format!("{option}=file:{}", file.display())
    }

    /// What has to be registered at the provider.
    pub fn callback(&self, name: &str) -> String {
        format!("{}/login/callback/{name}", self.public_url)
    }

    /// A new browser, where the provider asks somebody to sign in.
    pub async fn begin(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        browser.open(&self.login(name)).await;
        browser
    }

    /// The profile of whoever was signed in by this browser; the login ended where logins end.
    pub async fn entered(&self, browser: &mut Browser) -> Value {
        let page = browser.page();
        assert_eq!(page.url.as_str(), format!("{}/session", self.public_url), "{} {}", page.status, page.text);
        self.profile(browser).await
    }

    /// Nobody was signed in by this browser, by this code, and the administrator is told.
    pub async fn kept_out(&self, browser: &mut Browser, code: &str) {
        let page = browser.page();
        assert!(matches!(page.status, 403 | 503) && page.text.contains(code), "{} {}", page.status, page.text);
        assert_eq!(self.session(browser).await.status, 401, "{code}");
        assert_eq!(self.reasons().await.last().map(String::as_str), Some(code));
    }

    /// Why an attribute has its value.
    pub fn why(&self, user: &str, attribute: &str) -> Value {
        let printed = self.gateway.cli(&["users", "why", user, attribute, "--json"]);
        let mut reasons: Value = serde_json::from_str(&printed).expect("JSON");
        reasons[0].take()
    }

    /// The one row there is.
    pub async fn row(&self, sql: &str) -> Map<String, Value> {
        let mut rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.remove(0)
    }

    /// Events of the one person there is, in order, each with what it changed.
    pub async fn history(&self) -> Vec<Map<String, Value>> {
        self.rows("SELECT event, actor, mapping, mapping_version, changes FROM history ORDER BY id").await
    }

    pub async fn set_and_settled(&self, name: &str, options: &[&str]) {
        self.set(name, options);
        settled().await;
    }
}

/// What an administrator changed is in force everywhere within two seconds.
pub async fn settled() {
    tokio::time::sleep(Duration::from_millis(2_100)).await;
}

/// First and second login of one person with changed data: the same profile by the same identity, the value of the second, and a
/// history that has the one before and by which line of which mapping it came.
pub struct Changed<'a> {
    pub user: &'a str,
    pub external_id: &'a str,
    pub attribute: &'a str,
    pub before: Value,
    pub now: Value,
    pub mapping: &'a str,
    /// What the line of the mapping begins with.
    pub rule: &'a str,
}

impl UpstreamSite {
    pub async fn shows(&self, changed: &Changed<'_>) {
        let identity = self.row("SELECT external_id, last_source, login_mapped, login_mapping, state FROM identities").await;
        assert_eq!(identity["external_id"], changed.external_id, "{identity:?}");
        assert_eq!((&identity["last_source"], &identity["state"]), (&"login".into(), &"active".into()), "{identity:?}");
        assert_eq!(identity["login_mapping"], changed.mapping, "{identity:?}");
        let user = self.row("SELECT user_id, logins_count, doc FROM users").await;
        assert_eq!((&user["user_id"], &user["doc"][changed.attribute]), (&changed.user.into(), &changed.now), "{user:?}");
        assert_eq!(user["logins_count"], 2, "{user:?}");

        let history = self.history().await;
        assert_eq!(history.len(), 2, "one event for each login that changed something: {history:?}");
        for event in &history {
            assert_eq!((&event["event"], &event["actor"]), (&"login".into(), &"login".into()), "{event:?}");
            assert_eq!(event["mapping"], changed.mapping, "{event:?}");
        }
        let made = history[0]["changes"]["created"].as_array().expect("names");
        assert!(made.contains(&changed.attribute.into()), "{history:?}");
        let change = &history[1]["changes"][changed.attribute];
        assert_eq!(change["before"], changed.before, "{history:?}");

        let why = self.why(changed.user, changed.attribute);
        assert_eq!((&why["value"], &why["mapped"]), (&changed.now, &changed.now), "{why}");
        assert_eq!((&why["event"], &why["mapping"]), (&"login".into(), &changed.mapping.into()), "{why}");
        let rule = why["rule"].as_str().expect("the line of the mapping");
        assert!(rule.starts_with(changed.rule), "{rule}");
        let older = why["history"].as_array().expect("events");
        assert_eq!((older.len(), &older[0]["before"]), (2, &changed.before), "{why}");
    }
}
