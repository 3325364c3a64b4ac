//! `POST /users/{id}/erasure`: 202 with the document that proves it.

use super::refused;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::provisioning::manage::By;
use axum::http::StatusCode;
use serde_json::{Value, json};

pub(in crate::api) async fn erase(call: &Call<'_>) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let audit = call.audit();
    let asked = super::asked(call, &audit, By::Api, dry_run);
    let keys = call.api.keys.clone();
    let signs = move |text: &str| keys.sign_erasure(text);
    let proof = call.api.provisioner.erase_person(&asked, call.id_after("users"), &signs).await.map_err(refused::problem)?;
    Ok(if dry_run { Answer::ok(proof) } else { Answer::ok(proof).with_status(StatusCode::ACCEPTED) })
}

pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"document": {"type": "object"}, "signature": {"type": "string"}, "dry_run": {"type": "boolean"}, "step": {"type": "string"}},
    })
}
