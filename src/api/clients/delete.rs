//! `DELETE /clients/{id}`: 204; what it was let have ends with it.

use super::Wish;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::registration::shown;

pub(in crate::api) async fn delete(call: &Call<'_>) -> Result<Answer, Problem> {
    let (planned, dry_run) = super::changed(call, Wish::Delete).await?;
    Ok(if dry_run { Answer::ok(shown::plan(&planned)) } else { Answer::no_content() })
}
