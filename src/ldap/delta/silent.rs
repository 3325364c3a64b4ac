//! Attributes whose value changes without a word of the entry that shows them: a back link (`memberOf`) is written by the
//! directory when the other end changes, and a constructed one is worked out when it is asked for. Neither moves a count of
//! changes, a stamp or a cookie, so that no delta would tell of it. Owns their list, by name and by number; refuses to guess at
//! other virtual attributes a server may be set up with.

/// Back links, and what is worked out from other entries or from the clock.
const SILENT: [&str; 17] = [
    "memberof",
    "1.2.840.113556.1.2.102",
    "ismemberof",
    "msds-memberoftransitive",
    "tokengroups",
    "1.2.840.113556.1.4.1301",
    "tokengroupsglobalanduniversal",
    "tokengroupsnogcacceptable",
    "directreports",
    "1.2.840.113556.1.2.436",
    "managedobjects",
    "msds-user-account-control-computed",
    "1.2.840.113556.1.4.1460",
    "msds-userpasswordexpirytimecomputed",
    "1.2.840.113556.1.4.1996",
    "msds-resultantpso",
    "nsrole",
];

/// The first such attribute among those that are asked for, or that the filter names.
pub fn of(attributes: &[String], filter: &str) -> Option<String> {
    attributes.iter().map(String::as_str).chain(named(filter)).find(|name| is_silent(name)).map(str::to_owned)
}

fn is_silent(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let base = name.split(';').next().unwrap_or_default();
    SILENT.contains(&base)
}

/// The attributes that a filter names (RFC 4515 §3): what stands between an opening bracket and the comparison. A bracket in
/// a value is written `\28`, so that none is taken for one.
fn named(filter: &str) -> impl Iterator<Item = &str> {
    filter.split('(').filter_map(|part| {
        let end = part.find(['=', ':', '<', '>', '~'])?;
        Some(part[..end].trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_filter(filter: &str) -> Option<String> {
        of(&[String::from("mail")], filter)
    }

    #[test]
    fn an_attribute_that_changes_silently_is_found_however_it_is_written() {
        for name in ["memberOf", "MEMBEROF", "memberOf;range=0-99", "tokenGroups", "msDS-User-Account-Control-Computed", "nsRole"]
        {
            assert_eq!(of(&["mail".into(), name.into()], "(objectClass=person)").as_deref(), Some(name));
        }
        assert_eq!(of(&["mail".into(), "member".into(), "memberOfNothing".into()], "(uid=*)"), None);
    }

    #[test]
    fn a_filter_is_looked_through_and_a_value_is_not_a_name() {
        for filter in [
            "(memberOf=cn=vpn,dc=x)",
            "(&(objectClass=user)(!(MemberOf=cn=out,dc=x)))",
            "(&(objectClass=user)( memberof:1.2.840.113556.1.4.1941:=cn=vpn,dc=x))",
            "(|(uid=a)(1.2.840.113556.1.2.102=cn=vpn,dc=x))",
            "(nsRole=cn=staff,dc=x)",
        ] {
            assert!(of_filter(filter).is_some(), "{filter}");
        }
        for filter in [
            "(description=memberOf)",
            "(member=cn=memberOf,dc=x)",
            "(&(objectClass=user)(mail=*))",
            "(description=\\28memberOf=x\\29)",
        ] {
            assert_eq!(of_filter(filter), None, "{filter}");
        }
    }
}
