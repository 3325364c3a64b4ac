//! `GET /login/{connection}`: sends a browser to the provider and lets it carry what it is waiting for. Stores nothing.

use super::refuse::Stopped;
use super::waiting::{self, Waiting};
use super::{Logins, Site};
use crate::login::answer::{Refused, goes_to};
use crate::login::visit::{ACR_VALUES, classes_of, is_a_visit, is_forced, return_to_of};
use crate::oidc::Rule;
use crate::oidc::client::wants_challenge;
use crate::oidc::discovery::Provider;
use crate::oidc::settings::Settings;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::Url;

pub(super) async fn begin(logins: &Logins, site: &Site, parts: &Parts) -> Result<Response, Stopped> {
    if !is_a_visit(parts) {
        return Err(Stopped::Other(Refused::CrossOrigin));
    }
    let query = parts.uri.query().unwrap_or_default();
    let return_to = return_to_of(logins, query)?;
    let settings = site.settings(logins).await?;
    let forced = is_forced(query);
    if forced && !settings.kind.is_oidc() {
        // Plain OAuth has no word for it, and nothing would say whether it was done.
        return Err(Rule::AuthTimeMissing
            .refused()
            .expected("a new proof of who it is")
            .received("a kind without ID tokens")
            .into());
    }
    let now = logins.clock.now();
    // A provider that hangs keeps those who wait for it busy, and not the gateway.
    let _place = logins.place(&site.connection)?;
    let provider = logins.oidc.providers.provider(&site.connection, &settings).await?;
    let waiting = Waiting {
        state: waiting::random(&logins.entropy),
        at: now,
        return_to,
        nonce: waiting::random(&logins.entropy),
        verifier: wants_challenge(&settings, &provider).then(|| waiting::random(&logins.entropy)),
        redirect_uri: site.callback.clone(),
        token_endpoint: provider.token.clone(),
        issuer: provider.issuer.as_ref().map(|issuer| issuer.shown().to_owned()),
        forced,
    };
    let mut response = goes_to(&address(&settings, &provider, &waiting, &classes_of(query).words)?);
    let sealing = (&logins.keys, &logins.entropy);
    for cookie in waiting::keep(&logins.public_url, &parts.headers, sealing, &site.connection, &waiting) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Where the browser goes.
fn address(settings: &Settings, provider: &Provider, waiting: &Waiting, classes: &[String]) -> Result<String, Stopped> {
    let unusable = || Rule::DiscoveryEndpoint.refused().received(&provider.authorization);
    let mut url = Url::parse(&provider.authorization).map_err(|_| unusable())?;
    let is_web = url.scheme() == "https" || (url.scheme() == "http" && settings.allow_plaintext);
    if !is_web {
        return Err(unusable().into());
    }
    url.set_fragment(None);
    let kind = settings.kind;
    let mut query = url.query_pairs_mut();
    query.append_pair("response_type", "code").append_pair("client_id", &settings.client_id);
    query.append_pair("redirect_uri", &waiting.redirect_uri).append_pair("state", &waiting.state);
    if !settings.scopes.is_empty() {
        query.append_pair("scope", &settings.scopes.join(&kind.separator.to_string()));
    }
    if kind.is_oidc() {
        query.append_pair("nonce", &waiting.nonce);
    }
    if let Some(verifier) = &waiting.verifier {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        query.append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
    }
    if let Some(mode) = kind.response_mode {
        query.append_pair("response_mode", mode);
    }
    let seconds = if waiting.forced { Some(0) } else { settings.max_age_seconds };
    if let Some(seconds) = seconds {
        query.append_pair("max_age", &seconds.to_string());
    }
    if waiting.forced {
        query.append_pair("prompt", "login");
    }
    let is_set = settings.authorize_params.iter().any(|(name, _)| name == ACR_VALUES);
    if kind.is_oidc() && !classes.is_empty() && !is_set {
        query.append_pair(ACR_VALUES, &classes.join(" "));
    }
    let given =
        settings.authorize_params.iter().filter(|(name, _)| !(waiting.forced && matches!(name.as_str(), "prompt" | "max_age")));
    for (name, value) in given {
        query.append_pair(name, value);
    }
    drop(query);
    Ok(url.into())
}
