//! Two profiles become one, and the way back (profile.md §8). Pure.
//!
//! The primary keeps its `user_id`, its attributes and, unless asked otherwise, its metadata; the other one leaves with its `user_id`
//! and is kept as it was, and all of its identities come along, in order. No block is lifted by it: what barred either bars
//! both, and what is unlinked takes along what barred it.

use super::draft::{APP, Changed, Draft, USER};
use super::people::{Back, Kept, PeoplePlan};
use super::update::{Held, Person};
use super::{Refused, Writer, announcement, entry};
use crate::model::connection::ConnectionKind;
use crate::model::event::{History, LogEntry};
use crate::model::identity::Identity;
use crate::model::ids::{IdentityId, ProfileId};
use crate::model::user::{Block, BlockKind, User};
use crate::profile::{Profile, is_root};
use crate::provisioning::decide::{block_json, block_of};
use crate::provisioning::plan::ProfileWrite;
use crate::provisioning::user_id;
use crate::store::links::{self, Linked};
use crate::store::people::IDENTITIES_MAX;
use serde_json::{Map, Value, json};

pub const LINKED: &str = "identity.linked";
pub const UNLINKED: &str = "identity.unlinked";
pub const UNDONE: &str = "identity.link_undone";

/// What becomes of the metadata of the profile that leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MergeMetadata {
    /// It leaves with it.
    #[default]
    None,
    /// What the primary has no member of.
    Fill,
    /// The same at every level.
    PrimaryWins,
    /// All of it, over what the primary has.
    SecondaryWins,
}

impl MergeMetadata {
    pub const WORDS: [&str; 4] = ["none", "fill", "primary_wins", "secondary_wins"];

    pub fn parse(word: &str) -> Option<Self> {
        let at = Self::WORDS.iter().position(|known| *known == word)?;
        [Self::None, Self::Fill, Self::PrimaryWins, Self::SecondaryWins].get(at).copied()
    }
}

/// `{provider}` and what follows it: how an identity is named outside.
pub fn names(held: &Held, user: &User) -> String {
    if held.identity.position == 0 {
        return user.user_id.clone();
    }
    user_id::wanted(&held.connection, held.identity.external_id.as_deref(), held.identity.id.as_str())
}

/// The identity of the person that is called so.
pub fn find<'p>(person: &'p Person, provider: &str, user_id: &str) -> Option<&'p Held> {
    let called = |whole: &String| person.identities.iter().find(|held| names(held, &person.user) == *whole);
    meant(provider, user_id).iter().find_map(called)
}

/// What provider and id come to as a whole: the id may be sent with its first part, and a connection may be called like its
/// provider, so that both are tried.
pub fn meant(provider: &str, user_id: &str) -> Vec<String> {
    let whole = user_id.strip_prefix(provider).is_some_and(|rest| rest.starts_with('|'));
    std::iter::once(format!("{provider}|{user_id}")).chain(whole.then(|| user_id.to_owned())).collect()
}

/// # Errors
/// The two are one already, or too many.
pub fn link(writer: &Writer<'_>, primary: &Person, secondary: &Person, merge: MergeMetadata) -> Result<PeoplePlan, Refused> {
    if primary.user.id == secondary.user.id {
        return Err(Refused::Itself);
    }
    if primary.identities.len() + secondary.identities.len() > IDENTITIES_MAX {
        return Err(Refused::TooManyIdentities { max: IDENTITIES_MAX });
    }
    let (Some(first), Some(joins)) = (primary.identities.first(), secondary.identities.first()) else {
        return Err(Refused::NotFound);
    };
    let (former, moment) = (&secondary.user, &writer.moment);
    let mut draft = Draft::of(primary.user.clone(), primary.blocks.clone());
    let doc = Profile::parse(&former.doc).unwrap_or_default();
    for object in [USER, APP] {
        let theirs = doc.value(object).and_then(Value::as_object).cloned().unwrap_or_default();
        take_metadata(&mut draft, object, &theirs, merge);
    }
    let merged = Value::Object(draft.befores().clone()).to_string();
    let is_admin = |block: &&Block| block.kind == BlockKind::Admin;
    let lends = secondary.blocks.iter().any(|block| is_admin(&block)) && !primary.blocks.iter().any(|block| is_admin(&block));
    for block in secondary.blocks.iter().filter(|block| lends || !is_admin(block)) {
        draft.adds(block.clone());
    }
    let is_newly_blocked = !primary.user.blocked && secondary.user.blocked;
    note_identities(&mut draft, primary, former, Some(&doc));
    let changed = draft.update(writer, LINKED)?;
    let mut plan = PeoplePlan::nothing(writer, &primary.user.tenant_id);
    let free = primary.identities.iter().map(|held| held.identity.position).max().unwrap_or(0) + 1;
    for (position, held) in (free..).zip(&secondary.identities) {
        let identity = Identity { profile_id: Some(primary.user.id.clone()), position, ..held.identity.clone() };
        plan.moved.push((identity, held.identity.version));
    }
    let ids: Vec<&str> = secondary.identities.iter().map(|held| held.identity.id.as_str()).collect();
    let own: Vec<Value> = secondary.blocks.iter().map(block_json).collect();
    plan.kept = Some(Kept {
        secondary: former.id.clone(),
        primary: primary.user.id.clone(),
        identities: json!(ids).to_string(),
        blocks: json!({"own": own, "lends": lends}).to_string(),
        merged,
        history_id: changed.history_id.clone(),
    });
    plan.profiles.push(ProfileWrite::Remove { user: former.clone(), reason: LINKED });
    plan.buried.push((former.clone(), links::reason(&joins.identity.id)));
    if is_newly_blocked {
        plan.signs_out.push(primary.user.id.clone());
    }
    let detail = json!({"user_id": former.user_id, "identities": ids});
    let log = told(writer, LINKED, &joins.identity, &primary.user.id, &changed, &detail);
    let gone = json!(["deleted", LINKED]);
    plan.outbox.push(announcement(writer, "user.deleted", &joins.identity, (former, former.version), &gone, &log.id));
    updated(writer, &mut plan, first, changed, log, LINKED);
    debug_assert_eq!(moment.now, plan.at);
    Ok(plan)
}

/// What the primary takes of the other one's metadata.
fn take_metadata(draft: &mut Draft, object: &str, theirs: &Map<String, Value>, merge: MergeMetadata) {
    let ours = draft.doc.value(object).and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in theirs {
        let taken = match (merge, ours.get(key)) {
            (MergeMetadata::None, _) | (MergeMetadata::Fill, Some(_)) => continue,
            (_, None) => value.clone(),
            (MergeMetadata::PrimaryWins, Some(our)) => over(value, our),
            (_, Some(our)) => over(our, value),
        };
        draft.put(&format!("{object}.{key}"), Some(taken));
    }
}

/// `upper` over `lower`, object by object.
fn over(lower: &Value, upper: &Value) -> Value {
    let (Value::Object(below), Value::Object(above)) = (lower, upper) else { return upper.clone() };
    let mut both = below.clone();
    for (key, value) in above {
        let value = below.get(key).map_or_else(|| value.clone(), |under| over(under, value));
        both.insert(key.clone(), value);
    }
    Value::Object(both)
}

/// Who the person was made of until now; of somebody who joins, the metadata that leaves.
fn note_identities(draft: &mut Draft, person: &Person, other: &User, discarded: Option<&Profile>) {
    let before: Vec<String> = person.identities.iter().map(|held| names(held, &person.user)).collect();
    draft.note("identities", json!(before));
    let mut with = Map::new();
    with.insert("user_id".into(), other.user_id.as_str().into());
    for object in [USER, APP] {
        if let Some(metadata) = discarded.and_then(|doc| doc.value(object)) {
            with.insert(object.into(), metadata.clone());
        }
    }
    draft.note_besides("identities", "with", Value::Object(with));
}

/// The identity leaves and is a profile of its own, without metadata. `linked`: what is kept of the profile that was linked with it;
/// `former`: the `user_id` that comes back, else `wanted` or what is free of it.
///
/// # Errors
/// It is the primary one, which stays.
pub fn unlink(
    writer: &Writer<'_>,
    person: &Person,
    held: &Held,
    linked: Option<&Linked>,
    (former, free): (Option<String>, String),
) -> Result<PeoplePlan, Refused> {
    let primary = person.identities.first().ok_or(Refused::NotFound)?;
    if held.identity.id == primary.identity.id {
        return Err(Refused::PrimaryStays);
    }
    let moment = &writer.moment;
    let mut plan = PeoplePlan::nothing(writer, &person.user.tenant_id);
    let user = User {
        tenant_id: person.user.tenant_id.clone(),
        id: linked.map_or_else(|| ProfileId::new(moment.id()), |linked| linked.user.id.clone()),
        user_id: former.clone().unwrap_or(free),
        organization_id: held.connection.organization_id.clone(),
        email: None,
        email_key: None,
        email_trusted: false,
        username_key: None,
        blocked: false,
        doc: "{}".into(),
        was: None,
        provenance: String::new(),
        version: linked.map_or(1, |linked| linked.user.version + 1),
        created_at: linked.map_or(moment.now, |linked| linked.user.created_at),
        updated_at: moment.now,
    };
    let mut single = Draft::of(user.clone(), Vec::new());
    for (name, value) in roots_of(&held.identity) {
        single.put(&name, Some(value));
    }
    let origin = held.identity.id.as_str();
    let (own, shared): (Vec<&Block>, Vec<&Block>) = person.blocks.iter().partition(|block| block.origin == origin);
    let barred = shared.into_iter().filter(|block| block.kind == BlockKind::Admin);
    own.iter().copied().chain(barred).for_each(|block| single.adds(block.clone()));
    let mut made = single.insert(writer, UNLINKED)?;
    if let ProfileWrite::Insert(user) = &mut made.write {
        user.email_trusted = trusts(held, user);
    }
    let mut draft = Draft::of(person.user.clone(), person.blocks.clone());
    own.iter().for_each(|block| draft.lifts((block.kind, block.origin.clone())));
    note_identities(&mut draft, person, &user, None);
    let changed = draft.update(writer, UNLINKED)?;
    let identity = Identity { profile_id: Some(user.id.clone()), position: 0, ..held.identity.clone() };
    let expected = held.identity.version;
    if let Some(linked) = linked {
        let primary = person.user.id.clone();
        plan.back = Some(Back { linked: linked.user.clone(), primary, whole: None, earlier: Vec::new() });
    }
    plan.unburied.extend(former);
    plan.signs_out_by.push((person.user.id.clone(), held.identity.id.clone()));
    let log = told(writer, UNLINKED, &identity, &person.user.id, &changed, &json!({"user_id": user.user_id}));
    new_person(writer, &mut plan, &identity, made, &log.id);
    plan.moved.push((identity, expected));
    updated(writer, &mut plan, primary, changed, log, UNLINKED);
    Ok(plan)
}

/// The roots that an identity alone gives: what was pushed or read, else what it said at a login.
fn roots_of(identity: &Identity) -> Map<String, Value> {
    let read =
        |text: Option<&str>| text.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok()).unwrap_or_default();
    let mut roots = read(identity.login.as_ref().map(|side| side.mapped.as_str()));
    roots.extend(read(identity.mapped.as_deref()));
    roots.retain(|name, value| is_root(name) && name != "blocked" && !value.is_null());
    roots
}

/// May matching see the address: a directory feeds it, or it is verified?
fn trusts(held: &Held, user: &User) -> bool {
    let is_fed = held.connection.kind.is_directory() || held.identity.raw.is_some();
    let verified = Profile::parse(&user.doc).is_some_and(|doc| doc.value("email_verified") == Some(&Value::Bool(true)));
    user.email.is_some() && (held.connection.kind != ConnectionKind::Database && is_fed || verified)
}

/// The link is undone: the profile that left is there again as it was, with those of its identities that are here still; what
/// the primary took of its metadata goes, unless somebody wrote there since.
///
/// # Errors
/// Nothing of it is here any more, or it would leave the person without an identity.
pub fn undo(writer: &Writer<'_>, person: &Person, linked: &Linked, others: &[Linked]) -> Result<PeoplePlan, Refused> {
    let ids: Vec<String> = serde_json::from_str(&linked.identities).unwrap_or_default();
    let back: Vec<&Held> =
        ids.iter().filter_map(|id| person.identities.iter().find(|held| held.identity.id.as_str() == id)).collect();
    let primary = person.identities.first().ok_or(Refused::NotFound)?;
    let Some(first) = back.first() else { return Err(Refused::NothingToUndo) };
    if back.iter().any(|held| held.identity.id == primary.identity.id) {
        return Err(Refused::PrimaryStays);
    }
    let moment = &writer.moment;
    let mut plan = PeoplePlan::nothing(writer, &person.user.tenant_id);
    let mut draft = Draft::of(person.user.clone(), person.blocks.clone());
    let merged: Map<String, Value> = serde_json::from_str(&linked.merged).unwrap_or_default();
    for (path, was) in &merged {
        let is_of_the_link = draft.provenance.of(path).is_some_and(|(source, _)| source.history_id == linked.history_id);
        if is_of_the_link {
            let before = was.get("before").filter(|value| !value.is_null());
            draft.put(path, before.cloned());
        }
    }
    let kept: Value = serde_json::from_str(&linked.blocks).unwrap_or_default();
    let own = kept.get("own").and_then(Value::as_array).cloned().unwrap_or_default();
    let own: Vec<Block> = own.iter().filter_map(block_of).filter(|block| block.kind == BlockKind::Admin).collect();
    let lent = kept.get("lends") == Some(&Value::Bool(true));
    let mut theirs = own.clone();
    for block in &person.blocks {
        if ids.contains(&block.origin) {
            draft.lifts((block.kind, block.origin.clone()));
            theirs.push(block.clone());
        } else if block.kind == BlockKind::Admin && own.is_empty() && block.since >= linked.linked_at {
            // Barred since then as the one they were: both stay barred.
            theirs.push(block.clone());
        } else if block.kind == BlockKind::Admin && lent && own.contains(block) {
            draft.lifts((BlockKind::Admin, String::new()));
        }
    }
    note_identities(&mut draft, person, &linked.user, None);
    let changed = draft.update(writer, UNDONE)?;
    for (position, held) in (0..).zip(&back) {
        let identity = Identity { profile_id: Some(linked.user.id.clone()), position, ..held.identity.clone() };
        plan.moved.push((identity, held.identity.version));
        plan.signs_out_by.push((person.user.id.clone(), held.identity.id.clone()));
    }
    let is_earlier = |other: &&Linked| {
        let theirs: Vec<String> = serde_json::from_str(&other.identities).unwrap_or_default();
        other.user.id != linked.user.id && theirs.first().is_some_and(|id| ids.contains(id))
    };
    let earlier = others.iter().filter(is_earlier).map(|other| other.user.id.clone()).collect();
    let (id, blocked) = (linked.user.id.clone(), !theirs.is_empty());
    plan.back = Some(Back { linked: linked.user.clone(), primary: person.user.id.clone(), whole: Some(blocked), earlier });
    plan.blocks.extend(theirs.into_iter().map(|block| (id.clone(), block)));
    plan.unburied.push(linked.user.user_id.clone());
    let log = told(writer, UNDONE, &first.identity, &person.user.id, &changed, &json!({"user_id": linked.user.user_id}));
    let made = json!(["created", UNDONE]);
    let version = linked.user.version + 1;
    plan.outbox.push(announcement(writer, "user.created", &first.identity, (&linked.user, version), &made, &log.id));
    updated(writer, &mut plan, primary, changed, log, UNDONE);
    debug_assert_eq!(moment.now, plan.at);
    Ok(plan)
}

fn told(
    writer: &Writer<'_>,
    kind: &'static str,
    identity: &Identity,
    profile: &ProfileId,
    changed: &Changed,
    detail: &Value,
) -> LogEntry {
    let entry = entry(writer, kind, identity, Some(&changed.history_id));
    LogEntry { profile_id: Some(profile.clone()), detail: Some(detail.to_string()), ..entry }
}

/// The rows of the profile that stays.
fn updated(writer: &Writer<'_>, plan: &mut PeoplePlan, primary: &Held, changed: Changed, log: LogEntry, event: &'static str) {
    let row = &primary.identity;
    let ProfileWrite::Update { user, expected } = &changed.write else { unreachable!("a profile that stays is updated") };
    let id = user.id.clone();
    plan.blocks.extend(changed.blocks.into_iter().map(|block| (id.clone(), block)));
    plan.lifts.extend(changed.lifts.into_iter().map(|(kind, origin)| (id.clone(), kind, origin)));
    let version = expected + 1;
    plan.outbox.push(announcement(writer, "user.updated", row, (user, version), &json!(changed.names), &log.id));
    plan.history.push(history(writer, event, row, (&id, version), &changed.history_id, changed.before));
    plan.log.push(log);
    plan.profiles.insert(0, changed.write);
}

/// The rows of a profile that is there anew.
fn new_person(writer: &Writer<'_>, plan: &mut PeoplePlan, identity: &Identity, made: Changed, log_id: &str) {
    let ProfileWrite::Insert(user) = &made.write else { unreachable!("a new profile is inserted") };
    let id = user.id.clone();
    plan.blocks.extend(made.blocks.into_iter().map(|block| (id.clone(), block)));
    plan.outbox.push(announcement(writer, "user.created", identity, (user, user.version), &json!(made.names), log_id));
    plan.history.push(history(writer, UNLINKED, identity, (&id, user.version), &made.history_id, made.before));
    plan.profiles.push(made.write);
}

fn history(
    writer: &Writer<'_>,
    event: &'static str,
    identity: &Identity,
    (profile, version): (&ProfileId, i64),
    id: &str,
    changes: String,
) -> History {
    History {
        id: id.to_owned(),
        profile_id: profile.clone(),
        version,
        event,
        connection_id: identity.connection_id.clone(),
        identity_id: identity.id.clone(),
        mapping: String::new(),
        mapping_version: 0,
        actor: writer.moment.actor.to_owned(),
        changes,
        at: writer.moment.now,
    }
}

/// Which identities of a person are of the profile that was linked: the first of them names it.
pub fn linked_with<'l>(linked: &'l [Linked], identity: &IdentityId) -> Option<&'l Linked> {
    linked.iter().find(|linked| {
        let ids: Vec<String> = serde_json::from_str(&linked.identities).unwrap_or_default();
        ids.first().is_some_and(|id| id == identity.as_str())
    })
}
