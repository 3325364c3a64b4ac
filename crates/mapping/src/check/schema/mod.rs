//! What a source is known to have: names, types and how many values, per kind. A name a closed kind does not know has
//! to be declared (`attrs`), so a slip of the pen is an error and not a claim that is never there. SAML, OAuth, JSON
//! and profiles are open: what a provider sends is its own affair.

mod ldap;
mod oidc;
mod scim;

pub use scim::ENTERPRISE;

use crate::target::{self, Kind};
use crate::types::Type;

/// A source attribute as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// As the schema spells it.
    pub name: Box<str>,
    /// Of one value.
    pub ty: Type,
    pub list: bool,
    pub sensitive: bool,
}

impl Known {
    pub fn new(name: &str, ty: Type, list: bool) -> Self {
        Self { name: name.into(), ty, list, sensitive: false }
    }
}

/// Which of a source's resources is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    pub kind: Kind,
    /// For `to group`.
    pub group: bool,
}

impl Schema {
    /// An undeclared name that is not known is M003.
    pub const fn closed(self) -> bool {
        matches!(self.kind, Kind::Ldap | Kind::Scim)
    }

    /// Values arrive as JSON and convert where they are used.
    pub const fn json(self) -> bool {
        !matches!(self.kind, Kind::Ldap | Kind::Saml)
    }

    /// What `$name` is without a declaration; pseudo-attributes included.
    pub fn find(self, name: &str) -> Option<Known> {
        match (self.kind, name) {
            (_, "all") => Some(Known::new("$all", Type::Record(None), false)),
            (Kind::Ldap, "dn") => Some(Known::new("$dn", Type::Dn, false)),
            (Kind::Saml, "name_id" | "name_id_format" | "issuer") => Some(Known::new(&format!("${name}"), Type::String, false)),
            (Kind::Ldap, _) => ldap::find(name),
            (Kind::Scim, _) => scim::find(name, self.group),
            (Kind::Oidc, _) => oidc::find(name),
            (Kind::Profile, _) => profile(name),
            _ => None,
        }
    }

    /// Of an undeclared name of an open kind.
    pub const fn open(self) -> Type {
        match self.kind {
            Kind::Saml | Kind::Ldap => Type::String,
            _ => Type::Json,
        }
    }

    /// Names for suggestions.
    pub fn names(self) -> Vec<&'static str> {
        match self.kind {
            Kind::Ldap => ldap::names().chain(["dn", "all"]).collect(),
            Kind::Scim => scim::names(self.group).chain(["all"]).collect(),
            Kind::Oidc => oidc::names().chain(["all"]).collect(),
            Kind::Saml => vec!["name_id", "name_id_format", "issuer", "all"],
            Kind::Profile => {
                target::ROOTS.iter().map(|(name, _)| *name).chain(target::OPEN_ROOTS).chain(["groups", "all"]).collect()
            }
            _ => vec!["all"],
        }
    }

    /// Attributes of which the value changes while the person stays (L08).
    pub fn changes(self, name: &str) -> bool {
        const LDAP: [&str; 7] = ["mail", "userPrincipalName", "cn", "displayName", "name", "sn", "$dn"];
        const SCIM: [&str; 4] = ["userName", "emails", "displayName", "name"];
        const CLAIMS: [&str; 6] = ["email", "upn", "preferred_username", "name", "nickname", "login"];
        let words: &[&str] = match self.kind {
            Kind::Ldap => &LDAP,
            Kind::Scim => &SCIM,
            Kind::Saml => {
                return CLAIMS.contains(&name)
                    || ["/emailaddress", "/upn", "/name", "urn:oid:0.9.2342.19200300.100.1.3"]
                        .iter()
                        .any(|end| name.ends_with(end));
            }
            _ => &CLAIMS,
        };
        words.iter().any(|word| word.eq_ignore_ascii_case(name))
    }
}

fn profile(name: &str) -> Option<Known> {
    if name == "groups" {
        return Some(Known::new(name, Type::String, true));
    }
    let root = target::ROOTS.iter().find(|(root, _)| *root == name);
    root.map(|(root, ty)| Known::new(root, ty.clone(), false))
}
