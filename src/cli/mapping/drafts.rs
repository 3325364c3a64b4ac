//! Drafts beside what is published: which mappings there are, and where a file differs from what runs (design §3,
//! *Mappings*).

use crate::cli::context::Context;
use crate::mapping::{Language, Published};
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
    Unpublished(Language),
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

/// All drafts of a folder, read once.
pub struct Drafts {
    /// By name: the text with its checksum, or why it can't be read.
    texts: BTreeMap<String, Result<(Published, String), String>>,
}

impl Drafts {
    /// # Errors
    /// In words: the folder can't be read, or holds too much.
    pub fn read(dir: &Path) -> Result<Self, String> {
        let mut texts = BTreeMap::new();
        for name in mapping_files::names(dir)? {
            let found = mapping_files::find(dir, &name).transpose();
            texts.extend(found.map(|found| {
                let with_sum = found.map(|text| {
                    let checksum = mappings::checksum(&text);
                    (text, checksum)
                });
                (name, with_sum)
            }));
        }
        Ok(Self { texts })
    }

    fn beside(&self, name: &str, published: Option<&MappingVersion>) -> Draft {
        match (self.texts.get(name), published) {
            (None, _) => Draft::Missing,
            (Some(Err(reason)), _) => Draft::Unreadable(reason.clone()),
            (Some(Ok((text, _))), None) => Draft::Unpublished(text.language),
            (Some(Ok((_, checksum))), Some(version)) if *checksum == version.checksum => Draft::Same,
            (Some(Ok(_)), Some(_)) => Draft::Differs,
        }
    }
}

/// Every mapping of a tenant by name: its newest published version, and its draft.
///
/// # Errors
/// The store's.
pub async fn compare(
    store: &Store,
    tenant: &TenantId,
    drafts: &Drafts,
) -> Result<BTreeMap<String, (Option<MappingVersion>, Draft)>, store::Error> {
    let mut newest: BTreeMap<String, Option<MappingVersion>> = drafts.texts.keys().map(|name| (name.clone(), None)).collect();
    let mut after = String::new();
    loop {
        let page = mapping_versions::list(store, tenant, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        newest.extend(page.into_iter().map(|version| (version.name.clone(), Some(version))));
    }
    let with_draft = |(name, version): (String, Option<MappingVersion>)| {
        let draft = drafts.beside(&name, version.as_ref());
        (name, (version, draft))
    };
    Ok(newest.into_iter().map(with_draft).collect())
}

/// Warns in the log of every draft that is not what runs, in every tenant.
///
/// # Errors
/// The store's.
pub async fn report_drafts(context: &Context) -> Result<(), store::Error> {
    let drafts = match Drafts::read(&context.config.mappings.dir) {
        Ok(drafts) => drafts,
        Err(reason) => {
            tracing::warn!(reason, "mappings.dir can't be read: drafts are not compared with what is published");
            return Ok(());
        }
    };
    let mut after = String::new();
    loop {
        let page = tenants::list(&context.store, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.name);
        for tenant in &page {
            for (name, (_, draft)) in compare(&context.store, &tenant.id, &drafts).await? {
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
