//! The OpenID provider towards applications (OAuth 2.0, OpenID Connect, RFC 9207): whoever signed in by whatever connection goes on
//! to an application with a code, and the application reads who that is.
//!
//! Owns: what a request may be ([`request`], [`authorize::decide`], pure), the keys tokens are signed with ([`keys`]), tokens and
//! claims, and the HTTP of it. Refuses: to sign anybody in (that is `login`'s), to redirect to an address that is not registered, and
//! to give anything for somebody who is blocked or left: the store is asked at each use.

mod assertion;
mod authorize;
mod chooser;
mod claims;
mod client;
mod discovery;
mod error;
mod id_token;
mod inspect;
mod keys;
mod logout;
mod parameters;
pub mod person;
mod request;
mod signing;
mod strength;
mod token;
mod told;
mod userinfo;

use crate::clock::Micros;
use crate::http::page::Dress;
use crate::login::Logins;
use crate::model::ids::OrganizationId;
use crate::model::tenant::{Organization, Tenant};
use crate::oidc::application_keys::ApplicationKeys;
use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use keys::Keys;
use parameters::Parameters;
use std::future::Future;
use std::sync::Arc;

/// Longest body in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

/// What the provider works with. One per process.
pub struct Provider {
    logins: Arc<Logins>,
    keys: Keys,
    /// What applications prove themselves by.
    applications: ApplicationKeys,
}

impl Provider {
    pub fn new(logins: Arc<Logins>, applications: ApplicationKeys) -> Self {
        Self { logins, keys: Keys::default(), applications }
    }

    fn now(&self) -> Micros {
        self.logins.clock.now()
    }

    /// The fields of a form.
    async fn form(&self, body: Body) -> Result<Parameters, parameters::Unreadable> {
        let read = crate::http::body::read(body, BODY_BYTES_MAX, self.logins.body_timeout).await;
        Parameters::parse(&read.map_err(|_| parameters::Unreadable)?)
    }
}

/// One request, and whom it was sent to.
struct Call {
    provider: Arc<Provider>,
    tenant: Tenant,
    issuer: String,
    parts: Parts,
}

impl Call {
    /// Whether the body is said to be a form (RFC 6749, appendix B).
    fn brings_a_form(&self) -> bool {
        let kind = self.parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
    }
}

impl Call {
    /// The organization that a page is shown for.
    async fn organization(&self, id: Option<&OrganizationId>) -> Result<Option<Organization>, Box<Response>> {
        match id {
            Some(id) => self.provider.logins.organization_of(&self.tenant, id).await,
            None => Ok(None),
        }
    }
}

fn dress(organization: Option<&Organization>) -> Option<Dress<'_>> {
    organization.map(Dress::of)
}

/// A route that `serve` answers.
fn at<F, Answered>(provider: &Arc<Provider>, serve: F) -> axum::routing::MethodRouter
where
    F: Fn(Call, Body) -> Answered + Clone + Send + Sync + 'static,
    Answered: Future<Output = Response> + Send,
{
    let provider = Arc::clone(provider);
    any(move |request: axum::extract::Request| {
        let (provider, serve) = (Arc::clone(&provider), serve.clone());
        async move {
            let (parts, body) = request.into_parts();
            match provider.logins.served(&parts).await {
                Ok(tenant) => {
                    let issuer = provider.logins.issuer(&tenant);
                    serve(Call { provider, tenant, issuer, parts }, body).await
                }
                Err(answer) => *answer,
            }
        }
    })
}

/// What answers under `/.well-known`.
pub fn well_known(provider: &Arc<Provider>) -> Router {
    Router::new()
        .route("/openid-configuration", at(provider, discovery::document))
        .route("/oauth-authorization-server", at(provider, discovery::document))
        .route("/jwks.json", at(provider, discovery::keys))
}

/// What answers under `/authorize`.
pub fn authorize_router(provider: &Arc<Provider>) -> Router {
    Router::new().route("/", at(provider, authorize::answer))
}

/// What answers under `/oauth`.
pub fn oauth_router(provider: &Arc<Provider>) -> Router {
    Router::new()
        .route("/token", at(provider, token::answer))
        .route("/revoke", at(provider, inspect::revoke))
        .route("/introspect", at(provider, inspect::introspect))
}

/// What answers under `/userinfo`.
pub fn userinfo_router(provider: &Arc<Provider>) -> Router {
    Router::new().route("/", at(provider, userinfo::answer))
}

/// What answers under `/oidc`.
pub fn oidc_router(provider: &Arc<Provider>) -> Router {
    Router::new().route("/logout", at(provider, logout::answer))
}

/// Lets pages of other sites read an answer: nothing here looks at a cookie. The answer to a browser that asks first.
fn shared(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn preflight(method: &Method) -> Option<Response> {
    (method == Method::OPTIONS).then(|| {
        let mut response = shared(StatusCode::NO_CONTENT.into_response());
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
        response
    })
}

/// A JSON answer that no cache keeps.
fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
