//! How many logins are worked on at a time: so many per connection, so that a directory that hangs takes no more than its
//! part of the gateway with it; and those of one name after each other, for a moment.

use crate::model::fold::fold;
use crate::model::ids::ConnectionId;
use crate::provisioning::turns::{Turn, Turns};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Logins of one connection at a time.
const PER_CONNECTION: usize = 64;
/// How long a login waits for another one of the same name.
const PATIENCE: Duration = Duration::from_secs(2);

/// One per process.
#[derive(Default)]
pub struct Places {
    taken: Mutex<HashMap<ConnectionId, usize>>,
    turns: Turns,
}

/// A place that is taken until this is dropped.
pub(super) struct Place<'a> {
    places: &'a Places,
    connection: ConnectionId,
}

impl Places {
    /// `None`: all of the connection's are taken.
    pub(super) fn take(&self, connection: &ConnectionId) -> Option<Place<'_>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(connection.clone()).or_default();
        if *count >= PER_CONNECTION {
            return None;
        }
        *count += 1;
        Some(Place { places: self, connection: connection.clone() })
    }

    /// Waits for logins of the same name, but not for long.
    pub(super) async fn turn(&self, connection: &ConnectionId, name: &str) -> Option<Turn<'_>> {
        timeout(PATIENCE, self.turns.take((connection.as_str(), fold(name)))).await.ok()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.connection) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_takes_its_places_and_no_more_and_none_of_anothers() {
        let places = Places::default();
        let (slow, other) = (ConnectionId::new("con_1"), ConnectionId::new("con_2"));
        let mut taken: Vec<_> = (0..PER_CONNECTION).map(|_| places.take(&slow).expect("a place")).collect();
        assert!(places.take(&slow).is_none());
        assert!(places.take(&other).is_some());
        taken.pop();
        assert!(places.take(&slow).is_some());
        taken.clear();
        assert!(places.taken.lock().expect("not poisoned").is_empty(), "nothing is kept of who is not here");
    }
}
