//! How often logins may fail before more are not even looked at: per person and connection, and per address. Counted in the
//! database, so that all replicas share the count; what is stored of a name is its keyed hash, since people type passwords
//! into the wrong field.

use super::answer::Refused;
use crate::clock::{Micros, SECOND};
use crate::model::fold::fold;
use crate::model::ids::{ConnectionId, TenantId};
use crate::secret::KeyRing;
use crate::store::login_failures::{self, Counted};
use crate::store::{self, Batch, Store};
use std::net::IpAddr;

/// Counts tried again where another's came between.
const ROUNDS_MAX: usize = 8;

/// The configured limits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub failures_per_user: u32,
    pub failures_per_address: u32,
    /// How long nothing may fail for a count to begin anew.
    pub window: Micros,
}

impl Limits {
    /// Tries from one address; of IPv6 the /64, which is one customer's.
    pub(super) fn of_address(&self, address: IpAddr) -> Counted {
        let subject = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("{:x}/64", address.to_bits() >> 64),
        };
        Counted { scope: String::new(), subject, failures_max: self.failures_per_address }
    }

    /// Tries of one name as it was typed.
    pub(super) fn of_name(&self, keys: &KeyRing, connection: &ConnectionId, name: &str) -> Counted {
        self.of_user(keys, connection, "name", &fold(name))
    }

    /// Tries of whom a name means: somebody may have several, and the directory counts them as one.
    pub(super) fn of_person(&self, keys: &KeyRing, connection: &ConnectionId, external_id: &str) -> Counted {
        self.of_user(keys, connection, "person", external_id)
    }

    /// The same where a name means nobody, so that this is no quicker.
    pub(super) fn of_nobody(&self, keys: &KeyRing, connection: &ConnectionId, name: &str) -> Counted {
        self.of_user(keys, connection, "nobody", &fold(name))
    }

    fn of_user(&self, keys: &KeyRing, connection: &ConnectionId, what: &str, text: &str) -> Counted {
        let hash = keys.hash_token(&format!("login {what}\n{connection}\n{text}"));
        let hex = hash.as_bytes()[..16].iter().fold(format!("{what}:"), |text, byte| text + &format!("{byte:02x}"));
        Counted { scope: connection.as_str().to_owned(), subject: hex, failures_max: self.failures_per_user }
    }

    /// Counts a try of each, or of none if one of them has none left.
    pub(super) async fn count(&self, store: &Store, tenant: &TenantId, all: &[Counted], now: Micros) -> Result<(), Refused> {
        for _ in 0..ROUNDS_MAX {
            let mut batch = Batch::default();
            login_failures::count(&mut batch, tenant, all, now, self.window);
            match store.apply(batch).await {
                Ok(()) => return Ok(()),
                Err(store::Error::Stale | store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
            for counted in all {
                if let Some(until) = login_failures::locked_until(store, tenant, counted, now, self.window).await? {
                    let seconds = (until - now).max(1).unsigned_abs().div_ceil(SECOND.unsigned_abs());
                    return Err(Refused::TooManyFailures { retry_after_seconds: seconds });
                }
            }
        }
        Err(store::Error::Busy { what: "many logins of one name at once" }.into())
    }

    /// Nobody's password was looked at: none of it happened.
    pub(super) async fn take_back(&self, store: &Store, tenant: &TenantId, all: &[Counted]) -> Result<(), Refused> {
        let mut batch = Batch::default();
        all.iter().for_each(|counted| login_failures::take_back(&mut batch, tenant, counted));
        Ok(store.apply(batch).await?)
    }
}
