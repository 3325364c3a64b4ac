//! `POST /conflicts/{id}/resolve`

use super::item;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::model::conflict::Resolution;
use crate::provisioning::inbox::{self, NotDecided};
use crate::store::{self, Batch, conflicts};
use axum::body::Body;
use serde_json::{Map, Value};

pub(super) async fn resolve(call: &Call<'_>, body: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let action = wanted(&call.object(body).await?)?;
    let found = item(call).await?;
    let plan = inbox::decide(&found, action).map_err(|not| match not {
        NotDecided::NotOpen(_) | NotDecided::OtherGone => Problem::taken(not.to_string()),
        NotDecided::NotOffered { .. } => Problem::member("action", not.to_string()),
    })?;
    if !dry_run {
        let mut batch = Batch::default();
        conflicts::decide(&mut batch, &call.tenant, &found.row, action, &call.audit());
        match call.api.store.apply(batch).await {
            Ok(()) => {}
            Err(store::Error::Stale) => return Err(Problem::taken("it says something else by now: look again")),
            Err(error) => return Err(error.into()),
        }
    }
    let mut answer = inbox::as_json(&if dry_run { found } else { item(call).await? });
    answer["plan"] = plan.as_json();
    Ok(Answer::ok(answer))
}

fn wanted(body: &Map<String, Value>) -> Result<Resolution, Problem> {
    if let Some(other) = body.keys().find(|name| *name != "action") {
        return Err(Problem::member(other, "there is no such property"));
    }
    let word = body.get("action").ok_or_else(|| Problem::member("action", "it is required"))?;
    word.as_str()
        .and_then(Resolution::parse)
        .ok_or_else(|| Problem::member("action", format!("must be one of {}", Resolution::WORDS.join(", "))))
}
