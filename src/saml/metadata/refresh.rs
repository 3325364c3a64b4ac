//! Reads metadata where it is, has [`decide`] say what it changes, and writes that. Whatever goes wrong, the last good
//! document stays in force.

use super::certificates::{self, Counted, last_end, warned_since};
use super::decide::{Fresh, Hold, InForce, Plan, Refuse, Word, decide};
use super::place::{self, Document, Failure, Found, Place, asked};
use super::{known, times};
use crate::clock::{Clock, Entropy, Micros};
use crate::model::connection::Connection;
use crate::outbound::{Outbound, Validators};
use crate::store::audit::Audit;
use crate::store::saml_metadata::{self, MetadataRow};
use crate::store::{self, Batch, Store, connections};
use rosterd_saml::metadata::IdpMetadata;

/// How often a write goes round again that another was faster than.
const ROUNDS_MAX: usize = 5;
/// What is kept of a failure.
const ERROR_CHARS_MAX: usize = 1_000;

/// What reading came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Unchanged,
    Taken {
        added: Vec<String>,
        missed: Vec<String>,
    },
    Held(Hold),
    Failed(Failure),
    /// Another place was set meanwhile: what was read at the former one is of no use any more.
    Superseded,
}

/// What an approval came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Approval {
    NothingWaits,
    /// Another document waits than the one that was looked at.
    AnotherWaits,
    Approved(Outcome),
}

/// Everything it takes.
#[derive(Clone)]
pub struct Refresher {
    pub store: Store,
    pub outbound: Outbound,
    pub clock: Clock,
    pub entropy: Entropy,
}

/// Who wants it, and what that says of the document.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    pub actor: &'a str,
    pub word: Word,
    /// The document is sent whatever is known of it.
    pub anew: bool,
}

impl Refresher {
    /// Reads the metadata in its turn, or because `actor` wants it.
    pub async fn refresh(&self, connection: &Connection, actor: &str) -> Result<Outcome, store::Error> {
        self.read(connection, By { actor, word: Word::Place, anew: false }).await
    }

    /// Takes a document that an administrator gave.
    pub async fn paste(&self, connection: &Connection, bytes: Vec<u8>, actor: &str) -> Result<Outcome, store::Error> {
        saml_metadata::ensure(&self.store, connection).await?;
        match place::given(bytes) {
            Ok(document) => {
                let by = By { actor, word: Word::Administrator, anew: true };
                self.settle(connection, &document, Place::Paste.origin(), by).await
            }
            Err(failure) => Ok(Outcome::Failed(failure)),
        }
    }

    /// Takes the document that waits if it is the one that was `shown`: its [`digest`](place::digest), whole. Whoever publishes can
    /// put another one in its place at any moment, and make two that begin alike.
    pub async fn approve(&self, connection: &Connection, shown: &str, actor: &str) -> Result<Approval, store::Error> {
        let Some(row) = saml_metadata::find(&self.store, connection).await? else { return Ok(Approval::NothingWaits) };
        let Some(text) = row.waiting_document else { return Ok(Approval::NothingWaits) };
        if place::digest(&text) != shown {
            return Ok(Approval::AnotherWaits);
        }
        let validators = Validators { etag: row.etag, last_modified: row.last_modified };
        let document = Document { text, validators, is_page: false };
        let by = By { actor, word: Word::Administrator, anew: true };
        self.settle(connection, &document, Place::of(connection).origin(), by).await.map(Approval::Approved)
    }

    pub(super) async fn read(&self, connection: &Connection, by: By<'_>) -> Result<Outcome, store::Error> {
        saml_metadata::ensure(&self.store, connection).await?;
        let row = saml_metadata::find(&self.store, connection).await?.ok_or(store::Error::Stale)?;
        let place = Place::of(connection);
        let is_known = row.asked.as_deref() == Some(asked(connection).as_str());
        // Of one that can't be read any more "not modified" would say nothing.
        let known = match is_known && !by.anew && known(&row).is_ok() {
            true => Validators { etag: row.etag.clone(), last_modified: row.last_modified.clone() },
            false => Validators::default(),
        };
        let found = match (place, &row.document) {
            // What was pasted stays; another entity of it may be meant now.
            (Place::Paste, Some(text)) => {
                Ok(Found::Document(Document { text: text.clone(), validators: Validators::default(), is_page: false }))
            }
            _ => place::read(place, connection, known, &self.outbound).await,
        };
        if !self.is_current(connection).await? {
            return Ok(Outcome::Superseded);
        }
        match found {
            Ok(Found::NotModified) => match lapsed(connection, &row, self.clock.now()) {
                // It is what it was, and says less than it did: a grace is over.
                Some(document) => {
                    let origin = row.origin.as_deref().unwrap_or(place.origin());
                    self.settle(connection, &document, origin, by).await
                }
                None => self.seen_again(connection, row).await,
            },
            Ok(Found::Document(document)) => {
                let origin = if place == Place::Paste { row.origin.as_deref().unwrap_or("paste") } else { place.origin() };
                self.settle(connection, &document, origin, by).await
            }
            Err(failure) => self.failed(connection, row, failure).await,
        }
    }

    /// Whether what `connection` asks for is what the store has it ask for. A fetch takes its time.
    async fn is_current(&self, connection: &Connection) -> Result<bool, store::Error> {
        let stored = connections::find(&self.store, &connection.tenant_id, &connection.id).await?;
        Ok(stored.is_some_and(|stored| asked(&stored.connection) == asked(connection)))
    }

    /// Has a document decided on and writes what comes of it, again if another writer was faster.
    async fn settle(
        &self,
        connection: &Connection,
        document: &Document,
        origin: &str,
        by: By<'_>,
    ) -> Result<Outcome, store::Error> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            let row = saml_metadata::find(&self.store, connection).await?.ok_or(store::Error::Stale)?;
            // After the row: if another place is set only now, its document is written over this one or makes this write stale.
            if !self.is_current(connection).await? {
                return Ok(Outcome::Superseded);
            }
            match self.settle_once(connection, row, document, origin, by).await {
                Err(store::Error::Stale) if rounds < ROUNDS_MAX => {}
                settled => return settled,
            }
        }
    }

    async fn settle_once(
        &self,
        connection: &Connection,
        row: MetadataRow,
        document: &Document,
        origin: &str,
        by: By<'_>,
    ) -> Result<Outcome, store::Error> {
        let now = self.clock.now();
        let metadata = match place::understood(document, connection, now) {
            Ok(metadata) => metadata,
            Err(failure) => return self.failed(connection, row, failure).await,
        };
        let wanted = asked(connection);
        // Where it is read from was set anew, which is an administrator's word.
        let word = if row.asked.as_ref().is_some_and(|asked| *asked != wanted) { Word::Administrator } else { by.word };
        let in_force = in_force(&row, word);
        let grace = certificates::grace(connection.options.saml.certificate_grace_days);
        let fresh = Fresh { text: &document.text, metadata: &metadata };
        let plan = decide(in_force.as_ref(), fresh, now, grace, word);
        let row = self.read_at(now, row, document, &metadata);
        match plan {
            Plan::Refuse(Refuse::NoCertificate) => self.failed(connection, row, Failure::NoCertificate(metadata.unusable)).await,
            Plan::Unchanged if row.asked.as_ref() == Some(&wanted) => {
                let mut batch = Batch::default();
                saml_metadata::touch(&mut batch, connection, &row);
                self.store.apply(batch).await?;
                self.warn(connection, in_force.as_ref().map_or(&[], |in_force| &in_force.certificates), in_force.as_ref(), now);
                Ok(Outcome::Unchanged)
            }
            Plan::Unchanged => {
                let row = MetadataRow { asked: Some(wanted), origin: Some(origin.to_owned()), ..row };
                self.write(connection, &row, None, by).await?;
                Ok(Outcome::Unchanged)
            }
            Plan::Hold(hold) => self.hold(connection, row, document, hold, by).await,
            Plan::Take(taken) => {
                let valid_until = metadata.valid_until.map(|until| until.as_microsecond());
                let row = MetadataRow {
                    asked: Some(wanted),
                    origin: Some(origin.to_owned()),
                    entity_id: Some(metadata.entity_id.clone()),
                    document: Some(document.text.clone()),
                    certificates: certificates::to_json(&taken.certificates),
                    valid_until,
                    taken_at: Some(now),
                    waiting_document: None,
                    waiting_reason: None,
                    waiting_since: None,
                    ..row
                };
                let told = format!(
                    "{} from {origin}; {} certificates added, {} no longer listed",
                    metadata.entity_id,
                    taken.added.len(),
                    taken.missed.len()
                );
                let news = taken.is_news.then_some(("connection.metadata_taken", told.as_str()));
                self.write(connection, &row, news, by).await?;
                if taken.is_news {
                    tracing::info!(connection = %connection.id, what = told, "metadata of an identity provider was taken");
                }
                for refusal in &metadata.unusable {
                    tracing::warn!(connection = %connection.id, %refusal, "a certificate of the metadata can't be used");
                }
                self.warn(connection, &taken.certificates, in_force.as_ref(), now);
                Ok(Outcome::Taken { added: taken.added, missed: taken.missed })
            }
        }
    }

    async fn hold(
        &self,
        connection: &Connection,
        row: MetadataRow,
        document: &Document,
        hold: Hold,
        by: By<'_>,
    ) -> Result<Outcome, store::Error> {
        let is_same = row.waiting_document.as_deref() == Some(document.text.as_str());
        if is_same && row.waiting_reason.as_deref() == Some(hold.code()) {
            let mut batch = Batch::default();
            saml_metadata::touch(&mut batch, connection, &row);
            self.store.apply(batch).await?;
            return Ok(Outcome::Held(hold));
        }
        let row = MetadataRow {
            waiting_document: Some(document.text.clone()),
            waiting_reason: Some(hold.code().to_owned()),
            waiting_since: row.fetched_at,
            ..row
        };
        // Each document that waits is told, since each is approved by its own digest.
        let sha256 = place::digest(&document.text);
        let told = format!("{}; SHA-256 {sha256}", hold.says());
        self.write(connection, &row, Some(("connection.metadata_held", &told)), by).await?;
        tracing::warn!(connection = %connection.id, why = hold.code(), sha256, "metadata waits for an administrator: {}", hold.says());
        Ok(Outcome::Held(hold))
    }

    /// The server says that it is what was read last.
    async fn seen_again(&self, connection: &Connection, row: MetadataRow) -> Result<Outcome, store::Error> {
        let now = self.clock.now();
        let known = known(&row).ok().flatten();
        let held = row.waiting_reason.as_deref().and_then(Hold::parse);
        let (cache, until) = known.as_ref().map_or((None, None), |(metadata, _)| (cache(metadata), metadata.valid_until));
        let before = row.fetched_at;
        let [drawn] = self.entropy.bytes();
        let next_at = times::next_at(now, cache, until.map(|until| until.as_microsecond()), drawn);
        let row = MetadataRow { fetched_at: Some(now), next_at, ..row };
        let mut batch = Batch::default();
        saml_metadata::touch(&mut batch, connection, &row);
        match self.store.apply(batch).await {
            // Another has just read it.
            Ok(()) | Err(store::Error::Stale) => {}
            Err(error) => return Err(error),
        }
        if let (Some((_, counted)), Some(before)) = (&known, before) {
            warn_of_end(connection, counted, before, now);
        }
        Ok(held.map_or(Outcome::Unchanged, Outcome::Held))
    }

    async fn failed(&self, connection: &Connection, row: MetadataRow, failure: Failure) -> Result<Outcome, store::Error> {
        let now = self.clock.now();
        let [drawn] = self.entropy.bytes();
        let told: String = failure.to_string().chars().take(ERROR_CHARS_MAX).collect();
        let next_at = times::retry_at(now, row.failures.saturating_add(1), drawn);
        let row = MetadataRow { failed_at: Some(now), last_error: Some(told), next_at, ..row };
        let mut batch = Batch::default();
        saml_metadata::note_failure(&mut batch, connection, &row);
        match self.store.apply(batch).await {
            // Another took something meanwhile: that it failed here is no news.
            Ok(()) | Err(store::Error::Stale) => {}
            Err(error) => return Err(error),
        }
        Ok(Outcome::Failed(failure))
    }

    /// The row after a document was read.
    fn read_at(&self, now: Micros, row: MetadataRow, document: &Document, metadata: &IdpMetadata) -> MetadataRow {
        let [drawn] = self.entropy.bytes();
        let until = metadata.valid_until.map(|until| until.as_microsecond());
        MetadataRow {
            etag: document.validators.etag.clone(),
            last_modified: document.validators.last_modified.clone(),
            fetched_at: Some(now),
            next_at: times::next_at(now, cache(metadata), until, drawn),
            ..row
        }
    }

    async fn write(
        &self,
        connection: &Connection,
        row: &MetadataRow,
        news: Option<(&str, &str)>,
        by: By<'_>,
    ) -> Result<(), store::Error> {
        let at = self.clock.now();
        let mut batch = Batch::default();
        saml_metadata::save(&mut batch, connection, row);
        if let Some((kind, detail)) = news {
            let (request_id, log_id) = (self.entropy.uuid(at), self.entropy.uuid(at));
            let audit = Audit { actor: by.actor.to_owned(), request_id, log_id, at, from: None };
            saml_metadata::log(&mut batch, connection, kind, detail, &audit);
        }
        self.store.apply(batch).await
    }

    fn warn(&self, connection: &Connection, counted: &[Counted], before: Option<&InForce>, now: Micros) {
        if let Some(before) = before {
            warn_of_end(connection, counted, before.seen_at, now);
        }
    }
}

fn warn_of_end(connection: &Connection, counted: &[Counted], before: Micros, now: Micros) {
    let Some(end) = last_end(counted) else { return };
    if warned_since(end, before, now).is_some() {
        let days = certificates::days_left(end, now);
        tracing::warn!(connection = %connection.id, days, "the last certificate of an identity provider ends soon; logins go on after it");
    }
}

/// What a document is compared with. One that was taken by more lenient rules must not keep a new one out: an administrator's
/// word takes its place, and so does a document of the same entity that lists one of the keys that counted.
fn in_force(row: &MetadataRow, word: Word) -> Option<InForce> {
    let (text, metadata, certificates) = match (known(row), &row.entity_id) {
        (Ok(known), _) => {
            let (metadata, certificates) = known?;
            (row.document.clone().unwrap_or_default(), metadata, certificates)
        }
        (Err(_), Some(entity_id)) if word == Word::Place => {
            (String::new(), nothing_but(entity_id), certificates::legible(&row.certificates))
        }
        (Err(_), _) => return None,
    };
    let seen_at = row.fetched_at.or(row.taken_at).unwrap_or_default();
    Some(InForce { text, metadata, certificates, seen_at, has_waiting: row.waiting_document.is_some() })
}

fn nothing_but(entity_id: &str) -> IdpMetadata {
    IdpMetadata {
        entity_id: entity_id.to_owned(),
        signing: Vec::new(),
        unusable: Vec::new(),
        sign_on: Vec::new(),
        logout: Vec::new(),
        name_id_formats: Vec::new(),
        wants_signed_requests: false,
        valid_until: None,
        cache_duration: None,
        scopes: Vec::new(),
    }
}

/// The document in force, if the grace of a certificate ended since it was taken, and nothing waits.
fn lapsed(connection: &Connection, row: &MetadataRow, now: Micros) -> Option<Document> {
    let grace = certificates::grace(connection.options.saml.certificate_grace_days);
    let (_, counted) = known(row).ok()??;
    let has_lapsed = counted.iter().any(|counted| !counted.counts(now, grace));
    let text = row.document.clone().filter(|_| has_lapsed && row.waiting_document.is_none());
    let validators = Validators { etag: row.etag.clone(), last_modified: row.last_modified.clone() };
    text.map(|text| Document { text, validators, is_page: false })
}

fn cache(metadata: &IdpMetadata) -> Option<Micros> {
    metadata.cache_duration.map(|span| Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX))
}
