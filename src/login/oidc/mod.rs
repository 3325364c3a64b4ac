//! Signing in by OAuth 2.0 and OpenID Connect, as HTTP: `/login/{connection}` sends a browser to the provider ([`begin`]), which
//! sends it back to `/login/callback/{connection}` ([`callback`]) with a code. What a provider is and whether a token can be
//! believed is `oidc`'s, what a login does to the roster `provisioning`'s.
//!
//! Refuses: an answer that this browser is not waiting for, to show anything of an answer on a page, and to tell somebody who is
//! not let in why; the reason goes to the log and to the connection's recorded traffic ([`refuse`]).

mod begin;
mod callback;
mod posted;
mod refuse;
mod waiting;

use super::Logins;
use super::answer::Refused;
use crate::model::connection::Connection;
use crate::model::connection_secrets::ConnectionSecrets;
use crate::model::tenant::{DEFAULT_TENANT, Tenant};
use crate::oidc::Rule;
use crate::oidc::providers::Providers;
use crate::oidc::settings::Settings;
use crate::saml::addresses::base_url;
use crate::store::connections;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use refuse::Stopped;
use std::sync::Arc;
use std::time::Instant;

/// What these logins work with beside the rest. One per process.
pub struct Desk {
    providers: Providers,
}

impl Desk {
    pub fn new(providers: Providers) -> Self {
        Self { providers }
    }
}

/// One connection as the world sees it.
struct Site {
    tenant: Tenant,
    connection: Connection,
    /// Where the provider sends browsers back to: one address, whatever the connection was called by.
    callback: String,
}

impl Site {
    fn of(logins: &Logins, tenant: Tenant, connection: Connection) -> Self {
        let callback = callback_address(&base_url(&logins.public_url, &tenant), &connection);
        Self { tenant, connection, callback }
    }

    async fn find(logins: &Logins, parts: &Parts) -> Result<Self, Refused> {
        let tenant = logins.tenant_row(parts).await?;
        let connection = logins.connection(&tenant.id, &super::named(parts)).await?;
        if !connection.kind.is_oauth() {
            return Err(Refused::NoConnection);
        }
        Ok(Self::of(logins, tenant, connection))
    }

    async fn settings(&self, logins: &Logins) -> Result<Settings, Stopped> {
        let connection = &self.connection;
        let sealed = connections::secrets(&logins.store, &connection.tenant_id, &connection.id).await?;
        let secrets = ConnectionSecrets::open(sealed.as_deref(), &connection.id, &logins.keys).map_err(|error| {
            tracing::error!(%error, connection = connection.name, "the secrets of a connection can't be read");
            Stopped::Other(Refused::Misconfigured)
        })?;
        Settings::of(connection, &secrets).map_err(|wrong| {
            let all: Vec<&str> = wrong.iter().map(|invalid| invalid.what).collect();
            Rule::Settings.refused().received(all.join("; ")).into()
        })
    }
}

/// Where a provider sends browsers back to, absolute: what has to be registered there.
pub fn callback_address(base_url: &str, connection: &Connection) -> String {
    let is_default = connection.tenant_id.as_str() == DEFAULT_TENANT;
    let named = if is_default { connection.name.as_str() } else { connection.id.as_str() };
    // Names and ids are letters, digits, hyphens and underscores.
    format!("{base_url}/login/callback/{named}")
}

/// `GET /login/{connection}`.
pub(super) async fn begin(logins: &Logins, parts: &Parts, tenant: Tenant, connection: Connection) -> Response {
    let started = Instant::now();
    let site = Site::of(logins, tenant, connection);
    match begin::begin(logins, &site, parts).await {
        Ok(response) => response,
        Err(stopped) => refuse::refuse(logins, &site, parts, started, stopped).await,
    }
}

/// `/login/callback/{connection}`.
pub(super) async fn callback(State(logins): State<Arc<Logins>>, request: Request) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let site = match Site::find(&logins, &parts).await {
        Ok(site) => site,
        Err(refused) => return refuse::page(&logins, &parts, None, refused.into()).await,
    };
    callback::answer(&logins, &site, &parts, body, started).await
}
