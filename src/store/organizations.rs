//! Organizations and the domains they have proven. A domain has one owner in a tenant.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::ids::{IdentityId, OrganizationId, TenantId};
use crate::model::tenant::Organization;

statements! {
    FIND_ORGANIZATION = "SELECT id, name, display_name, version, created_at, updated_at FROM organizations \
        WHERE tenant_id = $1 AND id = $2";
    FIND_ORGANIZATION_BY_NAME = "SELECT id, name, display_name, version, created_at, updated_at FROM organizations \
        WHERE tenant_id = $1 AND name = $2";
    LIST_ORGANIZATIONS = "SELECT id, name, display_name, version, created_at, updated_at FROM organizations \
        WHERE tenant_id = $1 AND name > $2 ORDER BY name LIMIT $3";
    LIST_DOMAINS = "SELECT domain FROM domains WHERE tenant_id = $1 AND organization_id = $2 ORDER BY domain LIMIT 100";
    FIND_DOMAIN = "SELECT organization_id FROM domains WHERE tenant_id = $1 AND domain = $2";
    CONNECTIONS_OF_ORGANIZATION = "SELECT name FROM connections WHERE tenant_id = $1 AND organization_id = $2 ORDER BY name LIMIT 20";
    ORGANIZATION_OF_IDENTITY = "SELECT o.id, o.name, o.display_name FROM identities i \
        JOIN connections c ON c.tenant_id = i.tenant_id AND c.id = i.connection_id \
        JOIN organizations o ON o.tenant_id = c.tenant_id AND o.id = c.organization_id WHERE i.tenant_id = $1 AND i.id = $2";
    INSERT_ORGANIZATION = "INSERT INTO organizations (tenant_id, id, name, display_name, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, 1, $5, $6)";
    UPDATE_ORGANIZATION = "UPDATE organizations SET display_name = $4, version = version + 1, updated_at = $5 \
        WHERE tenant_id = $1 AND id = $2 AND version = $3";
    DELETE_ORGANIZATION = "DELETE FROM organizations WHERE tenant_id = $1 AND id = $2";
    INSERT_DOMAIN = "INSERT INTO domains (tenant_id, domain, organization_id, verified_at) VALUES ($1, $2, $3, $4)";
    DELETE_DOMAIN = "DELETE FROM domains WHERE tenant_id = $1 AND domain = $2 AND organization_id = $3";
}

/// Most domains one organization may have.
pub const DOMAINS_MAX: usize = 100;

async fn organization(store: &Store, tenant: &TenantId, row: &Row) -> Result<Organization, Error> {
    let id = OrganizationId::new(row.text(0)?);
    let domains = store.read(LIST_DOMAINS, args![tenant, &id]).await?;
    Ok(Organization {
        tenant_id: tenant.clone(),
        name: row.text(1)?,
        display_name: row.opt_text(2)?,
        domains: domains.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?,
        version: row.int(3)?,
        created_at: row.int(4)?,
        updated_at: row.int(5)?,
        id,
    })
}

pub async fn find(store: &Store, tenant: &TenantId, id: &OrganizationId) -> Result<Option<Organization>, Error> {
    first(store, tenant, store.read(FIND_ORGANIZATION, args![tenant, id]).await?).await
}

pub async fn find_by_name(store: &Store, tenant: &TenantId, name: &str) -> Result<Option<Organization>, Error> {
    first(store, tenant, store.read(FIND_ORGANIZATION_BY_NAME, args![tenant, name]).await?).await
}

async fn first(store: &Store, tenant: &TenantId, rows: Vec<Row>) -> Result<Option<Organization>, Error> {
    match rows.first() {
        Some(row) => organization(store, tenant, row).await.map(Some),
        None => Ok(None),
    }
}

/// Up to `limit` organizations whose names come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<Organization>, Error> {
    let rows = store.read(LIST_ORGANIZATIONS, args![tenant, after, limit]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(organization(store, tenant, row).await?);
    }
    Ok(found)
}

/// Id, name and display name of the organization by whose connection this identity came.
pub async fn of_identity(
    store: &Store,
    tenant: &TenantId,
    identity: &IdentityId,
) -> Result<Option<(OrganizationId, String, Option<String>)>, Error> {
    let rows = store.read(ORGANIZATION_OF_IDENTITY, args![tenant, identity]).await?;
    let read = |row: &Row| Ok((OrganizationId::new(row.text(0)?), row.text(1)?, row.opt_text(2)?));
    rows.first().map(read).transpose()
}

/// Who owns `domain`.
pub async fn find_domain_owner(store: &Store, tenant: &TenantId, domain: &str) -> Result<Option<OrganizationId>, Error> {
    let rows = store.read(FIND_DOMAIN, args![tenant, domain]).await?;
    rows.first().map(|row| row.text(0).map(OrganizationId::new)).transpose()
}

/// Names of the first connections that belong to the organization.
pub async fn connections(store: &Store, tenant: &TenantId, id: &OrganizationId) -> Result<Vec<String>, Error> {
    let rows = store.read(CONNECTIONS_OF_ORGANIZATION, args![tenant, id]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Refused with [`Error::Conflict`] if the name or a domain is taken.
pub fn create(batch: &mut Batch, new: &Organization, audit: &Audit) {
    let (tenant, display_name) = (&new.tenant_id, new.display_name.as_deref());
    batch.one(INSERT_ORGANIZATION, args![tenant, &new.id, &new.name, display_name, new.created_at, new.updated_at]);
    add_domains(batch, new, &new.domains, audit);
    audit.record(batch, tenant, "organization.created", None, &new.name);
}

/// Writes the display name of `changed` (whose version is the one that was read), `added` and `removed` domains.
pub fn update(batch: &mut Batch, changed: &Organization, added: &[String], removed: &[String], audit: &Audit) {
    let (tenant, display_name) = (&changed.tenant_id, changed.display_name.as_deref());
    batch.one(UPDATE_ORGANIZATION, args![tenant, &changed.id, changed.version, display_name, audit.at]);
    add_domains(batch, changed, added, audit);
    batch.each(DELETE_DOMAIN, removed.iter().map(|domain| args![tenant, domain, &changed.id]).collect());
    audit.record(batch, tenant, "organization.updated", None, &changed.name);
}

fn add_domains(batch: &mut Batch, owner: &Organization, domains: &[String], audit: &Audit) {
    batch.each(INSERT_DOMAIN, domains.iter().map(|domain| args![&owner.tenant_id, domain, &owner.id, audit.at]).collect());
}

pub fn delete(batch: &mut Batch, organization: &Organization, audit: &Audit) {
    batch.one(DELETE_ORGANIZATION, args![&organization.tenant_id, &organization.id]);
    audit.record(batch, &organization.tenant_id, "organization.deleted", None, &organization.name);
}
