//! What has to be let in: every placement of the signature, every kind of key, and messages as identity providers write them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use openssl::nid::Nid;
use samael::crypto::{Crypto, CryptoProvider};

use crate::mint::*;
use rosterd_saml::read::{AttributeValue, NameId};
use rosterd_saml::rule::Rule;

#[test]
fn a_signed_assertion_is_accepted() {
    let verified = accepts(&Login::default().signed_assertion(rsa()));
    assert_eq!(who(&verified), "alice");
    assert_eq!(verified.issuer(), IDP);
    assert_eq!(verified.authn().session_index.as_deref(), Some("_session1"));
}

#[test]
fn a_signed_response_is_accepted() {
    assert_eq!(who(&accepts(&Login::default().signed_response(rsa()))), "alice");
}

#[test]
fn both_signed_is_accepted() {
    assert_eq!(who(&accepts(&Login::default().signed_both(rsa()))), "alice");
}

#[test]
fn base64_in_lines_of_76_is_accepted() {
    let whole = field(&Login::default().signed_assertion(rsa()));
    let lines: Vec<&str> = whole.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    assert!(Gateway::default().take_field(&lines.join("\r\n")).is_ok());
    assert!(Gateway::default().take_field(&(lines.join("\n") + "\n")).is_ok());
}

#[test]
fn every_kind_of_key_and_digest_is_accepted() {
    let digests = [
        ("256", "http://www.w3.org/2001/04/xmlenc#sha256"),
        ("384", "http://www.w3.org/2001/04/xmldsig-more#sha384"),
        ("512", "http://www.w3.org/2001/04/xmlenc#sha512"),
    ];
    let curves = [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1];
    let keys = curves.into_iter().map(|curve| ("ecdsa", ec_key(curve))).chain([("rsa", rsa_key("long", 3072))]);
    for (family, key) in keys {
        for (bits, digest) in digests {
            let how = How {
                method: format!("http://www.w3.org/2001/04/xmldsig-more#{family}-sha{bits}"),
                digest: digest.into(),
                ..How::default()
            };
            let login = Login::default();
            let xml = login.response(&sign(&login.assertion(), &login.assertion_id, &key, &how));
            let gateway = Gateway { certificates: vec![key.trusted()], ..Gateway::default() };
            assert_eq!(who(&gateway.accepts(&xml)), "alice", "{family} {bits}");
        }
    }
}

#[test]
fn a_roll_over_has_two_certificates_in_any_order() {
    let orders = [[ec(), rsa()], [rsa(), ec()], [stranger(), rsa()], [rsa(), stranger()]];
    for keys in orders {
        let gateway = Gateway { certificates: keys.map(Key::trusted).to_vec(), ..Gateway::default() };
        for key in keys {
            gateway.accepts(&Login::default().signed_assertion(key));
            gateway.accepts(&Login::default().signed_both(key));
        }
    }
}

#[test]
fn what_libxmlsec_itself_signs_is_accepted_with_prefixes_and_indents() {
    let login = Login::default();
    let template = format!(
        "<ds:Signature xmlns:ds=\"{DSIG}\">\n  <ds:SignedInfo>\n    \
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\n    \
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>\n    \
         <ds:Reference URI=\"#_assertion1\">\n      <ds:Transforms>\n        \
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\n        \
         <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><ec:InclusiveNamespaces \
         xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xs #default\"/></ds:Transform>\n      </ds:Transforms>\n      \
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\n      <ds:DigestValue/>\n    \
         </ds:Reference>\n  </ds:SignedInfo>\n  <ds:SignatureValue/>\n</ds:Signature>"
    );
    let attribute = "<saml:Attribute Name=\"title\" FriendlyName='t'><saml:AttributeValue xsi:type=\"xs:string\">R &amp; D\r\n\
                     Zoë</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>";
    let assertion = login
        .assertion()
        .replace("</saml:AttributeStatement>", attribute)
        .replace("</saml:Issuer>", &format!("</saml:Issuer>\n{template}\n"));
    let xml = login.response(&assertion).replace(
        "<samlp:Response ",
        "<samlp:Response xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n  ",
    );
    let key = rsa().private.rsa().unwrap().private_key_to_der().unwrap();
    let signed = Crypto::sign_xml(&xml, &key).unwrap();
    let verified = accepts(&signed);
    let title = verified.attributes().iter().find(|attribute| attribute.name == "title").unwrap();
    assert_eq!(title.values, [AttributeValue::Text("R & D\nZoë".into())]);
    assert_eq!(title.friendly_name.as_deref(), Some("t"));
}

#[test]
fn a_certificate_in_the_message_is_carried_along_and_never_read() {
    let certificate = STANDARD.encode(stranger().der());
    let how = How {
        key_info: format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        ),
        ..How::default()
    };
    let login = Login::default();
    accepts(&login.response(&sign(&login.assertion(), &login.assertion_id, rsa(), &how)));
}

#[test]
fn attributes_come_with_all_their_values() {
    let odd = "<saml:AttributeStatement><saml:Attribute Name=\"n\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\">\
               <saml:AttributeValue></saml:AttributeValue>\
               <saml:AttributeValue xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"></saml:AttributeValue>\
               <saml:AttributeValue><saml:NameID NameQualifier=\"i\" SPNameQualifier=\"s\">x1</saml:NameID></saml:AttributeValue>\
               <saml:AttributeValue>-<a xmlns=\"urn:a\"><b>x</b></a><c></c></saml:AttributeValue></saml:Attribute>\
               </saml:AttributeStatement>";
    let mut login = Login::default();
    login.attributes += odd;
    let verified = accepts(&login.signed_assertion(rsa()));
    let values = |name: &str| verified.attributes().iter().find(|one| one.name == name).unwrap().values.clone();
    let text = |value: &str| AttributeValue::Text(value.into());
    assert_eq!(values("groups"), [text("staff"), text("admins")]);
    let nested =
        NameId { value: "x1".into(), format: None, name_qualifier: Some("i".into()), sp_name_qualifier: Some("s".into()) };
    let structured = |inside: &[(&str, AttributeValue)]| {
        AttributeValue::Structured(inside.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    let other = structured(&[("a", structured(&[("b", text("x"))])), ("c", text(""))]);
    assert_eq!(values("n"), [text(""), AttributeValue::Nil, AttributeValue::NameId(nested), other]);
}

#[test]
fn what_may_be_used_once_is_the_same_for_the_same_assertion() {
    let login = Login::default();
    // The same assertion in another Response, as a thief would send it.
    let again = login.clone().with("_response1", "_response2");
    let (first, second) = (accepts(&login.signed_assertion(rsa())), accepts(&again.signed_assertion(rsa())));
    assert_eq!(first.one_time(), second.one_time());
    assert_eq!(first.one_time().assertion_id, "_assertion1");
    // Valid for 300 s, and another 300 for the slowest clock that counts.
    assert_eq!(first.one_time().expires_at.to_string(), at(600));
    let mut pending = pending();
    pending.expires_at = now().saturating_add(SignedDuration::from_hours(1)).unwrap();
    let then = first.one_time().expires_at;
    let gateway = Gateway { now: then, skew: SignedDuration::from_hours(1), pending: Some(pending), ..Gateway::default() };
    // Remembered until it would be refused anyway, and no shorter.
    gateway.refuses(&login.signed_assertion(rsa()), Rule::ConfirmationExpired);
    let before = then.saturating_sub(SignedDuration::from_secs(1)).unwrap();
    Gateway { now: before, ..gateway }.accepts(&login.signed_assertion(rsa()));
}

#[test]
fn a_login_that_the_identity_provider_began_is_accepted_where_the_connection_says_so() {
    let mut login = Login::default().with(&answered(), "");
    login.conditions = conditions(-60, 300, &audience(SP));
    let gateway = Gateway { pending: None, idp_initiated: true, ..Gateway::default() };
    assert_eq!(who(&gateway.accepts(&login.signed_assertion(rsa()))), "alice");
    assert_eq!(who(&gateway.accepts(&login.signed_response(rsa()))), "alice");
}

#[test]
fn clocks_may_be_apart_by_the_skew() {
    let login = Login::default();
    for seconds in [-59, 359] {
        let now = now().saturating_add(SignedDuration::from_secs(seconds)).unwrap();
        let mut pending = pending();
        pending.expires_at = now.saturating_add(SignedDuration::from_secs(1)).unwrap();
        let gateway = Gateway { now, pending: Some(pending), ..Gateway::default() };
        gateway.accepts(&login.signed_response(rsa()));
    }
}

#[test]
fn an_attribute_of_many_scripts_comes_as_it_was_sent() {
    let names = ["Zoë Müller", "山田太郎", "Ольга", "🦀 crab", "a &lt;b&gt; &amp; &quot;c&quot;"];
    let mut login = Login::default();
    login.attributes =
        format!("<saml:AttributeStatement>{}</saml:AttributeStatement>", attribute("cn", &names).replace("&quot;", "\""));
    let verified = accepts(&login.signed_both(rsa()));
    let expected = ["Zoë Müller", "山田太郎", "Ольга", "🦀 crab", "a <b> & \"c\""].map(|name| AttributeValue::Text(name.into()));
    assert_eq!(verified.attributes()[0].values, expected);
}
