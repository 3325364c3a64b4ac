//! `DELETE /users/{id}`: the person goes with every identity. 204, also where nobody was.

use super::{planned, refused};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::provisioning::manage::By;

pub(in crate::api) async fn delete(call: &Call<'_>) -> Result<Answer, Problem> {
    let expected = call.if_match()?;
    let dry_run = call.is_dry_run()?;
    let audit = call.audit();
    let asked = super::asked(call, &audit, By::Api, dry_run);
    let gone = call.api.provisioner.delete_person(&asked, call.id_after("users"), &expected).await;
    let gone = gone.map_err(refused::problem)?;
    Ok(if dry_run { Answer::ok(planned::people("delete", gone.as_ref())) } else { Answer::no_content() })
}
