//! Which addresses may be called, whatever name led to them. Pure.
//!
//! An address that carries another one is judged by what it carries: otherwise `::ffff:10.0.0.1` would be a way around
//! `10.0.0.1`. What no rule names is not called.

use crate::model::network::Peer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far inside an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Anybody's.
    Public,
    /// Of a network of ours: only where the operator opened it.
    Private,
    /// This machine: only where the connection allows plaintext.
    Loopback,
}

/// Where an address lies; `Err`: it is nobody's to call, and why.
pub fn reach(address: IpAddr) -> Result<Reach, &'static str> {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Result<Reach, &'static str> {
    match address.octets() {
        [127, ..] => Ok(Reach::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Ok(Reach::Private),
        // Shared by customers of a carrier (RFC 6598); between networks under test (RFC 2544), which some run with.
        [100, 64..=127, ..] | [198, 18..=19, ..] => Ok(Reach::Private),
        [0, ..] => Err("stands for no host"),
        // Where clouds hand out credentials.
        [169, 254, ..] => Err("is link-local"),
        [192, 0, 0, _] => Err("is for protocols"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Err("is for documentation"),
        [192, 88, 99, _] => Err("is of 6to4"),
        [224..=239, ..] => Err("is for many at once"),
        [240..=255, ..] => Err("is reserved"),
        _ => Ok(Reach::Public),
    }
}

fn reach_v6(address: Ipv6Addr) -> Result<Reach, &'static str> {
    if address == Ipv6Addr::LOCALHOST {
        return Ok(Reach::Loopback);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] => reach_v4(embedded(address)),
        // NAT64 (RFC 6052): whatever IPv4 has, seen from a network without it. Its loopback is another machine's.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => match reach_v4(embedded(address))? {
            Reach::Loopback => Err("is another machine's loopback"),
            reach => Ok(reach),
        },
        // The same by a prefix of one's own (RFC 8215).
        [0x64, 0xff9b, 1, ..] => Ok(Reach::Private),
        [0xfc00..=0xfdff, ..] => Ok(Reach::Private),
        [0xfe80..=0xfebf, ..] => Err("is link-local"),
        [0xff00..=0xffff, ..] => Err("is for many at once"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Err("is for documentation"),
        // Teredo and its neighbours (RFC 2928).
        [0x2001, 0..=0x1ff, ..] => Err("is for protocols"),
        [0x2002, ..] => Err("is of 6to4"),
        [0x2000..=0x3fff, ..] => Ok(Reach::Public),
        _ => Err("is nobody's"),
    }
}

/// The IPv4 address in the last 32 bits.
fn embedded(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

/// Did the operator open `address`, which `host` led to?
pub fn is_opened(opened: &[Peer], host: &str, address: IpAddr) -> bool {
    let inner = match address {
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => IpAddr::V4(embedded(v6)),
        other => other,
    };
    opened.iter().any(|peer| match peer {
        Peer::Host(name) => name.eq_ignore_ascii_case(host),
        Peer::Network(network) => network.contains(address) || network.contains(inner),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::peers;

    fn of(text: &str) -> Result<Reach, &'static str> {
        reach(text.parse().expect(text))
    }

    #[test]
    fn addresses_of_anybody_are_public() {
        for text in ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.167.1.1", "11.0.0.1"] {
            assert_eq!(of(text), Ok(Reach::Public), "{text}");
        }
        for text in ["2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860::8888"] {
            assert_eq!(of(text), Ok(Reach::Public), "{text}");
        }
    }

    #[test]
    fn addresses_of_networks_of_ours_are_private_whatever_carries_them() {
        for text in ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "198.18.0.1"] {
            assert_eq!(of(text), Ok(Reach::Private), "{text}");
            assert_eq!(of(&format!("::ffff:{text}")), Ok(Reach::Private), "mapped {text}");
            assert_eq!(of(&format!("64:ff9b::{text}")), Ok(Reach::Private), "NAT64 {text}");
        }
        for text in ["fc00::1", "fd12:3456::1", "64:ff9b:1::a00:1"] {
            assert_eq!(of(text), Ok(Reach::Private), "{text}");
        }
    }

    #[test]
    fn this_machine_is_loopback_in_every_spelling() {
        for text in ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(text), Ok(Reach::Loopback), "{text}");
        }
        assert!(of("64:ff9b::127.0.0.1").is_err());
    }

    #[test]
    fn what_is_nobodys_to_call_is_refused() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "192.0.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "2001::1",
            "2001:2::1",
            "2002:a00:1::1",
            "2002:808:808::1",
            "100::1",
            "5f00::1",
            "4000::1",
            "1::1",
        ] {
            assert!(of(text).is_err(), "{text}: {:?}", of(text));
        }
    }

    #[test]
    fn an_operator_opens_by_network_or_by_name() {
        let opened = peers("10.1.0.0/16, adfs.corp.example, fd00::/8").expect("peers");
        let opens = |host: &str, address: &str| is_opened(&opened, host, address.parse().expect(address));
        assert!(
            opens("x", "10.1.2.3") && opens("x", "::ffff:10.1.2.3") && opens("x", "64:ff9b::10.1.2.3") && opens("x", "fd01::1")
        );
        assert!(opens("ADFS.corp.example", "192.168.1.1"));
        assert!(
            !opens("x", "10.2.0.1")
                && !opens("other.corp.example", "192.168.1.1")
                && !opens("sub.adfs.corp.example", "192.168.1.1")
        );
    }
}
