//! What changed in an area of a directory since a place that was kept. Owns, for each way in which directories tell it,
//! what may be concluded and what may not; refuses to remember: the place ([`Cookie`]) is handed in and out.
//!
//! ```text
//!  no place  ──► everything, then Listing with a place: from before the first entry, so that nothing falls between
//!  a place   ──► Change after Change, then Delta with the next place
//!                                      or Doubt: the place is worth nothing, everything has to be read
//!                                      or Cut: the read broke off, the old place still holds
//! ```
//!
//! A delta saves reading, it is no truth of its own: each way is blind to something ([`Strategy`]), so everything has to be
//! read from time to time whatever the deltas say. Changes may come twice; taking one in a second time has to change nothing.

mod active_directory;
pub mod cookie;
mod dirsync;
pub mod folders;
mod modified;
pub mod place;
mod silent;
pub mod syncrepl;
mod usn;
pub mod wire;

use super::connect::Session;
use super::entry::Entry;
use super::failure::{Answer, Cause};
use super::root::Root;
use super::search::{Complete, Cut, Tally, Unreadable};
use super::settings::{Area, Settings};
use crate::clock::{Micros, SECOND};
use crate::model::directory::DirectoryServer;
use cookie::{Cookie, Fingerprint, Place};
use std::collections::HashSet;

/// How old a place may be. Active Directory forgets who was deleted after 60 days where it was first set up long ago.
const COOKIE_AGE_MAX: Micros = 45 * 24 * 60 * 60 * SECOND;

/// How a directory tells what changed. None of them shows a person whose groups alone changed: membership is read from the
/// groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Ask for entries with a newer `modifyTimestamp` (`whenChanged`). Any directory can; blind to deletions, to who left
    /// the area, and to a move of the folder somebody is in.
    Modified,
    /// Active Directory's count of changes (MS-ADTS §3.1.1.1.5): deletions where the account may see them.
    Usn,
    /// RFC 4533. Deletions are told; blind to a move of the folder somebody is in.
    SyncRepl,
    /// MS-ADTS §3.1.1.3.4.1.3: needs the right "Replicating Directory Changes"; without it no deletions.
    DirSync,
}

impl Strategy {
    /// Whether a folder that was renamed, and is not told of, leaves those in it as they were read.
    pub fn is_blind_to_folders(self) -> bool {
        matches!(self, Self::Modified | Self::SyncRepl)
    }

    pub const ALL: [Self; 4] = [Self::Modified, Self::Usn, Self::SyncRepl, Self::DirSync];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Modified => "modifyTimestamp",
            Self::Usn => "uSNChanged",
            Self::SyncRepl => "syncrepl",
            Self::DirSync => "DirSync",
        }
    }

    /// Whether the connection can use it, as far as its settings say; else why not.
    ///
    /// # Errors
    /// In words.
    pub fn fits(self, settings: &Settings, area: &Area) -> Result<(), &'static str> {
        let is_ad = settings.server == DirectoryServer::ActiveDirectory;
        let has_id = |name: &str| area.id_attribute.eq_ignore_ascii_case(name);
        match self {
            Self::Modified => Ok(()),
            Self::Usn | Self::DirSync if !is_ad => Err("only Active Directory has it"),
            Self::Usn | Self::DirSync if !has_id("objectGUID") => Err("a deleted entry is known by its objectGUID alone"),
            Self::Usn | Self::DirSync => Ok(()),
            Self::SyncRepl if is_ad => Err("Active Directory does not have it"),
            Self::SyncRepl if settings.server == DirectoryServer::Ds389 && !has_id("nsUniqueId") => {
                Err("389 Directory Server tells deletions by nsUniqueId")
            }
            Self::SyncRepl if settings.server != DirectoryServer::Ds389 && !has_id("entryUUID") => {
                Err("deletions are told by entryUUID")
            }
            Self::SyncRepl => Ok(()),
        }
    }

    /// Whether the server says that it can, too, and it is worth it.
    ///
    /// # Errors
    /// In words.
    pub fn offered(self, root: &Root, settings: &Settings, area: &Area) -> Result<(), &'static str> {
        self.fits(settings, area)?;
        match self {
            Self::SyncRepl if settings.server == DirectoryServer::Ds389 => {
                Err("it does not tell who is still there, so that everything would be read each time")
            }
            Self::Usn if root.highest_usn.is_none() => Err("the server shows no highestCommittedUSN"),
            Self::SyncRepl if !root.knows(wire::SYNC_REQUEST) => Err("the server does not offer it (OpenLDAP: overlay syncprov)"),
            Self::DirSync if !root.knows(wire::DIR_SYNC) => Err("the server does not offer it"),
            _ => Ok(()),
        }
    }
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// As it is now, whole.
    Entry(Entry),
    /// It is there, and can't be read.
    Unreadable(Unreadable),
    /// The id of an entry that was deleted, or is no longer in the area. It need not have been in it before.
    Gone(String),
}

/// What one step of a read gives.
#[derive(Debug)]
pub enum Step {
    Changes(Vec<Change>),
    End(Verdict),
}

/// How a read of changes ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// No place was given: every entry of the area was handed over.
    Listing {
        complete: Complete,
        /// `None`: the directory gave none, so that everything has to be read next time too.
        cookie: Option<Cookie>,
    },
    /// What changed since the place was handed over.
    Delta { cookie: Cookie, deletions: Deletions },
    /// The place can't be gone on from, and what was handed over says nothing of the rest: read everything.
    Doubt(Doubt),
    /// It broke off: the place that was given still holds.
    Cut(Cut),
}

/// What a delta says of those who went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletions {
    /// Nothing: this way does not show them.
    Unseen,
    /// Each was handed over as [`Change::Gone`].
    Told,
    /// These ids are there; who is known and not among them went.
    AllBut(HashSet<String>),
}

/// Why a place is worth nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error("the place that was kept is damaged, or of another version")]
    Damaged,
    #[error("server, account, base, filter or attributes are others than those the place belongs to")]
    OtherQuestion,
    #[error("the place is older than 45 days: the directory may have forgotten who was deleted since")]
    TooOld,
    #[error("another server answers, or its database was restored: its count of changes is another")]
    OtherServer,
    #[error("the server counted {now} changes, and had counted {then} before: its database was restored")]
    WentBack { then: u64, now: u64 },
    #[error("the directory refuses the place: {0}")]
    Refused(Answer),
    #[error("the directory does not say whether who was not named is still there")]
    NothingNamed,
    #[error("the directory names entries by another number than {0}")]
    OtherIds(String),
    #[error("the directory contradicts itself: {0}")]
    Contradiction(&'static str),
    #[error("the directory gives no place to go on from")]
    NoPlace,
    #[error("{} of the entries have no id, the first is {}", .0.count, .0.samples.first().map_or("?", String::as_str))]
    Nameless(Tally),
    #[error("entries show no {0}")]
    NoStamp(&'static str),
    #[error("more than {max} {what} changed at once")]
    TooMuch { what: &'static str, max: usize },
}

/// A read of changes under way.
pub struct Changes {
    frame: Frame,
    strategy: Strategy,
    given: Option<Cookie>,
    reader: Option<Reader>,
    ended: Option<Verdict>,
}

/// What every way of reading is given.
struct Frame {
    settings: Settings,
    area: Area,
    attributes: Vec<String>,
    now: Micros,
}

enum Reader {
    Modified(Box<modified::Reader>),
    Usn(Box<usn::Reader>),
    SyncRepl(Box<syncrepl::Reader>),
    DirSync(Box<dirsync::Reader>),
}

/// What stops a read.
enum Stop {
    Doubt(Doubt),
    Cause(Cause),
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Self {
        Self::Cause(cause)
    }
}

impl From<Doubt> for Stop {
    fn from(doubt: Doubt) -> Self {
        Self::Doubt(doubt)
    }
}

impl Changes {
    /// Changes of `area` since `cookie`; without one, everything. Of each entry these attributes and its id.
    ///
    /// # Errors
    /// In words: the settings don't let it be read that way.
    pub fn new(
        settings: &Settings,
        area: &Area,
        attributes: Vec<String>,
        (strategy, cookie): (Strategy, Option<Cookie>),
        now: Micros,
    ) -> Result<Self, &'static str> {
        strategy.fits(settings, area)?;
        let attributes = super::search::with_id(attributes, &area.id_attribute);
        let frame = Frame { settings: settings.clone(), area: area.clone(), attributes, now };
        Ok(Self { frame, strategy, given: cookie, reader: None, ended: None })
    }

    /// The next changes, or how it ended; after the end, the same end again. After [`Verdict::Doubt`] and [`Verdict::Cut`] the
    /// session may have ended too: what was still on its way was not waited for.
    pub async fn next(&mut self, session: &mut Session) -> Step {
        if let Some(verdict) = &self.ended {
            return Step::End(verdict.clone());
        }
        let verdict = match self.step(session).await {
            Ok(Step::Changes(changes)) => return Step::Changes(changes),
            Ok(Step::End(verdict)) => verdict,
            Err(Stop::Doubt(doubt)) => Verdict::Doubt(doubt),
            Err(Stop::Cause(cause)) => Verdict::Cut(Cut { entries: 0, cause }),
        };
        self.ended = Some(verdict.clone());
        Step::End(verdict)
    }

    async fn step(&mut self, session: &mut Session) -> Result<Step, Stop> {
        let Self { frame, strategy, given, reader, .. } = self;
        let reader = match reader {
            Some(reader) => reader,
            None => {
                let fingerprint = Fingerprint::of(&frame.settings, &frame.area, &frame.attributes, *strategy, &session.address);
                let place = given.as_ref().map(|cookie| frame.place(cookie, &fingerprint)).transpose()?;
                reader.insert(match strategy {
                    Strategy::Modified => Reader::Modified(Box::new(modified::Reader::new(frame, fingerprint, place)?)),
                    Strategy::Usn => Reader::Usn(Box::new(usn::Reader::new(fingerprint, place)?)),
                    Strategy::SyncRepl => Reader::SyncRepl(Box::new(syncrepl::Reader::new(frame, fingerprint, place)?)),
                    Strategy::DirSync => Reader::DirSync(Box::new(dirsync::Reader::new(fingerprint, place)?)),
                })
            }
        };
        match reader {
            Reader::Modified(reader) => reader.step(frame, session).await,
            Reader::Usn(reader) => Box::pin(reader.step(frame, session)).await,
            Reader::SyncRepl(reader) => reader.step(frame, session).await,
            Reader::DirSync(reader) => Box::pin(reader.step(frame, session)).await,
        }
    }
}

impl Frame {
    /// The place of a cookie, if it belongs to this question and is not too old.
    fn place<'c>(&self, cookie: &'c Cookie, fingerprint: &Fingerprint) -> Result<&'c Place, Doubt> {
        if cookie.fingerprint != *fingerprint {
            return Err(Doubt::OtherQuestion);
        }
        let age = self.now.saturating_sub(cookie.made_at);
        if age > COOKIE_AGE_MAX {
            return Err(Doubt::TooOld);
        }
        Ok(&cookie.place)
    }

    fn cookie(&self, fingerprint: &Fingerprint, place: Place) -> Cookie {
        Cookie { fingerprint: *fingerprint, made_at: self.now, place }
    }
}

/// A page as changes.
fn changes(page: super::search::Page) -> Vec<Change> {
    let unreadable = page.unreadable.into_iter().map(Change::Unreadable);
    page.entries.into_iter().map(Change::Entry).chain(unreadable).collect()
}

/// Whether an answer to a search with a place in it is about that place. One that is not sure to be about something else
/// counts: reading everything is the remedy for both.
fn is_about_the_place(answer: &Answer) -> bool {
    matches!(answer.code, 1 | 2 | 12 | 53 | 80 | 4096)
}

/// What both `filter` and `condition` take.
fn both(filter: &str, condition: &str) -> String {
    format!("(&{filter}{condition})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection_secrets::ConnectionSecrets;
    use crate::model::directory::DirectoryOptions;
    use crate::secret::Secret;

    fn settings(server: DirectoryServer) -> Settings {
        let mut options = DirectoryOptions {
            server,
            urls: vec!["ldaps://dc1.example.com".into()],
            bind_dn: Some("cn=sync,dc=x".into()),
            user_base: Some("ou=people,dc=x".into()),
            ..DirectoryOptions::default()
        };
        options.settle();
        let mut secrets = ConnectionSecrets::default();
        secrets.set("bind_password", Some(Secret::new("s3cret".into())));
        Settings::of(&options, &secrets).unwrap()
    }

    #[test]
    fn each_kind_of_server_has_the_ways_it_knows_and_whose_ids_are_ours() {
        let fitting = |server| -> Vec<&str> {
            let settings = settings(server);
            let fits = |strategy: &Strategy| strategy.fits(&settings, &settings.users).is_ok();
            Strategy::ALL.into_iter().filter(fits).map(Strategy::as_str).collect()
        };
        assert_eq!(fitting(DirectoryServer::ActiveDirectory), ["modifyTimestamp", "uSNChanged", "DirSync"]);
        assert_eq!(fitting(DirectoryServer::OpenLdap), ["modifyTimestamp", "syncrepl"]);
        assert_eq!(fitting(DirectoryServer::Ds389), ["modifyTimestamp", "syncrepl"]);
        let mut by_number = settings(DirectoryServer::OpenLdap);
        by_number.users.id_attribute = "employeeNumber".into();
        assert!(Strategy::SyncRepl.fits(&by_number, &by_number.users).is_err());
    }

    #[test]
    fn a_way_is_offered_where_the_server_says_so_and_it_saves_reading() {
        let offered = |server, root: &Root| -> Vec<&str> {
            let settings = settings(server);
            let is = |strategy: &Strategy| strategy.offered(root, &settings, &settings.users).is_ok();
            Strategy::ALL.into_iter().filter(is).map(Strategy::as_str).collect()
        };
        let nothing = Root::default();
        for server in [DirectoryServer::ActiveDirectory, DirectoryServer::OpenLdap, DirectoryServer::Ds389] {
            assert_eq!(offered(server, &nothing), ["modifyTimestamp"]);
        }
        let controls = [wire::SYNC_REQUEST, wire::DIR_SYNC].map(String::from).to_vec();
        let everything = Root { controls, highest_usn: Some(1), ..Root::default() };
        assert_eq!(offered(DirectoryServer::ActiveDirectory, &everything), ["modifyTimestamp", "uSNChanged", "DirSync"]);
        assert_eq!(offered(DirectoryServer::OpenLdap, &everything), ["modifyTimestamp", "syncrepl"]);
        assert_eq!(offered(DirectoryServer::Ds389, &everything), ["modifyTimestamp"]);
    }

    #[test]
    fn a_place_holds_for_its_question_and_for_its_time() {
        let settings = settings(DirectoryServer::OpenLdap);
        let of = |settings: &Settings, area: &Area| {
            Fingerprint::of(settings, area, &["mail".into()], Strategy::Modified, &settings.urls[0])
        };
        let fingerprint = of(&settings, &settings.users);
        let frame =
            |now| Frame { settings: settings.clone(), area: settings.users.clone(), attributes: vec!["mail".into()], now };
        let cookie = frame(0).cookie(&fingerprint, Place::Modified { seconds: 7 });
        assert_eq!(frame(SECOND).place(&cookie, &fingerprint), Ok(&Place::Modified { seconds: 7 }));
        assert_eq!(frame(COOKIE_AGE_MAX + 1).place(&cookie, &fingerprint), Err(Doubt::TooOld));
        let mut other = settings.users.clone();
        other.filter = "(uid=*)".into();
        assert_eq!(frame(0).place(&cookie, &of(&settings, &other)), Err(Doubt::OtherQuestion));
    }
}
