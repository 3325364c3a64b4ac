//! `GET /login/{connection}`: sends a browser to the identity provider with a request of ours, and lets the browser carry what
//! it is waiting for. Stores nothing.

use super::refuse::Stopped;
use super::sent::{Message, send};
use super::waiting::{self, For, Waiting};
use super::{Logins, Site, wants};
use crate::login::answer::Refused;
use crate::login::cookie;
use crate::login::visit::{classes_of, is_a_visit, is_forced, return_to_of};
use crate::saml::metadata::{endpoint, instant};
use crate::traffic::Cause;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rosterd_saml::redirect::Kind;
use rosterd_saml::request::AuthnRequest;

pub(super) async fn begin(logins: &Logins, site: &Site, parts: &Parts) -> Result<Response, Stopped> {
    wants(parts, "GET, HEAD")?;
    if !is_a_visit(parts) {
        return Err(Stopped::Other(Refused::CrossOrigin));
    }
    let query = parts.uri.query().unwrap_or_default();
    let return_to = return_to_of(logins, query)?;
    let idp = logins.identity_provider(site).await?;
    let saml = &site.connection.options.saml;
    let force_authn = saml.force_authn || is_forced(query);
    let endpoint = endpoint(&idp.sign_on, saml.request_binding)
        .ok_or_else(|| Stopped::told("saml_no_sign_on_endpoint", Cause::SamlMetadata))?;
    // Asked for to the letter, so that only what has to be is: an identity provider that has no such class signs nobody in. What the
    // connection asks for stands above.
    let classes = classes_of(query);
    let wanted = if classes.required { classes.words } else { Vec::new() };
    let now = logins.clock.now();
    let waiting = Waiting {
        id: waiting::new_id(&logins.entropy),
        at: now,
        return_to,
        force_authn,
        session: cookie::read(&logins.public_url, &parts.headers)
            .map(|secret| URL_SAFE_NO_PAD.encode(logins.keys.hash_token(secret.expose()).as_bytes())),
    };
    let request = AuthnRequest {
        id: &waiting.id,
        issue_instant: instant(now),
        destination: &endpoint.location,
        acs_url: &site.addresses.acs,
        issuer: &site.addresses.entity_id,
        force_authn,
        name_id_format: saml.name_id_format.as_deref(),
        authn_contexts: if saml.authn_contexts.is_empty() { &wanted } else { &saml.authn_contexts },
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
