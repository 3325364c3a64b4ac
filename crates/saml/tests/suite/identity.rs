//! What an assertion says, where it can't be read in one way only.

use crate::mint::*;
use rosterd_saml::rule::Rule;

#[track_caller]
fn refused(login: &Login, rule: Rule) {
    refuses(&login.signed_assertion(rsa()), rule);
    refuses(&login.signed_response(rsa()), rule);
}

#[test]
fn a_comment_does_not_cut_a_name_in_two() {
    // CVE-2018-0489 and its kin: admin@example.com<!-- -->.evil.com
    let login = Login::default().with("alice", "admin@example.com<!-- -->.evil.com");
    refused(&login, Rule::Comment);
}

#[test]
fn an_empty_name_is_refused() {
    for empty in ["", " ", "\n\t"] {
        refused(&Login::default().with(">alice<", &format!(">{empty}<")), Rule::EmptyNameId);
    }
}

#[test]
fn blanks_around_a_name_are_none_of_it() {
    assert_eq!(who(&accepts(&Login::default().with(">alice<", ">\n  alice \t<").signed_assertion(rsa()))), "alice");
}

#[test]
fn invisible_characters_in_an_identifier_are_refused() {
    for invisible in ["\u{200b}", "\u{200e}", "\u{202e}", "\u{feff}", "\u{ad}", "\u{85}", "\u{2060}", "a\tb", "a\nb"] {
        refused(&Login::default().with("alice", &format!("al{invisible}ice")), Rule::IdentifierCharacters);
    }
    refused(&Login::default().with("Name=\"mail\"", "Name=\"ma\u{200b}il\""), Rule::IdentifierCharacters);
    accepts(&Login::default().with("alice", "Zoë 山田 o'neil+x@exämple.com").signed_assertion(rsa()));
}

#[test]
fn characters_that_fill_join_or_vary_are_refused_in_an_identifier() {
    for invisible in [
        '\u{34f}',
        '\u{115f}',
        '\u{1160}',
        '\u{3164}',
        '\u{ffa0}',
        '\u{180b}',
        '\u{180d}',
        '\u{180e}',
        '\u{fe00}',
        '\u{fe0f}',
        '\u{fff9}',
        '\u{fffb}',
        '\u{e0000}',
        '\u{e0041}',
        '\u{e0100}',
        '\u{e01ef}',
    ] {
        refused(&Login::default().with("alice", &format!("al{invisible}ice")), Rule::IdentifierCharacters);
    }
    // Their neighbours.
    accepts(&Login::default().with("alice", "\u{34e}\u{115e}\u{1161}\u{3163}\u{180a}\u{fe10}\u{fffc}").signed_assertion(rsa()));
}

#[test]
fn an_attribute_that_becomes_a_key_is_checked_like_a_name() {
    let of = |value: &str| {
        let login = Login::default().with("alice@example.com", value);
        let verified = accepts(&login.signed_assertion(rsa()));
        verified.attributes()[0].values[0].identifier().map_err(|refusal| refusal.rule)
    };
    assert_eq!(of(" alice@example.com\n"), Ok(Some("alice@example.com".into())));
    assert_eq!(of(&name_id("alice")), Ok(Some("alice".into())));
    assert_eq!(of("al\u{200b}ice@example.com"), Err(Rule::IdentifierCharacters));
    assert_eq!(of("alice@example.com\u{3164}"), Err(Rule::IdentifierCharacters));
    for nothing in ["", " ", "<saml:Other></saml:Other>"] {
        assert_eq!(of(nothing), Ok(None), "{nothing}");
    }
}

#[test]
fn a_name_with_markup_in_it_is_refused() {
    refused(&Login::default().with("alice", "al<b></b>ice"), Rule::NestedMarkup);
    refused(&Login::default().with(SP, "<b></b>"), Rule::NestedMarkup);
}

#[test]
fn an_element_that_may_be_there_once_is_refused_twice() {
    for (what, twice) in [
        (name_id("alice"), format!("{}{}", name_id("alice"), name_id("mallory"))),
        (
            format!("<saml:Issuer>{IDP}</saml:Issuer>"),
            format!("<saml:Issuer>{IDP}</saml:Issuer><saml:Issuer>{IDP}</saml:Issuer>"),
        ),
        ("</saml:Subject>".into(), "</saml:Subject><saml:Subject></saml:Subject>".into()),
        ("</saml:Conditions>".into(), "</saml:Conditions><saml:Conditions></saml:Conditions>".into()),
    ] {
        refused(&Login::default().with(&what, &twice), Rule::RepeatedElement);
    }
}

#[test]
fn an_assertion_of_another_version_is_refused() {
    let mut login = Login::default();
    login.assertion_attributes = login.assertion_attributes.replace("2.0", "1.1");
    refused(&login, Rule::AssertionVersion);
}

#[test]
fn an_assertion_without_an_issuer_is_refused() {
    let mut login = Login::default();
    login.issuer = "<saml:Issuer></saml:Issuer>".into();
    refused(&login, Rule::IssuerMissing);
    login.issuer = String::new();
    // Our signer puts the signature behind an issuer; the Response has one.
    refuses(&login.signed_response(rsa()), Rule::IssuerMissing);
}

#[test]
fn a_time_in_another_form_is_refused() {
    for time in ["2026-11-27T12:00:00", "2026-11-27T12:00:00+01:00", "2026-11-27", "1795867200", "2026-02-30T12:00:00Z", ""] {
        let mut login = Login::default();
        login.conditions = login.conditions.replace(&at(300), time);
        refused(&login, Rule::MalformedTime);
    }
    let mut login = Login::default();
    login.assertion_attributes = " ID=\"_assertion1\" Version=\"2.0\"".into();
    refused(&login, Rule::MalformedTime);
}

#[test]
fn a_subject_or_an_attribute_that_is_encrypted_by_itself_is_refused() {
    refused(&Login::default().with(&name_id("alice"), "<saml:EncryptedID></saml:EncryptedID>"), Rule::EncryptedIdentifier);
    let inside = "<saml:AttributeStatement><saml:EncryptedAttribute></saml:EncryptedAttribute>";
    refused(&Login::default().with("<saml:AttributeStatement>", inside), Rule::EncryptedIdentifier);
}

#[test]
fn a_name_of_another_namespace_is_not_read() {
    let fake = "<x:NameID xmlns:x=\"urn:x\">mallory</x:NameID><saml:NameID";
    assert_eq!(who(&accepts(&Login::default().with("<saml:NameID", fake).signed_assertion(rsa()))), "alice");
    let fake = "<x:Attribute xmlns:x=\"urn:x\" Name=\"groups\"></x:Attribute></saml:AttributeStatement>";
    let verified = accepts(&Login::default().with("</saml:AttributeStatement>", fake).signed_assertion(rsa()));
    assert_eq!(verified.attributes().len(), 2);
}
