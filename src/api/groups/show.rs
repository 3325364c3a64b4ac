//! `GET /groups/{id}`.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::with_fields;
use crate::api::problem::Problem;

pub(in crate::api) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let group = super::find(call).await?;
    with_fields(call, super::shown(call, &group)).map(Answer::ok)
}
