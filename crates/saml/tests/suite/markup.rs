//! What is no message because it is not well-formed in the one strict way: nothing is repaired, nothing is expanded.

use crate::mint::*;
use rosterd_saml::limits::Limits;
use rosterd_saml::rule::Rule;
use rosterd_saml::scan::scan;

fn genuine() -> String {
    Login::default().signed_response(rsa())
}

#[test]
fn a_document_type_is_refused() {
    let xml = genuine();
    refuses(&format!("<!DOCTYPE samlp:Response>{xml}"), Rule::Doctype);
    refuses(&format!("<!DOCTYPE r [<!ENTITY a \"b\">]>{xml}"), Rule::Doctype);
    refuses(&format!("<!DOCTYPE r [<!ATTLIST saml:Assertion ID ID #IMPLIED>]>{xml}"), Rule::Doctype);
    refuses(&format!("<?xml version=\"1.0\"?>\n<!DOCTYPE r SYSTEM \"file:///etc/passwd\">{xml}"), Rule::Doctype);
}

#[test]
fn the_billion_laughs_end_at_the_document_type() {
    let entities: String =
        (1..10).map(|level| format!("<!ENTITY l{level} \"{}\">", format!("&l{};", level - 1).repeat(10))).collect();
    let xml = genuine().replace("alice", "&l9;");
    refuses(&format!("<!DOCTYPE r [<!ENTITY l0 \"lol\">{entities}]>{xml}"), Rule::Doctype);
}

#[test]
fn entities_are_refused() {
    for entity in ["&xxe;", "&nbsp;", "&;", "&AMP;", "& ;", "&a b;"] {
        refuses(&genuine().replace("alice", entity), Rule::EntityReference);
        refuses(&genuine().replacen("_response1", entity, 1), Rule::EntityReference);
    }
    refuses(&genuine().replace("alice", "a & b").replace(';', ""), Rule::EntityReference);
}

#[test]
fn numbers_that_are_no_characters_are_refused() {
    for number in [
        "&#0;",
        "&#x0;",
        "&#8;",
        "&#xD800;",
        "&#xFFFE;",
        "&#x110000;",
        "&#99999999;",
        "&#;",
        "&#x;",
        "&#-1;",
        "&#+65;",
        "&#xG;",
        "&#X41;",
    ] {
        refuses(&genuine().replace("alice", number), Rule::CharacterReference);
    }
}

#[test]
fn a_comment_is_refused_anywhere() {
    let xml = genuine();
    refuses(&format!("<!-- -->{xml}"), Rule::Comment);
    refuses(&format!("{xml}<!-- -->"), Rule::Comment);
    refuses(&xml.replace("alice", "ali<!---->ce"), Rule::Comment);
    refuses(&xml.replace("<ds:SignatureValue>", "<ds:SignatureValue><!-- -->"), Rule::Comment);
}

#[test]
fn a_cdata_section_is_refused_anywhere() {
    refuses(&genuine().replace("alice", "<![CDATA[alice]]>"), Rule::Cdata);
    refuses(&genuine().replace("</samlp:Status>", "<![CDATA[ ]]></samlp:Status>"), Rule::Cdata);
}

#[test]
fn a_processing_instruction_is_refused_anywhere() {
    let xml = genuine();
    refuses(&xml.replace("alice", "ali<?x y?>ce"), Rule::ProcessingInstruction);
    refuses(&format!("<?xml-stylesheet href=\"x\"?>{xml}"), Rule::ProcessingInstruction);
    refuses(&format!(" <?xml version=\"1.0\"?>{xml}"), Rule::ProcessingInstruction);
    refuses(&format!("{xml}<?x?>"), Rule::ProcessingInstruction);
}

#[test]
fn an_xml_declaration_is_version_1_0_in_utf_8_or_none() {
    let xml = genuine();
    for declaration in [
        "<?xml version=\"1.0\"?>",
        "<?xml version='1.0' encoding='utf-8'?>\n",
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\" ?>",
        "<?xml version=\"1.0\" standalone=\"yes\"?>",
    ] {
        accepts(&format!("{declaration}{xml}"));
    }
    for declaration in [
        "<?xml version=\"1.1\"?>",
        "<?xml version=\"1.0\" encoding=\"UTF-7\"?>",
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
        "<?xml encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" version=\"1.0\"?>",
        "<?xml version=\"1.0\"encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" other=\"1\"?>",
        "<?xml version=1.0?>",
        "<?xml ?>",
    ] {
        refuses(&format!("{declaration}{xml}"), Rule::XmlDeclaration);
    }
}

#[test]
fn a_truncated_message_is_not_repaired() {
    let xml = genuine();
    for end in [xml.len() - 1, xml.len() - 5, xml.len() - "</samlp:Response>".len(), xml.len() / 2, 20, 1, 0] {
        refuses(&xml[..end], Rule::Truncated);
    }
    for xml in [" ", "<?xml version=\"1.0\"", "<!-- ", "<a b=\"", "<a b='c", "<a ", "<a b", "<a/"] {
        let refusal = scan(xml, Limits::METADATA).unwrap_err();
        assert!(matches!(refusal.rule, Rule::Truncated | Rule::MalformedMarkup), "{xml}: {refusal}");
    }
}

#[test]
fn tags_that_do_not_match_are_not_repaired() {
    let xml = genuine();
    refuses(&xml.replace("</saml:NameID>", ""), Rule::MismatchedTag);
    refuses(&xml.replace("</saml:NameID>", "</saml:nameid>"), Rule::MismatchedTag);
    refuses(&xml.replace("</saml:NameID>", "</x:NameID>"), Rule::MismatchedTag);
    refuses(&xml.replace("</saml:NameID>", "</saml:NameID></saml:NameID>"), Rule::MismatchedTag);
    refuses(&xml.replace("</saml:NameID>", "</ saml:NameID>"), Rule::MismatchedTag);
    refuses(&format!("{xml}</samlp:Response>"), Rule::MismatchedTag);
}

#[test]
fn malformed_tags_and_attributes_are_not_repaired() {
    let xml = genuine();
    for (from, to) in [
        ("<samlp:Status>", "<samlp:Status a>"),
        ("<samlp:Status>", "<samlp:Status a=b>"),
        ("<samlp:Status>", "<samlp:Status a=\"1\"b=\"2\">"),
        ("<samlp:Status>", "<samlp:Status a=\"<\">"),
        ("<samlp:Status>", "<samlp:Status:x>"),
        ("<samlp:Status>", "<:Status>"),
        ("<samlp:Status>", "<samlp:>"),
        ("<samlp:Status>", "< samlp:Status>"),
        ("<samlp:Status>", "<samlp:Status / >"),
        ("<samlp:Status>", "<samlp:Status 1a=\"\">"),
        ("<samlp:Status>", "<samlp:Stätus>"),
        ("<samlp:Status>", "<samlp:Status <b>"),
        ("alice", "ali]]>ce"),
        ("alice", "<!ELEMENT a>"),
        ("alice", "<1>"),
    ] {
        refuses(&xml.replacen(from, to, 1), Rule::MalformedMarkup);
    }
}

#[test]
fn an_attribute_that_is_there_twice_is_refused() {
    let xml = genuine();
    refuses(&xml.replacen(" ID=", " ID=\"_x\" ID=", 1), Rule::DuplicateAttribute);
    let twice = "<samlp:Status xmlns:a=\"urn:a\" xmlns:b=\"urn:a\" a:x=\"\" b:x=\"\">";
    refuses(&xml.replacen("<samlp:Status>", twice, 1), Rule::DuplicateAttribute);
    refuses(&xml.replacen("<samlp:Status>", "<samlp:Status xmlns:a=\"urn:a\" xmlns:a=\"urn:b\">", 1), Rule::DuplicateAttribute);
    refuses(&xml.replacen("<samlp:Status>", "<samlp:Status xmlns=\"urn:a\" xmlns=\"urn:b\">", 1), Rule::DuplicateAttribute);
}

#[test]
fn a_prefix_nobody_declared_is_refused() {
    let xml = genuine();
    refuses(&xml.replacen("<samlp:Status>", "<samlp:Status x:a=\"\">", 1), Rule::UndeclaredPrefix);
    refuses(&xml.replace("samlp:Status>", "x:Status>"), Rule::UndeclaredPrefix);
    // Declared inside only, or before only.
    refuses(&xml.replacen("<samlp:Status>", "<x:a xmlns:x=\"urn:x\"></x:a><x:b></x:b><samlp:Status>", 1), Rule::UndeclaredPrefix);
    refuses(&xml.replacen("<samlp:Status>", "<xmlns:a></xmlns:a><samlp:Status>", 1), Rule::UndeclaredPrefix);
}

#[test]
fn a_relative_namespace_is_refused_before_it_voids_canonicalisation() {
    // CVE-2025-66568 and its kin: libxml2 gives up on relative namespace names, and nothing is a good hash of nothing.
    for declaration in [
        "xmlns:a=\"1\"",
        "xmlns:a=\"../x\"",
        "xmlns=\"relative\"",
        "xmlns:a=\"\"",
        "xmlns:a=\"http://a b\"",
        "xmlns:a=\"http://{a}\"",
        "xmlns:a=\"urn:&amp;\"",
        "xmlns:a=\"urn:ä\"",
        "xmlns:a=\"1x:y\"",
        "xmlns:a=\"urn:%\"",
        "xmlns:a=\"urn:%4\"",
        "xmlns:a=\"urn:%zz\"",
        "xmlns:a=\"urn:a%2gb%20\"",
        "xmlns:a=\"urn:%ä\"",
        "xmlns:a=\"urn:[a]\"",
        "xmlns:a=\"http://[::1\"",
        "xmlns:a=\"urn:a#b#c\"",
        "xmlns:a=\"http://a:b/\"",
        "xmlns:a=\"http://a:/\"",
        "xmlns:a=\"http://a:99999999999/\"",
        "xmlns:a=\"http://a@b/\"",
        "xmlns:a=\"http://\"",
        "xmlns:xml=\"http://www.w3.org/XML/1998/namespace\"",
        "xmlns:a=\"http://www.w3.org/XML/1998/namespace\"",
        "xmlns:xmlns=\"urn:x\"",
        "xmlns:a=\"http://www.w3.org/2000/xmlns/\"",
    ] {
        let xml = genuine().replacen("<samlp:Status>", &format!("<samlp:Status {declaration}>"), 1);
        refuses(&xml, Rule::NamespaceName);
    }
}

#[test]
fn a_namespace_that_is_let_in_can_be_canonicalised() {
    // Every character that is let in, and every part of a URI: libxml2 has to take them all.
    let login = Login::default();
    for name in [
        "urn:a",
        "urn:",
        "x:/a",
        "urn:a%20b%FF",
        "http://a.example.com:8080/b;c=d/e?f=g+h/?#i/?",
        "http://schemas.microsoft.com/ws/2008/06/identity/claims",
        "urn:!$'()*+,-.:;=?@_~/0",
        "a+-.1:b",
    ] {
        // In canonical order, declared and used in one place.
        let whole = login.response(&login.assertion()).replacen(
            "<samlp:Status>",
            &format!("<samlp:Extensions><x:a xmlns:x=\"{name}\"></x:a></samlp:Extensions><samlp:Status>"),
            1,
        );
        accepts(&sign(&whole, &login.response_id, rsa(), &How::default()));
    }
}

#[test]
fn text_outside_the_root_is_refused() {
    refuses(&format!("x{}", genuine()), Rule::TextOutsideRoot);
    refuses(&format!("{}x", genuine()), Rule::TextOutsideRoot);
    refuses(&format!("&#32;{}&#65;", genuine()), Rule::TextOutsideRoot);
    refuses(&format!("&#32;{}", genuine()), Rule::TextOutsideRoot);
    refuses(&format!("{}\n&#x20;", genuine()), Rule::TextOutsideRoot);
    accepts(&format!("\r\n{}\n", genuine()));
}

#[test]
fn a_second_root_is_refused() {
    refuses(&format!("{}<a></a>", genuine()), Rule::SecondRoot);
    refuses(&format!("<a/>{}", genuine()), Rule::SecondRoot);
}

#[test]
fn characters_xml_has_no_way_to_write_are_refused() {
    for character in ['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
        refuses(&genuine().replace("alice", &character.to_string()), Rule::IllegalCharacter);
    }
}

#[test]
fn comments_are_for_metadata_alone_and_cut_nothing() {
    let document = scan("<!-- a --><a><!-- -- -->b<!---->c</a>", Limits::METADATA).unwrap();
    assert_eq!((document.root().local(), document.element_count()), ("a", 1));
    assert_eq!(scan("<a><!-></a>", Limits::METADATA).unwrap_err().rule, Rule::MalformedMarkup);
    assert_eq!(scan("<a><!--></a>", Limits::METADATA).unwrap_err().rule, Rule::Truncated);
}
