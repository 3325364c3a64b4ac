//! Connections. One look-up carries no tenant: by id, for paths that name nothing else.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::connection::Options;
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::ids::{ConnectionId, OrganizationId, TenantId};
use serde_json::{Map, Value as Json};

statements! {
    FIND_CONNECTION = "SELECT tenant_id, id, name, kind, organization_id, options, version, created_at, updated_at \
        FROM connections WHERE tenant_id = $1 AND id = $2";
    FIND_CONNECTION_BY_NAME = "SELECT tenant_id, id, name, kind, organization_id, options, version, created_at, updated_at \
        FROM connections WHERE tenant_id = $1 AND name = $2";
    /// Look-up without a tenant: ids are random, so there is one at most.
    FIND_CONNECTION_ANYWHERE = "SELECT tenant_id, id, name, kind, organization_id, options, version, created_at, updated_at \
        FROM connections WHERE id = $1 ORDER BY created_at, tenant_id LIMIT 1";
    LIST_CONNECTIONS = "SELECT tenant_id, id, name, kind, organization_id, options, version, created_at, updated_at \
        FROM connections WHERE tenant_id = $1 AND name > $2 ORDER BY name LIMIT $3";
    /// Of the kinds in a list with commas around each; an empty one: of all.
    LIST_CONNECTIONS_OF_KINDS = "SELECT tenant_id, id, name, kind, organization_id, options, version, created_at, updated_at \
        FROM connections WHERE tenant_id = $1 AND ($2 = '' OR $2 LIKE '%,' || kind || ',%') AND name > $3 ORDER BY name LIMIT $4 OFFSET $5";
    COUNT_CONNECTIONS_OF_KINDS = "SELECT count(*) FROM connections WHERE tenant_id = $1 AND ($2 = '' OR $2 LIKE '%,' || kind || ',%')";
    /// Connections that people may come by, of one organization.
    WAYS_IN_OF_ORGANIZATION = "SELECT tenant_id, id, name, kind, organization_id, options, version, created_at, updated_at \
        FROM connections WHERE tenant_id = $1 AND organization_id = $2 AND kind NOT IN ('scim', 'database') ORDER BY name LIMIT $3";
    /// And those of none.
    WAYS_IN = "SELECT tenant_id, id, name, kind, organization_id, options, version, created_at, updated_at \
        FROM connections WHERE tenant_id = $1 AND organization_id IS NULL AND kind NOT IN ('scim', 'database') ORDER BY name LIMIT $2";
    ANY_WAY_IN_OF_AN_ORGANIZATION = "SELECT id FROM connections WHERE tenant_id = $1 AND organization_id IS NOT NULL AND kind NOT IN ('scim', 'database') LIMIT 1";
    /// Where a password is asked for.
    WITH_PASSWORDS = "SELECT tenant_id, id, name, kind, organization_id, options, version, created_at, updated_at \
        FROM connections WHERE tenant_id = $1 AND kind IN ('ldap', 'database') ORDER BY name LIMIT $2";
    CONNECTION_SECRETS = "SELECT secrets FROM connections WHERE tenant_id = $1 AND id = $2";
    ANY_IDENTITY_OF_CONNECTION = "SELECT id FROM identities WHERE tenant_id = $1 AND connection_id = $2 LIMIT 1";
    INSERT_CONNECTION = "INSERT INTO connections (tenant_id, id, name, kind, organization_id, options, secrets, version, \
        created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9)";
    UPDATE_CONNECTION = "UPDATE connections SET organization_id = $4, options = $5, version = version + 1, updated_at = $6 \
        WHERE tenant_id = $1 AND id = $2 AND version = $3";
    UPDATE_CONNECTION_AND_SECRETS = "UPDATE connections SET organization_id = $4, options = $5, secrets = $6, \
        version = version + 1, updated_at = $7 WHERE tenant_id = $1 AND id = $2 AND version = $3";
    DELETE_CONNECTION = "DELETE FROM connections WHERE tenant_id = $1 AND id = $2 AND version = $3";
}

/// A connection and the options somebody set; its `options` hold the defaults too.
#[derive(Clone, Debug)]
pub struct StoredConnection {
    pub connection: Connection,
    pub set: Map<String, Json>,
}

/// Reads the nine columns of a connection that begin at `from`.
pub(super) fn stored(row: &Row, from: usize) -> Result<StoredConnection, Error> {
    let kind =
        ConnectionKind::parse(&row.text(from + 3)?).ok_or(Error::Corrupt { what: "the kind of a connection is unknown" })?;
    let set: Map<String, Json> = serde_json::from_str(&row.text(from + 5)?)
        .map_err(|_| Error::Corrupt { what: "options of a connection are no JSON object" })?;
    let options = Options::parse(kind, &set).map_err(|_| Error::Corrupt { what: "an option of a connection is not valid" })?;
    let connection = Connection {
        tenant_id: TenantId::new(row.text(from)?),
        id: ConnectionId::new(row.text(from + 1)?),
        name: row.text(from + 2)?,
        kind,
        organization_id: row.opt_text(from + 4)?.map(OrganizationId::new),
        options,
        version: row.int(from + 6)?,
        created_at: row.int(from + 7)?,
        updated_at: row.int(from + 8)?,
    };
    Ok(StoredConnection { connection, set })
}

fn first(rows: &[Row]) -> Result<Option<StoredConnection>, Error> {
    rows.first().map(|row| stored(row, 0)).transpose()
}

pub async fn find(store: &Store, tenant: &TenantId, id: &ConnectionId) -> Result<Option<StoredConnection>, Error> {
    first(&store.read(FIND_CONNECTION, args![tenant, id]).await?)
}

pub async fn find_by_name(store: &Store, tenant: &TenantId, name: &str) -> Result<Option<StoredConnection>, Error> {
    first(&store.read(FIND_CONNECTION_BY_NAME, args![tenant, name]).await?)
}

/// For a path that carries only the id.
pub async fn find_anywhere(store: &Store, id: &ConnectionId) -> Result<Option<StoredConnection>, Error> {
    first(&store.read(FIND_CONNECTION_ANYWHERE, args![id]).await?)
}

/// Up to `limit` connections by which people may come of this organization, or of none, by name.
pub async fn ways_in(
    store: &Store,
    tenant: &TenantId,
    organization: Option<&OrganizationId>,
    limit: i64,
) -> Result<Vec<StoredConnection>, Error> {
    let rows = match organization {
        Some(organization) => store.read(WAYS_IN_OF_ORGANIZATION, args![tenant, organization, limit]).await?,
        None => store.read(WAYS_IN, args![tenant, limit]).await?,
    };
    rows.iter().map(|row| stored(row, 0)).collect()
}

/// Up to `limit` connections where people sign in with a password, by name.
pub async fn with_passwords(store: &Store, tenant: &TenantId, limit: i64) -> Result<Vec<StoredConnection>, Error> {
    store.read(WITH_PASSWORDS, args![tenant, limit]).await?.iter().map(|row| stored(row, 0)).collect()
}

/// Is there a way in that belongs to an organization?
pub async fn has_way_in_of_an_organization(store: &Store, tenant: &TenantId) -> Result<bool, Error> {
    Ok(!store.read(ANY_WAY_IN_OF_AN_ORGANIZATION, args![tenant]).await?.is_empty())
}

/// Up to `limit` connections whose names come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<StoredConnection>, Error> {
    store.read(LIST_CONNECTIONS, args![tenant, after, limit]).await?.iter().map(|row| stored(row, 0)).collect()
}

/// The same of these kinds (none named: of all), without the first `offset`.
pub async fn list_of(
    store: &Store,
    tenant: &TenantId,
    kinds: &[&str],
    after: &str,
    limit: i64,
    offset: i64,
) -> Result<Vec<StoredConnection>, Error> {
    let rows = store.read(LIST_CONNECTIONS_OF_KINDS, args![tenant, listed(kinds), after, limit, offset]).await?;
    rows.iter().map(|row| stored(row, 0)).collect()
}

pub async fn count_of(store: &Store, tenant: &TenantId, kinds: &[&str]) -> Result<i64, Error> {
    let rows = store.read(COUNT_CONNECTIONS_OF_KINDS, args![tenant, listed(kinds)]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

fn listed(kinds: &[&str]) -> String {
    if kinds.is_empty() { String::new() } else { format!(",{},", kinds.join(",")) }
}

/// The sealed options (sealed for the place `connection ID`).
pub async fn secrets(store: &Store, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Vec<u8>>, Error> {
    let rows = store.read(CONNECTION_SECRETS, args![tenant, id]).await?;
    Ok(rows.first().map(|row| row.opt_bytes(0)).transpose()?.flatten())
}

/// Whether somebody came in through it, also somebody who left.
pub async fn has_identities(store: &Store, tenant: &TenantId, id: &ConnectionId) -> Result<bool, Error> {
    Ok(!store.read(ANY_IDENTITY_OF_CONNECTION, args![tenant, id]).await?.is_empty())
}

/// Refused with [`Error::Conflict`] if the name is taken.
pub fn create(batch: &mut Batch, new: &StoredConnection, sealed: Option<Vec<u8>>, audit: &Audit) {
    insert(batch, new, sealed);
    let Connection { tenant_id, id, name, .. } = &new.connection;
    audit.record(batch, tenant_id, "connection.created", Some(id.as_str()), name);
}

/// [`create`] without the log row, for a batch that makes the tenant as well.
pub fn insert(batch: &mut Batch, new: &StoredConnection, sealed: Option<Vec<u8>>) {
    let Connection { tenant_id, id, name, kind, organization_id, created_at, updated_at, .. } = &new.connection;
    let options = Json::Object(new.set.clone()).to_string();
    let organization = organization_id.as_ref();
    batch.one(
        INSERT_CONNECTION,
        args![tenant_id, id, name, kind.as_str(), organization, options, sealed, *created_at, *updated_at],
    );
}

/// Writes organization and options of `changed`, whose version is the one that was read.
pub fn update(batch: &mut Batch, changed: &StoredConnection, audit: &Audit) {
    let Connection { tenant_id, id, name, organization_id, version, .. } = &changed.connection;
    let options = Json::Object(changed.set.clone()).to_string();
    batch.one(UPDATE_CONNECTION, args![tenant_id, id, *version, organization_id.as_ref(), options, audit.at]);
    audit.record(batch, tenant_id, "connection.updated", Some(id.as_str()), name);
}

/// [`update`], and the sealed options besides.
pub fn update_with_secrets(batch: &mut Batch, changed: &StoredConnection, sealed: Option<Vec<u8>>, audit: &Audit) {
    let Connection { tenant_id, id, name, organization_id, version, .. } = &changed.connection;
    let options = Json::Object(changed.set.clone()).to_string();
    let organization = organization_id.as_ref();
    batch.one(UPDATE_CONNECTION_AND_SECRETS, args![tenant_id, id, *version, organization, options, sealed, audit.at]);
    audit.record(batch, tenant_id, "connection.updated", Some(id.as_str()), name);
}

/// Removes a connection nobody came in through, with its tokens.
pub fn delete(batch: &mut Batch, connection: &Connection, audit: &Audit) {
    let Connection { tenant_id, id, name, version, .. } = connection;
    batch.one(DELETE_CONNECTION, args![tenant_id, id, *version]);
    audit.record(batch, tenant_id, "connection.deleted", Some(id.as_str()), name);
}
