//! What people said that an application may know.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::ids::{ClientId, ProfileId, TenantId};

statements! {
    FIND_CONSENT = "SELECT scope FROM consents WHERE tenant_id = $1 AND profile_id = $2 AND client_id = $3";
    CONSENTS_OF_CLIENT = "SELECT profile_id FROM consents WHERE tenant_id = $1 AND client_id = $2 ORDER BY profile_id LIMIT $3";
    DELETE_CONSENT = "DELETE FROM consents WHERE tenant_id = $1 AND profile_id = $2 AND client_id = $3";
    PUT_CONSENT = "INSERT INTO consents (tenant_id, profile_id, client_id, scope, given_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (tenant_id, profile_id, client_id) DO UPDATE SET scope = excluded.scope, given_at = excluded.given_at";
}

/// Words with a space between; `None`: they were never asked.
pub async fn find(store: &Store, tenant: &TenantId, profile: &ProfileId, client: &ClientId) -> Result<Option<String>, Error> {
    store.read(FIND_CONSENT, args![tenant, profile, client]).await?.first().map(|row| row.text(0)).transpose()
}

/// Forgets up to `limit` of what was said of an application. How many were found.
pub async fn delete_of_client(store: &Store, tenant: &TenantId, client: &ClientId, limit: i64) -> Result<usize, Error> {
    let rows = store.read(CONSENTS_OF_CLIENT, args![tenant, client, limit]).await?;
    let all = rows.iter().map(|row| Ok(args![tenant, row.text(0)?, client])).collect::<Result<_, Error>>()?;
    let mut batch = Batch::default();
    batch.each(DELETE_CONSENT, all);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}

/// In place of what was said before.
pub fn put(batch: &mut Batch, tenant: &TenantId, (profile, client): (&ProfileId, &ClientId), scope: &str, at: i64) {
    batch.one(PUT_CONSENT, args![tenant, profile, client, scope, at]);
}
