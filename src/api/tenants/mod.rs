//! `/tenants/settings`: who this is. Several tools ask it to see whether their token works.

use super::Answer;
use super::call::Call;
use super::endpoint::{Endpoint, FIELDS, handler};
use super::page::with_fields;
use super::problem::Problem;
use crate::store::tenants;
use axum::http::Method;
use serde_json::{Value, json};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (path, scopes) = ("/tenants/settings", &["read:tenant_settings"]);
    vec![
        Endpoint::new(Method::GET, path, "show_tenant_settings", scopes, handler!(settings, nobody))
            .does("The tenant of the token")
            .with(&FIELDS)
            .answers(200, "its name, and the host it answers on", schema),
    ]
}

async fn settings(call: &Call<'_>) -> Result<Answer, Problem> {
    let tenant = tenants::find(&call.api.store, &call.tenant).await?.ok_or_else(Problem::not_found)?;
    let mut shown = json!({ "friendly_name": tenant.name });
    if let Some(host) = tenant.host {
        shown["host"] = host.into();
    }
    with_fields(call, shown).map(Answer::ok)
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "friendly_name": { "type": "string" }, "host": { "type": "string" } } })
}
