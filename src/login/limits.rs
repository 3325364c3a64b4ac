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

/// Whose tries are counted on a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who<'a> {
    /// As it was typed.
    Name(&'a str),
    /// Whom a name means, by external id: somebody may have several names, and the directory counts them as one.
    Person(&'a str),
    /// Whoever a name means that means nobody, so that this is no quicker.
    Nobody(&'a str),
}

/// An address as it is counted; of IPv6 the /64, which is one customer's.
fn place(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}/64", address.to_bits() >> 64),
    }
}

/// What counts somebody's tries on a connection: rows of this subject for all of them, and of `from` and an address for those from
/// there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub subject: String,
    pub from: String,
    pub failures_max: u32,
    pub failures_from_max: u32,
}

/// The configured limits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub failures_per_user: u32,
    pub failures_per_address: u32,
    /// How long nothing may fail for a count to begin anew.
    pub window: Micros,
}

impl Limits {
    /// Tries from one address, whoever they are of.
    pub(super) fn of_address(&self, address: IpAddr) -> Counted {
        Counted { scope: String::new(), subject: place(address), failures_max: self.failures_per_address }
    }

    /// Messages from one address that were refused. Other sites' pages can have a browser send them, so that they are counted
    /// apart from what signs people in with a password.
    pub(super) fn of_refusals(&self, address: IpAddr) -> Counted {
        Counted { scope: String::new(), subject: format!("saml:{}", place(address)), failures_max: self.failures_per_address }
    }

    /// Answers from one address that a provider is asked about: whoever makes up codes has each sent there. Nobody else's page can
    /// send one, since it takes a login that this browser began.
    pub(super) fn of_answers(&self, address: IpAddr) -> Counted {
        Counted { scope: String::new(), subject: format!("oidc:{}", place(address)), failures_max: self.failures_per_address }
    }

    /// Applications at one address that did not prove which ones they are.
    pub(super) fn of_strangers(&self, address: IpAddr) -> Counted {
        Counted { scope: String::new(), subject: format!("client:{}", place(address)), failures_max: self.failures_per_address }
    }

    /// Tries of `who`, from anywhere and from this address. There it is one less: whoever fails for somebody from one place
    /// leaves them a try from another.
    pub(super) fn of(&self, keys: &KeyRing, connection: &ConnectionId, who: Who<'_>, address: IpAddr) -> [Counted; 2] {
        let (what, text) = match who {
            Who::Name(name) => ("name", fold(name)),
            Who::Person(external_id) => ("person", external_id.to_owned()),
            Who::Nobody(name) => ("nobody", fold(name)),
        };
        let Watched { subject, from, failures_max, failures_from_max } = self.watch(keys, connection, what, &text);
        let counted = |subject, failures_max| Counted { scope: connection.as_str().to_owned(), subject, failures_max };
        [counted(subject, failures_max), counted(format!("{from}{}", place(address)), failures_from_max)]
    }

    /// What counts the tries of somebody: of a person by external id, or of a name, which may mean somebody or nobody.
    pub fn watched(&self, keys: &KeyRing, connection: &ConnectionId, text: &str, is_person: bool) -> Vec<Watched> {
        let whats: &[&str] = if is_person { &["person"] } else { &["name", "nobody"] };
        let text = if is_person { text.to_owned() } else { fold(text) };
        whats.iter().map(|what| self.watch(keys, connection, what, &text)).collect()
    }

    fn watch(&self, keys: &KeyRing, connection: &ConnectionId, what: &str, text: &str) -> Watched {
        let hash = keys.hash_token(&format!("login {what}\n{connection}\n{text}"));
        let subject = hash.as_bytes()[..16].iter().fold(format!("{what}:"), |text, byte| text + &format!("{byte:02x}"));
        let failures_max = self.failures_per_user;
        Watched { from: format!("{subject}@"), subject, failures_max, failures_from_max: failures_max.saturating_sub(1).max(1) }
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
