//! `POST /clients/{id}/rotate-secret`: a new secret, shown this once; the one until now works on for `overlap_seconds`.

use super::Wish;
use super::body::unknown;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::registration::{OVERLAP_SECONDS, OVERLAP_SECONDS_MAX, shown};
use axum::body::Body;
use serde_json::{Map, Value};

pub(in crate::api) async fn rotate(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let wish = Wish::RotateSecret { overlap_seconds: overlap_seconds(&call.object(sent).await?)? };
    let (planned, dry_run) = super::changed(call, wish).await?;
    if dry_run {
        return Ok(Answer::ok(shown::plan(&planned)));
    }
    let after = planned.after.as_ref().ok_or_else(Problem::no_client)?;
    Ok(Answer::ok(shown::client(after, planned.secret.as_ref())))
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
