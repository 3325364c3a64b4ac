//! How many streams of events may be open at a time: of one token, of one tenant, in this process. Whoever gets a place keeps it until
//! it is dropped.

use crate::model::ids::{TenantId, TokenId};
use crate::telemetry::Metrics;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

const OF_TOKEN_MAX: usize = 4;
const OF_TENANT_MAX: usize = 32;
const IN_ALL_MAX: usize = 256;

/// The streams of this process. Clones are one.
#[derive(Clone)]
pub struct Streams {
    open: Arc<Mutex<Open>>,
    metrics: Metrics,
}

#[derive(Default)]
struct Open {
    in_all: usize,
    of_tenant: HashMap<TenantId, usize>,
    of_token: HashMap<TokenId, usize>,
}

/// A place that is taken.
pub struct Place {
    streams: Streams,
    tenant: TenantId,
    token: TokenId,
}

impl Streams {
    pub fn new(metrics: Metrics) -> Self {
        Self { open: Arc::default(), metrics }
    }

    /// `None`: there is no room.
    pub fn take(&self, tenant: &TenantId, token: &TokenId) -> Option<Place> {
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let of_tenant = open.of_tenant.get(tenant).copied().unwrap_or_default();
            let of_token = open.of_token.get(token).copied().unwrap_or_default();
            if open.in_all >= IN_ALL_MAX || of_tenant >= OF_TENANT_MAX || of_token >= OF_TOKEN_MAX {
                return None;
            }
            open.in_all += 1;
            open.of_tenant.insert(tenant.clone(), of_tenant + 1);
            open.of_token.insert(token.clone(), of_token + 1);
        }
        self.metrics.event_streams(1);
        Some(Place { streams: self.clone(), tenant: tenant.clone(), token: token.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.in_all -= 1;
        less(&mut open.of_tenant, &self.tenant);
        less(&mut open.of_token, &self.token);
        drop(open);
        self.streams.metrics.event_streams(-1);
    }
}

fn less<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_and_a_tenant_have_so_many_and_a_place_comes_back() {
        let streams = Streams::new(Metrics::new());
        let take = |tenant: &str, token: &str| streams.take(&TenantId::new(tenant), &TokenId::new(token));
        let mut places: Vec<Place> = (0..OF_TOKEN_MAX).filter_map(|_| take("a", "1")).collect();
        assert_eq!(places.len(), OF_TOKEN_MAX);
        assert!(take("a", "1").is_none() && take("a", "2").is_some());
        places.pop();
        assert!(take("a", "1").is_some());
        let more: Vec<Place> = (0..OF_TENANT_MAX).filter_map(|n| take("a", &format!("t{n}"))).collect();
        assert_eq!(more.len() + places.len(), OF_TENANT_MAX);
        assert!(take("b", "1").is_some(), "another tenant has its own");
        drop((places, more));
        assert_eq!(streams.open.lock().expect("no panic").of_token.len(), 0);
    }
}
