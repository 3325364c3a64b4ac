//! Changes by Active Directory's DirSync, which tells them for a whole naming context and in fragments. Only ids are taken
//! from those: what changed is read again as it is now, by its id and in its area, so that nothing has to be pieced together
//! and who left the area is seen. A first place costs an answer with everything in it, of which nothing is kept.

use super::active_directory::{FOLDER_CLASSES, Kind, Phase, Queue, Server, any_of};
use super::cookie::{Fingerprint, PLACE_BYTES_MAX, Place};
use super::{Deletions, Doubt, Frame, Step, Stop, both, is_about_the_place, wire};
use crate::ldap::connect::Session;
use crate::ldap::entry::Entry;
use crate::ldap::failure::{Answer, Cause};
use crate::ldap::identity::external_id;
use crate::ldap::search::{End, Item, Pages, Query, Read, run};
use crate::ldap::settings::Area;
use ldap3::{LdapResult, Scope};
use std::collections::HashSet;

/// Entries read again with one question.
const IDS_AT_ONCE: usize = 50;
/// Entries that are read again one by one; with more, reading everything is less work.
const CHANGED_MAX: usize = 50_000;
/// Fragments in all answers together: a whole domain, computers and all, the first time. Nothing of them is kept but ids.
const FRAGMENTS_MAX: usize = 10_000_000;
/// Answers in a row that bring nothing though they say that there is more.
const EMPTY_ANSWERS_MAX: usize = 100;
/// Insufficient rights.
const NO_RIGHT: u32 = 50;

pub(super) struct Reader {
    fingerprint: Fingerprint,
    since: Option<Since>,
    phase: Option<Phase>,
}

#[derive(Clone)]
struct Since {
    invocation: [u8; 16],
    secured: bool,
    cookie: Vec<u8>,
}

/// The ids in the fragments of one answer after the other.
#[derive(Default)]
struct Fragments {
    deleted: Vec<String>,
    changed: HashSet<[u8; 16]>,
    /// Renamed, moved or new.
    moved: HashSet<[u8; 16]>,
    nameless: bool,
}

impl Reader {
    pub fn new(fingerprint: Fingerprint, place: Option<&Place>) -> Result<Self, Doubt> {
        let since = match place {
            None => None,
            Some(Place::DirSync { invocation, secured, cookie }) => {
                Some(Since { invocation: *invocation, secured: *secured, cookie: cookie.clone() })
            }
            Some(_) => return Err(Doubt::Damaged),
        };
        Ok(Self { fingerprint, since, phase: None })
    }

    pub async fn step(&mut self, frame: &Frame, session: &mut Session) -> Result<Step, Stop> {
        let phase = match &mut self.phase {
            Some(phase) => phase,
            None => {
                let begun = self.begin(frame, session).await?;
                self.phase.insert(begun)
            }
        };
        phase.step(frame, &self.fingerprint, session).await
    }

    async fn begin(&self, frame: &Frame, session: &mut Session) -> Result<Phase, Stop> {
        let Some(since) = &self.since else {
            let next = place(frame, session).await?;
            let pages = Pages::new(&frame.settings, &frame.area, frame.attributes.clone());
            return Ok(Phase { next, kind: Kind::Listing(Box::new(pages)) });
        };
        let server = Server::read(session).await?;
        let context = server.context(&frame.area)?;
        let invocation = server.invocation;
        if since.invocation != invocation {
            return Err(Doubt::OtherServer.into());
        }
        let mut fragments = Fragments::default();
        let (secured, attributes) = (since.secured, watched(frame));
        let cookie = tell(session, (&context, &attributes), (secured, since.cookie.clone()), |entry| {
            fragments.take(&entry, &frame.area.id_attribute);
        })
        .await?;
        if fragments.nameless {
            return Err(Doubt::Contradiction("a change without an objectGUID").into());
        }
        if fragments.changed.len().max(fragments.deleted.len()) > CHANGED_MAX {
            return Err(Doubt::TooMuch { what: "entries", max: CHANGED_MAX }.into());
        }
        let folders = folders(frame, session, &context, &fragments).await?;
        let mut queue = Queue::default();
        fragments.deleted.into_iter().for_each(|id| queue.candidate(id));
        let changed: Vec<[u8; 16]> = fragments.changed.into_iter().collect();
        for ids in changed.chunks(IDS_AT_ONCE) {
            ids.iter().for_each(|id| queue.candidate(uuid::Uuid::from_bytes_le(*id).to_string()));
            queue.ids(ids.to_vec());
        }
        queue.folders(frame, folders)?;
        let deletions = if secured { Deletions::Unseen } else { Deletions::Told };
        Ok(Phase {
            next: Place::DirSync { invocation, secured, cookie },
            kind: Kind::Delta { queue: Box::new(queue), deletions },
        })
    }
}

impl Fragments {
    fn take(&mut self, entry: &Entry, id_attribute: &str) {
        let bytes = entry.find("objectGUID").and_then(|found| found.values.first());
        let Some(bytes) = bytes.and_then(|value| <[u8; 16]>::try_from(value.as_slice()).ok()) else {
            self.nameless = true;
            return;
        };
        let is_deleted =
            entry.find("isDeleted").is_some_and(|found| found.values.iter().any(|value| value.eq_ignore_ascii_case(b"TRUE")));
        // One more than can be taken is enough to know.
        if self.changed.len().max(self.deleted.len()) > CHANGED_MAX {
            return;
        }
        if is_deleted {
            self.deleted.extend(external_id(entry, id_attribute).ok());
            return;
        }
        self.changed.insert(bytes);
        if entry.find("name").is_some() || entry.find("parentGUID").is_some() {
            self.moved.insert(bytes);
        }
    }
}

/// A place from now on. The same question as later: a place is one in the answers to a question.
pub(super) async fn place(frame: &Frame, session: &mut Session) -> Result<Place, Stop> {
    let server = Server::read(session).await?;
    let context = server.context(&frame.area)?;
    let (secured, cookie) = first_place(session, &context, &watched(frame)).await?;
    Ok(Place::DirSync { invocation: server.invocation, secured, cookie })
}

/// A change to any of these brings an entry up: what the mapping reads, what the filter asks for, where and whether it is.
fn watched(frame: &Frame) -> Vec<String> {
    let mut all = frame.attributes.clone();
    all.extend(["objectGUID", "isDeleted", "name", "parentGUID"].map(String::from));
    all.extend(named_in(&frame.area.filter));
    let mut seen = HashSet::new();
    all.retain(|name| seen.insert(name.to_ascii_lowercase()));
    all
}

/// The attributes a filter names (RFC 4515 §3).
fn named_in(filter: &str) -> impl Iterator<Item = String> + '_ {
    filter.split('(').filter_map(|part| {
        let name = part.split(['=', '~', '<', '>', ':', ';', '(', ')']).next().unwrap_or_default().trim();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        is_name.then(|| name.to_owned())
    })
}

/// A place from now on: with the right to replicate, else with those of the account.
async fn first_place(session: &mut Session, context: &str, attributes: &[String]) -> Result<(bool, Vec<u8>), Stop> {
    match tell(session, (context, attributes), (false, Vec::new()), |_| ()).await {
        Err(Stop::Cause(Cause::Answer(answer))) if answer.code == NO_RIGHT => {
            Ok((true, tell(session, (context, attributes), (true, Vec::new()), |_| ()).await?))
        }
        other => Ok((false, other?)),
    }
}

/// Everything since a place, answer by answer; the place after it.
async fn tell(
    session: &mut Session,
    (context, attributes): (&str, &[String]),
    (secured, given): (bool, Vec<u8>),
    mut take: impl FnMut(Entry),
) -> Result<Vec<u8>, Stop> {
    let (mut cookie, mut all, mut empty) = (given.clone(), 0, 0);
    loop {
        let before = all;
        let query = Query {
            base: context,
            scope: Scope::Subtree,
            filter: "(objectClass=*)",
            attributes,
            controls: vec![wire::dir_sync_request(secured, &cookie)],
            from: 0,
            // Counted below, over all answers.
            entries_max: usize::MAX,
        };
        let result = run(session, query, |item| {
            let Item::Entry(item) = item else { return Ok(()) };
            all += 1;
            if all > FRAGMENTS_MAX {
                return Err(Cause::TooMuch { what: context.to_owned(), max: FRAGMENTS_MAX, unit: "changes told at once" });
            }
            // A fragment has ranges of its own kind; the id in it counts.
            take(item.unwrap_or_else(|odd| odd.entry));
            Ok(())
        })
        .await?;
        let (more, next) = place_after(&result, !given.is_empty())?;
        if !more {
            return Ok(next);
        }
        empty = if all == before { empty + 1 } else { 0 };
        if empty > EMPTY_ANSWERS_MAX {
            return Err(Doubt::Contradiction("more is said to come, and does not").into());
        }
        cookie = next;
    }
}

fn place_after(result: &LdapResult, given: bool) -> Result<(bool, Vec<u8>), Stop> {
    if result.rc != 0 {
        let answer = Answer::of(result);
        return Err(if given && is_about_the_place(&answer) {
            Doubt::Refused(answer).into()
        } else {
            Cause::Answer(answer).into()
        });
    }
    let control = result.ctrls.iter().find(|control| control.1.ctype == wire::DIR_SYNC);
    let read = control.and_then(|control| wire::dir_sync_response(control.1.val.as_deref()?));
    match read {
        Some((more, next)) if !next.is_empty() && next.len() <= PLACE_BYTES_MAX => Ok((more, next)),
        _ => Err(Cause::Malformed(String::from("the control of DirSync")).into()),
    }
}

/// The folders among what was renamed, moved or made.
async fn folders(frame: &Frame, session: &mut Session, context: &str, fragments: &Fragments) -> Result<Vec<String>, Stop> {
    let classes = FOLDER_CLASSES.map(|class| format!("(objectClass={class})")).concat();
    let moved: Vec<[u8; 16]> = fragments.moved.iter().copied().collect();
    let mut found = Vec::new();
    for ids in moved.chunks(IDS_AT_ONCE) {
        let filter = both(&format!("(|{classes})"), &any_of(ids));
        let area = Area { base: context.to_owned(), filter, ..frame.area.clone() };
        let mut pages = Pages::new(&frame.settings, &area, Vec::new());
        loop {
            match pages.next(session).await {
                Read::Page(page) => found.extend(page.entries.into_iter().map(|entry| entry.dn)),
                Read::End(End::Complete(_)) => break,
                Read::End(End::Cut(cut)) => return Err(cut.cause.into()),
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_a_filter_are_watched() {
        let filter =
            "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2))(mail~=a\\28b)(n>=1))";
        let names: Vec<String> = named_in(filter).collect();
        assert_eq!(names, ["objectCategory", "objectClass", "userAccountControl", "mail", "n"]);
    }
}
