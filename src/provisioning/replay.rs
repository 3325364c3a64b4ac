//! Mapping anew what is stored: the shell around [`super::decide::replay`]. A look decides and writes nothing; a step carries the
//! same decisions out by the hundred as one batch, under the fencing number of the run's lease and together with how far the run
//! is. What can't go with the others goes alone, before them. Refuses to know which people are meant, and to judge.

use super::decide::replay::{Replayed, replay, stored_record};
use super::decide::undo::{Did, Done, IdentityBefore, NoMapping, Undone, replayed};
use super::decide::{Desk, Known};
use super::difference::{Difference, after};
use super::plan::{Decision, ProfileWrite, UserPlan};
use super::rounds::{Rounds, is_of_one_write};
use super::sync::Fence;
use super::undo::{Told, called};
use super::{Error, Provisioner, Request, apply};
use crate::mapping::Mapping;
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::identity::Identity;
use crate::model::ids::IdentityId;
use crate::profile::Side;
use crate::store::walks::{self, ReplayedPerson};
use crate::store::{self, Batch, identities, tokens};
use std::collections::HashSet;

/// One side of a connection, with what maps it.
pub struct Anew<'a> {
    pub request: &'a Request<'a>,
    pub mapping: &'a dyn Mapping,
    pub side: Side,
    /// Somebody may push to the connection: what a login writes by default depends on it.
    pub is_pushed_to: bool,
}

/// What became of one person by a step.
#[derive(Debug)]
pub struct Stepped {
    /// As they were before.
    pub known: Known,
    pub difference: Difference,
    pub fate: Written,
}

/// Whether what was decided was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Or there was nothing to write.
    Yes,
    /// It would lock out more people than may be: nothing of them was written.
    HeldBack,
    /// The store does not take it, for a reason of its own.
    Failed { reason: String },
}

impl Provisioner {
    /// Does anybody push to the connection, so that a login writes less by default?
    ///
    /// # Errors
    /// The store's.
    pub async fn is_pushed_to(&self, connection: &Connection) -> Result<bool, Error> {
        if connection.kind == ConnectionKind::Ldap {
            return Ok(false);
        }
        Ok(connection.options.set_user_root_attributes.is_some()
            || tokens::has_any(&self.store, &connection.tenant_id, &connection.id).await?)
    }

    fn desk_anew<'d>(&'d self, anew: &'d Anew<'_>, identity: &Identity) -> Desk<'d> {
        let desk = self.desk(anew.request, anew.mapping);
        if anew.side != Side::Login {
            return desk;
        }
        let connection = anew.request.connection;
        let has_side = connection.kind != ConnectionKind::Ldap && (anew.is_pushed_to || identity.raw.is_some());
        Desk { side: Side::Login, root_attributes: connection.options.root_attributes(has_side), ..desk }
    }

    /// These people, with all that a decision about them reads.
    ///
    /// # Errors
    /// The store's.
    pub async fn known_people(&self, connection: &Connection, ids: &[String]) -> Result<Vec<Known>, Error> {
        let mut all = Vec::with_capacity(ids.len());
        for found in identities::found_by_ids(&self.store, connection, ids).await? {
            all.push(self.known_with_blocks(connection, found).await?);
        }
        Ok(all)
    }

    /// What becomes of somebody; nothing is written.
    ///
    /// # Errors
    /// The store's.
    pub async fn replay_look(&self, anew: &Anew<'_>, known: &Known) -> Result<Replayed, Error> {
        let desk = self.desk_anew(anew, &known.identity);
        let newcomer = match (&known.user, stored_record(desk.side, &known.identity)) {
            (None, Some(record)) => Some(self.newcomer(&desk, &record, &known.identity.id).await?),
            _ => None,
        };
        Ok(replay(&desk, known.clone(), newcomer))
    }

    /// Somebody by all sides, one after the other as a replay would: what each comes to.
    ///
    /// # Errors
    /// The store's.
    pub async fn replay_looks(&self, sides: &[Anew<'_>], mut known: Known) -> Result<Vec<(Known, Side, Difference)>, Error> {
        let mut all = Vec::with_capacity(sides.len());
        for anew in sides {
            let replayed = self.replay_look(anew, &known).await?;
            let difference = Difference::of(&known, &replayed, anew.side);
            let next = match &replayed {
                Replayed::Decided(Decision::Write(plan)) => after(known.clone(), plan),
                _ => known.clone(),
            };
            all.push((known, anew.side, difference));
            known = next;
        }
        Ok(all)
    }

    /// Maps anew one side of `people`, of whom at most `may_block` may be locked out. `progress` makes the batch that says how far the
    /// run is with them; it is stored with the last that is written of them. The answers are in their order.
    ///
    /// # Errors
    /// What stops a run: the store, or a lease that is somebody else's by now ([`store::Error::Stale`]).
    pub async fn replay_step(
        &self,
        anew: &Anew<'_>,
        (fence, run): (&Fence, &str),
        people: Vec<Known>,
        mut may_block: i64,
        progress: impl FnOnce(&[Stepped]) -> Batch + Send,
    ) -> Result<Vec<Stepped>, Error> {
        let connection = anew.request.connection;
        let (mut all, mut together, mut alone) = (Vec::with_capacity(people.len()), Vec::new(), Vec::new());
        // Of a profile that several identities have, one goes with the others: no row is written twice in a batch.
        let mut written = HashSet::new();
        for (at, known) in people.into_iter().enumerate() {
            let replayed = self.replay_look(anew, &known).await?;
            let difference = Difference::of(&known, &replayed, anew.side);
            let mut fate = Written::Yes;
            if let Replayed::Decided(Decision::Write(plan)) = replayed {
                let blocks = !plan.blocks.is_empty();
                if blocks && may_block <= 0 {
                    fate = Written::HeldBack;
                } else {
                    may_block -= i64::from(blocks);
                    let id = plan.identity.identity().profile_id.clone();
                    let is_plain = !plan.leaves_groups && !matches!(plan.profile, ProfileWrite::Insert(_));
                    match is_plain && id.is_none_or(|id| written.insert(id)) {
                        true => together.push((at, self.replayed_batch(anew, run, &known, &plan))),
                        false => alone.push(at),
                    }
                }
            }
            all.push(Stepped { known, difference, fate });
        }
        for at in alone {
            self.replay_alone(anew, (fence, run), &mut all[at]).await?;
        }
        let (places, batches): (Vec<usize>, Vec<Batch>) = together.into_iter().unzip();
        let guarded = fence_of(connection, fence);
        let batch = Batch::together(std::iter::once(guarded).chain(batches).chain([progress(&all)]));
        match self.store.apply(batch).await {
            Ok(()) => return Ok(all),
            // Something of one of them moved since it was read: each is tried apart.
            Err(store::Error::Stale | store::Error::Conflict | store::Error::Statement { .. } | store::Error::Corrupt { .. }) => {
                self.still_ours(anew.request, fence).await?;
            }
            Err(error) => return Err(error.into()),
        }
        for at in places {
            self.replay_alone(anew, (fence, run), &mut all[at]).await?;
        }
        Ok(all)
    }

    /// The rows of one decision, and the one by which it is undone.
    fn replayed_batch(&self, anew: &Anew<'_>, run: &str, known: &Known, plan: &UserPlan) -> Batch {
        let mut batch = apply::user(plan);
        let before = IdentityBefore::of(known, plan, anew.side);
        let person = ReplayedPerson {
            identity_id: known.identity.id.clone(),
            side: anew.side.as_str().to_owned(),
            history: plan.history.as_ref().map(|history| (history.id.clone(), serde_json::Map::new())),
            before: serde_json::to_string(&before).unwrap_or_default(),
            // That of the blocks it sets.
            at: plan.log.first().map_or(0, |entry| entry.at),
        };
        walks::insert_replayed(&mut batch, &known.identity.tenant_id, run, &person);
        batch
    }

    async fn replay_alone(&self, anew: &Anew<'_>, (fence, run): (&Fence, &str), one: &mut Stepped) -> Result<(), Error> {
        let connection = anew.request.connection;
        let id = one.known.identity.id.clone();
        let _turn = self.turns.take((connection.id.as_str(), id.as_str())).await;
        let mut rounds = Rounds::new(&self.entropy);
        let blocked_before = !one.difference.blocks.is_empty();
        loop {
            let Some(found) = identities::find(&self.store, connection, &id).await? else {
                one.difference = Difference::of(&one.known, &Replayed::NotMeant, anew.side);
                return Ok(());
            };
            let known = self.known_with_blocks(connection, found).await?;
            let replayed = self.replay_look(anew, &known).await?;
            one.difference = Difference::of(&known, &replayed, anew.side);
            one.known = known;
            let Replayed::Decided(Decision::Write(plan)) = replayed else { return Ok(()) };
            if !plan.blocks.is_empty() && !blocked_before {
                // Nobody counted them: the next run does.
                one.fate = Written::HeldBack;
                return Ok(());
            }
            let mut batch = self.replayed_batch(anew, run, &one.known, &plan);
            fence.guard(connection, &mut batch);
            match self.store.apply(batch).await {
                Ok(()) => return Ok(()),
                Err(reason @ (store::Error::Stale | store::Error::Conflict)) => {
                    self.still_ours(anew.request, fence).await?;
                    if let Err(error) = rounds.again(reason).await {
                        match error {
                            Error::Store(reason) if is_of_one_write(&reason) => {
                                one.fate = Written::Failed { reason: reason.to_string() };
                                return Ok(());
                            }
                            other => return Err(other),
                        }
                    }
                }
                Err(reason) if is_of_one_write(&reason) => {
                    one.fate = Written::Failed { reason: reason.to_string() };
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Undoes what a replay did to these people. Without a `fence` nothing is written. The answers are in their order.
    ///
    /// # Errors
    /// As [`Provisioner::replay_step`].
    pub async fn undo_replayed(
        &self,
        request: &Request<'_>,
        fence: Option<&Fence>,
        run: &str,
        people: &[ReplayedPerson],
    ) -> Result<Vec<Told>, Error> {
        let (mut all, mut together, mut alone) = (Vec::with_capacity(people.len()), Vec::new(), Vec::new());
        let mut written = HashSet::new();
        for (at, person) in people.iter().enumerate() {
            let (told, plan) = self.undo_replayed_plan(request, person).await?;
            all.push(told);
            let Some(plan) = plan.filter(|_| fence.is_some()) else { continue };
            let identity = plan.identity.identity();
            // A profile that goes takes with it whoever is not out of it already: not with others.
            if matches!(plan.profile, ProfileWrite::Remove { .. }) {
                alone.push(at);
                continue;
            }
            // Of whoever has several sides or identities, one at a time.
            let names = [Some(identity.id.to_string()), identity.profile_id.as_ref().map(ToString::to_string)];
            match names.into_iter().flatten().all(|name| written.insert(name)) {
                true => together.push((at, undone_batch(request, run, person, &plan))),
                false => alone.push(at),
            }
        }
        let Some(fence) = fence else { return Ok(all) };
        if !together.is_empty() {
            let (places, batches): (Vec<usize>, Vec<Batch>) = together.into_iter().unzip();
            let guarded = fence_of(request.connection, fence);
            match self.store.apply(Batch::together(std::iter::once(guarded).chain(batches))).await {
                Ok(()) => {}
                // Something of one of them moved since it was read: each is tried apart.
                Err(store::Error::Stale | store::Error::Conflict | store::Error::Statement { .. }) => {
                    self.still_ours(request, fence).await?;
                    alone.extend(places);
                }
                Err(error) => return Err(error.into()),
            }
        }
        for at in alone {
            all[at] = self.undo_replayed_alone(request, fence, run, &people[at]).await?;
        }
        Ok(all)
    }

    async fn undo_replayed_alone(
        &self,
        request: &Request<'_>,
        fence: &Fence,
        run: &str,
        person: &ReplayedPerson,
    ) -> Result<Told, Error> {
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let (told, plan) = self.undo_replayed_plan(request, person).await?;
            let Some(plan) = plan else { return Ok(told) };
            let mut batch = undone_batch(request, run, person, &plan);
            fence.guard(request.connection, &mut batch);
            match self.store.apply(batch).await {
                Ok(()) => return Ok(told),
                Err(reason @ (store::Error::Stale | store::Error::Conflict)) => {
                    self.still_ours(request, fence).await?;
                    rounds.again(reason).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn undo_replayed_plan(
        &self,
        request: &Request<'_>,
        person: &ReplayedPerson,
    ) -> Result<(Told, Option<Box<UserPlan>>), Error> {
        let connection = request.connection;
        let side = [Side::Push, Side::Sync, Side::Login].into_iter().find(|side| side.as_str() == person.side);
        let before = serde_json::from_str::<IdentityBefore>(&person.before).ok();
        let (Some(side), Some(before)) = (side, before) else {
            return Err(store::Error::Corrupt { what: "a row of replayed can't be read" }.into());
        };
        let Some(known) = self.find_known(connection, &person.identity_id).await? else { return Ok((Told::default(), None)) };
        let subject = called(&known.identity);
        let desk = Desk { side, ..self.desk(request, &NoMapping) };
        let done = Done { did: Did::Updated, at: person.at, history: person.history.clone() };
        // Asked only where a profile may go.
        let made = person.history.as_ref().is_some_and(|(_, changes)| changes.contains_key("created"));
        let alone = made && self.is_last(connection, &known).await?;
        Ok(match replayed(&desk, known, &done, &before, alone) {
            Ok(Undone { restored, kept, plan }) => (Told { subject, restored, kept }, plan),
            Err(refusal) => (Told { subject, restored: Vec::new(), kept: vec![("person".into(), refusal.to_string())] }, None),
        })
    }

    async fn find_known(&self, connection: &Connection, id: &IdentityId) -> Result<Option<Known>, Error> {
        match identities::find(&self.store, connection, id).await? {
            Some(found) => Ok(Some(self.known_with_blocks(connection, found).await?)),
            None => Ok(None),
        }
    }
}

fn undone_batch(request: &Request<'_>, run: &str, person: &ReplayedPerson, plan: &UserPlan) -> Batch {
    let mut batch = apply::user(plan);
    walks::forget_replayed(&mut batch, &request.connection.tenant_id, run, person);
    batch
}

fn fence_of(connection: &Connection, fence: &Fence) -> Batch {
    let mut batch = Batch::default();
    fence.guard(connection, &mut batch);
    batch
}
