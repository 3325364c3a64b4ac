//! `DELETE /user-blocks`, `DELETE /user-blocks/{id}`: the failures are forgotten, and the log says by whom.

use super::{Looked, asked, found};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::store::users_read::UserRecord;
use crate::store::{Batch, login_failures};

pub(in crate::api) async fn by_identifier(call: &Call<'_>) -> Result<Answer, Problem> {
    lifted(call, &super::by_identifier(call).await?, None).await
}

pub(in crate::api) async fn of_user(call: &Call<'_>) -> Result<Answer, Problem> {
    let user = super::user(call).await?;
    lifted(call, &super::of_user(call, &user).await?, Some(&user)).await
}

async fn lifted(call: &Call<'_>, all: &[Looked], user: Option<&UserRecord>) -> Result<Answer, Problem> {
    let now = call.api.clock.now();
    let mut batch = Batch::default();
    let (mut gone, mut connections) = (Vec::new(), Vec::new());
    for looked in all {
        for found in found(call, looked, now).await? {
            let row = (looked.connection.id.as_str().to_owned(), found.subject);
            if !gone.contains(&row) {
                gone.push(row);
            }
            if found.is_blocked && !connections.contains(&looked.connection.id) {
                connections.push(looked.connection.id.clone());
            }
        }
    }
    if gone.is_empty() {
        return Ok(Answer::no_content());
    }
    login_failures::forget_all(&mut batch, &call.tenant, &gone);
    let audit = call.audit();
    call.api.provisioner.note_lifted(&asked(call, &audit), user.map(|user| &user.id), &connections, batch).await?;
    Ok(Answer::no_content())
}
