//! `GET /events`: what changed, in the order it happened, by parts or as a stream. Reads by position, so that nobody misses what was
//! committed late, and tells each event under the one id it has everywhere.

mod list;
mod place;
mod schema;
mod stream;

use super::call::Call;
use super::endpoint::{Endpoint, Kind, Parameter, handler};
use super::problem::Problem;
use crate::events::reader::Wanted;
use crate::events::webhooks::decide::known_types;
use crate::store::outbox;
use axum::http::Method;

const READ: &str = "read:events";

const PARAMETERS: [Parameter; 6] = [
    Parameter::new("from", Kind::Text, "the `next` of an earlier part, or the `offset` of a streamed event"),
    Parameter::new("from_timestamp", Kind::Text, "an instant (RFC 3339) from which on, where there is no `from`"),
    Parameter::new("take", Kind::Whole { least: 1, most: 100 }, "events of a part, 50 if nothing is said"),
    Parameter::new("types", Kind::Text, "types of events, separated by commas"),
    Parameter::new("event_type", Kind::Texts, "a type of event"),
    Parameter::new("user_id", Kind::Text, "of this user alone: the `user_id`, or the `subject` of their events"),
];

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/events", "list_events", &[READ], handler!(list::list, nobody))
            .does("What changed, in order; with `Accept: text/event-stream` as it happens")
            .with(&PARAMETERS)
            .answers(200, "a part of the feed; `next` leads on, also where there is nothing yet", schema::part)
            .answers_as(200, "a part of the feed, or a stream", "text/event-stream", schema::stream)
            .refuses(410, "what came after this place is not kept any more"),
        Endpoint::new(Method::GET, "/events/stream", "stream_events", &[READ], handler!(list::follow, nobody))
            .does("What changes, as it happens")
            .with(&PARAMETERS)
            .answers_as(200, "a stream", "text/event-stream", schema::stream)
            .refuses(410, "what came after this place is not kept any more"),
    ]
}

/// Which events are asked for.
async fn wanted(call: &Call<'_>) -> Result<Wanted, Problem> {
    let listed = call.parameter("types").into_iter().flat_map(|types| types.split(',').map(|kind| kind.trim().to_owned()));
    let types: Vec<String> =
        listed.filter(|kind| !kind.is_empty()).chain(call.parameters("event_type").into_iter().map(str::to_owned)).collect();
    known_types(&types).map_err(|says| Problem::query(format!("Query validation error: 'types': {says}")))?;
    let subject = match call.parameter("user_id") {
        None => None,
        // Of one who left, the subject alone is known.
        Some(name) => {
            let found = outbox::find_profile_called(&call.api.store, &call.tenant, name).await?;
            Some(found.unwrap_or_else(|| name.to_owned()))
        }
    };
    Ok(Wanted { types, subject })
}
