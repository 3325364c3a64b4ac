//! What `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` answer (RFC 7643 §5 to §7). Every characteristic is
//! spelled out, nothing is null, each resource carries its `schemas` and `meta.location`.
//!
//! `base_url` is the connection's SCIM root without a final slash. Ids in a path match in any case.

use super::{
    Attribute, Mutability, RESOURCE_TYPE_URN, Registry, ResourceType, Returned, SCHEMA_URN, SERVICE_PROVIDER_CONFIG_URN, Schema,
    Type, Uniqueness,
};
use crate::scim::list::{ListResponse, PageSizes};
use serde_json::{Map, Value, json};

/// What this server can do. The configuration resource is printed from it, so that it tells the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    pub patch: bool,
    /// `None`: no `/Bulk`.
    pub bulk: Option<BulkLimits>,
    /// The most resources a filter returns on one page; `None`: no filters.
    pub filter_results_max: Option<i64>,
    pub change_password: bool,
    pub sort: bool,
    pub etag: bool,
    pub pagination: Pagination,
    pub authentication_schemes: Vec<AuthenticationScheme>,
}

/// What one bulk request may hold (RFC 7644 §3.7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkLimits {
    pub operations_max: usize,
    /// Of the body.
    pub payload_bytes_max: usize,
}

/// RFC 9865 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pagination {
    pub index: bool,
    /// How long a cursor holds, in seconds; `None`: no cursors.
    pub cursor_timeout_s: Option<u32>,
    pub page_sizes: PageSizes,
}

/// RFC 7643 §5, `authenticationSchemes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationScheme {
    /// `oauthbearertoken`, `httpbasic`, …
    pub kind: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub spec_uri: &'static str,
    pub primary: bool,
}

impl Features {
    /// Those of this release, with pages of the configured sizes, cursors that hold so many seconds, and bulk requests up to
    /// the configured limits.
    pub fn current(page_sizes: PageSizes, cursor_timeout_s: u32, bulk: Option<BulkLimits>) -> Self {
        Self {
            patch: true,
            bulk,
            filter_results_max: Some(page_sizes.max),
            change_password: false,
            sort: true,
            etag: true,
            pagination: Pagination { index: true, cursor_timeout_s: Some(cursor_timeout_s), page_sizes },
            authentication_schemes: vec![AuthenticationScheme {
                kind: "oauthbearertoken",
                name: "OAuth Bearer Token",
                description: "The token of the connection, in the Authorization header.",
                spec_uri: "https://www.rfc-editor.org/info/rfc6750",
                primary: true,
            }],
        }
    }
}

/// The service provider configuration (RFC 7643 §5). A block is there even if the feature is not.
pub fn service_provider_config(base_url: &str, features: &Features) -> Value {
    let supported = |supported: bool| json!({ "supported": supported });
    let bulk = features.bulk.unwrap_or(BulkLimits { operations_max: 0, payload_bytes_max: 0 });
    json!({
        "schemas": [SERVICE_PROVIDER_CONFIG_URN],
        "patch": supported(features.patch),
        "bulk": {
            "supported": features.bulk.is_some(),
            "maxOperations": bulk.operations_max,
            "maxPayloadSize": bulk.payload_bytes_max,
        },
        "filter": {
            "supported": features.filter_results_max.is_some(),
            "maxResults": features.filter_results_max.unwrap_or(0),
        },
        "changePassword": supported(features.change_password),
        "sort": supported(features.sort),
        "etag": supported(features.etag),
        "pagination": pagination(&features.pagination),
        "authenticationSchemes": features.authentication_schemes.iter().map(authentication_scheme).collect::<Vec<_>>(),
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base_url}/ServiceProviderConfig"),
        },
    })
}

fn pagination(pagination: &Pagination) -> Value {
    let mut block = json!({
        "cursor": pagination.cursor_timeout_s.is_some(),
        "index": pagination.index,
        "defaultPaginationMethod": if pagination.index { "index" } else { "cursor" },
        "defaultPageSize": pagination.page_sizes.default,
        "maxPageSize": pagination.page_sizes.max,
    });
    if let Some(seconds) = pagination.cursor_timeout_s {
        block["cursorTimeout"] = seconds.into();
    }
    block
}

fn authentication_scheme(scheme: &AuthenticationScheme) -> Value {
    json!({
        "type": scheme.kind,
        "name": scheme.name,
        "description": scheme.description,
        "specUri": scheme.spec_uri,
        "primary": scheme.primary,
    })
}

/// All resource types of `registry`, as a ListResponse.
pub fn resource_types(registry: &Registry, base_url: &str) -> ListResponse<Value> {
    ListResponse::whole(registry.resource_types().map(|kind| resource_type_body(base_url, kind)).into())
}

/// One resource type by its id (`User`); `None`: there is none.
pub fn resource_type(registry: &Registry, base_url: &str, id: &str) -> Option<Value> {
    let found = registry.resource_types().into_iter().find(|kind| kind.name.eq_ignore_ascii_case(id))?;
    Some(resource_type_body(base_url, found))
}

/// All schemas of `registry`, as a ListResponse.
pub fn schemas(registry: &Registry, base_url: &str) -> ListResponse<Value> {
    ListResponse::whole(registry.schemas().into_iter().map(|schema| schema_body(base_url, schema)).collect())
}

/// One schema by its URN; `None`: there is none.
pub fn schema(registry: &Registry, base_url: &str, urn: &str) -> Option<Value> {
    let found = registry.schemas().into_iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))?;
    Some(schema_body(base_url, found))
}

fn resource_type_body(base_url: &str, kind: &ResourceType) -> Value {
    let extensions: Vec<Value> = kind.extensions.iter().map(|schema| json!({ "schema": schema.id, "required": false })).collect();
    let mut body = json!({
        "schemas": [RESOURCE_TYPE_URN],
        "id": kind.name,
        "name": kind.name,
        "description": kind.description,
        "endpoint": kind.endpoint,
        "schema": kind.core.id,
    });
    if !extensions.is_empty() {
        body["schemaExtensions"] = extensions.into();
    }
    body["meta"] = json!({
        "resourceType": "ResourceType",
        "location": format!("{base_url}/ResourceTypes/{}", kind.name),
    });
    body
}

fn schema_body(base_url: &str, schema: &Schema) -> Value {
    let mut body = schema_document(schema);
    body["meta"] = json!({
        "resourceType": "Schema",
        "location": format!("{base_url}/Schemas/{}", schema.id),
    });
    body
}

/// A schema without what belongs to where it is served.
pub(super) fn schema_document(schema: &Schema) -> Value {
    json!({
        "schemas": [SCHEMA_URN],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().map(attribute_body).collect::<Vec<_>>(),
    })
}

/// RFC 7643 §7. Lists that don't apply are left out: empty and absent are the same, and null is refused by clients.
pub(super) fn attribute_body(attribute: &Attribute) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("name", attribute.name.as_str().into());
    put("type", kind_word(attribute.kind).into());
    put("multiValued", attribute.multi_valued.into());
    put("description", attribute.description.as_str().into());
    put("required", attribute.required.into());
    if !attribute.canonical_values.is_empty() {
        put("canonicalValues", attribute.canonical_values.clone().into());
    }
    put("caseExact", attribute.case_exact.into());
    put("mutability", mutability_word(attribute.mutability).into());
    put("returned", returned_word(attribute.returned).into());
    put("uniqueness", uniqueness_word(attribute.uniqueness).into());
    if !attribute.reference_types.is_empty() {
        put("referenceTypes", attribute.reference_types.clone().into());
    }
    if !attribute.sub_attributes.is_empty() {
        put("subAttributes", attribute.sub_attributes.iter().map(attribute_body).collect());
    }
    Value::Object(body)
}

/// The word for a type (RFC 7643 §7).
pub(super) fn kind_word(kind: Type) -> &'static str {
    match kind {
        Type::String => "string",
        Type::Boolean => "boolean",
        Type::Decimal => "decimal",
        Type::Integer => "integer",
        Type::DateTime => "dateTime",
        Type::Binary => "binary",
        Type::Reference => "reference",
        Type::Complex => "complex",
    }
}

fn mutability_word(mutability: Mutability) -> &'static str {
    match mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
        Mutability::WriteOnly => "writeOnly",
    }
}

fn returned_word(returned: Returned) -> &'static str {
    match returned {
        Returned::Always => "always",
        Returned::Never => "never",
        Returned::Default => "default",
        Returned::Request => "request",
    }
}

fn uniqueness_word(uniqueness: Uniqueness) -> &'static str {
    match uniqueness {
        Uniqueness::None => "none",
        Uniqueness::Server => "server",
        Uniqueness::Global => "global",
    }
}
