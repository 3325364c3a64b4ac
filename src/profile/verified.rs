//! What a login says, and that it was checked. Owns [`Verified`], the only form in which a login's data is taken in:
//! one exists because a [`Verify`] came to an end without an error, and for no other reason. A connector (LDAP bind,
//! SAML, OIDC) owns its `Verify`; nothing else should implement it. Pure.

use serde_json::{Map, Value};

/// Longest external id in bytes.
pub const EXTERNAL_ID_BYTES_MAX: usize = 1_024;

/// A check that can fail: a bind, the signature and conditions of an assertion, those of an ID token.
pub trait Verify {
    /// What is known once the check passed.
    type Record;
    /// Why it did not.
    type Failure;

    /// Checks, and says what was learned by it.
    ///
    /// # Errors
    /// The check did not pass, or could not be made: then nothing is known.
    fn verify(self) -> impl Future<Output = Result<Self::Record, Self::Failure>> + Send;
}

/// Data whose check passed. There is no other way to one than [`Verified::by`].
#[derive(Clone, Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Runs the check.
    ///
    /// # Errors
    /// The check's own.
    pub async fn by<V: Verify<Record = T>>(check: V) -> Result<Self, V::Failure> {
        check.verify().await.map(Self)
    }

    pub fn get(&self) -> &T {
        &self.0
    }
}

/// One person as a login's source sees them: what a connector hands over once it is verified.
#[derive(Clone, Debug)]
pub struct LoginRecord {
    external_id: String,
    payload: Map<String, Value>,
}

/// Why something is no record of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the id of the person at the source has to have 1 to {EXTERNAL_ID_BYTES_MAX} bytes")]
    ExternalId,
    #[error("U+0000 can't be stored")]
    NulCharacter,
}

impl LoginRecord {
    /// `external_id`: the source's immutable id for the person (objectGUID, NameID, `sub`, or what the connection's
    /// `user_id_attribute` names). `payload`: the claims or the entry, whole, without passwords and tokens.
    ///
    /// # Errors
    /// [`RecordError`]: no usable id, or a character no store can hold.
    pub fn new(external_id: impl Into<String>, payload: Map<String, Value>) -> Result<Self, RecordError> {
        let external_id = external_id.into();
        if external_id.is_empty() || external_id.len() > EXTERNAL_ID_BYTES_MAX {
            return Err(RecordError::ExternalId);
        }
        let nul = |text: &str| text.contains('\0');
        if nul(&external_id) || payload.iter().any(|(name, value)| nul(name) || holds_nul(value)) {
            return Err(RecordError::NulCharacter);
        }
        Ok(Self { external_id, payload })
    }

    pub fn external_id(&self) -> &str {
        &self.external_id
    }

    pub fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Password<'a>(&'a str);

    impl Verify for Password<'_> {
        type Record = &'static str;
        type Failure = &'static str;

        async fn verify(self) -> Result<&'static str, &'static str> {
            if self.0 == "right" { Ok("ann") } else { Err("wrong password") }
        }
    }

    #[tokio::test]
    async fn only_a_check_that_passed_gives_something_verified() {
        assert_eq!(Verified::by(Password("wrong")).await.map(|_| ()), Err("wrong password"));
        let verified = Verified::by(Password("right")).await.expect("the check passes");
        assert_eq!(*verified.get(), "ann");
    }

    #[test]
    fn a_record_has_an_id_and_only_characters_that_can_be_stored() {
        let new = |id: &str, payload: Value| {
            let Value::Object(payload) = payload else { panic!("an object") };
            LoginRecord::new(id, payload).map(|record| record.external_id().to_owned())
        };
        assert_eq!(new("e-1", json!({"mail": ["a@x"]})), Ok("e-1".into()));
        assert_eq!(new("", json!({})), Err(RecordError::ExternalId));
        assert_eq!(new(&"x".repeat(EXTERNAL_ID_BYTES_MAX + 1), json!({})), Err(RecordError::ExternalId));
        assert_eq!(new("e\0", json!({})), Err(RecordError::NulCharacter));
        assert_eq!(new("e", json!({"groups": [{"name": "a\0b"}]})), Err(RecordError::NulCharacter));
    }
}
