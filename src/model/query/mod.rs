//! The protocol-neutral predicate. An edge (SCIM filter, later the API search) turns its syntax tree into a
//! [`Query`]; the store renders what is indexed to bound SQL; [`Query::matches`] decides the rest over a document.
//! Nothing here knows SCIM or SQL.
//!
//! What a comparison means, over documents and over rows alike:
//! - A path leads to zero or more values: lists along it are opened. `null`, `[]`, `{}` and the empty string are no
//!   values, and neither is a value of another type than the field's.
//! - A comparison holds if **any** of the values satisfies it. `NotEqual` also holds if there is none.
//! - Text that is not case-exact is compared in its folded form ([`super::fold`]); text is ordered by bytes.
//! - Times in documents have milliseconds. A column that holds microseconds is compared without the rest
//!   (`updated_at - updated_at % 1000`), so that both agree.
//! - Over rows of the value table: `NotEqual` = no row, or a row with another key; `Present` = a row. A key that was
//!   cut ([`super::fold::KEY_BYTES_MAX`]) proves equality but not `Contains`, `EndsWith` or order.

mod matches;
pub mod order;
#[cfg(test)]
mod tests;

pub use matches::parse_instant;

/// A predicate over one resource document (a JSON object).
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// Everything.
    All,
    And(Vec<Query>),
    Or(Vec<Query>),
    Not(Box<Query>),
    /// The field has a non-empty value (complex: any sub-value; list: any element).
    Present(Field),
    Compare(Field, Comparison, Literal),
    /// One element of a list of objects satisfies `matches`; the fields inside are relative to the element.
    Element {
        list: Field,
        matches: Box<Query>,
    },
}

/// One addressable place in a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Member names from the root of the document (or of the list element), in the document's own spelling:
    /// `["name","familyName"]`, `["emails","value"]` (any element), `["urn:…:User","manager","value"]`.
    pub path: Vec<String>,
    pub kind: Kind,
    pub case_exact: bool,
    /// Where the store keeps it, if anywhere but in the document.
    pub index: Index,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Boolean,
    /// Integer or decimal.
    Number,
    /// RFC 3339 text, compared as an instant.
    Instant,
    Binary,
    Complex,
}

/// Where a field can be found without reading documents. The store maps each to a column or a side table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Index {
    /// Only in the document.
    Document,
    Id,
    UserName,
    ExternalId,
    /// A group's display name.
    GroupName,
    /// `groups.value` of a user: rows.
    GroupsOfMember,
    /// `members.value` of a group: rows.
    MembersOfGroup,
    Active,
    CreatedAt,
    UpdatedAt,
    /// Rows of the value table under this attribute name, for instance `emails.value`.
    Values(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Text(String),
    Boolean(bool),
    Number(serde_json::Number),
    /// Unix microseconds.
    Instant(i64),
}

impl Query {
    /// Whether anything is asked of this top-level member, or of what is in it.
    pub fn mentions(&self, member: &str) -> bool {
        let within = |field: &Field| field.path.first().is_some_and(|name| name == member);
        match self {
            Self::All => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.mentions(member)),
            Self::Not(inner) => inner.mentions(member),
            Self::Present(field) | Self::Compare(field, ..) | Self::Element { list: field, .. } => within(field),
        }
    }
}
