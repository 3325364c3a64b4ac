//! What to change where a directory could not be used, in the words of the connection's options. Pure.

use super::failure::{Answer, Cause, Step};
use super::settings::{Bind, Settings, Trust};
use crate::model::directory::DirectoryServer;

/// One sentence or two for whoever set the connection up. `area` is the option with the base that was searched.
pub fn advice(settings: &Settings, step: Step, cause: &Cause, area: &'static str) -> String {
    match cause {
        Cause::NoSuchHost { host, .. } => {
            format!("Is the host in url right? `getent hosts {host}` has to find it on the machine Rosterd runs on.")
        }
        Cause::Refused => String::from(
            "Is the directory running, and is the port in url right? Without one it is 636 for ldaps:// and 389 for ldap://.",
        ),
        Cause::Timeout { .. } if step == Step::Reach => String::from(
            "A firewall between here and the directory drops what we send, or the host in url is another's. A slow way needs a \
             larger connect_timeout_seconds.",
        ),
        Cause::Timeout { .. } if step == Step::Tls => {
            String::from("What listens there does not answer TLS: ldaps:// goes to port 636, start_tls=true to port 389.")
        }
        Cause::Timeout { .. } => String::from(
            "The directory is busy, or searches without an index: index the attributes of the filter, or raise \
             answer_timeout_seconds.",
        ),
        Cause::Closed if step == Step::Search => String::from(
            "The directory, or a load balancer before it, ended the connection in the middle. Its log says why; try again.",
        ),
        Cause::Closed | Cause::Io(_) => String::from("The directory's log says why; a load balancer before it may have done it."),
        Cause::File(file) => format!("Set {} to a PEM file that this process may read.", file.option),
        Cause::NoRoots => String::from("Install the system's certificates (Debian: ca-certificates), or set ca_file."),
        Cause::NotTls => String::from(
            "ldaps:// goes to a port that speaks TLS from the first byte, usually 636. For port 389 use ldap:// and start_tls=true.",
        ),
        Cause::StartTls(_) => String::from(
            "The directory does not offer StartTLS there: give it a certificate, or use ldaps:// with its port (usually 636).",
        ),
        Cause::UnknownIssuer => match &settings.trust {
            Trust::System => String::from(
                "Set ca_file to the PEM file of the authority that issued the directory's certificate (Active Directory: export \
                 the root of its certificate services).",
            ),
            Trust::File(path) => format!(
                "{} is not the authority that issued the directory's certificate: put that one's PEM there, or add it to the file.",
                path.display()
            ),
        },
        Cause::WrongName(names) if names.is_empty() => {
            String::from("Use in url the name the certificate was issued for, or issue it again for the name in url.")
        }
        Cause::WrongName(names) => format!(
            "Use one of these names in url: {}. Or issue the certificate again with the name in url (subjectAltName).",
            names.join(", ")
        ),
        Cause::Expired => String::from("Renew the directory's certificate; if it is fresh, the clock of this machine is wrong."),
        Cause::NotYetValid => String::from("The clock of this machine or of the one that issued the certificate is wrong."),
        Cause::Tls(_) => String::from(
            "Look at the certificate: `openssl s_client -connect HOST:636 -showcerts`. It has to be version 3, not an authority's \
             own, with the host as subjectAltName, and TLS 1.2 or later.",
        ),
        Cause::Answer(answer) if step == Step::Bind => bind(settings, answer),
        Cause::Answer(answer) => search(settings, answer, area),
        Cause::Malformed(_) => String::from("Something other than a directory answers there, or a broken proxy before it."),
        Cause::NoPaging => String::from(
            "The directory takes no notice of pages (RFC 2696), so that what it sends can't be told from a part of it. Switch paged \
             results on for the account.",
        ),
        Cause::TooMuch { unit, .. } if unit.starts_with("entries") => {
            format!("Narrow {area} or its filter; if there are that many people, raise entries_max.")
        }
        Cause::TooMuch { unit, .. } if unit.starts_with("pages") => String::from(
            "The directory says each time that there is more, and shows nothing. Ask whoever runs it, or another server of it.",
        ),
        Cause::TooMuch { unit, .. } if unit.starts_with("messages") => {
            format!("Set {area} to an entry whose people lie on this server, or ask whoever runs the directory.")
        }
        Cause::TooSlow { .. } => String::from(
            "Index the attributes of the filter in the directory, name a nearer server in url, or raise answer_timeout_seconds.",
        ),
        Cause::References { .. } => format!(
            "Who lies there is not seen, so that nobody can be called missing. Name a server in url that holds all of it (Active \
             Directory: a connection for each domain), or narrow {area}. If those parts are left out on purpose, set \
             expect_references=true."
        ),
        Cause::Changing { .. } => String::from("Nothing is concluded about this entry; the next run reads it again."),
        Cause::NoStamp { .. } => String::from("Let the account read uSNChanged (Active Directory), or modifyTimestamp."),
        Cause::TooMuch { .. } => String::from("Take this entry out by the filter, or ask for less of it in the mapping."),
    }
}

/// Why a sign-in was refused.
fn bind(settings: &Settings, answer: &Answer) -> String {
    let renew = "set the new one with --secret bind_password=…";
    match (answer.code, answer.data(), &settings.bind) {
        (49, Some(0x532), _) => format!("The account's password has expired: change it in the directory, then {renew}."),
        (49, Some(0x533), _) => String::from("The account is disabled: enable it in the directory."),
        (49, Some(0x701), _) => String::from("The account has expired: give it a later end in the directory."),
        (49, Some(0x773), _) => {
            format!(
                "The account has to change its password first: do so in the directory, without 'must change at next logon', then {renew}."
            )
        }
        (49, Some(0x775), _) => String::from("The account is locked after failed tries: unlock it, and find out who tries."),
        (49, Some(0x530 | 0x531), _) => {
            String::from("The account may not sign in now or from here: lift its logon hours and workstations.")
        }
        (49 | 48, _, Bind::External { .. }) | (7, _, Bind::External { .. }) => String::from(
            "The directory takes no account from our certificate: it has to ask for client certificates, trust the issuer of \
             client_cert_file, and map its subject to an entry.",
        ),
        (49, _, Bind::Simple { dn, .. })
            if settings.server == DirectoryServer::ActiveDirectory && !dn.contains(['=', '@', '\\']) =>
        {
            format!(
                "Active Directory takes no bare name: set bind_dn to {dn}@your.domain, DOMAIN\\{dn} or the DN of the account."
            )
        }
        (49, _, Bind::Simple { dn, .. }) => format!(
            "bind_dn `{dn}` or its password is wrong. Set them with --set bind_dn=… and --secret bind_password=…; the account has to \
             exist, and several wrong tries may lock it."
        ),
        (34, _, _) => String::from(
            "bind_dn is not a name this directory understands: a DN like cn=sync,ou=services,dc=example,dc=com; Active Directory \
             also takes user@domain.",
        ),
        (8 | 13, _, _) => String::from("The directory wants encryption before a sign-in: use ldaps://, or start_tls=true."),
        (51 | 52, _, _) => String::from("The directory is starting or overloaded: try again, or name a second url."),
        _ => String::from("The directory does not let this account sign in; its log says why."),
    }
}

/// Why a search was refused, or ended early.
fn search(settings: &Settings, answer: &Answer, area: &'static str) -> String {
    let account = match &settings.bind {
        Bind::Simple { dn, .. } => format!("`{dn}`"),
        Bind::External { .. } => String::from("the account of the certificate"),
    };
    match answer.code {
        4 => format!(
            "The directory gives {account} only a part of the entries. Lift its size limit (OpenLDAP: `limits dn.exact=… \
             size=unlimited size.prtotal=unlimited`; 389: nsSizeLimit and nsPagedSizeLimit)."
        ),
        3 => {
            format!("The directory's time limit ended the search: lift it for {account}, or index the attributes of the filter.")
        }
        11 => format!(
            "The directory looks at fewer entries than this search has, for {account}. OpenLDAP: page_size ({}) is more than size.pr \
             allows, set a smaller one or raise that. 389: raise nsLookThroughLimit of the account; it counts over all pages.",
            settings.page_size
        ),
        10 => format!("{area} lies on another server of the directory: name that one in url."),
        12 => String::from("The directory does not know paged results (RFC 2696), or not for this account: switch them on."),
        32 if answer.matched.is_empty() => {
            format!(
                "There is no such entry, or {account} may not see it: look at the spelling of {area} and at the account's rights."
            )
        }
        32 => format!("The directory knows no more of it than `{}`: look at what stands before that in {area}.", answer.matched),
        34 => format!("{area} is not written as a DN: like ou=people,dc=example,dc=com."),
        50 => format!("Give {account} the right to read and search below {area}."),
        18 => format!("The filter compares an attribute in a way the directory can't: look at the filter beside {area}."),
        51 | 52 => String::from("The directory is starting or overloaded: try again, or name a second url."),
        53 => format!("The directory won't do that for {account}; a password that has to be changed first is a usual reason."),
        1 if answer.text.contains("successful bind") => {
            format!("The directory forgot the sign-in of {account}: look at its log.")
        }
        _ => String::from("The directory's log says why."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection_secrets::ConnectionSecrets;
    use crate::model::directory::DirectoryOptions;
    use crate::secret::Secret;

    fn settings() -> Settings {
        let mut options = DirectoryOptions {
            urls: vec!["ldaps://dc1.example.com".into()],
            bind_dn: Some("cn=sync,dc=x".into()),
            user_base: Some("ou=people,dc=x".into()),
            ..DirectoryOptions::default()
        };
        options.settle();
        let mut secrets = ConnectionSecrets::default();
        secrets.set("bind_password", Some(Secret::new("s3cret".into())));
        Settings::of(&options, &secrets).unwrap()
    }

    fn answer(code: u32, text: &str) -> Cause {
        Cause::Answer(Answer { code, matched: String::new(), text: text.into() })
    }

    #[test]
    fn each_sub_code_of_active_directory_has_advice_of_its_own() {
        let says = |code: &str| {
            advice(&settings(), Step::Bind, &answer(49, &format!("AcceptSecurityContext error, data {code}, v1")), "user_base")
        };
        for (code, word) in [
            ("52e", "is wrong"),
            ("532", "expired"),
            ("533", "disabled"),
            ("701", "later end"),
            ("773", "change its password"),
            ("775", "locked"),
        ] {
            assert!(says(code).contains(word), "{code}: {}", says(code));
        }
    }

    #[test]
    fn a_bare_name_is_told_how_active_directory_wants_it() {
        let mut settings = settings();
        settings.bind = Bind::Simple { dn: "rosterd".into(), password: Secret::new("s3cret".into()) };
        assert!(advice(&settings, Step::Bind, &answer(49, "data 52e"), "user_base").contains("rosterd@your.domain"));
        settings.server = DirectoryServer::OpenLdap;
        assert!(advice(&settings, Step::Bind, &answer(49, ""), "user_base").contains("is wrong"));
    }

    #[test]
    fn every_answer_to_a_search_names_what_to_change() {
        let says = |code| advice(&settings(), Step::Search, &answer(code, ""), "group_base");
        for (code, word) in [
            (4, "size limit"),
            (3, "time limit"),
            (11, "page_size (500)"),
            (10, "group_base"),
            (32, "group_base"),
            (50, "cn=sync,dc=x"),
        ] {
            assert!(says(code).contains(word), "{code}: {}", says(code));
        }
    }

    #[test]
    fn a_password_is_in_no_advice() {
        for code in 0..130 {
            for step in [Step::Bind, Step::Search] {
                assert!(!advice(&settings(), step, &answer(code, ""), "user_base").contains("s3cret"));
            }
        }
    }
}
