//! A gateway with a SAML connection `acme` to the suite's own identity provider, and browsers in front of it that follow
//! nothing by themselves.

use super::gateway::{Answer, Gateway, Store};
use super::minted::{self, Key, Whom, mint};
use super::rows::Database;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What the mapping of `acme` makes of an assertion.
pub const MAPPING: &str = "mapping minted from saml to profile\nusername = $name_id\nemail = $mail\n\
    name = $displayName\ngroups = $groups[*] with merge owned\nblocked = $employment == \"gone\"\nsession.index = $issuer\n";

pub struct SamlSite {
    pub gateway: Gateway,
    client: reqwest::Client,
    /// What the gateway takes for its address.
    public_url: String,
}

impl SamlSite {
    /// With `acme`, which trusts the identity provider's usual key; `options` as `OPTION=VALUE`.
    pub async fn start(store: Store, options: &[&str]) -> Self {
        Self::trusting(store, &[minted::rsa()], options).await
    }

    pub async fn trusting(store: Store, keys: &[&Key], options: &[&str]) -> Self {
        let site = Self::without_connection(store, &[]).await;
        site.connect("acme", &minted::metadata(keys, ""), options);
        site
    }

    pub async fn without_connection(store: Store, settings: &[(&str, &str)]) -> Self {
        let gateway = Gateway::start_with(store, settings).await;
        std::fs::create_dir_all(gateway.folder().join("mappings")).expect("a folder");
        std::fs::write(gateway.folder().join("mappings/minted.mapping"), MAPPING).expect("written");
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).redirect(reqwest::redirect::Policy::none());
        let set = settings.iter().find(|(name, _)| *name == "server.public_url").map(|(_, value)| (*value).to_owned());
        let public_url = set.unwrap_or_else(|| gateway.base_url().to_owned());
        Self { gateway, client: client.build().expect("an HTTP client"), public_url }
    }

    /// A connection to whom `metadata` describes; its id.
    pub fn connect(&self, name: &str, metadata: &str, options: &[&str]) -> String {
        let file = self.gateway.folder().join(format!("{name}.xml"));
        std::fs::write(&file, metadata).expect("written");
        let file = format!("metadata_file={}", file.display());
        let mut line = vec!["connection", "create", name, "--kind", "samlp", "--mapping", "minted", "--json", "--set", &file];
        options.iter().for_each(|option| line.extend(["--set", option]));
        let made: Value = serde_json::from_str(&self.gateway.cli(&line)).expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser { site: self, cookies: BTreeMap::new() }
    }

    /// Whom an answer to `request` has to be for.
    pub fn whom(&self, request: Option<&str>) -> Whom {
        let base = &self.public_url;
        Whom {
            acs: format!("{base}/saml/acme/acs"),
            entity_id: format!("{base}/saml/acme/metadata"),
            request: request.map(str::to_owned),
        }
    }

    pub async fn rows(&self, sql: &str) -> Vec<Map<String, Value>> {
        Database::open(self.gateway.database_url()).await.rows(sql).await
    }

    pub async fn change(&self, sql: &str) {
        Database::change(self.gateway.database_url(), sql).await;
    }

    /// The details of the logins that were refused, in order.
    pub async fn refusals(&self) -> Vec<Value> {
        let rows = self.rows("SELECT detail FROM log WHERE kind = 'login' AND outcome = 'refused' ORDER BY id").await;
        rows.iter().map(|row| serde_json::from_str(row["detail"].as_str().expect("a detail")).expect("JSON")).collect()
    }

    /// The recorded traffic of `acme`, once it has `text`: it is written a moment later, off the way of an answer.
    pub async fn recorded(&self, text: &str) -> String {
        for _ in 0..40 {
            let shown = self.gateway.cli(&["connection", "traffic", "acme", "--json"]);
            if shown.contains(text) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{text} is not in the recorded traffic");
    }

    /// Why they were.
    pub async fn reasons(&self) -> Vec<String> {
        let all = self.refusals().await;
        all.iter().map(|detail| detail["reason"].as_str().expect("a reason").to_owned()).collect()
    }
}

/// Keeps its cookies.
#[derive(Clone)]
pub struct Browser<'a> {
    site: &'a SamlSite,
    pub cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    pub async fn send(&mut self, method: &str, path: &str, form: Option<&[(&str, &str)]>) -> Answer {
        self.send_with(method, path, form, &[]).await
    }

    pub async fn send_with(
        &mut self,
        method: &str,
        path: &str,
        form: Option<&[(&str, &str)]>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let url = if path.starts_with('/') { format!("{}{path}", self.site.gateway.base_url()) } else { path.to_owned() };
        let mut request = self.site.client.request(method.parse().expect("a method"), url);
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(fields) = form {
            let mut body = url::form_urlencoded::Serializer::new(String::new());
            fields.iter().for_each(|(name, value)| _ = body.append_pair(name, value));
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body.finish());
        }
        let began = Instant::now();
        let response = request.send().await;
        let response = response.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.site.gateway.output()));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for set in headers.get_all("set-cookie") {
            let set = set.to_str().expect("a text");
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Answer { status, headers, text: response.text().await.expect("a body"), took: began.elapsed() }
    }

    /// Begins a login through `acme`; the id of the request that waits.
    pub async fn begin(&mut self) -> String {
        self.begin_at("/login/acme").await
    }

    pub async fn begin_at(&mut self, path: &str) -> String {
        let answer = self.send("GET", path, None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let location = answer.header("location").expect("somewhere to go");
        assert!(location.starts_with(minted::SSO), "{location}");
        sent_xml(location).attribute("ID")
    }

    /// Hands an answer over.
    pub async fn hand_over(&mut self, xml: &str) -> Answer {
        self.hand_over_at("/saml/acme/acs", xml).await
    }

    pub async fn hand_over_at(&mut self, path: &str, xml: &str) -> Answer {
        self.send("POST", path, Some(&[("SAMLResponse", &mint::field(xml)), ("RelayState", "x")])).await
    }

    /// A whole login that is right in everything but for what `change` does.
    pub async fn log_in(&mut self, change: impl Fn(minted::Login) -> minted::Login) -> Answer {
        let request = self.begin().await;
        let login = change(minted::login(&self.site.whom(Some(&request))));
        self.hand_over(&login.signed_assertion(minted::rsa())).await
    }

    pub async fn session(&mut self) -> Answer {
        self.send("GET", "/session", None).await
    }
}

/// A message that went out in a redirect.
pub struct Sent(pub String);

impl Sent {
    pub fn attribute(&self, name: &str) -> String {
        let (_, rest) = self.0.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {}", self.0));
        rest.split('"').next().expect("an end").to_owned()
    }
}

/// The message in the query of an address.
pub fn sent_xml(address: &str) -> Sent {
    use base64::Engine;
    let url = url::Url::parse(address).expect("an address");
    let mut all = url.query_pairs().filter(|(name, _)| name == "SAMLRequest" || name == "SAMLResponse");
    let (_, message) = all.next().expect("a message");
    let deflated = base64::engine::general_purpose::STANDARD.decode(message.as_bytes()).expect("base64");
    let xml = miniz_oxide::inflate::decompress_to_vec(&deflated).expect("deflated");
    Sent(String::from_utf8(xml).expect("text"))
}
