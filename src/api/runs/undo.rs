//! `POST /runs/{id}/undo`: answered with what was put back where that is quick, and else while it goes on.

use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::api::{Answer, Content};
use crate::replay::shown;
use crate::store::connections;
use crate::sync::undo::Undoer;
use axum::http::StatusCode;
use std::time::Duration;

/// Well below the time after which clients give up.
const WAIT: Duration = Duration::from_secs(3);

pub(in crate::api) async fn undo(call: &Call<'_>) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let run = super::find(call).await?;
    let found = connections::find(&call.api.store, &call.tenant, &run.connection_id).await?;
    let connection = found.ok_or_else(Problem::no_connection)?.connection;
    let (worker, actor, of) = (call.api.worker.clone(), call.audit().actor, run.clone());
    let mut undoing = tokio::spawn(async move {
        let undoer = Undoer {
            store: &worker.store,
            provisioner: &worker.provisioner,
            clock: &worker.clock,
            entropy: &worker.entropy,
            connection: &connection,
            actor: &actor,
            owner: format!("a server that undoes a run (process {})", std::process::id()),
            progress: &|_| {},
        };
        if dry_run { Box::pin(undoer.look(&of)).await } else { Box::pin(undoer.undo(&of)).await }
    });
    match tokio::time::timeout(WAIT, &mut undoing).await {
        Ok(Ok(report)) => Ok(Answer::ok(shown::undone(&run, &report?))),
        Ok(Err(_broken)) => Err(Problem::later()),
        Err(_elapsed) if dry_run => {
            undoing.abort();
            Err(Problem::later())
        }
        Err(_elapsed) => Ok(Answer::new(StatusCode::ACCEPTED, Content::Json(shown::run(&super::find(call).await?)))),
    }
}
