//! `POST /connections`.

use super::{body, shown};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::registration::connections_shown;
use axum::body::Body;

pub(in crate::api) async fn create(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let (name, kind, wanted) = body::new(&call.object(sent).await?)?;
    let registrar = &call.api.registrar;
    let mut planned = registrar.create_connection(&call.tenant, (&name, kind), wanted, &call.audit()).await?;
    if dry_run {
        return Ok(Answer::ok(connections_shown::plan(&planned, &call.api.public_url)));
    }
    registrar.carry_out_connection(&mut planned).await?;
    let made = planned.after.as_ref().ok_or_else(Problem::no_connection)?;
    Ok(Answer::created(shown(call, made).await?))
}
