//! What of this connection somebody let through since the last run. Items are known by action and subject; a run that
//! holds exactly the list that was confirmed passes even where the list was too long to be kept item by item.

use crate::model::connection::Connection;
use crate::provisioning::user_id::hex;
use crate::store::{self, Store, runs};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// Held changes that are kept one by one; of the others the hash of the list alone.
pub const ITEMS_MAX: usize = 10_000;
const ITEMS_PER_READ: i64 = 1_000;

#[derive(Debug, Default)]
pub struct Confirmed {
    items: HashSet<String>,
    lists: HashSet<String>,
}

impl Confirmed {
    pub async fn read(store: &Store, connection: &Connection) -> Result<Self, store::Error> {
        let mut confirmed = Self::default();
        for run in runs::syncs_in_state(store, connection, "confirmed").await? {
            confirmed.lists.extend(run.list_hash);
            let mut after = String::new();
            loop {
                let page = runs::list_items(store, &connection.tenant_id, &run.id, &after, ITEMS_PER_READ).await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.id);
                confirmed.items.extend(page.into_iter().filter(|item| item.state == "confirmed").map(|item| item.id));
            }
        }
        Ok(confirmed)
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.lists.is_empty()
    }

    pub fn holds(&self, action: &str, subject: &str) -> bool {
        !self.items.is_empty() && self.items.contains(&format!("{action}:{subject}"))
    }

    /// Was exactly this list confirmed?
    pub fn is_list(&self, hash: &str) -> bool {
        self.lists.contains(hash)
    }
}

/// The hash of a list of changes, whatever their order.
#[derive(Clone, Debug, Default)]
pub struct ListHash(Vec<[u8; 16]>);

impl ListHash {
    pub fn add(&mut self, action: &str, subject: &str) {
        let digest: [u8; 32] = Sha256::digest(format!("{action}:{subject}")).into();
        self.0.push(digest[..16].try_into().expect("half of it"));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn text(&self) -> String {
        let mut all = self.0.clone();
        all.sort_unstable();
        hex(&Sha256::digest(all.concat()))[..32].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(items: &[(&str, &str)]) -> String {
        let mut list = ListHash::default();
        items.iter().for_each(|(action, subject)| list.add(action, subject));
        list.text()
    }

    #[test]
    fn a_list_is_the_same_in_any_order_and_another_with_one_more() {
        let (a, b) = (("user.leave", "1"), ("user.bar", "2"));
        assert_eq!(hash(&[a, b]), hash(&[b, a]));
        assert_ne!(hash(&[a, b]), hash(&[a]));
        assert_ne!(hash(&[("user.leave", "2")]), hash(&[("user.bar", "2")]));
    }
}
