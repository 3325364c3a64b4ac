//! A profile and what bars it, as stored.

use super::ids::{OrganizationId, ProfileId, TenantId};

/// A row of `users`.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub tenant_id: TenantId,
    pub id: ProfileId,
    /// The public id, made once.
    pub user_id: String,
    pub organization_id: Option<OrganizationId>,
    pub email: Option<String>,
    pub email_key: Option<String>,
    pub email_trusted: bool,
    pub username_key: Option<String>,
    /// Any block at all.
    pub blocked: bool,
    /// JSON text of [`crate::profile::Profile`].
    pub doc: String,
    /// What the document was when it was read; `None` of somebody new. By that a write knows which searchable values move.
    pub was: Option<String>,
    /// JSON text of `provisioning::provenance::Provenance`.
    pub provenance: String,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Why a profile is blocked. One kind each; any of them blocks the whole profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    Admin,
    Source,
    BruteForce,
    Policy,
}

impl BlockKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Source => "source",
            Self::BruteForce => "bruteforce",
            Self::Policy => "policy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Source, Self::BruteForce, Self::Policy].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One reason. `origin` = the identity whose source says so; empty for an administrator's.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub kind: BlockKind,
    pub origin: String,
    pub since: i64,
    pub actor: String,
    pub reason: String,
    pub expires_at: Option<i64>,
}
