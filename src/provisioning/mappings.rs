//! Which mapping runs on a connection: the newest published version of the name its options say, compiled once and
//! kept. Owns the cache and the first publication (design §3, *Mappings*: a file is a draft, first use publishes
//! version 1). A version published elsewhere is seen within [`FRESH_FOR`].

use super::Error;
use super::user_id::hex;
use crate::clock::{Clock, Entropy, Micros};
use crate::mapping::{self, Language, Mapping, Published};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::ids::TenantId;
use crate::profile::Side;
use crate::store::audit::Audit;
use crate::store::mapping_versions::{self, MappingVersion};
use crate::store::{self, Batch, Store};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a version counts as the newest without asking the store.
const FRESH_FOR: Micros = 2_000_000;

/// Compiled mappings kept; beyond it the whole cache starts anew.
const CACHED_MAX: usize = 1_000;

/// A mapping as a file has it: what is published at first use.
pub type Drafts = Arc<dyn Fn(&str) -> Result<Option<Published>, String> + Send + Sync>;

/// A text as the row to publish.
pub fn version(text: &Published, audit: &Audit) -> MappingVersion {
    let includes: Map<String, Value> =
        text.includes.iter().map(|(path, contents)| (path.clone(), contents.as_str().into())).collect();
    MappingVersion {
        name: text.name.clone(),
        version: text.version,
        language: text.language.as_str().into(),
        text: text.text.clone(),
        includes: Value::Object(includes).to_string(),
        checksum: checksum(text),
        published_at: audit.at,
        published_by: audit.actor.clone(),
    }
}

/// SHA-256 in hex over everything that decides what a mapping does: two texts with one sum are one mapping.
pub fn checksum(text: &Published) -> String {
    let mut hash = Sha256::new();
    let parts = text.includes.iter().flat_map(|(path, contents)| [path.as_str(), contents.as_str()]);
    for part in [text.language.as_str(), &text.text].into_iter().chain(parts) {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// A stored row as text again.
pub fn published(row: MappingVersion) -> Result<Published, store::Error> {
    const CORRUPT: store::Error = store::Error::Corrupt { what: "mapping_versions.includes is not an object of texts" };
    let includes: Map<String, Value> = serde_json::from_str(&row.includes).map_err(|_| CORRUPT)?;
    let text = |(path, contents): (String, Value)| Some((path, contents.as_str()?.to_owned()));
    Ok(Published {
        name: row.name,
        version: row.version,
        language: Language::parse(&row.language).ok_or(store::Error::Corrupt { what: "unknown language in mapping_versions" })?,
        text: row.text,
        includes: includes.into_iter().map(text).collect::<Option<_>>().ok_or(CORRUPT)?,
    })
}

/// The name of the mapping of what is pushed, or read of a directory.
pub fn name_of_push(connection: &Connection) -> &str {
    let options = &connection.options;
    let has_two = connection.kind.logs_in() && connection.kind != ConnectionKind::Ldap;
    if has_two { &options.scim_mapping } else { &options.mapping }
}

/// The sides of a connection, in the order in which they are mapped anew, each with the name of its mapping.
pub fn sides(connection: &Connection) -> Vec<(Side, &str)> {
    let own = if connection.kind == ConnectionKind::Ldap { Side::Sync } else { Side::Push };
    let login = connection.kind.logs_in().then_some((Side::Login, connection.options.mapping.as_str()));
    std::iter::once((own, name_of_push(connection))).chain(login).collect()
}

/// The mappings of all tenants. One per process.
pub struct Mappings {
    store: Store,
    clock: Clock,
    entropy: Entropy,
    drafts: Drafts,
    cache: Mutex<HashMap<(TenantId, String), Cached>>,
}

#[derive(Clone)]
struct Cached {
    asked_at: Micros,
    mapping: Arc<dyn Mapping>,
}

impl Mappings {
    pub fn new(store: Store, clock: Clock, entropy: Entropy, drafts: Drafts) -> Self {
        Self { store, clock, entropy, drafts, cache: Mutex::default() }
    }

    /// What turns a push on this connection, or an entry of its directory, into a profile.
    ///
    /// # Errors
    /// [`Error::Mapping`] if nothing of that name is published or to be found as a file, or it does not compile.
    pub async fn of_push(&self, connection: &Connection) -> Result<Arc<dyn Mapping>, Error> {
        self.of(&connection.tenant_id, name_of_push(connection)).await
    }

    /// What turns a login on this connection into a profile.
    ///
    /// # Errors
    /// As [`Mappings::of_push`].
    pub async fn of_login(&self, connection: &Connection) -> Result<Arc<dyn Mapping>, Error> {
        self.of(&connection.tenant_id, &connection.options.mapping).await
    }

    /// The newest published version of `name`.
    pub async fn of(&self, tenant: &TenantId, name: &str) -> Result<Arc<dyn Mapping>, Error> {
        let key = (tenant.clone(), name.to_owned());
        let now = self.clock.now();
        let cached = self.cache().get(&key).cloned();
        if let Some(cached) = &cached
            && now - cached.asked_at < FRESH_FOR
        {
            return Ok(cached.mapping.clone());
        }
        let newest = match mapping_versions::latest(&self.store, tenant, name).await? {
            Some(newest) => newest,
            None => self.publish_draft(tenant, name).await?,
        };
        let mapping = match cached {
            Some(cached) if cached.mapping.version() == newest.version => cached.mapping,
            _ => mapping::compile(&published(newest)?).map_err(|reason| Error::mapping(name, reason))?,
        };
        let mut cache = self.cache();
        if cache.len() >= CACHED_MAX {
            cache.clear();
        }
        cache.insert(key, Cached { asked_at: now, mapping: mapping.clone() });
        Ok(mapping)
    }

    async fn publish_draft(&self, tenant: &TenantId, name: &str) -> Result<MappingVersion, Error> {
        let draft = (self.drafts)(name).map_err(|reason| Error::mapping(name, reason))?;
        let Some(draft) = draft else {
            return Err(Error::mapping(
                name,
                "nothing of that name is published, and there is no such file in mappings.dir".into(),
            ));
        };
        // A draft that does not compile is not published: the next request says so again, and the file can be mended.
        mapping::compile(&draft).map_err(|reason| Error::mapping(name, reason))?;
        let at = self.clock.now();
        let audit =
            Audit { actor: "system".into(), request_id: self.entropy.uuid(at), log_id: self.entropy.uuid(at), at, from: None };
        let first = version(&draft, &audit);
        let mut batch = Batch::default();
        mapping_versions::publish(&mut batch, tenant, &first, &audit);
        match self.store.apply(batch).await {
            Ok(_) => Ok(first),
            // Another process was first; its version counts.
            Err(store::Error::Conflict) => {
                let theirs = mapping_versions::latest(&self.store, tenant, name).await?;
                theirs.ok_or_else(|| store::Error::Stale.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<(TenantId, String), Cached>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
