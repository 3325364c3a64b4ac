//! Reads everything below a base, page by page (RFC 2696). Owns the proof that a read was complete: [`Complete`] is made
//! at one place, where the directory said success and that nothing follows. Everything else is [`Cut`], with its cause:
//! a result code, a limit, a connection that ended. Absence may only be concluded from the former.

use super::connect::Session;
use super::entry::Entry;
use super::failure::{Answer, Cause};
use super::settings::{Area, Settings};
use crate::model::directory::DirectoryServer;
use ldap3::asn1::{PL, parse_tag};
use ldap3::controls::{MakeCritical, PagedResults, RawControl};
use ldap3::{DerefAliases, LdapResult, Scope, SearchOptions};

/// RFC 2696.
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// Active Directory: no references to other domains.
pub(super) const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
/// Longest place in a list that is carried on.
const COOKIE_BYTES_MAX: usize = 64 * 1024;
/// Pages in a row without an entry that are still taken for a slow search.
const EMPTY_PAGES_MAX: usize = 100;

/// A read under way. The place in the list (`cookie`) belongs to one session: with another one it begins anew.
pub struct Pages {
    area: Area,
    attributes: Vec<String>,
    page_size: u32,
    entries_max: usize,
    without_referrals: bool,
    cookie: Vec<u8>,
    entries: usize,
    referrals: usize,
    /// Pages in a row that held nothing.
    empty: usize,
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
    pub entries: Vec<Entry>,
    /// Where the next page begins, as the directory knows it; empty after the last one.
    pub cookie: Vec<u8>,
}

/// How a read ended.
#[derive(Clone, Debug)]
pub enum End {
    Complete(Complete),
    Cut(Cut),
}

/// A read that saw everything the account may see. Only [`Pages`] makes one.
#[derive(Clone, Debug)]
pub struct Complete {
    entries: usize,
    referrals: usize,
}

impl Complete {
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// References to other servers that were not followed.
    pub fn referrals(&self) -> usize {
        self.referrals
    }
}

/// A read that ended early: what was not seen may be there all the same.
#[derive(Clone, Debug)]
pub struct Cut {
    pub entries: usize,
    pub cause: Cause,
}

impl Pages {
    /// Everything in `area`, of each entry these attributes, `page_size` entries at a time.
    pub fn new(settings: &Settings, area: &Area, attributes: Vec<String>) -> Self {
        Self {
            area: area.clone(),
            attributes,
            page_size: settings.page_size,
            entries_max: settings.entries_max,
            without_referrals: settings.server == DirectoryServer::ActiveDirectory,
            cookie: Vec::new(),
            entries: 0,
            referrals: 0,
            empty: 0,
            ended: None,
        }
    }

    /// Smaller pages, for a look at a few entries.
    pub fn of_size(self, page_size: u32) -> Self {
        Self { page_size, ..self }
    }

    /// The next page, or how it ended; after the end, the same end again.
    pub async fn next(&mut self, session: &mut Session) -> Read {
        if let Some(end) = &self.ended {
            return Read::End(end.clone());
        }
        match self.page(session).await.and_then(|page| self.goes_on(page)) {
            Ok(page) => {
                if page.cookie.is_empty() {
                    self.ended = Some(End::Complete(Complete { entries: self.entries, referrals: self.referrals }));
                }
                self.cookie.clone_from(&page.cookie);
                Read::Page(page)
            }
            Err(cause) => {
                let end = End::Cut(Cut { entries: self.entries, cause });
                self.ended = Some(end.clone());
                Read::End(end)
            }
        }
    }

    /// A few pages in a row may be empty and yet not the last (Active Directory, while a filter finds little); without a
    /// bound a server could keep a read going for ever.
    fn goes_on(&mut self, page: Page) -> Result<Page, Cause> {
        self.empty = if page.entries.is_empty() { self.empty + 1 } else { 0 };
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
        let size = i32::try_from(self.page_size).unwrap_or(i32::MAX);
        let mut controls: Vec<RawControl> = vec![PagedResults { size, cookie: self.cookie.clone() }.critical().into()];
        if self.without_referrals {
            controls.push(RawControl { ctype: DOMAIN_SCOPE.to_owned(), crit: true, val: None });
        }
        let Area { base, filter, .. } = self.area.clone();
        let mut entries = Vec::new();
        let (max, room) = (self.page_size as usize, self.entries_max.saturating_sub(self.entries));
        let query = Query { base: &base, scope: Scope::Subtree, filter: &filter, attributes: &self.attributes, controls };
        let referrals = &mut self.referrals;
        let result = run(session, query, |item| {
            match item {
                Item::Referral => *referrals += 1,
                Item::Entry(_) if entries.len() >= room => {
                    return Err(Cause::TooMuch { what: base.clone(), max: self.entries_max, unit: "entries (entries_max)" });
                }
                // A directory that ignores the page size would be taken into memory whole.
                Item::Entry(_) if entries.len() >= max => return Err(Cause::NoPaging),
                Item::Entry(entry) => entries.push(entry),
            }
            Ok(())
        })
        .await?;
        self.entries += entries.len();
        if result.rc != 0 {
            return Err(Cause::Answer(Answer::of(&result)));
        }
        let cookie = cookie_of(&result)?;
        Ok(Page { entries, cookie })
    }
}

/// One search as it is sent.
pub(super) struct Query<'q> {
    pub base: &'q str,
    pub scope: Scope,
    pub filter: &'q str,
    pub attributes: &'q [String],
    pub controls: Vec<RawControl>,
}

pub(super) enum Item {
    Entry(Entry),
    Referral,
}

/// Runs one search to its end. What `take` refuses ends it, and the session with it: the rest is still on its way.
pub(super) async fn run(
    session: &mut Session,
    query: Query<'_>,
    mut take: impl FnMut(Item) -> Result<(), Cause>,
) -> Result<LdapResult, Cause> {
    let Query { base, scope, filter, attributes, controls } = query;
    session.ldap.with_timeout(session.answer_timeout).with_controls(controls);
    session.ldap.with_search_options(SearchOptions::new().deref(DerefAliases::Never));
    let started = session.ldap.streaming_search(base, scope, filter, attributes).await;
    let mut stream = match started {
        Ok(stream) => stream,
        Err(error) => return Err(session.cause(error).await),
    };
    loop {
        match stream.next().await {
            Ok(Some(found)) if found.is_ref() => taken(session, take(Item::Referral))?,
            // Nothing we ask for is answered by one (RFC 4511 §4.13).
            Ok(Some(found)) if found.is_intermediate() => {}
            Ok(Some(found)) => {
                let entry = Entry::decode(found.0);
                taken(session, entry.and_then(|entry| take(Item::Entry(entry))))?;
            }
            // An end is an end only with the directory's own word for it.
            Ok(None) => return Ok(stream.finish().await),
            Err(error) => {
                drop(stream);
                return Err(session.cause(error).await);
            }
        }
    }
}

fn taken(session: &Session, result: Result<(), Cause>) -> Result<(), Cause> {
    result.inspect_err(|_| session.end())
}

/// Where the next page begins.
fn cookie_of(result: &LdapResult) -> Result<Vec<u8>, Cause> {
    let control = result.ctrls.iter().find(|control| control.1.ctype == PAGED_RESULTS).ok_or(Cause::NoPaging)?;
    let odd = || Cause::Malformed(String::from("the control of a page"));
    let value = control.1.val.as_ref().ok_or_else(odd)?;
    let (_, tag) = parse_tag(value).map_err(|_| odd())?;
    let PL::C(parts) = tag.payload else { return Err(odd()) };
    match parts.into_iter().nth(1).map(|part| part.payload) {
        Some(PL::P(cookie)) if cookie.len() <= COOKIE_BYTES_MAX => Ok(cookie),
        _ => Err(odd()),
    }
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
