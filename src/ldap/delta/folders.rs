//! Where the folders lie that others lie in. Whoever renames or moves one renames everybody in it, and neither stamps nor
//! syncrepl tell of those: so the folders are looked at each time, all of them, and compared as a whole.

use crate::ldap::connect::Session;
use crate::ldap::failure::Cause;
use crate::ldap::identity::external_id;
use crate::ldap::search::{End, Pages, Read};
use crate::ldap::settings::{Area, Settings};
use crate::model::dn::dn_key;
use sha2::{Digest, Sha256};

/// With more of them reading everything is not much more work.
const FOLDERS_MAX: usize = 20_000;
/// What usually holds others: of all kinds of servers.
const CLASSES: [&str; 10] = [
    "organizationalUnit",
    "organization",
    "container",
    "nsContainer",
    "builtinDomain",
    "domain",
    "dcObject",
    "country",
    "locality",
    "organizationalRole",
];

/// A hash of the folders of these areas and of where they lie; `None`: there are too many.
///
/// # Errors
/// They were not read to the end.
pub async fn folders(session: &mut Session, settings: &Settings) -> Result<Option<String>, Cause> {
    let classes: String = CLASSES.map(|class| format!("(objectClass={class})")).concat();
    let mut lines = Vec::new();
    for area in std::iter::once(&settings.users).chain(&settings.groups) {
        let area = Area { filter: format!("(|{classes})"), ..area.clone() };
        let mut pages = Pages::new(settings, &area, Vec::new()).at_most(FOLDERS_MAX);
        loop {
            match pages.next(session).await {
                Read::Page(page) => {
                    let line = |dn: &str, id: &str| format!("{} {id}", dn_key(dn));
                    let id = |entry| external_id(entry, &area.id_attribute).unwrap_or_default();
                    lines.extend(page.entries.iter().map(|entry| line(&entry.dn, &id(entry))));
                    lines.extend(page.unreadable.iter().map(|entry| line(&entry.dn, "")));
                }
                Read::End(End::Complete(_)) => break,
                Read::End(End::Cut(cut)) => match cut.cause {
                    Cause::TooMuch { unit, .. } if unit.starts_with("entries") => return Ok(None),
                    cause => return Err(cause),
                },
            }
        }
    }
    lines.sort_unstable();
    lines.dedup();
    let hash = Sha256::digest(lines.join("\n"));
    Ok(Some(hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()))
}
