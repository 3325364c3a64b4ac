//! The shell: reads whom a change is about, has it decided, stores it; again when a row moved meanwhile. A dry run stops before
//! it stores.

use super::create::{self, Claims, Newcomer};
use super::update::{self, Held, Owned, Person};
use super::{By, Error, Members, Refused, Writer, handles};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::fold::fold;
use crate::model::identity::Identity;
use crate::model::ids::TenantId;
use crate::model::user::User;
use crate::profile::Side;
use crate::provisioning::decide::Moment;
use crate::provisioning::plan::{Decision, ProfileWrite, UserPlan};
use crate::provisioning::rounds::Rounds;
use crate::provisioning::{Expected, Provisioner, apply, user_id};
use crate::store::{self, Batch, connections, handles as bearers, identities, people, tokens};

/// Who asks for it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub tenant: &'a TenantId,
    /// `token:{id}`.
    pub actor: &'a str,
    pub request_id: &'a str,
    pub by: By,
    /// Only to see what would be done.
    pub dry_run: bool,
}

/// What is stored with it, in the same batch: a password, for whoever keeps those.
pub type Besides<'a> = &'a (dyn Fn(&Identity, &mut Batch) + Send + Sync);

/// What it came to.
#[derive(Debug)]
pub struct Done {
    pub user_id: String,
    /// Of the profile, after it.
    pub version: i64,
    /// None: everything was so already.
    pub plan: Option<Box<UserPlan>>,
}

impl Provisioner {
    /// Makes a new person of a database connection.
    ///
    /// # Errors
    /// [`Error::Refused`] by the rules of [`create::create`], else what stopped us.
    pub async fn create_person(
        &self,
        asked: &Asked<'_>,
        connection: &Connection,
        new: &Members,
        besides: Besides<'_>,
    ) -> Result<Done, Error> {
        let who = new.text("email").or(new.text("username")).or(new.text("phone_number")).unwrap_or_default();
        let _turn = self.turns.take((connection.id.as_str(), "arrival", fold(who))).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let writer = self.writer(asked);
            let newcomer = create::newcomer(&writer, connection, new);
            let claims = self.claims(connection, &newcomer).await?;
            let plan = create::create(&writer, connection, new, newcomer, &claims)?;
            if asked.dry_run {
                return Ok(done(plan));
            }
            let mut batch = apply::user(&plan);
            besides(plan.identity.identity(), &mut batch);
            match self.store.apply(batch).await {
                Ok(()) => return Ok(done(plan)),
                Err(reason) => rounds.again(reason).await?,
            }
        }
    }

    /// Changes what is mentioned of the person that bears `user_id`.
    ///
    /// # Errors
    /// [`Error::Refused`] by the rules of [`update::update`], else what stopped us.
    pub async fn update_person(
        &self,
        asked: &Asked<'_>,
        user_id: &str,
        expected: &Expected,
        edit: &Members,
        besides: Besides<'_>,
    ) -> Result<Done, Error> {
        let _turn = self.turns.take((asked.tenant.as_str(), "person", user_id)).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let person = self.person(asked.tenant, user_id).await?.ok_or(Refused::NotFound)?;
            expected.check(person.user.version).map_err(|_| Refused::VersionMismatch)?;
            let writer = self.writer(asked);
            let held = update::meant(&person, edit)?;
            let taken = self.taken(held, &update::gained(held, edit)).await?;
            let owned = match person.identities.first() {
                Some(primary) if !edit.roots.is_empty() => self.owned(primary).await?,
                _ => Owned::default(),
            };
            let decision = update::update(&writer, &person, edit, &owned, &taken)?;
            let (mut batch, plan) = match decision {
                Decision::Write(plan) => (apply::user(&plan), Some(plan)),
                Decision::Nothing | Decision::Refused(_) => (Batch::default(), None),
            };
            let version = person.user.version + i64::from(plan.is_some());
            let done = Done { user_id: person.user.user_id.clone(), version, plan };
            if asked.dry_run {
                return Ok(done);
            }
            besides(&held.identity, &mut batch);
            match self.store.apply(batch).await {
                Ok(()) => return Ok(done),
                Err(reason) => rounds.again(reason).await?,
            }
        }
    }

    pub(super) fn writer<'a>(&'a self, asked: &Asked<'a>) -> Writer<'a> {
        let now = self.clock.now();
        let moment = Moment {
            now: now - now % 1_000,
            instant: now,
            actor: asked.actor,
            request_id: asked.request_id,
            entropy: &self.entropy,
        };
        Writer { moment, by: asked.by }
    }

    /// The person that bears `user_id`, with all that a decision about them reads.
    pub(super) async fn person(&self, tenant: &TenantId, user_id: &str) -> Result<Option<Person>, Error> {
        let Some((user, is_barred)) = people::find(&self.store, tenant, user_id).await? else { return Ok(None) };
        let blocks = if is_barred { identities::find_blocks(&self.store, tenant, &user.id).await? } else { Vec::new() };
        let mut held: Vec<Held> = Vec::new();
        for identity in people::identities(&self.store, tenant, &user.id).await? {
            let known = held.iter().find(|held| held.connection.id == identity.connection_id);
            let connection = match known {
                Some(known) => known.connection.clone(),
                None => {
                    let found = connections::find(&self.store, tenant, &identity.connection_id).await?;
                    found.ok_or(store::Error::Stale)?.connection
                }
            };
            held.push(Held { identity, connection });
        }
        Ok(Some(Person { user, blocks, identities: held }))
    }

    /// Who stands where somebody new wants to.
    async fn claims(&self, connection: &Connection, newcomer: &Newcomer) -> Result<Claims, Error> {
        let address = newcomer.roots.get("email").and_then(serde_json::Value::as_str).map(fold);
        let erased = user_id::tombstone(&connection.id, &newcomer.external_id);
        let wanted = identities::Wanted {
            external_id: Some(&newcomer.external_id),
            user_name_key: None,
            email_key: address.as_deref(),
            user_id: &newcomer.user_id,
            erased_hash: Some(&erased),
        };
        let found = identities::find_claims(&self.store, connection, &wanted).await?;
        let handles = handles(&newcomer.roots);
        let bearers = bearers::bearers(&self.store, connection, &handles).await?;
        let taken = handles.into_iter().zip(bearers).filter(|(_, bearer)| bearer.is_some());
        Ok(Claims {
            is_known: found.by_external_id.is_some(),
            handles: taken.map(|((kind, _), _)| kind).collect(),
            user_ids_borne: found.user_ids_borne,
            user_ids_taken: found.user_ids_taken,
            by_email: found.by_email.into_iter().next(),
            erased: found.erased,
        })
    }

    /// Which of these handles are somebody else's on the identity's connection.
    async fn taken(&self, held: &Held, wanted: &[(String, String)]) -> Result<Vec<String>, Error> {
        if wanted.is_empty() || held.connection.kind != ConnectionKind::Database {
            return Ok(Vec::new());
        }
        let bearers = bearers::bearers(&self.store, &held.connection, wanted).await?;
        let others = wanted.iter().zip(bearers).filter(|(_, bearer)| bearer.as_ref().is_some_and(|id| *id != held.identity.id));
        Ok(others.map(|((kind, _), _)| kind.clone()).collect())
    }

    /// What the source of the primary identity writes by itself, on both of its sides.
    async fn owned(&self, primary: &Held) -> Result<Owned, Error> {
        let Held { identity, connection } = primary;
        let mut owned = Owned::default();
        if connection.kind == ConnectionKind::Database {
            return Ok(owned);
        }
        let is_followed = connection.kind == ConnectionKind::Ldap;
        if is_followed || identity.raw.is_some() {
            let side = if is_followed { Side::Sync } else { Side::Push };
            let mapping = self.mappings.of_push(connection).await?;
            owned.add(&*mapping, side, connection.options.root_attributes(!is_followed), identity.mapped.as_deref());
        }
        if connection.kind.logs_in() {
            let has_scim_side = !is_followed
                && (identity.raw.is_some() || tokens::has_any(&self.store, &connection.tenant_id, &connection.id).await?);
            let mapping = self.mappings.of_login(connection).await?;
            let given = identity.login.as_ref().map(|side| side.mapped.as_str());
            owned.add(&*mapping, Side::Login, connection.options.root_attributes(has_scim_side), given);
        }
        Ok(owned)
    }
}

fn done(plan: UserPlan) -> Done {
    let (user_id, version) = match &plan.profile {
        ProfileWrite::Insert(user) => (user.user_id.clone(), user.version),
        ProfileWrite::Update { user, expected } => (user.user_id.clone(), expected + 1),
        ProfileWrite::None | ProfileWrite::Remove { .. } => (String::new(), 0),
    };
    Done { user_id, version, plan: Some(Box::new(plan)) }
}

/// The profile a plan leaves.
pub fn after(plan: &UserPlan) -> Option<&User> {
    match &plan.profile {
        ProfileWrite::Insert(user) | ProfileWrite::Update { user, .. } => Some(user),
        ProfileWrite::None | ProfileWrite::Remove { .. } => None,
    }
}
