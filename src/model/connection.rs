//! A connection, its name and its options as types. Their spelling on the outside is [`super::options`].

use super::directory::DirectoryOptions;
use super::ids::{ConnectionId, OrganizationId, TenantId};
use super::oidc::OidcOptions;
use super::saml::SamlOptions;

/// Longest name of a connection.
pub const NAME_CHARS_MAX: usize = 128;

/// A name that stands for something else in a path (`/login/callback/…`).
const RESERVED: [&str; 1] = ["callback"];

/// Why a text can't name a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name has 1 to {NAME_CHARS_MAX} characters")]
    Length,
    #[error("a name consists of ASCII letters, digits and single hyphens between them")]
    Characters,
    #[error("this name is reserved for a path of ours")]
    Reserved,
}

/// Whether `name` may name a connection (management API: no leading, trailing or double hyphen).
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() > NAME_CHARS_MAX {
        return Err(NameError::Length);
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain || name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        return Err(NameError::Characters);
    }
    if RESERVED.contains(&name) { Err(NameError::Reserved) } else { Ok(()) }
}

/// The source kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    Scim,
    Database,
    Ldap,
    Samlp,
    GoogleOauth2,
    Waad,
    WindowsLive,
    Github,
    Gitlab,
    Facebook,
    Linkedin,
    Apple,
    Twitter,
    Slack,
    Discord,
    Amazon,
    Salesforce,
    Oidc,
    Oauth2,
}

impl ConnectionKind {
    pub const ALL: [Self; 19] = [
        Self::Scim,
        Self::Database,
        Self::Ldap,
        Self::Samlp,
        Self::GoogleOauth2,
        Self::Waad,
        Self::WindowsLive,
        Self::Github,
        Self::Gitlab,
        Self::Facebook,
        Self::Linkedin,
        Self::Apple,
        Self::Twitter,
        Self::Slack,
        Self::Discord,
        Self::Amazon,
        Self::Salesforce,
        Self::Oidc,
        Self::Oauth2,
    ];

    /// People sign in by OAuth 2.0 or OpenID Connect; what differs between them is data of `oidc::kind`.
    pub const OAUTH: &[Self] = &[
        Self::GoogleOauth2,
        Self::Waad,
        Self::WindowsLive,
        Self::Github,
        Self::Gitlab,
        Self::Facebook,
        Self::Linkedin,
        Self::Apple,
        Self::Twitter,
        Self::Slack,
        Self::Discord,
        Self::Amazon,
        Self::Salesforce,
        Self::Oidc,
        Self::Oauth2,
    ];

    /// Kinds an administrator may make a connection of. Those whose connector is not built yet can be stored and are
    /// understood; nobody is offered what can do nothing.
    pub const OFFERED: [Self; 19] = [
        Self::Scim,
        Self::Ldap,
        Self::Samlp,
        Self::Database,
        Self::GoogleOauth2,
        Self::Waad,
        Self::WindowsLive,
        Self::Github,
        Self::Gitlab,
        Self::Facebook,
        Self::Linkedin,
        Self::Apple,
        Self::Twitter,
        Self::Slack,
        Self::Discord,
        Self::Amazon,
        Self::Salesforce,
        Self::Oidc,
        Self::Oauth2,
    ];

    /// The word on the command line and in `connections.kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Database => "database",
            Self::Ldap => "ldap",
            Self::Samlp => "samlp",
            Self::GoogleOauth2 => "google-oauth2",
            Self::Waad => "waad",
            Self::WindowsLive => "windowslive",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Facebook => "facebook",
            Self::Linkedin => "linkedin",
            Self::Apple => "apple",
            Self::Twitter => "twitter",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Amazon => "amazon",
            Self::Salesforce => "salesforce",
            Self::Oidc => "oidc",
            Self::Oauth2 => "oauth2",
        }
    }

    /// One for everybody, not one customer's: profile.md §0 calls it social.
    pub fn is_social(self) -> bool {
        self.is_oauth() && !matches!(self, Self::Waad | Self::Oidc | Self::Oauth2)
    }

    /// Do people log in through it with what another system says of them?
    pub fn logs_in(self) -> bool {
        matches!(self, Self::Ldap | Self::Samlp) || self.is_oauth()
    }

    /// Do people sign in by OAuth 2.0 or OpenID Connect?
    pub fn is_oauth(self) -> bool {
        Self::OAUTH.contains(&self)
    }

    /// Does a directory stand behind it, so that its addresses count as checked by whoever runs it?
    pub fn is_directory(self) -> bool {
        matches!(self, Self::Scim | Self::Ldap)
    }

    /// First part of a `user_id`, and `strategy` on the management API.
    pub fn strategy(self) -> &'static str {
        match self {
            Self::Database => "auth0",
            _ => self.as_str(),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A source of users.
#[derive(Clone, Debug)]
pub struct Connection {
    pub tenant_id: TenantId,
    pub id: ConnectionId,
    pub name: String,
    pub kind: ConnectionKind,
    pub organization_id: Option<OrganizationId>,
    pub options: Options,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Who may write the roots of a profile by default (design §3, "Who may write what").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUserRootAttributes {
    OnEachLogin,
    OnFirstLogin,
    NeverOnLogin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinOn {
    ExternalId,
    Username,
    Email,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEmailMatch {
    Conflict,
    New,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deprovision {
    Deactivate,
    Grace { days: u32 },
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repost {
    Reactivate,
    Conflict,
}

/// How many destructive changes an hour of pushes (or one sync run) may hold: the larger of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    Off,
    Limit { count: u32, percent: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupPatchResponse {
    /// 200 with members up to 200 of them, else 204.
    Auto,
    Ok,
    NoContent,
}

/// What a SCIM connection takes as an identity's external id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScimUserIdAttribute {
    ExternalId,
    UserName,
}

/// The options of one connection, each with its default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub mapping: String,
    /// Of what is pushed to a connection that people log in through; `mapping` is then the login's.
    pub scim_mapping: String,
    pub group_mapping: Option<String>,
    /// Unset on a login kind: [`Options::root_attributes`] says what that comes to.
    pub set_user_root_attributes: Option<SetUserRootAttributes>,
    pub create_on_login: bool,
    /// Name of the connection whose profiles a new identity of this one joins.
    pub join: Option<String>,
    pub join_on: JoinOn,
    pub on_email_match: OnEmailMatch,
    pub deprovision: Deprovision,
    pub repost: Repost,
    pub budget: Budget,
    pub missing_runs: u32,
    /// Root attributes of the source that are never stored, by their names there.
    pub non_persistent_attrs: Vec<String>,
    pub strict: bool,
    pub put_groups_without_members_keep: bool,
    pub group_patch_response: GroupPatchResponse,
    /// A member id that is nobody's here is left out rather than refused.
    pub ignore_unknown_members: bool,
    /// PUT, PATCH and DELETE without If-Match are refused.
    pub require_if_match: bool,
    pub scim_user_id_attribute: ScimUserIdAttribute,
    /// Of a connection of kind `ldap`.
    pub directory: DirectoryOptions,
    /// Of a connection of kind `samlp`.
    pub saml: SamlOptions,
    /// Of a connection by OAuth 2.0 or OpenID Connect.
    pub oidc: OidcOptions,
}

impl Connection {
    /// Is what the source calls so never stored? Names in a directory have no case.
    pub fn forgets(&self, name: &str) -> bool {
        let has_case = self.kind != ConnectionKind::Ldap;
        self.options.non_persistent_attrs.iter().any(|never| never == name || !has_case && never.eq_ignore_ascii_case(name))
    }

    /// Is a person known here by the userName that is pushed, which a login then brings as its id?
    pub fn knows_by_user_name(&self) -> bool {
        self.options.scim_user_id_attribute == ScimUserIdAttribute::UserName
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_single_hyphens() {
        for name in ["scim", "Acme-Okta", "a", "0", &"x".repeat(128)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["-a", "a-", "a--b", "a_b", "a.b", "a b", "ä", "a/b"] {
            assert_eq!(check_name(name), Err(NameError::Characters), "{name}");
        }
        assert_eq!(check_name(""), Err(NameError::Length));
        assert_eq!(check_name(&"x".repeat(129)), Err(NameError::Length));
        assert_eq!(check_name("callback"), Err(NameError::Reserved));
    }
}
