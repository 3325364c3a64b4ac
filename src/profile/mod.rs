//! What goes into a mapping and what comes out of the roster. Owns [`SourceRecord`] (what a connector hands over)
//! and [`Profile`] (the normalised document of one user). Pure; refuses to know protocols and the store.

pub mod verified;

use serde_json::{Map, Value};

/// Which side of a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A SCIM client wrote the resource.
    Push,
    /// A directory was read, and this is an entry of it.
    Sync,
    /// The person logged in, and what their provider says of them was verified.
    Login,
}

impl Side {
    /// The word in `identities.last_source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "scim",
            Self::Sync => "sync",
            Self::Login => "login",
        }
    }
}

/// One user as a source sees it now, with what the connector read out of it.
#[derive(Clone, Debug)]
pub struct SourceRecord {
    pub side: Side,
    /// The whole resource, secrets and server-owned members removed.
    pub payload: Map<String, Value>,
    /// The source's immutable id for the person, if it has one.
    pub external_id: Option<String>,
    pub user_name: Option<String>,
    /// What a member list shows for the person.
    pub label: Option<String>,
    /// What the source says about being active; None = it does not say, and nothing changes.
    pub active: Option<bool>,
    /// What the source's side can be searched by: attribute name and value key (already folded and capped).
    pub values: Vec<(String, String)>,
}

/// One group as a source sees it now; who is in it is handed over as changes.
#[derive(Clone, Debug)]
pub struct GroupRecord {
    /// The whole resource without members.
    pub payload: Map<String, Value>,
    pub external_id: Option<String>,
    pub name: String,
}

/// The fixed root attributes a mapping may write (profile reference §1, design §4).
pub const ROOTS: [&str; 13] = [
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "username",
    "picture",
    "phone_number",
    "phone_verified",
    "locale",
    "zoneinfo",
    "blocked",
];

/// Is `path` one of the roots, rather than metadata?
pub fn is_root(path: &str) -> bool {
    ROOTS.contains(&path)
}

/// The normalised document of one user: roots, `user_metadata`, `app_metadata`. `blocked`, `groups`, `identities` and
/// the times are not in it: they are rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile(pub Map<String, Value>);

impl Profile {
    /// Reads stored text.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    pub fn to_text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// The value at `email` or `app_metadata.title`. A path has at most two parts: metadata keys hold no dots.
    pub fn value(&self, path: &str) -> Option<&Value> {
        match path.split_once('.') {
            None => self.0.get(path),
            Some((object, key)) => self.0.get(object)?.get(key),
        }
    }

    pub fn set(&mut self, path: &str, value: Value) {
        match path.split_once('.') {
            None => {
                self.0.insert(path.to_owned(), value);
            }
            Some((object, key)) => {
                let inner = self.0.entry(object).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(inner) = inner {
                    inner.insert(key.to_owned(), value);
                }
            }
        }
    }

    /// Removes the value; a metadata object left empty goes too.
    pub fn clear(&mut self, path: &str) {
        match path.split_once('.') {
            None => {
                self.0.shift_remove(path);
            }
            Some((object, key)) => {
                if let Some(Value::Object(inner)) = self.0.get_mut(object) {
                    inner.shift_remove(key);
                    if inner.is_empty() {
                        self.0.shift_remove(object);
                    }
                }
            }
        }
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.value(path)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_paths_go_one_level_down_and_leave_no_empty_object() {
        let mut profile = Profile::default();
        profile.set("app_metadata.title", "Engineer".into());
        assert_eq!(profile.text("app_metadata.title"), Some("Engineer"));
        profile.clear("app_metadata.title");
        assert_eq!(profile, Profile::default());
    }
}
