//! Nobody gets in: what the person reads, and what the administrator does. The person gets a page with a code and a reference;
//! reason, expected and received values go to the log and to the connection's recorded traffic.

use super::{Logins, Site};
use crate::http::page::Page;
use crate::login::answer::Refused;
use crate::login::request_id;
use crate::oidc::{Refusal, Rule};
use crate::traffic::recorder::{Answered, Asked};
use crate::traffic::{Cause, Seen, Stranger};
use axum::extract::OriginalUri;
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;

/// What the page says whenever the roster keeps somebody out.
const NOT_LET_IN: &str = "access_denied";

/// Why it does not go on.
#[derive(Debug)]
pub(super) enum Stopped {
    /// What the provider says, or does not say.
    Said(Refusal),
    /// The roster keeps the person out, by this code and for these reasons, which its own log row has too.
    Denied(&'static str, String),
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

/// A reason as the administrator reads it.
struct Told {
    code: &'static str,
    cause: Cause,
    detail: String,
}

/// Shows the page and tells the administrator.
pub(super) async fn refuse(logins: &Logins, site: &Site, parts: &Parts, started: Instant, stopped: Stopped) -> Response {
    let told = match &stopped {
        Stopped::Said(refusal) if logs(logins, site, parts).await => {
            let login = logins.login(&site.connection, parts);
            let facts: Vec<(&str, &str)> = [("expected", &refusal.expected), ("received", &refusal.received)]
                .into_iter()
                .filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
                .collect();
            let code = refusal.rule.code();
            if let Err(error) = logins.provisioner.note_unverified(&login, code, None, &facts).await {
                tracing::warn!(%error, code, "a refused login could not be logged");
            }
            Some(Told { code, cause: cause(refusal.rule), detail: refusal.to_string() })
        }
        Stopped::Denied(code, reasons) => Some(Told { code, cause: Cause::LoginDenied, detail: reasons.clone() }),
        _ => None,
    };
    let response = page(logins, parts, stopped);
    if let Some(told) = &told {
        let noted = Noted { cause: Some(told.cause), detail: Some(told.detail.clone()), trace: None };
        note(logins, site, parts, started, response.status(), noted);
        tracing::debug!(code = told.code, connection = site.connection.name, "a login was refused");
    }
    response
}

/// Whether this refusal is written down: anybody can send answers, and what is kept of those of one address has a limit.
async fn logs(logins: &Logins, site: &Site, parts: &Parts) -> bool {
    let counted = logins.limits.of_refusals(logins.client_address(parts));
    let counting = logins.limits.count(&logins.store, &site.tenant.id, &[counted], logins.clock.now()).await;
    if counting.is_err() {
        logins.metrics.refused("oidc_refusals");
    }
    counting.is_ok()
}

/// What an administrator reads of a login besides.
#[derive(Default)]
pub(super) struct Noted {
    pub(super) cause: Option<Cause>,
    pub(super) detail: Option<String>,
    /// Of somebody who was let in: what their provider said and what became of each attribute. It stands where other requests have
    /// their answer.
    pub(super) trace: Option<Value>,
}

/// Puts what was asked and answered into the connection's recorded traffic; nothing of a code or a token.
pub(super) fn note(logins: &Logins, site: &Site, parts: &Parts, started: Instant, status: StatusCode, noted: Noted) {
    let took = started.elapsed();
    let at = logins.clock.now() - i64::try_from(took.as_micros()).unwrap_or_default();
    // As it was asked for: routers see what is left below their prefix.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let mut asked = Asked::new(at, request_id(parts).to_owned(), &parts.method, uri, &parts.headers);
    // A query holds the code.
    asked.target = asked.target.split('?').next().unwrap_or_default().to_owned();
    let Noted { cause, detail, trace } = noted;
    let body = trace.map(|trace| Bytes::from(trace.to_string()));
    let answered = Answered { status: status.as_u16(), scim_type: None, cause, detail, body, body_bytes: 0, took };
    // Somebody who began no login can have caused it: what is kept of those must not push out what is worth keeping.
    if cause == Some(Cause::OidcState) {
        let named = site.connection.id.as_str().to_owned();
        logins.recorder.note_stranger(Stranger { named, asked, answered });
        return;
    }
    let connection = Arc::new(site.connection.clone());
    logins.recorder.note(Seen { connection, token: None, asked, answered, secrets: Arc::from([]) });
}

/// What the person reads.
pub(super) fn page(logins: &Logins, parts: &Parts, stopped: Stopped) -> Response {
    let id = request_id(parts);
    let shown = |status: StatusCode, title: &str, text: &str, code: &str| {
        Page { title, text, reference: Some((code, id)), form: "" }.into_response(status, &logins.entropy)
    };
    match stopped {
        Stopped::Said(Refusal { rule, .. }) if is_passing(rule) => {
            let text = "Whoever signs you in can't be reached. Go back to where you came from and try again in a minute.";
            let title = "Sign-in is not possible at the moment";
            let mut response = shown(StatusCode::SERVICE_UNAVAILABLE, title, text, rule.code());
            response.headers_mut().insert(RETRY_AFTER, 5.into());
            response
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
            shown(StatusCode::FORBIDDEN, "Sign-in did not work", text, rule.code())
        }
        Stopped::Denied(..) => {
            let text = "Whoever signs you in knows you, but you can't sign in here.";
            shown(StatusCode::FORBIDDEN, "You can't sign in here", text, NOT_LET_IN)
        }
        Stopped::Other(refused) => {
            let (status, code, text) = refused.parts();
            let title = if status.is_server_error() { "Sign-in is not possible at the moment" } else { "Sign-in did not work" };
            let mut response = shown(status, title, text, code);
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
