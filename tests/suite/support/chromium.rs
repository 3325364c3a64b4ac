//! A real Chromium without a window, moved by WebDriver (W3C) as `chromedriver` speaks it: a handful of JSON requests.
//! Its profile is a folder of its own; it ends when this is dropped.

use super::served::{Served, target};
use super::slapd::free_port;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How WebDriver calls the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Chromium {
    driver: SocketAddr,
    session: String,
    client: reqwest::Client,
    _served: Served,
    _profile: TempDir,
}

impl Chromium {
    /// # Panics
    /// If it is not installed, or does not come up.
    pub async fn start() -> Self {
        let profile = tempfile::Builder::new().prefix("rosterd-chromium-").tempdir().expect("a temporary folder");
        let driver = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let command = [String::from("chromedriver"), format!("--port={}", driver.port())];
        let environment = [("HOME", profile.path().as_os_str())];
        let served = Served::start("chromedriver", profile.path(), &command, &environment, driver);
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("an HTTP client");
        let mut started = Self { driver, session: String::new(), client, _served: served, _profile: profile };
        let folder = format!("--user-data-dir={}", started._profile.path().join("profile").display());
        let arguments = [
            "--headless=new",
            // Its sandbox does not run as root, which tests do.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--no-proxy-server",
            "--window-size=900,700",
            &folder,
        ];
        let logs = json!({"browser": "ALL"});
        let options = json!({"browserName": "chrome", "goog:loggingPrefs": logs, "goog:chromeOptions": {"args": arguments}});
        let made = started.ask("POST", "/session", json!({"capabilities": {"alwaysMatch": options}})).await;
        made["sessionId"].as_str().expect("a session").clone_into(&mut started.session);
        started
    }

    /// Opens an address; what scripts do afterwards is not waited for.
    pub async fn open(&self, url: &str) {
        self.tell("POST", "url", json!({"url": url})).await;
    }

    pub async fn url(&self) -> String {
        self.tell("GET", "url", Value::Null).await.as_str().expect("an address").to_owned()
    }

    /// The text a person sees.
    pub async fn text(&self) -> String {
        let element = self.find("body").await.unwrap_or_else(|| panic!("a page without a body"));
        self.tell("GET", &format!("element/{element}/text"), Value::Null).await.as_str().expect("text").to_owned()
    }

    /// Types into the element that a selector finds, once it is there.
    pub async fn type_into(&self, selector: &str, text: &str) {
        let element = self.wait_for(selector).await;
        self.tell("POST", &format!("element/{element}/value"), json!({"text": text})).await;
    }

    pub async fn click(&self, selector: &str) {
        let element = self.wait_for(selector).await;
        self.tell("POST", &format!("element/{element}/click"), json!({})).await;
    }

    /// Waits until it shows an address that begins so.
    pub async fn wait_until_at(&self, beginning: &str) {
        let began = Instant::now();
        loop {
            let url = self.url().await;
            if url.starts_with(beginning) {
                return;
            }
            if began.elapsed() > PATIENCE {
                let kept = self.screenshot("failed").await;
                panic!("still at {url}, not at {beginning} ({}):\n{}", kept.display(), self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it shows a text.
    pub async fn wait_for_text(&self, text: &str) {
        let began = Instant::now();
        loop {
            let shown = if self.find("body").await.is_some() { self.text().await } else { String::new() };
            if shown.contains(text) {
                return;
            }
            if began.elapsed() > PATIENCE {
                let kept = self.screenshot("failed").await;
                panic!("no `{text}` at {} ({}):\n{shown}", self.url().await, kept.display());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Shows pages in a window of this size from now on, as a person likes them.
    pub async fn look(&self, (width, height): (u32, u32), scheme: &str) {
        let is_phone = width < 600;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.developer("Emulation.setDeviceMetricsOverride", metrics).await;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.developer("Emulation.setEmulatedMedia", media).await;
    }

    async fn developer(&self, command: &str, parameters: Value) {
        self.tell("POST", "goog/cdp/execute", json!({"cmd": command, "params": parameters})).await;
    }

    /// What a script says that runs in the page, whatever the page's policy.
    pub async fn run(&self, script: &str) -> Value {
        self.tell("POST", "execute/sync", json!({"script": script, "args": []})).await
    }

    /// What stands in its console since this was asked for last: errors of scripts, what a policy forbade, what was not found.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.tell("POST", "se/log", json!({"type": "browser"})).await;
        entries.as_array().expect("a list").iter().map(|entry| entry["message"].as_str().expect("a text").to_owned()).collect()
    }

    /// The cookies of the page it shows.
    pub async fn cookies(&self) -> Vec<Value> {
        self.tell("GET", "cookie", Value::Null).await.as_array().expect("a list").clone()
    }

    /// What it shows, kept under `target/test`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let shown = self.tell("GET", "screenshot", Value::Null).await;
        let picture = STANDARD.decode(shown.as_str().expect("a picture")).expect("base64");
        let folder = target().join("test");
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(format!("chromium-{name}.png"));
        std::fs::write(&file, picture).expect("written");
        file
    }

    async fn wait_for(&self, selector: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(element) = self.find(selector).await {
                return element;
            }
            if began.elapsed() > PATIENCE {
                let kept = self.screenshot("failed").await;
                panic!("no {selector} at {} ({}):\n{}", self.url().await, kept.display(), self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn find(&self, selector: &str) -> Option<String> {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.tell("POST", "elements", wanted).await;
        found.get(0).map(|element| element[ELEMENT].as_str().expect("an id").to_owned())
    }

    async fn tell(&self, method: &str, what: &str, body: Value) -> Value {
        self.ask(method, &format!("/session/{}/{what}", self.session), body).await
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let request = self.client.request(method.parse().expect("a method"), format!("http://{}{path}", self.driver));
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap_or_else(|error| panic!("chromedriver, {method} {path}: {error}"));
        let status = answer.status();
        let mut answer: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "chromedriver, {method} {path}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Only this ends the browser itself, and there is no waiting for a future here.
        let Ok(mut stream) = TcpStream::connect_timeout(&self.driver, Duration::from_secs(5)) else { return };
        let _timeout = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let request = format!("DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.session, self.driver);
        if stream.write_all(request.as_bytes()).is_ok() {
            let _answer = stream.read_to_end(&mut Vec::new());
        }
    }
}
