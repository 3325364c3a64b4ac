//! `POST /runs/{id}/confirm`: what is confirmed has to be named by the hash of its list.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::replay::shown;
use crate::store::{self, Batch, runs};
use axum::body::Body;
use serde_json::Value;

pub(in crate::api) async fn confirm(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let body = call.object(sent).await?;
    if let Some(unknown) = body.keys().find(|name| *name != "list_hash") {
        return Err(Problem::member(unknown, "there is no such member"));
    }
    let Some(hash) = body.get("list_hash").and_then(Value::as_str) else {
        return Err(Problem::member("list_hash", "the hash of the list that was seen is needed"));
    };
    let run = super::find(call).await?;
    if run.state != "held" {
        return Err(Problem::moved_on("run_is_not_open", format!("the run is {} and holds nothing", run.state)));
    }
    let other = || Problem::moved_on("stale_list", "the hash is not that of the list as it is now");
    if run.list_hash.as_deref() != Some(hash) {
        return Err(other());
    }
    if !dry_run {
        let mut batch = Batch::default();
        runs::confirm(&mut batch, &call.tenant, &run, hash, &call.audit());
        match call.api.store.apply(batch).await {
            Err(store::Error::Stale) => return Err(other()),
            done => done?,
        }
        if run.kind == "replay" {
            let (worker, tenant, id) = (call.api.worker.clone(), call.tenant.clone(), run.id.clone());
            tokio::spawn(async move {
                if let Err(error) = Box::pin(worker.carry_on(&tenant, &id)).await {
                    tracing::warn!(run = id, %error, "a replay does not go on; tried again soon");
                }
            });
        }
    }
    Ok(Answer::ok(shown::run(&super::find(call).await?)))
}
