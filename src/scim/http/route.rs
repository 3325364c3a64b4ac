//! Which endpoint a path names and which methods it has (RFC 7644 §3.2). Paths are read after `/connections/{connection}`.

use axum::http::Method;
use percent_encoding::percent_decode_str;

/// Which resources an endpoint serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resources {
    Users,
    Groups,
}

/// An endpoint of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Collection(Resources),
    One(Resources, String),
    Search(Resources),
    /// The root: users, then groups.
    All,
    SearchAll,
    ServiceProviderConfig,
    ResourceTypes,
    ResourceType(String),
    Schemas,
    Schema(String),
    Bulk,
    /// The caller's own resource, which a connection's token does not have: 404 to every method.
    Me,
}

impl Route {
    /// Reads the rest of a path: `Users`, `Users/{id}`, `Schemas/{urn}`, …; a trailing slash is no difference. None
    /// for anything else, and for segments that are not UTF-8 or hold control characters.
    pub fn parse(rest: &str) -> Option<Self> {
        let mut segments = rest.trim_end_matches('/').split('/').map(decoded);
        let first = segments.next()??;
        let second = match segments.next() {
            None => None,
            Some(segment) => Some(segment?),
        };
        if first == "Me" {
            return Some(Self::Me);
        }
        if segments.next().is_some() {
            return None;
        }
        match (first.as_str(), second) {
            ("Users", second) => Some(Self::resources(Resources::Users, second)),
            ("Groups", second) => Some(Self::resources(Resources::Groups, second)),
            ("ServiceProviderConfig", None) => Some(Self::ServiceProviderConfig),
            ("ResourceTypes", None) => Some(Self::ResourceTypes),
            ("ResourceTypes", Some(id)) => Some(Self::ResourceType(id)),
            ("Schemas", None) => Some(Self::Schemas),
            ("Schemas", Some(urn)) => Some(Self::Schema(urn)),
            ("Bulk", None) => Some(Self::Bulk),
            (".search", None) => Some(Self::SearchAll),
            ("", None) => Some(Self::All),
            _ => None,
        }
    }

    fn resources(which: Resources, second: Option<String>) -> Self {
        match second.as_deref() {
            None | Some("") => Self::Collection(which),
            Some(".search") => Self::Search(which),
            Some(id) => Self::One(which, id.to_owned()),
        }
    }

    /// The `Allow` header of a 405; None = no method is refused here.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::Collection(_) => Some("GET, POST"),
            Self::One(..) => Some("GET, PUT, PATCH, DELETE"),
            Self::Search(_) | Self::SearchAll | Self::Bulk => Some("POST"),
            Self::All
            | Self::ServiceProviderConfig
            | Self::ResourceTypes
            | Self::ResourceType(_)
            | Self::Schemas
            | Self::Schema(_) => Some("GET"),
            Self::Me => None,
        }
    }

    pub fn allows(&self, method: &Method) -> bool {
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        self.allow().is_none_or(|allow| allow.split(", ").any(|allowed| allowed == method))
    }
}

fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.chars().any(char::is_control)).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_slashes_and_encoded_urns_are_read() {
        assert_eq!(Route::parse("Users/"), Some(Route::Collection(Resources::Users)));
        assert_eq!(
            Route::parse("Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AUser"),
            Some(Route::Schema("urn:ietf:params:scim:schemas:core:2.0:User".into()))
        );
        assert_eq!(Route::parse("Users/x/y"), None);
        assert_eq!(Route::parse("Users/%0d%0aLocation"), None);
        assert_eq!(Route::parse("Nothing"), None);
    }

    #[test]
    fn discovery_refuses_writes_with_405_not_404() {
        let route = Route::parse("Schemas").expect("known");
        assert!(!route.allows(&Method::DELETE));
        assert!(route.allows(&Method::GET));
    }
}
