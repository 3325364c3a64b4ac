//! What a token endpoint answered (RFC 6749 §5), in every shape providers have for it. Pure. Tolerant of shape and of nothing
//! else: an error is one wherever it stands, and whatever the status says.

use super::rule::{Refusal, Rule};
use crate::secret::Secret;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// Longest token in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Fields of a form that are looked at.
const FIELDS_MAX: usize = 64;

/// What a login goes on with. Nothing of it is kept.
#[derive(Clone, Debug)]
pub struct TokenAnswer {
    pub access_token: Secret<String>,
    pub id_token: Option<Secret<String>>,
    /// What was granted, where that is said.
    pub scopes: Option<Vec<String>>,
    pub expires_in: Option<u64>,
}

/// # Errors
/// The provider refused the code, or answered something else than tokens.
pub fn parse(status: u16, body: &[u8]) -> Result<TokenAnswer, Refusal> {
    let fields = fields(body).filter(|fields| !fields.is_empty());
    let error = fields.as_ref().and_then(error);
    if let Some(error) = error {
        return Err(Rule::ExchangeRefused.refused().received(error));
    }
    if !(200..300).contains(&status) {
        return Err(Rule::ExchangeRefused.refused().expected("200").received(status.to_string()));
    }
    let fields = fields.ok_or_else(|| Rule::TokenAnswerMalformed.refused().expected("JSON or a form"))?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let secret = |name: &str| text(name).filter(|text| text.len() <= TOKEN_BYTES_MAX).map(|text| Secret::new(text.to_owned()));
    if let Some(kind) = text("token_type").filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Rule::TokenAnswerMalformed.refused().expected("token_type Bearer").received(kind));
    }
    if text("id_token").is_some_and(|token| token.len() > TOKEN_BYTES_MAX) {
        return Err(Rule::TokenTooLarge.refused().expected(format!("at most {TOKEN_BYTES_MAX} bytes")));
    }
    // It goes into a header.
    let plain = |token: &Secret<String>| token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    Ok(TokenAnswer {
        access_token: secret("access_token").filter(plain).ok_or_else(|| Rule::NoAccessToken.refused())?,
        id_token: secret("id_token"),
        // With commas from some, which have no place in a scope of others.
        scopes: text("scope").map(|all| all.split([' ', ',']).filter(|one| !one.is_empty()).map(str::to_owned).collect()),
        expires_in: fields.get("expires_in").and_then(|value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())),
    })
}

impl TokenAnswer {
    /// Which of these scopes the person did not grant, if the answer says what they granted (RFC 6749 §5.1).
    pub fn not_granted<'a>(&self, asked: &'a [String]) -> Vec<&'a str> {
        let Some(granted) = &self.scopes else { return Vec::new() };
        let is_granted = |wanted: &str| granted.iter().any(|scope| covers(scope, wanted));
        asked.iter().map(String::as_str).filter(|wanted| !is_granted(wanted)).collect()
    }
}

/// Whether a scope that was granted is the one that was asked for, as providers spell and bundle them.
fn covers(granted: &str, asked: &str) -> bool {
    let is_of_google = || granted.strip_prefix("https://www.googleapis.com/auth/userinfo.") == Some(asked);
    let is_of_microsoft = || granted.strip_prefix("https://graph.microsoft.com/") == Some(asked);
    let is_of_github = || match granted {
        "user" => matches!(asked, "read:user" | "user:email"),
        "admin:org" | "write:org" => asked == "read:org",
        _ => false,
    };
    granted.eq_ignore_ascii_case(asked) || is_of_google() || is_of_microsoft() || is_of_github()
}

fn fields(body: &[u8]) -> Option<Map<String, Value>> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if matches!(first, b'{' | b'[' | b'"' | b'<') {
        return serde_json::from_slice(body).ok();
    }
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body).take(FIELDS_MAX) {
        // Of two the first: whoever adds one behind it changes nothing.
        fields.entry(name.into_owned()).or_insert_with(|| Value::String(value.into_owned()));
    }
    Some(fields)
}

/// What is wrong, by the provider's own words.
fn error(fields: &Map<String, Value>) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let described = |error: String| match fields.get("error_description").and_then(text) {
        Some(description) => format!("{error}: {description}"),
        None => error,
    };
    match fields.get("error") {
        None | Some(Value::Null) => {}
        // Facebook's.
        Some(Value::Object(error)) => {
            let parts = ["type", "code", "message"].iter().filter_map(|name| error.get(*name).and_then(text));
            return Some(parts.collect::<Vec<_>>().join(" "));
        }
        Some(error) => return Some(described(text(error).unwrap_or_else(|| error.to_string()))),
    }
    // Slack's.
    (fields.get("ok") == Some(&Value::Bool(false))).then(|| String::from("ok: false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> (Rule, String) {
        let refusal = parse(status, body.as_bytes()).expect_err(body);
        (refusal.rule, refusal.received.unwrap_or_default())
    }

    #[test]
    fn tokens_come_as_json_or_as_a_form() {
        let json = br#" {"access_token":"a","token_type":"bearer","expires_in":"3600","id_token":"i","scope":"openid email"}"#;
        let answer = parse(200, json).expect("tokens");
        assert_eq!((answer.access_token.expose().as_str(), answer.expires_in), ("a", Some(3_600)));
        assert_eq!(answer.scopes, Some(vec![String::from("openid"), String::from("email")]));
        let answer = parse(200, b"access_token=gho_1&scope=read%3Auser%2Cuser%3Aemail&token_type=bearer").expect("tokens");
        assert_eq!(answer.scopes, Some(vec![String::from("read:user"), String::from("user:email")]));
        assert!(answer.id_token.is_none() && answer.expires_in.is_none());
        assert!(parse(200, br#"{"access_token":"a"}"#).is_ok(), "no token_type");
        assert!(parse(201, br#"{"access_token":"a","error":null,"ok":true,"expires_in":3600.5}"#).is_ok());
    }

    #[test]
    fn an_error_is_one_whatever_the_status_says() {
        let refused_by = |status, body, words: &str| assert_eq!(refused(status, body), (Rule::ExchangeRefused, words.to_owned()));
        refused_by(200, r#"{"error":"bad_verification_code","error_description":"expired"}"#, "bad_verification_code: expired");
        refused_by(200, "error=bad_verification_code&error_description=x", "bad_verification_code: x");
        refused_by(400, r#"{"error":"invalid_grant"}"#, "invalid_grant");
        refused_by(200, r#"{"ok":false,"error":"invalid_code"}"#, "invalid_code");
        refused_by(200, r#"{"ok":false}"#, "ok: false");
        refused_by(
            400,
            r#"{"error":{"message":"Expired","type":"OAuthException","code":190,"fbtrace_id":"x"}}"#,
            "OAuthException 190 Expired",
        );
        refused_by(500, "", "500");
        refused_by(404, "<html>", "404");
        refused_by(200, r#"{"access_token":"a","error":"x"}"#, "x");
    }

    #[test]
    fn what_holds_no_usable_token_is_no_answer() {
        for body in ["", "[]", "<html>", "\"a\"", "null", "{\"access_token\":"] {
            assert!(matches!(refused(200, body).0, Rule::TokenAnswerMalformed | Rule::NoAccessToken), "{body}");
        }
        for body in [r#"{"id_token":"i"}"#, r#"{"access_token":""}"#, r#"{"access_token":7}"#, "access_token=a%0d%0aX:%20y"] {
            assert_eq!(refused(200, body).0, Rule::NoAccessToken, "{body}");
        }
        assert_eq!(refused(200, r#"{"access_token":"a","token_type":"mac"}"#).0, Rule::TokenAnswerMalformed);
        let long = format!("{{\"access_token\":\"a\",\"id_token\":\"{}\"}}", "x".repeat(TOKEN_BYTES_MAX + 1));
        assert_eq!(refused(200, &long).0, Rule::TokenTooLarge);
    }

    #[test]
    fn what_was_not_granted_is_known_where_the_answer_says_what_was() {
        let not_granted = |scope: &str, asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|scope| (*scope).to_owned()).collect();
            let body = format!("{{\"access_token\":\"a\"{scope}}}");
            parse(200, body.as_bytes()).expect("tokens").not_granted(&asked).join(" ")
        };
        assert_eq!(not_granted("", &["email"]), "", "it does not say");
        assert_eq!(not_granted(r#","scope":"read:user""#, &["read:user", "user:email"]), "user:email");
        assert_eq!(not_granted(r#","scope":"user,admin:org""#, &["read:user", "user:email", "read:org"]), "");
        let google = r#","scope":"openid https://www.googleapis.com/auth/userinfo.email""#;
        assert_eq!(not_granted(google, &["openid", "email", "profile"]), "profile");
        assert_eq!(not_granted(r#","scope":"https://graph.microsoft.com/User.Read""#, &["User.Read"]), "");
    }

    #[test]
    fn tokens_never_print() {
        let answer = parse(200, br#"{"access_token":"s3cret","id_token":"s3cret"}"#).expect("tokens");
        assert!(!format!("{answer:?}").contains("s3cret"));
    }
}
