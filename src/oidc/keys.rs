//! The keys a provider publishes (RFC 7517), and how long what was read of them counts. Pure.

use super::jose::{Algorithm, Key};
use super::rule::{Refusal, Rule};
use crate::clock::{Micros, SECOND};
use serde_json::{Map, Value};

/// Keys that are looked at.
const KEYS_MAX: usize = 100;
/// How long a set counts, whatever its server says.
const TTL_MIN: Micros = 5 * 60 * SECOND;
const TTL_MAX: Micros = 24 * 3_600 * SECOND;
/// Where it says nothing.
const TTL_USUAL: Micros = 3_600 * SECOND;
/// How long an old set still counts while no new one can be had.
const STALE_MAX: Micros = 24 * 3_600 * SECOND;
/// A set is not asked for again before this, whoever sends tokens with keys nobody knows.
const AGAIN_AFTER: Micros = 60 * SECOND;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: Option<String>,
    alg: Option<String>,
    /// Microsoft says of each key whose it is.
    issuer: Option<String>,
    key: Key,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<PublicKey>);

impl KeySet {
    /// Keys of unknown sorts and those that encrypt are left out.
    ///
    /// # Errors
    /// That is no set of keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let set: Value = serde_json::from_slice(bytes).map_err(|_| Rule::KeysMalformed.refused().received("no JSON"))?;
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or_else(|| Rule::KeysMalformed.refused().expected("a list called keys"))?;
        Ok(Self(keys.iter().take(KEYS_MAX).filter_map(Value::as_object).filter_map(public_key).collect()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those a token with this `kid` by this algorithm may be signed with; without a `kid` all that fit.
    ///
    /// # Errors
    /// None is known: a newer set may have it.
    pub fn fitting(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Vec<&PublicKey>, Refusal> {
        let fits = |key: &&PublicKey| {
            let by_name = kid.is_none() || key.kid.as_deref() == kid;
            let by_use = key.alg.as_deref().is_none_or(|alg| alg == algorithm.as_str());
            by_name && by_use && key.key.fits(algorithm)
        };
        let found: Vec<&PublicKey> = self.0.iter().filter(fits).collect();
        let known = || self.0.iter().filter_map(|key| key.kid.as_deref()).collect::<Vec<_>>().join(" ");
        match found.is_empty() {
            true => {
                let wanted = format!("{} {}", kid.unwrap_or("(no kid)"), algorithm.as_str());
                Err(Rule::UnknownKey.refused().expected(known()).received(wanted))
            }
            false => Ok(found),
        }
    }
}

impl PublicKey {
    pub fn key(&self) -> &Key {
        &self.key
    }

    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

fn public_key(jwk: &Map<String, Value>) -> Option<PublicKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str).map(str::to_owned);
    let verifies = |all: &Vec<Value>| all.iter().any(|operation| operation == "verify");
    if text("use").is_some_and(|used| used != "sig")
        || jwk.get("key_ops").and_then(Value::as_array).is_some_and(|all| !verifies(all))
    {
        return None;
    }
    Some(PublicKey { kid: text("kid"), alg: text("alg"), issuer: text("issuer"), key: Key::of(jwk)? })
}

/// When a set was read, and until when that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    read_at: Micros,
    fresh_until: Micros,
    /// When it was asked for last, whatever came.
    asked_at: Micros,
}

impl Age {
    pub fn read(now: Micros, max_age: Option<u64>) -> Self {
        let told = max_age.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND));
        let ttl = told.unwrap_or(TTL_USUAL).clamp(TTL_MIN, TTL_MAX);
        Self { read_at: now, fresh_until: now.saturating_add(ttl), asked_at: now }
    }

    /// Somebody asked and nothing came.
    pub fn failed(self, now: Micros) -> Self {
        Self { asked_at: now, ..self }
    }

    /// Whether to ask now. `unknown_key`: a token names a key that is not there.
    pub fn is_due(self, now: Micros, unknown_key: bool) -> bool {
        (unknown_key || now >= self.fresh_until) && now.saturating_sub(self.asked_at) >= AGAIN_AFTER
    }

    /// Whether what was read counts at all.
    pub fn counts(self, now: Micros) -> bool {
        now < self.fresh_until.max(self.read_at.saturating_add(STALE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::super::jose::tests::Signer;
    use super::*;
    use serde_json::json;

    const MINUTE: Micros = 60 * SECOND;

    fn set(keys: Value) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).expect("a set")
    }

    #[test]
    fn what_is_no_key_of_ours_is_left_out() {
        let good = Signer::new(1).jwk(Some("1"));
        let mut encrypts = good.clone();
        encrypts["use"] = "enc".into();
        let mut wraps = good.clone();
        wraps["key_ops"] = json!(["encrypt"]);
        assert_eq!(set(json!([good, encrypts, wraps, {"kty": "AKP"}, 7, {"kty": "RSA"}])).len(), 1);
        for text in ["", "[]", "{}", "{\"keys\":{}}", "\u{0}"] {
            assert_eq!(KeySet::parse(text.as_bytes()).expect_err(text).rule, Rule::KeysMalformed);
        }
    }

    #[test]
    fn a_key_is_chosen_by_name_and_by_sort() {
        let keys = set(json!([Signer::new(1).jwk(Some("1")), Signer::new(2).jwk(Some("2")), Signer::new(3).jwk(None)]));
        let fitting = |kid, algorithm| keys.fitting(kid, algorithm).map(|found| found.len()).map_err(|refusal| refusal.rule);
        assert_eq!(fitting(Some("1"), Algorithm::EdDsa), Ok(1));
        assert_eq!(fitting(None, Algorithm::EdDsa), Ok(3));
        assert_eq!(fitting(Some("9"), Algorithm::EdDsa), Err(Rule::UnknownKey));
        assert_eq!(fitting(Some("1"), Algorithm::Rs256), Err(Rule::UnknownKey), "the name alone is not enough");
    }

    #[test]
    fn a_set_counts_as_long_as_its_server_says_within_bounds() {
        for (max_age, fresh_minutes) in [(None, 60), (Some(0), 5), (Some(600), 10), (Some(u64::MAX), 24 * 60)] {
            let age = Age::read(0, max_age);
            assert!(!age.is_due(fresh_minutes * MINUTE - 1, false), "{max_age:?}");
            assert!(age.is_due(fresh_minutes * MINUTE, false), "{max_age:?}");
        }
    }

    #[test]
    fn an_unknown_key_has_the_set_read_again_once_a_minute() {
        let age = Age::read(0, None);
        assert!(!age.is_due(MINUTE - 1, true) && age.is_due(MINUTE, true));
        assert!(!age.failed(MINUTE).is_due(2 * MINUTE - 1, true));
    }

    #[test]
    fn an_old_set_counts_a_day_while_no_new_one_can_be_had() {
        let age = Age::read(0, Some(0)).failed(23 * 60 * MINUTE);
        assert!(age.counts(24 * 60 * MINUTE - 1) && !age.counts(24 * 60 * MINUTE));
    }
}
