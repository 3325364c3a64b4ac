//! Changes by the time at which an entry was last modified: `modifyTimestamp` (RFC 4512 §3.4.2), at Active Directory
//! `whenChanged`, since it can't search for the former. The clock is the servers', their grain a second, and they need not
//! agree: each read goes back a little behind the newest stamp that the one before it could be sure of.

use super::cookie::{Fingerprint, Place};
use super::{Deletions, Doubt, Frame, Step, Stop, Verdict, both, changes};
use crate::clock::SECOND;
use crate::ldap::connect::Session;
use crate::ldap::entry::Entry;
use crate::ldap::failure::Cause;
use crate::ldap::root::Root;
use crate::ldap::search::{End, Page, Pages, Read};
use crate::ldap::settings::Area;
use crate::model::directory::DirectoryServer;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// How far a read goes back behind the place: by so much the clocks of a directory's servers may differ, and a change be
/// late in coming from one to another.
const OVERLAP_SECONDS: i64 = 5 * 60;
/// A stamp later than this from now is a clock gone wrong: it would hide everything until then.
const AHEAD_SECONDS: i64 = 24 * 60 * 60;

pub(super) struct Reader {
    fingerprint: Fingerprint,
    /// Where the last read got to.
    since: Option<i64>,
    stamp: &'static str,
    /// The mapping reads the stamp too.
    stamp_is_wanted: bool,
    pages: Pages,
    /// Where the next read begins; `None` until the first page was seen.
    mark: Option<i64>,
    is_first: bool,
    without_stamp: bool,
}

impl Reader {
    pub fn new(frame: &Frame, fingerprint: Fingerprint, place: Option<&Place>) -> Result<Self, Doubt> {
        let since = match place {
            None => None,
            Some(Place::Modified { seconds }) => Some(*seconds),
            Some(_) => return Err(Doubt::Damaged),
        };
        let is_ad = frame.settings.server == DirectoryServer::ActiveDirectory;
        let stamp = if is_ad { "whenChanged" } else { "modifyTimestamp" };
        let area = match since {
            None => frame.area.clone(),
            Some(since) => {
                let from = generalized(since.saturating_sub(OVERLAP_SECONDS)).ok_or(Doubt::Damaged)?;
                let filter = both(&frame.area.filter, &format!("({stamp}>={from})"));
                Area { filter, ..frame.area.clone() }
            }
        };
        let stamp_is_wanted = frame.attributes.iter().any(|name| name.eq_ignore_ascii_case(stamp));
        let mut attributes = frame.attributes.clone();
        if !stamp_is_wanted {
            attributes.push(stamp.to_owned());
        }
        let pages = Pages::new(&frame.settings, &area, attributes);
        Ok(Self { fingerprint, since, stamp, stamp_is_wanted, pages, mark: since, is_first: true, without_stamp: false })
    }

    pub async fn step(&mut self, frame: &Frame, session: &mut Session) -> Result<Step, Stop> {
        if self.is_first {
            let clock = server_time(session).await?;
            self.advance(clock, frame);
        }
        match self.pages.next(session).await {
            Read::Page(page) => Ok(Step::Changes(changes(self.page(page, frame)))),
            Read::End(End::Cut(cut)) => Ok(Step::End(Verdict::Cut(cut))),
            Read::End(End::Complete(complete)) => {
                let cookie = self.mark.map(|seconds| frame.cookie(&self.fingerprint, Place::Modified { seconds }));
                let cookie = cookie.filter(|_| !self.without_stamp);
                Ok(Step::End(match (self.since, cookie) {
                    (None, cookie) => Verdict::Listing { complete, cookie },
                    (Some(_), Some(cookie)) => Verdict::Delta { cookie, deletions: Deletions::Unseen },
                    (Some(_), None) => Verdict::Doubt(Doubt::NoStamp(self.stamp)),
                }))
            }
        }
    }

    /// Only the first page moves the mark: whatever is changed after it was sent has a stamp that is not older than what it
    /// shows, and what later pages show may be newer than a change to an entry of an earlier one.
    fn page(&mut self, mut page: Page, frame: &Frame) -> Page {
        let is_first = std::mem::take(&mut self.is_first);
        for entry in &mut page.entries {
            let stamp = self.stamp_of(entry);
            self.without_stamp |= stamp.is_none();
            if is_first {
                self.advance(stamp, frame);
            }
        }
        page
    }

    fn stamp_of(&self, entry: &mut Entry) -> Option<i64> {
        let found = if self.stamp_is_wanted { entry.find(self.stamp).cloned() } else { entry.take(self.stamp) };
        seconds(std::str::from_utf8(found?.values.first()?).ok()?)
    }

    fn advance(&mut self, stamp: Option<i64>, frame: &Frame) {
        let now = frame.now / SECOND;
        if let Some(stamp) = stamp.filter(|stamp| *stamp <= now + AHEAD_SECONDS) {
            // One of the future would hide what others change until then.
            let stamp = stamp.min(now);
            self.mark = Some(self.mark.map_or(stamp, |mark| mark.max(stamp)));
        }
    }
}

/// The server's clock before anything is read, where it shows it (Active Directory).
async fn server_time(session: &mut Session) -> Result<Option<i64>, Cause> {
    match Root::read(session).await {
        Ok(root) => Ok(root.current_time.as_deref().and_then(seconds)),
        Err(Cause::Answer(_)) => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Seconds since 1970 of a GeneralizedTime (RFC 4517 §3.3.13): `20261120230932.0Z`. A fraction is left out.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (digits, rest) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    if !matches!(digits.len(), 10 | 12 | 14) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to).map_or(Some(0), |part| part.parse::<i8>().ok());
    let year: i16 = digits[..4].parse().ok()?;
    let time = DateTime::new(year, number(4, 6)?, number(6, 8)?, number(8, 10)?, number(10, 12)?, number(12, 14)?, 0).ok()?;
    let rest = rest.strip_prefix(['.', ',']).map_or(rest, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let behind_utc = match rest.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign @ ("+" | "-"), offset) if matches!(offset.len(), 2 | 4) && offset.bytes().all(|byte| byte.is_ascii_digit()) => {
            let minutes: i64 = offset.get(2..4).map_or(Some(0), |minutes| minutes.parse().ok())?;
            let seconds = offset[..2].parse::<i64>().ok()? * 3_600 + minutes * 60;
            if sign == "+" { seconds } else { -seconds }
        }
        _ => return None,
    };
    Some(Offset::UTC.to_timestamp(time).ok()?.as_second() - behind_utc)
}

/// A time as every server takes it in a filter; Active Directory wants the fraction, the others don't mind.
fn generalized(seconds: i64) -> Option<String> {
    let time = Offset::UTC.to_datetime(Timestamp::from_second(seconds).ok()?);
    (time.year() >= 0).then(|| time.strftime("%Y%m%d%H%M%S.0Z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_is_read_in_each_form_that_servers_write() {
        for (text, wanted) in [
            ("19700101000000Z", 0),
            ("20261120230932.0Z", 1_795_216_172),
            ("20261120230932.123456Z", 1_795_216_172),
            ("20261121000932+0100", 1_795_216_172),
            ("202611202309Z", 1_795_216_140),
            ("2026112023Z", 1_795_215_600),
        ] {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
        for bad in
            ["", "Z", "20261120230932", "20261320230932Z", "20261120230932Zx", "20261120230932+1", "2026", "x20261120230932Z"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_time_that_is_written_is_read(wanted in 0i64..253_402_300_799) {
            prop_assert_eq!(seconds(&generalized(wanted).unwrap()), Some(wanted));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[0-9]{0,20}[.,]?[0-9]{0,3}[-+Zé]?.{0,5}") {
            let _ = seconds(&text);
        }

        #[test]
        fn any_number_is_written_or_refused_without_a_panic(number: i64) {
            let _ = generalized(number);
        }
    }
}
