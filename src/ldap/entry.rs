//! One entry as a directory sent it (RFC 4511 §4.5.2): names, and values as bytes. Owns the limits on it, the ranges of
//! Active Directory (`member;range=0-1499`), and that passwords are dropped here. Refuses malformed data, never panics.

use super::failure::Cause;
use ldap3::asn1::{PL, StructureTag};

/// Bytes of all values of one entry, as the mapping language takes it.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Attributes of one entry.
pub const ATTRIBUTES_MAX: usize = 10_000;
/// Values of one attribute, all ranges together.
pub const VALUES_MAX: usize = 1_000_000;

/// Never read, whatever a server hands out: what signs somebody in, decrypts something, or is a hash of either. By name
/// and by the object identifiers under which two of them can be asked for.
const DROPPED: [&str; 61] = [
    // RFC 4519, RFC 3112, RFC 2307
    "userPassword",
    "2.5.4.35",
    "authPassword",
    "nisSecretKey",
    "userPKCS12",
    // Active Directory
    "unicodePwd",
    "1.2.840.113556.1.4.90",
    "clearTextPassword",
    "currentValue",
    "dBCSPwd",
    "initialAuthIncoming",
    "initialAuthOutgoing",
    "lmPwdHistory",
    "msDS-ExecuteScriptPassword",
    "msDS-ManagedPassword",
    "msDS-ManagedPasswordPreviousId",
    "msFVE-KeyPackage",
    "msFVE-RecoveryPassword",
    "msPKIAccountCredentials",
    "msPKI-CredentialRoamingTokens",
    "msPKIDPAPIMasterKeys",
    "msSFU30Password",
    "msTPM-OwnerInformation",
    "ntPwdHistory",
    "priorValue",
    "supplementalCredentials",
    "trustAuthIncoming",
    "trustAuthOutgoing",
    "unixUserPassword",
    // OpenLDAP
    "olcRootPW",
    "olcSyncrepl",
    "olcDbACLBind",
    "olcDbIDAssertBind",
    "oathSecret",
    "oathEncKey",
    "passwordHistory",
    "pwdHistory",
    // 389 Directory Server, FreeIPA
    "ipaNTHash",
    "ipaNTTrustAuthIncoming",
    "ipaNTTrustAuthOutgoing",
    "ipaPrivateKey",
    "ipaSecretKey",
    "ipaTokenOTPKey",
    "ipaTokenRadiusSecret",
    "ipaIdpClientSecret",
    "nsds5ReplicaBootstrapCredentials",
    "nsds5ReplicaCredentials",
    "nsMultiplexorCredentials",
    "nsslapd-rootpw",
    // Kerberos
    "krb5Key",
    "krbExtraData",
    "krbMKey",
    "krbPrincipalKey",
    "krbPwdHistory",
    // Samba, Novell
    "nspmDistributionPassword",
    "nspmPassword",
    "sambaClearTextPassword",
    "sambaLMPassword",
    "sambaNTPassword",
    "sambaPasswordHistory",
    "sambaPreviousClearTextPassword",
];

/// Beginnings of such names: passwords of a machine's administrator (LAPS), of which each version brings another.
const DROPPED_BEGINNINGS: [&str; 2] = ["ms-Mcs-AdmPwd", "msLAPS-"];

fn is_dropped(name: &str) -> bool {
    let plain = name.split(';').next().unwrap_or(name);
    let begins = |beginning: &&str| plain.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning));
    DROPPED.iter().any(|dropped| dropped.eq_ignore_ascii_case(plain)) || DROPPED_BEGINNINGS.iter().any(begins)
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// As the server spells it, with its options but for a range.
    pub name: String,
    pub values: Vec<Vec<u8>>,
    /// The server has more: the number of the first value to ask for.
    pub more_from: Option<usize>,
}

/// An entry that is there and can't be taken: what of it could be read, and why no more.
#[derive(Debug)]
pub(super) struct Odd {
    pub entry: Entry,
    pub cause: Cause,
}

/// What came instead of an entry.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// An entry, of which something is odd. It concerns this entry alone.
    Odd(Box<Odd>),
    /// No entry at all: whoever sends that is not believed any more.
    NoEntry(Cause),
}

impl Entry {
    /// The attribute of that name, case aside.
    pub fn find(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// Takes the attribute of that name away.
    pub(super) fn take(&mut self, name: &str) -> Option<Attribute> {
        let at = self.attributes.iter().position(|attribute| attribute.name.eq_ignore_ascii_case(name))?;
        Some(self.attributes.remove(at))
    }

    /// Reads what came over the wire. A long attribute begins with its first value.
    pub(super) fn decode(tag: StructureTag) -> Result<Self, NotTaken> {
        Self::decode_from(tag, 0)
    }

    /// Reads the answer to a question for a range that begins with value number `from`.
    pub(super) fn decode_from(tag: StructureTag, from: usize) -> Result<Self, NotTaken> {
        let mut parts = constructed(tag, "an entry").map_err(NotTaken::NoEntry)?.into_iter();
        let (Some(dn), Some(list)) = (parts.next(), parts.next()) else {
            return Err(NotTaken::NoEntry(malformed("an entry without a name")));
        };
        let dn = primitive(dn, "a name").map_err(NotTaken::NoEntry)?;
        let list = constructed(list, "attributes").map_err(NotTaken::NoEntry)?;
        let (dn, mut odd) = match String::from_utf8(dn) {
            Ok(dn) => (dn, None),
            Err(error) => {
                let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
                (shown, Some(malformed("a DN that is no UTF-8")))
            }
        };
        let mut entry = Self { dn, attributes: Vec::new() };
        // On past what is odd: the id of the entry may come after it.
        let mut bytes = 0;
        for item in list {
            if let Err(cause) = entry.add(item, from, &mut bytes) {
                odd.get_or_insert(cause);
            }
        }
        match odd {
            None => Ok(entry),
            Some(cause) => Err(NotTaken::Odd(Box::new(Odd { entry, cause }))),
        }
    }

    /// One attribute as it came.
    fn add(&mut self, item: StructureTag, from: usize, bytes: &mut usize) -> Result<(), Cause> {
        let mut parts = constructed(item, "an attribute")?.into_iter();
        let (Some(name), Some(values)) = (parts.next(), parts.next()) else {
            return Err(malformed("an attribute without values"));
        };
        let name = String::from_utf8(primitive(name, "a name")?).map_err(|_| malformed("an attribute's name"))?;
        if is_dropped(&name) {
            return Ok(());
        }
        let values = constructed(values, "values")?.into_iter().map(|value| primitive(value, "a value"));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        if self.attributes.len() >= ATTRIBUTES_MAX {
            return Err(self.too_much(ATTRIBUTES_MAX, "attributes"));
        }
        let more = name.len() + values.iter().map(Vec::len).sum::<usize>();
        if bytes.saturating_add(more) > ENTRY_BYTES_MAX {
            return Err(self.too_much(ENTRY_BYTES_MAX, "bytes"));
        }
        *bytes += more;
        self.put(&name, values, from)
    }

    /// Adds values, those of a range to what is there. Active Directory sends an empty `member` beside the range.
    fn put(&mut self, name: &str, values: Vec<Vec<u8>>, from: usize) -> Result<(), Cause> {
        let (plain, range) = range_of(name)?;
        if let Some(range) = range {
            range.holds(from, values.len())?;
        }
        let more_from = range.and_then(|range| range.to).map(|to| to + 1);
        match self.attributes.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&plain)) {
            Some(known) if known.values.is_empty() && known.more_from.is_none() => {
                known.values = values;
                known.more_from = more_from;
            }
            Some(_) if values.is_empty() => {}
            Some(_) => return Err(malformed(&format!("`{plain}` twice in one entry"))),
            None => self.attributes.push(Attribute { name: plain, values, more_from }),
        }
        Ok(())
    }

    pub(super) fn too_much(&self, max: usize, unit: &'static str) -> Cause {
        Cause::TooMuch { what: self.dn.clone(), max, unit }
    }
}

/// Which values of an attribute these are; without an end, the last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: usize,
    to: Option<usize>,
}

impl Range {
    /// Whether it is the one that was asked for, and has the values it says. Others may have been left out.
    fn holds(self, from: usize, values: usize) -> Result<(), Cause> {
        let Self { from: begins, to } = self;
        if begins != from {
            return Err(malformed(&format!("a range from {begins} where one from {from} was asked for")));
        }
        match to {
            Some(to) if to + 1 - begins != values => {
                Err(malformed(&format!("a range of {} values that holds {values}", to + 1 - begins)))
            }
            _ => Ok(()),
        }
    }
}

/// The name without its range, and that range.
fn range_of(name: &str) -> Result<(String, Option<Range>), Cause> {
    let is_range = |option: &&str| option.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("range="));
    let Some(option) = name.split(';').skip(1).find(is_range) else { return Ok((name.to_owned(), None)) };
    let odd = || malformed(&format!("the range `{}`", option.escape_debug()));
    let (from, to) = option[6..].split_once('-').ok_or_else(odd)?;
    let from: usize = from.parse().ok().filter(|from| *from < VALUES_MAX).ok_or_else(odd)?;
    let to = match to {
        "*" => None,
        number => Some(number.parse::<usize>().ok().filter(|to| (from..VALUES_MAX).contains(to)).ok_or_else(odd)?),
    };
    let plain: Vec<&str> = name.split(';').filter(|part| *part != option).collect();
    Ok((plain.join(";"), Some(Range { from, to })))
}

fn constructed(tag: StructureTag, what: &str) -> Result<Vec<StructureTag>, Cause> {
    match tag.payload {
        PL::C(parts) => Ok(parts),
        PL::P(_) => Err(malformed(what)),
    }
}

fn primitive(tag: StructureTag, what: &str) -> Result<Vec<u8>, Cause> {
    match tag.payload {
        PL::P(bytes) => Ok(bytes),
        PL::C(_) => Err(malformed(what)),
    }
}

fn malformed(what: &str) -> Cause {
    Cause::Malformed(what.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ldap3::asn1::TagClass;
    use proptest::prelude::*;

    fn tag(payload: PL) -> StructureTag {
        StructureTag { class: TagClass::Universal, id: 4, payload }
    }

    /// An entry on the wire.
    fn wire(dn: &[u8], attributes: &[(&[u8], &[&[u8]])]) -> StructureTag {
        let text = |bytes: &[u8]| tag(PL::P(bytes.to_vec()));
        let attribute = |(name, values): &(&[u8], &[&[u8]])| {
            tag(PL::C(vec![text(name), tag(PL::C(values.iter().map(|value| text(value)).collect()))]))
        };
        tag(PL::C(vec![text(dn), tag(PL::C(attributes.iter().map(attribute).collect()))]))
    }

    fn oddness(tag: StructureTag) -> (Entry, Cause) {
        match Entry::decode(tag) {
            Err(NotTaken::Odd(odd)) => (odd.entry, odd.cause),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_stay_bytes_and_passwords_are_dropped() {
        const SECRET: &[&[u8]] = &[b"secret"];
        let secrets: [&[u8]; 7] = [
            b"UserPassword;x",
            b"2.5.4.35",
            b"ms-Mcs-AdmPwd",
            b"msLAPS-Password",
            b"MSLAPS-encryptedPassword",
            b"ipaNTHash",
            b"pwdHistory",
        ];
        let mut attributes: Vec<(&[u8], &[&[u8]])> = secrets.iter().map(|name| (*name, SECRET)).collect();
        attributes.push((b"objectGUID", &[&[0xff, 0]]));
        // Says when, not what.
        attributes.push((b"pwdLastSet", &[b"0"]));
        attributes.push((b"pwdAccountLockedTime", &[b"000001010000Z"]));
        let entry = Entry::decode(wire(b"cn=a", &attributes)).unwrap();
        assert_eq!(entry.find("OBJECTGUID").unwrap().values, [[0xff, 0]]);
        let names: Vec<&str> = entry.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        assert_eq!(names, ["objectGUID", "pwdLastSet", "pwdAccountLockedTime"]);
    }

    #[test]
    fn a_range_is_part_of_its_attribute_and_says_where_it_goes_on() {
        let first = Entry::decode(wire(b"cn=g", &[(b"member", &[]), (b"member;range=0-1", &[b"cn=a", b"cn=b"])])).unwrap();
        let member = first.find("member").unwrap();
        assert_eq!((member.values.len(), member.more_from), (2, Some(2)));
        let last = Entry::decode_from(wire(b"cn=g", &[(b"member;Range=2-*", &[b"cn=c"]), (b"member", &[])]), 2).unwrap();
        assert_eq!(last.find("member").unwrap().more_from, None);
        for odd in ["member;range=2-1", "member;range=a-b", "member;range=1", "member;range=0-99999999999"] {
            assert!(matches!(oddness(wire(b"cn=g", &[(odd.as_bytes(), &[])])).1, Cause::Malformed(_)), "{odd}");
        }
    }

    #[test]
    fn a_range_that_was_not_asked_for_or_leaves_values_out_makes_the_entry_odd() {
        let says = |name: &str, from| match Entry::decode_from(wire(b"cn=g", &[(name.as_bytes(), &[b"cn=a", b"cn=b"])]), from) {
            Err(NotTaken::Odd(odd)) => odd.cause.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(says("member;range=3-4", 2).contains("a range from 3 where one from 2 was asked for"));
        assert!(says("member;range=1500-*", 0).contains("from 1500 where one from 0"));
        assert!(says("member;range=0-2", 0).contains("a range of 3 values that holds 2"));
    }

    #[test]
    fn an_entry_of_which_something_is_odd_is_still_known_by_what_could_be_read() {
        let (entry, cause) =
            oddness(wire(b"cn=a", &[(&[0xff], &[]), (b"cn", &[b"1"]), (b"CN", &[b"2"]), (b"entryUUID", &[b"x"])]));
        assert_eq!((entry.dn.as_str(), entry.find("entryUUID").is_some()), ("cn=a", true));
        assert!(matches!(cause, Cause::Malformed(_)));
        let (entry, _) = oddness(wire(&[b'c', b'n', b'=', 0xff], &[(b"entryUUID", &[b"x"])]));
        assert_eq!((entry.dn.as_str(), entry.attributes.len()), ("cn=\u{fffd}", 1));
        let large = vec![0; ENTRY_BYTES_MAX + 1];
        let (entry, cause) = oddness(wire(b"cn=a", &[(b"x", &[&large]), (b"entryUUID", &[b"x"])]));
        assert!(matches!(cause, Cause::TooMuch { .. }) && entry.find("entryUUID").is_some());
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let text = || tag(PL::P(b"x".to_vec()));
        for bad in [text(), tag(PL::C(vec![])), tag(PL::C(vec![text()])), tag(PL::C(vec![text(), text()]))] {
            assert!(matches!(Entry::decode(bad.clone()), Err(NotTaken::NoEntry(Cause::Malformed(_)))), "{bad:?}");
        }
        let (_, cause) = oddness(tag(PL::C(vec![text(), tag(PL::C(vec![text()]))])));
        assert!(matches!(cause, Cause::Malformed(_)));
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(name in ".{0,24}", tail in prop::sample::select(vec!["", ";range=", ";range=0-", ";range=\u{e9}-1"])) {
            let _ = Entry::decode(wire(b"cn=a", &[(format!("{name}{tail}").as_bytes(), &[b"1"])]));
        }
    }
}
