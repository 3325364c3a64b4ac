//! Pushed users: the shell around [`super::decide`]. Reads, decides, applies; goes round again when the row moved
//! meanwhile. The only way a SCIM write reaches a profile.

use super::budget::Removal;
use super::decide::{self, Arrival, Desk, Joined, Known, Newcomer, UserEvent};
use super::plan::{Decision, IdentityWrite, Refusal, UserPlan};
use super::rounds::Rounds;
use super::{Error, Expected, Provisioner, Request, apply, user_id};
use crate::clock::Micros;
use crate::mapping::{Given, Mapped, none_of};
use crate::model::connection::{Connection, Deprovision};
use crate::model::fold::fold;
use crate::model::identity::Identity;
use crate::model::ids::{IdentityId, ProfileId, TenantId};
use crate::profile::SourceRecord;
use crate::store::{self, Batch, identities, users};
use serde_json::{Map, Value};

/// What a write came to, for the answer.
#[derive(Debug)]
pub struct Pushed {
    /// The row as it stands after the write.
    pub identity: Identity,
    /// Some group names it: the answer has to read which.
    pub in_groups: bool,
    /// False when everything was so already.
    pub changed: bool,
}

impl Provisioner {
    /// A POST. Refused, answered by a revived identity, or a new one.
    pub async fn create_user(&self, request: &Request<'_>, record: &SourceRecord) -> Result<Pushed, Error> {
        let connection = request.connection;
        let who = record.external_id.as_deref().or(record.user_name.as_deref()).unwrap_or_default();
        let _turn = self.turns.take((connection.id.as_str(), "arrival", fold(who))).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            match self.create_user_once(request, record).await {
                Err(Error::Store(reason)) => rounds.again(reason).await?,
                done => return done,
            }
        }
    }

    async fn create_user_once(&self, request: &Request<'_>, record: &SourceRecord) -> Result<Pushed, Error> {
        let connection = request.connection;
        let mapping = self.mappings.of_push(connection).await?;
        let desk = self.desk(request, &*mapping);
        let id = IdentityId::new(desk.moment.id());
        let mapped = self.with_free(&desk, decide::map(&desk, record)).await?;
        let wanted = wanted_user_id(connection, record, &mapped, &id);
        let email_key = mapped.text("email").map(fold);
        let user_name_key = record.user_name.as_deref().map(fold);
        let erased_hash = erased_hash(connection, record);
        let mut claims = identities::find_claims(
            &self.store,
            connection,
            &identities::Wanted {
                external_id: record.external_id.as_deref(),
                user_name_key: user_name_key.as_deref(),
                email_key: email_key.as_deref(),
                user_id: &wanted,
                erased_hash: erased_hash.as_deref(),
            },
        )
        .await?;
        let arrival = match self.made_by_a_login(connection, record, &claims).await? {
            Some(id) => Arrival::Known(id),
            None => match decide::arrival(record, &claims, connection.options.scim_user_id_attribute) {
                Ok(arrival) => arrival,
                Err(refusal) => return Err(self.told_of(&desk, record, None, &claims, refusal).await?),
            },
        };
        if let Arrival::Known(id) = arrival {
            let known = self.known(connection, &id).await?.ok_or(store::Error::Stale)?;
            let (identity, name) = (&known.identity, &record.user_name);
            if connection.knows_by_user_name() && identity.raw.is_none() && identity.external_id != *name {
                // A login's id is a name here, and this one is another person's.
                return Err(Refusal::Taken { attribute: "externalId" }.into());
            }
            let event = decide::repost(&known, record, connection.options.repost)?;
            return self.write_user(&desk, event, known, record).await;
        }
        let (mut joined, in_doubt) = self.joined(connection, JoinKeys::of(record, &mapped)).await?;
        self.ruled(connection, subject(record), &mut claims, &mut joined).await?;
        let newcomer = Newcomer { in_doubt, ..Newcomer::new(&wanted, &claims, joined) };
        let decision = decide::create(&desk, record, mapped, id, newcomer);
        self.settle(&desk, decision, None, Batch::default()).await
    }

    /// Whom a login made under the name that is pushed now, where people are known by that. They have no name here yet, so that
    /// no claim finds them.
    async fn made_by_a_login(
        &self,
        connection: &Connection,
        record: &SourceRecord,
        claims: &identities::Claims,
    ) -> Result<Option<IdentityId>, Error> {
        let Some(user_name) = record.user_name.as_deref() else { return Ok(None) };
        if !connection.knows_by_user_name() || !connection.kind.logs_in() || claims.erased || claims.by_user_name.is_some() {
            return Ok(None);
        }
        let found = identities::find_by_external_id(&self.store, connection, user_name).await?;
        Ok(found.map(|found| found.identity).filter(|identity| identity.raw.is_none()).map(|identity| identity.id))
    }

    async fn write_user(&self, desk: &Desk<'_>, event: UserEvent, known: Known, record: &SourceRecord) -> Result<Pushed, Error> {
        let newcomer = match &known.user {
            Some(_) => None,
            None => Some(self.newcomer(desk, record, &known.identity.id).await?),
        };
        let decision = decide::write(desk, event, known.clone(), record, newcomer);
        self.settle(desk, decision, Some(&known), Batch::default()).await
    }

    /// What is to be known of an identity that a `skip` kept out of the roster, now that it may pass.
    pub(super) async fn newcomer(
        &self,
        desk: &Desk<'_>,
        record: &SourceRecord,
        id: &IdentityId,
    ) -> Result<(Newcomer, Mapped), Error> {
        let connection = desk.connection;
        let mapped = self.with_free(desk, decide::map(desk, record)).await?;
        let wanted = wanted_user_id(connection, record, &mapped, id);
        let email_key = mapped.text("email").map(fold);
        let mut claims = identities::find_claims(
            &self.store,
            connection,
            &identities::Wanted {
                external_id: None,
                user_name_key: None,
                email_key: email_key.as_deref(),
                user_id: &wanted,
                erased_hash: None,
            },
        )
        .await?;
        let (mut joined, in_doubt) = self.joined(connection, JoinKeys::of(record, &mapped)).await?;
        self.ruled(connection, subject(record), &mut claims, &mut joined).await?;
        Ok((Newcomer { in_doubt, ..Newcomer::new(&wanted, &claims, joined) }, mapped))
    }

    /// Candidates of `first_free` become the first that no profile of the organization bears, or an error. Two records
    /// that arrive at the same instant may both find it free: addresses and user names of profiles are not unique by
    /// design.
    pub(super) async fn with_free(&self, desk: &Desk<'_>, mut mapped: Mapped) -> Result<Mapped, Error> {
        for (rule, given) in &mut mapped.given {
            let Given::FirstFree(candidates) = given else { continue };
            let keys: Vec<String> = candidates.iter().map(|candidate| fold(candidate)).collect();
            let taken = users::find_taken(&self.store, desk.connection, &rule.target, &keys).await?;
            let free = keys.iter().position(|key| !taken.contains(key));
            *given = match free {
                Some(at) => Given::Value(candidates.swap_remove(at).into()),
                None => Given::Error(none_of(keys.len())),
            };
        }
        Ok(mapped)
    }

    /// A PUT or PATCH. `edit` makes the new record of the current resource; it runs again each round.
    pub async fn edit_user<E>(
        &self,
        request: &Request<'_>,
        id: &IdentityId,
        expected: &Expected,
        event: UserEvent,
        edit: impl Fn(&Map<String, Value>) -> Result<SourceRecord, E> + Sync,
    ) -> Result<Result<Pushed, E>, Error> {
        let _turn = self.turns.take((request.connection.id.as_str(), id.as_str())).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let known =
                self.known(request.connection, id).await?.filter(|known| known.identity.listed).ok_or(Refusal::NotFound)?;
            expected.check(known.identity.version)?;
            let record = match edit(&resource(&known.identity)?) {
                Ok(record) => record,
                Err(refused) => return Ok(Err(refused)),
            };
            let mapping = self.mappings.of_push(request.connection).await?;
            let desk = self.desk(request, &*mapping);
            let done = async {
                self.unclaimed(&desk, &known.identity, &record).await?;
                self.write_user(&desk, event, known, &record).await
            };
            match done.await {
                Err(Error::Store(reason)) => rounds.again(reason).await?,
                done => return done.map(Ok),
            }
        }
    }

    /// A DELETE.
    pub async fn delete_user(&self, request: &Request<'_>, id: &IdentityId, expected: &Expected) -> Result<(), Error> {
        let connection = request.connection;
        let _turn = self.turns.take((connection.id.as_str(), id.as_str())).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let known = self.known(connection, id).await?.filter(|known| known.identity.listed).ok_or(Refusal::NotFound)?;
            expected.check(known.identity.version)?;
            let removes = connection.options.deprovision == Deprovision::Delete;
            let last = removes && self.is_last(connection, &known).await?;
            let mapping = self.mappings.of_push(request.connection).await?;
            let desk = self.desk(request, &*mapping);
            let done = async {
                let spent = self.spend(request, &[Removal::of_user(id.as_str())]).await?;
                self.settle(&desk, decide::delete(&desk, known.clone(), last), Some(&known), spent).await
            };
            match done.await {
                Err(Error::Store(reason)) => rounds.again(reason).await?,
                done => return done.map(drop),
            }
        }
    }

    /// Removes a person whose grace ended before `before`. False if they are back, or gone already.
    pub async fn end_grace(&self, request: &Request<'_>, id: &IdentityId, before: Micros) -> Result<bool, Error> {
        let connection = request.connection;
        let _turn = self.turns.take((connection.id.as_str(), id.as_str())).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let Some(known) = self.known(connection, id).await? else { return Ok(false) };
            let last = self.is_last(connection, &known).await?;
            let mapping = self.mappings.of_push(request.connection).await?;
            let desk = self.desk(request, &*mapping);
            match self.settle(&desk, decide::end_grace(&desk, known.clone(), before, last), Some(&known), Batch::default()).await
            {
                Err(Error::Store(reason)) => rounds.again(reason).await?,
                Err(Error::Refused(Refusal::NotFound)) => return Ok(false),
                done => return done.map(|_| true),
            }
        }
    }

    /// Has the profile no other identity?
    pub(super) async fn is_last(&self, connection: &Connection, known: &Known) -> Result<bool, Error> {
        match &known.user {
            Some(user) => Ok(identities::count_of_profile(&self.store, &connection.tenant_id, &user.id).await? <= 1),
            None => Ok(false),
        }
    }

    /// Loads an identity with all that a decision about it reads. Blocks only when the profile says there are any.
    async fn known(&self, connection: &Connection, id: &IdentityId) -> Result<Option<Known>, Error> {
        let Some(found) = identities::find(&self.store, connection, id).await? else { return Ok(None) };
        let blocks = match &found.user {
            Some(user) if user.blocked => identities::find_blocks(&self.store, &connection.tenant_id, &user.id).await?,
            _ => Vec::new(),
        };
        let values = if found.identity.listed { (self.values_of)(&resource(&found.identity)?) } else { Vec::new() };
        Ok(Some(Known { identity: found.identity, user: found.user, blocks, values, in_groups: found.in_groups }))
    }

    /// The profile a new identity is to join by the configured pair, if there is exactly one.
    /// Several: joining any of them would be a guess, and they are told of.
    pub(super) async fn joined(
        &self,
        connection: &Connection,
        keys: JoinKeys<'_>,
    ) -> Result<(Option<Joined>, Vec<ProfileId>), Error> {
        use crate::model::connection::JoinOn;
        let options = &connection.options;
        let Some(join) = &options.join else { return Ok((None, Vec::new())) };
        let key = match options.join_on {
            JoinOn::ExternalId => keys.external_id.map(str::to_owned),
            JoinOn::Username => keys.user_name.map(fold),
            JoinOn::Email => keys.email.map(fold),
        };
        let Some(key) = key else { return Ok((None, Vec::new())) };
        let tenant = &connection.tenant_id;
        let mut found = identities::find_join(&self.store, connection, join, options.join_on, &key).await?;
        match (found.pop(), found.is_empty()) {
            (Some(id), true) => Ok((self.as_joined(tenant, &id).await?, Vec::new())),
            (last, _) => {
                found.extend(last);
                Ok((None, found))
            }
        }
    }

    /// A profile as somebody joins it.
    pub(super) async fn as_joined(&self, tenant: &TenantId, id: &ProfileId) -> Result<Option<Joined>, Error> {
        let Some((user, position)) = identities::find_profile(&self.store, tenant, id).await? else { return Ok(None) };
        let blocks = identities::find_blocks(&self.store, tenant, id).await?;
        Ok(Some(Joined { user, position, blocks }))
    }

    /// A changed userName or externalId must not be another identity's. The unique keys decide in the end; this
    /// read says which one it is.
    async fn unclaimed(&self, desk: &Desk<'_>, identity: &Identity, record: &SourceRecord) -> Result<(), Error> {
        let connection = desk.connection;
        let user_name_key = record.user_name.as_deref().map(fold);
        let renamed = user_name_key != identity.user_name_key;
        let renumbered = record.external_id != identity.external_id;
        if !renamed && !renumbered {
            return Ok(());
        }
        let claims = identities::find_claims(
            &self.store,
            connection,
            &identities::Wanted {
                external_id: record.external_id.as_deref().filter(|_| renumbered),
                user_name_key: user_name_key.as_deref().filter(|_| renamed),
                email_key: None,
                user_id: "",
                erased_hash: None,
            },
        )
        .await?;
        if claims.by_external_id.as_ref().is_some_and(|other| *other != identity.id) {
            return Err(Refusal::Taken { attribute: "externalId" }.into());
        }
        if claims.by_user_name.as_ref().is_some_and(|(other, _)| *other != identity.id) {
            let refusal = Refusal::Taken { attribute: "userName" };
            return Err(self.told_of(desk, record, Some(identity), &claims, refusal).await?);
        }
        Ok(())
    }

    /// A user name that two people are to have is a matter for a person: the inbox says so, and the client gets its 409 each time
    /// it tries. Every other refusal is the client's own.
    async fn told_of(
        &self,
        desk: &Desk<'_>,
        record: &SourceRecord,
        identity: Option<&Identity>,
        claims: &identities::Claims,
        refusal: Refusal,
    ) -> Result<Error, Error> {
        let named = identity.map(|identity| identity.id.as_str()).or(record.external_id.as_deref());
        let holder = claims.by_user_name.as_ref().map(|(id, _)| id);
        if let (Refusal::Taken { attribute: "userName" }, Some(named), Some(holder)) = (&refusal, named, holder) {
            let (inbox, log) = decide::user_name_taken(desk, named, record.user_name.as_deref(), holder);
            self.store.apply(apply::opened(&desk.connection.tenant_id, &inbox, &log)).await?;
        }
        Ok(refusal.into())
    }

    /// Carries a decision out, together with `also`.
    pub(super) async fn settle(
        &self,
        desk: &Desk<'_>,
        decision: Decision<UserPlan>,
        known: Option<&Known>,
        also: Batch,
    ) -> Result<Pushed, Error> {
        let in_groups = known.is_some_and(|known| known.in_groups);
        match decision {
            Decision::Write(plan) => {
                let mut batch = apply::user(&plan);
                batch.0.extend(also.0);
                self.store.apply(batch).await?;
                let identity = match plan.identity {
                    IdentityWrite::Insert(identity) | IdentityWrite::Seen(identity) | IdentityWrite::Untouched(identity) => {
                        identity
                    }
                    IdentityWrite::Update { identity, expected }
                    | IdentityWrite::Login { identity, expected }
                    | IdentityWrite::Remove { identity, expected } => Identity { version: expected + 1, ..identity },
                };
                Ok(Pushed { identity, in_groups, changed: true })
            }
            Decision::Nothing => {
                let identity = known.expect("nothing changes only where something was").identity.clone();
                Ok(Pushed { identity, in_groups, changed: false })
            }
            Decision::Refused(refusal) => {
                if let Some(batch) = apply::refusal(&desk.connection.tenant_id, &refusal) {
                    self.store.apply(batch).await?;
                }
                Err(refusal.into())
            }
        }
    }
}

/// What a row of the inbox calls somebody who is pushed.
fn subject(record: &SourceRecord) -> Option<&str> {
    record.external_id.as_deref().or(record.user_name.as_deref())
}

/// What a new identity may be known by at the connection it joins.
pub(super) struct JoinKeys<'a> {
    pub external_id: Option<&'a str>,
    pub user_name: Option<&'a str>,
    /// Verified, or fed by a directory.
    pub email: Option<&'a str>,
}

impl<'a> JoinKeys<'a> {
    pub(super) fn of(record: &'a SourceRecord, mapped: &'a Mapped) -> Self {
        Self { external_id: record.external_id.as_deref(), user_name: record.user_name.as_deref(), email: mapped.text("email") }
    }
}

/// The `user_id` a new profile asks for: a mapping may propose the last part.
pub(super) fn wanted_user_id(connection: &Connection, record: &SourceRecord, mapped: &Mapped, id: &IdentityId) -> String {
    let known_by = if connection.knows_by_user_name() { &record.user_name } else { &record.external_id };
    user_id::wanted(connection, mapped.text("user_id").or(known_by.as_deref()), id.as_str())
}

/// What would stand among the tombstones if the person had been erased.
fn erased_hash(connection: &Connection, record: &SourceRecord) -> Option<String> {
    let by_name = || record.user_name.as_deref().map(|name| user_id::name_tombstone(&connection.id, &fold(name)));
    match &record.external_id {
        Some(id) if !connection.knows_by_user_name() => Some(user_id::tombstone(&connection.id, id)),
        _ => by_name(),
    }
}

/// The stored resource of an identity, as a document.
pub fn resource(identity: &Identity) -> Result<Map<String, Value>, Error> {
    match &identity.raw {
        None => Ok(Map::new()),
        Some(text) => serde_json::from_str(text)
            .map_err(|_| Error::Store(store::Error::Corrupt { what: "identities.raw is not a JSON object" })),
    }
}
