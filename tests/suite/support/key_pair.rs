//! A key pair of an application that proves itself by what it signs, and the place where it publishes the public half.

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sha::sha256;
use openssl::sign::{RsaPssSaltlen, Signer};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub struct KeyPair {
    key: PKey<Private>,
    alg: &'static str,
    kid: &'static str,
}

impl KeyPair {
    pub fn new(alg: &'static str, kid: &'static str) -> Self {
        let key = match alg {
            "ES256" => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("P-256");
                PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
            }
            "EdDSA" => PKey::generate_ed25519().expect("a key"),
            _ => PKey::from_rsa(Rsa::generate(2_048).expect("a key")).expect("a key"),
        };
        Self { key, alg, kid }
    }

    pub fn public(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match self.alg {
            "ES256" => {
                let point = self.key.ec_key().expect("of a curve").public_key_to_der().expect("a point");
                let point = &point[point.len() - 64..];
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[..32]), "y": text(&point[32..])})
            }
            "EdDSA" => json!({"kty": "OKP", "crv": "Ed25519", "x": text(&self.key.raw_public_key().expect("a key"))}),
            _ => {
                let rsa = self.key.rsa().expect("RSA");
                json!({"kty": "RSA", "n": text(&rsa.n().to_vec()), "e": text(&rsa.e().to_vec())})
            }
        };
        (jwk["kid"], jwk["alg"], jwk["use"]) = (self.kid.into(), self.alg.into(), "sig".into());
        jwk
    }

    /// The public half, as PEM: what somebody would take for a shared secret.
    pub fn public_pem(&self) -> Vec<u8> {
        self.key.public_key_to_pem().expect("PEM")
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": self.alg, "kid": self.kid, "typ": "JWT"}), claims)
    }

    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(header), encode(claims));
        let signature = match self.alg {
            "ES256" => {
                let signed = EcdsaSig::sign(&sha256(text.as_bytes()), &self.key.ec_key().expect("of a curve")).expect("signed");
                let half = |number: &openssl::bn::BigNumRef| number.to_vec_padded(32).expect("32 bytes");
                [half(signed.r()), half(signed.s())].concat()
            }
            "EdDSA" => {
                let mut signer = Signer::new_without_digest(&self.key).expect("a signer");
                signer.sign_oneshot_to_vec(text.as_bytes()).expect("signed")
            }
            alg => {
                let mut signer = Signer::new(MessageDigest::sha256(), &self.key).expect("a signer");
                if alg == "PS256" {
                    signer.set_rsa_padding(Padding::PKCS1_PSS).expect("PSS");
                    signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).expect("PSS");
                }
                signer.sign_oneshot_to_vec(text.as_bytes()).expect("signed")
            }
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub fn set(keys: &[&KeyPair]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>() })
}

/// Where an application publishes its keys; it counts who asks.
pub struct Publishes {
    pub url: String,
    said: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    serving: tokio::task::JoinHandle<()>,
}

impl Publishes {
    pub async fn start(keys: &[&KeyPair]) -> Self {
        let said = Arc::new(Mutex::new(set(keys).to_string()));
        let asked = Arc::new(AtomicUsize::new(0));
        let (tells, counts) = (Arc::clone(&said), Arc::clone(&asked));
        let answer = move || {
            counts.fetch_add(1, Ordering::SeqCst);
            let body = tells.lock().expect("unbroken").clone();
            async move { ([("content-type", "application/json")], body) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let serving = tokio::spawn(async move {
            axum::serve(listener, Router::new().route("/keys", get(answer))).await.expect("served");
        });
        Self { url, said, asked, serving }
    }

    pub fn change(&self, keys: &[&KeyPair]) {
        *self.said.lock().expect("unbroken") = set(keys).to_string();
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Publishes {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
