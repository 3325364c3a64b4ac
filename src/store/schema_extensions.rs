//! Schema extensions of tenants. To the store a schema is a text under a name that ignores case.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::ids::{ConnectionId, TenantId};

statements! {
    LIST_SCHEMA_EXTENSIONS = "SELECT urn, resource_type, document, created_at, updated_at FROM schema_extensions WHERE tenant_id = $1 \
        ORDER BY created_at, urn_key LIMIT 100";
    INSERT_SCHEMA_EXTENSION = "INSERT INTO schema_extensions (tenant_id, urn_key, urn, resource_type, document, created_at, \
        updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    UPDATE_SCHEMA_EXTENSION = "UPDATE schema_extensions SET urn = $3, document = $4, updated_at = $5 \
        WHERE tenant_id = $1 AND urn_key = $2";
    DELETE_SCHEMA_EXTENSION = "DELETE FROM schema_extensions WHERE tenant_id = $1 AND urn_key = $2";
    /// Only if nobody changed a setting since: what was decided on has to hold still.
    RAISE_VERSION_FROM = "UPDATE tenants SET version = version + 1 WHERE tenant_id = $1 AND version = $2";
    /// Of each row no more than is needed to look into it. LIKE may match too much (SQLite ignores case), never too little.
    SCAN_IDENTITIES = "SELECT id, connection_id, CASE WHEN raw LIKE $3 ESCAPE '!' THEN raw ELSE NULL END \
        FROM identities WHERE tenant_id = $1 AND id > $2 AND listed ORDER BY id LIMIT $4";
    SCAN_GROUPS = "SELECT id, connection_id, CASE WHEN raw LIKE $3 ESCAPE '!' THEN raw ELSE NULL END \
        FROM groups WHERE tenant_id = $1 AND id > $2 AND listed ORDER BY id LIMIT $4";
}

/// Rows one statement of a scan looks at.
const SCAN: i64 = 2_000;

/// One registered schema.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSchema {
    /// As it was written.
    pub urn: String,
    /// The resource type it extends.
    pub resource_type: String,
    pub document: String,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Whose resources a scan looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    Users,
    Groups,
}

/// A resource that holds what was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub id: String,
    pub connection: ConnectionId,
}

fn schema(row: &Row) -> Result<StoredSchema, Error> {
    Ok(StoredSchema {
        urn: row.text(0)?,
        resource_type: row.text(1)?,
        document: row.text(2)?,
        created_at: row.int(3)?,
        updated_at: row.int(4)?,
    })
}

/// How a URN is compared.
pub fn urn_key(urn: &str) -> String {
    urn.to_ascii_lowercase()
}

/// All schemas of a tenant, the oldest first.
pub async fn list(store: &Store, tenant: &TenantId) -> Result<Vec<StoredSchema>, Error> {
    store.read(LIST_SCHEMA_EXTENSIONS, args![tenant]).await?.iter().map(schema).collect()
}

/// The first resource a client can see that has a member of this name at its top, or `None`.
pub async fn find_holder(store: &Store, tenant: &TenantId, scanned: Scanned, member: &str) -> Result<Option<Holder>, Error> {
    let statement = match scanned {
        Scanned::Users => SCAN_IDENTITIES,
        Scanned::Groups => SCAN_GROUPS,
    };
    let escaped = member.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    let pattern = format!("%\"{escaped}\"%");
    let mut after = String::new();
    loop {
        let rows = store.read(statement, args![tenant, &after, &pattern, SCAN]).await?;
        for row in &rows {
            let holds = row.opt_text(2)?.is_some_and(|raw| has_member(&raw, member));
            if holds {
                return Ok(Some(Holder { id: row.text(0)?, connection: ConnectionId::new(row.text(1)?) }));
            }
        }
        match rows.last() {
            Some(last) => after = last.text(0)?,
            None => return Ok(None),
        }
    }
}

fn has_member(document: &str, member: &str) -> bool {
    let document: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(document).ok();
    document.is_some_and(|document| document.contains_key(member))
}

/// Stores `new`, if the tenant's version still is `version`; else [`Error::Stale`]. [`Error::Conflict`] if there is one of
/// its URN.
pub fn create(batch: &mut Batch, tenant: &TenantId, version: i64, new: &StoredSchema, audit: &Audit) {
    batch.one(RAISE_VERSION_FROM, args![tenant, version]);
    batch.one(
        INSERT_SCHEMA_EXTENSION,
        args![tenant, urn_key(&new.urn), &new.urn, &new.resource_type, &new.document, new.created_at, new.updated_at],
    );
    audit.log(batch, tenant, "schema.created", None, &new.urn);
}

/// Writes the document of `changed`, under the same condition.
pub fn update(batch: &mut Batch, tenant: &TenantId, version: i64, changed: &StoredSchema, audit: &Audit) {
    batch.one(RAISE_VERSION_FROM, args![tenant, version]);
    batch.one(UPDATE_SCHEMA_EXTENSION, args![tenant, urn_key(&changed.urn), &changed.urn, &changed.document, changed.updated_at]);
    audit.log(batch, tenant, "schema.updated", None, &changed.urn);
}

/// Removes the schema of `urn`, under the same condition.
pub fn delete(batch: &mut Batch, tenant: &TenantId, version: i64, urn: &str, audit: &Audit) {
    batch.one(RAISE_VERSION_FROM, args![tenant, version]);
    batch.one(DELETE_SCHEMA_EXTENSION, args![tenant, urn_key(urn)]);
    audit.log(batch, tenant, "schema.deleted", None, urn);
}
