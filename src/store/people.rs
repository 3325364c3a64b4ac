//! People as they are changed as a whole: a profile by its public id with all of its identities.

use super::identities::{self, USER_COLUMNS, identity_columns, user_columns};
use super::statements::statements;
use super::{Error, Row, Store};
use crate::args;
use crate::model::identity::Identity;
use crate::model::ids::{ProfileId, TenantId};
use crate::model::user::User;

/// Most identities of one profile.
pub const IDENTITIES_MAX: usize = 100;

statements! {
    PERSON_BY_USER_ID = concat!("SELECT ", user_columns!(), ", \
        CAST(CASE WHEN EXISTS (SELECT 1 FROM blocks b WHERE b.tenant_id = u.tenant_id AND b.profile_id = u.id) THEN 1 ELSE 0 END AS BIGINT) \
        FROM users u WHERE u.tenant_id = $1 AND u.user_id = $2");
    /// The primary one first. One more than there may be.
    IDENTITIES_OF_PERSON = concat!("SELECT ", identity_columns!(), " FROM identities i \
        WHERE i.tenant_id = $1 AND i.profile_id = $2 ORDER BY i.position, i.id LIMIT 101");
}

/// The profile that bears `user_id`, and whether anything bars it.
pub async fn find(store: &Store, tenant: &TenantId, user_id: &str) -> Result<Option<(User, bool)>, Error> {
    let rows = store.read(PERSON_BY_USER_ID, args![tenant, user_id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(identities::user(tenant, row, 0)?.zip(Some(row.int(USER_COLUMNS)? != 0)))
}

/// The identities of a profile, the primary one first.
pub async fn identities(store: &Store, tenant: &TenantId, profile: &ProfileId) -> Result<Vec<Identity>, Error> {
    let rows = store.read(IDENTITIES_OF_PERSON, args![tenant, profile]).await?;
    rows.iter().map(|row: &Row| identities::identity(row, 0)).collect()
}
