//! A table of what was in force, what was read, and what came of it.

use super::super::certificates::{DAY, from_json, last_end, to_json, warned_at, warned_since};
use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::X509;
use rosterd_saml::verify::Certificate;

const NOW: Micros = 1_795_000_000_000_000;
const GRACE: Micros = 7 * DAY;
const IDP: &str = "https://idp.example.com";
/// Certificates of three keys.
const ONE: &str = "MIIBkTCCATegAwIBAgIUP6jhkNl6DRNvCj076Fg8iDCLuSAwCgYIKoZIzj0EAwIwHjEcMBoGA1UEAwwTaWRwLW9uZS5leGFtcGxlLmNvbTAeFw0yNjExMjgwMDU2MjlaFw0zNjExMjUwMDU2MjlaMB4xHDAaBgNVBAMME2lkcC1vbmUuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR/YfOtx5ctL6xB/GRPo7UEzMSd22dXJYsQiXsax/Y/MFd8kz5MKvXtrSIMCmzgqfB6361IDI3lJLvjSeLmsIx8o1MwUTAdBgNVHQ4EFgQUmeDo1H2HmrB707nxnqc3etcdNXUwHwYDVR0jBBgwFoAUmeDo1H2HmrB707nxnqc3etcdNXUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAwaDhYX2JzPcnBtkplWqTNvUbfv4aqzyE+PzIkx4VYx4CIFq/syf+1X3H+DRbyc6GAUDDBGpLqugmFQXL7zP8hnFh";
const TWO: &str = "MIIBkjCCATegAwIBAgIUOww1RgdE0kIRPs613FYu4AmPn5UwCgYIKoZIzj0EAwIwHjEcMBoGA1UEAwwTaWRwLXR3by5leGFtcGxlLmNvbTAeFw0yNjExMjgwMDU2MjlaFw0zNjExMjUwMDU2MjlaMB4xHDAaBgNVBAMME2lkcC10d28uZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS9/o9tE0zbh6uoBsrc85XHdF7y6vq6LL53wS+d5+S5KoB//sSDh3jHJrVlCSwaVLQ2p8pGR8LWM6uqOJorSgZMo1MwUTAdBgNVHQ4EFgQU6qZ/KCx/cDz0gOn/cJIeEYUtvoYwHwYDVR0jBBgwFoAU6qZ/KCx/cDz0gOn/cJIeEYUtvoYwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAqE3vPuVz/UPbtvaiGwtPFqXX5VkZBpVo1QJtflwEdswCIQDy1MBZXnXqPz56dV+EzVwufKRCDg+TGbQ4lw2OyDOBOQ==";
const THREE: &str = "MIIBlTCCATugAwIBAgIUS6KLr8XZkEno32o6YjNqeR1wDD8wCgYIKoZIzj0EAwIwIDEeMBwGA1UEAwwVaWRwLXRocmVlLmV4YW1wbGUuY29tMB4XDTI2MTEyODAwNTYyOVoXDTM2MTEyNTAwNTYyOVowIDEeMBwGA1UEAwwVaWRwLXRocmVlLmV4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEH4Gd1xcUDyEmO5CfBoIFwEQRLinQeIWwzub3rK/dY81Xfc0RDHWTU43VVXs1a7+Y/Ac+nIVspxfa7ERZIXn2H6NTMFEwHQYDVR0OBBYEFEjx2mY83Nq1xtRUxmLZBQl9sI+FMB8GA1UdIwQYMBaAFEjx2mY83Nq1xtRUxmLZBQl9sI+FMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAJt9SLFElee/FwWg3MpSf51tS1c7dg3FyDZUpJOzXLhlAiB2a1XpQKBuPBQF0oob8wqyNMjOk2jnYlHJCVA/NeeeRQ==";

fn document(entity_id: &str, certificates: &[&str]) -> String {
    let keys: String = certificates
        .iter()
        .map(|text| {
            format!(
                "<KeyDescriptor use=\"signing\"><KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate>{text}\
                 </X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
            )
        })
        .collect();
    format!(
        "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{entity_id}\"><IDPSSODescriptor \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{keys}<SingleSignOnService \
         Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example.com/sso\"/>\
         </IDPSSODescriptor></EntityDescriptor>"
    )
}

/// A certificate of a key that nobody had before.
fn another() -> String {
    let made = || {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut builder = X509::builder()?;
        builder.set_pubkey(&key)?;
        builder.set_not_before(Asn1Time::from_unix(0)?.as_ref())?;
        builder.set_not_after(Asn1Time::from_unix(1)?.as_ref())?;
        builder.sign(&key, MessageDigest::sha256())?;
        builder.build().to_der()
    };
    STANDARD.encode(made().expect("a certificate"))
}

fn read(text: &str) -> IdpMetadata {
    IdpMetadata::read(text, None, Timestamp::MIN).expect("metadata")
}

fn certificate(text: &str) -> Certificate {
    Certificate::from_text(text).expect("a certificate")
}

fn fingerprint(text: &str) -> String {
    certificate(text).fingerprint().to_owned()
}

/// [`ONE`] and then others, in force since a day before [`NOW`].
fn in_force(certificates: &[&str]) -> InForce {
    let text = document(IDP, certificates);
    let metadata = read(&text);
    let plan = decide(None, Fresh { text: &text, metadata: &metadata }, NOW - DAY, GRACE, Word::Administrator);
    let Plan::Take(taken) = plan else { panic!("{plan:?}") };
    InForce { text, metadata, certificates: taken.certificates, seen_at: NOW - 100, has_waiting: false }
}

fn after(before: &InForce, text: &str, now: Micros, word: Word) -> Plan {
    decide(Some(before), Fresh { text, metadata: &read(text) }, now, GRACE, word)
}

#[track_caller]
fn taken(plan: Plan) -> Taken {
    let Plan::Take(taken) = plan else { panic!("{plan:?}") };
    taken
}

/// What counts at an instant, by fingerprint.
fn counting(certificates: &[Counted], now: Micros) -> Vec<String> {
    certificates.iter().filter(|c| c.counts(now, GRACE)).map(|c| c.certificate.fingerprint().to_owned()).collect()
}

#[test]
fn the_first_document_is_taken() {
    let before = in_force(&[ONE, TWO]);
    assert_eq!(counting(&before.certificates, NOW), [fingerprint(ONE), fingerprint(TWO)]);
    assert!(before.certificates.iter().all(|counted| counted.first_seen == NOW - DAY && counted.gone.is_none()));
}

#[test]
fn a_document_without_a_certificate_is_refused_whoever_says_so() {
    for word in [Word::Place, Word::Administrator] {
        for before in [None, Some(in_force(&[ONE]))] {
            let text = document(IDP, &[]);
            let plan = decide(before.as_ref(), Fresh { text: &text, metadata: &read(&text) }, NOW, GRACE, word);
            assert_eq!(plan, Plan::Refuse(Refuse::NoCertificate));
        }
    }
}

#[test]
fn the_same_document_again_changes_nothing() {
    let before = in_force(&[ONE]);
    assert_eq!(after(&before, &before.text, NOW, Word::Place), Plan::Unchanged);
}

#[test]
fn an_added_certificate_counts_at_once() {
    let before = in_force(&[ONE]);
    let taken = taken(after(&before, &document(IDP, &[ONE, TWO]), NOW, Word::Place));
    assert_eq!(counting(&taken.certificates, NOW), [fingerprint(ONE), fingerprint(TWO)]);
    assert_eq!((taken.added, taken.missed.len(), taken.is_news), (vec![fingerprint(TWO)], 0, true));
    assert_eq!(taken.certificates[0].first_seen, NOW - DAY);
    assert_eq!(taken.certificates[1].first_seen, NOW);
}

#[test]
fn a_certificate_that_is_gone_counts_for_the_grace_and_no_longer() {
    let before = in_force(&[ONE, TWO]);
    let rolled = taken(after(&before, &document(IDP, &[TWO]), NOW, Word::Place));
    assert_eq!(rolled.missed, [fingerprint(ONE)]);
    assert_eq!(counting(&rolled.certificates, NOW + GRACE - 1), [fingerprint(TWO), fingerprint(ONE)]);
    // Nobody has to look again for it to end.
    assert_eq!(counting(&rolled.certificates, NOW + GRACE), [fingerprint(TWO)]);
    assert_eq!(rolled.certificates[1].gone, Some(Gone { last_seen: NOW - 100, since: NOW }));

    // Looked at again in between, its grace does not begin anew; after it, the row forgets it.
    let text = document(IDP, &[TWO]);
    let before = InForce { text: text.clone(), metadata: read(&text), certificates: rolled.certificates, ..before };
    assert_eq!(after(&before, &text, NOW + DAY, Word::Place), Plan::Unchanged);
    let other = document(IDP, &[TWO, THREE]);
    let again = taken(after(&before, &other, NOW + DAY, Word::Place));
    assert_eq!(again.certificates[2].gone, Some(Gone { last_seen: NOW - 100, since: NOW }));
    let lapsed = taken(after(&before, &text, NOW + GRACE, Word::Place));
    assert_eq!((lapsed.certificates.len(), lapsed.is_news), (1, false));
}

#[test]
fn without_a_grace_a_certificate_that_is_gone_is_out_at_once() {
    let before = in_force(&[ONE, TWO]);
    let text = document(IDP, &[TWO]);
    let plan = decide(Some(&before), Fresh { text: &text, metadata: &read(&text) }, NOW, 0, Word::Place);
    let taken = taken(plan);
    assert_eq!((taken.certificates.len(), taken.missed), (1, vec![fingerprint(ONE)]));
}

#[test]
fn however_often_it_rolls_over_no_more_certificates_count_than_are_tried() {
    // One key of sixteen stays and vouches; the others are new in each document.
    let made: Vec<String> = (0..61).map(|_| another()).collect();
    let text = |from: usize| {
        let listed: Vec<&str> = std::iter::once(ONE).chain(made[from..from + 15].iter().map(String::as_str)).collect();
        document(IDP, &listed)
    };
    let mut before = in_force(&[ONE]);
    for (day, from) in [(0, 0), (1, 15), (2, 30), (3, 45)] {
        let text = text(from);
        let taken = taken(after(&before, &text, NOW + day * DAY, Word::Place));
        before = InForce { metadata: read(&text), text, certificates: taken.certificates, ..before };
    }
    let counting = counting(&before.certificates, NOW + 3 * DAY);
    let of = |from: usize, to: usize| made[from..to].iter().map(|text| fingerprint(text)).collect::<Vec<_>>();
    assert_eq!(counting.len(), 32);
    assert_eq!(counting[1..16], of(45, 60), "all that are listed");
    assert_eq!(counting[16..31], of(30, 45), "those that went last");
    assert_eq!(counting[31..], of(15, 16), "and of the others what there is room for");
}

#[test]
fn a_certificate_that_comes_back_counts_as_before() {
    let before = in_force(&[ONE, TWO]);
    let text = document(IDP, &[TWO]);
    let rolled = taken(after(&before, &text, NOW, Word::Place));
    let before = InForce { metadata: read(&text), text, certificates: rolled.certificates, ..before };
    let back = taken(after(&before, &document(IDP, &[ONE, TWO]), NOW + DAY, Word::Place));
    assert!(back.certificates.iter().all(|counted| counted.gone.is_none() && counted.first_seen == NOW - DAY));
    assert!(back.added.is_empty());
}

#[test]
fn another_entity_waits_for_an_administrator() {
    let before = in_force(&[ONE]);
    let text = document("https://evil.example.com", &[ONE]);
    assert_eq!(after(&before, &text, NOW, Word::Place), Plan::Hold(Hold::OtherEntity));
    let approved = taken(after(&before, &document("https://new.example.com", &[TWO]), NOW, Word::Administrator));
    assert_eq!(counting(&approved.certificates, NOW), [fingerprint(TWO)], "the former entity's key says nothing of this one");
}

#[test]
fn another_entity_of_the_same_document_is_another_one() {
    let other = "https://other.example.com";
    let list = "<EntitiesDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\">";
    let text = format!("{list}{}{}</EntitiesDescriptor>", document(IDP, &[ONE]), document(other, &[TWO]));
    let of = |id: &str| IdpMetadata::read(&text, Some(id), Timestamp::MIN).expect("metadata");
    let before = InForce { text: text.clone(), metadata: of(IDP), ..in_force(&[ONE]) };
    let plan = |word| decide(Some(&before), Fresh { text: &text, metadata: &of(other) }, NOW, GRACE, word);
    assert_eq!(plan(Word::Place), Plan::Hold(Hold::OtherEntity));
    assert_eq!(counting(&taken(plan(Word::Administrator)).certificates, NOW), [fingerprint(TWO)]);
}

#[test]
fn a_document_without_any_former_key_waits_for_an_administrator() {
    let before = in_force(&[ONE, TWO]);
    let text = document(IDP, &[THREE]);
    assert_eq!(after(&before, &text, NOW, Word::Place), Plan::Hold(Hold::NoFormerKey));
    let approved = taken(after(&before, &text, NOW, Word::Administrator));
    assert_eq!(counting(&approved.certificates, NOW).len(), 3, "the former two have their grace");
    assert_eq!(counting(&approved.certificates, NOW + GRACE), [fingerprint(THREE)]);
}

#[test]
fn a_key_whose_grace_is_over_vouches_for_nobody() {
    let before = in_force(&[ONE, TWO]);
    let text = document(IDP, &[TWO]);
    let rolled = taken(after(&before, &text, NOW, Word::Place));
    let before = InForce { metadata: read(&text), text, certificates: rolled.certificates, ..before };
    let back = document(IDP, &[ONE]);
    assert!(matches!(after(&before, &back, NOW + GRACE - 1, Word::Place), Plan::Take(_)));
    assert_eq!(after(&before, &back, NOW + GRACE, Word::Place), Plan::Hold(Hold::NoFormerKey));
}

#[test]
fn a_place_that_says_again_what_is_in_force_takes_back_what_waited() {
    let before = InForce { has_waiting: true, ..in_force(&[ONE]) };
    let again = taken(after(&before, &before.text, NOW, Word::Place));
    assert!(again.added.is_empty() && again.is_news);
}

#[test]
fn a_moved_address_is_taken_and_told() {
    let before = in_force(&[ONE]);
    let moved = before.text.replace("/sso", "/sso2");
    assert!(taken(after(&before, &moved, NOW, Word::Place)).is_news);
    let same = format!("<!-- again -->{}", before.text);
    assert!(!taken(after(&before, &same, NOW, Word::Place)).is_news);
}

#[test]
fn certificates_are_kept_with_their_past() {
    let before = in_force(&[ONE, TWO]);
    let rolled = taken(after(&before, &document(IDP, &[TWO]), NOW, Word::Place)).certificates;
    assert_eq!(from_json(&to_json(&rolled)), Some(rolled));
    assert_eq!(from_json("[{}]"), None);
}

#[test]
fn an_end_is_told_at_sixty_thirty_fourteen_seven_and_one_days() {
    let end = last_end(&in_force(&[ONE, TWO]).certificates).expect("they say");
    let told: Vec<Option<i64>> =
        [61, 60, 31, 30, 14, 8, 7, 2, 1, 0, -1].into_iter().map(|days| warned_at(end, end - days * DAY)).collect();
    let days = |days: i64| Some(days);
    assert_eq!(told, [None, days(60), days(60), days(30), days(14), days(14), days(7), days(7), days(1), days(0), days(0)]);
    assert_eq!(warned_since(end, end - 61 * DAY, end - 60 * DAY), Some(60));
    assert_eq!(warned_since(end, end - 60 * DAY, end - 59 * DAY), None, "each is told once");
    assert_eq!(warned_since(end, end - 9 * DAY, end - 7 * DAY), Some(7));
}
