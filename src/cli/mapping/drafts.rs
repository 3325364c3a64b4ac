//! Drafts beside what is published: which mappings there are, and where a file differs from what runs (design §3,
//! *Mappings*).

use crate::cli::context::Context;
use crate::mapping::Published;
use crate::mapping_files;
use crate::model::ids::TenantId;
use crate::provisioning::mappings;
use crate::store::mapping_versions::{self, MappingVersion};
use crate::store::{self, Store, tenants};
use std::collections::BTreeMap;
use std::path::Path;

/// Rows read at a time.
const PAGE: i64 = 200;

/// A file beside what is published under its name.
#[derive(Debug)]
pub enum Draft {
    /// No file of that name.
    Missing,
    Same,
    Differs,
    /// Nothing is published yet: the first use publishes it.
    Unpublished(Published),
    /// Why the file can't be read.
    Unreadable(String),
}

impl Draft {
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Missing => "none",
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Unpublished(_) => "unpublished",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// Every mapping of a tenant by name: its newest published version, and its draft in `dir`.
///
/// # Errors
/// The store's. A folder that can't be read has no drafts; its reason comes with every name.
pub async fn compare(
    store: &Store,
    tenant: &TenantId,
    dir: &Path,
) -> Result<BTreeMap<String, (Option<MappingVersion>, Draft)>, store::Error> {
    let mut newest = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = mapping_versions::list(store, tenant, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        newest.extend(page.into_iter().map(|version| (version.name.clone(), Some(version))));
    }
    let names = mapping_files::names(dir);
    for name in names.iter().flatten() {
        newest.entry(name.clone()).or_insert(None);
    }
    let with_draft = |(name, version): (String, Option<MappingVersion>)| {
        let draft = match &names {
            Ok(_) => draft(dir, &name, version.as_ref()),
            Err(reason) => Draft::Unreadable(reason.clone()),
        };
        (name, (version, draft))
    };
    Ok(newest.into_iter().map(with_draft).collect())
}

/// Warns in the log of every draft that is not what runs, in every tenant.
///
/// # Errors
/// The store's.
pub async fn report_drafts(context: &Context) -> Result<(), store::Error> {
    let mut after = String::new();
    loop {
        let page = tenants::list(&context.store, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.name);
        for tenant in &page {
            for (name, (_, draft)) in compare(&context.store, &tenant.id, &context.config.mappings.dir).await? {
                let tenant = tenant.name.as_str();
                match draft {
                    Draft::Differs => {
                        tracing::warn!(
                            tenant,
                            mapping = name,
                            "the mapping's file differs from the published version, which runs"
                        );
                    }
                    Draft::Unreadable(reason) => {
                        tracing::warn!(tenant, mapping = name, reason, "the mapping's file can't be read");
                    }
                    Draft::Missing | Draft::Same | Draft::Unpublished(_) => {}
                }
            }
        }
    }
}

fn draft(dir: &Path, name: &str, published: Option<&MappingVersion>) -> Draft {
    match (mapping_files::find(dir, name), published) {
        (Err(reason), _) => Draft::Unreadable(reason),
        (Ok(None), _) => Draft::Missing,
        (Ok(Some(text)), None) => Draft::Unpublished(text),
        (Ok(Some(text)), Some(version)) if mappings::checksum(&text) == version.checksum => Draft::Same,
        (Ok(Some(_)), Some(_)) => Draft::Differs,
    }
}
