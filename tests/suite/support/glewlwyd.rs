//! An OpenID provider in C, Debian's glewlwyd (`tests/idp/glewlwyd`): PKCE is required, refresh tokens are used once, and a code that comes
//! twice takes back what it gave. It is set up by its API, and people sign in by it too: its pages need a browser that runs scripts.

use super::browser::Browser;
use super::page::Page;
use super::served::{HOST, Served, address, free_port, key_pair, program};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use url::Url;

/// What an empty database of it comes as.
const TABLES: &str = "/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz";
const SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
const PASSWORD: &str = "a password of the test";

pub struct Glewlwyd {
    /// Goes first: what it printed lies in the folder.
    _served: Served,
    base: String,
    pub issuer: String,
    _folder: TempDir,
    /// Of its administrator.
    admin: String,
}

impl Glewlwyd {
    /// Knows `alice` and no applications.
    ///
    /// # Panics
    /// If it is not installed, or does not come up.
    pub async fn start() -> Self {
        assert!(Path::new("/usr/bin/glewlwyd").exists(), "glewlwyd is not installed: scripts/need.sh test");
        let folder = tempfile::Builder::new().prefix("rosterd-glewlwyd-").tempdir().expect("a temporary folder");
        let path = folder.path();
        let made =
            Command::new("sh").args(["-c", "zcat \"$1\" | sqlite3 \"$2\"", "sh", TABLES]).arg(path.join("glewlwyd.db")).status();
        assert!(made.is_ok_and(|status| status.success()), "a database: apt-get install sqlite3");
        let port = free_port();
        let configured = std::fs::read_to_string(program("glewlwyd/glewlwyd.conf")).expect("the configuration");
        let configured = configured.replace("FOLDER", &path.display().to_string()).replace("PORT", &port.to_string());
        std::fs::write(path.join("glewlwyd.conf"), configured).expect("written");
        let command = [String::from("/usr/bin/glewlwyd"), format!("--config-file={}", path.join("glewlwyd.conf").display())];
        let served = Served::start("glewlwyd", path, &command, &[], address(port));
        let base = format!("http://{HOST}:{port}");
        let admin = signed_in(&base, "admin", "password").await;
        let made = Self { issuer: format!("{base}/api/oidc"), base, admin, _folder: folder, _served: served };
        made.set_up().await;
        made
    }

    /// The provider itself, its scopes, and the first person.
    async fn set_up(&self) {
        let path = self._folder.path();
        key_pair(path, "idp");
        let public =
            Command::new("openssl").current_dir(path).args(["pkey", "-in", "idp.key", "-pubout"]).output().expect("openssl");
        let key = std::fs::read_to_string(path.join("idp.key")).expect("a key");
        let parameters = json!({
            "iss": self.issuer, "jwt-type": "rsa", "jwt-key-size": "256", "key": key,
            "cert": String::from_utf8_lossy(&public.stdout), "jwks-show": true,
            "access-token-duration": 3600, "refresh-token-duration": 86_400, "code-duration": 60,
            "auth-type-code-enabled": true, "auth-type-code-revoke-replayed": true,
            "auth-type-refresh-enabled": true, "refresh-token-one-use": "always", "refresh-token-rolling": true,
            "allowed-scope": SCOPES, "pkce-allowed": true, "pkce-required": true, "pkce-method-plain-allowed": false,
            "oauth-as-iss-id": true, "subject-type": "public",
            "name-claim": "on-demand", "name-claim-scope": ["profile"], "email-claim": "on-demand", "email-claim-scope": ["email"],
        });
        let plugin = json!({
            "module": "oidc", "name": "oidc", "display_name": "oidc", "order_rank": 0, "readonly": false, "parameters": parameters,
        });
        self.tell("POST", "/mod/plugin/", &plugin).await;
        // `openid` is there already.
        for scope in &SCOPES[1..] {
            let scope = json!({
                "name": scope, "display_name": scope, "description": scope, "password_required": false, "scheme": {},
            });
            self.tell("POST", "/scope/", &scope).await;
        }
        let mut alice = person("Alice Moor", "alice@example.org");
        alice["username"] = json!("alice");
        alice["password"] = json!(PASSWORD);
        self.tell("POST", "/user/?source=database", &alice).await;
    }

    /// An application with a secret, by `client_secret_basic`. It does not undo the form encoding that the standard wants in there (RFC
    /// 6749 §2.3.1), so both should be letters and digits.
    pub async fn register(&self, client_id: &str, client_secret: &str, redirect_uri: &str) {
        let application = json!({
            "client_id": client_id, "name": client_id, "enabled": true, "confidential": true, "password": client_secret,
            "redirect_uri": [redirect_uri], "authorization_type": ["code", "refresh_token"],
            "token_endpoint_auth_method": ["client_secret_basic"], "scope": [],
        });
        self.tell("POST", "/client/?source=database", &application).await;
    }

    /// What `alice` is called from now on.
    pub async fn rename(&self, name: &str, email: &str) {
        let mut changed = person(name, email);
        changed["username"] = json!("alice");
        self.tell("PUT", "/user/alice?source=database", &changed).await;
    }

    /// Of a browser that was sent here: `alice` signs in and agrees, as the script of its page does, and goes on to where that ends.
    pub async fn sign_in(&self, browser: &mut Browser) -> Page {
        let here = browser.page().url.clone();
        assert_eq!(here.path(), "/login.html", "not sent to sign in: {here}");
        let asked =
            |name: &str| here.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned()).expect(name);
        let session = signed_in(&self.base, "alice", PASSWORD).await;
        let granted = format!("/auth/grant/{}", asked("client_id"));
        call(&self.base, "PUT", &granted, &json!({"scope": asked("scope")}), Some(&session)).await;
        browser.cookies.keep(&here, &format!("{session}; Path=/"));
        browser.open(&format!("{}&g_continue", asked("callback_url"))).await.clone()
    }

    async fn tell(&self, method: &str, path: &str, said: &Value) {
        call(&self.base, method, path, said, Some(&self.admin)).await;
    }
}

fn person(name: &str, email: &str) -> Value {
    let scopes = [&SCOPES[..], &["g_profile"]].concat();
    json!({"name": name, "email": email, "enabled": true, "scope": scopes})
}

/// The cookie of a session.
async fn signed_in(base: &str, username: &str, password: &str) -> String {
    let answer = call(base, "POST", "/auth/", &json!({"username": username, "password": password}), None).await;
    let cookie = answer.headers().get("set-cookie").and_then(|line| line.to_str().ok()).expect("a session");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

async fn call(base: &str, method: &str, path: &str, said: &Value, cookie: Option<&str>) -> reqwest::Response {
    let url = Url::parse(&format!("{base}/api{path}")).expect("an address");
    let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let mut request = client.request(method.parse().expect("a method"), url.clone()).header("content-type", "application/json");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let answer = request.body(said.to_string()).send().await.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
    assert!(answer.status().is_success(), "{method} {url}: {}", answer.status());
    answer
}
