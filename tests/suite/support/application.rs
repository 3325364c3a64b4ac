//! An application in front of a gateway whose people sign in by the suite's own identity provider: what it sends and what it checks.

use super::gateway::Answer;
use super::saml_site::{Browser, SamlSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use url::Url;

pub const CALLBACK: &str = "https://app.example/cb";
pub const SIGNED_OUT: &str = "https://app.example/out";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub struct Application<'a> {
    pub site: &'a SamlSite,
    pub id: String,
    pub secret: Option<String>,
}

impl<'a> Application<'a> {
    /// Registered with `arguments` besides its two addresses.
    pub fn register(site: &'a SamlSite, name: &str, arguments: &[&str]) -> Self {
        let line = ["client", "create", name, "--json", "--redirect-uri", CALLBACK, "--post-logout-redirect-uri", SIGNED_OUT];
        Self::made(site, &[&line, arguments].concat())
    }

    pub fn made(site: &'a SamlSite, line: &[&str]) -> Self {
        let made: Value = serde_json::from_str(&site.gateway.cli(line)).expect("JSON");
        let text = |name: &str| made[name].as_str().map(str::to_owned);
        Self { site, id: text("client_id").expect("an id"), secret: text("client_secret") }
    }

    /// A request that is right, but for `changes`; an empty value takes a parameter away.
    pub fn request(&self, changes: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut all: Vec<(&str, &str)> = vec![
            ("client_id", &self.id),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile email groups offline_access"),
            ("state", "s-1"),
            ("nonce", "n-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            all.retain(|(known, _)| known != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        format!("/authorize?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish())
    }

    /// A request of somebody who is signed in already: where they are sent.
    pub async fn authorize(&self, browser: &mut Browser<'_>, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        let answer = browser.send("GET", &self.request(changes), None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let query = returned(&answer);
        assert_eq!(query.get("iss").map(String::as_str), Some(self.site.gateway.base_url()), "RFC 9207");
        query
    }

    /// One request to the token endpoint, by whatever `auth` says.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        self.site.browser().send_with("POST", path, Some(fields), headers).await
    }

    /// With the secret in the form.
    pub async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", self.id.as_str())];
        if let Some(secret) = &self.secret {
            all.push(("client_secret", secret));
        }
        all.extend_from_slice(fields);
        self.post(path, &all, &[]).await
    }

    pub async fn exchange(&self, code: &str) -> Answer {
        let fields =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        self.ask("/oauth/token", &fields).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.ask("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Tokens of somebody who is signed in.
    pub async fn tokens(&self, browser: &mut Browser<'_>, changes: &[(&str, &str)]) -> Value {
        let code = self.authorize(browser, changes).await.remove("code").expect("a code");
        let answer = self.exchange(&code).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text);
        answer.json()
    }

    pub async fn userinfo(&self, token: &str) -> Answer {
        self.site.browser().send_with("GET", "/userinfo", None, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// The claims of an ID token whose signature is one of the published keys'.
    pub async fn verified(&self, token: &str) -> Map<String, Value> {
        let header = jsonwebtoken::decode_header(token).expect("a header");
        let keys = self.site.browser().send("GET", "/.well-known/jwks.json", None).await.json();
        let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(keys).expect("keys");
        let key = keys.find(header.kid.as_deref().expect("a kid")).expect("a published key");
        let mut expected = jsonwebtoken::Validation::new(header.alg);
        expected.set_audience(&[&self.id]);
        expected.set_issuer(&[self.site.gateway.base_url()]);
        expected.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
        let key = jsonwebtoken::DecodingKey::from_jwk(key).expect("a key");
        jsonwebtoken::decode(token, &key, &expected).expect("a valid token").claims
    }
}

/// The query of the address that an answer leads to.
pub fn returned(answer: &Answer) -> BTreeMap<String, String> {
    let url = Url::parse(answer.header("location").expect("somewhere to go")).expect("an address");
    url.query_pairs().into_owned().collect()
}

/// A text of an object.
pub fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("no {name} in {of}"))
}
