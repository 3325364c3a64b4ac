//! Tenants. Two of these look-ups carry no tenant because they find one: by host, and the list of all.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::ids::TenantId;
use crate::model::tenant::{DEFAULT_TENANT, Tenant};

statements! {
    ANY_TENANT = "SELECT tenant_id FROM tenants LIMIT 1";
    FIND_TENANT = "SELECT tenant_id, name, host, version, created_at, updated_at FROM tenants WHERE tenant_id = $1";
    /// Look-up without a tenant: the oldest one wins if two claim a host.
    FIND_TENANT_BY_HOST = "SELECT tenant_id, name, host, version, created_at, updated_at FROM tenants WHERE host = $1 \
        ORDER BY created_at, tenant_id LIMIT 1";
    LIST_TENANTS = "SELECT tenant_id, name, host, version, created_at, updated_at FROM tenants WHERE tenant_id > $1 \
        ORDER BY tenant_id LIMIT $2";
    TENANT_VERSION = "SELECT version FROM tenants WHERE tenant_id = $1";
    INSERT_TENANT = "INSERT INTO tenants (tenant_id, name, host, options, version, created_at, updated_at) \
        VALUES ($1, $2, $3, '{}', 1, $4, $5)";
    UPDATE_TENANT = "UPDATE tenants SET host = $3, version = version + 1, updated_at = $4 WHERE tenant_id = $1 AND version = $2";
    TENANT_OPTIONS = "SELECT options FROM tenants WHERE tenant_id = $1";
    /// Stale unless its version is still the one that was read.
    SET_OPTIONS = "UPDATE tenants SET options = $3, version = version + 1, updated_at = $4 WHERE tenant_id = $1 AND version = $2";
    DELETE_TENANT_LOG = "DELETE FROM log WHERE tenant_id = $1";
    DELETE_TENANT_OUTBOX = "DELETE FROM outbox WHERE tenant_id = $1";
    DELETE_TENANT_CONFLICTS = "DELETE FROM conflicts WHERE tenant_id = $1";
    DELETE_TENANT_TOMBSTONES = "DELETE FROM tombstones WHERE tenant_id = $1";
    DELETE_TENANT_COUNTERS = "DELETE FROM counters WHERE tenant_id = $1";
    DELETE_TENANT_LEASES = "DELETE FROM leases WHERE tenant_id = $1";
    DELETE_TENANT = "DELETE FROM tenants WHERE tenant_id = $1";
    ANY_USER = "SELECT id FROM users WHERE tenant_id = $1 LIMIT 1";
    ANY_CONNECTION = "SELECT id FROM connections WHERE tenant_id = $1 LIMIT 1";
}

fn tenant(row: &Row) -> Result<Tenant, Error> {
    Ok(Tenant {
        id: TenantId::new(row.text(0)?),
        name: row.text(1)?,
        host: row.opt_text(2)?,
        version: row.int(3)?,
        created_at: row.int(4)?,
        updated_at: row.int(5)?,
    })
}

/// Whether nothing was ever set up.
pub async fn none_exists(store: &Store) -> Result<bool, Error> {
    Ok(store.read(ANY_TENANT, args![]).await?.is_empty())
}

pub async fn find(store: &Store, id: &TenantId) -> Result<Option<Tenant>, Error> {
    store.read(FIND_TENANT, args![id]).await?.first().map(tenant).transpose()
}

/// The tenant that answers `host` (see [`crate::model::tenant::host_key`]); `default` answers all others.
pub async fn find_by_host(store: &Store, host: &str) -> Result<Option<Tenant>, Error> {
    match store.read(FIND_TENANT_BY_HOST, args![host]).await?.first() {
        Some(row) => tenant(row).map(Some),
        None => find(store, &TenantId::new(DEFAULT_TENANT)).await,
    }
}

/// Up to `limit` tenants whose ids come after `after` (at first "").
pub async fn list(store: &Store, after: &str, limit: i64) -> Result<Vec<Tenant>, Error> {
    store.read(LIST_TENANTS, args![after, limit]).await?.iter().map(tenant).collect()
}

/// What caches compare; `None` when the tenant is gone.
pub async fn version(store: &Store, id: &TenantId) -> Result<Option<i64>, Error> {
    store.read(TENANT_VERSION, args![id]).await?.first().map(|row| row.int(0)).transpose()
}

/// Whether the tenant holds nobody and no connection.
pub async fn is_empty(store: &Store, id: &TenantId) -> Result<bool, Error> {
    let (users, connections) = (store.read(ANY_USER, args![id]).await?, store.read(ANY_CONNECTION, args![id]).await?);
    Ok(users.is_empty() && connections.is_empty())
}

/// Refused with [`Error::Conflict`] if the name is taken.
pub fn create(batch: &mut Batch, new: &Tenant, audit: &Audit) {
    batch.one(INSERT_TENANT, args![&new.id, &new.name, new.host.as_deref(), new.created_at, new.updated_at]);
    audit.log(batch, &new.id, "tenant.created", None, &new.name);
}

/// Writes the host of `changed`, whose version is the one that was read.
pub fn update(batch: &mut Batch, changed: &Tenant, audit: &Audit) {
    batch.one(UPDATE_TENANT, args![&changed.id, changed.version, changed.host.as_deref(), audit.at]);
    audit.log(batch, &changed.id, "tenant.updated", None, &changed.name);
}

/// What of a tenant differs from what is configured for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantOptions {
    /// For how many days its log is kept.
    pub log_days: Option<i64>,
}

pub async fn options(store: &Store, id: &TenantId) -> Result<TenantOptions, Error> {
    let rows = store.read(TENANT_OPTIONS, args![id]).await?;
    let Some(row) = rows.first() else { return Ok(TenantOptions::default()) };
    let options: serde_json::Value =
        serde_json::from_str(&row.text(0)?).map_err(|_| Error::Corrupt { what: "tenants.options is no JSON" })?;
    Ok(TenantOptions { log_days: options["log_days"].as_i64() })
}

/// Writes the options of a tenant, whose version is the one that was read.
pub fn set_options(batch: &mut Batch, tenant: &Tenant, options: TenantOptions, audit: &Audit) {
    let text = match options.log_days {
        Some(days) => serde_json::json!({ "log_days": days }),
        None => serde_json::json!({}),
    };
    batch.one(SET_OPTIONS, args![&tenant.id, tenant.version, text.to_string(), audit.at]);
    audit.log(batch, &tenant.id, "tenant.updated", None, &tenant.name);
}

/// Removes an empty tenant and what it leaves behind. Its log goes with it, so no row can tell of it.
pub fn delete(batch: &mut Batch, id: &TenantId) {
    for sql in [
        DELETE_TENANT_LOG,
        DELETE_TENANT_OUTBOX,
        DELETE_TENANT_CONFLICTS,
        DELETE_TENANT_TOMBSTONES,
        DELETE_TENANT_COUNTERS,
        DELETE_TENANT_LEASES,
    ] {
        batch.any(sql, args![id]);
    }
    batch.one(DELETE_TENANT, args![id]);
}
