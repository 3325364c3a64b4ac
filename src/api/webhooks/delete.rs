//! `DELETE /webhooks/{id}`: 204; what waited for it is gone with it.

use super::super::Answer;
use super::super::call::Call;
use super::super::problem::Problem;
use super::Wish;
use crate::events::webhooks::shown;

pub(super) async fn delete(call: &Call<'_>) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let done = super::changed(call, &Wish::Delete, dry_run).await?;
    Ok(if dry_run { Answer::ok(shown::plan("delete", done.before.as_ref(), None)) } else { Answer::no_content() })
}
