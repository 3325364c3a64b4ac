//! `GET /events`: `{events, next, more}`. `next` is there even where nothing came yet: whoever keeps it and asks again misses nothing.

use super::super::Answer;
use super::super::call::Call;
use super::super::page;
use super::super::problem::Problem;
use super::place::{Otherwise, place};
use super::stream;
use crate::events::cursor;
use serde_json::{Value, json};

/// `GET /events/stream`: the stream, whatever is accepted.
pub(super) async fn follow(call: &Call<'_>) -> Result<Answer, Problem> {
    stream::open(call, super::wanted(call).await?).await
}

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let wanted = super::wanted(call).await?;
    if stream::is_wanted(call) {
        return stream::open(call, wanted).await;
    }
    let take = usize::try_from(page::take(call)?).unwrap_or_default();
    let position = place(call, call.parameter("from"), Otherwise::Oldest).await?;
    let part = call.api.reader.part(&call.tenant, position, &wanted, take).await?;
    let events: Vec<Value> = part.events.into_iter().map(|event| event.body).collect();
    let next = cursor::seal(&call.api.keys, &call.tenant, part.next, &call.api.entropy);
    Ok(Answer::ok(json!({ "events": events, "next": next, "more": part.more })))
}
