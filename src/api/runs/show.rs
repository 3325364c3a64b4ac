//! `GET /runs/{id}`

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::replay::shown;

pub(in crate::api) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    Ok(Answer::ok(shown::run(&super::find(call).await?)))
}
