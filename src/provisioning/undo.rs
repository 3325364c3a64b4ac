//! Undoing what a run did: the shell around [`super::decide::undo`] for people, and the same for groups, whose members stand in
//! rows. Reads, decides, applies under the fence of the run that undoes; without a fence it only says what it would do.
//! Refuses to know which run is undone and in which order.

use super::decide::Desk;
use super::decide::undo::{self, Did, Done, NoMapping, Undone};
use super::decide_group::{self, GroupEvent, Moves, Synced};
use super::plan::{Decision, UserPlan};
use super::rounds::Rounds;
use super::sync::Fence;
use super::{Error, Provisioner, Request, apply};
use crate::model::group::{Group, Member, MemberKind};
use crate::model::identity::Identity;
use crate::model::ids::IdentityId;
use crate::profile::Side;
use crate::store::run_changes::{GroupChange, RunChange};
use crate::store::{self, Batch, groups, identities};
use serde_json::Value;
use std::collections::BTreeSet;

/// Member rows moved in one batch.
const MOVES_MAX: usize = 2_000;

/// What became of one change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Who or which group, as people know them.
    pub subject: String,
    pub restored: Vec<String>,
    /// What stays, and why.
    pub kept: Vec<(String, String)>,
}

/// What a run did to one group, all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupDone {
    pub id: String,
    pub created: bool,
    pub removed: bool,
    /// Name or attributes changed.
    pub document: bool,
    /// When members joined.
    pub joined_at: Vec<i64>,
    pub left: Vec<String>,
    /// Of how many who left nobody wrote down who they were.
    pub unnamed: u64,
    /// The last the run did to it.
    pub at: i64,
    /// Something newer changed it that was not undone,
    pub is_changed_since: bool,
    /// and took these members out.
    pub left_since: BTreeSet<String>,
}

impl GroupDone {
    /// Adds one change of the group.
    pub fn add(&mut self, change: &RunChange) {
        self.at = self.at.max(change.at);
        self.created |= change.kind == GroupEvent::Synced(Synced::Created).as_str();
        self.removed |= change.kind == GroupEvent::Synced(Synced::Deleted).as_str();
        self.document |= change.detail.contains_key("document");
        let count = |name: &str| change.detail.get(name).and_then(Value::as_u64).unwrap_or(0);
        if count("joined") > 0 {
            self.joined_at.push(change.at);
        }
        let named = change.detail.get("left_members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        self.left.extend(named.iter().filter_map(Value::as_str).map(str::to_owned));
        self.unnamed += count("left").saturating_sub(named.len() as u64);
    }

    /// Something else happened to the group.
    pub fn since(&mut self, change: &GroupChange) {
        if change.at > self.at {
            self.is_changed_since = true;
            let named = change.detail.get("left_members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            self.left_since.extend(named.iter().filter_map(Value::as_str).map(str::to_owned));
        }
    }
}

/// A decision with the rows it moves.
struct Step {
    told: Told,
    batch: Option<Batch>,
    /// Members move with it, which does not go together with others.
    alone: bool,
}

impl Provisioner {
    /// Undoes changes of people, of each at most one. The answers are in their order. Without a `fence` nothing is written.
    ///
    /// # Errors
    /// What stops the undo: the store, or a lease that is somebody else's by now ([`store::Error::Stale`]).
    pub async fn undo_people(
        &self,
        request: &Request<'_>,
        fence: Option<&Fence>,
        changes: &[RunChange],
    ) -> Result<Vec<Told>, Error> {
        let desk = Desk { side: Side::Sync, ..self.desk(request, &NoMapping) };
        let (mut all, mut together, mut waiting) = (Vec::with_capacity(changes.len()), Vec::new(), Vec::new());
        for (at, change) in changes.iter().enumerate() {
            let Step { told, batch, alone } = self.undo_step(&desk, change).await?;
            all.push(told);
            match (batch, fence) {
                (Some(_), Some(_)) if alone => waiting.push(at),
                (Some(batch), Some(_)) => together.push((at, batch)),
                _ => {}
            }
        }
        let Some(fence) = fence else { return Ok(all) };
        if !together.is_empty() {
            let (places, batches): (Vec<usize>, Vec<Batch>) = together.into_iter().unzip();
            let mut guarded = Batch::default();
            fence.guard(request.connection, &mut guarded);
            match self.store.apply(Batch::together(std::iter::once(guarded).chain(batches))).await {
                Ok(()) => {}
                // Something of one of them moved since it was read: each is tried apart.
                Err(store::Error::Stale | store::Error::Conflict | store::Error::Statement { .. }) => {
                    self.still_ours(request, fence).await?;
                    waiting.extend(places);
                }
                Err(error) => return Err(error.into()),
            }
        }
        for at in waiting {
            all[at] = self.undo_alone(&desk, request, fence, &changes[at]).await?;
        }
        Ok(all)
    }

    async fn undo_alone(&self, desk: &Desk<'_>, request: &Request<'_>, fence: &Fence, change: &RunChange) -> Result<Told, Error> {
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let Step { mut told, batch, .. } = self.undo_step(desk, change).await?;
            let Some(mut batch) = batch else { return Ok(told) };
            fence.guard(request.connection, &mut batch);
            match self.store.apply(batch).await {
                Ok(()) => return Ok(told),
                Err(reason @ (store::Error::Stale | store::Error::Conflict)) => {
                    self.still_ours(request, fence).await?;
                    rounds.again(reason).await?;
                }
                // Of this person alone.
                Err(reason @ (store::Error::Statement { .. } | store::Error::Corrupt { .. })) => {
                    told.restored.clear();
                    told.kept.push(("person".into(), reason.to_string()));
                    return Ok(told);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn undo_step(&self, desk: &Desk<'_>, change: &RunChange) -> Result<Step, Error> {
        let nothing = |told| Step { told, batch: None, alone: false };
        let (Some(did), Some(id)) = (Did::of(&change.kind), &change.identity_id) else { return Ok(nothing(Told::default())) };
        let connection = desk.connection;
        let known = match identities::find(&self.store, connection, id).await? {
            Some(found) => Some(self.known_with_blocks(connection, found).await?),
            None => None,
        };
        let alone = match &known {
            Some(known) if did == Did::Created => self.is_last(connection, known).await?,
            _ => true,
        };
        let subject = known.as_ref().map_or_else(|| id.to_string(), |known| called(&known.identity));
        let done = Done { did, at: change.at, history: change.history.clone() };
        let Undone { mut restored, kept, plan } = match undo::undo(desk, known, &done, alone) {
            Ok(undone) => undone,
            Err(refusal) => {
                let kept = vec![("person".to_owned(), refusal.to_string())];
                return Ok(nothing(Told { subject, restored: Vec::new(), kept }));
            }
        };
        let Some(plan) = plan else { return Ok(nothing(Told { subject, restored, kept })) };
        let back = if did == Did::Left { self.back_in_groups(desk, &plan, change).await? } else { Vec::new() };
        if !back.is_empty() {
            restored.push(format!("groups: {}", back.len()));
        }
        let alone = plan.leaves_groups || !back.is_empty();
        let mut batch = apply::user(&plan);
        for plan in back {
            batch.0.extend(apply::group(&plan).0);
        }
        Ok(Step { told: Told { subject, restored, kept }, batch: Some(batch), alone })
    }

    /// The groups that somebody was in when they left, and that are there still.
    async fn back_in_groups(
        &self,
        desk: &Desk<'_>,
        plan: &UserPlan,
        change: &RunChange,
    ) -> Result<Vec<super::plan::GroupPlan>, Error> {
        let id = plan.identity.identity().id.to_string();
        let mut plans = Vec::new();
        let named = change.detail.get("groups").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for group in named.iter().filter_map(Value::as_str) {
            let Some(group) = groups::find(&self.store, desk.connection, group).await? else { continue };
            let ids = [id.clone()];
            if groups::find_members_among(&self.store, &group.tenant_id, group.id.as_str(), &ids).await?.is_empty() {
                let joins = vec![Member { id: id.clone(), kind: MemberKind::User }];
                plans.push(decide_group::moved(&desk.moment, UNDONE, group, Moves { joins, ..Moves::default() }));
            }
        }
        Ok(plans)
    }

    /// Undoes what a run did to one group. Without a `fence` nothing is written.
    ///
    /// # Errors
    /// As [`Provisioner::undo_people`].
    pub async fn undo_group(&self, request: &Request<'_>, fence: Option<&Fence>, done: &GroupDone) -> Result<Told, Error> {
        let mut rounds = Rounds::new(&self.entropy);
        let mut moved = (0, 0);
        loop {
            match self.undo_group_once(request, fence, done, &mut moved).await {
                Ok(Some(told)) => return Ok(told),
                // More members than go in one batch.
                Ok(None) => {}
                Err(Error::Store(reason @ (store::Error::Stale | store::Error::Conflict))) => {
                    if let Some(fence) = fence {
                        self.still_ours(request, fence).await?;
                    }
                    rounds.again(reason).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One batch of it; what is told once nothing is left to do.
    async fn undo_group_once(
        &self,
        request: &Request<'_>,
        fence: Option<&Fence>,
        done: &GroupDone,
        moved: &mut (usize, usize),
    ) -> Result<Option<Told>, Error> {
        let connection = request.connection;
        let moment = self.moment(request);
        let mut told = Told { subject: format!("group {}", done.id), ..Told::default() };
        let Some(group) = groups::find(&self.store, connection, &done.id).await? else {
            if done.removed {
                told.kept.push(("group".into(), "went, and its members with it; the next run takes it in anew".into()));
            }
            return Ok(Some(told));
        };
        told.subject = format!("group {}", group.name);
        if done.created && !done.is_changed_since {
            told.restored.push("removed".into());
            if let (Some(fence), Decision::Write(plan)) = (fence, decide_group::delete_as(&moment, UNDONE, group, None)) {
                let mut batch = apply::group(&plan);
                groups::forget_unresolved(&mut batch, &connection.tenant_id, &done.id);
                fence.guard(connection, &mut batch);
                self.store.apply(batch).await?;
            }
            return Ok(Some(told));
        }
        if done.created {
            told.kept.push(("group".into(), "was changed since".into()));
            return Ok(Some(told));
        }
        if done.document {
            told.kept.push(("name and attributes".into(), "what a group was called before is not kept".into()));
        }
        if done.unnamed > 0 {
            told.kept.push(("members".into(), format!("who left is not kept of {}", done.unnamed)));
        }
        let most = if fence.is_some() { MOVES_MAX } else { usize::MAX };
        let (moves, is_whole) = self.moves_back(request, &group, (done, most), &mut told).await?;
        let some = moves != Moves::default();
        let (joined, left) = (moved.0 + moves.joins.len(), moved.1 + moves.leaves.len());
        if let (Some(fence), true) = (fence, some) {
            let mut batch = apply::group(&decide_group::moved(&moment, UNDONE, group, moves));
            fence.guard(connection, &mut batch);
            self.store.apply(batch).await?;
            *moved = (joined, left);
            if !is_whole {
                return Ok(None);
            }
        }
        if left > 0 {
            told.restored.push(format!("members out: {left}"));
        }
        if joined > 0 {
            told.restored.push(format!("members in: {joined}"));
        }
        Ok(Some(told))
    }

    /// Who joined goes, if they are in it since then, and who left joins, if they are there still.
    async fn moves_back(
        &self,
        request: &Request<'_>,
        group: &Group,
        (done, most): (&GroupDone, usize),
        told: &mut Told,
    ) -> Result<(Moves, bool), Error> {
        let (tenant, id) = (&request.connection.tenant_id, group.id.as_str());
        let mut leaves = match done.joined_at.is_empty() {
            true => Vec::new(),
            false => groups::joined_at(&self.store, tenant, id, &done.joined_at).await?,
        };
        let wanted: BTreeSet<String> = done.left.iter().cloned().collect();
        let wanted: Vec<String> = wanted.into_iter().collect();
        let present = groups::find_members_among(&self.store, tenant, id, &wanted).await?;
        let listed = groups::find_listed(&self.store, request.connection, &wanted).await?;
        let (mut joins, mut nested, mut gone, mut newer) = (Vec::new(), 0, 0, 0);
        for member in wanted.into_iter().filter(|member| !present.contains(member)) {
            if done.left_since.contains(&member) {
                newer += 1;
                continue;
            }
            match listed.get(&member).map(|listed| listed.kind) {
                Some(MemberKind::User) => joins.push(Member { id: member, kind: MemberKind::User }),
                Some(MemberKind::Group) => nested += 1,
                None => gone += 1,
            }
        }
        if newer > 0 {
            told.kept.push(("members".into(), format!("taken out again since: {newer}")));
        }
        if nested > 0 {
            told.kept.push(("members".into(), format!("groups that were in it ({nested}): the next run puts them back")));
        }
        if gone > 0 {
            told.kept.push(("members".into(), format!("not in the roster any more: {gone}")));
        }
        let is_whole = joins.len().saturating_add(leaves.len()) <= most;
        joins.truncate(most);
        leaves.truncate(most - joins.len());
        Ok((Moves { joins, leaves, nestings_seen: None }, is_whole))
    }
}

const UNDONE: GroupEvent = GroupEvent::Synced(Synced::Undone);

/// What a person is called where people read it.
pub(super) fn called(identity: &Identity) -> String {
    let id: &IdentityId = &identity.id;
    identity.user_name.clone().or_else(|| identity.external_id.clone()).unwrap_or_else(|| id.to_string())
}
