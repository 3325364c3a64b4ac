//! `POST /mappings/{name}/preview`

use super::{body, carried_out};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::replay::users_of;
use axum::body::Body;

pub(in crate::api) async fn preview(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let name = call.id_after("mappings").to_owned();
    let text = body::text(&name, &call.object(sent).await?, &[])?;
    let used = users_of(&call.api.store, &call.tenant, &name).await?;
    let Some((home, _)) = used.first() else {
        return Err(Problem::moved_on(
            "mapping_not_used",
            "no connection uses the mapping: nobody is stored whom it would concern",
        ));
    };
    let actor = call.audit().actor;
    let run = call.api.worker.previewer(&call.tenant, &actor, &|_, _| {}).begin(home, &text).await?;
    carried_out(call, run).await
}
