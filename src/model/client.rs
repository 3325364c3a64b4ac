//! An application: which addresses it may be answered at, and what it may ask for. Pure.

use super::ids::{ClientId, TenantId};
use super::provider_key::SigningAlg;
use crate::clock::Micros;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

/// Longest address.
pub const URI_BYTES_MAX: usize = 2_048;
/// Addresses of one kind that one application may have.
pub const URIS_MAX: usize = 100;

/// Tokens that one machine has at a time; the oldest goes for one more.
pub const MACHINE_TOKENS_MAX: i64 = 100;

/// What an application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Logs people in and keeps a secret.
    Confidential,
    /// Logs people in and can't keep one: a page's script, a program on somebody's machine.
    Public,
    /// Logs nobody in: calls the management API by itself.
    Machine,
}

/// Where the public halves are of the keys that an application signs with instead of showing a secret (`private_key_jwt`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKeys {
    /// Here: a set of keys (RFC 7517).
    Set(Value),
    /// At an address of the application, which changes them when it likes.
    At {
        uri: String,
        /// http:// is taken, and this machine may be called: for trying out.
        #[serde(default)]
        allow_plaintext: bool,
    },
}

/// What an administrator said of an application: the JSON of `clients.options`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientOptions {
    pub kind: ClientKind,
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Names of the connections its people may come by; none: any.
    #[serde(default)]
    pub connections: Vec<String>,
    /// Of a machine: what its tokens may be given.
    #[serde(default)]
    pub scopes: Vec<String>,
    pub alg: SigningAlg,
    /// Whether the claims of its scopes stand in the ID token too, and not at `/userinfo` alone.
    pub id_token_claims: bool,
    /// Whether its people are asked what it may know of them: it is somebody else's.
    #[serde(default)]
    pub asks_consent: bool,
    /// The mapping from profile to oidc that gives it claims of its own.
    #[serde(default)]
    pub claims_mapping: Option<String>,
    /// Of a public one: a program on somebody's machine, and not a page's script. Both are let do the same.
    #[serde(default)]
    pub native: bool,
    /// Of one that has no secret and is not public: what it proves itself by.
    #[serde(default)]
    pub keys: Option<ClientKeys>,
    /// Of one that proves itself: its library knows no PKCE. Then a nonce binds what it gets.
    #[serde(default)]
    pub without_pkce: bool,
}

/// A row of `clients`, without its secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    pub tenant_id: TenantId,
    pub id: ClientId,
    pub name: String,
    pub options: ClientOptions,
    pub version: i64,
    pub created_at: Micros,
    pub updated_at: Micros,
}

impl ClientOptions {
    /// One of which nothing was said.
    pub const fn plain(kind: ClientKind) -> Self {
        Self {
            kind,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            connections: Vec::new(),
            scopes: Vec::new(),
            alg: SigningAlg::Rs256,
            id_token_claims: true,
            asks_consent: false,
            claims_mapping: None,
            native: false,
            keys: None,
            without_pkce: false,
        }
    }

    /// Whether it may be answered at `uri`: one of its own to the byte. The port of a program's own loopback address is whichever
    /// was free (RFC 8252 §7.3).
    pub fn redirects_to(&self, uri: &str) -> bool {
        let is_program = self.kind == ClientKind::Public;
        self.redirect_uris.iter().any(|known| known == uri || (is_program && is_same_loopback(known, uri)))
    }

    /// Whether anybody's program on the person's machine could be who is answered there: nothing proves which one asked
    /// (RFC 8252 §8.6).
    pub fn is_anybodys(&self, uri: &str) -> bool {
        self.kind == ClientKind::Public && !uri.starts_with("https:")
    }

    pub fn leads_on_to(&self, uri: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|known| known == uri)
    }

    /// Whether somebody who came by this connection may go on to it.
    pub fn takes(&self, connection: &str) -> bool {
        self.connections.is_empty() || self.connections.iter().any(|known| known == connection)
    }
}

/// An address an application may register.
///
/// # Errors
/// What is wanted instead.
pub fn check_uri(text: &str) -> Result<(), &'static str> {
    let plain = text.len() <= URI_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let Ok(url) = Url::parse(text) else { return Err("wanted an absolute address") };
    if !plain {
        return Err("wanted at most 2,048 bytes, all of them ASCII and none a space or a backslash");
    }
    if text.contains('#') || text.contains('*') {
        return Err("wanted neither a fragment nor a wildcard");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("wanted no user name");
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_own_machine(&url) => Ok(()),
        "http" => Err("wanted https, since anybody on the way could read a code; http is for 127.0.0.1, [::1] and localhost"),
        // A program's own scheme (RFC 8252 §7.1) is a domain turned round, so that no two programs have the same.
        scheme if scheme.contains('.') => Ok(()),
        _ => Err("wanted https, or a scheme of the application's own like com.example.app"),
    }
}

/// An address where an application publishes its keys.
///
/// # Errors
/// What is wanted instead.
pub fn check_keys_uri(text: &str, allow_plaintext: bool) -> Result<(), &'static str> {
    let plain = text.len() <= URI_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let Ok(url) = Url::parse(text) else { return Err("wanted an absolute address") };
    if !plain || text.contains('#') || !url.username().is_empty() || url.password().is_some() {
        return Err("wanted at most 2,048 bytes of ASCII, without spaces, fragment and user name");
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if allow_plaintext && is_own_machine(&url) => Ok(()),
        _ => Err("wanted https, since whoever is on the way could put keys of their own there"),
    }
}

fn is_own_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The same but for the port, both `http` on an address of the own machine; by name it could be another's.
fn is_same_loopback(known: &str, uri: &str) -> bool {
    let rest = |text: &str| {
        let url = Url::parse(text).ok()?;
        let own = matches!(url.host(), Some(Host::Ipv4(address)) if address.octets() == [127, 0, 0, 1])
            || matches!(url.host(), Some(Host::Ipv6(address)) if address.is_loopback());
        let after = text.strip_prefix("http://")?;
        let (authority, path) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        own.then(|| (host.to_owned(), path.to_owned()))
    };
    rest(known).is_some_and(|known| rest(uri) == Some(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(uris: &[&str]) -> ClientOptions {
        let redirect_uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        ClientOptions { redirect_uris, ..ClientOptions::plain(ClientKind::Confidential) }
    }

    #[test]
    fn an_address_is_one_of_its_own_to_the_byte() {
        let client = at(&["https://app.example.com/cb", "https://app.example.com/in?tenant=1"]);
        for uri in ["https://app.example.com/cb", "https://app.example.com/in?tenant=1"] {
            assert!(client.redirects_to(uri), "{uri}");
        }
        for uri in [
            "",
            "https://app.example.com/cb/",
            "https://app.example.com/cb?x=1",
            "https://app.example.com/cb#x",
            "https://APP.example.com/cb",
            "https://app.example.com:443/cb",
            "https://app.example.com/in",
            "https://app.example.com/in?tenant=1&x=2",
            "https://app.example.com/x/../cb",
            "http://app.example.com/cb",
            "https://app.example.com.evil.example/cb",
        ] {
            assert!(!client.redirects_to(uri), "{uri}");
        }
    }

    #[test]
    fn a_program_listens_on_the_port_that_is_free() {
        let mut client = at(&["http://127.0.0.1/cb", "http://[::1]:1/cb", "http://localhost:1/cb"]);
        assert!(!client.redirects_to("http://127.0.0.1:5000/cb"), "one with a secret is a server, whose port is known");
        client.kind = ClientKind::Public;
        assert!(client.is_anybodys("http://127.0.0.1:5000/cb") && !client.is_anybodys("https://app.example/cb"));
        for uri in ["http://127.0.0.1:5000/cb", "http://[::1]:9/cb", "http://localhost:1/cb"] {
            assert!(client.redirects_to(uri), "{uri}");
        }
        for uri in [
            "http://127.0.0.2:5000/cb",
            "http://localhost:2/cb",
            "https://127.0.0.1:5000/cb",
            "http://127.0.0.1:5000/cb/x",
            "http://127.0.0.1:5000@evil.example/cb",
            "http://127.0.0.1.evil.example:1/cb",
            "http://x@127.0.0.1:1/cb",
        ] {
            assert!(!client.redirects_to(uri), "{uri}");
        }
    }

    #[test]
    fn keys_are_published_where_nobody_on_the_way_can_change_them() {
        assert_eq!(check_keys_uri("https://a.example/keys.json", false), Ok(()));
        assert!(check_keys_uri("http://127.0.0.1:1/keys", false).is_err());
        assert_eq!(check_keys_uri("http://127.0.0.1:1/keys", true), Ok(()));
        for uri in
            ["", "/keys", "http://a.example/keys", "https://u@a.example/", "https://a.example/#x", "file:///etc/keys", "data:x"]
        {
            assert!(check_keys_uri(uri, true).is_err(), "{uri}");
        }
    }

    #[test]
    fn addresses_that_may_be_registered() {
        for uri in ["https://a.example/cb?x=1", "http://127.0.0.1:1/cb", "http://localhost/cb", "com.example.app:/cb"] {
            assert_eq!(check_uri(uri), Ok(()), "{uri}");
        }
        for uri in [
            "",
            "/cb",
            "http://a.example/cb",
            "https://a.example/#x",
            "https://*.a.example/cb",
            "https://u@a.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a.example/a b",
            "https://a.example\\b",
        ] {
            assert!(check_uri(uri).is_err(), "{uri}");
        }
    }
}
