//! What a new text of a mapping would change, over everything that is stored of all connections that use its name. The decisions are
//! those of a replay by that text, made and not carried out; what they come to is counted, and bound to a hash that a publication
//! has to name. Nothing of anybody is written.
//!
//! How far it is stands in its own rows: a preview that was stopped or killed goes on where it was.

use super::tally::{Tally, Who};
use super::walk::{Place, Stride, Whom};
use super::{Part, users_of};
use crate::clock::{Clock, Entropy, Micros, SECOND};
use crate::mapping::{self, Language, Published};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::ids::{ConnectionId, TenantId};
use crate::profile::Side;
use crate::provisioning::decide::Known;
use crate::provisioning::difference::Difference;
use crate::provisioning::mappings;
use crate::provisioning::replay::Anew;
use crate::provisioning::user_id::hex;
use crate::provisioning::{Provisioner, Request};
use crate::store::runs::SyncEnd;
use crate::store::walks::{self, Walk};
use crate::store::{self, Batch, Store, connections, groups, mapping_versions};
use crate::sync::Error;
use crate::sync::lease::Lease;
use crate::sync::run::run_id;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long a preview counts, and is kept: it shows values of people.
pub const KEPT_FOR: Micros = 24 * 3_600 * SECOND;
/// Between two times that it is said how far it is.
const SAVED_EVERY: Micros = SECOND;

/// A connection as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    pub id: String,
    /// Another one has other options.
    pub version: i64,
}

/// What a preview is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub name: String,
    language: String,
    text: String,
    includes: Vec<(String, String)>,
    pub checksum: String,
    /// The newest version when it began; 0: there was none.
    pub base: i64,
    pub connections: Vec<Pinned>,
}

impl Asked {
    fn text(&self) -> Result<Published, Error> {
        let unknown = || Error::Setup(format!("a text in {}", self.language));
        Ok(Published {
            name: self.name.clone(),
            version: self.base + 1,
            language: Language::parse(&self.language).ok_or_else(unknown)?,
            text: self.text.clone(),
            includes: self.includes.clone(),
        })
    }
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    place: Place,
    /// Of everybody until here, what they are at and what becomes of them.
    digest: String,
    pub tally: Tally,
}

impl Progress {
    fn add(&mut self, known: &Known, side: Side, difference: &Difference) {
        let user = known.user.as_ref().map_or(0, |user| user.version);
        let (identity, digest) = (&known.identity, &self.digest);
        let line = format!("{digest} {} {} {} {user} {difference:?}", identity.id, side.as_str(), identity.version);
        self.digest = hex(&Sha256::digest(line))[..32].to_owned();
    }
}

/// What makes one.
pub struct Previewer<'a> {
    pub store: &'a Store,
    pub provisioner: &'a Provisioner,
    pub clock: &'a Clock,
    pub entropy: &'a Entropy,
    pub tenant: &'a TenantId,
    /// In `actor` columns.
    pub actor: &'a str,
    /// Shown to whoever finds it under way.
    pub owner: String,
    /// Told how many of about how many people were looked at.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
    /// Set: it stops after the people at hand.
    pub stop: Arc<AtomicBool>,
}

/// What it came to.
#[derive(Debug)]
pub struct Report {
    pub run_id: String,
    /// What a publication names.
    pub hash: String,
    pub asked: Asked,
    /// Names of the connections.
    pub connections: Vec<String>,
    /// What the text reads of directories that no version asked them for so far, so that nothing of it is stored.
    pub not_stored: Vec<String>,
    pub tally: Tally,
}

impl Report {
    pub fn as_json(&self) -> Value {
        let mut object = summary(&self.asked, (&self.connections, &self.not_stored), &self.tally);
        object["run_id"] = self.run_id.as_str().into();
        object["hash"] = self.hash.as_str().into();
        object
    }
}

fn summary(asked: &Asked, (connections, not_stored): (&[String], &[String]), tally: &Tally) -> Value {
    let mut object = tally.as_json();
    object["mapping"] = asked.name.as_str().into();
    object["base_version"] = asked.base.into();
    object["checksum"] = asked.checksum.as_str().into();
    object["connections"] = connections.into();
    object["not_stored"] = not_stored.into();
    object
}

impl Previewer<'_> {
    /// Begins one of `text`, told beside `home`, or finds one of the same that was not brought to its end.
    ///
    /// # Errors
    /// [`Error::Setup`] for a text that does not compile or is not for profiles.
    pub async fn begin(&self, home: &Connection, text: &Published) -> Result<String, Error> {
        let compiled = mapping::compile(text).map_err(Error::Setup)?;
        if let Some((from, to)) = compiled.direction().filter(|(_, to)| *to != "profile") {
            return Err(Error::Setup(format!(
                "mapping {} is `from {from} to {to}`: it makes no profile, and is published without a preview",
                text.name
            )));
        }
        let newest = mapping_versions::latest(self.store, self.tenant, &text.name).await?;
        let used = users_of(self.store, self.tenant, &text.name).await?;
        let asked = Asked {
            name: text.name.clone(),
            language: text.language.as_str().to_owned(),
            text: text.text.clone(),
            includes: text.includes.clone(),
            checksum: mappings::checksum(text),
            base: newest.map_or(0, |newest| newest.version),
            connections: used.iter().map(|(connection, _)| pinned(connection)).collect(),
        };
        let now = self.clock.now();
        for walk in walks::open(self.store, self.tenant).await? {
            let is_fresh = now - walk.created_at < KEPT_FOR / 24;
            let same = || serde_json::from_str::<Asked>(&walk.request).is_ok_and(|before| before == asked);
            if walk.kind == "preview" && is_fresh && same() {
                return Ok(walk.run_id);
            }
        }
        let request = serde_json::to_string(&asked).unwrap_or_default();
        let progress = serde_json::to_string(&Progress::default()).unwrap_or_default();
        let new = Walk {
            run_id: run_id(self.clock, self.entropy),
            connection_id: home.id.to_string(),
            kind: "preview".into(),
            state: "running".into(),
            request,
            progress,
            hash: None,
            list_hash: None,
            created_at: now,
            finished_at: None,
        };
        let mut batch = Batch::default();
        walks::forget_old(&mut batch, home, "preview", now - KEPT_FOR);
        walks::start(&mut batch, home, &new);
        self.store.apply(batch).await?;
        Ok(new.run_id)
    }

    /// Brings one to its end.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process is at it; [`Error::Stopped`] where it was told to stop.
    pub async fn carry_on(&self, run: &str) -> Result<Report, Error> {
        let name = format!("preview:{run}");
        let lease = Lease::of(self.store, self.clock, self.entropy, (self.tenant, name), &self.owner).await?;
        let done = self.under_lease(&lease, run).await;
        if let Err(Error::Setup(why)) = &done {
            let summary = json!({ "error": why }).to_string();
            let mut batch = Batch::default();
            walks::end(
                &mut batch,
                self.tenant,
                run,
                &SyncEnd { state: "failed", summary: &summary, list_hash: None, at: self.clock.now() },
            );
            if let Err(unsaid) = self.store.apply(batch).await {
                tracing::warn!(run, error = %unsaid, "a failed preview is not on record");
            }
        }
        if let Err(error) = lease.release().await {
            tracing::debug!(%error, "a lease has to run out");
        }
        done
    }

    async fn under_lease(&self, lease: &Lease, run: &str) -> Result<Report, Error> {
        let gone = || Error::Setup(format!("there is no preview {run}"));
        let walk = walks::find(self.store, self.tenant, run).await?.filter(|walk| walk.kind == "preview").ok_or_else(gone)?;
        let unreadable = || Error::Store(store::Error::Corrupt { what: "a row of walks can't be read" });
        let asked: Asked = serde_json::from_str(&walk.request).map_err(|_| unreadable())?;
        let mut progress: Progress = serde_json::from_str(&walk.progress).map_err(|_| unreadable())?;
        let parts = self.parts(&asked).await?;
        let not_stored = not_stored(&parts);
        let names: Vec<String> = parts.iter().map(|part| part.connection.name.clone()).collect();
        if let Some(hash) = walk.hash.filter(|_| walk.state == "done") {
            return Ok(Report { run_id: run.to_owned(), hash, asked, connections: names, not_stored, tally: progress.tally });
        }
        if walk.state != "running" {
            return Err(Error::Setup(format!("preview {run} is {}", walk.state)));
        }
        let total = self.total(&parts).await?;
        let connections: Vec<&Connection> = parts.iter().map(|part| &part.connection).collect();
        let (mut stride, mut saved_at) = (Stride::default(), self.clock.now());
        let mut pushed = Vec::with_capacity(parts.len());
        for part in &parts {
            pushed.push(self.provisioner.is_pushed_to(&part.connection).await?);
        }
        loop {
            let Some((ids, next)) = progress.place.page(self.store, &connections, &Whom::All, &stride).await? else { break };
            let (part, is_pushed_to) = (&parts[next.connection], pushed[next.connection]);
            let request = Request { connection: &part.connection, actor: self.actor, request_id: run };
            let people = self.provisioner.known_people(&part.connection, &ids).await?;
            stride.read(people.iter().map(bytes).sum());
            self.look(part, &request, is_pushed_to, people, &mut progress).await?;
            progress.place = next;
            (self.progress)(progress.tally.people, total);
            lease.keep()?;
            let now = self.clock.now();
            let stops = self.stop.load(Ordering::Relaxed);
            if stops || now - saved_at >= SAVED_EVERY {
                saved_at = now;
                let told = json!({ "mapping": asked.name, "people": progress.tally.people, "of": total }).to_string();
                self.save(lease, run, &progress, |batch| walks::tell(batch, self.tenant, run, &told, now)).await?;
            }
            if stops {
                return Err(Error::Stopped { people: progress.tally.people });
            }
        }
        let hash = self.hash(&asked, &progress);
        let told = summary(&asked, (&names, &not_stored), &progress.tally).to_string();
        let end = SyncEnd { state: "done", summary: &told, list_hash: Some(&hash), at: self.clock.now() };
        let text = serde_json::to_string(&progress).unwrap_or_default();
        let mut batch = Batch::default();
        walks::save(&mut batch, self.tenant, run, &text, Some(&hash));
        walks::end(&mut batch, self.tenant, run, &end);
        self.guard(lease, &mut batch);
        self.store.apply(batch).await?;
        Ok(Report { run_id: run.to_owned(), hash, asked, connections: names, not_stored, tally: progress.tally })
    }

    async fn look(
        &self,
        part: &Part,
        request: &Request<'_>,
        is_pushed_to: bool,
        people: Vec<Known>,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let sides = part.sides.iter().map(|(side, mapping)| Anew { request, mapping: &**mapping, side: *side, is_pushed_to });
        let sides: Vec<Anew<'_>> = sides.collect();
        for known in people {
            for (known, side, difference) in self.provisioner.replay_looks(&sides, known).await? {
                let hides = |path: &str| part.hides(path);
                let user = called(&known);
                let who = Who { user: &user, connection: &part.connection.name, hides: &hides };
                progress.add(&known, side, &difference);
                progress.tally.add(who, &difference);
            }
        }
        Ok(())
    }

    /// The connections with the text as what maps them, as they were pinned.
    async fn parts(&self, asked: &Asked) -> Result<Vec<Part>, Error> {
        let mapping = mapping::compile(&asked.text()?).map_err(Error::Setup)?;
        // What the text so far shows nobody, a preview shows nobody.
        let before = match mapping_versions::find(self.store, self.tenant, &asked.name, asked.base).await? {
            Some(row) => mapping::compile(&mappings::published(row)?).ok(),
            None => None,
        };
        let mut parts = Vec::with_capacity(asked.connections.len());
        for pin in &asked.connections {
            let id = ConnectionId::new(pin.id.clone());
            let found = connections::find(self.store, self.tenant, &id).await?.map(|found| found.connection);
            let Some(connection) = found.filter(|connection| pinned(connection) == *pin) else {
                return Err(Error::Setup("a connection changed since the preview began: begin another one".into()));
            };
            let sides = mappings::sides(&connection).into_iter().filter(|(_, of)| *of == asked.name);
            let sides = sides.map(|(side, _)| (side, Arc::clone(&mapping))).collect();
            parts.push(Part { connection, sides, before: before.clone() });
        }
        Ok(parts)
    }

    async fn total(&self, parts: &[Part]) -> Result<u64, Error> {
        let mut total = 0;
        for part in parts {
            total += u64::try_from(groups::total(self.store, &part.connection, "user").await?).unwrap_or(0);
        }
        Ok(total)
    }

    async fn save(&self, lease: &Lease, run: &str, progress: &Progress, also: impl FnOnce(&mut Batch)) -> Result<(), Error> {
        let text = serde_json::to_string(progress).unwrap_or_default();
        let mut batch = Batch::default();
        walks::save(&mut batch, self.tenant, run, &text, None);
        also(&mut batch);
        self.guard(lease, &mut batch);
        Ok(self.store.apply(batch).await?)
    }

    fn guard(&self, lease: &Lease, batch: &mut Batch) {
        batch.guard_lease(self.tenant.as_str(), &lease.fence.name, lease.fence.number);
    }

    /// Binds the text, the version it follows, the connections, everybody that was looked at, and what becomes of them.
    fn hash(&self, asked: &Asked, progress: &Progress) -> String {
        let Asked { name, checksum, base, connections, .. } = asked;
        let line = format!("{} {name} {checksum} {base} {connections:?} {}", self.tenant, progress.digest);
        hex(&Sha256::digest(line))[..32].to_owned()
    }
}

/// Attributes of directories that are read anew: an entry is stored as far as it was asked for.
fn not_stored(parts: &[Part]) -> Vec<String> {
    let mut all = Vec::new();
    for part in parts.iter().filter(|part| part.connection.kind == ConnectionKind::Ldap) {
        let known = part.before.as_ref().map(|before| before.reads().attributes);
        // Everything was asked for, or nothing is known of it.
        let Some(Some(known)) = known else { continue };
        for name in part.sides.iter().filter_map(|(_, mapping)| mapping.reads().attributes).flatten() {
            let is_new = !known.iter().any(|before| before.eq_ignore_ascii_case(&name));
            if is_new && !all.contains(&name) {
                all.push(name);
            }
        }
    }
    all
}

pub(super) fn pinned(connection: &Connection) -> Pinned {
    Pinned { id: connection.id.to_string(), version: connection.version }
}

/// What is in memory of somebody.
pub(super) fn bytes(known: &Known) -> usize {
    let identity = &known.identity;
    let texts = [&identity.raw, &identity.mapped].into_iter().flatten().map(String::len).sum::<usize>();
    let login = identity.login.as_ref().map_or(0, |login| login.raw.len() + login.mapped.len());
    texts + login + known.user.as_ref().map_or(0, |user| user.doc.len() + user.provenance.len())
}

/// Who somebody is, where people read it.
pub(super) fn called(known: &Known) -> String {
    let identity = &known.identity;
    let user = known.user.as_ref().map(|user| user.user_id.clone());
    user.or_else(|| identity.user_name.clone())
        .or_else(|| identity.external_id.clone())
        .unwrap_or_else(|| identity.id.to_string())
}
