//! Changing a mapping with its impact known before: a preview goes over everything stored of the connections that use its name and
//! says what a new text would change, a publication names that preview, and a replay maps anew what is stored, as one run that can
//! be undone. Preview and replay are runs: they say how far they are, go on where they were killed, and keep one page of people
//! in memory.
//!
//! Owns what is asked, the order of people, what is counted, and what a publication is refused for. Refuses to decide about a
//! person, which is `provisioning`'s, and to write one by itself.

pub mod preview;
pub mod publish;
pub mod run;
pub mod shown;
pub mod tally;
pub mod walk;
pub mod worker;

use crate::mapping::{self, Mapping};
use crate::model::connection::Connection;
use crate::model::ids::TenantId;
use crate::profile::Side;
use crate::provisioning::mappings;
use crate::provisioning::mappings::sides;
use crate::store::{self, Store, connections, mapping_versions};
use crate::sync::Error;
use std::sync::Arc;

/// Connections read at a time.
const PAGE: i64 = 100;

/// A connection with those of its sides that are meant, each with what maps it.
pub struct Part {
    pub connection: Connection,
    pub sides: Vec<(Side, Arc<dyn Mapping>)>,
    /// What maps them until then, if that is another.
    pub before: Option<Arc<dyn Mapping>>,
}

impl Part {
    /// Is a value of `path` for nobody's eyes, by any text at hand?
    fn hides(&self, path: &str) -> bool {
        self.sides.iter().map(|(_, mapping)| mapping).chain(&self.before).any(|mapping| mapping.hides(path))
    }
}

/// The connections of the tenant that use the mapping called `name`, by name, with the sides that do.
///
/// # Errors
/// The store's.
pub async fn users_of(store: &Store, tenant: &TenantId, name: &str) -> Result<Vec<(Connection, Vec<Side>)>, store::Error> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = connections::list(store, tenant, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after.clone_from(&last.connection.name);
        for stored in page {
            let connection = stored.connection;
            let used: Vec<Side> = sides(&connection).into_iter().filter(|(_, of)| *of == name).map(|(side, _)| side).collect();
            if !used.is_empty() {
                all.push((connection, used));
            }
        }
    }
}

/// A published version, ready to run.
async fn version(store: &Store, tenant: &TenantId, name: &str, number: i64) -> Result<Arc<dyn Mapping>, Error> {
    let gone = || Error::Setup(format!("version {number} of mapping {name} is not there"));
    let row = mapping_versions::find(store, tenant, name, number).await?.ok_or_else(gone)?;
    let text = mappings::published(row)?;
    mapping::compile(&text).map_err(|reason| Error::Setup(format!("version {number} of mapping {name} can't run: {reason}")))
}
