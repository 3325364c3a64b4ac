//! What a run writes: people by the hundred, who leaves, and groups. Owns what is left out because it waits, and what becomes of
//! whoever could not be taken. Refuses to judge.

use super::{Counts, Found, Mappings, Progress, Runner, Way};
use crate::ldap::connect::Session;
use crate::ldap::search::Pages;
use crate::provisioning::plan::Refusal;
use crate::provisioning::rounds::is_of_one_write;
use crate::provisioning::sync::{Entry, Fence, TOGETHER_MAX, Taken};
use crate::provisioning::{self, Request};
use crate::store::{Batch, identities};
use crate::sync::Error;
use crate::sync::confirmed::Confirmed;
use crate::sync::entry::digest;
use crate::sync::guard::Absence;
use crate::sync::lease::Lease;
use crate::sync::members::{GroupSeen, Groups, resolve};
use crate::sync::survey::{Missing, REFUSED_MAX, Refused, Survey};
use std::collections::{BTreeMap, HashSet};

/// How often groups are gone through in one run.
const LOOKS_MAX: usize = 3;

impl Runner<'_> {
    /// Takes out of what is to be written what waits; how many those are.
    pub(super) fn leave_out_held(&self, found: &mut Found) -> u64 {
        let mut waits: Vec<String> = Vec::new();
        if !found.held.barring.is_empty() {
            waits.extend(found.survey.barring().cloned());
        }
        if !found.held.changes.is_empty() {
            waits.extend(found.survey.changing().map(|(id, _)| id.clone()));
        }
        waits.sort_unstable();
        waits.dedup();
        waits.iter().for_each(|id| found.survey.leave_out(id));
        waits.len() as u64
    }

    /// Reads again what the survey found to be written, and hands it over by the hundred.
    pub(super) async fn write_people(
        &self,
        lease: &Lease,
        session: &mut Session,
        (mappings, request): (&Mappings, &Request<'_>),
        (found, counts, refused): (&mut Found, &mut Counts, &mut Vec<Refused>),
    ) -> Result<(), Error> {
        let Found { survey, way, .. } = found;
        if !survey.is_anything_pending() {
            return Ok(());
        }
        let wanted = self.wanted(&*mappings.people);
        let mut pages = Pages::new(self.settings, &self.settings.users, wanted.attributes.clone());
        let mut read = match way {
            Way::Delta { memory, .. } => Some(std::mem::take(&mut memory.people)),
            Way::Full { .. } => None,
        };
        let (mut waiting, mut written, all) = (Vec::new(), 0, survey.pending() as u64);
        loop {
            let (page, is_end) = match &mut read {
                Some(read) => (std::mem::take(read), true),
                None => match self.people(session, &mut pages, &wanted).await? {
                    Ok((page, _)) => (page, false),
                    Err(_) => (Vec::new(), true),
                },
            };
            for seen in page {
                let dn = seen.dn;
                if let Ok(entry) = seen.entry
                    && survey.takes(&entry)
                {
                    waiting.push((dn, entry));
                }
            }
            while waiting.len() >= TOGETHER_MAX || is_end && !waiting.is_empty() {
                let rest = waiting.split_off(waiting.len().min(TOGETHER_MAX));
                let (dns, entries): (Vec<String>, Vec<Entry>) = std::mem::replace(&mut waiting, rest).into_iter().unzip();
                let ids: Vec<String> = entries.iter().map(|entry| entry.external_id.clone()).collect();
                written += entries.len() as u64;
                let taken = self.provisioner.take_in(request, &lease.fence, &*mappings.people, entries).await?;
                for ((id, dn), taken) in ids.into_iter().zip(dns).zip(taken) {
                    count(taken, id, dn, counts, refused);
                }
                (self.progress)(Progress::Written(written, all));
                lease.keep()?;
            }
            if is_end {
                return Ok(());
            }
            lease.keep()?;
        }
    }

    /// Who is missing goes, if it is time and nothing holds them, or is noted as missing once more.
    pub(super) async fn let_go(
        &self,
        lease: &Lease,
        request: &Request<'_>,
        (missing, may_leave): (&Missing, bool),
        counts: &mut Counts,
    ) -> Result<(), Error> {
        for id in &missing.confirmed {
            self.let_one_go(lease, request, id, counts).await?;
        }
        let mut waits = Vec::new();
        for (id, absence) in &missing.unconfirmed {
            match absence {
                Absence::Leaves if may_leave => self.let_one_go(lease, request, id, counts).await?,
                Absence::Leaves => {}
                Absence::Waits(runs) => waits.push((id.clone(), *runs)),
            }
        }
        Counts::add(&mut counts.people, "missing", waits.len() as u64);
        for some in waits.chunks(TOGETHER_MAX) {
            let mut batch = Batch::default();
            identities::missed(&mut batch, self.connection, some);
            lease.fence.guard(self.connection, &mut batch);
            self.store.apply(batch).await?;
        }
        Ok(())
    }

    pub(super) async fn let_one_go(
        &self,
        lease: &Lease,
        request: &Request<'_>,
        id: &str,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        match self.provisioner.left(request, &lease.fence, id).await {
            Ok(left) => Counts::add(&mut counts.people, "left", u64::from(left)),
            // One person is no reason to keep all the others.
            Err(provisioning::Error::Refused(reason)) => {
                tracing::warn!(connection = %self.connection.id, external_id = id, ?reason, "somebody who is missing stays");
                Counts::add(&mut counts.people, "failed", 1);
                (counts.stuck, counts.stayed) = (counts.stuck + 1, counts.stayed + 1);
            }
            Err(provisioning::Error::Store(reason)) if is_of_one_write(&reason) => {
                tracing::error!(connection = %self.connection.id, external_id = id, %reason, "somebody who is missing stays");
                Counts::add(&mut counts.people, "failed", 1);
                (counts.stuck, counts.stayed) = (counts.stuck + 1, counts.stayed + 1);
            }
            Err(error) => return Err(error.into()),
        }
        lease.keep()
    }

    /// Who was missing and is there again begins anew.
    pub(super) async fn seen_again(&self, lease: &Lease, found: &Found) -> Result<(), Error> {
        let again: Vec<(String, i64)> = found.survey.seen_again.iter().map(|id| (id.clone(), 0)).collect();
        for some in again.chunks(TOGETHER_MAX) {
            let mut batch = Batch::default();
            identities::missed(&mut batch, self.connection, some);
            lease.fence.guard(self.connection, &mut batch);
            self.store.apply(batch).await?;
        }
        Ok(())
    }

    pub(super) async fn write_groups(
        &self,
        lease: &Lease,
        session: &mut Session,
        (mappings, request): (&Mappings, &Request<'_>),
        confirmed: &Confirmed,
        found: &Found,
        (counts, refused): (&mut Counts, &mut Vec<Refused>),
    ) -> Result<(), Error> {
        let (Some(area), Some(survey)) = (&self.settings.groups, &found.groups) else { return Ok(()) };
        if found.way.is_delta() {
            // Whoever is in a group that could not be read has to be told of again.
            counts.stuck += survey.refused.len() as u64;
        }
        for (dn, why) in &survey.refused {
            refuse(refused, "sync_group", dn, dn, vec![(String::new(), why.clone())]);
        }
        let moved =
            ["created", "revived", "left"].iter().any(|what| counts.people.contains_key(what)) || !found.survey.moved.is_empty();
        Counts::add(&mut counts.groups, "met", survey.groups);
        if !survey.differs && !moved {
            return Ok(());
        }
        // Whom the survey saw leave, and nobody else.
        let is_held = !found.held.removals.is_empty();
        let may: HashSet<u128> = survey
            .leaving
            .iter()
            .filter(|one| !is_held || confirmed.holds("member.remove", one))
            .map(|one| digest(one))
            .collect();
        // A group may hold groups that come after it, or be called as one is that comes after it or goes: then another look
        // finds it. The last is the one before which nothing happened.
        let (mut again, mut done) = (true, BTreeMap::new());
        for look in 0..LOOKS_MAX {
            if !again {
                break;
            }
            again = false;
            let before = std::mem::replace(&mut done, counts.groups.clone());
            let is_last = look > 0 && before == done || look + 1 == LOOKS_MAX;
            let mut groups = Groups::new(self.settings, area, mappings.groups.as_deref());
            let mut read = match &found.way {
                Way::Delta { memory, .. } => Some(memory.groups.clone()),
                Way::Full { .. } => None,
            };
            loop {
                let page = match &mut read {
                    Some(read) if read.is_empty() => break,
                    Some(read) => std::mem::take(read),
                    None => match groups.next(session, &found.survey.primary).await {
                        Ok(Ok((page, _))) => page,
                        Ok(Err(_)) => break,
                        Err(cause) => return Err(self.cut("groups", &cause, "group_base")),
                    },
                };
                for seen in page.into_iter().filter(|seen| seen.external_id.is_ok()) {
                    let taken = (&found.survey, &may);
                    let tell = (is_last, &mut *counts, &mut *refused);
                    again |= self.write_group((mappings, request), &lease.fence, seen, taken, tell).await?;
                    lease.keep()?;
                }
            }
            if look > 0 {
                continue;
            }
            for (id, _) in survey.gone.iter().filter(|(id, _)| !is_held || confirmed.holds("group.leave", id)) {
                let left = self.provisioner.group_left(request, &lease.fence, id).await?;
                Counts::add(&mut counts.groups, "left", u64::from(left));
                lease.keep()?;
            }
        }
        Ok(())
    }

    /// True if it is new and so may be one that another named before it was there, or has a name that is taken: another may be
    /// about to give it up. On the last look that is told.
    pub(super) async fn write_group(
        &self,
        (mappings, request): (&Mappings, &Request<'_>),
        fence: &Fence,
        mut seen: GroupSeen,
        (people, may): (&Survey, &HashSet<u128>),
        (is_last, counts, refused): (bool, &mut Counts, &mut Vec<Refused>),
    ) -> Result<bool, Error> {
        resolve(self.store, self.connection, &mut seen, people).await?;
        let external_id = seen.entry.external_id.clone();
        let may_leave = |member: &str| may.contains(&digest(&format!("{external_id}/{member}")));
        let taken =
            match self.provisioner.take_in_group(request, fence, (mappings.groups.as_deref(), &seen.entry), &may_leave).await {
                Ok(taken) => taken,
                Err(provisioning::Error::Refused(Refusal::Taken { .. })) if !is_last => return Ok(true),
                Err(provisioning::Error::Refused(refusal)) => {
                    refuse(refused, "sync_group", &external_id, &seen.dn, vec![(String::new(), format!("{refusal:?}"))]);
                    Counts::add(&mut counts.groups, "rejected", 1);
                    return Ok(false);
                }
                Err(provisioning::Error::Store(reason)) if is_of_one_write(&reason) => {
                    refuse(refused, "sync_group", &external_id, &seen.dn, vec![(String::new(), reason.to_string())]);
                    Counts::add(&mut counts.groups, "failed", 1);
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            };
        if !taken.cycles.is_empty() {
            let reason = format!("it would hold itself by way of {}", taken.cycles.join(", "));
            refuse(refused, "sync_group", &external_id, &seen.dn, vec![("member".into(), reason)]);
        }
        Counts::add(&mut counts.groups, "created", u64::from(taken.created));
        Counts::add(&mut counts.groups, "updated", u64::from(taken.updated));
        Counts::add(&mut counts.groups, "joined", taken.joined as u64);
        Counts::add(&mut counts.groups, "left_members", taken.left as u64);
        Ok(taken.created)
    }
}

pub(super) fn count(taken: Taken, id: String, dn: String, counts: &mut Counts, refused: &mut Vec<Refused>) {
    let what = match taken {
        Taken::Created => "created",
        Taken::Updated => "updated",
        Taken::Revived => "revived",
        Taken::Unchanged => "unchanged",
        Taken::Barred { reasons } => {
            refuse(refused, "sync_rejected", &id, &dn, reasons);
            "barred"
        }
        Taken::Refused(Refusal::Rejected { reasons }) => {
            refuse(refused, "sync_rejected", &id, &dn, reasons);
            "rejected"
        }
        // Has an inbox row of its own already.
        Taken::Refused(Refusal::EmailElsewhere { .. }) => "rejected",
        Taken::Refused(refusal) => {
            refuse(refused, "sync_rejected", &id, &dn, vec![(String::new(), format!("{refusal:?}"))]);
            "rejected"
        }
        Taken::Failed { reason } => {
            refuse(refused, "sync_failed", &id, &dn, vec![(String::new(), reason)]);
            "failed"
        }
    };
    Counts::add(&mut counts.people, what, 1);
}

pub(super) fn refuse(refused: &mut Vec<Refused>, kind: &'static str, subject: &str, dn: &str, reasons: Vec<(String, String)>) {
    if refused.len() < REFUSED_MAX {
        refused.push(Refused { kind, subject: subject.to_owned(), dn: dn.to_owned(), reasons });
    }
}
