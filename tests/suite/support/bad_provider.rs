//! A provider of the suite's own, on loopback: right in everything until a test has it do one thing wrong. It is what real ones
//! can't be made to be, and stands in for the kinds that nobody emulates.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use rosterd::clock::{Clock, SECOND};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use url::{Url, form_urlencoded};

pub const CLIENT_ID: &str = "us";
pub const CLIENT_SECRET: &str = "s3cret: +&/";
const ACCESS_TOKEN: &str = "access-token-of-the-provider";

/// A key by what it is called. Made once: it takes a while.
pub fn key(kid: &str) -> PKey<Private> {
    static MADE: OnceLock<Mutex<BTreeMap<String, PKey<Private>>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().expect("no test panics while it holds this");
    let bits = if kid == "weak" { 1_024 } else { 2_048 };
    let make = || PKey::from_rsa(Rsa::generate(bits).expect("a key")).expect("a key");
    made.entry(kid.to_owned()).or_insert_with(make).clone()
}

pub fn jwk(kid: &str) -> Value {
    let rsa = key(kid).rsa().expect("RSA");
    let text = |number: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
    json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": text(rsa.n()), "e": text(rsa.e())})
}

/// A token by RS256.
pub fn sign(kid: &str, header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let key = key(kid);
    let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("a signer");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signer.sign_oneshot_to_vec(signed.as_bytes()).expect("signed")))
}

pub fn now() -> i64 {
    Clock::system().now() / SECOND
}

/// What it does at one address.
#[derive(Clone, Debug, Default)]
pub enum At {
    #[default]
    Right,
    /// This instead.
    Says(u16, &'static str, String),
    Waits(Duration),
    /// So many bytes.
    Floods(usize),
    /// Sends whoever asks on to somewhere else, where the right answer is.
    SendsOn,
}

/// What a test has it do. Begins right.
pub struct Act {
    pub document: Map<String, Value>,
    pub keys: Vec<Value>,
    /// Which key signs, and the header above.
    pub signs_with: String,
    pub header: Value,
    /// Over what a right token says; null takes a claim out.
    pub claims: Map<String, Value>,
    /// A token as it is, instead of one that is made.
    pub token: Option<String>,
    /// Without an ID token.
    pub gives_id_token: bool,
    pub profile: Value,
    pub emails: Value,
    /// What it has at further addresses, by the last part of the path.
    pub beside: BTreeMap<&'static str, Value>,
    /// What it says was granted.
    pub scope: Option<&'static str>,
    pub names_issuer: bool,
    /// Whoever asks for tokens, as long as a secret comes along.
    pub takes_any_secret: bool,
    /// By the last part of the path.
    pub at: BTreeMap<&'static str, At>,
    /// Logins that wait for their code to be exchanged.
    codes: BTreeMap<String, BTreeMap<String, String>>,
    /// What was asked of it, in order: the last part of the path, and the form or query.
    pub asked: Vec<(String, BTreeMap<String, String>)>,
    url: String,
}

pub struct BadProvider {
    pub url: String,
    act: Arc<Mutex<Act>>,
}

impl BadProvider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let document = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "jwks_uri": format!("{url}/jwks"),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        let act = Act {
            document: object(document),
            keys: vec![jwk("first")],
            signs_with: String::from("first"),
            header: json!({"alg": "RS256", "kid": "first", "typ": "JWT"}),
            claims: Map::new(),
            token: None,
            gives_id_token: true,
            profile: json!({"sub": "ann", "email": "ann@corp.example", "email_verified": true, "name": "Ann Lee"}),
            emails: json!([]),
            beside: BTreeMap::new(),
            scope: None,
            names_issuer: true,
            takes_any_secret: false,
            at: BTreeMap::new(),
            codes: BTreeMap::new(),
            asked: Vec::new(),
            url: url.clone(),
        };
        let act = Arc::new(Mutex::new(act));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&act));
        tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { url, act }
    }

    pub fn act<T>(&self, change: impl FnOnce(&mut Act) -> T) -> T {
        change(&mut self.act.lock().expect("no test panics while it holds this"))
    }

    /// How often an address was asked.
    pub fn asked(&self, what: &str) -> usize {
        self.act(|act| act.asked.iter().filter(|(asked, _)| asked == what).count())
    }

    /// What it was asked there last.
    pub fn last(&self, what: &str) -> BTreeMap<String, String> {
        let last = self.act(|act| act.asked.iter().rev().find(|(asked, _)| asked == what).cloned());
        last.unwrap_or_else(|| panic!("{what} was not asked")).1
    }

    /// Signs the browser in that was sent to `address`; where it is sent then.
    pub fn authorize(&self, address: &str) -> String {
        let asked: BTreeMap<String, String> = Url::parse(address).expect("an address").query_pairs().into_owned().collect();
        let mut back = Url::parse(&asked["redirect_uri"]).expect("an address");
        let code = format!("code-{}", &asked["state"]);
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        self.act(|act| {
            if act.names_issuer {
                let issuer = act.document["issuer"].as_str().unwrap_or_default().to_owned();
                back.query_pairs_mut().append_pair("iss", &issuer);
            }
            act.codes.insert(code, asked);
        });
        back.into()
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

async fn answer(State(act): State<Arc<Mutex<Act>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let what = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let done = {
        let mut act = act.lock().expect("no test panics while it holds this");
        let sent = if body.is_empty() { parts.uri.query().unwrap_or_default().as_bytes() } else { &body[..] };
        let mut fields: BTreeMap<String, String> = form_urlencoded::parse(sent).into_owned().collect();
        for name in [header::AUTHORIZATION, header::ACCEPT] {
            let value = parts.headers.get(&name).and_then(|value| value.to_str().ok());
            fields.extend(value.map(|value| (name.to_string(), value.to_owned())));
        }
        fields.insert(String::from("method"), parts.method.to_string());
        act.asked.push((what.clone(), fields.clone()));
        let is_sent_on = parts.uri.path().starts_with("/elsewhere");
        match act.at.get(what.as_str()).cloned().unwrap_or_default() {
            At::Says(status, kind, body) => Done::Now(said(status, kind, body)),
            At::Floods(bytes) => Done::Now(said(200, "application/json", format!("{{\"x\":\"{}\"}}", "x".repeat(bytes)))),
            At::SendsOn if !is_sent_on => {
                let to = format!("{}/elsewhere/{what}", act.url);
                Done::Now((StatusCode::FOUND, [(header::LOCATION, to)]).into_response())
            }
            At::Waits(time) => Done::After(time, right(&mut act, &what, &fields, &parts.headers)),
            At::Right | At::SendsOn => Done::Now(right(&mut act, &what, &fields, &parts.headers)),
        }
    };
    match done {
        Done::Now(response) => response,
        Done::After(time, response) => {
            tokio::time::sleep(time).await;
            response
        }
    }
}

enum Done {
    Now(Response),
    After(Duration, Response),
}

fn said(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Response {
    (StatusCode::from_u16(status).expect("a status"), [(header::CONTENT_TYPE, kind)], body.into()).into_response()
}

fn told(value: &Value) -> Response {
    said(200, "application/json", value.to_string())
}

fn right(act: &mut Act, what: &str, fields: &BTreeMap<String, String>, headers: &HeaderMap) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let in_query = fields.get("access_token").is_some_and(|token| token == ACCESS_TOKEN);
    let is_ours = bearer == Some(&format!("Bearer {ACCESS_TOKEN}")) || (bearer.is_none() && in_query);
    match what {
        "openid-configuration" => told(&Value::Object(act.document.clone())),
        "jwks" => told(&json!({ "keys": act.keys })),
        "token" => token(act, fields),
        "userinfo" if is_ours => told(&act.profile),
        "emails" if is_ours => told(&act.emails),
        what if act.beside.contains_key(what) && is_ours => told(&act.beside[what]),
        "userinfo" | "emails" => said(401, "application/json", "{}"),
        _ => said(404, "text/plain", "nothing"),
    }
}

/// As strict as the strictest.
fn token(act: &mut Act, fields: &BTreeMap<String, String>) -> Response {
    let refused = |error: &str| said(400, "application/json", json!({ "error": error }).to_string());
    let field = |name: &str| fields.get(name).map(String::as_str);
    let by_header = field("authorization").and_then(|value| value.strip_prefix("Basic "));
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET)));
    let by_form = field("client_id") == Some(CLIENT_ID) && field("client_secret") == Some(CLIENT_SECRET);
    let is_any = act.takes_any_secret && field("client_secret").is_some();
    if !is_any && by_header != Some(&pair) && !(by_header.is_none() && by_form) {
        return refused("invalid_client");
    }
    let Some(asked) = field("code").and_then(|code| act.codes.remove(code)) else { return refused("invalid_grant") };
    let challenge = field("code_verifier").map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
    if challenge != asked.get("code_challenge").cloned() || field("redirect_uri") != asked.get("redirect_uri").map(String::as_str)
    {
        return refused("invalid_grant");
    }
    let mut answer = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": "3600"});
    if let Some(scope) = act.scope {
        answer["scope"] = scope.into();
    }
    if act.gives_id_token {
        let made = || id_token(act, asked.get("nonce"));
        answer["id_token"] = act.token.clone().unwrap_or_else(made).into();
    }
    told(&answer)
}

fn id_token(act: &Act, nonce: Option<&String>) -> String {
    let digest = Sha256::digest(ACCESS_TOKEN);
    let mut claims = object(json!({
        "iss": act.document["issuer"], "sub": "ann", "aud": CLIENT_ID, "iat": now(), "exp": now() + 300,
        "nonce": nonce, "at_hash": URL_SAFE_NO_PAD.encode(&digest[..16]),
    }));
    claims.extend(act.claims.clone());
    claims.retain(|_, value| !value.is_null());
    sign(&act.signs_with, &act.header, &Value::Object(claims))
}
