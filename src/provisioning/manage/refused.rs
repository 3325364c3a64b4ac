//! Why something is not done: the rules' own answers, in words that name attribute, connection and policy. How an edge puts
//! them on the wire is its own.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such person, or none any more.
    NotFound,
    /// If-Match names another version.
    VersionMismatch,
    /// Somebody has it: `user_id` in the tenant, the others on the connection.
    Exists {
        attribute: &'static str,
    },
    /// The person asked to be erased.
    Erased,
    /// The profile would pass its limit.
    TooLarge {
        bytes_max: usize,
    },
    /// People are made here at database connections alone; elsewhere they come from the source.
    NoDatabase {
        connection: String,
        strategy: &'static str,
    },
    /// The attribute is a database connection's to keep, and this identity is none's.
    OfDatabase {
        attribute: &'static str,
        connection: String,
        strategy: &'static str,
    },
    /// The source overwrites it whenever it says something: `policy` is the word that decides.
    Owned {
        attribute: &'static str,
        connection: String,
        policy: String,
    },
    /// No identity of the person is of this connection.
    NoIdentity {
        connection: String,
    },
    /// Linking somebody to themselves.
    Itself,
    /// The identity is part of the person, or of somebody else, already.
    AlreadyLinked,
    /// Nobody is called so who could be linked.
    NoSecondary,
    /// The person has no such identity.
    NotLinked,
    /// The primary identity is the profile's.
    PrimaryStays,
    TooManyIdentities {
        max: usize,
    },
    /// Another customer's.
    OtherOrganization,
    /// No link of that profile is known any more.
    NothingToUndo,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("The user does not exist."),
            Self::VersionMismatch => f.write_str("The user was changed meanwhile: read it again and repeat."),
            Self::Exists { .. } => f.write_str("The user already exists."),
            Self::Erased => f.write_str("The person asked to be erased, and does not come back under this id."),
            Self::TooLarge { bytes_max } => write!(f, "The profile would be larger than {bytes_max} bytes."),
            Self::NoDatabase { connection, strategy } => write!(
                f,
                "The operation is not supported on connection {connection} ({strategy}): its people come from the source. \
                 Users can be created on database connections."
            ),
            Self::OfDatabase { attribute, connection, strategy } => write!(
                f,
                "The attribute {attribute} can't be updated on connection {connection} ({strategy}): it comes from the source."
            ),
            Self::Owned { attribute, connection, policy } => write!(
                f,
                "The attribute {attribute} can't be updated: connection {connection} writes it at every change of its source \
                 ({policy}), which would overwrite this."
            ),
            Self::Itself => f.write_str("Main identity and the new one are the same."),
            Self::AlreadyLinked => f.write_str("The specified identity is already linked to a user."),
            Self::NoSecondary => f.write_str("The user to link does not exist."),
            Self::NotLinked => f.write_str("The user has no such identity."),
            Self::PrimaryStays => f.write_str("The primary identity of a user can't be unlinked."),
            Self::TooManyIdentities { max } => write!(f, "A user has at most {max} identities."),
            Self::OtherOrganization => {
                f.write_str("The two users belong to different organizations: an administrator may link them.")
            }
            Self::NothingToUndo => f.write_str("No link of that user is known that could be undone: it may be too long ago."),
            Self::NoIdentity { connection } => write!(f, "The user has no identity on connection {connection}."),
        }
    }
}
