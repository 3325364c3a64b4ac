//! The attribute tables (RFC 7643 §2, §4, §8): what is published under `/Schemas`, and the same table validation,
//! filters, patch and projection read. Those of the standard are built once ([`registry`]), those of a tenant with
//! extensions of its own are the same and more ([`Registry::extended`]); look-ups ignore case (RFC 7643 §2.1).
//!
//! Owns: the tables of User, Group and the enterprise extension, the common attributes, what an extension may be
//! ([`extension`]), what of a document the value table holds ([`indexed_values`]) and how the tables are published
//! ([`discovery`]). Refuses: judging a document; that is `resource`.

pub mod discovery;
pub mod extension;

mod common;
mod define;
mod enterprise;
mod group;
mod indexed;
mod user;

pub use indexed::indexed_values;

use crate::model::query::Index;
use extension::{Extends, Extension, Problem, SCHEMAS_MAX};
use std::sync::{Arc, LazyLock};

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
    /// By an administrator: its attributes are named with their URN only, so that a name without one means the same
    /// whatever is registered.
    pub registered: bool,
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
#[derive(Clone, Debug)]
pub struct Registry {
    pub user: ResourceType,
    pub group: ResourceType,
    secret_names: Arc<[String]>,
}

impl Registry {
    fn standard() -> Self {
        Self { user: ResourceType::user(), group: ResourceType::group(), secret_names: Arc::default() }
    }

    /// The tables of a tenant: the standard's, and its own extensions behind them in this order.
    ///
    /// # Errors
    /// More than [`SCHEMAS_MAX`] of them; two whose URNs can't be told apart or that have one name. It is told of the later one.
    pub fn extended(extensions: Vec<Extension>) -> Result<Self, Vec<Problem>> {
        if extensions.len() > SCHEMAS_MAX {
            return Err(vec![Problem::new("", format!("a tenant has at most {SCHEMAS_MAX} schemas of its own"))]);
        }
        let mut registry = Self::standard();
        for Extension { extends, schema } in extensions {
            let clashes = registry.clashes(&schema);
            if !clashes.is_empty() {
                return Err(clashes);
            }
            match extends {
                Extends::User => registry.user.extensions.push(schema),
                Extends::Group => registry.group.extensions.push(schema),
            }
        }
        registry.secret_names = registry.schemas().into_iter().filter(|schema| schema.registered).flat_map(secrets_of).collect();
        Ok(registry)
    }

    /// Names of registered attributes of which something is never returned, in lower case: whoever records requests has to
    /// leave out what they hold. The standard's own is `password`.
    pub fn secret_names(&self) -> Arc<[String]> {
        Arc::clone(&self.secret_names)
    }

    fn clashes(&self, new: &Schema) -> Vec<Problem> {
        let mut problems = Vec::new();
        for known in self.schemas() {
            if known.id.eq_ignore_ascii_case(&new.id) {
                problems.push(Problem::new("id", format!("there is a schema {} already", known.id)));
            } else if extension::urns_clash(&known.id, &new.id) {
                let reason = format!("can't be told from an attribute of {}: one URN goes on where the other ends", known.id);
                problems.push(Problem::new("id", reason));
            } else if known.name.eq_ignore_ascii_case(&new.name) {
                problems.push(Problem::new("name", format!("the schema {} is called \"{}\" already", known.id, known.name)));
            }
        }
        problems
    }

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

fn secrets_of(schema: &Schema) -> impl Iterator<Item = String> {
    let is_never = |attribute: &Attribute| attribute.returned == Returned::Never;
    let is_secret = move |attribute: &&Attribute| is_never(attribute) || attribute.sub_attributes.iter().any(is_never);
    schema.attributes.iter().filter(is_secret).map(|attribute| attribute.name.to_ascii_lowercase())
}

/// The tables of the standard, built at first use and then shared.
pub fn registry() -> &'static Arc<Registry> {
    static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(Registry::standard()));
    &REGISTRY
}

#[cfg(test)]
mod tests;
