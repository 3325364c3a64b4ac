//! Where the known groups of a directory are by now, looked up before any group is compared: groups name groups by their
//! DNs, and one may be named before it is read. Owns which stored place counts no more: that of a group which is called
//! otherwise, or is gone. Refuses to conclude that a group is gone while one can't be told which it is.

use super::affected::ToldGroups;
use super::entry::digest;
use crate::ldap::connect::Session;
use crate::ldap::failure::Cause;
use crate::ldap::identity::external_id;
use crate::ldap::search::{End, Pages, Read};
use crate::ldap::settings::{Area, Settings};
use crate::model::connection::Connection;
use crate::model::dn::dn_key;
use crate::store::{self, Store, groups};
use std::collections::{HashMap, HashSet};

const PLACED_PER_READ: i64 = 2_000;

/// What is not as it is stored. Groups that stay where they are leave nothing here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct GroupPlaces {
    /// The key of the new DN, and the group.
    moved: HashMap<String, String>,
    movers: HashSet<String>,
    gone: HashSet<String>,
}

impl GroupPlaces {
    /// Reads the ids of all groups. The inner error: they were not read to the end.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(
        (store, connection): (&Store, &Connection),
        (settings, area): (&Settings, &Area),
        session: &mut Session,
    ) -> Result<Result<Self, Cause>, store::Error> {
        let mut pages = Pages::new(settings, area, vec![area.id_attribute.clone()]);
        let mut met: HashMap<u128, Option<String>> = HashMap::new();
        let nameless = loop {
            match pages.next(session).await {
                Read::Page(page) => {
                    for entry in &page.entries {
                        if let Ok(id) = external_id(entry, &area.id_attribute) {
                            met.insert(digest(&id), Some(dn_key(&entry.dn)));
                        }
                    }
                    met.extend(page.unreadable.iter().filter_map(|group| Some((digest(group.external_id.as_deref()?), None))));
                }
                Read::End(End::Complete(complete)) => break complete.nameless().count,
                Read::End(End::Cut(cut)) => return Ok(Err(cut.cause)),
            }
        };
        let (mut places, mut after) = (Self::default(), String::new());
        loop {
            let page = groups::placed(store, connection, &after, PLACED_PER_READ).await?;
            let Some(last) = page.last() else { return Ok(Ok(places)) };
            after.clone_from(&last.external_id);
            for group in page {
                match met.get(&digest(&group.external_id)) {
                    Some(place) => places.stays(group.id, group.dn_key, place.as_deref()),
                    None if nameless == 0 => drop(places.gone.insert(group.id)),
                    None => {}
                }
            }
        }
    }

    /// The same of what a delta tells: of every other group it says nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn told((store, connection): (&Store, &Connection), told: &ToldGroups<'_>) -> Result<Self, store::Error> {
        let mut places = Self::default();
        let known = told.known((store, connection)).await?;
        for (external_id, dn) in &told.there {
            if let Some(group) = known.get(external_id) {
                places.stays(group.id.clone(), group.dn_key.clone(), Some(&dn_key(dn)));
            }
        }
        places.gone.extend(told.gone.iter().filter_map(|external_id| Some(known.get(external_id)?.id.clone())));
        Ok(places)
    }

    /// A group is there, under the name of this key if it could be read.
    fn stays(&mut self, id: String, before: Option<String>, now: Option<&str>) {
        if let Some(now) = now.filter(|now| before.as_deref() != Some(*now)) {
            self.moved.insert(now.to_owned(), id.clone());
            self.movers.insert(id);
        }
    }

    /// The known group that came to this place.
    pub fn newly_at(&self, key: &str) -> Option<&String> {
        self.moved.get(key)
    }

    /// Is the group that is stored under this key another's place by now, or nobody's?
    pub fn has_left(&self, key: &str, id: &str) -> bool {
        let is_here = self.moved.get(key).is_some_and(|mover| mover == id);
        !is_here && (self.movers.contains(id) || self.gone.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_groups_that_swapped_their_names_are_at_each_others_place_and_a_gone_one_is_at_none() {
        let mut places = GroupPlaces::default();
        places.stays("one".into(), Some("a".into()), Some("b"));
        places.stays("two".into(), Some("b".into()), Some("a"));
        places.stays("three".into(), Some("c".into()), Some("c"));
        places.stays("unreadable".into(), Some("d".into()), None);
        places.gone.insert("four".into());
        assert_eq!((places.newly_at("a"), places.newly_at("b")), (Some(&"two".into()), Some(&"one".into())));
        for (key, id, has_left) in
            [("a", "one", true), ("b", "one", false), ("c", "three", false), ("d", "unreadable", false), ("e", "four", true)]
        {
            assert_eq!(places.has_left(key, id), has_left, "{key} {id}");
        }
    }
}
