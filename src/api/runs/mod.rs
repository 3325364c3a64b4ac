//! `/runs/…`: what syncs, replays, previews and held pushes came to, what waits for somebody's word, and the way back. What a run is stands in
//! the modules that make it; here are the words of the wire.

mod confirm;
mod items;
mod list;
mod schema;
mod show;
mod undo;

use super::call::Call;
use super::endpoint::{CHECKPOINT, DRY_RUN, Endpoint, handler};
use super::problem::Problem;
use crate::store::runs::{self, Run};
use axum::http::Method;

pub(super) use schema::run as run_schema;

const READ: &str = "read:runs";
const UPDATE: &str = "update:runs";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/runs", "list_runs", &[READ], handler!(list::list, nobody))
            .does("Syncs, replays, previews, undos and held pushes, the oldest first")
            .with(&CHECKPOINT)
            .answers(200, "a part of them", schema::list),
        Endpoint::new(Method::GET, "/runs/{id}", "show_run", &[READ], handler!(show::show, nobody))
            .does("One run, with its numbers and how far it is")
            .answers(200, "the run", schema::run),
        Endpoint::new(Method::GET, "/runs/{id}/items", "list_run_items", &[READ], handler!(items::list, nobody))
            .does("What it holds, or what stayed when it undid another")
            .with(&CHECKPOINT)
            .answers(200, "a part of them", schema::items),
        Endpoint::new(Method::POST, "/runs/{id}/confirm", "confirm_run", &[UPDATE], handler!(confirm::confirm))
            .does("Lets through what it holds; a replay goes on at once, a sync with its next run, a push with its next attempt")
            .with(&DRY_RUN)
            .takes(schema::confirmation)
            .answers(200, "the run", schema::run)
            .refuses(409, "it holds nothing, or another list by now"),
        Endpoint::new(Method::POST, "/runs/{id}/undo", "undo_run", &[UPDATE], handler!(undo::undo, nobody))
            .does("Puts back what a sync or a replay changed, where nothing newer changed the same")
            .with(&DRY_RUN)
            .answers(200, "what was put back and what stays, or what would be (`dry_run`)", schema::undone)
            .answers(202, "it takes longer: the run is `undone` once it is at its end", schema::run)
            .refuses(409, "another run of the connection is under way"),
    ]
}

/// The run that the path names by its id.
async fn find(call: &Call<'_>) -> Result<Run, Problem> {
    runs::find(&call.api.store, &call.tenant, call.id_after("runs")).await?.ok_or_else(Problem::no_run)
}
