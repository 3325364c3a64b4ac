//! `GET /webhooks/{id}`, without its secret, with how much it has before it.

use super::super::Answer;
use super::super::call::Call;
use super::super::problem::Problem;

pub(super) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let stored = super::find(call).await?;
    Ok(Answer::ok(call.api.webhooks.shown(&stored).await?))
}
