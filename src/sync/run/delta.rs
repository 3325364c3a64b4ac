//! A run that reads what changed since the last one, and the place of a complete one from which the next goes on. Owns where
//! places are kept and what they belong to. Whatever is in doubt, or would have to wait for somebody's word, is left to a
//! complete read before anything was written: a delta either does all it saw or nothing.

use super::{Found, Mappings, Memory, Places, Runner, Way};
use crate::clock::{Micros, SECOND};
use crate::ldap::by_id;
use crate::ldap::connect::Session;
use crate::ldap::delta::cookie::Cookie;
use crate::ldap::delta::folders::folders;
use crate::ldap::delta::place::{self, NoPlace, Taken};
use crate::ldap::delta::{Deletions, Doubt, Strategy};
use crate::ldap::entry::Entry;
use crate::ldap::failure::Cause;
use crate::ldap::identity::{external_id, filter_of};
use crate::ldap::settings::Area;
use crate::model::directory::Deltas;
use crate::model::dn::dn_key;
use crate::provisioning::user_id::hex;
use crate::store::sync_state::SyncState;
use crate::store::{self, groups, identities, runs};
use crate::sync::affected::{self, Failed, ToldGroups};
use crate::sync::changes::{self, Changed, ENTRIES_MAX, Fell};
use crate::sync::confirmed::Confirmed;
use crate::sync::entry::{self, Seen};
use crate::sync::group_places::GroupPlaces;
use crate::sync::kind::{Facts, Kind, Why, kind};
use crate::sync::lease::Lease;
use crate::sync::members::{GroupSurvey, Reader};
use crate::sync::survey::{RESTLESS_MAX, Survey};
use crate::sync::{Error, guard, inbox, schedule};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};

/// People who could not be taken in and are tried again though their entries stay.
const AGAIN_MAX: usize = 200;
/// Groups that are read again because of whom they hold; with more, everything is read.
const GROUPS_MAX: usize = 500;
/// Rows read at a time where a directory names everybody who is there.
const PRESENT_PER_READ: i64 = 2_000;

/// What ends a delta before it wrote anything.
pub(super) enum Stop {
    Fell(Fell),
    Error(Error),
}

impl From<Fell> for Stop {
    fn from(fell: Fell) -> Self {
        Self::Fell(fell)
    }
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// What was noted before a complete read.
#[derive(Default)]
pub(super) struct Begun {
    pub people: Option<Taken>,
    pub groups: Option<Taken>,
    pub folders: Option<String>,
    /// Why the next run reads everything, too.
    pub without: Option<String>,
}

/// Is the id one that people give, and not the server? The ways that tell deletions go by the server's own.
fn is_anybodys(strategy: Strategy, area: &Area) -> bool {
    let own = ["entryUUID", "nsUniqueId", "objectGUID"];
    strategy == Strategy::Modified && !own.iter().any(|name| area.id_attribute.eq_ignore_ascii_case(name))
}

impl Runner<'_> {
    /// What the next run reads.
    ///
    /// # Errors
    /// The store's.
    pub async fn due(&self, mappings: &Mappings, state: &SyncState) -> Result<Kind, Error> {
        let directory = &self.connection.options.directory;
        let held = runs::syncs_in_state(self.store, self.connection, "held").await?;
        let confirmed = runs::syncs_in_state(self.store, self.connection, "confirmed").await?;
        Ok(kind(&Facts {
            asked: self.full,
            off: directory.deltas == Deltas::Off,
            now: self.clock.now(),
            full_at: state.full_at,
            full_every: Micros::from(directory.full_every_seconds) * SECOND,
            changed_at: self.connection.updated_at,
            waits: !held.is_empty() || !confirmed.is_empty(),
            question: &self.question(mappings),
            question_before: state.question.as_deref(),
            has_places: state.people_place.is_some() && (state.groups_place.is_some() || self.settings.groups.is_none()),
            knows_the_restless: state.restless.is_some(),
        }))
    }

    /// What is asked and what is made of it: with another, what is stored is not what a delta would go on from.
    pub(super) fn question(&self, mappings: &Mappings) -> String {
        let named = |mapping: &dyn crate::mapping::Mapping| format!("{} {}", mapping.name(), mapping.version());
        let groups = mappings.groups.as_deref().map(named).unwrap_or_default();
        let ids = self.settings.groups.as_ref().map(|area| area.id_attribute.as_str()).unwrap_or_default();
        // One that is changed while everything is read is another one than the one that was read with.
        let changed = self.connection.updated_at.to_string();
        let parts = [&self.area(), &self.settings.users.id_attribute, ids, &named(&*mappings.people), &groups, &changed];
        hex(&Sha256::digest(parts.join("\n")))[..32].to_owned()
    }

    /// Until when whoever is not seen to change is not looked at again: the next complete read has begun by then.
    pub(super) fn later(&self) -> Micros {
        let every = Micros::from(self.connection.options.directory.full_every_seconds) * SECOND;
        self.clock.now() + every + schedule::every(self.connection).unwrap_or(every)
    }

    fn seal(&self, what: &str, cookie: &Cookie) -> Vec<u8> {
        self.keys.seal(&cookie.to_bytes(), &format!("sync {what} {}", self.connection.id), self.entropy)
    }

    fn open(&self, what: &str, sealed: Option<&Vec<u8>>) -> Result<Cookie, Fell> {
        let sealed = sealed.ok_or(Doubt::NoPlace)?;
        let bytes = self.keys.open(sealed, &format!("sync {what} {}", self.connection.id)).map_err(|_| Doubt::Damaged)?;
        Ok(Cookie::from_bytes(bytes.expose())?)
    }

    /// Takes the places of a complete read before it begins. Without them the read is as good; the next run is complete, too.
    pub(super) async fn begin(&self, mappings: &Mappings, state: &SyncState, why: &Why) -> Result<(Session, Begun), Error> {
        let mut session = self.session().await?;
        let deltas = self.connection.options.directory.deltas;
        if deltas == Deltas::Off {
            return Ok((session, Begun::default()));
        }
        // One that just turned out to be in doubt leads nowhere.
        let given = |what, sealed| self.open(what, sealed).ok().filter(|_| !why.is_in_doubt());
        let people = given("people", state.people_place.as_ref());
        let groups = given("groups", state.groups_place.as_ref());
        match self.places(&mut session, mappings, (people, groups)).await {
            Ok(begun) => Ok((session, begun)),
            Err(no) => {
                let without = Some(match no {
                    NoPlace::Unfit(why) => why,
                    NoPlace::Cause(cause) => cause.to_string(),
                });
                // Some of it may still be on its way.
                Ok((self.session().await?, Begun { without, ..Begun::default() }))
            }
        }
    }

    async fn places(
        &self,
        session: &mut Session,
        mappings: &Mappings,
        (people, groups): (Option<Cookie>, Option<Cookie>),
    ) -> Result<Begun, NoPlace> {
        let (settings, now, wish) = (self.settings, self.clock.now(), self.connection.options.directory.deltas);
        let wanted = self.wanted(&*mappings.people).attributes;
        let mut begun = Begun {
            people: Some(place::take(session, (settings, &settings.users), wanted, (wish, people), now).await?),
            ..Begun::default()
        };
        if let Some(area) = &settings.groups {
            let wanted = Reader::new(settings, area, mappings.groups.as_deref()).attributes;
            begun.groups = Some(place::take(session, (settings, area), wanted, (wish, groups), now).await?);
        }
        if [&begun.people, &begun.groups].into_iter().flatten().any(|taken| taken.strategy().is_blind_to_folders()) {
            let found = folders(session, settings).await?;
            begun.folders = Some(found.ok_or_else(|| NoPlace::Unfit(String::from("there are too many folders to look at")))?);
        }
        Ok(begun)
    }

    /// The places of a complete read, to be kept.
    pub(super) fn places_after(&self, mappings: &Mappings, begun: Begun, survey: &Survey) -> Places {
        let newest = survey.newest.as_ref().map(|(mark, _)| mark.as_str());
        let people = begun.people.and_then(|taken| taken.after(newest));
        // Groups are read after people, so that what holds for the beginning of the one holds for the other.
        let groups = begun.groups.and_then(|taken| taken.after(newest));
        let restless: BTreeSet<&String> = survey.restless.iter().collect();
        Places {
            by: people.as_ref().map(Cookie::strategy),
            people: people.map(|cookie| self.seal("people", &cookie)),
            groups: groups.map(|cookie| self.seal("groups", &cookie)),
            folders: begun.folders,
            restless: (restless.len() <= RESTLESS_MAX).then(|| serde_json::json!(restless).to_string()),
            question: self.question(mappings),
        }
    }

    /// Reads what changed and judges it; nothing is written.
    pub(super) async fn changed(
        &self,
        mappings: &Mappings,
        confirmed: &Confirmed,
        (lease, state): (&Lease, &SyncState),
    ) -> Result<(Session, Found), Stop> {
        let (store, connection, settings) = (self.store, self.connection, self.settings);
        let cookie = self.open("people", state.people_place.as_ref())?;
        let strategy = cookie.strategy();
        let groups_cookie = match &settings.groups {
            Some(_) => Some(self.open("groups", state.groups_place.as_ref())?),
            None => None,
        };
        let blind = [Some(&cookie), groups_cookie.as_ref()].into_iter().flatten().any(|one| one.strategy().is_blind_to_folders());
        let mut session = self.session().await?;
        let wanted = self.wanted(&*mappings.people);

        // People who changed, and those of whom another look may come to something else.
        let area = &settings.users;
        let read = changes::read(&mut session, (settings, area), wanted.attributes.clone(), cookie, self.clock.now()).await;
        let mut people = read.map_err(|stop| self.of(stop, "people", "user_base"))?;
        self.tells(&people.deletions)?;
        let restless: Vec<String> =
            state.restless.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        // Whoever could not be stored is told of by nobody; whose entry can't be taken is mostly told of when it can.
        let mut again = inbox::standing(store, connection, &["sync_failed"]).await?;
        if again.len() > AGAIN_MAX {
            return Err(Fell::TooMuch { what: "people could not be stored", max: AGAIN_MAX }.into());
        }
        again.extend(inbox::standing(store, connection, &["sync_rejected"]).await?);
        again.truncate(AGAIN_MAX);
        again.extend(restless.iter().cloned());
        self.by_ids(&mut session, area, &wanted.attributes, (&mut people, again)).await?;
        let twice = inbox::standing(store, connection, &["sync_id_twice"]).await?;
        if let Some(id) = people.ids(&area.id_attribute).find(|id| twice.contains(id)) {
            return Err(Fell::IdTwice(id).into());
        }
        let against = self.against(mappings, confirmed, state);
        let seen: Vec<Seen> = people.entries.iter().map(|one| entry::read(one, &area.id_attribute, &wanted)).collect();
        let mut survey = Survey::default();
        for some in seen.chunks(usize::try_from(settings.page_size).unwrap_or(500)) {
            survey.page(&against, some, |_| {}).await?;
        }
        survey.unreadable(&people.unreadable, |_| {});
        if is_anybodys(strategy, area) {
            let moved: Vec<String> = survey.movers().cloned().collect();
            let moved = identities::external_ids_of(store, connection, &moved).await?;
            self.only_once(&mut session, area, moved.values()).await?;
        }
        let gone = match &people.deletions {
            Deletions::Unseen | Deletions::Told => people.gone.clone(),
            Deletions::AllBut(there) => self.all_but(there, &people).await?,
        };
        let counts = matches!(people.deletions, Deletions::AllBut(_));
        let missing = survey.missing_of(&against, connection.options.missing_runs, (&gone, counts)).await?;
        lease.keep()?;

        // Groups that changed, and those that are touched by it.
        let mut touched: HashSet<String> = people.ids(&area.id_attribute).chain(gone).collect();
        touched.extend(seen.iter().map(|one| dn_key(&one.dn)));
        let mut memory = Memory { people: seen, groups: Vec::new(), seen: touched };
        let mut groups = None;
        let mut groups_place = None;
        if let (Some(area), Some(cookie)) = (&settings.groups, groups_cookie) {
            let (found, next) = self.changed_groups(&mut session, mappings, area, cookie, (&mut survey, &mut memory)).await?;
            groups_place = Some(self.seal("groups", &next));
            groups = Some(found);
        }
        if blind
            && folders(&mut session, settings).await.map_err(|cause| self.beside(cause, "folders", "user_base"))? != state.folders
        {
            return Err(Fell::Folders.into());
        }
        lease.keep()?;

        let server = session.address.to_string();
        let mut numbers = self.seen(&survey, &missing, groups.as_ref(), state, (&server, confirmed));
        // Whoever is not told of is there.
        numbers.met = numbers.known - missing.all;
        let gone_groups = groups.as_ref().map_or(0, |groups| groups.gone.len());
        numbers.met_groups = numbers.known_groups - i64::try_from(gone_groups).unwrap_or(i64::MAX);
        numbers.spent = state.spent;
        let held = guard::held(&numbers, connection.options.budget);
        if !held.is_none() {
            let words: Vec<String> = held.reasons().iter().map(|why| why.words()).collect();
            return Err(Fell::Waits(words.join("; ")).into());
        }
        let mut still: BTreeSet<String> = restless.into_iter().filter(|id| !memory.seen.contains(id)).collect();
        still.extend(survey.restless.iter().cloned());
        let places = Places {
            by: Some(strategy),
            people: Some(self.seal("people", &people.cookie)),
            groups: groups_place,
            folders: state.folders.clone(),
            restless: (still.len() <= RESTLESS_MAX).then(|| serde_json::json!(still).to_string()),
            question: self.question(mappings),
        };
        let way = Way::Delta { places, memory };
        Ok((session, Found { survey, missing, groups, held, state: state.clone(), server, takes: numbers.wanted(), way }))
    }

    fn of(&self, stop: changes::Stop, what: &str, base: &'static str) -> Stop {
        match stop {
            changes::Stop::Fell(fell) => Stop::Fell(fell),
            changes::Stop::Cause(cause) => Stop::Error(self.cut(what, &cause, base)),
        }
    }

    /// The same of a read beside that of the changes.
    fn beside(&self, cause: Cause, what: &str, base: &'static str) -> Stop {
        self.of(changes::of_a_cut(cause), what, base)
    }

    /// Nobody chose a way that does not tell who went: where it no longer does, everything is read.
    fn tells(&self, deletions: &Deletions) -> Result<(), Fell> {
        let nobody_chose = self.connection.options.directory.deltas == Deltas::Auto;
        if nobody_chose && *deletions == Deletions::Unseen { Err(Fell::Blind) } else { Ok(()) }
    }

    /// Reads those of `ids` that were not told of. Who is not found may be anywhere: nothing is concluded.
    async fn by_ids(
        &self,
        session: &mut Session,
        area: &Area,
        attributes: &[String],
        (told, ids): (&mut Changed, Vec<String>),
    ) -> Result<(), Stop> {
        let known: HashSet<String> = told.ids(&area.id_attribute).collect();
        let wanted: BTreeSet<String> = ids.into_iter().filter(|id| !known.contains(id)).collect();
        let conditions: Vec<String> = wanted.iter().filter_map(|id| filter_of(&area.id_attribute, id)).collect();
        let read = by_id::read(session, (self.settings, area), &conditions, attributes).await;
        let (entries, unreadable) = read.map_err(|cause| self.beside(cause, "entries", "user_base"))?;
        let mut once = HashSet::new();
        for entry in &entries {
            let Ok(id) = external_id(entry, &area.id_attribute) else { return Err(Fell::Nameless(entry.dn.clone()).into()) };
            if !once.insert(id.clone()) {
                return Err(Fell::IdTwice(id).into());
            }
        }
        told.entries.extend(entries);
        told.unreadable.extend(unreadable);
        if told.entries.len() > 2 * ENTRIES_MAX {
            return Err(Fell::TooMuch { what: "entries changed", max: ENTRIES_MAX }.into());
        }
        Ok(())
    }

    /// An id that people give can be given twice, and only one of the two entries changed: whoever seems to have moved must not
    /// be somebody else who got their id.
    async fn only_once(&self, session: &mut Session, area: &Area, ids: impl Iterator<Item = &String>) -> Result<(), Stop> {
        let conditions: Vec<String> = ids.filter_map(|id| filter_of(&area.id_attribute, id)).collect();
        let read = by_id::read(session, (self.settings, area), &conditions, &[]).await;
        let (entries, unreadable) = read.map_err(|cause| self.beside(cause, "entries", "user_base"))?;
        let mut once = HashSet::new();
        let ids = entries.iter().filter_map(|entry| external_id(entry, &area.id_attribute).ok());
        match ids.chain(unreadable.into_iter().filter_map(|entry| entry.external_id)).find(|id| !once.insert(id.clone())) {
            Some(id) => Err(Fell::IdTwice(id).into()),
            None => Ok(()),
        }
    }

    /// Who is in the roster, and neither among those who are there nor told of.
    async fn all_but(&self, there: &HashSet<String>, told: &Changed) -> Result<Vec<String>, store::Error> {
        let changed: HashSet<String> = told.ids(&self.settings.users.id_attribute).collect();
        let (mut gone, mut after) = (told.gone.clone(), String::new());
        loop {
            let page = identities::present(self.store, self.connection, &after, PRESENT_PER_READ).await?;
            let Some(last) = page.last() else { return Ok(gone) };
            after.clone_from(&last.external_id);
            let is_there = |id: &String| there.contains(id) || changed.contains(id);
            gone.extend(page.into_iter().map(|one| one.external_id).filter(|id| !is_there(id)));
        }
    }

    async fn all_groups_but(&self, there: &HashSet<String>, told: &Changed, area: &Area) -> Result<Vec<String>, store::Error> {
        let changed: HashSet<String> = told.ids(&area.id_attribute).collect();
        let (mut gone, mut after) = (told.gone.clone(), String::new());
        loop {
            let page = groups::present(self.store, self.connection, &after, PRESENT_PER_READ).await?;
            let Some((last, _)) = page.last() else { return Ok(gone) };
            after.clone_from(last);
            let is_there = |id: &String| there.contains(id) || changed.contains(id);
            gone.extend(page.into_iter().map(|(external_id, _)| external_id).filter(|id| !is_there(id)));
        }
    }

    async fn changed_groups(
        &self,
        session: &mut Session,
        mappings: &Mappings,
        area: &Area,
        cookie: Cookie,
        (people, memory): (&mut Survey, &mut Memory),
    ) -> Result<(GroupSurvey, Cookie), Stop> {
        let (store, connection, settings) = (self.store, self.connection, self.settings);
        let mapping = mappings.groups.as_deref();
        let (reader, strategy) = (Reader::new(settings, area, mapping), cookie.strategy());
        let cut = |cause: Cause| self.beside(cause, "groups", "group_base");
        let read = changes::read(session, (settings, area), reader.attributes.clone(), cookie, self.clock.now()).await;
        let mut told = read.map_err(|stop| self.of(stop, "groups", "group_base"))?;
        self.tells(&told.deletions)?;
        let gone = match &told.deletions {
            Deletions::Unseen | Deletions::Told => told.gone.clone(),
            Deletions::AllBut(there) => self.all_groups_but(there, &told, area).await?,
        };
        let id = |entry: &Entry| external_id(entry, &area.id_attribute).ok();
        let there = told.entries.iter().filter_map(|entry| Some((id(entry)?, entry.dn.as_str()))).collect();
        let told_groups = ToldGroups { there, gone: &gone };
        people.group_places = GroupPlaces::told((store, connection), &told_groups).await?;
        if is_anybodys(strategy, area) {
            let moved = told_groups.moved((store, connection)).await?;
            self.only_once(session, area, moved.iter()).await?;
        }
        let people = &*people;
        let (mut touched, arrived) = affected::by_names(store, connection, people, &told_groups).await?;
        touched.extend(affected::naming(session, (settings, area), &arrived).await.map_err(cut)?);
        let by_primary = affected::by_primary((store, connection), session, (settings, area), people).await;
        touched.extend(by_primary.map_err(|failed| match failed {
            Failed::Directory(cause) => cut(cause),
            Failed::Store(error) => Stop::Error(error.into()),
        })?);
        touched.extend(inbox::standing(store, connection, &["sync_group"]).await?);
        if touched.len() > GROUPS_MAX {
            return Err(Fell::TooMuch { what: "groups are touched", max: GROUPS_MAX }.into());
        }
        self.by_ids(session, area, &reader.attributes, (&mut told, touched.into_iter().collect())).await?;
        let numbers: BTreeSet<u32> = told.entries.iter().filter_map(|entry| reader.number(entry)).collect();
        let primary = affected::primary_members(session, settings, &numbers).await;
        let primary = primary.map_err(|stop| self.of(stop, "groups", "group_base"))?;
        memory.seen.extend(told.ids(&area.id_attribute).chain(gone.iter().cloned()));
        memory.seen.extend(told.entries.iter().map(|entry| entry.dn.clone()));
        memory.groups = told.entries.iter().map(|entry| reader.seen(entry, &primary)).collect();
        let mut survey = GroupSurvey::default();
        survey.unreadable(told.unreadable);
        for seen in memory.groups.iter().cloned() {
            survey.group((store, connection), mapping, seen, people).await?;
        }
        survey.missing_of(store, connection, gone.iter()).await?;
        Ok((survey, told.cookie))
    }
}
