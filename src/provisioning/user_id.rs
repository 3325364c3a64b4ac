//! Which `user_id` a newcomer gets, and what stays of ids that are gone. The form itself is `model`'s; whether one is taken comes
//! from outside.

use crate::model::connection::Connection;
use crate::model::ids::ConnectionId;
pub use crate::model::user_id::hex;
use sha2::{Digest, Sha256};

/// The form that the connection's people get ([`model::user_id`](crate::model::user_id)).
pub fn wanted(connection: &Connection, external_id: Option<&str>, identity_id: &str) -> String {
    crate::model::user_id::wanted(connection.kind, &connection.name, external_id, identity_id)
}

/// `wanted`, or the first of `wanted~2`, `wanted~3`, … that nobody bears or bore: another person never gets it.
pub fn free(wanted: &str, taken: &[String]) -> String {
    if !taken.iter().any(|id| id == wanted) {
        return wanted.to_owned();
    }
    (2_u32..)
        .map(|n| format!("{wanted}~{n}"))
        .find(|candidate| !taken.contains(candidate))
        .expect("a finite list leaves a number free")
}

/// What stays of an identity that was removed: enough to know it again, not to read it.
pub fn tombstone(connection: &ConnectionId, external_id: &str) -> String {
    format!("{connection}|{}", hex(&Sha256::digest(external_id)))
}

/// The same of the name that was pushed of it, folded: where people are known by that, they log in with it.
pub fn name_tombstone(connection: &ConnectionId, user_name_key: &str) -> String {
    format!("{connection}|name|{}", hex(&Sha256::digest(user_name_key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_borne_id_is_never_given_twice() {
        let taken = ["scim|a|1".to_owned(), "scim|a|1~2".to_owned()];
        assert_eq!(free("scim|a|1", &taken), "scim|a|1~3");
        assert_eq!(free("scim|a|2", &taken), "scim|a|2");
    }
}
