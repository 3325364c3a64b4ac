use super::*;
use crate::saml::known::Scopes;
use rosterd_saml::metadata::Scope;
use serde_json::json;

const ISSUER: &str = "https://idp.example/metadata";
const US: &str = "https://id.example.com/saml/acme/metadata";
const EPPN: &str = "urn:oid:1.3.6.1.4.1.5923.1.1.1.6";
const TARGETED_ID: &str = "urn:oid:1.3.6.1.4.1.5923.1.1.1.10";

fn name(value: &str, format: Option<&str>) -> NameId {
    NameId { value: value.to_owned(), format: format.map(str::to_owned), name_qualifier: None, sp_name_qualifier: None }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::Text(value.to_owned())
}

fn attribute(name: &str, values: &[AttributeValue]) -> Attribute {
    Attribute { name: name.to_owned(), name_format: None, friendly_name: None, values: values.to_vec() }
}

fn scopes(values: &[&str]) -> Vec<Scope> {
    values.iter().map(|value| Scope { value: (*value).to_owned(), is_pattern: false }).collect()
}

/// An assertion with a persistent NameID and these attributes.
struct Given {
    name_id: Option<NameId>,
    attributes: Vec<Attribute>,
    scopes: Vec<Scope>,
}

fn given(attributes: Vec<Attribute>) -> Given {
    Given { name_id: Some(name("p1", Some(PERSISTENT))), attributes, scopes: Vec::new() }
}

impl Given {
    fn record(&self, user_id_attribute: Option<&str>) -> Result<LoginRecord, NotARecord> {
        let said = Said { issuer: ISSUER, name_id: self.name_id.as_ref(), attributes: &self.attributes };
        said.record(user_id_attribute, UserIdFormat::AsSent, &Known { sp_entity_id: US, scopes: &Scopes::of(&self.scopes) })
    }

    fn guid(&self, user_id_attribute: Option<&str>) -> Result<String, &'static str> {
        let said = Said { issuer: ISSUER, name_id: self.name_id.as_ref(), attributes: &self.attributes };
        let known = Known { sp_entity_id: US, scopes: &Scopes::of(&self.scopes) };
        let record = said.record(user_id_attribute, UserIdFormat::Guid, &known);
        record.map(|record| record.external_id().to_owned()).map_err(|refused| refused.code())
    }

    fn id(&self, user_id_attribute: Option<&str>) -> Result<String, &'static str> {
        self.record(user_id_attribute).map(|record| record.external_id().to_owned()).map_err(|refused| refused.code())
    }

    fn payload(&self) -> Value {
        Value::Object(self.record(None).expect("a record").payload().clone())
    }
}

#[test]
fn a_name_id_that_stays_is_who_it_is() {
    for format in [
        None,
        Some(PERSISTENT),
        Some("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
        Some("urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"),
    ] {
        let assertion = Given { name_id: Some(name("Ann@corp.example", format)), ..given(vec![]) };
        assert_eq!(assertion.id(None), Ok("Ann@corp.example".into()), "{format:?}");
    }
}

#[test]
fn a_transient_one_is_refused_and_says_what_to_set() {
    for format in [TRANSIENT, "URN:oasis:names:tc:SAML:2.0:nameid-format:transient"] {
        let assertion = Given { name_id: Some(name("_r4nd0m", Some(format))), ..given(vec![attribute("uid", &[text("ann")])]) };
        let refused = assertion.record(None).expect_err("refused");
        assert_eq!(refused.code(), "saml_transient_name_id");
        assert!(refused.reason.says().contains("set user_id_attribute"));
        assert_eq!(assertion.id(Some("uid")), Ok("ann".into()));
    }
}

#[test]
fn nobody_is_known_by_nothing() {
    let assertion = Given { name_id: None, ..given(vec![attribute("uid", &[text("ann")])]) };
    assert_eq!(assertion.id(None), Err("saml_no_name_id"));
    assert_eq!(assertion.id(Some("uid")), Ok("ann".into()));
}

#[test]
fn an_attribute_of_another_case_or_a_friendly_name_is_no_key() {
    let friendly =
        Attribute { friendly_name: Some("eduPersonPrincipalName".into()), ..attribute(EPPN, &[text("ann@uni.example")]) };
    let assertion = given(vec![friendly, attribute("UID", &[text("ann")])]);
    for wrong in ["eduPersonPrincipalName", "uid", "Urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "urn:oid:1.3.6.1.4.1.5923.1.1.1.6 "] {
        assert_eq!(assertion.id(Some(wrong)), Err("saml_user_id_attribute_missing"), "{wrong}");
    }
    assert_eq!(assertion.id(Some(EPPN)), Ok("ann@uni.example".into()));
    let refused = assertion.record(Some("uid")).expect_err("refused");
    assert_eq!(refused.expected.as_deref(), Some("uid"));
    assert_eq!(refused.received.as_deref(), Some("urn:oid:1.3.6.1.4.1.5923.1.1.1.6 (eduPersonPrincipalName), UID"));
}

#[test]
fn a_guid_is_one_text_however_it_is_sent() {
    let text_of = "00953193-8e1c-4862-b8cf-b09d476c9e70";
    let attribute_of = |value: &str| given(vec![attribute("objectGUID", &[text(value)])]);
    for sent in [
        "kzGVAByOYki4z7CdR2yecA==",
        "00953193-8e1c-4862-b8cf-b09d476c9e70",
        "00953193-8E1C-4862-B8CF-B09D476C9E70",
        "{00953193-8e1c-4862-b8cf-b09d476c9e70}",
        "009531938e1c4862b8cfb09d476c9e70",
        " kzGVAByOYki4z7CdR2yecA==\n",
    ] {
        assert_eq!(attribute_of(sent).guid(Some("objectGUID")), Ok(text_of.into()), "{sent}");
        assert_eq!(attribute_of(sent).id(Some("objectGUID")), Ok(sent.trim().into()), "as it was sent, unless that is said");
    }
    let by_name = Given { name_id: Some(name("kzGVAByOYki4z7CdR2yecA==", Some(PERSISTENT))), ..given(vec![]) };
    assert_eq!(by_name.guid(None), Ok(text_of.into()));
    for none in [
        "ann",
        "kzGVAByOYki4z7CdR2yecA",
        "kzGVAByOYki4z7CdR2yeAA",
        "kzGVABy-Yki4z7CdR2yecA==",
        "kzGVABy OYki4z7CdR2yecA==",
        "kzGVAByOYki4z7CdR2ye",
        "AAAAAAAAAAAAAAAAAAAAAA==",
        "00000000-0000-0000-0000-000000000000",
        "00953193-8e1c-4862-b8cf-b09d476c9e7",
    ] {
        assert_eq!(attribute_of(none).guid(Some("objectGUID")), Err("saml_user_id_not_a_guid"), "{none}");
    }
}

#[test]
fn a_missing_attribute_is_never_made_up_for_by_the_name_id() {
    assert_eq!(given(vec![]).id(Some("uid")), Err("saml_user_id_attribute_missing"));
}

#[test]
fn the_attribute_has_one_value_that_says_something() {
    let of = |values: &[AttributeValue]| given(vec![attribute("uid", values)]).id(Some("uid"));
    let structured = AttributeValue::Structured(vec![(String::from("x"), text("ann"))]);
    assert_eq!(of(&[text(" ann\n")]), Ok("ann".into()));
    assert_eq!(of(&[text(""), AttributeValue::Nil, text("ann")]), Ok("ann".into()));
    for nothing in [vec![], vec![text("")], vec![AttributeValue::Nil], vec![structured]] {
        assert_eq!(of(&nothing), Err("saml_user_id_attribute_empty"), "{nothing:?}");
    }
    assert_eq!(of(&[text("ann"), text("bob")]), Err("saml_user_id_attribute_several"));
    assert_eq!(of(&[text("ann"), text("ann")]), Err("saml_user_id_attribute_several"));
    assert_eq!(of(&[text("an\u{200b}n")]), Err("saml_identifier_characters"));
    assert_eq!(of(&[text(&"a".repeat(EXTERNAL_ID_BYTES_MAX + 1))]), Err("saml_user_id_too_long"));
    // In pieces too.
    let pieces = given(vec![attribute("uid", &[text("ann")]), attribute("uid", &[text("bob")])]);
    assert_eq!(pieces.id(Some("uid")), Err("saml_user_id_attribute_several"));
}

#[test]
fn a_name_inside_an_attribute_is_a_name() {
    let of = |name_id: NameId| given(vec![attribute(TARGETED_ID, &[AttributeValue::NameId(name_id)])]).id(Some(TARGETED_ID));
    let targeted = |by: &str, to: &str| NameId {
        name_qualifier: Some(by.to_owned()),
        sp_name_qualifier: Some(to.to_owned()),
        ..name("t1", Some(PERSISTENT))
    };
    assert_eq!(of(targeted(ISSUER, US)), Ok("t1".into()));
    assert_eq!(of(targeted("https://other.example", US)), Err("saml_name_qualifier"));
    assert_eq!(of(targeted(ISSUER, "https://other.example")), Err("saml_sp_name_qualifier"));
    assert_eq!(of(name("t1", Some(TRANSIENT))), Err("saml_transient_name_id"));
}

#[test]
fn a_persistent_name_that_others_gave_or_were_given_is_refused() {
    let of = |format: &str, name_qualifier: Option<&str>, sp_name_qualifier: Option<&str>| {
        let [name_qualifier, sp_name_qualifier] = [name_qualifier, sp_name_qualifier].map(|text| text.map(str::to_owned));
        let name_id = NameId { name_qualifier, sp_name_qualifier, ..name("p1", Some(format)) };
        Given { name_id: Some(name_id), ..given(vec![]) }.id(None)
    };
    let other = Some("https://other.example");
    assert_eq!(of(PERSISTENT, None, None), Ok("p1".into()));
    assert_eq!(of(PERSISTENT, Some(ISSUER), Some(US)), Ok("p1".into()));
    assert_eq!(of(PERSISTENT, Some(""), Some("")), Ok("p1".into()));
    assert_eq!(of(PERSISTENT, other, Some(US)), Err("saml_name_qualifier"));
    assert_eq!(of(PERSISTENT, Some(ISSUER), other), Err("saml_sp_name_qualifier"));
    // The standard gives them no meaning elsewhere.
    assert_eq!(of("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", other, other), Ok("p1".into()));
}

#[test]
fn a_value_of_a_foreign_scope_is_dropped_and_no_id() {
    let affiliations = ["staff@uni.example", "student@other.example", "member"].map(text);
    let mut assertion = given(vec![
        attribute("urn:oid:1.3.6.1.4.1.5923.1.1.1.9", &affiliations),
        attribute(EPPN, &[text("ann@other.example")]),
        attribute("mail", &[text("ann@other.example")]),
    ]);
    assert_eq!(assertion.id(Some(EPPN)), Ok("ann@other.example".into()), "nothing is known of scopes");
    assertion.scopes = scopes(&["uni.example", "med.uni.example"]);
    let said = assertion.payload();
    assert_eq!(said["urn:oid:1.3.6.1.4.1.5923.1.1.1.9"], "staff@uni.example");
    assert_eq!(said.get(EPPN), None);
    assert_eq!(said["mail"], "ann@other.example");
    let refused = assertion.record(Some(EPPN)).expect_err("refused");
    assert_eq!(refused.code(), "saml_foreign_scope");
    assert_eq!(refused.expected.as_deref(), Some("uni.example, med.uni.example"));
    assert_eq!(refused.received.as_deref(), Some("ann@other.example"));
}

#[test]
fn another_spelling_of_a_scoped_attribute_is_no_way_around() {
    // A mapping would find it: it compares names without case.
    let spelled = attribute("URN:OID:1.3.6.1.4.1.5923.1.1.1.6", &[text("ann@other.example")]);
    let assertion = Given { scopes: scopes(&["uni.example"]), ..given(vec![spelled]) };
    assert_eq!(assertion.payload(), json!({"issuer": ISSUER, "name_id": "p1", "name_id_format": PERSISTENT}));
}

#[test]
fn of_two_values_the_one_of_its_own_scope_is_the_id() {
    let both = attribute(EPPN, &[text("ann@other.example"), text("ann@uni.example")]);
    let assertion = Given { scopes: scopes(&["uni.example"]), ..given(vec![both]) };
    assert_eq!(assertion.id(Some(EPPN)), Ok("ann@uni.example".into()));
}

#[test]
fn everything_said_is_in_the_payload_in_one_order() {
    let odd = AttributeValue::Structured(vec![
        (String::from("a"), text("1")),
        (String::from("b"), AttributeValue::Structured(vec![(String::from("c"), text("2"))])),
        (String::from("a"), text("3")),
    ]);
    let assertion = given(vec![
        attribute("z", &[text("last")]),
        attribute("groups", &[text("wiki"), text("staff")]),
        attribute("none", &[]),
        attribute("nil", &[AttributeValue::Nil]),
        attribute("blank", &[text("")]),
        attribute("odd", &[odd]),
        attribute("groups", &[text("more")]),
        attribute(TARGETED_ID, &[AttributeValue::NameId(name("t1", Some(PERSISTENT)))]),
    ]);
    let record = assertion.record(None).expect("a record");
    let expected = json!({
        "issuer": ISSUER,
        "name_id": "p1",
        "name_id_format": PERSISTENT,
        "blank": "",
        "groups": ["wiki", "staff", "more"],
        "nil": null,
        "none": [],
        "odd": {"a": ["1", "3"], "b": {"c": "2"}},
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.10": {"NameID": "t1"},
        "z": "last",
    });
    assert_eq!(Value::Object(record.payload().clone()).to_string(), expected.to_string());
}

#[test]
fn no_attribute_passes_for_the_name_or_the_issuer() {
    let forged = ["name_id", "Name_ID", "$name_id", "name_id_format", "$ISSUER", "issuer"];
    let attributes = forged.iter().map(|name| attribute(name, &[text("forged")])).collect();
    let assertion = Given { name_id: None, ..given(attributes) };
    let record = assertion.record(Some("Name_ID")).expect("whoever sets it wants it");
    assert_eq!(Value::Object(record.payload().clone()), json!({"issuer": ISSUER}));
}
