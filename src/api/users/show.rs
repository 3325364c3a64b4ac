//! `GET /users/{id}`: consistent at once with every write that was answered.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;

pub(in crate::api) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let user = super::find(call).await?;
    super::shown_one(call, &user).await.map(Answer::ok)
}
