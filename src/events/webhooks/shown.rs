//! Webhooks and what waits for them as the API and the command line print them. Pure.

use crate::clock::rfc3339;
use crate::secret::Secret;
use crate::store::webhook_deliveries::Waiting;
use crate::store::webhooks::StoredWebhook;
use serde_json::{Value, json};

/// Rows are counted no further.
pub const COUNTED_MAX: i64 = 10_000;

/// Without its secret, unless it was just made.
pub fn webhook(stored: &StoredWebhook, secret: Option<&Secret<String>>) -> Value {
    let (webhook, fares) = (&stored.webhook, &stored.fares);
    let instant = |at: Option<i64>| at.map(rfc3339);
    let mut shown = json!({
        "id": webhook.id,
        "url": webhook.url,
        "description": webhook.description,
        "types": webhook.types,
        "enabled": webhook.enabled,
        "created_at": rfc3339(webhook.created_at),
        "updated_at": rfc3339(webhook.updated_at),
        "delivered_at": instant(fares.delivered_at),
        "failed_at": instant(fares.failed_at),
        "failures": fares.failures,
        "paused_until": instant(fares.paused_until),
        "last_error": fares.last_error,
    });
    if webhook.allow_plaintext {
        shown["allow_plaintext"] = true.into();
    }
    if let Some(why) = &webhook.disabled_because {
        shown["disabled_because"] = why.as_str().into();
    }
    if let Some((_, until)) = &stored.former {
        shown["former_secret_until"] = rfc3339(*until).into();
    }
    if let Some(secret) = secret {
        shown["secret"] = secret.expose().as_str().into();
    }
    shown
}

/// With how much there is to do: events that were not read yet, waiting and dead ones, each counted no further than
/// [`COUNTED_MAX`].
pub fn with_work(mut shown: Value, unread: i64, (waiting, dead): (i64, i64)) -> Value {
    shown["unread"] = unread.into();
    shown["waiting"] = waiting.into();
    shown["dead"] = dead.into();
    shown
}

/// One event that was not taken at once.
pub fn delivery(row: &Waiting) -> Value {
    let instant = |at: Option<i64>| at.map(rfc3339);
    let state = match (row.dead_at, row.next_at) {
        (Some(_), _) => "dead",
        (None, Some(_)) => "waiting",
        (None, None) => "behind",
    };
    json!({
        "event_id": row.event_id,
        "subject": row.subject,
        "state": state,
        "attempts": row.attempts,
        "first_at": rfc3339(row.first_at),
        "last_at": instant(row.last_at),
        "next_at": instant(row.next_at),
        "dead_at": instant(row.dead_at),
        "status": row.status,
        "error": row.error,
    })
}

/// What a write would do.
pub fn plan(step: &str, before: Option<&StoredWebhook>, after: Option<&StoredWebhook>) -> Value {
    let object = |stored: Option<&StoredWebhook>| {
        let mut shown = stored.map_or_else(|| json!({}), |stored| webhook(stored, None));
        if let Some(members) = shown.as_object_mut() {
            let is_new = before.is_none();
            members.retain(|name, _| name != "updated_at" && !(is_new && matches!(name.as_str(), "id" | "created_at")));
        }
        shown
    };
    let (was, is) = (object(before), object(after));
    let mut names: Vec<&String> = was.as_object().into_iter().chain(is.as_object()).flat_map(|object| object.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let changes = names.into_iter().filter(|name| was[name.as_str()] != is[name.as_str()]);
    let changes: Vec<Value> = changes.map(|name| json!({ "attribute": name, "before": was[name], "after": is[name] })).collect();
    json!({ "dry_run": true, "step": step, "changes": changes, "webhook": if after.is_some() { is } else { was } })
}
