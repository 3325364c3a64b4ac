//! Signatures of another shape than the one: what they refer to, what they would have run or fetched, what they carry.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::mint::*;
use rosterd_saml::rule::Rule;

fn signed(how: &How) -> String {
    let login = Login::default();
    login.response(&sign(&login.assertion(), &login.assertion_id, rsa(), how))
}

#[test]
fn an_external_reference_opens_no_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    // Hung up on at once: a library that does call would wait a minute for its answer.
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let outside = format!("http://{address}/evil.xml");
    for uri in [format!(" URI=\"{outside}\""), format!(" URI=\"{outside}#_assertion1\"")] {
        refuses(&signed(&How { uri: Some(uri), ..How::default() }), Rule::ReferenceUri);
    }
    let retrieval = format!("<ds:KeyInfo><ds:RetrievalMethod URI=\"{outside}\"></ds:RetrievalMethod></ds:KeyInfo>");
    accepts(&signed(&How { key_info: retrieval, ..How::default() }));
    let doctype = format!("<!DOCTYPE r SYSTEM \"{outside}\">{}", signed(&How::default()));
    refuses(&doctype, Rule::Doctype);
    let sealed = format!(
        "<saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\"><xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\">\
         <xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"></xenc:EncryptionMethod>\
         <xenc:CipherData><xenc:CipherReference URI=\"{outside}\"></xenc:CipherReference></xenc:CipherData></xenc:EncryptedData>\
         </saml:EncryptedAssertion>"
    );
    refuses(&Login::default().response(&sealed), Rule::EncryptionShape);
    // xmlsec goes by local names and takes the first: a foreign attribute may not be there, before the genuine one or behind it.
    for (from, attribute) in [("<ds:Reference ", "URI"), ("<ds:SignatureMethod ", "Algorithm"), ("<ds:Transform ", "Algorithm")] {
        let xml = signed(&How::default());
        let genuine = &xml[xml.find(from).unwrap()..];
        let genuine = &genuine[..genuine.find('>').unwrap()];
        for foreign in [format!("xmlns:x=\"urn:x\" x:{attribute}=\"{outside}\""), format!("xml:{attribute}=\"{outside}\"")] {
            refuses(&xml.replacen(from, &format!("{from}{foreign} "), 1), Rule::SignatureShape);
            refuses(&xml.replacen(genuine, &format!("{genuine} {foreign}"), 1), Rule::SignatureShape);
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(calls.load(Ordering::Relaxed), 0, "somebody called");
}

#[test]
fn a_reference_to_anything_but_its_own_element_is_refused() {
    for uri in [
        "",
        " URI=\"\"",
        " URI=\"#\"",
        " URI=\"_assertion1\"",
        " URI=\"#_response1\"",
        " URI=\"#xpointer(/)\"",
        " URI=\"#xpointer(id('_assertion1'))\"",
        " URI=\"file:///etc/passwd\"",
        " URI=\"/etc/passwd\"",
        " URI=\"#_assertion1#\"",
        " URI=\" #_assertion1\"",
    ] {
        refuses(&signed(&How { uri: Some(uri.into()), ..How::default() }), Rule::ReferenceUri);
    }
}

#[test]
fn several_references_or_none_are_refused() {
    for references in [0, 2, 500] {
        refuses(&signed(&How { references, ..How::default() }), Rule::ReferenceCount);
    }
}

#[test]
fn other_transforms_are_refused_without_being_run() {
    let enveloped = transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature", "");
    let exclusive = transform("http://www.w3.org/2001/10/xml-exc-c14n#", "");
    let xpath = |expression: &str| {
        transform("http://www.w3.org/TR/1999/REC-xpath-19991116", &format!("<ds:XPath>{expression}</ds:XPath>"))
    };
    let bomb = xpath(&format!("count({}//.)", "//.//ancestor::*".repeat(20)));
    let xslt = transform(
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "<xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"></xsl:stylesheet>",
    );
    for transforms in [
        String::new(),
        enveloped.clone(),
        exclusive.clone(),
        format!("{exclusive}{enveloped}"),
        format!("{enveloped}{exclusive}{exclusive}"),
        format!("{enveloped}{bomb}{exclusive}"),
        format!("{enveloped}{}{exclusive}", xpath("not(ancestor-or-self::saml:NameID)")),
        format!("{enveloped}{xslt}{exclusive}"),
        format!("{enveloped}{}", transform("http://www.w3.org/2000/09/xmldsig#base64", "")),
        format!("{enveloped}{}", transform("http://www.w3.org/2001/10/xml-exc-c14n#WithComments", "")),
        format!("{enveloped}{}", transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "")),
        format!("{enveloped}{}", transform("http://www.w3.org/2006/12/xml-c14n11", "")),
        format!("{}{exclusive}", transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature", "<ds:XPath>/</ds:XPath>")),
        format!("{enveloped}{}", transform("http://www.w3.org/2001/10/xml-exc-c14n#", "<ds:XPath>/</ds:XPath>")),
    ] {
        refuses(&signed(&How { transforms, ..How::default() }), Rule::Transforms);
    }
}

#[test]
fn other_canonicalisation_of_what_is_signed_is_refused() {
    for algorithm in [
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "",
    ] {
        let canonicalization = format!("<ds:CanonicalizationMethod Algorithm=\"{algorithm}\"></ds:CanonicalizationMethod>");
        refuses(&signed(&How { canonicalization, ..How::default() }), Rule::Canonicalization);
    }
    let with_path = "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><ds:XPath>/</ds:XPath></ds:CanonicalizationMethod>";
    refuses(&signed(&How { canonicalization: with_path.into(), ..How::default() }), Rule::Canonicalization);
}

#[test]
fn objects_in_a_signature_are_refused() {
    refuses(&signed(&How { objects: "<ds:Object>x</ds:Object>".into(), ..How::default() }), Rule::SignatureObject);
    let manifest = "<ds:Object><ds:Manifest><ds:Reference URI=\"http://127.0.0.1:1/\"></ds:Reference></ds:Manifest></ds:Object>";
    refuses(&signed(&How { objects: manifest.into(), ..How::default() }), Rule::SignatureObject);
}

#[test]
fn other_parts_of_a_signature_are_refused() {
    let xml = signed(&How::default());
    let length = "<ds:HMACOutputLength>8</ds:HMACOutputLength>";
    refuses(&signed(&How { method_inside: length.into(), ..How::default() }), Rule::SignatureShape);
    for (from, to) in [
        ("<ds:SignedInfo>", "<ds:KeyInfo></ds:KeyInfo><ds:SignedInfo>"),
        ("</ds:Signature>", "<ds:SignatureValue>AA==</ds:SignatureValue></ds:Signature>"),
        ("<ds:SignedInfo>", "<ds:SignedInfo xml:lang=\"en\">"),
        ("<ds:SignatureValue>", "<ds:SignatureValue xml:lang=\"en\">"),
        ("<ds:Signature ", "<ds:Signature xml:lang=\"en\" "),
        ("<ds:SignedInfo>", "text<ds:SignedInfo>"),
        ("<ds:SignedInfo>", "<ds:SignedInfo>text"),
        ("</ds:SignedInfo>", "<ds:More></ds:More></ds:SignedInfo>"),
        ("<ds:Reference ", "<ds:Other></ds:Other><ds:Reference "),
        ("</ds:Reference>", "<ds:DigestValue>AA==</ds:DigestValue></ds:Reference>"),
        (
            "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\">",
            "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"><a></a>",
        ),
    ] {
        assert!(xml.contains(from), "{from}");
        refuses(&xml.replacen(from, to, 1), Rule::SignatureShape);
    }
}

#[test]
fn values_that_are_not_plain_base64_are_refused() {
    refuses(&signed(&How { digest_value: Some("<a></a>".into()), ..How::default() }), Rule::SignatureValue);
    refuses(&signed(&How { digest_value: Some(String::new()), ..How::default() }), Rule::SignatureValue);
    refuses(&signed(&How { digest_value: Some("***".into()), ..How::default() }), Rule::SignatureValue);
    let xml = signed(&How::default());
    refuses(&xml.replace("<ds:SignatureValue>", "<ds:SignatureValue><a></a>"), Rule::SignatureValue);
}
