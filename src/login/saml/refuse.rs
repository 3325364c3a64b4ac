//! Nobody gets in: what the person reads, and what the administrator does. The person gets a page with a code and a reference;
//! reason, expected and received values go to the log and to the connection's recorded traffic.

use super::{Logins, Site};
use crate::login::answer::Refused;
use crate::login::told::{self, NOT_LET_IN, Noted, Shown};
use crate::model::connection::Connection;
use crate::saml::not_a_record::NotARecord;
use crate::traffic::Cause;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use rosterd_saml::rule::{Refusal, Rule};
use std::time::Instant;

/// Why it does not go on.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The message, or what it says.
    Message(Told),
    /// The roster keeps the person out, for these reasons, which its own log row has too.
    Denied(Noted),
    /// Nothing is said of the message or the person.
    Other(Refused),
}

/// A reason for the administrator. Nothing of it but the code is shown to anybody else.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) code: &'static str,
    pub(super) cause: Cause,
    pub(super) expected: Option<String>,
    pub(super) received: Option<String>,
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        let Refusal { rule, expected, received } = refusal;
        Self::Message(Told { code: rule.code(), cause: cause(rule), expected, received })
    }
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        Self::Other(refused)
    }
}

impl From<crate::store::Error> for Stopped {
    fn from(error: crate::store::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<NotARecord> for Stopped {
    fn from(not: NotARecord) -> Self {
        let (code, expected, received) = (not.code(), not.expected, not.received);
        Self::Message(Told { code, cause: Cause::SamlSubject, expected, received })
    }
}

impl Stopped {
    pub(super) fn of_rule(rule: Rule) -> Self {
        Self::Message(Told { code: rule.code(), cause: cause(rule), expected: None, received: None })
    }

    pub(super) fn told(code: &'static str, cause: Cause) -> Self {
        Self::Message(Told { code, cause, expected: None, received: None })
    }
}

/// What an administrator has to look at.
fn cause(rule: Rule) -> Cause {
    use Rule as R;
    match rule {
        R::Unsigned
        | R::TooManySignatures
        | R::MisplacedSignature
        | R::SignatureShape
        | R::SignatureObject
        | R::Canonicalization
        | R::SignatureAlgorithm
        | R::ReferenceCount
        | R::ReferenceUri
        | R::Transforms
        | R::DigestAlgorithm
        | R::SignatureValue
        | R::WeakCertificate
        | R::NoMatchingCertificate
        | R::SignatureInvalid
        | R::SignedPart => Cause::SamlSignature,
        R::NoDecryptionKey | R::EncryptionShape | R::EncryptionAlgorithm | R::DecryptionFailed | R::EncryptedUnsigned => {
            Cause::SamlEncryption
        }
        R::DestinationMismatch
        | R::DestinationMissing
        | R::ResponseIssuerMismatch
        | R::IssuerMismatch
        | R::IssuerMissing
        | R::RecipientMismatch
        | R::AudienceMissing
        | R::AudienceMismatch => Cause::SamlAddress,
        R::IssuedInFuture
        | R::ConfirmationExpired
        | R::ConfirmationNotYet
        | R::ConditionsMissing
        | R::NotYetValid
        | R::Expired
        | R::AuthnInFuture
        | R::SessionExpired => Cause::SamlTimes,
        R::InResponseToMismatch | R::InResponseToMissing | R::UnknownRequest | R::RequestExpired => Cause::SamlRequest,
        R::IdpInitiatedOff | R::IdpInitiatedLifetime => Cause::SamlUnasked,
        R::StatusNotSuccess | R::AuthnTooOld | R::AuthnContextMismatch | R::AuthnStatementMissing => Cause::SamlStatus,
        R::SubjectMissing
        | R::NoBearerConfirmation
        | R::EmptyNameId
        | R::NameIdMissing
        | R::EncryptedIdentifier
        | R::IdentifierCharacters => Cause::SamlSubject,
        R::NoCertificate
        | R::MetadataRoot
        | R::EntityNotFound
        | R::EntityAmbiguous
        | R::NotAnIdp
        | R::NoSignOnEndpoint
        | R::EndpointAddress
        | R::MalformedCertificate
        | R::MetadataExpired
        | R::MalformedDuration => Cause::SamlMetadata,
        // Transport, scan, structure, and what of a text can't be read.
        _ => Cause::SamlMessage,
    }
}

/// Shows the page and tells the administrator.
pub(super) async fn refuse(logins: &Logins, site: &Site, parts: &Parts, started: Instant, mut stopped: Stopped) -> Response {
    let when = (started, StatusCode::FORBIDDEN);
    match &mut stopped {
        Stopped::Message(told) if told::is_written_down(logins, &site.connection, parts, "saml_refusals").await => {
            if told.code == Rule::SignatureInvalid.code() || told.code == Rule::NoMatchingCertificate.code() {
                told.expected = with_what_waits(logins, site, told.expected.take()).await;
            }
            let (expected, received) = (told.expected.as_deref(), told.received.as_deref());
            told::log(logins, &site.connection, parts, told.code, (expected, received)).await;
            let says = |what: &str, value: Option<&str>| value.map(|value| format!("; {what} {value}")).unwrap_or_default();
            let detail = format!("{}{}{}", told.code, says("expected", expected), says("received", received));
            let noted = Noted { cause: Some(told.cause), detail: Some(detail), trace: None };
            told::note(logins, &site.connection, parts, when, noted, is_anybodys(told.cause));
        }
        Stopped::Denied(noted) => told::note(logins, &site.connection, parts, when, std::mem::take(noted), false),
        _ => {}
    }
    page(logins, parts, Some(&site.connection), stopped).await
}

/// What a signature by no known key was expected to be by, and that metadata waits which may list its key.
async fn with_what_waits(logins: &Logins, site: &Site, known: Option<String>) -> Option<String> {
    // A store that can't say so now is no reason to say less of the signature.
    if !logins.saml.refresher.has_waiting(&site.connection).await.unwrap_or_default() {
        return known;
    }
    let known = known.unwrap_or_else(|| String::from("a key of the metadata in force"));
    Some(format!("{known}; newer metadata waits for your word: rosterd connection metadata {}", site.connection.name))
}

/// Whether somebody without any key can have caused it: what is kept of those must not push out what is worth keeping.
fn is_anybodys(cause: Cause) -> bool {
    matches!(cause, Cause::SamlMessage | Cause::SamlSignature | Cause::SamlEncryption | Cause::SamlMetadata)
}

/// What the person reads.
pub(super) async fn page(logins: &Logins, parts: &Parts, of: Option<&Connection>, stopped: Stopped) -> Response {
    let leaves = parts.uri.path().ends_with("/slo");
    let did_not_work = if leaves { "Signing out did not work" } else { "Sign-in did not work" };
    let shown = match stopped {
        Stopped::Message(told) => {
            let text = if leaves { not_signed_out(told.cause) } else { not_signed_in(told.cause) };
            Shown { status: StatusCode::FORBIDDEN, title: did_not_work, text, code: told.code }
        }
        Stopped::Denied(_) => Shown {
            status: StatusCode::FORBIDDEN,
            title: "You can't sign in here",
            text: "Your identity provider knows you, but you can't sign in here.",
            code: NOT_LET_IN,
        },
        Stopped::Other(refused) => {
            let not_now =
                if leaves { "Signing out is not possible at the moment" } else { "Sign-in is not possible at the moment" };
            return told::page_of(logins, parts, of, refused, [not_now, did_not_work]).await;
        }
    };
    told::page(logins, parts, of, shown).await
}

fn not_signed_in(cause: Cause) -> &'static str {
    match cause {
        Cause::SamlRequest => {
            "This sign-in took too long, was used already, or began in another browser. Go back to where you came from and sign in \
             again."
        }
        Cause::SamlUnasked => "Sign-in has to begin at the application, not at your identity provider.",
        Cause::SamlStatus => "Your identity provider did not sign you in the way it was asked to.",
        _ => "The answer of your identity provider could not be accepted. Go back to where you came from and try again.",
    }
}

/// Whoever began here is signed out here before anything else is asked; whoever began there may be signed in here still.
fn not_signed_out(cause: Cause) -> &'static str {
    match cause {
        Cause::SamlRequest | Cause::SamlStatus => {
            "You are signed out here. Whether you are at your identity provider it did not say: sign out there too."
        }
        Cause::SamlUnasked => "Your identity provider can't sign you out here. Sign out in the application.",
        _ => {
            "What your identity provider said could not be accepted, and you may still be signed in. Sign out in the application."
        }
    }
}
