//! A type per kind of id, so that an identity's id can't be passed where a profile's is wanted.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

ids! {
    /// A hard wall: nothing of one tenant is readable from another.
    TenantId,
    /// `org_` and 32 hex.
    OrganizationId,
    /// `con_` and 32 hex.
    ConnectionId,
    /// `users.id`, a UUIDv7: what foreign keys use. The public `user_id` is another thing.
    ProfileId,
    /// `identities.id`, a UUIDv7: also the SCIM `id` of a user.
    IdentityId,
    /// `groups.id`, a UUIDv7: also the SCIM `id` of a group.
    GroupId,
    TokenId,
    /// `sessions.id`, a UUIDv7. The secret in the cookie is another thing.
    SessionId,
    /// `app_` and 32 hex: what an application calls itself (`client_id`).
    ClientId,
    /// `wh_` and 32 hex.
    WebhookId,
    /// `grants.id`, a UUIDv7: what an application was let have, and the family of its tokens.
    GrantId,
}

/// What sorts before every UUIDv7 made at `at` or later, and after those made in earlier milliseconds.
pub fn first_id_of(at: i64) -> String {
    let millis = u64::try_from(at / 1_000).unwrap_or_default() & 0xffff_ffff_ffff;
    let hex = format!("{millis:012x}");
    format!("{}-{}", &hex[..8], &hex[8..])
}

/// `con_` and the 32 hex digits of a fresh UUID.
pub fn new_connection_id(entropy: &crate::clock::Entropy, now: i64) -> ConnectionId {
    ConnectionId::new(format!("con_{}", entropy.uuid(now).replace('-', "")))
}

/// `wh_` and the 32 hex digits of a fresh UUID.
pub fn new_webhook_id(entropy: &crate::clock::Entropy, now: i64) -> WebhookId {
    WebhookId::new(format!("wh_{}", entropy.uuid(now).replace('-', "")))
}

/// `org_` and the 32 hex digits of a fresh UUID.
pub fn new_organization_id(entropy: &crate::clock::Entropy, now: i64) -> OrganizationId {
    OrganizationId::new(format!("org_{}", entropy.uuid(now).replace('-', "")))
}

/// `app_` and the 32 hex digits of a fresh UUID.
pub fn new_client_id(entropy: &crate::clock::Entropy, now: i64) -> ClientId {
    ClientId::new(format!("app_{}", entropy.uuid(now).replace('-', "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Entropy;

    #[test]
    fn ids_of_a_moment_sort_after_its_bound_and_earlier_ones_before() {
        let (entropy, at) = (Entropy::system(), 1_700_000_000_123_000);
        let bound = first_id_of(at);
        assert!(entropy.uuid(at) > bound && entropy.uuid(at + 5_000) > bound);
        assert!(entropy.uuid(at - 1_000) < bound && entropy.uuid(0) < bound);
        assert!(first_id_of(-1) <= first_id_of(0));
    }
}
