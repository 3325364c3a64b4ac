//! What a few providers do that data can't say. Pure; what has to be called for it is in [`super::client`].

use super::jose::sign_es256;
use super::settings::AppleKey;
use crate::clock::{Micros, SECOND};
use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// Microsoft's word for the place of a tenant.
pub const TENANT: &str = "{tenantid}";
/// The tenant of all private Microsoft accounts.
pub const PRIVATE_ACCOUNTS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// Whom Apple's client secrets are for.
const APPLE: &str = "https://appleid.apple.com";
/// How long a client secret of ours counts: it is made for one call.
const APPLE_SECONDS: i64 = 300;
/// Longest `user` that comes with an answer of Apple's.
const APPLE_USER_BYTES_MAX: usize = 2_048;

/// 32 hexadecimal digits with hyphens: nothing else may stand in for a tenant in an issuer.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether an address in a token of Microsoft is its owner's: only where Microsoft says of the domain that the tenant owns it
/// (`xms_edov`), or lists the address. Whoever runs a tenant can write any address into its accounts.
pub fn microsoft_email_verified(claims: &Map<String, Value>) -> bool {
    let owned = match claims.get("xms_edov") {
        Some(Value::Bool(owned)) => *owned,
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::String(text)) => matches!(text.as_str(), "1" | "true"),
        _ => false,
    };
    let email = claims.get("email").and_then(Value::as_str);
    let listed = claims.get("verified_primary_email").and_then(Value::as_array);
    let is_listed =
        |email: &str| listed.is_some_and(|all| all.iter().filter_map(Value::as_str).any(|one| one.eq_ignore_ascii_case(email)));
    email.is_some_and(|email| owned || is_listed(email))
}

/// The client secret that Apple wants, made for one call.
///
/// # Errors
/// In words: the key is none.
pub fn apple_client_secret(key: &AppleKey, client_id: &str, now: Micros) -> Result<Secret<String>, &'static str> {
    let issued = now / SECOND;
    let claims = json!({
        "iss": key.team_id,
        "iat": issued,
        "exp": issued + APPLE_SECONDS,
        "aud": APPLE,
        "sub": client_id,
    });
    sign_es256(&key.pem, &key.key_id, &claims)
}

/// What comes beside an answer of Apple's at the first login, and never again: the person's name. Nobody signed it, so that an
/// address in it counts for nothing and is dropped.
pub fn apple_user(text: &str) -> Option<Value> {
    if text.len() > APPLE_USER_BYTES_MAX {
        return None;
    }
    let user: Value = serde_json::from_str(text).ok()?;
    let name = |part: &str| user.get("name")?.get(part)?.as_str().map(str::to_owned);
    let mut names = Map::new();
    for part in ["firstName", "lastName"] {
        names.extend(name(part).map(|text| (part.to_owned(), text.into())));
    }
    (!names.is_empty()).then(|| json!({ "name": names }))
}

/// What counts of the teams that GitHub lists: the rest is the same for everybody in them.
pub fn github_team(team: &Value) -> Option<Value> {
    let of = |value: &Value, names: &[&str]| -> Map<String, Value> {
        names.iter().filter_map(|name| Some(((*name).to_owned(), value.get(*name)?.clone()))).collect()
    };
    let mut kept = of(team, &["id", "slug", "name"]);
    kept.insert(String::from("organization"), Value::Object(of(team.get("organization")?, &["id", "login"])));
    team.get("slug")?.is_string().then_some(Value::Object(kept))
}

/// Which picture Discord draws for an account that has none of its own: by its number, or by that behind an older name.
pub fn discord_default_picture(profile: &Map<String, Value>) -> Option<u64> {
    let number = |name: &str| profile.get(name).and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok());
    let id = number("id")?;
    match number("discriminator").unwrap_or_default() {
        0 => Some((id >> 22) % 6),
        behind => Some(behind % 5),
    }
}

/// What Facebook wants beside an access token, so that a stolen one alone opens nothing.
pub fn facebook_proof(access_token: &Secret<String>, client_secret: &Secret<String>) -> String {
    let key = client_secret.expose().as_bytes();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(access_token.expose().as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(claims: Value) -> bool {
        microsoft_email_verified(claims.as_object().expect("an object"))
    }

    #[test]
    fn an_address_from_microsoft_is_verified_only_where_microsoft_says_so() {
        for owned in [json!(true), json!(1), json!("1"), json!("true")] {
            assert!(verified(json!({"email": "a@x.example", "xms_edov": owned})), "{owned}");
        }
        for owned in [json!(false), json!(0), json!("0"), json!("false"), json!("yes"), json!(null), json!([true])] {
            assert!(!verified(json!({"email": "a@x.example", "xms_edov": owned})), "{owned}");
        }
        assert!(!verified(json!({"email": "a@x.example", "email_verified": true})), "that is nobody's to say");
        assert!(verified(json!({"email": "A@x.example", "verified_primary_email": ["b@x.example", "a@x.example"]})));
        assert!(!verified(json!({"email": "c@x.example", "verified_primary_email": ["a@x.example"]})));
        assert!(!verified(json!({"xms_edov": true})), "of no address");
    }

    #[test]
    fn names_come_from_apples_form_and_addresses_do_not() {
        let user = apple_user(r#"{"name":{"firstName":"Dora","lastName":"Nagy"},"email":"ceo@corp.example"}"#);
        assert_eq!(user, Some(json!({"name": {"firstName": "Dora", "lastName": "Nagy"}})));
        for nothing in ["", "[]", "{}", "{\"name\":7}", "{\"email\":\"a@x.example\"}", &"x".repeat(5_000)] {
            assert_eq!(apple_user(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn only_a_tenants_id_stands_in_for_it() {
        assert!(is_uuid("9188040d-6c67-4c5b-b112-36a304b66dad"));
        for other in
            ["", "organizations", "9188040d6c674c5bb11236a304b66dad", "9188040d-6c67-4c5b-b112-36a304b66da/", "{tenantid}"]
        {
            assert!(!is_uuid(other), "{other}");
        }
    }

    #[test]
    fn discord_draws_by_number() {
        let drawn = |profile: Value| discord_default_picture(profile.as_object().expect("an object"));
        assert_eq!(drawn(json!({"id": "80351110224678912", "discriminator": "0"})), Some((80_351_110_224_678_912 >> 22) % 6));
        assert_eq!(drawn(json!({"id": "80351110224678912", "discriminator": "1337"})), Some(2));
        assert_eq!(drawn(json!({"id": "4194304"})), Some(1), "a newer account says nothing of numbers");
        assert_eq!(drawn(json!({"id": "nelly"})), None);
        assert_eq!(drawn(json!({})), None);
    }

    #[test]
    fn of_a_team_little_is_kept() {
        let team = json!({"id": 1, "slug": "core", "name": "Core", "url": "https://x", "organization": {"login": "acme", "id": 2, "plan": {}}});
        let kept = json!({"id": 1, "slug": "core", "name": "Core", "organization": {"id": 2, "login": "acme"}});
        assert_eq!(github_team(&team), Some(kept));
        for none in [json!({}), json!({"slug": 7, "organization": {}}), json!({"slug": "core"}), json!(7)] {
            assert_eq!(github_team(&none), None, "{none}");
        }
    }

    #[test]
    fn a_proof_is_the_keyed_hash_of_the_token() {
        let proof = facebook_proof(&Secret::new(String::from("token")), &Secret::new(String::from("key")));
        assert_eq!(proof.len(), 64);
        assert_ne!(proof, facebook_proof(&Secret::new(String::from("other")), &Secret::new(String::from("key"))));
    }
}
