//! `fieldsMap` of an Auth0 SAML connection: `{"email": ["http://…/emailaddress", "http://…/upn"], …}`, the first claim
//! with a value wins. Owns the short names of the usual claim families.

use super::connection::{self, Found};
use super::draft::{Destination, Draft, destination};
use super::{ImportError, Place, write};
use crate::target::{self, Kind};
use crate::types::Type;
use serde_json::Value;

const CLAIMS: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";
/// The claim that stands for the assertion's NameID.
const NAME_IDENTIFIER: &str = "nameidentifier";

/// Beginnings that many claims share, and what a person would call them.
const FAMILIES: &[(&str, &str)] = &[
    ("c", CLAIMS),
    ("ms", "http://schemas.microsoft.com/identity/claims/"),
    ("ms2008", "http://schemas.microsoft.com/ws/2008/06/identity/claims/"),
    ("claims", "http://schemas.xmlsoap.org/claims/"),
    ("auth0", "http://schemas.auth0.com/"),
    ("edu", "urn:oid:1.3.6.1.4.1.5923.1.1.1."),
    ("x500", "urn:oid:2.5.4."),
];

/// # Errors
/// [`ImportError::Shape`].
pub fn draft(json: &Value) -> Result<Draft, ImportError> {
    let found = connection::find(json, &["fieldsMap"])?;
    let map =
        found.map.as_object().ok_or_else(|| connection::shape(&found.path, found.map, "an object of profile attributes"))?;
    let mut draft = Draft::new(Kind::Saml);
    let mut lines: Vec<(&str, Vec<&str>)> = Vec::new();
    let id = id_attribute(&found)?;
    if let Some(id) = id {
        lines.push(("user_id", vec![id]));
    }
    for (name, value) in map {
        let claims = connection::candidates(&connection::join(&found.path, name), value)?;
        if name != "user_id" || id.is_none() {
            lines.push((name, claims));
        }
    }
    let families = families(&lines);
    families.iter().for_each(|(name, value)| draft.prefix(name, value));
    connection::options(&mut draft, &found);
    for (name, claims) in lines {
        rule(&mut draft, &families, &Place::Path(connection::join(&found.path, name)), name, &claims);
    }
    Ok(draft)
}

/// `user_id_attribute` goes before `fieldsMap.user_id` (profile.md §2).
fn id_attribute<'j>(found: &Found<'j>) -> Result<Option<&'j str>, ImportError> {
    match found.options.and_then(|options| options.get("user_id_attribute")) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(claim)) => Ok(Some(claim)),
        Some(other) => Err(connection::shape("options.user_id_attribute", other, "a text")),
    }
}

/// The beginnings that at least two claims share.
fn families(lines: &[(&str, Vec<&str>)]) -> Vec<(&'static str, &'static str)> {
    let mut claims: Vec<&str> = lines.iter().flat_map(|(_, claims)| claims.iter().copied()).collect();
    claims.sort_unstable();
    claims.dedup();
    let used = |family: &&(&str, &str)| claims.iter().filter(|claim| rest(claim, family.1).is_some()).count() > 1;
    FAMILIES.iter().filter(used).copied().collect()
}

/// What follows the beginning, if it can stand behind a colon.
fn rest<'c>(claim: &'c str, family: &str) -> Option<&'c str> {
    let rest = claim.strip_prefix(family)?;
    (!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).then_some(rest)
}

fn source(claim: &str, families: &[(&str, &str)]) -> Option<String> {
    // These names are the assertion's own in our language, whatever an attribute of that name may hold.
    if matches!(claim, "name_id" | "name_id_format" | "issuer" | "all") {
        return None;
    }
    let short = families.iter().find_map(|(name, family)| rest(claim, family).map(|rest| format!("${name}:{rest}")));
    short.or_else(|| write::source(claim))
}

fn rule(draft: &mut Draft, families: &[(&str, &str)], at: &Place, name: &str, claims: &[&str]) {
    let what = claims.join(", ");
    let path = match destination(name) {
        Destination::Path(path) => path,
        Destination::Nowhere { why, suggestion } => return draft.leave(at.clone(), &what, why, suggestion),
    };
    if claims.is_empty() {
        return draft.leave(at.clone(), "[]", "no claim is named", None);
    }
    let borrowed: Vec<&str> = path.iter().map(String::as_str).collect();
    let wanted = target::of_profile(&borrowed).unwrap_or(Type::Json);
    let many = wanted.is_list();
    let mut sources = Vec::new();
    for claim in claims {
        let Some(source) = source(claim, families) else {
            let why = format!("`{}` can't be written as a name of an attribute here", write::comment(claim));
            draft.leave(at.clone(), claim, why, Some("write the rule by hand".to_owned()));
            continue;
        };
        sources.push(if many { format!("{source}[*]") } else { source });
        if claim.strip_prefix(CLAIMS) == Some(NAME_IDENTIFIER) && !many {
            sources.push("$name_id".to_owned());
        }
    }
    if sources.is_empty() {
        return;
    }
    let code = sources.join(" ?? ");
    let (code, rest) = match wanted {
        _ if many => (format!("{code} ?? absent"), ""),
        Type::Bool => (format!("bool?({code})"), ""),
        _ if name == "user_id" => (code, " with create"),
        _ => (code, ""),
    };
    if !many {
        draft.differs("an attribute with several values: the original keeps the list, here the first value is taken");
    }
    draft.rule(path, code, rest, at.clone(), &what);
}
