//! Groups of a directory and whom they name. A group's entry is read whole, all ranges of its members; who is meant by a
//! name is looked up among those that are stored. Owns the two passes over groups: the survey, which counts who would leave,
//! and the one that hands groups to `provisioning`.

use super::entry::digest;
use super::survey::Survey;
use crate::ldap::connect::Session;
use crate::ldap::entry::Entry as Read;
use crate::ldap::failure::Cause;
use crate::ldap::identity::external_id;
use crate::ldap::payload::payload;
use crate::ldap::search::{self, Complete, End, Pages, Unreadable};
use crate::ldap::settings::{Area, Settings};
use crate::mapping::Mapping;
use crate::model::connection::Connection;
use crate::model::dn::dn_key;
use crate::model::group::{Member, MemberKind};
use crate::provisioning::sync_group::GroupEntry;
use crate::store::{self, Store, groups, identities};
use std::collections::{HashMap, HashSet};

const PRESENT_PER_READ: i64 = 2_000;

/// A group as read.
#[derive(Clone)]
pub struct GroupSeen {
    /// The id, or why there is none.
    pub external_id: Result<String, String>,
    pub dn: String,
    /// All but who is named; nobody yet is resolved.
    pub entry: GroupEntry,
    /// Key and DN of whom it names, each once.
    pub names: Vec<(String, String)>,
}

/// Reads groups page by page.
pub struct Groups<'a> {
    reader: Reader<'a>,
    pages: Pages,
}

/// Reads one entry as a group.
pub struct Reader<'a> {
    settings: &'a Settings,
    area: &'a Area,
    /// What is asked for.
    pub attributes: Vec<String>,
    binary: Vec<String>,
    reads_sid: bool,
}

impl<'a> Groups<'a> {
    /// `mapping` = the connection's for groups, if it has one.
    pub fn new(settings: &'a Settings, area: &'a Area, mapping: Option<&dyn Mapping>) -> Self {
        let reader = Reader::new(settings, area, mapping);
        let pages = Pages::new(settings, area, reader.attributes.clone());
        Self { reader, pages }
    }

    /// The next page, with those that can't be read, or the proof that there is none.
    ///
    /// # Errors
    /// They were not read to the end.
    pub async fn next(
        &mut self,
        session: &mut Session,
        primary: &HashMap<u32, Vec<u128>>,
    ) -> Result<Result<(Vec<GroupSeen>, Vec<Unreadable>), Complete>, Cause> {
        match self.pages.next(session).await {
            search::Read::Page(page) => {
                let groups = page.entries.iter().map(|entry| self.reader.seen(entry, primary)).collect();
                Ok(Ok((groups, page.unreadable)))
            }
            search::Read::End(End::Complete(complete)) => Ok(Err(complete)),
            search::Read::End(End::Cut(cut)) => Err(cut.cause),
        }
    }
}

impl<'a> Reader<'a> {
    /// `mapping` = the connection's for groups, if it has one.
    pub fn new(settings: &'a Settings, area: &'a Area, mapping: Option<&dyn Mapping>) -> Self {
        let reads = mapping.map(Mapping::reads).unwrap_or_default();
        let mut attributes = match mapping {
            Some(_) => reads.attributes.clone().unwrap_or_else(|| vec![String::from("*")]),
            None => vec![String::from("displayName"), String::from("description")],
        };
        let reads_sid = settings.server == crate::model::directory::DirectoryServer::ActiveDirectory;
        let own = settings.server.member_attributes().iter().copied().chain(["cn", area.id_attribute.as_str()]);
        for name in own.chain(reads_sid.then_some("objectSid")) {
            if !attributes.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                attributes.push(name.to_owned());
            }
        }
        Self { settings, area, attributes, binary: reads.binary, reads_sid }
    }

    /// The number by which people name it as their primary group (Active Directory).
    pub fn number(&self, entry: &Read) -> Option<u32> {
        self.reads_sid.then(|| entry.find("objectSid").and_then(|sid| relative_id(sid.values.first()?))).flatten()
    }

    /// `primary` = by that number, the keys of the people's DNs.
    pub fn seen(&self, entry: &Read, primary: &HashMap<u32, Vec<u128>>) -> GroupSeen {
        let members = self.settings.server.member_attributes();
        let named = members.iter().filter_map(|name| entry.find(name)).flat_map(|found| &found.values);
        let mut names: Vec<(String, String)> = Vec::new();
        let mut once = HashSet::new();
        for dn in named.filter_map(|value| std::str::from_utf8(value).ok()) {
            let key = dn_key(dn);
            // Some servers put an empty member where a group has to have one.
            if !dn.is_empty() && !dn.contains('\0') && once.insert(key.clone()) {
                names.push((key, dn.to_owned()));
            }
        }
        for key in self.number(entry).and_then(|number| primary.get(&number)).into_iter().flatten() {
            let key = format!("{key:032x}");
            if once.insert(key.clone()) {
                names.push((key, String::new()));
            }
        }
        let mut payload = payload(entry, &self.binary);
        payload.retain(|name, _| !members.iter().any(|member| member.eq_ignore_ascii_case(name)));
        let text = |name: &str| {
            let found = entry.find(name)?.values.first()?;
            std::str::from_utf8(found).ok().map(str::to_owned).filter(|text| !text.is_empty() && !text.contains('\0'))
        };
        let external_id = external_id(entry, &self.area.id_attribute).map_err(|why| format!("{} {why}", self.area.id_attribute));
        let entry = GroupEntry {
            external_id: external_id.clone().unwrap_or_default(),
            // Without a mapping of its own a group is called as its directory calls it.
            name: text("cn").or_else(|| text("displayName")).unwrap_or_else(|| entry.dn.replace('\0', "\u{fffd}")),
            dn_key: dn_key(&entry.dn),
            payload,
            members: Vec::new(),
            unresolved: Vec::new(),
        };
        GroupSeen { external_id, dn: entry_dn(&entry), entry, names }
    }
}

fn entry_dn(entry: &GroupEntry) -> String {
    entry.payload.get("dn").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// The last part of a security identifier (MS-DTYP §2.4.2.2): revision, count, six bytes, then so many numbers.
fn relative_id(sid: &[u8]) -> Option<u32> {
    let count = usize::from(*sid.get(1)?);
    if count == 0 || sid.len() != 8 + 4 * count {
        return None;
    }
    let last: [u8; 4] = sid[sid.len() - 4..].try_into().ok()?;
    Some(u32::from_le_bytes(last))
}

/// Looks up who is meant: whoever was met under that name, or is stored under it and was not met elsewhere. A name whose
/// bearer is gone or lives elsewhere by now is somebody else's, who is not stored yet.
///
/// # Errors
/// The store's.
pub async fn resolve(store: &Store, connection: &Connection, seen: &mut GroupSeen, people: &Survey) -> Result<(), store::Error> {
    let keys: Vec<String> = seen.names.iter().map(|(key, _)| key.clone()).collect();
    let named = identities::named_among(store, connection, &keys).await?;
    let mut once = HashSet::new();
    for (key, dn) in seen.names.drain(..) {
        let moved = people.moved.get(&key).map(|id| (id, MemberKind::User));
        let moved = moved.or_else(|| people.group_places.newly_at(&key).map(|id| (id, MemberKind::Group)));
        let id = moved.map(|(id, kind)| (id.clone(), kind));
        let stored = named.get(&key).filter(|named| match named.kind {
            MemberKind::Group => !people.group_places.has_left(&key, &named.id),
            MemberKind::User => !people.has_left_place(&key, &named.id, named.external_id.as_deref()),
        });
        match id.or_else(|| stored.map(|named| (named.id.clone(), named.kind))) {
            Some((id, kind)) if once.insert(id.clone()) => seen.entry.members.push(Member { id, kind }),
            Some(_) => {}
            None => seen.entry.unresolved.push((key, dn)),
        }
    }
    Ok(())
}

/// What the groups of a directory would change.
#[derive(Default)]
pub struct GroupSurvey {
    met: HashSet<u128>,
    pub groups: u64,
    /// Members named, known or not.
    pub named: u64,
    pub known: i64,
    /// Who would leave which group: `{group}/{member}`, the group by its external id.
    pub leaving: Vec<String>,
    /// Groups that would go: external id, and how many members lose it.
    pub gone: Vec<(String, i64)>,
    /// Something is to be written.
    pub differs: bool,
    /// Entries that can't be taken: DN and why.
    pub refused: Vec<(String, String)>,
}

impl GroupSurvey {
    /// Compares one group with what is stored of it.
    ///
    /// # Errors
    /// The store's.
    pub async fn group(
        &mut self,
        (store, connection): (&Store, &Connection),
        mapping: Option<&dyn Mapping>,
        mut seen: GroupSeen,
        people: &Survey,
    ) -> Result<(), store::Error> {
        self.groups += 1;
        self.named += seen.names.len() as u64;
        let external_id = match seen.external_id.clone() {
            Ok(id) => id,
            Err(why) => {
                self.refused.push((seen.dn, why));
                return Ok(());
            }
        };
        self.met.insert(digest(&external_id));
        let Some(stored) = groups::find_by_external_id(store, connection, &external_id).await? else {
            self.differs = true;
            return Ok(());
        };
        resolve(store, connection, &mut seen, people).await?;
        let tenant = &connection.tenant_id;
        let id = stored.id.as_str();
        let current = groups::find_members(store, tenant, id).await?;
        let unresolved = groups::find_unresolved(store, tenant, id).await?;
        let wanted: HashSet<&str> = seen.entry.members.iter().map(|member| member.id.as_str()).collect();
        let leaving: Vec<String> =
            current.iter().filter(|member| !wanted.contains(member.id.as_str())).map(|member| member.id.clone()).collect();
        let joins = wanted.len() + leaving.len() > current.len();
        let same_names = unresolved.len() == seen.entry.unresolved.len()
            && seen.entry.unresolved.iter().all(|(key, _)| unresolved.contains(key));
        let same_mapping = match (mapping, &stored.mapped) {
            (None, None) => true,
            (Some(mapping), Some(mapped)) => {
                mapping.name() == mapped.mapping && mapping.version() == mapped.version && !mapping.follows_the_clock()
            }
            _ => false,
        };
        let stored_document = serde_json::from_str::<serde_json::Map<_, _>>(&stored.raw).ok();
        let same_document = stored_document.as_ref() == Some(&seen.entry.payload);
        self.differs |= joins || !leaving.is_empty() || !same_names || !same_mapping || !same_document;
        // Whoever is missing as a person takes their memberships along: that is counted there.
        let ids = identities::external_ids_of(store, connection, &leaving).await?;
        let stays = |member: &&String| ids.get(*member).is_none_or(|id| !people.is_absent(id));
        self.leaving.extend(leaving.iter().filter(stays).map(|member| format!("{external_id}/{member}")));
        Ok(())
    }

    /// Groups that are there and can't be read whole: nobody joins or leaves them, and none of them is missing.
    pub fn unreadable(&mut self, groups: Vec<Unreadable>) {
        self.groups += groups.len() as u64;
        for group in groups {
            self.met.extend(group.external_id.as_deref().map(digest));
            self.refused.push((group.dn, group.cause.to_string()));
        }
    }

    /// Which known groups were not met: none while there are some of which nobody can say which they are.
    ///
    /// # Errors
    /// The store's.
    pub async fn missing(&mut self, store: &Store, connection: &Connection, proof: &Complete) -> Result<(), store::Error> {
        let may_be_any = proof.nameless().count > 0;
        let mut after = String::new();
        loop {
            let page = groups::present(store, connection, &after, PRESENT_PER_READ).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after.clone_from(last);
            self.known += i64::try_from(page.len()).unwrap_or(0);
            for (external_id, id) in page {
                if !may_be_any && !self.met.contains(&digest(&external_id)) {
                    let members = groups::count_members(store, &connection.tenant_id, &id, 10_000_001).await?;
                    self.gone.push((external_id, members.max(1)));
                    self.differs = true;
                }
            }
        }
    }

    /// Of a delta: those of the known groups that it says went.
    ///
    /// # Errors
    /// The store's.
    pub async fn missing_of(
        &mut self,
        store: &Store,
        connection: &Connection,
        gone: impl Iterator<Item = &String>,
    ) -> Result<(), store::Error> {
        self.known = groups::total(store, connection, "group").await?;
        let gone: Vec<String> = gone.filter(|id| !self.met.contains(&digest(id))).cloned().collect();
        let mut known: Vec<groups::Placed> = groups::among(store, connection, &gone).await?.into_values().collect();
        known.sort_unstable_by(|one, other| one.external_id.cmp(&other.external_id));
        for group in known {
            let members = groups::count_members(store, &connection.tenant_id, &group.id, 10_000_001).await?;
            self.gone.push((group.external_id, members.max(1)));
            self.differs = true;
        }
        Ok(())
    }

    pub fn met(&self) -> i64 {
        i64::try_from(self.met.len()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_an_identifier_is_read_and_odd_bytes_are_none() {
        let mut whole = vec![1, 5, 0, 0, 0, 0, 0, 5];
        whole.extend([21_u32, 1, 2, 3, 513].iter().flat_map(|number| number.to_le_bytes()));
        assert_eq!(relative_id(&whole), Some(513));
        for odd in [vec![], vec![1], vec![1, 0, 0, 0, 0, 0, 0, 5], vec![1, 9, 0]] {
            assert_eq!(relative_id(&odd), None, "{odd:?}");
        }
    }
}
