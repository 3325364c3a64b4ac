//! An entry in the JSON form in which a mapping meets it and in which it is kept (`identities.raw`): the DN under `dn`,
//! one value as itself, several as a list, bytes in base64. The same as the mapping language reads from LDIF.

use super::entry::{Attribute, Entry};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Bytes though they may look like text, whether or not a mapping says so.
pub const BINARY: [&str; 6] =
    ["objectGUID", "objectSid", "thumbnailPhoto", "jpegPhoto", "userCertificate", "mS-DS-ConsistencyGuid"];

/// `binary` names attributes that the mapping reads as bytes.
pub fn payload(entry: &Entry, binary: &[String]) -> Map<String, Value> {
    let is_binary = |name: &str| {
        let plain = name.strip_suffix(";binary").unwrap_or(name);
        BINARY.iter().copied().chain(binary.iter().map(String::as_str)).any(|known| known.eq_ignore_ascii_case(plain))
    };
    let mut all = Map::new();
    all.insert(String::from("dn"), Value::String(entry.dn.clone()));
    // In one order, so that the same entry is the same text however the server hands it out.
    let mut attributes: Vec<&Attribute> = entry.attributes.iter().collect();
    attributes.sort_by_key(|attribute| attribute.name.to_ascii_lowercase());
    for Attribute { name, values, .. } in attributes {
        // A directory's own `dn` can't pass for the name.
        if name.eq_ignore_ascii_case("dn") {
            continue;
        }
        let is_binary = is_binary(name);
        let mut values: Vec<Value> = values.iter().map(|bytes| value(bytes, is_binary)).collect();
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        all.insert(name.clone(), value);
    }
    all
}

fn value(bytes: &[u8], is_binary: bool) -> Value {
    match std::str::from_utf8(bytes) {
        // U+0000 can't be stored as text.
        Ok(text) if !is_binary && !text.contains('\0') => Value::String(text.to_owned()),
        _ => Value::String(STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_text_bytes_are_base64_and_one_value_is_no_list() {
        let attribute = |name: &str, values: &[&[u8]]| Attribute {
            name: name.into(),
            values: values.iter().map(|value| value.to_vec()).collect(),
            more_from: None,
        };
        let attributes = vec![
            attribute("mail", &[b"a@x", b"b@x"]),
            attribute("cn", &[b"Ann"]),
            attribute("objectguid", &[b"ABCDEFGHIJKLMNOP"]),
            attribute("photo", &[b"text"]),
            attribute("odd", &[&[0xff, 0xd8], b"a\0b"]),
            attribute("memberOf", &[]),
            attribute("dn", &[b"cn=forged"]),
        ];
        let entry = Entry { dn: "cn=Ann,dc=x".into(), attributes };
        assert_eq!(
            Value::Object(payload(&entry, &["photo".into()])),
            json!({
                "dn": "cn=Ann,dc=x",
                "mail": ["a@x", "b@x"],
                "cn": "Ann",
                "objectguid": "QUJDREVGR0hJSktMTU5PUA==",
                "photo": "dGV4dA==",
                "odd": ["/9g=", "YQBi"],
                "memberOf": [],
            })
        );
    }
}
