//! The attribute tables (RFC 7643 §2, §4, §8): what is published under `/Schemas`, and the same table validation,
//! filters, patch and projection read. Built once ([`registry`]); look-ups ignore case (RFC 7643 §2.1).
//!
//! Owns: the tables of User, Group and the enterprise extension, the common attributes, what of a document the
//! value table holds ([`indexed_values`]) and how the tables are published ([`discovery`]). Refuses: judging a
//! document; that is `resource`.

pub mod discovery;

mod common;
mod define;
mod enterprise;
mod group;
mod indexed;
mod user;

pub use indexed::indexed_values;

use crate::model::query::Index;
use std::sync::LazyLock;

/// RFC 7643 §4.1.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// RFC 7643 §4.2.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// RFC 7643 §4.3.
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// RFC 7643 §5.
pub const SERVICE_PROVIDER_CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// RFC 7643 §6.
pub const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// RFC 7643 §7.
pub const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// RFC 7644 §3.4.2.
pub const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// RFC 7644 §3.4.3.
pub const SEARCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// RFC 7644 §3.5.2.
pub const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// RFC 7644 §3.12.
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// RFC 7644 §3.7.
pub const BULK_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// RFC 7644 §3.7.
pub const BULK_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// RFC 7643 §2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uniqueness {
    None,
    Server,
    Global,
}

/// One attribute with all its characteristics (RFC 7643 §7).
#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: String,
    pub kind: Type,
    pub multi_valued: bool,
    pub description: String,
    pub required: bool,
    pub canonical_values: Vec<String>,
    pub case_exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    pub uniqueness: Uniqueness,
    pub reference_types: Vec<String>,
    pub sub_attributes: Vec<Attribute>,
    /// Where the store finds it; [`Index::Document`] for most.
    pub index: Index,
}

/// One published schema.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The URN.
    pub id: String,
    pub name: String,
    pub description: String,
    pub attributes: Vec<Attribute>,
}

/// One endpoint's resource: its core schema and the extensions that may stand beside it.
#[derive(Clone, Debug)]
pub struct ResourceType {
    /// `User`, `Group`.
    pub name: String,
    /// `/Users`, `/Groups`.
    pub endpoint: String,
    pub description: String,
    pub core: Schema,
    /// None of ours is required.
    pub extensions: Vec<Schema>,
    /// `schemas`, `id`, `externalId`, `meta` (RFC 7643 §3.1): part of every resource, published in no schema.
    pub common: Vec<Attribute>,
}

impl Attribute {
    /// The sub-attribute of that name, in whatever case.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        self.sub_attributes.iter().find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    /// The sub-attribute a bare comparison means (`emails eq "a@b"`): `value`, where there is one.
    pub fn default_sub(&self) -> Option<&Attribute> {
        self.sub("value")
    }
}

impl Schema {
    /// The attribute of that name, in whatever case.
    pub fn find(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

impl ResourceType {
    /// `/Users` (RFC 7643 §4.1) with the enterprise extension.
    pub fn user() -> Self {
        Self {
            name: "User".into(),
            endpoint: "/Users".into(),
            description: "User Account".into(),
            core: user::schema(),
            extensions: vec![enterprise::schema()],
            common: common::attributes(),
        }
    }

    /// `/Groups` (RFC 7643 §4.2).
    pub fn group() -> Self {
        Self {
            name: "Group".into(),
            endpoint: "/Groups".into(),
            description: "Group".into(),
            core: group::schema(),
            extensions: Vec::new(),
            common: common::attributes(),
        }
    }

    /// A core or common attribute, in whatever case. Extension attributes: [`Self::extension`].
    pub fn find(&self, name: &str) -> Option<&Attribute> {
        self.core.find(name).or_else(|| self.common.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name)))
    }

    /// The extension of that URN, in whatever case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }
}

/// The resource types this gateway serves.
#[derive(Debug)]
pub struct Registry {
    pub user: ResourceType,
    pub group: ResourceType,
}

impl Registry {
    /// Both, in the order discovery lists them.
    pub fn resource_types(&self) -> [&ResourceType; 2] {
        [&self.user, &self.group]
    }

    /// Every published schema, core schemas first.
    pub fn schemas(&self) -> Vec<&Schema> {
        let core = self.resource_types().map(|resource_type| &resource_type.core);
        let extensions = self.resource_types().into_iter().flat_map(|resource_type| &resource_type.extensions);
        core.into_iter().chain(extensions).collect()
    }
}

/// The tables, built at first use and then shared.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry { user: ResourceType::user(), group: ResourceType::group() });
    &REGISTRY
}

#[cfg(test)]
mod tests;
