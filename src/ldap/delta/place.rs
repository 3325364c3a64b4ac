//! A place from now on, taken before everything is read, so that nothing falls between that read and the first delta. Owns
//! which way is gone where nobody chose one: one that tells who was deleted, or none. On Active Directory the count of changes
//! where the account is shown who is deleted, else DirSync where it may replicate; elsewhere syncrepl.

use super::cookie::{Cookie, Fingerprint, Place};
use super::{Changes, Doubt, Frame, Step, Stop, Strategy, Verdict, dirsync, modified, silent, usn};
use crate::clock::{Micros, SECOND};
use crate::ldap::connect::Session;
use crate::ldap::failure::Cause;
use crate::ldap::root::Root;
use crate::ldap::search::{End, Pages, Read, with_id};
use crate::ldap::settings::{Area, Settings};
use crate::model::directory::{Deltas, DirectoryServer};
use std::time::Instant;

/// What going by a way costs that does not tell who was deleted.
const LATER: &str = "and who was deleted leaves with the next complete read";

/// A place, at once or once everything was read.
pub enum Taken {
    Place(Cookie),
    ByStamp(ByStamp),
}

/// Stamps have no place of their own but the newest that was seen: of a directory whose clock nobody can ask.
pub struct ByStamp {
    fingerprint: Fingerprint,
    now: Micros,
    began: Instant,
}

/// Why there is none.
#[derive(Debug)]
pub enum NoPlace {
    /// In words: the connection has to do without.
    Unfit(String),
    Cause(Cause),
}

impl From<Cause> for NoPlace {
    fn from(cause: Cause) -> Self {
        Self::Cause(cause)
    }
}

impl From<Stop> for NoPlace {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Doubt(doubt) => Self::Unfit(doubt.to_string()),
            Stop::Cause(cause) => Self::Cause(cause),
        }
    }
}

impl Taken {
    /// The way in which changes are read from it.
    pub fn strategy(&self) -> Strategy {
        match self {
            Self::Place(cookie) => cookie.strategy(),
            Self::ByStamp(_) => Strategy::Modified,
        }
    }

    /// `newest` = the latest stamp of the entries that were read since, as fourteen digits.
    pub fn after(self, newest: Option<&str>) -> Option<Cookie> {
        match self {
            Self::Place(cookie) => Some(cookie),
            Self::ByStamp(by_stamp) => by_stamp.after(newest),
        }
    }
}

impl ByStamp {
    /// When the read began, by the directory's clock: it was not later than the newest stamp less the time the read took. A
    /// stamp ahead of our clock may come of a wrong one, and counts as now.
    fn after(self, newest: Option<&str>) -> Option<Cookie> {
        let newest = modified::seconds(&format!("{}Z", newest?))?.min(self.now / SECOND);
        let took = i64::try_from(self.began.elapsed().as_secs()).unwrap_or(i64::MAX).saturating_add(1);
        let place = Place::Modified { seconds: newest.saturating_sub(took) };
        Some(Cookie { fingerprint: self.fingerprint, made_at: self.now, place })
    }
}

/// Entries that are looked at for their stamps.
const STAMPS_SEEN: u32 = 3;

/// Takes a place for changes of these attributes in `area`. `given` = one that still holds, from which some ways get to a
/// new one without reading everything.
///
/// # Errors
/// [`NoPlace`].
pub async fn take(
    session: &mut Session,
    (settings, area): (&Settings, &Area),
    attributes: Vec<String>,
    (wish, given): (Deltas, Option<Cookie>),
    now: Micros,
) -> Result<Taken, NoPlace> {
    let attributes = with_id(attributes, &area.id_attribute);
    if let Some(name) = silent::of(&attributes, &area.filter) {
        return Err(NoPlace::Unfit(format!(
            "{name} changes without a word of the entry that shows it; what is read from groups (group_base) is followed by changes"
        )));
    }
    let frame = Frame { settings: settings.clone(), area: area.clone(), attributes, now };
    let root = Root::read(session).await?;
    let offered = |strategy: Strategy| strategy.offered(&root, settings, area).is_ok();
    let wished = match wish {
        Deltas::Off => return Err(NoPlace::Unfit(String::from("delta=off"))),
        Deltas::Auto => {
            if settings.server == DirectoryServer::ActiveDirectory && offered(Strategy::Usn) {
                return of_active_directory(&frame, session, given, offered(Strategy::DirSync)).await;
            }
            if !offered(Strategy::SyncRepl) {
                return Err(NoPlace::Unfit(format!(
                    "the directory does not offer syncrepl; delta=modifyTimestamp reads changes all the same, {LATER}"
                )));
            }
            Strategy::SyncRepl
        }
        Deltas::Modified => Strategy::Modified,
        Deltas::Usn => Strategy::Usn,
        Deltas::SyncRepl => Strategy::SyncRepl,
        Deltas::DirSync => Strategy::DirSync,
    };
    if let Err(why) = wished.offered(&root, settings, area) {
        return Err(NoPlace::Unfit(format!("{}: {why}", wished.as_str())));
    }
    if wished == Strategy::SyncRepl && !shows_stamps(&frame, session).await? {
        return Err(NoPlace::Unfit(String::from(
            "syncrepl: the account is not shown entryCSN, by which the directory finds for it what changed: let it read that",
        )));
    }
    let fingerprint = frame.fingerprint(wished, session);
    let cookie = |place| Taken::Place(frame.cookie(&fingerprint, place));
    Ok(match wished {
        Strategy::Modified => Taken::ByStamp(ByStamp { fingerprint, now, began: Instant::now() }),
        Strategy::Usn => cookie(usn::place(&frame, session).await?.0),
        Strategy::DirSync => match onwards(&frame, session, wished, given).await? {
            Some(further) => Taken::Place(further),
            None => cookie(dirsync::place(&frame, session).await?),
        },
        Strategy::SyncRepl => match onwards(&frame, session, wished, given).await? {
            Some(further) => Taken::Place(further),
            None => {
                let place = of_ids(&frame, session).await?;
                cookie(place)
            }
        },
    })
}

async fn of_active_directory(
    frame: &Frame,
    session: &mut Session,
    given: Option<Cookie>,
    has_dir_sync: bool,
) -> Result<Taken, NoPlace> {
    let (place, tells) = usn::place(frame, session).await?;
    if tells {
        return Ok(Taken::Place(frame.cookie(&frame.fingerprint(Strategy::Usn, session), place)));
    }
    let blind = || {
        NoPlace::Unfit(format!(
            "the account is not shown who was deleted: let it read CN=Deleted Objects, or replicate; delta=uSNChanged reads changes \
             all the same, {LATER}"
        ))
    };
    if !has_dir_sync {
        return Err(blind());
    }
    if let Some(further) = onwards(frame, session, Strategy::DirSync, given).await? {
        return Ok(Taken::Place(further));
    }
    let fingerprint = frame.fingerprint(Strategy::DirSync, session);
    match dirsync::place(frame, session).await {
        Ok(place @ Place::DirSync { secured: false, .. }) => Ok(Taken::Place(frame.cookie(&fingerprint, place))),
        // With the rights of the account alone it shows no more than the count does.
        Ok(_) | Err(Stop::Cause(Cause::Answer(_))) => Err(blind()),
        Err(stop) => Err(stop.into()),
    }
}

/// From a place that holds to the one there is now; `None`: it does not hold, or is of another way.
async fn onwards(
    frame: &Frame,
    session: &mut Session,
    strategy: Strategy,
    given: Option<Cookie>,
) -> Result<Option<Cookie>, NoPlace> {
    let fingerprint = frame.fingerprint(strategy, session);
    let Some(given) = given.filter(|given| given.strategy() == strategy && given.fingerprint == fingerprint) else {
        return Ok(None);
    };
    let read = Changes::new(&frame.settings, &frame.area, frame.attributes.clone(), (strategy, Some(given)), frame.now);
    let mut changes = read.map_err(|why| NoPlace::Unfit(why.to_owned()))?;
    loop {
        match changes.next(session).await {
            Step::Changes(_) => {}
            Step::End(Verdict::Delta { cookie, .. }) => return Ok(Some(cookie)),
            Step::End(Verdict::Cut(cut)) => return Err(cut.cause.into()),
            Step::End(Verdict::Doubt(_) | Verdict::Listing { .. }) => return Ok(None),
        }
    }
}

/// Whether the account sees the stamps by which OpenLDAP looks for changes. Without them syncrepl tells deletions, and of what
/// else changed nothing, as if nothing had. Asked of a few: rights are mostly alike over an area.
async fn shows_stamps(frame: &Frame, session: &mut Session) -> Result<bool, NoPlace> {
    if frame.settings.server == DirectoryServer::Ds389 {
        return Ok(true);
    }
    let stamp = vec![String::from("entryCSN")];
    let mut pages = Pages::new(&frame.settings, &frame.area, stamp).of_size(STAMPS_SEEN);
    match pages.next(session).await {
        Read::Page(page) => Ok(page.entries.is_empty() || page.entries.iter().any(|entry| entry.find("entryCSN").is_some())),
        Read::End(End::Complete(_)) => Ok(true),
        Read::End(End::Cut(cut)) => Err(cut.cause.into()),
    }
}

/// What syncrepl gives with a list of everything, of which no more than the ids is asked for.
async fn of_ids(frame: &Frame, session: &mut Session) -> Result<Place, NoPlace> {
    let ids = vec![frame.area.id_attribute.clone()];
    let read = Changes::new(&frame.settings, &frame.area, ids, (Strategy::SyncRepl, None), frame.now);
    let mut changes = read.map_err(|why| NoPlace::Unfit(why.to_owned()))?;
    loop {
        match changes.next(session).await {
            Step::Changes(_) => {}
            Step::End(Verdict::Listing { cookie: Some(cookie), .. }) => return Ok(cookie.place),
            Step::End(Verdict::Cut(cut)) => return Err(cut.cause.into()),
            Step::End(Verdict::Doubt(doubt)) => return Err(NoPlace::Unfit(doubt.to_string())),
            Step::End(Verdict::Listing { .. } | Verdict::Delta { .. }) => {
                return Err(NoPlace::Unfit(Doubt::NoPlace.to_string()));
            }
        }
    }
}

impl Frame {
    fn fingerprint(&self, strategy: Strategy, session: &Session) -> Fingerprint {
        Fingerprint::of(&self.settings, &self.area, &self.attributes, strategy, &session.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_stamp(now_seconds: i64) -> ByStamp {
        ByStamp { fingerprint: Fingerprint([0; 32]), now: now_seconds * SECOND, began: Instant::now() }
    }

    fn seconds(newest: Option<&str>, now_seconds: i64) -> Option<i64> {
        match by_stamp(now_seconds).after(newest)?.place {
            Place::Modified { seconds } => Some(seconds),
            _ => None,
        }
    }

    #[test]
    fn a_place_by_stamps_is_no_later_than_the_newest_stamp_and_no_later_than_now() {
        assert_eq!(seconds(Some("20261120230932"), 1_795_216_200), Some(1_795_216_171));
        assert_eq!(seconds(Some("20991120230932"), 1_795_216_200), Some(1_795_216_199));
        assert_eq!(seconds(None, 1_795_216_200), None, "nobody shows a stamp");
    }
}
