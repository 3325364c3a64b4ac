//! `[server]`: where the gateway listens and what one connection may ask of it.

use super::reader::Reader;
use crate::model::network::{Network, networks};
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// Base of absolute links, without a trailing slash. Unset: `http://` and the address that is listened on.
    pub public_url: Option<String>,
    /// Proxies whose word on where a request comes from (`X-Forwarded-For`) is taken.
    pub trusted_proxies: Vec<Network>,
    /// Longest request body in bytes; longer ones get 413 while still arriving.
    pub body_bytes_max: usize,
    /// How long a client may take to send its headers, and between requests on one connection.
    pub header_timeout: Duration,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
    /// Open connections at a time; more wait in the listen queue.
    pub connections_max: usize,
    /// How long requests are still taken after readiness failed, so that a load balancer sees it before connections are refused.
    pub drain: Duration,
    /// How long requests in flight may take to finish once the gateway was told to stop.
    pub shutdown: Duration,
}

impl ServerConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let seconds = |reader: &mut Reader, path: &str, default, max| Duration::from_secs(reader.integer(path, default, 1, max));
        Self {
            listen: reader
                .parsed("server.listen", "127.0.0.1:8080", "an address and port like 127.0.0.1:8080", |text| text.parse().ok()),
            public_url: reader.optional("server.public_url", "an http or https URL without query or fragment", public_url),
            trusted_proxies: reader.parsed(
                "server.trusted_proxies",
                "",
                "addresses or networks like 127.0.0.1, 10.0.0.0/8",
                networks,
            ),
            body_bytes_max: reader.integer("server.body_bytes_max", 10 << 20, 1 << 10, 1 << 30),
            header_timeout: seconds(reader, "server.header_timeout_seconds", 30, 600),
            body_timeout: seconds(reader, "server.body_timeout_seconds", 30, 600),
            connections_max: reader.integer("server.connections_max", 10_000, 1, 1_000_000),
            drain: Duration::from_millis(reader.integer("server.drain_milliseconds", 500, 0, 120_000)),
            shutdown: seconds(reader, "server.shutdown_seconds", 20, 300),
        }
    }
}

fn public_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let clean = !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', '@', ' ', '\\']) && text.is_ascii();
    clean.then(|| text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::public_url;

    #[test]
    fn a_public_url_loses_its_trailing_slash_and_keeps_its_path() {
        assert_eq!(public_url("https://id.example.com/").as_deref(), Some("https://id.example.com"));
        assert_eq!(public_url("http://127.0.0.1:8080/roster").as_deref(), Some("http://127.0.0.1:8080/roster"));
    }

    #[test]
    fn what_is_no_plain_base_is_refused() {
        for text in ["", "id.example.com", "ftp://x", "https://", "https:///x", "https://x?y", "https://u:p@x", "https://x#y"] {
            assert_eq!(public_url(text), None, "{text}");
        }
    }
}
