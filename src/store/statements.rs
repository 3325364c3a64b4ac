//! The registry of statements. Each store file lists its own with [`statements!`]; [`all`] chains them, and a test
//! prepares every one on both databases.

use super::{Batch, Error, Value, dialect, joint};

/// `statements! { FIND_USER = "SELECT …"; }` makes a constant per statement and `ALL`, the list of them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* pub(super) const $name: &str = $sql;)+
        /// Every statement of this file, by name.
        pub(super) const ALL: &[(&str, &str)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),+];
    };
}
pub(super) use statements;

/// Every fixed statement of the store: `(name, text)`.
pub fn all() -> Vec<(&'static str, &'static str)> {
    let files: &[&[(&str, &str)]] = &[
        super::access_tokens::ALL,
        super::audit::ALL,
        super::clients::ALL,
        super::codes::ALL,
        super::conflicts::ALL,
        super::connections::ALL,
        super::consents::ALL,
        super::erasure::ALL,
        super::events::ALL,
        super::grants::ALL,
        super::groups::ALL,
        super::handles::ALL,
        super::groups_read::ALL,
        super::identities::ALL,
        super::leases::ALL,
        super::links::ALL,
        super::login_failures::ALL,
        super::login_used::ALL,
        super::logs::ALL,
        super::mapping_versions::ALL,
        super::organizations::ALL,
        super::people::ALL,
        super::outbox::ALL,
        super::positions::ALL,
        super::provider_keys::ALL,
        super::refresh_tokens::ALL,
        super::retention::ALL,
        super::run_changes::ALL,
        super::runs::ALL,
        super::saml_keys::ALL,
        super::saml_metadata::ALL,
        super::saml_sessions::ALL,
        super::schema_extensions::ALL,
        super::sessions::ALL,
        super::sync_state::ALL,
        super::tenants::ALL,
        super::tokens::ALL,
        super::traffic::ALL,
        super::users::ALL,
        super::users_read::ALL,
        super::webhook_deliveries::ALL,
        super::webhooks::ALL,
        super::walks::ALL,
    ];
    files.concat()
}

/// Those that may go together with others that wait: `(name, text)`.
pub fn look_ups() -> Vec<(&'static str, &'static str)> {
    all().into_iter().filter(|(_, sql)| is_look_up(sql)).collect()
}

pub(super) fn is_look_up(sql: &str) -> bool {
    let files = [
        super::erasure::LOOK_UPS,
        super::groups::LOOK_UPS,
        super::handles::LOOK_UPS,
        super::identities::LOOK_UPS,
        super::outbox::LOOK_UPS,
        super::users_read::LOOK_UPS,
        super::webhook_deliveries::LOOK_UPS,
    ];
    files.iter().any(|file| file.contains(&sql))
}

/// What PostgreSQL is sent for several look-ups with arguments like `args`.
pub fn looked_up(sql: &str, args: &[Value]) -> String {
    dialect::looked_up(sql, args)
}

/// A text that is built and not fixed, with arguments: for the tests that ask the databases how they run each.
#[derive(Clone, Debug)]
pub struct Form {
    pub name: String,
    pub sql: String,
    pub args: Vec<Value>,
}

/// What PostgreSQL is sent for `batch`, alone and, where it may go together with others, so: for the tests that prepare
/// them.
///
/// # Errors
/// [`Error::Statement`] for a text that can't run for each row, or too many parameters.
pub fn joined(batch: &Batch) -> Result<Vec<String>, Error> {
    let mut texts = vec![dialect::joined(&joint::alone(&batch.0))?];
    if joint::Rules::default().kind(&batch.0).is_some() {
        texts.push(dialect::joined(&joint::together(&[&batch.0, &batch.0]))?);
    }
    Ok(texts)
}
