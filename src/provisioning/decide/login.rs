//! Decisions about one login: what a verified record does to the identity and profile it means, or why the person does
//! not get in. The policy is the connection's (design §3, "Who may write what"). Refuses to move blocks, to bring
//! anybody back who left, and to make a person where a push keeps them out.

use super::login_trace::{self, Met, Whom};
use super::outcome::{self, GroupsBefore, Membership, ProfileOutcome, Results, Stored};
use super::rows::{self, email_elsewhere};
use super::{Desk, Joined, Known, Moment, Newcomer, UserEvent, hash, input, kept, same, unknown};
use crate::mapping::{Gate, Given, Mapped};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::event::{InboxEntry, LINK_SUGGESTION, LogEntry};
use crate::model::identity::{Identity, IdentityState, LoginSide};
use crate::model::ids::{IdentityId, ProfileId};
use crate::model::user::BlockKind;
use crate::profile::verified::{LoginRecord, Verified};
use crate::provisioning::plan::{IdentityWrite, Refusal, UserPlan, ValueDiff};
use serde_json::{Map, Value, json};

/// Largest record of a login in bytes, as JSON.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Why somebody does not get in. Nothing but the log row is stored, and at most their sessions end.
#[derive(Clone, Debug, PartialEq)]
pub enum Denial {
    /// People don't log in through this kind of connection.
    NoLogin,
    /// Nobody knows them, and the connection makes no profile at a login.
    NoJit,
    /// They left, were deleted or asked to be erased.
    Deprovisioned,
    /// The profile is blocked: why, each kind once.
    Blocked { kinds: Vec<BlockKind> },
    /// The login's own mapping says that the source bars them.
    BlockedAtSource,
    /// The mapping's `skip`, or a push that keeps them out of the roster.
    Skipped { reason: String },
    /// The mapping's `deny`.
    Denied { reason: String },
    /// The roster can't take the record: values that have to be there and are not, all of them; or too much.
    Record(Refusal),
}

impl Denial {
    /// Stable: what log, metrics and pages go by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoLogin => "no_login",
            Self::NoJit => "no_jit",
            Self::Deprovisioned => "deprovisioned",
            Self::Blocked { .. } => "blocked",
            Self::BlockedAtSource => "blocked_at_source",
            Self::Skipped { .. } => "skipped",
            Self::Denied { .. } => "denied",
            Self::Record(Refusal::TooLarge { .. }) => "too_large",
            Self::Record(_) => "rejected",
        }
    }

    /// Whether it says of the person, not of this login, that they are out: then nowhere else are they signed in either, as if a
    /// push had said it.
    pub fn ends_sessions(&self) -> bool {
        matches!(self, Self::BlockedAtSource)
    }

    /// The code with what an administrator wants to know. Never a value of the record.
    pub fn detail(&self) -> Map<String, Value> {
        let mut detail = Map::new();
        detail.insert("reason".into(), self.code().into());
        match self {
            Self::Blocked { kinds } => {
                detail.insert("blocks".into(), kinds.iter().map(|kind| kind.as_str()).collect());
            }
            Self::Skipped { reason } | Self::Denied { reason } => {
                detail.insert("because".into(), reason.as_str().into());
            }
            Self::Record(Refusal::Rejected { reasons }) => {
                let reasons = reasons.iter().map(|(attribute, reason)| json!({"attribute": attribute, "reason": reason}));
                detail.insert("because".into(), reasons.collect());
            }
            _ => {}
        }
        detail
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self::Record(refusal)
    }
}

/// Runs the mapping over a record that meets no profile yet: what it gives decides whom to look for.
pub fn map(desk: &Desk<'_>, record: &Verified<LoginRecord>) -> Mapped {
    without_read_groups(desk, desk.mapping.map(&input(desk, &kept(desk.connection, record.get().payload()), None)))
}

/// Groups that a connection reads of its directory are rows, also while nobody is in one: what a mapping makes of an entry
/// counts where it reads none (design §3, "Groups").
pub(super) fn without_read_groups(desk: &Desk<'_>, mut mapped: Mapped) -> Mapped {
    let connection = desk.connection;
    if connection.kind == ConnectionKind::Ldap && connection.options.directory.group_base.is_some() {
        mapped.given.retain(|(rule, _)| &*rule.target != "groups");
    }
    mapped
}

/// Somebody this connection knows logs in.
///
/// # Errors
/// Why they don't get in.
pub fn known(desk: &Desk<'_>, known: Known, record: &Verified<LoginRecord>) -> Result<UserPlan, Denial> {
    let Known { mut identity, user, blocks, .. } = known;
    match identity.state {
        IdentityState::Active => {}
        IdentityState::DisabledAtSource => return Err(Denial::Blocked { kinds: vec![BlockKind::Source] }),
        IdentityState::Deleted => return Err(Denial::Deprovisioned),
    }
    // Until a later push or replay passes: a login is neither.
    let Some(user) = user else { return Err(Denial::Skipped { reason: "what was pushed is not imported".into() }) };
    if user.blocked {
        return Err(blocked(blocks.iter().map(|block| block.kind)));
    }
    let stored = Stored::read(user, blocks);
    let payload = &*kept(desk.connection, record.get().payload());
    // Also where nothing is new: a gate may look at the clock.
    let mapped = without_read_groups(desk, desk.mapping.map(&input(desk, payload, Some(&stored.doc))));
    let raw = raw(payload)?;
    let raw_hash = hash(&raw);
    let old = identity.login.take();
    let is_same = old.as_ref().is_some_and(|side| {
        side.mapping == desk.mapping.name()
            && side.mapping_version == desk.mapping.version()
            && same(Some(&side.raw_hash), Some(&side.raw), &raw_hash, payload)
    });
    let previous: Option<Map<String, Value>> = old.as_ref().and_then(|side| serde_json::from_str(&side.mapped).ok());
    let results = Results { mapped: &mapped, previous: previous.as_ref() };
    let changes = outcome::changes(desk, &identity, results, Some((&stored.doc, &stored.provenance)))?;
    passes(&mapped, changes.blocked)?;
    let groups = groups(&mapped, previous.as_ref());
    let is_primary = identity.position == 0;
    let (stored_doc, groups_change) = (Some(&stored.doc), groups.is_some());
    let met = Met { whom: Whom::Known, is_primary, is_same, stored: stored_doc, changes: &changes, groups_change };
    let trace = login_trace::of(desk, &mapped, &met);
    identity.last_seen = desk.moment.now;
    identity.last_source = desk.side.as_str().into();
    let mut outcome = ProfileOutcome::nothing(desk);
    if is_same {
        identity.login = old;
        let write = IdentityWrite::Seen(identity);
        let plan = rows::finish(desk, UserEvent::LoggedIn, write, ValueDiff::default(), outcome, 0);
        return Ok(UserPlan { trace: Some(trace), ..plan });
    }
    identity.login = Some(side(desk, raw, raw_hash, &mapped, previous.as_ref()));
    identity.updated_at = desk.moment.now;
    outcome.changes = changes;
    outcome.groups = groups;
    outcome::written(desk, UserEvent::LoggedIn, &identity, stored, &mapped, &mut outcome)?;
    let write = IdentityWrite::Login { expected: identity.version, identity };
    let plan = rows::finish(desk, UserEvent::LoggedIn, write, ValueDiff::default(), outcome, 0);
    Ok(UserPlan { trace: Some(trace), ..plan })
}

/// Somebody this connection has never named logs in; `mapped` is [`map`]'s.
///
/// # Errors
/// Why they don't get in.
pub fn first(
    desk: &Desk<'_>,
    record: &Verified<LoginRecord>,
    mapped: &Mapped,
    id: IdentityId,
    newcomer: Newcomer,
) -> Result<UserPlan, Denial> {
    let record = record.get();
    let Newcomer { user_id, joined, by_email, in_doubt } = newcomer;
    if joined.is_none() && !desk.connection.options.create_on_login {
        return Err(Denial::NoJit);
    }
    let raw = raw(&kept(desk.connection, record.payload()))?;
    let raw_hash = hash(&raw);
    let mut identity = unknown(desk, id);
    identity.external_id = Some(record.external_id().to_owned());
    identity.login = Some(side(desk, raw, raw_hash, mapped, None));
    let results = Results { mapped, previous: None };
    let mut outcome = ProfileOutcome::nothing(desk);
    outcome.groups = groups(mapped, None);
    let groups_change = outcome.groups.is_some();
    let met = |whom, stored, changes| {
        let is_primary = whom == Whom::New;
        login_trace::of(desk, mapped, &Met { whom, is_primary, is_same: false, stored, changes, groups_change })
    };
    let mut suggested = None;
    let trace = match joined {
        Some(Joined { user, position, blocks }) => {
            if user.blocked {
                return Err(blocked(blocks.iter().map(|block| block.kind)));
            }
            identity.position = position;
            identity.profile_id = Some(user.id.clone());
            outcome.membership = Some(Membership::Joins);
            let stored = Stored::read(user, blocks);
            outcome.changes = outcome::changes(desk, &identity, results, Some((&stored.doc, &stored.provenance)))?;
            passes(mapped, outcome.changes.blocked)?;
            let trace = met(Whom::Joined, Some(&stored.doc), &outcome.changes);
            outcome::written(desk, UserEvent::LoggedIn, &identity, stored, mapped, &mut outcome)?;
            trace
        }
        None => {
            outcome.changes = outcome::changes(desk, &identity, results, None)?;
            passes(mapped, outcome.changes.blocked)?;
            suggested = by_email.filter(|_| outcome::is_trusted(desk, mapped));
            let trace = met(Whom::New, None, &outcome.changes);
            outcome::made(desk, UserEvent::LoggedIn, &mut identity, mapped, user_id, &mut outcome)?;
            trace
        }
    };
    let write = IdentityWrite::Insert(identity);
    let plan = rows::finish(desk, UserEvent::LoggedIn, write, ValueDiff::default(), outcome, 0);
    let mut plan = UserPlan { trace: Some(trace), ..plan };
    if let Some((profile_id, user_id)) = suggested {
        suggest(desk, &mut plan, record.external_id(), &profile_id, &user_id);
    }
    rows::tell_of_doubt(desk, &mut plan, &in_doubt);
    Ok(plan)
}

/// The log row of a login that came to nothing.
pub fn denied(desk: &Desk<'_>, known: Option<&Identity>, record: &LoginRecord, denial: &Denial) -> LogEntry {
    let moment = &desk.moment;
    let mut detail = denial.detail();
    detail.insert("external_id".into(), record.external_id().into());
    LogEntry {
        id: moment.id(),
        kind: UserEvent::LoggedIn.as_str(),
        outcome: "refused",
        connection_id: Some(desk.connection.id.clone()),
        identity_id: known.map(|identity| identity.id.clone()),
        profile_id: known.and_then(|identity| identity.profile_id.clone()),
        actor: moment.actor.to_owned(),
        request_id: moment.request_id.to_owned(),
        detail: Some(Value::Object(detail).to_string()),
        at: moment.now,
        ..LogEntry::default()
    }
}

/// The log row of a login whose check did not pass; `external_id`, if somebody was found by it.
pub fn unverified(
    moment: &Moment<'_>,
    connection: &Connection,
    (reason, facts): (&str, &[(&str, &str)]),
    external_id: Option<&str>,
    known: Option<Identity>,
) -> LogEntry {
    let mut detail = Map::new();
    detail.insert("reason".into(), reason.into());
    detail.extend(facts.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    if let Some(external_id) = external_id {
        detail.insert("external_id".into(), external_id.into());
    }
    LogEntry {
        id: moment.id(),
        kind: UserEvent::LoggedIn.as_str(),
        outcome: "refused",
        connection_id: Some(connection.id.clone()),
        profile_id: known.as_ref().and_then(|identity| identity.profile_id.clone()),
        identity_id: known.map(|identity| identity.id),
        actor: moment.actor.to_owned(),
        request_id: moment.request_id.to_owned(),
        detail: Some(Value::Object(detail).to_string()),
        at: moment.now,
        ..LogEntry::default()
    }
}

/// What the mapping's gates and its `blocked` say. A login sets no block and lifts none: the source is asked anew the
/// next time.
pub(super) fn passes(mapped: &Mapped, blocked: Option<bool>) -> Result<(), Denial> {
    match &mapped.gate {
        Some(Gate::Skip { reason }) => Err(Denial::Skipped { reason: reason.clone() }),
        Some(Gate::Deny { reason }) => Err(Denial::Denied { reason: reason.clone() }),
        None if blocked == Some(true) => Err(Denial::BlockedAtSource),
        None => Ok(()),
    }
}

fn blocked(blocks: impl Iterator<Item = BlockKind>) -> Denial {
    let mut kinds: Vec<BlockKind> = Vec::new();
    for kind in blocks {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Denial::Blocked { kinds }
}

fn raw(payload: &Map<String, Value>) -> Result<String, Denial> {
    let raw = Value::Object(payload.clone()).to_string();
    if raw.len() > RECORD_BYTES_MAX {
        return Err(Refusal::TooLarge { bytes_max: RECORD_BYTES_MAX }.into());
    }
    Ok(raw)
}

fn side(desk: &Desk<'_>, raw: String, raw_hash: String, mapped: &Mapped, previous: Option<&Map<String, Value>>) -> LoginSide {
    LoginSide {
        raw,
        raw_hash,
        mapped: mapped.to_text(previous),
        mapping: desk.mapping.name().to_owned(),
        mapping_version: desk.mapping.version(),
    }
}

/// Groups are no values of the document: those of a login stand in what its mapping gave. That they changed is told
/// like any other change.
pub(super) fn groups(mapped: &Mapped, previous: Option<&Map<String, Value>>) -> Option<GroupsBefore> {
    let (rule, given) = mapped.given.iter().find(|(rule, _)| &*rule.target == "groups")?;
    let given = match given {
        Given::Value(value) => Some(value),
        Given::Absent => None,
        Given::Keep | Given::FirstFree(_) | Given::Error(_) => return None,
    };
    // In no group is in no group, however it is said.
    let in_some = |value: &&Value| value.as_array().is_none_or(|list| !list.is_empty());
    let given = given.filter(in_some);
    let before = previous.and_then(|previous| previous.get("groups")).filter(in_some);
    (given != before).then(|| GroupsBefore { before: before.cloned().unwrap_or_default(), line: rule.line })
}

/// Another connection feeds a profile with the same address: an administrator may want to link the two.
fn suggest(desk: &Desk<'_>, plan: &mut UserPlan, external_id: &str, profile_id: &ProfileId, user_id: &str) {
    let (inbox, log) = email_elsewhere(desk, external_id, None, profile_id, user_id);
    let identity = plan.identity.identity();
    let history_id = plan.history.as_ref().map(|history| history.id.clone());
    let log = LogEntry { outcome: "ok", identity_id: Some(identity.id.clone()), history_id, ..log };
    // Nothing is refused: an administrator may say that the two are one.
    plan.inbox.push(InboxEntry { kind: LINK_SUGGESTION, ..inbox });
    plan.log.push(log);
}
