//! `POST /clients`: 201 with the secret, which is shown this once.

use super::body;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::registration::shown;
use axum::body::Body;

pub(in crate::api) async fn create(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let (kind, wanted) = body::new(&call.object(sent).await?)?;
    call.may_give(wanted.scopes.as_deref().unwrap_or_default())?;
    let registrar = &call.api.registrar;
    let mut planned = registrar.create(&call.tenant, kind, wanted, &call.audit()).await?;
    if dry_run {
        return Ok(Answer::ok(shown::plan(&planned)));
    }
    registrar.carry_out(&mut planned).await?;
    let made = planned.after.as_ref().ok_or_else(Problem::no_client)?;
    Ok(Answer::created(shown::client(made, planned.secret.as_ref())))
}
