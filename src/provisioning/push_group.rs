//! Pushed groups: the shell around [`super::decide_group`]. Member changes come as what the source asked for and are
//! reduced to who really joins and leaves before anything is decided.

use super::budget::Removal;
use super::decide::Moment;
use super::decide_group::{self, GroupEvent, Moves};
use super::group_mapping::{self, GroupOutcome};
use super::plan::{Decision, GroupPlan, GroupWrite, Refusal};
use super::rounds::Rounds;
use super::{Error, Expected, Provisioner, Request, apply};
use crate::model::connection::Budget;
use crate::model::fold::fold;
use crate::model::group::{Group, Member, MemberKind};
use crate::model::ids::GroupId;
use crate::model::query::Query;
use crate::profile::GroupRecord;
use crate::store::groups::Listed;
use crate::store::{self, Batch, groups};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// No budget is larger than this.
const COUNTED_MEMBERS_MAX: i64 = 10_000_001;

/// One change of members as a source asks for it, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberChange {
    Add(Vec<String>),
    Remove(Vec<String>),
    /// Those whose member element satisfies the query.
    RemoveWhere(Query),
    /// Exactly these from now on.
    Replace(Vec<String>),
}

/// What a write came to, for the answer.
#[derive(Debug)]
pub struct PushedGroup {
    pub group: Group,
    pub changed: bool,
}

impl Provisioner {
    /// A POST.
    pub async fn create_group(
        &self,
        request: &Request<'_>,
        record: &GroupRecord,
        members: &[String],
    ) -> Result<PushedGroup, Error> {
        let connection = request.connection;
        let name_key = fold(&record.name);
        let _turn = self.turns.take((connection.id.as_str(), "group arrival", name_key.as_str())).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let done = async {
                self.group_unclaimed(request, record, "").await?;
                let moment = self.moment(request);
                let id = GroupId::new(moment.id());
                let wanted = Wish::from_changes(&[MemberChange::Add(members.to_vec())]);
                let moves = self.moves(request, id.as_str(), wanted, true).await?;
                let outcome = self.mapped_group(request, &moment, record).await?;
                let plan = decide_group::create(&moment, connection, id, record, moves.joins, outcome);
                self.settle_group(Decision::Write(Box::new(plan)), None, Batch::default()).await
            };
            match done.await {
                Err(Error::Store(reason)) => rounds.again(reason).await?,
                done => return done,
            }
        }
    }

    /// A PUT or PATCH. `edit` makes the new record and the member changes of the current resource; it runs again
    /// each round. Who only joins or leaves does so beside others: a burst on one group shares commits.
    pub async fn edit_group<E>(
        &self,
        request: &Request<'_>,
        id: &str,
        expected: &Expected,
        event: GroupEvent,
        edit: impl Fn(&Map<String, Value>) -> Result<(GroupRecord, Vec<MemberChange>), E> + Sync,
    ) -> Result<Result<PushedGroup, E>, Error> {
        let key = (request.connection.id.as_str(), id);
        let mut turn = self.turns.share(key).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let current = groups::find(&self.store, request.connection, id).await?.ok_or(Refusal::NotFound)?;
            expected.check(current.version)?;
            let document: Map<String, Value> = serde_json::from_str(&current.raw)
                .map_err(|_| store::Error::Corrupt { what: "groups.raw is not a JSON object" })?;
            let (record, changes) = match edit(&document) {
                Ok(edited) => edited,
                Err(refused) => return Ok(Err(refused)),
            };
            let of_the_group = *expected != Expected::Any || record.payload != document || changes.iter().any(reads_members);
            if of_the_group && turn.is_shared() {
                drop(turn);
                turn = self.turns.take(key).await;
                continue;
            }
            let done = async {
                if fold(&record.name) != current.name_key || record.external_id != current.external_id {
                    self.group_unclaimed(request, &record, id).await?;
                }
                let wish = self.wish(request, id, &changes).await?;
                let moves = self.moves(request, id, wish, false).await?;
                let removals: Vec<Removal> = moves.leaves.iter().map(|member| Removal::of_member(id, member)).collect();
                let spent = self.spend(request, &removals).await?;
                let compared = (*expected != Expected::Any).then_some(current.version);
                let moment = self.moment(request);
                let outcome = self.mapped_group(request, &moment, &record).await?;
                let decision = decide_group::write(&moment, event, current.clone(), &record, moves, outcome, compared);
                self.settle_group(decision, Some(&current), spent).await
            };
            match done.await {
                Err(Error::Store(reason)) => {
                    // A name can't have been taken where none was changed: another moved one of these members.
                    let members_met = !of_the_group && matches!(reason, store::Error::Conflict);
                    rounds.again(if members_met { store::Error::Stale } else { reason }).await?;
                    // Met another who moves the same people: from now on alone.
                    if turn.is_shared() {
                        drop(turn);
                        turn = self.turns.take(key).await;
                    }
                }
                done => return done.map(Ok),
            }
        }
    }

    /// A DELETE.
    pub async fn delete_group(&self, request: &Request<'_>, id: &str, expected: &Expected) -> Result<(), Error> {
        let _turn = self.turns.take((request.connection.id.as_str(), id)).await;
        let mut rounds = Rounds::new(&self.entropy);
        loop {
            let current = groups::find(&self.store, request.connection, id).await?.ok_or(Refusal::NotFound)?;
            expected.check(current.version)?;
            let compared = (*expected != Expected::Any).then_some(current.version);
            let decision = decide_group::delete(&self.moment(request), current.clone(), compared);
            let done = async {
                let spent = self.spend_group(request, id).await?;
                self.settle_group(decision, Some(&current), spent).await
            };
            match done.await {
                Err(Error::Store(reason)) => rounds.again(reason).await?,
                done => return done.map(drop),
            }
        }
    }

    /// Of the budget, where there is one: as much as the group has members.
    async fn spend_group(&self, request: &Request<'_>, id: &str) -> Result<Batch, Error> {
        if request.connection.options.budget == Budget::Off {
            return Ok(Batch::default());
        }
        let members = groups::count_members(&self.store, &request.connection.tenant_id, id, COUNTED_MEMBERS_MAX).await?;
        self.spend(request, &[Removal::of_group(id, members)]).await
    }

    /// What the connection's group mapping makes of the group; `None` without one.
    pub(super) async fn mapped_group(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
        record: &GroupRecord,
    ) -> Result<Option<GroupOutcome>, Error> {
        let Some(name) = &request.connection.options.group_mapping else { return Ok(None) };
        let mapping = self.mappings.of(&request.connection.tenant_id, name).await?;
        Ok(Some(group_mapping::run(&*mapping, moment, record)?))
    }

    pub(super) async fn group_unclaimed(&self, request: &Request<'_>, record: &GroupRecord, except: &str) -> Result<(), Error> {
        let key = fold(&record.name);
        let claim = groups::find_claim(&self.store, request.connection, &key, record.external_id.as_deref(), except).await?;
        claim.map_or(Ok(()), |attribute| Err(Refusal::Taken { attribute }.into()))
    }

    /// The changes in order, reduced to who is wanted in or out; reads the group's members only where a query or a
    /// replacement needs them.
    async fn wish(&self, request: &Request<'_>, id: &str, changes: &[MemberChange]) -> Result<Wish, Error> {
        if !changes.iter().any(reads_members) {
            return Ok(Wish::from_changes(changes));
        }
        let current = groups::find_members(&self.store, &request.connection.tenant_id, id).await?;
        let mut wish = Wish::default();
        for change in changes {
            match change {
                MemberChange::RemoveWhere(query) => {
                    // Each change sees what the ones before it left: who was added counts, who was removed doesn't.
                    let added: Vec<String> = wish.ids(true);
                    let added = groups::find_listed(&self.store, request.connection, &added).await?;
                    let there = current.iter().filter(|member| wish.0.get(&member.id) != Some(&false));
                    let matching: Vec<String> = there
                        .chain(added.values())
                        .filter(|member| satisfies(member, query))
                        .map(|member| member.id.clone())
                        .collect();
                    wish.want(matching, false);
                }
                MemberChange::Replace(ids) => {
                    wish.0.values_mut().for_each(|wanted| *wanted = false);
                    wish.want(current.iter().map(|member| member.id.clone()), false);
                    wish.want(ids.iter().cloned(), true);
                }
                plain => wish.plain(plain),
            }
        }
        Ok(wish)
    }

    /// Who of the wanted really joins and leaves. Unknown ids to add refuse the whole write; to remove they are no
    /// change.
    async fn moves(&self, request: &Request<'_>, id: &str, wish: Wish, is_new: bool) -> Result<Moves, Error> {
        let tenant = &request.connection.tenant_id;
        let ids: Vec<String> = wish.0.keys().cloned().collect();
        if ids.is_empty() {
            return Ok(Moves::default());
        }
        let present = if is_new { Default::default() } else { groups::find_members_among(&self.store, tenant, id, &ids).await? };
        let (mut joining, mut leaves) = (Vec::new(), Vec::new());
        for (member, wanted) in wish.0 {
            match (wanted, present.contains(&member)) {
                (true, false) => joining.push(member),
                (false, true) => leaves.push(member),
                _ => {}
            }
        }
        let listed = groups::find_listed(&self.store, request.connection, &joining).await?;
        let (mut joins, mut unknown) = (Vec::new(), Vec::new());
        for member in joining {
            match listed.get(&member) {
                Some(found) => joins.push(Member { id: member, kind: found.kind }),
                None => unknown.push(member),
            }
        }
        if unknown.iter().any(|member| member == id) {
            return Err(Refusal::Cycle { group_id: id.to_owned() }.into());
        }
        if !unknown.is_empty() && request.connection.options.ignore_unknown_members {
            tracing::warn!(connection = %request.connection.id, group = id, left_out = unknown.len(), "unknown members");
        } else if !unknown.is_empty() {
            return Err(Refusal::UnknownMembers { ids: unknown }.into());
        }
        let nested = || joins.iter().filter(|member| member.kind == MemberKind::Group);
        // A new group is in no other yet.
        let nestings_seen = match nested().next() {
            Some(_) if !is_new => Some(groups::find_nestings(&self.store, request.connection).await?),
            _ => None,
        };
        for member in nested().filter(|_| !is_new) {
            if groups::closes_cycle(&self.store, tenant, id, &member.id).await? {
                return Err(Refusal::Cycle { group_id: member.id.clone() }.into());
            }
        }
        Ok(Moves { joins, leaves, nestings_seen })
    }

    /// Carries a decision out, together with `also`.
    async fn settle_group(
        &self,
        decision: Decision<GroupPlan>,
        known: Option<&Group>,
        also: Batch,
    ) -> Result<PushedGroup, Error> {
        match decision {
            Decision::Write(plan) => {
                let mut batch = apply::group(&plan);
                batch.0.extend(also.0);
                self.store.apply(batch).await?;
                let group = match plan.group {
                    GroupWrite::Insert(group) => group,
                    GroupWrite::Update { group, .. } | GroupWrite::Touch { group, .. } | GroupWrite::Remove { group, .. } => {
                        Group { version: group.version + 1, ..group }
                    }
                };
                Ok(PushedGroup { group, changed: true })
            }
            Decision::Nothing => {
                let group = known.expect("nothing changes only where something was").clone();
                Ok(PushedGroup { group, changed: false })
            }
            Decision::Refused(refusal) => Err(refusal.into()),
        }
    }
}

/// Does what the change means depend on who is in the group? Then it may not run beside other changes of members.
fn reads_members(change: &MemberChange) -> bool {
    matches!(change, MemberChange::RemoveWhere(_) | MemberChange::Replace(_))
}

fn satisfies(member: &Listed, query: &Query) -> bool {
    let element = json!({"value": member.id, "type": member.kind.as_str(), "display": member.label});
    element.as_object().is_some_and(|element| query.matches(element))
}

/// Per id: wanted in or out. The last word counts.
#[derive(Default)]
struct Wish(BTreeMap<String, bool>);

impl Wish {
    fn from_changes(changes: &[MemberChange]) -> Self {
        let mut wish = Self::default();
        changes.iter().for_each(|change| wish.plain(change));
        wish
    }

    fn plain(&mut self, change: &MemberChange) {
        match change {
            MemberChange::Add(ids) => self.want(ids.iter().cloned(), true),
            MemberChange::Remove(ids) => self.want(ids.iter().cloned(), false),
            MemberChange::RemoveWhere(_) | MemberChange::Replace(_) => {}
        }
    }

    fn ids(&self, wanted: bool) -> Vec<String> {
        self.0.iter().filter(|(_, wish)| **wish == wanted).map(|(id, _)| id.clone()).collect()
    }

    fn want(&mut self, ids: impl IntoIterator<Item = String>, wanted: bool) {
        for id in ids {
            self.0.insert(id, wanted);
        }
    }
}
