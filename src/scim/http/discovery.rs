//! `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas` (RFC 7644 §4): read-only, and 403 where a filter is sent.

use super::Call;
use super::answer::{Answer, Refused, not_found};
use super::route::Route;
use crate::scim::error::ScimError;
use crate::scim::schema::discovery::{self, Features};
use crate::traffic::Cause;

pub(super) fn get(call: &Call<'_>, route: &Route) -> Result<Answer, Refused> {
    if call.parameter("filter").is_some() {
        return Err(Refused::from(ScimError::status(403, "discovery endpoints take no filter")).because(Cause::FilterOnDiscovery));
    }
    let (base, registry) = (call.base.as_str(), call.registry);
    match route {
        Route::ServiceProviderConfig => {
            let features = Features::current(call.scim.page_sizes, call.scim.cursor_timeout_s, call.scim.bulk);
            Ok(json(discovery::service_provider_config(base, &features)))
        }
        Route::ResourceTypes => Ok(json(discovery::resource_types(registry, base))),
        Route::ResourceType(id) => discovery::resource_type(registry, base, id).map(json).ok_or_else(|| not_found().into()),
        Route::Schemas => Ok(json(discovery::schemas(registry, base))),
        Route::Schema(urn) => discovery::schema(registry, base, urn).map(json).ok_or_else(|| not_found().into()),
        _ => Err(not_found().into()),
    }
}

fn json(value: impl serde::Serialize) -> Answer {
    Answer::json(200, serde_json::to_string(&value).unwrap_or_default())
}
