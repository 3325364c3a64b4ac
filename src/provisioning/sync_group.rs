//! Groups of a directory: the shell around [`super::decide_group`]. What a directory says of a group is all of it, so that
//! its members are compared as a whole; who joins and leaves are rows, as with a pushed group. Refuses to read directories
//! and to decide who may leave: the run says so.

use super::decide_group::{self, GroupEvent, Moves, Synced};
use super::plan::{Decision, GroupPlan, GroupWrite, Refusal};
use super::rounds::Rounds;
use super::sync::Fence;
use super::{Error, Provisioner, Request, apply, group_mapping};
use crate::mapping::Mapping;
use crate::model::fold::fold;
use crate::model::group::{Group, Member, MemberKind};
use crate::model::ids::GroupId;
use crate::profile::GroupRecord;
use crate::store::{self, groups};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// Member rows moved in one batch.
const MOVES_MAX: usize = 2_000;

/// One group, as the directory has it now.
#[derive(Clone, Debug)]
pub struct GroupEntry {
    pub external_id: String,
    pub name: String,
    pub dn_key: String,
    /// Without members.
    pub payload: Map<String, Value>,
    /// Whom it names and who is known, each once.
    pub members: Vec<Member>,
    /// Whom it names and nobody is: key and DN, each once.
    pub unresolved: Vec<(String, String)>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenGroup {
    pub created: bool,
    pub updated: bool,
    pub joined: usize,
    pub left: usize,
    /// Groups that were not taken in, because the group would hold itself.
    pub cycles: Vec<String>,
}

impl Provisioner {
    /// Brings a group in line with its entry, by the mapping it was read for. Of its members, only those leave whom
    /// `may_leave` lets.
    ///
    /// # Errors
    /// [`Error::Refused`] with what is wrong with this group; else what stops a run.
    pub async fn take_in_group(
        &self,
        request: &Request<'_>,
        fence: &Fence,
        (mapping, entry): (Option<&dyn Mapping>, &GroupEntry),
        may_leave: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<TakenGroup, Error> {
        let connection = request.connection;
        let _turn = self.turns.take((connection.id.as_str(), "group arrival", entry.external_id.as_str())).await;
        let mut rounds = Rounds::new(&self.entropy);
        let mut taken = TakenGroup::default();
        loop {
            match self.group_once(request, fence, (mapping, entry), may_leave, &mut taken).await {
                Ok(true) => return Ok(taken),
                // More members than go in one batch.
                Ok(false) => {}
                Err(Error::Store(reason @ (store::Error::Stale | store::Error::Conflict))) => {
                    self.still_ours(request, fence).await?;
                    rounds.again(reason).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One batch of it; true when nothing is left to do.
    async fn group_once(
        &self,
        request: &Request<'_>,
        fence: &Fence,
        (mapping, entry): (Option<&dyn Mapping>, &GroupEntry),
        may_leave: &(dyn Fn(&str) -> bool + Sync),
        taken: &mut TakenGroup,
    ) -> Result<bool, Error> {
        let connection = request.connection;
        let tenant = &connection.tenant_id;
        let moment = self.moment(request);
        let record = GroupRecord {
            payload: entry.payload.clone(),
            external_id: Some(entry.external_id.clone()),
            name: entry.name.clone(),
        };
        let current = groups::find_by_external_id(&self.store, connection, &entry.external_id).await?;
        let id = current.as_ref().map_or_else(|| moment.id(), |group| group.id.to_string());
        let (before, unresolved_before) = match &current {
            Some(_) => {
                (groups::find_members(&self.store, tenant, &id).await?, groups::find_unresolved(&self.store, tenant, &id).await?)
            }
            None => Default::default(),
        };
        if current.as_ref().is_none_or(|group| group.name_key != fold(&record.name)) {
            self.group_unclaimed(request, &record, &id).await?;
        }
        let present: HashSet<&str> = before.iter().map(|member| member.id.as_str()).collect();
        let wanted: HashMap<&str, MemberKind> = entry.members.iter().map(|member| (member.id.as_str(), member.kind)).collect();
        let mut joins: Vec<Member> =
            entry.members.iter().filter(|member| !present.contains(member.id.as_str())).cloned().collect();
        let mut leaves: Vec<String> = before
            .iter()
            .filter(|member| !wanted.contains_key(member.id.as_str()) && may_leave(&member.id))
            .map(|member| member.id.clone())
            .collect();
        let nested = joins.iter().any(|member| member.kind == MemberKind::Group);
        let nestings_seen = match nested && current.is_some() {
            true => Some(groups::find_nestings(&self.store, connection).await?),
            false => None,
        };
        let mut kept = Vec::with_capacity(joins.len());
        for member in joins {
            let closes = member.kind == MemberKind::Group && groups::closes_cycle(&self.store, tenant, &id, &member.id).await?;
            if !closes {
                kept.push(member);
            } else if !taken.cycles.contains(&member.id) {
                taken.cycles.push(member.id);
            }
        }
        joins = kept;
        let is_whole = joins.len() + leaves.len() <= MOVES_MAX;
        joins.truncate(MOVES_MAX);
        leaves.truncate(MOVES_MAX - joins.len());
        let (joined, left) = (joins.len(), leaves.len());
        let nestings_seen = nestings_seen.filter(|_| joins.iter().any(|member| member.kind == MemberKind::Group));
        let outcome = mapping.map(|mapping| group_mapping::run(mapping, &moment, &record)).transpose()?;
        let moves = Moves { joins, leaves, nestings_seen };
        let decision = match current {
            None => {
                let id = GroupId::new(&*id);
                let moves = moves.joins;
                let event = GroupEvent::Synced(Synced::Created);
                Decision::Write(Box::new(decide_group::create_as(&moment, connection, event, id, &record, moves, outcome)))
            }
            Some(current) => {
                decide_group::write(&moment, GroupEvent::Synced(Synced::Updated), current, &record, moves, outcome, None)
            }
        };
        let named: HashSet<&String> = entry.unresolved.iter().map(|(key, _)| key).collect();
        let new: Vec<_> = entry.unresolved.iter().filter(|(key, _)| !unresolved_before.contains(key)).cloned().collect();
        let gone: Vec<String> = unresolved_before.iter().filter(|key| !named.contains(key)).cloned().collect();
        let mut batch = match decision {
            Decision::Write(mut plan) => {
                called(&mut plan, &entry.dn_key);
                match &plan.group {
                    GroupWrite::Insert(_) => taken.created = true,
                    GroupWrite::Update { .. } => taken.updated = true,
                    GroupWrite::Touch { .. } | GroupWrite::Remove { .. } => {}
                }
                apply::group(&plan)
            }
            Decision::Nothing if new.is_empty() && gone.is_empty() => return Ok(true),
            Decision::Nothing => store::Batch::default(),
            Decision::Refused(refusal) => return Err(refusal.into()),
        };
        groups::unresolved(&mut batch, tenant, &id, &new, &gone);
        fence.guard(connection, &mut batch);
        self.store.apply(batch).await?;
        taken.joined += joined;
        taken.left += left;
        Ok(is_whole)
    }

    /// A group is not in the directory any more. False if it is not in the roster either.
    ///
    /// # Errors
    /// What stops a run.
    pub async fn group_left(&self, request: &Request<'_>, fence: &Fence, external_id: &str) -> Result<bool, Error> {
        let connection = request.connection;
        let _turn = self.turns.take((connection.id.as_str(), "group arrival", external_id)).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let Some(current) = groups::find_by_external_id(&self.store, connection, external_id).await? else {
                return Ok(false);
            };
            let id = current.id.to_string();
            let moment = self.moment(request);
            let Decision::Write(plan) = decide_group::delete_as(&moment, GroupEvent::Synced(Synced::Deleted), current, None)
            else {
                return Err(Refusal::NotFound.into());
            };
            let mut batch = apply::group(&plan);
            groups::forget_unresolved(&mut batch, &connection.tenant_id, &id);
            fence.guard(connection, &mut batch);
            match self.store.apply(batch).await {
                Err(reason @ (store::Error::Stale | store::Error::Conflict)) => {
                    self.still_ours(request, fence).await?;
                    rounds.again(reason).await?;
                }
                done => return Ok(done.map(|()| true)?),
            }
        }
    }
}

/// The group as its entry is called.
fn called(plan: &mut GroupPlan, key: &str) {
    let set = |group: &mut Group| group.dn_key = Some(key.to_owned());
    match &mut plan.group {
        GroupWrite::Insert(group) | GroupWrite::Update { group, .. } => set(group),
        // The name is part of the document: where that stayed, it did.
        GroupWrite::Touch { .. } | GroupWrite::Remove { .. } => {}
    }
}
