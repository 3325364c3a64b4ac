//! Reads everything below a base, page by page (RFC 2696). Owns the proof that a read was complete: [`Complete`] is made
//! at one place, where the directory said success, that nothing follows and that nothing lies elsewhere. Everything else is
//! [`Cut`], with its cause: a result code, a limit, a connection that ended. Absence may only be concluded from the former,
//! and only where every entry could be told: [`Complete::nameless`].

use super::ber::{self, Elements};
use super::connect::Session;
use super::entry::{Entry, NotTaken, Odd};
use super::failure::{Answer, Cause};
use super::identity::external_id;
use super::ranges::{self, Whole};
use super::settings::{Area, Settings};
use crate::model::directory::DirectoryServer;
use ldap3::asn1::PL;
use ldap3::controls::{MakeCritical, PagedResults, RawControl};
use ldap3::{DerefAliases, LdapResult, Scope, SearchOptions};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// RFC 2696.
pub(super) const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// Active Directory: no references to other domains.
pub(super) const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
/// Longest place in a list that is carried on.
const COOKIE_BYTES_MAX: usize = 64 * 1024;
/// Pages in a row without an entry that are still taken for a slow search.
const EMPTY_PAGES_MAX: usize = 100;
/// Messages that are no entry, in one answer: references, and what we did not ask for.
const OTHER_MESSAGES_MAX: usize = 1_000;
/// How many times `answer_timeout` one whole answer may take. An entry each moment keeps no page going for ever.
const ANSWER_TIMES: u32 = 10;
/// All pages of one search: a million people at a hundred a second.
pub(super) const SEARCH_TIME_MAX: Duration = Duration::from_secs(3 * 60 * 60);
/// Names told where something is wrong with entries.
const SAMPLES_MAX: usize = 3;

/// A read under way. The place in the list (`cookie`) belongs to one session: with another one it begins anew.
pub struct Pages {
    area: Area,
    attributes: Vec<String>,
    page_size: u32,
    entries_max: usize,
    expect_references: bool,
    /// Beside that of the page.
    controls: Vec<RawControl>,
    cookie: Vec<u8>,
    seen: Complete,
    /// The first of the references.
    reference: Option<String>,
    /// Pages in a row that held nothing.
    empty: usize,
    began: Option<Instant>,
    ended: Option<End>,
}

/// What one step of a read gives.
#[derive(Debug)]
pub enum Read {
    Page(Page),
    End(End),
}

#[derive(Debug)]
pub struct Page {
    /// Whole: long attributes were read to their end.
    pub entries: Vec<Entry>,
    /// Entries that are there and can't be taken: whoever they are is not missing.
    pub unreadable: Vec<Unreadable>,
    /// Where the next page begins, as the directory knows it; empty after the last one.
    pub cookie: Vec<u8>,
}

/// An entry that is there and of which nothing more may be concluded, its members least of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub dn: String,
    /// `None`: nobody can say who it is, so nobody may be called missing.
    pub external_id: Option<String>,
    pub cause: Cause,
}

impl Unreadable {
    pub(super) fn of(entry: &Entry, id_attribute: &str, cause: Cause) -> Self {
        Self { dn: entry.dn.clone(), external_id: external_id(entry, id_attribute).ok(), cause }
    }
}

/// How a read ended.
#[derive(Clone, Debug)]
pub enum End {
    Complete(Complete),
    Cut(Cut),
}

/// A read that saw everything the account may see. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Complete {
    entries: usize,
    references: usize,
    nameless: Tally,
    unreadable: Tally,
}

/// How many there are of something, and the names of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: usize,
    /// DNs, three at most.
    pub samples: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, dn: &str) {
        self.count += 1;
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(dn.to_owned());
        }
    }
}

impl Complete {
    /// Of a read that has not begun: no proof of anything, and handed out by nobody.
    pub(super) fn begun() -> Self {
        Self { entries: 0, references: 0, nameless: Tally::default(), unreadable: Tally::default() }
    }

    /// Those that could not be read among them.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// References to other servers that were not followed, where the connection expects them.
    pub fn references(&self) -> usize {
        self.references
    }

    /// Entries without a usable id. While there is one, it may be anybody who is not found: nobody is missing for certain.
    pub fn nameless(&self) -> &Tally {
        &self.nameless
    }

    /// Entries that are there and could not be read whole.
    pub fn unreadable(&self) -> &Tally {
        &self.unreadable
    }

    pub(super) fn count(&mut self, entry: &Entry, id_attribute: &str) {
        self.entries += 1;
        if external_id(entry, id_attribute).is_err() {
            self.nameless.add(&entry.dn);
        }
    }

    pub(super) fn count_unreadable(&mut self, entry: &Unreadable) {
        self.entries += 1;
        self.unreadable.add(&entry.dn);
        if entry.external_id.is_none() {
            self.nameless.add(&entry.dn);
        }
    }

    pub(super) fn count_reference(&mut self) {
        self.references += 1;
    }
}

/// A read that ended early: what was not seen may be there all the same.
#[derive(Clone, Debug)]
pub struct Cut {
    pub entries: usize,
    pub cause: Cause,
}

impl Pages {
    /// Everything in `area`, of each entry these attributes and its id, `page_size` entries at a time.
    pub fn new(settings: &Settings, area: &Area, attributes: Vec<String>) -> Self {
        Self {
            attributes: with_id(attributes, &area.id_attribute),
            area: area.clone(),
            page_size: settings.page_size,
            entries_max: settings.entries_max,
            expect_references: settings.expect_references,
            controls: domain_scope(settings).into_iter().collect(),
            cookie: Vec::new(),
            seen: Complete::begun(),
            reference: None,
            empty: 0,
            began: None,
            ended: None,
        }
    }

    /// Smaller pages, for a look at a few entries.
    pub fn of_size(self, page_size: u32) -> Self {
        Self { page_size, ..self }
    }

    /// With another bound on entries than that of the connection.
    pub(super) fn at_most(self, entries_max: usize) -> Self {
        Self { entries_max, ..self }
    }

    /// With one more control.
    pub(super) fn with(mut self, control: RawControl) -> Self {
        self.controls.push(control);
        self
    }

    /// The next page, or how it ended; after the end, the same end again.
    pub async fn next(&mut self, session: &mut Session) -> Read {
        if let Some(end) = &self.ended {
            return Read::End(end.clone());
        }
        match self.page(session).await.and_then(|page| self.goes_on(page)) {
            Ok(page) => {
                if page.cookie.is_empty() {
                    self.ended = Some(self.last());
                }
                self.cookie.clone_from(&page.cookie);
                Read::Page(page)
            }
            Err(cause) => {
                let end = End::Cut(Cut { entries: self.seen.entries, cause });
                self.ended = Some(end.clone());
                Read::End(end)
            }
        }
    }

    /// Success, and nothing follows; what lies elsewhere is no part of the answer.
    fn last(&self) -> End {
        match &self.reference {
            Some(reference) if !self.expect_references => {
                let cause = Cause::References { count: self.seen.references, first: reference.clone() };
                End::Cut(Cut { entries: self.seen.entries, cause })
            }
            _ => End::Complete(self.seen.clone()),
        }
    }

    /// A few pages in a row may be empty and yet not the last (Active Directory, while a filter finds little); without a
    /// bound a server could keep a read going for ever.
    fn goes_on(&mut self, page: Page) -> Result<Page, Cause> {
        self.empty = if page.entries.is_empty() && page.unreadable.is_empty() { self.empty + 1 } else { 0 };
        if self.empty > EMPTY_PAGES_MAX {
            return Err(Cause::TooMuch {
                what: self.area.base.clone(),
                max: EMPTY_PAGES_MAX,
                unit: "pages in a row without an entry",
            });
        }
        Ok(page)
    }

    async fn page(&mut self, session: &mut Session) -> Result<Page, Cause> {
        if self.began.get_or_insert_with(Instant::now).elapsed() > SEARCH_TIME_MAX {
            return Err(Cause::TooSlow { seconds: SEARCH_TIME_MAX.as_secs() });
        }
        let size = i32::try_from(self.page_size).unwrap_or(i32::MAX);
        let mut controls: Vec<RawControl> = vec![PagedResults { size, cookie: self.cookie.clone() }.critical().into()];
        controls.extend(self.controls.iter().cloned());
        let Area { base, filter, id_attribute } = &self.area;
        let (mut found, mut entries, mut unreadable) = (0, Vec::new(), Vec::new());
        let (max, room) = (self.page_size as usize, self.entries_max.saturating_sub(self.seen.entries));
        let query =
            Query { base, scope: Scope::Subtree, filter, attributes: &self.attributes, controls, from: 0, entries_max: max };
        let (seen, reference) = (&mut self.seen, &mut self.reference);
        let result = run(session, query, |item| {
            let item = match item {
                Item::Referral(url) => {
                    seen.count_reference();
                    reference.get_or_insert(url);
                    return Ok(());
                }
                Item::Entry(item) => item,
            };
            found += 1;
            if found > room {
                return Err(Cause::TooMuch { what: base.clone(), max: self.entries_max, unit: "entries (entries_max)" });
            }
            match item {
                Ok(entry) => entries.push(entry),
                Err(odd) => unreadable.push(Unreadable::of(&odd.entry, id_attribute, odd.cause)),
            }
            Ok(())
        })
        .await?;
        if result.rc != 0 {
            return Err(Cause::Answer(Answer::of(&result)));
        }
        let cookie = cookie_of(&result)?;
        let mut page = Page { entries: Vec::with_capacity(entries.len()), unreadable, cookie };
        for mut entry in entries {
            match ranges::complete(session, &mut entry).await? {
                Whole::Yes => page.entries.push(entry),
                Whole::No(cause) => page.unreadable.push(Unreadable::of(&entry, id_attribute, cause)),
            }
        }
        page.entries.iter().for_each(|entry| self.seen.count(entry, id_attribute));
        page.unreadable.iter().for_each(|entry| self.seen.count_unreadable(entry));
        Ok(page)
    }
}

/// Active Directory answers a search at the root of a domain with references to its other domains and partitions.
pub(super) fn domain_scope(settings: &Settings) -> Option<RawControl> {
    let is_ad = settings.server == DirectoryServer::ActiveDirectory;
    is_ad.then(|| RawControl { ctype: DOMAIN_SCOPE.to_owned(), crit: true, val: None })
}

/// What is asked for always has the id in it: an entry that has none can't be told from one that was not asked.
pub(super) fn with_id(mut attributes: Vec<String>, id_attribute: &str) -> Vec<String> {
    if !attributes.iter().any(|name| name.eq_ignore_ascii_case(id_attribute)) {
        attributes.push(id_attribute.to_owned());
    }
    attributes
}

/// One search as it is sent.
pub(super) struct Query<'q> {
    pub base: &'q str,
    pub scope: Scope,
    pub filter: &'q str,
    pub attributes: &'q [String],
    pub controls: Vec<RawControl>,
    /// The first value of a range that is asked for.
    pub from: usize,
    /// Entries it may be answered with.
    pub entries_max: usize,
}

impl<'q> Query<'q> {
    /// One entry by its name.
    pub fn one(dn: &'q str, attributes: &'q [String]) -> Self {
        let (filter, controls) = ("(objectClass=*)", Vec::new());
        // One more than there can be, so that it is seen.
        Self { base: dn, scope: Scope::Base, filter, attributes, controls, from: 0, entries_max: 2 }
    }
}

pub(super) enum Item {
    Entry(Result<Entry, Box<Odd>>),
    /// To another server, as its URL.
    Referral(String),
}

/// Runs one search to its end, within its time. What `take` refuses ends it, and the session with it: the rest is still on
/// its way.
pub(super) async fn run(
    session: &mut Session,
    query: Query<'_>,
    take: impl FnMut(Item) -> Result<(), Cause>,
) -> Result<LdapResult, Cause> {
    let within = session.answer_timeout * ANSWER_TIMES;
    match timeout(within, answer(session, query, take)).await {
        Ok(result) => result,
        Err(_) => {
            session.end();
            Err(Cause::TooSlow { seconds: within.as_secs() })
        }
    }
}

async fn answer(
    session: &mut Session,
    query: Query<'_>,
    mut take: impl FnMut(Item) -> Result<(), Cause>,
) -> Result<LdapResult, Cause> {
    let Query { base, scope, filter, attributes, controls, from, entries_max } = query;
    session.ldap.with_timeout(session.answer_timeout).with_controls(controls);
    session.ldap.with_search_options(SearchOptions::new().deref(DerefAliases::Never));
    let started = session.ldap.streaming_search(base, scope, filter, attributes).await;
    let mut stream = match started {
        Ok(stream) => stream,
        Err(error) => return Err(session.cause(error).await),
    };
    let (mut entries, mut others) = (0, 0);
    loop {
        let found = match stream.next().await {
            Ok(Some(found)) => found,
            // An end is an end only with the directory's own word for it.
            Ok(None) => return Ok(stream.finish().await),
            Err(error) => {
                drop(stream);
                return Err(session.cause(error).await);
            }
        };
        let item = if found.is_ref() {
            Some(Item::Referral(reference_of(found.0.payload)))
        } else if found.is_intermediate() {
            // Nothing asked for here is answered by one (RFC 4511 §4.13).
            None
        } else {
            // A directory that ignores the page size would be taken into memory whole.
            entries += 1;
            match Entry::decode_from(found.0, from) {
                _ if entries > entries_max => return taken(session, Err(Cause::NoPaging)),
                Ok(entry) => Some(Item::Entry(Ok(entry))),
                Err(NotTaken::Odd(odd)) => Some(Item::Entry(Err(odd))),
                Err(NotTaken::NoEntry(cause)) => return taken(session, Err(cause)),
            }
        };
        if !matches!(item, Some(Item::Entry(_))) {
            others += 1;
        }
        if others > OTHER_MESSAGES_MAX {
            let (what, unit) = (base.to_owned(), "messages in one answer that are no entry");
            return taken(session, Err(Cause::TooMuch { what, max: OTHER_MESSAGES_MAX, unit }));
        }
        if let Some(Err(cause)) = item.map(&mut take) {
            return taken(session, Err(cause));
        }
    }
}

fn taken<T>(session: &Session, result: Result<T, Cause>) -> Result<T, Cause> {
    result.inspect_err(|_| session.end())
}

/// Longest reference that is repeated.
const REFERENCE_CHARS_MAX: usize = 300;

/// The first URL of a reference (RFC 4511 §4.5.3).
pub(super) fn reference_of(payload: PL) -> String {
    let first = match payload {
        PL::C(urls) => urls.into_iter().next().map(|url| url.payload),
        PL::P(_) => None,
    };
    match first {
        Some(PL::P(bytes)) => String::from_utf8_lossy(&bytes).chars().take(REFERENCE_CHARS_MAX).collect(),
        _ => String::from("?"),
    }
}

/// Where the next page begins.
fn cookie_of(result: &LdapResult) -> Result<Vec<u8>, Cause> {
    let control = result.ctrls.iter().find(|control| control.1.ctype == PAGED_RESULTS).ok_or(Cause::NoPaging)?;
    let odd = || Cause::Malformed(String::from("the control of a page"));
    let value = control.1.val.as_ref().ok_or_else(odd)?;
    let mut parts = Elements(Elements::only(value, ber::SEQUENCE).ok_or_else(odd)?);
    // Before it stands how many there are, which servers guess.
    let cookie = parts.take(ber::INTEGER).and_then(|_| parts.take(ber::OCTETS)).ok_or_else(odd)?;
    if cookie.len() <= COOKIE_BYTES_MAX { Ok(cookie.to_vec()) } else { Err(odd()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldap3::controls::Control;

    fn result(value: Option<Vec<u8>>) -> LdapResult {
        let raw = RawControl { ctype: PAGED_RESULTS.to_owned(), crit: false, val: value };
        LdapResult { rc: 0, matched: String::new(), text: String::new(), refs: vec![], ctrls: vec![Control(None, raw)] }
    }

    #[test]
    fn the_place_in_a_list_is_read_and_anything_else_is_refused() {
        assert_eq!(cookie_of(&result(Some(vec![0x30, 7, 2, 1, 0, 4, 2, b'a', b'b']))), Ok(b"ab".to_vec()));
        assert_eq!(cookie_of(&result(Some(vec![0x30, 5, 2, 1, 0, 4, 0]))), Ok(Vec::new()));
        for bad in [None, Some(vec![]), Some(vec![0x30, 3, 2, 1, 0]), Some(vec![4, 1, 0]), Some(vec![0x30, 0x84, 0xff])] {
            assert!(matches!(cookie_of(&result(bad.clone())), Err(Cause::Malformed(_))), "{bad:?}");
        }
        let without = LdapResult { ctrls: vec![], ..result(None) };
        assert_eq!(cookie_of(&without), Err(Cause::NoPaging));
    }
}
