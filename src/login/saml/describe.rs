//! `GET /saml/{connection}/metadata`: who we are towards this identity provider.

use super::refuse::Stopped;
use super::{Logins, Site, wants};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rosterd_saml::metadata::SpMetadata;

/// Every format we can recognise somebody by; a transient one only beside an attribute that says who it is.
const FORMATS: [&str; 3] = [
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
];
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

pub(super) async fn metadata(logins: &Logins, site: &Site, parts: &Parts) -> Result<Response, Stopped> {
    wants(parts, "GET, HEAD")?;
    let keys = logins.service_keys(site).await?;
    let saml = &site.connection.options.saml;
    // Also before anything is known of the identity provider: it may be the one that wants to know first.
    let wants_signed = match logins.identity_provider(site).await {
        Ok(idp) => idp.wants_signed_requests,
        Err(Stopped::Other(refused)) => return Err(Stopped::Other(refused)),
        Err(_) => false,
    };
    let mut formats: Vec<&str> = saml.name_id_format.as_deref().map_or_else(|| FORMATS.to_vec(), |format| vec![format]);
    if saml.name_id_format.is_none() && saml.user_id_attribute.is_some() {
        formats.push(TRANSIENT);
    }
    let xml = SpMetadata {
        entity_id: &site.addresses.entity_id,
        acs_url: &site.addresses.acs,
        slo_url: saml.single_logout.then_some(site.addresses.slo.as_str()),
        signs_requests: saml.signs_requests(wants_signed),
        signing: &keys.published(),
        // Some (AD FS) encrypt as soon as there is a key, and with AES-CBC, which is opened only where that is allowed.
        encryption: (saml.encrypt_assertions || saml.allow_cbc || saml.decryption_key_file.is_some()).then_some(&keys.encryption),
        allow_cbc: saml.allow_cbc,
        name_id_formats: &formats,
    }
    .xml();
    let mut response = (StatusCode::OK, xml).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/samlmetadata+xml"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
