//! From the bytes of an ID token to claims that may be believed (OpenID Connect Core §3.1.3.7). Pure. The order matters: what the
//! header names is looked at first, then the signature, and nothing of a claim before it.

use super::discovery::Issuer;
use super::hooks::PRIVATE_ACCOUNTS;
use super::jose::{Key, Unverified};
use super::keys::{KeySet, PublicKey};
use super::rule::{Refusal, Rule, shown};
use crate::clock::{Micros, SECOND};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

/// How far a provider's clock may be off ours.
const SKEW_SECONDS: i64 = 60;
/// How far in the future a token may have been made.
const FUTURE_SECONDS: i64 = 600;

/// What a token has to be to be the answer that is waited for.
#[derive(Clone, Copy)]
pub struct Expectation<'a> {
    pub issuer: &'a Issuer,
    pub client_id: &'a str,
    pub nonce: &'a str,
    /// The provider repeats it; otherwise it is compared only where it is there.
    pub echoes_nonce: bool,
    pub access_token: Option<&'a str>,
    pub max_age_seconds: Option<u32>,
    /// Empty: not asked.
    pub tenants: &'a [String],
    pub now: Micros,
}

impl std::fmt::Debug for Expectation<'_> {
    /// Without the nonce and the access token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Expectation");
        shown.field("issuer", self.issuer).field("client_id", &self.client_id).field("tenants", &self.tenants);
        shown.field("now", &self.now).finish_non_exhaustive()
    }
}

/// Claims of a token that passed every check. [`verified`] alone makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedIdToken {
    claims: Map<String, Value>,
    subject: String,
    /// Algorithm and, if it was named, key.
    signed_with: String,
}

impl VerifiedIdToken {
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// For the administrator.
    pub fn signed_with(&self) -> &str {
        &self.signed_with
    }
}

/// Checks everything.
///
/// # Errors
/// The first thing that is wrong. [`Rule::UnknownKey`]: a newer set of keys may have it.
pub fn verified(token: &Unverified<'_>, keys: &KeySet, expected: &Expectation<'_>) -> Result<VerifiedIdToken, Refusal> {
    let fitting = keys.fitting(token.kid.as_deref(), token.algorithm)?;
    let claims = token.verified(&keys_of(&fitting))?;
    is_from(&claims, expected)?;
    let of_issuer: Vec<&PublicKey> = fitting.iter().copied().filter(|key| may_sign(key, &claims)).collect();
    if of_issuer.len() < fitting.len() {
        token.verified(&keys_of(&of_issuer))?;
    }
    let subject = match claims.get("sub") {
        Some(Value::String(subject)) if !subject.is_empty() => subject.clone(),
        // Some send a number.
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        _ => return Err(Rule::SubjectMissing.refused()),
    };
    is_for_us(&claims, expected.client_id)?;
    is_of_now(&claims, expected)?;
    answers(&claims, expected)?;
    goes_with_access_token(token, &claims, expected)?;
    let kid = token.kid.as_deref().map_or(String::new(), |kid| format!(" by key {}", shown(kid)));
    Ok(VerifiedIdToken { claims, subject, signed_with: format!("{}{kid}", token.algorithm.as_str()) })
}

fn keys_of<'a>(all: &[&'a PublicKey]) -> Vec<&'a Key> {
    all.iter().map(|key| key.key()).collect()
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

fn number(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let number = claims.get(name)?.as_number()?;
    // With a fraction from some; what is lost of it is less than a second.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time beyond i64 is saturated, and refused or in the far future either way"
    )]
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))
}

fn is_from(claims: &Map<String, Value>, expected: &Expectation<'_>) -> Result<(), Refusal> {
    let (issuer, tenant) = (text(claims, "iss").unwrap_or_default(), text(claims, "tid"));
    if !expected.issuer.is(issuer, tenant) {
        return Err(Rule::Issuer.refused().expected(expected.issuer.shown()).received(issuer));
    }
    let tenants = expected.tenants;
    // Everybody has a private account: those are no company's, and are named or not meant.
    let is_any = |one: &str, tenant: &str| one == "*" && !tenant.eq_ignore_ascii_case(PRIVATE_ACCOUNTS);
    let allowed = |tenant: &str| tenants.iter().any(|one| is_any(one, tenant) || one.eq_ignore_ascii_case(tenant));
    if tenants.is_empty() || tenant.is_some_and(allowed) {
        return Ok(());
    }
    Err(Rule::Tenant.refused().expected(tenants.join(" ")).received(tenant.unwrap_or_default()))
}

/// A key that says whose it is signs for nobody else.
fn may_sign(key: &PublicKey, claims: &Map<String, Value>) -> bool {
    let Some(of) = key.issuer() else { return true };
    let tenant = text(claims, "tid").unwrap_or_default();
    text(claims, "iss").is_some_and(|issuer| of.replacen(super::hooks::TENANT, tenant, 1) == issuer)
}

fn is_for_us(claims: &Map<String, Value>, client_id: &str) -> Result<(), Refusal> {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audiences.contains(&client_id) {
        return Err(Rule::Audience.refused().expected(client_id).received(audiences.join(" ")));
    }
    let party = text(claims, "azp");
    let is_ours = match party {
        Some(party) => party == client_id,
        // Of several only the one it was made for may take it.
        None => audiences.len() == 1,
    };
    if is_ours { Ok(()) } else { Err(Rule::AuthorizedParty.refused().expected(client_id).received(party.unwrap_or("none"))) }
}

fn is_of_now(claims: &Map<String, Value>, expected: &Expectation<'_>) -> Result<(), Refusal> {
    let now = expected.now / SECOND;
    let missing = |name: &str| Rule::TimesMissing.refused().expected(name);
    let until = number(claims, "exp").ok_or_else(|| missing("exp"))?;
    let issued = number(claims, "iat").ok_or_else(|| missing("iat"))?;
    let told = |rule: Rule, seconds: i64| rule.refused().expected(format!("at {now}")).received(seconds.to_string());
    if until.saturating_add(SKEW_SECONDS) <= now {
        return Err(told(Rule::Expired, until));
    }
    if issued > now.saturating_add(FUTURE_SECONDS) {
        return Err(told(Rule::IssuedInFuture, issued));
    }
    if let Some(from) = number(claims, "nbf").filter(|from| *from > now.saturating_add(SKEW_SECONDS)) {
        return Err(told(Rule::NotYetValid, from));
    }
    let Some(max_age) = expected.max_age_seconds else { return Ok(()) };
    let at = number(claims, "auth_time").ok_or_else(|| Rule::AuthTimeMissing.refused())?;
    let latest = at.saturating_add(i64::from(max_age)).saturating_add(SKEW_SECONDS);
    if latest < now { Err(told(Rule::AuthTooOld, at)) } else { Ok(()) }
}

fn answers(claims: &Map<String, Value>, expected: &Expectation<'_>) -> Result<(), Refusal> {
    let same = |nonce: &str| bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes()));
    match claims.get("nonce") {
        Some(Value::String(nonce)) if same(nonce) => Ok(()),
        Some(_) => Err(Rule::NonceMismatch.refused()),
        None if expected.echoes_nonce => Err(Rule::NonceMissing.refused()),
        None => Ok(()),
    }
}

fn goes_with_access_token(
    token: &Unverified<'_>,
    claims: &Map<String, Value>,
    expected: &Expectation<'_>,
) -> Result<(), Refusal> {
    let (Some(hash), Some(access_token)) = (claims.get("at_hash"), expected.access_token) else { return Ok(()) };
    let right = token.algorithm.half_digest(access_token);
    if hash.as_str() == Some(&right) { Ok(()) } else { Err(Rule::AccessTokenHash.refused()) }
}

#[cfg(test)]
mod tests {
    use super::super::jose::Algorithm;
    use super::super::jose::tests::Signer;
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_700_000_000;
    const TENANT_ID: &str = "1f0c0000-0000-4000-8000-000000000001";

    fn claims() -> Value {
        json!({
            "iss": "https://op.example", "sub": "ann", "aud": "us", "exp": NOW + 300, "iat": NOW, "nonce": "n",
            "at_hash": Algorithm::EdDsa.half_digest("access"),
        })
    }

    fn issuer() -> Issuer {
        Issuer::Exact(vec![String::from("https://op.example")])
    }

    fn expecting(issuer: &Issuer) -> Expectation<'_> {
        Expectation {
            issuer,
            client_id: "us",
            nonce: "n",
            echoes_nonce: true,
            access_token: Some("access"),
            max_age_seconds: None,
            tenants: &[],
            now: NOW * SECOND,
        }
    }

    fn signed(claims: &Value, jwk: &Value, expected: &Expectation<'_>) -> Result<VerifiedIdToken, Rule> {
        let token = Signer::new(1).sign(&json!({"alg": "EdDSA", "kid": "1"}), claims);
        let token = Unverified::parse(&token, &Algorithm::ALL).expect("a token");
        let keys = KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).expect("keys");
        verified(&token, &keys, expected).map_err(|refusal| refusal.rule)
    }

    fn judged(claims: &Value, expected: &Expectation<'_>) -> Result<VerifiedIdToken, Rule> {
        signed(claims, &Signer::new(1).jwk(Some("1")), expected)
    }

    /// With one thing changed.
    fn with(name: &str, value: Value) -> Result<VerifiedIdToken, Rule> {
        let mut changed = claims();
        match value {
            Value::Null => _ = changed.as_object_mut().expect("an object").remove(name),
            value => changed[name] = value,
        }
        judged(&changed, &expecting(&issuer()))
    }

    #[test]
    fn a_token_that_is_right_says_who_it_is() {
        let token = judged(&claims(), &expecting(&issuer())).expect("right");
        assert_eq!(token.subject(), "ann");
        assert_eq!(token.claims()["iss"], "https://op.example");
    }

    #[test]
    fn it_comes_from_the_issuer_letter_by_letter() {
        for other in [json!("https://op.example/"), json!("https://evil.example"), json!(7), Value::Null] {
            assert_eq!(with("iss", other), Err(Rule::Issuer));
        }
    }

    #[test]
    fn it_says_who_somebody_is() {
        for none in [json!(""), json!(1.5), json!(["ann"]), Value::Null] {
            assert_eq!(with("sub", none), Err(Rule::SubjectMissing));
        }
        assert_eq!(with("sub", json!(9_007_199_254_740_993_u64)).expect("right").subject(), "9007199254740993");
    }

    #[test]
    fn it_is_for_us() {
        for other in [json!("them"), json!([]), json!(["them"]), json!(7), Value::Null] {
            assert_eq!(with("aud", other), Err(Rule::Audience));
        }
        assert!(with("aud", json!(["us"])).is_ok());
        assert_eq!(with("aud", json!(["us", "them"])), Err(Rule::AuthorizedParty));
        assert_eq!(with("azp", json!("them")), Err(Rule::AuthorizedParty));
        assert!(with("azp", json!("us")).is_ok());
    }

    #[test]
    fn it_is_of_now_with_a_minute_for_clocks() {
        for missing in ["exp", "iat"] {
            assert_eq!(with(missing, Value::Null), Err(Rule::TimesMissing), "{missing}");
            assert_eq!(with(missing, json!("soon")), Err(Rule::TimesMissing), "{missing}");
        }
        assert_eq!(with("exp", json!(NOW - 60)), Err(Rule::Expired));
        assert!(with("exp", json!(NOW - 59)).is_ok());
        assert_eq!(with("exp", json!(i64::MIN)), Err(Rule::Expired));
        assert_eq!(with("iat", json!(NOW + 601)), Err(Rule::IssuedInFuture));
        assert!(with("iat", json!(NOW + 600)).is_ok());
        assert_eq!(with("nbf", json!(NOW + 61)), Err(Rule::NotYetValid));
        assert!(with("exp", json!(1.7e9 + 300.5)).is_ok());
    }

    #[test]
    fn it_answers_this_login() {
        assert_eq!(with("nonce", json!("other")), Err(Rule::NonceMismatch));
        assert_eq!(with("nonce", json!(7)), Err(Rule::NonceMismatch));
        assert_eq!(with("nonce", Value::Null), Err(Rule::NonceMissing));
        let issuer = issuer();
        let silent = Expectation { echoes_nonce: false, ..expecting(&issuer) };
        let mut without = claims();
        without.as_object_mut().expect("an object").remove("nonce");
        assert!(judged(&without, &silent).is_ok());
        without["nonce"] = "other".into();
        assert_eq!(judged(&without, &silent), Err(Rule::NonceMismatch), "there, it has to be ours");
    }

    #[test]
    fn it_goes_with_the_access_token() {
        assert_eq!(with("at_hash", json!(Algorithm::EdDsa.half_digest("another"))), Err(Rule::AccessTokenHash));
        assert_eq!(with("at_hash", json!(7)), Err(Rule::AccessTokenHash));
        assert!(with("at_hash", Value::Null).is_ok());
    }

    #[test]
    fn the_person_was_there_lately_where_that_is_asked() {
        let issuer = issuer();
        let asked = Expectation { max_age_seconds: Some(60), ..expecting(&issuer) };
        assert_eq!(judged(&claims(), &asked), Err(Rule::AuthTimeMissing));
        let mut at = claims();
        at["auth_time"] = json!(NOW - 120);
        assert!(judged(&at, &asked).is_ok());
        at["auth_time"] = json!(NOW - 121);
        assert_eq!(judged(&at, &asked), Err(Rule::AuthTooOld));
    }

    #[test]
    fn of_several_tenants_only_those_that_are_let_in() {
        let issuer = Issuer::OfTenant(String::from("https://ms.example/{tenantid}/v2.0"));
        let own = [TENANT_ID.to_owned()];
        let mut of = claims();
        of["iss"] = format!("https://ms.example/{TENANT_ID}/v2.0").into();
        let expected = Expectation { tenants: &own, ..expecting(&issuer) };
        assert_eq!(judged(&of, &expected), Err(Rule::Issuer), "without a tid");
        of["tid"] = TENANT_ID.into();
        assert!(judged(&of, &expected).is_ok());
        let other = [String::from("1f0c0000-0000-4000-8000-000000000002")];
        assert_eq!(judged(&of, &Expectation { tenants: &other, ..expected }), Err(Rule::Tenant));
        let any = [String::from("*")];
        assert!(judged(&of, &Expectation { tenants: &any, ..expected }).is_ok());
        of["tid"] = "1f0c0000-0000-4000-8000-000000000002".into();
        assert_eq!(judged(&of, &Expectation { tenants: &any, ..expected }), Err(Rule::Issuer), "issuer and tid differ");
    }

    #[test]
    fn private_accounts_are_no_company_unless_they_are_named() {
        let issuer = Issuer::OfTenant(String::from("https://ms.example/{tenantid}/v2.0"));
        for spelling in [PRIVATE_ACCOUNTS.to_owned(), PRIVATE_ACCOUNTS.to_uppercase()] {
            let mut of = claims();
            of["iss"] = format!("https://ms.example/{spelling}/v2.0").into();
            of["tid"] = spelling.into();
            let (any, named) = (vec![String::from("*")], vec![String::from("*"), PRIVATE_ACCOUNTS.to_owned()]);
            assert_eq!(judged(&of, &Expectation { tenants: &any, ..expecting(&issuer) }), Err(Rule::Tenant));
            assert!(judged(&of, &Expectation { tenants: &named, ..expecting(&issuer) }).is_ok());
        }
    }

    #[test]
    fn what_is_expected_prints_without_secrets() {
        let issuer = issuer();
        let printed = format!("{:?}", Expectation { nonce: "s3cret", access_token: Some("s3cret"), ..expecting(&issuer) });
        assert!(printed.contains("op.example") && !printed.contains("s3cret"), "{printed}");
    }

    #[test]
    fn a_key_of_one_tenant_signs_for_no_other() {
        let issuer = Issuer::OfTenant(String::from("https://ms.example/{tenantid}/v2.0"));
        let any = [String::from("*")];
        let expected = Expectation { tenants: &any, ..expecting(&issuer) };
        let mut of = claims();
        of["iss"] = format!("https://ms.example/{TENANT_ID}/v2.0").into();
        of["tid"] = TENANT_ID.into();
        let mut jwk = Signer::new(1).jwk(Some("1"));
        for (says, rule) in [
            ("https://ms.example/{tenantid}/v2.0".to_owned(), None),
            (format!("https://ms.example/{TENANT_ID}/v2.0"), None),
            ("https://ms.example/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0".to_owned(), Some(Rule::Signature)),
        ] {
            jwk["issuer"] = says.clone().into();
            assert_eq!(signed(&of, &jwk, &expected).err(), rule, "{says}");
        }
    }
}
