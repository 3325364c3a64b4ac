//! `GET /conflicts/{id}`

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::provisioning::inbox;

pub(super) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    Ok(Answer::ok(inbox::with_preview(&super::item(call).await?)))
}
