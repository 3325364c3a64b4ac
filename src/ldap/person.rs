//! Whom a login name means. Owns the template of the filter: what was typed goes into places of values, escaped, and can be
//! nothing else there. Refuses to choose: more than one match is nobody.

use super::connect::Session;
use super::entry::Entry;
use super::failure::{Answer, Cause};
use super::ranges::{self, Whole};
use super::search::{Item, Query, domain_scope, run};
use super::settings::Settings;
use ldap3::Scope;

/// What stands for the typed name.
const PLACE: &str = "{}";
/// Places in one filter.
const PLACES_MAX: usize = 8;
/// sizeLimitExceeded (RFC 4511 §A.2).
const SIZE_LIMIT: u32 = 4;

/// A filter with places for a login name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginFilter {
    /// What stands around the places.
    parts: Vec<String>,
}

/// How many a login name means.
#[derive(Debug)]
pub enum Found {
    Nobody,
    One(Box<Entry>),
    Several,
}

impl LoginFilter {
    /// Reads `(uid={})`.
    ///
    /// # Errors
    /// What is wrong with it, to follow the option's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<String> = text.split(PLACE).map(str::to_owned).collect();
        if !(2..=PLACES_MAX + 1).contains(&parts.len()) {
            return Err(format!("`{text}` has to say 1 to {PLACES_MAX} times where the login name goes, like (uid={{}})"));
        }
        // Behind the sign of a comparison, so that a name is never an attribute or a filter of its own.
        let is_value = |before: &String| before.rfind('=') > before.rfind(['(', ')']);
        let mut before = String::new();
        for part in &parts[..parts.len() - 1] {
            before += part;
            if !is_value(&before) {
                return Err(format!("`{text}`: the place {{}} has to be in a value, like (uid={{}})"));
            }
            before += "x";
        }
        let filter = Self { parts };
        match ldap3::parse_filter(filter.of("x")) {
            Ok(_) if text.starts_with('(') => Ok(filter),
            _ => Err(format!("`{text}` is no filter (RFC 4515): every condition stands in parentheses, like (uid={{}})")),
        }
    }

    fn of(&self, typed: &str) -> String {
        self.parts.join(&escaped(typed))
    }
}

/// A text as a value (RFC 4515 §3): whatever is not plainly a letter of a name goes by its number.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"@.-_".contains(&byte) {
            out.push(byte.into());
        } else {
            out += &format!("\\{byte:02x}");
        }
        out
    })
}

/// Looks for whom `typed` means among the people of the connection.
///
/// # Errors
/// The directory can't tell.
pub async fn find(session: &mut Session, settings: &Settings, typed: &str, attributes: &[String]) -> Result<Found, Cause> {
    let among = &settings.users.filter;
    let among = if among.starts_with('(') { among.clone() } else { format!("({among})") };
    let filter = format!("(&{among}{})", settings.login.of(typed));
    let controls = domain_scope(settings).into_iter().collect();
    let (base, scope) = (&settings.users.base, Scope::Subtree);
    let query = Query { base, scope, filter: &filter, attributes, controls, from: 0, entries_max: 2 };
    let mut entries = Vec::new();
    let ended = run(session, query, |item| {
        // What can't be taken is somebody too.
        if let Item::Entry(entry) = item {
            entries.push(entry);
        }
        Ok(())
    })
    .await;
    if entries.len() > 1 {
        return Ok(Found::Several);
    }
    let result = ended?;
    match (result.rc, entries.pop()) {
        (0, Some(Ok(entry))) => Ok(Found::One(Box::new(entry))),
        (0, Some(Err(odd))) => Err(odd.cause),
        (0, None) => Ok(Found::Nobody),
        // Whether there is another nobody knows.
        (SIZE_LIMIT, Some(_)) => Ok(Found::Several),
        _ => Err(Cause::Answer(Answer::of(&result))),
    }
}

/// Reads on what was too long for one answer.
///
/// # Errors
/// It can't be read to its end.
pub async fn complete(session: &mut Session, entry: &mut Entry) -> Result<(), Cause> {
    match ranges::complete(session, entry).await? {
        Whole::Yes => Ok(()),
        Whole::No(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_goes_into_every_place() {
        let filter = LoginFilter::parse("(|(sAMAccountName={})(userPrincipalName={}))").expect("a filter");
        assert_eq!(filter.of("ann@x.example"), "(|(sAMAccountName=ann@x.example)(userPrincipalName=ann@x.example))");
    }

    #[test]
    fn what_has_a_meaning_in_a_filter_is_a_letter_like_any_other() {
        let filter = LoginFilter::parse("(uid={})").expect("a filter");
        assert_eq!(filter.of("*)(uid=*"), r"(uid=\2a\29\28uid\3d\2a)");
        assert_eq!(filter.of("a\0\\ \u{e4}"), r"(uid=a\00\5c\20\c3\a4)");
    }

    #[test]
    fn a_place_is_a_value_and_there_is_at_least_one() {
        for (text, says) in [
            ("(uid=ann)", "has to say"),
            ("", "has to say"),
            ("({}=ann)", "in a value"),
            ("(&(uid=x){})", "in a value"),
            ("{}", "in a value"),
            ("(uid={}", "is no filter"),
            ("uid={}", "is no filter"),
            (&format!("(|{})", "(uid={})".repeat(9)), "has to say"),
        ] {
            let refused = LoginFilter::parse(text).expect_err(text);
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn no_name_changes_the_shape_of_the_filter(name in ".{0,40}") {
            let filter = LoginFilter::parse("(uid={})").expect("a filter").of(&name);
            prop_assert!(ldap3::parse_filter(&filter).is_ok() || name.is_empty(), "{filter}");
            let inner = &filter[5..filter.len() - 1];
            prop_assert!(!inner.contains(['(', ')', '*', '=', '\0']), "{filter}");
        }
    }
}
