//! Which groups a delta has to read again though nothing says that they changed: those that name somebody who came or has
//! another name by now, those in which somebody is who goes (directories shorten their lists without a word), and on Active
//! Directory whose number somebody has as their primary group. Owns that list; refuses to judge what is in them.

use super::changes::{self, Fell, Stop};
use super::survey::Survey;
use crate::ldap::by_id;
use crate::ldap::connect::Session;
use crate::ldap::entry::Entry;
use crate::ldap::failure::Cause;
use crate::ldap::identity::{bytes_in_filter, external_id};
use crate::ldap::root::Root;
use crate::ldap::settings::{Area, Settings};
use crate::model::connection::Connection;
use crate::model::directory::DirectoryServer;
use crate::model::dn::dn_key;
use crate::store::{self, Store, groups};
use crate::sync::wanted::PRIMARY_GROUP;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Groups as the directory tells them: id and DN, and who went.
pub struct ToldGroups<'t> {
    pub there: Vec<(String, &'t str)>,
    pub gone: &'t [String],
}

impl ToldGroups<'_> {
    /// Those that are stored. Active Directory tells of whatever went or changed anywhere in a domain: most are nobody's.
    ///
    /// # Errors
    /// The store's.
    pub async fn known(
        &self,
        (store, connection): (&Store, &Connection),
    ) -> Result<HashMap<String, groups::Placed>, store::Error> {
        let ids: Vec<String> = self.there.iter().map(|(id, _)| id).chain(self.gone).cloned().collect();
        groups::among(store, connection, &ids).await
    }

    /// The ids of those that are called otherwise by now.
    ///
    /// # Errors
    /// The store's.
    pub async fn moved(&self, at: (&Store, &Connection)) -> Result<Vec<String>, store::Error> {
        let known = self.known(at).await?;
        let is_elsewhere =
            |(id, dn): &&(String, &str)| known.get(id).is_some_and(|group| group.dn_key.as_ref() != Some(&dn_key(dn)));
        Ok(self.there.iter().filter(is_elsewhere).map(|(id, _)| id.clone()).collect())
    }
}

/// The ids of the groups that are touched, as far as is known here, and the DNs that are new.
///
/// # Errors
/// The store's.
pub async fn by_names(
    store: &Store,
    connection: &Connection,
    people: &Survey,
    told: &ToldGroups<'_>,
) -> Result<(BTreeSet<String>, Vec<String>), store::Error> {
    let mut arrived: Vec<String> = people.arrived.clone();
    let mut ids: Vec<String> = people.movers().chain(&people.leavers).cloned().collect();
    let known = told.known((store, connection)).await?;
    for (external_id, dn) in &told.there {
        let stored = known.get(external_id);
        if stored.is_none_or(|group| group.dn_key.as_ref() != Some(&dn_key(dn))) {
            arrived.push((*dn).to_owned());
            ids.extend(stored.map(|group| group.id.clone()));
        }
    }
    ids.extend(told.gone.iter().filter_map(|external_id| Some(known.get(external_id)?.id.clone())));
    let keys: Vec<String> = arrived.iter().map(|dn| dn_key(dn)).collect();
    let mut touched = groups::find_naming(store, connection, &keys).await?;
    touched.extend(groups::find_holding(store, connection, &ids).await?);
    Ok((touched, arrived))
}

/// The groups in which the directory names one of these DNs: it renames, and brings back, without a word of the group.
///
/// # Errors
/// They were not read to the end.
pub async fn naming(
    session: &mut Session,
    (settings, area): (&Settings, &Area),
    arrived: &[String],
) -> Result<Vec<String>, Cause> {
    let members = settings.server.member_attributes();
    let conditions: Vec<String> = arrived.iter().map(|dn| by_id::naming(members, dn)).collect();
    let (found, unreadable) = by_id::read(session, (settings, area), &conditions, &[]).await?;
    let ids = found.iter().filter_map(|entry| external_id(entry, &area.id_attribute).ok());
    Ok(ids.chain(unreadable.into_iter().filter_map(|entry| entry.external_id)).collect())
}

/// What is wrong with a read of groups by number.
pub enum Failed {
    Directory(Cause),
    Store(store::Error),
}

impl From<Cause> for Failed {
    fn from(cause: Cause) -> Self {
        Self::Directory(cause)
    }
}

impl From<store::Error> for Failed {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// Active Directory: the groups whose number one of these people has and in which they are not yet.
///
/// # Errors
/// [`Failed`].
pub async fn by_primary(
    (store, connection): (&Store, &Connection),
    session: &mut Session,
    (settings, area): (&Settings, &Area),
    people: &Survey,
) -> Result<BTreeSet<String>, Failed> {
    let mut touched = BTreeSet::new();
    let mut by_number: BTreeMap<u32, Vec<Option<&String>>> = BTreeMap::new();
    for (number, who) in &people.primary_people {
        by_number.entry(*number).or_default().push(who.as_ref());
    }
    if settings.server != DirectoryServer::ActiveDirectory || by_number.is_empty() {
        return Ok(touched);
    }
    let Some(domain) = domain(session, settings).await? else { return Ok(touched) };
    for (number, who) in by_number {
        let condition = format!("(objectSid={})", bytes_in_filter(&within(&domain, number)));
        let (found, _) = by_id::read(session, (settings, area), &[condition], &[]).await?;
        for id in found.iter().filter_map(|entry| external_id(entry, &area.id_attribute).ok()) {
            let Some(group) = groups::find_by_external_id(store, connection, &id).await? else { continue };
            let known: Vec<String> = who.iter().copied().flatten().cloned().collect();
            let inside = groups::find_members_among(store, &connection.tenant_id, group.id.as_str(), &known).await?;
            if known.len() < who.len() || inside.len() < known.len() {
                touched.insert(id);
            }
        }
    }
    Ok(touched)
}

/// The identifier of this number in a domain: one part more (MS-DTYP §2.4.2.2).
fn within(domain: &[u8], number: u32) -> Vec<u8> {
    let mut sid = domain.to_vec();
    if let Some(count) = sid.get_mut(1) {
        *count = count.saturating_add(1);
    }
    sid.extend(number.to_le_bytes());
    sid
}

/// The identifier of the domain in which the people are.
async fn domain(session: &mut Session, settings: &Settings) -> Result<Option<Vec<u8>>, Cause> {
    let root = Root::read(session).await?;
    let Some(base) = root.context_of(&settings.users.base).or(root.default_naming_context.as_deref()) else {
        return Ok(None);
    };
    let area = Area { base: base.to_owned(), filter: String::from("(objectClass=domainDNS)"), ..settings.users.clone() };
    let (found, _) =
        by_id::read(session, (settings, &area), &[String::from("(objectSid=*)")], &[String::from("objectSid")]).await?;
    Ok(found.iter().find_map(|entry| entry.find("objectSid")?.values.first().cloned()))
}

/// Active Directory: by the number of a group, the keys of the DNs of those whose primary group it is. Of a group of more than
/// [`by_id::ENTRIES_MAX`] the complete read tells.
///
/// # Errors
/// They were not read to the end, or one of them not at all.
pub async fn primary_members(
    session: &mut Session,
    settings: &Settings,
    numbers: &BTreeSet<u32>,
) -> Result<HashMap<u32, Vec<u128>>, Stop> {
    let conditions: Vec<String> = numbers.iter().map(|number| format!("({PRIMARY_GROUP}={number})")).collect();
    let attributes = [String::from(PRIMARY_GROUP)];
    let read = by_id::read(session, (settings, &settings.users), &conditions, &attributes).await;
    let (people, unreadable) = read.map_err(changes::of_a_cut)?;
    // Of whom nobody can say which group is theirs, a list of members is not one of all.
    if let Some(entry) = unreadable.into_iter().next() {
        return Err(Fell::Unreadable(entry.dn).into());
    }
    let mut members: HashMap<u32, Vec<u128>> = HashMap::new();
    for person in &people {
        if let Some((number, key)) = number_of(person).zip(u128::from_str_radix(&dn_key(&person.dn), 16).ok()) {
            members.entry(number).or_default().push(key);
        }
    }
    Ok(members)
}

fn number_of(person: &Entry) -> Option<u32> {
    std::str::from_utf8(person.find(PRIMARY_GROUP)?.values.first()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_a_domain_has_the_domains_identifier_and_its_number() {
        let domain = [1, 4, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
        let sid = within(&domain, 513);
        assert_eq!((sid[1], sid.len(), &sid[24..]), (5, 28, &[1, 2, 0, 0][..]));
    }
}
