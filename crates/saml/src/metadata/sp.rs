//! What we say of ourselves to one identity provider.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{POST, REDIRECT};
use crate::document::{DSIG, METADATA, PROTOCOL};
use crate::verify::Certificate;
use crate::write::{attributes, text};

#[derive(Debug, Clone)]
pub struct SpMetadata<'a> {
    pub entity_id: &'a str,
    pub acs_url: &'a str,
    /// `None`: no single logout.
    pub slo_url: Option<&'a str>,
    pub signs_requests: bool,
    /// The current key, then the next: both are published before the second signs.
    pub signing: &'a [Certificate],
    /// The newest only: nobody should encrypt to a key that is on its way out.
    pub encryption: Option<&'a Certificate>,
    pub allow_cbc: bool,
    pub name_id_formats: &'a [&'a str],
}

impl SpMetadata<'_> {
    pub fn xml(&self) -> String {
        let entity = attributes(&[("entityID", Some(self.entity_id))]);
        let descriptor = attributes(&[
            ("AuthnRequestsSigned", Some(if self.signs_requests { "true" } else { "false" })),
            ("WantAssertionsSigned", Some("true")),
            ("protocolSupportEnumeration", Some(PROTOCOL)),
        ]);
        let signing: String = self.signing.iter().map(|certificate| key("signing", certificate, "")).collect();
        let methods = self.encryption_methods();
        let encryption = self.encryption.map_or(String::new(), |certificate| key("encryption", certificate, &methods));
        let logout: String = self.slo_url.iter().flat_map(|url| [(REDIRECT, *url), (POST, *url)]).map(service).collect();
        let formats = self.name_id_formats.iter();
        let formats: String = formats.map(|format| format!("<md:NameIDFormat>{}</md:NameIDFormat>", text(format))).collect();
        let acs = attributes(&[
            ("Binding", Some(POST)),
            ("Location", Some(self.acs_url)),
            ("index", Some("0")),
            ("isDefault", Some("true")),
        ]);
        format!(
            "<md:EntityDescriptor xmlns:md=\"{METADATA}\"{entity}><md:SPSSODescriptor{descriptor}>{signing}{encryption}{logout}\
             {formats}<md:AssertionConsumerService{acs}></md:AssertionConsumerService></md:SPSSODescriptor></md:EntityDescriptor>"
        )
    }

    /// What is accepted, and nothing more.
    fn encryption_methods(&self) -> String {
        let gcm = ["256", "192", "128"].map(|bits| format!("http://www.w3.org/2009/xmlenc11#aes{bits}-gcm"));
        let cbc = ["256", "192", "128"].map(|bits| format!("http://www.w3.org/2001/04/xmlenc#aes{bits}-cbc"));
        let transport = ["http://www.w3.org/2009/xmlenc11#rsa-oaep", "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"];
        let data = gcm.into_iter().chain(cbc.into_iter().filter(|_| self.allow_cbc));
        let all = data.chain(transport.map(str::to_owned));
        all.map(|algorithm| format!("<md:EncryptionMethod Algorithm=\"{algorithm}\"></md:EncryptionMethod>")).collect()
    }
}

fn key(purpose: &str, certificate: &Certificate, methods: &str) -> String {
    format!(
        "<md:KeyDescriptor use=\"{purpose}\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>",
        STANDARD.encode(certificate.der())
    )
}

fn service((binding, url): (&str, &str)) -> String {
    let given = attributes(&[("Binding", Some(binding)), ("Location", Some(url))]);
    format!("<md:SingleLogoutService{given}></md:SingleLogoutService>")
}
