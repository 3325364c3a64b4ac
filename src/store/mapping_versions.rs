//! Published mappings. A version is never changed; the newest one runs.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::ids::TenantId;

statements! {
    LATEST_MAPPING_VERSION = "SELECT name, version, language, text, includes, checksum, published_at, published_by FROM mapping_versions \
        WHERE tenant_id = $1 AND name = $2 ORDER BY version DESC LIMIT 1";
    FIND_MAPPING_VERSION = "SELECT name, version, language, text, includes, checksum, published_at, published_by FROM mapping_versions \
        WHERE tenant_id = $1 AND name = $2 AND version = $3";
    LIST_LATEST_MAPPING_VERSIONS = "SELECT m.name, m.version, m.language, m.text, m.includes, m.checksum, m.published_at, m.published_by \
        FROM mapping_versions m WHERE m.tenant_id = $1 AND m.name > $2 AND m.version = (SELECT max(n.version) \
        FROM mapping_versions n WHERE n.tenant_id = m.tenant_id AND n.name = m.name) ORDER BY m.name LIMIT $3";
    LIST_VERSIONS = "SELECT name, version, language, text, includes, checksum, published_at, published_by FROM mapping_versions \
        WHERE tenant_id = $1 AND name = $2 AND version < $3 ORDER BY version DESC LIMIT $4";
    INSERT_MAPPING_VERSION = "INSERT INTO mapping_versions (tenant_id, name, version, language, text, includes, checksum, published_at, published_by) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
}

/// One published text of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingVersion {
    pub name: String,
    pub version: i64,
    /// `mapping` or `javascript`.
    pub language: String,
    pub text: String,
    /// What the text includes: a JSON object of path and contents.
    pub includes: String,
    pub checksum: String,
    pub published_at: i64,
    pub published_by: String,
}

fn version(row: &Row) -> Result<MappingVersion, Error> {
    Ok(MappingVersion {
        name: row.text(0)?,
        version: row.int(1)?,
        language: row.text(2)?,
        text: row.text(3)?,
        includes: row.text(4)?,
        checksum: row.text(5)?,
        published_at: row.int(6)?,
        published_by: row.text(7)?,
    })
}

/// What runs under `name`; `None` if nothing was published.
pub async fn latest(store: &Store, tenant: &TenantId, name: &str) -> Result<Option<MappingVersion>, Error> {
    store.read(LATEST_MAPPING_VERSION, args![tenant, name]).await?.first().map(version).transpose()
}

pub async fn find(store: &Store, tenant: &TenantId, name: &str, number: i64) -> Result<Option<MappingVersion>, Error> {
    store.read(FIND_MAPPING_VERSION, args![tenant, name, number]).await?.first().map(version).transpose()
}

/// The newest version of up to `limit` mappings whose names come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<MappingVersion>, Error> {
    store.read(LIST_LATEST_MAPPING_VERSIONS, args![tenant, after, limit]).await?.iter().map(version).collect()
}

/// Up to `limit` versions of a mapping before the one of this number, the newest first.
pub async fn versions(
    store: &Store,
    tenant: &TenantId,
    name: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<MappingVersion>, Error> {
    store.read(LIST_VERSIONS, args![tenant, name, before, limit]).await?.iter().map(version).collect()
}

/// Publishes `new`. [`Error::Conflict`] if another one published that number meanwhile: read [`latest`] again.
pub fn publish(batch: &mut Batch, tenant: &TenantId, new: &MappingVersion, audit: &Audit) {
    insert(batch, tenant, new);
    audit.record(batch, tenant, "mapping.published", None, &format!("{} version {}", new.name, new.version));
}

/// The row alone, for a batch that sets a tenant up with its first mapping.
pub fn insert(batch: &mut Batch, tenant: &TenantId, new: &MappingVersion) {
    batch.one(
        INSERT_MAPPING_VERSION,
        args![
            tenant,
            &new.name,
            new.version,
            &new.language,
            &new.text,
            &new.includes,
            &new.checksum,
            new.published_at,
            &new.published_by
        ],
    );
}
