//! What it takes to undo one change that a run made to one person: the values, the block and the standing from before, where
//! nothing newer moved the same. Pure. What provenance no longer says this change wrote is somebody else's by now and stays;
//! where everything is as before already, nothing is done, so that an undo can be repeated.
//!
//! Refuses to guess: what history does not hold is told and not restored.

mod replayed;

pub use replayed::{IdentityBefore, replayed};

use super::outcome::{self, Membership, ProfileOutcome, Stored};
use super::{Desk, Known, UserEvent, rows};
use crate::clock::Micros;
use crate::mapping::{Input, Mapped, Mapping, Reads};
use crate::model::identity::{Identity, IdentityState};
use crate::model::user::{Block, BlockKind};
use crate::provisioning::plan::{IdentityWrite, ProfileWrite, Refusal, UserPlan, ValueDiff};
use crate::provisioning::provenance::Provenance;
use crate::provisioning::user_id;
use serde_json::{Map, Value, json};

/// What a run did to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    Created,
    Updated,
    /// They had left, and came back.
    Revived,
    Left,
}

impl Did {
    /// By the word of the log; `None`: not one person's, or nothing that is undone.
    pub fn of(kind: &str) -> Option<Self> {
        let all = [
            (UserEvent::Created, Self::Created),
            (UserEvent::Replaced, Self::Updated),
            (UserEvent::Revived, Self::Revived),
            (UserEvent::Deleted, Self::Left),
        ];
        all.into_iter().find(|(event, _)| event.of(crate::profile::Side::Sync) == kind).map(|(_, did)| did)
    }
}

/// A change as log and history have it.
#[derive(Clone, Debug)]
pub struct Done {
    pub did: Did,
    pub at: Micros,
    /// Id and changes of the history row; none where the profile stayed as it was, or went with its history.
    pub history: Option<(String, Map<String, Value>)>,
}

/// What became of it.
#[derive(Debug, Default, PartialEq)]
pub struct Undone {
    /// Attributes, and what else was put back.
    pub restored: Vec<String>,
    /// What stays, and why.
    pub kept: Vec<(String, String)>,
    /// None where nothing is to be written.
    pub plan: Option<Box<UserPlan>>,
}

impl Undone {
    fn stays(what: &str, why: impl Into<String>) -> Self {
        Self { kept: vec![(what.to_owned(), why.into())], ..Self::default() }
    }
}

/// Stands where a mapping would: what is put back comes from none.
pub struct NoMapping;

impl Mapping for NoMapping {
    fn name(&self) -> &'static str {
        ""
    }

    fn version(&self) -> i64 {
        0
    }

    fn text(&self) -> String {
        String::new()
    }

    fn map(&self, _input: &Input<'_>) -> Mapped {
        Mapped::default()
    }

    fn reads(&self) -> Reads {
        Reads::default()
    }
}

/// The person as a whole, in what is told.
const PERSON: &str = "person";

/// `alone`: the profile has no other identity.
///
/// # Errors
/// What was before does not fit any more: a profile that is too large with it.
pub fn undo(desk: &Desk<'_>, known: Option<Known>, done: &Done, alone: bool) -> Result<Undone, Refusal> {
    match (known, done.did) {
        (None, Did::Left) => Ok(Undone::stays(PERSON, "was removed for good (`deprovision`), and nothing of it is kept")),
        // Gone with everything that was done to it.
        (None, _) => Ok(Undone::default()),
        (Some(known), Did::Created) => created(desk, known, done, alone),
        (Some(known), Did::Updated) => updated(desk, known, done),
        (Some(known), Did::Revived) => revived(desk, known, done),
        (Some(known), Did::Left) => left(desk, known, done),
    }
}

/// Whom the run brought goes as if they had never been, if nothing happened to them since.
fn created(desk: &Desk<'_>, known: Known, done: &Done, alone: bool) -> Result<Undone, Refusal> {
    let Known { identity, user, blocks, in_groups, .. } = known;
    if let Some(why) = since_creation(&identity, &blocks, done) {
        return Ok(Undone::stays(PERSON, why));
    }
    if alone && user.is_some() && !is_its_own(done) {
        return Ok(Undone::stays(PERSON, "is the only identity of the profile by now"));
    }
    let mut undone = Undone::default();
    let mut outcome = ProfileOutcome::nothing(desk);
    match user {
        None => {}
        Some(user) if is_its_own(done) => {
            let stored = Stored::read(user, blocks);
            if let Some(why) = written_since(&stored, done) {
                return Ok(Undone::stays(PERSON, why));
            }
            if !alone {
                return Ok(Undone::stays(PERSON, "another connection's identity was linked to the profile since"));
            }
            outcome.changed = vec!["deleted".into()];
            outcome.write = ProfileWrite::Remove { user: stored.user, reason: "made by a run that was undone" };
        }
        Some(user) => {
            // It joined a profile that was there before, which gets back what it was.
            let mut stored = Stored::read(user, blocks);
            if let Some(why) = written_since_by(&identity, &stored, done) {
                return Ok(Undone::stays(PERSON, why));
            }
            let mut before = Map::new();
            values(&mut stored, done, &mut before, &mut undone);
            let own = stored.blocks.iter().filter(|block| block.origin == identity.id.as_str());
            outcome.lifts = own.map(|block| (block.kind, block.origin.clone())).collect();
            if !outcome.lifts.is_empty() {
                unblocked(&mut stored, done, &mut before);
            }
            outcome.membership = Some(Membership::Leaves);
            before.insert("identities".into(), json!({"before": Value::Null, "by": Value::Null}));
            written(desk, stored, before, &mut outcome)?;
        }
    }
    undone.restored = vec!["removed".into()];
    let (expected, counted) = (identity.version, -i64::from(identity.listed));
    let is_ours = match (&outcome.write, identity.external_id.as_deref()) {
        (ProfileWrite::Remove { user, .. }, external_id) => is_made_of(desk, &user.user_id, external_id, &identity),
        _ => true,
    };
    let identity = IdentityWrite::Remove { identity: gone(desk, identity), expected };
    let mut plan = rows::finish(desk, UserEvent::Undone, identity, ValueDiff::default(), outcome, counted);
    plan.leaves_groups = in_groups;
    plan.forgets = is_ours;
    undone.plan = Some(Box::new(plan));
    Ok(undone)
}

/// A `user_id` that is made of the directory's own id comes to nobody else: only another has to be kept from being borne again.
fn is_made_of(desk: &Desk<'_>, user_id: &str, external_id: Option<&str>, identity: &Identity) -> bool {
    let own = user_id::wanted(desk.connection, external_id, identity.id.as_str());
    user_id.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('~'))
}

fn gone(desk: &Desk<'_>, identity: Identity) -> Identity {
    let now = desk.moment.now;
    Identity { listed: false, state: IdentityState::Deleted, deleted_at: Some(now), updated_at: now, ..identity }
}

/// Did the run make the profile, too?
fn is_its_own(done: &Done) -> bool {
    done.history.as_ref().is_some_and(|(_, changes)| changes.contains_key("created"))
}

/// What happened to an identity since a run made it.
fn since_creation(identity: &Identity, blocks: &[Block], done: &Done) -> Option<String> {
    if !identity.listed {
        return Some("left since".into());
    }
    if identity.login.is_some() {
        return Some("signed in since".into());
    }
    if identity.profile_id.is_some() && done.history.is_none() {
        return Some("got a profile since".into());
    }
    let newer = blocks.iter().find(|block| block.since > done.at)?;
    Some(format!("was blocked since ({})", newer.kind.as_str()))
}

fn written_since(stored: &Stored, done: &Done) -> Option<String> {
    let (id, _) = done.history.as_ref()?;
    stored.provenance.newest_beside(id).map(|(path, source)| format!("{path} was written since by {}", source.event))
}

/// The same of a profile that others write as well: what this identity wrote.
fn written_since_by(identity: &Identity, stored: &Stored, done: &Done) -> Option<String> {
    let (id, _) = done.history.as_ref()?;
    let newer = stored.provenance.newest_of(identity.id.as_str(), id);
    newer.map(|(path, source)| format!("{path} was written since by {}", source.event))
}

/// Values and blocks of somebody who stays.
fn updated(desk: &Desk<'_>, known: Known, done: &Done) -> Result<Undone, Refusal> {
    let Known { identity, user, blocks, .. } = known;
    let Some(user) = user.filter(|_| done.history.is_some()) else { return Ok(Undone::default()) };
    if is_its_own(done) {
        return Ok(Undone::stays(PERSON, "got a profile, for the mapping let them in: it is not taken away again"));
    }
    let (mut undone, mut outcome) = (Undone::default(), ProfileOutcome::nothing(desk));
    if done.history.as_ref().is_some_and(|(_, changes)| changes.contains_key("identities")) {
        undone.kept.push((PERSON.to_owned(), "joined the profile, for the mapping let them in, and stays linked to it".into()));
    }
    let (mut stored, mut before) = (Stored::read(user, blocks), Map::new());
    values(&mut stored, done, &mut before, &mut undone);
    block(&identity, &mut stored, done, &mut before, &mut undone, &mut outcome);
    if undone.restored.is_empty() {
        return Ok(undone);
    }
    let expected = identity.version;
    let mut identity = as_before(desk, identity, done, &undone.restored);
    if identity.listed && !(outcome.blocks.is_empty() && outcome.lifts.is_empty()) {
        identity.state = standing(&identity, &stored, &outcome);
    }
    written(desk, stored, before, &mut outcome)?;
    finish(desk, (identity, expected), outcome, 0, &mut undone);
    Ok(undone)
}

/// Who came back is out again.
fn revived(desk: &Desk<'_>, known: Known, done: &Done) -> Result<Undone, Refusal> {
    let Known { identity, user, blocks, in_groups, .. } = known;
    if !identity.listed {
        return Ok(Undone::default());
    }
    let Some(user) = user.filter(|_| done.history.is_some()) else {
        return Ok(Undone::stays(PERSON, "came back without a change of the profile, which history does not tell"));
    };
    let (mut undone, mut outcome) = (Undone::default(), ProfileOutcome::nothing(desk));
    let (mut stored, mut before) = (Stored::read(user, blocks), Map::new());
    values(&mut stored, done, &mut before, &mut undone);
    block(&identity, &mut stored, done, &mut before, &mut undone, &mut outcome);
    if outcome.blocks.is_empty() {
        undone.kept.push((PERSON.to_owned(), "came back, and the block of having left is not this run's to bring back".into()));
        undone.restored.clear();
        return Ok(undone);
    }
    let expected = identity.version;
    let identity = gone(desk, as_before(desk, identity, done, &undone.restored));
    undone.restored.push("out again".into());
    written(desk, stored, before, &mut outcome)?;
    finish(desk, (identity, expected), outcome, -1, &mut undone);
    if let Some(plan) = &mut undone.plan {
        plan.leaves_groups = in_groups;
    }
    Ok(undone)
}

/// Who left is in the roster again.
fn left(desk: &Desk<'_>, known: Known, done: &Done) -> Result<Undone, Refusal> {
    let Known { identity, user, blocks, .. } = known;
    if identity.listed {
        return Ok(Undone::default());
    }
    if identity.deleted_at != Some(done.at) {
        return Ok(Undone::stays(PERSON, "left again since"));
    }
    let (mut undone, mut outcome) = (Undone::default(), ProfileOutcome::nothing(desk));
    let expected = identity.version;
    let mut identity = as_before(desk, identity, done, &[]);
    identity.listed = true;
    identity.deleted_at = None;
    identity.missing_runs = 0;
    identity.state = IdentityState::Active;
    if let Some(user) = user {
        let (mut stored, mut before) = (Stored::read(user, blocks), Map::new());
        values(&mut stored, done, &mut before, &mut undone);
        block(&identity, &mut stored, done, &mut before, &mut undone, &mut outcome);
        identity.state = standing(&identity, &stored, &outcome);
        written(desk, stored, before, &mut outcome)?;
    }
    undone.restored.push("in the roster again".into());
    finish(desk, (identity, expected), outcome, 1, &mut undone);
    Ok(undone)
}

/// The values of before, with why they were so.
fn values(stored: &mut Stored, done: &Done, before: &mut Map<String, Value>, undone: &mut Undone) {
    let Some((id, changes)) = &done.history else { return };
    for (path, entry) in changes {
        if matches!(path.as_str(), "created" | "blocked" | "groups" | "identities") {
            continue;
        }
        if let Err(why) = stands(&stored.provenance, id, path, &entry["by"]) {
            undone.kept.extend(why.map(|why| (path.clone(), why)));
            continue;
        }
        note(before, path, stored.doc.value(path).cloned().unwrap_or_default(), &stored.provenance);
        match &entry["before"] {
            Value::Null => stored.doc.clear(path),
            value => stored.doc.set(path, value.clone()),
        }
        stored.provenance.restore(path, &entry["by"]);
        undone.restored.push(path.clone());
    }
}

/// Is the value still what this change wrote? Else why it is not, or nothing where it is as before already.
fn stands(provenance: &Provenance, history_id: &str, path: &str, by: &Value) -> Result<(), Option<String>> {
    match provenance.of(path) {
        Some((source, _)) if source.history_id == history_id => Ok(()),
        Some((source, line)) if Provenance::explain(source, line) == *by => Err(None),
        None if by.is_null() => Err(None),
        Some((source, _)) => Err(Some(format!("written since by {} ({})", source.event, source.connection))),
        None => Err(Some("changed since".into())),
    }
}

/// The blocks that the change set go, and those it lifted come back.
fn block(
    identity: &Identity,
    stored: &mut Stored,
    done: &Done,
    before: &mut Map<String, Value>,
    undone: &mut Undone,
    outcome: &mut ProfileOutcome,
) {
    let Some((id, changes)) = &done.history else { return };
    let Some(entry) = changes.get("blocked") else { return };
    if let Err(why) = stands(&stored.provenance, id, "blocked", &entry["by"]) {
        undone.kept.extend(why.map(|why| ("blocked".to_owned(), why)));
        return;
    }
    if !identity.listed {
        // Leaving set no block beside the one that stood: it keeps out who left.
        undone.kept.push(("blocked".into(), "left since".into()));
        return;
    }
    let own = |block: &&Block| block.origin == identity.id.as_str();
    let set = stored.blocks.iter().filter(own).filter(|block| block.since == done.at);
    outcome.lifts = set.map(|block| (block.kind, block.origin.clone())).collect();
    let lifted = entry["lifted"].as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(outcome::block_of);
    outcome.blocks = lifted
        .filter(|block| own(&block))
        .filter(|block| !stored.blocks.iter().filter(own).any(|standing| standing.kind == block.kind))
        .collect();
    if outcome.blocks.is_empty() && outcome.lifts.is_empty() {
        return;
    }
    note(before, "blocked", stored.user.blocked.into(), &stored.provenance);
    stored.provenance.restore("blocked", &entry["by"]);
    undone.restored.push("blocked".into());
}

/// Blocks go with the identity that joined: history tells it, and the word of before is back if nobody had one since.
fn unblocked(stored: &mut Stored, done: &Done, before: &mut Map<String, Value>) {
    note(before, "blocked", stored.user.blocked.into(), &stored.provenance);
    let Some((id, changes)) = &done.history else { return };
    let by = &changes.get("blocked").map_or(&Value::Null, |entry| &entry["by"]);
    if stands(&stored.provenance, id, "blocked", by).is_ok() {
        stored.provenance.restore("blocked", by);
    }
}

fn note(before: &mut Map<String, Value>, path: &str, value: Value, provenance: &Provenance) {
    let by = provenance.of(path).map_or(Value::Null, |(source, line)| Provenance::explain(source, line));
    before.insert(path.to_owned(), json!({"before": value, "by": by}));
}

/// What the source says of the person, once blocks came and went.
fn standing(identity: &Identity, stored: &Stored, outcome: &ProfileOutcome) -> IdentityState {
    let kept = stored.blocks.iter().filter(|block| !outcome.lifts.contains(&(block.kind, block.origin.clone())));
    let barred = kept.chain(&outcome.blocks).any(|block| block.kind == BlockKind::Source && block.origin == identity.id.as_str());
    if barred { IdentityState::DisabledAtSource } else { IdentityState::Active }
}

/// The identity as if its entry had not been seen: the next run compares anew, with what the mapping gave before as far as the
/// profile tells.
fn as_before(desk: &Desk<'_>, mut identity: Identity, done: &Done, restored: &[String]) -> Identity {
    identity.raw_hash = None;
    identity.updated_at = desk.moment.now;
    let mapped = identity.mapped.as_deref().and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    if let (Some(mut mapped), Some((_, changes))) = (mapped, &done.history) {
        for path in restored {
            match &changes[path]["before"] {
                Value::Null => drop(mapped.shift_remove(path)),
                value => drop(mapped.insert(path.clone(), value.clone())),
            }
        }
        identity.mapped = Some(Value::Object(mapped).to_string());
    }
    identity
}

/// The profile as it is to be, if anything of it moves.
fn written(desk: &Desk<'_>, stored: Stored, before: Map<String, Value>, outcome: &mut ProfileOutcome) -> Result<(), Refusal> {
    if before.is_empty() {
        return Ok(());
    }
    let Stored { user, doc, provenance, blocks } = stored;
    let is_kept = |block: &&Block| !outcome.lifts.contains(&(block.kind, block.origin.clone()));
    let blocked = !outcome.blocks.is_empty() || blocks.iter().any(|block| is_kept(&block));
    let expected = user.version;
    let mut user = outcome::with_document(desk, user, &doc, &Mapped::default(), &outcome.changes)?;
    if before.contains_key("email") {
        // As whoever wrote it was: a directory's and a client's are trusted, a login's may not have been verified.
        let by = provenance.of("email").map(|(source, _)| source.event.as_str()).unwrap_or_default();
        user.email_trusted = by.starts_with("sync.") || by.starts_with("scim.");
    }
    user.blocked = blocked;
    user.provenance = provenance.to_text();
    user.updated_at = desk.moment.now;
    outcome.changed = before.keys().cloned().collect();
    outcome.before = Some(Value::Object(before).to_string());
    outcome.write = ProfileWrite::Update { user, expected };
    Ok(())
}

fn finish(desk: &Desk<'_>, (identity, expected): (Identity, i64), outcome: ProfileOutcome, counted: i64, undone: &mut Undone) {
    let identity = IdentityWrite::Update { identity, expected };
    let plan = rows::finish(desk, UserEvent::Undone, identity, ValueDiff::default(), outcome, counted);
    undone.plan = Some(Box::new(plan));
}
