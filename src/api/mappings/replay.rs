//! `POST /connections/{id}/replay`: `{all: true}` or `{users: [USER_ID, …]}`.

use super::carried_out;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::model::connection::Connection;
use crate::replay::walk::Whom;
use crate::store::users_read;
use axum::body::Body;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// People named one by one.
const USERS_MAX: usize = 1_000;
/// Profiles that one name may mean, and a little more to tell that there are several.
const MEANT_MAX: i64 = 2;

pub(in crate::api) async fn replay(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let body = call.object(sent).await?;
    let connection = call.connection().await?;
    let whom = whom(call, &connection, &body).await?;
    let (worker, actor) = (&call.api.worker, call.audit().actor);
    let stop = Arc::new(AtomicBool::new(false));
    let replayer = worker.replayer(&connection, &actor, &|_, _| {}, Arc::clone(&stop));
    if dry_run {
        // Of many people a part is looked at: `complete` says so, and a preview of the text that runs tells all.
        let told = tokio::spawn(async move {
            tokio::time::sleep(super::WAIT).await;
            stop.store(true, Ordering::Relaxed);
        });
        let report = Box::pin(replayer.look(&whom)).await;
        told.abort();
        let report = report?;
        let mut object = report.summary;
        object["held"] = report.held.into();
        return Ok(Answer::ok(object));
    }
    let run = replayer.begin(whom).await?;
    carried_out(call, run).await
}

async fn whom(call: &Call<'_>, connection: &Connection, body: &Map<String, Value>) -> Result<Whom, Problem> {
    if let Some(unknown) = body.keys().find(|name| !matches!(name.as_str(), "all" | "users")) {
        return Err(Problem::member(unknown, "there is no such member"));
    }
    let users = match (body.get("all"), body.get("users")) {
        (Some(Value::Bool(true)), None) => return Ok(Whom::All),
        (None | Some(Value::Bool(false)), Some(Value::Array(users))) if !users.is_empty() => users,
        _ => return Err(Problem::body("whom it is about has to be said: `all` true, or `users` with at least one")),
    };
    if users.len() > USERS_MAX {
        return Err(Problem::member("users", format!("at most {USERS_MAX} are named one by one")));
    }
    let (store, tenant, mut ids) = (&call.api.store, &call.tenant, Vec::new());
    for (at, name) in users.iter().enumerate() {
        let member = format!("users[{at}]");
        let Some(name) = name.as_str() else { return Err(Problem::member(&member, "a user_id is wanted")) };
        let mut found = users_read::find(store, tenant, name, MEANT_MAX).await?;
        let (Some(user), true) = (found.pop(), found.is_empty()) else {
            return Err(Problem::member(&member, "nobody is called so, or several are"));
        };
        let all = users_read::identities(store, tenant, &user.id).await?;
        let before = ids.len();
        ids.extend(all.into_iter().filter(|one| one.connection_id == connection.id).map(|one| one.id.to_string()));
        if ids.len() == before {
            return Err(Problem::member(&member, "the user has no identity at this connection"));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(Whom::These(ids))
}
