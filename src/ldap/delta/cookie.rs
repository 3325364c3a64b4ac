//! The place in a directory's changes from which to go on, and the question it belongs to. It is kept outside, as bytes with
//! a checksum: OpenLDAP answers a damaged place with everything, and calls that a delta. Never printed, since it holds what
//! a server would take from whoever shows it.

use super::{Doubt, Strategy};
use crate::clock::Micros;
use crate::ldap::settings::{Address, Area, Bind, Settings};
use sha2::{Digest, Sha256};
use std::fmt;

/// The form of [`Cookie::to_bytes`].
const VERSION: u8 = 1;
/// Longest place of a server. Active Directory's grows with the number of its servers.
pub const PLACE_BYTES_MAX: usize = 1024 * 1024;
const CHECKSUM_BYTES: usize = 32;

/// A hash of whom was asked what, by whom and in which way: with any of it changed, a place means something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub(super) [u8; 32]);

impl Fingerprint {
    pub fn of(settings: &Settings, area: &Area, attributes: &[String], strategy: Strategy, address: &Address) -> Self {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        };
        add(strategy.as_str());
        add(&address.to_string());
        match &settings.bind {
            Bind::Simple { dn, .. } => add(&format!("simple {dn}")),
            Bind::External { certificate, .. } => add(&format!("external {}", certificate.display())),
        }
        // Always the whole subtree.
        for part in [&area.base, &area.filter, &area.id_attribute] {
            add(part);
        }
        let mut names: Vec<String> = attributes.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        names.dedup();
        names.iter().for_each(|name| add(name));
        Self(hash.finalize().into())
    }
}

/// A place, and what it belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    pub(super) fingerprint: Fingerprint,
    /// By our clock.
    pub(super) made_at: Micros,
    pub(super) place: Place,
}

/// A place as each strategy has it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The server's clock, in seconds since 1970.
    Modified {
        seconds: i64,
    },
    /// A count of changes, and whose it is: the `invocationId` of a server's database.
    Usn {
        invocation: [u8; 16],
        usn: u64,
    },
    SyncRepl(Vec<u8>),
    DirSync {
        invocation: [u8; 16],
        /// Read with the rights of the account, since it may not replicate.
        secured: bool,
        cookie: Vec<u8>,
    },
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie").field("made_at", &self.made_at).field("place", &self.place).finish_non_exhaustive()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modified { .. } => "Modified(…)",
            Self::Usn { .. } => "Usn(…)",
            Self::SyncRepl(_) => "SyncRepl(…)",
            Self::DirSync { .. } => "DirSync(…)",
        })
    }
}

impl Cookie {
    /// The way in which it was made.
    pub fn strategy(&self) -> Strategy {
        match self.place {
            Place::Modified { .. } => Strategy::Modified,
            Place::Usn { .. } => Strategy::Usn,
            Place::SyncRepl(_) => Strategy::SyncRepl,
            Place::DirSync { .. } => Strategy::DirSync,
        }
    }

    /// As it is kept. What a server takes from whoever shows it is in there: to be sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.fingerprint.0);
        bytes.extend(self.made_at.to_be_bytes());
        match &self.place {
            Place::Modified { seconds } => {
                bytes.push(0);
                bytes.extend(seconds.to_be_bytes());
            }
            Place::Usn { invocation, usn } => {
                bytes.push(1);
                bytes.extend(invocation);
                bytes.extend(usn.to_be_bytes());
            }
            Place::SyncRepl(cookie) => {
                bytes.push(2);
                bytes.extend(cookie);
            }
            Place::DirSync { invocation, secured, cookie } => {
                bytes.push(3);
                bytes.extend(invocation);
                bytes.push(u8::from(*secured));
                bytes.extend(cookie);
            }
        }
        let checksum: [u8; CHECKSUM_BYTES] = Sha256::digest(&bytes).into();
        bytes.extend(checksum);
        bytes
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// [`Doubt::Damaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Doubt> {
        Self::read(bytes).ok_or(Doubt::Damaged)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
        let right: [u8; CHECKSUM_BYTES] = Sha256::digest(body).into();
        if right != checksum || body.len() > PLACE_BYTES_MAX + 128 {
            return None;
        }
        let (&[VERSION], rest) = body.split_first_chunk::<1>()? else { return None };
        let (&fingerprint, rest) = rest.split_first_chunk::<32>()?;
        let (&made_at, rest) = rest.split_first_chunk::<8>()?;
        let (&[kind], rest) = rest.split_first_chunk::<1>()?;
        let place = match kind {
            0 => Place::Modified { seconds: i64::from_be_bytes(rest.try_into().ok()?) },
            1 => {
                let (&invocation, rest) = rest.split_first_chunk::<16>()?;
                Place::Usn { invocation, usn: u64::from_be_bytes(rest.try_into().ok()?) }
            }
            2 => Place::SyncRepl(rest.to_vec()),
            3 => {
                let (&invocation, rest) = rest.split_first_chunk::<16>()?;
                let (&[secured @ 0..=1], cookie) = rest.split_first_chunk::<1>()? else { return None };
                Place::DirSync { invocation, secured: secured == 1, cookie: cookie.to_vec() }
            }
            _ => return None,
        };
        Some(Self { fingerprint: Fingerprint(fingerprint), made_at: i64::from_be_bytes(made_at), place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> impl Strategy_<Value = Place> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..100);
        prop_oneof![
            any::<i64>().prop_map(|seconds| Place::Modified { seconds }),
            (any::<[u8; 16]>(), any::<u64>()).prop_map(|(invocation, usn)| Place::Usn { invocation, usn }),
            bytes().prop_map(Place::SyncRepl),
            (any::<[u8; 16]>(), any::<bool>(), bytes()).prop_map(|(invocation, secured, cookie)| Place::DirSync {
                invocation,
                secured,
                cookie
            }),
        ]
    }

    use proptest::strategy::Strategy as Strategy_;

    proptest! {
        #[test]
        fn what_is_kept_is_read_and_one_changed_bit_is_seen(
            place in place(), fingerprint: [u8; 32], made_at: i64, at: prop::sample::Index, bit in 0..8u8
        ) {
            let cookie = Cookie { fingerprint: Fingerprint(fingerprint), made_at, place };
            let mut bytes = cookie.to_bytes();
            prop_assert_eq!(Cookie::from_bytes(&bytes), Ok(cookie));
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Cookie::from_bytes(&bytes), Err(Doubt::Damaged));
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Cookie::from_bytes(&bytes), Err(Doubt::Damaged));
        }
    }

    #[test]
    fn a_place_is_never_printed() {
        let place = Place::SyncRepl(b"rid=000,csn=20260101".to_vec());
        let cookie = Cookie { fingerprint: Fingerprint([0; 32]), made_at: 1, place };
        assert_eq!(format!("{cookie:?}"), "Cookie { made_at: 1, place: SyncRepl(…), .. }");
    }
}
