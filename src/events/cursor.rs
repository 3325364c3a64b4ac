//! A place in the feed as text: sealed, so that nobody can make one up, and good for one tenant.

use crate::clock::Entropy;
use crate::model::ids::TenantId;
use crate::secret::KeyRing;

/// Longest text that is looked at.
const CHARS_MAX: usize = 1_024;

fn place(tenant: &TenantId) -> String {
    format!("events {tenant}")
}

pub fn seal(keys: &KeyRing, tenant: &TenantId, position: i64, entropy: &Entropy) -> String {
    keys.seal_text(position.to_string().as_bytes(), &place(tenant), entropy)
}

/// `None`: altered, of another tenant, or none at all.
pub fn open(keys: &KeyRing, tenant: &TenantId, text: &str) -> Option<i64> {
    if text.len() > CHARS_MAX {
        return None;
    }
    let opened = keys.open_text(text, &place(tenant)).ok()?;
    std::str::from_utf8(opened.expose()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_place_is_good_for_its_own_tenant_alone() {
        let keys = KeyRing::new(Secret::new([1; 32]), None);
        let (ours, theirs) = (TenantId::new("a"), TenantId::new("b"));
        let text = seal(&keys, &ours, 42, &Entropy::system());
        assert_eq!(open(&keys, &ours, &text), Some(42));
        assert_eq!(open(&keys, &theirs, &text), None);
        for altered in ["", "42", &text[1..], &text.repeat(20)] {
            assert_eq!(open(&keys, &ours, altered), None, "{altered}");
        }
    }
}
