//! `POST /webhooks/{id}/redeliver`: one of `event_id`, `dead`, `from`, `since`.

use super::super::Answer;
use super::super::call::Call;
use super::super::problem::Problem;
use super::body::{text, unknown};
use crate::events::webhooks::desk::Again;
use axum::body::Body;
use serde_json::{Map, Value};

pub(super) async fn redeliver(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let what = again(&call.object(sent).await?)?;
    let done = call.api.webhooks.again(&call.tenant, &super::id(call), &what, &call.audit(), dry_run).await?;
    Ok(Answer::ok(done))
}

fn again(members: &Map<String, Value>) -> Result<Again, Problem> {
    let mut all = Vec::new();
    for (name, value) in members {
        all.push(match name.as_str() {
            "dead" if *value == Value::Bool(true) => Again::Dead,
            "dead" => return Err(Problem::member(name, "wanted true")),
            "event_id" => Again::Event(text(name, value)?),
            "from" => Again::From(text(name, value)?),
            "since" => {
                let instant = text(name, value)?.parse::<jiff::Timestamp>();
                let wanted = || Problem::member(name, "wanted an instant like 2026-11-28T12:00:00Z");
                Again::Since(instant.map_err(|_| wanted())?.as_microsecond())
            }
            _ => return Err(unknown(name)),
        });
    }
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Problem::body("wanted one of event_id, dead, from, since")),
    }
}
