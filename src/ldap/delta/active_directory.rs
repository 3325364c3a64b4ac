//! What both ways of Active Directory share: which database answers, what a folder that moved means for those in it, and who
//! went. An id that changed, was deleted or lies elsewhere is a candidate; of those, who is not shown in the area is gone.

use super::cookie::{Fingerprint, Place};
use super::{Change, Deletions, Doubt, Frame, Step, Stop, Verdict, changes};
use crate::ldap::connect::Session;
use crate::ldap::dn::is_within;
use crate::ldap::entry::Entry;
use crate::ldap::failure::{Answer, Cause};
use crate::ldap::identity::external_id;
use crate::ldap::root::Root;
use crate::ldap::search::{Complete, End, Item, Pages, Query, Read, run};
use crate::ldap::settings::Area;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;

/// Ids that changed, in a whole domain: with more, reading everything is less work.
pub(super) const CANDIDATES_MAX: usize = 200_000;
/// Folders that may have moved at once.
const FOLDERS_MAX: usize = 1_000;

/// The classes of entries in which others lie.
pub(super) const FOLDER_CLASSES: [&str; 3] = ["organizationalUnit", "container", "builtinDomain"];

/// A server and its database.
pub(super) struct Server {
    pub root: Root,
    /// Another one after the database was restored: its counts and places are new then.
    pub invocation: [u8; 16],
}

impl Server {
    pub async fn read(session: &mut Session) -> Result<Self, Stop> {
        let root = Root::read(session).await?;
        let service = root.service.clone().ok_or(Doubt::NoPlace)?;
        let attributes = [String::from("invocationId")];
        let mut found: Option<Entry> = None;
        let result = run(session, Query::one(&service, &attributes), |item| {
            if let Item::Entry(Ok(entry)) = item {
                found = Some(entry);
            }
            Ok(())
        })
        .await?;
        if result.rc != 0 {
            return Err(Cause::Answer(Answer::of(&result)).into());
        }
        let entry = found.ok_or(Doubt::NoPlace)?;
        let value = entry.find("invocationId").and_then(|found| found.values.first()).ok_or(Doubt::NoPlace)?;
        Ok(Self { root, invocation: value.as_slice().try_into().map_err(|_| Doubt::NoPlace)? })
    }

    /// The naming context in which the area lies.
    pub fn context(&self, area: &Area) -> Result<String, Doubt> {
        let context = self.root.context_of(&area.base).or(self.root.default_naming_context.as_deref());
        context.map(str::to_owned).ok_or(Doubt::Contradiction("the base lies in none of its naming contexts"))
    }
}

/// A read that has begun.
pub(super) struct Phase {
    /// Where the next read begins: from before anything of this one was asked.
    pub next: Place,
    pub kind: Kind,
}

pub(super) enum Kind {
    Listing(Box<Pages>),
    Delta { queue: Box<Queue>, deletions: Deletions },
}

impl Phase {
    pub async fn step(&mut self, frame: &Frame, fingerprint: &Fingerprint, session: &mut Session) -> Result<Step, Stop> {
        let cookie = || frame.cookie(fingerprint, self.next.clone());
        Ok(match &mut self.kind {
            Kind::Listing(pages) => match pages.next(session).await {
                Read::Page(page) => Step::Changes(changes(page)),
                Read::End(End::Complete(complete)) => Step::End(Verdict::Listing { complete, cookie: Some(cookie()) }),
                Read::End(End::Cut(cut)) => Step::End(Verdict::Cut(cut)),
            },
            Kind::Delta { queue, deletions } => match queue.step(frame, session).await? {
                Some(changes) => Step::Changes(changes),
                None => Step::End(Verdict::Delta { cookie: cookie(), deletions: deletions.clone() }),
            },
        })
    }
}

/// Reads still to be done, and what they found.
#[derive(Default)]
pub(super) struct Queue {
    tasks: VecDeque<Task>,
    candidates: HashSet<String>,
    shown: HashSet<String>,
    said_who_went: bool,
}

enum Task {
    /// What it finds is in the area.
    Show(Pages),
    /// What it finds is not in it, or was not.
    Candidates(Pages),
    /// Those of these ids that are in the area.
    Ids(Vec<[u8; 16]>),
}

impl Queue {
    pub fn show(&mut self, pages: Pages) {
        self.tasks.push_back(Task::Show(pages));
    }

    pub fn candidates(&mut self, pages: Pages) {
        self.tasks.push_back(Task::Candidates(pages));
    }

    pub fn ids(&mut self, ids: Vec<[u8; 16]>) {
        self.tasks.push_back(Task::Ids(ids));
    }

    pub fn candidate(&mut self, id: String) {
        self.candidates.insert(id);
    }

    /// The folders that changed: those in the area are read anew, since nobody in them is told of; those outside may have
    /// been in it.
    pub fn folders(&mut self, frame: &Frame, folders: Vec<String>) -> Result<(), Doubt> {
        if folders.len() > FOLDERS_MAX {
            return Err(Doubt::TooMuch { what: "folders", max: FOLDERS_MAX });
        }
        let (inside, outside) = subtrees(folders, &frame.area.base);
        let area = |base: String| Area { base, ..frame.area.clone() };
        for base in outside {
            self.candidates(Pages::new(&frame.settings, &area(base), Vec::new()).at_most(CANDIDATES_MAX));
        }
        for base in inside {
            self.show(Pages::new(&frame.settings, &area(base), frame.attributes.clone()));
        }
        Ok(())
    }

    /// The next changes; `None`: that was all.
    pub async fn step(&mut self, frame: &Frame, session: &mut Session) -> Result<Option<Vec<Change>>, Stop> {
        let id_attribute = &frame.area.id_attribute;
        let Some(task) = self.tasks.front_mut() else {
            if std::mem::replace(&mut self.said_who_went, true) {
                return Ok(None);
            }
            let gone = self.candidates.difference(&self.shown).cloned().map(Change::Gone);
            return Ok(Some(gone.collect()));
        };
        let (pages, shows) = match task {
            Task::Show(pages) => (pages, true),
            Task::Candidates(pages) => (pages, false),
            Task::Ids(ids) => {
                let filter = super::both(&frame.area.filter, &any_of(ids));
                let area = Area { filter, ..frame.area.clone() };
                *task = Task::Show(Pages::new(&frame.settings, &area, frame.attributes.clone()));
                return Ok(Some(Vec::new()));
            }
        };
        match pages.next(session).await {
            Read::Page(page) => {
                let unreadable = page.unreadable.iter().filter_map(|entry| entry.external_id.clone());
                let ids = page.entries.iter().filter_map(|entry| external_id(entry, id_attribute).ok()).chain(unreadable);
                if shows {
                    self.shown.extend(ids);
                    return Ok(Some(changes(page)));
                }
                self.candidates.extend(ids);
                Ok(Some(Vec::new()))
            }
            Read::End(End::Complete(complete)) => {
                everybody_has_an_id(&complete)?;
                self.tasks.pop_front();
                Ok(Some(Vec::new()))
            }
            Read::End(End::Cut(cut)) if !shows => Err(of_candidates(cut.cause)),
            Read::End(End::Cut(cut)) => Err(cut.cause.into()),
        }
    }
}

/// Too many to follow one by one are no fault: there is another way to read them.
pub(super) fn of_candidates(cause: Cause) -> Stop {
    match cause {
        Cause::TooMuch { unit, .. } if unit.starts_with("entries") => {
            Doubt::TooMuch { what: "entries", max: CANDIDATES_MAX }.into()
        }
        cause => cause.into(),
    }
}

/// Who has no id may be anybody, somebody who is said to have gone among them.
pub(super) fn everybody_has_an_id(complete: &Complete) -> Result<(), Doubt> {
    if complete.nameless().count == 0 { Ok(()) } else { Err(Doubt::Nameless(complete.nameless().clone())) }
}

/// Below the base, and elsewhere; of folders in one another the outermost. One around the base says nothing: had it moved,
/// the base would be elsewhere.
fn subtrees(mut folders: Vec<String>, base: &str) -> (Vec<String>, Vec<String>) {
    folders.sort_by_key(String::len);
    let mut chosen: Vec<String> = Vec::new();
    for folder in folders {
        if !is_within(base, &folder) && !chosen.iter().any(|outer| is_within(&folder, outer)) {
            chosen.push(folder);
        }
    }
    chosen.into_iter().partition(|folder| is_within(folder, base))
}

/// A filter for entries with one of these GUIDs.
pub(super) fn any_of(ids: &[[u8; 16]]) -> String {
    let mut filter = String::from("(|");
    for id in ids {
        filter += "(objectGUID=";
        for byte in id {
            let _never = write!(filter, "\\{byte:02x}");
        }
        filter += ")";
    }
    filter + ")"
}

/// Whether an entry is one in which others lie.
pub(super) fn is_folder(entry: &Entry) -> bool {
    let classes = entry.find("objectClass").map_or(&[][..], |found| &found.values);
    classes.iter().any(|class| FOLDER_CLASSES.iter().any(|folder| folder.as_bytes().eq_ignore_ascii_case(class)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_around_the_base_say_nothing_and_of_nested_ones_the_outermost_counts() {
        let folders = ["ou=b,ou=a,ou=people,dc=x", "OU=A,ou=People,dc=x", "dc=x", "ou=people,dc=x", "ou=gone,dc=x"];
        let (inside, outside) = subtrees(folders.map(String::from).to_vec(), "ou=people,dc=x");
        assert_eq!(inside, ["OU=A,ou=People,dc=x"]);
        assert_eq!(outside, ["ou=gone,dc=x"]);
    }

    #[test]
    fn ids_are_asked_for_byte_by_byte() {
        let filter = any_of(&[*b"0123456789abcde)", [0; 16]]);
        assert!(filter.starts_with(r"(|(objectGUID=\30\31") && filter.contains(r"\29)(objectGUID=\00"), "{filter}");
        assert!(ldap3::parse_filter(&filter).is_ok());
    }
}
