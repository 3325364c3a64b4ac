//! An application in front of a gateway whose people sign in by the suite's own identity provider: what it sends and what it checks.

use super::gateway::Answer;
use super::saml_site::{Browser, SamlSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{ClientId, IssuerUrl, Nonce};
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

    /// The claims of an ID token that a strict library of others takes: signed by a published key, ours, for this application, in time.
    pub async fn verified(&self, token: &str) -> Map<String, Value> {
        let keys = self.site.browser().send("GET", "/.well-known/jwks.json", None).await.json();
        let keys: CoreJsonWebKeySet = serde_json::from_value(keys).expect("keys");
        let issuer = IssuerUrl::new(self.site.gateway.base_url().to_owned()).expect("an address");
        let verifier = CoreIdTokenVerifier::new_public_client(ClientId::new(self.id.clone()), issuer, keys);
        let verifier = verifier.set_allowed_algs(ALGORITHMS);
        let parsed: CoreIdToken = token.parse().expect("an ID token");
        parsed.claims(&verifier, |_: Option<&Nonce>| Ok(())).expect("a valid token");
        part(token, 1)
    }
}

const ALGORITHMS: [CoreJwsSigningAlgorithm; 3] =
    [CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, CoreJwsSigningAlgorithm::EcdsaP256Sha256, CoreJwsSigningAlgorithm::EdDsa];

/// One of the first two parts of a token, unverified.
fn part(token: &str, index: usize) -> Map<String, Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).expect("three parts")).expect("base64url");
    serde_json::from_slice(&bytes).expect("an object")
}

/// What an ID token says of its signature.
pub fn header(token: &str) -> Map<String, Value> {
    part(token, 0)
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
