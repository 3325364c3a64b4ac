//! What a login says of a person, as its record: the claims of ID token and profile in one, and by which of them the person is
//! known again. Pure.
//!
//! Refuses a profile of somebody else than the ID token's, and ids that other people could have too: numbers that were rounded,
//! and what is no text at all.

use super::hooks::microsoft_email_verified;
use super::id_token::VerifiedIdToken;
use super::kind::Hook;
use super::rule::{Refusal, Rule};
use super::settings::{IdRule, Settings};
use crate::model::proof::Proof;
use crate::profile::verified::{LoginRecord, RecordError};
use serde_json::{Map, Value};

/// What the ID token alone says, whatever a profile says.
const OF_TOKEN: [&str; 15] = [
    "iss",
    "aud",
    "sub",
    "exp",
    "iat",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "at_hash",
    "azp",
    "tid",
    "oid",
    "xms_edov",
    "verified_primary_email",
];
/// What is another at each login and says nothing of a person: the same person is the same text.
const OF_ONE_LOGIN: [&str; 11] = ["exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "jti", "uti", "rh", "aio", "auth_time"];
/// Where the gateway puts what it read beside the profile. No claim passes for it.
const EXTRA: &str = "extra";

/// Everything that was said.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub id_token: Option<VerifiedIdToken>,
    pub profile: Option<Map<String, Value>>,
    pub extra: Map<String, Value>,
}

impl Said {
    /// How the person proved who they are, in the provider's words; only an ID token says so.
    pub fn proof(&self) -> Proof {
        let claims = self.id_token.as_ref().map(VerifiedIdToken::claims);
        let acr = claims.and_then(|claims| claims.get("acr")?.as_str());
        let amr = claims.and_then(|claims| claims.get("amr")?.as_array()).into_iter().flatten();
        Proof::new(acr, amr.filter_map(Value::as_str))
    }
}

/// The record of a login.
///
/// # Errors
/// Nobody can be known by it.
pub fn record(said: &Said, settings: &Settings) -> Result<LoginRecord, Refusal> {
    is_one_person(said, settings)?;
    let mut claims = merged(said);
    if settings.kind.hook == Hook::MicrosoftTenants {
        // Of the address in the token: a profile may name another.
        let of_token = said.id_token.as_ref().map(VerifiedIdToken::claims);
        let verified = of_token.is_some_and(|token| microsoft_email_verified(token) && token.get("email") == claims.get("email"));
        claims.insert(String::from("email_verified"), verified.into());
    }
    let external_id = external_id(&claims, &settings.id_rule)?;
    for name in OF_ONE_LOGIN {
        claims.shift_remove(name);
    }
    if !said.extra.is_empty() {
        claims.insert(EXTRA.to_owned(), Value::Object(said.extra.clone()));
    }
    LoginRecord::new(external_id, claims).map_err(|error| match error {
        RecordError::ExternalId => Rule::UserIdShape.refused().received("longer than any id"),
        RecordError::NulCharacter => Rule::RecordUnusable.refused().received("U+0000"),
    })
}

/// An access token may be somebody else's: a profile has to be of whom the ID token names.
fn is_one_person(said: &Said, settings: &Settings) -> Result<(), Refusal> {
    let (Some(token), Some(profile)) = (&said.id_token, &said.profile) else { return Ok(()) };
    let named = |name: &str| profile.get(name).and_then(id_text);
    // Microsoft Graph calls the person by the object id instead.
    let (expected, found) = match (named("sub"), settings.kind.hook) {
        (None, Hook::MicrosoftTenants) => (token.claims().get("oid").and_then(id_text), named("id")),
        (found, _) => (Some(token.subject().to_owned()), found),
    };
    if expected.is_some() && expected == found {
        return Ok(());
    }
    Err(Rule::ProfileSubject.refused().expected(expected.unwrap_or_default()).received(found.unwrap_or_default()))
}

fn merged(said: &Said) -> Map<String, Value> {
    let mut claims = said.id_token.as_ref().map(|token| token.claims().clone()).unwrap_or_default();
    let has_token = said.id_token.is_some();
    for (value, verified) in [("email", "email_verified"), ("phone_number", "phone_number_verified")] {
        // That one address is the person's says nothing of another.
        let is_another = said.profile.as_ref().is_some_and(|profile| {
            !profile.contains_key(verified) && profile.get(value).is_some_and(|found| claims.get(value) != Some(found))
        });
        if is_another {
            claims.shift_remove(verified);
        }
    }
    for (name, value) in said.profile.iter().flatten() {
        if !(has_token && OF_TOKEN.contains(&name.as_str())) {
            claims.insert(name.clone(), value.clone());
        }
    }
    claims.shift_remove(EXTRA);
    claims
}

fn external_id(claims: &Map<String, Value>, rule: &IdRule) -> Result<String, Refusal> {
    match rule {
        IdRule::Path(names) => {
            let called = names.join(".");
            let found = claims.get(&called).or_else(|| at(claims, names));
            one(found, &called)
        }
        IdRule::Pair(first, other, between) => {
            let (first, other) = (one(claims.get(*first), first)?, one(claims.get(*other), other)?);
            Ok(format!("{first}{between}{other}"))
        }
    }
}

fn at<'a>(claims: &'a Map<String, Value>, names: &[String]) -> Option<&'a Value> {
    let (first, rest) = names.split_first()?;
    rest.iter().try_fold(claims.get(first)?, |value, name| value.get(name))
}

fn one(found: Option<&Value>, called: &str) -> Result<String, Refusal> {
    let found = found.filter(|value| !value.is_null());
    let found = found.ok_or_else(|| Rule::UserIdMissing.refused().expected(called))?;
    let shape =
        || Rule::UserIdShape.refused().expected(format!("{called}: a text or a whole number")).received(found.to_string());
    id_text(found).filter(|id| !id.is_empty()).ok_or_else(shape)
}

/// A number that has a fraction, or was too large for one, may be several people's.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::discovery::Issuer;
    use super::super::discovery::tests::settings;
    use super::super::id_token::{Expectation, verified};
    use super::super::jose::tests::Signer;
    use super::super::jose::{Algorithm, Unverified};
    use super::super::keys::KeySet;
    use super::*;
    use crate::model::connection::ConnectionKind;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("an object") };
        object
    }

    fn token(more: Value) -> VerifiedIdToken {
        let mut claims =
            object(json!({"iss": "https://op.example", "aud": "us", "sub": "ann", "exp": 300, "iat": 0, "nonce": "n"}));
        claims.extend(object(more));
        let signed = Signer::new(1).sign(&json!({"alg": "EdDSA"}), &Value::Object(claims));
        let issuer = Issuer::Exact(vec![String::from("https://op.example")]);
        let expected = Expectation {
            issuer: &issuer,
            client_id: "us",
            nonce: "n",
            echoes_nonce: true,
            access_token: None,
            max_age_seconds: None,
            tenants: &[],
            now: 0,
        };
        let keys = KeySet::parse(json!({"keys": [Signer::new(1).jwk(None)]}).to_string().as_bytes()).expect("keys");
        verified(&Unverified::parse(&signed, &Algorithm::ALL).expect("a token"), &keys, &expected).expect("right")
    }

    fn of(kind: ConnectionKind, set: Value, id_token: Option<Value>, profile: Option<Value>) -> Result<(String, Value), Rule> {
        let said = Said { id_token: id_token.map(token), profile: profile.map(object), extra: Map::new() };
        let record = record(&said, &settings(kind, &set)).map_err(|refusal| refusal.rule)?;
        Ok((record.external_id().to_owned(), Value::Object(record.payload().clone())))
    }

    fn oidc(id_token: Value, profile: Option<Value>) -> Result<(String, Value), Rule> {
        of(ConnectionKind::Oidc, json!({"issuer": "https://op.example"}), Some(id_token), profile)
    }

    fn oauth(profile: Value) -> Result<(String, Value), Rule> {
        let set = json!({
            "user_id_path": "data.id", "authorization_url": "https://a.example", "token_url": "https://a.example",
            "profile_url": "https://a.example",
        });
        of(ConnectionKind::Oauth2, set, None, Some(profile))
    }

    #[test]
    fn a_profile_goes_over_the_token_but_not_over_what_is_the_tokens() {
        let profile = json!({"sub": "ann", "iss": "https://evil.example", "aud": "them", "name": "Ann", "acr": "high"});
        let (id, record) = oidc(json!({"name": "A.", "email": "a@x.example", "acr": "low"}), Some(profile)).expect("a record");
        assert_eq!(id, "ann");
        assert_eq!(
            record,
            json!({"iss": "https://op.example", "aud": "us", "sub": "ann", "name": "Ann", "email": "a@x.example", "acr": "low"})
        );
    }

    #[test]
    fn a_profile_of_somebody_else_is_refused() {
        for profile in [json!({"sub": "eve"}), json!({}), json!({"sub": "ANN"}), json!({"sub": null}), json!({"id": "ann"})] {
            assert_eq!(oidc(json!({}), Some(profile.clone())), Err(Rule::ProfileSubject), "{profile}");
        }
        assert!(oidc(json!({}), None).is_ok());
    }

    #[test]
    fn no_claim_passes_for_what_the_gateway_read_itself() {
        let (_, record) = oidc(json!({"extra": {"emails": []}}), Some(json!({"sub": "ann", "extra": 1}))).expect("a record");
        assert!(record.get("extra").is_none());
    }

    #[test]
    fn whom_microsoft_names_is_known_by_tenant_and_object() {
        let claims = json!({"tid": "t", "oid": "o", "email": "a@x.example", "email_verified": true});
        let set = json!({"allowed_tenants": ["*"]});
        let (id, record) = of(ConnectionKind::Waad, set.clone(), Some(claims.clone()), None).expect("a record");
        assert_eq!((id.as_str(), &record["email_verified"]), ("t.o", &json!(false)));
        let graph = |id: &str| of(ConnectionKind::Waad, set.clone(), Some(claims.clone()), Some(json!({"id": id})));
        assert!(graph("o").is_ok());
        assert_eq!(graph("p"), Err(Rule::ProfileSubject));
    }

    #[test]
    fn numbers_are_ids_only_where_nothing_of_them_was_lost() {
        let id = |value: Value| oauth(json!({"data": {"id": value}})).map(|(id, _)| id);
        assert_eq!(id(json!(9_007_199_254_740_993_u64)), Ok(String::from("9007199254740993")));
        assert_eq!(id(json!("x|1@y/z.")), Ok(String::from("x|1@y/z.")));
        for shape in [json!(1.5), json!(1e30), json!(true), json!([]), json!({}), json!("")] {
            assert_eq!(id(shape.clone()), Err(Rule::UserIdShape), "{shape}");
        }
        assert_eq!(id(Value::Null), Err(Rule::UserIdMissing));
        assert_eq!(oauth(json!({})).map(|(id, _)| id), Err(Rule::UserIdMissing));
        assert_eq!(oauth(json!({"data.id": "whole"})).map(|(id, _)| id), Ok(String::from("whole")));
        assert_eq!(oauth(json!({"data": {"id": "a\0b"}})).map(|(id, _)| id), Err(Rule::RecordUnusable));
    }

    #[test]
    fn ids_of_slack_are_those_of_one_workspace() {
        let claims = json!({"https://slack.com/team_id": "T1", "https://slack.com/user_id": "U1"});
        let (id, _) = of(ConnectionKind::Slack, json!({}), Some(claims), None).expect("a record");
        assert_eq!(id, "T1-U1");
    }
}
