//! `fieldsMap` of a custom OAuth2 connection (`{"user_id": "sub", "given_name": "name.first"}`) and `attribute_map` of an
//! OIDC connection (`"${context.userinfo.email}"`): paths into the JSON a provider answers with.

use super::connection;
use super::draft::{Destination, Draft, destination};
use super::{ImportError, Place, write};
use crate::target::{self, Kind};
use crate::types::Type;
use serde_json::Value;

/// # Errors
/// [`ImportError::Shape`].
pub fn draft(json: &Value) -> Result<Draft, ImportError> {
    let found = connection::find(json, &["fieldsMap", "attribute_map"])?;
    let strategy = json.get("strategy").and_then(Value::as_str);
    let (path, map) = match found.map.get("attributes") {
        Some(inner @ Value::Object(_)) => (connection::join(&found.path, "attributes"), inner),
        _ => (found.path.clone(), found.map),
    };
    let templates = path.contains("attribute_map") || map.to_string().contains("${context.");
    let oidc = templates || matches!(strategy, Some("oidc" | "okta"));
    let object = map.as_object().ok_or_else(|| connection::shape(&path, map, "an object of profile attributes"))?;
    let mut draft = Draft::new(if oidc { Kind::Oidc } else { Kind::Oauth });
    if found.map.get("mapping_mode").and_then(Value::as_str) == Some("bind_all") {
        let why = "bind_all copies every claim under its own name; here every attribute has a rule";
        let at = Place::Path(connection::join(&found.path, "mapping_mode"));
        draft.leave(at, "bind_all", why, Some("add a rule per claim you need: app_metadata.x = $x".to_owned()));
    }
    connection::options(&mut draft, &found);
    for (name, value) in object.iter().filter(|(name, _)| !(templates && *name == "mapping_mode")) {
        let here = connection::join(&path, name);
        let candidates = connection::candidates(&here, value)?;
        rule(&mut draft, &Place::Path(here), name, &candidates, templates);
    }
    Ok(draft)
}

fn rule(draft: &mut Draft, at: &Place, name: &str, candidates: &[&str], templates: bool) {
    let what = candidates.join(", ");
    let path = match destination(name) {
        Destination::Path(path) => path,
        Destination::Nowhere { why, suggestion } => return draft.leave(at.clone(), &what, why, suggestion),
    };
    let borrowed: Vec<&str> = path.iter().map(String::as_str).collect();
    let wanted = target::of_profile(&borrowed).unwrap_or(Type::Json);
    let mut sources = Vec::new();
    for candidate in candidates {
        let read = if templates { template(candidate) } else { source(candidate) };
        match read {
            Ok(code) if wanted.is_list() => sources.push(format!("{code}[*]")),
            Ok(code) => sources.push(code),
            Err(why) => draft.leave(at.clone(), candidate, why, Some("write the rule by hand".to_owned())),
        }
    }
    if sources.is_empty() {
        if candidates.is_empty() {
            draft.leave(at.clone(), "[]", "no path is named", None);
        }
        return;
    }
    let code = sources.join(" ?? ");
    let (code, rest) = match wanted {
        Type::List(_) => (format!("{code} ?? absent"), ""),
        Type::Bool => (format!("bool?({code})"), ""),
        // An id may be a number; everything else is as the provider sends it.
        _ if name == "user_id" => (format!("text({code})"), " with create"),
        _ => (code, ""),
    };
    if code.contains("[0]") || candidates.iter().any(|path| path.contains(|letter: char| letter.is_ascii_digit())) {
        draft.differs("a place in a list counts the values that hold something: an empty text in front of them is passed over");
    }
    if !wanted.is_list() {
        draft.differs("a claim with several values: the original keeps the list, here the first value is taken");
    }
    if matches!(wanted, Type::String) && name != "user_id" {
        draft.differs("a number or an object where text is wanted fails this attribute alone and is reported");
    }
    draft.rule(path, code, rest, at.clone(), &what);
}

/// `name.first`, `emails[0].value`, `emails.0.value`
fn source(path: &str) -> Result<String, String> {
    let refused = || format!("`{}` is no path into the claims", write::comment(path));
    let mut segments = Vec::new();
    for part in path.split('.') {
        let (name, mut indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !name.is_empty() {
            segments.push(name);
        }
        while let Some(rest) = indexes.strip_prefix('[') {
            let (index, after) = rest.split_once(']').ok_or_else(refused)?;
            segments.push(index);
            indexes = after;
        }
        if part.is_empty() || !indexes.is_empty() {
            return Err(refused());
        }
    }
    // A claim of a name with dots (a URI) is one name.
    if path.contains("://") || path.starts_with("urn:") {
        segments = vec![path];
    }
    let (first, rest) = segments.split_first().ok_or_else(refused)?;
    let mut code = write::source(first).filter(|_| *first != "all").ok_or_else(refused)?;
    for segment in rest {
        match segment.parse::<u32>() {
            Ok(index) => code = format!("{code}[{index}]"),
            Err(_) if segment.is_empty() => return Err(refused()),
            Err(_) => code.push_str(&write::member(segment)),
        }
    }
    Ok(code)
}

/// `${context.userinfo.email}`, text around it, or text alone.
fn template(text: &str) -> Result<String, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (inside, behind) = after.split_once('}').ok_or_else(|| format!("`{}` has no end", write::comment(text)))?;
        let path = ["context.tokenset.", "context.userinfo."].iter().find_map(|start| inside.trim().strip_prefix(start));
        let path = path.ok_or_else(|| format!("`${{{}}}` is neither of the token nor of userinfo", write::comment(inside)))?;
        pieces.push(write::inside(before));
        pieces.push(format!("{{{}}}", source(path)?));
        rest = behind;
    }
    pieces.push(write::inside(rest));
    match pieces.as_slice() {
        [before, hole, after] if before.is_empty() && after.is_empty() => Ok(hole[1..hole.len() - 1].to_owned()),
        _ => Ok(format!("\"{}\"", pieces.concat())),
    }
}
