//! `PATCH /clients/{id}`: what is not mentioned stays.

use super::Wish;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::registration::shown;
use axum::body::Body;

pub(in crate::api) async fn update(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let wish = Wish::Update(call.object(sent).await?);
    let (planned, dry_run) = super::changed(call, wish).await?;
    if dry_run {
        return Ok(Answer::ok(shown::plan(&planned)));
    }
    let after = planned.after.as_ref().ok_or_else(Problem::no_client)?;
    // One that has no keys any more has a secret, shown this once.
    Ok(Answer::ok(shown::client(after, planned.secret.as_ref())))
}
