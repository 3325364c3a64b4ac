//! `GET /logs/{id}`

use super::shown;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::store::logs;

pub(super) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let (store, tenant) = (&call.api.store, &call.tenant);
    let found = logs::find(store, tenant, call.id_after("logs")).await?.ok_or_else(Problem::no_log)?;
    let names = logs::names(store, tenant, std::slice::from_ref(&found)).await?;
    Ok(Answer::ok(shown::entry(&found, &names)))
}
