//! What a server says of itself (RFC 4512 §5.1): which directory it is, what it holds, what it can do. It may hide any of
//! it; what it does not say is not concluded from.

use super::connect::Session;
use super::dn::is_within;
use super::entry::Entry;
use super::failure::{Answer, Cause};
use super::search::{Item, PAGED_RESULTS, Query, run};
use crate::model::directory::DirectoryServer;

/// Active Directory says by this that it is one (MS-ADTS §3.1.1.3.4.3).
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

const ATTRIBUTES: [&str; 11] = [
    "objectClass",
    "namingContexts",
    "defaultNamingContext",
    "supportedControl",
    "supportedSASLMechanisms",
    "supportedCapabilities",
    "vendorName",
    "vendorVersion",
    "highestCommittedUSN",
    "dsServiceName",
    "currentTime",
];

/// Longest text of a server that is repeated.
const TEXT_CHARS_MAX: usize = 200;

/// A server, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// The roots of what it holds, as DNs.
    pub naming_contexts: Vec<String>,
    /// Active Directory: the domain among them.
    pub default_naming_context: Option<String>,
    /// Object identifiers.
    pub controls: Vec<String>,
    pub sasl_mechanisms: Vec<String>,
    /// Name and version of the product.
    pub vendor: Option<String>,
    /// Active Directory: the number of its last change.
    pub highest_usn: Option<u64>,
    /// Active Directory: where the server's own entry is.
    pub service: Option<String>,
    /// The server's clock as GeneralizedTime.
    pub current_time: Option<String>,
    /// What it gives itself out as.
    pub kind: Option<DirectoryServer>,
}

impl Root {
    /// Asks the server of this session.
    ///
    /// # Errors
    /// It does not say.
    pub async fn read(session: &mut Session) -> Result<Self, Cause> {
        let attributes = ATTRIBUTES.map(String::from);
        let mut found = None;
        let result = run(session, Query::one("", &attributes), |item| {
            if let Item::Entry(Ok(entry)) = item {
                found = Some(entry);
            }
            Ok(())
        })
        .await?;
        match (result.rc, found) {
            // One that hides it from the account says nothing, which is no failure.
            (0, found) => Ok(found.as_ref().map(Self::of).unwrap_or_default()),
            _ => Err(Cause::Answer(Answer::of(&result))),
        }
    }

    fn of(entry: &Entry) -> Self {
        let texts = |name: &str| -> Vec<String> {
            let values = entry.find(name).map_or(&[][..], |found| &found.values);
            values.iter().filter_map(|value| String::from_utf8(value.clone()).ok()).collect()
        };
        let text = |name: &str| texts(name).into_iter().next();
        let short = |text: String| text.chars().filter(|character| !character.is_control()).take(TEXT_CHARS_MAX).collect();
        let vendor = [text("vendorName"), text("vendorVersion")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let is_openldap = texts("objectClass").iter().any(|class| class.eq_ignore_ascii_case("OpenLDAProotDSE"));
        let kind = if texts("supportedCapabilities").iter().any(|oid| oid == ACTIVE_DIRECTORY) {
            Some(DirectoryServer::ActiveDirectory)
        } else if is_openldap {
            Some(DirectoryServer::OpenLdap)
        } else if vendor.contains("389") {
            Some(DirectoryServer::Ds389)
        } else {
            None
        };
        Self {
            naming_contexts: texts("namingContexts"),
            default_naming_context: text("defaultNamingContext"),
            controls: texts("supportedControl"),
            sasl_mechanisms: texts("supportedSASLMechanisms"),
            vendor: Some(vendor).filter(|vendor| !vendor.is_empty()).map(short),
            highest_usn: text("highestCommittedUSN").and_then(|number| number.parse().ok()),
            service: text("dsServiceName"),
            current_time: text("currentTime"),
            kind,
        }
    }

    /// Whether it says that it knows a control.
    pub fn knows(&self, control: &str) -> bool {
        self.controls.iter().any(|known| known == control)
    }

    /// Whether it says that it hands out pages (RFC 2696).
    pub fn pages(&self) -> bool {
        self.knows(PAGED_RESULTS)
    }

    /// The naming context in which an entry lies: the longest, since one may lie in another.
    pub fn context_of(&self, dn: &str) -> Option<&str> {
        let around = self.naming_contexts.iter().filter(|context| is_within(dn, context));
        around.max_by_key(|context| context.len()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::entry::Attribute;

    fn root(attributes: &[(&str, &[&str])]) -> Root {
        let attribute = |(name, values): &(&str, &[&str])| Attribute {
            name: (*name).into(),
            values: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
            more_from: None,
        };
        Root::of(&Entry { dn: String::new(), attributes: attributes.iter().map(attribute).collect() })
    }

    #[test]
    fn a_server_is_known_by_what_only_its_kind_says() {
        let ad = root(&[("supportedCapabilities", &[ACTIVE_DIRECTORY, "1.2"]), ("highestCommittedUSN", &["12345"])]);
        assert_eq!((ad.kind, ad.highest_usn), (Some(DirectoryServer::ActiveDirectory), Some(12_345)));
        assert_eq!(root(&[("objectClass", &["top", "OpenLDAProotDSE"])]).kind, Some(DirectoryServer::OpenLdap));
        let ds = root(&[("vendorName", &["389 Project"]), ("vendorVersion", &["389-Directory/2.3.1"])]);
        assert_eq!((ds.kind, ds.vendor.as_deref()), (Some(DirectoryServer::Ds389), Some("389 Project 389-Directory/2.3.1")));
        assert_eq!(root(&[]).kind, None);
    }

    #[test]
    fn an_entry_lies_in_the_innermost_context() {
        let root = root(&[("namingContexts", &["DC=corp,DC=x", "CN=Configuration,DC=corp,DC=x"])]);
        assert_eq!(root.context_of("cn=a,cn=configuration,dc=corp,dc=x"), Some("CN=Configuration,DC=corp,DC=x"));
        assert_eq!(root.context_of("ou=a,dc=corp,dc=x"), Some("DC=corp,DC=x"));
        assert_eq!(root.context_of("ou=a,dc=other"), None);
    }
}
