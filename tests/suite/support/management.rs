//! Calls of the management API by one token, for tests of its resources.

use super::gateway::{Answer, Gateway};
use serde_json::{Value, json};

pub struct Management<'a> {
    gateway: &'a Gateway,
    token: String,
}

impl<'a> Management<'a> {
    /// With the token that `bootstrap` printed.
    pub fn admin(gateway: &'a Gateway) -> Self {
        Self { gateway, token: gateway.bootstrapped("admin_token").to_owned() }
    }

    /// With a token that `token create --admin` makes with these arguments.
    pub fn with(gateway: &'a Gateway, arguments: &[&str]) -> Self {
        let made = gateway.cli(&[&["token", "create", "--json", "--admin"], arguments].concat());
        let made: Value = serde_json::from_str(&made).expect("JSON");
        Self { gateway, token: made["token"].as_str().expect("a token").to_owned() }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}/api/v2{path}", self.gateway.base_url());
        let headers = [
            (String::from("authorization"), format!("Bearer {}", self.token)),
            (String::from("content-type"), String::from("application/json")),
        ];
        self.gateway.send(method, &url, &headers, body.map(Value::to_string)).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// The body of a call that has to succeed.
    pub async fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.send(method, path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    /// A call that has to be refused so.
    pub async fn refused(&self, method: &str, path: &str, body: Option<&Value>, (status, code): (u16, &str)) -> Value {
        let answer = self.send(method, path, body).await;
        assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{method} {path}: {}", answer.text);
        answer.json()
    }
}
