//! The controls by which servers tell what changed: of RFC 4533 (syncrepl) and Active Directory's DirSync (MS-ADTS
//! §3.1.1.3.4.1.3). Pure; bytes that are none of them are refused, never a panic, which the readers of `ldap3` answer with.

use crate::ldap::ber::{self, Elements};
use ldap3::controls::RawControl;

/// RFC 4533 §2.2.
pub const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";
/// RFC 4533 §2.3, beside each entry.
pub const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
/// RFC 4533 §2.4, beside the end.
pub const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
/// RFC 4533 §2.5, between entries.
pub const SYNC_INFO: &[u8] = b"1.3.6.1.4.1.4203.1.9.1.4";
pub const DIR_SYNC: &str = "1.2.840.113556.1.4.841";
/// MS-ADTS §3.1.1.3.4.1.14: deleted entries are shown too.
pub const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

/// Ids in one message: a set of them is taken whole.
const IDS_MAX: usize = 100_000;

/// What a server says beside an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncState {
    pub state: State,
    pub id: [u8; 16],
    pub cookie: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Unchanged, and there: its attributes are not sent.
    Present,
    Add,
    Modify,
    Delete,
}

/// What a server says at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncDone {
    pub cookie: Option<Vec<u8>>,
    pub refresh_deletes: bool,
}

/// What a server says between entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncInfo {
    NewCookie(Vec<u8>),
    /// The part in which deletions were told is over.
    RefreshDelete {
        cookie: Option<Vec<u8>>,
    },
    /// The part in which those that are there were named is over.
    RefreshPresent {
        cookie: Option<Vec<u8>>,
    },
    /// Ids of entries that were deleted, or else are there.
    Ids {
        cookie: Option<Vec<u8>>,
        deleted: bool,
        ids: Vec<[u8; 16]>,
    },
}

/// Asks for what changed since `cookie`, then to be left alone (refreshOnly). No reload hint: a server that can't go on from
/// the place has to say so.
pub fn sync_request(cookie: Option<&[u8]>) -> RawControl {
    let mut value = ber::element(ber::ENUMERATED, &[1]);
    value.extend(cookie.map(|cookie| ber::element(ber::OCTETS, cookie)).unwrap_or_default());
    value.extend(ber::element(ber::BOOLEAN, &[0]));
    RawControl { ctype: SYNC_REQUEST.to_owned(), crit: true, val: Some(ber::element(ber::SEQUENCE, &value)) }
}

pub fn sync_state(value: &[u8]) -> Option<SyncState> {
    let mut parts = Elements(Elements::only(value, ber::SEQUENCE)?);
    let state = match parts.take(ber::ENUMERATED)? {
        [0] => State::Present,
        [1] => State::Add,
        [2] => State::Modify,
        [3] => State::Delete,
        _ => return None,
    };
    let id = parts.take(ber::OCTETS)?.try_into().ok()?;
    let cookie = parts.take_optional(ber::OCTETS)?.map(<[u8]>::to_vec);
    Some(SyncState { state, id, cookie })
}

pub fn sync_done(value: &[u8]) -> Option<SyncDone> {
    let mut parts = Elements(Elements::only(value, ber::SEQUENCE)?);
    let cookie = parts.take_optional(ber::OCTETS)?.map(<[u8]>::to_vec);
    Some(SyncDone { cookie, refresh_deletes: parts.boolean_or(false)? })
}

/// The value of an intermediate message named [`SYNC_INFO`].
pub fn sync_info(value: &[u8]) -> Option<SyncInfo> {
    let mut outer = Elements(value);
    let tag = outer.next_tag()?;
    let content = outer.take(tag)?;
    if !outer.0.is_empty() {
        return None;
    }
    let mut parts = Elements(content);
    match tag {
        0x80 => Some(SyncInfo::NewCookie(content.to_vec())),
        0xa1 | 0xa2 => {
            let cookie = parts.take_optional(ber::OCTETS)?.map(<[u8]>::to_vec);
            parts.boolean_or(true)?;
            Some(if tag == 0xa1 { SyncInfo::RefreshDelete { cookie } } else { SyncInfo::RefreshPresent { cookie } })
        }
        0xa3 => {
            let cookie = parts.take_optional(ber::OCTETS)?.map(<[u8]>::to_vec);
            let deleted = parts.boolean_or(false)?;
            let mut set = Elements(parts.take(ber::SET)?);
            let mut ids = Vec::new();
            while !set.0.is_empty() {
                if ids.len() >= IDS_MAX {
                    return None;
                }
                ids.push(set.take(ber::OCTETS)?.try_into().ok()?);
            }
            Some(SyncInfo::Ids { cookie, deleted, ids })
        }
        _ => None,
    }
}

/// The flag of DirSync by which only what the account may read is shown (LDAP_DIRSYNC_OBJECT_SECURITY).
const OBJECT_SECURITY: i64 = 1;
/// Bytes of one answer that are asked for; a server may send fewer.
const DIR_SYNC_BYTES: i64 = 1024 * 1024;

/// Asks for what changed since `cookie`; since ever, if it is empty.
pub fn dir_sync_request(secured: bool, cookie: &[u8]) -> RawControl {
    let mut value = ber::number(if secured { OBJECT_SECURITY } else { 0 });
    value.extend(ber::number(DIR_SYNC_BYTES));
    value.extend(ber::element(ber::OCTETS, cookie));
    RawControl { ctype: DIR_SYNC.to_owned(), crit: true, val: Some(ber::element(ber::SEQUENCE, &value)) }
}

/// Whether there is more, and from where.
pub fn dir_sync_response(value: &[u8]) -> Option<(bool, Vec<u8>)> {
    let mut parts = Elements(Elements::only(value, ber::SEQUENCE)?);
    let more = ber::integer(parts.take(ber::INTEGER)?)?;
    parts.take(ber::INTEGER)?;
    Some((more != 0, parts.take(ber::OCTETS)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: [u8; 16] = *b"0123456789abcdef";

    fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
        ber::element(ber::SEQUENCE, &parts.concat())
    }

    #[test]
    fn what_is_asked_for_is_written_as_the_rfc_has_it() {
        assert_eq!(sync_request(None).val.unwrap(), [0x30, 6, 0x0a, 1, 1, 1, 1, 0]);
        assert_eq!(sync_request(Some(b"ab")).val.unwrap(), [0x30, 10, 0x0a, 1, 1, 4, 2, b'a', b'b', 1, 1, 0]);
        assert_eq!(dir_sync_request(true, b"").val.unwrap(), [0x30, 10, 2, 1, 1, 2, 3, 0x10, 0, 0, 4, 0]);
    }

    #[test]
    fn what_is_said_beside_an_entry_and_at_the_end_is_read() {
        let state = |state: u8| sequence(&[vec![0x0a, 1, state], ber::element(ber::OCTETS, &ID)]);
        let read: Vec<State> = (0..4).map(|number| sync_state(&state(number)).unwrap().state).collect();
        assert_eq!(read, [State::Present, State::Add, State::Modify, State::Delete]);
        assert_eq!(sync_state(&state(4)), None);
        assert_eq!(sync_state(&sequence(&[vec![0x0a, 1, 1], ber::element(ber::OCTETS, b"short")])), None);
        assert_eq!(sync_done(&[0x30, 0]), Some(SyncDone::default()));
        assert_eq!(
            sync_done(&[0x30, 6, 4, 1, b'c', 1, 1, 0xff]),
            Some(SyncDone { cookie: Some(b"c".to_vec()), refresh_deletes: true })
        );
    }

    #[test]
    fn what_is_said_between_entries_is_read() {
        assert_eq!(sync_info(&[0x80, 1, b'c']), Some(SyncInfo::NewCookie(b"c".to_vec())));
        assert_eq!(sync_info(&[0xa1, 0]), Some(SyncInfo::RefreshDelete { cookie: None }));
        assert_eq!(sync_info(&[0xa2, 3, 4, 1, b'c']), Some(SyncInfo::RefreshPresent { cookie: Some(b"c".to_vec()) }));
        let set = ber::element(ber::SET, &[ber::element(ber::OCTETS, &ID), ber::element(ber::OCTETS, &ID)].concat());
        let ids = |deleted: Vec<u8>| sync_info(&ber::element(0xa3, &[deleted, set.clone()].concat()));
        assert_eq!(ids(vec![]), Some(SyncInfo::Ids { cookie: None, deleted: false, ids: vec![ID, ID] }));
        assert_eq!(ids(vec![1, 1, 1]), Some(SyncInfo::Ids { cookie: None, deleted: true, ids: vec![ID, ID] }));
        let odd = ber::element(0xa3, &ber::element(ber::SET, &ber::element(ber::OCTETS, b"x")));
        assert_eq!(sync_info(&odd), None);
        assert_eq!(sync_info(&[0xa9, 0]), None);
    }

    #[test]
    fn more_is_anything_but_none() {
        let response = |more: i64| sequence(&[ber::number(more), ber::number(0), ber::element(ber::OCTETS, b"next")]);
        assert_eq!(dir_sync_response(&response(0)), Some((false, b"next".to_vec())));
        assert_eq!(dir_sync_response(&response(1)), Some((true, b"next".to_vec())));
        assert_eq!(dir_sync_response(&response(-1)), Some((true, b"next".to_vec())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), tag in 0x80..0xa8u8) {
            for value in [bytes.clone(), ber::element(ber::SEQUENCE, &bytes), ber::element(tag, &bytes)] {
                let _ = (sync_state(&value), sync_done(&value), sync_info(&value), dir_sync_response(&value));
            }
        }
    }
}
