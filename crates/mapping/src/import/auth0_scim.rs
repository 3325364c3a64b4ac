//! Auth0's inbound SCIM map: a list of `{"auth0": "email", "scim": "emails[primary eq true].value"}`. Theirs goes both
//! ways; the direction that ends in a profile is ours.

use super::connection::{self, shape};
use super::draft::{Destination, Draft, destination};
use super::{ImportError, Place, scim_path, write};
use crate::target::{self, Kind};
use crate::types::Type;
use serde_json::Value;

/// # Errors
/// [`ImportError::Shape`].
pub fn draft(json: &Value) -> Result<Draft, ImportError> {
    let mut draft = Draft::new(Kind::Scim);
    let (path, list) = match json {
        Value::Array(list) => ("", list.as_slice()),
        Value::Object(object) => match object.get("mapping") {
            Some(Value::Array(list)) => ("mapping", list.as_slice()),
            Some(other) => return Err(shape("mapping", other, "a list of {auth0, scim}")),
            None => ("", std::slice::from_ref(json)),
        },
        other => return Err(shape("the file", other, "a list of {auth0, scim}")),
    };
    if list.is_empty() {
        return Err(ImportError::Shape {
            path: if path.is_empty() { "the file".to_owned() } else { path.to_owned() },
            found: "an empty list".to_owned(),
            wanted: "a list of {auth0, scim}".to_owned(),
        });
    }
    let maps_id = list.iter().any(|pair| pair.get("auth0").and_then(Value::as_str) == Some("user_id"));
    if let Some(id) = json.get("user_id_attribute").filter(|_| !maps_id) {
        let id = id.as_str().ok_or_else(|| shape("user_id_attribute", id, "a text"))?;
        rule(&mut draft, &Place::Path("user_id_attribute".to_owned()), "user_id", id);
    }
    for (at, pair) in list.iter().enumerate() {
        let here = connection::join(path, &at.to_string());
        let member = |name: &str| match pair.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(other) => Err(shape(&format!("{here}.{name}"), other, "a text")),
            None => Err(ImportError::Shape {
                path: here.clone(),
                found: format!("{} without `{name}`", super::kind_of(pair)),
                wanted: "{\"auth0\": \"…\", \"scim\": \"…\"}".to_owned(),
            }),
        };
        rule(&mut draft, &Place::Path(here.clone()), member("auth0")?, member("scim")?);
    }
    Ok(draft)
}

fn rule(draft: &mut Draft, at: &Place, auth0: &str, scim: &str) {
    let what = format!("{auth0} = {scim}");
    let path = match destination(auth0) {
        Destination::Path(path) => path,
        Destination::Nowhere { why, suggestion } => return draft.leave(at.clone(), &what, why, suggestion),
    };
    let read = match scim_path::read(scim) {
        Ok(read) => read,
        Err(why) => return draft.leave(at.clone(), &what, why, Some("write the rule by hand".to_owned())),
    };
    match read.attribute.as_str() {
        "id" | "meta" | "schemas" => {
            return draft.leave(at.clone(), &what, "the server's own attribute of a resource, no client sends it", None);
        }
        "password" => return draft.leave(at.clone(), &what, "passwords are not taken from a directory", None),
        _ => {}
    }
    if let Some(name) = read.declare {
        draft.attribute(&name, "json");
    }
    let borrowed: Vec<&str> = path.iter().map(String::as_str).collect();
    let wanted = target::of_profile(&borrowed).unwrap_or(Type::Json);
    let code = read.code;
    let is_active = read.attribute == "active" && auth0 == "blocked";
    let filtered = scim.contains('[');
    let (code, rest) = match (&wanted, read.many) {
        // The two mean the opposite of each other; one that is not sent says nothing.
        _ if is_active => (format!("not {code}"), " when present($active)"),
        (Type::List(_), true) => (format!("{code} ?? absent"), ""),
        (Type::List(_), false) => (format!("{code}[*] ?? absent"), ""),
        // A filter chooses one; without one the original gets them all.
        (Type::Json, true) if !filtered => (format!("{code} ?? absent"), ""),
        (Type::Bool, true) => (format!("bool?(first({code}))"), ""),
        (Type::Bool, false) => (format!("bool?({code})"), ""),
        (_, true) => (format!("first({code})"), ""),
        (_, false) => (code, ""),
    };
    let rest = if auth0 == "user_id" { " with create" } else { rest };
    if filtered {
        draft.differs(
            "text in a filter compares without case (RFC 7643 §2.2), and of several matches the first with a value is taken",
        );
    }
    if auth0 == "blocked" && !is_active {
        draft.differs("only `active` is turned round for `blocked`; other attributes are taken as they are");
    }
    draft.rule(path, code, rest, at.clone(), &write::comment(&what));
}
