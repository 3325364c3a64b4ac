//! Runs as the management API and `--json` show them.

use crate::clock::{Micros, rfc3339};
use crate::provisioning::undo::Told;
use crate::store::runs::{Run, RunItem};
use crate::sync::undo::Report;
use serde_json::{Value, json};

pub fn run(run: &Run) -> Value {
    json!({
        "run_id": run.id,
        "connection_id": run.connection_id,
        "kind": run.kind,
        "state": run.state,
        "summary": serde_json::from_str::<Value>(&run.summary).unwrap_or_default(),
        "list_hash": run.list_hash,
        "created_at": rfc3339(run.created_at),
        "updated_at": rfc3339(run.updated_at),
        "finished_at": time(run.finished_at),
    })
}

pub fn item(item: &RunItem) -> Value {
    json!({
        "action": item.action,
        "subject": item.subject,
        "state": item.state,
        "created_at": rfc3339(item.created_at),
    })
}

/// What undoing `run` came to, or would.
pub fn undone(run: &Run, report: &Report) -> Value {
    let told = |told: &Told| {
        let kept = told.kept.iter().map(|(what, why)| json!({ "what": what, "why": why })).collect::<Value>();
        json!({ "subject": told.subject, "restored": told.restored, "kept": kept })
    };
    json!({
        "run_id": report.run_id,
        "undoes": run.id,
        "already_undone": run.state == "undone",
        "changes": report.changes,
        "restored": report.restored,
        "kept": report.kept,
        "as_before": report.as_before,
        "items": report.told.iter().map(told).collect::<Value>(),
    })
}

fn time(at: Option<Micros>) -> Value {
    at.map_or(Value::Null, |at| rfc3339(at).into())
}
