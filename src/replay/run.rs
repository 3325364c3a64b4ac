//! A replay: what is stored of a connection's people is mapped anew by the newest published versions, as one run that can be undone.
//!
//! 1. Look: everybody is decided about and nothing is written; who would be locked out is counted against the connection's budget.
//!    Over it the run is held with its list, and goes on once exactly that was let through.
//! 2. Write: a page at a time, each side by itself, as one batch with how far the run is, under the connection's lease.
//!
//! A replay that is killed leaves whole batches, and goes on where it was.

use super::preview::{bytes, called};
use super::tally::{Tally, Who};
use super::walk::{Place, Stride, Whom};
use super::{Part, version};
use crate::clock::{Clock, Entropy, Micros, SECOND};
use crate::model::connection::{Budget, Connection};
use crate::profile::Side;
use crate::provisioning::budget::allowed;
use crate::provisioning::mappings::sides;
use crate::provisioning::replay::{Anew, Stepped, Written};
use crate::provisioning::{Provisioner, Request};
use crate::store::audit::Audit;
use crate::store::runs::{self, SyncEnd, SyncItem};
use crate::store::walks::{self, Walk};
use crate::store::{self, Batch, Store, groups, mapping_versions};
use crate::sync::Error;
use crate::sync::confirmed::{ITEMS_MAX, ListHash};
use crate::sync::lease::Lease;
use crate::sync::run::run_id;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long a run that waits for nobody is told of, and can be undone.
const KEPT_FOR: Micros = 30 * 24 * 3_600 * SECOND;

/// What a replay is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who asked for it, in `actor` columns.
    pub actor: String,
    pub whom: Whom,
    /// Sides with the versions that map them, from the beginning to the end of the run.
    pub versions: Vec<(String, String, i64)>,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// How many it may lock out; none before the look came to its end.
    may_block: Option<i64>,
    /// The list that was let through.
    passed: Option<String>,
    place: Place,
    tally: Tally,
}

/// What makes one.
pub struct Replayer<'a> {
    pub store: &'a Store,
    pub provisioner: &'a Provisioner,
    pub clock: &'a Clock,
    pub entropy: &'a Entropy,
    pub connection: &'a Connection,
    /// In `actor` columns.
    pub actor: &'a str,
    /// Shown to whoever finds the lease taken.
    pub owner: String,
    /// Told how many of about how many people were looked at, or written.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
    /// Set: it stops after the people at hand.
    pub stop: Arc<AtomicBool>,
}

/// What it came to.
#[derive(Debug)]
pub struct Report {
    /// None where it was only looked.
    pub run_id: Option<String>,
    /// What it holds.
    pub list_hash: Option<String>,
    pub held: u64,
    pub summary: Value,
    pub tally: Tally,
}

impl Report {
    pub fn state(&self) -> &'static str {
        match (&self.run_id, &self.list_hash) {
            (None, _) => "looked",
            (Some(_), Some(_)) => "held",
            (Some(_), None) => "done",
        }
    }
}

/// A look over everybody who is meant.
#[derive(Default)]
struct Look {
    tally: Tally,
    hash: ListHash,
    items: Vec<SyncItem>,
    /// It was told to stop.
    is_cut: bool,
}

impl Replayer<'_> {
    /// What a replay of `whom` would come to; nothing is written.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn look(&self, whom: &Whom) -> Result<Report, Error> {
        let asked = self.asked(whom.clone()).await?;
        let part = self.part(&asked).await?;
        let look = self.look_over(&part, &asked, "", None).await?;
        let mut summary = self.summary(&asked, &look.tally, 0);
        summary["complete"] = (!look.is_cut).into();
        let held = if self.over(look.hash.len()).await? { look.hash.len() as u64 } else { 0 };
        Ok(Report { run_id: None, list_hash: None, held, summary, tally: look.tally })
    }

    /// Begins one, or finds one of the same that is not at its end; any other of the connection gives way.
    ///
    /// # Errors
    /// [`Error::Busy`] while the connection is synced, replayed or undone.
    pub async fn begin(&self, whom: Whom) -> Result<String, Error> {
        let lease = Lease::take(self.store, self.clock, self.entropy, self.connection, &self.owner).await?;
        let begun = self.begun(&lease, whom).await;
        lease.release().await?;
        begun
    }

    async fn begun(&self, lease: &Lease, whom: Whom) -> Result<String, Error> {
        let (connection, now) = (self.connection, self.clock.now());
        let asked = self.asked(whom).await?;
        for walk in walks::open(self.store, &connection.tenant_id).await? {
            let same = || serde_json::from_str::<Asked>(&walk.request).is_ok_and(|before| before == asked);
            if walk.kind == "replay" && walk.connection_id == connection.id.as_str() && same() {
                return Ok(walk.run_id);
            }
        }
        let new = Walk {
            run_id: run_id(self.clock, self.entropy),
            connection_id: connection.id.to_string(),
            kind: "replay".into(),
            state: "running".into(),
            request: serde_json::to_string(&asked).unwrap_or_default(),
            progress: serde_json::to_string(&Progress::default()).unwrap_or_default(),
            hash: None,
            list_hash: None,
            created_at: now,
            finished_at: None,
        };
        let mut batch = Batch::default();
        walks::forget_old(&mut batch, connection, "replay", now - KEPT_FOR);
        walks::give_way(&mut batch, connection, "replay", &new.run_id, now);
        walks::start(&mut batch, connection, &new);
        lease.fence.guard(connection, &mut batch);
        self.store.apply(batch).await?;
        Ok(new.run_id)
    }

    /// Brings one to its end, or to where it waits for somebody's word.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process is at the connection; [`Error::Stopped`] where it was told to stop. What was written
    /// stays, in whole batches.
    pub async fn carry_on(&self, run: &str) -> Result<Report, Error> {
        let lease = Lease::take(self.store, self.clock, self.entropy, self.connection, &self.owner).await?;
        let done = self.under_lease(&lease, run).await;
        if let Err(Error::Setup(why)) = &done {
            let summary = json!({ "error": why }).to_string();
            let end = SyncEnd { state: "failed", summary: &summary, list_hash: None, at: self.clock.now() };
            let mut batch = Batch::default();
            walks::end(&mut batch, &self.connection.tenant_id, run, &end);
            lease.fence.guard(self.connection, &mut batch);
            if let Err(unsaid) = self.store.apply(batch).await {
                tracing::warn!(run, error = %unsaid, "a failed replay is not on record");
            }
        }
        if let Err(error) = lease.release().await {
            tracing::debug!(%error, "a lease has to run out");
        }
        done
    }

    async fn under_lease(&self, lease: &Lease, run: &str) -> Result<Report, Error> {
        let tenant = &self.connection.tenant_id;
        let walk = walks::find(self.store, tenant, run).await?;
        let ours = |walk: &Walk| walk.kind == "replay" && walk.connection_id == self.connection.id.as_str();
        let gone = || Error::Setup(format!("there is no replay {run} of {}", self.connection.name));
        let walk = walk.filter(ours).ok_or_else(gone)?;
        let unreadable = || Error::Store(store::Error::Corrupt { what: "a row of walks can't be read" });
        let asked: Asked = serde_json::from_str(&walk.request).map_err(|_| unreadable())?;
        let mut progress: Progress = serde_json::from_str(&walk.progress).map_err(|_| unreadable())?;
        match walk.state.as_str() {
            "running" => {}
            "confirmed" => {
                progress = Progress { passed: walk.list_hash, ..Progress::default() };
                let mut batch = self.saved(run, &progress);
                walks::go_on(&mut batch, tenant, run, self.clock.now());
                lease.fence.guard(self.connection, &mut batch);
                self.store.apply(batch).await?;
            }
            "held" => {
                return Err(Error::Held { run: run.to_owned() });
            }
            state => return Err(Error::Ended { run: run.to_owned(), state: state.to_owned() }),
        }
        let part = self.part(&asked).await?;
        if progress.may_block.is_none() && self.connection.options.budget == Budget::Off {
            progress.may_block = Some(i64::MAX);
        }
        if progress.may_block.is_none() {
            let look = self.look_over(&part, &asked, run, Some(lease)).await?;
            let list = look.hash.text();
            let is_passed = progress.passed.as_ref() == Some(&list);
            if self.over(look.hash.len()).await? && !is_passed {
                return self.hold(lease, run, &asked, look).await;
            }
            progress.may_block = Some(if look.hash.is_empty() { self.allowed().await? } else { number(look.hash.len()) });
            let batch = self.saved(run, &progress);
            self.apply(lease, batch).await?;
        }
        self.write(lease, run, (&part, &asked), &mut progress).await?;
        let now = self.clock.now();
        let changed = walks::count_replayed(self.store, tenant, run).await?;
        let summary = self.summary(&asked, &progress.tally, changed);
        let text = summary.to_string();
        let audit =
            Audit { actor: asked.actor.clone(), request_id: run.to_owned(), log_id: self.entropy.uuid(now), at: now, from: None };
        let mut batch = self.saved(run, &progress);
        walks::end(&mut batch, tenant, run, &SyncEnd { state: "done", summary: &text, list_hash: None, at: now });
        walks::log_replayed(&mut batch, self.connection, run, &audit);
        self.apply(lease, batch).await?;
        Ok(Report { run_id: Some(run.to_owned()), list_hash: None, held: 0, summary, tally: progress.tally })
    }

    async fn hold(&self, lease: &Lease, run: &str, asked: &Asked, look: Look) -> Result<Report, Error> {
        let (now, hash, held) = (self.clock.now(), look.hash.text(), look.hash.len() as u64);
        let mut summary = self.summary(asked, &look.tally, 0);
        summary["held"] = held.into();
        let text = summary.to_string();
        let mut batch = self.saved(run, &Progress::default());
        walks::end(
            &mut batch,
            &self.connection.tenant_id,
            run,
            &SyncEnd { state: "held", summary: &text, list_hash: Some(&hash), at: now },
        );
        let of_each = if held > look.items.len() as u64 { "sample" } else { "held" };
        runs::hold_sync(&mut batch, self.connection, run, &look.items, of_each, now);
        self.apply(lease, batch).await?;
        Ok(Report { run_id: Some(run.to_owned()), list_hash: Some(hash), held, summary, tally: look.tally })
    }

    /// Decides about everybody, and lists whom it would lock out.
    async fn look_over(&self, part: &Part, asked: &Asked, run: &str, lease: Option<&Lease>) -> Result<Look, Error> {
        let whom = &asked.whom;
        let (mut look, mut place, mut stride) = (Look::default(), Place::default(), Stride::default());
        let total = self.total(whom).await?;
        let is_pushed_to = self.provisioner.is_pushed_to(self.connection).await?;
        let request = Request { connection: self.connection, actor: &asked.actor, request_id: run };
        let sides: Vec<Anew<'_>> = sides_of(part, &request, is_pushed_to);
        while let Some((ids, next)) = place.page(self.store, &[self.connection], whom, &stride).await? {
            let people = self.provisioner.known_people(self.connection, &ids).await?;
            stride.read(people.iter().map(bytes).sum());
            for known in people {
                for (known, _, difference) in self.provisioner.replay_looks(&sides, known).await? {
                    let user = called(&known);
                    if !difference.blocks.is_empty() {
                        look.hash.add("user.block", known.identity.id.as_str());
                        if look.items.len() < ITEMS_MAX {
                            let detail = json!({ "user": user, "why": difference.blocks[0].1 }).to_string();
                            look.items.push(SyncItem { action: "user.block", subject: known.identity.id.to_string(), detail });
                        }
                    }
                    let hides = |path: &str| part.hides(path);
                    look.tally.add(Who { user: &user, connection: &self.connection.name, hides: &hides }, &difference);
                }
            }
            place = next;
            (self.progress)(look.tally.people, total);
            match self.goes_on(lease, look.tally.people) {
                // Of a look alone a part is worth something, too.
                Err(Error::Stopped { .. }) if lease.is_none() => {
                    look.is_cut = true;
                    break;
                }
                goes_on => goes_on?,
            }
        }
        Ok(look)
    }

    async fn write(
        &self,
        lease: &Lease,
        run: &str,
        (part, asked): (&Part, &Asked),
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let mut stride = Stride::default();
        let total = self.total(&asked.whom).await?;
        let is_pushed_to = self.provisioner.is_pushed_to(self.connection).await?;
        let request = Request { connection: self.connection, actor: &asked.actor, request_id: run };
        let sides: Vec<Anew<'_>> = sides_of(part, &request, is_pushed_to);
        while let Some((ids, next)) = progress.place.page(self.store, &[self.connection], &asked.whom, &stride).await? {
            for at in progress.place.side..sides.len() {
                let anew = &sides[at];
                let people = self.provisioner.known_people(self.connection, &ids).await?;
                stride.read(people.iter().map(bytes).sum());
                let is_last = at + 1 == sides.len();
                let after = if is_last { next.clone() } else { Place { side: at + 1, ..progress.place.clone() } };
                // Those blocked so far were counted, whoever was at it.
                let may_block =
                    progress.may_block.unwrap_or(0) - number(usize::try_from(progress.tally.blocks.count).unwrap_or(0));
                let before = progress.clone();
                let hides = |path: &str| part.hides(path);
                let counted = |stepped: &[Stepped]| {
                    let mut now = before.clone();
                    now.place = after.clone();
                    stepped.iter().for_each(|one| count(&mut now.tally, one, &self.connection.name, &hides));
                    now
                };
                let saved = |stepped: &[Stepped]| {
                    let now = counted(stepped);
                    let mut batch = self.saved(run, &now);
                    let told = json!({ "people": now.tally.people, "of": total }).to_string();
                    walks::tell(&mut batch, &self.connection.tenant_id, run, &told, self.clock.now());
                    batch
                };
                let stepped = self.provisioner.replay_step(anew, (&lease.fence, run), people, may_block, saved).await?;
                let now = counted(&stepped);
                *progress = now;
            }
            progress.place = next;
            (self.progress)(progress.tally.people, total);
            self.goes_on(Some(lease), progress.tally.people)?;
        }
        Ok(())
    }

    fn goes_on(&self, lease: Option<&Lease>, people: u64) -> Result<(), Error> {
        if let Some(lease) = lease {
            lease.keep()?;
        }
        if self.stop.load(Ordering::Relaxed) { Err(Error::Stopped { people }) } else { Ok(()) }
    }

    /// What is asked: these people, by the versions that are newest now.
    async fn asked(&self, whom: Whom) -> Result<Asked, Error> {
        let mut versions = Vec::new();
        for (side, name) in sides(self.connection) {
            // Of what nobody published yet nothing is stored either.
            let newest = mapping_versions::latest(self.store, &self.connection.tenant_id, name).await?;
            if let Some(newest) = newest {
                versions.push((side.as_str().to_owned(), name.to_owned(), newest.version));
            }
        }
        Ok(Asked { actor: self.actor.to_owned(), whom, versions })
    }

    async fn part(&self, asked: &Asked) -> Result<Part, Error> {
        let mut sides = Vec::new();
        for (side, name, number) in &asked.versions {
            let side = [Side::Push, Side::Sync, Side::Login].into_iter().find(|known| known.as_str() == side);
            let mapping = version(self.store, &self.connection.tenant_id, name, *number).await?;
            sides.extend(side.map(|side| (side, mapping)));
        }
        Ok(Part { connection: self.connection.clone(), sides, before: None })
    }

    async fn total(&self, whom: &Whom) -> Result<u64, Error> {
        match whom {
            Whom::All => Ok(u64::try_from(groups::total(self.store, self.connection, "user").await?).unwrap_or(0)),
            Whom::These(ids) => Ok(ids.len() as u64),
        }
    }

    /// How many the connection's budget lets go at once.
    async fn allowed(&self) -> Result<i64, Error> {
        let known = groups::total(self.store, self.connection, "user").await?;
        Ok(allowed(self.connection.options.budget, known).unwrap_or(i64::MAX))
    }

    async fn over(&self, blocks: usize) -> Result<bool, Error> {
        Ok(number(blocks) > self.allowed().await?)
    }

    fn summary(&self, asked: &Asked, tally: &Tally, changed: i64) -> Value {
        let mut object = tally.as_json();
        let versions = asked.versions.iter();
        object["mappings"] =
            versions.map(|(side, name, version)| json!({ "side": side, "mapping": name, "version": version })).collect();
        object["actor"] = asked.actor.as_str().into();
        object["rows"] = changed.into();
        object
    }

    fn saved(&self, run: &str, progress: &Progress) -> Batch {
        let text = serde_json::to_string(progress).unwrap_or_default();
        let mut batch = Batch::default();
        walks::save(&mut batch, &self.connection.tenant_id, run, &text, None);
        batch
    }

    async fn apply(&self, lease: &Lease, mut batch: Batch) -> Result<(), Error> {
        lease.fence.guard(self.connection, &mut batch);
        Ok(self.store.apply(batch).await?)
    }
}

fn sides_of<'s>(part: &'s Part, request: &'s Request<'s>, is_pushed_to: bool) -> Vec<Anew<'s>> {
    part.sides.iter().map(|(side, mapping)| Anew { request, mapping: &**mapping, side: *side, is_pushed_to }).collect()
}

fn count(tally: &mut Tally, one: &Stepped, connection: &str, hides: &dyn Fn(&str) -> bool) {
    let user = called(&one.known);
    let who = Who { user: &user, connection, hides };
    match &one.fate {
        Written::Yes => tally.add(who, &one.difference),
        Written::HeldBack => tally.left_out(who, None),
        Written::Failed { reason } => tally.left_out(who, Some(reason)),
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
