//! A SimpleSAMLphp of the test's own (Debian's, on PHP's own server) with a page for user name and password. Its settings,
//! people and keys can be changed while it runs: it reads them anew with each request (`tests/idp/simplesamlphp`).

use super::served::{HOST, Served, Settings, address, free_port, key_pair, program};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

pub const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

pub struct SimpleSamlPhp {
    /// Goes first: what it printed lies in the folder.
    _served: Served,
    pub base: String,
    folder: TempDir,
    settings: Settings,
}

impl SimpleSamlPhp {
    /// With [`alice`] and [`bob`], whose NameID is their mail address. The assertion is signed, the Response is not.
    ///
    /// # Panics
    /// If it is not installed, or does not come up.
    pub fn start() -> Self {
        let documents = Path::new("/usr/share/simplesamlphp/www");
        assert!(documents.exists(), "SimpleSAMLphp is not installed: scripts/need.sh test");
        let folder = tempfile::Builder::new().prefix("rosterd-simplesamlphp-").tempdir().expect("a temporary folder");
        let path = folder.path();
        for name in ["tmp", "data", "sessions", "sp"] {
            std::fs::create_dir(path.join(name)).expect("a folder");
        }
        key_pair(path, "idp");
        let port = free_port();
        let base = format!("http://{HOST}:{port}");
        let settings = json!({
            "base": base,
            "people": {"alice:alicepw": alice(), "bob:bobpw": bob()},
            "idp": {
                "privatekey": "idp.key",
                "certificate": "idp.pem",
                "NameIDFormat": EMAIL,
                "simplesaml.nameidattribute": "mail",
                "saml20.sign.response": false,
                "saml20.sign.assertion": true,
            },
            "sp": {},
        });
        let settings = Settings::new(path, settings);
        let listen = address(port);
        let command = [
            "php".into(),
            // Of an older PHP than Debian's: it would say so in every page.
            "-d".into(),
            "error_reporting=0".into(),
            "-S".into(),
            listen.to_string().into(),
            "-t".into(),
            documents.as_os_str().to_owned(),
            program("simplesamlphp/router.php").into_os_string(),
        ];
        let config = program("simplesamlphp");
        let environment = [("ROSTERD_IDP_FOLDER", path.as_os_str()), ("SIMPLESAMLPHP_CONFIG_DIR", config.as_os_str())];
        let served = Served::start("simplesamlphp", path, &command, &environment, listen);
        let served = served.logging_to(path.join("simplesamlphp.log"));
        Self { base, folder, settings, _served: served }
    }

    pub fn entity_id(&self) -> String {
        self.metadata_url()
    }

    pub fn metadata_url(&self) -> String {
        format!("{}/saml2/idp/metadata.php", self.base)
    }

    /// Where a login at the gateway of this entity id begins, if it begins here.
    pub fn unsolicited(&self, sp_entity_id: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("spentityid", sp_entity_id).finish();
        format!("{}/saml2/idp/SSOService.php?{query}", self.base)
    }

    /// Where people sign out of it and of all they signed in to from it; they end at `return_to`.
    pub fn sign_out(&self, return_to: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("ReturnTo", return_to).finish();
        format!("{}/saml2/idp/SingleLogoutService.php?{query}", self.base)
    }

    /// Takes a gateway's metadata, as an administrator hands it over; later ones under the same name replace it.
    pub fn trust(&self, name: &str, sp_metadata: &str) {
        std::fs::write(self.folder.path().join("sp").join(format!("{name}.xml")), sp_metadata).expect("written");
    }

    /// Settings of its own (`metadata/saml20-idp-hosted.php`).
    pub fn set(&self, settings: Value) {
        self.settings.change(Some("idp"), settings);
    }

    /// Settings towards every gateway (`metadata/saml20-sp-remote.php`).
    pub fn set_towards_gateways(&self, settings: Value) {
        self.settings.change(Some("sp"), settings);
    }

    /// What it knows of somebody, replaced: attributes as lists, `uid` and `mail` among them.
    pub fn person(&self, name: &str, attributes: Value) {
        self.settings.change(Some("people"), json!({format!("{name}:{name}pw"): attributes}));
    }

    /// Signs with another key from now on, without a word before; its metadata lists the former certificate beside the new one, as
    /// it does for a while.
    pub fn roll_over(&self) {
        key_pair(self.folder.path(), "rolled");
        let [new, old] = [("rolled.key", "rolled.pem"), ("idp.key", "idp.pem")];
        self.set(json!({"privatekey": new.0, "certificate": new.1, "new_privatekey": old.0, "new_certificate": old.1}));
    }

    /// Another key and certificate in place of the old, which is in its metadata no more.
    pub fn replace_certificate(&self) {
        key_pair(self.folder.path(), "rolled");
        self.set(json!({"privatekey": "rolled.key", "certificate": "rolled.pem"}));
    }

    /// Publishes another certificate beside the one it still signs with; [`Self::finish_roll_over`] signs with it.
    pub fn announce_roll_over(&self) {
        key_pair(self.folder.path(), "rolled");
        self.set(json!({"new_privatekey": "rolled.key", "new_certificate": "rolled.pem"}));
    }

    pub fn finish_roll_over(&self) {
        self.set(
            json!({"privatekey": "rolled.key", "certificate": "rolled.pem", "new_privatekey": null, "new_certificate": null}),
        );
    }
}

/// Her password is `alicepw`.
pub fn alice() -> Value {
    json!({
        "uid": ["alice"], "mail": ["alice@example.org"], "givenName": ["Alice"], "sn": ["Liddell"],
        "displayName": ["Alice Liddell"], "groups": ["staff", "readers & writers"],
    })
}

/// His password is `bobpw`.
pub fn bob() -> Value {
    json!({
        "uid": ["bob"], "mail": ["bob@example.org"], "givenName": ["Bob"], "sn": ["Ørsted"],
        "displayName": ["Bob \"the Builder\" Ørsted"], "groups": ["staff"],
    })
}
