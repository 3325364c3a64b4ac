//! Somebody who is signed in, and for how long.

use super::ids::{ConnectionId, IdentityId, OrganizationId, ProfileId, SessionId, TenantId};
use super::proof::Proof;
use crate::clock::{Micros, SECOND};

/// How long a session lasts without being used.
pub const IDLE: Micros = 72 * 3_600 * SECOND;
/// How long it lasts at most.
pub const ABSOLUTE: Micros = 168 * 3_600 * SECOND;
/// Sessions one person has at a time; the oldest goes for one more.
pub const PER_PERSON_MAX: i64 = 100;

/// A row of `sessions`.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub tenant_id: TenantId,
    pub id: SessionId,
    pub profile_id: ProfileId,
    /// Which identity signed in.
    pub identity_id: IdentityId,
    /// JSON text: what the login's mapping gave for the session.
    pub data: String,
    pub created_at: Micros,
    pub last_seen_at: Micros,
    pub expires_at: Micros,
    /// When the person proved who they are: as it began, or before, where an identity provider let them in by that.
    pub auth_time: Micros,
    /// How.
    pub proof: Proof,
}

impl Session {
    /// Does it still count at `now`?
    pub fn is_live(&self, now: Micros) -> bool {
        now < self.expires_at && now.saturating_sub(self.last_seen_at) < IDLE
    }
}

/// A session with what has to be known to answer for it.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedIn {
    pub session: Session,
    pub connection_id: ConnectionId,
    pub connection: String,
    /// Whose that connection is.
    pub organization_id: Option<OrganizationId>,
    /// Public.
    pub user_id: String,
    /// JSON text of the profile.
    pub doc: String,
    pub created_at: Micros,
    pub updated_at: Micros,
    pub last_login_at: Option<Micros>,
    pub logins_count: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_rests_too_long_and_at_the_latest_after_a_week() {
        let session = |last_seen_at| Session {
            tenant_id: TenantId::new("t"),
            id: SessionId::new("s"),
            profile_id: ProfileId::new("p"),
            identity_id: IdentityId::new("i"),
            data: String::from("{}"),
            created_at: 0,
            last_seen_at,
            expires_at: ABSOLUTE,
            auth_time: 0,
            proof: Proof::default(),
        };
        assert!(session(0).is_live(IDLE - 1) && !session(0).is_live(IDLE));
        assert!(session(IDLE).is_live(IDLE + 1));
        assert!(session(ABSOLUTE - 2).is_live(ABSOLUTE - 1) && !session(ABSOLUTE - 1).is_live(ABSOLUTE));
    }
}
