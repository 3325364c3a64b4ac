//! `GET /connections/{id}/status`: 200, or 404 where its directory did not answer. Looks at what is known; asks no directory.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::clock::rfc3339;
use crate::model::connection::ConnectionKind;
use crate::store::sync_state;
use serde_json::json;

pub(in crate::api) async fn status(call: &Call<'_>) -> Result<Answer, Problem> {
    let connection = super::find(call).await?.connection;
    let mut shown = json!({ "status": "up" });
    if connection.kind == ConnectionKind::Ldap {
        let state = sync_state::find(&call.api.store, &connection).await?;
        if state.failures > 0 {
            return Err(Problem::offline());
        }
        if let Some(at) = state.completed_at {
            shown["last_complete_read"] = rfc3339(at).into();
        }
    }
    Ok(Answer::ok(shown))
}
