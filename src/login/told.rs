//! What becomes of a login, told twice: to the person a page with a code and a reference, to the administrator reason, expected and
//! received values, and of whoever got in what became of each attribute; in the log and in the connection's recorded traffic. SAML and
//! OAuth have their own reasons and words for them; what is done with these is here.

use super::answer::Refused;
use super::{Logins, request_id};
use crate::http::page::{Dress, Page};
use crate::model::connection::Connection;
use crate::model::tenant::Organization;
use crate::provisioning::decide::LoginTrace;
use crate::provisioning::decide::login::Denial;
use crate::store::organizations;
use crate::traffic::recorder::{Answered, Asked};
use crate::traffic::{Cause, Seen, Stranger};
use axum::extract::OriginalUri;
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// What the page says whenever the roster keeps somebody out.
pub(super) const NOT_LET_IN: &str = "access_denied";

/// What an administrator reads of a login.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) cause: Option<Cause>,
    pub(super) detail: Option<String>,
    /// Of somebody who was let in: what their source said and what became of each attribute. It stands where other requests have
    /// their answer.
    pub(super) trace: Option<Value>,
}

impl Noted {
    /// Of somebody who got in. `source`: what their source had to do with it, without values; what of it was `left_out`.
    pub(super) fn entered(trace: Option<LoginTrace>, source: Value, left_out: &[String]) -> Self {
        let left_out: String = left_out.iter().map(|what| format!("; not read: {what}")).collect();
        let detail = trace.as_ref().map(|trace| format!("{}{left_out}", trace.line()));
        let trace = trace.map(|trace| json!({ "provider": source, "login": trace.to_json() }));
        Self { cause: None, detail, trace }
    }

    /// Of somebody whom the roster keeps out.
    pub(super) fn denied(denial: &Denial) -> Self {
        Self { cause: Some(Cause::LoginDenied), detail: Some(because(denial)), trace: None }
    }
}

/// Why, for the administrator.
fn because(denial: &Denial) -> String {
    let mut detail = denial.detail();
    detail.remove("reason");
    if detail.is_empty() { denial.code().to_owned() } else { format!("{}; {}", denial.code(), Value::Object(detail)) }
}

/// Puts what was asked and answered into the connection's recorded traffic; nothing of a message, a code or a token. `is_anybodys`:
/// somebody without any key can have caused it, and what is kept of those must not push out what is worth keeping.
pub(super) fn note(
    logins: &Logins,
    connection: &Connection,
    parts: &Parts,
    (started, status): (Instant, StatusCode),
    noted: Noted,
    is_anybodys: bool,
) {
    let took = started.elapsed();
    let at = logins.clock.now() - i64::try_from(took.as_micros()).unwrap_or_default();
    // As it was asked for: routers see what is left below their prefix.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let mut asked = Asked::new(at, request_id(parts).to_owned(), &parts.method, uri, &parts.headers);
    // A query holds the code, or a message with its signature.
    asked.target = asked.target.split('?').next().unwrap_or_default().to_owned();
    let Noted { cause, detail, trace } = noted;
    let body = trace.map(|trace| Bytes::from(trace.to_string()));
    let answered = Answered { status: status.as_u16(), scim_type: None, cause, detail, body, body_bytes: 0, took };
    if is_anybodys {
        let named = connection.id.as_str().to_owned();
        logins.recorder.note_stranger(Stranger { named, asked, answered });
        return;
    }
    logins.recorder.note(Seen { connection: Arc::new(connection.clone()), token: None, asked, answered, secrets: Arc::from([]) });
}

/// Whether this refusal is written down: anybody can send answers, and what is kept of those of one address has a limit.
pub(super) async fn is_written_down(logins: &Logins, connection: &Connection, parts: &Parts, counted_as: &'static str) -> bool {
    let counted = logins.limits.of_refusals(logins.client_address(parts));
    let counting = logins.limits.count(&logins.store, &connection.tenant_id, &[counted], logins.clock.now()).await;
    if counting.is_err() {
        logins.metrics.refused(counted_as);
    }
    counting.is_ok()
}

/// Puts a refusal into the log, with what was expected and what came.
pub(super) async fn log(
    logins: &Logins,
    connection: &Connection,
    parts: &Parts,
    code: &'static str,
    (expected, received): (Option<&str>, Option<&str>),
) {
    let login = logins.login(connection, parts);
    let facts: Vec<(&str, &str)> =
        [("expected", expected), ("received", received)].into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    if let Err(error) = logins.provisioner.note_unverified(&login, code, None, &facts).await {
        tracing::warn!(%error, code, "a refused login could not be logged");
    }
}

/// A page about something that does not go on.
pub(super) struct Shown<'a> {
    pub(super) status: StatusCode,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) code: &'a str,
}

/// Whose people a page is for.
#[derive(Default)]
pub(super) struct Own(Option<Organization>);

impl Own {
    /// The organization whose connection that is. A store that can't say so is no reason to say nothing.
    pub(super) async fn of(logins: &Logins, connection: Option<&Connection>) -> Self {
        let Some((connection, id)) = connection.and_then(|one| Some((one, one.organization_id.as_ref()?))) else {
            return Self(None);
        };
        Self(organizations::find(&logins.store, &connection.tenant_id, id).await.unwrap_or_default())
    }

    pub(super) fn dress(&self) -> Option<Dress<'_>> {
        self.0.as_ref().map(Dress::of)
    }
}

/// What the person reads, as the organization has it whose connection that is.
pub(super) async fn page(logins: &Logins, parts: &Parts, of: Option<&Connection>, shown: Shown<'_>) -> Response {
    let own = Own::of(logins, of).await;
    let Shown { status, title, text, code } = shown;
    let page = Page { title, text, reference: Some((code, request_id(parts))), form: "" };
    page.dressed(own.dress(), status, &logins.entropy)
}

/// The same where nothing is said of the message or the person. `titles`: it can't be done now; it did not work.
pub(super) async fn page_of(
    logins: &Logins,
    parts: &Parts,
    of: Option<&Connection>,
    refused: Refused,
    titles: [&str; 2],
) -> Response {
    let (status, code, text) = refused.parts();
    let title = titles[usize::from(!status.is_server_error())];
    let mut response = page(logins, parts, of, Shown { status, title, text, code }).await;
    match refused {
        Refused::Unavailable | Refused::Misconfigured => _ = response.headers_mut().insert(RETRY_AFTER, 5.into()),
        Refused::MethodNotAllowed { allow } => _ = response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow)),
        _ => {}
    }
    response
}
