//! What is known of the identity provider of a SAML connection. One row per connection, from the first time anything was read
//! or tried. `version` moves with what counts: a login reads it and keeps what it made of the rest.

use super::audit::Audit;
use super::connections::{self, StoredConnection};
use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::clock::Micros;
use crate::model::connection::Connection;
use crate::model::ids::TenantId;

statements! {
    FIND_METADATA = "SELECT asked, origin, entity_id, document, certificates, valid_until, taken_at, etag, last_modified, fetched_at, \
        next_at, waiting_document, waiting_reason, waiting_since, failures, failed_at, last_error, refetched_at, version \
        FROM saml_metadata WHERE tenant_id = $1 AND connection_id = $2";
    METADATA_STANDING = "SELECT version, refetched_at, fetched_at, failed_at, waiting_since FROM saml_metadata \
        WHERE tenant_id = $1 AND connection_id = $2";
    LIST_SAML_CONNECTIONS = "SELECT c.tenant_id, c.id, c.name, c.kind, c.organization_id, c.options, c.version, c.created_at, \
        c.updated_at, m.next_at, m.asked, m.failed_at, m.last_modified FROM connections c LEFT JOIN saml_metadata m ON m.tenant_id = c.tenant_id \
        AND m.connection_id = c.id WHERE c.tenant_id = $1 AND c.kind = 'samlp' AND c.name > $2 ORDER BY c.name LIMIT $3";
    ENSURE_METADATA = "INSERT INTO saml_metadata (tenant_id, connection_id) VALUES ($1, $2) \
        ON CONFLICT (tenant_id, connection_id) DO NOTHING";
    SAVE_METADATA = "UPDATE saml_metadata SET asked = $4, origin = $5, entity_id = $6, document = $7, certificates = $8, \
        valid_until = $9, taken_at = $10, etag = $11, last_modified = $12, fetched_at = $13, next_at = $14, waiting_document = $15, \
        waiting_reason = $16, waiting_since = $17, failures = 0, failed_at = NULL, last_error = NULL, version = version + 1 \
        WHERE tenant_id = $1 AND connection_id = $2 AND version = $3";
    /// Looked at again and found as it was.
    TOUCH_METADATA = "UPDATE saml_metadata SET etag = $4, last_modified = $5, fetched_at = $6, next_at = $7, failures = 0, \
        failed_at = NULL, last_error = NULL WHERE tenant_id = $1 AND connection_id = $2 AND version = $3";
    NOTE_METADATA_FAILURE = "UPDATE saml_metadata SET failures = failures + 1, failed_at = $4, last_error = $5, next_at = $6 \
        WHERE tenant_id = $1 AND connection_id = $2 AND version = $3";
    /// One of all that see it due gets it; whoever then dies lets it be due again at $4.
    CLAIM_METADATA = "UPDATE saml_metadata SET next_at = $4 WHERE tenant_id = $1 AND connection_id = $2 AND next_at = $3";
    /// $4: a fetch out of turn before then is no longer counted.
    CLAIM_REFETCH = "UPDATE saml_metadata SET refetched_at = $3 WHERE tenant_id = $1 AND connection_id = $2 \
        AND (refetched_at IS NULL OR refetched_at <= $4)";
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataRow {
    /// Where the document comes from, and which entity of it is meant.
    pub asked: Option<String>,
    pub origin: Option<String>,
    pub entity_id: Option<String>,
    pub document: Option<String>,
    /// JSON; how it is read is for `saml`.
    pub certificates: String,
    pub valid_until: Option<Micros>,
    pub taken_at: Option<Micros>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub fetched_at: Option<Micros>,
    pub next_at: Micros,
    pub waiting_document: Option<String>,
    pub waiting_reason: Option<String>,
    pub waiting_since: Option<Micros>,
    pub failures: i64,
    pub failed_at: Option<Micros>,
    pub last_error: Option<String>,
    pub refetched_at: Option<Micros>,
    pub version: i64,
}

pub async fn find(store: &Store, connection: &Connection) -> Result<Option<MetadataRow>, Error> {
    let rows = store.read(FIND_METADATA, args![&connection.tenant_id, &connection.id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(MetadataRow {
        asked: row.opt_text(0)?,
        origin: row.opt_text(1)?,
        entity_id: row.opt_text(2)?,
        document: row.opt_text(3)?,
        certificates: row.text(4)?,
        valid_until: row.opt_int(5)?,
        taken_at: row.opt_int(6)?,
        etag: row.opt_text(7)?,
        last_modified: row.opt_text(8)?,
        fetched_at: row.opt_int(9)?,
        next_at: row.int(10)?,
        waiting_document: row.opt_text(11)?,
        waiting_reason: row.opt_text(12)?,
        waiting_since: row.opt_int(13)?,
        failures: row.int(14)?,
        failed_at: row.opt_int(15)?,
        last_error: row.opt_text(16)?,
        refetched_at: row.opt_int(17)?,
        version: row.int(18)?,
    }))
}

/// How far the row is: what a login asks each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub version: i64,
    pub refetched_at: Option<Micros>,
    pub fetched_at: Option<Micros>,
    pub failed_at: Option<Micros>,
    /// Since when a document waits for an administrator.
    pub waiting_since: Option<Micros>,
}

/// `None`: there is no row.
pub async fn standing(store: &Store, connection: &Connection) -> Result<Option<Standing>, Error> {
    let rows = store.read(METADATA_STANDING, args![&connection.tenant_id, &connection.id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Standing {
        version: row.int(0)?,
        refetched_at: row.opt_int(1)?,
        fetched_at: row.opt_int(2)?,
        failed_at: row.opt_int(3)?,
        waiting_since: row.opt_int(4)?,
    }))
}

/// A SAML connection, when its metadata is due, and what was last asked for.
#[derive(Clone, Debug)]
pub struct Listed {
    pub stored: StoredConnection,
    /// `None`: nothing was ever tried.
    pub next_at: Option<Micros>,
    pub asked: Option<String>,
    pub failed_at: Option<Micros>,
    pub last_modified: Option<String>,
}

/// Up to `limit` SAML connections whose names come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<Listed>, Error> {
    let rows = store.read(LIST_SAML_CONNECTIONS, args![tenant, after, limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                stored: connections::stored(row, 0)?,
                next_at: row.opt_int(9)?,
                asked: row.opt_text(10)?,
                failed_at: row.opt_int(11)?,
                last_modified: row.opt_text(12)?,
            })
        })
        .collect()
}

/// From now on there is a row.
pub async fn ensure(store: &Store, connection: &Connection) -> Result<(), Error> {
    let mut batch = Batch::default();
    batch.any(ENSURE_METADATA, args![&connection.tenant_id, &connection.id]);
    store.apply(batch).await
}

/// Writes what counts now; `row.version` is the one that was read. [`Error::Stale`] if another was faster.
pub fn save(batch: &mut Batch, connection: &Connection, row: &MetadataRow) {
    batch.one(
        SAVE_METADATA,
        args![
            &connection.tenant_id,
            &connection.id,
            row.version,
            row.asked.as_ref(),
            row.origin.as_ref(),
            row.entity_id.as_ref(),
            row.document.as_ref(),
            row.certificates.as_str(),
            row.valid_until,
            row.taken_at,
            row.etag.as_ref(),
            row.last_modified.as_ref(),
            row.fetched_at,
            row.next_at,
            row.waiting_document.as_ref(),
            row.waiting_reason.as_ref(),
            row.waiting_since,
        ],
    );
}

/// Its log row: who took which document, or what waits.
pub fn log(batch: &mut Batch, connection: &Connection, kind: &str, detail: &str, audit: &Audit) {
    audit.log(batch, &connection.tenant_id, kind, Some(connection.id.as_str()), detail);
}

/// Moves times alone.
pub fn touch(batch: &mut Batch, connection: &Connection, row: &MetadataRow) {
    batch.one(
        TOUCH_METADATA,
        args![
            &connection.tenant_id,
            &connection.id,
            row.version,
            row.etag.as_ref(),
            row.last_modified.as_ref(),
            row.fetched_at,
            row.next_at,
        ],
    );
}

/// What went wrong, and when it is tried again.
pub fn note_failure(batch: &mut Batch, connection: &Connection, row: &MetadataRow) {
    batch.one(
        NOTE_METADATA_FAILURE,
        args![&connection.tenant_id, &connection.id, row.version, row.failed_at, row.last_error.as_ref(), row.next_at,],
    );
}

/// Takes what is due at `due`, for until `until`. False: another did.
pub async fn claim(store: &Store, connection: &Connection, due: Micros, until: Micros) -> Result<bool, Error> {
    let mut batch = Batch::default();
    batch.one(CLAIM_METADATA, args![&connection.tenant_id, &connection.id, due, until]);
    taken(store.apply(batch).await)
}

/// Takes the right to one fetch out of turn: one of all replicas gets it, once in `span`.
pub async fn claim_refetch(store: &Store, connection: &Connection, now: Micros, span: Micros) -> Result<bool, Error> {
    let mut batch = Batch::default();
    batch.one(CLAIM_REFETCH, args![&connection.tenant_id, &connection.id, now, now.saturating_sub(span)]);
    taken(store.apply(batch).await)
}

fn taken(applied: Result<(), Error>) -> Result<bool, Error> {
    match applied {
        Ok(()) => Ok(true),
        Err(Error::Stale) => Ok(false),
        Err(error) => Err(error),
    }
}
