//! The rest of an attribute too long for one answer: Active Directory hands out 1,500 values at a time, under
//! `member;range=0-1499`, and the rest to who asks for `member;range=1500-*`.

use super::connect::Session;
use super::entry::{Entry, VALUES_MAX};
use super::failure::{Answer, Cause};
use super::search::{Item, Query, run};
use ldap3::Scope;

/// Reads every attribute of `entry` to its end.
///
/// # Errors
/// It can't be read on: then nothing is known of the values that are missing.
pub async fn complete(session: &mut Session, entry: &mut Entry) -> Result<(), Cause> {
    for at in 0..entry.attributes.len() {
        while let Some(from) = entry.attributes[at].more_from {
            if from > VALUES_MAX {
                return Err(entry.too_much(VALUES_MAX, "values in one attribute"));
            }
            let wanted = [format!("{};range={from}-*", entry.attributes[at].name)];
            let found = entry_at(session, &entry.dn, &wanted).await?;
            let next = found.find(&entry.attributes[at].name);
            let more_from = next.and_then(|next| next.more_from);
            if more_from.is_some_and(|next| next <= from) {
                return Err(Cause::Malformed(String::from("a range that does not go on")));
            }
            let attribute = &mut entry.attributes[at];
            attribute.values.extend(next.map(|next| next.values.clone()).unwrap_or_default());
            attribute.more_from = more_from;
        }
    }
    Ok(())
}

/// One entry by its name.
async fn entry_at(session: &mut Session, dn: &str, attributes: &[String]) -> Result<Entry, Cause> {
    let query = Query { base: dn, scope: Scope::Base, filter: "(objectClass=*)", attributes, controls: Vec::new() };
    let mut entries = Vec::new();
    let result = run(session, query, |item| {
        if let Item::Entry(entry) = item {
            entries.push(entry);
        }
        if entries.len() > 1 { Err(Cause::Malformed(String::from("two entries of one name"))) } else { Ok(()) }
    })
    .await?;
    if result.rc != 0 {
        return Err(Cause::Answer(Answer::of(&result)));
    }
    entries.pop().ok_or_else(|| Cause::Malformed(String::from("an entry that was there a moment ago")))
}
