//! `/saml/{connection}/slo`: single logout, in both directions, by redirect and by form.
//!
//! An identity provider that asks, signed, ends the sessions it began here, and is told so. Somebody who signs out here, by the
//! button of the page or a form of the application, is sent on to sign out there too. The session here ends first: whether the
//! other side answers decides nothing.

use super::refuse::Stopped;
use super::sent::{Message, send};
use super::waiting::{self, For, WAITS_FOR, Waiting};
use super::{Logins, Site, authenticity, read_form, wants};
use crate::clock::Micros;
use crate::http::page::Page;
use crate::login::answer::{Refused, goes_to};
use crate::login::visit::{checked, return_to_of};
use crate::login::{cookie, request_id, session, user_agent};
use crate::model::event::LogEntry;
use crate::model::ids::SessionId;
use crate::model::saml::RequestBinding;
use crate::model::session::SignedIn;
use crate::saml::metadata::{IdentityProvider, endpoint, instant};
use crate::saml::subject::Subject;
use crate::store::{self, Batch, events, login_used, saml_sessions, sessions};
use crate::traffic::Cause;
use axum::body::Body;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use rosterd_saml::logout::{
    Expectation, LogoutOutcome, LogoutRequest, LogoutResponse, VerifiedLogoutRequest, read_request, read_response,
};
use rosterd_saml::redirect::{self, Kind, Vouched};
use rosterd_saml::write::html;
use serde_json::json;
use url::form_urlencoded;

pub(super) async fn answer(logins: &Logins, site: &Site, parts: &Parts, body: Body) -> Result<Response, Stopped> {
    wants(parts, "GET, POST")?;
    if !site.connection.options.saml.single_logout {
        return Err(Stopped::told("saml_single_logout_off", Cause::SamlUnasked));
    }
    let _place = logins.place(&site.connection)?;
    if parts.method == Method::POST {
        let fields = read_form(logins, body).await?;
        return match (fields.request, fields.response) {
            (Some(field), None) => {
                let (message, idp) = authenticity::of_form(logins, site, field).await?;
                asked(logins, site, (&message, &idp), fields.relay_state.as_deref()).await
            }
            (None, Some(field)) => {
                let (message, idp) = authenticity::of_form(logins, site, field).await?;
                answered(logins, site, parts, &message, &idp)
            }
            (None, None) => leave(logins, site, parts, checked(logins, fields.return_to)?).await,
            _ => Err(Stopped::Other(Refused::request("invalid_body", "SAMLRequest and SAMLResponse: one of them, not both"))),
        };
    }
    let query = parts.uri.query().unwrap_or_default();
    let has = |name: &str| form_urlencoded::parse(query.as_bytes()).any(|(found, _)| found == name);
    if has("SAMLRequest") {
        let state = redirect::Received::from_query(query)?.relay_state;
        let (message, idp) = authenticity::of_query(logins, site, query).await?;
        return asked(logins, site, (&message, &idp), state.as_deref()).await;
    }
    if has("SAMLResponse") {
        let (message, idp) = authenticity::of_query(logins, site, query).await?;
        return answered(logins, site, parts, &message, &idp);
    }
    // Another site can lead here, but not press the button.
    let return_to = return_to_of(logins, query)?;
    Ok(ask(logins, return_to.as_deref()))
}

fn ask(logins: &Logins, return_to: Option<&str>) -> Response {
    let hidden = return_to
        .map_or(String::new(), |address| format!("<input type=\"hidden\" name=\"return_to\" value=\"{}\">", html(address)));
    let form = format!("<form method=\"post\">{hidden}<button type=\"submit\">Sign out</button></form>");
    let text = "You will be signed out here and at your identity provider.";
    let page = Page { title: "Sign out", text, reference: None, form: &form };
    page.into_response(StatusCode::OK, &logins.entropy)
}

fn expectation<'a>(site: &'a Site, idp: &'a IdentityProvider, now: Micros) -> Expectation<'a> {
    Expectation { slo_url: &site.addresses.slo, idp_entity_id: &idp.entity_id, now: instant(now), skew: site.skew() }
}

/// The identity provider asks that somebody be signed out.
async fn asked(
    logins: &Logins,
    site: &Site,
    (message, idp): (&Vouched, &IdentityProvider),
    relay_state: Option<&str>,
) -> Result<Response, Stopped> {
    let now = logins.clock.now();
    let request = read_request(message, &expectation(site, idp, now))?;
    let (meant, is_all) = meant(logins, site, &request).await?;
    let outcome = if is_all { LogoutOutcome::Everywhere } else { LogoutOutcome::Partly };
    let mut batch = Batch::default();
    // As long as any of its times could let it be taken.
    let until = now.saturating_add(WAITS_FOR.saturating_mul(2));
    login_used::insert(&mut batch, &site.tenant.id, &idp.entity_id, &request.id, until);
    for found in &meant {
        sessions::delete_by_id(&mut batch, &site.tenant.id, found);
    }
    if !meant.is_empty() {
        let detail = json!({ "by": "identity provider", "sessions": meant.len() });
        events::insert_log(&mut batch, &site.tenant.id, &[ended(logins, site, None, &detail, now)]);
    }
    match logins.store.apply(batch).await {
        // Again: nothing ends by it, and whoever repeats a page gets on.
        Ok(()) | Err(store::Error::Conflict) => {}
        Err(error) => return Err(error.into()),
    }
    let Some(endpoint) = endpoint(&idp.logout, RequestBinding::Auto) else { return Ok(signed_out(logins)) };
    let keys = logins.service_keys(site).await?;
    let id = waiting::new_id(&logins.entropy);
    let destination = endpoint.response_location.as_deref().unwrap_or(&endpoint.location);
    let response = LogoutResponse {
        id: &id,
        in_response_to: &request.id,
        issue_instant: instant(now),
        destination,
        issuer: &site.addresses.entity_id,
        outcome,
    };
    let message = Message { kind: Kind::Response, plain: response.xml(), signed: &|key| response.signed_xml(key) };
    send(logins, (endpoint.binding, destination), &message, relay_state, Some(&keys.current))
}

/// The sessions a request means: those of its subject, or of these only the ones it names. Whether there are no more.
async fn meant(logins: &Logins, site: &Site, request: &VerifiedLogoutRequest) -> Result<(Vec<SessionId>, bool), Stopped> {
    let found = saml_sessions::of_subject(&logins.store, &site.connection, &request.name_id.value).await?;
    let is_meant = |text: &str| {
        let subject = serde_json::from_str::<Subject>(text);
        subject.is_ok_and(|subject| subject.is_meant_by(&request.name_id, &request.session_indexes))
    };
    let is_all = found.len() < saml_sessions::OF_SUBJECT_MAX;
    Ok((found.into_iter().filter(|(_, text)| is_meant(text)).map(|(id, _)| id).collect(), is_all))
}

/// The answer to a request of ours. The session here is over, whatever it says.
fn answered(logins: &Logins, site: &Site, parts: &Parts, message: &Vouched, idp: &IdentityProvider) -> Result<Response, Stopped> {
    let now = logins.clock.now();
    let expected = expectation(site, idp, now);
    let id = rosterd_saml::logout::in_response_to(message)?.unwrap_or_default();
    let here = (For::Logout, &site.connection);
    let waiting = waiting::find(&logins.public_url, &parts.headers, &logins.keys, here, &id);
    let Some(waiting) = waiting.filter(|waiting| now < waiting.until()) else {
        return Err(Stopped::of_rule(rosterd_saml::rule::Rule::UnknownRequest));
    };
    let outcome = read_response(message, &waiting.id, &expected)?;
    let mut response = match (&waiting.return_to, outcome) {
        (Some(address), LogoutOutcome::Everywhere) => goes_to(address),
        (_, LogoutOutcome::Everywhere) => signed_out(logins),
        (_, LogoutOutcome::Partly) => {
            let text = "You are signed out here. Your identity provider could not sign you out everywhere else.";
            Page { title: "Signed out here", text, reference: None, form: "" }.into_response(StatusCode::OK, &logins.entropy)
        }
    };
    if let Some(cookie) = waiting::forget(&logins.public_url, &waiting.id) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn signed_out(logins: &Logins) -> Response {
    let page = Page { title: "Signed out", text: "You are signed out.", reference: None, form: "" };
    page.into_response(StatusCode::OK, &logins.entropy)
}

/// Somebody signs out here, and there if this connection's identity provider began the session and takes part.
async fn leave(logins: &Logins, site: &Site, parts: &Parts, return_to: Option<String>) -> Result<Response, Stopped> {
    logins.same_origin(parts)?;
    let signed_in = session::find(logins, parts).await?;
    let mut response = match &signed_in {
        Some(signed_in) => {
            let subject = subject_of(logins, site, signed_in).await?;
            let now = logins.clock.now();
            let mut batch = Batch::default();
            sessions::delete_by_id(&mut batch, &site.tenant.id, &signed_in.session.id);
            let entry = ended(logins, site, Some(signed_in), &json!({ "by": "person" }), now);
            let entry = LogEntry { request_id: request_id(parts).to_owned(), ..entry };
            let entry = entry.from_where(Some(logins.client_address(parts)), user_agent(parts));
            events::insert_log(&mut batch, &site.tenant.id, &[entry]);
            logins.store.apply(batch).await?;
            match subject {
                Some(subject) => away(logins, site, parts, &subject, return_to, now).await?,
                None => there(logins, return_to.as_deref()),
            }
        }
        None => there(logins, return_to.as_deref()),
    };
    response.headers_mut().append(SET_COOKIE, cookie::forget(&logins.public_url));
    Ok(response)
}

fn there(logins: &Logins, return_to: Option<&str>) -> Response {
    return_to.map_or_else(|| signed_out(logins), goes_to)
}

/// What this connection's identity provider calls the session, if it began it.
async fn subject_of(logins: &Logins, site: &Site, signed_in: &SignedIn) -> Result<Option<Subject>, Stopped> {
    let found = saml_sessions::find(&logins.store, &site.tenant.id, &signed_in.session.id).await?;
    let own = found.filter(|(connection, _)| *connection == site.connection.id);
    Ok(own.and_then(|(_, text)| serde_json::from_str(&text).ok()))
}

/// On to the identity provider, to sign out there.
async fn away(
    logins: &Logins,
    site: &Site,
    parts: &Parts,
    subject: &Subject,
    return_to: Option<String>,
    now: Micros,
) -> Result<Response, Stopped> {
    // Whoever can't be asked is no reason to be told that signing out failed: here it did not.
    let Ok(idp) = logins.identity_provider(site).await else { return Ok(there(logins, return_to.as_deref())) };
    let Some(endpoint) = endpoint(&idp.logout, RequestBinding::Auto) else { return Ok(there(logins, return_to.as_deref())) };
    let keys = logins.service_keys(site).await?;
    let waiting = Waiting { id: waiting::new_id(&logins.entropy), at: now, return_to, force_authn: false, session: None };
    let name_id = subject.to_name_id();
    let request = LogoutRequest {
        id: &waiting.id,
        issue_instant: instant(now),
        not_on_or_after: instant(waiting.until()),
        destination: &endpoint.location,
        issuer: &site.addresses.entity_id,
        name_id: &name_id,
        session_index: subject.session_index.as_deref(),
    };
    let message = Message { kind: Kind::Request, plain: request.xml(), signed: &|key| request.signed_xml(key) };
    let to = (endpoint.binding, endpoint.location.as_str());
    let mut response = send(logins, to, &message, Some(&waiting.id), Some(&keys.current))?;
    let sealing = (&logins.keys, &logins.entropy);
    for cookie in waiting::keep(&logins.public_url, &parts.headers, sealing, (For::Logout, &site.connection), &waiting) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn ended(logins: &Logins, site: &Site, signed_in: Option<&SignedIn>, detail: &serde_json::Value, now: Micros) -> LogEntry {
    LogEntry {
        id: logins.entropy.uuid(now),
        kind: "logout",
        outcome: "ok",
        connection_id: Some(site.connection.id.clone()),
        identity_id: signed_in.map(|signed_in| signed_in.session.identity_id.clone()),
        profile_id: signed_in.map(|signed_in| signed_in.session.profile_id.clone()),
        actor: String::from("login"),
        detail: Some(detail.to_string()),
        at: now - now % 1_000,
        ..LogEntry::default()
    }
}
