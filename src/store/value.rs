//! What goes into a statement and what comes out of a row, alike for both databases.

use super::Error;

/// An argument or a column. NULL is typed: PostgreSQL needs to know what is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// The type's name on PostgreSQL.
    pub(super) fn pg_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Int(_) => "bigint",
            Self::Bool(_) => "boolean",
            Self::Bytes(_) => "bytea",
        }
    }

    /// Text with U+0000, which SQLite stores and PostgreSQL refuses: refused on both.
    pub(super) fn holds_nul(&self) -> bool {
        matches!(self, Self::Text(Some(text)) if text.as_bytes().contains(&0))
    }
}

macro_rules! from {
    ($($variant:ident: $($kind:ty => $to:expr),+;)+) => {$($(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Self::$variant(Some($to(value)))
            }
        }
        impl From<Option<$kind>> for Value {
            fn from(value: Option<$kind>) -> Self {
                Self::$variant(value.map($to))
            }
        }
    )+)+};
}
from! {
    Text: String => std::convert::identity, &str => str::to_owned, &String => String::clone;
    Int: i64 => std::convert::identity;
    Bool: bool => std::convert::identity;
    Bytes: Vec<u8> => std::convert::identity, &[u8] => <[u8]>::to_vec;
}

macro_rules! from_ids {
    ($($id:ident),+) => {$(
        impl From<&crate::model::ids::$id> for Value {
            fn from(id: &crate::model::ids::$id) -> Self {
                Self::Text(Some(id.as_str().to_owned()))
            }
        }
        impl From<Option<&crate::model::ids::$id>> for Value {
            fn from(id: Option<&crate::model::ids::$id>) -> Self {
                Self::Text(id.map(|id| id.as_str().to_owned()))
            }
        }
    )+};
}
from_ids!(
    TenantId,
    OrganizationId,
    ConnectionId,
    ProfileId,
    IdentityId,
    GroupId,
    SessionId,
    TokenId,
    ClientId,
    GrantId,
    WebhookId
);

/// The arguments of one statement: `args![tenant, id, 3_i64]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Value::from($value)),*] };
}

/// One row, owned. Columns are read by position; a wrong kind is [`Error::Corrupt`].
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    pub fn opt_text(&self, column: usize) -> Result<Option<String>, Error> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text.clone()),
            Some(Value::Int(None) | Value::Bool(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(Error::Corrupt { what: "a text column holds something else" }),
        }
    }

    pub fn text(&self, column: usize) -> Result<String, Error> {
        self.opt_text(column)?.ok_or(Error::Corrupt { what: "a text column is NULL" })
    }

    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.0.get(column) {
            Some(Value::Int(int)) => Ok(*int),
            Some(Value::Text(None) | Value::Bool(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(Error::Corrupt { what: "an integer column holds something else" }),
        }
    }

    pub fn int(&self, column: usize) -> Result<i64, Error> {
        self.opt_int(column)?.ok_or(Error::Corrupt { what: "an integer column is NULL" })
    }

    /// SQLite has no booleans: 0 and 1 are read as such.
    pub fn opt_bool(&self, column: usize) -> Result<Option<bool>, Error> {
        match self.0.get(column) {
            Some(Value::Bool(bool)) => Ok(*bool),
            Some(Value::Int(int)) => Ok(int.map(|int| int != 0)),
            Some(Value::Text(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(Error::Corrupt { what: "a boolean column holds something else" }),
        }
    }

    pub fn bool(&self, column: usize) -> Result<bool, Error> {
        self.opt_bool(column)?.ok_or(Error::Corrupt { what: "a boolean column is NULL" })
    }

    pub fn opt_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, Error> {
        match self.0.get(column) {
            Some(Value::Bytes(bytes)) => Ok(bytes.clone()),
            Some(Value::Text(None) | Value::Int(None) | Value::Bool(None)) => Ok(None),
            _ => Err(Error::Corrupt { what: "a bytes column holds something else" }),
        }
    }
}
