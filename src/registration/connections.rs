//! Connections as administrators set them up: which options and secrets make a whole, what they refer to, and what creating, changing
//! and removing one comes to. The command line and the management API both ask [`contradictions`]; the API plans here as it does for
//! applications, and both show the same object ([`super::connections_shown`]).
//!
//! Refuses: to write (a [`PlannedConnection`] is shown, or carried out), and options that name files of this machine where somebody
//! asks who is not on it.

use super::{Registrar, Step};
use crate::ldap;
use crate::mapping;
use crate::model::connection::{Connection, ConnectionKind, Options, check_name};
use crate::model::connection_secrets::ConnectionSecrets;
use crate::model::ids::{ConnectionId, OrganizationId, TenantId, new_connection_id};
use crate::model::saml::SamlOptions;
use crate::oidc;
use crate::provisioning::mappings;
use crate::store::audit::Audit;
use crate::store::connections::{self, StoredConnection};
use crate::store::{self, Batch, mapping_versions, organizations};
use serde_json::{Map, Value};

/// Why nothing is done.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// What is wrong with one member.
    #[error("{member}: {says}")]
    Wrong { member: String, says: String },
    #[error("there is a connection {name} already")]
    Taken { name: String },
    /// People are known by it, who would lose what they sign in with.
    #[error("users came in through connection {name}; delete them first")]
    InUse { name: String },
    /// The key is not the one that they were sealed with.
    #[error("the secrets of the connection can't be read: set all of them anew")]
    Sealed,
    #[error("somebody else changed it meanwhile")]
    Stale,
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for ConnectionError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Stale => Self::Stale,
            error => Self::Store(error),
        }
    }
}

fn wrong(member: impl Into<String>, says: impl ToString) -> ConnectionError {
    ConnectionError::Wrong { member: member.into(), says: says.to_string() }
}

/// A step that may be taken.
#[derive(Debug)]
pub struct PlannedConnection {
    pub step: Step,
    pub before: Option<StoredConnection>,
    pub after: Option<StoredConnection>,
    /// Which secrets it has then.
    pub secrets: Vec<String>,
    batch: Batch,
}

/// What is wrong with the options and secrets of a connection among each other, in words with the way out; empty if they make a whole.
pub fn contradictions(connection: &Connection, secrets: &ConnectionSecrets) -> Vec<String> {
    match connection.kind {
        ConnectionKind::Samlp => {
            saml_contradictions(&connection.options.saml).into_iter().map(|(what, advice)| format!("{what}. {advice}")).collect()
        }
        // What is not set yet may be what the provider gives for the callback address, which it wants first.
        kind if kind.is_oauth() => {
            let invalid = oidc::settings::Settings::of(connection, secrets).err().unwrap_or_default();
            let invalid = invalid.iter().filter(|invalid| !invalid.is_missing());
            invalid.map(|invalid| format!("{}. {}", invalid.what, invalid.advice)).collect()
        }
        ConnectionKind::Ldap => {
            let invalid = ldap::settings::Settings::of(&connection.options.directory, secrets).err();
            invalid.into_iter().flatten().map(|invalid| invalid.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

/// What is wrong with the options of SAML among each other, each with the way out.
pub fn saml_contradictions(options: &SamlOptions) -> Vec<(&'static str, &'static str)> {
    let mut all = Vec::new();
    if options.metadata_url.is_some() && options.metadata_file.is_some() {
        all.push((
            "metadata_url and metadata_file are both set",
            "Take one of them back: --set metadata_file= or --set metadata_url=",
        ));
    }
    if options.decryption_cert_file.is_some() && options.decryption_key_file.is_none() {
        all.push((
            "decryption_cert_file is set without decryption_key_file",
            "Set decryption_key_file to the key of that certificate.",
        ));
    }
    let is_plain = options.metadata_url.as_ref().is_some_and(|url| url.starts_with("http://"));
    if is_plain && !options.allow_plaintext {
        all.push(("metadata_url is http://", "Use https://; for a server on this machine set allow_plaintext=true."));
    }
    all
}

/// Does the option name a file of this machine? Whoever is on it sets it there.
fn names_a_file(option: &str) -> bool {
    option.ends_with("_file")
}

/// What a connection is to be: every option that is not named falls to its default.
#[derive(Debug, Default)]
pub struct ConnectionWanted {
    pub set: Map<String, Value>,
    /// By name or id; `Some(None)`: none.
    pub organization: Option<Option<String>>,
    pub secrets: ConnectionSecrets,
}

impl Registrar {
    /// A new connection.
    ///
    /// # Errors
    /// [`ConnectionError::Wrong`] for what may not be said of it, [`ConnectionError::Taken`] for its name.
    pub async fn create_connection(
        &self,
        tenant: &TenantId,
        (name, kind): (&str, ConnectionKind),
        wanted: ConnectionWanted,
        audit: &Audit,
    ) -> Result<PlannedConnection, ConnectionError> {
        check_name(name).map_err(|error| wrong("name", error))?;
        if !ConnectionKind::OFFERED.contains(&kind) {
            return Err(wrong("strategy", "there is no such kind yet"));
        }
        let connection = Connection {
            tenant_id: tenant.clone(),
            id: new_connection_id(&self.entropy, audit.at),
            name: name.to_owned(),
            kind,
            organization_id: None,
            options: Options::defaults(kind),
            version: 1,
            created_at: audit.at,
            updated_at: audit.at,
        };
        let mut stored = StoredConnection { connection, set: Map::new() };
        let secrets = self.become_whole(&mut stored, wanted, None).await?;
        if connections::find_by_name(&self.store, tenant, name).await?.is_some() {
            return Err(ConnectionError::Taken { name: name.to_owned() });
        }
        let mut batch = Batch::default();
        connections::create(&mut batch, &stored, secrets.seal(&stored.connection.id, &self.keys, &self.entropy), audit);
        let secrets = secrets.names().map(str::to_owned).collect();
        Ok(PlannedConnection { step: Step::Create, before: None, after: Some(stored), secrets, batch })
    }

    /// `stored` as it is `wanted`; nothing is written where that is how it is.
    ///
    /// # Errors
    /// As [`Registrar::create_connection`].
    pub async fn update_connection(
        &self,
        stored: StoredConnection,
        wanted: ConnectionWanted,
        audit: &Audit,
    ) -> Result<PlannedConnection, ConnectionError> {
        let known = self.secrets_of(&stored.connection).await;
        let kept: Vec<(String, String)> = known.as_ref().map(|known| texts(known).collect()).unwrap_or_default();
        let mut after = stored.clone();
        let secrets = self.become_whole(&mut after, wanted, Some(&stored.set)).await?;
        let moved = known.is_err() || texts(&secrets).collect::<Vec<_>>() != kept;
        let mut batch = Batch::default();
        if moved {
            let sealed = secrets.seal(&after.connection.id, &self.keys, &self.entropy);
            connections::update_with_secrets(&mut batch, &after, sealed, audit);
        } else if after.set != stored.set || after.connection.organization_id != stored.connection.organization_id {
            connections::update(&mut batch, &after, audit);
        }
        if !batch.is_empty() {
            after.connection.version += 1;
            after.connection.updated_at = audit.at;
        }
        let secrets = secrets.names().map(str::to_owned).collect();
        Ok(PlannedConnection { step: Step::Update, before: Some(stored), after: Some(after), secrets, batch })
    }

    /// Removes one nobody came in through, with its tokens and groups.
    ///
    /// # Errors
    /// [`ConnectionError::InUse`].
    pub async fn delete_connection(&self, stored: StoredConnection, audit: &Audit) -> Result<PlannedConnection, ConnectionError> {
        let Connection { tenant_id, id, name, .. } = &stored.connection;
        if connections::has_identities(&self.store, tenant_id, id).await? {
            return Err(ConnectionError::InUse { name: name.clone() });
        }
        let mut batch = Batch::default();
        connections::delete(&mut batch, &stored.connection, audit);
        Ok(PlannedConnection { step: Step::Delete, before: Some(stored), after: None, secrets: Vec::new(), batch })
    }

    /// Writes what was planned.
    ///
    /// # Errors
    /// [`ConnectionError::Taken`], [`ConnectionError::InUse`] or [`ConnectionError::Stale`] if somebody was quicker.
    pub async fn carry_out_connection(&self, planned: &mut PlannedConnection) -> Result<(), ConnectionError> {
        let batch = std::mem::take(&mut planned.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let name = |stored: &StoredConnection| stored.connection.name.clone();
        match (self.store.apply(batch).await, &planned.after, &planned.before) {
            (Ok(()), ..) => Ok(()),
            (Err(store::Error::Conflict), Some(after), None) => Err(ConnectionError::Taken { name: name(after) }),
            (Err(store::Error::Conflict), None, Some(before)) => Err(ConnectionError::InUse { name: name(before) }),
            (Err(error), ..) => Err(error.into()),
        }
    }

    /// What the connection keeps sealed.
    ///
    /// # Errors
    /// [`ConnectionError::Sealed`] if it was sealed with another key.
    pub async fn secrets_of(&self, connection: &Connection) -> Result<ConnectionSecrets, ConnectionError> {
        let sealed = connections::secrets(&self.store, &connection.tenant_id, &connection.id).await?;
        ConnectionSecrets::open(sealed.as_deref(), &connection.id, &self.keys).map_err(|_| ConnectionError::Sealed)
    }

    async fn become_whole(
        &self,
        stored: &mut StoredConnection,
        wanted: ConnectionWanted,
        known: Option<&Map<String, Value>>,
    ) -> Result<ConnectionSecrets, ConnectionError> {
        let ConnectionWanted { mut set, organization, secrets } = wanted;
        set.retain(|_, value| !value.is_null());
        // Those that are there were set by somebody on this machine, and stay unless they are spoken of.
        for (name, value) in known.into_iter().flatten().filter(|(name, _)| names_a_file(name)) {
            set.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if let Some((name, _)) =
            set.iter().find(|(name, value)| names_a_file(name) && known.and_then(|known| known.get(name.as_str())) != Some(value))
        {
            return Err(wrong(
                format!("options.{name}"),
                "names a file of the server: set it there with `rosterd connection update`",
            ));
        }
        let kind = stored.connection.kind;
        stored.connection.options = Options::parse(kind, &set).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            wrong("options", lines.join("; "))
        })?;
        stored.set = set;
        let tenant = stored.connection.tenant_id.clone();
        match organization {
            None => {}
            Some(None) => stored.connection.organization_id = None,
            Some(Some(name)) => stored.connection.organization_id = Some(self.organization(&tenant, &name).await?),
        }
        self.refers(stored).await?;
        match contradictions(&stored.connection, &secrets) {
            contradictions if contradictions.is_empty() => Ok(secrets),
            contradictions => Err(wrong("options", contradictions.join("; "))),
        }
    }

    async fn organization(&self, tenant: &TenantId, name: &str) -> Result<OrganizationId, ConnectionError> {
        let found = match name.starts_with("org_") {
            true => organizations::find(&self.store, tenant, &OrganizationId::new(name)).await?,
            false => organizations::find_by_name(&self.store, tenant, name).await?,
        };
        found.map(|found| found.id).ok_or_else(|| wrong("organization_id", format!("there is no organization {name}")))
    }

    /// The connection to join and the mappings are there.
    async fn refers(&self, stored: &StoredConnection) -> Result<(), ConnectionError> {
        let Connection { tenant_id, name, options, .. } = &stored.connection;
        if let Some(join) = &options.join {
            if join == name {
                return Err(wrong("options.join", "a connection can't join itself"));
            }
            let found = match join.starts_with("con_") {
                true => connections::find(&self.store, tenant_id, &ConnectionId::new(join)).await?,
                false => connections::find_by_name(&self.store, tenant_id, join).await?,
            };
            if found.is_none() {
                return Err(wrong("options.join", format!("there is no connection {join}")));
            }
        }
        let mappings = [
            ("mapping", Some(&options.mapping)),
            ("scim_mapping", Some(&options.scim_mapping)),
            ("group_mapping", options.group_mapping.as_ref()),
        ];
        for (option, mapping) in mappings {
            if let (Some(mapping), true) = (mapping, stored.set.contains_key(option)) {
                self.comes_in(tenant_id, mapping).await?.map_err(|says| wrong(format!("options.{option}"), says))?;
            }
        }
        Ok(())
    }

    /// Is there a mapping of that name, published or as a file, for what comes in?
    async fn comes_in(&self, tenant: &TenantId, name: &str) -> Result<Result<(), String>, ConnectionError> {
        let text = match mapping_versions::latest(&self.store, tenant, name).await? {
            Some(newest) => Some(mappings::published(newest)?),
            None => match (self.drafts)(name) {
                Ok(draft) => draft,
                Err(reason) => return Ok(Err(reason)),
            },
        };
        let Some(text) = text else {
            return Ok(Err(format!("no mapping {name} is published, and there is no such file in mappings.dir")));
        };
        let goes_out =
            mapping::compile(&text).is_ok_and(|compiled| compiled.direction().is_some_and(|(from, _)| from == "profile"));
        Ok(if goes_out {
            Err(format!("mapping {name} says what goes out, from profile: it is for an application"))
        } else {
            Ok(())
        })
    }
}

fn texts(secrets: &ConnectionSecrets) -> impl Iterator<Item = (String, String)> {
    secrets.names().filter_map(|name| Some((name.to_owned(), secrets.get(name)?.expose().clone())))
}
