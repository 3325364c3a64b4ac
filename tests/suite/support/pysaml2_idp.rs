//! An identity provider of pysaml2 (`tests/idp/pysaml2`) that asks nobody for a password: its settings say who signs in, under
//! which NameID and attributes, and what is signed and encrypted. They can be changed while it runs.

use super::federation::fetched;
use super::served::{HOST, Served, Settings, address, free_port, key_pair, program};
use super::simplesamlphp::PERSISTENT;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

pub struct Pysaml2Idp {
    /// Goes first: what it printed lies in the folder.
    _served: Served,
    pub base: String,
    folder: TempDir,
    settings: Settings,
}

impl Pysaml2Idp {
    /// Signs [`carol`] in, whose NameID is a persistent one. The assertion is signed, the Response is not.
    ///
    /// # Panics
    /// If it is not installed, or does not come up.
    pub fn start() -> Self {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
        assert!(python.exists(), "pysaml2 is not installed: scripts/venv.sh");
        let folder = tempfile::Builder::new().prefix("rosterd-pysaml2-").tempdir().expect("a temporary folder");
        let path = folder.path();
        std::fs::create_dir(path.join("sp")).expect("a folder");
        key_pair(path, "idp");
        let settings = json!({
            "name_id": "carol-7f3a", "name_id_format": PERSISTENT,
            "attributes": carol(), "attribute_format": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
            "authn_context": null, "honours_force_authn": true,
            "sign_response": false, "sign_assertion": true, "encrypt_assertion": false,
            "cipher": ["http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256"],
            "want_authn_requests_signed": false, "logout_binding": "redirect",
        });
        let settings = Settings::new(path, settings);
        let port = free_port();
        let command = [
            python.into_os_string(),
            program("pysaml2/idp.py").into_os_string(),
            path.as_os_str().to_owned(),
            port.to_string().into(),
        ];
        let served = Served::start("pysaml2", path, &command, &[], address(port));
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

    /// Where somebody signs out of it, and so of the gateway they signed in to last: of that session, or of all of theirs.
    pub fn sign_out(&self, all: bool) -> String {
        format!("{}/sign_out{}", self.base, if all { "?everywhere" } else { "" })
    }

    /// The sessions it knows of.
    pub async fn sessions(&self) -> usize {
        let page = fetched(&format!("{}/sessions", self.base)).await;
        serde_json::from_str::<Vec<Value>>(&page).expect("a list").len()
    }

    /// Takes a gateway's metadata, as an administrator hands it over; later ones under the same name replace it.
    pub fn trust(&self, name: &str, sp_metadata: &str) {
        std::fs::write(self.folder.path().join("sp").join(format!("{name}.xml")), sp_metadata).expect("written");
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

/// In the names of eduPerson, which pysaml2 spells as OIDs.
pub fn carol() -> Value {
    json!({
        "givenName": ["Carol"], "sn": ["Shaw"], "displayName": ["Carol Shaw"], "mail": ["carol@example.org"],
        "eduPersonPrincipalName": ["carol@example.org"], "eduPersonAffiliation": ["staff", "member"],
    })
}
