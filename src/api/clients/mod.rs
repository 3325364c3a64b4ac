//! `/clients/…`: applications that log people in, and machines that call this API. What may be said of one is `registration`'s to
//! decide; here are the words of the wire, and that nobody gives a machine more than they have themselves.

mod body;
mod create;
mod delete;
mod list;
mod revoke;
mod rotate_secret;
mod schema;
mod show;
mod update;

use super::call::Call;
use super::endpoint::{CHECKPOINT, DRY_RUN, Endpoint, FIELDS, OFFSET, handler};
use super::problem::Problem;
use crate::clock::SECOND;
use crate::model::ids::ClientId;
use crate::registration::{self, Planned};
use crate::store::clients::{self, StoredClient};
use axum::http::Method;
use serde_json::{Map, Value};

const READ: &str = "read:clients";
const CREATE: &str = "create:clients";
const UPDATE: &str = "update:clients";
const DELETE: &str = "delete:clients";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/clients", "/clients/{id}");
    vec![
        Endpoint::new(Method::GET, all, "list_clients", &[READ], handler!(list::list, nobody))
            .does("Applications and machines, by name, without secrets")
            .with(&OFFSET)
            .with(&CHECKPOINT)
            .with(&FIELDS)
            .answers(200, "a bare array, or an object with totals or a checkpoint", schema::list),
        Endpoint::new(Method::POST, all, "create_client", &[CREATE], handler!(create::create))
            .does("Registers an application or a machine; its secret is shown this once")
            .with(&DRY_RUN)
            .takes(schema::new)
            .answers(200, "what would be done (`dry_run`)", schema::plan)
            .answers(201, "what was registered", schema::client)
            .refuses(409, "another application has the name"),
        Endpoint::new(Method::GET, one, "show_client", &[READ], handler!(show::show, nobody))
            .does("One application, without its secret")
            .with(&FIELDS)
            .answers(200, "the application", schema::client),
        Endpoint::new(Method::PATCH, one, "update_client", &[UPDATE], handler!(update::update))
            .does("Changes what is mentioned")
            .with(&DRY_RUN)
            .takes(schema::wanted)
            .answers(200, "the application, or what would be done (`dry_run`)", schema::client)
            .refuses(409, "another application has the name"),
        Endpoint::new(Method::DELETE, one, "delete_client", &[DELETE], handler!(delete::delete, nobody))
            .does("Takes it away, with everything people let it have")
            .with(&DRY_RUN)
            .answers(200, "what would be done (`dry_run`)", schema::plan)
            .answers_nothing(204, "it is gone"),
        Endpoint::new(Method::POST, "/clients/{id}/revoke", "revoke_client", &[UPDATE], handler!(revoke::revoke, nobody))
            .does("Ends all it was given: people go through sign-in to it again, a machine fetches another token")
            .with(&DRY_RUN)
            .answers(200, "what would be done (`dry_run`)", schema::plan)
            .answers_nothing(204, "it has nothing any more"),
        Endpoint::new(
            Method::POST,
            "/clients/{id}/rotate-secret",
            "rotate_client_secret",
            &[UPDATE],
            handler!(rotate_secret::rotate),
        )
        .does("A new secret, shown this once; the former one works on for a while")
        .with(&DRY_RUN)
        .takes(schema::rotate)
        .answers(200, "the application with its secret, or what would be done (`dry_run`)", schema::client),
    ]
}

/// How often it is looked again when somebody else was quicker.
const ROUNDS: usize = 3;

/// The application that the path names by its id.
async fn find(call: &Call<'_>) -> Result<StoredClient, Problem> {
    let id = ClientId::new(call.id_after("clients"));
    clients::find(&call.api.store, &call.tenant, &id).await?.ok_or_else(Problem::no_client)
}

/// What somebody wants done to an application that is there.
enum Wish {
    /// What the members say of it.
    Update(Map<String, Value>),
    RotateSecret {
        overlap_seconds: i64,
    },
    Revoke,
    Delete,
}

async fn plan(call: &Call<'_>, wish: &Wish, stored: StoredClient) -> Result<Planned, Problem> {
    let (registrar, audit) = (&call.api.registrar, call.audit());
    match wish {
        Wish::Update(members) => {
            let wanted = body::of(members, &stored.client.options)?;
            call.may_give(wanted.scopes.as_deref().unwrap_or_default())?;
            if wanted.keys.as_ref().is_some_and(|keys| *keys != stored.client.options.keys) {
                // Whoever has the key has what the machine was given.
                call.may_give(&stored.client.options.scopes)?;
            }
            Ok(registrar.update(stored, wanted, &audit).await?)
        }
        Wish::RotateSecret { overlap_seconds } => {
            // Whoever has the secret has what the machine was given.
            call.may_give(&stored.client.options.scopes)?;
            Ok(registrar.rotate(stored, audit.at.saturating_add(overlap_seconds * SECOND), &audit)?)
        }
        Wish::Revoke => Ok(registrar.revoke(stored, &audit)),
        Wish::Delete => Ok(registrar.delete(stored, &audit)),
    }
}

/// Plans it for the application as it is, and takes the step unless only the plan is asked for (`true`); where somebody else was
/// quicker, anew.
async fn changed(call: &Call<'_>, wish: Wish) -> Result<(Planned, bool), Problem> {
    let dry_run = call.is_dry_run()?;
    let mut round = 1;
    loop {
        let mut planned = plan(call, &wish, find(call).await?).await?;
        if dry_run {
            return Ok((planned, true));
        }
        match call.api.registrar.carry_out(&mut planned).await {
            Ok(()) => return Ok((planned, false)),
            Err(registration::Error::Stale) if round < ROUNDS => round += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
