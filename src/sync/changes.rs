//! What changed in an area since a place, read into memory within bounds. Owns when a delta is no use ([`Fell`]): then nothing
//! was written, and everything is read instead. Refuses to conclude anything from who is not told of.

use super::entry::digest;
use crate::clock::Micros;
use crate::ldap::connect::Session;
use crate::ldap::delta::cookie::Cookie;
use crate::ldap::delta::{Change, Changes, Deletions, Doubt, Step, Verdict};
use crate::ldap::entry::Entry;
use crate::ldap::failure::Cause;
use crate::ldap::identity::external_id;
use crate::ldap::search::Unreadable;
use crate::ldap::settings::{Area, Settings};
use crate::model::dn::dn_key;
use std::collections::{HashMap, HashSet};

/// Entries of one delta; with more, everything is read.
pub const ENTRIES_MAX: usize = 5_000;
/// All their values together.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Ids of who went, or changed elsewhere in a domain.
const GONE_MAX: usize = 20_000;

/// Why a delta can't be gone on with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fell {
    #[error(transparent)]
    Doubt(#[from] Doubt),
    #[error("the place can't be used: {0}")]
    Unfit(&'static str),
    #[error("more than {max} {what}")]
    TooMuch { what: &'static str, max: usize },
    #[error("the directory limits how much it tells: {0}")]
    Limit(Cause),
    #[error("the directory refuses to tell changes: {0}")]
    Refused(Cause),
    #[error("the directory no longer tells who was deleted")]
    Blind,
    #[error("{0} changed and has no id")]
    Nameless(String),
    #[error("{0} can't be read")]
    Unreadable(String),
    #[error("two entries have the id {0}")]
    IdTwice(String),
    #[error("a folder was made, renamed, moved or removed")]
    Folders,
    #[error("something would wait for somebody's word: {0}")]
    Waits(String),
}

/// What stops the reading of changes.
pub enum Stop {
    Fell(Fell),
    Cause(Cause),
}

impl From<Fell> for Stop {
    fn from(fell: Fell) -> Self {
        Self::Fell(fell)
    }
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Self {
        Self::Cause(cause)
    }
}

/// What was told; each id once.
pub struct Changed {
    pub entries: Vec<Entry>,
    pub unreadable: Vec<Unreadable>,
    /// Ids that are not in the area any more, or never were.
    pub gone: Vec<String>,
    pub deletions: Deletions,
    /// From where to go on.
    pub cookie: Cookie,
}

impl Changed {
    /// The ids it says something of.
    pub fn ids<'c>(&'c self, id_attribute: &'c str) -> impl Iterator<Item = String> + 'c {
        let entries = self.entries.iter().filter_map(move |entry| external_id(entry, id_attribute).ok());
        entries.chain(self.unreadable.iter().filter_map(|entry| entry.external_id.clone())).chain(self.gone.iter().cloned())
    }
}

/// Reads what changed in `area` since `cookie`.
///
/// # Errors
/// [`Stop`]: everything is to be read, or the directory broke off.
pub async fn read(
    session: &mut Session,
    (settings, area): (&Settings, &Area),
    attributes: Vec<String>,
    cookie: Cookie,
    now: Micros,
) -> Result<Changed, Stop> {
    let strategy = cookie.strategy();
    let mut changes = Changes::new(settings, area, attributes, (strategy, Some(cookie)), now).map_err(Fell::Unfit)?;
    let mut all = Gathered::default();
    loop {
        match changes.next(session).await {
            Step::Changes(some) => {
                for change in some {
                    all.take(change, &area.id_attribute)?;
                }
            }
            Step::End(Verdict::Delta { cookie, deletions }) => return Ok(all.changed(cookie, deletions)),
            Step::End(Verdict::Doubt(doubt)) => return Err(Fell::Doubt(doubt).into()),
            Step::End(Verdict::Listing { .. }) => return Err(Fell::Doubt(Doubt::NoPlace).into()),
            Step::End(Verdict::Cut(cut)) => return Err(of_a_cut(cut.cause)),
        }
    }
}

/// A limit, or a right that was taken away, is met by reading everything; a directory that is busy would be so then, too, and a
/// broken connection says nothing of the place.
pub fn of_a_cut(cause: Cause) -> Stop {
    // RFC 4511 §A.2: timeLimitExceeded, sizeLimitExceeded, adminLimitExceeded.
    match &cause {
        Cause::TooMuch { .. } => Fell::Limit(cause).into(),
        Cause::Answer(answer) => match answer.code {
            3 | 4 | 11 => Fell::Limit(cause).into(),
            // busy, unavailable
            51 | 52 => cause.into(),
            _ => Fell::Refused(cause).into(),
        },
        _ => cause.into(),
    }
}

#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    at: HashMap<u128, usize>,
    unreadable: Vec<Unreadable>,
    gone: HashSet<String>,
    bytes: usize,
}

impl Gathered {
    fn take(&mut self, change: Change, id_attribute: &str) -> Result<(), Fell> {
        match change {
            Change::Gone(id) => {
                self.gone.insert(id);
            }
            Change::Unreadable(entry) if entry.external_id.is_none() => return Err(Fell::Nameless(entry.dn)),
            Change::Unreadable(entry) => self.unreadable.push(entry),
            Change::Entry(entry) => self.entry(entry, id_attribute)?,
        }
        if self.gone.len() > GONE_MAX {
            return Err(Fell::TooMuch { what: "entries went or changed elsewhere", max: GONE_MAX });
        }
        if self.entries.len() + self.unreadable.len() > ENTRIES_MAX {
            return Err(Fell::TooMuch { what: "entries changed", max: ENTRIES_MAX });
        }
        if self.bytes > BYTES_MAX {
            return Err(Fell::TooMuch { what: "bytes changed", max: BYTES_MAX });
        }
        Ok(())
    }

    /// Changes may come twice; the later one counts. Two places under one id are two entries.
    fn entry(&mut self, entry: Entry, id_attribute: &str) -> Result<(), Fell> {
        let Ok(id) = external_id(&entry, id_attribute) else { return Err(Fell::Nameless(entry.dn)) };
        self.bytes += entry.attributes.iter().flat_map(|found| &found.values).map(Vec::len).sum::<usize>();
        match self.at.get(&digest(&id)) {
            Some(at) if dn_key(&self.entries[*at].dn) != dn_key(&entry.dn) => return Err(Fell::IdTwice(id)),
            Some(at) => self.entries[*at] = entry,
            None => {
                self.at.insert(digest(&id), self.entries.len());
                self.entries.push(entry);
            }
        }
        Ok(())
    }

    fn changed(self, cookie: Cookie, deletions: Deletions) -> Changed {
        let mut gone: Vec<String> = self.gone.into_iter().collect();
        gone.sort_unstable();
        Changed { entries: self.entries, unreadable: self.unreadable, gone, deletions, cookie }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::entry::Attribute;

    fn entry(dn: &str, id: &str) -> Change {
        let id = Attribute { name: "employeeNumber".into(), values: vec![id.as_bytes().to_vec()], more_from: None };
        Change::Entry(Entry { dn: dn.into(), attributes: vec![id] })
    }

    fn taken(changes: impl IntoIterator<Item = Change>) -> Result<Gathered, Fell> {
        let mut all = Gathered::default();
        changes.into_iter().try_for_each(|change| all.take(change, "employeeNumber"))?;
        Ok(all)
    }

    #[test]
    fn an_entry_that_comes_twice_is_one_and_two_under_one_id_are_a_reason_to_read_everything() {
        assert_eq!(taken([entry("uid=a", "1"), entry("UID=A", "1"), entry("uid=b", "2")]).unwrap().entries.len(), 2);
        assert_eq!(taken([entry("uid=a", "1"), entry("uid=b", "1")]).err(), Some(Fell::IdTwice("1".into())));
        let nameless = Change::Entry(Entry { dn: "uid=a".into(), attributes: vec![] });
        assert_eq!(taken([nameless]).err(), Some(Fell::Nameless("uid=a".into())));
    }

    #[test]
    fn more_than_a_few_thousand_changes_are_read_as_everything() {
        let many = |count: usize| (0..count).map(|n| entry(&format!("uid={n}"), &n.to_string()));
        assert!(taken(many(ENTRIES_MAX)).is_ok());
        assert!(matches!(taken(many(ENTRIES_MAX + 1)).err(), Some(Fell::TooMuch { .. })));
        let gone = (0..=GONE_MAX).map(|n| Change::Gone(n.to_string()));
        assert!(matches!(taken(gone).err(), Some(Fell::TooMuch { .. })));
    }

    #[test]
    fn a_limit_of_the_directory_is_met_by_pages_and_an_end_of_the_connection_is_an_end() {
        let answer = |code| Cause::Answer(crate::ldap::failure::Answer { code, matched: String::new(), text: String::new() });
        assert!(matches!(of_a_cut(answer(4)), Stop::Fell(Fell::Limit(_))));
        assert!(matches!(of_a_cut(answer(50)), Stop::Fell(Fell::Refused(_))));
        assert!(matches!(of_a_cut(answer(51)), Stop::Cause(_)));
        assert!(matches!(of_a_cut(Cause::Closed), Stop::Cause(_)));
    }
}
