//! Nobody gets in: what the person reads, and what the administrator does. The person gets a page with a code and a reference;
//! reason, expected and received values go to the log and to the connection's recorded traffic.

use super::{Logins, Site};
use crate::login::answer::Refused;
use crate::login::told::{self, NOT_LET_IN, Noted, Shown};
use crate::model::connection::Connection;
use crate::oidc::{Refusal, Rule};
use crate::traffic::Cause;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::response::Response;
use std::time::Instant;

/// Why it does not go on.
#[derive(Debug)]
pub(super) enum Stopped {
    /// What the provider says, or does not say.
    Said(Refusal),
    /// The roster keeps the person out, for these reasons, which its own log row has too.
    Denied(Noted),
    /// Nothing is said of the provider or the person.
    Other(Refused),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Said(refusal)
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

/// What an administrator has to look at.
fn cause(rule: Rule) -> Cause {
    use Rule as R;
    match rule {
        R::Settings
        | R::DiscoveryUnavailable
        | R::DiscoveryMalformed
        | R::DiscoveryIssuer
        | R::DiscoveryEndpoint
        | R::KeysUnavailable
        | R::KeysMalformed => Cause::OidcProvider,
        R::Callback | R::StateUnknown | R::StateExpired | R::StateUsed => Cause::OidcState,
        R::CallbackIssuer | R::ProviderError | R::Cancelled => Cause::OidcAnswer,
        R::ExchangeFailed
        | R::ExchangeRefused
        | R::TokenAnswerMalformed
        | R::NoAccessToken
        | R::NoIdToken
        | R::ScopeNotGranted => Cause::OidcExchange,
        R::ProfileUnavailable
        | R::ProfileMalformed
        | R::ProfileRefused
        | R::ProfileSubject
        | R::UserIdMissing
        | R::UserIdShape
        | R::RecordUnusable
        | R::SubjectMissing => Cause::OidcProfile,
        // Everything else is asked of the ID token.
        _ => Cause::OidcToken,
    }
}

/// The provider could not be asked; the same may work in a minute.
fn is_passing(rule: Rule) -> bool {
    matches!(rule, Rule::DiscoveryUnavailable | Rule::KeysUnavailable | Rule::ExchangeFailed | Rule::ProfileUnavailable)
}

/// Shows the page and tells the administrator.
pub(super) async fn refuse(logins: &Logins, site: &Site, parts: &Parts, started: Instant, mut stopped: Stopped) -> Response {
    let noted = match &mut stopped {
        Stopped::Said(refusal) if told::is_written_down(logins, &site.connection, parts, "oidc_refusals").await => {
            let code = refusal.rule.code();
            told::log(logins, &site.connection, parts, code, (refusal.expected.as_deref(), refusal.received.as_deref())).await;
            tracing::debug!(code, connection = site.connection.name, "a login was refused");
            Some(Noted { cause: Some(cause(refusal.rule)), detail: Some(refusal.to_string()), trace: None })
        }
        Stopped::Denied(noted) => Some(std::mem::take(noted)),
        _ => None,
    };
    let response = page(logins, parts, Some(&site.connection), stopped).await;
    if let Some(noted) = noted {
        note(logins, site, parts, started, response.status(), noted);
    }
    response
}

/// Puts it into the connection's recorded traffic. Who began no login is anybody.
pub(super) fn note(logins: &Logins, site: &Site, parts: &Parts, started: Instant, status: StatusCode, noted: Noted) {
    let is_anybodys = noted.cause == Some(Cause::OidcState);
    told::note(logins, &site.connection, parts, (started, status), noted, is_anybodys);
}

/// What the person reads.
pub(super) async fn page(logins: &Logins, parts: &Parts, of: Option<&Connection>, stopped: Stopped) -> Response {
    const NOT_NOW: &str = "Sign-in is not possible at the moment";
    const DID_NOT_WORK: &str = "Sign-in did not work";
    let shown = match stopped {
        Stopped::Said(Refusal { rule, .. }) if is_passing(rule) => {
            let text = "Whoever signs you in can't be reached. Go back to where you came from and try again in a minute.";
            let shown = Shown { status: StatusCode::SERVICE_UNAVAILABLE, title: NOT_NOW, text, code: rule.code() };
            let mut response = told::page(logins, parts, of, shown).await;
            response.headers_mut().insert(RETRY_AFTER, 5.into());
            return response;
        }
        Stopped::Said(Refusal { rule, .. }) => {
            let text = match cause(rule) {
                Cause::OidcState => {
                    "This sign-in took too long, was used already, or began in another browser. Go back to where you came from \
                     and sign in again."
                }
                _ if rule == Rule::Cancelled => "You did not sign in. Go back to where you came from if you want to try again.",
                Cause::OidcAnswer => "Whoever signs you in did not do so.",
                _ => "What whoever signs you in said could not be accepted. Go back to where you came from and try again.",
            };
            Shown { status: StatusCode::FORBIDDEN, title: DID_NOT_WORK, text, code: rule.code() }
        }
        Stopped::Denied(_) => Shown {
            status: StatusCode::FORBIDDEN,
            title: "You can't sign in here",
            text: "Whoever signs you in knows you, but you can't sign in here.",
            code: NOT_LET_IN,
        },
        Stopped::Other(refused) => return told::page_of(logins, parts, of, refused, [NOT_NOW, DID_NOT_WORK]).await,
    };
    told::page(logins, parts, of, shown).await
}
