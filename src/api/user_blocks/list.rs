//! `GET /user-blocks`, `GET /user-blocks/{id}`.

use super::{Looked, found};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use serde_json::{Value, json};

pub(in crate::api) async fn by_identifier(call: &Call<'_>) -> Result<Answer, Problem> {
    shown(call, &super::by_identifier(call).await?).await
}

pub(in crate::api) async fn of_user(call: &Call<'_>) -> Result<Answer, Problem> {
    let user = super::user(call).await?;
    shown(call, &super::of_user(call, &user).await?).await
}

async fn shown(call: &Call<'_>, all: &[Looked]) -> Result<Answer, Problem> {
    let now = call.api.clock.now();
    let mut blocked: Vec<Value> = Vec::new();
    for looked in all {
        for found in found(call, looked, now).await?.into_iter().filter(|found| found.is_blocked) {
            let mut one = json!({"identifier": found.looked.identifier, "connection": found.looked.connection.name});
            if let Some(ip) = found.ip {
                one["ip"] = ip.into();
            }
            if !blocked.contains(&one) {
                blocked.push(one);
            }
        }
    }
    Ok(Answer::ok(json!({ "blocked_for": blocked })))
}
