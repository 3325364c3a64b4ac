//! A tenant and the organizations inside it.

use super::ids::{OrganizationId, TenantId};
use super::look::Look;

/// Name of the tenant that `bootstrap` makes and that answers every host no other tenant has.
pub const DEFAULT_TENANT: &str = "default";

/// A hard wall around everything inside. Its id is its name, for good: the primary key alone makes names unique,
/// also when two replicas start on an empty database at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub host: Option<String>,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Which settings of a tenant were in force when they were read: what caches compare. A tenant that was removed and made
/// anew under its name counts from 1 again, so the version alone would not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantState {
    pub created_at: i64,
    pub version: i64,
}

impl TenantState {
    /// Whether what was read at `self` holds for somebody who knows of `other`.
    pub fn is_as_new_as(self, other: Self) -> bool {
        self.created_at == other.created_at && self.version >= other.version
    }
}

/// A customer inside a tenant, with the domains it has proven.
#[derive(Clone, Debug, PartialEq)]
pub struct Organization {
    pub tenant_id: TenantId,
    pub id: OrganizationId,
    pub name: String,
    pub display_name: Option<String>,
    pub look: Look,
    pub domains: Vec<String>,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Whether `name` may name a tenant or an organization: 1 to 63 of `[a-z0-9-]`, a letter or digit at both ends.
pub fn is_slug(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    plain && (1..=63).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-')
}

/// A host name as it is compared: lower case, without a trailing dot; `None` if it is none.
pub fn host_key(text: &str) -> Option<String> {
    let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host.as_str(), None),
    };
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let valid = name.len() <= 253 && name.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok());
    valid.then_some(host)
}

/// A mail domain as it is compared; `None` if it is none. At least two labels.
pub fn domain_key(text: &str) -> Option<String> {
    host_key(text).filter(|domain| domain.contains('.') && !domain.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_compare_in_lower_case_and_need_two_labels() {
        assert_eq!(domain_key("Acme.Example.").as_deref(), Some("acme.example"));
        for text in ["", "localhost", "acme..com", "-a.com", "a b.com", "acme.com:1", "ä.com"] {
            assert_eq!(domain_key(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_read_holds_for_the_same_tenant_and_no_newer_version() {
        let state = |created_at, version| TenantState { created_at, version };
        assert!(state(1, 2).is_as_new_as(state(1, 2)) && state(1, 3).is_as_new_as(state(1, 2)));
        assert!(!state(1, 1).is_as_new_as(state(1, 2)));
        assert!(!state(1, 9).is_as_new_as(state(5, 2)), "made anew under the name of a removed one");
    }

    #[test]
    fn slugs_are_short_lower_case_names() {
        assert!(is_slug("default") && is_slug("acme-2"));
        assert!(!is_slug("") && !is_slug("Acme") && !is_slug("-a") && !is_slug("a_b") && !is_slug(&"a".repeat(64)));
    }
}
