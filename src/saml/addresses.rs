//! What we are called towards an identity provider, and where it finds us. Pure.

use crate::model::connection::Connection;
use crate::model::tenant::{DEFAULT_TENANT, Tenant};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Names and ids are letters, digits, hyphens and underscores, which stay.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Where one connection is found, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Our entity id: `sp_entity_id`, else the address of our metadata.
    pub entity_id: String,
    pub metadata: String,
    /// Where assertions go.
    pub acs: String,
    /// Where logouts go.
    pub slo: String,
}

impl Addresses {
    /// Under the connection's usual name: in tenant `default` its name, elsewhere its id. The paths answer to both; an identity
    /// provider that was told of either has to go on working.
    pub fn of(base_url: &str, connection: &Connection) -> Self {
        let is_default = connection.tenant_id.as_str() == DEFAULT_TENANT;
        let named = if is_default { connection.name.as_str() } else { connection.id.as_str() };
        Self::called(base_url, connection, named)
    }

    /// Under the name that a request used for it.
    pub fn called(base_url: &str, connection: &Connection, named: &str) -> Self {
        let is_default = connection.tenant_id.as_str() == DEFAULT_TENANT;
        let usual = if is_default { connection.name.as_str() } else { connection.id.as_str() };
        let at = |named: &str, what: &str| format!("{base_url}/saml/{}/{what}", segment(named));
        let metadata = at(usual, "metadata");
        Self {
            entity_id: connection.options.saml.sp_entity_id.clone().unwrap_or_else(|| metadata.clone()),
            metadata,
            acs: at(named, "acs"),
            slo: at(named, "slo"),
        }
    }
}

fn segment(name: &str) -> String {
    utf8_percent_encode(name, ESCAPED).to_string()
}

/// The base of a tenant's absolute links: `public_url`, with the tenant's own host in it if it has one.
pub fn base_url(public_url: &str, tenant: &Tenant) -> String {
    let Some(host) = &tenant.host else { return public_url.to_owned() };
    let Some((scheme, rest)) = public_url.split_once("://") else { return public_url.to_owned() };
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::{ConnectionKind, Options};
    use crate::model::ids::{ConnectionId, TenantId};

    fn connection(tenant: &str) -> Connection {
        Connection {
            tenant_id: TenantId::new(tenant),
            id: ConnectionId::new("con_1"),
            name: String::from("acme"),
            kind: ConnectionKind::Samlp,
            organization_id: None,
            options: Options::defaults(ConnectionKind::Samlp),
            version: 1,
            created_at: 0,
            updated_at: 0,
        }
    }

    #[test]
    fn a_connection_is_found_by_name_in_the_default_tenant_and_by_id_elsewhere() {
        let of = Addresses::of("https://id.example.com", &connection(DEFAULT_TENANT));
        assert_eq!(of.acs, "https://id.example.com/saml/acme/acs");
        assert_eq!(of.entity_id, "https://id.example.com/saml/acme/metadata");
        let of = Addresses::of("https://id.example.com", &connection("other"));
        assert_eq!(
            (of.acs.as_str(), of.slo.as_str()),
            ("https://id.example.com/saml/con_1/acs", "https://id.example.com/saml/con_1/slo")
        );
    }

    #[test]
    fn its_entity_id_is_one_whatever_it_was_called_by_and_may_be_set() {
        let mut acme = connection(DEFAULT_TENANT);
        let by_id = Addresses::called("https://id.example.com", &acme, "con_1");
        assert_eq!(by_id.acs, "https://id.example.com/saml/con_1/acs");
        assert_eq!(by_id.entity_id, Addresses::of("https://id.example.com", &acme).entity_id);
        acme.options.saml.sp_entity_id = Some(String::from("urn:acme"));
        assert_eq!(Addresses::of("https://id.example.com", &acme).entity_id, "urn:acme");
    }

    #[test]
    fn a_tenant_with_a_host_is_found_there() {
        let tenant = |host: Option<&str>| Tenant {
            id: TenantId::new("t"),
            name: String::from("t"),
            host: host.map(str::to_owned),
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        assert_eq!(base_url("https://id.example.com/roster", &tenant(None)), "https://id.example.com/roster");
        assert_eq!(base_url("https://id.example.com/roster", &tenant(Some("acme.example"))), "https://acme.example/roster");
        assert_eq!(base_url("http://127.0.0.1:1", &tenant(Some("acme.example:8"))), "http://acme.example:8");
    }
}
