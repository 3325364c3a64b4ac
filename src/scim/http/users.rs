//! `/Users` and `/Users/{id}`: the verbs on one user.

use super::Call;
use super::answer::{Answer, Refused, not_found};
use super::conditions::{Conditions, Reading, etag};
use super::record::{self, Written};
use super::render::{self, Also, Owned};
use super::route::Resources;
use crate::model::ids::IdentityId;
use crate::provisioning::decide::UserEvent;
use crate::provisioning::plan::Refusal;
use crate::provisioning::push::Pushed;
use crate::scim::error::ScimError;
use crate::scim::projection::Projection;
use crate::scim::{patch, resource};
use crate::store::{groups, identities};
use axum::http::{Method, header};
use serde_json::Value;

pub(super) async fn create(call: &Call<'_>, sent: Value) -> Result<Answer, Refused> {
    let projection = projection(call)?;
    let accepted = resource::accept(&call.registry.user, sent, call.mode())?;
    let projection = projection.echoing(&resource::written(&call.registry.user, &accepted.document));
    let record = record::user(accepted.document);
    let pushed = call.scim.provisioner.create_user(&call.provisioning(), &record).await?;
    let location = render::location(&call.base, Resources::Users, pushed.identity.id.as_str());
    Ok(answer(call, 201, &pushed, &projection).await?.with(header::LOCATION, location))
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
    Projection::parse(call.parameter("attributes"), call.parameter("excludedAttributes"), &call.registry.user, call.mode())
}

async fn read(call: &Call<'_>, id: &str, conditions: &Conditions) -> Result<Answer, Refused> {
    let projection = projection(call)?;
    let found = identities::find_resource(&call.scim.store, call.connection, id).await?.ok_or_else(not_found)?;
    match conditions.reading(found.version) {
        Reading::Answer => {}
        Reading::NotModified => return Ok(Answer::empty(304).with(header::ETAG, etag(found.version))),
        Reading::Refuse => return Err(Refusal::VersionMismatch.into()),
    }
    let memberships = memberships(call, id, found.in_groups && projection.wants("groups")).await?;
    let owned = Owned {
        id,
        version: found.version,
        created_at: found.created_at,
        updated_at: found.updated_at,
        also: Also::Groups(&memberships),
    };
    let text = render::text(&call.base, Resources::Users, &found.raw, &owned, &projection);
    Ok(Answer::json(200, text).with(header::ETAG, etag(found.version)))
}

async fn replace(call: &Call<'_>, id: &str, conditions: &Conditions, sent: Value) -> Result<Answer, Refused> {
    let projection = projection(call)?;
    let written = Written::default();
    let pushed = call
        .scim
        .provisioner
        .edit_user(&call.provisioning(), &IdentityId::new(id), &conditions.expected(), UserEvent::Replaced, |current| {
            let accepted = resource::accept_put(&call.registry.user, sent.clone(), current, call.mode())?;
            written.note(resource::written(&call.registry.user, &accepted.document));
            Ok::<_, ScimError>(record::user(accepted.document))
        })
        .await??;
    answer(call, 200, &pushed, &projection.echoing(&written.paths())).await
}

async fn modify(call: &Call<'_>, id: &str, conditions: &Conditions, sent: Value) -> Result<Answer, Refused> {
    let projection = projection(call)?;
    let written = Written::default();
    let pushed = call
        .scim
        .provisioner
        .edit_user(&call.provisioning(), &IdentityId::new(id), &conditions.expected(), UserEvent::Patched, |current| {
            let (user, operations_max) = (&call.registry.user, call.scim.patch_operations_max);
            let patched = patch::apply(user, current, sent.clone(), id, call.mode(), operations_max)?;
            written.note(patched.written);
            Ok::<_, ScimError>(record::user(patched.document))
        })
        .await??;
    answer(call, 200, &pushed, &projection.echoing(&written.paths())).await
}

async fn delete(call: &Call<'_>, id: &str, conditions: &Conditions) -> Result<Answer, Refused> {
    call.scim.provisioner.delete_user(&call.provisioning(), &IdentityId::new(id), &conditions.expected()).await?;
    Ok(Answer::empty(204))
}

async fn memberships(call: &Call<'_>, id: &str, wanted: bool) -> Result<Vec<groups::Membership>, Refused> {
    if !wanted {
        return Ok(Vec::new());
    }
    let ids = [id.to_owned()];
    let mut found = groups::find_memberships(&call.scim.store, &call.connection.tenant_id, &ids).await?;
    Ok(found.remove(id).unwrap_or_default())
}

async fn answer(call: &Call<'_>, status: u16, pushed: &Pushed, projection: &Projection) -> Result<Answer, Refused> {
    let identity = &pushed.identity;
    let id = identity.id.as_str();
    let memberships = memberships(call, id, pushed.in_groups && projection.wants("groups")).await?;
    let owned = Owned {
        id,
        version: identity.version,
        created_at: identity.created_at,
        updated_at: identity.updated_at,
        also: Also::Groups(&memberships),
    };
    let raw = identity.raw.as_deref().unwrap_or("{}");
    let text = render::text(&call.base, Resources::Users, raw, &owned, projection);
    Ok(Answer::json(status, text).with(header::ETAG, etag(identity.version)))
}
