//! `GET /users/{id}`: consistent at once with every write that was answered.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use axum::http::header::ETAG;

pub(in crate::api) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let user = super::find(call).await?;
    let shown = super::shown_one(call, &user).await?;
    Ok(Answer::ok(shown).with_header(ETAG, super::tag(user.version)))
}
