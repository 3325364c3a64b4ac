//! The keys that tokens for applications are signed with, sealed.

use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::ids::TenantId;
use crate::model::provider_key::{KeyLife, KeyState, SigningAlg};

statements! {
    LIST_PROVIDER_KEYS = "SELECT kid, alg, state, created_at, state_since, public, key, number FROM provider_keys WHERE tenant_id = $1 ORDER BY CASE state WHEN 'retired' THEN 1 ELSE 0 END, number DESC, kid LIMIT 200";
    /// Of two replicas that make one, the second is a conflict.
    INSERT_PROVIDER_KEY = "INSERT INTO provider_keys (tenant_id, kid, alg, number, state, public, key, created_at, state_since) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    MOVE_PROVIDER_KEY = "UPDATE provider_keys SET state = $4, state_since = $5 WHERE tenant_id = $1 AND kid = $2 AND state = $3";
    DELETE_PROVIDER_KEY = "DELETE FROM provider_keys WHERE tenant_id = $1 AND kid = $2 AND state = $3";
}

/// A row of `provider_keys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    pub life: KeyLife,
    /// JWK.
    pub public: String,
    /// PKCS#8, sealed.
    pub key: Vec<u8>,
}

/// A tenant's keys, those in use first; at first there are none.
pub async fn list(store: &Store, tenant: &TenantId) -> Result<Vec<StoredKey>, Error> {
    let read = |row: &Row| {
        let alg = SigningAlg::parse(&row.text(1)?).ok_or(Error::Corrupt { what: "provider_keys.alg is no algorithm" })?;
        let state = KeyState::parse(&row.text(2)?).ok_or(Error::Corrupt { what: "provider_keys.state is no state" })?;
        let (number, created_at, state_since) = (row.int(7)?, row.int(3)?, row.int(4)?);
        let life = KeyLife { kid: row.text(0)?, alg, number, state, created_at, state_since };
        let key = row.opt_bytes(6)?.ok_or(Error::Corrupt { what: "a key has no bytes" })?;
        Ok(StoredKey { life, public: row.text(5)?, key })
    };
    store.read(LIST_PROVIDER_KEYS, args![tenant]).await?.iter().map(read).collect()
}

pub fn insert(batch: &mut Batch, tenant: &TenantId, new: &StoredKey) {
    let KeyLife { kid, alg, number, state, created_at, state_since } = &new.life;
    let (key, public) = (new.key.as_slice(), new.public.as_str());
    batch.one(
        INSERT_PROVIDER_KEY,
        args![tenant, kid, alg.as_str(), *number, state.as_str(), public, key, *created_at, *state_since],
    );
}

/// The batch is [`Error::Stale`] if the key is no longer in the state it had.
pub fn move_to(batch: &mut Batch, tenant: &TenantId, key: &KeyLife, to: KeyState, at: i64) {
    batch.one(MOVE_PROVIDER_KEY, args![tenant, &key.kid, key.state.as_str(), to.as_str(), at]);
}

/// As [`move_to`].
pub fn delete(batch: &mut Batch, tenant: &TenantId, key: &KeyLife) {
    batch.one(DELETE_PROVIDER_KEY, args![tenant, &key.kid, key.state.as_str()]);
}
