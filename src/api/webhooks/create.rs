//! `POST /webhooks`: 201 with the secret, which is shown this once.

use super::super::Answer;
use super::super::call::Call;
use super::super::problem::Problem;
use super::body;
use crate::events::webhooks::shown;
use axum::body::Body;

pub(super) async fn create(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let wanted = body::wanted(&call.object(sent).await?)?;
    let done = call.api.webhooks.create(&call.tenant, wanted, &call.audit(), dry_run).await?;
    let Some(made) = done.after else { return Err(Problem::no_webhook()) };
    Ok(if dry_run {
        Answer::ok(shown::plan("create", None, Some(&made)))
    } else {
        Answer::created(shown::webhook(&made, done.secret.as_ref()))
    })
}
