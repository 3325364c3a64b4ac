//! What names an entry for good: the value of the connection's `id_attribute` as the text that identities are found by.

use super::entry::Entry;
use super::person::escaped;
use std::fmt::Write as _;
use uuid::Uuid;

/// Longest id in bytes, as a login's.
const ID_BYTES_MAX: usize = 1_024;

/// What may name an entry for good, by kind of server, as it is told.
pub const LASTING: &str = "objectGUID, entryUUID, nsUniqueId or ipaUniqueID";

/// Whether an attribute names the same person for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// As far as anybody can know.
    Always,
    /// It can be given to somebody else, or anew: why.
    Doubtful(&'static str),
    /// It changes with the person, or is shared: why.
    Never(&'static str),
}

/// What is known of an attribute as an id. One that is not known may be a number of the organization's own.
pub fn lasting(attribute: &str) -> Lasting {
    const PLACE: &str = "changes when an entry is renamed or moved";
    const LOGIN: &str = "changes when somebody gets another login name, and is given to somebody else later";
    const NAME: &str = "is a name: it changes, and two people may share it";
    const REACHED: &str = "is how somebody is reached: it changes, and is given to somebody else later";
    const TYPED: &str = "is typed by people: it can be corrected, given twice, or given anew. Be sure that it never is";
    const DOMAIN: &str = "becomes another when an account moves to another domain";
    const NUMBER: &str = "can be given to somebody else once an account is gone";
    let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(attribute));
    if is(&["dn", "distinguishedName", "entryDN", "canonicalName", "aDSPath", "parentGUID"]) {
        Lasting::Never(PLACE)
    } else if is(&["uid", "userid", "sAMAccountName", "userPrincipalName", "krbPrincipalName", "krbCanonicalName", "login"]) {
        Lasting::Never(LOGIN)
    } else if is(&["cn", "commonName", "name", "sn", "surname", "givenName", "gn", "displayName", "gecos", "description", "ou"]) {
        Lasting::Never(NAME)
    } else if is(&[
        "mail",
        "rfc822Mailbox",
        "mailNickname",
        "proxyAddresses",
        "mailAlternateAddress",
        "telephoneNumber",
        "mobile",
        "homePhone",
        "ipPhone",
    ]) {
        Lasting::Never(REACHED)
    } else if is(&["employeeNumber", "employeeID"]) {
        Lasting::Doubtful(TYPED)
    } else if is(&["objectSid", "sambaSID", "ipaNTSecurityIdentifier"]) {
        Lasting::Doubtful(DOMAIN)
    } else if is(&["uidNumber", "gidNumber"]) {
        Lasting::Doubtful(NUMBER)
    } else {
        Lasting::Always
    }
}

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
/// (MS-DTYP §2.3.4.2); `entryUUID` is text in normal order (RFC 4530 §2.1); the `nsUniqueId` of 389 Directory Server is the
/// same number with its hyphens elsewhere. All of them come out as the usual text.
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
    if is("nsUniqueId") {
        let digits: String = text.chars().filter(|character| *character != '-').collect();
        return Uuid::try_parse(&digits).map(|id| id.to_string()).map_err(|_| NoId::Odd);
    }
    let fits = (1..=ID_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(NoId::Odd) }
}

/// A filter that takes the entry of this id alone (RFC 4515 §3); `None`: no entry can have it.
pub fn filter_of(attribute: &str, external_id: &str) -> Option<String> {
    let is = |name: &str| attribute.eq_ignore_ascii_case(name);
    let value = if is("objectGUID") || is("mS-DS-ConsistencyGuid") {
        bytes_in_filter(&Uuid::parse_str(external_id).ok()?.to_bytes_le())
    } else if is("nsUniqueId") {
        let digits = Uuid::parse_str(external_id).ok()?.simple().to_string();
        [&digits[..8], &digits[8..16], &digits[16..24], &digits[24..]].join("-")
    } else {
        escaped(external_id)
    };
    Some(format!("({attribute}={value})"))
}

/// Bytes as the value of a filter.
pub fn bytes_in_filter(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 3), |mut text, byte| {
        let _never = write!(text, "\\{byte:02x}");
        text
    })
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
    fn a_unique_id_of_389_is_the_number_that_its_deletions_are_told_by() {
        assert_eq!(
            id("nsuniqueid", &[b"8C4C3A81-dd2c11b2-a58a8f4f-2c5e6a7b"]),
            Ok("8c4c3a81-dd2c-11b2-a58a-8f4f2c5e6a7b".into())
        );
        assert_eq!(id("nsUniqueId", &[b"8c4c3a81"]), Err(NoId::Odd));
    }

    #[test]
    fn an_id_is_asked_for_as_its_directory_has_it() {
        let id = "861333c9-e712-41dd-8c9b-23ca9fb098b3";
        for (attribute, external_id, filter) in [
            ("objectGUID", id, Some(r"(objectGUID=\c9\33\13\86\12\e7\dd\41\8c\9b\23\ca\9f\b0\98\b3)")),
            ("entryUUID", id, Some("(entryUUID=861333c9-e712-41dd-8c9b-23ca9fb098b3)")),
            ("nsUniqueId", id, Some("(nsUniqueId=861333c9-e71241dd-8c9b23ca-9fb098b3)")),
            ("objectGUID", "ann", None),
        ] {
            assert_eq!(filter_of(attribute, external_id).as_deref(), filter, "{attribute}");
        }
        let odd = filter_of("employeeNumber", "1)(uid=*").unwrap();
        assert!(!odd.contains(")(") && !odd.contains('*'), "{odd}");
    }

    #[test]
    fn what_servers_give_out_lasts_and_what_people_type_is_in_doubt() {
        for name in ["objectGUID", "entryUUID", "nsUniqueId", "ipaUniqueID", "mS-DS-ConsistencyGuid", "hrPersonKey"] {
            assert_eq!(lasting(name), Lasting::Always, "{name}");
        }
        for name in ["employeenumber", "objectSid", "uidNumber"] {
            assert!(matches!(lasting(name), Lasting::Doubtful(_)), "{name}");
        }
        for name in ["UID", "cn", "mail", "sAMAccountName"] {
            assert!(matches!(lasting(name), Lasting::Never(_)), "{name}");
        }
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
