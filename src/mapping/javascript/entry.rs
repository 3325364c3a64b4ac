//! One LDAP entry as a mapper's input: the attributes as the directory sent them, before the connector's shaping.

use super::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Attributes whose values are bytes; the JSON of a raw entry holds them as base64.
const BINARY: [&str; 6] = ["objectGUID", "objectSid", "thumbnailPhoto", "jpegPhoto", "userCertificate", "mS-DS-ConsistencyGuid"];

/// An entry with all values as bytes, in the directory's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    pub dn: String,
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
    /// Response controls of the entry, as JSON.
    pub controls: Vec<Value>,
    /// Names of all the person's groups, nested ones included, or records where several group properties are read.
    /// None: groups are off.
    pub groups: Option<Vec<Value>>,
    /// Outcome of the bind; set on login only.
    pub ldap_status: Option<String>,
}

impl Entry {
    /// Reads the JSON form of a raw entry, as `identities.raw` holds it: attribute → text or list of texts, binary
    /// attributes in base64. The members `dn`, `controls`, `groups` and `ldapStatus` are not attributes but what they
    /// say. An object where a text belongs is [`Failure::Input`].
    pub fn from_json(raw: &Map<String, Value>) -> Result<Self, Failure> {
        let mut entry = Self::default();
        for (name, value) in raw {
            match (name.as_str(), value) {
                ("dn", Value::String(dn)) => entry.dn.clone_from(dn),
                ("controls", Value::Array(controls)) => entry.controls.clone_from(controls),
                ("groups", Value::Null) => entry.groups = None,
                ("groups", Value::Array(groups)) => entry.groups = Some(groups.clone()),
                ("groups", one) => entry.groups = Some(vec![one.clone()]),
                ("ldapStatus", Value::String(status)) => entry.ldap_status = Some(status.clone()),
                _ => entry.attributes.push((name.clone(), values(name, value)?)),
            }
        }
        Ok(entry)
    }
}

fn values(name: &str, value: &Value) -> Result<Vec<Vec<u8>>, Failure> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => list.iter().map(|value| bytes(name, value)).collect(),
        one => Ok(vec![bytes(name, one)?]),
    }
}

fn bytes(name: &str, value: &Value) -> Result<Vec<u8>, Failure> {
    match value {
        Value::String(text) if is_binary(name) => Ok(STANDARD.decode(text).unwrap_or_else(|_| text.clone().into_bytes())),
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string().into_bytes()),
        _ => Err(Failure::Input { attribute: name.to_owned(), kind: super::kind_of(value) }),
    }
}

/// `userCertificate;binary` is one as well.
fn is_binary(name: &str) -> bool {
    BINARY.iter().any(|binary| is_attribute(name, binary))
}

/// Attribute names differ in case between servers and may carry options (RFC 4512 §2.5).
pub(super) fn is_attribute(name: &str, attribute: &str) -> bool {
    name.split(';').next().unwrap_or_default().eq_ignore_ascii_case(attribute)
}
