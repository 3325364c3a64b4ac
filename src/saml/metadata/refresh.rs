//! Reads metadata where it is, has [`decide`] say what it changes, and writes that. Whatever goes wrong, the last good
//! document stays in force.

use super::certificates::{self, Counted, last_end, warned_since};
use super::decide::{Fresh, Hold, InForce, Plan, Refuse, Word, decide};
use super::place::{self, Document, Failure, Found, Place, asked};
use super::{known, times};
use crate::clock::{Clock, Entropy, Micros, SECOND};
use crate::model::connection::Connection;
use crate::outbound::{Outbound, Validators};
use crate::store::audit::Audit;
use crate::store::saml_metadata::{self, MetadataRow};
use crate::store::{self, Batch, Store};
use rosterd_saml::metadata::IdpMetadata;

/// Between two fetches out of turn, over all replicas.
const REFETCH_SPAN: Micros = 600 * SECOND;
/// How often a write goes round again that another was faster than.
const ROUNDS_MAX: usize = 5;
/// What is kept of a failure.
const ERROR_CHARS_MAX: usize = 1_000;

/// What reading came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Unchanged,
    Taken { added: Vec<String>, missed: Vec<String> },
    Held(Hold),
    Failed(Failure),
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
struct By<'a> {
    actor: &'a str,
    word: Word,
    /// The document is sent whatever is known of it.
    anew: bool,
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

    /// Takes the document that waits. `None`: none does.
    pub async fn approve(&self, connection: &Connection, actor: &str) -> Result<Option<Outcome>, store::Error> {
        let Some(row) = saml_metadata::find(&self.store, connection).await? else { return Ok(None) };
        let Some(text) = row.waiting_document else { return Ok(None) };
        let validators = Validators { etag: row.etag, last_modified: row.last_modified };
        let document = Document { text, validators, is_page: false };
        let by = By { actor, word: Word::Administrator, anew: true };
        self.settle(connection, &document, Place::of(connection).origin(), by).await.map(Some)
    }

    /// After a signature that no certificate verified: the identity provider may have rolled over since it was last read. `used`: the
    /// version of what the signature was checked with. Whether there is anything new to check it with; one fetch per ten
    /// minutes and connection, however many ask, since anybody can send a wrong signature.
    pub async fn refetch_after_failed_signature(&self, connection: &Connection, used: i64) -> Result<bool, store::Error> {
        if saml_metadata::version(&self.store, connection).await?.is_some_and(|version| version != used) {
            return Ok(true);
        }
        let may = Place::of(connection) != Place::Paste
            && saml_metadata::claim_refetch(&self.store, connection, self.clock.now(), REFETCH_SPAN).await?;
        if !may {
            return Ok(false);
        }
        let outcome = self.read(connection, By { actor: "login", word: Word::Place, anew: true }).await?;
        if let Outcome::Failed(failure) = &outcome {
            tracing::warn!(connection = %connection.id, %failure, "metadata could not be read again after a signature nobody verifies");
        }
        Ok(matches!(outcome, Outcome::Taken { added, .. } if !added.is_empty()))
    }

    async fn read(&self, connection: &Connection, by: By<'_>) -> Result<Outcome, store::Error> {
        saml_metadata::ensure(&self.store, connection).await?;
        let row = saml_metadata::find(&self.store, connection).await?.ok_or(store::Error::Stale)?;
        let place = Place::of(connection);
        let is_known = row.asked.as_deref() == Some(asked(connection).as_str());
        let known = match is_known && !by.anew {
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
        match found {
            Ok(Found::NotModified) => self.seen_again(connection, row).await,
            Ok(Found::Document(document)) => {
                let origin = if place == Place::Paste { row.origin.as_deref().unwrap_or("paste") } else { place.origin() };
                self.settle(connection, &document, origin, by).await
            }
            Err(failure) => self.failed(connection, row, failure).await,
        }
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
        let in_force = in_force(&row)?;
        let wanted = asked(connection);
        // Where it is read from was set anew, which is an administrator's word.
        let word = if row.asked.as_ref().is_some_and(|asked| *asked != wanted) { Word::Administrator } else { by.word };
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
        let since = row.waiting_since.filter(|_| row.waiting_reason.as_deref() == Some(hold.code())).or(row.fetched_at);
        let is_new = row.waiting_reason.as_deref() != Some(hold.code());
        let row = MetadataRow {
            waiting_document: Some(document.text.clone()),
            waiting_reason: Some(hold.code().to_owned()),
            waiting_since: since,
            ..row
        };
        self.write(connection, &row, is_new.then_some(("connection.metadata_held", hold.says())), by).await?;
        if is_new {
            tracing::warn!(connection = %connection.id, why = hold.code(), "metadata waits for an administrator: {}", hold.says());
        }
        Ok(Outcome::Held(hold))
    }

    /// The server says that it is what was read last.
    async fn seen_again(&self, connection: &Connection, row: MetadataRow) -> Result<Outcome, store::Error> {
        let now = self.clock.now();
        let known = known(&row)?;
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
            let audit = Audit { actor: by.actor.to_owned(), request_id, log_id, at };
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

fn in_force(row: &MetadataRow) -> Result<Option<InForce>, store::Error> {
    let Some((metadata, certificates)) = known(row)? else { return Ok(None) };
    Ok(Some(InForce {
        text: row.document.clone().unwrap_or_default(),
        metadata,
        certificates,
        seen_at: row.fetched_at.or(row.taken_at).unwrap_or_default(),
        has_waiting: row.waiting_document.is_some(),
    }))
}

fn cache(metadata: &IdpMetadata) -> Option<Micros> {
    metadata.cache_duration.map(|span| Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX))
}
