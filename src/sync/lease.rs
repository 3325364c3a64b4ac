//! One run per connection at a time, over all processes. The lease is renewed beside the run, whatever step it is in; whoever
//! slept through it finds another fencing number in the store, and writes nothing more.

use super::Error;
use crate::clock::{Clock, Entropy, Micros, SECOND, rfc3339};
use crate::model::connection::Connection;
use crate::model::ids::TenantId;
use crate::provisioning::sync::Fence;
use crate::provisioning::user_id::hex;
use crate::store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a run may be silent before another may begin.
pub const LEASE_TIME: Micros = 60 * SECOND;
const RENEWED_EVERY: Duration = Duration::from_secs(20);

/// A lease that was taken.
pub struct Lease {
    pub fence: Fence,
    holder: Holder,
    lost: Arc<AtomicBool>,
    renewing: JoinHandle<()>,
}

#[derive(Clone)]
struct Holder {
    store: Store,
    clock: Clock,
    tenant: String,
    name: String,
    owner: String,
}

impl Holder {
    /// The fencing number, or nothing while another holds it.
    async fn claim(&self) -> Result<Option<i64>, crate::store::Error> {
        self.store.claim_lease(&self.tenant, &self.name, &self.owner, self.clock.now(), LEASE_TIME).await
    }

    /// Until the lease is lost. While the store is away it runs on, and out: then the fence keeps what comes late.
    async fn renew(self, number: i64, lost: Arc<AtomicBool>) {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            match self.claim().await {
                Ok(Some(same)) if same == number => {}
                // One that ran out and was taken by nobody gets a new number all the same: what was read since may be old.
                Ok(_) => return lost.store(true, Ordering::Release),
                Err(error) => tracing::warn!(lease = self.name, %error, "a lease was not renewed; tried again"),
            }
        }
    }
}

impl Lease {
    /// Takes the connection's lease. `who` is shown to whoever finds it taken; a few drawn letters go with it, because two
    /// processes may be called alike, and whoever is called like the holder would hold it too.
    ///
    /// # Errors
    /// [`Error::Busy`] while another holds it.
    pub async fn take(
        store: &Store,
        clock: &Clock,
        entropy: &Entropy,
        connection: &Connection,
        who: &str,
    ) -> Result<Self, Error> {
        Self::of(store, clock, entropy, (&connection.tenant_id, format!("sync:{}", connection.id)), who).await
    }

    /// The same by a name of the tenant.
    ///
    /// # Errors
    /// As [`Lease::take`].
    pub async fn of(
        store: &Store,
        clock: &Clock,
        entropy: &Entropy,
        (tenant, name): (&TenantId, String),
        who: &str,
    ) -> Result<Self, Error> {
        let holder = Holder {
            store: store.clone(),
            clock: clock.clone(),
            tenant: tenant.to_string(),
            name,
            owner: format!("{who}, {}", hex(&entropy.bytes::<8>())),
        };
        let Some(number) = holder.claim().await? else {
            let lease = store.find_lease(&holder.tenant, &holder.name).await?;
            let (owner, free) = lease.map(|lease| (lease.owner, rfc3339(lease.expires_at))).unwrap_or_default();
            return Err(Error::Busy { owner, free });
        };
        let lost = Arc::new(AtomicBool::new(false));
        let renewing = tokio::spawn(holder.clone().renew(number, Arc::clone(&lost)));
        Ok(Self { fence: Fence { name: holder.name.clone(), number }, holder, lost, renewing })
    }

    /// Called between steps: is it still ours?
    ///
    /// # Errors
    /// [`Error::Overtaken`] if it was lost.
    pub fn keep(&self) -> Result<(), Error> {
        if self.lost.load(Ordering::Acquire) { Err(Error::Overtaken) } else { Ok(()) }
    }

    /// Gives it back at once. A lease that is somebody else's by now is left alone.
    ///
    /// # Errors
    /// The store's; then it runs out by itself.
    pub async fn release(self) -> Result<(), Error> {
        self.renewing.abort();
        Ok(self.holder.store.release_lease(&self.holder.tenant, &self.holder.name, &self.holder.owner).await?)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}
