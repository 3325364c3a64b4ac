//! `POST /users/{id}/identities/undo`: a link is undone, for as long as the log is kept.

use super::{answer, left, only, planned, text};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::api::users::{asked, refused};
use crate::provisioning::manage::By;
use crate::provisioning::manage::whole::Named;
use axum::body::Body;
use serde_json::{Value, json};

pub(in crate::api) async fn undo(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let body = call.object(sent).await?;
    only(&body, &["provider", "user_id"])?;
    let provider = text(&body, "provider")?.ok_or_else(|| Problem::member("provider", "Missing required property"))?;
    let user_id = text(&body, "user_id")?.ok_or_else(|| Problem::member("user_id", "Missing required property"))?;
    let dry_run = call.is_dry_run()?;
    let audit = call.audit();
    let since = audit.at.saturating_sub(call.api.links_are_undone_for);
    let named = Named { provider, user_id, connection_id: None };
    let plan = call.api.provisioner.undo_link(&asked(call, &audit, By::Api, dry_run), call.id_after("users"), named, since).await;
    let plan = plan.map_err(refused::problem)?;
    if dry_run {
        return Ok(Answer::ok(planned::people("undo", Some(&plan))));
    }
    Ok(answer(left(call).await?, false))
}

pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["provider", "user_id"],
        "properties": {"provider": {"type": "string"}, "user_id": {"type": "string"}},
        "additionalProperties": false,
    })
}
