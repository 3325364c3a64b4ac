//! What relying parties read first: the discovery document (OpenID Connect Discovery, RFC 8414) and the public keys. It lists
//! exactly what is served.

use super::claims;
use super::error::Refusal;
use super::{Call, json, preflight, shared};
use crate::model::provider_key::SigningAlg;
use crate::oidc::jose::{Algorithm, CLIENT_ALGORITHMS};
use axum::body::Body;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

/// How long relying parties may keep what they read.
const KEPT: &str = "public, max-age=3600";

pub(super) async fn document(call: Call, _body: Body) -> Response {
    answered(&call, || Ok(described(&call.issuer)))
}

pub(super) async fn keys(call: Call, _body: Body) -> Response {
    let keys = call.provider.keys.of(&call.provider.logins, &call.tenant.id).await;
    answered(&call, || Ok(json!({ "keys": keys?.public() })))
}

fn answered(call: &Call, body: impl FnOnce() -> Result<Value, Refusal>) -> Response {
    if let Some(response) = preflight(&call.parts.method) {
        return response;
    }
    if !matches!(call.parts.method, Method::GET | Method::HEAD) {
        return Refusal::NO_POST.into_response();
    }
    match body() {
        Ok(body) => {
            let mut response = shared(json(StatusCode::OK, &body));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(KEPT));
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn described(issuer: &str) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let claims: Vec<&str> = ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "at_hash", "sid", "org_id"]
        .into_iter()
        .chain(claims::all())
        .collect();
    let algs = SigningAlg::ALL.map(SigningAlg::as_str);
    let signing = CLIENT_ALGORITHMS.map(Algorithm::as_str);
    let proving = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let asking = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/oauth/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "end_session_endpoint": at("/oidc/logout"),
        "scopes_supported": claims::SCOPES,
        "claims_supported": claims,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algs,
        "token_endpoint_auth_methods_supported": asking,
        "token_endpoint_auth_signing_alg_values_supported": signing,
        "revocation_endpoint_auth_methods_supported": asking,
        "revocation_endpoint_auth_signing_alg_values_supported": signing,
        "introspection_endpoint_auth_methods_supported": proving,
        "introspection_endpoint_auth_signing_alg_values_supported": signing,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "claims_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "select_account", "consent"],
        "ui_locales_supported": ["en"],
    })
}
