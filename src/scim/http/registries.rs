//! Which schemas a tenant has: the standard's tables, or those with its extensions, kept until the tenant's settings change.
//!
//! A principal carries the state of its tenant as its token was looked up with, two seconds ago at most. What was read at
//! that state or later is used as it is, so a request reads no schemas, and every process sees a change within the time
//! a token is believed (docs/decisions/0023).

use crate::model::access::Principal;
use crate::model::ids::TenantId;
use crate::model::tenant::TenantState;
use crate::scim::schema::extension::{self, Extends, Extension};
use crate::scim::schema::{Registry, registry};
use crate::store::schema_extensions::{self, StoredSchema};
use crate::store::{self, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most tenants remembered at a time.
const CACHE_MAX: usize = 1_000;

/// The schemas of tenants, by tenant.
pub struct Registries {
    store: Store,
    known: Mutex<HashMap<TenantId, (TenantState, Arc<Registry>)>>,
}

impl Registries {
    pub fn new(store: Store) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// The schemas of the principal's tenant.
    pub async fn of(&self, principal: &Principal) -> Result<Arc<Registry>, store::Error> {
        let Principal::Scim { connection, state, .. } = principal else { return Ok(Arc::clone(registry())) };
        let tenant = &connection.tenant_id;
        if let Some((read_at, known)) = self.known().get(tenant)
            && read_at.is_as_new_as(*state)
        {
            return Ok(Arc::clone(known));
        }
        // Read after the state was: it may be newer than that, never older.
        let stored = schema_extensions::list(&self.store, tenant).await?;
        let registry = if stored.is_empty() { Arc::clone(registry()) } else { Arc::new(extended(stored)?) };
        let mut known = self.known();
        if known.len() >= CACHE_MAX {
            known.clear();
        }
        known.insert(tenant.clone(), (*state, Arc::clone(&registry)));
        Ok(registry)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, (TenantState, Arc<Registry>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tables with what is stored. Each was checked when it was registered.
fn extended(stored: Vec<StoredSchema>) -> Result<Registry, store::Error> {
    let extensions = stored.into_iter().map(|stored| {
        let extends = Extends::parse(&stored.resource_type)?;
        Some(Extension { extends, schema: extension::read(stored.document.as_bytes()).ok()? })
    });
    let extensions: Option<Vec<Extension>> = extensions.collect();
    let registry = extensions.and_then(|extensions| Registry::extended(extensions).ok());
    registry.ok_or(store::Error::Corrupt { what: "a registered schema can't be read" })
}
