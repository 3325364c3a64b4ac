//! `GET /clients/{id}`, without its secret.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::with_fields;
use crate::api::problem::Problem;
use crate::registration::shown;

pub(in crate::api) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let found = super::find(call).await?;
    with_fields(call, shown::client(&found, None)).map(Answer::ok)
}
