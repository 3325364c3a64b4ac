//! What a mapping makes anew of what is stored of a person: what a push, a read of the directory or a login would come to that says
//! exactly what was said last. Pure. `create` rules rest, for the profile is there; whom the mapping lets in now gets one.
//!
//! Refuses to bring anybody back who left, to count as having seen somebody, and to let anybody sign in or keep them from it: a
//! login asks its mapping by itself.

use super::login::{Denial, groups, passes, without_read_groups};
use super::outcome::{self, ProfileOutcome, Results, Stored};
use super::{Desk, Known, Newcomer, UserEvent, input, rows, write};
use crate::mapping::Mapped;
use crate::model::identity::{Identity, IdentityState, LoginSide};
use crate::profile::{Side, SourceRecord};
use crate::provisioning::plan::{Decision, IdentityWrite, UserPlan, ValueDiff};
use serde_json::{Map, Value};

/// What it comes to.
#[derive(Debug, PartialEq)]
pub enum Replayed {
    Decided(Decision<UserPlan>),
    /// A login that said the same now would not get in: nothing is written.
    WouldNotEnter(Denial),
    /// Nothing is stored of this side, or the person left.
    NotMeant,
}

/// What the side said last, as if it said it again; `None` where there is nothing, or the person left.
pub fn stored_record(side: Side, identity: &Identity) -> Option<SourceRecord> {
    if side == Side::Login || !identity.listed || identity.state == IdentityState::Deleted {
        return None;
    }
    Some(SourceRecord {
        side,
        payload: serde_json::from_str(identity.raw.as_deref()?).ok()?,
        external_id: identity.external_id.clone(),
        user_name: identity.user_name.clone(),
        label: identity.label.clone(),
        active: identity.active,
        // What it can be searched by stays as it is.
        values: Vec::new(),
    })
}

/// The decision of the desk's side; `newcomer` counts only of who has no profile.
pub fn replay(desk: &Desk<'_>, known: Known, newcomer: Option<(Newcomer, Mapped)>) -> Replayed {
    if desk.side == Side::Login {
        return login(desk, known);
    }
    match stored_record(desk.side, &known.identity) {
        Some(record) => {
            let known = Known { values: Vec::new(), ..known };
            Replayed::Decided(write(desk, UserEvent::Replayed, known, &record, newcomer))
        }
        None => Replayed::NotMeant,
    }
}

/// Nobody was seen by it, and what was said last stays to the letter.
pub(super) fn nothing_new_was_said(identity: &mut Identity, old: &Identity) {
    identity.raw.clone_from(&old.raw);
    identity.raw_hash.clone_from(&old.raw_hash);
    identity.last_seen = old.last_seen;
    identity.last_source.clone_from(&old.last_source);
    identity.missing_runs = old.missing_runs;
}

fn login(desk: &Desk<'_>, known: Known) -> Replayed {
    let Known { mut identity, user, blocks, .. } = known;
    let (Some(old), Some(user)) = (identity.login.take(), user) else { return Replayed::NotMeant };
    if identity.state == IdentityState::Deleted {
        return Replayed::NotMeant;
    }
    if old.mapping == desk.mapping.name() && old.mapping_version == desk.mapping.version() {
        return Replayed::Decided(Decision::Nothing);
    }
    let Ok(payload) = serde_json::from_str::<Map<String, Value>>(&old.raw) else { return Replayed::NotMeant };
    let stored = Stored::read(user, blocks);
    let mapped = without_read_groups(desk, desk.mapping.map(&input(desk, &payload, Some(&stored.doc))));
    let previous: Option<Map<String, Value>> = serde_json::from_str(&old.mapped).ok();
    let results = Results { mapped: &mapped, previous: previous.as_ref() };
    let changes = match outcome::changes(desk, &identity, results, Some((&stored.doc, &stored.provenance))) {
        Ok(changes) => changes,
        Err(refusal) => return Replayed::WouldNotEnter(refusal.into()),
    };
    if let Err(denial) = passes(&mapped, changes.blocked) {
        return Replayed::WouldNotEnter(denial);
    }
    let mut outcome = ProfileOutcome { changes, groups: groups(&mapped, previous.as_ref()), ..ProfileOutcome::nothing(desk) };
    identity.login = Some(LoginSide {
        mapped: mapped.to_text(previous.as_ref()),
        mapping: desk.mapping.name().to_owned(),
        mapping_version: desk.mapping.version(),
        ..old
    });
    identity.updated_at = desk.moment.now;
    if let Err(refusal) = outcome::written(desk, UserEvent::Replayed, &identity, stored, &mapped, &mut outcome) {
        return Replayed::Decided(Decision::Refused(refusal));
    }
    let write = IdentityWrite::Login { expected: identity.version, identity };
    let plan = rows::finish(desk, UserEvent::Replayed, write, ValueDiff::default(), outcome, 0);
    Replayed::Decided(Decision::Write(Box::new(plan)))
}
