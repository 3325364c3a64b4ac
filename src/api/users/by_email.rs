//! `GET /users-by-email`: every user with the address, in any spelling of it; several connections may know one each.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::model::fold::fold;
use crate::store::users_read;
use serde_json::Value;

/// Users of one answer.
const MOST: i64 = 100;
/// Longest address that is looked for; longer ones nobody has.
const EMAIL_BYTES_MAX: usize = 2_048;

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let wanted = call.parameter("email");
    let email = wanted.ok_or_else(|| Problem::query("Query validation error: 'email' is missing: the whole address"))?;
    if email.len() > EMAIL_BYTES_MAX {
        return Ok(Answer::ok(Value::Array(Vec::new())));
    }
    let found = users_read::find_by_email(&call.api.store, &call.tenant, &fold(email), MOST).await?;
    super::shown_all(call, &found).await.map(|users| Answer::ok(Value::Array(users)))
}
