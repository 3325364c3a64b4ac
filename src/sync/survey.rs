//! What a complete read of a directory shows, beside what is stored. Nothing is written, and no document is kept: of an
//! entry there remains its id and hash, a few bytes each, so that a run over a hundred thousand people needs hardly more
//! memory than one over a thousand.

use super::confirmed::Confirmed;
use super::entry::{Seen, digest};
use super::group_places::GroupPlaces;
use super::guard::{Absence, absence};
use crate::ldap::search::{Complete, Unreadable};
use crate::mapping::{Absent, Gate, Given, Input, Mapped, Mapping, Rule};
use crate::model::connection::Connection;
use crate::model::dn::dn_key;
use crate::model::event::LogEntry;
use crate::model::identity::IdentityState;
use crate::provisioning::decide::entry_hash;
use crate::provisioning::sync::Entry;
use crate::store::identities::{self, Followed};
use crate::store::{self, Store, groups};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Rows of people read at a time.
const PRESENT_PER_READ: i64 = 2_000;
/// People whom the clock changes; with more, everything is read each time.
pub const RESTLESS_MAX: usize = 1_000;
/// Entries that can't be taken in and are remembered one by one; the others are counted.
pub const REFUSED_MAX: usize = 1_000;

/// What a survey compares with.
pub struct Against<'a> {
    pub store: &'a Store,
    pub connection: &'a Connection,
    pub mapping: &'a dyn Mapping,
    pub confirmed: &'a Confirmed,
    /// The instant of the run.
    pub now: i64,
    /// Until when whoever is not seen to change is not looked at again.
    pub later: i64,
    /// Whose change was the latest that the last run saw: external id.
    pub newest_before: Option<String>,
}

/// Where one entry stands.
pub struct Placed<'a> {
    /// `create`, `return`, `update`, `unchanged`, `skip`, `deny`, `rejected`, `without_id`, `unreadable`.
    pub change: &'static str,
    pub external_id: &'a str,
    pub dn: &'a str,
    pub reason: Option<String>,
}

/// An entry that nobody can be made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused {
    /// As an inbox row.
    pub kind: &'static str,
    pub subject: String,
    pub dn: String,
    pub reasons: Vec<(String, String)>,
    /// Whose address the entry has.
    pub elsewhere: Option<Box<Elsewhere>>,
}

/// The address of an entry is a profile's that another connection feeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Elsewhere {
    /// JSON text: the profile.
    pub detail: String,
    /// Tells of the row when it is opened.
    pub log: LogEntry,
}

/// What was found so far.
#[derive(Default)]
pub struct Survey {
    met: HashSet<u128>,
    twice: HashSet<u128>,
    /// What is to be written: id and hash of the entry.
    pending: HashMap<u128, u128>,
    /// By kind of change.
    pub counts: BTreeMap<&'static str, u64>,
    /// Known people whom their entry bars, without those that are confirmed.
    barring: Vec<String>,
    /// Known people who change, as they are confirmed by: id and hash.
    changing: Vec<(String, String)>,
    /// Of people who had a value, in how many a target changes.
    changes: BTreeMap<String, i64>,
    /// Known people who were missing and are there again.
    pub seen_again: Vec<String>,
    without_id: HashMap<String, String>,
    pub refused: Vec<Refused>,
    /// The latest change: when, and whose.
    pub newest: Option<(String, String)>,
    pub mark_of_newest_before: Option<String>,
    /// Known people whose DN is another one by now: its key, and the identity.
    pub moved: HashMap<String, String>,
    /// Those identities.
    movers: HashSet<String>,
    /// By the number of their primary group (Active Directory): the keys of people's DNs.
    pub primary: HashMap<u32, Vec<u128>>,
    /// Known groups that are called otherwise by now, or are gone.
    pub group_places: GroupPlaces,
    /// Of whom the mapping says something else later though the entry stays: external ids, one more than are remembered at most.
    pub restless: Vec<String>,
    /// DNs of people who are new there.
    pub arrived: Vec<String>,
    /// By the number of their primary group, who is known: identities; `None` for somebody who is not.
    pub primary_people: Vec<(u32, Option<String>)>,
    /// In a delta who is said to be gone; of everybody else it says nothing.
    gone: Option<HashSet<u128>>,
    /// The identities of those.
    pub leavers: Vec<String>,
}

/// Who is stored and was not met; only a complete read says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missing {
    pub known: i64,
    /// All of them.
    pub all: i64,
    /// External id, and whether it is time. Without those that are confirmed.
    pub unconfirmed: Vec<(String, Absence)>,
    /// Let through by somebody.
    pub confirmed: Vec<String>,
    /// Entries without an id whose DN nobody known has.
    pub without_id: i64,
}

impl Survey {
    /// Places the entries of one page.
    ///
    /// # Errors
    /// The store's.
    pub async fn page(
        &mut self,
        against: &Against<'_>,
        entries: &[Seen],
        mut tell: impl FnMut(&Placed<'_>),
    ) -> Result<(), store::Error> {
        let ids: Vec<String> =
            entries.iter().filter_map(|seen| seen.entry.as_ref().ok()).map(|entry| entry.external_id.clone()).collect();
        let followed = identities::followed_among(against.store, against.connection, &ids).await?;
        let followed: HashMap<String, Followed> =
            followed.into_iter().map(|followed| (followed.external_id.clone(), followed)).collect();
        let stored = match against.mapping.reads_stored() {
            true => profiles(against, &ids).await?,
            false => HashMap::new(),
        };
        for seen in entries {
            let placed = match &seen.entry {
                Ok(entry) => {
                    let known = followed.get(&entry.external_id);
                    self.place(against, seen, entry, (known, stored.get(&entry.external_id)))
                }
                Err(why) => {
                    let reason = format!("the id {why}");
                    self.without_id.insert(dn_key(&seen.dn), seen.dn.clone());
                    self.refuse("sync_without_id", &dn_key(&seen.dn), &seen.dn, vec![("id".into(), reason.clone())]);
                    Placed { change: "without_id", external_id: "", dn: &seen.dn, reason: Some(reason) }
                }
            };
            *self.counts.entry(placed.change).or_default() += 1;
            tell(&placed);
        }
        Ok(())
    }

    /// Entries that are there and can't be read whole: nothing of them is taken, and nobody of them is missing.
    pub fn unreadable(&mut self, entries: &[Unreadable], mut tell: impl FnMut(&Placed<'_>)) {
        for entry in entries {
            let (external_id, reason) = (entry.external_id.as_deref().unwrap_or_default(), entry.cause.to_string());
            if external_id.is_empty() {
                self.without_id.insert(dn_key(&entry.dn), entry.dn.clone());
                self.refuse("sync_without_id", &dn_key(&entry.dn), &entry.dn, vec![(String::new(), reason.clone())]);
            } else {
                self.met.insert(digest(external_id));
                self.refuse("sync_rejected", external_id, &entry.dn, vec![(String::new(), reason.clone())]);
            }
            let placed = Placed { change: "unreadable", external_id, dn: &entry.dn, reason: Some(reason) };
            *self.counts.entry(placed.change).or_default() += 1;
            tell(&placed);
        }
    }

    /// `stored`: the person's profile, for a mapping that looks at it.
    fn place<'e>(
        &mut self,
        against: &Against<'_>,
        seen: &'e Seen,
        entry: &'e Entry,
        (known, stored): (Option<&Followed>, Option<&Map<String, Value>>),
    ) -> Placed<'e> {
        let external_id = entry.external_id.as_str();
        let place = |change, reason| Placed { change, external_id, dn: &seen.dn, reason };
        self.note(against, seen, entry);
        let id = digest(external_id);
        if !self.met.insert(id) {
            // Nobody can say who is meant: neither is taken, and whoever has the id is not missing.
            self.twice.insert(id);
            self.pending.remove(&id);
            let reason = String::from("another entry has the same id");
            self.refuse("sync_id_twice", external_id, &seen.dn, vec![("id".into(), reason.clone())]);
            return place("rejected", Some(reason));
        }
        let listed = known.filter(|known| known.listed);
        match listed {
            Some(known) => self.follow(known, &seen.dn),
            None => self.arrived.push(seen.dn.clone()),
        }
        if let Some(number) = seen.primary_group {
            self.primary_people.push((number, listed.map(|known| known.id.to_string())));
        }
        let hash = entry_hash(&entry.payload);
        let same_mapping = known.is_some_and(|known| {
            known.mapping.as_deref() == Some(against.mapping.name()) && known.mapping_version == Some(against.mapping.version())
        });
        let same_entry = same_mapping && listed.is_some_and(|known| known.raw_hash.as_ref() == Some(&hash));
        let follows_the_clock = against.mapping.follows_the_clock();
        if same_entry && !follows_the_clock {
            return place("unchanged", None);
        }
        let input = Input { payload: &entry.payload, stored, now: against.now, seed: [0; 32] };
        let mapped = against.mapping.map(&input);
        let before: Map<String, Value> =
            known.and_then(|known| serde_json::from_str(known.mapped.as_deref()?).ok()).unwrap_or_default();
        let after = mapped.to_text(Some(&before));
        if follows_the_clock && self.restless.len() <= RESTLESS_MAX {
            let then = against.mapping.map(&Input { payload: &entry.payload, stored, now: against.later, seed: [0; 32] });
            if then.gate != mapped.gate || then.to_text(Some(&before)) != after {
                self.restless.push(entry.external_id.clone());
            }
        }
        if same_entry && listed.and_then(|known| known.mapped.as_ref()) == Some(&after) {
            return place("unchanged", None);
        }
        let refused = refused(&mapped);
        if let (None, Some(("rejected", reasons))) = (listed, &refused) {
            self.refuse("sync_rejected", external_id, &seen.dn, reasons.clone());
            return place("rejected", Some(told(reasons)));
        }
        // Who left does not come back as what is not imported.
        let has_left = known.is_some_and(|known| !known.listed && known.state == IdentityState::Deleted);
        if let (true, Some(("skip", reasons))) = (has_left, &refused) {
            return place("skip", Some(told(reasons)));
        }
        self.pending.insert(id, digest(&hash));
        if let Some(known) = listed {
            self.change(against, known, &mapped, (&before, &after), (same_mapping && !same_entry, &hash));
        }
        match (refused, known) {
            (Some((what, reasons)), _) => place(what, Some(told(&reasons))),
            (None, Some(known)) if known.listed => place("update", None),
            (None, Some(known)) if known.state == IdentityState::Deleted => place("return", None),
            (None, _) => place("create", None),
        }
    }

    /// What is remembered of every entry.
    fn note(&mut self, against: &Against<'_>, seen: &Seen, entry: &Entry) {
        if let Some(mark) = &seen.mark {
            if self.newest.as_ref().is_none_or(|(newest, _)| mark > newest) {
                self.newest = Some((mark.clone(), entry.external_id.clone()));
            }
            if against.newest_before.as_ref() == Some(&entry.external_id) {
                self.mark_of_newest_before = Some(mark.clone());
            }
        }
        if let Some(number) = seen.primary_group
            && let Ok(key) = u128::from_str_radix(&dn_key(&seen.dn), 16)
        {
            self.primary.entry(number).or_default().push(key);
        }
    }

    fn follow(&mut self, known: &Followed, dn: &str) {
        if known.missing_runs > 0 {
            self.seen_again.push(known.external_id.clone());
            // The directory took them out of its groups when they went, and may have put them back.
            self.arrived.push(dn.to_owned());
        }
        let key = dn_key(dn);
        if known.dn_key.as_ref() != Some(&key) {
            self.movers.insert(known.id.to_string());
            self.arrived.push(dn.to_owned());
            self.moved.insert(key, known.id.to_string());
        }
    }

    /// What changes of somebody known.
    fn change(
        &mut self,
        against: &Against<'_>,
        known: &Followed,
        mapped: &Mapped,
        (before, after): (&Map<String, Value>, &str),
        (by_the_entry, hash): (bool, &str),
    ) {
        let barred = mapped.is_true("blocked") || matches!(mapped.gate, Some(Gate::Deny { .. }));
        let was_barred = known.state != IdentityState::Active
            || before.get("blocked") == Some(&Value::Bool(true))
            || matches!(mapped.gate, Some(Gate::Deny { .. })) && before.is_empty();
        if barred && !was_barred {
            // Counted by the budget alone: to be locked out waits for nobody who moves house.
            if !against.confirmed.holds("user.bar", &known.external_id) {
                self.barring.push(known.external_id.clone());
            }
            return;
        }
        // Another version of the mapping changes what it is meant to change.
        if !by_the_entry {
            return;
        }
        let subject = change_subject(&known.external_id, hash);
        if against.confirmed.holds("user.change", &subject) {
            return;
        }
        let after: Map<String, Value> = serde_json::from_str(after).unwrap_or_default();
        let mut changes = false;
        for (target, _) in before.iter().filter(|(target, value)| after.get(*target) != Some(value)) {
            *self.changes.entry(target.clone()).or_default() += 1;
            changes = true;
        }
        if changes {
            self.changing.push((known.external_id.clone(), subject));
        }
    }

    fn refuse(&mut self, kind: &'static str, subject: &str, dn: &str, reasons: Vec<(String, String)>) {
        if self.refused.len() < REFUSED_MAX {
            self.refused.push(Refused { kind, subject: subject.to_owned(), dn: dn.to_owned(), reasons, elsewhere: None });
        }
    }

    /// Entries with an id of their own.
    pub fn met(&self) -> i64 {
        i64::try_from(self.met.len()).unwrap_or(i64::MAX)
    }

    /// Does this look say that there is no entry of this id? A complete one does where it met none, a delta only of whom it
    /// was told.
    pub fn is_absent(&self, external_id: &str) -> bool {
        let id = digest(external_id);
        match &self.gone {
            None => !self.met.contains(&id),
            Some(gone) => gone.contains(&id) && !self.met.contains(&id),
        }
    }

    /// The identities of people whose DN is another one by now.
    pub fn movers(&self) -> impl Iterator<Item = &String> {
        self.movers.iter()
    }

    /// The attribute that changes for the most people.
    pub fn mass(&self) -> Option<(String, i64)> {
        let most = self.changes.iter().max_by_key(|(_, people)| **people)?;
        Some((most.0.clone(), *most.1))
    }

    pub fn barring(&self) -> impl Iterator<Item = &String> {
        self.barring.iter().filter(|id| !self.twice.contains(&digest(id)))
    }

    /// Who changes: external id, and what it is confirmed by.
    pub fn changing(&self) -> impl Iterator<Item = &(String, String)> {
        self.changing.iter().filter(|(id, _)| !self.twice.contains(&digest(id)))
    }

    /// Is this, by the key of a DN, somebody who has another place by now, or is gone?
    pub fn has_left_place(&self, key: &str, id: &str, external_id: Option<&str>) -> bool {
        let moved_here = self.moved.get(key).is_some_and(|mover| mover == id);
        let moved_away = !moved_here && self.movers.contains(id);
        moved_away || external_id.is_some_and(|external_id| self.is_absent(external_id))
    }

    pub fn is_anything_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// How many entries are to be written.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Takes somebody out of what is to be written.
    pub fn leave_out(&mut self, external_id: &str) {
        self.pending.remove(&digest(external_id));
    }

    /// Is this entry to be written, and still as it was surveyed? Once.
    pub fn takes(&mut self, entry: &Entry) -> bool {
        let id = digest(&entry.external_id);
        let is_it = self.pending.get(&id).is_some_and(|hash| *hash == digest(&entry_hash(&entry.payload)));
        if is_it {
            self.pending.remove(&id);
        }
        is_it
    }

    /// Who is in the roster and was not met.
    ///
    /// # Errors
    /// The store's.
    pub async fn missing(
        &mut self,
        against: &Against<'_>,
        missing_runs: u32,
        _proof: &Complete,
    ) -> Result<Missing, store::Error> {
        let mut missing = Missing::default();
        // Who lost their id, but not their place, is there.
        let keys: Vec<String> = self.without_id.keys().cloned().collect();
        let named = identities::named_among(against.store, against.connection, &keys).await?;
        for known in named.values() {
            self.met.extend(known.external_id.as_deref().map(digest));
        }
        missing.without_id = i64::try_from(keys.len() - named.len()).unwrap_or(i64::MAX);
        let mut after = String::new();
        loop {
            let page = identities::present(against.store, against.connection, &after, PRESENT_PER_READ).await?;
            let Some(last) = page.last() else { return Ok(missing) };
            after.clone_from(&last.external_id);
            missing.known += i64::try_from(page.len()).unwrap_or(0);
            for known in page.into_iter().filter(|known| !self.met.contains(&digest(&known.external_id))) {
                missing.all += 1;
                if against.confirmed.holds("user.leave", &known.external_id) {
                    missing.confirmed.push(known.external_id);
                } else {
                    missing.unconfirmed.push((known.external_id, absence(known.missing_runs, missing_runs)));
                }
            }
        }
    }
}

impl Survey {
    /// Of a delta: who of those it says are gone is in the roster. `counts` = it names who is there, so that it counts as a
    /// complete read; what is told of one who went may be told twice, and is one miss however often.
    ///
    /// # Errors
    /// The store's.
    pub async fn missing_of(
        &mut self,
        against: &Against<'_>,
        missing_runs: u32,
        (gone, counts): (&[String], bool),
    ) -> Result<Missing, store::Error> {
        let known = groups::total(against.store, against.connection, "user").await?;
        let mut missing = Missing { known, ..Missing::default() };
        self.gone = Some(gone.iter().map(|id| digest(id)).collect());
        let followed = identities::followed_among(against.store, against.connection, gone).await?;
        for one in followed.into_iter().filter(|one| one.listed && !self.met.contains(&digest(&one.external_id))) {
            missing.all += 1;
            self.leavers.push(one.id.to_string());
            let absence = match absence(one.missing_runs, missing_runs) {
                _ if !counts && missing_runs > 1 => Absence::Waits(one.missing_runs.max(1)),
                absence => absence,
            };
            missing.unconfirmed.push((one.external_id, absence));
        }
        Ok(missing)
    }
}

/// The profiles of those who have one: what is judged is what the writer will make of it.
async fn profiles(against: &Against<'_>, external_ids: &[String]) -> Result<HashMap<String, Map<String, Value>>, store::Error> {
    let found = identities::found_among(against.store, against.connection, external_ids).await?;
    let profile = |found: identities::Found| Some((found.identity.external_id?, serde_json::from_str(&found.user?.doc).ok()?));
    Ok(found.into_iter().filter_map(profile).collect())
}

/// What a change of somebody is confirmed by: this change and no later one.
fn change_subject(external_id: &str, hash: &str) -> String {
    format!("{external_id}#{}", hash.get(..16).unwrap_or(hash))
}

/// What keeps an entry out of the roster, or its person from signing in.
fn refused(mapped: &Mapped) -> Option<(&'static str, Vec<(String, String)>)> {
    match &mapped.gate {
        Some(Gate::Skip { reason }) => return Some(("skip", vec![(String::new(), reason.clone())])),
        Some(Gate::Deny { reason }) => return Some(("deny", vec![(String::new(), reason.clone())])),
        None => {}
    }
    let reason = |(rule, given): &(Rule, Given)| match given {
        Given::Error(why) if rule.required => Some((rule.target.to_string(), why.clone())),
        Given::Absent if rule.required || rule.absent == Absent::Reject => {
            Some((rule.target.to_string(), String::from("has no value")))
        }
        _ => None,
    };
    let reasons: Vec<(String, String)> = mapped.given.iter().filter_map(reason).collect();
    (!reasons.is_empty()).then_some(("rejected", reasons))
}

/// Reasons as a sentence.
pub fn told(reasons: &[(String, String)]) -> String {
    let one = |(target, why): &(String, String)| if target.is_empty() { why.clone() } else { format!("{target}: {why}") };
    reasons.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_look_misses_whom_it_did_not_meet_and_a_delta_whom_it_was_told_of() {
        let met = HashSet::from([digest("ann")]);
        let complete = Survey { met: met.clone(), ..Survey::default() };
        assert!(!complete.is_absent("ann") && complete.is_absent("bob"));
        let delta = Survey { met, gone: Some(HashSet::from([digest("ann"), digest("cay")])), ..Survey::default() };
        assert!(!delta.is_absent("ann"), "told to be gone, and shown");
        assert!(!delta.is_absent("bob"), "nobody said a word");
        assert!(delta.is_absent("cay"));
    }

    #[test]
    fn whoever_lives_elsewhere_by_now_or_is_gone_left_their_place() {
        let delta = Survey {
            gone: Some(HashSet::from([digest("gone")])),
            movers: HashSet::from([String::from("i1")]),
            moved: HashMap::from([(String::from("new"), String::from("i1"))]),
            ..Survey::default()
        };
        assert!(delta.has_left_place("old", "i1", Some("mover")));
        assert!(!delta.has_left_place("new", "i1", Some("mover")));
        assert!(!delta.has_left_place("other", "i2", Some("stays")));
        assert!(delta.has_left_place("other", "i3", Some("gone")));
    }
}
