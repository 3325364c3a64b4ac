//! Metadata of identity providers: of one, of a federation, of products that write it their way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::nid::Nid;

use crate::mint::*;
use rosterd_saml::metadata::{Binding, IdpMetadata, Scope};
use rosterd_saml::rule::{Refusal, Rule};

const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

fn key(purpose: &str, key: &Key) -> String {
    format!(
        "<KeyDescriptor{purpose}><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>\n{}\n</ds:X509Certificate></ds:X509Data>\
         </ds:KeyInfo></KeyDescriptor>",
        STANDARD.encode(key.der())
    )
}

fn entity(id: &str, inside: &str) -> String {
    format!(
        "<EntityDescriptor xmlns=\"{MD}\" entityID=\"{id}\"><IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:1.1:protocol \
         {PROTOCOL}\" WantAuthnRequestsSigned=\"true\">{inside}</IDPSSODescriptor></EntityDescriptor>"
    )
}

fn sign_on() -> String {
    format!(
        "<SingleLogoutService Binding=\"{REDIRECT}\" Location=\"https://idp.example.com/slo\" ResponseLocation=\"https://idp.example.com/slo/done\"/>\
         <NameIDFormat>urn:f</NameIDFormat>\
         <SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:SOAP\" Location=\"https://idp.example.com/soap\"/>\
         <SingleSignOnService Binding=\"{REDIRECT}\" Location=\"https://idp.example.com/sso\"/>\
         <SingleSignOnService Binding=\"{POST}\" Location=\"https://idp.example.com/sso/post\"/>"
    )
}

fn whole() -> String {
    entity(
        IDP,
        &format!("{}{}{}{}", key(" use=\"signing\"", rsa()), key("", ec()), key(" use=\"encryption\"", stranger()), sign_on()),
    )
}

fn read(text: &str) -> Result<IdpMetadata, Refusal> {
    IdpMetadata::read(text, None, now())
}

#[track_caller]
fn refused(text: &str, rule: Rule) {
    assert_eq!(read(text).map_err(|refusal| refusal.rule), Err(rule));
}

#[test]
fn one_identity_provider_is_read() {
    let metadata = read(&whole()).unwrap();
    assert_eq!(metadata.entity_id, IDP);
    assert_eq!(metadata.signing, [rsa().trusted(), ec().trusted()]);
    assert!(metadata.unusable.is_empty() && metadata.wants_signed_requests);
    assert_eq!(metadata.sign_on_by(Binding::Redirect).unwrap().location, "https://idp.example.com/sso");
    assert_eq!(metadata.sign_on_by(Binding::Post).unwrap().location, "https://idp.example.com/sso/post");
    let logout = metadata.logout_by(Binding::Redirect).unwrap();
    assert_eq!(logout.response_location.as_deref(), Some("https://idp.example.com/slo/done"));
    assert_eq!(metadata.logout_by(Binding::Post), None);
    assert_eq!(metadata.name_id_formats, ["urn:f"]);
    assert_eq!((metadata.valid_until, metadata.cache_duration), (None, None));
}

#[test]
fn a_file_with_a_mark_a_declaration_and_comments_is_read() {
    let text = format!("\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- of a -- federation -->\n{}\n", whole());
    assert_eq!(read(&text).unwrap().entity_id, IDP);
}

#[test]
fn of_a_federation_the_named_one_is_read() {
    let other = entity("https://other.example.com", &sign_on());
    let federation = format!(
        "<EntitiesDescriptor xmlns=\"{MD}\" validUntil=\"{}\" cacheDuration=\"PT6H\"><EntitiesDescriptor cacheDuration=\"P1D\">{other}</EntitiesDescriptor>\
         {}</EntitiesDescriptor>",
        at(3_600),
        whole()
    );
    let metadata = IdpMetadata::read(&federation, Some(IDP), now()).unwrap();
    assert_eq!(metadata.entity_id, IDP);
    assert_eq!(metadata.valid_until.unwrap().to_string(), at(3_600));
    assert_eq!(metadata.cache_duration.unwrap().as_secs(), 6 * 3_600);
    let inner = IdpMetadata::read(&federation, Some("https://other.example.com"), now()).unwrap();
    assert_eq!(inner.cache_duration.unwrap().as_secs(), 6 * 3_600);
    refused(&federation, Rule::EntityAmbiguous);
    let missing = IdpMetadata::read(&federation, Some("https://third.example.com"), now()).unwrap_err();
    assert_eq!(missing.rule, Rule::EntityNotFound);
    assert!(missing.received.unwrap().contains("https://other.example.com"));
    let twice = federation.replace("https://other.example.com", IDP);
    assert_eq!(IdpMetadata::read(&twice, Some(IDP), now()).unwrap_err().rule, Rule::EntityAmbiguous);
}

#[test]
fn expired_metadata_is_refused_wherever_it_says_so() {
    let until = |seconds: i64, at_what: &str| whole().replacen(at_what, &format!("{at_what} validUntil=\"{}\"", at(seconds)), 1);
    for at_what in ["<EntityDescriptor", "<IDPSSODescriptor"] {
        refused(&until(0, at_what), Rule::MetadataExpired);
        assert_eq!(read(&until(1, at_what)).unwrap().valid_until.unwrap().to_string(), at(1));
    }
    refused(&whole().replacen("<EntityDescriptor", "<EntityDescriptor validUntil=\"soon\"", 1), Rule::MalformedTime);
    refused(&whole().replacen("<EntityDescriptor", "<EntityDescriptor cacheDuration=\"6 hours\"", 1), Rule::MalformedDuration);
}

#[test]
fn what_is_no_identity_provider_is_refused() {
    refused("<a/>", Rule::MetadataRoot);
    refused(&Login::default().signed_response(rsa()), Rule::MetadataRoot);
    refused(&whole().replace("IDPSSODescriptor", "SPSSODescriptor"), Rule::NotAnIdp);
    refused(&whole().replace(PROTOCOL, "urn:oasis:names:tc:SAML:1.0:protocol"), Rule::NotAnIdp);
    refused(&format!("<EntitiesDescriptor xmlns=\"{MD}\"/>"), Rule::EntityNotFound);
    refused(&entity(IDP, &key("", rsa())), Rule::NoSignOnEndpoint);
}

#[test]
fn an_entity_without_a_name_or_in_a_place_of_no_list_is_refused() {
    refused(&whole().replace(&format!(" entityID=\"{IDP}\""), ""), Rule::EntityNotFound);
    refused(&whole().replace(IDP, ""), Rule::EntityNotFound);
    let inside =
        |before: &str, after: &str| format!("<EntitiesDescriptor xmlns=\"{MD}\">{before}{}{after}</EntitiesDescriptor>", whole());
    for (before, after) in [
        ("<Extensions>", "</Extensions>"),
        ("<EntityDescriptor entityID=\"https://other.example.com\">", "</EntityDescriptor>"),
        ("<EntitiesDescriptor><Extensions><EntitiesDescriptor>", "</EntitiesDescriptor></Extensions></EntitiesDescriptor>"),
        ("<x:EntitiesDescriptor xmlns:x=\"urn:x\">", "</x:EntitiesDescriptor>"),
    ] {
        let found = IdpMetadata::read(&inside(before, after), Some(IDP), now());
        assert_eq!(found.map_err(|refusal| refusal.rule), Err(Rule::EntityNotFound), "{before}");
    }
    // A copy there does not make the listed one ambiguous.
    let copied = inside(&format!("<Extensions>{}</Extensions>", whole()), "");
    assert_eq!(IdpMetadata::read(&copied, Some(IDP), now()).unwrap().entity_id, IDP);
}

#[test]
fn addresses_that_are_scripts_are_refused() {
    for address in ["javascript:alert(1)", "data:text/html,x", "//idp.example.com", "", "https://a b", "HTTPS://x"] {
        refused(&whole().replace("https://idp.example.com/sso\"", &format!("{address}\"")), Rule::EndpointAddress);
    }
    refused(&whole().replace("https://idp.example.com/slo/done", "javascript:x"), Rule::EndpointAddress);
    refused(&whole().replace(" Location=\"https://idp.example.com/sso\"", ""), Rule::EndpointAddress);
}

#[test]
fn a_key_that_cannot_be_used_is_told_and_leaves_the_others() {
    let weak = rsa_key("short", 1024);
    let broken = key("", rsa()).replace("<ds:X509Certificate>", "<ds:X509Certificate>AAAA");
    let metadata =
        read(&entity(IDP, &format!("{}{broken}{}{}{}", key("", &weak), key("", rsa()), key("", rsa()), sign_on()))).unwrap();
    assert_eq!(metadata.signing, [rsa().trusted()]);
    let rules: Vec<Rule> = metadata.unusable.iter().map(|refusal| refusal.rule).collect();
    assert_eq!(rules, [Rule::WeakCertificate, Rule::MalformedCertificate]);
}

#[test]
fn metadata_with_many_certificates_is_refused() {
    let keys: Vec<Key> = (0..17).map(|_| ec_key(Nid::X9_62_PRIME256V1)).collect();
    let listed =
        |many: usize| entity(IDP, &format!("{}{}", keys[..many].iter().map(|one| key("", one)).collect::<String>(), sign_on()));
    assert_eq!(read(&listed(16)).unwrap().signing.len(), 16);
    refused(&listed(17), Rule::TooManyCertificates);
    // One that stands twice is one; those that can't be used are told of up to a point.
    let twice = listed(16).replacen("<KeyDescriptor", &format!("{}<KeyDescriptor", key("", &keys[3])), 1);
    assert_eq!(read(&twice).unwrap().signing.len(), 16);
    let weak = key("", &rsa_key("short", 1024));
    let metadata = read(&entity(IDP, &format!("{}{}{}", weak.repeat(200), key("", rsa()), sign_on()))).unwrap();
    assert_eq!((metadata.signing.len(), metadata.unusable.len()), (1, 16));
}

#[test]
fn whoever_issued_a_certificate_does_not_sign_for_it() {
    let also = |key: &Key| format!("<ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data>", STANDARD.encode(key.der()));
    let chain = key("", rsa()).replace("</ds:X509Data>", &also(stranger()));
    let signing = |keys: &str| read(&entity(IDP, &format!("{keys}{}", sign_on()))).unwrap().signing;
    assert_eq!(signing(&chain), [rsa().trusted()]);
    // Two keys in one KeyInfo are two keys.
    let second = format!("</ds:X509Data><ds:X509Data>{}", also(ec()));
    assert_eq!(signing(&key("", rsa()).replace("</ds:X509Data>", &second)), [rsa().trusted(), ec().trusted()]);
    for purpose in ["encryption", "Signing", "", "signing encryption"] {
        let other = key(&format!(" use=\"{purpose}\""), stranger());
        assert_eq!(signing(&format!("{other}{}", key(" use=\"signing\"", rsa()))), [rsa().trusted()], "{purpose}");
    }
}

#[test]
fn scopes_are_read_from_both_places() {
    let scope = |value: &str, more: &str| {
        format!("<Extensions><s:Scope xmlns:s=\"urn:mace:shibboleth:metadata:1.0\"{more}>{value}</s:Scope></Extensions>")
    };
    let text = whole().replacen("<IDPSSODescriptor", &format!("{}<IDPSSODescriptor", scope("example.com", "")), 1).replacen(
        "<KeyDescriptor",
        &format!("{}<KeyDescriptor", scope(r"^.+\.example\.org$", " regexp=\"true\"")),
        1,
    );
    let expected = [("example.com", false), (r"^.+\.example\.org$", true)]
        .map(|(value, is_pattern)| Scope { value: value.into(), is_pattern });
    assert_eq!(read(&text).unwrap().scopes, expected);
}

#[test]
fn metadata_goes_by_the_same_scanner_and_its_own_size() {
    refused(&format!("<!DOCTYPE a>{}", whole()), Rule::Doctype);
    refused(&whole().replace("urn:f", "&xxe;"), Rule::EntityReference);
    refused(&format!("{}{}", whole(), " ".repeat(2 * 1024 * 1024)), Rule::MessageTooLarge);
    let many: String = (0..5_000).map(|number| entity(&format!("https://e{number}.example.com"), "")).collect();
    let federation = format!("<EntitiesDescriptor xmlns=\"{MD}\">{many}{}</EntitiesDescriptor>", whole());
    assert_eq!(IdpMetadata::read(&federation, Some(IDP), now()).unwrap().entity_id, IDP);
}
