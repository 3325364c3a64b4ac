//! Static types. Shape never depends on the data: an expression is one value or a list, known before any entry is
//! read, and whether it may be absent is part of what is known.

/// What an expression is when it is present.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    String,
    Bool,
    Int,
    DateTime,
    Duration,
    Binary,
    /// 16 bytes in Active Directory's mixed byte order; text is the dashed lower-case form.
    Guid,
    /// Binary security identifier; text is `S-1-…`.
    Sid,
    /// 100 ns ticks since 1601 as an integer; 0 and 2^63-1 mean never.
    FileTime,
    /// LDAP GeneralizedTime text.
    GenTime,
    /// A distinguished name, RFC 4514 text.
    Dn,
    /// Any JSON: converts where it is used.
    Json,
    List(Box<Type>),
    /// Fields known by name; `None` = any field, each of type `Json`.
    Record(Option<Vec<(Box<str>, Typed)>>),
    Regex,
    Table,
    /// Of an expression that was already reported: fits everywhere, so one mistake gives one error.
    Unknown,
    /// Of `absent` and `keep`: fits everywhere.
    Nothing,
}

/// A type with the question whether the value may be missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    pub ty: Type,
    pub may_be_absent: bool,
}

impl Type {
    pub const fn present(self) -> Typed {
        Typed { ty: self, may_be_absent: false }
    }

    pub const fn or_absent(self) -> Typed {
        Typed { ty: self, may_be_absent: true }
    }

    pub fn list(self) -> Self {
        Self::List(Box::new(self))
    }

    /// What a list is made of; of anything else, itself.
    pub fn item(&self) -> &Self {
        match self {
            Self::List(item) => item,
            one => one,
        }
    }

    pub const fn is_list(&self) -> bool {
        matches!(self, Self::List(_))
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::DateTime => "datetime",
            Self::Duration => "duration",
            Self::Binary => "binary",
            Self::Guid => "guid",
            Self::Sid => "sid",
            Self::FileTime => "filetime",
            Self::GenTime => "gentime",
            Self::Dn => "dn",
            Self::Json => "json",
            Self::List(item) => return write!(f, "list<{item}>"),
            Self::Record(_) => "record",
            Self::Regex => "regex",
            Self::Table => "table",
            Self::Unknown | Self::Nothing => "nothing",
        })
    }
}
