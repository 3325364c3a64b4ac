//! Any text as a SAML response, from base64 to the decision, with a real key behind it whose private half is nowhere: no panic,
//! and whatever is accepted says what the genuine messages among the seeds say.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rosterd_saml::decrypt::Decryption;
use rosterd_saml::logout;
use rosterd_saml::protocol::{Awaited, Expectation, PendingRequest, judge};
use rosterd_saml::redirect::Vouched;
use rosterd_saml::response::authenticate;
use rosterd_saml::signed::Trust;
use rosterd_saml::verify::{Certificate, Certificates, Xmlsec};

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let certificate = Certificate::from_text(include_str!("saml_idp.pem")).expect("a certificate");
    Certificates::new(vec![certificate]).expect("one certificate")
});

static PENDING: LazyLock<PendingRequest> = LazyLock::new(|| PendingRequest {
    id: "_request1".into(),
    created_at: "2026-11-27T11:59:40Z".parse().expect("a time"),
    expires_at: "2026-11-27T12:09:00Z".parse().expect("a time"),
    force_authn: false,
    authn_contexts: Vec::new(),
});

fuzz_target!(|data: &[u8]| {
    let field = base64(data);
    let now = "2026-11-27T12:00:00Z".parse().expect("a time");
    let skew = jiff::SignedDuration::from_secs(60);
    let decryption = Decryption::default();
    let trust = Trust { verifier: &Xmlsec, certificates: &CERTIFICATES, decryption: &decryption };
    let expectation = Expectation {
        acs_url: "https://gateway.example.net/saml/acme/acs",
        sp_entity_id: "https://gateway.example.net/saml/acme/metadata",
        idp_entity_id: "https://idp.example.com/metadata",
        awaited: Awaited::Answer(&PENDING),
        now,
        skew,
    };
    if let Ok(verified) = authenticate(&field, trust).and_then(|authentic| judge(authentic, &expectation)) {
        assert_eq!(verified.name_id().map(|name| &*name.value), Some("alice"));
        assert_eq!(verified.attributes().len(), 2);
    }
    if let Ok(vouched) = Vouched::from_form(&field, &Xmlsec, &CERTIFICATES) {
        let expected = logout::Expectation { slo_url: "", idp_entity_id: "", now, skew };
        assert!(logout::read_request(&vouched, &expected).is_err(), "nobody ever signed one");
    }
});

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let value = chunk.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(value >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
