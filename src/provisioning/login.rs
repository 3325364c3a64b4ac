//! Logins: the shell around [`super::decide::login`]. Reads, decides, applies; goes round again when a row moved
//! meanwhile. What every connector that logs people in calls once its check passed. Refuses unverified data by type;
//! knows nothing of cookies or protocols, and of sessions only whose end.

use super::decide::login::{self as decide, Denial};
use super::decide::{Desk, Known, LoginTrace, Newcomer};
use super::plan::{ProfileWrite, UserPlan};
use super::push::JoinKeys;
use super::rounds::Rounds;
use super::{Error, Provisioner, Request, apply, user_id};
use crate::mapping::Mapping;
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::fold::fold;
use crate::model::identity::Identity;
use crate::model::ids::{IdentityId, ProfileId};
use crate::model::user::User;
use crate::profile::verified::{LoginRecord, Verified};
use crate::profile::{Profile, Side};
use crate::store::identities::Found;
use crate::store::{self, Batch, events, groups, identities, sessions, tokens};
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::Arc;

/// Who logs in what does so, in `actor` columns.
const ACTOR: &str = "login";

/// A login as the edge knows it.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub connection: &'a Connection,
    pub request_id: &'a str,
    /// Where the browser or the application called from, for the log.
    pub ip: Option<IpAddr>,
    pub user_agent: Option<&'a str>,
}

/// Somebody who got in.
#[derive(Debug)]
pub struct LoggedIn {
    pub profile_id: ProfileId,
    /// Public.
    pub user_id: String,
    pub identity_id: IdentityId,
    /// The normalised document as it stands now.
    pub profile: Profile,
    /// Names of the groups the person is in: rows of every identity, and what logins gave.
    pub groups: Vec<String>,
    /// What the mapping gave as `session.*`, without that prefix: for this session alone.
    pub session: Map<String, Value>,
    /// This login made the profile.
    pub is_new: bool,
    /// What became of each attribute.
    pub trace: Option<LoginTrace>,
}

/// What else is stored for somebody who gets in, in the same batch.
pub type Besides<'a> = &'a (dyn Fn(&Entering<'_>, &mut Batch) + Send + Sync);

/// Somebody who gets in if the batch comes out.
pub struct Entering<'a> {
    pub profile_id: &'a ProfileId,
    pub identity_id: &'a IdentityId,
    /// As [`LoggedIn::session`].
    pub session: Map<String, Value>,
}

impl Provisioner {
    /// Lets somebody in, or not. The record goes through the connection's `mapping`, the write policy and the blocks;
    /// identity, profile, counters, history, log and outbox move in one batch.
    ///
    /// # Errors
    /// [`Error::Mapping`] if the mapping can't run, [`Error::Store`] if the store can't: neither says anything about the
    /// person. A [`Denial`] is no error but the answer; it is logged.
    pub async fn login(&self, login: &Login<'_>, record: &Verified<LoginRecord>) -> Result<Result<LoggedIn, Denial>, Error> {
        self.login_storing(login, record, &|_, _| {}).await
    }

    /// [`Self::login`] that stores more with it, or neither.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn login_storing(
        &self,
        login: &Login<'_>,
        record: &Verified<LoginRecord>,
        besides: Besides<'_>,
    ) -> Result<Result<LoggedIn, Denial>, Error> {
        if !login.connection.kind.logs_in() {
            return Ok(Err(Denial::NoLogin));
        }
        // A POST of the same person waits likewise.
        let who = fold(record.get().external_id());
        let _turn = self.turns.take((login.connection.id.as_str(), "arrival", who)).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            match self.login_once(login, record, besides).await {
                Err(Error::Store(reason)) => rounds.again(reason).await?,
                done => return done,
            }
        }
    }

    /// The mapping of logins: it says what their source has to be asked for.
    ///
    /// # Errors
    /// [`Error::Mapping`], [`Error::Store`].
    pub async fn login_mapping(&self, connection: &Connection) -> Result<Arc<dyn Mapping>, Error> {
        self.mappings.of_login(connection).await
    }

    /// Logs a login whose check did not pass: `reason` is stable, `external_id` the source's name for whom it was about, if
    /// that is known; `facts` are what an administrator wants to know besides, by name.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn note_unverified(
        &self,
        login: &Login<'_>,
        reason: &str,
        external_id: Option<&str>,
        facts: &[(&str, &str)],
    ) -> Result<(), Error> {
        let connection = login.connection;
        let known = match external_id {
            Some(external_id) => self.meant(connection, external_id).await?,
            None => None,
        };
        let request = Request { connection, actor: ACTOR, request_id: login.request_id };
        let entry = decide::unverified(
            &self.moment(&request),
            connection,
            (reason, facts),
            external_id,
            known.map(|found| found.identity),
        );
        let entry = entry.from_where(login.ip, login.user_agent);
        let mut batch = Batch::default();
        events::insert_log(&mut batch, &connection.tenant_id, &[entry]);
        Ok(self.store.apply(batch).await?)
    }

    async fn login_once(
        &self,
        login: &Login<'_>,
        record: &Verified<LoginRecord>,
        besides: Besides<'_>,
    ) -> Result<Result<LoggedIn, Denial>, Error> {
        let connection = login.connection;
        let mapping = self.mappings.of_login(connection).await?;
        let found = self.meant(connection, record.get().external_id()).await?;
        let request = Request { connection, actor: ACTOR, request_id: login.request_id };
        let root_attributes = connection.options.root_attributes(self.has_scim_side(connection, found.as_ref()).await?);
        let desk = Desk { side: Side::Login, root_attributes, ..self.desk(&request, &*mapping) };
        let identity = found.as_ref().map(|found| found.identity.clone());
        let before = found.as_ref().and_then(|found| found.user.clone());
        let decided = match found {
            Some(found) => decide::known(&desk, self.known_at_login(connection, found).await?, record),
            None => self.first_login(&desk, record).await?,
        };
        match decided {
            Ok(mut plan) => {
                plan.log = plan.log.into_iter().map(|entry| entry.from_where(login.ip, login.user_agent)).collect();
                let mut batch = apply::user(&plan);
                let identity = plan.identity.identity();
                let profile_id = identity.profile_id.as_ref().expect("whoever gets in has a profile");
                let entering = Entering { profile_id, identity_id: &identity.id, session: session(identity) };
                besides(&entering, &mut batch);
                self.store.apply(batch).await?;
                self.logged_in(connection, plan, before).await.map(Ok)
            }
            Err(denial) => {
                let entry = decide::denied(&desk, identity.as_ref(), record.get(), &denial);
                let entry = entry.from_where(login.ip, login.user_agent);
                let mut batch = Batch::default();
                if let Some(user) = before.filter(|_| denial.ends_sessions()) {
                    sessions::delete_of_profile(&mut batch, &connection.tenant_id, &user.id);
                }
                events::insert_log(&mut batch, &connection.tenant_id, &[entry]);
                self.store.apply(batch).await?;
                Ok(Err(denial))
            }
        }
    }

    /// Whom the id of a login means. Where people are known by the name that is pushed, an external id that was pushed is
    /// something else, and only one that a login made is compared.
    async fn meant(&self, connection: &Connection, external_id: &str) -> Result<Option<Found>, Error> {
        if connection.knows_by_user_name()
            && let Some(found) = identities::find_by_user_name(&self.store, connection, &fold(external_id)).await?
        {
            return Ok(Some(found));
        }
        let found = identities::find_by_external_id(&self.store, connection, external_id).await?;
        let was_pushed = |found: &Found| found.identity.raw.is_some();
        Ok(found.filter(|found| !(connection.knows_by_user_name() && was_pushed(found))))
    }

    /// Does anybody push to this connection? Asked only where the answer decides something.
    async fn has_scim_side(&self, connection: &Connection, found: Option<&Found>) -> Result<bool, Error> {
        // A directory is read and logged in to by the same mapping: both say the same.
        if connection.kind == ConnectionKind::Ldap {
            return Ok(false);
        }
        if connection.options.set_user_root_attributes.is_some() || found.is_some_and(|found| found.identity.raw.is_some()) {
            return Ok(true);
        }
        Ok(tokens::has_any(&self.store, &connection.tenant_id, &connection.id).await?)
    }

    /// Nobody of that id is here: whom they join, what they would be called, or that they were here once.
    async fn first_login(&self, desk: &Desk<'_>, record: &Verified<LoginRecord>) -> Result<Result<UserPlan, Denial>, Error> {
        let connection = desk.connection;
        let external_id = record.get().external_id();
        let mut tombstones = vec![user_id::tombstone(&connection.id, external_id)];
        if connection.knows_by_user_name() {
            tombstones.push(user_id::name_tombstone(&connection.id, &fold(external_id)));
        }
        for tombstone in tombstones {
            if identities::was_removed(&self.store, &connection.tenant_id, &tombstone).await? {
                return Ok(Err(Denial::Deprovisioned));
            }
        }
        let id = IdentityId::new(desk.moment.id());
        let mapped = self.with_free(desk, decide::map(desk, record)).await?;
        let wanted = user_id::wanted(connection, mapped.text("user_id").or(Some(external_id)), id.as_str());
        let email = mapped.text("email");
        let keys = JoinKeys {
            external_id: Some(external_id),
            user_name: mapped.text("username"),
            email: email.filter(|_| mapped.is_true("email_verified")),
        };
        let (joined, in_doubt) = self.joined(connection, keys).await?;
        let email_key = email.map(fold);
        let erased = if connection.knows_by_user_name() {
            user_id::name_tombstone(&connection.id, &fold(external_id))
        } else {
            user_id::tombstone(&connection.id, external_id)
        };
        let asked = identities::Wanted {
            external_id: None,
            user_name_key: None,
            email_key: email_key.as_deref(),
            user_id: &wanted,
            erased_hash: Some(&erased),
        };
        let claims = identities::find_claims(&self.store, connection, &asked).await?;
        if claims.erased {
            return Ok(Err(Denial::Deprovisioned));
        }
        let newcomer = Newcomer { in_doubt, ..Newcomer::new(&wanted, &claims, joined) };
        Ok(decide::first(desk, record, &mapped, id, newcomer))
    }

    /// What a decision about a login reads. Blocks only when the profile says there are any; a login moves no values.
    async fn known_at_login(&self, connection: &Connection, found: Found) -> Result<Known, Error> {
        let Found { identity, user, in_groups } = found;
        let blocks = match &user {
            Some(user) if user.blocked => identities::find_blocks(&self.store, &connection.tenant_id, &user.id).await?,
            _ => Vec::new(),
        };
        Ok(Known { identity, user, blocks, values: Vec::new(), in_groups })
    }

    async fn logged_in(&self, connection: &Connection, plan: UserPlan, before: Option<User>) -> Result<LoggedIn, Error> {
        let is_new = matches!(plan.profile, ProfileWrite::Insert(_));
        let identity = plan.identity.identity();
        let identity_id = identity.id.clone();
        let session = session(identity);
        let trace = plan.trace;
        let user = match plan.profile {
            ProfileWrite::Insert(user) | ProfileWrite::Update { user, .. } => Some(user),
            ProfileWrite::None | ProfileWrite::Remove { .. } => before,
        };
        let user = user.expect("whoever gets in has a profile");
        let groups = groups::of_profile(&self.store, &connection.tenant_id, &user.id).await?;
        let profile = Profile::parse(&user.doc).ok_or(store::Error::Corrupt { what: "users.doc is not a JSON object" })?;
        Ok(LoggedIn { profile_id: user.id, user_id: user.user_id, identity_id, profile, groups, session, is_new, trace })
    }
}

/// What the mapping gave for the session.
fn session(identity: &Identity) -> Map<String, Value> {
    let mapped = identity.login.as_ref().and_then(|side| serde_json::from_str::<Map<String, Value>>(&side.mapped).ok());
    let of_session = |(name, value): (String, Value)| name.strip_prefix("session.").map(|name| (name.to_owned(), value));
    mapped.unwrap_or_default().into_iter().filter_map(of_session).collect()
}
