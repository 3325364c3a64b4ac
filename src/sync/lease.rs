//! One run per connection at a time, over all processes. The lease is renewed while the run goes on; whoever slept
//! through it finds another fencing number in the store, and writes nothing more.

use super::Error;
use crate::clock::{Clock, Micros, SECOND, rfc3339};
use crate::model::connection::Connection;
use crate::provisioning::sync::Fence;
use crate::store::Store;

/// How long a run may be silent before another may begin.
pub const LEASE_TIME: Micros = 60 * SECOND;

/// A lease that was taken.
pub struct Lease<'a> {
    pub fence: Fence,
    store: &'a Store,
    clock: &'a Clock,
    connection: &'a Connection,
    owner: String,
    renewed_at: Micros,
}

impl<'a> Lease<'a> {
    /// Takes the connection's lease. `owner` is shown to whoever finds it taken.
    ///
    /// # Errors
    /// [`Error::Busy`] while another holds it.
    pub async fn take(store: &'a Store, clock: &'a Clock, connection: &'a Connection, owner: String) -> Result<Self, Error> {
        let (tenant, name) = (connection.tenant_id.as_str(), format!("sync:{}", connection.id));
        let now = clock.now();
        let Some(number) = store.claim_lease(tenant, &name, &owner, now, LEASE_TIME).await? else {
            let lease = store.find_lease(tenant, &name).await?;
            let (owner, free) = lease.map(|lease| (lease.owner, rfc3339(lease.expires_at))).unwrap_or_default();
            return Err(Error::Busy { owner, free });
        };
        Ok(Self { fence: Fence { name, number }, store, clock, connection, owner, renewed_at: now })
    }

    /// Called between steps: renews the lease when a third of its time is over.
    ///
    /// # Errors
    /// [`Error::Overtaken`] if it was lost.
    pub async fn keep(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        if now - self.renewed_at < LEASE_TIME / 3 {
            return Ok(());
        }
        let tenant = self.connection.tenant_id.as_str();
        // One that ran out and was taken by nobody gets a new number all the same: what was read since may be old.
        match self.store.claim_lease(tenant, &self.fence.name, &self.owner, now, LEASE_TIME).await? {
            Some(number) if number == self.fence.number => {
                self.renewed_at = now;
                Ok(())
            }
            _ => Err(Error::Overtaken),
        }
    }

    /// Gives it back at once. A lease that is somebody else's by now is left alone.
    ///
    /// # Errors
    /// The store's; then it runs out by itself.
    pub async fn release(self) -> Result<(), Error> {
        Ok(self.store.release_lease(self.connection.tenant_id.as_str(), &self.fence.name, &self.owner).await?)
    }
}
