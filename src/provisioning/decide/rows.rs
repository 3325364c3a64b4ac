//! The rows that tell of a decision: history, log, announcement, inbox. They are part of the plan, so that they are
//! stored with the change or not at all.

use super::outcome::{Membership, ProfileOutcome};
use super::{Desk, UserEvent};
use crate::model::event::{Announcement, History, InboxEntry, LogEntry, last_known};
use crate::model::identity::Identity;
use crate::model::ids::{IdentityId, ProfileId};
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
        user_id: match &outcome.write {
            ProfileWrite::Remove { user, .. } => Some(user.user_id.clone()),
            _ => None,
        },
        actor: moment.actor.to_owned(),
        request_id: moment.request_id.to_owned(),
        history_id: history.as_ref().map(|history| history.id.clone()),
        detail: (!detail.is_empty()).then(|| Value::Object(detail).to_string()),
        at: moment.now,
        ..LogEntry::default()
    };
    let outbox = user.map(|(user, version)| Announcement {
        id: moment.id(),
        kind,
        profile_id: Some(user.id.clone()),
        group_id: None,
        connection_id: row.connection_id.clone(),
        version,
        changed: match &outcome.write {
            ProfileWrite::Remove { user, .. } => last_known("user_id", &user.user_id).to_string(),
            _ => json!(outcome.changed).to_string(),
        },
        log_id: entry.id.clone(),
        at: moment.now,
    });
    let linked = (outcome.membership == Some(Membership::Joins)).then(|| LogEntry {
        id: moment.id(),
        kind: "identity.linked",
        ..entry.clone()
    });
    let inbox = inbox(desk, row, &outcome.changes);
    UserPlan {
        profile: outcome.write,
        values,
        handles: ValueDiff::default(),
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

/// An entry for each attribute that failed.
fn inbox(desk: &Desk<'_>, row: &Identity, changes: &Changes) -> Vec<InboxEntry> {
    let errors = changes.errors.iter();
    errors
        .map(|(rule, reason)| InboxEntry {
            id: desk.moment.id(),
            connection_id: row.connection_id.clone(),
            kind: "attribute_error",
            subject: format!("{}:{}", row.id, rule.target),
            detail: json!({"attribute": &*rule.target, "line": rule.line, "reason": reason}).to_string(),
            at: desk.moment.now,
        })
        .collect()
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
    let detail = json!({"user_id": user_id, "profile_id": profile_id, "user_name": user_name}).to_string();
    let (inbox, log) = opened(desk, "email_match", subject, detail);
    (inbox, LogEntry { profile_id: Some(profile_id.clone()), ..log })
}

/// The user name that `subject` is to have is that of the identity `holder`.
pub fn user_name_taken(desk: &Desk<'_>, subject: &str, user_name: Option<&str>, holder: &IdentityId) -> (InboxEntry, LogEntry) {
    let detail = json!({"user_name": user_name, "identity_id": holder}).to_string();
    opened(desk, "user_name_taken", subject, detail)
}

/// Profiles named in a row.
const DOUBTS_MAX: usize = 10;

/// Somebody who could be any of several people got a profile of their own, and the inbox says so.
pub(super) fn tell_of_doubt(desk: &Desk<'_>, plan: &mut UserPlan, in_doubt: &[ProfileId]) {
    let is_new = matches!(plan.profile, ProfileWrite::Insert(_));
    let identity = plan.identity.identity();
    let Some(profile) = identity.profile_id.clone().filter(|_| is_new && !in_doubt.is_empty()) else { return };
    let named: Vec<&ProfileId> = in_doubt.iter().take(DOUBTS_MAX).collect();
    let detail = json!({"profile_ids": named, "profiles": in_doubt.len()}).to_string();
    let subject = identity.external_id.clone().unwrap_or_else(|| identity.id.to_string());
    let (inbox, log) = opened(desk, "join_ambiguous", &subject, detail);
    let identity_id = Some(identity.id.clone());
    plan.inbox.push(inbox);
    plan.log.push(LogEntry { outcome: "ok", identity_id, profile_id: Some(profile), ..log });
}

fn opened(desk: &Desk<'_>, kind: &'static str, subject: &str, detail: String) -> (InboxEntry, LogEntry) {
    let moment = &desk.moment;
    (
        InboxEntry {
            id: moment.id(),
            connection_id: desk.connection.id.clone(),
            kind,
            subject: subject.to_owned(),
            detail: detail.clone(),
            at: moment.now,
        },
        LogEntry {
            id: moment.id(),
            kind: "conflict.opened",
            outcome: "refused",
            connection_id: Some(desk.connection.id.clone()),
            actor: moment.actor.to_owned(),
            request_id: moment.request_id.to_owned(),
            detail: Some(detail),
            at: moment.now,
            ..LogEntry::default()
        },
    )
}
