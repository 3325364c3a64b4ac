//! What a profile can be searched and sorted by: its rows of `user_values`, made of the document whenever one is written, and the
//! predicate that is asked of them ([`UserQuery`]). Pure; knows neither the syntax of a search nor SQL.
//!
//! A row's key is the value in the form in which it is compared. Text of a person is folded, other text stays as it is. A value of
//! metadata begins with what it is: `s` text, `n` a number (in digits that sort as numbers do), `b` true or false; so that 7 is not
//! "7". Lists on the way are not written in a path. `given_name` and `family_name` have an empty key where nobody said one, so that
//! an index alone sorts by them.

use super::fold::{fold, value_key};
use super::profile_names;
use serde_json::{Map, Value};

/// Values of metadata that one profile is searched by; what more there is, in the order of the document, is not found.
pub const METADATA_MAX: usize = 500;
/// Longest path into metadata that can be searched, in bytes.
pub const PATH_BYTES_MAX: usize = 256;

/// The attributes that are sorted by their rows; every profile has one of each.
pub const SORTED: [&str; 4] = ["name", "given_name", "family_name", "nickname"];

/// A predicate over users. It is true or false of each, never unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum UserQuery {
    All,
    And(Vec<UserQuery>),
    Or(Vec<UserQuery>),
    Not(Box<UserQuery>),
    Test(Test),
}

/// What is asked of one thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// One of the rows of this attribute has such a key.
    Value {
        attribute: String,
        keys: Keys,
    },
    /// There is a value at this path of metadata, or below it.
    Below(String),
    UserId(Keys),
    /// Of the folded address.
    Email(Keys),
    Organization(Keys),
    /// By any block.
    Blocked,
    When(Moment, Whole),
    Logins(Whole),
    Identity(Identity),
    /// Nobody has it.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Created,
    Updated,
    LastLogin,
}

/// What is asked of one identity of theirs.
#[derive(Clone, Debug, PartialEq)]
pub enum Identity {
    /// Name of the connection.
    Connection(String),
    /// The connection is of one of these kinds.
    Kinds(Vec<&'static str>),
    /// What stands behind the first `|` of the identity's own `user_id`.
    OwnId(String),
}

/// Which keys are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Keys {
    Any,
    Equal(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
    /// From and to, each with whether it counts as well.
    Between {
        from: (String, bool),
        to: (String, bool),
    },
}

/// Whole numbers from the first to before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    pub from: i64,
    pub until: i64,
}

impl Whole {
    pub const ALL: Self = Self { from: i64::MIN, until: i64::MAX };
}

/// The rows of a profile: attribute and key, each once.
pub fn values(doc: &str, user_id: &str) -> Vec<(String, String)> {
    let doc: Map<String, Value> = serde_json::from_str(doc).unwrap_or_default();
    let text = |name: &str| doc.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |attribute: &str, key: String| rows.push((attribute.to_owned(), key));
    row("name", value_key(&profile_names::name(&doc, user_id), false));
    row("nickname", value_key(&profile_names::nickname(&doc, user_id), false));
    for name in ["given_name", "family_name"] {
        row(name, text(name).map(|text| value_key(text, false)).unwrap_or_default());
    }
    if let Some((_, domain)) = text("email").and_then(|email| email.rsplit_once('@')).filter(|(_, domain)| !domain.is_empty()) {
        row("email.domain", value_key(domain, false));
    }
    for name in ["username", "phone_number"] {
        if let Some(text) = text(name) {
            row(name, value_key(text, true));
        }
    }
    if doc.get("email_verified") == Some(&Value::Bool(true)) {
        row("email_verified", "true".to_owned());
    }
    if let Some(Value::Bool(verified)) = doc.get("phone_verified") {
        row("phone_verified", verified.to_string());
    }
    let mut left = METADATA_MAX;
    for object in ["app_metadata", "user_metadata"] {
        if let Some(value) = doc.get(object) {
            leaves(object, value, &mut left, &mut rows);
        }
    }
    rows.sort_unstable();
    rows.dedup();
    rows.retain(|(_, key)| !key.contains('\0'));
    rows
}

fn leaves(path: &str, value: &Value, left: &mut usize, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                leaves(&format!("{path}.{name}"), inner, left, rows);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| leaves(path, element, left, rows)),
        leaf => {
            if let (Some(key), true) = (metadata_key(leaf), *left > 0 && path.len() <= PATH_BYTES_MAX && !path.contains('\0')) {
                *left -= 1;
                rows.push((path.to_owned(), key));
            }
        }
    }
}

/// The key of a value of metadata; none of one that doesn't exist.
fn metadata_key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text_key(text)),
        Value::Number(number) => number.as_f64().map(number_key),
        Value::Bool(flag) => Some(flag_key(*flag)),
        _ => None,
    }
}

/// The key of text in metadata.
pub fn text_key(text: &str) -> String {
    format!("s{}", value_key(text, true))
}

/// The key of a number: the order of keys is that of the numbers.
pub fn number_key(number: f64) -> String {
    // Zero has one key whatever its sign.
    let bits = (number + 0.0).to_bits();
    let sorted = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    format!("n{sorted:016x}")
}

pub fn flag_key(flag: bool) -> String {
    format!("b{flag}")
}

/// The key of text of a person.
pub fn folded_key(text: &str) -> String {
    fold(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(doc: &str) -> Vec<(String, String)> {
        values(doc, "scim|a|1")
    }

    fn keys<'r>(rows: &'r [(String, String)], attribute: &str) -> Vec<&'r str> {
        rows.iter().filter(|(name, _)| name == attribute).map(|(_, key)| key.as_str()).collect()
    }

    #[test]
    fn somebody_with_nothing_can_still_be_sorted() {
        let rows = of("{}");
        for (attribute, key) in [("name", "scim|a|1"), ("nickname", "scim|a|1"), ("given_name", ""), ("family_name", "")] {
            assert_eq!(keys(&rows, attribute), [key]);
        }
        assert_eq!(rows.len(), 4);
        assert_eq!(of("no json"), rows);
    }

    #[test]
    fn text_of_a_person_is_folded_and_other_text_is_not() {
        let rows = of(r#"{"email":"Ana@ACME.example","email_verified":true,"name":"ANA","username":"Ana","phone_number":"+1"}"#);
        for (attribute, key) in
            [("name", "ana"), ("nickname", "ana"), ("email.domain", "acme.example"), ("username", "Ana"), ("phone_number", "+1")]
        {
            assert_eq!(keys(&rows, attribute), [key], "{attribute}");
        }
        assert_eq!(keys(&rows, "email_verified"), ["true"]);
    }

    #[test]
    fn metadata_is_flat_typed_and_without_what_does_not_exist() {
        let rows = of(
            r#"{"app_metadata":{"n":7,"s":"7","b":true,"none":null,"empty":{},"list":[1,"x",[{"city":"Paris"},{"city":"Paris"}]]}}"#,
        );
        assert_eq!(keys(&rows, "app_metadata.n"), [number_key(7.0)]);
        assert_eq!(keys(&rows, "app_metadata.s"), ["s7"]);
        assert_eq!(keys(&rows, "app_metadata.b"), ["btrue"]);
        assert_eq!(keys(&rows, "app_metadata.list"), [number_key(1.0).as_str(), "sx"]);
        assert_eq!(keys(&rows, "app_metadata.list.city"), ["sParis"]);
        assert!(!rows.iter().any(|(name, _)| name.contains("none") || name.contains("empty")));
    }

    #[test]
    fn what_one_profile_is_searched_by_is_bounded() {
        let many: Vec<String> = (0..2_000).map(|n| n.to_string()).collect();
        let rows = of(&format!(r#"{{"user_metadata":{{"n":[{}],"{}":1}}}}"#, many.join(","), "x".repeat(300)));
        assert_eq!(rows.len(), METADATA_MAX + 4);
    }

    #[test]
    fn keys_of_numbers_sort_as_numbers_do() {
        let numbers = [f64::MIN, -10.0, -2.5, -0.001, 0.0, 0.5, 2.0, 10.0, 1e300];
        assert!(numbers.windows(2).all(|pair| number_key(pair[0]) < number_key(pair[1])));
        assert_eq!(number_key(-0.0), number_key(0.0));
    }
}
