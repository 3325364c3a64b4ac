//! The look of a run: people and groups are read to the end and compared; nothing is written. Owns the order of that read,
//! the numbers the guard is handed, and the list of what waits.

use super::{Found, Mappings, Progress, Runner, Way};
use crate::ldap::connect::Session;
use crate::ldap::search::{Complete, End, Pages, Read, Unreadable};
use crate::ldap::settings::Settings;
use crate::model::directory::DirectoryServer;
use crate::provisioning::user_id::hex;
use crate::store::runs::SyncItem;
use crate::store::sync_state::SyncState;
use crate::sync::Error;
use crate::sync::confirmed::{Confirmed, ITEMS_MAX, ListHash};
use crate::sync::entry::{self, Seen as SeenEntry};
use crate::sync::group_places::GroupPlaces;
use crate::sync::guard::{self, Absence, Marks, Seen, Why};
use crate::sync::kind::Why as WhyFull;
use crate::sync::lease::Lease;
use crate::sync::members::{GroupSurvey, Groups};
use crate::sync::survey::{Against, Missing, Placed, Survey};
use crate::sync::wanted::Wanted;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

impl Runner<'_> {
    /// The next page of people, with those that can't be read, or the proof that there is none.
    pub(super) async fn people(
        &self,
        session: &mut Session,
        pages: &mut Pages,
        wanted: &Wanted,
    ) -> Result<Result<(Vec<SeenEntry>, Vec<Unreadable>), Complete>, Error> {
        match pages.next(session).await {
            Read::Page(page) => {
                let id_attribute = &self.settings.users.id_attribute;
                let entries = page.entries.iter().map(|entry| entry::read(entry, id_attribute, wanted)).collect();
                Ok(Ok((entries, page.unreadable)))
            }
            Read::End(End::Complete(complete)) => Ok(Err(complete)),
            Read::End(End::Cut(cut)) => Err(self.cut("people", &cut.cause, "user_base")),
        }
    }

    pub(super) async fn survey(
        &self,
        session: &mut Session,
        mappings: &Mappings,
        confirmed: &Confirmed,
        (lease, state, why): (Option<&Lease>, &SyncState, WhyFull),
        mut tell: impl FnMut(&Placed<'_>),
    ) -> Result<Found, Error> {
        let connection = self.connection;
        let against = self.against(mappings, confirmed, state);
        let wanted = self.wanted(&*mappings.people);
        let mut pages = Pages::new(self.settings, &self.settings.users, wanted.attributes.clone());
        let (mut survey, mut count) = (Survey::default(), 0);
        let proof = loop {
            match self.people(session, &mut pages, &wanted).await? {
                Ok((entries, unreadable)) => {
                    survey.page(&against, &entries, &mut tell).await?;
                    survey.unreadable(&unreadable, &mut tell);
                    count += (entries.len() + unreadable.len()) as u64;
                    (self.progress)(Progress::Surveyed(count));
                }
                Err(proof) => break proof,
            }
            if let Some(lease) = lease {
                lease.keep()?;
            }
        };
        let missing = survey.missing(&against, connection.options.missing_runs, &proof).await?;
        if let Some(area) = &self.settings.groups {
            let places = GroupPlaces::read((self.store, connection), (self.settings, area), session).await?;
            survey.group_places = places.map_err(|cause| self.cut("groups", &cause, "group_base"))?;
        }
        let groups = self.survey_groups(session, mappings, &survey, lease).await?;
        let server = session.address.to_string();
        let mut seen = self.seen(&survey, &missing, groups.as_ref(), state, (&server, confirmed));
        // One that stands in for a delta goes on with its budget.
        if !why.is_its_turn() {
            seen.spent = state.spent;
        }
        let held = guard::held(&seen, connection.options.budget);
        let way = Way::Full { why, places: None, without: None };
        Ok(Found { survey, missing, groups, state: state.clone(), server, takes: seen.taken(&held), held, way })
    }

    pub(super) fn against<'r>(&'r self, mappings: &'r Mappings, confirmed: &'r Confirmed, state: &SyncState) -> Against<'r> {
        Against {
            store: self.store,
            connection: self.connection,
            mapping: &*mappings.people,
            confirmed,
            now: self.clock.now(),
            later: self.later(),
            newest_before: state.newest_id.clone(),
        }
    }

    pub(super) async fn survey_groups(
        &self,
        session: &mut Session,
        mappings: &Mappings,
        people: &Survey,
        lease: Option<&Lease>,
    ) -> Result<Option<GroupSurvey>, Error> {
        let Some(area) = &self.settings.groups else { return Ok(None) };
        let mapping = mappings.groups.as_deref();
        let mut groups = Groups::new(self.settings, area, mapping);
        let mut survey = GroupSurvey::default();
        loop {
            let page = groups.next(session, &people.primary).await.map_err(|cause| self.cut("groups", &cause, "group_base"))?;
            match page {
                Ok((page, unreadable)) => {
                    survey.unreadable(unreadable);
                    for seen in page {
                        survey.group((self.store, self.connection), mapping, seen, people).await?;
                        if let Some(lease) = lease {
                            lease.keep()?;
                        }
                    }
                }
                Err(proof) => {
                    survey.missing(self.store, self.connection, &proof).await?;
                    return Ok(Some(survey));
                }
            }
        }
    }

    /// The numbers that the guard judges.
    pub(super) fn seen(
        &self,
        survey: &Survey,
        missing: &Missing,
        groups: Option<&GroupSurvey>,
        state: &SyncState,
        (server, confirmed): (&str, &Confirmed),
    ) -> Seen {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let id_attribute = self.settings.users.id_attribute.clone();
        let id_attribute_before = state.id_attribute.clone().filter(|before| !before.eq_ignore_ascii_case(&id_attribute));
        let newest = survey.newest.as_ref().map(|(mark, _)| mark.as_str());
        let other_server = state.server.as_deref().is_some_and(|before| before != server);
        let older = guard::is_older(Marks {
            before: state.newest_mark.as_deref(),
            newest,
            of_newest_before: survey.mark_of_newest_before.as_deref(),
            other_server,
            of_its_own: self.settings.server == DirectoryServer::ActiveDirectory,
        });
        let removals = groups.map_or(0, |groups| {
            let unconfirmed = |one: &&String| !confirmed.holds("member.remove", one);
            let gone = groups.gone.iter().filter(|(id, _)| !confirmed.holds("group.leave", id));
            number(groups.leaving.iter().filter(unconfirmed).count()) + gone.map(|(_, members)| members).sum::<i64>()
        });
        Seen {
            known: missing.known,
            met: survey.met(),
            missing_in_all: missing.all,
            missing: number(missing.unconfirmed.len()),
            leaving: number(missing.unconfirmed.iter().filter(|(_, absence)| *absence == Absence::Leaves).count()),
            barring: number(survey.barring().count()),
            removals,
            spent: 0,
            known_groups: groups.map_or(0, |groups| groups.known),
            met_groups: groups.map_or(0, GroupSurvey::met),
            without_id: missing.without_id,
            area_changed: state.area.as_ref().is_some_and(|before| *before != self.area()),
            id_attribute_before: id_attribute_before.filter(|_| !confirmed.holds("run.id_attribute", &id_attribute)),
            id_attribute,
            older: (older && !confirmed.holds("run.server", server)).then(|| server.to_owned()),
            mass: survey.mass(),
        }
    }

    /// What is asked for, as it is compared with the next run.
    pub(super) fn area(&self) -> String {
        let Settings { server, users, groups, .. } = self.settings;
        let groups = groups.as_ref().map(|area| [area.base.as_str(), area.filter.as_str()]).unwrap_or_default();
        let text = format!("{server:?}\n{}\n{}\n{}", users.base, users.filter, groups.join("\n"));
        hex(&Sha256::digest(text))[..32].to_owned()
    }
}

/// What would be held, one by one as far as they are kept, how many there are, and the hash of all.
pub(super) fn list(found: &Found, confirmed: &Confirmed) -> ((Vec<SyncItem>, usize), String) {
    let (mut items, mut hash) = (Vec::new(), ListHash::default());
    let held = &found.held;
    let mut add = |action: &'static str, subject: &str, detail: Value| {
        hash.add(action, subject);
        if items.len() < ITEMS_MAX {
            items.push(SyncItem { action, subject: subject.to_owned(), detail: detail.to_string() });
        }
    };
    for why in &held.everything {
        match why {
            Why::IdAttribute { now, .. } => add("run.id_attribute", now, json!({})),
            Why::Older { server } => add("run.server", server, json!({})),
            _ => {}
        }
    }
    // What can't be judged yet can't be let through one by one.
    if held.everything.is_empty() {
        if !held.absence.is_empty() {
            let leaving = found.missing.unconfirmed.iter().filter(|(_, absence)| *absence == Absence::Leaves);
            leaving.for_each(|(id, _)| add("user.leave", id, json!({})));
        }
        if !held.barring.is_empty() {
            found.survey.barring().for_each(|id| add("user.bar", id, json!({})));
        }
        if !held.changes.is_empty() {
            found.survey.changing().for_each(|(id, subject)| add("user.change", subject, json!({"external_id": id})));
        }
        if let Some(groups) = found.groups.as_ref().filter(|_| !held.removals.is_empty()) {
            for one in groups.leaving.iter().filter(|one| !confirmed.holds("member.remove", one)) {
                add("member.remove", one, json!({}));
            }
            for (id, members) in groups.gone.iter().filter(|(id, _)| !confirmed.holds("group.leave", id)) {
                add("group.leave", id, json!({"members": members}));
            }
        }
    }
    let all = hash.len();
    ((items, all), hash.text())
}
