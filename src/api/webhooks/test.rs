//! `POST /webhooks/{id}/test`: one event of type `webhook.test`, now, and what came of it.

use super::super::Answer;
use super::super::call::Call;
use super::super::problem::Problem;

pub(super) async fn test(call: &Call<'_>) -> Result<Answer, Problem> {
    let stored = super::find(call).await?;
    Ok(Answer::ok(call.api.webhooks.test(&stored).await?))
}
