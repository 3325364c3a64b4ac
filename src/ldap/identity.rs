//! What names an entry for good: the value of the connection's `id_attribute` as the text that identities are found by.

use super::entry::Entry;
use uuid::Uuid;

/// Longest id in bytes, as a login's.
const ID_BYTES_MAX: usize = 1_024;

/// Why an entry has no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoId {
    #[error("has no value")]
    Missing,
    #[error("has several values")]
    Several,
    #[error("has a value that is no id of its kind")]
    Odd,
}

/// The id of an entry. Active Directory's GUIDs are 16 bytes with the first three fields in little-endian order
/// (MS-DTYP §2.3.4.2); `entryUUID` is text in normal order (RFC 4530 §2.1). Either comes out as the usual text.
///
/// # Errors
/// [`NoId`].
pub fn external_id(entry: &Entry, attribute: &str) -> Result<String, NoId> {
    let values = entry.find(attribute).map_or(&[][..], |found| &found.values);
    let value = match values {
        [] => return Err(NoId::Missing),
        [value] => value,
        _ => return Err(NoId::Several),
    };
    let is = |name: &str| attribute.eq_ignore_ascii_case(name);
    if is("objectGUID") || is("mS-DS-ConsistencyGuid") {
        let bytes: [u8; 16] = value.as_slice().try_into().map_err(|_| NoId::Odd)?;
        return Ok(Uuid::from_bytes_le(bytes).to_string());
    }
    let text = std::str::from_utf8(value).map_err(|_| NoId::Odd)?;
    if is("entryUUID") {
        return Uuid::parse_str(text).map(|id| id.to_string()).map_err(|_| NoId::Odd);
    }
    let fits = (1..=ID_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(NoId::Odd) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::entry::Attribute;

    fn id(attribute: &str, values: &[&[u8]]) -> Result<String, NoId> {
        let values = values.iter().map(|value| value.to_vec()).collect();
        let entry = Entry { dn: "cn=a".into(), attributes: vec![Attribute { name: attribute.into(), values, more_from: None }] };
        external_id(&entry, attribute)
    }

    #[test]
    fn a_guid_of_active_directory_is_read_in_its_own_order() {
        let bytes = *b"\xc9\x33\x13\x86\x12\xe7\xdd\x41\x8c\x9b\x23\xca\x9f\xb0\x98\xb3";
        assert_eq!(id("objectguid", &[&bytes]), Ok("861333c9-e712-41dd-8c9b-23ca9fb098b3".into()));
        assert_eq!(id("objectGUID", &[b"861333c9-e712-41dd-8c9b-23ca9fb098b3"]), Err(NoId::Odd));
    }

    #[test]
    fn an_entry_uuid_is_text_and_any_case_is_one_id() {
        assert_eq!(
            id("entryUUID", &[b"6F1C0C4E-0A5B-103F-8D2E-3B6F6F6F6F6F"]),
            Ok("6f1c0c4e-0a5b-103f-8d2e-3b6f6f6f6f6f".into())
        );
        assert_eq!(id("entryUUID", &[b"ann"]), Err(NoId::Odd));
    }

    #[test]
    fn other_attributes_are_taken_as_they_are_if_they_name_one() {
        assert_eq!(id("employeeNumber", &[b"007"]), Ok("007".into()));
        assert_eq!(id("employeeNumber", &[]), Err(NoId::Missing));
        assert_eq!(id("employeeNumber", &[b"1", b"2"]), Err(NoId::Several));
        assert_eq!(id("employeeNumber", &[b"a\0"]), Err(NoId::Odd));
        assert_eq!(id("employeeNumber", &[&[0xff]]), Err(NoId::Odd));
    }
}
