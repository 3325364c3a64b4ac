//! Entries of a directory: the shell around [`super::decide`] that takes them in by the hundred. Reads what all of them
//! need at once, decides one by one, and writes what was decided as one batch, under the fencing number of the run's lease.
//! What can't go with the others, and what did not come out, goes alone: one person never stops the rest. Refuses to know
//! directories, and to conclude anything from who is not there.

use super::decide::{self, Desk, Known, Newcomer, UserEvent};
use super::plan::{Decision, Refusal, UserPlan};
use super::push::wanted_user_id;
use super::rounds::{Rounds, is_of_one_write};
use super::{Error, Provisioner, Request, apply};
use crate::mapping::{Given, Mapped, Mapping};
use crate::model::connection::{Connection, Deprovision};
use crate::model::fold::fold;
use crate::model::identity::{Identity, IdentityState};
use crate::model::ids::IdentityId;
use crate::profile::{Side, SourceRecord};
use crate::store::identities::Found;
use crate::store::{self, Batch, Store, erasure, groups, identities};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Entries written as one batch.
pub const TOGETHER_MAX: usize = 500;

/// The lease a run works under; every batch of it checks that nobody took it over.
#[derive(Clone, Debug)]
pub struct Fence {
    pub name: String,
    pub number: i64,
}

impl Fence {
    fn batch(&self, connection: &Connection) -> Batch {
        let mut batch = Batch::default();
        self.guard(connection, &mut batch);
        batch
    }

    /// Makes `batch` stale once somebody else works under the lease.
    pub fn guard(&self, connection: &Connection, batch: &mut Batch) {
        batch.guard_lease(connection.tenant_id.as_str(), &self.name, self.number);
    }

    /// Is the lease still this run's?
    pub async fn holds(&self, store: &Store, connection: &Connection) -> Result<bool, store::Error> {
        let lease = store.find_lease(connection.tenant_id.as_str(), &self.name).await?;
        Ok(lease.is_some_and(|lease| lease.fencing == self.number))
    }
}

/// One entry, as the connector reads it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub external_id: String,
    pub payload: Map<String, Value>,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    Created,
    Updated,
    Revived,
    Unchanged,
    /// The mapping refuses the record, and says that the source bars the person: that alone was written.
    Barred {
        reasons: Vec<(String, String)>,
    },
    Refused(Refusal),
    /// It could not be stored, for a reason of its own.
    Failed {
        reason: String,
    },
}

/// A decision, or that it has to be made alone.
enum Step {
    Write(Box<UserPlan>, Taken),
    Done(Taken),
    Alone,
}

/// What nobody claims of a newcomer.
struct Unclaimed {
    mapped: Mapped,
    user_id: String,
    email_key: Option<String>,
}

impl Provisioner {
    /// What turns an entry of the connection's directory into a profile.
    ///
    /// # Errors
    /// [`Error::Mapping`] if it can't run.
    pub async fn mapping_of_sync(&self, connection: &Connection) -> Result<Arc<dyn Mapping>, Error> {
        self.mappings.of_push(connection).await
    }

    /// What is made of the groups of the connection's directory; `None`: each is taken under its own name.
    ///
    /// # Errors
    /// [`Error::Mapping`] if it can't run.
    pub async fn mapping_of_groups(&self, connection: &Connection) -> Result<Option<Arc<dyn Mapping>>, Error> {
        match &connection.options.group_mapping {
            Some(name) => Ok(Some(self.mappings.of(&connection.tenant_id, name).await?)),
            None => Ok(None),
        }
    }

    /// Takes in up to [`TOGETHER_MAX`] entries of different people, by the mapping that they were read and judged for: a
    /// newer one may look at what was not asked for. The answers are in their order.
    ///
    /// # Errors
    /// What stops a run: the store, the mapping, or a lease that is somebody else's by now ([`store::Error::Stale`]).
    pub async fn take_in(
        &self,
        request: &Request<'_>,
        fence: &Fence,
        mapping: &dyn Mapping,
        entries: Vec<Entry>,
    ) -> Result<Vec<Taken>, Error> {
        let connection = request.connection;
        let desk = self.desk(request, mapping);
        let records: Vec<SourceRecord> = entries.into_iter().map(record).collect();
        let steps = self.decided(&desk, &records).await?;
        let (mut batches, mut taken, mut together) = (vec![fence.batch(connection)], Vec::new(), Vec::new());
        for (at, step) in steps.into_iter().enumerate() {
            taken.push(match step {
                Step::Done(done) => Some(done),
                Step::Alone => None,
                Step::Write(plan, done) => {
                    batches.push(apply::user(&plan));
                    together.push(at);
                    Some(done)
                }
            });
        }
        if !together.is_empty() {
            match self.store.apply(Batch::together(batches)).await {
                Ok(()) => {}
                // Something of one of them was different from what was read, or is refused: each is tried apart.
                Err(
                    store::Error::Stale | store::Error::Conflict | store::Error::Statement { .. } | store::Error::Corrupt { .. },
                ) => {
                    self.still_ours(request, fence).await?;
                    together.iter().for_each(|at| taken[*at] = None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let mut all = Vec::with_capacity(records.len());
        for (record, done) in records.iter().zip(taken) {
            all.push(match done {
                Some(done) => done,
                None => self.take_in_alone(request, fence, mapping, record).await?,
            });
        }
        Ok(all)
    }

    pub(super) async fn still_ours(&self, request: &Request<'_>, fence: &Fence) -> Result<(), Error> {
        if fence.holds(&self.store, request.connection).await? { Ok(()) } else { Err(store::Error::Stale.into()) }
    }

    async fn decided(&self, desk: &Desk<'_>, records: &[SourceRecord]) -> Result<Vec<Step>, Error> {
        let connection = desk.connection;
        let ids: Vec<String> = records.iter().map(external_id).collect();
        let found = identities::found_among(&self.store, connection, &ids).await?;
        let mut found: HashMap<String, Found> =
            found.into_iter().filter_map(|found| Some((found.identity.external_id.clone()?, found))).collect();
        let mut newcomers = self.unclaimed_newcomers(desk, records, &found).await?;
        let mut steps = Vec::with_capacity(records.len());
        for record in records {
            let id = external_id(record);
            steps.push(match (found.remove(&id), newcomers.remove(&id)) {
                (Some(Found { identity, user: Some(user), in_groups }), _) if identity.listed => {
                    let blocks = match user.blocked {
                        true => identities::find_blocks(&self.store, &connection.tenant_id, &user.id).await?,
                        false => Vec::new(),
                    };
                    let known = Known { identity, user: Some(user), blocks, values: Vec::new(), in_groups };
                    step(decide::write(desk, UserEvent::Replaced, known, record, None), UserEvent::Replaced)
                }
                (None, Some(Unclaimed { mapped, user_id, .. })) => {
                    let newcomer = Newcomer { user_id, ..Newcomer::default() };
                    let id = IdentityId::new(desk.moment.id());
                    step(decide::create(desk, record, mapped, id, newcomer), UserEvent::Created)
                }
                _ => Step::Alone,
            });
        }
        Ok(steps)
    }

    /// Those of the unknown people who stand in nobody's way: the rest is looked at one by one.
    async fn unclaimed_newcomers(
        &self,
        desk: &Desk<'_>,
        records: &[SourceRecord],
        found: &HashMap<String, Found>,
    ) -> Result<HashMap<String, Unclaimed>, Error> {
        let connection = desk.connection;
        if connection.options.join.is_some() {
            return Ok(HashMap::new());
        }
        let mut newcomers = HashMap::new();
        for record in records {
            let id = external_id(record);
            if found.contains_key(&id) {
                continue;
            }
            let mapped = decide::map(desk, record);
            if mapped.given.iter().any(|(_, given)| matches!(given, Given::FirstFree(_))) {
                continue;
            }
            let user_id = wanted_user_id(connection, record, &mapped, &IdentityId::new(""));
            let email_key = mapped.text("email").map(fold);
            newcomers.insert(id, Unclaimed { mapped, user_id, email_key });
        }
        let user_ids: Vec<String> = newcomers.values().map(|new| new.user_id.clone()).collect();
        let addresses: Vec<String> = newcomers.values().filter_map(|new| new.email_key.clone()).collect();
        let ids: Vec<String> = newcomers.keys().cloned().collect();
        let subjects: Vec<String> = ids.iter().map(|id| super::user_id::tombstone(&connection.id, id)).collect();
        let erased = erasure::are_erased(&self.store, &connection.tenant_id, &subjects).await?;
        for (id, _) in ids.iter().zip(erased).filter(|(_, erased)| *erased) {
            newcomers.remove(id);
        }
        let borne = identities::borne_among(&self.store, connection, &user_ids).await?;
        let addressed = identities::addressed_among(&self.store, connection, &addresses).await?;
        let mut wanted_once = HashSet::new();
        newcomers.retain(|_, new| {
            let in_the_way = borne.contains(&new.user_id) || new.email_key.as_ref().is_some_and(|key| addressed.contains(key));
            !in_the_way && wanted_once.insert(new.user_id.clone())
        });
        Ok(newcomers)
    }

    async fn take_in_alone(
        &self,
        request: &Request<'_>,
        fence: &Fence,
        mapping: &dyn Mapping,
        record: &SourceRecord,
    ) -> Result<Taken, Error> {
        let connection = request.connection;
        let id = external_id(record);
        // A login of the same person waits likewise.
        let _turn = self.turns.take((connection.id.as_str(), "arrival", fold(&id))).await;
        let mut rounds = Rounds::new(&self.entropy);
        // Why the store does not take what the entry makes of the person.
        let mut unstored: Option<String> = None;
        loop {
            let tried = match &unstored {
                None => self.take_in_once(request, fence, mapping, record, &id).await,
                Some(reason) => {
                    let barred = self.bar_once(request, fence, (mapping, record), &id, reason).await;
                    barred.map(|()| Taken::Failed { reason: reason.clone() })
                }
            };
            let error = match tried {
                Err(Error::Store(reason @ (store::Error::Stale | store::Error::Conflict))) => {
                    self.still_ours(request, fence).await?;
                    match rounds.again(reason).await {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
                Ok(taken) => return Ok(taken),
            };
            match error {
                Error::Refused(refusal) => return Ok(Taken::Refused(refusal)),
                // Of this person alone: the others are taken in. Whether the entry bars them is tried once more, by itself.
                Error::Store(reason) if is_of_one_write(&reason) => match unstored.take() {
                    None => (unstored, rounds) = (Some(reason.to_string()), Rounds::new(&self.entropy)),
                    Some(reason) => return Ok(Taken::Failed { reason }),
                },
                other => return Err(other),
            }
        }
    }

    /// Writes of an entry that can't be stored that it bars its person, if it does.
    async fn bar_once(
        &self,
        request: &Request<'_>,
        fence: &Fence,
        (mapping, record): (&dyn Mapping, &SourceRecord),
        external_id: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let connection = request.connection;
        let desk = self.desk(request, mapping);
        let Some(found) = identities::find_by_external_id(&self.store, connection, external_id).await? else { return Ok(()) };
        let known = self.known_with_blocks(connection, found).await?;
        match decide::bar(&desk, known.clone(), record, reason) {
            Decision::Nothing => Ok(()),
            decision => self.settle(&desk, decision, Some(&known), fence.batch(connection)).await.map(drop),
        }
    }

    pub(super) async fn known_with_blocks(&self, connection: &Connection, found: Found) -> Result<Known, Error> {
        let Found { identity, user, in_groups } = found;
        let mut known = known(identity, user, in_groups);
        if let Some(user) = known.user.as_ref().filter(|user| user.blocked) {
            known.blocks = identities::find_blocks(&self.store, &connection.tenant_id, &user.id).await?;
        }
        Ok(known)
    }

    async fn take_in_once(
        &self,
        request: &Request<'_>,
        fence: &Fence,
        mapping: &dyn Mapping,
        record: &SourceRecord,
        external_id: &str,
    ) -> Result<Taken, Error> {
        let connection = request.connection;
        let desk = self.desk(request, mapping);
        let found = identities::find_by_external_id(&self.store, connection, external_id).await?;
        let (event, decision, known) = match found {
            None => {
                let subject = super::user_id::tombstone(&connection.id, external_id);
                if erasure::are_erased(&self.store, &connection.tenant_id, &[subject]).await?[0] {
                    return Ok(Taken::Refused(Refusal::Erased));
                }
                let id = IdentityId::new(desk.moment.id());
                let (newcomer, mapped) = self.newcomer(&desk, record, &id).await?;
                (UserEvent::Created, decide::create(&desk, record, mapped, id, newcomer), None)
            }
            Some(Found { identity, user, in_groups }) => {
                let event = match &identity {
                    Identity { listed: true, .. } => UserEvent::Replaced,
                    Identity { state: IdentityState::Deleted, .. } => {
                        let known = known(identity.clone(), None, in_groups);
                        decide::repost(&known, record, connection.options.repost)?
                    }
                    // Made by a login, before the directory was read.
                    _ => UserEvent::Created,
                };
                let newcomer = match &user {
                    Some(_) => None,
                    None => Some(self.newcomer(&desk, record, &identity.id).await?),
                };
                let known = self.known_with_blocks(connection, Found { identity, user, in_groups }).await?;
                (event, decide::write(&desk, event, known.clone(), record, newcomer), Some(known))
            }
        };
        let done = match &decision {
            Decision::Write(plan) => taken(plan, event),
            Decision::Nothing => return Ok(Taken::Unchanged),
            // What a refusal leaves in the inbox is the run's to write, once.
            Decision::Refused(refusal) => return Ok(Taken::Refused(refusal.clone())),
        };
        self.settle(&desk, decision, known.as_ref(), fence.batch(connection)).await?;
        Ok(done)
    }

    /// Somebody is not in the directory any more. False if they are not in the roster either.
    ///
    /// # Errors
    /// As [`Provisioner::take_in`].
    pub async fn left(&self, request: &Request<'_>, fence: &Fence, external_id: &str) -> Result<bool, Error> {
        let connection = request.connection;
        let _turn = self.turns.take((connection.id.as_str(), "arrival", fold(external_id))).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let found = identities::find_by_external_id(&self.store, connection, external_id).await?;
            let Some(found) = found.filter(|found| found.identity.listed) else { return Ok(false) };
            let known = self.known_with_blocks(connection, found).await?;
            let last = connection.options.deprovision == Deprovision::Delete && self.is_last(connection, &known).await?;
            let mapping = self.mapping_of_sync(connection).await?;
            let desk = self.desk(request, &*mapping);
            let mut decision = decide::delete(&desk, known.clone(), last);
            if let (Decision::Write(plan), true) = (&mut decision, known.in_groups) {
                // The rows go; an undo of the run knows the groups from here.
                let groups = groups::direct_of(&self.store, &connection.tenant_id, known.identity.id.as_str()).await?;
                plan.log[0].detail = Some(json!({ "groups": groups }).to_string());
            }
            match self.settle(&desk, decision, Some(&known), fence.batch(connection)).await {
                Err(Error::Store(reason @ (store::Error::Stale | store::Error::Conflict))) => {
                    self.still_ours(request, fence).await?;
                    rounds.again(reason).await?;
                }
                Err(Error::Refused(Refusal::NotFound)) => return Ok(false),
                done => return done.map(|_| true),
            }
        }
    }
}

fn record(entry: Entry) -> SourceRecord {
    SourceRecord {
        side: Side::Sync,
        payload: entry.payload,
        external_id: Some(entry.external_id),
        // What the mapping calls them; see `decide`.
        user_name: None,
        label: None,
        active: None,
        values: Vec::new(),
    }
}

fn external_id(record: &SourceRecord) -> String {
    record.external_id.clone().unwrap_or_default()
}

fn known(identity: Identity, user: Option<crate::model::user::User>, in_groups: bool) -> Known {
    Known { identity, user, blocks: Vec::new(), values: Vec::new(), in_groups }
}

fn step(decision: Decision<UserPlan>, event: UserEvent) -> Step {
    match decision {
        // Groups change for who comes back: that goes alone.
        Decision::Write(plan) if plan.leaves_groups => Step::Alone,
        Decision::Write(plan) => {
            let done = taken(&plan, event);
            Step::Write(plan, done)
        }
        Decision::Nothing => Step::Done(Taken::Unchanged),
        Decision::Refused(refusal) => Step::Done(Taken::Refused(refusal)),
    }
}

fn taken(plan: &UserPlan, event: UserEvent) -> Taken {
    match (&plan.rejected, event) {
        (Some(reasons), _) => Taken::Barred { reasons: reasons.clone() },
        (None, UserEvent::Created) => Taken::Created,
        (None, UserEvent::Revived) => Taken::Revived,
        (None, _) => Taken::Updated,
    }
}
