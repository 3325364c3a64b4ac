//! Servers of directories that could not be used a moment ago: they are asked last. Otherwise one that is switched off would
//! cost everybody who signs in the whole time it may take to be reached.

use crate::clock::{Micros, SECOND};
use crate::ldap::failure::Failure;
use crate::ldap::settings::Address;
use crate::model::ids::ConnectionId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a server is asked last; then it is tried in its own place again.
const AVOIDED_FOR: Micros = 30 * SECOND;
/// Servers remembered at a time; beyond it the memory starts anew.
const SERVERS_MAX: usize = 1_000;

/// One per process.
#[derive(Default)]
pub struct Avoided(Mutex<HashMap<(ConnectionId, String), Micros>>);

impl Avoided {
    /// Remembers who was passed over.
    pub(super) fn note(&self, connection: &ConnectionId, failures: &[Failure], now: Micros) {
        let mut servers = self.servers();
        for url in failures.iter().filter_map(|failure| failure.url.clone()) {
            if servers.len() >= SERVERS_MAX {
                servers.clear();
            }
            servers.insert((connection.clone(), url), now);
        }
    }

    /// Puts servers that are to be asked last at the end, each half in its own order.
    pub(super) fn put_last(&self, connection: &ConnectionId, servers: &mut [Address], now: Micros) {
        let known = self.servers();
        let is_avoided = |server: &Address| {
            let at = known.get(&(connection.clone(), server.to_string()));
            at.is_some_and(|at| (0..AVOIDED_FOR).contains(&(now - at)))
        };
        servers.sort_by_key(is_avoided);
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<(ConnectionId, String), Micros>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::failure::{Cause, Step};
    use crate::ldap::settings::Protection;
    use url::Url;

    fn server(host: &str) -> Address {
        let url = Url::parse(&format!("ldaps://{host}")).expect("a URL");
        Address { url, host: host.into(), port: 636, protection: Protection::Tls }
    }

    #[test]
    fn who_was_away_is_asked_last_for_a_while_and_by_that_connection_alone() {
        let avoided = Avoided::default();
        let (corp, other) = (ConnectionId::new("con_1"), ConnectionId::new("con_2"));
        let order = |connection: &ConnectionId, now| {
            let mut servers = ["a", "b", "c"].map(server);
            avoided.put_last(connection, &mut servers, now);
            servers.map(|server| server.host).concat()
        };
        assert_eq!(order(&corp, 0), "abc");
        let failed =
            |host: &str| Failure { url: Some(server(host).to_string()), at: None, step: Step::Reach, cause: Cause::Refused };
        avoided.note(&corp, &[failed("a"), failed("b")], 0);
        assert_eq!((order(&corp, 1), order(&other, 1)), ("cab".into(), "abc".into()));
        assert_eq!(order(&corp, AVOIDED_FOR), "abc");
        assert_eq!(order(&corp, -1), "abc", "a clock that went back decides nothing");
    }
}
