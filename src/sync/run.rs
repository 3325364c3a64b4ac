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

mod delta;
mod logged;
mod look;
mod tell;
mod write;

pub use tell::note_failure;

use super::Error;
use super::confirmed::Confirmed;
use super::entry::Seen;
use super::guard::Held;
use super::kind::{Kind, Why};
use super::lease::Lease;
use super::members::{GroupSeen, GroupSurvey};
use super::survey::{Missing, Placed, REFUSED_MAX, Survey};
use super::wanted::Wanted;
use crate::clock::{Clock, Entropy, Micros, SECOND};
use crate::ldap::advice::advice;
use crate::ldap::connect::{Session, connect};
use crate::ldap::delta::Strategy;
use crate::ldap::failure::{Cause, Step};
use crate::ldap::settings::Settings;
use crate::mapping::Mapping;
use crate::model::connection::Connection;
use crate::provisioning::user_id::hex;
use crate::provisioning::{Provisioner, Request};
use crate::secret::KeyRing;
use crate::store::runs;
use crate::store::sync_state::{self, SyncState};
use crate::store::{Batch, Store};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

const HOUR: Micros = 3_600 * SECOND;
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
    /// Seals the places that are kept.
    pub keys: &'a KeyRing,
    /// Everything is to be read.
    pub full: bool,
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
    /// What it takes of the budget: without what is held, or was let through.
    takes: i64,
    way: Way,
}

/// How it was found.
enum Way {
    /// Everything was read: why, from where changes are read from now on, and why not.
    Full {
        why: Why,
        places: Option<Places>,
        without: Option<String>,
    },
    Delta {
        places: Places,
        memory: Memory,
    },
}

impl Way {
    fn is_delta(&self) -> bool {
        matches!(self, Self::Delta { .. })
    }

    fn places(&self) -> Option<&Places> {
        match self {
            Self::Full { places, .. } => places.as_ref(),
            Self::Delta { places, .. } => Some(places),
        }
    }
}

/// From where changes are read, as it is kept.
struct Places {
    by: Option<Strategy>,
    people: Option<Vec<u8>>,
    groups: Option<Vec<u8>>,
    folders: Option<String>,
    restless: Option<String>,
    question: String,
}

/// What a delta read: the entries themselves, since they are few.
struct Memory {
    people: Vec<Seen>,
    groups: Vec<GroupSeen>,
    /// Subjects of inbox rows that it can say something of.
    seen: HashSet<String>,
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
    /// Who was to go and could not.
    stayed: i64,
    /// Somebody could not be written and has no row that says so: they have to be told of again.
    stuck: u64,
}

impl Counts {
    fn are_of_nothing_new(&self) -> bool {
        self.people.keys().all(|what| *what == "unchanged") && self.groups.keys().all(|what| *what == "met")
    }

    fn add(counts: &mut BTreeMap<&'static str, u64>, what: &'static str, by: u64) {
        if by > 0 {
            *counts.entry(what).or_default() += by;
        }
    }

    /// Did anything of anybody change?
    fn wrote(&self) -> bool {
        let people = ["created", "updated", "revived", "left", "barred", "failed"];
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
        let state = sync_state::find(self.store, self.connection).await?;
        // It is judged with the budget that the next run would have.
        let why = match self.due(mappings, &state).await? {
            Kind::Full(why) => why,
            Kind::Delta => Why::Fell(String::from("it is only looked at")),
        };
        self.survey(&mut session, mappings, &confirmed, (None, &state, why), tell).await
    }

    /// The whole of it.
    ///
    /// # Errors
    /// See [`Error`]. What was written before stays, in whole batches.
    pub async fn run(&self) -> Result<Report, Error> {
        let report = Box::pin(self.run_if(|_| true)).await?;
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
        let done = Box::pin(self.under_lease(&lease, &run_id)).await;
        let done = match done {
            Ok(report) => Ok(report),
            Err(error) => {
                let error = tell::overtaken(error, &lease, self).await;
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
        let confirmed = Confirmed::read(self.store, self.connection).await?;
        let state = sync_state::find(self.store, self.connection).await?;
        let why = match self.due(&mappings, &state).await? {
            Kind::Full(why) => why,
            Kind::Delta => match Box::pin(self.changed(&mappings, &confirmed, (lease, &state))).await {
                Ok((session, found)) => return self.carry_out((lease, run_id), &mappings, &confirmed, (session, found)).await,
                Err(delta::Stop::Error(error)) => return Err(error),
                Err(delta::Stop::Fell(fell)) => {
                    tracing::info!(connection = %self.connection.id, %fell, "changes alone are not enough; everything is read");
                    Why::Fell(fell.to_string())
                }
            },
        };
        let (mut session, begun) = Box::pin(self.begin(&mappings, &state, &why)).await?;
        let without = begun.without.clone();
        let mut found = self.survey(&mut session, &mappings, &confirmed, (Some(lease), &state, why.clone()), |_| {}).await?;
        let places = self.places_after(&mappings, begun, &found.survey);
        found.way = Way::Full { why, places: Some(places), without };
        self.carry_out((lease, run_id), &mappings, &confirmed, (session, found)).await
    }

    /// Writes what may be written of what was found, and tells of it.
    async fn carry_out(
        &self,
        (lease, run_id): (&Lease, &str),
        mappings: &Mappings,
        confirmed: &Confirmed,
        (mut session, mut found): (Session, Found),
    ) -> Result<Report, Error> {
        let (items, hash) = look::list(&found, confirmed);
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
            self.put_places_away(lease, &found).await?;
            self.write_people(lease, &mut session, (mappings, &request), (&mut found, &mut counts, &mut refused)).await?;
            self.let_go(lease, &request, (&found.missing, found.held.absence.is_empty()), &mut counts).await?;
            self.write_groups(lease, &mut session, (mappings, &request), confirmed, &found, (&mut counts, &mut refused)).await?;
            self.seen_again(lease, &found).await?;
            Counts::add(&mut counts.people, "held", waits);
        }
        if found.way.is_delta() && refused.len() >= REFUSED_MAX {
            // Somebody may have no row by which they are tried again.
            counts.stuck += 1;
        }
        lease.keep()?;
        self.finish(&lease.fence, run_id, &found, (&items, &hash, confirmed), (&counts, &refused)).await
    }

    /// A run that is ended between people and groups leaves people who are as they should be: the next delta would find
    /// nothing new about them, and not look at the groups that name them. So the next run after one that was ended reads all.
    async fn put_places_away(&self, lease: &Lease, found: &Found) -> Result<(), Error> {
        let goes = !found.missing.confirmed.is_empty() || !found.missing.unconfirmed.is_empty();
        let writes = found.survey.is_anything_pending() || goes || found.groups.as_ref().is_some_and(|groups| groups.differs);
        if !writes || found.state.people_place.is_none() {
            return Ok(());
        }
        let mut batch = Batch::default();
        sync_state::put_away_places(&mut batch, self.connection);
        lease.fence.guard(self.connection, &mut batch);
        Ok(self.store.apply(batch).await?)
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
        let mut wanted = Wanted::of(&reads, &beside, &users.id_attribute, *server, groups.is_some());
        wanted.left_out.extend(self.connection.options.non_persistent_attrs.iter().cloned());
        wanted
    }
}

/// The id of a run that begins now: the hour first, as of the runs of pushes, so that a list is in order of time.
pub(crate) fn run_id(clock: &Clock, entropy: &Entropy) -> String {
    let now = clock.now();
    format!("run_{}_{:010}{}", now.div_euclid(HOUR), now.rem_euclid(HOUR), hex(&entropy.bytes::<3>()))
}
