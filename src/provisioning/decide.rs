//! Decisions about one user: a record, the state it meets and the policy in, a [`UserPlan`] out. Pure: no I/O, time
//! and randomness come with the [`Moment`]. The table of events and states is `profile.md` §11, the rules are
//! design §3.

pub mod login;
mod login_trace;
mod outcome;
pub mod replay;
mod rows;
#[cfg(test)]
pub(in crate::provisioning) mod tests;
pub mod undo;

pub use login_trace::LoginTrace;
pub use outcome::PROFILE_BYTES_MAX;
pub(in crate::provisioning) use outcome::{block_json, block_of};
pub use rows::user_name_taken;

use super::plan::{Decision, IdentityWrite, ProfileWrite, Refusal, UserPlan, ValueDiff};
use super::policy::Changes;
use super::user_id;
use crate::clock::{Entropy, Micros};
use crate::mapping::{Gate, Given, Input, Mapped, Mapping};
use crate::model::connection::{Connection, Deprovision, Repost, ScimUserIdAttribute, SetUserRootAttributes};
use crate::model::dn::dn_key;
use crate::model::fold::fold;
use crate::model::identity::{Identity, IdentityState};
use crate::model::ids::{IdentityId, ProfileId};
use crate::model::user::{Block, User};
use crate::profile::{Profile, Side, SourceRecord};
use crate::store::identities::Claims;
use outcome::{Membership, ProfileOutcome, Results, Stored, Target};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Slots of a connection's counters: enough that concurrent creates rarely wait for the same row.
pub const COUNTER_SLOTS: u8 = 64;

/// When, by whom, for which request; and where new ids come from.
pub struct Moment<'a> {
    /// Whole milliseconds: what is printed is what is stored.
    pub now: Micros,
    /// The same to the microsecond: ids are made of it, and lists are in their order.
    pub instant: Micros,
    /// `token:{id}`, `cli`, …
    pub actor: &'a str,
    pub request_id: &'a str,
    pub entropy: &'a Entropy,
}

impl Moment<'_> {
    pub fn id(&self) -> String {
        self.entropy.uuid(self.instant)
    }

    pub fn slot(&self) -> i64 {
        i64::from(self.entropy.bytes::<1>()[0] % COUNTER_SLOTS)
    }
}

/// What every decision about a connection's record needs.
pub struct Desk<'a> {
    pub moment: Moment<'a>,
    pub connection: &'a Connection,
    pub mapping: &'a dyn Mapping,
    /// Which side of the connection the mapping is of.
    pub side: Side,
    /// What the connection's option comes to.
    pub root_attributes: SetUserRootAttributes,
}

/// What a write of a user is called in log, history and provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserEvent {
    Created,
    Replaced,
    Patched,
    Revived,
    Deleted,
    LoggedIn,
    /// What a run did to the person was undone.
    Undone,
    /// What is stored of the person was mapped anew.
    Replayed,
}

impl UserEvent {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "scim.user.created",
            Self::Replaced => "scim.user.replaced",
            Self::Patched => "scim.user.patched",
            Self::Revived => "scim.user.revived",
            Self::Deleted => "scim.user.deleted",
            Self::LoggedIn => "login",
            Self::Undone => "scim.user.undone",
            Self::Replayed => "scim.user.replayed",
        }
    }

    /// The same, as a side of a connection calls it.
    pub fn of(self, side: Side) -> &'static str {
        match (side, self) {
            (Side::Sync, Self::Created) => "sync.user.created",
            (Side::Sync, Self::Replaced | Self::Patched) => "sync.user.updated",
            (Side::Sync, Self::Revived) => "sync.user.revived",
            (Side::Sync, Self::Deleted) => "sync.user.deleted",
            (Side::Sync, Self::Undone) => "sync.user.undone",
            (Side::Sync, Self::Replayed) => "sync.user.replayed",
            (Side::Login, Self::Undone) => "login.undone",
            (Side::Login, Self::Replayed) => "login.replayed",
            _ => self.as_str(),
        }
    }
}

/// An identity with all that a decision about it reads.
#[derive(Clone, Debug)]
pub struct Known {
    pub identity: Identity,
    pub user: Option<User>,
    pub blocks: Vec<Block>,
    /// The searchable values stored now.
    pub values: Vec<(String, String)>,
    /// Is it a direct member of some group?
    pub in_groups: bool,
}

/// The profile a new identity joins as a secondary, and the position it takes there.
#[derive(Clone, Debug)]
pub struct Joined {
    pub user: User,
    pub position: i64,
    pub blocks: Vec<Block>,
}

/// What is known beforehand about a person without a profile; asked only where there is none.
#[derive(Clone, Debug, Default)]
pub struct Newcomer {
    /// For the profile, if one is made.
    pub user_id: String,
    /// The profile to join instead. Asked before the address.
    pub joined: Option<Joined>,
    /// A profile that another connection of the same organization feeds with the same address: id and user_id.
    pub by_email: Option<(ProfileId, String)>,
    /// Profiles any of which could be the one to join, where they are several: the inbox tells of them.
    pub in_doubt: Vec<ProfileId>,
}

impl Newcomer {
    pub fn new(wanted_user_id: &str, claims: &Claims, joined: Option<Joined>) -> Self {
        Self {
            user_id: user_id::free(wanted_user_id, &claims.user_ids_taken),
            joined,
            by_email: claims.by_email.first().cloned(),
            in_doubt: Vec::new(),
        }
    }
}

/// What a POST meets.
#[derive(Debug, PartialEq)]
pub enum Arrival {
    /// Nobody: a new person.
    New,
    /// An identity of this connection: see [`repost`].
    Known(IdentityId),
}

/// Whom a POST means. Never a match by address: that is a conflict or nothing.
pub fn arrival(record: &SourceRecord, claims: &Claims, known_by: ScimUserIdAttribute) -> Result<Arrival, Refusal> {
    if claims.erased {
        return Err(Refusal::Erased);
    }
    if known_by == ScimUserIdAttribute::UserName {
        return by_user_name(claims);
    }
    if let Some(id) = &claims.by_external_id {
        return match &claims.by_user_name {
            Some((other, _)) if other != id => Err(Refusal::Taken { attribute: "userName" }),
            _ => Ok(Arrival::Known(id.clone())),
        };
    }
    let nameless = record.external_id.is_none();
    if let Some((id, external_id)) = &claims.by_user_name {
        return match external_id {
            None if nameless => Ok(Arrival::Known(id.clone())),
            _ => Err(Refusal::Taken { attribute: "userName" }),
        };
    }
    let former = claims.by_former_name.iter().filter(|(_, external_id)| external_id.is_none()).map(|(id, _)| id).max();
    Ok(former.filter(|_| nameless).map_or(Arrival::New, |id| Arrival::Known(id.clone())))
}

/// Where people are known by their name, a former bearer of it is the same person come back, whatever the external id says.
fn by_user_name(claims: &Claims) -> Result<Arrival, Refusal> {
    let named = claims.by_user_name.as_ref().map(|(id, _)| id);
    let former = claims.by_former_name.iter().map(|(id, _)| id).max();
    match (named.or(former), &claims.by_external_id) {
        (Some(id), Some(other)) if id != other => Err(Refusal::Taken { attribute: "externalId" }),
        (Some(id), _) | (None, Some(id)) => Ok(Arrival::Known(id.clone())),
        (None, None) => Ok(Arrival::New),
    }
}

/// May a POST take over this identity of its own connection? Some event if so.
pub fn repost(known: &Known, record: &SourceRecord, option: Repost) -> Result<UserEvent, Refusal> {
    let identity = &known.identity;
    if identity.listed && identity.state == IdentityState::Active {
        let by_id = record.external_id.is_some() && identity.external_id == record.external_id;
        return Err(Refusal::Taken { attribute: if by_id { "externalId" } else { "userName" } });
    }
    let made_by_a_login = !identity.listed && identity.deleted_at.is_none();
    if made_by_a_login {
        return Ok(UserEvent::Created);
    }
    match option {
        Repost::Reactivate => Ok(UserEvent::Revived),
        Repost::Conflict => Err(Refusal::Repost),
    }
}

/// Runs the mapping over a record that has no profile yet: what it gives decides whom to look for.
pub fn map(desk: &Desk<'_>, record: &SourceRecord) -> Mapped {
    desk.mapping.map(&input(desk, &kept(desk.connection, &record.payload), None))
}

/// What of a document may be stored; a mapping sees no more of it.
fn kept<'p>(connection: &Connection, payload: &'p Map<String, Value>) -> Cow<'p, Map<String, Value>> {
    if !payload.keys().any(|name| connection.forgets(name)) {
        return Cow::Borrowed(payload);
    }
    Cow::Owned(
        payload.iter().filter(|(name, _)| !connection.forgets(name)).map(|(name, value)| (name.clone(), value.clone())).collect(),
    )
}

/// The record without what may not be stored: neither in its document nor in what it is searched or called by.
fn to_keep<'r>(connection: &Connection, record: &'r SourceRecord) -> Cow<'r, SourceRecord> {
    let Cow::Owned(payload) = kept(connection, &record.payload) else { return Cow::Borrowed(record) };
    let root = |attribute: &str| attribute.split('.').next().unwrap_or(attribute).to_owned();
    let is_kept = |attribute: &str| {
        !connection.options.non_persistent_attrs.iter().any(|name| {
            root(attribute).eq_ignore_ascii_case(name)
                || attribute.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase()))
        })
    };
    let values = record.values.iter().filter(|(attribute, _)| is_kept(attribute)).cloned().collect();
    let label = if connection.forgets("displayName") { record.user_name.clone() } else { record.label.clone() };
    Cow::Owned(SourceRecord { payload, values, label, ..record.clone() })
}

fn input<'a>(desk: &Desk<'_>, payload: &'a Map<String, Value>, stored: Option<&'a Profile>) -> Input<'a> {
    Input { payload, stored: stored.map(|profile| &profile.0), now: desk.moment.now, seed: desk.moment.entropy.bytes() }
}

/// A person this connection has never named; `mapped` is [`map`]'s.
pub fn create(
    desk: &Desk<'_>,
    record: &SourceRecord,
    mapped: Mapped,
    identity_id: IdentityId,
    newcomer: Newcomer,
) -> Decision<UserPlan> {
    let before = Before { identity: unknown(desk, identity_id), is_new: true, values: Vec::new() };
    taken_in(desk, UserEvent::Created, record, before, Met::Nobody(newcomer, mapped))
}

/// An identity of which nothing is known yet.
fn unknown(desk: &Desk<'_>, id: IdentityId) -> Identity {
    let now = desk.moment.now;
    Identity {
        tenant_id: desk.connection.tenant_id.clone(),
        id,
        connection_id: desk.connection.id.clone(),
        profile_id: None,
        position: 0,
        external_id: None,
        user_name: None,
        user_name_key: None,
        label: None,
        state: IdentityState::Active,
        listed: false,
        active: None,
        raw: None,
        raw_hash: None,
        mapped: None,
        mapping: None,
        mapping_version: None,
        login: None,
        last_source: desk.side.as_str().into(),
        dn_key: None,
        missing_runs: 0,
        version: 1,
        first_seen: now,
        last_seen: now,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    }
}

/// A known identity gets a new resource. `event` says by which verb; a revival lists it again. `newcomer` (with what
/// [`map`] gave) counts only while it has no profile.
pub fn write(
    desk: &Desk<'_>,
    event: UserEvent,
    known: Known,
    record: &SourceRecord,
    newcomer: Option<(Newcomer, Mapped)>,
) -> Decision<UserPlan> {
    let Known { identity, user, blocks, values, .. } = known;
    let met = match user {
        Some(user) => Met::Profile(user, blocks),
        None => {
            let (newcomer, mapped) = newcomer.unwrap_or_else(|| (Newcomer::default(), map(desk, record)));
            Met::Nobody(newcomer, mapped)
        }
    };
    taken_in(desk, event, record, Before { identity, is_new: false, values }, met)
}

/// What an entry makes of a known person can't be stored, for `reason`. Where the entry bars them, that alone is written.
pub fn bar(desk: &Desk<'_>, known: Known, record: &SourceRecord, reason: &str) -> Decision<UserPlan> {
    let Known { identity, user: Some(user), blocks, .. } = known else { return Decision::Nothing };
    let stored = Stored::read(user, blocks);
    let mapped = desk.mapping.map(&input(desk, &kept(desk.connection, &record.payload), Some(&stored.doc)));
    if !outcome::bars(&mapped) {
        return Decision::Nothing;
    }
    let (event, reasons) = (UserEvent::Replaced, vec![(String::new(), reason.to_owned())]);
    match outcome::barred(desk, event, &identity, stored, &mapped, reasons) {
        Ok(ProfileOutcome { write: ProfileWrite::None, .. }) => Decision::Nothing,
        Ok(outcome) => barred(desk, event, identity, outcome),
        Err(refusal) => Decision::Refused(refusal),
    }
}

/// The record is not taken, and the one that was no longer counts as seen: an entry that is again what it was before would pass for
/// unchanged, and its person would stay locked out.
fn barred(desk: &Desk<'_>, event: UserEvent, old: Identity, outcome: ProfileOutcome) -> Decision<UserPlan> {
    let state = if old.state == IdentityState::Deleted { old.state } else { IdentityState::DisabledAtSource };
    let expected = old.version;
    let identity =
        IdentityWrite::Update { expected, identity: Identity { state, raw_hash: None, updated_at: desk.moment.now, ..old } };
    Decision::Write(Box::new(rows::finish(desk, event, identity, ValueDiff::default(), outcome, 0)))
}

struct Before {
    identity: Identity,
    is_new: bool,
    values: Vec<(String, String)>,
}

/// Whom a record meets, before its mapping ran where it has not yet.
enum Met {
    Nobody(Newcomer, Mapped),
    Profile(User, Vec<Block>),
}

/// The one path of every accepted resource: identity first, then what the policy lets through to the profile.
fn taken_in(desk: &Desk<'_>, event: UserEvent, record: &SourceRecord, before: Before, met: Met) -> Decision<UserPlan> {
    let record = &*to_keep(desk.connection, record);
    let raw = Value::Object(record.payload.clone()).to_string();
    let is_sync = desk.side == Side::Sync;
    let raw_hash = if is_sync { entry_hash(&record.payload) } else { hash(&raw) };
    let old = before.identity;
    let same_mapping = old.mapping.as_deref() == Some(desk.mapping.name()) && old.mapping_version == Some(desk.mapping.version());
    let same_resource = || same(old.raw_hash.as_deref(), old.raw.as_deref(), &raw_hash, &record.payload);
    let is_same = old.listed && same_mapping && same_resource();
    // An entry that stayed as it was may mean something else by now: an account expires.
    if is_same && !is_sync {
        return Decision::Nothing;
    }
    let mut in_doubt = Vec::new();
    let (target, mapped) = match met {
        Met::Nobody(mut newcomer, mapped) => {
            in_doubt = std::mem::take(&mut newcomer.in_doubt);
            (Target::Nobody(newcomer), mapped)
        }
        Met::Profile(user, blocks) => {
            let stored = Stored::read(user, blocks);
            let mapped = desk.mapping.map(&input(desk, &record.payload, Some(&stored.doc)));
            (Target::Has(Box::new(stored)), mapped)
        }
    };
    let previous: Option<Map<String, Value>> = old.mapped.as_deref().and_then(|text| serde_json::from_str(text).ok());
    // Who left and is there again as what is not imported has not come back.
    let has_left = !old.listed && old.state == IdentityState::Deleted;
    if is_sync && has_left && matches!(mapped.gate, Some(Gate::Skip { .. })) {
        return Decision::Nothing;
    }
    let counted = i64::from(!old.listed);
    let mapped_text = mapped.to_text(previous.as_ref());
    let is_same = is_same && old.mapped.as_ref() == Some(&mapped_text);
    let mut identity = with_record(desk, old.clone(), record, raw, raw_hash, mapped_text);
    if is_sync {
        entry_names(&mut identity, record, &mapped);
    }
    if event == UserEvent::Replayed {
        replay::nothing_new_was_said(&mut identity, &old);
    }

    let results = Results { mapped: &mapped, previous: previous.as_ref() };
    let outcome = match outcome::profile(desk, event, record, &mut identity, results, target) {
        Ok(outcome) => outcome,
        Err(refusal) => return Decision::Refused(refusal),
    };
    if is_same && matches!(outcome.write, ProfileWrite::None) {
        return Decision::Nothing;
    }
    if let Some(reasons) = &outcome.rejected {
        return match outcome.write {
            ProfileWrite::None => Decision::Refused(Refusal::Rejected { reasons: reasons.clone() }),
            _ => barred(desk, event, old, outcome),
        };
    }
    let values = ValueDiff::between(&before.values, &record.values);
    let identity =
        if before.is_new { IdentityWrite::Insert(identity) } else { IdentityWrite::Update { expected: old.version, identity } };
    let mut plan = rows::finish(desk, event, identity, values, outcome, counted);
    rows::tell_of_doubt(desk, &mut plan, &in_doubt);
    Decision::Write(Box::new(plan))
}

/// What an entry of a directory is called: by the mapping's result, where there is one. Who was called something and is skipped
/// by now is still called so.
fn entry_names(identity: &mut Identity, record: &SourceRecord, mapped: &Mapped) {
    let name = |target| mapped.text(target).map(str::to_owned);
    // Two people of a directory may be called alike, for a moment or for good: it is no key.
    identity.user_name_key = None;
    if mapped.gate.is_none() {
        identity.user_name = name("username").or(identity.user_name.take());
        identity.label = name("name").or_else(|| identity.user_name.clone()).or(identity.label.take());
    }
    identity.dn_key = record.payload.get("dn").and_then(Value::as_str).map(dn_key);
    identity.missing_runs = 0;
    // Where no rule says it, `with_record` kept what was said before.
    if let Some((_, Given::Value(Value::Bool(blocked)))) = mapped.given.iter().find(|(rule, _)| &*rule.target == "blocked") {
        identity.state = if *blocked { IdentityState::DisabledAtSource } else { IdentityState::Active };
    }
}

/// Equal as documents: an IdP that echoes a resource with its members in another order changed nothing.
fn same(stored_hash: Option<&str>, stored: Option<&str>, raw_hash: &str, payload: &Map<String, Value>) -> bool {
    let stored = || stored.and_then(|raw| serde_json::from_str::<Map<String, Value>>(raw).ok());
    stored_hash == Some(raw_hash) || stored().as_ref() == Some(payload)
}

/// The identity as the record leaves it. The row's own times and version are the store's to move.
fn with_record(
    desk: &Desk<'_>,
    mut identity: Identity,
    record: &SourceRecord,
    raw: String,
    raw_hash: String,
    mapped: String,
) -> Identity {
    identity.external_id.clone_from(&record.external_id);
    // An entry of a directory is called what its mapping says: `entry_names`.
    if record.side != Side::Sync {
        identity.user_name.clone_from(&record.user_name);
        identity.user_name_key = record.user_name.as_deref().map(fold);
        identity.label.clone_from(&record.label);
    }
    identity.active = record.active;
    identity.state = match (record.active, identity.state) {
        (Some(false), _) | (None, IdentityState::DisabledAtSource) => IdentityState::DisabledAtSource,
        _ => IdentityState::Active,
    };
    identity.listed = true;
    identity.deleted_at = None;
    identity.raw = Some(raw);
    identity.raw_hash = Some(raw_hash);
    identity.mapped = Some(mapped);
    identity.mapping = Some(desk.mapping.name().to_owned());
    identity.mapping_version = Some(desk.mapping.version());
    identity.last_source = record.side.as_str().into();
    identity.last_seen = desk.moment.now;
    identity.updated_at = desk.moment.now;
    identity
}

/// The source DELETEs the person (design §3, "Leaving and coming back"). `last` = the profile has no other identity.
pub fn delete(desk: &Desk<'_>, known: Known, last: bool) -> Decision<UserPlan> {
    if !known.identity.listed {
        return Decision::Refused(Refusal::NotFound);
    }
    leave(desk, known, desk.connection.options.deprovision == Deprovision::Delete, last)
}

/// The grace of a person who was DELETEd before `before` is over: as if `deprovision = delete` had held. Who came back
/// meanwhile, or left again later, is not meant.
pub fn end_grace(desk: &Desk<'_>, known: Known, before: Micros, last: bool) -> Decision<UserPlan> {
    let Identity { listed, state, deleted_at, .. } = known.identity;
    if listed || state != IdentityState::Deleted || deleted_at.is_none_or(|at| at >= before) {
        return Decision::Refused(Refusal::NotFound);
    }
    leave(desk, known, true, last)
}

fn leave(desk: &Desk<'_>, known: Known, removes: bool, last: bool) -> Decision<UserPlan> {
    let Known { identity: old, user, blocks, .. } = known;
    let event = UserEvent::Deleted;
    let expected = old.version;
    let counted = -i64::from(old.listed);
    let mut outcome = ProfileOutcome::nothing(desk);
    let mut identity = old;
    match user {
        Some(user) if removes && last => {
            outcome.changed = vec!["deleted".into()];
            outcome.write = ProfileWrite::Remove { user, reason: "deleted by its source" };
        }
        Some(user) => {
            if removes {
                // Nobody could lift the blocks of an identity that is gone.
                let own = blocks.iter().filter(|block| block.origin == identity.id.as_str());
                outcome.lifts = own.map(|block| (block.kind, block.origin.clone())).collect();
                outcome.membership = Some(Membership::Leaves);
            } else {
                outcome.blocks = left(desk, &identity, &blocks);
            }
            let stored = Stored::read(user, blocks);
            if let Err(refusal) = outcome::written(desk, event, &identity, stored, &Mapped::default(), &mut outcome) {
                return Decision::Refused(refusal);
            }
        }
        None => {}
    }
    identity.listed = false;
    identity.state = IdentityState::Deleted;
    identity.deleted_at = Some(desk.moment.now);
    identity.updated_at = desk.moment.now;
    let identity =
        if removes { IdentityWrite::Remove { identity, expected } } else { IdentityWrite::Update { identity, expected } };
    let mut plan = rows::finish(desk, event, identity, ValueDiff::default(), outcome, counted);
    plan.leaves_groups = true;
    Decision::Write(Box::new(plan))
}

/// The source block of a person who left, unless it stands already. Other blocks stay as they are.
fn left(desk: &Desk<'_>, identity: &Identity, blocks: &[Block]) -> Vec<Block> {
    let changes = Changes { blocked: Some(true), ..Changes::default() };
    let (mut added, _) = outcome::block_diff(desk, identity, &Mapped::default(), &changes, blocks);
    added.iter_mut().for_each(|block| block.reason = "deleted at the source".into());
    added
}

/// What a document is compared by with the one stored before.
pub fn raw_hash(payload: &Map<String, Value>) -> String {
    hash(&Value::Object(payload.clone()).to_string())
}

/// The same of an entry of a directory, where neither the order of values nor the spelling of an attribute's name says
/// anything.
pub fn entry_hash(payload: &Map<String, Value>) -> String {
    let mut lines: Vec<String> = payload
        .iter()
        .map(|(name, value)| {
            let mut values: Vec<String> = match value {
                Value::Array(values) => values.iter().map(Value::to_string).collect(),
                value => vec![value.to_string()],
            };
            values.sort_unstable();
            format!("{}={}", name.to_ascii_lowercase(), values.join(","))
        })
        .collect();
    lines.sort_unstable();
    hash(&lines.join("\n"))
}

fn hash(text: &str) -> String {
    user_id::hex(&Sha256::digest(text))
}

#[cfg(test)]
mod entry_tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> String {
        let Value::Object(payload) = value else { panic!("an object") };
        entry_hash(&payload)
    }

    #[test]
    fn an_entry_is_the_same_in_any_order_of_values_and_spelling_of_names() {
        let entry = of(json!({"dn": "uid=a", "mail": ["a@x", "b@x"], "cn": "A"}));
        assert_eq!(of(json!({"CN": "A", "dn": "uid=a", "mail": ["b@x", "a@x"]})), entry);
        for other in [
            json!({"dn": "uid=A", "mail": ["a@x", "b@x"], "cn": "A"}),
            json!({"dn": "uid=a", "mail": ["a@x"], "cn": "A"}),
            json!({"dn": "uid=a", "mail": "a@x\",\"b@x", "cn": "A"}),
            json!({"dn": "uid=a", "mail": ["a@x", "b@x"], "cn": ["A", "A"]}),
        ] {
            assert_ne!(of(other.clone()), entry, "{other}");
        }
    }
}
