//! The connector's shape of `raw_data`, traps included: a mapper written against it must meet the same values. What
//! JSON can't say (a Buffer, a member that is there but undefined) is said beside it and put right in `prelude.js`.

use super::entry::{Entry, is_attribute};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The input of one call, as JSON text for `prelude.js`.
pub(super) fn input(entry: &Entry) -> String {
    let mut object = Map::new();
    object.insert("dn".to_owned(), entry.dn.clone().into());
    object.insert("controls".to_owned(), entry.controls.clone().into());
    let mut photos = Vec::new();
    for (name, values) in &entry.attributes {
        if is_attribute(name, "thumbnailPhoto") && !values.is_empty() {
            photos.push(name.clone());
        }
        object.insert(name.clone(), shaped(values.iter().map(|value| text(name, value).into()).collect()));
    }
    // In the original: the DN, or else (`||` where `&&` was meant) its OUs. So it is the whole DN whenever there is one.
    let ous = (!entry.dn.is_empty()).then_some(&entry.dn);
    json!({"entry": object, "photos": photos, "status": entry.ldap_status, "groups": entry.groups, "ous": ous}).to_string()
}

/// One value alone, several as an array, and `[]` (true in a condition) for an attribute without a value.
fn shaped(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

/// A value as the mapper sees it. A photo goes over as base64 and becomes a Buffer there.
fn text(name: &str, value: &[u8]) -> String {
    let known = if is_attribute(name, "thumbnailPhoto") {
        Some(STANDARD.encode(value))
    } else if is_attribute(name, "objectGUID") {
        // Its first three fields are little-endian; the text is lower case.
        uuid::Uuid::from_slice_le(value).ok().map(|guid| guid.to_string())
    } else if is_attribute(name, "objectSid") {
        sid(value)
    } else {
        None
    };
    known.unwrap_or_else(|| String::from_utf8_lossy(value).into_owned())
}

/// `S-1-authority-sub-…` of a binary security identifier: revision, number of sub-authorities, a big-endian 48-bit
/// authority, little-endian sub-authorities ([MS-DTYP] §2.4.2).
fn sid(value: &[u8]) -> Option<String> {
    let ([1, count, authority @ ..], subs) = value.split_first_chunk::<8>()? else { return None };
    let (subs, rest) = subs.as_chunks::<4>();
    if subs.len() != usize::from(*count) || !rest.is_empty() {
        return None;
    }
    let authority = authority.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let subs = subs.iter().map(|sub| format!("-{}", u32::from_le_bytes(*sub)));
    Some(format!("S-1-{authority}{}", subs.collect::<String>()))
}
