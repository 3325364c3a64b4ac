//! `POST /users`: a new person of a database connection. 201 with the whole user.

use super::{planned, refused};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::model::connection::ConnectionKind;
use crate::provisioning::manage::{By, Form, Members, Refused};
use crate::store::connections;
use axum::body::Body;

pub(in crate::api) async fn create(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let new = Members::read(&call.object(sent).await?, Form::Create).map_err(|wrong| refused::members(&wrong))?;
    let name = new.connection.as_deref().unwrap_or_default();
    let found = connections::find_by_name(&call.api.store, &call.tenant, name).await?;
    let connection = found.ok_or_else(|| refused::no_such_connection(name))?.connection;
    if connection.kind != ConnectionKind::Database {
        let (connection, strategy) = (connection.name, connection.kind.strategy());
        return Err(refused::problem(Refused::NoDatabase { connection, strategy }.into()));
    }
    let password = super::password(call, &new).await?;
    let dry_run = call.is_dry_run()?;
    let audit = call.audit();
    let asked = super::asked(call, &audit, By::Api, dry_run);
    let besides = super::besides(call, &audit, password.as_ref());
    let done = call.api.provisioner.create_person(&asked, &connection, &new, &besides).await.map_err(refused::problem)?;
    if dry_run {
        return Ok(Answer::ok(planned::one("create", None, &done)));
    }
    super::whole(call, &done.user_id).await.map(|answer| answer.with_status(axum::http::StatusCode::CREATED))
}
