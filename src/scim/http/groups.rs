//! `/Groups` and `/Groups/{id}`: the verbs on one group.

use super::Call;
use super::answer::{Answer, Refused, not_found};
use super::conditions::{Conditions, Reading, etag};
use super::record::{self, Written};
use super::render::{self, Also, Owned};
use super::route::Resources;
use crate::model::connection::GroupPatchResponse;
use crate::model::group::Group;
use crate::provisioning::decide_group::GroupEvent;
use crate::provisioning::plan::Refusal;
use crate::provisioning::push_group::MemberChange;
use crate::scim::error::ScimError;
use crate::scim::projection::Projection;
use crate::scim::{patch, resource};
use crate::store::groups::{self as rows, Listed};
use axum::http::{Method, header};
use serde_json::Value;

/// Up to this many members a PATCH is answered with the group (`group_patch_response = auto`).
const PATCH_MEMBERS_MAX: i64 = 200;

pub(super) async fn create(call: &Call<'_>, sent: Value) -> Result<Answer, Refused> {
    let projection = projection(call)?;
    let accepted = resource::accept(&call.registry.group, sent, call.mode())?;
    let projection = projection.echoing(&resource::written(&call.registry.group, &accepted.document));
    let members = record::ids(accepted.members.unwrap_or_default());
    let record = record::group(accepted.document);
    let pushed = call.scim.provisioner.create_group(&call.provisioning(), &record, &members).await?;
    let location = render::location(&call.base, Resources::Groups, pushed.group.id.as_str());
    Ok(answer(call, 201, &pushed.group, &projection).await?.with(header::LOCATION, location))
}

pub(super) async fn one(call: &Call<'_>, id: &str, conditions: &Conditions, sent: Value) -> Result<Answer, Refused> {
    match call.method {
        Method::PUT => Box::pin(replace(call, id, conditions, sent)).await,
        Method::PATCH => Box::pin(modify(call, id, conditions, sent)).await,
        Method::DELETE => Box::pin(delete(call, id, conditions)).await,
        _ => read(call, id, conditions).await,
    }
}

fn projection(call: &Call<'_>) -> Result<Projection, ScimError> {
    Projection::parse(call.parameter("attributes"), call.parameter("excludedAttributes"), &call.registry.group, call.mode())
}

async fn read(call: &Call<'_>, id: &str, conditions: &Conditions) -> Result<Answer, Refused> {
    let projection = projection(call)?;
    let group = rows::find(&call.scim.store, call.connection, id).await?.ok_or_else(not_found)?;
    match conditions.reading(group.version) {
        Reading::Answer => {}
        Reading::NotModified => return Ok(Answer::empty(304).with(header::ETAG, etag(group.version))),
        Reading::Refuse => return Err(Refusal::VersionMismatch.into()),
    }
    answer(call, 200, &group, &projection).await
}

async fn replace(call: &Call<'_>, id: &str, conditions: &Conditions, sent: Value) -> Result<Answer, Refused> {
    let projection = projection(call)?;
    let keeps = call.connection.options.put_groups_without_members_keep;
    let written = Written::default();
    let pushed = call
        .scim
        .provisioner
        .edit_group(&call.provisioning(), id, &conditions.expected(), GroupEvent::Replaced, |current| {
            let accepted = resource::accept_put(&call.registry.group, sent.clone(), current, call.mode())?;
            written.note(resource::written(&call.registry.group, &accepted.document));
            let changes = match accepted.members {
                None if keeps => Vec::new(),
                members => vec![MemberChange::Replace(record::ids(members.unwrap_or_default()))],
            };
            Ok::<_, ScimError>((record::group(accepted.document), changes))
        })
        .await??;
    answer(call, 200, &pushed.group, &projection.echoing(&written.paths())).await
}

async fn modify(call: &Call<'_>, id: &str, conditions: &Conditions, sent: Value) -> Result<Answer, Refused> {
    let projection = projection(call)?;
    let written = Written::default();
    let pushed = call
        .scim
        .provisioner
        .edit_group(&call.provisioning(), id, &conditions.expected(), GroupEvent::Patched, |current| {
            let (group, operations_max) = (&call.registry.group, call.scim.patch_operations_max);
            let patched = patch::apply(group, current, sent.clone(), id, call.mode(), operations_max)?;
            written.note(patched.written);
            Ok::<_, ScimError>((record::group(patched.document), record::changes(patched.members)))
        })
        .await??;
    let group = pushed.group;
    let without_body = match call.connection.options.group_patch_response {
        // RFC 7644 §3.5.2: a PATCH that asks for attributes is answered with them.
        _ if !projection.is_default() => false,
        GroupPatchResponse::Ok => false,
        GroupPatchResponse::NoContent => true,
        GroupPatchResponse::Auto => {
            let tenant = &call.connection.tenant_id;
            rows::has_more_members_than(&call.scim.store, tenant, id, PATCH_MEMBERS_MAX).await?
        }
    };
    if without_body {
        return Ok(Answer::empty(204).with(header::ETAG, etag(group.version)));
    }
    answer(call, 200, &group, &projection.echoing(&written.paths())).await
}

async fn delete(call: &Call<'_>, id: &str, conditions: &Conditions) -> Result<Answer, Refused> {
    call.scim.provisioner.delete_group(&call.provisioning(), id, &conditions.expected()).await?;
    Ok(Answer::empty(204))
}

async fn answer(call: &Call<'_>, status: u16, group: &Group, projection: &Projection) -> Result<Answer, Refused> {
    let id = group.id.as_str();
    let members: Vec<Listed> = if projection.wants("members") {
        rows::find_members(&call.scim.store, &call.connection.tenant_id, id).await?
    } else {
        Vec::new()
    };
    let owned = Owned {
        id,
        version: group.version,
        created_at: group.created_at,
        updated_at: group.updated_at,
        also: Also::Members(&members),
    };
    let text = render::text(&call.base, Resources::Groups, &group.raw, &owned, projection);
    Ok(Answer::json(status, text).with(header::ETAG, etag(group.version)))
}
