//! A strict OpenID provider, npm's oidc-provider (`tests/idp/panva`): PKCE is required, the way back has to be registered, it says who it is
//! in its answers (RFC 9207) and changes refresh tokens at each use. People sign in on its pages, with any password, and agree to what
//! is asked for. Who they are, who may ask and its keys can be changed while it runs.

use super::browser::Browser;
use super::page::{Form, Page};
use super::served::{HOST, Served, Settings, address, free_port, program, target};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

pub struct Panva {
    /// Goes first: what it printed lies in the folder.
    _served: Served,
    pub issuer: String,
    _folder: TempDir,
    settings: Settings,
    keys: AtomicU64,
}

impl Panva {
    /// Knows [`alice`] and no applications. Claims are in the userinfo alone, as the standard has it.
    ///
    /// # Panics
    /// If it is not installed, or does not come up.
    pub fn start() -> Self {
        let modules = target().join("idp/panva");
        assert!(modules.join("installed.json").exists(), "oidc-provider is not installed: scripts/identity-providers.sh");
        let folder = tempfile::Builder::new().prefix("rosterd-panva-").tempdir().expect("a temporary folder");
        let path = folder.path();
        let settings = json!({"clients": [], "people": {"alice": alice()}, "keys": 0, "forgets_keys": false, "in_id_token": false,
                "sessions_age": 0});
        let settings = Settings::new(path, settings);
        let port = free_port();
        let command = [
            "node".into(),
            program("panva/idp.mjs").into_os_string(),
            path.as_os_str().to_owned(),
            port.to_string().into(),
            modules.into_os_string(),
        ];
        let served = Served::start("panva", path, &command, &[], address(port));
        Self { issuer: format!("http://{HOST}:{port}"), _folder: folder, settings, keys: AtomicU64::new(0), _served: served }
    }

    /// Replaces whoever may ask; [`application`] makes one.
    pub fn register(&self, applications: &[Value]) {
        self.settings.change(None, json!({"clients": applications}));
    }

    /// What somebody's claims are from now on; who is new here can sign in.
    pub fn set_person(&self, name: &str, claims: &Value) {
        self.settings.change(Some("people"), json!({name: claims}));
    }

    /// Whether claims are in the ID token too.
    pub fn tell_in_id_token(&self, is_in: bool) {
        self.settings.change(None, json!({"in_id_token": is_in}));
    }

    /// Whoever has a session there got it so many seconds ago, at the latest.
    pub fn age_sessions(&self, seconds: u32) {
        self.settings.change(None, json!({"sessions_age": seconds}));
    }

    /// Signs with other keys from now on, and lists the former beside them, or not.
    pub fn roll_over(&self, lists_former: bool) {
        let keys = self.keys.fetch_add(1, Ordering::Relaxed) + 1;
        self.settings.change(None, json!({"keys": keys, "forgets_keys": !lists_former}));
    }

    /// Of a browser that was sent here: signs in where it is asked to, agrees where it is asked to, and goes on to where that ends.
    pub async fn sign_in(&self, browser: &mut Browser, name: &str) -> Page {
        while let Some(form) = self.asked(browser.page(), name) {
            browser.submit(&form).await;
        }
        browser.page().clone()
    }

    /// [`Self::sign_in`], without agreeing.
    pub async fn refuse(&self, browser: &mut Browser, name: &str) -> Page {
        let form = self.asked(browser.page(), name).expect("a form to sign in");
        browser.submit(&form).await;
        let interaction = browser.page().url.clone();
        browser.open(&format!("{interaction}/abort")).await.clone()
    }

    fn asked(&self, page: &Page, name: &str) -> Option<Form> {
        let is_here = page.url.as_str().starts_with(&format!("{}/interaction/", self.issuer));
        let form = is_here.then(|| page.form_with("prompt"))?;
        Some(if form.field("prompt") == Some("login") { form.filled(&[("login", name), ("password", "any")]) } else { form })
    }
}

/// An application with a secret that it tells by `client_secret_basic`, for [`Panva::register`]. More metadata may be put into it.
pub fn application(client_id: &str, client_secret: &str, redirect_uri: &str) -> Value {
    json!({
        "client_id": client_id, "client_secret": client_secret, "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
    })
}

pub fn alice() -> Value {
    json!({
        "name": "Alice Moor", "given_name": "Alice", "family_name": "Moor", "preferred_username": "alice",
        "email": "Alice@example.org", "email_verified": true, "locale": "en-GB", "zoneinfo": "Europe/London",
        "groups": ["eng", "ops"],
    })
}
