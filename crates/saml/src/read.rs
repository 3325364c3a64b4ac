//! What an assertion says, read by namespace from signed text alone. Reads everything and judges nothing but whether it can be
//! read in one way only: that is [`crate::protocol`]'s.

use jiff::Timestamp;

use crate::document::{ASSERTION, Node, XSI};
use crate::limits::Limits;
use crate::rule::{Refusal, Rule, require, require_with};
use crate::scan::scan;
use crate::signed::{Envelope, Signed};
use crate::time::instant;

/// Whom an assertion is about, with what makes the value unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameId {
    pub value: String,
    pub format: Option<String>,
    pub name_qualifier: Option<String>,
    pub sp_name_qualifier: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// What it goes by; case counts.
    pub name: String,
    pub name_format: Option<String>,
    /// A hint for people, never a key.
    pub friendly_name: Option<String>,
    pub values: Vec<AttributeValue>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    Text(String),
    /// As in eduPersonTargetedID.
    NameId(NameId),
    /// `xsi:nil`: said to have no value.
    Nil,
    /// Other markup, which nothing here understands: its elements in their order, by local name.
    Structured(Vec<(String, AttributeValue)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthnStatement {
    pub instant: Timestamp,
    pub session_index: Option<String>,
    pub session_not_on_or_after: Option<Timestamp>,
    /// The class of the sign-in, as `urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport`.
    pub context: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirmation {
    pub method: Option<String>,
    pub recipient: Option<String>,
    pub not_before: Option<Timestamp>,
    pub not_on_or_after: Option<Timestamp>,
    pub in_response_to: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conditions {
    pub not_before: Option<Timestamp>,
    pub not_on_or_after: Option<Timestamp>,
    /// One list per restriction; all have to hold.
    pub audiences: Vec<Vec<String>>,
    /// The first that is none of the standard's.
    pub unknown: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub name_id: Option<NameId>,
    pub confirmations: Vec<Confirmation>,
}

#[derive(Debug, Clone)]
pub(crate) struct Assertion {
    pub id: String,
    pub issuer: String,
    pub issue_instant: Timestamp,
    pub subject: Option<Subject>,
    pub conditions: Option<Conditions>,
    pub authn_statements: Vec<AuthnStatement>,
    pub attributes: Vec<Attribute>,
}

/// An assertion of a trusted issuer that nobody has held against what was expected yet. Nothing of it can be had but the
/// request it says it answers.
#[derive(Debug, Clone)]
pub struct AuthenticAssertion {
    pub(crate) envelope: Envelope,
    pub(crate) assertion: Assertion,
}

impl AuthenticAssertion {
    /// The request it says it answers: a key to look up, nothing to rely on.
    pub fn in_response_to(&self) -> Option<&str> {
        let confirmations = self.assertion.subject.iter().flat_map(|subject| &subject.confirmations);
        self.envelope.in_response_to.as_deref().or_else(|| confirmations.filter_map(|one| one.in_response_to.as_deref()).next())
    }
}

/// What was signed, read.
pub fn read(signed: Signed) -> Result<AuthenticAssertion, Refusal> {
    let document = scan(signed.text(), Limits::MESSAGE)?;
    let (assertion, envelope) = signed.parts(&document)?;
    Ok(AuthenticAssertion { assertion: read_assertion(assertion)?, envelope })
}

fn read_assertion(node: Node<'_, '_>) -> Result<Assertion, Refusal> {
    let version = node.attribute("Version");
    require_with(Rule::AssertionVersion, version == Some("2.0"), |refusal| refusal.expected("2.0").received_any(version))?;
    let issuer = node.only(ASSERTION, "Issuer")?.map(|issuer| issuer.text()).transpose()?.unwrap_or_default();
    require(Rule::IssuerMissing, !issuer.is_empty())?;
    let mut attributes = Vec::new();
    for statement in node.named(ASSERTION, "AttributeStatement") {
        require(Rule::EncryptedIdentifier, !statement.children().any(|child| child.local() == "EncryptedAttribute"))?;
        for attribute in statement.named(ASSERTION, "Attribute") {
            attributes.push(read_attribute(attribute)?);
        }
    }
    Ok(Assertion {
        id: node.attribute("ID").unwrap_or_default().to_owned(),
        issuer: identifier(issuer)?,
        issue_instant: instant(node.attribute("IssueInstant").unwrap_or_default())?,
        subject: node.only(ASSERTION, "Subject")?.map(read_subject).transpose()?,
        conditions: node.only(ASSERTION, "Conditions")?.map(read_conditions).transpose()?,
        authn_statements: node.named(ASSERTION, "AuthnStatement").map(read_authn).collect::<Result<_, _>>()?,
        attributes,
    })
}

fn read_subject(node: Node<'_, '_>) -> Result<Subject, Refusal> {
    require(Rule::EncryptedIdentifier, !node.children().any(|child| child.local() == "EncryptedID"))?;
    let name_id = node.only(ASSERTION, "NameID")?.map(read_name_id).transpose()?;
    let mut confirmations = Vec::new();
    for confirmation in node.named(ASSERTION, "SubjectConfirmation") {
        let data = confirmation.only(ASSERTION, "SubjectConfirmationData")?;
        let of = |name: &str| data.and_then(|data| data.attribute(name));
        confirmations.push(Confirmation {
            method: confirmation.attribute("Method").map(str::to_owned),
            recipient: of("Recipient").map(str::to_owned),
            not_before: of("NotBefore").map(instant).transpose()?,
            not_on_or_after: of("NotOnOrAfter").map(instant).transpose()?,
            in_response_to: of("InResponseTo").map(str::to_owned),
        });
    }
    Ok(Subject { name_id, confirmations })
}

pub(crate) fn read_name_id(node: Node<'_, '_>) -> Result<NameId, Refusal> {
    let value = node.text()?;
    require(Rule::EmptyNameId, !value.is_empty())?;
    let of = |name: &str| node.attribute(name).map(identifier).transpose();
    Ok(NameId {
        value: identifier(value)?,
        format: of("Format")?,
        name_qualifier: of("NameQualifier")?,
        sp_name_qualifier: of("SPNameQualifier")?,
    })
}

fn read_conditions(node: Node<'_, '_>) -> Result<Conditions, Refusal> {
    let mut audiences = Vec::new();
    let mut unknown = None;
    for condition in node.children() {
        match condition.local() {
            "AudienceRestriction" if condition.namespace() == ASSERTION => {
                let named = condition.named(ASSERTION, "Audience");
                audiences.push(named.map(|audience| audience.text().map(str::to_owned)).collect::<Result<_, _>>()?);
            }
            // Every assertion is taken once; ours are passed on to nobody.
            "OneTimeUse" | "ProxyRestriction" if condition.namespace() == ASSERTION => {}
            other => unknown = unknown.or_else(|| Some(other.to_owned())),
        }
    }
    Ok(Conditions {
        not_before: node.attribute("NotBefore").map(instant).transpose()?,
        not_on_or_after: node.attribute("NotOnOrAfter").map(instant).transpose()?,
        audiences,
        unknown,
    })
}

fn read_authn(node: Node<'_, '_>) -> Result<AuthnStatement, Refusal> {
    let context = node.only(ASSERTION, "AuthnContext")?;
    let class = context.map(|context| context.only(ASSERTION, "AuthnContextClassRef")).transpose()?.flatten();
    Ok(AuthnStatement {
        instant: instant(node.attribute("AuthnInstant").unwrap_or_default())?,
        session_index: node.attribute("SessionIndex").map(str::to_owned),
        session_not_on_or_after: node.attribute("SessionNotOnOrAfter").map(instant).transpose()?,
        context: class.map(|class| class.text().map(str::to_owned)).transpose()?,
    })
}

fn read_attribute(node: Node<'_, '_>) -> Result<Attribute, Refusal> {
    let of = |name: &str| node.attribute(name).map(identifier).transpose();
    Ok(Attribute {
        name: of("Name")?.unwrap_or_default(),
        name_format: of("NameFormat")?,
        friendly_name: of("FriendlyName")?,
        values: node.named(ASSERTION, "AttributeValue").map(read_value).collect::<Result<_, _>>()?,
    })
}

fn read_value(node: Node<'_, '_>) -> Result<AttributeValue, Refusal> {
    if matches!(node.attribute_of(XSI, "nil"), Some("true" | "1")) {
        return Ok(AttributeValue::Nil);
    }
    if !node.has_children() {
        return Ok(AttributeValue::Text(node.text()?.to_owned()));
    }
    let mut inside = node.children();
    match (inside.next(), inside.next()) {
        (Some(name_id), None) if name_id.is(ASSERTION, "NameID") && !node.has_text() => {
            Ok(AttributeValue::NameId(read_name_id(name_id)?))
        }
        _ => Ok(structured(node)),
    }
}

/// Names inside are no names of ours: text is text there, and text beside elements is none of their values. As deep as a
/// message may be.
fn structured(node: Node<'_, '_>) -> AttributeValue {
    let inside = node.children().map(|child| {
        let value = if child.has_children() { structured(child) } else { AttributeValue::Text(child.own_text().to_owned()) };
        (child.local().to_owned(), value)
    });
    AttributeValue::Structured(inside.collect())
}

impl AttributeValue {
    /// The value as something to know somebody by, checked as a NameID is: a text or a name. `None`: it is neither, or empty.
    /// Text that is only shown may have anything in it, so reading an attribute does not ask for this.
    pub fn identifier(&self) -> Result<Option<String>, Refusal> {
        let text = match self {
            Self::Text(text) => text,
            Self::NameId(name_id) => &name_id.value,
            Self::Nil | Self::Structured(_) => return Ok(None),
        };
        Ok(Some(identifier(text)?).filter(|text| !text.is_empty()))
    }
}

/// A value somebody is known by: nothing invisible in it, so that two that look alike are alike. Never folded.
pub(crate) fn identifier(text: &str) -> Result<String, Refusal> {
    let text = crate::document::trimmed(text);
    require_with(Rule::IdentifierCharacters, !text.chars().any(is_invisible), |refusal| {
        refusal.received(text.escape_unicode().to_string())
    })?;
    Ok(text.to_owned())
}

fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e01ef}'
        )
}
