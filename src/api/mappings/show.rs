//! `GET /mappings/{name}` and `GET /mappings/{name}/versions/{version}`

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::clock::rfc3339;
use crate::replay::users_of;
use crate::store::mapping_versions::{self, MappingVersion};
use serde_json::{Value, json};

pub(in crate::api) async fn newest(call: &Call<'_>) -> Result<Answer, Problem> {
    let found = mapping_versions::latest(&call.api.store, &call.tenant, call.id_after("mappings")).await?;
    Ok(Answer::ok(shown(call, &found.ok_or_else(Problem::no_mapping)?).await?))
}

pub(in crate::api) async fn version(call: &Call<'_>) -> Result<Answer, Problem> {
    // A mapping may be called `versions`.
    let number = call.last_segment().parse::<i64>().ok().filter(|number| *number > 0).ok_or_else(Problem::no_mapping)?;
    let found = mapping_versions::find(&call.api.store, &call.tenant, call.id_after("mappings"), number).await?;
    Ok(Answer::ok(shown(call, &found.ok_or_else(Problem::no_mapping)?).await?))
}

/// With its text and who uses the name.
pub(super) async fn shown(call: &Call<'_>, version: &MappingVersion) -> Result<Value, Problem> {
    let used = users_of(&call.api.store, &call.tenant, &version.name).await?;
    let mut object = brief(version);
    object["text"] = version.text.as_str().into();
    object["includes"] = serde_json::from_str(&version.includes).unwrap_or_default();
    let connection = |(connection, sides): &(crate::model::connection::Connection, Vec<crate::profile::Side>)| {
        let sides: Vec<&str> = sides.iter().map(|side| side.as_str()).collect();
        json!({ "id": connection.id, "name": connection.name, "sides": sides })
    };
    object["connections"] = used.iter().map(connection).collect();
    Ok(object)
}

/// Without its text.
pub(super) fn brief(version: &MappingVersion) -> Value {
    json!({
        "name": version.name,
        "version": version.version,
        "language": version.language,
        "checksum": version.checksum,
        "published_at": rfc3339(version.published_at),
        "published_by": version.published_by,
    })
}
