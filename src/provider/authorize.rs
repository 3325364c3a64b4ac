//! `/authorize`: whoever is signed in goes on to the application with a code; whoever is not signs in first and comes back here.

mod ask;
pub(super) mod decide;

use super::chooser::{self, Ways};
use super::claims;
use super::id_token;
use super::parameters::Parameters;
use super::request::{self, Back, Mode, Request, Stranger, Told};
use super::{Call, Provider};
use crate::clock::Micros;
use crate::http::page::{Page, posting};
use crate::http::request_id::RequestId;
use crate::model::client::Client;
use crate::model::event::LogEntry;
use crate::model::grant::{CODE_LASTS, Grant};
use crate::model::ids::{ClientId, GrantId, OrganizationId};
use crate::model::session::SignedIn;
use crate::secret::TokenKind;
use crate::store::codes::{self, StoredCode};
use crate::store::{self, Batch, clients, consents, events};
use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, LOCATION, REFERRER_POLICY, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use decide::{Question, Session, Step, decide, still};
use rosterd_saml::write::html;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

/// Since when the person has to have signed in, sealed; ours, and told to nobody.
pub(super) const SINCE: &str = "rosterd_since";
/// Whom the application believes to meet, in place of its hint, which is long. It only narrows, so that anybody may say it.
const MEANT: &str = "rosterd_meant";
/// What the person answered on a page of ours.
pub(super) const CONFIRMED: &str = "confirmed";
/// What of a request comes back to us after a sign-in.
const KEPT: [&str; 18] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "audience",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "claims",
    "acr_values",
    "login_hint",
    "organization",
    "connection",
    MEANT,
];

/// Why a request does not go on, as an answer.
enum Stopped {
    Page(Stranger),
    Back(Back, Told),
    Answer(Box<Response>),
}

impl From<Box<Response>> for Stopped {
    fn from(answer: Box<Response>) -> Self {
        Self::Answer(answer)
    }
}

const UNAVAILABLE: Told =
    Told { error: "temporarily_unavailable", says: "this can't be answered at the moment, try again later" };
const INTERNAL: Told = Told { error: "server_error", says: "an internal error" };
const TOO_LONG: Told = Told {
    error: "invalid_request",
    says: "the request is too long to be kept while the person signs in: wanted a shorter state, nonce, scope or claims",
};
const DENIED: Told = Told { error: "access_denied", says: "the person said no" };
const LOGIN_REQUIRED: Told = Told { error: "login_required", says: "the person has to sign in" };

pub(super) async fn answer(call: Call, body: Body) -> Response {
    let parameters = match call.parts.method {
        Method::GET | Method::HEAD => Parameters::parse(call.parts.uri.query().unwrap_or_default().as_bytes()),
        Method::POST => call.provider.form(body).await,
        _ => return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, POST")]).into_response(),
    };
    let Ok(parameters) = parameters else { return stranger(&call.provider, &call.parts, Stranger::Unreadable) };
    let said =
        parameters.one(CONFIRMED).filter(|_| call.parts.method == Method::POST && call.provider.logins.is_ours(&call.parts));
    if call.parts.method == Method::POST && said.is_none() {
        // Another site's form comes without our cookie; the same as a link comes with it.
        return goes_to(&format!("{}?{}", call.path("/authorize"), parameters.without(&[CONFIRMED]).to_query()));
    }
    match go_on(&call, &parameters.without(&[CONFIRMED]), said).await {
        Ok(response) => response,
        Err(Stopped::Page(who)) => stranger(&call.provider, &call.parts, who),
        Err(Stopped::Back(back, told)) => {
            tracing::info!(error = told.error, says = told.says, "an application's request was refused");
            told_back(&call, &back, &[("error", told.error), ("error_description", told.says)])
        }
        Err(Stopped::Answer(response)) => *response,
    }
}

async fn go_on(call: &Call, parameters: &Parameters, said: Option<&str>) -> Result<Response, Stopped> {
    let logins = &call.provider.logins;
    let id = ClientId::new(request::client_id(parameters).map_err(Stopped::Page)?);
    let found = clients::find(&logins.store, &call.tenant.id, &id).await;
    // Nothing is known of where to answer.
    let found = found.map_err(|error| Stopped::Answer(Box::new(super::error::Refusal::from(error).into_response())))?;
    let client = found.ok_or(Stopped::Page(Stranger::NoClient))?.client;
    let back = request::back(parameters, &client).map_err(Stopped::Page)?;
    let stop = |told: Told| Stopped::Back(back.clone(), told);
    let request = request::read(parameters, client.options.without_pkce).map_err(stop)?;
    let signed_in = logins.who(&call.parts).await?;
    let organization = organization(call, &request, &back).await?;
    let meant = match &request.id_token_hint {
        None => parameters.one(MEANT).map(str::to_owned),
        Some(text) => {
            let keys = call.provider.keys.of(logins, &call.tenant.id).await.map_err(|_| stop(INTERNAL))?;
            let hint = id_token::recognise(&keys, &call.issuer, text).filter(|hint| hint.client_id == client.id.as_str());
            let none = Told { error: "invalid_request", says: "id_token_hint: is none of ours for this application" };
            Some(short(&hint.ok_or_else(|| stop(none))?.sub))
        }
    };
    let now = call.provider.now();
    let since = parameters.one(SINCE).and_then(|text| since(&call.provider, (&client, &request), text));
    let session = signed_in.as_ref().map(|signed_in| {
        let named = |asked: &String| *asked == signed_in.connection || *asked == signed_in.connection_id.as_str();
        Session {
            began_at: signed_in.session.created_at,
            auth_time: signed_in.session.auth_time,
            fits: organization.as_ref().is_none_or(|wanted| signed_in.organization_id.as_ref() == Some(wanted))
                && request.connection.as_ref().is_none_or(named)
                && client.options.takes(&signed_in.connection),
            is_strong: request.strength.is_met_by(signed_in.session.proof.acr.as_deref()),
            is_meant: meant.as_ref().is_none_or(|meant| *meant == short(&claims::subject(&signed_in.user_id))),
        }
    });
    let question = match (&signed_in, said) {
        (Some(signed_in), None) => open_question(call, &client, &request, &back, signed_in).await?,
        _ => Question::None,
    };
    match decide(&request, session.as_ref(), since, question, now) {
        Step::Issue => {
            let signed_in = signed_in.as_ref().ok_or_else(|| stop(LOGIN_REQUIRED))?;
            match said {
                Some("yes") | None => issue(call, &client, &request, &back, signed_in, said.is_some()).await,
                Some(_) => Err(stop(DENIED)),
            }
        }
        Step::Refuse(told) => Err(stop(told)),
        Step::Ask(question) => {
            let own = signed_in.as_ref().and_then(|signed_in| signed_in.organization_id.as_ref());
            let own = call.organization(own).await?;
            Ok(ask::page(call, (&client, own.as_ref()), &request, parameters, question))
        }
        Step::SignIn { anew, prove } => {
            let mut again = parameters.only(&KEPT);
            if let (Some(meant), true) = (&meant, request.id_token_hint.is_some()) {
                again = again.without(&[MEANT]).with(MEANT, meant);
            }
            let since = still(since, now);
            if anew || since.is_some() {
                let at = since.unwrap_or(now);
                again = again.with(SINCE, &logins.keys.seal_text(&at.to_be_bytes(), &place(&client, &request), &logins.entropy));
            }
            let ways = Ways::of(call, &client, &request, organization).await?;
            chooser::page(
                call,
                &client,
                &again,
                &ways,
                chooser::How { asks: request.prompt.select, prove, strength: &request.strength },
            )
            .ok_or_else(|| stop(TOO_LONG))
        }
    }
}

/// What has to be asked of whoever is signed in.
async fn open_question(
    call: &Call,
    client: &Client,
    request: &Request,
    back: &Back,
    signed_in: &SignedIn,
) -> Result<Question, Stopped> {
    let given = match client.options.asks_consent {
        true => consents::find(&call.provider.logins.store, &call.tenant.id, &signed_in.session.profile_id, &client.id).await,
        false => Ok(None),
    };
    let given = given.map_err(|error| {
        tracing::warn!(%error, "what somebody said of an application could not be read");
        Stopped::Back(back.clone(), UNAVAILABLE)
    })?;
    Ok(decide::question(
        client,
        &back.redirect_uri,
        request.prompt,
        &claims::words(&request.scope, &request.asked),
        given.as_deref(),
    ))
}

/// A subject in a few letters.
fn short(sub: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(sub))
}

/// Whom people have to belong to: what was asked for, else whoever has proven the domain of the address that is hinted at.
async fn organization(call: &Call, request: &Request, back: &Back) -> Result<Option<OrganizationId>, Stopped> {
    let Some(named) = &request.organization else { return Ok(None) };
    let found = call.provider.logins.organization(&call.tenant, named).await?;
    let told = Told { error: "invalid_request", says: "organization: there is none of that name" };
    found.map(Some).ok_or(Stopped::Back(back.clone(), told))
}

/// Of this one request: in another it says nothing.
fn place(client: &Client, request: &Request) -> String {
    format!("authorize {} {} {}", client.tenant_id, client.id, request.own_mark())
}

fn since(provider: &Provider, (client, request): (&Client, &Request), text: &str) -> Option<Micros> {
    let opened = provider.logins.keys.open_text(text, &place(client, request)).ok()?;
    Some(Micros::from_be_bytes(opened.expose().as_slice().try_into().ok()?))
}

async fn issue(
    call: &Call,
    client: &Client,
    request: &Request,
    back: &Back,
    signed_in: &SignedIn,
    consented: bool,
) -> Result<Response, Stopped> {
    let logins = &call.provider.logins;
    let now = call.provider.now();
    let session = &signed_in.session;
    let code = TokenKind::Code.generate(&logins.entropy);
    let stored = StoredCode {
        grant: Grant {
            tenant_id: call.tenant.id.clone(),
            id: GrantId::new(logins.entropy.uuid(now)),
            client_id: client.id.clone(),
            session_id: session.id.clone(),
            profile_id: session.profile_id.clone(),
            identity_id: session.identity_id.clone(),
            organization_id: signed_in.organization_id.clone(),
            offline: request.scope.split(' ').any(|word| word == "offline_access"),
            scope: request.scope.clone(),
            asked: request.asked.to_text(),
            auth_time: session.auth_time,
            proof: session.proof.clone(),
            created_at: now,
            expires_at: now.saturating_add(CODE_LASTS),
        },
        redirect_uri: back.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        nonce: request.nonce.clone(),
        used_at: None,
        person: None,
    };
    let mut batch = Batch::default();
    codes::insert(&mut batch, &stored, &logins.keys.hash_token(code.expose()));
    events::insert_log(&mut batch, &call.tenant.id, &[logged(call, client, signed_in, now)]);
    if consented && client.options.asks_consent {
        let knows = claims::words(&request.scope, &request.asked);
        consents::put(&mut batch, &call.tenant.id, (&session.profile_id, &client.id), &knows, now);
    }
    match logins.store.apply(batch).await {
        Ok(()) => Ok(told_back(call, back, &[("code", code.expose())])),
        // The person or the application went in this moment.
        Err(store::Error::Stale) => Err(Stopped::Back(back.clone(), LOGIN_REQUIRED)),
        Err(error) => {
            tracing::warn!(%error, "a code could not be stored");
            Err(Stopped::Back(back.clone(), UNAVAILABLE))
        }
    }
}

fn logged(call: &Call, client: &Client, signed_in: &SignedIn, now: Micros) -> LogEntry {
    let logins = &call.provider.logins;
    let entry = LogEntry {
        id: logins.entropy.uuid(now),
        kind: "authorized",
        outcome: "ok",
        connection_id: Some(signed_in.connection_id.clone()),
        identity_id: Some(signed_in.session.identity_id.clone()),
        profile_id: Some(signed_in.session.profile_id.clone()),
        client_id: Some(client.id.clone()),
        actor: client.id.to_string(),
        request_id: request_id(&call.parts).to_owned(),
        detail: Some(json!({ "client": client.name }).to_string()),
        at: now - now % 1_000,
        ..LogEntry::default()
    };
    entry.from_where(Some(logins.address_of(&call.parts)), user_agent(&call.parts))
}

pub(super) fn user_agent(parts: &Parts) -> Option<&str> {
    parts.headers.get(USER_AGENT)?.to_str().ok()
}

pub(super) fn request_id(parts: &Parts) -> &str {
    parts.extensions.get::<RequestId>().map_or("", |id| id.0.as_str())
}

/// The answer, with whose it is (RFC 9207) and the application's own word.
fn told_back(call: &Call, back: &Back, fields: &[(&str, &str)]) -> Response {
    let mut fields = fields.to_vec();
    if let Some(state) = &back.state {
        fields.push(("state", state));
    }
    fields.push(("iss", &call.issuer));
    match back.mode {
        Mode::Query => {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let sign = if back.redirect_uri.contains('?') { '&' } else { '?' };
            goes_to(&format!("{}{sign}{query}", back.redirect_uri))
        }
        Mode::FormPost => posting(|nonce| form_post(&back.redirect_uri, &fields, nonce), &call.provider.logins.entropy),
    }
}

fn form_post(to: &str, fields: &[(&str, &str)], nonce: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign in</title></head><body>\
         <form method=\"post\" action=\"{}\">{}<button type=\"submit\">Continue</button></form>\
         <script nonce=\"{}\">document.forms[0].submit()</script></body></html>",
        html(to),
        hidden(fields.iter().copied()),
        html(nonce),
    )
}

/// Fields of a form that nobody sees.
pub(super) fn hidden<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    fields.map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", html(name), html(value))).collect()
}

/// Somewhere else, at once, and nothing of where from.
pub(super) fn goes_to(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(address) = HeaderValue::from_str(address) {
        headers.insert(LOCATION, address);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn stranger(provider: &Provider, parts: &Parts, who: Stranger) -> Response {
    tracing::info!(reason = who.code(), "an application's request was refused");
    let text = "The application that sent you here asked for something it may not ask for. Go back to it and try again.";
    let page = Page { title: "This did not work", text, reference: Some((who.code(), request_id(parts))), form: "" };
    page.into_response(StatusCode::BAD_REQUEST, &provider.logins.entropy)
}

impl Call {
    /// A path of ours as browsers ask for it: a proxy may have us below one of its own.
    pub(super) fn path(&self, path: &str) -> String {
        let below = Url::parse(&self.issuer).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        below + path
    }
}
