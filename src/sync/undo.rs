//! Undoing a run over a directory: what it changed is put back where nothing newer changed the same, newest first, by a run of
//! its own (kind `undo`) under the connection's lease. Whom and what it concerns stands in log and history; what is put back is
//! decided in `provisioning`. From then on nothing begins by itself until somebody runs a sync (decision 0040): the directory
//! says what it said, and the next run would do the same again.
//!
//! An undo that is killed leaves whole people, and can be begun again.

use super::Error;
use super::confirmed::ITEMS_MAX;
use super::lease::Lease;
use super::run::run_id;
use crate::clock::{Clock, Entropy};
use crate::model::connection::{Connection, ConnectionKind};
use crate::provisioning::decide::undo::Did;
use crate::provisioning::sync::{Fence, TOGETHER_MAX};
use crate::provisioning::undo::{GroupDone, Told};
use crate::provisioning::{Provisioner, Request};
use crate::store::audit::Audit;
use crate::store::run_changes::{self, RunChange, Span};
use crate::store::runs::{self, Run, SyncEnd, SyncItem};
use crate::store::{Batch, Store, sync_state, walks};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

const CHANGES_PER_READ: i64 = 500;
const REPLAYED_PER_READ: i64 = 250;

/// What an undo needs.
pub struct Undoer<'a> {
    pub store: &'a Store,
    pub provisioner: &'a Provisioner,
    pub clock: &'a Clock,
    pub entropy: &'a Entropy,
    pub connection: &'a Connection,
    /// In `actor` columns.
    pub actor: &'a str,
    /// Shown to whoever finds the lease taken.
    pub owner: String,
    /// Told how many people were looked at.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What an undo came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Of the row that tells of it; none where nothing was written.
    pub run_id: Option<String>,
    /// Changes of people and groups that the run made.
    pub changes: u64,
    /// Of those: something was put back, something stays, everything is as before already.
    pub restored: u64,
    pub kept: u64,
    pub as_before: u64,
    /// Who changed or stays, one by one as far as they are kept.
    pub told: Vec<Told>,
}

impl Report {
    fn add(&mut self, told: Told) {
        self.changes += 1;
        self.restored += u64::from(!told.restored.is_empty());
        self.kept += u64::from(!told.kept.is_empty());
        let is_as_before = told.restored.is_empty() && told.kept.is_empty();
        self.as_before += u64::from(is_as_before);
        if !is_as_before && self.told.len() < ITEMS_MAX {
            self.told.push(told);
        }
    }

    /// Its numbers.
    pub fn summary(&self, undone: &str, actor: &str) -> Value {
        json!({
            "undoes": undone,
            "actor": actor,
            "changes": self.changes,
            "restored": self.restored,
            "kept": self.kept,
            "as_before": self.as_before,
        })
    }
}

impl Undoer<'_> {
    /// What undoing `run` would come to; nothing is written.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn look(&self, run: &Run) -> Result<Report, Error> {
        self.may_be_undone(run)?;
        let mut report = Report::default();
        self.walk(run, &run_id(self.clock, self.entropy), None, &mut report).await?;
        Ok(report)
    }

    /// Undoes what `run` did.
    ///
    /// # Errors
    /// See [`Error`]. What was put back before stays, in whole people.
    pub async fn undo(&self, run: &Run) -> Result<Report, Error> {
        self.may_be_undone(run)?;
        if run.state == "undone" {
            return Ok(Report::default());
        }
        let lease = Lease::take(self.store, self.clock, self.entropy, self.connection, &self.owner).await?;
        let id = run_id(self.clock, self.entropy);
        let done = self.under_lease(&lease, run, &id).await;
        if let Err(error) = &done {
            // Whoever took the lease over says so of the row, too.
            let summary = json!({ "undoes": run.id, "error": error.to_string() }).to_string();
            let mut batch = Batch::default();
            let end = SyncEnd { state: "failed", summary: &summary, list_hash: None, at: self.clock.now() };
            runs::end_sync(&mut batch, self.connection, &id, &end);
            lease.fence.guard(self.connection, &mut batch);
            if let Err(unsaid) = self.store.apply(batch).await {
                tracing::warn!(connection = %self.connection.id, error = %unsaid, "a failed undo is not on record");
            }
        }
        if let Err(error) = lease.release().await {
            tracing::debug!(%error, "a lease has to run out");
        }
        done
    }

    fn may_be_undone(&self, run: &Run) -> Result<(), Error> {
        if run.connection_id != self.connection.id {
            return Err(Error::Setup(format!("run {} is not one of {}", run.id, self.connection.name)));
        }
        match run.kind.as_str() {
            "sync" | "replay" => Ok(()),
            "undo" => Err(Error::Setup(format!(
                "run {} undid another one, and is not undone: `rosterd sync {}` follows the directory again",
                run.id, self.connection.name
            ))),
            kind => {
                Err(Error::Setup(format!("run {} is of kind {kind}; only what a sync or a replay did can be undone", run.id)))
            }
        }
    }

    async fn under_lease(&self, lease: &Lease, run: &Run, id: &str) -> Result<Report, Error> {
        let connection = self.connection;
        let mut batch = Batch::default();
        runs::start_undo(&mut batch, connection, id, self.clock.now());
        // First of all: a schedule must not redo what is half undone.
        if connection.kind == ConnectionKind::Ldap {
            sync_state::pause(&mut batch, connection, id);
        }
        lease.fence.guard(connection, &mut batch);
        self.store.apply(batch).await?;
        let mut report = Report { run_id: Some(id.to_owned()), ..Report::default() };
        self.walk(run, id, Some(lease), &mut report).await?;
        lease.keep()?;
        let now = self.clock.now();
        let summary = report.summary(&run.id, self.actor).to_string();
        let mut batch = Batch::default();
        runs::end_sync(&mut batch, connection, id, &SyncEnd { state: "done", summary: &summary, list_hash: None, at: now });
        runs::hold_sync(&mut batch, connection, id, &kept(&report), "kept", now);
        // What is held, or let through already, was judged beside what is undone by now.
        runs::supersede_judged(&mut batch, connection, now);
        let audit = Audit {
            actor: self.actor.to_owned(),
            request_id: id.to_owned(),
            log_id: self.entropy.uuid(now),
            at: now,
            from: None,
        };
        runs::mark_undone(&mut batch, connection, &run.id, &audit);
        lease.fence.guard(connection, &mut batch);
        self.store.apply(batch).await?;
        Ok(report)
    }

    /// Groups first, while who is in them is still there; then people, newest change first.
    async fn walk(&self, run: &Run, id: &str, lease: Option<&Lease>, report: &mut Report) -> Result<(), Error> {
        let request = Request { connection: self.connection, actor: self.actor, request_id: id };
        let fence = lease.map(|lease| &lease.fence);
        if run.kind == "replay" {
            return self.walk_replayed(run, &request, lease, report).await;
        }
        for done in self.groups(run).await?.into_values() {
            report.add(self.provisioner.undo_group(&request, fence, &done).await?);
            if let Some(lease) = lease {
                lease.keep()?;
            }
        }
        let (mut before, mut looked) = (String::new(), 0);
        loop {
            let page = self.changes(run, &before).await?;
            let Some(last) = page.last() else { return Ok(()) };
            before.clone_from(&last.id);
            let people: Vec<RunChange> = page.into_iter().filter(is_of_a_person).collect();
            looked += people.len() as u64;
            for some in apart(people) {
                self.people(&request, fence, &some, report).await?;
                if let Some(lease) = lease {
                    lease.keep()?;
                }
            }
            (self.progress)(looked);
        }
    }

    /// Whom a replay changed stands in rows of its own, in the order of keys.
    async fn walk_replayed(
        &self,
        run: &Run,
        request: &Request<'_>,
        lease: Option<&Lease>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let (mut after, mut looked) = ((String::new(), String::new()), 0);
        loop {
            let (tenant, from) = (&self.connection.tenant_id, (after.0.as_str(), after.1.as_str()));
            let page = walks::replayed(self.store, tenant, &run.id, from, REPLAYED_PER_READ).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.identity_id.to_string(), last.side.clone());
            let fence = lease.map(|lease| &lease.fence);
            for told in self.provisioner.undo_replayed(request, fence, &run.id, &page).await? {
                report.add(told);
            }
            looked += page.len() as u64;
            (self.progress)(looked);
            if let Some(lease) = lease {
                lease.keep()?;
            }
        }
    }

    async fn people(
        &self,
        request: &Request<'_>,
        fence: Option<&Fence>,
        some: &[RunChange],
        report: &mut Report,
    ) -> Result<(), Error> {
        for told in self.provisioner.undo_people(request, fence, some).await? {
            report.add(told);
        }
        Ok(())
    }

    async fn changes(&self, run: &Run, before: &str) -> Result<Vec<RunChange>, Error> {
        let span = Span { from: run.created_at, to: run.finished_at.unwrap_or_else(|| self.clock.now()) };
        let of = (&self.connection.tenant_id, run.id.as_str());
        Ok(run_changes::of_run(self.store, of.0, of.1, span, (before, CHANGES_PER_READ)).await?)
    }

    /// What the run did to each group.
    async fn groups(&self, run: &Run) -> Result<BTreeMap<String, GroupDone>, Error> {
        let mut groups: BTreeMap<String, GroupDone> = BTreeMap::new();
        let mut before = String::new();
        loop {
            let page = self.changes(run, &before).await?;
            let Some(last) = page.last() else { break };
            before.clone_from(&last.id);
            for change in &page {
                if let Some(id) = &change.group_id {
                    let new = || GroupDone { id: id.clone(), ..GroupDone::default() };
                    groups.entry(id.clone()).or_insert_with(new).add(change);
                }
            }
        }
        if !groups.is_empty() {
            self.groups_since(run, &mut groups).await?;
        }
        Ok(groups)
    }

    /// What others did to them after it.
    async fn groups_since(&self, run: &Run, groups: &mut BTreeMap<String, GroupDone>) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let whose = (run.id.as_str(), run.created_at);
            let page = run_changes::groups_since(self.store, self.connection, whose, (&after, CHANGES_PER_READ)).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.id);
            for change in &page {
                if let Some(done) = groups.get_mut(&change.group_id) {
                    done.since(change);
                }
            }
        }
    }
}

fn is_of_a_person(change: &RunChange) -> bool {
    change.identity_id.is_some() && Did::of(&change.kind).is_some()
}

/// Parts in which nobody is twice, of as many as go together.
fn apart(changes: Vec<RunChange>) -> Vec<Vec<RunChange>> {
    let (mut parts, mut part, mut who) = (Vec::new(), Vec::new(), HashSet::new());
    for change in changes {
        if part.len() >= TOGETHER_MAX || !who.insert(change.identity_id.clone()) {
            parts.push(std::mem::take(&mut part));
            who.clear();
            who.insert(change.identity_id.clone());
        }
        part.push(change);
    }
    parts.push(part);
    parts
}

/// What stays, as the items of the run.
fn kept(report: &Report) -> Vec<SyncItem> {
    let mut items: Vec<SyncItem> = Vec::new();
    let mut once = HashSet::new();
    for told in &report.told {
        for (what, why) in &told.kept {
            let subject = format!("{}: {what} ({why})", told.subject);
            if once.insert(subject.clone()) {
                let detail = json!({"subject": told.subject, "what": what, "why": why}).to_string();
                items.push(SyncItem { action: "kept", subject, detail });
            }
        }
    }
    items
}
