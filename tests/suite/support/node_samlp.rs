//! An identity provider of npm's samlp (`tests/idp/node-samlp`), which Auth0 runs on. It asks nobody for a password: its
//! settings say who signs in, and they can be changed while it runs. Its attributes are named as Entra ID's and AD FS's.

use super::federation::fetched;
use super::served::{HOST, Served, Settings, address, free_port, key_pair, program, target};
use super::simplesamlphp::EMAIL;
use serde_json::{Value, json};
use tempfile::TempDir;

pub struct NodeSamlp {
    /// Goes first: what it printed lies in the folder.
    _served: Served,
    pub base: String,
    folder: TempDir,
    settings: Settings,
}

impl NodeSamlp {
    /// Signs [`dave`] in, whose NameID is his mail address. The assertion is signed, the Response is not.
    ///
    /// # Panics
    /// If it is not installed, or does not come up.
    pub fn start() -> Self {
        let modules = target().join("idp/node-samlp");
        assert!(modules.join("installed.json").exists(), "samlp is not installed: scripts/identity-providers.sh");
        let folder = tempfile::Builder::new().prefix("rosterd-samlp-").tempdir().expect("a temporary folder");
        let path = folder.path();
        key_pair(path, "idp");
        let settings = json!({
            "name_id": "dave@example.org", "name_id_format": EMAIL, "attributes": dave(), "acs": null,
            "sign_response": false, "sign_assertion": true, "check_requests": false, "logout_binding": "redirect",
            "encrypt": false, "gateway": {}, "cipher": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        });
        let settings = Settings::new(path, settings);
        let port = free_port();
        let command = [
            "node".into(),
            program("node-samlp/idp.js").into_os_string(),
            path.as_os_str().to_owned(),
            port.to_string().into(),
            modules.into_os_string(),
        ];
        let served = Served::start("node-samlp", path, &command, &[], address(port));
        Self { base: format!("http://{HOST}:{port}"), folder, settings, _served: served }
    }

    pub fn entity_id(&self) -> String {
        self.metadata_url()
    }

    pub fn metadata_url(&self) -> String {
        format!("{}/metadata", self.base)
    }

    /// Where a login at the gateway of this entity id begins, if it begins here.
    pub fn unsolicited(&self, sp_entity_id: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("sp", sp_entity_id).finish();
        format!("{}/unsolicited?{query}", self.base)
    }

    /// Where somebody signs out of it, and so of every session that [`Self::sessions`] counts.
    pub fn sign_out(&self) -> String {
        format!("{}/sign_out", self.base)
    }

    /// The sessions it knows of.
    pub async fn sessions(&self) -> usize {
        let page = fetched(&format!("{}/sessions", self.base)).await;
        serde_json::from_str::<Vec<Value>>(&page).expect("a list").len()
    }

    /// It reads no metadata: of a gateway's, these are its name, where assertions and logouts go, and the certificates to check
    /// and to encrypt with.
    pub fn trust(&self, sp_metadata: &str) {
        let location = |service: &str| after(sp_metadata, service).and_then(|rest| between(rest, "Location=\"", "\""));
        let certificate = |purpose: &str| {
            let key = after(sp_metadata, &format!("use=\"{purpose}\""))?;
            let text = between(key, "X509Certificate>", "<")?;
            Some(format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"))
        };
        let gateway = json!({
            "entity_id": between(sp_metadata, "entityID=\"", "\""), "slo": location("SingleLogoutService"),
            "signing": certificate("signing"), "encryption": certificate("encryption"),
        });
        self.set(json!({"acs": location("AssertionConsumerService"), "gateway": gateway}));
    }

    pub fn set(&self, changes: Value) {
        self.settings.change(None, changes);
    }

    /// Signs with another key from now on, without a word before; its metadata lists the former certificate beside the new one.
    pub fn roll_over(&self) {
        let file = |name: &str| self.folder.path().join(name);
        std::fs::rename(file("idp.pem"), file("former.pem")).expect("renamed");
        key_pair(self.folder.path(), "idp");
    }
}

fn after<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    after(text, from)?.split_once(to).map(|(found, _)| found)
}

/// As Entra ID would say it.
pub fn dave() -> Value {
    let claim = |name: &str| format!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/{name}");
    json!({
        claim("givenname"): "Dave", claim("surname"): "Grohl", claim("emailaddress"): "dave@example.org", claim("name"): "dave@example.org",
        "http://schemas.microsoft.com/identity/claims/displayname": "Dave Grohl",
        "http://schemas.microsoft.com/identity/claims/objectidentifier": "0f6e4a2c-0000-4000-8000-00000000da7e",
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups": ["staff", "admins"],
    })
}
