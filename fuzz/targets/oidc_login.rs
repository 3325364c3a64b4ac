//! Any bytes as what a provider says: its document, its keys, an answer of its token endpoint and an ID token, each alone and one after
//! the other up to the decision, with a real key behind the good seeds whose private half is nowhere. No panic; a document that is taken
//! is the connection's; and a token that is believed under the genuine key says what the genuine one says.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rosterd::clock::SECOND;
use rosterd::model::connection::{Connection, ConnectionKind, Options};
use rosterd::model::connection_secrets::ConnectionSecrets;
use rosterd::model::ids::{ConnectionId, TenantId};
use rosterd::oidc::Algorithm;
use rosterd::oidc::discovery::{Issuer, Provider};
use rosterd::oidc::id_token::{Expectation, VerifiedIdToken, verified};
use rosterd::oidc::keys::KeySet;
use rosterd::oidc::record::{Said, record};
use rosterd::oidc::settings::Settings;
use rosterd::oidc::token_answer;
use rosterd::oidc::unverified;
use rosterd::secret::Secret;
use serde_json::json;

const ISSUER: &str = "https://op.example";
/// The middle of the life of the genuine token.
const NOW: i64 = 1_700_000_100 * SECOND;
const GENUINE_KEYS: &[u8] = include_bytes!("oidc_keys.json");
const GENUINE_TOKEN: &str = include_str!("oidc_token.txt");

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    let set = json!({"issuer": ISSUER, "client_id": "us"});
    let connection = Connection {
        tenant_id: TenantId::new("default"),
        id: ConnectionId::new("con_1"),
        name: String::from("acme"),
        kind: ConnectionKind::Oidc,
        organization_id: None,
        options: Options::parse(ConnectionKind::Oidc, set.as_object().expect("an object")).expect("options"),
        version: 1,
        created_at: 0,
        updated_at: 0,
    };
    let mut secrets = ConnectionSecrets::default();
    secrets.set("client_secret", Some(Secret::new(String::from("s"))));
    Settings::of(&connection, &secrets).expect("whole")
});

static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::parse(GENUINE_KEYS).expect("keys"));

static GENUINE: LazyLock<VerifiedIdToken> = LazyLock::new(|| {
    let issuer = Issuer::Exact(vec![ISSUER.to_owned()]);
    judged(GENUINE_TOKEN.trim(), &KEYS, &issuer).expect("the genuine token is believed")
});

fn judged(token: &str, keys: &KeySet, issuer: &Issuer) -> Option<VerifiedIdToken> {
    let expected = Expectation {
        issuer,
        client_id: "us",
        nonce: "n",
        echoes_nonce: true,
        access_token: None,
        max_age_seconds: None,
        tenants: &[],
        now: NOW,
    };
    verified(&unverified(token, &Algorithm::ALL).ok()?, keys, &expected).ok()
}

fuzz_target!(|data: &[u8]| {
    let issuer = Issuer::Exact(vec![ISSUER.to_owned()]);
    let _ = (token_answer::parse(200, data), token_answer::parse(400, data), KeySet::parse(data));
    if let Ok(token) = std::str::from_utf8(data)
        && let Some(found) = judged(token, &KEYS, &issuer)
    {
        assert_eq!(found.claims(), GENUINE.claims(), "somebody else's words under the genuine key");
    }
    // A document, keys and a token, with a zero between.
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let (Some(document), Some(keys), Some(token)) = (parts.next(), parts.next(), parts.next()) else { return };
    let Ok(provider) = Provider::of_document(document, &SETTINGS) else { return };
    let found = provider.issuer.as_ref().expect("a document has an issuer");
    assert!(found.is(ISSUER, None) && !found.is_of_tenants());
    for address in [&provider.authorization, &provider.token].into_iter().chain(&provider.jwks).chain(&provider.profile) {
        assert!(address.starts_with("https://") && address.len() <= 2_048, "{address}");
    }
    let (Ok(keys), Ok(token)) = (KeySet::parse(keys), std::str::from_utf8(token)) else { return };
    let Some(token) = judged(token.trim(), &keys, found) else { return };
    assert_eq!(token.claims()["iss"], ISSUER);
    assert_eq!(token.claims()["nonce"], "n");
    let said = Said { id_token: Some(token), ..Said::default() };
    if let Ok(record) = record(&said, &SETTINGS) {
        assert!(!record.external_id().is_empty() && record.payload().get("nonce").is_none());
    }
});
