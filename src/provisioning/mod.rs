//! The one write path. Every source ends here: `decide` turns a record, the state it meets and the policy into a
//! plan (pure), `apply` turns the plan into one batch, the shells in [`push`], [`push_group`], [`sync`],
//! [`login`] and [`undo`] read before and store after. Owns the rules of the roster (design §3). Refuses to know SCIM, HTTP or SQL.

pub mod apply;
pub mod budget;
pub mod decide;
pub mod decide_group;
pub mod difference;
pub mod group_mapping;
pub mod history;
pub mod inbox;
pub mod login;
pub mod manage;
pub mod mappings;
pub mod plan;
pub mod policy;
pub mod provenance;
pub mod push;
pub mod push_group;
pub mod replay;
pub mod rounds;
pub mod sync;
pub mod sync_group;
pub mod turns;
pub mod undo;
pub mod user_id;

use crate::clock::{Clock, Entropy};
use crate::mapping::Mapping;
use crate::model::connection::{Connection, ConnectionKind};
use crate::profile::Side;
use crate::store::{self, Store};
use decide::{Desk, Moment};
use mappings::{Drafts, Mappings};
use plan::Refusal;
use serde_json::{Map, Value};

/// What stopped a write. A [`Refusal`] is the rules' own answer; the rest stopped us.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("refused: {0}")]
    Refused(Refusal),
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The connection names a mapping that can't run: a matter for the administrator, nothing of the record's.
    #[error("mapping `{name}` can't run: {reason}")]
    Mapping { name: String, reason: String },
}

impl Error {
    fn mapping(name: &str, reason: String) -> Self {
        Self::Mapping { name: name.to_owned(), reason }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What the caller says the row's version has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing was said of it.
    Any,
    /// One of these.
    OneOf(Vec<i64>),
    /// None of these.
    NoneOf(Vec<i64>),
}

impl Expected {
    pub(crate) fn check(&self, version: i64) -> Result<(), Error> {
        match self {
            Self::OneOf(versions) if !versions.contains(&version) => Err(Refusal::VersionMismatch.into()),
            Self::NoneOf(versions) if versions.contains(&version) => Err(Refusal::VersionMismatch.into()),
            _ => Ok(()),
        }
    }
}

/// Who asks, on which connection.
pub struct Request<'a> {
    pub connection: &'a Connection,
    /// `token:{id}`.
    pub actor: &'a str,
    pub request_id: &'a str,
}

/// Reads what a resource can be searched by out of it: attribute name and value key.
pub type ValuesOf = fn(&Map<String, Value>) -> Vec<(String, String)>;

/// Carries writes out. One per process: writers of the same row wait for each other in it.
pub struct Provisioner {
    store: Store,
    clock: Clock,
    entropy: Entropy,
    mappings: Mappings,
    values_of: ValuesOf,
    turns: turns::Turns,
}

impl Provisioner {
    pub fn new(store: Store, clock: Clock, entropy: Entropy, drafts: Drafts, values_of: ValuesOf) -> Self {
        let mappings = Mappings::new(store.clone(), clock.clone(), entropy.clone(), drafts);
        Self { store, clock, entropy, mappings, values_of, turns: turns::Turns::default() }
    }

    /// The mappings it runs, for whoever runs one on the way out.
    pub const fn mappings(&self) -> &Mappings {
        &self.mappings
    }

    fn desk<'a>(&'a self, request: &Request<'a>, mapping: &'a dyn Mapping) -> Desk<'a> {
        let connection = request.connection;
        // A directory is followed and not pushed (decision 0032); everything else that is no login is a push.
        let is_followed = connection.kind == ConnectionKind::Ldap;
        let side = if is_followed { Side::Sync } else { Side::Push };
        let root_attributes = connection.options.root_attributes(!is_followed);
        Desk { moment: self.moment(request), connection, mapping, side, root_attributes }
    }

    fn moment<'a>(&'a self, request: &Request<'a>) -> Moment<'a> {
        let now = self.clock.now();
        Moment {
            now: now - now % 1_000,
            instant: now,
            actor: request.actor,
            request_id: request.request_id,
            entropy: &self.entropy,
        }
    }
}
