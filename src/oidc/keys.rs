//! The keys a provider publishes (RFC 7517), and how long what was read of them counts. Pure.

use super::jose::{Algorithm, Key};
use super::rule::{Refusal, Rule};
use crate::clock::{Micros, SECOND};
use serde_json::{Map, Value};

/// Keys that are looked at.
const KEYS_MAX: usize = 100;
/// Longest name, algorithm or issuer of a key; what is longer is not there.
const TEXT_BYTES_MAX: usize = 1_024;
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
    let text = |name: &str| jwk.get(name).and_then(Value::as_str).filter(|text| text.len() <= TEXT_BYTES_MAX).map(str::to_owned);
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
    /// When it was asked for last because a token named a key that was not there.
    missed_at: Option<Micros>,
}

impl Age {
    pub fn read(now: Micros, max_age: Option<u64>) -> Self {
        let told = max_age.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND));
        let ttl = told.unwrap_or(TTL_USUAL).clamp(TTL_MIN, TTL_MAX);
        Self { read_at: now, fresh_until: now.saturating_add(ttl), asked_at: now, missed_at: None }
    }

    /// Somebody asked and nothing came.
    pub fn failed(self, now: Micros) -> Self {
        Self { asked_at: now, ..self }
    }

    /// It was asked for because of a key that was not in the one before, or was not.
    #[must_use]
    pub fn after(self, before: Option<Self>, now: Micros, unknown_key: bool) -> Self {
        let missed_at = if unknown_key { Some(now) } else { before.and_then(|before| before.missed_at) };
        Self { missed_at, ..self }
    }

    /// Whether to ask now. `unknown_key`: a token names a key that is not there. Keys may be changed right after a set was read, so
    /// that only asking for such a reason makes the next one wait.
    pub fn is_due(self, now: Micros, unknown_key: bool) -> bool {
        let since = |then: Micros| now.saturating_sub(then) >= AGAIN_AFTER;
        match unknown_key {
            true => self.missed_at.is_none_or(since),
            false => now >= self.fresh_until && since(self.asked_at),
        }
    }

    /// Whether it is time to read it beside whoever needs it: before it is due, and not right after that failed.
    pub fn is_soon(self, now: Micros) -> bool {
        let quarter = (self.fresh_until - self.read_at) / 4;
        (self.fresh_until - quarter..self.fresh_until).contains(&now) && now.saturating_sub(self.asked_at) >= AGAIN_AFTER
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
    fn a_set_is_read_beside_a_login_in_the_last_quarter_of_its_time() {
        let age = Age::read(0, None);
        assert!(!age.is_soon(45 * MINUTE - 1) && age.is_soon(45 * MINUTE) && !age.is_soon(60 * MINUTE), "then it is due");
        assert!(!age.failed(45 * MINUTE).is_soon(46 * MINUTE - 1) && age.failed(45 * MINUTE).is_soon(46 * MINUTE));
    }

    #[test]
    fn an_unknown_key_has_the_set_read_again_once_a_minute() {
        let first = Age::read(0, None);
        assert!(first.is_due(1, true), "right after it was read");
        let again = Age::read(1, None).after(Some(first), 1, true);
        assert!(!again.is_due(MINUTE, true) && again.is_due(MINUTE + 1, true));
        let usual = Age::read(2, None).after(Some(again), 2, false);
        assert!(!usual.is_due(MINUTE, true), "reading it in between changes nothing");
        let failed = first.failed(1).after(Some(first), 1, true);
        assert!(!failed.is_due(MINUTE, true));
    }

    #[test]
    fn an_old_set_counts_a_day_while_no_new_one_can_be_had() {
        let age = Age::read(0, Some(0)).failed(23 * 60 * MINUTE);
        assert!(age.counts(24 * 60 * MINUTE - 1) && !age.counts(24 * 60 * MINUTE));
    }
}
