//! `/organizations…`, read: customers, with the domains they have proven.

use super::Answer;
use super::call::Call;
use super::endpoint::{CHECKPOINT, Endpoint, FIELDS, handler};
use super::page::{Page, with_fields};
use super::problem::Problem;
use crate::clock::rfc3339;
use crate::model::ids::OrganizationId;
use crate::model::tenant::Organization;
use crate::store::organizations;
use axum::http::Method;
use serde_json::{Value, json};

const READ: &str = "read:organizations";
const LIST: &str = "organizations";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/organizations", "list_organizations", &[READ], handler!(list, nobody))
            .does("Organizations by name")
            .with(&CHECKPOINT)
            .with(&FIELDS)
            .answers(200, "by checkpoint", list_schema),
        Endpoint::new(Method::GET, "/organizations/{id}", "show_organization", &[READ], handler!(show, nobody))
            .does("One organization")
            .with(&FIELDS)
            .answers(200, "the organization", schema),
        Endpoint::new(Method::GET, "/organizations/name/{name}", "show_organization_by_name", &[READ], handler!(by_name, nobody))
            .does("One organization by its name")
            .with(&FIELDS)
            .answers(200, "the organization", schema),
    ]
}

async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, LIST)?;
    let mut found = organizations::list(&call.api.store, &call.tenant, &page.after, page.take + 1).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let shown = found.iter().map(|one| with_fields(call, shown(one))).collect::<Result<Vec<_>, _>>()?;
    let mut answer = json!({ "organizations": shown });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, LIST, &last.name).into();
    }
    Ok(Answer::ok(answer))
}

async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let id = OrganizationId::new(call.id_after(LIST));
    let found = organizations::find(&call.api.store, &call.tenant, &id).await?.ok_or_else(Problem::no_organization)?;
    with_fields(call, shown(&found)).map(Answer::ok)
}

async fn by_name(call: &Call<'_>) -> Result<Answer, Problem> {
    let found = organizations::find_by_name(&call.api.store, &call.tenant, call.id_after("name")).await?;
    with_fields(call, shown(&found.ok_or_else(Problem::no_organization)?)).map(Answer::ok)
}

fn shown(one: &Organization) -> Value {
    json!({
        "id": one.id,
        "name": one.name,
        "display_name": one.display_name.as_ref().unwrap_or(&one.name),
        "domains": one.domains,
        "created_at": rfc3339(one.created_at),
        "updated_at": rfc3339(one.updated_at),
    })
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "id": { "type": "string" }, "name": { "type": "string" } } })
}

fn list_schema() -> Value {
    json!({
        "type": "object",
        "required": ["organizations"],
        "properties": { "organizations": { "type": "array", "items": schema() }, "next": { "type": "string" } },
    })
}
