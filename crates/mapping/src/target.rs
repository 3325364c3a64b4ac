//! What a mapping may write. Owns the profile's root attributes with their types (design.md §4, "root attributes";
//! profile.md §1), the targets of a group mapping, and the kinds of sources and targets.

use crate::types::Type;

/// The kinds a header may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Ldap,
    Saml,
    Oidc,
    Oauth,
    Scim,
    Json,
    Profile,
    Group,
}

impl Kind {
    pub const ALL: [Self; 8] =
        [Self::Ldap, Self::Saml, Self::Oidc, Self::Oauth, Self::Scim, Self::Json, Self::Profile, Self::Group];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ldap => "ldap",
            Self::Saml => "saml",
            Self::Oidc => "oidc",
            Self::Oauth => "oauth",
            Self::Scim => "scim",
            Self::Json => "json",
            Self::Profile => "profile",
            Self::Group => "group",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Attribute names of LDAP, SAML and SCIM compare without case; the members of a JSON object do not.
    pub const fn folds_case(self) -> bool {
        matches!(self, Self::Ldap | Self::Saml | Self::Scim)
    }

    /// What an absent result does where nothing is said (mapping.md §4): logins drop claims for reasons of their own.
    pub const fn absent_clears(self) -> bool {
        matches!(self, Self::Ldap | Self::Scim)
    }
}

/// Root attributes of a profile.
pub const ROOTS: &[(&str, Type)] = &[
    ("user_id", Type::String),
    ("email", Type::String),
    ("email_verified", Type::Bool),
    ("name", Type::String),
    ("given_name", Type::String),
    ("family_name", Type::String),
    ("nickname", Type::String),
    ("username", Type::String),
    ("picture", Type::String),
    ("phone_number", Type::String),
    ("phone_verified", Type::Bool),
    ("blocked", Type::Bool),
    ("locale", Type::String),
    ("zoneinfo", Type::String),
];

/// Open below these: any name, any JSON. `session` is for the login's session alone and is never stored on the user.
pub const OPEN_ROOTS: [&str; 3] = ["user_metadata", "app_metadata", "session"];

/// The type a profile's target wants. `None` = no such target. `groups` is a list of names.
pub fn of_profile(path: &[&str]) -> Option<Type> {
    match path {
        ["groups"] => Some(Type::String.list()),
        [root] => ROOTS.iter().find(|(name, _)| name == root).map(|(_, ty)| ty.clone()),
        [root, _, ..] if OPEN_ROOTS.contains(root) => Some(Type::Json),
        _ => None,
    }
}

/// The type a group mapping's target wants.
pub fn of_group(path: &[&str]) -> Option<Type> {
    match path {
        ["name"] => Some(Type::String),
        ["app_metadata", _, ..] => Some(Type::Json),
        _ => None,
    }
}

/// Claims that are the provider's own: who says what to whom, when, and how the token hangs together (OpenID Connect Core §2, RFC 7519
/// §4.1, and what is told beside them). No mapping writes them.
pub const RESERVED_CLAIMS: [&str; 22] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "org_id",
    "cnf",
    "events",
    "sub_jwk",
    "_claim_names",
    "_claim_sources",
];

/// What an application may ask for, and a claim may hang on.
pub const SCOPES: [&str; 7] = ["openid", "profile", "email", "phone", "address", "groups", "offline_access"];

/// Where a claim may be told. An access token is no place: nobody can read it.
pub const CLAIM_PLACES: [&str; 2] = ["id_token", "userinfo"];

/// Longest name of a claim in bytes.
pub const CLAIM_NAME_BYTES_MAX: usize = 256;

/// Standard claims are of the type the standard gives them (OpenID Connect Core §5.1); libraries refuse others.
const STANDARD_CLAIMS: &[(&str, Type)] = &[
    ("name", Type::String),
    ("given_name", Type::String),
    ("family_name", Type::String),
    ("middle_name", Type::String),
    ("nickname", Type::String),
    ("preferred_username", Type::String),
    ("profile", Type::String),
    ("picture", Type::String),
    ("website", Type::String),
    ("email", Type::String),
    ("email_verified", Type::Bool),
    ("gender", Type::String),
    ("birthdate", Type::String),
    ("zoneinfo", Type::String),
    ("locale", Type::String),
    ("phone_number", Type::String),
    ("phone_number_verified", Type::Bool),
    ("updated_at", Type::Int),
];

/// Members of the claim `address` (OpenID Connect Core §5.1.1).
const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];

/// The type a claim's target wants; `None`: no mapping writes it.
pub fn of_claim(path: &[&str]) -> Option<Type> {
    let is_name = |name: &&str| (1..=CLAIM_NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
    match path {
        [] => None,
        [first, ..] if RESERVED_CLAIMS.contains(first) || !path.iter().all(is_name) => None,
        ["groups"] => Some(Type::String.list()),
        ["address", member] if ADDRESS.contains(member) => Some(Type::String),
        [one] => Some(STANDARD_CLAIMS.iter().find(|(name, _)| name == one).map_or(Type::Json, |(_, ty)| ty.clone())),
        _ => Some(Type::Json),
    }
}

/// When a rule's result is written over what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePolicy {
    Always,
    Create,
    IfEmpty,
    /// Only if this source's own result differs from what it last gave.
    OnChange,
}

impl WritePolicy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Create => "create",
            Self::IfEmpty => "if_empty",
            Self::OnChange => "on_change",
        }
    }
}

/// What an absent result does to the stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Remove it, if this identity wrote it.
    Clear,
    Keep,
    /// Refuse the whole record.
    Reject,
}

/// What a list does to the stored list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Replace the values this identity wrote, leave the others.
    Owned,
    Replace,
    /// Add, never remove.
    Union,
}
