//! Changes as RFC 4533 tells them (refreshOnly). What each message means for the whole is [`Refresh`], pure; the rest reads
//! the messages. A server that ends with refreshDeletes=false says by the RFC that whoever it did not name is gone. 389
//! Directory Server ends every delta so, naming nobody: nothing is concluded then.

use super::cookie::{Fingerprint, PLACE_BYTES_MAX, Place};
use super::wire::{self, State, SyncDone, SyncInfo, SyncState};
use super::{Change, Deletions, Doubt, Frame, Step, Stop, Verdict, is_about_the_place};
use crate::ldap::connect::Session;
use crate::ldap::entry::{Entry, NotTaken};
use crate::ldap::failure::{Answer, Cause};
use crate::ldap::identity::external_id;
use crate::ldap::search::{Complete, SEARCH_TIME_MAX, Unreadable, reference_of};
use ldap3::asn1::PL;
use ldap3::controls::Control;
use ldap3::{DerefAliases, LdapResult, ResultEntry, Scope, SearchOptions, SearchStream};
use std::collections::HashSet;
use std::time::Instant;
use tokio::time::timeout;
use uuid::Uuid;

/// Changes handed over at a time.
const BATCH: usize = 500;
/// Messages between entries: sets of ids, places, references.
const OTHER_MESSAGES_MAX: usize = 100_000;
/// How many times `answer_timeout` one batch may take.
const ANSWER_TIMES: u32 = 10;

pub(super) struct Reader {
    fingerprint: Fingerprint,
    given: Option<Vec<u8>>,
    refresh: Refresh,
    stream: Option<SearchStream<'static, String, Vec<String>>>,
    /// The end of the answer, once it is there.
    result: Option<LdapResult>,
    began: Option<Instant>,
    messages: Messages,
}

/// Bounds on what one answer brings.
#[derive(Default)]
struct Messages {
    entries: usize,
    ids: usize,
    others: usize,
    reference: Option<(usize, String)>,
}

/// One message that is not the end.
enum Message {
    Entry(Option<SyncState>, Result<Entry, Unreadable>),
    Info(SyncInfo),
    Reference(String),
    /// Of another sort than we know.
    Other,
}

impl Reader {
    pub fn new(frame: &Frame, fingerprint: Fingerprint, place: Option<&Place>) -> Result<Self, Doubt> {
        let given = match place {
            None => None,
            Some(Place::SyncRepl(cookie)) => Some(cookie.clone()),
            Some(_) => return Err(Doubt::Damaged),
        };
        let refresh = Refresh::new(&frame.area.id_attribute, given.clone());
        Ok(Self { fingerprint, given, refresh, stream: None, result: None, began: None, messages: Messages::default() })
    }

    pub async fn step(&mut self, frame: &Frame, session: &mut Session) -> Result<Step, Stop> {
        if self.began.get_or_insert_with(Instant::now).elapsed() > SEARCH_TIME_MAX {
            session.end();
            return Err(Cause::TooSlow { seconds: SEARCH_TIME_MAX.as_secs() }.into());
        }
        let within = session.answer_timeout * ANSWER_TIMES;
        let step = match timeout(within, self.batch(frame, session)).await {
            Ok(step) => step,
            Err(_) => Err(Cause::TooSlow { seconds: within.as_secs() }.into()),
        };
        // The rest is still on its way.
        if step.is_err() && self.result.is_none() {
            session.end();
        }
        step
    }

    async fn batch(&mut self, frame: &Frame, session: &mut Session) -> Result<Step, Stop> {
        if self.result.is_some() {
            return self.end(frame);
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let begun = begin(frame, session, self.given.as_deref()).await?;
                self.stream.insert(begun)
            }
        };
        let mut changes = Vec::new();
        while changes.len() < BATCH {
            let found = match stream.next().await {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.result = Some(stream.finish().await);
                    break;
                }
                Err(error) => return Err(session.cause(error).await.into()),
            };
            let message = read(found, &frame.area.id_attribute)?;
            self.messages.count(&message, frame)?;
            match message {
                Message::Entry(state, entry) => changes.extend(self.refresh.entry(state, entry)?),
                Message::Info(info) => changes.extend(self.refresh.info(info)?),
                Message::Reference(_) => self.refresh.reference(),
                Message::Other => {}
            }
        }
        if changes.is_empty() { self.end(frame) } else { Ok(Step::Changes(changes)) }
    }

    fn end(&mut self, frame: &Frame) -> Result<Step, Stop> {
        let Some(result) = &self.result else { return Ok(Step::Changes(Vec::new())) };
        if result.rc != 0 {
            let answer = Answer::of(result);
            let about_the_place = self.given.is_some() && is_about_the_place(&answer);
            return Err(if about_the_place { Doubt::Refused(answer).into() } else { Cause::Answer(answer).into() });
        }
        if let Some((count, first)) = self.messages.reference.clone().filter(|_| !frame.settings.expect_references) {
            return Err(Cause::References { count, first }.into());
        }
        let odd = || Cause::Malformed(String::from("the end of a refresh"));
        let done = match result.ctrls.iter().find(|control| control.1.ctype == wire::SYNC_DONE) {
            // Optional by the RFC where there is nothing to say.
            None => SyncDone::default(),
            Some(control) => wire::sync_done(control.1.val.as_deref().unwrap_or_default()).ok_or_else(odd)?,
        };
        let cookie = |bytes| frame.cookie(&self.fingerprint, Place::SyncRepl(bytes));
        Ok(Step::End(match self.refresh.end(done)? {
            Conclusion::Listing { complete, place } => Verdict::Listing { complete, cookie: place.map(cookie) },
            Conclusion::Delta { place, deletions } => Verdict::Delta { cookie: cookie(place), deletions },
        }))
    }
}

async fn begin(
    frame: &Frame,
    session: &mut Session,
    given: Option<&[u8]>,
) -> Result<SearchStream<'static, String, Vec<String>>, Stop> {
    session.ldap.with_timeout(session.answer_timeout).with_controls(vec![wire::sync_request(given)]);
    session.ldap.with_search_options(SearchOptions::new().deref(DerefAliases::Never));
    let (base, filter, attributes) = (&frame.area.base, &frame.area.filter, frame.attributes.clone());
    match session.ldap.streaming_search(base, Scope::Subtree, filter, attributes).await {
        Ok(stream) => Ok(stream),
        Err(error) => Err(session.cause(error).await.into()),
    }
}

fn read(found: ResultEntry, id_attribute: &str) -> Result<Message, Cause> {
    if found.is_ref() {
        return Ok(Message::Reference(reference_of(found.0.payload)));
    }
    if found.is_intermediate() {
        return intermediate(found.0.payload);
    }
    let state = state_of(&found.1)?;
    let entry = match Entry::decode(found.0) {
        Ok(entry) if entry.attributes.iter().any(|attribute| attribute.more_from.is_some()) => {
            let cause = Cause::Malformed(String::from("a part of an attribute"));
            Err(Unreadable::of(&entry, id_attribute, cause))
        }
        Ok(entry) => Ok(entry),
        Err(NotTaken::Odd(odd)) => Err(Unreadable::of(&odd.entry, id_attribute, odd.cause)),
        Err(NotTaken::NoEntry(cause)) => return Err(cause),
    };
    Ok(Message::Entry(state, entry))
}

fn state_of(controls: &[Control]) -> Result<Option<SyncState>, Cause> {
    let Some(control) = controls.iter().find(|control| control.1.ctype == wire::SYNC_STATE) else { return Ok(None) };
    let odd = || Cause::Malformed(String::from("the state of an entry"));
    wire::sync_state(control.1.val.as_deref().unwrap_or_default()).map(Some).ok_or_else(odd)
}

/// `IntermediateResponse` (RFC 4511 §4.13): a name under tag 0, a value under tag 1.
fn intermediate(payload: PL) -> Result<Message, Cause> {
    let PL::C(parts) = payload else { return Ok(Message::Other) };
    let part = |wanted: u64| {
        parts.iter().find(|part| part.id == wanted).and_then(|part| match &part.payload {
            PL::P(bytes) => Some(bytes.as_slice()),
            PL::C(_) => None,
        })
    };
    if part(0) != Some(wire::SYNC_INFO) {
        return Ok(Message::Other);
    }
    let odd = || Cause::Malformed(String::from("what is said between entries"));
    wire::sync_info(part(1).unwrap_or_default()).map(Message::Info).ok_or_else(odd)
}

impl Messages {
    fn count(&mut self, message: &Message, frame: &Frame) -> Result<(), Cause> {
        match message {
            Message::Entry(..) => self.entries += 1,
            Message::Info(SyncInfo::Ids { ids, .. }) => (self.ids, self.others) = (self.ids + ids.len(), self.others + 1),
            Message::Reference(url) => {
                self.others += 1;
                self.reference.get_or_insert_with(|| (0, url.clone())).0 += 1;
            }
            Message::Info(_) | Message::Other => self.others += 1,
        }
        let max = frame.settings.entries_max;
        let too_much = |max, unit| Err(Cause::TooMuch { what: frame.area.base.clone(), max, unit });
        if self.entries > max {
            return too_much(max, "entries (entries_max)");
        }
        // Deletions, and those that are there, may each be as many as there are entries.
        if self.ids > max.saturating_mul(2) {
            return too_much(max.saturating_mul(2), "entries named by id");
        }
        if self.others > OTHER_MESSAGES_MAX {
            return too_much(OTHER_MESSAGES_MAX, "messages in one answer that are no entry");
        }
        Ok(())
    }
}

/// What a refresh has said so far.
pub struct Refresh {
    id_attribute: String,
    given: Option<Vec<u8>>,
    /// The newest place that was named.
    place: Option<Vec<u8>>,
    complete: Complete,
    /// Ids that are there; kept only where somebody may be missing.
    there: HashSet<String>,
    /// Somebody was named as there without being sent.
    named: bool,
    /// Somebody was named as deleted.
    deleted: bool,
    /// The naming of those that are there has come to its end.
    named_all: bool,
    /// Anything at all was said.
    something: bool,
}

/// What a refresh comes to.
#[derive(Debug)]
pub enum Conclusion {
    Listing { complete: Complete, place: Option<Vec<u8>> },
    Delta { place: Vec<u8>, deletions: Deletions },
}

impl Refresh {
    /// A refresh from a place, or from none.
    pub fn new(id_attribute: &str, given: Option<Vec<u8>>) -> Self {
        Self {
            id_attribute: id_attribute.to_owned(),
            given,
            place: None,
            complete: Complete::begun(),
            there: HashSet::new(),
            named: false,
            deleted: false,
            named_all: false,
            something: false,
        }
    }

    /// An entry, and what was said beside it.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn entry(&mut self, state: Option<SyncState>, entry: Result<Entry, Unreadable>) -> Result<Option<Change>, Doubt> {
        self.something = true;
        let Some(SyncState { state, id, cookie }) = state else {
            return Err(Doubt::Contradiction("an entry without its state"));
        };
        self.at(cookie)?;
        let id = Uuid::from_bytes(id).to_string();
        match state {
            State::Delete => {
                self.deleted = true;
                self.there.remove(&id);
                return Ok(Some(Change::Gone(id)));
            }
            State::Present => {
                self.named = true;
                self.there.insert(id);
                return Ok(None);
            }
            State::Add | State::Modify => {}
        }
        let change = match entry {
            Ok(entry) => {
                // By another number than ours a deletion would hit somebody else, or nobody.
                if external_id(&entry, &self.id_attribute).is_ok_and(|own| own != id) {
                    return Err(Doubt::OtherIds(self.id_attribute.clone()));
                }
                self.complete.count(&entry, &self.id_attribute);
                Change::Entry(entry)
            }
            Err(unreadable) => {
                let unreadable = Unreadable { external_id: Some(id.clone()), ..unreadable };
                self.complete.count_unreadable(&unreadable);
                Change::Unreadable(unreadable)
            }
        };
        if self.given.is_some() {
            self.there.insert(id);
        }
        Ok(Some(change))
    }

    /// What was said between entries.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn info(&mut self, info: SyncInfo) -> Result<Vec<Change>, Doubt> {
        self.something = true;
        match info {
            SyncInfo::NewCookie(cookie) => self.at(Some(cookie))?,
            SyncInfo::RefreshDelete { cookie } => self.at(cookie)?,
            SyncInfo::RefreshPresent { cookie } => {
                self.named_all = true;
                self.at(cookie)?;
            }
            SyncInfo::Ids { cookie, deleted, ids } => {
                self.at(cookie)?;
                let ids = ids.into_iter().map(|id| Uuid::from_bytes(id).to_string());
                if deleted {
                    self.deleted = true;
                    return Ok(ids.inspect(|id| _ = self.there.remove(id)).map(Change::Gone).collect());
                }
                self.named = true;
                self.there.extend(ids);
            }
        }
        Ok(Vec::new())
    }

    /// A reference to another server.
    pub fn reference(&mut self) {
        self.complete.count_reference();
    }

    fn at(&mut self, cookie: Option<Vec<u8>>) -> Result<(), Doubt> {
        let Some(cookie) = cookie else { return Ok(()) };
        if cookie.len() > PLACE_BYTES_MAX {
            return Err(Doubt::TooMuch { what: "bytes of a place", max: PLACE_BYTES_MAX });
        }
        self.place = Some(cookie);
        Ok(())
    }

    /// The end, with success.
    ///
    /// # Errors
    /// [`Doubt`]: what was said does not say who is there.
    pub fn end(&mut self, done: SyncDone) -> Result<Conclusion, Doubt> {
        let says_nothing = !self.something && done.cookie.is_none();
        self.at(done.cookie)?;
        let Some(given) = self.given.clone() else {
            if self.named || self.deleted {
                return Err(Doubt::Contradiction("ids without entries in a list of everything"));
            }
            return Ok(Conclusion::Listing { complete: self.complete.clone(), place: self.place.take() });
        };
        // One that says nothing of the place leaves the old one.
        let place = self.place.take().unwrap_or(given);
        let all_but = |there: &mut HashSet<String>| Deletions::AllBut(std::mem::take(there));
        let deletions = match (done.refresh_deletes, self.named) {
            (true, false) if self.named_all => return Err(Doubt::NothingNamed),
            (true, false) => Deletions::Told,
            (true, true) if self.named_all => all_but(&mut self.there),
            (true, true) => return Err(Doubt::Contradiction("some are named as there, and only deletions should count")),
            (false, true) => all_but(&mut self.there),
            (false, false) if says_nothing => Deletions::Told,
            (false, false) => return Err(Doubt::NothingNamed),
        };
        Ok(Conclusion::Delta { place, deletions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::entry::Attribute;
    use proptest::prelude::*;

    const OLD: &[u8] = b"old";

    fn id(number: u8) -> [u8; 16] {
        [number; 16]
    }

    fn text(number: u8) -> String {
        Uuid::from_bytes(id(number)).to_string()
    }

    fn state(state: State, number: u8) -> Option<SyncState> {
        Some(SyncState { state, id: id(number), cookie: None })
    }

    fn entry(number: u8) -> Result<Entry, Unreadable> {
        let own = Attribute { name: "entryUUID".into(), values: vec![text(number).into_bytes()], more_from: None };
        Ok(Entry { dn: format!("uid={number}"), attributes: vec![own] })
    }

    fn from_place() -> Refresh {
        Refresh::new("entryUUID", Some(OLD.to_vec()))
    }

    fn ids(deleted: bool, numbers: &[u8]) -> SyncInfo {
        SyncInfo::Ids { cookie: None, deleted, ids: numbers.iter().copied().map(id).collect() }
    }

    fn done(cookie: Option<&[u8]>, refresh_deletes: bool) -> SyncDone {
        SyncDone { cookie: cookie.map(<[u8]>::to_vec), refresh_deletes }
    }

    fn delta(refresh: &mut Refresh, done: SyncDone) -> Result<(Vec<u8>, Deletions), Doubt> {
        match refresh.end(done)? {
            Conclusion::Delta { place, deletions } => Ok((place, deletions)),
            Conclusion::Listing { .. } => panic!("a place was given"),
        }
    }

    #[test]
    fn without_a_place_it_is_a_list_of_everything_whatever_the_end_says() {
        for refresh_deletes in [true, false] {
            let mut refresh = Refresh::new("entryUUID", None);
            assert!(matches!(refresh.entry(state(State::Add, 1), entry(1)), Ok(Some(Change::Entry(_)))));
            let Ok(Conclusion::Listing { complete, place }) = refresh.end(done(Some(b"new"), refresh_deletes)) else { panic!() };
            assert_eq!((complete.entries(), place.as_deref()), (1, Some(b"new".as_slice())));
        }
    }

    #[test]
    fn ids_without_entries_are_no_part_of_a_list_of_everything() {
        let mut refresh = Refresh::new("entryUUID", None);
        refresh.info(ids(false, &[1])).unwrap();
        assert!(matches!(refresh.end(done(Some(b"new"), false)), Err(Doubt::Contradiction(_))));
    }

    #[test]
    fn an_end_that_says_nothing_keeps_the_old_place() {
        assert_eq!(delta(&mut from_place(), done(None, false)), Ok((OLD.to_vec(), Deletions::Told)));
        assert_eq!(delta(&mut from_place(), done(None, true)), Ok((OLD.to_vec(), Deletions::Told)));
    }

    #[test]
    fn deletions_are_told_where_the_end_says_so() {
        let mut refresh = from_place();
        assert_eq!(refresh.info(ids(true, &[7])), Ok(vec![Change::Gone(text(7))]));
        assert_eq!(refresh.entry(state(State::Delete, 8), entry(8)), Ok(Some(Change::Gone(text(8)))));
        assert_eq!(delta(&mut refresh, done(Some(b"new"), true)), Ok((b"new".to_vec(), Deletions::Told)));
    }

    #[test]
    fn who_was_named_or_sent_is_there_and_everybody_else_may_have_gone() {
        let mut refresh = from_place();
        refresh.info(ids(false, &[1, 2])).unwrap();
        refresh.entry(state(State::Present, 3), entry(3)).unwrap();
        refresh.entry(state(State::Add, 4), entry(4)).unwrap();
        let wanted = Deletions::AllBut([1, 2, 3, 4].map(text).into());
        assert_eq!(delta(&mut refresh, done(Some(b"new"), false)), Ok((b"new".to_vec(), wanted)));
    }

    #[test]
    fn nobody_is_gone_because_a_server_named_nobody() {
        let mut refresh = from_place();
        refresh.entry(state(State::Add, 1), entry(1)).unwrap();
        assert_eq!(delta(&mut refresh, done(Some(b"new"), false)), Err(Doubt::NothingNamed));
        assert_eq!(delta(&mut from_place(), done(Some(b"new"), false)), Err(Doubt::NothingNamed));
        let mut refresh = from_place();
        refresh.info(SyncInfo::RefreshPresent { cookie: None }).unwrap();
        assert_eq!(delta(&mut refresh, done(Some(b"new"), true)), Err(Doubt::NothingNamed));
    }

    #[test]
    fn both_parts_one_after_the_other_are_told_apart_from_a_contradiction() {
        let mut refresh = from_place();
        refresh.info(ids(false, &[1, 2])).unwrap();
        refresh.info(SyncInfo::RefreshPresent { cookie: None }).unwrap();
        refresh.info(ids(true, &[2])).unwrap();
        assert_eq!(delta(&mut refresh, done(None, true)), Ok((OLD.to_vec(), Deletions::AllBut([text(1)].into()))));
        let mut refresh = from_place();
        refresh.info(ids(false, &[1])).unwrap();
        assert!(matches!(delta(&mut refresh, done(None, true)), Err(Doubt::Contradiction(_))));
    }

    #[test]
    fn an_entry_under_another_number_than_ours_ends_it() {
        assert_eq!(from_place().entry(state(State::Add, 2), entry(1)), Err(Doubt::OtherIds("entryUUID".into())));
        assert!(matches!(from_place().entry(None, entry(1)), Err(Doubt::Contradiction(_))));
    }

    #[test]
    fn an_entry_that_can_not_be_read_is_there_all_the_same() {
        let mut refresh = from_place();
        let unreadable = Unreadable { dn: "uid=1".into(), external_id: None, cause: Cause::NoPaging };
        let Ok(Some(Change::Unreadable(told))) = refresh.entry(state(State::Modify, 1), Err(unreadable)) else { panic!() };
        assert_eq!(told.external_id, Some(text(1)));
        refresh.info(ids(false, &[2])).unwrap();
        assert_eq!(delta(&mut refresh, done(None, false)).unwrap().1, Deletions::AllBut([1, 2].map(text).into()));
    }

    proptest! {
        /// Whatever a server says, somebody is gone only if it said so of him, or named others.
        #[test]
        fn nobody_is_gone_without_a_word(
            sent in prop::collection::vec((0..4u8, 0..20u8), 0..20),
            sets in prop::collection::vec((any::<bool>(), prop::collection::vec(0..20u8, 0..5)), 0..5),
            refresh_deletes: bool,
            cookie: bool,
        ) {
            let mut refresh = from_place();
            let mut named = HashSet::new();
            for (kind, number) in &sent {
                let kind = [State::Present, State::Add, State::Modify, State::Delete][usize::from(*kind)];
                if kind == State::Present { named.insert(text(*number)); }
                refresh.entry(state(kind, *number), entry(*number)).unwrap();
            }
            for (deleted, numbers) in &sets {
                if !deleted { named.extend(numbers.iter().copied().map(text)); }
                refresh.info(ids(*deleted, numbers)).unwrap();
            }
            let named_somebody = sent.iter().any(|(kind, _)| *kind == 0) || sets.iter().any(|(deleted, _)| !deleted);
            match delta(&mut refresh, done(cookie.then_some(b"new".as_slice()), refresh_deletes)) {
                Ok((_, Deletions::AllBut(there))) => {
                    prop_assert!(named_somebody && !refresh_deletes);
                    prop_assert!(there.iter().all(|id| named.contains(id) || sent.iter().any(|(_, number)| text(*number) == *id)));
                }
                Ok((_, Deletions::Told)) => prop_assert!(refresh_deletes || (sent.is_empty() && sets.is_empty() && !cookie)),
                Ok((_, Deletions::Unseen)) => prop_assert!(false),
                Err(_) => prop_assert!(!refresh_deletes || named_somebody),
            }
        }
    }
}
