//! Decisions about one user: a record, the state it meets and the policy in, a [`UserPlan`] out. Pure: no I/O, time
//! and randomness come with the [`Moment`]. The table of events and states is `profile.md` §11, the rules are
//! design §3.

use super::plan::{Decision, IdentityWrite, ProfileWrite, Refusal, UserPlan, ValueDiff};
use super::policy::{self, Changes};
use super::provenance::{Provenance, Source};
use super::user_id;
use crate::clock::{Entropy, Micros};
use crate::mapping::{Gate, Mapped, Mapping};
use crate::model::connection::{Connection, Deprovision, OnEmailMatch, Repost};
use crate::model::event::{Announcement, History, InboxEntry, LogEntry};
use crate::model::fold::fold;
use crate::model::identity::{Identity, IdentityState};
use crate::model::ids::{IdentityId, ProfileId};
use crate::model::user::{Block, BlockKind, User};
use crate::profile::{Profile, SourceRecord};
use crate::store::identities::Claims;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Largest profile document in bytes; what would pass it is refused, never cut.
pub const PROFILE_BYTES_MAX: usize = 64 * 1024;

/// Slots of a connection's counters: enough that concurrent creates rarely wait for the same row.
pub const COUNTER_SLOTS: u8 = 64;

/// When, by whom, for which request; and where new ids come from.
pub struct Moment<'a> {
    /// Whole milliseconds: what is printed is what is stored.
    pub now: Micros,
    /// `token:{id}`, `cli`, …
    pub actor: &'a str,
    pub request_id: &'a str,
    pub entropy: &'a Entropy,
}

impl Moment<'_> {
    pub fn id(&self) -> String {
        self.entropy.uuid(self.now)
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
}

/// What a write of a user is called in log, history and provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserEvent {
    Created,
    Replaced,
    Patched,
    Revived,
    Deleted,
}

impl UserEvent {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "scim.user.created",
            Self::Replaced => "scim.user.replaced",
            Self::Patched => "scim.user.patched",
            Self::Revived => "scim.user.revived",
            Self::Deleted => "scim.user.deleted",
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

/// What a POST meets.
#[derive(Debug, PartialEq)]
pub enum Arrival {
    /// Nobody: a new person, with this user_id if a profile is made.
    New { user_id: String },
    /// An identity of this connection: see [`repost`].
    Known(IdentityId),
}

/// Whom a POST means. Never a match by address: that is a conflict or nothing.
pub fn arrival(wanted_user_id: &str, record: &SourceRecord, claims: &Claims) -> Result<Arrival, Refusal> {
    if claims.erased {
        return Err(Refusal::Erased);
    }
    if let Some(id) = &claims.by_external_id {
        return Ok(Arrival::Known(id.clone()));
    }
    let nameless = record.external_id.is_none();
    if let Some((id, external_id)) = &claims.by_user_name {
        return match external_id {
            None if nameless => Ok(Arrival::Known(id.clone())),
            _ => Err(Refusal::Taken { attribute: "userName" }),
        };
    }
    let former = claims.by_former_name.iter().filter(|(_, external_id)| external_id.is_none()).map(|(id, _)| id).max();
    if let Some(id) = former.filter(|_| nameless) {
        return Ok(Arrival::Known(id.clone()));
    }
    Ok(Arrival::New { user_id: user_id::free(wanted_user_id, &claims.user_ids_taken) })
}

/// May a POST take over this identity of its own connection? Some event if so.
pub fn repost(known: &Known, record: &SourceRecord, option: Repost) -> Result<UserEvent, Refusal> {
    let identity = &known.identity;
    if identity.listed && identity.active {
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

/// A person this connection has never named. `joined` is asked before `claims.by_email`.
pub fn create(
    desk: &Desk<'_>,
    record: &SourceRecord,
    identity_id: IdentityId,
    user_id: String,
    joined: Option<Joined>,
    claims: &Claims,
) -> Decision<UserPlan> {
    let connection = desk.connection;
    if joined.is_none()
        && connection.options.on_email_match == OnEmailMatch::Conflict
        && let Some((profile_id, other)) = claims.by_email.first()
    {
        return Decision::Refused(email_elsewhere(desk, record, profile_id, other));
    }
    let moment = &desk.moment;
    let identity = Identity {
        tenant_id: connection.tenant_id.clone(),
        id: identity_id,
        connection_id: connection.id.clone(),
        profile_id: None,
        position: 0,
        external_id: None,
        user_name: None,
        user_name_key: None,
        label: None,
        state: IdentityState::Active,
        listed: false,
        active: true,
        raw: None,
        raw_hash: None,
        mapped: None,
        mapping: None,
        mapping_version: None,
        last_source: record.side.as_str().into(),
        version: 1,
        first_seen: moment.now,
        last_seen: moment.now,
        created_at: moment.now,
        updated_at: moment.now,
        deleted_at: None,
    };
    let target = match joined {
        Some(joined) => Target::Joins(joined),
        None => Target::Nobody { user_id },
    };
    taken_in(desk, UserEvent::Created, record, Before { identity, is_new: true, values: Vec::new() }, target)
}

/// A known identity gets a new resource. `event` says by which verb; a revival lists it again.
pub fn write(desk: &Desk<'_>, event: UserEvent, known: Known, record: &SourceRecord) -> Decision<UserPlan> {
    let Known { identity, user, blocks, values, .. } = known;
    let target = match user {
        Some(user) => Target::Has { user, blocks },
        None => Target::Nobody { user_id: user_id::wanted(desk.connection, record.external_id.as_deref(), identity.id.as_str()) },
    };
    taken_in(desk, event, record, Before { identity, is_new: false, values }, target)
}

struct Before {
    identity: Identity,
    is_new: bool,
    values: Vec<(String, String)>,
}

enum Target {
    /// No profile yet: one is made, unless a gate skips.
    Nobody {
        user_id: String,
    },
    Has {
        user: User,
        blocks: Vec<Block>,
    },
    Joins(Joined),
}

/// The one path of every accepted resource: identity first, then what the policy lets through to the profile.
fn taken_in(desk: &Desk<'_>, event: UserEvent, record: &SourceRecord, before: Before, target: Target) -> Decision<UserPlan> {
    let raw = Value::Object(record.payload.clone()).to_string();
    let raw_hash = hash(&raw);
    let old = before.identity;
    let same_mapping = old.mapping.as_deref() == Some(desk.mapping.name()) && old.mapping_version == Some(desk.mapping.version());
    if old.listed && same_mapping && same_resource(&old, &raw_hash, &record.payload) {
        return Decision::Nothing;
    }
    let mapped = desk.mapping.map(&record.payload);
    let previous: Option<Map<String, Value>> = old.mapped.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let counted = i64::from(!old.listed);
    let mut identity = with_record(desk, old.clone(), record, raw, raw_hash, &mapped);

    let outcome = match profile(desk, event, &mut identity, &mapped, previous.as_ref(), target) {
        Ok(outcome) => outcome,
        Err(refusal) => return Decision::Refused(refusal),
    };
    let values = ValueDiff::between(&before.values, &record.values);
    let identity =
        if before.is_new { IdentityWrite::Insert(identity) } else { IdentityWrite::Update { expected: old.version, identity } };
    Decision::Write(Box::new(finish(desk, event, identity, values, outcome, counted)))
}

/// Equal as documents: an IdP that echoes a resource with its members in another order changed nothing.
fn same_resource(identity: &Identity, raw_hash: &str, payload: &Map<String, Value>) -> bool {
    let stored = || identity.raw.as_deref().and_then(|raw| serde_json::from_str::<Map<String, Value>>(raw).ok());
    identity.raw_hash.as_deref() == Some(raw_hash) || stored().as_ref() == Some(payload)
}

/// The identity as the record leaves it. The row's own times and version are the store's to move.
fn with_record(
    desk: &Desk<'_>,
    mut identity: Identity,
    record: &SourceRecord,
    raw: String,
    raw_hash: String,
    mapped: &Mapped,
) -> Identity {
    identity.external_id.clone_from(&record.external_id);
    identity.user_name.clone_from(&record.user_name);
    identity.user_name_key = record.user_name.as_deref().map(fold);
    identity.label.clone_from(&record.label);
    identity.active = record.active.unwrap_or(identity.active);
    identity.state = if identity.active { IdentityState::Active } else { IdentityState::DisabledAtSource };
    identity.listed = true;
    identity.deleted_at = None;
    identity.raw = Some(raw);
    identity.raw_hash = Some(raw_hash);
    identity.mapped = Some(mapped.to_text());
    identity.mapping = Some(desk.mapping.name().to_owned());
    identity.mapping_version = Some(desk.mapping.version());
    identity.last_source = record.side.as_str().into();
    identity.last_seen = desk.moment.now;
    identity.updated_at = desk.moment.now;
    identity
}

/// What comes of the profile.
struct ProfileOutcome {
    write: ProfileWrite,
    changes: Changes,
    blocks: Vec<Block>,
    lifts: Vec<(BlockKind, String)>,
    /// Names for the outbox; empty = the profile did not move.
    changed: Vec<String>,
    /// JSON text for the history row.
    before: Option<String>,
    history_id: String,
    skipped: Option<String>,
    linked: bool,
}

fn profile(
    desk: &Desk<'_>,
    event: UserEvent,
    identity: &mut Identity,
    mapped: &Mapped,
    previous: Option<&Map<String, Value>>,
    target: Target,
) -> Result<ProfileOutcome, Refusal> {
    let (stored, blocks, linked) = match target {
        Target::Has { user, blocks } => (Some(user), blocks, false),
        Target::Joins(joined) => {
            identity.position = joined.position;
            identity.profile_id = Some(joined.user.id.clone());
            (Some(joined.user), joined.blocks, true)
        }
        Target::Nobody { user_id } => {
            return made(desk, event, identity, mapped, user_id);
        }
    };
    let user = stored.expect("both arms above hold a profile");
    let doc = Profile::parse(&user.doc).unwrap_or_default();
    let provenance = Provenance::parse(&user.provenance).unwrap_or_default();
    let changes = policy::changes(
        mapped,
        &policy::Context {
            side: crate::profile::Side::Push,
            option: desk.connection.options.set_user_root_attributes,
            primary: identity.position == 0,
            identity_id: identity.id.as_str(),
            stored: Some((&doc, &provenance)),
            previous,
        },
    );
    rejected(&changes)?;
    let skipped = match &mapped.gate {
        Some(Gate::Skip { reason }) => Some(reason.clone()),
        _ => None,
    };
    let mut outcome = ProfileOutcome {
        write: ProfileWrite::None,
        changes,
        blocks: Vec::new(),
        lifts: Vec::new(),
        changed: Vec::new(),
        before: None,
        history_id: desk.moment.id(),
        skipped,
        linked,
    };
    if outcome.skipped.is_none() {
        (outcome.blocks, outcome.lifts) = block_diff(desk, identity, mapped, &outcome.changes, &blocks);
        written(desk, event, identity, user, doc, provenance, &blocks, &mut outcome)?;
    }
    Ok(outcome)
}

/// A profile made by this identity, or none if a gate skips it.
fn made(
    desk: &Desk<'_>,
    event: UserEvent,
    identity: &mut Identity,
    mapped: &Mapped,
    user_id: String,
) -> Result<ProfileOutcome, Refusal> {
    let context = policy::Context {
        side: crate::profile::Side::Push,
        option: desk.connection.options.set_user_root_attributes,
        primary: true,
        identity_id: identity.id.as_str(),
        stored: None,
        previous: None,
    };
    let changes = policy::changes(mapped, &context);
    rejected(&changes)?;
    let mut outcome = ProfileOutcome {
        write: ProfileWrite::None,
        changes,
        blocks: Vec::new(),
        lifts: Vec::new(),
        changed: Vec::new(),
        before: None,
        history_id: desk.moment.id(),
        skipped: None,
        linked: false,
    };
    if let Some(Gate::Skip { reason }) = &mapped.gate {
        outcome.skipped = Some(reason.clone());
        return Ok(outcome);
    }
    let moment = &desk.moment;
    let mut doc = Profile::default();
    let mut provenance = Provenance::default();
    for (rule, value) in &outcome.changes.set {
        doc.set(rule.target, value.clone());
    }
    (outcome.blocks, _) = block_diff(desk, identity, mapped, &outcome.changes, &[]);
    let mut wrote: Vec<(&str, u32)> = outcome.changes.set.iter().map(|(rule, _)| (rule.target, rule.line)).collect();
    wrote.extend(blocked_line(mapped, !outcome.blocks.is_empty()));
    provenance.record(&source(desk, event, identity, &outcome.history_id), wrote.iter().copied());
    outcome.changed = wrote.iter().map(|(path, _)| (*path).to_owned()).collect();
    outcome.before = Some(json!({"created": outcome.changed}).to_string());
    let user = User {
        tenant_id: identity.tenant_id.clone(),
        id: ProfileId::new(moment.id()),
        user_id,
        organization_id: desk.connection.organization_id.clone(),
        email: None,
        email_key: None,
        email_trusted: false,
        username_key: None,
        blocked: !outcome.blocks.is_empty(),
        doc: String::new(),
        provenance: provenance.to_text(),
        version: 1,
        created_at: moment.now,
        updated_at: moment.now,
    };
    identity.profile_id = Some(user.id.clone());
    identity.position = 0;
    outcome.write = ProfileWrite::Insert(with_document(user, &doc, &outcome.changes)?);
    Ok(outcome)
}

/// Applies the changes to a stored profile, if there are any.
#[expect(clippy::too_many_arguments, reason = "the parts of one profile, moved on together")]
fn written(
    desk: &Desk<'_>,
    event: UserEvent,
    identity: &Identity,
    user: User,
    mut doc: Profile,
    mut provenance: Provenance,
    blocks: &[Block],
    outcome: &mut ProfileOutcome,
) -> Result<(), Refusal> {
    let blocked =
        !outcome.blocks.is_empty() || blocks.iter().any(|block| !outcome.lifts.contains(&(block.kind, block.origin.clone())));
    let moves_blocks = !outcome.blocks.is_empty() || !outcome.lifts.is_empty();
    if outcome.changes.set.is_empty() && outcome.changes.clear.is_empty() && !moves_blocks && !outcome.linked {
        return Ok(());
    }
    let mut before = Map::new();
    let mut note = |path: &str, value: Value, provenance: &Provenance| {
        let by = provenance.of(path).map_or(Value::Null, |(source, line)| Provenance::explain(source, line));
        before.insert(path.to_owned(), json!({"before": value, "by": by}));
    };
    let mut wrote: Vec<(&str, u32)> = Vec::new();
    for (rule, value) in &outcome.changes.set {
        note(rule.target, doc.value(rule.target).cloned().unwrap_or(Value::Null), &provenance);
        doc.set(rule.target, value.clone());
        wrote.push((rule.target, rule.line));
    }
    for rule in &outcome.changes.clear {
        note(rule.target, doc.value(rule.target).cloned().unwrap_or(Value::Null), &provenance);
        doc.clear(rule.target);
        wrote.push((rule.target, rule.line));
    }
    if moves_blocks {
        note("blocked", user.blocked.into(), &provenance);
        wrote.push(("blocked", 0));
    }
    if outcome.linked {
        note("identities", Value::Null, &provenance);
    }
    provenance.record(&source(desk, event, identity, &outcome.history_id), wrote.iter().copied());
    outcome.changed = before.keys().cloned().collect();
    outcome.before = Some(Value::Object(before).to_string());
    let expected = user.version;
    let mut user = with_document(user, &doc, &outcome.changes)?;
    user.blocked = blocked;
    user.provenance = provenance.to_text();
    user.updated_at = desk.moment.now;
    outcome.write = ProfileWrite::Update { user, expected };
    Ok(())
}

/// Document and the columns read from it. A pushed address is directory-fed, so matching may see it.
fn with_document(mut user: User, doc: &Profile, changes: &Changes) -> Result<User, Refusal> {
    user.doc = doc.to_text();
    if user.doc.len() > PROFILE_BYTES_MAX {
        return Err(Refusal::TooLarge { bytes_max: PROFILE_BYTES_MAX });
    }
    user.email = doc.text("email").map(str::to_owned);
    user.email_key = user.email.as_deref().map(fold);
    user.username_key = doc.text("username").map(fold);
    if changes.set.iter().any(|(rule, _)| rule.target == "email") {
        user.email_trusted = true;
    }
    Ok(user)
}

fn rejected(changes: &Changes) -> Result<(), Refusal> {
    if changes.rejected.is_empty() {
        return Ok(());
    }
    let reasons = changes.rejected.iter().map(|(rule, reason)| (rule.target.to_owned(), reason.clone())).collect();
    Err(Refusal::Rejected { reasons })
}

/// A mapping's `blocked` sets or lifts the source block of its own identity and no other; a `deny` gate likewise its
/// policy block.
fn block_diff(
    desk: &Desk<'_>,
    identity: &Identity,
    mapped: &Mapped,
    changes: &Changes,
    blocks: &[Block],
) -> (Vec<Block>, Vec<(BlockKind, String)>) {
    let origin = identity.id.as_str();
    let denied = match &mapped.gate {
        Some(Gate::Deny { reason }) => Some(reason.clone()),
        _ => None,
    };
    let wanted = [
        (BlockKind::Source, changes.blocked.map(|blocked| blocked.then(|| "inactive at the source".to_owned()))),
        (BlockKind::Policy, Some(denied)),
    ];
    let (mut added, mut lifted) = (Vec::new(), Vec::new());
    for (kind, wish) in wanted {
        let stands = blocks.iter().any(|block| block.kind == kind && block.origin == origin);
        match wish {
            Some(Some(reason)) if !stands => added.push(Block {
                kind,
                origin: origin.to_owned(),
                since: desk.moment.now,
                actor: desk.moment.actor.to_owned(),
                reason,
                expires_at: None,
            }),
            Some(None) if stands => lifted.push((kind, origin.to_owned())),
            _ => {}
        }
    }
    (added, lifted)
}

fn blocked_line(mapped: &Mapped, blocked: bool) -> Option<(&'static str, u32)> {
    let line = mapped.given.iter().find(|(rule, _)| rule.target == "blocked").map(|(rule, _)| rule.line)?;
    blocked.then_some(("blocked", line))
}

fn source(desk: &Desk<'_>, event: UserEvent, identity: &Identity, history_id: &str) -> Source {
    Source {
        connection: desk.connection.name.clone(),
        connection_id: desk.connection.id.to_string(),
        identity_id: identity.id.to_string(),
        mapping: desk.mapping.name().to_owned(),
        mapping_version: desk.mapping.version(),
        event: event.as_str().to_owned(),
        history_id: history_id.to_owned(),
        actor: desk.moment.actor.to_owned(),
        at: desk.moment.now,
    }
}

/// The rows that tell of it, all in the plan of the change itself.
fn finish(
    desk: &Desk<'_>,
    event: UserEvent,
    identity: IdentityWrite,
    values: ValueDiff,
    outcome: ProfileOutcome,
    counted: i64,
) -> UserPlan {
    let moment = &desk.moment;
    let row = identity.identity();
    let (user, kind) = match &outcome.write {
        ProfileWrite::Insert(user) => (Some((user, user.version)), "user.created"),
        ProfileWrite::Update { user, expected } => (Some((user, expected + 1)), "user.updated"),
        ProfileWrite::Remove { user, .. } => (Some((user, user.version)), "user.deleted"),
        ProfileWrite::None => (None, ""),
    };
    let history = outcome.before.and_then(|changes| {
        let (user, version) = user?;
        Some(History {
            id: outcome.history_id.clone(),
            profile_id: user.id.clone(),
            version,
            event: event.as_str(),
            connection_id: row.connection_id.clone(),
            identity_id: row.id.clone(),
            mapping: desk.mapping.name().to_owned(),
            mapping_version: desk.mapping.version(),
            actor: moment.actor.to_owned(),
            changes,
            at: moment.now,
        })
    });
    let mut detail = Map::new();
    if !outcome.changes.errors.is_empty() {
        detail.insert("warnings".into(), warnings(&outcome.changes));
    }
    if let Some(reason) = &outcome.skipped {
        detail.insert("skipped".into(), reason.as_str().into());
    }
    let entry = LogEntry {
        id: moment.id(),
        kind: event.as_str(),
        outcome: "ok",
        connection_id: Some(row.connection_id.clone()),
        identity_id: Some(row.id.clone()),
        group_id: None,
        profile_id: row.profile_id.clone(),
        actor: moment.actor.to_owned(),
        request_id: moment.request_id.to_owned(),
        history_id: history.as_ref().map(|history| history.id.clone()),
        detail: (!detail.is_empty()).then(|| Value::Object(detail).to_string()),
        at: moment.now,
    };
    let outbox = user.map(|(user, version)| Announcement {
        id: moment.id(),
        kind,
        profile_id: Some(user.id.clone()),
        group_id: None,
        connection_id: row.connection_id.clone(),
        version,
        changed: json!(outcome.changed).to_string(),
        log_id: entry.id.clone(),
        at: moment.now,
    });
    let linked = outcome.linked.then(|| LogEntry { id: moment.id(), kind: "identity.linked", ..entry.clone() });
    let inbox = outcome
        .changes
        .errors
        .iter()
        .map(|(rule, reason)| InboxEntry {
            id: moment.id(),
            connection_id: row.connection_id.clone(),
            kind: "attribute_error",
            subject: format!("{}:{}", row.id, rule.target),
            detail: json!({"attribute": rule.target, "line": rule.line, "reason": reason}).to_string(),
            at: moment.now,
        })
        .collect();
    UserPlan {
        profile: outcome.write,
        values,
        blocks: outcome.blocks,
        lifts: outcome.lifts,
        history,
        log: std::iter::once(entry).chain(linked).collect(),
        outbox: outbox.into_iter().collect(),
        inbox,
        counted,
        slot: moment.slot(),
        // Back from a DELETE: it may have left a row behind, of somebody who was added while they went.
        leaves_groups: event == UserEvent::Revived && counted > 0,
        identity,
    }
}

fn warnings(changes: &Changes) -> Value {
    changes.errors.iter().map(|(rule, reason)| json!({"attribute": rule.target, "line": rule.line, "reason": reason})).collect()
}

/// The source DELETEs the person (design §3, "Leaving and coming back"). `last` = the profile has no other identity.
pub fn delete(desk: &Desk<'_>, known: Known, last: bool) -> Decision<UserPlan> {
    let Known { identity: old, user, blocks, .. } = known;
    if !old.listed {
        return Decision::Refused(Refusal::NotFound);
    }
    let event = UserEvent::Deleted;
    let history_id = desk.moment.id();
    let expected = old.version;
    let removes = desk.connection.options.deprovision == Deprovision::Delete;
    let mut outcome = ProfileOutcome {
        write: ProfileWrite::None,
        changes: Changes::default(),
        blocks: Vec::new(),
        lifts: Vec::new(),
        changed: Vec::new(),
        before: None,
        history_id,
        skipped: None,
        linked: false,
    };
    let mut identity = old;
    match user {
        Some(user) if removes && last => {
            outcome.changed = vec!["deleted".into()];
            outcome.write = ProfileWrite::Remove { user, reason: "deleted by its source" };
        }
        Some(user) if !removes => {
            let changes = Changes { blocked: Some(true), ..Changes::default() };
            (outcome.blocks, outcome.lifts) = block_diff(desk, &identity, &Mapped::default(), &changes, &blocks);
            for block in &mut outcome.blocks {
                block.reason = "deleted at the source".into();
            }
            outcome.changes = changes;
            let (doc, provenance) =
                (Profile::parse(&user.doc).unwrap_or_default(), Provenance::parse(&user.provenance).unwrap_or_default());
            if let Err(refusal) = written(desk, event, &identity, user, doc, provenance, &blocks, &mut outcome) {
                return Decision::Refused(refusal);
            }
        }
        _ => {}
    }
    identity.listed = false;
    identity.state = IdentityState::Deleted;
    identity.deleted_at = Some(desk.moment.now);
    identity.updated_at = desk.moment.now;
    let identity =
        if removes { IdentityWrite::Remove { identity, expected } } else { IdentityWrite::Update { identity, expected } };
    let mut plan = finish(desk, event, identity, ValueDiff::default(), outcome, -1);
    plan.leaves_groups = true;
    Decision::Write(Box::new(plan))
}

fn email_elsewhere(desk: &Desk<'_>, record: &SourceRecord, profile_id: &ProfileId, user_id: &str) -> Refusal {
    let moment = &desk.moment;
    let subject = record.external_id.clone().or_else(|| record.user_name.clone()).unwrap_or_default();
    let detail = json!({"user_id": user_id, "profile_id": profile_id, "user_name": record.user_name}).to_string();
    Refusal::EmailElsewhere {
        inbox: InboxEntry {
            id: moment.id(),
            connection_id: desk.connection.id.clone(),
            kind: "email_match",
            subject,
            detail: detail.clone(),
            at: moment.now,
        },
        log: LogEntry {
            id: moment.id(),
            kind: "conflict.opened",
            outcome: "refused",
            connection_id: Some(desk.connection.id.clone()),
            profile_id: Some(profile_id.clone()),
            actor: moment.actor.to_owned(),
            request_id: moment.request_id.to_owned(),
            detail: Some(detail),
            at: moment.now,
            ..LogEntry::default()
        },
    }
}

fn hash(text: &str) -> String {
    user_id::hex(&Sha256::digest(text))
}
