//! What an application is told of a person: scopes to claims, from the profile (OpenID Connect Core §5). Pure.

use crate::clock::SECOND;
use crate::model::access::OWN_SCOPES;
use crate::model::grant::Person;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What may be asked for; what a rule of a mapping may hang on.
pub(super) const SCOPES: [&str; 7] = crate::mapping::SCOPES;

/// Groups that one answer names.
const GROUPS_MAX: usize = 200;
/// Longest `sub` in bytes (OpenID Connect Core §2).
const SUB_BYTES_MAX: usize = 255;

const PROFILE: [&str; 9] =
    ["name", "given_name", "family_name", "nickname", "preferred_username", "picture", "zoneinfo", "locale", "updated_at"];
const EMAIL: [&str; 2] = ["email", "email_verified"];
const PHONE: [&str; 2] = ["phone_number", "phone_number_verified"];
/// A profile has none: an application's mapping gives it.
const ADDRESS: [&str; 1] = ["address"];
const GROUPS: [&str; 1] = ["groups"];

/// Every claim there is, for the discovery document.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    PROFILE.into_iter().chain(EMAIL).chain(PHONE).chain(ADDRESS).chain(GROUPS)
}

fn of_scope(scope: &str) -> &'static [&'static str] {
    match scope {
        "profile" => &PROFILE,
        "email" => &EMAIL,
        "phone" => &PHONE,
        "address" => &ADDRESS,
        "groups" => &GROUPS,
        _ => &[],
    }
}

/// Claims that were asked for one by one (OpenID Connect Core §5.5). None is essential to us: what is not there is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    pub(super) id_token: BTreeSet<String>,
    #[serde(default)]
    pub(super) userinfo: BTreeSet<String>,
}

impl Asked {
    /// The `claims` parameter; `None` if it is no such object.
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::default()) };
        let object: Map<String, Value> = serde_json::from_str(text).ok()?;
        let names = |place: &str| match object.get(place) {
            None | Some(Value::Null) => Some(BTreeSet::new()),
            Some(Value::Object(names)) => {
                Some(names.keys().filter(|name| all().any(|known| known == *name)).cloned().collect::<BTreeSet<_>>())
            }
            Some(_) => None,
        };
        Some(Self { id_token: names("id_token")?, userinfo: names("userinfo")? })
    }

    /// What is left of it where less was asked for than was `given`: what a scope that is `left` gives too. Who asks for less gets less.
    pub(super) fn within(self, given: &str, left: &str) -> Self {
        let is_left = |word: &str| left.split(' ').any(|one| one == word);
        if given.split(' ').all(is_left) {
            return self;
        }
        let stays = |name: &String| SCOPES.into_iter().any(|word| is_left(word) && of_scope(word).contains(&name.as_str()));
        let of = |names: BTreeSet<String>| names.into_iter().filter(stays).collect();
        Self { id_token: of(self.id_token), userinfo: of(self.userinfo) }
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("plain texts")
    }

    pub(super) fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// The words of scopes that give what `scope` and what was `asked` for besides come to: what a person is asked about.
pub(super) fn words(scope: &str, asked: &Asked) -> String {
    let is_given = |word: &str| scope.split(' ').any(|given| given == word);
    let is_asked =
        |word: &str| of_scope(word).iter().any(|name| asked.id_token.contains(*name) || asked.userinfo.contains(*name));
    let own = OWN_SCOPES.into_iter().filter(|word| is_given(word));
    SCOPES.into_iter().filter(|word| is_given(word) || is_asked(word)).chain(own).collect::<Vec<_>>().join(" ")
}

/// Which claims `scope` and what was `asked` for besides come to.
pub(super) fn wanted(scope: &str, asked: &BTreeSet<String>) -> BTreeSet<String> {
    let of_scopes = scope.split(' ').flat_map(of_scope).map(|name| (*name).to_owned());
    of_scopes.chain(asked.iter().cloned()).collect()
}

/// Those of `wanted` that are known of the person.
pub(super) fn of(person: &Person, groups: &[String], wanted: &BTreeSet<String>) -> Map<String, Value> {
    let doc: Map<String, Value> = serde_json::from_str(&person.doc).unwrap_or_default();
    let mut claims = Map::new();
    for name in wanted {
        let value = match name.as_str() {
            "preferred_username" => doc.get("username").cloned(),
            "phone_number_verified" => doc.contains_key("phone_number").then(|| is_true(doc.get("phone_verified"))),
            "email_verified" => doc.contains_key("email").then(|| is_true(doc.get("email_verified"))),
            "updated_at" => Some(Value::from(person.updated_at / SECOND)),
            "groups" => {
                if groups.len() > GROUPS_MAX {
                    claims.insert(String::from("groups_overage"), true.into());
                }
                Some(groups.iter().take(GROUPS_MAX).cloned().collect())
            }
            plain => doc.get(plain).filter(|value| value.is_string()).cloned(),
        };
        if let Some(value) = value.filter(|value| !value.is_null()) {
            claims.insert(name.clone(), value);
        }
    }
    claims
}

fn is_true(value: Option<&Value>) -> Value {
    Value::Bool(value == Some(&Value::Bool(true)))
}

/// `user_id` as a subject: ASCII, at most 255 of it.
pub(super) fn subject(user_id: &str) -> String {
    use std::fmt::Write as _;
    let mut sub = String::new();
    for byte in user_id.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            sub.push(char::from(byte));
        } else {
            write!(sub, "%{byte:02X}").expect("a text grows");
        }
    }
    if sub.len() <= SUB_BYTES_MAX {
        return sub;
    }
    // Nobody else's: a prefix alone could be.
    let hash = <sha2::Sha256 as sha2::Digest>::digest(user_id.as_bytes());
    sub.truncate(SUB_BYTES_MAX - 65);
    sub.push('~');
    hash.iter().fold(sub, |mut sub, byte| {
        write!(sub, "{byte:02x}").expect("a text grows");
        sub
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn person(doc: &Value) -> Person {
        Person { user_id: String::from("ldap|corp|1"), doc: doc.to_string(), updated_at: 1_700_000_000_123_456 }
    }

    #[test]
    fn a_scope_gives_what_is_known_and_nothing_of_others() {
        let mia = person(&json!({
            "name": "Mia", "username": "mia", "email": "mia@corp.example", "phone_number": "+3611111111",
            "app_metadata": {"roles": ["admin"]}, "locale": {"language": "en"},
        }));
        let of = |scope: &str| Value::Object(of(&mia, &[String::from("eng")], &wanted(scope, &BTreeSet::new())));
        assert_eq!(of("openid"), json!({}));
        assert_eq!(of("openid profile"), json!({"name": "Mia", "preferred_username": "mia", "updated_at": 1_700_000_000}));
        assert_eq!(of("openid email"), json!({"email": "mia@corp.example", "email_verified": false}));
        assert_eq!(of("openid phone"), json!({"phone_number": "+3611111111", "phone_number_verified": false}));
        assert_eq!(of("openid groups"), json!({"groups": ["eng"]}));
    }

    #[test]
    fn more_groups_than_one_answer_names_are_said_to_be_there() {
        let many: Vec<String> = (0..201).map(|n| n.to_string()).collect();
        let told = of(&person(&json!({})), &many, &wanted("groups", &BTreeSet::new()));
        assert_eq!((told["groups"].as_array().map(Vec::len), &told["groups_overage"]), (Some(200), &json!(true)));
    }

    #[test]
    fn claims_are_asked_for_by_name_and_unknown_names_are_nothing() {
        let asked = Asked::parse(Some(r#"{"userinfo":{"name":{"essential":true},"shoe_size":null},"id_token":{"email":null}}"#));
        let asked = asked.expect("an object");
        assert_eq!((asked.userinfo.len(), asked.id_token.len()), (1, 1));
        assert_eq!(Asked::from_text(&asked.to_text()), asked);
        for text in ["x", "[]", r#"{"userinfo":[]}"#] {
            assert_eq!(Asked::parse(Some(text)), None, "{text}");
        }
    }

    #[test]
    fn a_claim_that_is_asked_for_alone_is_asked_about_like_its_scope() {
        let asked = Asked::parse(Some(r#"{"userinfo":{"email":null},"id_token":{"groups":null}}"#)).expect("an object");
        assert_eq!(words("openid", &asked), "openid email groups");
        assert_eq!(words("openid offline_access", &Asked::default()), "openid offline_access");
    }

    #[test]
    fn who_asks_for_less_is_told_less_of_what_was_asked_for_by_name_too() {
        let asked =
            Asked::parse(Some(r#"{"userinfo":{"email":null,"name":null},"id_token":{"groups":null}}"#)).expect("an object");
        assert_eq!(asked.clone().within("openid email", "openid email"), asked, "the same as at first");
        assert_eq!(asked.clone().within("openid email", "openid"), Asked::default());
        let left = asked.within("openid email profile", "openid profile");
        assert_eq!((left.userinfo.into_iter().collect::<Vec<_>>(), left.id_token.len()), (vec![String::from("name")], 0));
    }

    #[test]
    fn a_subject_is_short_ascii_and_of_one_person() {
        assert_eq!(subject("ldap|corp|a b%é"), "ldap|corp|a%20b%25%C3%A9");
        let (one, other) = (subject(&"x".repeat(300)), subject(&"x".repeat(301)));
        assert!(one.len() == 255 && other.len() == 255 && one != other);
    }
}
