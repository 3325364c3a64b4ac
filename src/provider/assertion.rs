//! An application that proves which one it is by something it signed (`private_key_jwt`: RFC 7523, OpenID Connect Core §9). Pure.
//!
//! Refuses: what is not signed by a key of that application and by one of the algorithms that are advertised, what is meant for
//! somebody else, and what counts for longer than it takes to use it. That it is used once is for the store.

use crate::clock::{Micros, SECOND};
use crate::oidc::Rule;
use crate::oidc::jose::{CLIENT_ALGORITHMS, Unverified};
use crate::oidc::keys::KeySet;
use serde_json::{Map, Value};

/// `client_assertion_type`.
pub(super) const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// `typ`; the second is for this alone, and not every library knows it yet.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];
/// How far ahead it may end.
const LASTS_SECONDS: i64 = 300;
/// For clocks.
const SKEW_SECONDS: i64 = 60;
const JTI_BYTES_MAX: usize = 255;

/// What is wrong with one; for the log, the application reads `invalid_client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("{}", .0.code())]
    Token(Rule),
    #[error("iss and sub have to be the client id")]
    Issuer,
    #[error("aud has to be the issuer or the token endpoint, and nobody besides")]
    Audience,
    #[error("exp has to be a number of seconds at most five minutes ahead")]
    Expires,
    #[error("it is over")]
    Expired,
    #[error("it is not of now yet (nbf, iat)")]
    NotYet,
    #[error("jti has to be a text of 1 to 255 bytes")]
    Id,
}

/// One that was taken apart and nothing more.
#[derive(Debug)]
pub(super) struct Assertion<'a> {
    token: Unverified<'a>,
    /// Whose it says it is.
    pub(super) alleged: String,
}

/// What may be used once, until then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Once {
    pub(super) id: String,
    pub(super) until: Micros,
}

impl<'a> Assertion<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Wrong> {
        let token = Unverified::parse_as(text, &CLIENT_ALGORITHMS, &TYPES).map_err(|refusal| Wrong::Token(refusal.rule))?;
        let alleged = token.alleged_subject().ok_or(Wrong::Issuer)?;
        Ok(Self { token, alleged })
    }

    /// Checks everything. [`Rule::UnknownKey`]: a newer set of keys may have it.
    pub(super) fn verified(&self, client_id: &str, keys: &KeySet, audiences: [&str; 2], now: Micros) -> Result<Once, Wrong> {
        let of_token = |refusal: crate::oidc::Refusal| Wrong::Token(refusal.rule);
        let fitting = keys.fitting(self.token.kid.as_deref(), self.token.algorithm).map_err(of_token)?;
        let fitting: Vec<_> = fitting.into_iter().map(|key| key.key()).collect();
        let claims = self.token.verified(&fitting).map_err(of_token)?;
        let is = |name: &str| claims.get(name).and_then(Value::as_str) == Some(client_id);
        if !is("iss") || !is("sub") {
            return Err(Wrong::Issuer);
        }
        // For others as well would be for them to use here.
        let is_ours = |one: &Value| one.as_str().is_some_and(|one| audiences.contains(&one));
        let for_us = match claims.get("aud") {
            Some(Value::Array(all)) => !all.is_empty() && all.iter().all(is_ours),
            Some(one) => is_ours(one),
            None => false,
        };
        if !for_us {
            return Err(Wrong::Audience);
        }
        let until = is_of_now(&claims, now / SECOND)?;
        let id = claims.get("jti").and_then(Value::as_str).filter(|id| (1..=JTI_BYTES_MAX).contains(&id.len()));
        Ok(Once { id: id.ok_or(Wrong::Id)?.to_owned(), until: until.saturating_add(SKEW_SECONDS).saturating_mul(SECOND) })
    }
}

/// When it ends.
fn is_of_now(claims: &Map<String, Value>, now: i64) -> Result<i64, Wrong> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time beyond i64 is saturated, and refused or in the far future either way"
    )]
    let number = |value: &Value| value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
    let until = claims.get("exp").and_then(number).ok_or(Wrong::Expires)?;
    if until.saturating_add(SKEW_SECONDS) <= now {
        return Err(Wrong::Expired);
    }
    if until > now.saturating_add(LASTS_SECONDS + SKEW_SECONDS) {
        return Err(Wrong::Expires);
    }
    for name in ["nbf", "iat"] {
        match claims.get(name).map(number) {
            None => {}
            Some(Some(from)) if from <= now.saturating_add(SKEW_SECONDS) => {}
            Some(_) => return Err(Wrong::NotYet),
        }
    }
    Ok(until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;

    const NOW: i64 = 1_700_000_000;
    const OURS: [&str; 2] = ["https://id.example", "https://id.example/oauth/token"];

    fn key(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key")
    }

    fn keys(seed: u8) -> KeySet {
        let x = URL_SAFE_NO_PAD.encode(key(seed).public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "1"}]});
        KeySet::parse(set.to_string().as_bytes()).expect("a set")
    }

    fn claims() -> Value {
        json!({"iss": "app_1", "sub": "app_1", "aud": OURS[0], "exp": NOW + 60, "iat": NOW, "jti": "one"})
    }

    fn signed(header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(header), encode(claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(key(1).sign(text.as_bytes())))
    }

    fn judged(claims: &Value, seed: u8) -> Result<Once, Wrong> {
        let text = signed(&json!({"alg": "EdDSA", "kid": "1"}), claims);
        Assertion::parse(&text)?.verified("app_1", &keys(seed), OURS, NOW * SECOND)
    }

    fn with(name: &str, value: Value) -> Result<Once, Wrong> {
        let mut changed = claims();
        match value {
            Value::Null => _ = changed.as_object_mut().expect("an object").remove(name),
            value => changed[name] = value,
        }
        judged(&changed, 1)
    }

    #[test]
    fn what_its_key_vouches_for_proves_an_application_until_it_is_over() {
        assert_eq!(judged(&claims(), 1), Ok(Once { id: String::from("one"), until: (NOW + 120) * SECOND }));
        assert_eq!(judged(&claims(), 2), Err(Wrong::Token(Rule::Signature)), "another's key");
        for audience in [json!(OURS[1]), json!(OURS)] {
            assert!(with("aud", audience).is_ok());
        }
        let typed = signed(&json!({"alg": "EdDSA", "typ": "client-authentication+jwt"}), &claims());
        let typed = Assertion::parse(&typed).expect("readable");
        assert_eq!(typed.alleged, "app_1");
        assert!(typed.verified("app_1", &keys(1), OURS, NOW * SECOND).is_ok());
    }

    #[test]
    fn only_what_is_advertised_is_tried() {
        for alg in ["none", "HS256", "RS1", "RS384", "ES384", ""] {
            let text = signed(&json!({"alg": alg}), &claims());
            assert_eq!(Assertion::parse(&text).map(|_| ()), Err(Wrong::Token(Rule::Algorithm)), "{alg}");
        }
        let other = signed(&json!({"alg": "EdDSA", "typ": "at+jwt"}), &claims());
        assert_eq!(Assertion::parse(&other).map(|_| ()), Err(Wrong::Token(Rule::TokenType)));
        let unknown = signed(&json!({"alg": "EdDSA", "kid": "2"}), &claims());
        let unknown = Assertion::parse(&unknown).expect("readable").verified("app_1", &keys(1), OURS, NOW * SECOND);
        assert_eq!(unknown, Err(Wrong::Token(Rule::UnknownKey)));
    }

    #[test]
    fn it_is_the_applications_own_and_for_us_alone() {
        for name in ["iss", "sub"] {
            for value in [json!("app_2"), json!(1), Value::Null] {
                assert_eq!(with(name, value), Err(Wrong::Issuer), "{name}");
            }
        }
        for value in [
            json!("https://id.example/"),
            json!("https://evil.example"),
            json!([]),
            json!([OURS[0], "https://evil.example"]),
            json!(1),
            Value::Null,
        ] {
            assert_eq!(with("aud", value.clone()), Err(Wrong::Audience), "{value}");
        }
    }

    #[test]
    fn it_counts_for_a_few_minutes_with_one_for_clocks() {
        assert_eq!(with("exp", json!(NOW - 60)), Err(Wrong::Expired));
        assert!(with("exp", json!(NOW - 59)).is_ok() && with("exp", json!(NOW + 360)).is_ok());
        for value in [json!(NOW + 361), json!("soon"), Value::Null, json!(i64::MAX)] {
            assert_eq!(with("exp", value.clone()), Err(Wrong::Expires), "{value}");
        }
        for name in ["nbf", "iat"] {
            assert!(with(name, json!(NOW + 60)).is_ok());
            assert_eq!(with(name, json!(NOW + 61)), Err(Wrong::NotYet));
            assert_eq!(with(name, json!("x")), Err(Wrong::NotYet));
        }
        assert!(with("iat", Value::Null).is_ok());
    }

    #[test]
    fn it_has_a_name_that_is_used_once() {
        for value in [json!(""), json!(7), json!("x".repeat(256)), Value::Null] {
            assert_eq!(with("jti", value), Err(Wrong::Id));
        }
    }
}
