//! `GET /login/{connection}`: sends a browser to the identity provider with a request of ours, and lets the browser carry what
//! it is waiting for. Stores nothing.

use super::refuse::Stopped;
use super::sent::{Message, send};
use super::waiting::{self, For, Waiting};
use super::{Logins, Site, wants};
use crate::login::answer::Refused;
use crate::login::{cookie, return_to};
use crate::saml::metadata::{endpoint, instant};
use crate::traffic::Cause;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rosterd_saml::redirect::Kind;
use rosterd_saml::request::AuthnRequest;
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
    let endpoint = endpoint(&idp.sign_on, saml.request_binding)
        .ok_or_else(|| Stopped::told("saml_no_sign_on_endpoint", Cause::SamlMetadata))?;
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
        issue_instant: instant(now),
        destination: &endpoint.location,
        acs_url: &site.addresses.acs,
        issuer: &site.addresses.entity_id,
        force_authn: saml.force_authn,
        name_id_format: saml.name_id_format.as_deref(),
        authn_contexts: &saml.authn_contexts,
    };
    let keys = match saml.signs_requests(idp.wants_signed_requests) {
        true => Some(logins.service_keys(site).await?),
        false => None,
    };
    let message = Message { kind: Kind::Request, plain: request.xml(), signed: &|key| request.signed_xml(key) };
    // The RelayState comes back as it went. Nothing is done with it, but some identity providers do not go on without one.
    let key = keys.as_ref().map(|keys| &keys.current);
    let mut response = send(logins, (endpoint.binding, &endpoint.location), &message, Some(&waiting.id), key)?;
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
