//! Attributes of SCIM resources: User (RFC 7643 §4.1), EnterpriseUser (§4.3), Group (§4.2), common ones (§3.1).

use super::Known;
use crate::types::{Type, Typed};

/// What the prefix `enterprise` stands for.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:";

const NAME: &[(&str, Type)] = &[
    ("formatted", Type::String),
    ("familyName", Type::String),
    ("givenName", Type::String),
    ("middleName", Type::String),
    ("honorificPrefix", Type::String),
    ("honorificSuffix", Type::String),
];
const PLURAL: &[(&str, Type)] = &[
    ("value", Type::String),
    ("display", Type::String),
    ("type", Type::String),
    ("primary", Type::Bool),
    ("$ref", Type::String),
];
const ADDRESS: &[(&str, Type)] = &[
    ("formatted", Type::String),
    ("streetAddress", Type::String),
    ("locality", Type::String),
    ("region", Type::String),
    ("postalCode", Type::String),
    ("country", Type::String),
    ("type", Type::String),
    ("primary", Type::Bool),
];
const META: &[(&str, Type)] = &[
    ("resourceType", Type::String),
    ("created", Type::DateTime),
    ("lastModified", Type::DateTime),
    ("location", Type::String),
    ("version", Type::String),
];
const MANAGER: &[(&str, Type)] = &[("value", Type::String), ("displayName", Type::String), ("$ref", Type::String)];

#[derive(Clone, Copy)]
enum As {
    Text,
    Texts,
    Bool,
    One(&'static [(&'static str, Type)]),
    Many(&'static [(&'static str, Type)]),
    /// An extension with a member that is a record.
    Enterprise,
}

const COMMON: &[(&str, As)] = &[("id", As::Text), ("externalId", As::Text), ("meta", As::One(META)), ("schemas", As::Texts)];

const USER: &[(&str, As)] = &[
    ("userName", As::Text),
    ("displayName", As::Text),
    ("nickName", As::Text),
    ("profileUrl", As::Text),
    ("title", As::Text),
    ("userType", As::Text),
    ("preferredLanguage", As::Text),
    ("locale", As::Text),
    ("timezone", As::Text),
    ("active", As::Bool),
    ("name", As::One(NAME)),
    ("emails", As::Many(PLURAL)),
    ("phoneNumbers", As::Many(PLURAL)),
    ("ims", As::Many(PLURAL)),
    ("photos", As::Many(PLURAL)),
    ("addresses", As::Many(ADDRESS)),
    ("groups", As::Many(PLURAL)),
    ("entitlements", As::Many(PLURAL)),
    ("roles", As::Many(PLURAL)),
    ("x509Certificates", As::Many(PLURAL)),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", As::Enterprise),
];

const GROUP: &[(&str, As)] = &[("displayName", As::Text), ("members", As::Many(PLURAL))];

fn of(group: bool) -> impl Iterator<Item = &'static (&'static str, As)> {
    COMMON.iter().chain(if group { GROUP } else { USER })
}

/// By name, case aside (RFC 7643 §2.1).
pub fn find(name: &str, group: bool) -> Option<Known> {
    let (known, kind) = of(group).find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(match *kind {
        As::Text => Known::new(known, Type::String, false),
        As::Texts => Known::new(known, Type::String, true),
        As::Bool => Known::new(known, Type::Bool, false),
        As::One(fields) => Known::new(known, record(fields), false),
        As::Many(fields) => Known::new(known, record(fields), true),
        As::Enterprise => Known::new(known, enterprise(), false),
    })
}

pub fn names(group: bool) -> impl Iterator<Item = &'static str> {
    of(group).map(|(name, _)| *name)
}

fn record(fields: &[(&str, Type)]) -> Type {
    Type::Record(Some(fields.iter().map(|(name, ty)| field(name, ty.clone())).collect()))
}

fn field(name: &str, ty: Type) -> (Box<str>, Typed) {
    (name.into(), ty.or_absent())
}

fn enterprise() -> Type {
    let mut fields: Vec<_> = ["employeeNumber", "costCenter", "organization", "division", "department"]
        .into_iter()
        .map(|name| field(name, Type::String))
        .collect();
    fields.push(field("manager", record(MANAGER)));
    Type::Record(Some(fields))
}
