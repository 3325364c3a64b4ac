//! What each product sends (`fixtures/saml`), signed and encrypted as it does that, goes the whole way that needs no gateway:
//! verified, judged, made a record, mapped by the mapping that comes with the program. Then every value it sends is changed and
//! every attribute left out, and that has to be noticed.

use crate::support::binary::Sandbox;
use crate::support::minted::{Whom, mint, seal, verifier};
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rosterd::mapping::{Gate, Input, Language, Mapping, Published, compile};
use rosterd::mapping_files;
use rosterd::model::saml::SamlOptions;
use rosterd::saml::known::{Known, Scopes};
use rosterd::saml::record::{dropped, record};
use rosterd::saml::subject::Subject;
use rosterd_saml::decrypt::Decryption;
use rosterd_saml::metadata::Scope;
use rosterd_saml::protocol::{Awaited, Expectation, VerifiedAssertion, judge};
use rosterd_saml::response::authenticate;
use rosterd_saml::signed::Trust;
use rosterd_saml::verify::Certificates;
use samael::crypto::{Crypto, CryptoProvider};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `expected.json`, described in `fixtures/saml/README.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[expect(dead_code, reason = "for the reader of the file")]
    shows: String,
    idp_entity_id: String,
    mapping: String,
    user_id_attribute: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    encrypted: Option<String>,
    #[serde(default)]
    key_beside_data: bool,
    external_id: String,
    mapped: Map<String, Value>,
    /// Attributes and single values that nothing looks at.
    unread: BTreeSet<String>,
}

struct Product {
    name: &'static str,
    template: String,
    expected: Expected,
    mapping: Arc<dyn Mapping>,
}

/// What came of a login: who it is, and what the mapping gave.
#[derive(Debug, PartialEq)]
struct Outcome {
    external_id: String,
    mapped: Value,
}

/// A product as its guide has it: what its metadata says, what it answers, and what comes of that.
pub struct Guided {
    product: Product,
    pub mapping: String,
    pub user_id_attribute: Option<String>,
    pub entity_id: String,
    /// With the certificate of the suite's key in it.
    pub metadata: String,
    pub expected: Value,
}

impl Guided {
    pub fn of(name: &'static str) -> Self {
        verifier::in_use();
        let product = Product::read(name);
        let metadata = std::fs::read_to_string(folder().join(name).join("metadata.xml")).unwrap();
        let [signing, sealing] = [mint::rsa(), mint::ours()].map(|key| base64::Engine::encode(&STANDARD, key.der()));
        let metadata = metadata.replace("{{certificate}}", &signing).replace("{{encryption_certificate}}", &sealing);
        let expected = &product.expected;
        Self {
            mapping: expected.mapping.clone(),
            user_id_attribute: expected.user_id_attribute.clone(),
            entity_id: expected.idp_entity_id.clone(),
            metadata: metadata.replace("{{later}}", "2099-01-01T00:00:00.000Z"),
            expected: Value::Object(expected.mapped.clone()),
            product,
        }
    }

    /// Its answer to a request, signed and not encrypted.
    pub fn answer(&self, us: &Whom, now: Timestamp) -> String {
        let template = &self.product.template;
        self.product.signed_and(template, filled_for(template, us, now), None)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/saml")
}

impl Product {
    fn read(name: &'static str) -> Self {
        let read = |file: &str| std::fs::read_to_string(folder().join(name).join(file)).unwrap();
        let expected: Expected = serde_json::from_str(&read("expected.json")).unwrap();
        let published = mapping_files::find(Path::new("/nowhere/at/all"), &expected.mapping).unwrap().expect("a shipped mapping");
        Self { name, template: read("response.xml"), mapping: compile(&published).unwrap(), expected }
    }

    fn scopes(&self) -> Vec<Scope> {
        self.expected.scopes.iter().map(|value| Scope { value: value.clone(), is_pattern: false }).collect()
    }

    /// As the product signs and seals it.
    fn sent(&self, template: &str) -> String {
        self.signed_and(template, filled(template), self.expected.encrypted.as_deref())
    }

    fn signed_and(&self, template: &str, mut text: String, cipher: Option<&str>) -> String {
        let inside = template.find("Assertion ").unwrap();
        let mut outer = String::new();
        if text.find("Signature xmlns").is_some_and(|at| at < inside) {
            let around = signature(&text);
            outer = text[around.clone()].to_owned();
            text.replace_range(around, "@@");
        }
        if text.contains("Signature xmlns") {
            text = signed(&text);
        }
        if let Some(cipher) = cipher {
            text = sealed(&text, cipher, self.expected.key_beside_data);
        }
        if outer.is_empty() { text } else { signed(&text.replace("@@", &outer)) }
    }

    fn verified(&self, template: &str) -> VerifiedAssertion {
        let certificates = Certificates::new(vec![mint::rsa().trusted()]).unwrap();
        let allow_cbc = self.expected.encrypted.as_ref().is_some_and(|cipher| cipher.ends_with("cbc"));
        let decryption = Decryption { keys: vec![mint::ours().decryption()], allow_cbc };
        let trust = Trust { verifier: verifier::in_use(), certificates: &certificates, decryption: &decryption };
        let field = mint::field(&self.sent(template));
        let authentic = authenticate(&field, trust).unwrap_or_else(|refusal| panic!("{}: {refusal}", self.name));
        let pending = mint::pending();
        let expectation = Expectation {
            acs_url: mint::ACS,
            sp_entity_id: mint::SP,
            idp_entity_id: &self.expected.idp_entity_id,
            awaited: Awaited::Answer(&pending),
            now: mint::now(),
            skew: SignedDuration::from_secs(60),
        };
        judge(authentic, &expectation).unwrap_or_else(|refusal| panic!("{}: {refusal}", self.name))
    }

    fn outcome(&self, template: &str) -> Result<Outcome, String> {
        let scopes = self.scopes();
        let known = Known { sp_entity_id: mint::SP, scopes: &Scopes::of(&scopes) };
        let record = record(&self.verified(template), &self.options(), &known).map_err(|refused| refused.to_string())?;
        let mapped = given(&*self.mapping, record.payload())?;
        Ok(Outcome { external_id: record.external_id().to_owned(), mapped })
    }

    fn options(&self) -> SamlOptions {
        SamlOptions { user_id_attribute: self.expected.user_id_attribute.clone(), ..SamlOptions::default() }
    }

    fn expected(&self) -> Outcome {
        Outcome { external_id: self.expected.external_id.clone(), mapped: Value::Object(self.expected.mapped.clone()) }
    }
}

/// What a mapping gives, without what it gave nothing for; or why it lets nobody in.
fn given(mapping: &dyn Mapping, payload: &Map<String, Value>) -> Result<Value, String> {
    let mapped = mapping.map(&Input { payload, stored: None, now: mint::now().as_microsecond(), seed: [0; 32] });
    match &mapped.gate {
        Some(Gate::Deny { reason } | Gate::Skip { reason }) => return Err(reason.clone()),
        None => {}
    }
    let mut given: Map<String, Value> = serde_json::from_str(&mapped.to_text(None)).unwrap();
    given.retain(|_, value| *value != json!([]));
    Ok(Value::Object(given))
}

/// The template with a moment, us and our request in its places.
fn filled(template: &str) -> String {
    let us = Whom { acs: mint::ACS.to_owned(), entity_id: mint::SP.to_owned(), request: Some(mint::REQUEST.to_owned()) };
    filled_for(template, &us, mint::now())
}

fn filled_for(template: &str, us: &Whom, now: Timestamp) -> String {
    let at = |seconds: i64| {
        let instant: Timestamp = now + SignedDuration::from_secs(seconds);
        format!("{instant:.3}")
    };
    let certificate = base64::Engine::encode(&STANDARD, mint::rsa().der());
    [
        ("{{acs}}", us.acs.clone()),
        ("{{sp}}", us.entity_id.clone()),
        ("{{request}}", us.request.clone().unwrap_or_default()),
        ("{{from}}", at(-60)),
        ("{{signed_in}}", at(-5)),
        ("{{now}}", at(0)),
        ("{{until}}", at(300)),
        ("{{tomorrow}}", at(36_000)),
        ("{{certificate}}", certificate),
    ]
    .iter()
    .fold(template.to_owned(), |text, (place, value)| text.replace(place, value))
}

/// Where the first signature stands.
fn signature(text: &str) -> Range<usize> {
    let start = text[..text.find("Signature xmlns").unwrap()].rfind('<').unwrap();
    let end = start + text[start..].find("Signature>\n").unwrap() + "Signature>".len();
    start..end
}

/// Its first signature made.
fn signed(text: &str) -> String {
    let key = mint::rsa().private.rsa().unwrap().private_key_to_der().unwrap();
    Crypto::sign_xml(text, &key).unwrap()
}

/// Its assertion sealed, under the prefix that it had.
fn sealed(text: &str, cipher: &str, sibling: bool) -> String {
    let start = text[..text.find("Assertion ").unwrap()].rfind('<').unwrap();
    let end = text.rfind("Assertion>").unwrap() + "Assertion>".len();
    let cipher: &'static str = String::from(cipher).leak();
    let sealed = seal::seal(&text[start..end], &seal::Sealing { cipher, sibling, ..seal::Sealing::default() });
    let prefix = if text[start..].starts_with("<saml2:") { "saml2" } else { "saml" };
    let sealed = sealed.replace("saml:", &format!("{prefix}:")).replace("xmlns:saml=", &format!("xmlns:{prefix}="));
    format!("{}{sealed}{}", &text[..start], &text[end..])
}

/// A piece of a template, and the name of the attribute it is of.
struct Piece {
    place: Range<usize>,
    name: String,
}

/// Everything that is said of the person: the NameID and each value, and each attribute as a whole.
fn pieces(template: &str) -> (Vec<Piece>, Vec<Piece>) {
    let (mut values, mut attributes) = (Vec::new(), Vec::new());
    let mut attribute: Option<(usize, String)> = None;
    for (start, _) in template.match_indices('<') {
        let end = start + template[start..].find('>').unwrap();
        let tag = &template[start + 1..end];
        let element = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap().rsplit(':').next().unwrap();
        match (element, tag.starts_with('/')) {
            ("Attribute", false) => {
                let (_, name) = tag.split_once(" Name=\"").unwrap();
                attribute = Some((start, name.split('"').next().unwrap().to_owned()));
            }
            ("AttributeValue" | "NameID", false) => {
                let text = end + 1..end + 1 + template[end + 1..].find('<').unwrap();
                let name = attribute.as_ref().map_or("NameID", |(_, name)| name).to_owned();
                if !text.is_empty() {
                    values.push(Piece { place: text, name });
                }
            }
            _ => {}
        }
        if element == "Attribute" && (tag.starts_with('/') || tag.ends_with('/')) {
            let (start, name) = attribute.take().unwrap();
            attributes.push(Piece { place: start..end + 1, name });
        }
    }
    (values, attributes)
}

fn with(template: &str, place: &Range<usize>, text: &str) -> String {
    format!("{}{text}{}", &template[..place.start], &template[place.end..])
}

impl Product {
    #[track_caller]
    fn is_taken(&self) {
        assert_eq!(self.outcome(&self.template), Ok(self.expected()), "{}", self.name);
    }

    /// Each value changed in front or behind, each attribute left out: another outcome, unless nothing reads it, and then
    /// none.
    fn is_noticed(&self) {
        let expected = Ok(self.expected());
        let is_other = |template: &str| self.outcome(template) != expected;
        let (values, attributes) = pieces(&self.template);
        let mut noticed = BTreeSet::new();
        for Piece { place, name } in &values {
            let value = &self.template[place.clone()];
            let changed = [format!("x{value}"), format!("{value}x")].map(|text| with(&self.template, place, &text));
            let is_noticed = changed.iter().any(|template| is_other(template));
            let is_read = ![name, value].iter().any(|one| self.expected.unread.contains(*one));
            assert_eq!(is_noticed, is_read, "{}: {name} changed from {value}", self.name);
            noticed.extend(is_noticed.then_some(name));
        }
        let dropped = |place| is_other(&with(&self.template, place, ""));
        for Piece { place, name } in &attributes {
            // One of several of that name may be of a value that nobody takes.
            let is_alone = attributes.iter().filter(|other| other.name == *name).count() == 1;
            let is_read = !self.expected.unread.contains(name);
            assert!(!is_alone || dropped(place) == is_read, "{}: {name} left out", self.name);
        }
        assert!(noticed.len() > 3, "{}: {noticed:?}", self.name);
    }

    /// What `rosterd mapping try` makes of the same message is what a login hands to the mapping, name for name.
    fn is_tried_as_it_comes(&self) {
        let sandbox = Sandbox::new();
        sandbox.write("all.mapping", "mapping all from saml to profile\napp_metadata.all = $all\n");
        sandbox.write("response.xml", &filled(&self.template));
        let tried = sandbox.run("mapping try all.mapping --input response.xml --json").json();
        let known = Known { sp_entity_id: mint::SP, scopes: &Scopes::default() };
        let record = record(&self.verified(&self.template), &self.options(), &known).unwrap();
        assert_eq!(tried[0]["rules"][0]["gave"]["value"], Value::Object(record.payload().clone()), "{}", self.name);
    }
}

macro_rules! products {
    ($($name:ident)*) => {
        const ALL: &[&str] = &[$(stringify!($name)),*];

        $(mod $name {
            use super::Product;

            #[test]
            fn what_it_sends_is_taken() {
                Product::read(stringify!($name)).is_taken();
            }

            #[test]
            fn what_it_says_otherwise_is_noticed() {
                Product::read(stringify!($name)).is_noticed();
            }

            #[test]
            fn what_it_sends_is_tried_as_it_comes() {
                Product::read(stringify!($name)).is_tried_as_it_comes();
            }
        })*
    };
}

products! { adfs entra google keycloak okta onelogin shibboleth simplesamlphp }

#[test]
fn every_product_of_the_folder_is_among_them() {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<String> = entries.filter(|path| path.is_dir()).map(|path| name_of(&path)).collect();
    folders.sort();
    assert_eq!(folders, ALL);
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// A shipped mapping with a line of its own, as a customer edits it.
fn edited(name: &str, from: &str, to: &str) -> Arc<dyn Mapping> {
    let shipped = mapping_files::find(Path::new("/nowhere/at/all"), name).unwrap().unwrap();
    assert!(shipped.text.contains(from), "{name} has the line {from}");
    compile(&Published { language: Language::Mapping, text: shipped.text.replace(from, to), ..shipped }).unwrap()
}

#[test]
fn people_of_a_tenant_that_is_not_listed_are_let_in_only_while_none_is() {
    let product = Product::read("entra");
    let with = |tenants: &str| Product {
        mapping: edited("entra-saml", "const tenants = []", &format!("const tenants = [{tenants}]")),
        ..Product::read("entra")
    };
    let tenant = "5b1c7c1e-3f0a-4d5e-9a53-0d2b6f6a1c11";
    assert!(product.outcome(&product.template).is_ok());
    assert!(with(&format!("\"{tenant}\", \"another\"")).outcome(&product.template).is_ok());
    assert_eq!(with("\"another\"").outcome(&product.template), Err(format!("foreign tenant {tenant}")));
    let (_, attributes) = pieces(&product.template);
    let says_it = attributes.iter().find(|piece| piece.name.ends_with("/tenantid")).unwrap();
    let silent = crate::saml_products::with(&product.template, &says_it.place, "");
    assert_eq!(with("\"another\"").outcome(&silent), Err(String::from("foreign tenant ")));
}

#[test]
fn people_of_a_scope_that_is_not_listed_are_let_in_only_while_none_is() {
    let shipped = Product::read("shibboleth");
    let with = |from: &str, to: &str| Product { mapping: edited("shibboleth", from, to), ..Product::read("shibboleth") };
    let scopes = |scopes: &str| with("const scopes = []", &format!("const scopes = [{scopes}]")).outcome(&shipped.template);
    assert_eq!(scopes("\"uni.example\""), Ok(shipped.expected()));
    assert_eq!(scopes("\"a.example\", \"b.example\""), Err(String::from("no affiliation with a.example or b.example")));
    let narrowed = with("const ours = \"\"", "const ours = \"urn:mace:uni.example:\"");
    let narrowed = narrowed.outcome(&shipped.template).unwrap().mapped;
    assert_eq!(narrowed.get("app_metadata.entitlements"), None);
    assert_eq!(narrowed["groups"], json!(["urn:mace:uni.example:group:lab"]));
}

#[test]
fn values_of_another_scope_are_dropped_and_can_be_told() {
    let product = Product::read("shibboleth");
    let (verified, scopes) = (product.verified(&product.template), product.scopes());
    let known = Known { sp_entity_id: mint::SP, scopes: &Scopes::of(&scopes) };
    assert_eq!(dropped(&verified, &known), [("urn:oid:1.3.6.1.4.1.5923.1.1.1.9", "student@other.example")]);
    let foreign = product.template.replace("AL1@uni.example", "AL1@other.example");
    let refused = record(&product.verified(&foreign), &product.options(), &known).map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), "saml_foreign_scope");
}

#[test]
fn a_transient_name_is_refused_where_no_attribute_is_named() {
    for name in ["shibboleth", "simplesamlphp"] {
        let product = Product::read(name);
        let known = Known { sp_entity_id: mint::SP, scopes: &Scopes::default() };
        let refused = record(&product.verified(&product.template), &SamlOptions::default(), &known).map(|_| ()).unwrap_err();
        assert_eq!(refused.code(), "saml_transient_name_id", "{name}");
    }
}

#[test]
fn a_session_is_named_again_as_the_product_named_it() {
    let product = Product::read("shibboleth");
    let subject = Subject::of(&product.verified(&product.template)).unwrap();
    assert_eq!(subject.name_id, "AAdzZWNyZXQx7Ju0kS8mC2hN4w");
    assert_eq!(subject.name_qualifier.as_deref(), Some("https://idp.uni.example/idp/shibboleth"));
    assert_eq!(subject.sp_name_qualifier.as_deref(), Some(mint::SP));
    assert_eq!(subject.session_index.as_deref(), Some("_5d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a"));
}
