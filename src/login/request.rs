//! Reads what somebody signs in with: a form or JSON. Refuses what is not in that form; what is wrong with a name or a
//! password itself is nobody's to know.

use super::Logins;
use super::answer::Refused;
use super::return_to;
use crate::http::body;
use crate::secret::Secret;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// Longest body in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;
/// Fields of a form that are looked at.
const FIELDS_MAX: usize = 32;
/// Longest name in bytes; nobody has a longer one.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// Longest password in bytes; nobody has a longer one.
pub(super) const PASSWORD_BYTES_MAX: usize = 1_024;

/// What was sent.
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: Secret<String>,
    /// Checked.
    pub(super) return_to: Option<String>,
    /// A browser's form, which is answered with where to go.
    pub(super) is_form: bool,
}

/// Reads and checks the body.
pub(super) async fn read(logins: &Logins, parts: &Parts, body: Body) -> Result<Credentials, Refused> {
    let media = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = match media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => false,
        "application/x-www-form-urlencoded" => true,
        _ => return Err(Refused::MediaType),
    };
    let bytes = body::read(body, BODY_BYTES_MAX, logins.body_timeout).await.map_err(Refused::Body)?;
    let mut fields = if is_form { form(&bytes)? } else { object(&bytes)? };
    let username = text(&mut fields, "username")?.ok_or_else(|| missing("username"))?;
    let password = text(&mut fields, "password")?.ok_or_else(|| missing("password"))?;
    let return_to = match text(&mut fields, "return_to")?.filter(|text| !text.is_empty()) {
        Some(text) => Some(
            return_to::check(&text, &logins.public_url, &logins.return_to)
                .map_err(|message| Refused::request("invalid_return_to", message))?,
        ),
        None => None,
    };
    Ok(Credentials { username, password: Secret::new(password), return_to, is_form })
}

fn missing(field: &str) -> Refused {
    Refused::request("invalid_body", format!("{field}: is missing"))
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refused> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refused::request("invalid_body", format!("{name}: wanted a text"))),
    }
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refused> {
    // What is wrong with it is not repeated: there is a password in it.
    let wanted = || Refused::request("invalid_body", "wanted a JSON object with username and password");
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(wanted()),
    }
}

fn form(bytes: &[u8]) -> Result<Map<String, Value>, Refused> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(bytes).take(FIELDS_MAX) {
        if fields.insert(name.clone().into_owned(), Value::String(value.into_owned())).is_some() {
            return Err(Refused::request("invalid_body", "a field stands in the form twice"));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_once_and_says_each_thing_once() {
        let fields = form(b"username=a%2Bb+c&password=%2525&x=").expect("a form");
        assert_eq!((&fields["username"], &fields["password"]), (&Value::from("a+b c"), &Value::from("%25")));
        assert!(matches!(form(b"username=a&username=b"), Err(Refused::Request { .. })));
    }

    #[test]
    fn json_is_an_object_of_texts() {
        assert_eq!(object(br#"{"username":"a"}"#).expect("an object")["username"], "a");
        for bad in [&b"[]"[..], b"", b"null", b"{", b"\xff"] {
            assert!(matches!(object(bad), Err(Refused::Request { .. })));
        }
        let mut fields = object(br#"{"password":7}"#).expect("an object");
        assert!(
            matches!(text(&mut fields, "password"), Err(Refused::Request { message, .. }) if message == "password: wanted a text")
        );
    }
}
