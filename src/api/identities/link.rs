//! `POST /users/{id}/identities`: an administrator names whom to link; a person brings a proof of the other account, an ID token that
//! we gave for it. 201 with all identities.

use super::{UPDATE, answer, left, only, planned, text};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::api::users::{asked, refused};
use crate::provisioning::manage::link::MergeMetadata;
use crate::provisioning::manage::whole::Named;
use crate::provisioning::manage::{By, Refused};
use axum::body::Body;
use serde_json::{Map, Value, json};

const FORMS: &str = "wanted either provider and user_id, or link_with";

pub(in crate::api) async fn link(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let body = call.object(sent).await?;
    only(&body, &["provider", "user_id", "connection_id", "metadata_merge", "link_with"])?;
    let by_name = ["provider", "user_id", "connection_id"].iter().any(|name| body.get(*name).is_some_and(|v| !v.is_null()));
    let proof = text(&body, "link_with")?;
    if by_name == proof.is_some() {
        return Err(Problem::body(FORMS));
    }
    let merge = merge(&body)?;
    let dry_run = call.is_dry_run()?;
    let audit = call.audit();
    let plan = if let Some(proof) = proof {
        if !call.is_person() {
            return Err(Problem::body(
                "link_with is for a token that a person's application got; an administrator names provider and user_id",
            ));
        }
        let named = call.proven(proof).await?;
        let (provider, user_id) = named.split_once('|').ok_or_else(|| refused::problem(Refused::NoSecondary.into()))?;
        let named = Named { provider, user_id, connection_id: None };
        let asked = asked(call, &audit, By::Person, dry_run);
        call.api.provisioner.link_people(&asked, call.id_after("users"), named, (merge, false)).await
    } else {
        // Who names another account has to be more than the person themselves.
        call.needs(&[UPDATE])?;
        let missing = |name: &'static str| move || Problem::member(name, "Missing required property");
        let provider = text(&body, "provider")?.ok_or_else(missing("provider"))?;
        let user_id = user_id(&body)?;
        let named = Named { provider, user_id: &user_id, connection_id: text(&body, "connection_id")? };
        let asked = asked(call, &audit, By::Api, dry_run);
        call.api.provisioner.link_people(&asked, call.id_after("users"), named, (merge, true)).await
    };
    let plan = plan.map_err(refused::problem)?;
    if dry_run {
        return Ok(Answer::ok(planned::people("link", Some(&plan))));
    }
    Ok(answer(left(call).await?, true))
}

/// Some providers' ids are numbers, and are sent as such.
fn user_id(body: &Map<String, Value>) -> Result<String, Problem> {
    match body.get("user_id") {
        Some(Value::Number(number)) if number.is_u64() => Ok(number.to_string()),
        _ => {
            let found = text(body, "user_id")?.ok_or_else(|| Problem::member("user_id", "Missing required property"))?;
            Ok(found.to_owned())
        }
    }
}

fn merge(body: &Map<String, Value>) -> Result<MergeMetadata, Problem> {
    let Some(word) = text(body, "metadata_merge")? else { return Ok(MergeMetadata::None) };
    let wanted = || Problem::member("metadata_merge", format!("wanted one of {}", MergeMetadata::WORDS.join(", ")));
    MergeMetadata::parse(word).ok_or_else(wanted)
}

pub(super) fn schema() -> Value {
    let merge = json!({"type": "string", "enum": MergeMetadata::WORDS});
    json!({
        "oneOf": [
            {
                "type": "object",
                "required": ["provider", "user_id"],
                "properties": {
                    "provider": {"type": "string"},
                    "user_id": {"type": ["string", "integer"]},
                    "connection_id": {"type": "string"},
                    "metadata_merge": merge.clone(),
                },
                "additionalProperties": false,
            },
            {
                "type": "object",
                "required": ["link_with"],
                "properties": {"link_with": {"type": "string"}, "metadata_merge": merge},
                "additionalProperties": false,
            },
        ],
    })
}
