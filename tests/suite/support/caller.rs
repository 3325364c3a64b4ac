//! A SCIM client of one connection, for tests that are no recordings: many of them can speak to a gateway at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::gateway::{Answer, Gateway, Store};

pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Who calls: an address, a token, and connections of its own.
#[derive(Clone)]
pub struct Caller {
    base: String,
    token: String,
    client: reqwest::Client,
}

impl Caller {
    /// The client of `connection` (name or id) as the gateway runs now; after a restart the address is another.
    pub fn of(gateway: &Gateway, connection: &str, token: &str) -> Self {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("an HTTP client");
        Self { base: gateway.scim_url(connection), token: token.to_owned(), client }
    }

    /// The client of the connection that `bootstrap` made.
    pub fn new(gateway: &Gateway) -> Self {
        Self::of(gateway, "scim", gateway.token())
    }

    /// One request with these headers besides the token's; `path` begins with `/` and is sent as written. Errors are those of the
    /// connection, never a status.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> reqwest::Result<Answer> {
        let method = method.parse::<reqwest::Method>().expect("an HTTP method");
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let began = Instant::now();
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Answer { status, headers, text, took: began.elapsed() })
    }

    /// One request whose body, if any, is JSON. Panics if the connection breaks.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.send_with(method, path, &[], body).await
    }

    /// [`Self::send`] with headers.
    pub async fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push(("content-type", "application/scim+json"));
        }
        let sent = self.try_send(method, path, &headers, body.map(|body| body.to_string().into_bytes())).await;
        sent.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// `GET` of a list by a filter, which is encoded here.
    pub async fn find(&self, resources: &str, filter: &str) -> Answer {
        self.get(&format!("/{resources}?filter={}", encoded(filter))).await
    }

    /// Creates a resource that must be taken; its id.
    pub async fn create(&self, resources: &str, body: &Value) -> String {
        let answer = self.send("POST", &format!("/{resources}"), Some(body)).await;
        assert_eq!(answer.status, 201, "{body} was answered {}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// A PATCH of these operations.
    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        self.send("PATCH", path, Some(&patch(operations))).await
    }
}

/// A user with no more than it takes.
pub fn user(user_name: &str) -> Value {
    json!({"schemas": [USER_URN], "externalId": format!("x-{user_name}"), "userName": user_name, "displayName": user_name})
}

pub fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    json!({"schemas": [GROUP_URN], "displayName": name, "members": members})
}

pub fn patch(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

/// Everything but letters and digits as `%XX`.
pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The number in an ETag or `meta.version`.
pub fn version(tag: &str) -> i64 {
    let number = tag.strip_prefix("W/\"").and_then(|tag| tag.strip_suffix('"')).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{tag} is no version"))
}

/// An answer that refuses in the form of RFC 7644 §3.12. What is wrong with it, if anything is.
pub fn refusal_faults(answer: &Answer, status: u16, scim_type: Option<&str>) -> Option<String> {
    let told = |fault: &str| Some(format!("{fault}: {} {}", answer.status, answer.text.chars().take(400).collect::<String>()));
    if answer.status != status {
        return told(&format!("not {status}"));
    }
    if !answer.header("content-type").unwrap_or_default().starts_with("application/scim+json") {
        return told("not application/scim+json");
    }
    let Ok(body) = serde_json::from_str::<Value>(&answer.text) else { return told("not JSON") };
    if body["schemas"] != json!([ERROR_URN]) || body["status"] != status.to_string().as_str() || !body["detail"].is_string() {
        return told("not a SCIM Error");
    }
    (body.get("scimType").and_then(Value::as_str) != scim_type).then(|| format!("not {scim_type:?}: {}", answer.text))
}

/// Asserts [`refusal_faults`] finds none.
pub fn assert_refused(answer: &Answer, status: u16, scim_type: Option<&str>) {
    if let Some(fault) = refusal_faults(answer, status, scim_type) {
        panic!("{fault}");
    }
}

/// One test body, two tests: `name::sqlite` and `name::postgres`, which get the kind of store.
macro_rules! on_both_gateways {
    ($($(#[$doc:meta])* async fn $name:ident($store:ident) $body:block)+) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "not every body uses what is around it")]
            use super::*;

            async fn body($store: $crate::support::gateway::Store) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body($crate::support::gateway::Store::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                body($crate::support::gateway::Store::Postgres).await;
            }
        }
    )+};
}
pub(crate) use on_both_gateways;

/// The gateways a store is spoken to through: PostgreSQL serves two replicas, a SQLite file one.
pub async fn replicas(store: Store) -> Vec<Gateway> {
    let first = Gateway::start(store).await;
    match store {
        Store::Sqlite => vec![first],
        Store::Postgres => {
            let second = Gateway::beside(&first);
            vec![first, second]
        }
    }
}
