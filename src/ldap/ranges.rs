//! The rest of an attribute too long for one answer: Active Directory hands out 1,500 values at a time, under
//! `member;range=0-1499`, and the rest to who asks for `member;range=1500-*` (MS-ADTS §3.1.1.3.1.3.3). Nothing holds the
//! entry still meanwhile. So each question goes back by one value, which has to be the same, and the entry's stamp before
//! the first has to be its stamp after the last; else it is read anew, and after a few times given up: nothing may be
//! concluded about its values then.

use super::connect::Session;
use super::entry::{Attribute, Entry, VALUES_MAX};
use super::failure::{Answer, Cause};
use super::search::{Item, Query, run};

/// How often one entry is read before it is given up.
const TRIES_MAX: usize = 3;
/// Questions for one attribute: as many as it takes with the shortest ranges a directory is set up for, and a bound for one
/// that hands out values singly.
const RANGES_MAX: usize = 10_000;
/// What moves when an entry is changed: at Active Directory, at OpenLDAP, and everywhere else, where it moves once a second.
const STAMPS: [&str; 3] = ["uSNChanged", "entryCSN", "modifyTimestamp"];

/// What became of the long attributes of one entry.
pub(super) enum Whole {
    /// There were none, or all of them were read to their end.
    Yes,
    /// This entry can't be read whole; the next one may.
    No(Cause),
}

/// Reads every attribute of `entry` to its end.
///
/// # Errors
/// The connection can't be used any more.
pub(super) async fn complete(session: &mut Session, entry: &mut Entry) -> Result<Whole, Cause> {
    if entry.attributes.iter().all(|attribute| attribute.more_from.is_none()) {
        return Ok(Whole::Yes);
    }
    for _ in 0..TRIES_MAX {
        match once(session, entry).await {
            Ok(()) => return Ok(Whole::Yes),
            Err(Failed::Changed) => {}
            Err(Failed::Entry(cause)) => return Ok(Whole::No(cause)),
            Err(Failed::Session(cause)) => return Err(cause),
        }
    }
    Ok(Whole::No(Cause::Changing { what: entry.dn.clone() }))
}

enum Failed {
    /// It became another while it was read.
    Changed,
    Entry(Cause),
    Session(Cause),
}

/// From the first value to the last, between two equal stamps.
async fn once(session: &mut Session, entry: &mut Entry) -> Result<(), Failed> {
    let long: Vec<usize> = (0..entry.attributes.len()).filter(|at| entry.attributes[*at].more_from.is_some()).collect();
    let names: Vec<String> = long.iter().map(|at| entry.attributes[*at].name.clone()).collect();
    let mut first = entry_at(session, &entry.dn, &names, 0).await?;
    let before = stamp(&first);
    if before.is_empty() {
        return Err(Failed::Entry(Cause::NoStamp { what: entry.dn.clone() }));
    }
    let mut whole = Vec::with_capacity(names.len());
    for name in &names {
        // A list that became short enough meanwhile comes whole, an emptied one not at all.
        let empty = || Attribute { name: name.clone(), values: Vec::new(), more_from: None };
        let mut attribute = first.take(name).unwrap_or_else(empty);
        to_the_end(session, entry, &mut attribute).await?;
        whole.push(attribute);
    }
    if stamp(&entry_at(session, &entry.dn, &[], 0).await?) != before {
        return Err(Failed::Changed);
    }
    for (at, attribute) in long.into_iter().zip(whole) {
        entry.attributes[at] = attribute;
    }
    Ok(())
}

async fn to_the_end(session: &mut Session, entry: &Entry, attribute: &mut Attribute) -> Result<(), Failed> {
    for _ in 0..RANGES_MAX {
        let Some(more_from) = attribute.more_from else { return Ok(()) };
        if more_from >= VALUES_MAX {
            return Err(Failed::Entry(entry.too_much(VALUES_MAX, "values in one attribute")));
        }
        // The last value once more: one that goes in front of it moves all that follow.
        let Some(last) = attribute.values.last() else {
            return Err(Failed::Entry(Cause::Malformed(String::from("a range without values"))));
        };
        let from = more_from - 1;
        let wanted = [format!("{};range={from}-*", attribute.name)];
        let mut found = entry_at(session, &entry.dn, &wanted, from).await?;
        let Some(next) = found.take(&attribute.name) else { return Err(Failed::Changed) };
        if next.values.first() != Some(last) {
            return Err(Failed::Changed);
        }
        if next.more_from.is_some_and(|next| next <= more_from) {
            return Err(Failed::Entry(Cause::Malformed(String::from("a range that does not go on"))));
        }
        attribute.values.extend(next.values.into_iter().skip(1));
        attribute.more_from = next.more_from;
    }
    Err(Failed::Entry(entry.too_much(RANGES_MAX, "ranges in one attribute")))
}

/// The stamps of an entry that the account may see, in one order.
fn stamp(entry: &Entry) -> Vec<Vec<u8>> {
    STAMPS.iter().filter_map(|name| entry.find(name)).flat_map(|found| found.values.clone()).collect()
}

/// One entry by its name, with its stamps.
async fn entry_at(session: &mut Session, dn: &str, attributes: &[String], from: usize) -> Result<Entry, Failed> {
    let attributes: Vec<String> = attributes.iter().cloned().chain(STAMPS.map(String::from)).collect();
    let query = Query { from, ..Query::one(dn, &attributes) };
    let mut found = None;
    let result = run(session, query, |item| match item {
        Item::Entry(_) if found.is_some() => Err(Cause::Malformed(String::from("two entries of one name"))),
        Item::Entry(entry) => {
            found = Some(entry);
            Ok(())
        }
        Item::Referral(_) => Ok(()),
    })
    .await
    .map_err(Failed::Session)?;
    match (result.rc, found) {
        (0, Some(Ok(entry))) => Ok(entry),
        (0, Some(Err(odd))) => Err(Failed::Entry(odd.cause)),
        (0, None) => Err(Failed::Entry(Cause::Malformed(String::from("an entry that was there a moment ago")))),
        _ => Err(Failed::Entry(Cause::Answer(Answer::of(&result)))),
    }
}
