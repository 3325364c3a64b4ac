//! What of a login by way of the browser was used and may not be again, shared by all replicas: assertions and requests of SAML,
//! and the state of a login by OAuth.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::ids::TenantId;
use sha2::{Digest, Sha256};

statements! {
    /// A second row is a conflict: that is the refusal.
    USE_UP = "INSERT INTO login_used (tenant_id, digest, expires_at) VALUES ($1, $2, $3)";
    OLD_LOGIN_USED = "SELECT digest FROM login_used WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3";
    DELETE_LOGIN_USED = "DELETE FROM login_used WHERE tenant_id = $1 AND digest = $2";
}

/// Uses up what `issuer` calls `id`, which would be taken until `expires_at`. The batch is [`Error::Conflict`] if it was used.
pub fn insert(batch: &mut Batch, tenant: &TenantId, issuer: &str, id: &str, expires_at: i64) {
    batch.one(USE_UP, args![tenant, digest(&[issuer, id]), expires_at]);
}

/// Of texts however long; no two lists of texts give the same.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Deletes up to `limit` rows that say nothing since `before`. How many were found.
pub async fn delete_old(store: &Store, tenant: &TenantId, before: i64, limit: i64) -> Result<usize, Error> {
    let rows = store.read(OLD_LOGIN_USED, args![tenant, before, limit]).await?;
    let old = rows.iter().map(|row| Ok(args![tenant, row.text(0)?])).collect::<Result<_, Error>>()?;
    let mut batch = Batch::default();
    batch.each(DELETE_LOGIN_USED, old);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}
