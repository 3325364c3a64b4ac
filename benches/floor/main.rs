//! The floor: the least a server can do for the requests of the benchmark, on the same axum, tokio, sqlx and rusqlite
//! as the gateway. It parses the JSON, does the statement and answers. No token, no schema, no log, no event, no ETag:
//! what the gateway costs beyond this is what it does beyond this. `/token` stands for tokens that are given: a row, and a
//! signature by RS256, the least that an ID token needs.
//!
//! `floor ADDRESS postgres://…` or `floor ADDRESS sqlite:FILE [each]`. On SQLite writers share commits, as in the
//! gateway; with `each` every write has a commit of its own. Both flush at commit (`synchronous=FULL`).

#![expect(clippy::disallowed_methods, reason = "a yardstick, not the gateway: ids come straight from the library")]
#![expect(clippy::panic, reason = "wrong arguments end it")]
#![expect(clippy::print_stdout, reason = "tells its address to the script that started it")]

mod postgres;
mod sqlite;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::LazyLock;

const BASE: &str = "/scim/v2/connections/scim";

/// The two databases behind the same six operations.
#[derive(Clone)]
enum Database {
    Postgres(postgres::Database),
    Sqlite(sqlite::Database),
}

/// Why there is no answer: not JSON, nothing there, taken, or the database said no.
enum Refusal {
    Malformed,
    NotFound,
    Taken,
    Failed(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST.into_response(),
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Taken => StatusCode::CONFLICT.into_response(),
            Self::Failed(reason) => (StatusCode::INTERNAL_SERVER_ERROR, reason).into_response(),
        }
    }
}

/// Calls the method on whichever database it is.
macro_rules! on {
    ($database:expr, $method:ident($($argument:expr),*)) => {
        match $database {
            Database::Postgres(database) => database.$method($($argument),*).await,
            Database::Sqlite(database) => database.$method($($argument),*).await,
        }
    };
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (address, database) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [address, url] if url.starts_with("postgres://") => (address, Database::Postgres(postgres::Database::open(url).await)),
        [address, url] => (address, Database::Sqlite(sqlite::Database::open(url, sqlite::Commit::Group))),
        [address, url, "each"] => (address, Database::Sqlite(sqlite::Database::open(url, sqlite::Commit::Each))),
        _ => panic!("usage: floor ADDRESS postgres://… | floor ADDRESS sqlite:FILE [each]"),
    };
    let routes = Router::new()
        .route("/Users", post(create).get(list))
        .route("/Users/{id}", get(find).patch(set_active))
        .route("/token", post(give_tokens))
        .route("/Groups", post(create_group))
        .route("/Groups/{id}", patch(add_member))
        .with_state(database);
    let listener = tokio::net::TcpListener::bind(address).await.expect("the address is free");
    println!("listening on http://{}", listener.local_addr().expect("a bound socket has an address"));
    axum::serve(listener, Router::new().nest(BASE, routes)).await.expect("serving never ends");
}

fn scim(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/scim+json")], body).into_response()
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::Malformed)
}

/// The posted resource with `id` and `meta`, as text.
fn stored(resource: &mut Value, kind: &str) -> (String, String) {
    let id = uuid::Uuid::now_v7().to_string();
    resource["id"] = json!(id);
    resource["meta"] = json!({"resourceType": kind, "location": format!("http://localhost{BASE}/{kind}s/{id}")});
    (id, resource.to_string())
}

async fn create(State(database): State<Database>, body: Bytes) -> Result<Response, Refusal> {
    let mut resource = parse(&body)?;
    let name = resource["userName"].as_str().unwrap_or_default().to_lowercase();
    let (id, doc) = stored(&mut resource, "User");
    on!(database, create(id, name, doc.clone()))?;
    Ok(scim(StatusCode::CREATED, doc))
}

static KEY: LazyLock<PKey<Private>> = LazyLock::new(|| PKey::from_rsa(Rsa::generate(2_048).expect("a key")).expect("a key"));

async fn give_tokens(State(database): State<Database>, body: Bytes) -> Result<Response, Refusal> {
    let (id, doc) = stored(&mut json!({ "grant": String::from_utf8_lossy(&body) }), "Token");
    on!(database, create(id.clone(), id.clone(), doc))?;
    let claims = json!({"iss": "http://localhost", "sub": id, "aud": "load", "iat": 0, "exp": 0, "auth_time": 0, "at_hash": id});
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"1","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature =
        Signer::new(MessageDigest::sha256(), &KEY).and_then(|mut signer| signer.sign_oneshot_to_vec(signed.as_bytes()));
    let signature = signature.map_err(|error| Refusal::Failed(error.to_string()))?;
    let id_token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    let tokens = json!({"access_token": id, "token_type": "Bearer", "expires_in": 3_600, "id_token": id_token});
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], tokens.to_string()).into_response())
}

async fn find(State(database): State<Database>, Path(id): Path<String>) -> Result<Response, Refusal> {
    Ok(scim(StatusCode::OK, on!(database, find(id))?))
}

/// `?filter=userName eq "…"`, or the first `count` users.
async fn list(State(database): State<Database>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let docs = match parameter(&query, "filter") {
        Some(filter) => {
            let name = filter.strip_prefix("userName eq \"").and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
            on!(database, named(name.to_lowercase()))?
        }
        None => {
            let count = parameter(&query, "count").and_then(|count| count.parse().ok()).unwrap_or(100);
            on!(database, page(count))?
        }
    };
    Ok(scim(StatusCode::OK, list_response(&docs)))
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let (_, value) = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    percent_encoding::percent_decode_str(value).decode_utf8().ok().map(Into::into)
}

fn list_response(docs: &[String]) -> String {
    let mut body = String::from(r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"Resources":["#);
    body.push_str(&docs.join(","));
    write!(body, r#"],"totalResults":{0},"startIndex":1,"itemsPerPage":{0}}}"#, docs.len()).expect("writing to a String");
    body
}

/// Puts `active` into a stored resource.
fn with_active(doc: &str, active: bool) -> Result<String, Refusal> {
    let mut resource: Value = serde_json::from_str(doc).map_err(|error| Refusal::Failed(error.to_string()))?;
    resource["active"] = json!(active);
    Ok(resource.to_string())
}

async fn set_active(State(database): State<Database>, Path(id): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let active = parse(&body)?["Operations"][0]["value"].as_bool().unwrap_or_default();
    Ok(scim(StatusCode::OK, on!(database, set_active(id, active))?))
}

async fn create_group(State(database): State<Database>, body: Bytes) -> Result<Response, Refusal> {
    let mut resource = parse(&body)?;
    let (id, doc) = stored(&mut resource, "Group");
    on!(database, create_group(id, doc.clone()))?;
    Ok(scim(StatusCode::CREATED, doc))
}

async fn add_member(State(database): State<Database>, Path(group): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let message = parse(&body)?;
    let member = message["Operations"][0]["value"][0]["value"].as_str().unwrap_or_default().to_owned();
    on!(database, add_member(group, member))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
