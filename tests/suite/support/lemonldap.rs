//! An OpenID provider in Perl, the portal of Debian's lemonldap-ng (`tests/idp/lemonldap-ng`): PKCE is required, `aud` is a list, claims
//! are in the userinfo alone, and its answers have a `session_state`. People sign in on its page; their password is their name.

use super::browser::Browser;
use super::page::Page;
use super::served::{HOST, Served, Settings, address, free_port, key_pair, program};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const OPTIONS: &str = "oidcRPMetaDataOptions";

pub struct Lemonldap {
    /// Goes first: what it printed lies in the folder.
    _served: Served,
    pub issuer: String,
    _folder: TempDir,
    settings: Settings,
}

impl Lemonldap {
    /// Knows `alice`, and one application by this id and secret.
    ///
    /// # Panics
    /// If it is not installed, or does not come up.
    pub fn start((client_id, client_secret): (&str, &str), redirect_uri: &str) -> Self {
        let is_there = Path::new("/usr/share/lemonldap-ng/portal").exists();
        assert!(is_there, "lemonldap-ng is not installed: scripts/need.sh test");
        let folder = tempfile::Builder::new().prefix("rosterd-lemonldap-").tempdir().expect("a temporary folder");
        let path = folder.path();
        for part in ["conf", "cache", "sessions/lock", "persistent/lock"] {
            fs::create_dir_all(path.join(part)).expect("a folder");
        }
        let port = free_port();
        let issuer = format!("http://{HOST}:{port}");
        let configured = configured(path, &issuer, (client_id, client_secret), redirect_uri);
        fs::write(path.join("conf/lmConf-1.json"), configured.to_string()).expect("written");
        let ini = fs::read_to_string(program("lemonldap-ng/lemonldap-ng.ini")).expect("the settings");
        let ini_path = path.join("lemonldap-ng.ini");
        fs::write(&ini_path, ini.replace("FOLDER", &path.display().to_string())).expect("written");
        let settings = Settings::new(path, json!({"people": {"alice": person("Alice Moor", "alice@example.org")}}));
        let (portal, port_text) = (program("lemonldap-ng/portal.psgi"), port.to_string());
        let portal = portal.display().to_string();
        let command = ["plackup", "-s", "HTTP::Server::PSGI", "--host", HOST, "--port", &port_text, &portal];
        let environment = [("LLNG_FOLDER", path.as_os_str()), ("LLNG_DEFAULTCONFFILE", ini_path.as_os_str())];
        let served = Served::start("lemonldap-ng", path, &command, &environment, address(port));
        Self { issuer, _folder: folder, settings, _served: served }
    }

    /// What `alice` is called from now on.
    pub fn rename(&self, name: &str, email: &str) {
        self.settings.change(Some("people"), json!({"alice": person(name, email)}));
    }

    /// Of a browser that was sent here: `alice` signs in, and goes on to where that ends.
    pub async fn sign_in(&self, browser: &mut Browser) -> Page {
        let form = browser.page().form_with("password").filled(&[("user", "alice"), ("password", "alice")]);
        browser.submit(&form).await.clone()
    }
}

fn person(name: &str, email: &str) -> Value {
    json!({"uid": "alice", "cn": name, "mail": email})
}

fn configured(folder: &Path, issuer: &str, (client_id, client_secret): (&str, &str), redirect_uri: &str) -> Value {
    key_pair(folder, "idp");
    let public =
        Command::new("openssl").current_dir(folder).args(["pkey", "-in", "idp.key", "-pubout"]).output().expect("openssl");
    let files = |of: &str| json!({"Directory": folder.join(of), "LockDirectory": folder.join(of).join("lock")});
    let option = |name: &str, value: Value| (format!("{OPTIONS}{name}"), value);
    let application: serde_json::Map<String, Value> = [
        option("ClientID", client_id.into()),
        option("ClientSecret", client_secret.into()),
        option("RedirectUris", redirect_uri.into()),
        option("IDTokenSignAlg", "RS256".into()),
        option("BypassConsent", 1.into()),
        option("RequirePKCE", 1.into()),
    ]
    .into_iter()
    .collect();
    json!({
        "cfgNum": 1, "cfgVersion": "2.16.1", "cfgAuthor": "test", "cfgDate": "1",
        "portal": format!("{issuer}/"), "domain": HOST, "cookieName": "lemonldap", "securedCookie": 0,
        "authentication": "Demo", "userDB": "Same", "passwordDB": "Null", "registerDB": "Null",
        "demoExportedVars": {"cn": "cn", "mail": "mail", "uid": "uid"}, "whatToTrace": "uid",
        "locationRules": {HOST: {"default": "accept"}}, "exportedHeaders": {},
        "globalStorage": "Apache::Session::File", "globalStorageOptions": files("sessions"),
        "persistentStorage": "Apache::Session::File", "persistentStorageOptions": files("persistent"),
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": {
            "cache_depth": 3, "cache_root": folder.join("cache"), "default_expires_in": 600, "directory_umask": "007",
            "namespace": "sessions",
        },
        "issuerDBOpenIDConnectActivation": 1, "oidcServiceMetaDataIssuer": issuer, "oidcServiceAllowAuthorizationCodeFlow": 1,
        "oidcServicePrivateKeySig": fs::read_to_string(folder.join("idp.key")).expect("a key"),
        "oidcServicePublicKeySig": String::from_utf8_lossy(&public.stdout), "oidcServiceKeyIdSig": "first",
        // Pages without a token of their own, and without a picture to read.
        "requireToken": 0, "captcha_login_enabled": 0, "portalDisplayRegister": 0,
        OPTIONS: {"app": application},
        "oidcRPMetaDataExportedVars": {"app": {"email": "mail", "name": "cn", "preferred_username": "uid"}},
    })
}
