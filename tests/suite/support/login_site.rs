//! A gateway with a connection `corp` to a directory, and a browser in front of it: it follows nothing and keeps no cookie by
//! itself.

use super::gateway::{Answer, Gateway, Store};
use super::rows::Database;
use super::slapd::{PASSWORD, SUFFIX, SYNC, Slapd};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

pub struct LoginSite {
    pub gateway: Gateway,
    browser: reqwest::Client,
}

impl LoginSite {
    /// With the connection to `slapd`; `options` as `OPTION=VALUE`.
    pub async fn start(store: Store, slapd: &Slapd, options: &[&str]) -> Self {
        Self::start_with(store, slapd, &[], options).await
    }

    /// [`Self::start`] with settings of the gateway.
    pub async fn start_with(store: Store, slapd: &Slapd, settings: &[(&str, &str)], options: &[&str]) -> Self {
        let site = Self::without_connection(store, settings).await;
        site.connect("corp", slapd, options);
        site
    }

    pub async fn without_connection(store: Store, settings: &[(&str, &str)]) -> Self {
        let gateway = Gateway::start_with(store, settings).await;
        std::fs::write(gateway.folder().join("bind-password"), PASSWORD).expect("written");
        let browser = reqwest::Client::builder().timeout(Duration::from_secs(60)).redirect(reqwest::redirect::Policy::none());
        Self { gateway, browser: browser.build().expect("an HTTP client") }
    }

    /// A connection to `slapd`; its id.
    pub fn connect(&self, name: &str, slapd: &Slapd, options: &[&str]) -> String {
        let ca = format!("ca_file={}", slapd.ca().display());
        let base = format!("user_base=ou=people,{SUFFIX}");
        let (url, dn) = (format!("url={}", slapd.ldaps()), format!("bind_dn={SYNC}"));
        let all = [&["server=openldap", &url, &ca, &dn, &base], options].concat();
        self.describe(name, &all)
    }

    /// A connection to a directory as `options` say, all of them; its id.
    pub fn describe(&self, name: &str, options: &[&str]) -> String {
        let mut line =
            vec!["connection", "create", name, "--kind", "ldap", "--json", "--secret", "bind_password=file:bind-password"];
        options.iter().for_each(|option| line.extend(["--set", option]));
        let made: Value = serde_json::from_str(&self.gateway.cli(&line)).expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    }

    /// `rosterd sync corp` to its end: what became of people.
    pub fn sync(&self) -> Value {
        let report: Value = serde_json::from_str(&self.gateway.cli(&["sync", "corp", "--full", "--json"])).expect("JSON");
        report["summary"]["people"].clone()
    }

    /// One request with exactly these headers.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        let mut request = self.browser.request(method.parse().expect("a method"), format!("{}{path}", self.gateway.base_url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let began = Instant::now();
        let response = request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.gateway.output()));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body"), took: began.elapsed() }
    }

    /// A login as JSON.
    pub async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.log_in_with(&[], username, password).await
    }

    /// [`Self::log_in`] with headers.
    pub async fn log_in_with(&self, headers: &[(&str, &str)], username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password}).to_string();
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send("POST", "/login/corp", &headers, Some(body)).await
    }

    /// A login as a browser's form.
    pub async fn submit(&self, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        fields.iter().for_each(|(name, value)| _ = body.append_pair(name, value));
        let headers = [&[("content-type", "application/x-www-form-urlencoded")], headers].concat();
        self.send("POST", "/login/corp", &headers, Some(body.finish())).await
    }

    /// `GET /session` with this cookie.
    pub async fn session(&self, cookie: &str) -> Answer {
        self.send("GET", "/session", &[("cookie", cookie)], None).await
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

    /// Nothing failed yet.
    pub async fn forget_failures(&self) {
        Database::change(self.gateway.database_url(), "DELETE FROM login_failures").await;
    }
}

/// `name=value` of the cookie that an answer sets.
pub fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie in {answer:?}"));
    set.split(';').next().expect("a first part").to_owned()
}

/// All that somebody outside can tell of an answer, but its time and request id.
pub fn outside(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let told = |name: &str| !matches!(name, "x-request-id" | "date");
    let headers = answer.headers.iter().filter(|(name, _)| told(name.as_str()));
    let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    headers.sort();
    (answer.status, headers, answer.text.clone())
}
