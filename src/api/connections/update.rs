//! `PATCH /connections/{id}`: what is not mentioned stays, but `options`, which are replaced as a whole.

use super::{body, shown};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::model::connection_secrets::ConnectionSecrets;
use crate::registration::connections::ConnectionError;
use crate::registration::connections_shown;
use axum::body::Body;

/// How often it is looked again when somebody else was quicker.
const ROUNDS: usize = 3;

pub(in crate::api) async fn update(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let members = call.object(sent).await?;
    let registrar = &call.api.registrar;
    let mut round = 1;
    loop {
        let stored = super::find(call).await?;
        let known = match registrar.secrets_of(&stored.connection).await {
            // Said anew, what can't be read any more is gone: that is the way out of a lost key.
            Err(ConnectionError::Sealed) if members.contains_key("options") => ConnectionSecrets::default(),
            known => known?,
        };
        let wanted = body::changed(&members, &stored, known)?;
        let mut planned = registrar.update_connection(stored, wanted, &call.audit()).await?;
        if dry_run {
            return Ok(Answer::ok(connections_shown::plan(&planned, &call.api.public_url)));
        }
        match registrar.carry_out_connection(&mut planned).await {
            Ok(()) => {
                let after = planned.after.as_ref().ok_or_else(Problem::no_connection)?;
                return Ok(Answer::ok(shown(call, after).await?));
            }
            Err(ConnectionError::Stale) if round < ROUNDS => round += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
