//! What a connection knows of its identity provider: which document is in force, which certificates count, and until when.
//!
//! Owns: what a login may believe ([`IdentityProviders::known`]), what a document that was just read changes
//! ([`decide`](mod@decide), pure), where it is read ([`place`]), when it is looked at again ([`times`]) or out of turn (`refetch`), and what is written of it
//! ([`refresh`]). The rows are `store::saml_metadata`'s, reading
//! a document is `rosterd_saml::metadata`'s, with the same scanner that messages meet.
//!
//! Refuses: to believe metadata after its `validUntil`, metadata without a certificate that can be used, and a document of
//! another entity or without any former key that no administrator has approved.

pub mod certificates;
pub mod decide;
pub mod place;
mod refetch;
pub mod refresh;
pub mod times;

use crate::clock::Micros;
use crate::model::connection::Connection;
use crate::model::ids::ConnectionId;
use crate::model::saml::RequestBinding;
use crate::saml::known::Scopes;
use crate::store::saml_metadata::{self, MetadataRow};
use crate::store::{self, Store};
use certificates::Counted;
use jiff::Timestamp;
use rosterd_saml::metadata::{Binding, Endpoint, IdpMetadata};
use rosterd_saml::rule::Refusal;
use rosterd_saml::verify::Certificates;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Documents that are kept read; with more, all are read again.
const KEPT_MAX: usize = 2_000;

/// What a login may believe of the identity provider, at one instant.
#[derive(Clone, Debug)]
pub struct IdentityProvider {
    pub entity_id: String,
    /// Those that count now: at least one.
    pub certificates: Certificates,
    pub sign_on: Vec<Endpoint>,
    pub logout: Vec<Endpoint>,
    pub wants_signed_requests: bool,
    pub name_id_formats: Vec<String>,
    pub scopes: Arc<Scopes>,
    pub valid_until: Option<Timestamp>,
    /// Of what is stored; another one says something else.
    pub version: i64,
}

/// Which of the addresses for one purpose is used, of a binding that is `wanted`; by redirect where either will do.
pub fn endpoint(offered: &[Endpoint], wanted: RequestBinding) -> Option<&Endpoint> {
    let by = |binding| offered.iter().find(|endpoint| endpoint.binding == binding);
    match wanted {
        RequestBinding::Auto => by(Binding::Redirect).or_else(|| by(Binding::Post)),
        RequestBinding::Redirect => by(Binding::Redirect),
        RequestBinding::Post => by(Binding::Post),
    }
}

/// Why nobody can be believed on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("the identity provider's metadata was never read")]
    NoMetadata,
    #[error("the identity provider's metadata has no signing certificate that can be used")]
    NoCertificate,
    #[error("the identity provider's metadata is no longer valid")]
    Expired,
    #[error("the stored metadata can't be read any more, by rules that are stricter now or because it was spoiled")]
    Unreadable,
}

impl Unusable {
    /// The stable reason code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoMetadata => "saml_no_metadata",
            Self::NoCertificate => "saml_no_certificate",
            Self::Expired => "saml_metadata_expired",
            Self::Unreadable => "saml_metadata_unreadable",
        }
    }
}

/// What the connections' identity providers are. One per process: a login asks the store for one number, and what it stands for is
/// kept read.
#[derive(Clone)]
pub struct IdentityProviders {
    store: Store,
    kept: Arc<Mutex<HashMap<ConnectionId, Arc<Read>>>>,
}

/// A row that was read.
struct Read {
    version: i64,
    /// `None`: there is no document yet.
    known: Option<(IdpMetadata, Vec<Counted>)>,
    scopes: Arc<Scopes>,
}

impl IdentityProviders {
    pub fn new(store: Store) -> Self {
        Self { store, kept: Arc::default() }
    }

    /// Whom a login through `connection` may believe at `now`, or why nobody.
    pub async fn known(&self, connection: &Connection, now: Micros) -> Result<Result<IdentityProvider, Unusable>, store::Error> {
        let Some(standing) = saml_metadata::standing(&self.store, connection).await? else {
            return Ok(Err(Unusable::NoMetadata));
        };
        let read = match self.kept(&connection.id, standing.version) {
            Some(read) => read,
            None => match saml_metadata::find(&self.store, connection).await? {
                None => return Ok(Err(Unusable::NoMetadata)),
                Some(row) => {
                    let Ok(known) = known(&row) else { return Ok(Err(Unusable::Unreadable)) };
                    let scopes = known.as_ref().map_or_else(Scopes::default, |(metadata, _)| Scopes::of(&metadata.scopes));
                    self.keep(&connection.id, Read { version: row.version, known, scopes: Arc::new(scopes) })
                }
            },
        };
        let Some((metadata, counted)) = &read.known else { return Ok(Err(Unusable::NoMetadata)) };
        Ok(believed((metadata, &read.scopes), counted, (connection.options.saml.certificate_grace_days, now), read.version))
    }

    fn kept(&self, connection: &ConnectionId, version: i64) -> Option<Arc<Read>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(connection).filter(|read| read.version == version).map(Arc::clone)
    }

    fn keep(&self, connection: &ConnectionId, read: Read) -> Arc<Read> {
        let read = Arc::new(read);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(connection.clone(), Arc::clone(&read));
        read
    }
}

/// What is stored can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// What a row says, whether or not it may still be believed.
pub fn known(row: &MetadataRow) -> Result<Option<(IdpMetadata, Vec<Counted>)>, Unreadable> {
    let (Some(text), Some(entity_id)) = (&row.document, &row.entity_id) else { return Ok(None) };
    let metadata = read_whenever(text, entity_id).map_err(|_| Unreadable)?;
    let counted = certificates::from_json(&row.certificates).ok_or(Unreadable)?;
    Ok(Some((metadata, counted)))
}

/// A document that was taken before, read again: that it may have ended since is for whoever asks.
fn read_whenever(text: &str, entity_id: &str) -> Result<IdpMetadata, Refusal> {
    IdpMetadata::read(text, Some(entity_id), Timestamp::MIN)
}

/// The instant as metadata is compared with.
pub fn instant(at: Micros) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX)
}

fn believed(
    (metadata, scopes): (&IdpMetadata, &Arc<Scopes>),
    counted: &[Counted],
    (grace_days, now): (u32, Micros),
    version: i64,
) -> Result<IdentityProvider, Unusable> {
    if metadata.valid_until.is_some_and(|until| until <= instant(now)) {
        return Err(Unusable::Expired);
    }
    let grace = certificates::grace(grace_days);
    let counting = counted.iter().filter(|counted| counted.counts(now, grace)).map(|counted| counted.certificate.clone());
    Ok(IdentityProvider {
        entity_id: metadata.entity_id.clone(),
        certificates: Certificates::new(counting.collect()).map_err(|_| Unusable::NoCertificate)?,
        sign_on: metadata.sign_on.clone(),
        logout: metadata.logout.clone(),
        wants_signed_requests: metadata.wants_signed_requests,
        name_id_formats: metadata.name_id_formats.clone(),
        scopes: Arc::clone(scopes),
        valid_until: metadata.valid_until,
        version,
    })
}
