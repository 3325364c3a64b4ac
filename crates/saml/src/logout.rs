//! Single logout, both ways. Whatever comes has to be signed: in the query of a redirect or in the message of a form. What is
//! read is read from what was signed.

use jiff::{SignedDuration, Timestamp};

use crate::document::{ASSERTION, Node, PROTOCOL};
use crate::limits::{CANONICAL_BYTES_MAX, Limits};
use crate::protocol::Times;
use crate::read::{NameId, read_name_id};
use crate::redirect::Vouched;
use crate::rule::{Refusal, Rule, require, require_with};
use crate::scan::scan;
use crate::sign::{CannotSign, SigningKey};
use crate::signature::own;
use crate::structure::{protocol_message, status};
use crate::time::{instant, written};
use crate::transport::Message;
use crate::verify::{Certificates, Policy, Verifier};
use crate::write::{attributes, text};

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const PARTIAL: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";
/// A request to log somebody out that does not say until when it holds is as old as this at most.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// And one that says so, as this, whatever it says: it can be sent again as long as it holds.
const STATED_AGE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What the gateway knows beside the message.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    pub slo_url: &'a str,
    pub idp_entity_id: &'a str,
    pub now: Timestamp,
    pub skew: SignedDuration,
}

/// The identity provider asks that somebody be signed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLogoutRequest {
    pub id: String,
    pub name_id: NameId,
    /// None: every session of that person.
    pub session_indexes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutOutcome {
    Everywhere,
    /// Some session elsewhere could not be ended.
    Partly,
}

impl Vouched {
    /// A form's message, if it is signed as a whole by one of the certificates.
    pub fn from_form(field: &str, verifier: &dyn Verifier, certificates: &Certificates) -> Result<Self, Refusal> {
        let message = Message::from_form(field)?;
        let document = scan(message.text(), Limits::MESSAGE)?;
        let root = document.root();
        let signed = own(root, "message")?;
        let count = root.descendants().filter(|node| node.local() == "Signature").count();
        require(Rule::MisplacedSignature, count <= usize::from(signed.is_some()))?;
        let Some(signed) = signed else { return Err(Rule::Unsigned.refusal()) };
        protocol_message(&document, root.local())?;
        let policy = Policy { family: signed.family };
        let bytes = verifier.verify(message.text(), certificates, &policy).map_err(|_| Rule::SignatureInvalid.refusal())?;
        let reduced = Message::from_bytes(bytes.into_bytes(), CANONICAL_BYTES_MAX)?;
        let inside = scan(reduced.text(), Limits::MESSAGE)?;
        let is_same = inside.root().is(root.namespace(), root.local()) && inside.root().attribute("ID") == Some(signed.id);
        require(Rule::SignedPart, is_same)?;
        drop(inside);
        Ok(Self(reduced))
    }
}

/// The request in a message that somebody trusted signed.
pub fn read_request(message: &Vouched, expected: &Expectation<'_>) -> Result<VerifiedLogoutRequest, Refusal> {
    let document = scan(message.0.text(), Limits::MESSAGE)?;
    let root = protocol_message(&document, "LogoutRequest")?;
    let times = addressed(root, expected)?;
    let issued = instant(root.attribute("IssueInstant").unwrap_or_default())?;
    let after = |age: SignedDuration| issued.saturating_add(age).unwrap_or(Timestamp::MAX);
    let until = match root.attribute("NotOnOrAfter") {
        Some(until) => instant(until)?.min(after(STATED_AGE_MAX)),
        None => after(AGE_MAX),
    };
    require_with(Rule::Expired, !times.is_over(until), |refusal| times.facts(refusal, until))?;
    require(Rule::EncryptedIdentifier, !root.children().any(|child| child.local() == "EncryptedID"))?;
    let Some(name_id) = root.only(ASSERTION, "NameID")? else { return Err(Rule::NameIdMissing.refusal()) };
    let indexes = root.named(PROTOCOL, "SessionIndex").map(|index| index.text().map(str::to_owned));
    Ok(VerifiedLogoutRequest {
        id: root.attribute("ID").unwrap_or_default().to_owned(),
        name_id: read_name_id(name_id)?,
        session_indexes: indexes.collect::<Result<_, _>>()?,
    })
}

/// The request that an answer says it answers: a key to look up, nothing to rely on.
pub fn in_response_to(message: &Vouched) -> Result<Option<String>, Refusal> {
    let document = scan(message.0.text(), Limits::MESSAGE)?;
    Ok(document.root().attribute("InResponseTo").map(str::to_owned))
}

/// The answer to a request of ours.
pub fn read_response(message: &Vouched, request_id: &str, expected: &Expectation<'_>) -> Result<LogoutOutcome, Refusal> {
    let document = scan(message.0.text(), Limits::MESSAGE)?;
    let root = protocol_message(&document, "LogoutResponse")?;
    addressed(root, expected)?;
    let answered = root.attribute("InResponseTo");
    require_with(Rule::InResponseToMissing, answered.is_some(), |refusal| refusal.expected(request_id))?;
    require_with(Rule::InResponseToMismatch, answered.is_none_or(|id| id == request_id), |refusal| {
        refusal.expected(request_id).received_any(answered)
    })?;
    let codes = status(root)?;
    if codes.contains(&PARTIAL) {
        return Ok(LogoutOutcome::Partly);
    }
    require_with(Rule::StatusNotSuccess, codes.first() == Some(&SUCCESS), |refusal| refusal.received(codes.join(" / ")))?;
    Ok(LogoutOutcome::Everywhere)
}

fn addressed(root: Node<'_, '_>, expected: &Expectation<'_>) -> Result<Times, Refusal> {
    let times = Times { now: expected.now, skew: expected.skew.clamp(SignedDuration::ZERO, SignedDuration::from_secs(300)) };
    let destination = root.attribute("Destination");
    require_with(Rule::DestinationMissing, destination.is_some(), |refusal| refusal.expected(expected.slo_url))?;
    require_with(Rule::DestinationMismatch, destination.is_none_or(|to| to == expected.slo_url), |refusal| {
        refusal.expected(expected.slo_url).received_any(destination)
    })?;
    let issuer = root.only(ASSERTION, "Issuer")?.map(|issuer| issuer.text()).transpose()?;
    require_with(Rule::IssuerMismatch, issuer == Some(expected.idp_entity_id), |refusal| {
        refusal.expected(expected.idp_entity_id).received_any(issuer)
    })?;
    let issued = instant(root.attribute("IssueInstant").unwrap_or_default())?;
    require_with(Rule::IssuedInFuture, times.has_come(issued), |refusal| times.facts(refusal, issued))?;
    Ok(times)
}

/// We ask the identity provider to sign somebody out.
#[derive(Debug, Clone)]
pub struct LogoutRequest<'a> {
    pub id: &'a str,
    pub issue_instant: Timestamp,
    pub not_on_or_after: Timestamp,
    pub destination: &'a str,
    pub issuer: &'a str,
    pub name_id: &'a NameId,
    pub session_index: Option<&'a str>,
}

impl LogoutRequest<'_> {
    pub fn xml(&self) -> String {
        let root = attributes(&[
            ("Destination", Some(self.destination)),
            ("ID", Some(self.id)),
            ("IssueInstant", Some(&written(self.issue_instant))),
            ("NotOnOrAfter", Some(&written(self.not_on_or_after))),
            ("Version", Some("2.0")),
        ]);
        let name_id = attributes(&[
            ("Format", self.name_id.format.as_deref()),
            ("NameQualifier", self.name_id.name_qualifier.as_deref()),
            ("SPNameQualifier", self.name_id.sp_name_qualifier.as_deref()),
        ]);
        let index =
            self.session_index.map_or(String::new(), |index| format!("<samlp:SessionIndex>{}</samlp:SessionIndex>", text(index)));
        format!(
            "<samlp:LogoutRequest xmlns:samlp=\"{PROTOCOL}\"{root}><saml:Issuer xmlns:saml=\"{ASSERTION}\">{}</saml:Issuer>\
             <saml:NameID xmlns:saml=\"{ASSERTION}\"{name_id}>{}</saml:NameID>{index}</samlp:LogoutRequest>",
            text(self.issuer),
            text(&self.name_id.value)
        )
    }

    pub fn signed_xml(&self, key: &SigningKey) -> Result<String, CannotSign> {
        key.envelop(&self.xml(), self.id)
    }
}

/// We answer that somebody was signed out.
#[derive(Debug, Clone)]
pub struct LogoutResponse<'a> {
    pub id: &'a str,
    pub in_response_to: &'a str,
    pub issue_instant: Timestamp,
    pub destination: &'a str,
    pub issuer: &'a str,
    pub outcome: LogoutOutcome,
}

impl LogoutResponse<'_> {
    pub fn xml(&self) -> String {
        let root = attributes(&[
            ("Destination", Some(self.destination)),
            ("ID", Some(self.id)),
            ("InResponseTo", Some(self.in_response_to)),
            ("IssueInstant", Some(&written(self.issue_instant))),
            ("Version", Some("2.0")),
        ]);
        let code = |value: &str, inside: &str| format!("<samlp:StatusCode Value=\"{value}\">{inside}</samlp:StatusCode>");
        let status = match self.outcome {
            LogoutOutcome::Everywhere => code(SUCCESS, ""),
            LogoutOutcome::Partly => code("urn:oasis:names:tc:SAML:2.0:status:Responder", &code(PARTIAL, "")),
        };
        format!(
            "<samlp:LogoutResponse xmlns:samlp=\"{PROTOCOL}\"{root}><saml:Issuer xmlns:saml=\"{ASSERTION}\">{}</saml:Issuer>\
             <samlp:Status>{status}</samlp:Status></samlp:LogoutResponse>",
            text(self.issuer)
        )
    }

    pub fn signed_xml(&self, key: &SigningKey) -> Result<String, CannotSign> {
        key.envelop(&self.xml(), self.id)
    }
}
