//! The JSON around a map: a connection with its options, the answer of an API, or the map alone. Owns what a
//! connection's other options mean for a mapping.

use super::draft::Draft;
use super::{Format, ImportError, Place, kind_of};
use serde_json::{Map, Value};

/// A map with the options beside it, if there are some.
pub struct Found<'j> {
    /// Where it stands, for messages.
    pub path: String,
    pub map: &'j Value,
    pub options: Option<&'j Map<String, Value>>,
}

/// By the strategy if there is one, else by the shape.
///
/// # Errors
/// [`ImportError::Unknown`].
pub fn detect(json: &Value) -> Result<Format, ImportError> {
    let unknown = |why: &str| Err(ImportError::Unknown { why: why.to_owned() });
    if is_scim(json) {
        return Ok(Format::Auth0Scim);
    }
    let Some(object) = json.as_object() else { return unknown(&format!("it is {}", kind_of(json))) };
    match object.get("strategy").and_then(Value::as_str) {
        Some("samlp" | "pingfederate") => return Ok(Format::Auth0Saml),
        Some("oauth2" | "oauth1" | "oidc" | "okta") => return Ok(Format::Auth0Oauth),
        Some(other) => return unknown(&format!("connections with the strategy {other:?} have no map")),
        None => {}
    }
    let options = object.get("options").and_then(Value::as_object).unwrap_or(object);
    if options.contains_key("mappings") || object.contains_key("mappings") {
        return unknown(
            "`mappings` is the outgoing map of the SAML2 add-on; what comes in can be imported, what goes out not yet",
        );
    }
    if options.contains_key("attribute_map") || options.contains_key("mapping_mode") {
        return Ok(Format::Auth0Oauth);
    }
    let map = options.get("fieldsMap").unwrap_or(json);
    let Some(map) = map.as_object() else { return unknown(&format!("`fieldsMap` is {}", kind_of(map))) };
    if map.is_empty() {
        return unknown("the map is empty");
    }
    let texts = map.values().flat_map(|value| match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    });
    let is_uri = |value: &Value| value.as_str().is_some_and(|text| text.contains("://") || text.starts_with("urn:"));
    Ok(if texts.into_iter().any(is_uri) { Format::Auth0Saml } else { Format::Auth0Oauth })
}

fn is_scim(json: &Value) -> bool {
    let is_pair = |value: &Value| value.get("scim").is_some() && value.get("auth0").is_some();
    let list = match json {
        Value::Array(list) => list,
        other => match other.get("mapping") {
            Some(Value::Array(list)) => list,
            _ => return is_pair(other),
        },
    };
    list.iter().any(is_pair)
}

/// The map itself: under `options.fieldsMap`, `fieldsMap` or one of `names`, or the whole.
///
/// # Errors
/// [`ImportError::Shape`].
pub fn find<'j>(json: &'j Value, names: &[&str]) -> Result<Found<'j>, ImportError> {
    let object = json.as_object().ok_or_else(|| shape("the file", json, "an object of profile attributes"))?;
    let (options, above) = match object.get("options") {
        Some(Value::Object(options)) => (options, "options."),
        Some(other) if object.contains_key("strategy") => return Err(shape("options", other, "an object")),
        _ => (object, ""),
    };
    for name in names {
        if let Some(map) = options.get(*name) {
            return Ok(Found { path: format!("{above}{name}"), map, options: Some(options) });
        }
    }
    if object.contains_key("strategy") || object.contains_key("options") {
        let found = "a connection without a map".to_owned();
        return Err(ImportError::Shape { path: format!("{above}{}", names.join(" or ")), found, wanted: "an object".to_owned() });
    }
    Ok(Found { path: String::new(), map: json, options: None })
}

pub fn shape(path: &str, found: &Value, wanted: &str) -> ImportError {
    ImportError::Shape { path: path.to_owned(), found: kind_of(found).to_owned(), wanted: wanted.to_owned() }
}

/// `base.name`, or `name`.
pub fn join(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}.{name}") }
}

/// What other options say that a mapping says too.
pub fn options(draft: &mut Draft, found: &Found<'_>) {
    let Some(options) = found.options else { return };
    let path = |name: &str| Place::Path(join(found.path.rsplit_once('.').map_or("", |(above, _)| above), name));
    match options.get("set_user_root_attributes").and_then(Value::as_str) {
        Some("on_first_login") => draft.default("create"),
        Some("never_on_login") => draft.leave(
            path("set_user_root_attributes"),
            "never_on_login",
            "logins through this connection write no root attribute",
            Some("leave this mapping to the source that owns them, or write `default create`".to_owned()),
        ),
        _ => {}
    }
    if let Some(Value::Array(denied)) = options.get("non_persistent_attrs")
        && !denied.is_empty()
    {
        let names: Vec<&str> = denied.iter().filter_map(Value::as_str).collect();
        let why = "attributes that are never stored are an option of the connection, not of a mapping";
        draft.leave(path("non_persistent_attrs"), &names.join(", "), why, Some("remove the rules that read them".to_owned()));
    }
}

/// A text or a list of texts, each a candidate.
///
/// # Errors
/// [`ImportError::Shape`] with the path.
pub fn candidates<'j>(path: &str, value: &'j Value) -> Result<Vec<&'j str>, ImportError> {
    const WANTED: &str = "a text or a list of texts";
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| item.as_str().ok_or_else(|| shape(&format!("{path}.{at}"), item, "a text")))
            .collect(),
        other => Err(shape(path, other, WANTED)),
    }
}
