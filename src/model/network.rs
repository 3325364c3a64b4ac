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
        for bad in ["proxy", "10.0.0.0/33", "10.0.0/8", "::1/129", "127.0.0.1;10.0.0.1"] {
            assert_eq!(networks(bad), None, "{bad}");
        }
    }
}
