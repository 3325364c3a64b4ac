//! Work that one replica at a time does, kept as rows of `leases`.
//!
//! Owns: taking, renewing and giving back a lease. Refuses: advisory locks (tied to a session, missing on some
//! engines) and doing the work. Whoever holds one checks its fencing number in the batches of that work, so that a
//! holder that slept through its lease writes nothing.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::clock::Micros;

statements! {
    /// Takes a free or expired lease, or renews one's own. The number rises whenever a lease is taken, not when it is
    /// renewed.
    CLAIM_LEASE = "INSERT INTO leases (tenant_id, name, owner, expires_at, fencing) VALUES ($1, $2, $3, $4, 1) \
        ON CONFLICT (tenant_id, name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at, \
        fencing = CASE WHEN leases.owner = excluded.owner AND leases.expires_at > $5 THEN leases.fencing \
        ELSE leases.fencing + 1 END WHERE leases.owner = excluded.owner OR leases.expires_at <= $5";
    FIND_LEASE = "SELECT fencing FROM leases WHERE tenant_id = $1 AND name = $2 AND owner = $3 AND expires_at > $4";
    WHOSE_LEASE = "SELECT owner, expires_at, fencing FROM leases WHERE tenant_id = $1 AND name = $2";
    RELEASE_LEASE = "UPDATE leases SET expires_at = 0 WHERE tenant_id = $1 AND name = $2 AND owner = $3";
    /// Touches one row as long as the lease is still the holder's: put it into the work's batch with `must`.
    GUARD_LEASE = "UPDATE leases SET owner = owner WHERE tenant_id = $1 AND name = $2 AND fencing = $3";
}

/// A lease as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub owner: String,
    pub expires_at: Micros,
    pub fencing: i64,
}

impl Store {
    /// Claims or renews the lease `name` for `owner` until `now + ttl`. `tenant` is `""` for the installation's own.
    /// The fencing number, or nothing while another holds it.
    pub async fn claim_lease(
        &self,
        tenant: &str,
        name: &str,
        owner: &str,
        now: Micros,
        ttl: Micros,
    ) -> Result<Option<i64>, Error> {
        let mut batch = Batch::default();
        batch.any(CLAIM_LEASE, args![tenant, name, owner, now.saturating_add(ttl), now]);
        match self.apply(batch).await {
            // Two took it at once: the other was first.
            Ok(()) | Err(Error::Conflict | Error::Stale) => {}
            Err(error) => return Err(error),
        }
        let rows = self.read(FIND_LEASE, args![tenant, name, owner, now]).await?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    /// Who holds the lease `name`, or held it last; `None`: nobody ever did.
    pub async fn find_lease(&self, tenant: &str, name: &str) -> Result<Option<Lease>, Error> {
        let rows = self.read(WHOSE_LEASE, args![tenant, name]).await?;
        let lease = |row: &super::Row| Ok(Lease { owner: row.text(0)?, expires_at: row.int(1)?, fencing: row.int(2)? });
        rows.first().map(lease).transpose()
    }

    /// Gives a lease back at once; nothing if it is no longer `owner`'s.
    pub async fn release_lease(&self, tenant: &str, name: &str, owner: &str) -> Result<(), Error> {
        let mut batch = Batch::default();
        batch.any(RELEASE_LEASE, args![tenant, name, owner]);
        self.apply(batch).await
    }
}

impl Batch {
    /// Makes the whole batch *stale* once someone else has taken the lease `name`.
    pub fn guard_lease(&mut self, tenant: &str, name: &str, fencing: i64) {
        self.one(GUARD_LEASE, args![tenant, name, fencing]);
    }
}
