//! One run over a directory, from the lease to the row that tells of it.
//!
//! 1. Look: people and groups are read to the end and compared; nothing is written.
//! 2. Judge: [`super::guard`] says what waits. What waits is kept as a run with its list.
//! 3. Write: what the survey found is read again from the same session and taken in by the hundred; an entry that changed in
//!    between is left for the next run.
//! 4. Let go: who was missing leaves. Nobody leaves in a run that did not come this far.
//! 5. Groups, and what the next run is compared with.
//!
//! A run that is killed leaves whole batches; the next one finds the rest by comparing.

use super::Error;
use super::confirmed::{Confirmed, ITEMS_MAX, ListHash};
use super::entry::{self, Seen as SeenEntry, digest};
use super::guard::{self, Absence, Held, Marks, Seen, Why};
use super::inbox;
use super::lease::Lease;
use super::members::{GroupSeen, GroupSurvey, Groups, resolve};
use super::schedule;
use super::survey::{Against, Elsewhere, Missing, Placed, REFUSED_MAX, Refused, Survey};
use super::wanted::Wanted;
use crate::clock::{Clock, Entropy, Micros, SECOND};
use crate::ldap::advice::advice;
use crate::ldap::connect::{Session, connect};
use crate::ldap::failure::{Cause, Step};
use crate::ldap::search::{Complete, End, Pages, Read, Unreadable};
use crate::ldap::settings::Settings;
use crate::mapping::Mapping;
use crate::model::connection::Connection;
use crate::model::directory::DirectoryServer;
use crate::provisioning::rounds::is_of_one_write;
use crate::provisioning::sync::{Entry, Fence, TOGETHER_MAX, Taken};
use crate::provisioning::user_id::hex;
use crate::provisioning::{self, Provisioner, Request};
use crate::store::runs::{self, SyncEnd, SyncItem};
use crate::store::sync_state::{self, SyncState};
use crate::store::{Batch, Store, identities};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

const HOUR: Micros = 3_600 * SECOND;
/// How long a run that waits for nobody is told of.
const KEPT_FOR: Micros = 30 * 24 * HOUR;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many entries were looked at.
    Surveyed(u64),
    /// So many of so many were written.
    Written(u64, u64),
}

/// Who is told how far a run is.
pub type Listener<'a> = &'a (dyn Fn(Progress) + Sync);

/// What a run needs.
pub struct Runner<'a> {
    pub store: &'a Store,
    pub provisioner: &'a Provisioner,
    pub clock: &'a Clock,
    pub entropy: &'a Entropy,
    pub connection: &'a Connection,
    pub settings: &'a Settings,
    /// In `actor` columns: `cli`, `schedule`.
    pub actor: &'a str,
    /// Shown to whoever finds the lease taken.
    pub owner: String,
    pub progress: Listener<'a>,
}

/// The two mappings of a connection.
pub struct Mappings {
    pub people: Arc<dyn Mapping>,
    pub groups: Option<Arc<dyn Mapping>>,
}

impl Mappings {
    /// Are they written for this?
    ///
    /// # Errors
    /// [`Error::Setup`] with what to change.
    pub fn check(&self) -> Result<(), Error> {
        for (mapping, option, to) in
            [(Some(&self.people), "mapping", "profile"), (self.groups.as_ref(), "group_mapping", "group")]
        {
            let Some(mapping) = mapping else { continue };
            if mapping.direction().is_some_and(|direction| direction != ("ldap", to)) {
                let (from, gives) = mapping.direction().unwrap_or_default();
                let name = mapping.name();
                return Err(Error::Setup(format!(
                    "mapping {name} is `from {from} to {gives}`, and a directory needs one `from ldap to {to}`: set {option}"
                )));
            }
        }
        Ok(())
    }
}

/// What a complete look at a directory found.
pub struct Found {
    pub survey: Survey,
    pub missing: Missing,
    pub groups: Option<GroupSurvey>,
    pub held: Held,
    state: SyncState,
    server: String,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Of the row that tells of it, or of the older one that holds the same.
    pub run_id: String,
    pub held: Held,
    pub list_hash: Option<String>,
    pub summary: Value,
}

/// Numbers of a run.
#[derive(Default)]
struct Counts {
    people: BTreeMap<&'static str, u64>,
    groups: BTreeMap<&'static str, u64>,
}

impl Counts {
    fn add(counts: &mut BTreeMap<&'static str, u64>, what: &'static str, by: u64) {
        if by > 0 {
            *counts.entry(what).or_default() += by;
        }
    }

    /// Did anything of anybody change?
    fn wrote(&self) -> bool {
        let people = ["created", "updated", "revived", "left", "barred"];
        let groups = ["created", "updated", "joined", "left_members", "left"];
        people.iter().any(|what| self.people.contains_key(what)) || groups.iter().any(|what| self.groups.contains_key(what))
    }
}

impl<'a> Runner<'a> {
    /// Looks, and writes nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn look(&self, mappings: &Mappings, tell: impl FnMut(&Placed<'_>)) -> Result<Found, Error> {
        mappings.check()?;
        let mut session = self.session().await?;
        let confirmed = Confirmed::read(self.store, self.connection).await?;
        self.survey(&mut session, mappings, &confirmed, None, tell).await
    }

    /// The whole of it.
    ///
    /// # Errors
    /// See [`Error`]. What was written before stays, in whole batches.
    pub async fn run(&self) -> Result<Report, Error> {
        let report = self.run_if(|_| true).await?;
        Ok(report.expect("it is always time"))
    }

    /// The same, unless `is_time` says no once the lease is ours: another may have run while it was waited for.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub async fn run_if(&self, is_time: impl Fn(&SyncState) -> bool) -> Result<Option<Report>, Error> {
        let lease = Lease::take(self.store, self.clock, self.entropy, self.connection, &self.owner).await?;
        if !is_time(&sync_state::find(self.store, self.connection).await?) {
            lease.release().await?;
            return Ok(None);
        }
        let run_id = run_id(self.clock, self.entropy);
        let mut batch = Batch::default();
        runs::start_sync(&mut batch, self.connection, &run_id, self.clock.now());
        lease.fence.guard(self.connection, &mut batch);
        self.store.apply(batch).await?;
        let done = self.under_lease(&lease, &run_id).await;
        let done = match done {
            Ok(report) => Ok(report),
            Err(error) => {
                let error = overtaken(error, &lease, self).await;
                if !matches!(error, Error::Overtaken) {
                    // The row tells of it where the store can; the error is the answer either way.
                    if let Err(unsaid) = self.failed(&lease.fence, &run_id, &error).await {
                        tracing::warn!(connection = %self.connection.id, error = %unsaid, "a failed run is not on record");
                    }
                }
                Err(error)
            }
        };
        if let Err(error) = lease.release().await {
            tracing::debug!(%error, "a lease has to run out");
        }
        done.map(Some)
    }

    async fn under_lease(&self, lease: &Lease, run_id: &str) -> Result<Report, Error> {
        let people = self.provisioner.mapping_of_sync(self.connection).await?;
        let groups = self.provisioner.mapping_of_groups(self.connection).await?;
        let mappings = Mappings { people, groups };
        mappings.check()?;
        let mut session = self.session().await?;
        let confirmed = Confirmed::read(self.store, self.connection).await?;
        let mut found = self.survey(&mut session, &mappings, &confirmed, Some(lease), |_| {}).await?;
        let (items, hash) = list(&found, &confirmed);
        // Exactly this list was let through, however long it is.
        if confirmed.is_list(&hash) {
            found.held = Held::default();
        }
        let request = Request { connection: self.connection, actor: self.actor, request_id: run_id };
        let mut counts = Counts::default();
        Counts::add(&mut counts.people, "unchanged", found.survey.counts.get("unchanged").copied().unwrap_or(0));
        let mut refused = std::mem::take(&mut found.survey.refused);
        if found.held.everything.is_empty() {
            let waits = self.leave_out_held(&mut found);
            self.write_people(lease, &mut session, (&mappings, &request), (&mut found.survey, &mut counts, &mut refused)).await?;
            self.let_go(lease, &request, (&found.missing, found.held.absence.is_empty()), &mut counts).await?;
            self.write_groups(lease, &mut session, (&mappings, &request), &confirmed, &found, (&mut counts, &mut refused))
                .await?;
            self.seen_again(lease, &found).await?;
            Counts::add(&mut counts.people, "held", waits);
        }
        lease.keep()?;
        self.finish(&lease.fence, run_id, &found, (&items, &hash, &confirmed), (&counts, &refused)).await
    }

    async fn session(&self) -> Result<Session, Error> {
        let connected = connect(self.settings).await.map_err(|not| {
            let unusable = |failure: &crate::ldap::failure::Failure| {
                format!("{failure}\n{}", advice(self.settings, failure.step, &failure.cause, "user_base"))
            };
            Error::Directory(not.0.iter().map(unusable).collect::<Vec<_>>().join("\n"))
        })?;
        for failure in &connected.passed_over {
            tracing::warn!(connection = %self.connection.id, %failure, "a server of the directory is passed over");
        }
        Ok(connected.session)
    }

    /// A read that did not see everything: nothing is concluded from it.
    fn cut(&self, what: &str, cause: &Cause, base: &'static str) -> Error {
        Error::Directory(format!(
            "{what} were not read to the end: {cause}\n{}\nNothing is concluded from a part.",
            advice(self.settings, Step::Search, cause, base)
        ))
    }

    fn wanted(&self, mapping: &dyn Mapping) -> Wanted {
        let (reads, beside) = (mapping.reads(), mapping.reads_beside_groups());
        let Settings { server, users, groups, .. } = self.settings;
        Wanted::of(&reads, &beside, &users.id_attribute, *server, groups.is_some())
    }

    /// The next page of people, with those that can't be read, or the proof that there is none.
    async fn people(
        &self,
        session: &mut Session,
        pages: &mut Pages,
        wanted: &Wanted,
    ) -> Result<Result<(Vec<SeenEntry>, Vec<Unreadable>), Complete>, Error> {
        match pages.next(session).await {
            Read::Page(page) => {
                let id_attribute = &self.settings.users.id_attribute;
                let entries = page.entries.iter().map(|entry| entry::read(entry, id_attribute, wanted)).collect();
                Ok(Ok((entries, page.unreadable)))
            }
            Read::End(End::Complete(complete)) => Ok(Err(complete)),
            Read::End(End::Cut(cut)) => Err(self.cut("people", &cut.cause, "user_base")),
        }
    }

    async fn survey(
        &self,
        session: &mut Session,
        mappings: &Mappings,
        confirmed: &Confirmed,
        lease: Option<&Lease>,
        mut tell: impl FnMut(&Placed<'_>),
    ) -> Result<Found, Error> {
        let (store, connection) = (self.store, self.connection);
        let state = sync_state::find(store, connection).await?;
        let against = Against {
            store,
            connection,
            mapping: &*mappings.people,
            confirmed,
            now: self.clock.now(),
            newest_before: state.newest_id.clone(),
        };
        let wanted = self.wanted(&*mappings.people);
        let mut pages = Pages::new(self.settings, &self.settings.users, wanted.attributes.clone());
        let (mut survey, mut count) = (Survey::default(), 0);
        let proof = loop {
            match self.people(session, &mut pages, &wanted).await? {
                Ok((entries, unreadable)) => {
                    survey.page(&against, &entries, &mut tell).await?;
                    survey.unreadable(&unreadable, &mut tell);
                    count += (entries.len() + unreadable.len()) as u64;
                    (self.progress)(Progress::Surveyed(count));
                }
                Err(proof) => break proof,
            }
            if let Some(lease) = lease {
                lease.keep()?;
            }
        };
        let missing = survey.missing(&against, connection.options.missing_runs, &proof).await?;
        let groups = self.survey_groups(session, mappings, &survey, lease).await?;
        let server = session.address.to_string();
        let seen = self.seen(&survey, &missing, groups.as_ref(), &state, (&server, confirmed));
        let held = guard::held(&seen, connection.options.budget);
        Ok(Found { survey, missing, groups, held, state, server })
    }

    async fn survey_groups(
        &self,
        session: &mut Session,
        mappings: &Mappings,
        people: &Survey,
        lease: Option<&Lease>,
    ) -> Result<Option<GroupSurvey>, Error> {
        let Some(area) = &self.settings.groups else { return Ok(None) };
        let mapping = mappings.groups.as_deref();
        let mut groups = Groups::new(self.settings, area, mapping);
        let mut survey = GroupSurvey::default();
        loop {
            let page = groups.next(session, &people.primary).await.map_err(|cause| self.cut("groups", &cause, "group_base"))?;
            match page {
                Ok((page, unreadable)) => {
                    survey.unreadable(unreadable);
                    for seen in page {
                        survey.group((self.store, self.connection), mapping, seen, people).await?;
                        if let Some(lease) = lease {
                            lease.keep()?;
                        }
                    }
                }
                Err(proof) => {
                    survey.missing(self.store, self.connection, &proof).await?;
                    return Ok(Some(survey));
                }
            }
        }
    }

    /// The numbers that the guard judges.
    fn seen(
        &self,
        survey: &Survey,
        missing: &Missing,
        groups: Option<&GroupSurvey>,
        state: &SyncState,
        (server, confirmed): (&str, &Confirmed),
    ) -> Seen {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let id_attribute = self.settings.users.id_attribute.clone();
        let id_attribute_before = state.id_attribute.clone().filter(|before| !before.eq_ignore_ascii_case(&id_attribute));
        let newest = survey.newest.as_ref().map(|(mark, _)| mark.as_str());
        let other_server = state.server.as_deref().is_some_and(|before| before != server);
        let older = guard::is_older(Marks {
            before: state.newest_mark.as_deref(),
            newest,
            of_newest_before: survey.mark_of_newest_before.as_deref(),
            other_server,
            of_its_own: self.settings.server == DirectoryServer::ActiveDirectory,
        });
        let removals = groups.map_or(0, |groups| {
            let unconfirmed = |one: &&String| !confirmed.holds("member.remove", one);
            let gone = groups.gone.iter().filter(|(id, _)| !confirmed.holds("group.leave", id));
            number(groups.leaving.iter().filter(unconfirmed).count()) + gone.map(|(_, members)| members).sum::<i64>()
        });
        Seen {
            known: missing.known,
            met: survey.met(),
            missing_in_all: missing.all,
            missing: number(missing.unconfirmed.len()),
            leaving: number(missing.unconfirmed.iter().filter(|(_, absence)| *absence == Absence::Leaves).count()),
            barring: number(survey.barring().count()),
            removals,
            known_groups: groups.map_or(0, |groups| groups.known),
            met_groups: groups.map_or(0, GroupSurvey::met),
            without_id: missing.without_id,
            area_changed: state.area.as_ref().is_some_and(|before| *before != self.area()),
            id_attribute_before: id_attribute_before.filter(|_| !confirmed.holds("run.id_attribute", &id_attribute)),
            id_attribute,
            older: (older && !confirmed.holds("run.server", server)).then(|| server.to_owned()),
            mass: survey.mass(),
        }
    }

    /// What is asked for, as it is compared with the next run.
    fn area(&self) -> String {
        let Settings { server, users, groups, .. } = self.settings;
        let groups = groups.as_ref().map(|area| [area.base.as_str(), area.filter.as_str()]).unwrap_or_default();
        let text = format!("{server:?}\n{}\n{}\n{}", users.base, users.filter, groups.join("\n"));
        hex(&Sha256::digest(text))[..32].to_owned()
    }

    /// Takes out of what is to be written what waits; how many those are.
    fn leave_out_held(&self, found: &mut Found) -> u64 {
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
    async fn write_people(
        &self,
        lease: &Lease,
        session: &mut Session,
        (mappings, request): (&Mappings, &Request<'_>),
        (survey, counts, refused): (&mut Survey, &mut Counts, &mut Vec<Refused>),
    ) -> Result<(), Error> {
        if !survey.is_anything_pending() {
            return Ok(());
        }
        let wanted = self.wanted(&*mappings.people);
        let mut pages = Pages::new(self.settings, &self.settings.users, wanted.attributes.clone());
        let (mut waiting, mut written, all) = (Vec::new(), 0, survey.pending() as u64);
        loop {
            let page = self.people(session, &mut pages, &wanted).await?;
            let is_end = page.is_err();
            for seen in page.unwrap_or_default().0 {
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
    async fn let_go(
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

    async fn let_one_go(&self, lease: &Lease, request: &Request<'_>, id: &str, counts: &mut Counts) -> Result<(), Error> {
        match self.provisioner.left(request, &lease.fence, id).await {
            Ok(left) => Counts::add(&mut counts.people, "left", u64::from(left)),
            // One person is no reason to keep all the others.
            Err(provisioning::Error::Refused(reason)) => {
                tracing::warn!(connection = %self.connection.id, external_id = id, %reason, "somebody who is missing stays");
                Counts::add(&mut counts.people, "failed", 1);
            }
            Err(provisioning::Error::Store(reason)) if is_of_one_write(&reason) => {
                tracing::error!(connection = %self.connection.id, external_id = id, %reason, "somebody who is missing stays");
                Counts::add(&mut counts.people, "failed", 1);
            }
            Err(error) => return Err(error.into()),
        }
        lease.keep()
    }

    /// Who was missing and is there again begins anew.
    async fn seen_again(&self, lease: &Lease, found: &Found) -> Result<(), Error> {
        let again: Vec<(String, i64)> = found.survey.seen_again.iter().map(|id| (id.clone(), 0)).collect();
        for some in again.chunks(TOGETHER_MAX) {
            let mut batch = Batch::default();
            identities::missed(&mut batch, self.connection, some);
            lease.fence.guard(self.connection, &mut batch);
            self.store.apply(batch).await?;
        }
        Ok(())
    }

    async fn write_groups(
        &self,
        lease: &Lease,
        session: &mut Session,
        (mappings, request): (&Mappings, &Request<'_>),
        confirmed: &Confirmed,
        found: &Found,
        (counts, refused): (&mut Counts, &mut Vec<Refused>),
    ) -> Result<(), Error> {
        let (Some(area), Some(survey)) = (&self.settings.groups, &found.groups) else { return Ok(()) };
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
        let mut groups = Groups::new(self.settings, area, mappings.groups.as_deref());
        // A group may hold groups that come after it: then a second look finds them.
        let mut nested_later = true;
        for _look in 0..2 {
            if !nested_later {
                break;
            }
            nested_later = false;
            while let Ok((page, _)) =
                groups.next(session, &found.survey.primary).await.map_err(|cause| self.cut("groups", &cause, "group_base"))?
            {
                for seen in page.into_iter().filter(|seen| seen.external_id.is_ok()) {
                    let taken = (&found.survey, &may);
                    nested_later |= self.write_group((mappings, request), &lease.fence, seen, taken, (counts, refused)).await?;
                    lease.keep()?;
                }
            }
            groups = Groups::new(self.settings, area, mappings.groups.as_deref());
        }
        for (id, _) in survey.gone.iter().filter(|(id, _)| !is_held || confirmed.holds("group.leave", id)) {
            let left = self.provisioner.group_left(request, &lease.fence, id).await?;
            Counts::add(&mut counts.groups, "left", u64::from(left));
            lease.keep()?;
        }
        Ok(())
    }

    /// True if it is new and so may be one that another named before it was there.
    async fn write_group(
        &self,
        (mappings, request): (&Mappings, &Request<'_>),
        fence: &Fence,
        mut seen: GroupSeen,
        (people, may): (&Survey, &HashSet<u128>),
        (counts, refused): (&mut Counts, &mut Vec<Refused>),
    ) -> Result<bool, Error> {
        resolve(self.store, self.connection, &mut seen, people).await?;
        let external_id = seen.entry.external_id.clone();
        let may_leave = |member: &str| may.contains(&digest(&format!("{external_id}/{member}")));
        let taken =
            match self.provisioner.take_in_group(request, fence, (mappings.groups.as_deref(), &seen.entry), &may_leave).await {
                Ok(taken) => taken,
                Err(provisioning::Error::Refused(refusal)) => {
                    refuse(refused, "sync_group", &external_id, &seen.dn, refusal.reasons());
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

    /// The row of the run, what it holds, the inbox, and what the next run is compared with: in one batch.
    async fn finish(
        &self,
        fence: &Fence,
        run_id: &str,
        found: &Found,
        (items, hash, confirmed): (&(Vec<SyncItem>, usize), &str, &Confirmed),
        (counts, refused): (&Counts, &[Refused]),
    ) -> Result<Report, Error> {
        let (connection, now) = (self.connection, self.clock.now());
        let is_held = !found.held.is_none();
        let summary = summary(found, counts, (is_held.then_some(items.1), refused.len()));
        let mut batch = Batch::default();
        let standing = runs::syncs_in_state(self.store, connection, "held").await?;
        let same = standing.into_iter().find(|run| is_held && run.list_hash.as_deref() == Some(hash));
        let told = same.as_ref().map_or(run_id, |run| run.id.as_str()).to_owned();
        match (&same, is_held) {
            // The same list waits already: one row of it is enough. What else the run wrote is known by the run's own row.
            (Some(_), _) if !counts.wrote() => runs::forget_sync(&mut batch, connection, run_id),
            (Some(_), _) => {
                let text = summary.to_string();
                let end = SyncEnd { state: "superseded", summary: &text, list_hash: None, at: now };
                runs::end_sync(&mut batch, connection, run_id, &end);
            }
            (None, true) => {
                let text = summary.to_string();
                runs::end_sync(
                    &mut batch,
                    connection,
                    run_id,
                    &SyncEnd { state: "held", summary: &text, list_hash: Some(hash), at: now },
                );
                // Part of a list can't be let through one by one: the rest would be judged without it.
                let state = if items.1 > items.0.len() { "sample" } else { "held" };
                runs::hold_sync(&mut batch, connection, run_id, &items.0, state, now);
            }
            (None, false) => {
                let text = summary.to_string();
                runs::end_sync(
                    &mut batch,
                    connection,
                    run_id,
                    &SyncEnd { state: "done", summary: &text, list_hash: None, at: now },
                );
            }
        }
        runs::supersede_syncs(&mut batch, connection, &told, now);
        // A word that nothing could be done with yet stays.
        if found.held.everything.is_empty() {
            runs::use_up_syncs(&mut batch, connection, confirmed.runs(), now);
        }
        runs::forget_old_syncs(&mut batch, connection, now - KEPT_FOR);
        // Of whoever was not written nobody knows whether they could be.
        let left_out = [&found.held.everything, &found.held.barring, &found.held.changes].iter().any(|why| !why.is_empty());
        let is_partial = refused.len() >= REFUSED_MAX || left_out;
        inbox::settle(self.store, connection, refused, is_partial, (self.entropy, now), &mut batch).await?;
        sync_state::save(&mut batch, connection, &self.next_state(found, now));
        fence.guard(connection, &mut batch);
        self.store.apply(batch).await?;
        let list_hash = is_held.then(|| hash.to_owned());
        Ok(Report { run_id: told, held: found.held.clone(), list_hash, summary })
    }

    /// What the next run is compared with. What waits for somebody's word is compared with the same as now.
    fn next_state(&self, found: &Found, now: Micros) -> SyncState {
        let before = found.state.clone();
        let (mark, id) = found.survey.newest.clone().unzip();
        let waits = |code: &str| found.held.reasons().iter().any(|why| why.code() == code);
        let mut state = SyncState {
            completed_at: Some(now),
            failures: 0,
            last_error: None,
            failed_at: None,
            paused_by: None,
            next_at: now + schedule::every(self.connection).unwrap_or(0),
            ..before
        };
        if !found.held.everything.is_empty() {
            return state;
        }
        if !waits("area_changed") {
            state.area = Some(self.area());
        }
        state.id_attribute = Some(self.settings.users.id_attribute.clone());
        // A view in which people are missing may be an old one: it moves what the next is compared with forwards alone.
        if found.held.absence.is_empty() || mark > state.newest_mark {
            state.server = Some(found.server.clone());
            state.newest_mark = mark;
            state.newest_id = id;
        }
        state
    }

    async fn failed(&self, fence: &Fence, run_id: &str, error: &Error) -> Result<(), Error> {
        let (connection, now) = (self.connection, self.clock.now());
        let error = error.to_string();
        let summary = json!({ "error": error }).to_string();
        let state = after_failure(connection, sync_state::find(self.store, connection).await?, now, error);
        let mut batch = Batch::default();
        runs::end_sync(&mut batch, connection, run_id, &SyncEnd { state: "failed", summary: &summary, list_hash: None, at: now });
        sync_state::save(&mut batch, connection, &state);
        fence.guard(connection, &mut batch);
        Ok(self.store.apply(batch).await?)
    }
}

/// The id of a run that begins now: the hour first, as of the runs of pushes, so that a list is in order of time.
pub(super) fn run_id(clock: &Clock, entropy: &Entropy) -> String {
    let now = clock.now();
    format!("run_{}_{:010}{}", now.div_euclid(HOUR), now.rem_euclid(HOUR), hex(&entropy.bytes::<3>()))
}

/// Notes that a run could not even begin.
///
/// # Errors
/// The store's.
pub async fn note_failure(store: &Store, connection: &Connection, now: Micros, why: &str) -> Result<(), crate::store::Error> {
    let before = sync_state::find(store, connection).await?;
    let state = after_failure(connection, before.clone(), now, why.to_owned());
    let mut batch = Batch::default();
    sync_state::note_failure(&mut batch, connection, (&before, &state));
    store.apply(batch).await
}

fn after_failure(connection: &Connection, before: SyncState, now: Micros, error: String) -> SyncState {
    let failures = before.failures + 1;
    let every = schedule::every(connection).unwrap_or(0);
    let next_at = now + schedule::wait(failures, every);
    SyncState { failures, failed_at: Some(now), last_error: Some(error), next_at, ..before }
}

/// Stale batches of somebody whose lease is gone say that it is gone.
async fn overtaken(error: Error, lease: &Lease, runner: &Runner<'_>) -> Error {
    let stale = matches!(
        error,
        Error::Store(crate::store::Error::Stale) | Error::Provisioning(provisioning::Error::Store(crate::store::Error::Stale))
    );
    if stale && lease.fence.holds(runner.store, runner.connection).await.is_ok_and(|holds| !holds) {
        return Error::Overtaken;
    }
    error
}

fn count(taken: Taken, id: String, dn: String, counts: &mut Counts, refused: &mut Vec<Refused>) {
    let what = match taken {
        Taken::Created => "created",
        Taken::Updated => "updated",
        Taken::Revived => "revived",
        Taken::Unchanged => "unchanged",
        Taken::Barred { reasons } => {
            refuse(refused, "sync_rejected", &id, &dn, reasons);
            "barred"
        }
        Taken::Refused(provisioning::plan::Refusal::EmailElsewhere { inbox, log }) => {
            if refused.len() < REFUSED_MAX {
                let elsewhere = Some(Box::new(Elsewhere { detail: inbox.detail, log }));
                refused.push(Refused { kind: inbox.kind, subject: id, dn, elsewhere, ..Refused::default() });
            }
            "rejected"
        }
        Taken::Refused(refusal) => {
            refuse(refused, "sync_rejected", &id, &dn, refusal.reasons());
            "rejected"
        }
        Taken::Failed { reason } => {
            refuse(refused, "sync_failed", &id, &dn, vec![(String::new(), reason)]);
            "failed"
        }
    };
    Counts::add(&mut counts.people, what, 1);
}

fn refuse(refused: &mut Vec<Refused>, kind: &'static str, subject: &str, dn: &str, reasons: Vec<(String, String)>) {
    if refused.len() < REFUSED_MAX {
        refused.push(Refused { kind, subject: subject.to_owned(), dn: dn.to_owned(), reasons, elsewhere: None });
    }
}

/// What would be held, one by one as far as they are kept, how many there are, and the hash of all.
fn list(found: &Found, confirmed: &Confirmed) -> ((Vec<SyncItem>, usize), String) {
    let (mut items, mut hash) = (Vec::new(), ListHash::default());
    let held = &found.held;
    let mut add = |action: &'static str, subject: &str, detail: Value| {
        hash.add(action, subject);
        if items.len() < ITEMS_MAX {
            items.push(SyncItem { action, subject: subject.to_owned(), detail: detail.to_string() });
        }
    };
    for why in &held.everything {
        match why {
            Why::IdAttribute { now, .. } => add("run.id_attribute", now, json!({})),
            Why::Older { server } => add("run.server", server, json!({})),
            _ => {}
        }
    }
    // What can't be judged yet can't be let through one by one.
    if held.everything.is_empty() {
        if !held.absence.is_empty() {
            let leaving = found.missing.unconfirmed.iter().filter(|(_, absence)| *absence == Absence::Leaves);
            leaving.for_each(|(id, _)| add("user.leave", id, json!({})));
        }
        if !held.barring.is_empty() {
            found.survey.barring().for_each(|id| add("user.bar", id, json!({})));
        }
        if !held.changes.is_empty() {
            found.survey.changing().for_each(|(id, subject)| add("user.change", subject, json!({"external_id": id})));
        }
        if let Some(groups) = found.groups.as_ref().filter(|_| !held.removals.is_empty()) {
            for one in groups.leaving.iter().filter(|one| !confirmed.holds("member.remove", one)) {
                add("member.remove", one, json!({}));
            }
            for (id, members) in groups.gone.iter().filter(|(id, _)| !confirmed.holds("group.leave", id)) {
                add("group.leave", id, json!({"members": members}));
            }
        }
    }
    let all = hash.len();
    ((items, all), hash.text())
}

fn summary(found: &Found, counts: &Counts, (held, refused): (Option<usize>, usize)) -> Value {
    let why: Vec<Value> = found.held.reasons().iter().map(|why| json!({"reason": why.code(), "text": why.words()})).collect();
    json!({
        "people": counts.people,
        "groups": counts.groups,
        "known": found.missing.known,
        "met": found.survey.met(),
        "missing": found.missing.all,
        "not_taken": refused,
        "held": held,
        "why": why,
        "server": found.server,
    })
}
