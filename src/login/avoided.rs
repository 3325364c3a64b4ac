//! Servers of directories that could not be used a moment ago: they are asked last. Otherwise one that is switched off would
//! cost everybody who signs in the whole time it may take to be reached. And accounts of connections that a directory refused:
//! they are not tried again for a while. Otherwise anybody who asks to sign in would lock them, and the sync's way in with it.

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

/// How long an account that was refused is not tried, unless its connection is changed.
const ACCOUNT_REFUSED_FOR: Micros = 60 * SECOND;
/// Connections remembered at a time; beyond it the memory starts anew.
const ACCOUNTS_MAX: usize = 1_000;

/// One per process.
#[derive(Default)]
pub struct Avoided {
    servers: Mutex<HashMap<(ConnectionId, String), Micros>>,
    /// The version of the connection whose account was refused, and when.
    accounts: Mutex<HashMap<ConnectionId, (i64, Micros)>>,
}

impl Avoided {
    /// Remembers who could not be used.
    pub(super) fn note(&self, connection: &ConnectionId, failures: &[Failure], now: Micros) {
        failures.iter().for_each(|failure| self.note_server(connection, failure.url.clone(), now));
    }

    /// Remembers one server by its URL, if there is one.
    pub(super) fn note_server(&self, connection: &ConnectionId, url: Option<String>, now: Micros) {
        let Some(url) = url else { return };
        let mut servers = self.servers();
        if servers.len() >= SERVERS_MAX {
            servers.clear();
        }
        servers.insert((connection.clone(), url), now);
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
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that the account of a connection was refused as it is at `version`.
    pub(super) fn note_refused_account(&self, connection: &ConnectionId, version: i64, now: Micros) {
        let mut accounts = self.accounts();
        if accounts.len() >= ACCOUNTS_MAX {
            accounts.clear();
        }
        accounts.insert(connection.clone(), (version, now));
    }

    /// Was the account refused a moment ago, and is the connection still as it was then?
    pub(super) fn refused_account(&self, connection: &ConnectionId, version: i64, now: Micros) -> bool {
        let known = self.accounts().get(connection).copied();
        known.is_some_and(|(refused, at)| refused == version && (0..ACCOUNT_REFUSED_FOR).contains(&(now - at)))
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<ConnectionId, (i64, Micros)>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn an_account_that_was_refused_rests_until_its_connection_is_changed_or_a_minute_passed() {
        let avoided = Avoided::default();
        let corp = ConnectionId::new("con_1");
        assert!(!avoided.refused_account(&corp, 1, 0));
        avoided.note_refused_account(&corp, 1, 0);
        assert!(avoided.refused_account(&corp, 1, ACCOUNT_REFUSED_FOR - 1));
        assert!(!avoided.refused_account(&corp, 1, ACCOUNT_REFUSED_FOR));
        assert!(!avoided.refused_account(&corp, 2, 1), "with another password it may be let in");
        assert!(!avoided.refused_account(&ConnectionId::new("con_2"), 1, 1));
        assert!(!avoided.refused_account(&corp, 1, -1), "a clock that went back decides nothing");
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
