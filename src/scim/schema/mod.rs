//! The attribute tables (RFC 7643 §2, §4, §8): what is published under `/Schemas`, and the same table validation,
//! filters, patch and projection read. Compiled once at start; look-ups ignore case (RFC 7643 §2.1).

use crate::model::query::Index;

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
