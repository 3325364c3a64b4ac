//! `DELETE /connections/{id}`: 202, or 204 where there is none any more. Whoever came in through it has to go first: their profiles would
//! be left without the identity that feeds them.

use crate::api::Answer;
use crate::api::Content;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::clock::rfc3339;
use crate::model::ids::ConnectionId;
use crate::registration::connections_shown;
use crate::store::connections;
use axum::http::StatusCode;
use serde_json::json;

pub(in crate::api) async fn delete(call: &Call<'_>) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let id = ConnectionId::new(call.id_after("connections"));
    let Some(stored) = connections::find(&call.api.store, &call.tenant, &id).await? else { return Ok(Answer::no_content()) };
    let (registrar, audit) = (&call.api.registrar, call.audit());
    let mut planned = registrar.delete_connection(stored, &audit).await?;
    if dry_run {
        return Ok(Answer::ok(connections_shown::plan(&planned, &call.api.public_url)));
    }
    registrar.carry_out_connection(&mut planned).await?;
    Ok(Answer::new(StatusCode::ACCEPTED, Content::Json(json!({ "deleted_at": rfc3339(audit.at) }))))
}
