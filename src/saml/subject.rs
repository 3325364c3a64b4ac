//! Who a session belongs to in the identity provider's words: what single logout has to match, and to send.

use rosterd_saml::protocol::VerifiedAssertion;
use rosterd_saml::read::NameId;
use serde::{Deserialize, Serialize};

/// Kept with a session, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub name_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_qualifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_name_qualifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_index: Option<String>,
}

impl Subject {
    /// `None` without a NameID: then nobody can be named in a logout.
    pub fn of(assertion: &VerifiedAssertion) -> Option<Self> {
        assertion.name_id().map(|name_id| Self::new(name_id, assertion.authn().session_index.as_deref()))
    }

    fn new(name_id: &NameId, session_index: Option<&str>) -> Self {
        Self {
            name_id: name_id.value.clone(),
            format: name_id.format.clone(),
            name_qualifier: name_id.name_qualifier.clone(),
            sp_name_qualifier: name_id.sp_name_qualifier.clone(),
            session_index: session_index.map(str::to_owned),
        }
    }

    /// As a logout request of ours names them: exactly as we were told.
    pub fn to_name_id(&self) -> NameId {
        NameId {
            value: self.name_id.clone(),
            format: self.format.clone(),
            name_qualifier: self.name_qualifier.clone(),
            sp_name_qualifier: self.sp_name_qualifier.clone(),
        }
    }

    /// Whether a logout request means this session: the same name with the same qualifiers, and its index if the request has any.
    /// Where one side leaves a format or qualifier out the other is believed, for it is the same identity provider's and
    /// many repeat less of a name than they gave.
    pub fn is_meant_by(&self, name_id: &NameId, session_indexes: &[String]) -> bool {
        let agree = |ours: &Option<String>, theirs: &Option<String>| match (ours.as_deref(), theirs.as_deref()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        let has_index = || self.session_index.as_ref().is_none_or(|index| session_indexes.contains(index));
        self.name_id == name_id.value
            && agree(&self.format, &name_id.format)
            && agree(&self.name_qualifier, &name_id.name_qualifier)
            && agree(&self.sp_name_qualifier, &name_id.sp_name_qualifier)
            && (session_indexes.is_empty() || has_index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(value: &str, more: [Option<&str>; 3]) -> NameId {
        let [format, name_qualifier, sp_name_qualifier] = more.map(|text| text.map(str::to_owned));
        NameId { value: value.to_owned(), format, name_qualifier, sp_name_qualifier }
    }

    #[test]
    fn it_is_kept_and_named_again_as_it_came() {
        let told = name("ann", [Some("urn:f"), Some("idp"), Some("us")]);
        let subject = Subject::new(&told, Some("_1"));
        let text = serde_json::to_string(&subject).expect("JSON");
        let again: Subject = serde_json::from_str(&text).expect("the same");
        assert_eq!((again.to_name_id(), again), (told, subject));
        let bare = Subject::new(&name("ann", [None; 3]), None);
        assert_eq!(serde_json::to_string(&bare).expect("JSON"), r#"{"name_id":"ann"}"#);
    }

    #[test]
    fn a_logout_means_a_session_by_its_name_qualifiers_and_index() {
        let subject = Subject::new(&name("ann", [Some("urn:f"), Some("idp"), None]), Some("_1"));
        for (value, more, indexes, is_meant) in [
            ("ann", [Some("urn:f"), Some("idp"), None], vec!["_1"], true),
            ("ann", [Some("urn:f"), Some("idp"), None], vec![], true),
            ("ann", [None, None, Some("us")], vec!["_2", "_1"], true),
            ("ann", [Some("urn:f"), Some("idp"), None], vec!["_2"], false),
            ("Ann", [Some("urn:f"), Some("idp"), None], vec![], false),
            ("ann", [Some("urn:g"), Some("idp"), None], vec![], false),
            ("ann", [Some("urn:f"), Some("other"), None], vec![], false),
        ] {
            let indexes: Vec<String> = indexes.into_iter().map(str::to_owned).collect();
            assert_eq!(subject.is_meant_by(&name(value, more), &indexes), is_meant, "{value} {more:?} {indexes:?}");
        }
    }
}
