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

/// Never read, whatever a server hands out.
const DROPPED: [&str; 14] = [
    "userPassword",
    "unicodePwd",
    "supplementalCredentials",
    "ntPwdHistory",
    "lmPwdHistory",
    "dBCSPwd",
    "pwdHistory",
    "passwordHistory",
    "sambaNTPassword",
    "sambaLMPassword",
    "krbPrincipalKey",
    "ipaNTHash",
    "ms-Mcs-AdmPwd",
    "msDS-ManagedPassword",
];

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

impl Entry {
    /// The attribute of that name, case aside.
    pub fn find(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// Reads what came over the wire.
    ///
    /// # Errors
    /// [`Cause::Malformed`], [`Cause::TooMuch`].
    pub(super) fn decode(tag: StructureTag) -> Result<Self, Cause> {
        let mut parts = constructed(tag, "an entry")?.into_iter();
        let (Some(dn), Some(list)) = (parts.next(), parts.next()) else { return Err(malformed("an entry without a name")) };
        let dn = String::from_utf8(primitive(dn, "a name")?).map_err(|_| malformed("a DN that is no UTF-8"))?;
        let mut entry = Self { dn, attributes: Vec::new() };
        let mut bytes = 0;
        for item in constructed(list, "attributes")? {
            if entry.attributes.len() >= ATTRIBUTES_MAX {
                return Err(entry.too_much(ATTRIBUTES_MAX, "attributes"));
            }
            let mut parts = constructed(item, "an attribute")?.into_iter();
            let (Some(name), Some(values)) = (parts.next(), parts.next()) else {
                return Err(malformed("an attribute without values"));
            };
            let name = String::from_utf8(primitive(name, "a name")?).map_err(|_| malformed("an attribute's name"))?;
            let plain = name.split(';').next().unwrap_or(&name);
            if DROPPED.iter().any(|dropped| dropped.eq_ignore_ascii_case(plain)) {
                continue;
            }
            let values = constructed(values, "values")?.into_iter().map(|value| primitive(value, "a value"));
            let values = values.collect::<Result<Vec<_>, _>>()?;
            bytes += name.len() + values.iter().map(Vec::len).sum::<usize>();
            if bytes > ENTRY_BYTES_MAX {
                return Err(entry.too_much(ENTRY_BYTES_MAX, "bytes"));
            }
            entry.put(&name, values)?;
        }
        Ok(entry)
    }

    /// Adds values, those of a range to what is there. Active Directory sends an empty `member` beside the range.
    fn put(&mut self, name: &str, values: Vec<Vec<u8>>) -> Result<(), Cause> {
        let (plain, range) = range_of(name)?;
        let more_from = range.and_then(|range| range.to).map(|to| to + 1);
        match self.attributes.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&plain)) {
            Some(known) if range.is_some() || known.more_from.is_some() => {
                known.values.extend(values);
                known.more_from = known.more_from.or(more_from);
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
    to: Option<usize>,
}

/// The name without its range, and that range.
fn range_of(name: &str) -> Result<(String, Option<Range>), Cause> {
    let is_range = |option: &&str| option.len() > 6 && option.is_char_boundary(6) && option[..6].eq_ignore_ascii_case("range=");
    let Some(option) = name.split(';').skip(1).find(is_range) else { return Ok((name.to_owned(), None)) };
    let odd = || malformed(&format!("the range `{}`", option.escape_debug()));
    let (from, to) = option[6..].split_once('-').ok_or_else(odd)?;
    let from: usize = from.parse().map_err(|_| odd())?;
    let to = match to {
        "*" => None,
        number => Some(number.parse::<usize>().ok().filter(|to| (from..VALUES_MAX).contains(to)).ok_or_else(odd)?),
    };
    let plain: Vec<&str> = name.split(';').filter(|part| *part != option).collect();
    Ok((plain.join(";"), Some(Range { to })))
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

    #[test]
    fn values_stay_bytes_and_passwords_are_dropped() {
        let decoded = Entry::decode(wire(b"cn=a", &[(b"objectGUID", &[&[0xff, 0]]), (b"UserPassword;x", &[b"secret"])]));
        let entry = decoded.unwrap();
        assert_eq!(entry.find("OBJECTGUID").unwrap().values, [[0xff, 0]]);
        assert_eq!(entry.attributes.len(), 1);
    }

    #[test]
    fn a_range_is_part_of_its_attribute_and_says_where_it_goes_on() {
        let first = Entry::decode(wire(b"cn=g", &[(b"member", &[]), (b"member;range=0-1", &[b"cn=a", b"cn=b"])])).unwrap();
        let member = first.find("member").unwrap();
        assert_eq!((member.values.len(), member.more_from), (2, Some(2)));
        let last = Entry::decode(wire(b"cn=g", &[(b"member;Range=2-*", &[b"cn=c"]), (b"member", &[])])).unwrap();
        assert_eq!(last.find("member").unwrap().more_from, None);
        for odd in ["member;range=2-1", "member;range=a-b", "member;range=1", "member;range=0-99999999999"] {
            assert!(matches!(Entry::decode(wire(b"cn=g", &[(odd.as_bytes(), &[])])), Err(Cause::Malformed(_))), "{odd}");
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let text = || tag(PL::P(b"x".to_vec()));
        for bad in [
            text(),
            tag(PL::C(vec![])),
            tag(PL::C(vec![text()])),
            tag(PL::C(vec![text(), text()])),
            tag(PL::C(vec![text(), tag(PL::C(vec![text()]))])),
            wire(&[0xff], &[]),
            wire(b"cn=a", &[(&[0xff], &[])]),
            wire(b"cn=a", &[(b"cn", &[b"1"]), (b"CN", &[b"2"])]),
        ] {
            assert!(matches!(Entry::decode(bad.clone()), Err(Cause::Malformed(_))), "{bad:?}");
        }
        let large = vec![0; ENTRY_BYTES_MAX + 1];
        assert!(matches!(Entry::decode(wire(b"cn=a", &[(b"x", &[&large])])), Err(Cause::TooMuch { .. })));
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(name in ".{0,24}", tail in prop::sample::select(vec!["", ";range=", ";range=0-", ";range=\u{e9}-1"])) {
            let _ = Entry::decode(wire(b"cn=a", &[(format!("{name}{tail}").as_bytes(), &[b"1"])]));
        }
    }
}
