//! `PATCH /webhooks/{id}`: what is not mentioned stays.

use super::super::Answer;
use super::super::call::Call;
use super::super::problem::Problem;
use super::Wish;
use super::body;
use crate::events::webhooks::shown;
use axum::body::Body;

pub(super) async fn update(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let wanted = body::wanted(&call.object(sent).await?)?;
    let done = super::changed(call, &Wish::Update(wanted), dry_run).await?;
    let Some(after) = &done.after else { return Err(Problem::no_webhook()) };
    Ok(Answer::ok(if dry_run { shown::plan("update", done.before.as_ref(), Some(after)) } else { shown::webhook(after, None) }))
}
