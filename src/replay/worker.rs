//! Previews and replays that a server carries out: those it was asked for, and those whose process ended. A few beside each other;
//! whoever has the lease is at it, and the others find that out.

use super::preview::{KEPT_FOR, Previewer};
use super::run::Replayer;
use crate::clock::{Clock, Entropy};
use crate::model::ids::{ConnectionId, TenantId};
use crate::provisioning::Provisioner;
use crate::store::walks::{self, Walk};
use crate::store::{self, Batch, Store, connections, tenants};
use crate::sync::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::Semaphore;

/// Carried out beside each other in one process.
const TOGETHER_MAX: usize = 2;
const PAGE: i64 = 100;
/// Whoever asked stands in the run.
const ACTOR: &str = "server";

/// Clones share the room.
#[derive(Clone)]
pub struct Worker {
    pub store: Store,
    pub provisioner: Arc<Provisioner>,
    pub clock: Clock,
    pub entropy: Entropy,
    room: Arc<Semaphore>,
}

impl Worker {
    pub fn new(store: Store, provisioner: Arc<Provisioner>, clock: Clock, entropy: Entropy) -> Self {
        Self { store, provisioner, clock, entropy, room: Arc::new(Semaphore::new(TOGETHER_MAX)) }
    }

    fn owner() -> String {
        format!("a server (process {})", std::process::id())
    }

    /// Brings a preview or a replay to its end, or to where it waits for somebody's word.
    ///
    /// # Errors
    /// As those.
    pub async fn carry_on(&self, tenant: &TenantId, run: &str) -> Result<(), Error> {
        let _place = self.room.acquire().await.expect("the semaphore is never closed");
        let Some(walk) = walks::find(&self.store, tenant, run).await? else { return Ok(()) };
        if walk.kind == "preview" {
            self.previewer(tenant, ACTOR, &|_, _| {}).carry_on(run).await.map(drop)
        } else {
            let id = ConnectionId::new(walk.connection_id.clone());
            let Some(found) = connections::find(&self.store, tenant, &id).await? else { return Ok(()) };
            let stop = Arc::new(AtomicBool::new(false));
            self.replayer(&found.connection, ACTOR, &|_, _| {}, stop).carry_on(run).await.map(drop)
        }
    }

    pub fn previewer<'w>(
        &'w self,
        tenant: &'w TenantId,
        actor: &'w str,
        progress: &'w (dyn Fn(u64, u64) + Sync),
    ) -> Previewer<'w> {
        Previewer {
            store: &self.store,
            provisioner: &self.provisioner,
            clock: &self.clock,
            entropy: &self.entropy,
            tenant,
            actor,
            owner: Self::owner(),
            progress,
            stop: Arc::new(AtomicBool::new(false)),
        }
    }

    pub fn replayer<'w>(
        &'w self,
        connection: &'w crate::model::connection::Connection,
        actor: &'w str,
        progress: &'w (dyn Fn(u64, u64) + Sync),
        stop: Arc<AtomicBool>,
    ) -> Replayer<'w> {
        Replayer {
            store: &self.store,
            provisioner: &self.provisioner,
            clock: &self.clock,
            entropy: &self.entropy,
            connection,
            actor,
            owner: Self::owner(),
            progress,
            stop,
        }
    }

    /// Goes on with what nobody is at, in all tenants.
    ///
    /// # Errors
    /// The store's.
    pub async fn pass(&self) -> Result<(), store::Error> {
        let mut after = String::new();
        loop {
            let page = tenants::list(&self.store, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id.as_str().to_owned();
            for tenant in &page {
                for walk in walks::open(&self.store, &tenant.id).await? {
                    self.take_up(&tenant.id, &walk).await;
                }
            }
        }
    }

    /// Forgets previews that count no more: they show values of people.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget_previews(&self) -> Result<(), store::Error> {
        let mut after = String::new();
        loop {
            let page = tenants::list(&self.store, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id.as_str().to_owned();
            for tenant in &page {
                let mut batch = Batch::default();
                walks::forget_previews(&mut batch, &tenant.id, self.clock.now() - KEPT_FOR);
                self.store.apply(batch).await?;
            }
        }
    }

    async fn take_up(&self, tenant: &TenantId, walk: &Walk) {
        match Box::pin(self.carry_on(tenant, &walk.run_id)).await {
            Ok(()) => tracing::info!(run = walk.run_id, kind = walk.kind, "went on with a run"),
            // Somebody is at it, or it waits.
            Err(Error::Busy { .. } | Error::Held { .. } | Error::Ended { .. }) => {}
            Err(error) => tracing::warn!(run = walk.run_id, kind = walk.kind, %error, "a run does not go on; tried again soon"),
        }
    }
}
