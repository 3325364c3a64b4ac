//! What it takes to undo what a replay made anew of one side of a person: the values and blocks as history has them, and of the
//! identity what was kept of it from before, where it is still as the replay left it.

use super::{Done, PERSON, Undone, block, is_its_own, is_made_of, standing, values, written, written_since};
use crate::model::identity::{Identity, IdentityState, LoginSide};
use crate::profile::Side;
use crate::provisioning::decide::outcome::{ProfileOutcome, Stored};
use crate::provisioning::decide::{Desk, Known, UserEvent, rows};
use crate::provisioning::plan::{IdentityWrite, ProfileWrite, Refusal, UserPlan, ValueDiff};
use crate::provisioning::user_id::hex;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use sha2::{Digest, Sha256};

/// Of an identity, what a replay moves, as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityBefore {
    mapped: Option<String>,
    mapping: Option<String>,
    version: Option<i64>,
    raw_hash: Option<String>,
    user_name: Option<String>,
    user_name_key: Option<String>,
    label: Option<String>,
    state: String,
    has_profile: bool,
    email_trusted: bool,
    /// Of what the mapping gave in the replay.
    after: String,
}

impl IdentityBefore {
    /// What `plan` is about to move.
    pub fn of(known: &Known, plan: &UserPlan, side: Side) -> Self {
        let identity = &known.identity;
        let login = identity.login.as_ref().filter(|_| side == Side::Login);
        let is_login = side == Side::Login;
        Self {
            mapped: if is_login { login.map(|side| side.mapped.clone()) } else { identity.mapped.clone() },
            mapping: if is_login { login.map(|side| side.mapping.clone()) } else { identity.mapping.clone() },
            version: if is_login { login.map(|side| side.mapping_version) } else { identity.mapping_version },
            raw_hash: identity.raw_hash.clone(),
            user_name: identity.user_name.clone(),
            user_name_key: identity.user_name_key.clone(),
            label: identity.label.clone(),
            state: identity.state.as_str().to_owned(),
            has_profile: known.user.is_some(),
            email_trusted: known.user.as_ref().is_some_and(|user| user.email_trusted),
            after: given(plan.identity.identity(), side),
        }
    }

    /// The identity as it was; what else happened to it since stays.
    fn put_back(&self, mut identity: Identity, side: Side) -> Identity {
        if side == Side::Login {
            let parts = self.mapped.clone().zip(self.mapping.clone()).zip(self.version);
            if let (Some(((mapped, mapping), mapping_version)), Some(login)) = (parts, identity.login.take()) {
                identity.login = Some(LoginSide { mapped, mapping, mapping_version, ..login });
            }
            return identity;
        }
        identity.mapped.clone_from(&self.mapped);
        identity.mapping.clone_from(&self.mapping);
        identity.mapping_version = self.version;
        identity.raw_hash.clone_from(&self.raw_hash);
        identity.user_name.clone_from(&self.user_name);
        identity.user_name_key.clone_from(&self.user_name_key);
        identity.label.clone_from(&self.label);
        identity
    }
}

/// What a side's mapping gave, by which version, as it is compared.
fn given(identity: &Identity, side: Side) -> String {
    let (mapped, mapping, version) = match (side, &identity.login) {
        (Side::Login, Some(login)) => (Some(&login.mapped), Some(&login.mapping), Some(login.mapping_version)),
        (Side::Login, None) => (None, None, None),
        _ => (identity.mapped.as_ref(), identity.mapping.as_ref(), identity.mapping_version),
    };
    hex(&Sha256::digest(format!("{mapping:?} {version:?} {mapped:?}")))[..32].to_owned()
}

/// Undoes it. `done` has the history row; the desk is of the same side. `alone`: the profile has no other identity.
///
/// # Errors
/// What was before does not fit any more: a profile that is too large with it.
pub fn replayed(desk: &Desk<'_>, known: Known, done: &Done, before: &IdentityBefore, alone: bool) -> Result<Undone, Refusal> {
    let Known { identity, user, blocks, .. } = known;
    if !identity.listed && desk.side != Side::Login || identity.state == IdentityState::Deleted {
        return Ok(Undone::stays(PERSON, "left since"));
    }
    if is_its_own(done) {
        return Ok(out_again(desk, Known { identity, user, blocks, values: Vec::new(), in_groups: false }, done, before, alone));
    }
    if !before.has_profile && user.is_some() {
        return Ok(Undone::stays(PERSON, "joined a profile, for the mapping let them in, and stays linked to it"));
    }
    let (mut undone, mut outcome) = (Undone::default(), ProfileOutcome::nothing(desk));
    let stands = given(&identity, desk.side) == before.after;
    let expected = identity.version;
    let mut identity = if stands { before.put_back(identity, desk.side) } else { identity };
    identity.updated_at = desk.moment.now;
    if let Some(user) = user {
        let (mut stored, mut changes) = (Stored::read(user, blocks), Map::new());
        values(&mut stored, done, &mut changes, &mut undone);
        if desk.side != Side::Login {
            block(&identity, &mut stored, done, &mut changes, &mut undone, &mut outcome);
            let moves_blocks = !(outcome.blocks.is_empty() && outcome.lifts.is_empty());
            let is_kept = undone.kept.iter().any(|(what, _)| what == "blocked");
            if moves_blocks {
                identity.state = standing(&identity, &stored, &outcome);
            } else if stands && !is_kept {
                identity.state = IdentityState::parse(&before.state).unwrap_or(identity.state);
            }
        }
        written(desk, stored, changes, &mut outcome)?;
        let email_is_back = undone.restored.iter().any(|path| path == "email");
        if let (ProfileWrite::Update { user, .. }, true) = (&mut outcome.write, email_is_back) {
            user.email_trusted = before.email_trusted;
        }
    }
    if !stands && undone.restored.is_empty() {
        // Where nothing of the profile moved, nothing is there to be told.
        let is_told = !undone.kept.is_empty();
        return Ok(if is_told { undone } else { Undone::stays("what the mapping gave", "came anew since") });
    }
    if undone.restored.is_empty() {
        undone.restored.push("mapping version".into());
    }
    let write = match desk.side {
        Side::Login => IdentityWrite::Login { identity, expected },
        Side::Push | Side::Sync => IdentityWrite::Update { identity, expected },
    };
    undone.plan = Some(Box::new(rows::finish(desk, UserEvent::Undone, write, ValueDiff::default(), outcome, 0)));
    Ok(undone)
}

/// Whom the mapping let in has no profile again, if nothing happened to it since: as if they had never had one.
fn out_again(desk: &Desk<'_>, known: Known, done: &Done, before: &IdentityBefore, alone: bool) -> Undone {
    let Known { identity, user, blocks, .. } = known;
    let Some(user) = user else { return Undone::default() };
    if given(&identity, desk.side) != before.after {
        return Undone::stays(PERSON, "got a profile, and something was said of them since");
    }
    if identity.login.is_some() {
        return Undone::stays(PERSON, "got a profile, and signed in since");
    }
    if !alone {
        return Undone::stays(PERSON, "got a profile, and another identity was linked to it since");
    }
    if blocks.iter().any(|block| block.since > done.at) {
        return Undone::stays(PERSON, "got a profile, and was blocked since");
    }
    let stored = Stored::read(user, blocks);
    if let Some(why) = written_since(&stored, done) {
        return Undone::stays(PERSON, why);
    }
    let (expected, is_ours) =
        (identity.version, is_made_of(desk, &stored.user.user_id, identity.external_id.as_deref(), &identity));
    let mut identity = before.put_back(identity, desk.side);
    (identity.profile_id, identity.position, identity.updated_at) = (None, 0, desk.moment.now);
    let mut outcome = ProfileOutcome::nothing(desk);
    outcome.changed = vec!["deleted".into()];
    outcome.write = ProfileWrite::Remove { user: stored.user, reason: "made by a replay that was undone" };
    let write = IdentityWrite::Update { identity, expected };
    let mut plan = rows::finish(desk, UserEvent::Undone, write, ValueDiff::default(), outcome, 0);
    plan.forgets = is_ours;
    Undone { restored: vec!["out again".into()], kept: Vec::new(), plan: Some(Box::new(plan)) }
}
