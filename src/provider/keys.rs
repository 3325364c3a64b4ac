//! The keys that tokens are signed with: found, made where there are none, rotated (`decide`), and opened. A tenant has its own.
//!
//! No job rotates them: whoever asks for keys that are due moves them first. A tenant nobody asks for has nothing to rotate.

mod decide;

use crate::clock::{Entropy, Micros, SECOND};
use crate::login::Logins;
use crate::model::ids::TenantId;
use crate::model::provider_key::{KeyLife, KeyState, SigningAlg};
use crate::secret::{KeyRing, OpenError, Secret};
use crate::store::provider_keys::{self, StoredKey};
use crate::store::{self, Batch};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use decide::{Change, decide};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long keys are remembered (decision 0006).
const REMEMBERED_FOR: Micros = 2 * SECOND;
/// Tenants remembered at a time; beyond it the memory starts anew.
const REMEMBERED_MAX: usize = 1_000;
/// How often it is looked again when another replica was quicker.
const ROUNDS: usize = 4;
/// What stands in front of an RSA key of 2,048 bits in PKCS#8: jsonwebtoken wants what is inside.
const RSA_HEADER_BYTES: usize = 26;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("a key can't be opened: {0}")]
    Sealed(#[from] OpenError),
    #[error("a stored key is no key")]
    Corrupt,
    #[error("no key could be made")]
    NotMade,
}

/// One key, opened.
pub(super) struct Key {
    pub(super) life: KeyLife,
    pub(super) jwk: Jwk,
    pub(super) signs: EncodingKey,
    pub(super) verifies: DecodingKey,
}

/// The keys of a tenant.
pub(super) struct KeySet(Vec<Key>);

impl KeySet {
    /// What signs by `alg`.
    pub(super) fn active(&self, alg: SigningAlg) -> Option<&Key> {
        self.0.iter().find(|key| key.life.alg == alg && key.life.state == KeyState::Active)
    }

    pub(super) fn find(&self, kid: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.life.kid == kid)
    }

    /// What is published: all of them.
    pub(super) fn public(&self) -> Vec<&Jwk> {
        self.0.iter().map(|key| &key.jwk).collect()
    }
}

pub(super) fn algorithm(alg: SigningAlg) -> Algorithm {
    match alg {
        SigningAlg::Rs256 => Algorithm::RS256,
        SigningAlg::Es256 => Algorithm::ES256,
        SigningAlg::EdDsa => Algorithm::EdDSA,
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
        if let Some((at, keys)) = self.remembered().get(tenant)
            && (0..REMEMBERED_FOR).contains(&(now - at))
        {
            return Ok(Arc::clone(keys));
        }
        let mut stored = provider_keys::list(&logins.store, tenant).await?;
        for _ in 0..ROUNDS {
            let lives: Vec<KeyLife> = stored.iter().map(|key| key.life.clone()).collect();
            let changes = decide(&lives, now);
            if changes.is_empty() {
                break;
            }
            match logins.store.apply(batch(logins, tenant, changes, now).await?).await {
                // Another replica was quicker: what it made is there now.
                Ok(()) | Err(store::Error::Conflict | store::Error::Stale) => {}
                Err(error) => return Err(error.into()),
            }
            stored = provider_keys::list(&logins.store, tenant).await?;
        }
        let keys = stored.iter().map(|key| opened(&logins.keys, tenant, key)).collect::<Result<_, _>>()?;
        let keys = Arc::new(KeySet(keys));
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(tenant.clone(), (now, Arc::clone(&keys)));
        Ok(keys)
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

/// The private key as jsonwebtoken takes it: PKCS#1 for RSA, else PKCS#8.
fn generate(alg: SigningAlg) -> Result<Secret<Vec<u8>>, KeysError> {
    let bytes = match alg {
        SigningAlg::Rs256 => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeysError::NotMade)?;
            let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| KeysError::NotMade)?;
            der.as_ref().get(RSA_HEADER_BYTES..).ok_or(KeysError::NotMade)?.to_vec()
        }
        SigningAlg::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeysError::NotMade)?;
            pair.to_pkcs8v1().map_err(|_| KeysError::NotMade)?.as_ref().to_vec()
        }
        SigningAlg::EdDsa => {
            let pair = Ed25519KeyPair::generate().map_err(|_| KeysError::NotMade)?;
            pair.to_pkcs8v1().map_err(|_| KeysError::NotMade)?.as_ref().to_vec()
        }
    };
    Ok(Secret::new(bytes))
}

fn signs(alg: SigningAlg, der: &[u8]) -> EncodingKey {
    match alg {
        SigningAlg::Rs256 => EncodingKey::from_rsa_der(der),
        SigningAlg::Es256 => EncodingKey::from_ec_der(der),
        SigningAlg::EdDsa => EncodingKey::from_ed_der(der),
    }
}

fn make(
    ring: &KeyRing,
    entropy: &Entropy,
    tenant: &TenantId,
    (alg, number, state): (SigningAlg, i64, KeyState),
    now: Micros,
) -> Result<StoredKey, KeysError> {
    let der = generate(alg)?;
    let mut jwk = Jwk::from_encoding_key(&signs(alg, der.expose()), algorithm(alg)).map_err(|_| KeysError::NotMade)?;
    let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeysError::NotMade)?;
    jwk.common.key_id = Some(kid.clone());
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    let public = serde_json::to_string(&jwk).map_err(|_| KeysError::NotMade)?;
    let key = ring.seal(der.expose(), &place(tenant, &kid), entropy);
    Ok(StoredKey { life: KeyLife { kid, alg, number, state, created_at: now, state_since: now }, public, key })
}

fn place(tenant: &TenantId, kid: &str) -> String {
    format!("provider key {tenant} {kid}")
}

fn opened(ring: &KeyRing, tenant: &TenantId, stored: &StoredKey) -> Result<Key, KeysError> {
    let der = ring.open(&stored.key, &place(tenant, &stored.life.kid))?;
    let jwk: Jwk = serde_json::from_str(&stored.public).map_err(|_| KeysError::Corrupt)?;
    let verifies = DecodingKey::from_jwk(&jwk).map_err(|_| KeysError::Corrupt)?;
    Ok(Key { life: stored.life.clone(), jwk, signs: signs(stored.life.alg, der.expose()), verifies })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Header, Validation, decode, encode};
    use serde_json::{Value, json};

    #[test]
    fn each_algorithm_signs_what_its_own_public_key_verifies_and_publishes_nothing_private() {
        let ring = KeyRing::new(Secret::new([1; 32]), None);
        let tenant = TenantId::new("t");
        for alg in SigningAlg::ALL {
            let stored = make(&ring, &Entropy::system(), &tenant, (alg, 1, KeyState::Active), 0).expect("made");
            let public: Value = serde_json::from_str(&stored.public).expect("JSON");
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(public.get(private).is_none(), "{public}");
            }
            assert_eq!(
                (&public["alg"], &public["use"], &public["kid"]),
                (&json!(alg.as_str()), &json!("sig"), &json!(stored.life.kid))
            );
            let key = opened(&ring, &tenant, &stored).expect("opens");
            let token = encode(&Header::new(algorithm(alg)), &json!({"sub": "x"}), &key.signs).expect("signs");
            let mut validation = Validation::new(algorithm(alg));
            (validation.validate_exp, validation.required_spec_claims) = (false, std::collections::HashSet::new());
            assert_eq!(decode::<Value>(&token, &key.verifies, &validation).expect("verifies").claims["sub"], "x");
            assert!(opened(&ring, &TenantId::new("other"), &stored).is_err(), "sealed for its tenant");
        }
    }
}
