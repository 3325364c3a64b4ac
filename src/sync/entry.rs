//! From what the reader of directories hands over to what provisioning takes: id, document, and when the entry changed.
//! Owns what is left out of the document: values that change without anything having changed, and what was asked for on
//! our own account.

use super::wanted::{PRIMARY_GROUP, Wanted};
use crate::ldap::entry::Entry as Read;
use crate::ldap::identity::{NoId, external_id};
use crate::ldap::payload::payload;
use crate::provisioning::sync::Entry;
use sha2::{Digest, Sha256};

/// What moves by itself: sign-ins, replication, bookkeeping. A script that is handed everything does not get them, else
/// every run would find everybody changed. Who names one in a mapping gets it.
const VOLATILE: [&str; 20] = [
    "lastLogon",
    "lastLogonTimestamp",
    "lastLogoff",
    "logonCount",
    "badPwdCount",
    "badPasswordTime",
    "uSNChanged",
    "uSNCreated",
    "whenChanged",
    "dSCorePropagationData",
    "replPropertyMetaData",
    "replUpToDateVector",
    "modifyTimestamp",
    "modifiersName",
    "entryCSN",
    "contextCSN",
    "authTimestamp",
    "pwdFailureTime",
    "pwdLastSuccess",
    "numSubordinates",
];

/// An entry as a run sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Id and document, or why there is no id.
    pub entry: Result<Entry, NoId>,
    pub dn: String,
    /// When it changed, as the directory writes it; comparable as text.
    pub mark: Option<String>,
    /// The number of the group that the person is in without being named there (Active Directory).
    pub primary_group: Option<u32>,
}

/// Reads one entry.
pub fn read(entry: &Read, id_attribute: &str, wanted: &Wanted) -> Seen {
    let mark = entry.find(wanted.mark).and_then(|found| found.values.first());
    // 20261127173841Z, or with a fraction: the digits up to the second are what servers have in common.
    let digits = mark.map(|mark| mark.iter().take_while(|byte| byte.is_ascii_digit()).take(14).map(|b| char::from(*b)).collect());
    let id = external_id(entry, id_attribute);
    let read = id.map(|external_id| {
        let mut payload = payload(entry, &wanted.binary);
        let is_left_out = |name: &str| {
            let plain = name.split(';').next().unwrap_or(name);
            wanted.left_out.iter().any(|left_out| left_out.eq_ignore_ascii_case(plain))
                || wanted.is_everything && VOLATILE.iter().any(|volatile| volatile.eq_ignore_ascii_case(plain))
        };
        payload.retain(|name, _| !is_left_out(name));
        Entry { external_id, payload }
    });
    let number = entry.find(PRIMARY_GROUP).and_then(|found| std::str::from_utf8(found.values.first()?).ok()?.parse().ok());
    Seen { entry: read, dn: entry.dn.clone(), mark: digits.filter(|digits: &String| digits.len() == 14), primary_group: number }
}

/// What an id or a hash is remembered by: of one size, however many entries there are.
pub fn digest(text: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    u128::from_be_bytes(digest[..16].try_into().expect("half of it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::entry::Attribute;
    use crate::mapping::Reads;
    use crate::model::directory::DirectoryServer;

    fn entry(attributes: &[(&str, &str)]) -> Read {
        let attributes = attributes.iter().map(|(name, value)| Attribute {
            name: (*name).into(),
            values: vec![value.as_bytes().to_vec()],
            more_from: None,
        });
        Read { dn: "cn=a".into(), attributes: attributes.collect() }
    }

    fn names(reads: Option<&[&str]>, entry: &Read) -> Vec<String> {
        let attributes = reads.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let reads = Reads { attributes, binary: Vec::new() };
        let wanted = Wanted::of(&reads, &reads, "employeeNumber", DirectoryServer::OpenLdap, false);
        read(entry, "employeeNumber", &wanted).entry.unwrap().payload.keys().cloned().collect()
    }

    #[test]
    fn what_changes_by_itself_is_not_in_the_document_unless_a_mapping_names_it() {
        let entry = entry(&[("employeeNumber", "1"), ("lastlogon", "9"), ("modifyTimestamp", "20260101000000Z"), ("cn", "a")]);
        assert_eq!(names(None, &entry), ["dn", "cn", "employeeNumber"]);
        assert_eq!(names(Some(&["cn", "lastLogon"]), &entry), ["dn", "cn", "employeeNumber", "lastlogon"]);
        assert_eq!(names(Some(&["modifyTimestamp"]), &entry).len(), 5);
    }

    #[test]
    fn a_mark_is_the_second_of_the_change() {
        let mark = |text: &str| {
            let reads = Reads { attributes: Some(Vec::new()), binary: Vec::new() };
            let wanted = Wanted::of(&reads, &reads, "employeeNumber", DirectoryServer::ActiveDirectory, false);
            read(&entry(&[("whenChanged", text)]), "employeeNumber", &wanted).mark
        };
        assert_eq!(mark("20261127173841.0Z").as_deref(), Some("20261127173841"));
        assert_eq!(mark("20261127173841Z").as_deref(), Some("20261127173841"));
        assert_eq!(mark("yesterday"), None);
    }
}
