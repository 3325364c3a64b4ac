//! The request that begins a login. Its id is the caller's, with at least 128 random bits behind a `_`: some identity
//! providers refuse one that begins with a digit.

use jiff::Timestamp;

use crate::document::{ASSERTION, PROTOCOL};
use crate::sign::{CannotSign, SigningKey};
use crate::time::written;
use crate::write::{attributes, text};

#[derive(Debug, Clone)]
pub struct AuthnRequest<'a> {
    pub id: &'a str,
    pub issue_instant: Timestamp,
    /// Where it is sent.
    pub destination: &'a str,
    pub acs_url: &'a str,
    /// Our entity id.
    pub issuer: &'a str,
    pub force_authn: bool,
    /// The format asked for; `None`: the identity provider's own.
    pub name_id_format: Option<&'a str>,
    pub authn_contexts: &'a [String],
}

impl AuthnRequest<'_> {
    /// For a redirect, whose signature is in the query.
    pub fn xml(&self) -> String {
        let root = attributes(&[
            ("AssertionConsumerServiceURL", Some(self.acs_url)),
            ("Destination", Some(self.destination)),
            ("ForceAuthn", self.force_authn.then_some("true")),
            ("ID", Some(self.id)),
            ("IssueInstant", Some(&written(self.issue_instant))),
            ("ProtocolBinding", Some("urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST")),
            ("Version", Some("2.0")),
        ]);
        let policy = attributes(&[("AllowCreate", Some("true")), ("Format", self.name_id_format)]);
        let classes = self.authn_contexts.iter().map(|class| {
            format!("<saml:AuthnContextClassRef xmlns:saml=\"{ASSERTION}\">{}</saml:AuthnContextClassRef>", text(class))
        });
        let classes: String = classes.collect();
        let contexts = if classes.is_empty() {
            classes
        } else {
            format!("<samlp:RequestedAuthnContext Comparison=\"exact\">{classes}</samlp:RequestedAuthnContext>")
        };
        format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\"{root}><saml:Issuer xmlns:saml=\"{ASSERTION}\">{}</saml:Issuer>\
             <samlp:NameIDPolicy{policy}></samlp:NameIDPolicy>{contexts}</samlp:AuthnRequest>",
            text(self.issuer)
        )
    }

    /// For a form: the signature is in the message.
    pub fn signed_xml(&self, key: &SigningKey) -> Result<String, CannotSign> {
        key.envelop(&self.xml(), self.id)
    }
}
