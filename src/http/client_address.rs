//! Where a request comes from: the peer of the connection, or what a trusted proxy says of it.

use crate::model::network::Network;
use axum::http::HeaderMap;
use std::net::IpAddr;

/// Hops that are looked at, from the last one back.
const HOPS_MAX: usize = 20;

/// The address of the client. Behind proxies it is the last one in `X-Forwarded-For` that is no trusted proxy itself:
/// what stands before it was written by whoever sent it. A peer that is none of `trusted` speaks for itself alone.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev().map(|value| value.to_str().unwrap_or_default());
    for hop in lines.flat_map(|line| line.rsplit(',')).take(HOPS_MAX) {
        if !is_trusted(address) {
            break;
        }
        // What can't be read ends the chain: the proxy before it is all that is known.
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::networks;

    fn of(peer: &str, lines: &[&str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().expect("a header"));
        }
        client_address(peer.parse().expect("an address"), &headers, &networks(trusted).expect("networks")).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(of("192.0.2.1", &["198.51.100.9"], ""), "192.0.2.1");
        assert_eq!(of("192.0.2.1", &["198.51.100.9"], "127.0.0.1"), "192.0.2.1");
        assert_eq!(of("127.0.0.1", &["198.51.100.9"], "127.0.0.1"), "198.51.100.9");
        assert_eq!(of("::ffff:127.0.0.1", &[], "127.0.0.1"), "127.0.0.1");
    }

    #[test]
    fn what_a_client_writes_before_its_proxy_does_is_not_read() {
        assert_eq!(of("127.0.0.1", &["1.1.1.1, 198.51.100.9"], "127.0.0.1"), "198.51.100.9");
        assert_eq!(of("127.0.0.1", &["1.1.1.1", "198.51.100.9, 10.0.0.2"], "127.0.0.1, 10.0.0.0/8"), "198.51.100.9");
        assert_eq!(of("127.0.0.1", &["198.51.100.9, nonsense"], "127.0.0.1"), "127.0.0.1");
    }
}
