//! `/users/{id}/history` and `/users/{id}/why`: what a profile was, and why each of its values is or was so. Answers by
//! [`crate::provisioning::history`], as the command line does.

mod list;
mod why;

use super::Answer;
use super::call::Call;
use super::endpoint::{CHECKPOINT, Endpoint, Kind, Parameter, handler};
use super::problem::Problem;
use crate::clock::Micros;
use crate::provisioning::history;
use crate::provisioning::history::read::Subject;
use crate::store::users_read;
use axum::http::Method;
use serde_json::{Value, json};

const READ: &str = "read:history";

pub(super) fn endpoints() -> Vec<Endpoint> {
    const ATTRIBUTE: Parameter = Parameter::new("attribute", Kind::Text, "only this one, or what is below it, like app_metadata");
    const AT: Parameter = Parameter::new("at", Kind::Text, "the profile as it was at this instant, like 2026-11-20T23:50:00Z");
    vec![
        Endpoint::new(Method::GET, "/users/{id}/history", "list_user_history", &[READ], handler!(list::list, nobody))
            .does("Each change of each attribute, the newest first; or with `at` the whole profile as it was then")
            .with(&CHECKPOINT)
            .with(&[ATTRIBUTE, AT])
            .answers(200, "the changes, or the profile", listed),
        Endpoint::new(Method::GET, "/users/{id}/why", "show_user_why", &[READ], handler!(why::show, nobody))
            .does("Why each attribute has its value, or had it")
            .with(&[ATTRIBUTE, AT])
            .answers(200, "a reason for each attribute", reasons),
    ]
}

fn listed() -> Value {
    json!({ "oneOf": [
        { "type": "object", "required": ["history"], "properties": {
            "history": { "type": "array", "items": { "type": "object", "required": ["at", "attribute", "before", "after", "event", "event_id", "actor"] } },
            "next": { "type": "string" },
        } },
        { "type": "object", "required": ["at", "profile", "why"], "properties": { "profile": { "type": "object" }, "why": reasons() } },
    ] })
}

fn reasons() -> Value {
    json!({ "type": "array", "items": { "type": "object", "required": ["attribute", "value"] } })
}

/// Whom the path names.
async fn subject<'a>(call: &'a Call<'_>) -> Result<Subject<'a>, Problem> {
    let user = users_read::find_by_user_id(&call.api.store, &call.tenant, call.id_after("users")).await?;
    Ok(Subject::load(&call.api.store, &call.tenant, user.ok_or_else(Problem::no_user)?).await?)
}

fn at(call: &Call<'_>) -> Result<Option<Micros>, Problem> {
    let instant = |text: &str| text.parse::<jiff::Timestamp>().map(|at| at.as_microsecond());
    call.parameter("at")
        .map(instant)
        .transpose()
        .map_err(|_| Problem::query("Query validation error: 'at' must be an instant like 2026-11-20T23:50:00Z"))
}

/// By which two hidden values of one gateway can be compared.
fn keyed<'a>(call: &'a Call<'_>) -> impl Fn(&str) -> String + Send + Sync + use<'a> {
    let keys = &call.api.keys;
    move |text| keys.fingerprint(text)
}

impl From<history::Error> for Problem {
    fn from(error: history::Error) -> Self {
        match error {
            history::Error::Store(error) => error.into(),
            history::Error::TooMany => Self::query(error.to_string()),
        }
    }
}
