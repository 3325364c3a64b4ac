//! `POST /webhooks/{id}/rotate-secret`: a new secret, shown this once; the one until now signs too for `overlap_seconds`.

use super::super::Answer;
use super::super::call::Call;
use super::super::problem::Problem;
use super::Wish;
use super::body::unknown;
use crate::events::webhooks::decide::{OVERLAP_SECONDS, OVERLAP_SECONDS_MAX};
use crate::events::webhooks::shown;
use axum::body::Body;
use serde_json::{Map, Value};

pub(super) async fn rotate(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let wish = Wish::Rotate { overlap_seconds: overlap_seconds(&call.object(sent).await?)? };
    let done = super::changed(call, &wish, dry_run).await?;
    let Some(after) = &done.after else { return Err(Problem::no_webhook()) };
    Ok(Answer::ok(if dry_run {
        shown::plan("rotate_secret", done.before.as_ref(), Some(after))
    } else {
        shown::webhook(after, done.secret.as_ref())
    }))
}

fn overlap_seconds(members: &Map<String, Value>) -> Result<i64, Problem> {
    if let Some(other) = members.keys().find(|name| *name != "overlap_seconds") {
        return Err(unknown(other));
    }
    let Some(value) = members.get("overlap_seconds") else { return Ok(OVERLAP_SECONDS) };
    value
        .as_i64()
        .filter(|seconds| (0..=OVERLAP_SECONDS_MAX).contains(seconds))
        .ok_or_else(|| Problem::member("overlap_seconds", format!("wanted a whole number from 0 to {OVERLAP_SECONDS_MAX}")))
}
