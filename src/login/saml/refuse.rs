//! Nobody gets in: what the person reads, and what the administrator does. The person gets a page with a code and a reference;
//! reason, expected and received values go to the log and to the connection's recorded traffic.

use super::{Logins, Site, request_id};
use crate::http::page::Page;
use crate::login::answer::Refused;
use crate::saml::not_a_record::NotARecord;
use crate::traffic::recorder::{Answered, Asked};
use crate::traffic::{Cause, Seen, Stranger};
use axum::extract::OriginalUri;
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use rosterd_saml::rule::{Refusal, Rule};
use std::sync::Arc;
use std::time::Instant;

/// What the page says whenever the roster keeps somebody out.
const NOT_LET_IN: &str = "access_denied";

/// Why it does not go on.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The message, or what it says.
    Message(Told),
    /// The roster keeps the person out, by this code; its own log row says more.
    Denied(&'static str),
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
    if let Stopped::Message(told) = &mut stopped
        && logs(logins, site, parts).await
    {
        if told.code == Rule::SignatureInvalid.code() || told.code == Rule::NoMatchingCertificate.code() {
            told.expected = with_what_waits(logins, site, told.expected.take()).await;
        }
        let login = logins.login(&site.connection, parts);
        let facts: Vec<(&str, &str)> = [("expected", &told.expected), ("received", &told.received)]
            .into_iter()
            .filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
            .collect();
        if let Err(error) = logins.provisioner.note_unverified(&login, told.code, None, &facts).await {
            tracing::warn!(%error, code = told.code, "a refused login could not be logged");
        }
        note(logins, site, parts, started, StatusCode::FORBIDDEN, Some(told));
    }
    if let Stopped::Denied(code) = stopped {
        let told = Told { code, cause: Cause::LoginDenied, expected: None, received: None };
        note(logins, site, parts, started, StatusCode::FORBIDDEN, Some(&told));
    }
    page(logins, parts, stopped)
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

/// Whether this refusal is written down: anybody can send messages, and what is kept of those of one address has a limit.
async fn logs(logins: &Logins, site: &Site, parts: &Parts) -> bool {
    let counted = logins.limits.of_refusals(logins.client_address(parts));
    let counting = logins.limits.count(&logins.store, &site.tenant.id, &[counted], logins.clock.now()).await;
    if counting.is_err() {
        logins.metrics.refused("saml_refusals");
    }
    counting.is_ok()
}

/// Puts what was asked and answered into the connection's recorded traffic; nothing of a message.
pub(super) fn note(logins: &Logins, site: &Site, parts: &Parts, started: Instant, status: StatusCode, told: Option<&Told>) {
    let took = started.elapsed();
    let at = logins.clock.now() - i64::try_from(took.as_micros()).unwrap_or_default();
    // As it was asked for: routers see what is left below their prefix.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let mut asked = Asked::new(at, request_id(parts).to_owned(), &parts.method, uri, &parts.headers);
    // A query may hold a message with its signature.
    asked.target = asked.target.split('?').next().unwrap_or_default().to_owned();
    let detail = told.map(|told| {
        let says = |what: &str, value: &Option<String>| value.as_ref().map(|value| format!("; {what} {value}"));
        let [expected, received] = [says("expected", &told.expected), says("received", &told.received)];
        format!("{}{}{}", told.code, expected.unwrap_or_default(), received.unwrap_or_default())
    });
    let cause = told.map(|told| told.cause);
    let answered = Answered { status: status.as_u16(), scim_type: None, cause, detail, body: None, body_bytes: 0, took };
    if told.is_some_and(|told| is_anybodys(told.cause)) {
        let named = site.connection.id.as_str().to_owned();
        logins.recorder.note_stranger(Stranger { named, asked, answered });
        return;
    }
    let connection = Arc::new(site.connection.clone());
    logins.recorder.note(Seen { connection, token: None, asked, answered, secrets: Arc::from([]) });
}

/// Whether somebody without any key can have caused it: what is kept of those must not push out what is worth keeping.
fn is_anybodys(cause: Cause) -> bool {
    matches!(cause, Cause::SamlMessage | Cause::SamlSignature | Cause::SamlEncryption | Cause::SamlMetadata)
}

/// What the person reads.
pub(super) fn page(logins: &Logins, parts: &Parts, stopped: Stopped) -> Response {
    let id = request_id(parts);
    let leaves = parts.uri.path().ends_with("/slo");
    let did_not_work = if leaves { "Signing out did not work" } else { "Sign-in did not work" };
    match stopped {
        Stopped::Message(told) => {
            let text = if leaves { not_signed_out(told.cause) } else { not_signed_in(told.cause) };
            let page = Page { title: did_not_work, text, reference: Some((told.code, id)), form: "" };
            page.into_response(StatusCode::FORBIDDEN, &logins.entropy)
        }
        Stopped::Denied(_) => {
            let text = "Your identity provider knows you, but you can't sign in here.";
            let page = Page { title: "You can't sign in here", text, reference: Some((NOT_LET_IN, id)), form: "" };
            page.into_response(StatusCode::FORBIDDEN, &logins.entropy)
        }
        Stopped::Other(refused) => {
            let (status, code, text) = refused.parts();
            let title = match status.is_server_error() {
                true if leaves => "Signing out is not possible at the moment",
                true => "Sign-in is not possible at the moment",
                false => did_not_work,
            };
            let mut response = Page { title, text, reference: Some((code, id)), form: "" }.into_response(status, &logins.entropy);
            match refused {
                Refused::Unavailable | Refused::Misconfigured => _ = response.headers_mut().insert(RETRY_AFTER, 5.into()),
                Refused::MethodNotAllowed { allow } => {
                    _ = response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
                }
                _ => {}
            }
            response
        }
    }
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
