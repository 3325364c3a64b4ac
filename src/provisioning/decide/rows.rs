//! The rows that tell of a decision: history, log, announcement, inbox. They are part of the plan, so that they are
//! stored with the change or not at all.

use super::outcome::{Membership, ProfileOutcome};
use super::{Desk, UserEvent};
use crate::model::event::{Announcement, History, InboxEntry, LogEntry};
use crate::model::ids::ProfileId;
use crate::provisioning::plan::{IdentityWrite, ProfileWrite, UserPlan, ValueDiff};
use crate::provisioning::policy::Changes;
use serde_json::{Map, Value, json};

/// The rows that tell of it, all in the plan of the change itself.
pub(super) fn finish(
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
    let detail = detail(&outcome);
    let history = outcome.before.and_then(|changes| {
        let (user, version) = user?;
        Some(History {
            id: outcome.history_id.clone(),
            profile_id: user.id.clone(),
            version,
            event: event.of(desk.side),
            connection_id: row.connection_id.clone(),
            identity_id: row.id.clone(),
            mapping: desk.mapping.name().to_owned(),
            mapping_version: desk.mapping.version(),
            actor: moment.actor.to_owned(),
            changes,
            at: moment.now,
        })
    });
    let entry = LogEntry {
        id: moment.id(),
        kind: event.of(desk.side),
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
    let linked = (outcome.membership == Some(Membership::Joins)).then(|| LogEntry {
        id: moment.id(),
        kind: "identity.linked",
        ..entry.clone()
    });
    let inbox = outcome
        .changes
        .errors
        .iter()
        .map(|(rule, reason)| InboxEntry {
            id: moment.id(),
            connection_id: row.connection_id.clone(),
            kind: "attribute_error",
            subject: format!("{}:{}", row.id, rule.target),
            detail: json!({"attribute": &*rule.target, "line": rule.line, "reason": reason}).to_string(),
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
        login: (event == UserEvent::LoggedIn).then_some(moment.now),
        slot: moment.slot(),
        // Back from a DELETE: it may have left a row behind, of somebody who was added while they went.
        leaves_groups: event == UserEvent::Revived && counted > 0,
        forgets: false,
        rejected: outcome.rejected,
        trace: None,
        identity,
    }
}

/// What the log row says besides.
fn detail(outcome: &ProfileOutcome) -> Map<String, Value> {
    let mut detail = Map::new();
    if !outcome.changes.errors.is_empty() {
        detail.insert("warnings".into(), warnings(&outcome.changes));
    }
    if let Some(reasons) = &outcome.rejected {
        let reasons = reasons.iter().map(|(attribute, reason)| json!({"attribute": attribute, "reason": reason}));
        detail.insert("rejected".into(), reasons.collect());
    }
    if let Some(reason) = &outcome.skipped {
        detail.insert("skipped".into(), reason.as_str().into());
    }
    detail
}

fn warnings(changes: &Changes) -> Value {
    changes.errors.iter().map(|(rule, reason)| json!({"attribute": &*rule.target, "line": rule.line, "reason": reason})).collect()
}

/// The address of `subject` belongs to another connection's profile: the inbox row, and the log row of a refusal.
pub(super) fn email_elsewhere(
    desk: &Desk<'_>,
    subject: &str,
    user_name: Option<&str>,
    profile_id: &ProfileId,
    user_id: &str,
) -> (InboxEntry, LogEntry) {
    let moment = &desk.moment;
    let detail = json!({"user_id": user_id, "profile_id": profile_id, "user_name": user_name}).to_string();
    (
        InboxEntry {
            id: moment.id(),
            connection_id: desk.connection.id.clone(),
            kind: "email_match",
            subject: subject.to_owned(),
            detail: detail.clone(),
            at: moment.now,
        },
        LogEntry {
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
    )
}
