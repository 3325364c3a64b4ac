//! `POST /clients/{id}/revoke`: 204; what it was let have, or fetched for itself, is worth nothing any more.

use super::Wish;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::registration::shown;

pub(in crate::api) async fn revoke(call: &Call<'_>) -> Result<Answer, Problem> {
    let (planned, dry_run) = super::changed(call, Wish::Revoke).await?;
    Ok(if dry_run { Answer::ok(shown::plan(&planned)) } else { Answer::no_content() })
}
