//! What a person let an application have, and for how long what it was given counts.

use super::ids::{ClientId, GrantId, IdentityId, OrganizationId, ProfileId, SessionId, TenantId};
use super::proof::Proof;
use crate::clock::{Micros, SECOND};

/// How long a code waits to be exchanged.
pub const CODE_LASTS: Micros = 60 * SECOND;
/// How long an access token and an ID token count.
pub const ACCESS_LASTS: Micros = 3_600 * SECOND;
/// How long a refresh token rests before it is worth nothing.
pub const REFRESH_IDLE: Micros = 30 * 86_400 * SECOND;
/// How long an application goes on without the person signing in again.
pub const REFRESH_ABSOLUTE: Micros = 90 * 86_400 * SECOND;
/// How long the same refresh token gets the same successor: two requests of one application at once, or an answer that got lost.
pub const REFRESH_GRACE: Micros = 30 * SECOND;

/// What one person let one application have at a time; the oldest goes for one more.
pub const GRANTS_MAX: i64 = 100;

/// Tokens of one sort that one of these has at a time, used ones with them.
pub const TOKENS_MAX: i64 = 100;

/// What was authorised: the row of a code that waits, and of a grant.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub tenant_id: TenantId,
    pub id: GrantId,
    pub client_id: ClientId,
    pub session_id: SessionId,
    pub profile_id: ProfileId,
    pub identity_id: IdentityId,
    /// Whose connection the person came by: the application sees them as one of its people.
    pub organization_id: Option<OrganizationId>,
    /// Goes on after the session.
    pub offline: bool,
    /// Words with a space between.
    pub scope: String,
    /// JSON: names of claims that were asked for one by one.
    pub asked: String,
    /// When the person proved who they are.
    pub auth_time: Micros,
    /// And how.
    pub proof: Proof,
    pub created_at: Micros,
    pub expires_at: Micros,
}

/// What is told of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    pub user_id: String,
    /// JSON text of the profile.
    pub doc: String,
    pub updated_at: Micros,
}
