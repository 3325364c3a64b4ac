//! The names of the groups somebody is in, nested ones too: what a connector's script is handed at a login. Membership in the
//! roster is read from the side of the groups, by a sync; nothing is concluded from these.

use super::connect::Session;
use super::entry::Entry;
use super::failure::{Answer, Cause};
use super::person::escaped;
use super::search::{Item, Query, domain_scope, run};
use super::settings::{Area, Settings};
use crate::model::directory::DirectoryServer;
use ldap3::Scope;
use ldap3::controls::RawControl;
use std::collections::{BTreeSet, HashSet};

/// Groups of one person; more are no list that anything decides by.
const GROUPS_MAX: usize = 5_000;
/// How deep groups are followed into groups.
const DEPTH_MAX: usize = 20;
/// Groups asked after in one filter.
const PER_QUERY: usize = 50;
/// Active Directory follows the chain itself (LDAP_MATCHING_RULE_IN_CHAIN).
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";
/// What a group is called.
const NAME: &str = "cn";

/// Of `person`, below the connection's `group_base`; without one, what the entry itself names (`memberOf`). In the order of
/// names, each once.
///
/// # Errors
/// The directory can't tell, or there are too many: a part would be taken for the whole.
pub async fn group_names(session: &mut Session, settings: &Settings, person: &Entry) -> Result<Vec<String>, Cause> {
    let mut names = BTreeSet::new();
    match &settings.groups {
        None => {
            let listed = person.find("memberOf").map(|found| found.values.as_slice()).unwrap_or_default();
            let texts = listed.iter().filter_map(|dn| std::str::from_utf8(dn).ok());
            names.extend(texts.filter_map(first_value).filter(|name| !name.contains('\0')));
        }
        Some(area) if settings.server == DirectoryServer::ActiveDirectory => {
            let condition = format!("(member:{IN_CHAIN}:={})", escaped(&person.dn));
            for group in search(session, area, &condition, domain_scope(settings)).await? {
                names.extend(name_of(&group));
            }
        }
        Some(area) => {
            let mut seen: HashSet<String> = HashSet::new();
            let mut level = vec![person.dn.clone()];
            for _ in 0..DEPTH_MAX {
                let mut next = Vec::new();
                for members in level.chunks(PER_QUERY) {
                    for group in search(session, area, &holds_one_of(settings, members), None).await? {
                        if seen.insert(group.dn.to_lowercase()) {
                            names.extend(name_of(&group));
                            next.push(group.dn);
                        }
                    }
                    if seen.len() > GROUPS_MAX {
                        return Err(too_many(&person.dn));
                    }
                }
                level = next;
            }
        }
    }
    if names.len() > GROUPS_MAX { Err(too_many(&person.dn)) } else { Ok(names.into_iter().collect()) }
}

fn too_many(dn: &str) -> Cause {
    Cause::TooMuch { what: dn.to_owned(), max: GROUPS_MAX, unit: "groups" }
}

fn holds_one_of(settings: &Settings, members: &[String]) -> String {
    let attributes = settings.server.member_attributes();
    let condition = |dn: &String| {
        let value = escaped(dn);
        attributes.iter().map(|attribute| format!("({attribute}={value})")).collect::<String>()
    };
    format!("(|{})", members.iter().map(condition).collect::<String>())
}

async fn search(session: &mut Session, area: &Area, condition: &str, domain: Option<RawControl>) -> Result<Vec<Entry>, Cause> {
    let (base, filter) = (&area.base, format!("(&{}{condition})", area.filter));
    let (attributes, controls) = ([NAME.to_owned()], domain.into_iter().collect());
    let (scope, entries_max) = (Scope::Subtree, GROUPS_MAX + 1);
    let query = Query { base, scope, filter: &filter, attributes: &attributes, controls, from: 0, entries_max };
    let mut groups = Vec::new();
    let result = run(session, query, |item| {
        match item {
            Item::Entry(_) if groups.len() >= GROUPS_MAX => return Err(too_many(&area.base)),
            Item::Entry(Ok(group)) => groups.push(group),
            Item::Entry(Err(odd)) => return Err(odd.cause),
            Item::Referral(_) => {}
        }
        Ok(())
    })
    .await?;
    if result.rc == 0 { Ok(groups) } else { Err(Cause::Answer(Answer::of(&result))) }
}

fn name_of(group: &Entry) -> Option<String> {
    let value = group.find(NAME)?.values.first()?;
    std::str::from_utf8(value).ok().filter(|name| !name.contains('\0')).map(str::to_owned)
}

/// The value of a DN's first part (RFC 4514 §2.4): `cn=Sales\, West,ou=…` is `Sales, West`.
fn first_value(dn: &str) -> Option<String> {
    let (_, rest) = dn.split_once('=')?;
    let (mut value, mut bytes) = (Vec::new(), rest.trim_start().bytes().peekable());
    while let Some(byte) = bytes.next() {
        match byte {
            b',' | b'+' => break,
            b'\\' => {
                let escaped = bytes.next()?;
                let hex = |byte: u8| char::from(byte).to_digit(16);
                match (hex(escaped), bytes.peek().copied().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        bytes.next();
                        value.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    _ => value.push(escaped),
                }
            }
            byte => value.push(byte),
        }
    }
    String::from_utf8(value).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_of_a_name_is_read_with_its_escapes() {
        for (dn, name) in [
            ("cn=staff,ou=groups,dc=x", Some("staff")),
            ("CN=Sales\\, West,DC=x", Some("Sales, West")),
            ("cn=a\\2cb\\c3\\a4,dc=x", Some("a,b\u{e4}")),
            ("cn=a+uid=b,dc=x", Some("a")),
            ("cn= staff", Some("staff")),
            ("cn=", None),
            ("staff", None),
            ("cn=a\\", None),
            ("cn=\\ff,dc=x", None),
        ] {
            assert_eq!(first_value(dn).as_deref(), name, "{dn}");
        }
    }
}
