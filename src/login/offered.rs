//! What signing in offers to the OpenID provider: whose host this is, who is signed in, which ways in there are, and signing out.
//! An `Err` is the answer to give.

use super::answer::Refused;
use super::{Logins, cookie, session};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::ids::{ConnectionId, OrganizationId};
use crate::model::session::SignedIn;
use crate::model::tenant::{DEFAULT_TENANT, Organization, Tenant, domain_key};
use crate::saml::addresses::base_url;
use crate::store::{connections, organizations};
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Ways in that are told of at a time.
const WAYS_MAX: i64 = 50;

/// A connection that people sign in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayIn {
    pub id: ConnectionId,
    pub name: String,
    pub organization: Option<OrganizationId>,
    /// Below `/login`.
    pub called: String,
    /// Name and password, asked for by us; otherwise elsewhere.
    pub asks_password: bool,
}

impl WayIn {
    fn of(connection: Connection) -> Option<Self> {
        if !connection.kind.logs_in() {
            return None;
        }
        // A name opens a connection in tenant `default` alone (decision 0010).
        let is_default = connection.tenant_id.as_str() == DEFAULT_TENANT;
        Some(Self {
            id: connection.id.clone(),
            called: if is_default { connection.name.clone() } else { connection.id.to_string() },
            name: connection.name,
            organization: connection.organization_id,
            asks_password: connection.kind == ConnectionKind::Ldap,
        })
    }
}

impl Logins {
    /// The tenant whose host was asked.
    pub async fn served(&self, parts: &Parts) -> Result<Tenant, Box<Response>> {
        self.tenant_row(parts).await.map_err(answer)
    }

    /// What the tenant is called towards applications, without a trailing slash.
    pub fn issuer(&self, tenant: &Tenant) -> String {
        base_url(&self.public_url, tenant)
    }

    /// Who is signed in; that they were here is noted.
    pub async fn who(&self, parts: &Parts) -> Result<Option<SignedIn>, Box<Response>> {
        let found = session::find(self, parts).await.map_err(answer)?;
        if let Some(found) = &found {
            session::touch(self, &found.session);
        }
        Ok(found)
    }

    /// The ways in of an organization, or those of none, by name.
    pub async fn ways_in(&self, tenant: &Tenant, organization: Option<&OrganizationId>) -> Result<Vec<WayIn>, Box<Response>> {
        let found = connections::ways_in(&self.store, &tenant.id, organization, WAYS_MAX).await;
        let found = found.map_err(|error| answer(error.into()))?;
        Ok(found.into_iter().filter_map(|stored| WayIn::of(stored.connection)).collect())
    }

    /// The way in of that name or id.
    pub async fn way_in(&self, tenant: &Tenant, named: &str) -> Result<Option<WayIn>, Box<Response>> {
        let found = match named.strip_prefix("con_") {
            Some(_) => connections::find(&self.store, &tenant.id, &ConnectionId::new(named)).await,
            None => connections::find_by_name(&self.store, &tenant.id, named).await,
        };
        Ok(found.map_err(|error| answer(error.into()))?.and_then(|stored| WayIn::of(stored.connection)))
    }

    /// Whether an organization has a way in of its own.
    pub async fn has_way_in_of_an_organization(&self, tenant: &Tenant) -> Result<bool, Box<Response>> {
        let found = connections::has_way_in_of_an_organization(&self.store, &tenant.id).await;
        found.map_err(|error| answer(error.into()))
    }

    /// The organization of that name or id.
    pub async fn organization(&self, tenant: &Tenant, named: &str) -> Result<Option<OrganizationId>, Box<Response>> {
        let found = match named.strip_prefix("org_") {
            Some(_) => organizations::find(&self.store, &tenant.id, &OrganizationId::new(named)).await,
            None => organizations::find_by_name(&self.store, &tenant.id, named).await,
        };
        Ok(found.map_err(|error| answer(error.into()))?.map(|organization| organization.id))
    }

    /// An organization of that id, as its people see it.
    pub async fn organization_of(&self, tenant: &Tenant, id: &OrganizationId) -> Result<Option<Organization>, Box<Response>> {
        organizations::find(&self.store, &tenant.id, id).await.map_err(|error| answer(error.into()))
    }

    /// The organization that has proven the domain of an e-mail address.
    pub async fn home_of(&self, tenant: &Tenant, address: &str) -> Result<Option<OrganizationId>, Box<Response>> {
        let Some(domain) = address.rsplit_once('@').and_then(|(_, domain)| domain_key(domain)) else { return Ok(None) };
        organizations::find_domain_owner(&self.store, &tenant.id, &domain).await.map_err(|error| answer(error.into()))
    }

    /// What makes a browser forget that somebody is signed in.
    pub fn forgets(&self) -> HeaderValue {
        cookie::forget(&self.public_url)
    }

    pub fn address_of(&self, parts: &Parts) -> IpAddr {
        self.client_address(parts)
    }

    /// Whether a page of ours sent this, or no page.
    pub fn is_ours(&self, parts: &Parts) -> bool {
        self.same_origin(parts).is_ok()
    }
}

fn answer(refused: Refused) -> Box<Response> {
    Box::new(refused.into_response().into_response())
}

impl Logins {
    /// An application that did not prove which one it is: how long whoever is at that address has to wait before it is told so again.
    pub async fn count_a_stranger(&self, tenant: &Tenant, parts: &Parts) -> Option<u64> {
        let counted = [self.limits.of_strangers(self.client_address(parts))];
        match self.limits.count(&self.store, &tenant.id, &counted, self.clock.now()).await {
            Err(Refused::TooManyFailures { retry_after_seconds }) => Some(retry_after_seconds),
            _ => None,
        }
    }
}
