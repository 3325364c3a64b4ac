//! Applications, and connections ([`connections`]), as administrators set them up: what may be said of one ([`decide`], pure), and what creating, changing and removing one
//! comes to. The command line and the management API both come here, so that neither lets through what the other refuses, and both show
//! the same object ([`shown`]).
//!
//! Refuses: to write. A [`Planned`] step holds what would be stored; whoever asked shows it or has it carried out.

pub mod connections;
pub mod connections_shown;
pub mod decide;
mod keys;
pub mod shown;

use crate::clock::{Entropy, Micros};
use crate::mapping;
use crate::model::client::{Client, ClientKind};
use crate::model::ids::{ConnectionId, TenantId, new_client_id};
use crate::model::nearest::nearest;
use crate::provisioning::mappings::{self, Drafts};
use crate::secret::{KeyRing, Secret, TokenKind};
use crate::store::audit::Audit;
use crate::store::clients::{self, StoredClient};
use crate::store::connections as rows;
use crate::store::{self, Batch, Store, codes, consents, grants, mapping_versions};
use decide::{Field, Wanted, Wrong};

/// How long the secret until now works on after it was replaced, unless something else is said.
pub const OVERLAP_SECONDS: i64 = 24 * 3_600;
/// And at most.
pub const OVERLAP_SECONDS_MAX: i64 = 90 * 86_400;

/// What ends in one step, of each kind. A grant takes up to two hundred tokens with it.
const WITHDRAWN_AT_ONCE: i64 = 200;

/// Connections looked at for a name that is like a misspelt one.
const NEAR_MAX: i64 = 200;

/// Why nothing is done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Wrong(#[from] Wrong),
    /// Another application of the tenant bears it.
    #[error("there is a client {name} already")]
    Taken { name: String },
    /// It was read, and changed before this could be written.
    #[error("somebody else changed it meanwhile")]
    Stale,
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Stale => Self::Stale,
            error => Self::Store(error),
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Create,
    Update,
    RotateSecret,
    Revoke,
    Delete,
}

impl Step {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::RotateSecret => "rotate_secret",
            Self::Revoke => "revoke",
            Self::Delete => "delete",
        }
    }
}

/// A step that may be taken.
#[derive(Debug)]
pub struct Planned {
    pub step: Step,
    pub before: Option<StoredClient>,
    pub after: Option<StoredClient>,
    /// A new one, to be shown once.
    pub secret: Option<Secret<String>>,
    batch: Batch,
}

/// What it takes to set applications up.
#[derive(Clone)]
pub struct Registrar {
    pub store: Store,
    pub keys: KeyRing,
    pub entropy: Entropy,
    /// Mappings that nobody published yet.
    pub drafts: Drafts,
}

impl Registrar {
    /// A new application.
    ///
    /// # Errors
    /// [`Error::Wrong`] for what may not be said of it, [`Error::Taken`] for its name.
    pub async fn create(&self, tenant: &TenantId, kind: ClientKind, wanted: Wanted, audit: &Audit) -> Result<Planned, Error> {
        let (name, mut options) = decide::created(kind, wanted)?;
        options.connections = self.connections(tenant, &options.connections, &[]).await?;
        self.mapping_fits(tenant, options.claims_mapping.as_deref()).await?;
        self.is_free(tenant, &name).await?;
        let has_secret = decide::may_have_secret(&options).is_ok();
        let secret = has_secret.then(|| TokenKind::ClientSecret.generate(&self.entropy));
        let stored = StoredClient {
            client: Client {
                tenant_id: tenant.clone(),
                id: new_client_id(&self.entropy, audit.at),
                name,
                options,
                version: 1,
                created_at: audit.at,
                updated_at: audit.at,
            },
            hash: secret.as_ref().map(|secret| self.keys.hash_token(secret.expose())),
            former: None,
        };
        let mut batch = Batch::default();
        clients::create(&mut batch, &stored, audit);
        Ok(Planned { step: Step::Create, before: None, after: Some(stored), secret, batch })
    }

    /// `stored` with what is `wanted` of it; nothing is written where that is how it is.
    ///
    /// # Errors
    /// As [`Registrar::create`].
    pub async fn update(&self, stored: StoredClient, wanted: Wanted, audit: &Audit) -> Result<Planned, Error> {
        let tenant = &stored.client.tenant_id;
        let (name, mut options) = decide::changed(&stored.client, wanted)?;
        let known = &stored.client.options;
        options.connections = self.connections(tenant, &options.connections, &known.connections).await?;
        if options.claims_mapping != known.claims_mapping {
            self.mapping_fits(tenant, options.claims_mapping.as_deref()).await?;
        }
        if name != stored.client.name {
            self.is_free(tenant, &name).await?;
        }
        let mut after = stored.clone();
        (after.client.name, after.client.options) = (name, options);
        let secret = self.another_proof(&stored, &mut after);
        let mut batch = Batch::default();
        if after != stored {
            if after.client.options.keys != stored.client.options.keys {
                clients::delete_tokens(&mut batch, &stored.client);
            }
            clients::update(&mut batch, &after, "client.updated", audit);
            after.client.version += 1;
            after.client.updated_at = audit.at;
        }
        Ok(Planned { step: Step::Update, before: Some(stored), after: Some(after), secret, batch })
    }

    /// Whoever gets keys has no secret any more, at once; whoever has no keys any more gets one.
    fn another_proof(&self, before: &StoredClient, after: &mut StoredClient) -> Option<Secret<String>> {
        match (&before.client.options.keys, &after.client.options.keys) {
            (_, Some(_)) => {
                (after.hash, after.former) = (None, None);
                None
            }
            (Some(_), None) => {
                let secret = TokenKind::ClientSecret.generate(&self.entropy);
                after.hash = Some(self.keys.hash_token(secret.expose()));
                Some(secret)
            }
            (None, None) => None,
        }
    }

    /// A new secret; the one until now works on until `until`.
    ///
    /// # Errors
    /// [`Error::Wrong`] if it can't keep one.
    pub fn rotate(&self, stored: StoredClient, until: Micros, audit: &Audit) -> Result<Planned, Error> {
        decide::may_have_secret(&stored.client.options)?;
        let secret = TokenKind::ClientSecret.generate(&self.entropy);
        let mut after = stored.clone();
        after.former = after.hash.zip(Some(until)).filter(|_| until > audit.at);
        after.hash = Some(self.keys.hash_token(secret.expose()));
        let mut batch = Batch::default();
        if after.former.is_none() {
            // Whoever had it is to be kept out: what they fetched with it ends too.
            clients::delete_tokens(&mut batch, &stored.client);
        }
        clients::update(&mut batch, &after, "client.secret_rotated", audit);
        after.client.version += 1;
        after.client.updated_at = audit.at;
        Ok(Planned { step: Step::RotateSecret, before: Some(stored), after: Some(after), secret: Some(secret), batch })
    }

    /// Ends all it was given, and leaves it as it is: people sign in again, a machine fetches anew.
    pub fn revoke(&self, stored: StoredClient, audit: &Audit) -> Planned {
        let mut batch = Batch::default();
        clients::revoke(&mut batch, &stored.client, audit);
        Planned { step: Step::Revoke, before: Some(stored.clone()), after: Some(stored), secret: None, batch }
    }

    /// Removes it, with all it was given.
    pub fn delete(&self, stored: StoredClient, audit: &Audit) -> Planned {
        let mut batch = Batch::default();
        clients::delete(&mut batch, &stored.client, audit);
        Planned { step: Step::Delete, before: Some(stored), after: None, secret: None, batch }
    }

    /// Writes what was planned.
    ///
    /// # Errors
    /// [`Error::Taken`] or [`Error::Stale`] if somebody was quicker.
    pub async fn carry_out(&self, planned: &mut Planned) -> Result<(), Error> {
        self.carry_out_telling(planned, &|_| {}).await
    }

    /// [`Self::carry_out`]; `told` hears how much of what was given is gone so far.
    ///
    /// # Errors
    /// As [`Self::carry_out`].
    pub async fn carry_out_telling(&self, planned: &mut Planned, told: &(dyn Fn(usize) + Sync)) -> Result<(), Error> {
        if let (Step::Revoke | Step::Delete, Some(before)) = (planned.step, &planned.before) {
            self.withdraw(before, planned.step == Step::Delete, told).await?;
        }
        let batch = std::mem::take(&mut planned.batch);
        if batch.is_empty() {
            return Ok(());
        }
        match (self.store.apply(batch).await, &planned.after) {
            (Ok(()), _) => Ok(()),
            (Err(store::Error::Conflict), Some(after)) => Err(Error::Taken { name: after.client.name.clone() }),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Ends what people let it have, so many at a time: everybody's in one would hold up everybody else's writes. Whoever is stopped in
    /// the middle goes on with the rest the next time.
    async fn withdraw(&self, stored: &StoredClient, with_consents: bool, told: &(dyn Fn(usize) + Sync)) -> Result<(), Error> {
        let found = clients::find(&self.store, &stored.client.tenant_id, &stored.client.id).await?;
        if found.is_none_or(|found| found.client.version != stored.client.version) {
            return Err(Error::Stale);
        }
        let mut gone = 0;
        loop {
            let Client { tenant_id, id, .. } = &stored.client;
            let mut went = grants::delete_of_client(&self.store, tenant_id, id, WITHDRAWN_AT_ONCE).await?;
            went += codes::delete_of_client(&self.store, tenant_id, id, WITHDRAWN_AT_ONCE).await?;
            if with_consents {
                went += consents::delete_of_client(&self.store, tenant_id, id, WITHDRAWN_AT_ONCE).await?;
            }
            if went == 0 {
                return Ok(());
            }
            gone += went;
            told(gone);
        }
    }

    async fn is_free(&self, tenant: &TenantId, name: &str) -> Result<(), Error> {
        match clients::find_by_name(&self.store, tenant, name).await? {
            None => Ok(()),
            Some(_) => Err(Error::Taken { name: name.to_owned() }),
        }
    }

    /// The names of these connections, given by name or id; those it has `known` already may be gone.
    async fn connections(&self, tenant: &TenantId, given: &[String], known: &[String]) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = Vec::with_capacity(given.len());
        for one in given {
            let found = if known.contains(one) {
                Some(one.clone())
            } else if one.starts_with("con_") {
                rows::find(&self.store, tenant, &ConnectionId::new(one)).await?.map(|found| found.connection.name)
            } else {
                rows::find_by_name(&self.store, tenant, one).await?.map(|found| found.connection.name)
            };
            let Some(name) = found else {
                let all = rows::list(&self.store, tenant, "", NEAR_MAX).await?;
                let near = nearest(one, all.iter().map(|stored| stored.connection.name.as_str()));
                let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return Err(Wrong::new(Field::Connections, format!("there is no connection {one}{near}")).into());
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Whether the mapping of that name, as published or as a file, goes from profile to oidc.
    async fn mapping_fits(&self, tenant: &TenantId, name: Option<&str>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        let wrong = |says: String| Error::from(Wrong::new(Field::ClaimsMapping, says));
        let text = match mapping_versions::latest(&self.store, tenant, name).await? {
            Some(newest) => mappings::published(newest)?,
            None => {
                let draft = (self.drafts)(name).map_err(wrong)?;
                draft
                    .ok_or_else(|| wrong(format!("no mapping {name} is published, and there is no such file in mappings.dir")))?
            }
        };
        let compiled = mapping::compile(&text).map_err(|reason| wrong(format!("mapping {name} can't run: {reason}")))?;
        match compiled.direction() {
            Some(("profile", "oidc")) => Ok(()),
            Some((from, to)) => Err(wrong(format!("mapping {name} goes from {from} to {to}, wanted one from profile to oidc"))),
            None => Err(wrong(format!("{name} is a script; wanted a mapping from profile to oidc"))),
        }
    }
}
