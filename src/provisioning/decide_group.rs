//! Decisions about one group: what it is, what it is to be and who joins or leaves in, a [`GroupPlan`] out. Pure.

#[cfg(test)]
mod tests;

use super::decide::Moment;
use super::group_mapping::GroupOutcome;
use super::plan::{Decision, GroupPlan, GroupWrite, Refusal};
use super::user_id::hex;
use crate::model::connection::Connection;
use crate::model::event::{Announcement, LogEntry, last_known};
use crate::model::fold::fold;
use crate::model::group::{Group, Member};
use crate::model::ids::GroupId;
use crate::profile::GroupRecord;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Above this many, an announcement counts members instead of naming them.
const NAMED_MEMBERS_MAX: usize = 1_000;

/// What a write of a group is called in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    Created,
    Replaced,
    Patched,
    Deleted,
    Synced(Synced),
}

/// The same by a directory that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    Created,
    Updated,
    Deleted,
    /// What a run did to the group was undone.
    Undone,
}

impl GroupEvent {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "scim.group.created",
            Self::Replaced => "scim.group.replaced",
            Self::Patched => "scim.group.patched",
            Self::Deleted => "scim.group.deleted",
            Self::Synced(Synced::Created) => "sync.group.created",
            Self::Synced(Synced::Updated) => "sync.group.updated",
            Self::Synced(Synced::Deleted) => "sync.group.deleted",
            Self::Synced(Synced::Undone) => "sync.group.undone",
        }
    }
}

/// Who really joins and leaves: nobody who is in already, nobody who is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moves {
    pub joins: Vec<Member>,
    pub leaves: Vec<String>,
    /// Where groups join one that others may hold: how often that had happened when cycles were looked for.
    pub nestings_seen: Option<i64>,
}

/// `outcome` is the group mapping's, if the connection has one.
pub fn create(
    moment: &Moment<'_>,
    connection: &Connection,
    id: GroupId,
    record: &GroupRecord,
    joins: Vec<Member>,
    outcome: Option<GroupOutcome>,
) -> GroupPlan {
    create_as(moment, connection, GroupEvent::Created, id, record, joins, outcome)
}

/// [`create`], called `event`.
pub fn create_as(
    moment: &Moment<'_>,
    connection: &Connection,
    event: GroupEvent,
    id: GroupId,
    record: &GroupRecord,
    joins: Vec<Member>,
    outcome: Option<GroupOutcome>,
) -> GroupPlan {
    let (mapped, warnings) = outcome.map(|outcome| (outcome.mapped, outcome.warnings)).unzip();
    let raw = Value::Object(record.payload.clone()).to_string();
    let group = Group {
        tenant_id: connection.tenant_id.clone(),
        id,
        connection_id: connection.id.clone(),
        external_id: record.external_id.clone(),
        name_key: fold(&record.name),
        name: record.name.clone(),
        raw_hash: hex(&Sha256::digest(&raw)),
        raw,
        mapped,
        dn_key: None,
        version: 1,
        created_at: moment.now,
        updated_at: moment.now,
    };
    let moves = Moves { joins, ..Moves::default() };
    plan(moment, event, GroupWrite::Insert(group), moves, warnings.unwrap_or_default(), 1)
}

/// `expected` is what If-Match named: without it a change of members alone compares no version.
pub fn write(
    moment: &Moment<'_>,
    event: GroupEvent,
    current: Group,
    record: &GroupRecord,
    moves: Moves,
    outcome: Option<GroupOutcome>,
    expected: Option<i64>,
) -> Decision<GroupPlan> {
    if expected.is_some_and(|version| version != current.version) {
        return Decision::Refused(Refusal::VersionMismatch);
    }
    let raw = Value::Object(record.payload.clone()).to_string();
    let raw_hash = hex(&Sha256::digest(&raw));
    // Equal as documents: members of an object in another order are no change.
    let stored = || serde_json::from_str::<Map<String, Value>>(&current.raw).ok();
    let (mapped, warnings) = outcome.map(|outcome| (outcome.mapped, outcome.warnings)).unzip();
    let same_document = (raw_hash == current.raw_hash || stored().as_ref() == Some(&record.payload)) && mapped == current.mapped;
    if same_document && moves == Moves::default() {
        return Decision::Nothing;
    }
    let version = current.version;
    let mut group = current;
    group.updated_at = moment.now;
    let write = if same_document {
        GroupWrite::Touch { group, expected }
    } else {
        group.external_id.clone_from(&record.external_id);
        group.name_key = fold(&record.name);
        group.name.clone_from(&record.name);
        group.raw = raw;
        group.raw_hash = raw_hash;
        group.mapped = mapped;
        GroupWrite::Update { group, expected: version }
    };
    Decision::Write(Box::new(plan(moment, event, write, moves, warnings.unwrap_or_default(), 0)))
}

/// Members move and nothing else.
pub fn moved(moment: &Moment<'_>, event: GroupEvent, current: Group, moves: Moves) -> GroupPlan {
    let group = Group { updated_at: moment.now, ..current };
    plan(moment, event, GroupWrite::Touch { group, expected: None }, moves, Vec::new(), 0)
}

pub fn delete(moment: &Moment<'_>, current: Group, expected: Option<i64>) -> Decision<GroupPlan> {
    delete_as(moment, GroupEvent::Deleted, current, expected)
}

/// [`delete`], called `event`.
pub fn delete_as(moment: &Moment<'_>, event: GroupEvent, current: Group, expected: Option<i64>) -> Decision<GroupPlan> {
    if expected.is_some_and(|version| version != current.version) {
        return Decision::Refused(Refusal::VersionMismatch);
    }
    let group = Group { updated_at: moment.now, ..current };
    let write = GroupWrite::Remove { group, expected };
    Decision::Write(Box::new(plan(moment, event, write, Moves::default(), Vec::new(), -1)))
}

fn plan(
    moment: &Moment<'_>,
    event: GroupEvent,
    write: GroupWrite,
    moves: Moves,
    warnings: Vec<Value>,
    counted: i64,
) -> GroupPlan {
    let group = write.group();
    let mut detail = Map::new();
    if moves != Moves::default() {
        detail.insert("joined".into(), moves.joins.len().into());
        detail.insert("left".into(), moves.leaves.len().into());
    }
    // What an undo of the run has to know: who joined stands in the rows themselves.
    if matches!(event, GroupEvent::Synced(_)) {
        if !moves.leaves.is_empty() {
            detail.insert("left_members".into(), moves.leaves.clone().into());
        }
        if matches!(write, GroupWrite::Update { .. }) {
            detail.insert("document".into(), "changed".into());
        }
    }
    if !warnings.is_empty() {
        detail.insert("warnings".into(), warnings.into());
    }
    let entry = LogEntry {
        id: moment.id(),
        kind: event.as_str(),
        outcome: "ok",
        connection_id: Some(group.connection_id.clone()),
        identity_id: None,
        group_id: Some(group.id.clone()),
        profile_id: None,
        actor: moment.actor.to_owned(),
        request_id: moment.request_id.to_owned(),
        history_id: None,
        detail: (!detail.is_empty()).then(|| Value::Object(detail).to_string()),
        at: moment.now,
        ..LogEntry::default()
    };
    let version = match &write {
        GroupWrite::Insert(group) => group.version,
        GroupWrite::Update { group, .. } | GroupWrite::Touch { group, .. } | GroupWrite::Remove { group, .. } => {
            group.version + 1
        }
    };
    let announce = |kind: &'static str, changed: Value| Announcement {
        id: moment.id(),
        kind,
        profile_id: None,
        group_id: Some(group.id.clone()),
        connection_id: group.connection_id.clone(),
        version,
        changed: changed.to_string(),
        log_id: entry.id.clone(),
        at: moment.now,
    };
    let mut outbox = Vec::new();
    match &write {
        GroupWrite::Insert(_) => outbox.push(announce("group.created", json!(["name"]))),
        GroupWrite::Update { .. } => outbox.push(announce("group.updated", json!(["name"]))),
        GroupWrite::Remove { .. } => outbox.push(announce("group.deleted", last_known("name", &group.name))),
        GroupWrite::Touch { .. } => {}
    }
    if !moves.joins.is_empty() {
        outbox.push(announce("group.member.added", members(moves.joins.iter().map(|member| member.id.as_str()))));
    }
    if !moves.leaves.is_empty() {
        outbox.push(announce("group.member.deleted", members(moves.leaves.iter().map(String::as_str))));
    }
    GroupPlan {
        joins: moves.joins,
        leaves: moves.leaves,
        nestings_seen: moves.nestings_seen,
        log: vec![entry],
        outbox,
        counted,
        slot: moment.slot(),
        group: write,
    }
}

fn members<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Value {
    if ids.len() > NAMED_MEMBERS_MAX { json!({"count": ids.len()}) } else { json!({"members": ids.collect::<Vec<_>>()}) }
}
