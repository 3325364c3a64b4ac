//! `GET /login/{connection}`: sends a browser to the identity provider with a request of ours, and lets the browser carry what
//! it is waiting for. Stores nothing.

use super::refuse::Stopped;
use super::waiting::{self, For, Waiting};
use super::{Logins, Site, goes_to, page, timestamp, wants};
use crate::login::answer::Refused;
use crate::login::{cookie, return_to};
use crate::model::saml::{RequestBinding, SignRequests};
use crate::saml::metadata::IdentityProvider;
use crate::traffic::Cause;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rosterd_saml::metadata::{Binding, Endpoint};
use rosterd_saml::redirect::{self, Kind};
use rosterd_saml::request::AuthnRequest;
use rosterd_saml::sign::{CannotSign, SigningKey};
use rosterd_saml::write::post_form;
use url::form_urlencoded;

/// Longest address to go on to: it travels in a cookie.
const RETURN_TO_BYTES_MAX: usize = 1_024;
/// Longest query.
const QUERY_BYTES_MAX: usize = 8_192;

pub(super) async fn begin(logins: &Logins, site: &Site, parts: &Parts) -> Result<Response, Stopped> {
    wants(parts, "GET, HEAD")?;
    if !is_a_visit(parts) {
        return Err(Stopped::Other(Refused::CrossOrigin));
    }
    let return_to = return_to_of(logins, parts.uri.query().unwrap_or_default())?;
    let idp = logins.identity_provider(site).await?;
    let saml = &site.connection.options.saml;
    let endpoint = endpoint(&idp, saml.request_binding)?;
    let now = logins.clock.now();
    let waiting = Waiting {
        id: waiting::new_id(&logins.entropy),
        at: now,
        return_to,
        force_authn: saml.force_authn,
        session: cookie::read(&logins.public_url, &parts.headers)
            .map(|secret| URL_SAFE_NO_PAD.encode(logins.keys.hash_token(secret.expose()).as_bytes())),
    };
    let request = AuthnRequest {
        id: &waiting.id,
        issue_instant: timestamp(now),
        destination: &endpoint.location,
        acs_url: &site.addresses.acs,
        issuer: &site.addresses.entity_id,
        force_authn: saml.force_authn,
        name_id_format: saml.name_id_format.as_deref(),
        authn_contexts: &saml.authn_contexts,
    };
    let signs = match saml.sign_requests {
        SignRequests::Always => true,
        SignRequests::Never => false,
        SignRequests::Auto => idp.wants_signed_requests,
    };
    let keys = if signs { Some(logins.service_keys(site).await?) } else { None };
    let key = keys.as_ref().map(|keys| &keys.current);
    let mut response = sent(logins, &request, endpoint, key).map_err(|error| {
        tracing::error!(%error, connection = site.connection.name, "a request could not be signed");
        Stopped::Other(Refused::Misconfigured)
    })?;
    let sealing = (&logins.keys, &logins.entropy);
    for cookie in waiting::keep(&logins.public_url, &parts.headers, sealing, (For::Login, &site.connection), &waiting) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A person goes there, and no page fetches it: each login that begins is a cookie, and there is room for few.
fn is_a_visit(parts: &Parts) -> bool {
    parts.headers.get("sec-fetch-mode").is_none_or(|mode| mode.as_bytes() == b"navigate")
}

fn sent(
    logins: &Logins,
    request: &AuthnRequest<'_>,
    endpoint: &Endpoint,
    key: Option<&SigningKey>,
) -> Result<Response, CannotSign> {
    // It comes back as it went. Nothing is done with it, but some identity providers do not go on without one.
    let relay_state = Some(request.id);
    match endpoint.binding {
        Binding::Redirect => {
            let address = redirect::address(&endpoint.location, Kind::Request, &request.xml(), relay_state, key)?;
            Ok(goes_to(&address))
        }
        Binding::Post => {
            let xml = key.map_or_else(|| Ok(request.xml()), |key| request.signed_xml(key))?;
            let form = |nonce: &str| post_form(&endpoint.location, "SAMLRequest", &xml, relay_state, nonce);
            Ok(page::posting(form, &logins.entropy))
        }
    }
}

fn endpoint(idp: &IdentityProvider, wanted: RequestBinding) -> Result<&Endpoint, Stopped> {
    let by = |binding| idp.sign_on.iter().find(|endpoint| endpoint.binding == binding);
    let found = match wanted {
        RequestBinding::Auto => by(Binding::Redirect).or_else(|| by(Binding::Post)),
        RequestBinding::Redirect => by(Binding::Redirect),
        RequestBinding::Post => by(Binding::Post),
    };
    found.ok_or_else(|| Stopped::told("saml_no_sign_on_endpoint", Cause::SamlMetadata))
}

/// Where the person wants to go afterwards, checked.
pub(super) fn return_to_of(logins: &Logins, query: &str) -> Result<Option<String>, Stopped> {
    let too_long = || Stopped::Other(Refused::request("invalid_query", "the query is too long"));
    if query.len() > QUERY_BYTES_MAX {
        return Err(too_long());
    }
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "return_to");
    let given = found.next().map(|(_, value)| value.into_owned());
    if found.next().is_some() {
        return Err(Stopped::Other(Refused::request("invalid_return_to", "return_to: is there twice")));
    }
    checked(logins, given)
}

pub(super) fn checked(logins: &Logins, given: Option<String>) -> Result<Option<String>, Stopped> {
    let given = given.filter(|text| !text.is_empty());
    if given.as_ref().is_some_and(|text| text.len() > RETURN_TO_BYTES_MAX) {
        let message = format!("return_to: wanted at most {RETURN_TO_BYTES_MAX} bytes, since the browser carries it");
        return Err(Stopped::Other(Refused::request("invalid_return_to", message)));
    }
    let checked = given.map(|text| return_to::check(&text, &logins.public_url, &logins.return_to)).transpose();
    checked.map_err(|message| Stopped::Other(Refused::request("invalid_return_to", message)))
}
