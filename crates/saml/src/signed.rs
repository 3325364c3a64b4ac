//! From a message whose signatures look right to the bytes that are signed: verification, decryption, and verification of what
//! came out of it. What comes of it is text that a trusted key vouches for, and nothing else of the message.

use crate::decrypt::{Decryption, open};
use crate::document::{ASSERTION, Document, Node, PROTOCOL};
use crate::limits::{CANONICAL_BYTES_MAX, Limits};
use crate::rule::{Refusal, Rule, require, require_with};
use crate::scan::scan;
use crate::signature::{Shaped, SignedElement, of_lone_assertion};
use crate::structure::{Carried, assertion, response};
use crate::transport::Message;
use crate::verify::{Certificates, Policy, Verifier};

/// Whom a connection believes, and by what.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    pub verifier: &'a dyn Verifier,
    pub certificates: &'a Certificates,
    pub decryption: &'a Decryption,
}

/// Text a trusted key vouches for: an Assertion, or the Response it is in.
pub struct Signed {
    text: Message,
    /// What it has to be, if a signature's reference led to it.
    claimed: Option<Claim>,
    /// What is known of the Response, if it is not this text.
    envelope: Option<Envelope>,
}

struct Claim {
    local: &'static str,
    id: String,
}

impl Signed {
    pub(crate) fn text(&self) -> &str {
        self.text.text()
    }

    /// The assertion in the document that [`Signed::text`] is, and the Response around it, looked at anew: only what was signed
    /// counts from here on.
    pub(crate) fn parts<'d, 't>(&self, document: &'d Document<'t>) -> Result<(Node<'d, 't>, Envelope), Refusal> {
        if let Some(claimed) = &self.claimed {
            is_what_was_looked_at(document, claimed.local, &claimed.id)?;
        }
        match &self.envelope {
            Some(envelope) => Ok((assertion(document)?, envelope.clone())),
            None => match response(document)?.carried {
                Carried::Plain(node) => Ok((node, Envelope::of(document, true)?)),
                Carried::Encrypted(_) => Err(Rule::NoAssertion.refusal()),
            },
        }
    }
}

/// The Response itself. Unless it is signed these are a stranger's words, good for refusing and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub is_signed: bool,
    pub destination: Option<String>,
    pub issuer: Option<String>,
    pub in_response_to: Option<String>,
    pub issue_instant: Option<String>,
}

impl Envelope {
    fn of(document: &Document<'_>, is_signed: bool) -> Result<Self, Refusal> {
        let root = document.root();
        let of = |name: &str| root.attribute(name).map(str::to_owned);
        let issuer = root.only(ASSERTION, "Issuer")?.map(|node| node.text().map(str::to_owned)).transpose()?;
        Ok(Self {
            is_signed,
            destination: of("Destination"),
            issuer,
            in_response_to: of("InResponseTo"),
            issue_instant: of("IssueInstant"),
        })
    }
}

/// What is signed of the message.
pub fn verify(shaped: Shaped<'_, '_>, trust: Trust<'_>) -> Result<Signed, Refusal> {
    let document = shaped.structured.response.document();
    match (shaped.signed, shaped.structured.carried) {
        (Some(signed), Carried::Plain(_)) => {
            let text = signed_text(document.text, signed, trust)?;
            let envelope = if signed.local == "Assertion" { Some(Envelope::of(document, false)?) } else { None };
            Ok(Signed { text, claimed: Some(Claim::of(signed)), envelope })
        }
        (Some(signed), Carried::Encrypted(_)) => {
            let text = signed_text(document.text, signed, trust)?;
            let inside = scan(text.text(), Limits::MESSAGE)?;
            is_what_was_looked_at(&inside, signed.local, signed.id)?;
            let Carried::Encrypted(node) = response(&inside)?.carried else { return Err(Rule::SignedPart.refusal()) };
            opened(node, true, trust, Envelope::of(&inside, true)?)
        }
        (None, Carried::Encrypted(node)) => opened(node, false, trust, Envelope::of(document, false)?),
        (None, Carried::Plain(_)) => Err(Rule::Unsigned.refusal()),
    }
}

fn signed_text(text: &str, signed: SignedElement<'_>, trust: Trust<'_>) -> Result<Message, Refusal> {
    let family = signed.family;
    require_with(Rule::NoMatchingCertificate, trust.certificates.has(family), |refusal| refusal.received(format!("{family:?}")))?;
    let bytes = trust.verifier.verify(text, trust.certificates, &Policy { family });
    let bytes = bytes.map_err(|_| {
        let known: Vec<&str> = trust.certificates.iter().map(|certificate| certificate.fingerprint()).collect();
        Rule::SignatureInvalid.refusal().expected(known.join(" "))
    })?;
    Message::from_bytes(bytes.into_bytes(), CANONICAL_BYTES_MAX)
}

/// The library went by a reference to it: so its word is checked.
fn is_what_was_looked_at(document: &Document<'_>, local: &str, id: &str) -> Result<(), Refusal> {
    let root = document.root();
    let namespace = if local == "Response" { PROTOCOL } else { ASSERTION };
    let is_same = root.is(namespace, local) && root.attribute("ID") == Some(id);
    require_with(Rule::SignedPart, is_same, |refusal| refusal.expected(format!("{local} {id}")).received(root.local()))
}

impl Claim {
    fn of(signed: SignedElement<'_>) -> Self {
        Self { local: signed.local, id: signed.id.to_owned() }
    }
}

/// The assertion inside, vouched for by its own signature or by the one around the whole.
fn opened(encrypted: Node<'_, '_>, is_vouched_for: bool, trust: Trust<'_>, envelope: Envelope) -> Result<Signed, Refusal> {
    let opened = open(encrypted, trust.decryption)?;
    let vouched = vouched_for(opened.plaintext, is_vouched_for, trust);
    let (text, claimed) = if opened.is_malleable && !is_vouched_for {
        // A stranger may have changed the ciphertext: what became of it is nobody's business.
        vouched.map_err(|_| Rule::DecryptionFailed.refusal())?
    } else {
        vouched?
    };
    Ok(Signed { text, claimed, envelope: Some(envelope) })
}

fn vouched_for(plaintext: Message, is_vouched_for: bool, trust: Trust<'_>) -> Result<(Message, Option<Claim>), Refusal> {
    let document = scan(plaintext.text(), Limits::MESSAGE)?;
    let signed = of_lone_assertion(assertion(&document)?)?;
    if let Some(signed) = signed {
        return Ok((signed_text(plaintext.text(), signed, trust)?, Some(Claim::of(signed))));
    }
    require(Rule::EncryptedUnsigned, is_vouched_for)?;
    drop(document);
    Ok((plaintext, None))
}
