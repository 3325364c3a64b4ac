//! From a message whose signatures look right to the bytes that are signed: verification, decryption, and verification of what
//! came out of it. What comes of it is text that a trusted key vouches for, and nothing else of the message.

use crate::decrypt::{Decryption, open};
use crate::document::{ASSERTION, Document, PROTOCOL};
use crate::limits::{EXPANDED_BYTES_MAX, Limits};
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

/// An assertion a trusted key vouches for, and what is known of the Response around it.
pub struct Signed {
    /// A document that is the Assertion, or the Response it is in.
    pub(crate) assertion: Message,
    pub(crate) envelope: Envelope,
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
pub fn verify(document: &Document<'_>, shaped: Shaped<'_, '_>, trust: Trust<'_>) -> Result<Signed, Refusal> {
    match (shaped.signed, shaped.structured.carried) {
        (Some(signed), _) => {
            let reduced = signed_text(document.text, signed, trust)?;
            if signed.local == "Assertion" {
                is_what_was_looked_at(&scan(reduced.text(), Limits::MESSAGE)?, signed)?;
                return Ok(Signed { assertion: reduced, envelope: Envelope::of(document, false)? });
            }
            let inside = scan(reduced.text(), Limits::MESSAGE)?;
            is_what_was_looked_at(&inside, signed)?;
            let envelope = Envelope::of(&inside, true)?;
            // What was signed is looked at anew: only it counts from here on.
            let structured = response(&inside)?;
            let assertion = match structured.carried {
                Carried::Plain(_) => None,
                Carried::Encrypted(node) => Some(opened(node, true, trust)?),
            };
            Ok(Signed { assertion: assertion.unwrap_or(reduced), envelope })
        }
        (None, Carried::Encrypted(node)) => {
            Ok(Signed { assertion: opened(node, false, trust)?, envelope: Envelope::of(document, false)? })
        }
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
    Message::from_bytes(bytes.into_bytes(), usize::MAX)
}

/// The library went by a reference to it: so its word is checked.
fn is_what_was_looked_at(document: &Document<'_>, signed: SignedElement<'_>) -> Result<(), Refusal> {
    let root = document.root();
    let namespace = if signed.local == "Response" { PROTOCOL } else { ASSERTION };
    let is_same = root.is(namespace, signed.local) && root.attribute("ID") == Some(signed.id);
    require_with(Rule::SignedPart, is_same, |refusal| {
        refusal.expected(format!("{} {}", signed.local, signed.id)).received(root.local())
    })
}

/// The assertion inside, vouched for by its own signature or by the one around the whole.
fn opened(encrypted: crate::document::Node<'_, '_>, is_vouched_for: bool, trust: Trust<'_>) -> Result<Message, Refusal> {
    let opened = open(encrypted, trust.decryption)?;
    let vouched = vouched_for(opened.plaintext, is_vouched_for, trust);
    // A stranger may have changed the ciphertext: what became of it is nobody's business.
    if opened.is_malleable && !is_vouched_for {
        return vouched.map_err(|_| Rule::DecryptionFailed.refusal());
    }
    vouched
}

fn vouched_for(plaintext: Message, is_vouched_for: bool, trust: Trust<'_>) -> Result<Message, Refusal> {
    require(Rule::MessageTooLarge, plaintext.text().len() <= EXPANDED_BYTES_MAX)?;
    let document = scan(plaintext.text(), Limits::MESSAGE)?;
    let root = assertion(&document)?;
    match of_lone_assertion(root)? {
        Some(signed) => {
            let reduced = signed_text(plaintext.text(), signed, trust)?;
            is_what_was_looked_at(&scan(reduced.text(), Limits::MESSAGE)?, signed)?;
            Ok(reduced)
        }
        None => {
            require(Rule::EncryptedUnsigned, is_vouched_for)?;
            drop(document);
            Ok(plaintext)
        }
    }
}
