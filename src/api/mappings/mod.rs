//! `/mappings/…`: published texts, what a new one would change, publishing it, and mapping anew what is stored. Previews and replays are
//! runs: an answer comes at once where they are quick, and else says where to look (`/runs/{id}`).

mod body;
mod list;
mod preview;
mod publish;
mod replay;
mod schema;
mod show;
mod versions;

use super::call::Call;
use super::endpoint::{CHECKPOINT, DRY_RUN, Endpoint, handler};
use super::problem::Problem;
use super::{Answer, Content};
use crate::replay::shown;
use crate::store::runs;
use axum::http::{Method, StatusCode};
use std::time::Duration;

const READ: &str = "read:mappings";
const UPDATE: &str = "update:mappings";
/// Samples show values of people.
const RUN: &str = "update:runs";

/// Well below the time after which clients give up.
const WAIT: Duration = Duration::from_secs(3);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/mappings", "list_mappings", &[READ], handler!(list::list, nobody))
            .does("The newest version of each mapping, without its text")
            .with(&CHECKPOINT)
            .answers(200, "a part of them", schema::list),
        Endpoint::new(Method::GET, "/mappings/{name}", "show_mapping", &[READ], handler!(show::newest, nobody))
            .does("The version that runs, with its text and the connections that use it")
            .answers(200, "the mapping", schema::mapping),
        Endpoint::new(
            Method::GET,
            "/mappings/{name}/versions",
            "list_mapping_versions",
            &[READ],
            handler!(versions::list, nobody),
        )
        .does("Every published version, the newest first, without texts")
        .with(&CHECKPOINT)
        .answers(200, "a part of them", schema::versions),
        Endpoint::new(
            Method::GET,
            "/mappings/{name}/versions/{version}",
            "show_mapping_version",
            &[READ],
            handler!(show::version, nobody),
        )
        .does("One version with its text")
        .answers(200, "the version", schema::mapping),
        Endpoint::new(Method::POST, "/mappings/{name}/preview", "preview_mapping", &[UPDATE], handler!(preview::preview))
            .does("What this text would change of everybody who is stored; a run whose `list_hash` a publication names")
            .takes(schema::text)
            .answers(200, "the run at its end", super::runs_schema)
            .answers(202, "the run, which goes on: ask for it at /runs/{id}", super::runs_schema)
            .refuses(409, "no connection uses the mapping"),
        Endpoint::new(Method::POST, "/mappings/{name}/publish", "publish_mapping", &[UPDATE], handler!(publish::publish))
            .does("Makes this text the version that runs; changes no stored value")
            .with(&DRY_RUN)
            .takes(schema::publication)
            .answers(200, "the version that runs has this text already, or what would be published (`dry_run`)", schema::mapping)
            .answers(201, "the new version", schema::mapping)
            .refuses(409, "a preview is needed, is of another text, or does not hold any more"),
        Endpoint::new(Method::POST, "/connections/{id}/replay", "replay_connection", &[RUN], handler!(replay::replay))
            .does("Maps anew what is stored of a connection's people, as one run that can be undone")
            .with(&DRY_RUN)
            .takes(schema::replay)
            .answers(200, "the run at its end or held, or what it would change (`dry_run`)", schema::anything)
            .answers(202, "the run, which goes on: ask for it at /runs/{id}", super::runs_schema)
            .refuses(409, "another run of the connection is under way"),
    ]
}

/// Has a run carried out, and answers with it once it is at its end or after a while.
async fn carried_out(call: &Call<'_>, id: String) -> Result<Answer, Problem> {
    let (worker, tenant, run) = (call.api.worker.clone(), call.tenant.clone(), id.clone());
    let mut work = tokio::spawn(async move {
        let done = Box::pin(worker.carry_on(&tenant, &run)).await;
        if let Err(error) = &done {
            tracing::warn!(run, %error, "a run did not come to its end");
        }
        done
    });
    let ended = match tokio::time::timeout(WAIT, &mut work).await {
        Ok(Ok(done)) => {
            done?;
            true
        }
        Ok(Err(_broken)) => return Err(Problem::later()),
        Err(_elapsed) => false,
    };
    let found = runs::find(&call.api.store, &call.tenant, &id).await?.ok_or_else(Problem::no_run)?;
    let status = if ended { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(Answer::new(status, Content::Json(shown::run(&found))))
}
