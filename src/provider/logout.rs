//! `/oidc/logout` (OpenID Connect RP-Initiated Logout): ends the session here, and sends the person on to an address that the
//! application registered for that. Whoever comes without proof of who is meant is asked first: any page can lead here.

use super::authorize::{goes_to, hidden, request_id, user_agent};
use super::claims;
use super::id_token;
use super::parameters::Parameters;
use super::{Call, dress};
use crate::http::page::Page;
use crate::model::event::LogEntry;
use crate::model::ids::ClientId;
use crate::model::session::SignedIn;
use crate::model::tenant::Organization;
use crate::store::{Batch, clients, events, grants, sessions};
use axum::body::Body;
use axum::http::header::{ALLOW, SET_COOKIE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use url::form_urlencoded;

/// The button was pressed.
const CONFIRMED: &str = "confirmed";

/// Where a person goes afterwards, checked; and whom the application meant.
struct Leaving {
    to: Option<String>,
    sub: Option<String>,
}

pub(super) async fn answer(call: Call, body: Body) -> Response {
    let parameters = match call.parts.method {
        Method::GET | Method::HEAD => Parameters::parse(call.parts.uri.query().unwrap_or_default().as_bytes()),
        Method::POST => call.provider.form(body).await,
        _ => return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, POST")]).into_response(),
    };
    let Ok(parameters) = parameters else { return refused(&call, "unreadable_request") };
    let is_confirmed =
        call.parts.method == Method::POST && parameters.one(CONFIRMED).is_some() && call.provider.logins.is_ours(&call.parts);
    if call.parts.method == Method::POST && !is_confirmed {
        // Another site's form comes without our cookie; the same as a link comes with it.
        return goes_to(&format!("{}?{}", call.path("/oidc/logout"), parameters.without(&[CONFIRMED]).to_query()));
    }
    match leave(&call, &parameters, is_confirmed).await {
        Ok(response) => response,
        Err(response) => *response,
    }
}

async fn leave(call: &Call, parameters: &Parameters, is_confirmed: bool) -> Result<Response, Box<Response>> {
    let leaving = leaving(call, parameters).await?;
    let Some(signed_in) = call.provider.logins.who(&call.parts).await? else {
        return Ok(gone(call, leaving.to.as_deref(), None));
    };
    let own = call.organization(signed_in.organization_id.as_ref()).await?;
    let is_meant = leaving.sub.is_some_and(|sub| sub == claims::subject(&signed_in.user_id));
    if !is_meant && !is_confirmed {
        return Ok(ask(call, parameters, own.as_ref()));
    }
    end(call, &signed_in).await?;
    Ok(gone(call, leaving.to.as_deref(), own.as_ref()))
}

async fn leaving(call: &Call, parameters: &Parameters) -> Result<Leaving, Box<Response>> {
    let logins = &call.provider.logins;
    let no = |code| Box::new(refused(call, code));
    if parameters.repeated().is_some() {
        return Err(no("repeated_parameter"));
    }
    let hint = match parameters.one("id_token_hint") {
        None => None,
        Some(text) => {
            let keys = call.provider.keys.of(logins, &call.tenant.id).await.map_err(|error| failed(error.into()))?;
            // One too old to be known says nothing: then the person is asked.
            id_token::recognise(&keys, &call.issuer, text)
        }
    };
    let named = parameters.one("client_id");
    if let (Some(hint), Some(named)) = (&hint, named)
        && hint.client_id != named
    {
        return Err(no("another_client"));
    }
    let to = match parameters.one("post_logout_redirect_uri") {
        None => None,
        Some(uri) => {
            let id = hint.as_ref().map(|hint| hint.client_id.as_str()).or(named).ok_or_else(|| no("unknown_client"))?;
            let found = clients::find(&logins.store, &call.tenant.id, &ClientId::new(id)).await;
            let client = found.map_err(|error| failed(error.into()))?.ok_or_else(|| no("unknown_client"))?.client;
            if !client.options.leads_on_to(uri) {
                return Err(no("unregistered_post_logout_redirect_uri"));
            }
            Some(with_state(uri, parameters.one("state")))
        }
    };
    Ok(Leaving { to, sub: hint.map(|hint| hint.sub) })
}

fn failed(refusal: super::error::Refusal) -> Box<Response> {
    Box::new(refusal.into_response())
}

fn with_state(uri: &str, state: Option<&str>) -> String {
    let Some(state) = state else { return uri.to_owned() };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    let sign = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{sign}{query}")
}

/// The session, and what was for as long as it.
async fn end(call: &Call, signed_in: &SignedIn) -> Result<(), Box<Response>> {
    let logins = &call.provider.logins;
    let now = call.provider.now();
    let session = &signed_in.session;
    let mut batch = Batch::default();
    sessions::delete_by_id(&mut batch, &call.tenant.id, &session.id);
    grants::delete_of_session(&mut batch, &call.tenant.id, &session.profile_id, &session.id);
    let entry = LogEntry {
        id: logins.entropy.uuid(now),
        kind: "logout",
        outcome: "ok",
        connection_id: Some(signed_in.connection_id.clone()),
        identity_id: Some(session.identity_id.clone()),
        profile_id: Some(session.profile_id.clone()),
        actor: String::from("login"),
        request_id: request_id(&call.parts).to_owned(),
        detail: Some(json!({ "by": "application" }).to_string()),
        at: now - now % 1_000,
        ..LogEntry::default()
    };
    let entry = entry.from_where(Some(logins.address_of(&call.parts)), user_agent(&call.parts));
    events::insert_log(&mut batch, &call.tenant.id, &[entry]);
    logins.store.apply(batch).await.map_err(|error| failed(error.into()))
}

fn gone(call: &Call, to: Option<&str>, own: Option<&Organization>) -> Response {
    let mut response = match to {
        Some(to) => goes_to(to),
        None => {
            let page = Page { title: "Signed out", text: "You are signed out.", reference: None, form: "" };
            page.dressed(dress(own), StatusCode::OK, &call.provider.logins.entropy)
        }
    };
    response.headers_mut().append(SET_COOKIE, call.provider.logins.forgets());
    response
}

fn ask(call: &Call, parameters: &Parameters, own: Option<&Organization>) -> Response {
    let fields = parameters.without(&[CONFIRMED]).with(CONFIRMED, "yes");
    let form = format!(
        "<form method=\"post\" action=\"{}\">{}<button type=\"submit\">Sign out</button></form>",
        call.path("/oidc/logout"),
        hidden(fields.iter())
    );
    let page = Page { title: "Sign out", text: "Do you want to sign out?", reference: None, form: &form };
    page.dressed(dress(own), StatusCode::OK, &call.provider.logins.entropy)
}

fn refused(call: &Call, code: &str) -> Response {
    let text = "The application that sent you here asked for something it may not ask for. You are still signed in.";
    let page = Page { title: "This did not work", text, reference: Some((code, request_id(&call.parts))), form: "" };
    page.into_response(StatusCode::BAD_REQUEST, &call.provider.logins.entropy)
}
