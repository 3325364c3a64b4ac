//! `DELETE /users/{id}/identities/{provider}/{user_id}`: 200 with what is left.

use super::{answer, left, planned};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::api::users::{asked, refused};
use crate::provisioning::manage::By;
use crate::provisioning::manage::whole::Named;

pub(in crate::api) async fn unlink(call: &Call<'_>) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let (provider, user_id) = call.two_after("identities");
    let by = if call.is_person() { By::Person } else { By::Api };
    let audit = call.audit();
    let named = Named { provider, user_id, connection_id: None };
    let plan = call.api.provisioner.unlink_person(&asked(call, &audit, by, dry_run), call.id_after("users"), named).await;
    let plan = plan.map_err(refused::problem)?;
    if dry_run {
        return Ok(Answer::ok(planned::people("unlink", Some(&plan))));
    }
    Ok(answer(left(call).await?, false))
}
