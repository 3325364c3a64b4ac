//! `/clients/…`: applications that log people in, and machines that call this API. What may be said of one is `registration`'s to
//! decide; here are the words of the wire, and that nobody gives a machine more than they have themselves.

pub(super) mod body;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod rotate_secret;
pub(super) mod show;
pub(super) mod update;

use super::call::Call;
use super::problem::Problem;
use crate::clock::SECOND;
use crate::model::ids::ClientId;
use crate::registration::{self, Planned};
use crate::store::clients::{self, StoredClient};
use serde_json::{Map, Value};

const READ: &str = "read:clients";
const CREATE: &str = "create:clients";
const UPDATE: &str = "update:clients";
const DELETE: &str = "delete:clients";

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
    Delete,
}

async fn plan(call: &Call<'_>, wish: &Wish, stored: StoredClient) -> Result<Planned, Problem> {
    let (registrar, audit) = (&call.api.registrar, call.audit());
    match wish {
        Wish::Update(members) => {
            let wanted = body::of(members, &stored.client.options)?;
            call.may_give(wanted.scopes.as_deref().unwrap_or_default())?;
            Ok(registrar.update(stored, wanted, &audit).await?)
        }
        Wish::RotateSecret { overlap_seconds } => {
            // Whoever has the secret has what the machine was given.
            call.may_give(&stored.client.options.scopes)?;
            Ok(registrar.rotate(stored, audit.at.saturating_add(overlap_seconds * SECOND), &audit)?)
        }
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
