//! Addresses and networks of addresses (RFC 4632, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;

/// Networks in one list.
const NETWORKS_MAX: usize = 100;

/// All addresses that share the first `bits` with `address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// `10.0.0.0/8`, or an address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    pub fn contains(&self, other: IpAddr) -> bool {
        let shared = |own: u128, other: u128, width: u32| self.bits == 0 || (own ^ other) >> (width - self.bits) == 0;
        match (self.address.to_canonical(), other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => shared(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => shared(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// A list with commas between; an empty text is an empty list.
pub fn networks(text: &str) -> Option<Vec<Network>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let all: Option<Vec<Network>> = parts.map(Network::parse).collect();
    all.filter(|all| all.len() <= NETWORKS_MAX)
}

/// Somebody in a network of one's own: all of the network, or one host by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Network(Network),
    /// In lower case. There are no patterns.
    Host(String),
}

/// The same of networks and hosts.
pub fn peers(text: &str) -> Option<Vec<Peer>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let all: Option<Vec<Peer>> = parts.map(|part| Network::parse(part).map(Peer::Network).or_else(|| host(part))).collect();
    all.filter(|all| all.len() <= NETWORKS_MAX)
}

fn host(text: &str) -> Option<Peer> {
    let is_label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        plain && (1..=63).contains(&label.len())
    };
    // One that ends in a number is an address in some spelling.
    let is_name = text.rsplit('.').next().is_some_and(|last| !last.starts_with(|first: char| first.is_ascii_digit()));
    (text.len() <= 253 && is_name && text.split('.').all(is_label)).then(|| Peer::Host(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_begin_like_it() {
        let holds =
            |network: &str, address: &str| Network::parse(network).expect(network).contains(address.parse().expect(address));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1"), "IPv4 within IPv6 is the same address");
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("0.0.0.0/0", "192.0.2.1") && !holds("0.0.0.0/0", "2001:db8::1") && holds("::/0", "2001:db8::1"));
    }

    #[test]
    fn a_list_is_all_networks_or_none() {
        assert_eq!(networks("").map(|all| all.len()), Some(0));
        assert_eq!(networks("127.0.0.1, 10.0.0.0/8,").map(|all| all.len()), Some(2));
        assert_eq!(
            peers("10.1.0.0/16, ADFS.corp.example"),
            Some(vec![
                Peer::Network(Network::parse("10.1.0.0/16").expect("a network")),
                Peer::Host(String::from("adfs.corp.example")),
            ])
        );
        for bad in ["https://adfs", "adfs:443", "*.corp.example", "10.1.0.0/33", "10.1", "0x7f.1", "a..b", "ädfs"] {
            assert_eq!(peers(bad), None, "{bad}");
        }
        for bad in ["proxy", "10.0.0.0/33", "10.0.0/8", "::1/129", "127.0.0.1;10.0.0.1"] {
            assert_eq!(networks(bad), None, "{bad}");
        }
    }
}
