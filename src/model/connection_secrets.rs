//! The options of a connection that are secret, and their sealed form. They are never among [`super::connection::Options`],
//! so that nothing that shows those can show these.

use super::connection::ConnectionKind;
use super::ids::ConnectionId;
use crate::clock::Entropy;
use crate::secret::{KeyRing, OpenError, Secret};
use std::collections::BTreeMap;

/// Longest value of one secret.
pub const SECRET_BYTES_MAX: usize = 4_096;

/// One secret option: which kinds have it and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretSpec {
    pub name: &'static str,
    kinds: &'static [ConnectionKind],
    pub meaning: &'static str,
}

const TABLE: &[SecretSpec] = &[
    SecretSpec {
        name: "bind_password",
        kinds: &[ConnectionKind::Ldap],
        meaning: "The password of bind_dn, for bind_method=simple.",
    },
    SecretSpec {
        name: "client_secret",
        kinds: ConnectionKind::OAUTH,
        meaning: "What the provider gave us beside client_id. Apple gives a key instead: client_key.",
    },
    SecretSpec {
        name: "client_key",
        kinds: &[ConnectionKind::Apple],
        meaning: "The key that Apple gave the team (AuthKey_….p8), which signs our client secret at each login.",
    },
];

/// Every secret option that connections of `kind` have.
pub fn of_kind(kind: ConnectionKind) -> impl Iterator<Item = &'static SecretSpec> {
    TABLE.iter().filter(move |spec| spec.kinds.contains(&kind))
}

/// Why stored secrets can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error(transparent)]
    Sealed(#[from] OpenError),
    #[error("the secrets of the connection are not what was sealed")]
    Corrupt,
}

/// The secrets of one connection by name.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSecrets(BTreeMap<String, Secret<String>>);

impl ConnectionSecrets {
    /// Opens what [`Self::seal`] made for the same connection; nothing stored is no secrets.
    ///
    /// # Errors
    /// Another key, altered bytes, or bytes of another connection.
    pub fn open(sealed: Option<&[u8]>, connection: &ConnectionId, keys: &KeyRing) -> Result<Self, SecretsError> {
        let Some(sealed) = sealed else { return Ok(Self::default()) };
        let plain = keys.open(sealed, &place(connection))?;
        let texts: BTreeMap<String, String> = serde_json::from_slice(plain.expose()).map_err(|_| SecretsError::Corrupt)?;
        Ok(Self(texts.into_iter().map(|(name, text)| (name, Secret::new(text))).collect()))
    }

    /// The form to store; `None` if there is nothing to keep.
    pub fn seal(&self, connection: &ConnectionId, keys: &KeyRing, entropy: &Entropy) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        let texts: BTreeMap<&String, &String> = self.0.iter().map(|(name, secret)| (name, secret.expose())).collect();
        let plain = serde_json::to_vec(&texts).expect("texts are JSON");
        Some(keys.seal(&plain, &place(connection), entropy))
    }

    pub fn get(&self, name: &str) -> Option<&Secret<String>> {
        self.0.get(name)
    }

    /// Puts a secret in place of an older one; `None` takes it away.
    pub fn set(&mut self, name: &str, secret: Option<Secret<String>>) {
        match secret {
            Some(secret) => _ = self.0.insert(name.to_owned(), secret),
            None => _ = self.0.remove(name),
        }
    }

    /// Which are set: all that may be shown of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn place(connection: &ConnectionId) -> String {
    format!("connection {connection}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_open_on_their_own_connection_alone_and_never_print() {
        let keys = KeyRing::new(Secret::new([1; 32]), None);
        let (own, other) = (ConnectionId::new("con_1"), ConnectionId::new("con_2"));
        let mut secrets = ConnectionSecrets::default();
        assert_eq!(secrets.seal(&own, &keys, &Entropy::system()), None);
        secrets.set("bind_password", Some(Secret::new(String::from("s3cret"))));
        assert!(!format!("{secrets:?}").contains("s3cret"));
        let sealed = secrets.seal(&own, &keys, &Entropy::system()).expect("there is one");
        assert!(!sealed.windows(6).any(|window| window == b"s3cret"));
        let opened = ConnectionSecrets::open(Some(&sealed), &own, &keys).expect("opens");
        assert_eq!(opened.get("bind_password").map(|secret| secret.expose().as_str()), Some("s3cret"));
        assert!(ConnectionSecrets::open(Some(&sealed), &other, &keys).is_err());
        assert_eq!(opened.names().collect::<Vec<_>>(), ["bind_password"]);
    }
}
