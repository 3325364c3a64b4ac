//! Encrypted assertions, in each placement and by each accepted cipher; and what encryption must never lend: trust.

use openssl::rsa::Padding;

use crate::mint::*;
use crate::seal::*;
use rosterd_saml::decrypt::Decryption;
use rosterd_saml::rule::Rule;

fn signed() -> String {
    let login = Login::default();
    sign(&login.assertion(), &login.assertion_id, rsa(), &How::default())
}

fn with_cbc() -> Gateway {
    let decryption = Decryption { keys: vec![ours().decryption()], allow_cbc: true };
    Gateway { decryption, ..Gateway::default() }
}

#[test]
fn a_signed_assertion_inside_is_accepted() {
    for sibling in [false, true] {
        let sealed = seal(&signed(), &Sealing { sibling, ..Sealing::default() });
        assert_eq!(who(&accepts(&Login::default().response(&sealed))), "alice");
    }
}

#[test]
fn an_unsigned_assertion_inside_a_signed_response_is_accepted() {
    for sibling in [false, true] {
        let login = Login::default();
        let sealed = seal(&login.assertion(), &Sealing { sibling, ..Sealing::default() });
        assert_eq!(who(&accepts(&sign(&login.response(&sealed), &login.response_id, rsa(), &How::default()))), "alice");
    }
}

#[test]
fn signed_inside_and_outside_is_accepted() {
    let login = Login::default();
    let sealed = seal(&signed(), &Sealing::default());
    let xml = sign(&login.response(&sealed), &login.response_id, rsa(), &How::default());
    assert_eq!(who(&accepts(&xml)), "alice");
}

#[test]
fn every_length_of_gcm_is_accepted() {
    for cipher in ["aes128-gcm", "aes192-gcm", "aes256-gcm"] {
        let cipher: &'static str = format!("http://www.w3.org/2009/xmlenc11#{cipher}").leak();
        accepts(&Login::default().response(&seal(&signed(), &Sealing { cipher, ..Sealing::default() })));
    }
}

#[test]
fn oaep_with_sha_256_is_accepted() {
    let how = Sealing { transport: oaep_sha256(), oaep_sha256: true, ..Sealing::default() };
    accepts(&Login::default().response(&seal(&signed(), &how)));
}

#[test]
fn cbc_is_accepted_only_where_the_connection_says_so() {
    for cipher in ["aes128-cbc", "aes192-cbc", "aes256-cbc"] {
        let cipher: &'static str = format!("http://www.w3.org/2001/04/xmlenc#{cipher}").leak();
        let login = Login::default();
        let xml = login.response(&seal(&signed(), &Sealing { cipher, ..Sealing::default() }));
        refuses(&xml, Rule::EncryptionAlgorithm);
        assert_eq!(who(&with_cbc().accepts(&xml)), "alice");
        let sealed = seal(&login.assertion(), &Sealing { cipher, ..Sealing::default() });
        with_cbc().accepts(&sign(&login.response(&sealed), &login.response_id, rsa(), &How::default()));
    }
}

#[test]
fn the_key_before_the_current_one_still_decrypts() {
    let decryption = Decryption { keys: vec![stranger().decryption(), ours().decryption()], allow_cbc: false };
    let gateway = Gateway { decryption, ..Gateway::default() };
    gateway.accepts(&Login::default().response(&seal(&signed(), &Sealing::default())));
}

#[test]
fn encrypted_but_unsigned_is_refused() {
    let login = Login::default();
    refuses(&login.response(&seal(&login.assertion(), &Sealing::default())), Rule::EncryptedUnsigned);
}

#[test]
fn encrypted_and_signed_by_a_stranger_is_refused() {
    let login = Login::default();
    let foreign = sign(&login.assertion(), &login.assertion_id, stranger(), &How::default());
    refuses(&login.response(&seal(&foreign, &Sealing::default())), Rule::SignatureInvalid);
    // An outer signature of ours does not heal a wrong one inside.
    let outer = sign(&login.response(&seal(&foreign, &Sealing::default())), &login.response_id, rsa(), &How::default());
    refuses(&outer, Rule::SignatureInvalid);
}

#[test]
fn of_cbc_nothing_is_told_but_that_it_failed() {
    let cipher = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
    let login = Login::default();
    let foreign = sign(&login.assertion(), &login.assertion_id, stranger(), &How::default());
    let how = || Sealing { cipher, ..Sealing::default() };
    for inside in [&*login.assertion(), &foreign, "no xml", "<a/>", "", &signed().replace("alice", "mallory")] {
        let refusal = with_cbc().refuses(&login.response(&seal(inside, &how())), Rule::DecryptionFailed);
        assert_eq!((refusal.expected, refusal.received), (None, None));
    }
    let not_text = seal_bytes(&[0xff; 100], &how());
    with_cbc().refuses(&login.response(&not_text), Rule::DecryptionFailed);
}

#[test]
fn at_the_bound_nothing_of_a_padding_is_told() {
    // As much ciphertext as is taken, vector included, and a block more: what the last byte says makes no difference.
    for (blocks, rule) in [(16_383, Rule::DecryptionFailed), (16_384, Rule::MessageTooLarge), (16_385, Rule::MessageTooLarge)] {
        for last in [0, 1, 16, 17] {
            let how = Sealing { cipher: "http://www.w3.org/2001/04/xmlenc#aes256-cbc", last: Some(last), ..Sealing::default() };
            let sealed = seal_bytes(&vec![b'x'; blocks * 16 - 1], &how);
            let refusal = with_cbc().refuses(&Login::default().response(&sealed), rule);
            assert_eq!((refusal.expected, refusal.received), (None, None), "{last}");
        }
    }
}

#[test]
fn a_changed_or_foreign_ciphertext_is_refused() {
    let login = Login::default();
    let sealed = seal(&signed(), &Sealing::default());
    let begin = sealed.rfind("<xenc:CipherValue>").unwrap() + 30;
    let mut changed = sealed.clone();
    let other = if &sealed[begin..=begin] == "A" { "B" } else { "A" };
    changed.replace_range(begin..=begin, other);
    refuses(&login.response(&changed), Rule::DecryptionFailed);
    refuses(&login.response(&seal(&signed(), &Sealing { to: stranger(), ..Sealing::default() })), Rule::DecryptionFailed);
    for value in ["AAAA", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
        let end = sealed[begin..].find('<').unwrap() + begin;
        let short = format!("{}{value}{}", &sealed[..begin - 12], &sealed[end..]);
        refuses(&login.response(&short), Rule::DecryptionFailed);
    }
}

#[test]
fn rsa_1_5_and_unknown_algorithms_are_refused() {
    let login = Login::default();
    let old = method("http://www.w3.org/2001/04/xmlenc#rsa-1_5", "");
    let how = Sealing { transport: old, padding: Padding::PKCS1, ..Sealing::default() };
    refuses(&login.response(&seal(&signed(), &how)), Rule::EncryptionAlgorithm);
    let sealed = seal(&signed(), &Sealing::default());
    for cipher in ["http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "http://www.w3.org/2001/04/xmlenc#aes256-gcm", "none"] {
        refuses(
            &login.response(&sealed.replace("http://www.w3.org/2009/xmlenc11#aes256-gcm", cipher)),
            Rule::EncryptionAlgorithm,
        );
    }
    let labelled = method(OAEP_11, "<xenc:OAEPparams>AA==</xenc:OAEPparams>");
    refuses(&login.response(&seal(&signed(), &Sealing { transport: labelled, ..Sealing::default() })), Rule::EncryptionAlgorithm);
}

#[test]
fn without_a_key_of_ours_it_is_refused() {
    let gateway = Gateway { decryption: Decryption::default(), ..Gateway::default() };
    gateway.refuses(&Login::default().response(&seal(&signed(), &Sealing::default())), Rule::NoDecryptionKey);
}

#[test]
fn other_shapes_are_refused() {
    let login = Login::default();
    let sealed = seal(&signed(), &Sealing::default());
    let key_begin = sealed.find("<xenc:EncryptedKey").unwrap();
    let key_end = sealed.find("</xenc:EncryptedKey>").unwrap() + "</xenc:EncryptedKey>".len();
    let key = &sealed[key_begin..key_end];
    refuses(&login.response(&sealed.replace(key, "")), Rule::EncryptionShape);
    let many: String = (2..=6).map(|number| key.replace("_key1", &format!("_key{number}"))).collect();
    refuses(&login.response(&sealed.replace(key, &many)), Rule::EncryptionShape);
    refuses(
        &login.response(&format!("<saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\"></saml:EncryptedAssertion>")),
        Rule::EncryptionShape,
    );
    let fetched = "<ds:RetrievalMethod URI=\"http://127.0.0.1:1/\"></ds:RetrievalMethod></ds:KeyInfo>";
    refuses(&login.response(&sealed.replace("</ds:KeyInfo>", fetched)), Rule::EncryptionShape);
    refuses(&login.response(&sealed.replace("CipherData>", "Cipher>")), Rule::EncryptionShape);
}

#[test]
fn what_comes_out_is_scanned_like_any_message() {
    let login = Login::default();
    let inside = |text: &str| login.response(&seal(text, &Sealing::default()));
    refuses(&inside(&format!("<!DOCTYPE a>{}", signed())), Rule::Doctype);
    refuses(&inside(&signed().replace("alice", "al<!-- -->ice")), Rule::Comment);
    refuses(&inside(&format!("{}{}", signed(), signed())), Rule::SecondRoot);
    refuses(&inside("<saml:Assertion></saml:Assertion>"), Rule::UndeclaredPrefix);
    refuses(&inside(&login.signed_assertion(rsa())), Rule::MisplacedAssertion);
    let advice =
        format!("<saml:Advice>{}</saml:Advice></saml:Assertion>", login.assertion().replace("_assertion1", "_assertion2"));
    refuses(&inside(&login.assertion().replace("</saml:Assertion>", &advice)), Rule::SeveralAssertions);
    let deeper = signed().replace("<saml:Conditions", "<saml:Advice><Signature></Signature></saml:Advice><saml:Conditions");
    refuses(&inside(&deeper), Rule::MisplacedSignature);
}

#[test]
fn a_plaintext_of_more_than_256_kib_is_refused() {
    let mut login = Login::default();
    login.attributes =
        format!("<saml:AttributeStatement>{}</saml:AttributeStatement>", attribute("a", &[&"x".repeat(260 * 1024)]));
    let text = login.assertion();
    assert!(text.len() > 256 * 1024);
    // By base64 twice it still fits in a message: the bound of the ciphertext answers.
    refuses(&Login::default().response(&seal(&text, &Sealing::default())), Rule::MessageTooLarge);
}
