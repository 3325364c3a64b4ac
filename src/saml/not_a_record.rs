//! Why a verified assertion names nobody who could be known by it: a stable code, one sentence, and for the administrator what
//! was expected and what came. Text, never markup: whoever shows it escapes it.

use std::fmt;

/// What of a received value is kept for the administrator.
const FACT_CHARACTERS_MAX: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    NoNameId,
    Transient,
    NameQualifier,
    SpNameQualifier,
    AttributeMissing,
    AttributeEmpty,
    AttributeSeveral,
    Characters,
    ForeignScope,
    IdTooLong,
    NotAGuid,
}

impl Reason {
    pub const ALL: [Self; 11] = [
        Self::NoNameId,
        Self::Transient,
        Self::NameQualifier,
        Self::SpNameQualifier,
        Self::AttributeMissing,
        Self::AttributeEmpty,
        Self::AttributeSeveral,
        Self::Characters,
        Self::ForeignScope,
        Self::IdTooLong,
        Self::NotAGuid,
    ];

    /// Stable: in logs, in the audit trail, on the error page.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoNameId => "saml_no_name_id",
            Self::Transient => "saml_transient_name_id",
            Self::NameQualifier => "saml_name_qualifier",
            Self::SpNameQualifier => "saml_sp_name_qualifier",
            Self::AttributeMissing => "saml_user_id_attribute_missing",
            Self::AttributeEmpty => "saml_user_id_attribute_empty",
            Self::AttributeSeveral => "saml_user_id_attribute_several",
            // The same rule as for a NameID, which is asked before.
            Self::Characters => "saml_identifier_characters",
            Self::ForeignScope => "saml_foreign_scope",
            Self::IdTooLong => "saml_user_id_too_long",
            Self::NotAGuid => "saml_user_id_not_a_guid",
        }
    }

    pub const fn says(self) -> &'static str {
        match self {
            Self::NoNameId => "the assertion has no NameID, and user_id_attribute names no attribute to go by instead",
            Self::Transient => {
                "the NameID is transient, another one at each login: set user_id_attribute to an attribute that stays, or have the \
                 identity provider send a persistent NameID"
            }
            Self::NameQualifier => "the persistent name was given by another identity provider than the one that sent it",
            Self::SpNameQualifier => "the persistent name was made for another service than this connection",
            Self::AttributeMissing => "the assertion lacks the attribute that user_id_attribute names; case counts in its name",
            Self::AttributeEmpty => "the attribute that user_id_attribute names has no value that could be an id",
            Self::AttributeSeveral => "the attribute that user_id_attribute names has several values, so it names nobody",
            Self::Characters => "an identifier has control, invisible or directional characters",
            Self::ForeignScope => "the id has a scope that the identity provider's metadata does not list",
            Self::IdTooLong => "the id is too long",
            Self::NotAGuid => "user_id_format is guid, and the id is no GUID, neither as text nor in base64 of its 16 bytes",
        }
    }

    pub(super) const fn because(self) -> NotARecord {
        NotARecord { reason: self, expected: None, received: None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotARecord {
    pub reason: Reason,
    pub expected: Option<String>,
    pub received: Option<String>,
}

impl NotARecord {
    pub const fn code(&self) -> &'static str {
        self.reason.code()
    }

    pub(super) fn expected(mut self, value: impl Into<String>) -> Self {
        self.expected = Some(clipped(value.into()));
        self
    }

    pub(super) fn received(mut self, value: impl Into<String>) -> Self {
        self.received = Some(clipped(value.into()));
        self
    }

    pub(super) fn received_any(self, value: Option<String>) -> Self {
        match value {
            Some(value) => self.received(value),
            None => self,
        }
    }
}

impl fmt::Display for NotARecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code(), self.reason.says())?;
        if let Some(expected) = &self.expected {
            write!(formatter, "; expected {expected:?}")?;
        }
        if let Some(received) = &self.received {
            write!(formatter, "; received {received:?}")?;
        }
        Ok(())
    }
}

fn clipped(mut value: String) -> String {
    if let Some((end, _)) = value.char_indices().nth(FACT_CHARACTERS_MAX) {
        value.truncate(end);
        value.push('…');
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use rosterd_saml::rule::Rule;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_no_rule_of_a_message_has_it() {
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        let shared: Vec<&str> = Rule::ALL.iter().map(|rule| rule.code()).filter(|code| codes.contains(code)).collect();
        // Said of any identifier, wherever it stands.
        assert_eq!(shared, ["saml_identifier_characters"]);
    }

    #[test]
    fn what_came_is_kept_short_and_said_on_one_line() {
        let refused = Reason::AttributeSeveral.because().expected("id").received(format!("<b>\n{}", "ü".repeat(5_000)));
        assert_eq!(refused.received.as_ref().map(|value| value.chars().count()), Some(FACT_CHARACTERS_MAX + 1));
        let text = refused.to_string();
        assert!(text.starts_with("saml_user_id_attribute_several: the attribute"), "{text}");
        assert!(text.contains(r#"expected "id"; received "<b>\nü"#), "{text}");
    }
}
