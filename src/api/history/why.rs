//! `GET /users/{id}/why`

use super::{Answer, at, keyed, subject};
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::provisioning::history::Hiding;
use serde_json::Value;

pub(super) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let subject = subject(call).await?;
    let keyed = keyed(call);
    let reasons = subject.why(call.parameter("attribute"), at(call)?).await?.ok_or_else(Problem::no_user)?;
    Ok(Answer::ok(reasons.iter().map(|reason| reason.as_json(Hiding(&keyed))).collect::<Value>()))
}
