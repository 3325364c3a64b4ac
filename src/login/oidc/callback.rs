//! `/login/callback/{connection}`: the answer of a provider, from the browser to a session.
//!
//! In this order: whether this browser waits for it, that nobody used it before, whom it is from; then the code is exchanged,
//! once; then the ID token, the profile, and whom they are about. Only then does the roster hear of it. What was used stays used,
//! whatever comes of it.

use super::posted::{self, Fields};
use super::refuse::{self, Stopped};
use super::waiting::{self, Waiting};
use super::{Logins, Site};
use crate::clock::{Micros, SECOND};
use crate::http::body;
use crate::login::answer::{Refused, goes_to};
use crate::login::enter::stopped;
use crate::login::session::Beginning;
use crate::login::told::Noted;
use crate::login::{cookie, return_to};
use crate::model::proof::Proof;
use crate::oidc::discovery::Provider;
use crate::oidc::id_token::{Expectation, VerifiedIdToken, verified};
use crate::oidc::keys::KeySet;
use crate::oidc::record::{Said, record};
use crate::oidc::settings::Settings;
use crate::oidc::token_answer::TokenAnswer;
use crate::oidc::{Beside, Refusal, Rule, apple_user, unverified};
use crate::profile::verified::{LoginRecord, Verified, Verify};
use crate::provisioning::decide::LoginTrace;
use crate::provisioning::login::Entering;
use crate::secret::Secret;
use crate::store::{self, Batch, login_used};
use axum::body::Body;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For all that a provider is asked in one login: each call has its own, shorter time.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn answer(logins: &Logins, site: &Site, parts: &Parts, body: Body, started: Instant) -> Response {
    let fields = match read(logins, site, parts, body).await {
        Ok(Read::Fields(fields)) => fields,
        Ok(Read::SentOn(response)) => return response,
        Err(stopped) => return refuse::refuse(logins, site, parts, started, stopped).await,
    };
    let state = fields.state.as_deref().unwrap_or_default();
    let waiting = waiting::find(&logins.public_url, &parts.headers, &logins.keys, &site.connection, state);
    let Some(waiting) = waiting else {
        return refuse::refuse(logins, site, parts, started, Rule::StateUnknown.refused().into()).await;
    };
    let mut response = match entered(logins, site, parts, &waiting, fields).await {
        Ok((response, noted)) => {
            refuse::note(logins, site, parts, started, response.status(), noted);
            response
        }
        Err(stopped) => refuse::refuse(logins, site, parts, started, stopped).await,
    };
    if let Some(cookie) = waiting::forget(&logins.public_url, &waiting.state) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

enum Read {
    Fields(Fields),
    SentOn(Response),
}

async fn read(logins: &Logins, site: &Site, parts: &Parts, body: Body) -> Result<Read, Stopped> {
    let takes_forms = crate::oidc::kind::of(site.connection.kind).is_some_and(|kind| kind.response_mode.is_some());
    match parts.method {
        Method::GET => {
            let fields = posted::fields(parts.uri.query().unwrap_or_default().as_bytes())?;
            Ok(Read::Fields(posted::opened(logins, site, fields)?))
        }
        Method::POST if takes_forms => {
            let bytes = body::read(body, posted::BYTES_MAX, logins.body_timeout).await;
            let fields = posted::fields(&bytes.map_err(|error| Stopped::Other(Refused::Body(error)))?)?;
            Ok(Read::SentOn(posted::sent_on(logins, site, fields)?))
        }
        _ => Err(Stopped::Other(Refused::MethodNotAllowed { allow: if takes_forms { "GET, POST" } else { "GET" } })),
    }
}

async fn entered(
    logins: &Logins,
    site: &Site,
    parts: &Parts,
    waiting: &Waiting,
    fields: Fields,
) -> Result<(Response, Noted), Stopped> {
    let now = logins.clock.now();
    if now > waiting.until() {
        return Err(Rule::StateExpired.refused().into());
    }
    // First: whom there is no place for may ask again with the same answer.
    let _place = logins.place(&site.connection)?;
    let tries = [logins.limits.of_answers(logins.client_address(parts))];
    logins.limits.count(&logins.store, &site.tenant.id, &tries, now).await?;
    used_up(logins, site, waiting).await?;
    let settings = site.settings(logins).await?;
    let provider = logins.oidc.providers.provider(&site.connection, &settings).await?;
    let code = code(&provider, waiting, &fields)?;
    let asking = said(logins, site, (&settings, &provider), waiting, (&code, fields.user.as_deref()));
    let (said, facts) = tokio::time::timeout(ANSWERED_WITHIN, asking).await.unwrap_or_else(|_| {
        let took = format!("no end within {} s of all that is asked", ANSWERED_WITHIN.as_secs());
        Err(Rule::ProfileUnavailable.refused().received(took))
    })?;
    logins.limits.take_back(&logins.store, &site.tenant.id, &tries).await?;
    let verified = Verified::by(Check { said: &said, settings: &settings }).await?;
    let proved = (proved_at(&said), said.proof());
    let (response, trace) = let_in(logins, site, parts, (&verified, proved), waiting).await?;
    let left_out = facts.get("left_out").and_then(Value::as_array).into_iter().flatten();
    let left_out: Vec<String> = left_out.filter_map(Value::as_str).map(str::to_owned).collect();
    Ok((response, Noted::entered(trace, Value::Object(facts), &left_out)))
}

/// Nobody can answer this login again, at whichever replica.
async fn used_up(logins: &Logins, site: &Site, waiting: &Waiting) -> Result<(), Stopped> {
    let mut batch = Batch::default();
    login_used::insert(&mut batch, &site.tenant.id, site.connection.id.as_str(), &waiting.state, waiting.until());
    match logins.store.apply(batch).await {
        Ok(()) => Ok(()),
        Err(store::Error::Conflict) => Err(Rule::StateUsed.refused().into()),
        Err(error) => Err(error.into()),
    }
}

/// The code, if the answer is of the provider that the browser was sent to.
fn code(provider: &Provider, waiting: &Waiting, fields: &Fields) -> Result<Secret<String>, Refusal> {
    if provider.token != waiting.token_endpoint
        || provider.issuer.as_ref().map(|issuer| issuer.shown()) != waiting.issuer.as_deref()
    {
        return Err(Rule::StateExpired.refused().received("the connection leads to another provider now"));
    }
    if let Some(issuer) = &provider.issuer {
        let mismatch = |received: &str| Rule::CallbackIssuer.refused().expected(issuer.shown()).received(received);
        match fields.iss.as_deref() {
            // Of several tenants only the ID token says which.
            Some(found) if !issuer.is_of_tenants() && !issuer.is(found, None) => return Err(mismatch(found)),
            None if provider.promises_issuer => return Err(mismatch("none")),
            _ => {}
        }
    }
    if let Some(error) = &fields.error {
        let rule =
            if error == "access_denied" || error.starts_with("user_cancelled") { Rule::Cancelled } else { Rule::ProviderError };
        let described = fields.error_description.as_ref().map_or(String::new(), |text| format!(": {text}"));
        return Err(rule.refused().received(format!("{error}{described}")));
    }
    let code = fields.code.clone().filter(|code| !code.is_empty());
    code.map(Secret::new).ok_or_else(|| Rule::Callback.refused().received("neither code nor error"))
}

/// What the provider says of the person, each part of it checked; and what an administrator may want to know of how.
async fn said(
    logins: &Logins,
    site: &Site,
    (settings, provider): (&Settings, &Arc<Provider>),
    waiting: &Waiting,
    (code, user): (&Secret<String>, Option<&str>),
) -> Result<(Said, Map<String, Value>), Refusal> {
    let caller = logins.oidc.providers.caller(settings);
    let verifier = waiting.verifier.as_deref();
    let now = logins.clock.now();
    let answer = caller.exchange(provider, (code, verifier), &waiting.redirect_uri, now).await?;
    let required = answer.not_granted(&settings.required_scopes);
    if !required.is_empty() {
        let granted = answer.scopes.as_deref().unwrap_or_default().join(" ");
        return Err(Rule::ScopeNotGranted.refused().expected(required.join(" ")).received(granted));
    }
    let (id_token, keys) = match settings.kind.is_oidc() {
        true => {
            let (token, keys) = id_token(logins, site, (settings, provider), waiting, &answer).await?;
            (Some(token), Some(keys))
        }
        false => (None, None),
    };
    let profile = caller.profile(provider, &answer.access_token, keys.as_deref()).await?;
    let Beside { mut extra, left_out } = caller.beside(provider, &answer, (id_token.as_ref(), profile.as_ref())).await?;
    if settings.apple.is_some() {
        let user = user.and_then(apple_user);
        extra.extend(user.map(|user| (String::from("apple_user"), user)).into_iter().collect::<Map<_, _>>());
    }
    let mut facts = Map::new();
    let mut fact = |name: &str, value: Value| _ = facts.insert(name.to_owned(), value);
    if let Some(token) = &id_token {
        fact("issuer", token.claims().get("iss").cloned().unwrap_or_default());
        fact("signed_with", token.signed_with().into());
    }
    fact("profile_read", profile.is_some().into());
    fact("read_beside", extra.keys().cloned().collect());
    fact("left_out", left_out.into());
    fact("not_granted", answer.not_granted(&settings.scopes).into());
    Ok((Said { id_token, profile, extra }, facts))
}

async fn id_token(
    logins: &Logins,
    site: &Site,
    (settings, provider): (&Settings, &Arc<Provider>),
    waiting: &Waiting,
    answer: &TokenAnswer,
) -> Result<(VerifiedIdToken, Arc<KeySet>), Refusal> {
    let text = answer.id_token.as_ref().ok_or_else(|| Rule::NoIdToken.refused())?;
    let token = unverified(text.expose(), &settings.algorithms)?;
    let now = logins.clock.now();
    let expected = Expectation {
        issuer: provider.issuer.as_ref().ok_or_else(|| Rule::Settings.refused())?,
        client_id: &settings.client_id,
        nonce: &waiting.nonce,
        echoes_nonce: settings.kind.echoes_nonce,
        access_token: Some(answer.access_token.expose()),
        max_age_seconds: if waiting.forced { Some(since(waiting.at, now)) } else { settings.max_age_seconds },
        tenants: &settings.tenants,
        now,
    };
    let providers = &logins.oidc.providers;
    let keys = providers.keys(&site.connection, (settings, provider), false).await?;
    match verified(&token, &keys, &expected) {
        Err(refusal) if refusal.rule == Rule::UnknownKey => {
            let keys = providers.keys(&site.connection, (settings, provider), true).await?;
            Ok((verified(&token, &keys, &expected)?, keys))
        }
        other => Ok((other?, keys)),
    }
}

/// Whole seconds; a proof that is older is from before the login.
fn since(at: Micros, now: Micros) -> u32 {
    u32::try_from(now.saturating_sub(at).max(0) / SECOND).unwrap_or(u32::MAX)
}

/// When the provider saw a proof of who it is, if it says so.
fn proved_at(said: &Said) -> Option<Micros> {
    let seconds = said.id_token.as_ref()?.claims().get("auth_time")?.as_i64()?;
    Some(seconds.saturating_mul(SECOND))
}

/// Whom a login is about. What was said came over TLS for a code of this login, and its ID token was verified.
struct Check<'a> {
    said: &'a Said,
    settings: &'a Settings,
}

impl Verify for Check<'_> {
    type Record = LoginRecord;
    type Failure = Refusal;

    async fn verify(self) -> Result<LoginRecord, Refusal> {
        record(self.said, self.settings)
    }
}

async fn let_in(
    logins: &Logins,
    site: &Site,
    parts: &Parts,
    (verified, (proved_at, proof)): (&Verified<LoginRecord>, (Option<Micros>, Proof)),
    waiting: &Waiting,
) -> Result<(Response, Option<LoginTrace>), Stopped> {
    let login = logins.login(&site.connection, parts);
    let beginning = Beginning::new(logins, &site.tenant.id, parts).proved_at(proved_at).proved_by(proof);
    let begin = |entering: &Entering<'_>, batch: &mut Batch| beginning.store(entering, batch);
    let entered = logins.provisioner.login_storing(&login, verified, &begin).await.map_err(|error| stopped(&error))?;
    // Why somebody whom the provider knows is not let in is logged there, and theirs to ask an administrator.
    let entered = entered.map_err(|denial| Stopped::Denied(Noted::denied(&denial)))?;
    let target = waiting.return_to.clone().unwrap_or_else(|| return_to::DEFAULT.to_owned());
    let mut response = goes_to(&target);
    debug_assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let session = cookie::keep(&logins.public_url, &beginning.secret, beginning.lasts() / SECOND);
    response.headers_mut().append(SET_COOKIE, session);
    Ok((response, entered.trace))
}
