//! What most commands begin with: the configuration, the keys, an open store, and the tenant that is meant.

use super::Global;
use crate::app::store_options;
use crate::clock::{Clock, Entropy};
use crate::config::{self, Config};
use crate::mapping::{self, Published};
use crate::mapping_files;
use crate::model::access::Token;
use crate::model::ids::{OrganizationId, TenantId};
use crate::model::nearest::nearest;
use crate::model::tenant::{DEFAULT_TENANT, Organization, Tenant};
use crate::provisioning::{Provisioner, mappings};
use crate::scim;
use crate::secret::KeyRing;
use crate::store::audit::Audit;
use crate::store::connections::StoredConnection;
use crate::store::mapping_versions::{self, MappingVersion};
use crate::store::{self, Batch, Store, connections, organizations, tenants, tokens};
use crate::telemetry;
use anyhow::{Context as _, bail};
use clap::Args;
use std::sync::Arc;

/// Rows read at a time where a command prints all of them.
pub const PAGE: i64 = 200;

/// What a SCIM connection uses unless it is told otherwise.
const SHIPPED_MAPPING: &str = "scim";

/// The tenant a command works in.
#[derive(Clone, Debug, Args)]
pub struct TenantArg {
    /// The tenant to work in
    #[arg(long, default_value = DEFAULT_TENANT, value_name = "NAME")]
    pub tenant: String,
}

/// The store and what is needed to use it.
pub struct Context {
    pub config: Config,
    pub store: Store,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
}

impl Context {
    /// Reads the configuration and opens the store, whose schema is brought up to date unless `database.migrate` forbids.
    pub async fn open(global: &Global) -> anyhow::Result<Self> {
        let config = read_config(global)?;
        let mut log = config.log.clone();
        // A command's answer is its output; only trouble is worth a log line.
        if log.level == "info" {
            log.level = String::from("warn");
        }
        telemetry::log_to_stderr(&log);
        Self::with_config(config).await
    }

    /// [`Self::open`] with a configuration at hand.
    pub async fn with_config(config: Config) -> anyhow::Result<Self> {
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let keys = config.secrets.key_ring(&config.database.url, &entropy)?;
        let store = Store::open(&store_options(&config.database, &clock)).await.context("the database can't be opened")?;
        if config.database.migrate {
            store.migrate().await.context("the schema can't be brought up to date")?;
        }
        Ok(Self { config, store, keys, clock, entropy })
    }

    /// Base of absolute links.
    pub fn public_url(&self) -> String {
        let server = &self.config.server;
        server.public_url.clone().unwrap_or_else(|| format!("http://{}", server.listen))
    }

    /// The record that an administrative write of this command carries.
    pub fn audit(&self) -> Audit {
        let at = self.clock.now();
        Audit { actor: String::from("cli"), request_id: self.entropy.uuid(at), log_id: self.entropy.uuid(at), at, from: None }
    }

    /// What carries writes out, for the length of a command.
    pub fn provisioner(&self) -> Provisioner {
        let dir = self.config.mappings.dir.clone();
        let drafts = Arc::new(move |name: &str| mapping_files::find(&dir, name));
        let (store, clock, entropy) = (self.store.clone(), self.clock.clone(), self.entropy.clone());
        Provisioner::new(store, clock, entropy, drafts, scim::http::record::values)
    }

    /// The mapping every tenant starts with, as its first published version.
    pub fn shipped_mapping(&self, audit: &Audit) -> anyhow::Result<MappingVersion> {
        let found = mapping_files::find(&self.config.mappings.dir, SHIPPED_MAPPING).map_err(anyhow::Error::msg)?;
        let draft = found.context("the scim mapping comes with the program")?;
        mapping::compile(&draft).map_err(|reason| anyhow::anyhow!("mapping {SHIPPED_MAPPING} can't be published: {reason}"))?;
        Ok(mappings::version(&draft, audit))
    }

    /// Applies `batch`; `taken` says what a unique key that is taken means.
    pub async fn apply(&self, batch: Batch, taken: impl FnOnce() -> String) -> anyhow::Result<()> {
        match self.store.apply(batch).await {
            Ok(_) => Ok(()),
            Err(store::Error::Conflict) => bail!(taken()),
            Err(store::Error::Stale) => bail!("somebody else changed it meanwhile; look again and repeat"),
            Err(error) => Err(error.into()),
        }
    }

    pub async fn tenant(&self, arg: &TenantArg) -> anyhow::Result<Tenant> {
        self.find_tenant(&arg.tenant).await
    }

    pub async fn find_tenant(&self, name: &str) -> anyhow::Result<Tenant> {
        if let Some(tenant) = tenants::find(&self.store, &TenantId::new(name)).await? {
            return Ok(tenant);
        }
        let known = tenants::list(&self.store, "", PAGE).await?;
        if known.is_empty() {
            bail!("the database is empty: run `rosterd bootstrap` or `rosterd tenant create {name}` first");
        }
        bail!("there is no tenant {name}{}", did_you_mean(name, known.iter().map(|tenant| tenant.name.as_str())))
    }

    /// A connection by its name or id.
    pub async fn find_connection(&self, tenant: &Tenant, name: &str) -> anyhow::Result<StoredConnection> {
        let found = match name.strip_prefix("con_") {
            Some(_) => connections::find(&self.store, &tenant.id, &crate::model::ids::ConnectionId::new(name)).await?,
            None => connections::find_by_name(&self.store, &tenant.id, name).await?,
        };
        if let Some(found) = found {
            return Ok(found);
        }
        let known = connections::list(&self.store, &tenant.id, "", PAGE).await?;
        let names = known.iter().map(|stored| stored.connection.name.as_str());
        bail!("there is no connection {name} in tenant {}{}", tenant.name, did_you_mean(name, names))
    }

    /// An organization by its name or id.
    pub async fn find_organization(&self, tenant: &Tenant, name: &str) -> anyhow::Result<Organization> {
        let found = match name.strip_prefix("org_") {
            Some(_) => organizations::find(&self.store, &tenant.id, &OrganizationId::new(name)).await?,
            None => organizations::find_by_name(&self.store, &tenant.id, name).await?,
        };
        if let Some(found) = found {
            return Ok(found);
        }
        let known = organizations::list(&self.store, &tenant.id, "", PAGE).await?;
        let names = known.iter().map(|organization| organization.name.as_str());
        bail!("there is no organization {name} in tenant {}{}", tenant.name, did_you_mean(name, names))
    }

    /// Is there a mapping of that name for what comes in: published, in `mappings.dir`, or shipped?
    ///
    /// # Errors
    /// If not, with the nearest name.
    pub async fn find_mapping(&self, tenant: &Tenant, name: &str) -> anyhow::Result<()> {
        let dir = &self.config.mappings.dir;
        let drafts = mapping_files::names(dir).map_err(anyhow::Error::msg)?;
        let published = mapping_versions::latest(&self.store, &tenant.id, name).await?;
        let text = match published {
            Some(newest) => Some(mappings::published(newest)?),
            // One that can't be read is told where it is used.
            None if drafts.iter().any(|draft| draft == name) => mapping_files::find(dir, name).unwrap_or_default(),
            None => None,
        };
        let goes_out = |text: &Published| {
            mapping::compile(text).is_ok_and(|compiled| compiled.direction().is_some_and(|(from, _)| from == "profile"))
        };
        if text.as_ref().is_some_and(goes_out) {
            bail!("mapping {name} says what goes out, from profile: it is for an application (`rosterd client`)");
        }
        if text.is_some() || drafts.iter().any(|draft| draft == name) {
            return Ok(());
        }
        let near = did_you_mean(name, drafts.iter().map(String::as_str));
        bail!("no mapping {name} is published in tenant {}, and {} has no such file{near}", tenant.name, dir.display())
    }

    /// The mapping a sync runs, and what it is: the newest published version, else the draft that its first use would
    /// publish. Publishes nothing.
    pub async fn mapping_in_force(&self, tenant: &TenantId, name: &str) -> anyhow::Result<Option<(Published, String)>> {
        if let Some(newest) = mapping_versions::latest(&self.store, tenant, name).await? {
            let origin = format!("version {}", newest.version);
            return Ok(Some((mappings::published(newest)?, origin)));
        }
        let draft = mapping_files::find(&self.config.mappings.dir, name).map_err(anyhow::Error::msg)?;
        Ok(draft.map(|draft| (draft, String::from("a draft that the first use publishes"))))
    }

    /// A token by its id, or by its name if only one token that was not revoked has it.
    pub async fn find_token(&self, tenant: &Tenant, name: &str) -> anyhow::Result<Token> {
        if let Some(found) = tokens::find(&self.store, &tenant.id, &crate::model::ids::TokenId::new(name)).await? {
            return Ok(found);
        }
        let mut named = tokens::find_by_name(&self.store, &tenant.id, name).await?;
        match (named.pop(), named.len()) {
            (Some(token), 0) => Ok(token),
            (Some(_), others) => bail!("{} tokens are called {name}: name one by its id (`rosterd token list`)", others + 1),
            (None, _) => {
                let known = tokens::list(&self.store, &tenant.id, None, "", PAGE).await?;
                let live = known.iter().filter(|token| token.revoked_at.is_none()).map(|token| token.name.as_str());
                bail!("there is no token {name} in tenant {}{}", tenant.name, did_you_mean(name, live))
            }
        }
    }
}

/// The configuration, or every complaint about it as one error.
pub fn read_config(global: &Global) -> anyhow::Result<Config> {
    let loaded = config::load(global.config.as_deref(), std::env::vars());
    loaded.map(|loaded| loaded.config).map_err(|problems| anyhow::anyhow!("the configuration is not valid\n{problems}"))
}

/// `; did you mean X?`, or nothing.
pub fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}
