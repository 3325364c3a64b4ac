//! The keys that tokens are signed with: found, made where there are none, rotated (`decide`), and opened. A tenant has its own.
//!
//! No job rotates them: whoever asks for keys that are due moves them first. A tenant nobody asks for has nothing to rotate.

mod decide;

use super::signing::SigningKey;
use crate::clock::{Entropy, Micros, SECOND};
use crate::login::Logins;
use crate::model::ids::TenantId;
use crate::model::provider_key::{KeyLife, KeyState, SigningAlg};
use crate::oidc::jose;
use crate::secret::KeyRing;
use crate::store::provider_keys::{self, StoredKey};
use crate::store::{self, Batch};
use decide::{Change, decide};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long keys are remembered (decision 0006).
const REMEMBERED_FOR: Micros = 2 * SECOND;
/// Tenants remembered at a time; beyond it the memory starts anew.
const REMEMBERED_MAX: usize = 1_000;
/// How often it is looked again when another replica was quicker.
const ROUNDS: usize = 4;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("no key could be made, or none signs")]
    NotMade,
}

/// One key.
pub(super) struct Key {
    pub(super) life: KeyLife,
    jwk: Map<String, Value>,
    pub(super) verifies: jose::Key,
    /// `None`: it could not be opened. Its public half still verifies.
    signs: Option<SigningKey>,
}

impl Key {
    /// A token of the compact form.
    pub(super) fn sign(&self, claims: &Map<String, Value>) -> Result<String, KeysError> {
        let key = self.signs.as_ref().ok_or(KeysError::NotMade)?;
        key.sign(&self.life.kid, claims).map_err(|_| KeysError::NotMade)
    }
}

/// The keys of a tenant.
pub(super) struct KeySet(Vec<Key>);

impl KeySet {
    /// What signs by `alg`.
    pub(super) fn active(&self, alg: SigningAlg) -> Result<&Key, KeysError> {
        self.0.iter().find(|key| key.life.alg == alg && key.life.state == KeyState::Active).ok_or(KeysError::NotMade)
    }

    pub(super) fn find(&self, kid: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.life.kid == kid)
    }

    /// What is published: all of them.
    pub(super) fn public(&self) -> Vec<&Map<String, Value>> {
        self.0.iter().map(|key| &key.jwk).collect()
    }
}

/// Keys of tenants and when they were read.
type Remembered = HashMap<TenantId, (Micros, Arc<KeySet>)>;

/// Finds keys and remembers them for a moment.
#[derive(Default)]
pub(super) struct Keys {
    remembered: Mutex<Remembered>,
}

impl Keys {
    /// The keys of a tenant, as they have to be now.
    pub(super) async fn of(&self, logins: &Logins, tenant: &TenantId) -> Result<Arc<KeySet>, KeysError> {
        let now = logins.clock.now();
        {
            let mut remembered = self.remembered();
            if let Some((at, keys)) = remembered.get_mut(tenant) {
                if (0..REMEMBERED_FOR).contains(&(now - *at)) {
                    return Ok(Arc::clone(keys));
                }
                // One looks again; whoever comes meanwhile has those from before.
                *at = now;
            }
        }
        let read = self.read(logins, tenant, now).await;
        let mut remembered = self.remembered();
        match &read {
            Ok(keys) => {
                if remembered.len() >= REMEMBERED_MAX {
                    remembered.clear();
                }
                remembered.insert(tenant.clone(), (now, Arc::clone(keys)));
            }
            Err(_) => _ = remembered.remove(tenant),
        }
        read
    }

    async fn read(&self, logins: &Logins, tenant: &TenantId, now: Micros) -> Result<Arc<KeySet>, KeysError> {
        let mut keys = listed(logins, tenant).await?;
        for _ in 0..ROUNDS {
            let lives: Vec<(&KeyLife, bool)> = keys.iter().map(|key| (&key.life, key.signs.is_some())).collect();
            let changes = decide(&lives, now);
            if changes.is_empty() {
                break;
            }
            match logins.store.apply(batch(logins, tenant, changes, now).await?).await {
                // Another replica was quicker: what it made is there now.
                Ok(()) | Err(store::Error::Conflict | store::Error::Stale) => {}
                Err(error) => return Err(error.into()),
            }
            keys = listed(logins, tenant).await?;
        }
        Ok(Arc::new(KeySet(keys)))
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn batch(logins: &Logins, tenant: &TenantId, changes: Vec<Change>, now: Micros) -> Result<Batch, KeysError> {
    let mut batch = Batch::default();
    for change in changes {
        match change {
            Change::Make { alg, number, state } => {
                let (ring, entropy, tenant_id) = (logins.keys.clone(), logins.entropy.clone(), tenant.clone());
                // An RSA key takes a while.
                let made = tokio::task::spawn_blocking(move || make(&ring, &entropy, &tenant_id, (alg, number, state), now));
                provider_keys::insert(&mut batch, tenant, &made.await.map_err(|_| KeysError::NotMade)??);
            }
            Change::Move { key, to } => provider_keys::move_to(&mut batch, tenant, &key, to, now),
            Change::Forget { key } => provider_keys::delete(&mut batch, tenant, &key),
        }
    }
    Ok(batch)
}

fn make(
    ring: &KeyRing,
    entropy: &Entropy,
    tenant: &TenantId,
    (alg, number, state): (SigningAlg, i64, KeyState),
    now: Micros,
) -> Result<StoredKey, KeysError> {
    let made = SigningKey::generate(alg).map_err(|_| KeysError::NotMade)?;
    let (kid, public) = made.public().map_err(|_| KeysError::NotMade)?;
    let der = made.to_der().map_err(|_| KeysError::NotMade)?;
    let key = ring.seal(der.expose(), &place(tenant, &kid), entropy);
    let life = KeyLife { kid, alg, number, state, created_at: now, state_since: now };
    Ok(StoredKey { life, public: Value::Object(public).to_string(), key })
}

fn place(tenant: &TenantId, kid: &str) -> String {
    format!("provider key {tenant} {kid}")
}

async fn listed(logins: &Logins, tenant: &TenantId) -> Result<Vec<Key>, KeysError> {
    let stored = provider_keys::list(&logins.store, tenant).await?;
    Ok(stored.iter().filter_map(|key| opened(&logins.keys, tenant, key)).collect())
}

/// One of which not even the public half can be read is as good as not there.
fn opened(ring: &KeyRing, tenant: &TenantId, stored: &StoredKey) -> Option<Key> {
    let kid = &stored.life.kid;
    let jwk: Option<Map<String, Value>> = serde_json::from_str(&stored.public).ok();
    let Some((jwk, verifies)) = jwk.and_then(|jwk| jose::Key::of(&jwk).map(|key| (jwk, key))) else {
        tracing::error!(%tenant, kid, "a key for tokens is stored that can't be read");
        return None;
    };
    let signs = ring.open(&stored.key, &place(tenant, kid)).ok();
    let signs = signs.and_then(|der| SigningKey::from_der(stored.life.alg, der.expose()));
    if signs.is_none() {
        tracing::error!(%tenant, kid, "a key for tokens can't be opened here, and another signs: has this process another secrets.key than the rest?");
    }
    Some(Key { life: stored.life.clone(), jwk, verifies, signs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_key_is_sealed_for_its_tenant_and_one_that_is_not_opened_still_verifies() {
        let ring = KeyRing::new(Secret::new([1; 32]), None);
        let tenant = TenantId::new("t");
        let stored = make(&ring, &Entropy::system(), &tenant, (SigningAlg::EdDsa, 1, KeyState::Active), 0).expect("made");
        let key = opened(&ring, &tenant, &stored).expect("read");
        assert!(key.sign(&Map::new()).is_ok());
        for (ring, tenant) in [(&ring, TenantId::new("other")), (&KeyRing::new(Secret::new([2; 32]), None), tenant.clone())] {
            let elsewhere = opened(ring, &tenant, &stored).expect("read");
            assert!(elsewhere.signs.is_none() && elsewhere.verifies == key.verifies);
        }
        assert!(opened(&ring, &tenant, &StoredKey { public: String::from("{}"), ..stored }).is_none());
    }
}
