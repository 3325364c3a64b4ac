//! `PATCH /users/{id}`: what is mentioned changes, under the policy of whose it is; all of it or nothing. 200 with the whole user.

use super::{UPDATE, UPDATE_APP_METADATA, UPDATE_OWN, find, planned, refused};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::provisioning::manage::{By, Form, Members};
use axum::body::Body;

pub(in crate::api) async fn update(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let expected = call.if_match()?;
    let (object, deep) = call.object_or_merge_patch(sent).await?;
    let edit = Members::read(&object, Form::Update { deep }).map_err(|wrong| refused::members(&wrong))?;
    let by = may(call, &edit)?;
    let password = super::password(call, &edit).await?;
    let before = find(call).await?;
    let dry_run = call.is_dry_run()?;
    let audit = call.audit();
    let asked = super::asked(call, &audit, by, dry_run);
    let besides = super::besides(call, &audit, password.as_ref());
    let done = call.api.provisioner.update_person(&asked, &before.user_id, &expected, &edit, &besides).await;
    let done = done.map_err(refused::problem)?;
    if dry_run {
        return Ok(Answer::ok(planned::one("update", Some(&before), &done)));
    }
    super::whole(call, &done.user_id).await
}

/// Who may write so much: one scope opens everything, one `app_metadata` alone, and a person's own token their own
/// `user_metadata`.
fn may(call: &Call<'_>, edit: &Members) -> Result<By, Problem> {
    if call.allows(&[UPDATE]) {
        return Ok(By::Api);
    }
    let only = edit.roots.is_empty() && edit.blocked.is_none() && edit.password.is_none() && edit.connection.is_none();
    if call.allows(&[UPDATE_APP_METADATA]) {
        return if only && edit.user_metadata.is_none() { Ok(By::Api) } else { Err(Problem::scope(&[UPDATE])) };
    }
    if only && edit.app_metadata.is_none() { Ok(By::Person) } else { Err(Problem::scope(&[UPDATE, UPDATE_OWN])) }
}
