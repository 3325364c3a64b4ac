//! A few entries of an area that are asked for by what they are called by, and not by what they are like.

use super::connect::Session;
use super::entry::Entry;
use super::failure::Cause;
use super::person::escaped;
use super::search::{End, Pages, Read, Unreadable};
use super::settings::{Area, Settings};

/// Conditions in one question.
const AT_ONCE: usize = 50;
/// Entries that all questions together may come to: they are held in memory.
pub const ENTRIES_MAX: usize = 20_000;

/// A condition: one of these attributes names this entry.
pub fn naming(attributes: &[&str], dn: &str) -> String {
    let dn = escaped(dn);
    attributes.iter().map(|name| format!("({name}={dn})")).collect()
}

/// Those entries of the area that fit one of these conditions, each a filter. Who is not found may be anywhere.
///
/// # Errors
/// They were not read to the end.
pub async fn read(
    session: &mut Session,
    (settings, area): (&Settings, &Area),
    conditions: &[String],
    attributes: &[String],
) -> Result<(Vec<Entry>, Vec<Unreadable>), Cause> {
    let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
    for some in conditions.chunks(AT_ONCE) {
        let filter = format!("(&{}(|{}))", area.filter, some.concat());
        let area = Area { filter, ..area.clone() };
        let left = ENTRIES_MAX.saturating_sub(entries.len()).max(1);
        let mut pages = Pages::new(settings, &area, attributes.to_vec()).at_most(left.min(settings.entries_max));
        loop {
            match pages.next(session).await {
                Read::Page(page) => {
                    entries.extend(page.entries);
                    unreadable.extend(page.unreadable);
                }
                Read::End(End::Complete(_)) => break,
                Read::End(End::Cut(cut)) => return Err(cut.cause),
            }
        }
    }
    Ok((entries, unreadable))
}
