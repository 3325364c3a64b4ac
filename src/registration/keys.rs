//! The keys an application proves itself by: which are taken, and what of them is kept. Pure.
//!
//! Refuses: private halves, which are nobody's but the application's; shared secrets; and what no signature of an application is
//! checked with.

use super::decide::{Field, Wrong};
use crate::model::client::{ClientKeys, check_keys_uri};
use crate::oidc::jose::{CLIENT_ALGORITHMS, Key};
use serde_json::{Map, Value, json};

/// Keys of one application: the one it signs with, and those before and after it.
const KEYS_MAX: usize = 20;
/// Longest name of a key.
const KID_BYTES_MAX: usize = 255;
/// Members that only a private or a shared key has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// What is kept of one.
const KEPT: [&str; 9] = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"];

/// What is stored of keys that were given.
///
/// # Errors
/// They, or their address, can't be used.
pub(super) fn checked(given: ClientKeys) -> Result<ClientKeys, Wrong> {
    match given {
        ClientKeys::At { uri, allow_plaintext } => {
            check_keys_uri(&uri, allow_plaintext).map_err(|wanted| Wrong::new(Field::KeysUri, wanted))?;
            Ok(ClientKeys::At { uri, allow_plaintext })
        }
        ClientKeys::Set(set) => {
            let wrong = |says: &str| Wrong::new(Field::Keys, says);
            let keys =
                set.get("keys").and_then(Value::as_array).ok_or_else(|| wrong("wanted an object with a list called keys"))?;
            if keys.is_empty() || keys.len() > KEYS_MAX {
                return Err(wrong("wanted 1 to 20 keys"));
            }
            let kept: Vec<Value> = keys.iter().map(public).collect::<Result<_, _>>()?;
            Ok(ClientKeys::Set(json!({ "keys": kept })))
        }
    }
}

fn public(key: &Value) -> Result<Value, Wrong> {
    let wrong = |says: &str| Err(Wrong::new(Field::Keys, says));
    let Value::Object(members) = key else { return wrong("a key is an object") };
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return wrong("that is a private key or a shared one: make a new pair, and send its public half alone");
    }
    let has = |name: &str, wanted: &str| members.get(name).is_none_or(|value| value == wanted);
    if !has("use", "sig") {
        return wrong("a key that encrypts signs nothing: wanted one with use sig");
    }
    if members.get("kid").is_some_and(|kid| kid.as_str().is_none_or(|kid| kid.is_empty() || kid.len() > KID_BYTES_MAX)) {
        return wrong("kid: wanted a text of at most 255 bytes");
    }
    let read = Key::of(members).filter(|key| key.strong().is_ok());
    let fits = |key: &Key| CLIENT_ALGORITHMS.iter().any(|algorithm| key.fits(*algorithm) && has("alg", algorithm.as_str()));
    if !read.is_some_and(|key| fits(&key)) {
        return wrong("wanted RSA of 2048 to 8192 bits, EC on P-256 or Ed25519, for RS256, PS256, ES256 or EdDSA");
    }
    let kept: Map<String, Value> = members
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(Value::Object(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ed25519() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1"})
    }

    fn of(keys: &Value) -> Result<ClientKeys, String> {
        checked(ClientKeys::Set(json!({ "keys": keys }))).map_err(|wrong| wrong.says)
    }

    #[test]
    fn public_halves_are_kept_and_nothing_else() {
        let mut key = ed25519();
        key["alg"] = "EdDSA".into();
        key["x5c"] = json!(["…"]);
        let mut kept = ed25519();
        kept["alg"] = "EdDSA".into();
        assert_eq!(of(&json!([key])), Ok(ClientKeys::Set(json!({ "keys": [kept] }))));
    }

    #[test]
    fn private_shared_weak_and_unknown_keys_are_refused() {
        for (name, value) in [("d", "x"), ("k", "x"), ("p", "x")] {
            let mut key = ed25519();
            key[name] = value.into();
            assert!(of(&json!([key])).expect_err(name).contains("private"), "{name}");
        }
        let weak = json!({"kty": "RSA", "e": "AQAB", "n": "_".repeat(171)});
        let (mut other_use, mut other_alg, mut no_kid) = (ed25519(), ed25519(), ed25519());
        (other_use["use"], other_alg["alg"], no_kid["kid"]) = ("enc".into(), "HS256".into(), 7.into());
        for keys in [
            json!([]),
            json!([1]),
            json!({}),
            json!([{"kty": "oct"}]),
            json!([weak]),
            json!([{"kty": "EC", "crv": "P-384", "x": "_".repeat(64), "y": "_".repeat(64)}]),
            json!([other_use]),
            json!([other_alg]),
            json!([no_kid]),
            Value::Array(vec![ed25519(); 21]),
        ] {
            assert!(of(&keys).is_err(), "{keys}");
        }
    }

    #[test]
    fn an_address_is_https() {
        let at = |uri: &str| checked(ClientKeys::At { uri: uri.to_owned(), allow_plaintext: false }).map_err(|wrong| wrong.field);
        assert!(at("https://a.example/keys").is_ok());
        assert_eq!(at("http://127.0.0.1/keys"), Err(Field::KeysUri));
    }
}
