//! The options of a connection as one value that makes sense: what can be connected to with. Everything is checked here
//! and nowhere else, and all mistakes are told, each by the option it is in.

use super::identity::{self, Lasting, lasting};
use super::person::LoginFilter;
use crate::model::connection_secrets::ConnectionSecrets;
use crate::model::directory::{BindMethod, DirectoryOptions, DirectoryServer};
use crate::model::options::secret_ways;
use crate::secret::Secret;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::{Host, Url};

/// A directory, how to get in and what to read.
#[derive(Clone, Debug)]
pub struct Settings {
    pub server: DirectoryServer,
    /// In the order they are tried; never empty.
    pub urls: Vec<Address>,
    pub trust: Trust,
    pub bind: Bind,
    pub users: Area,
    pub groups: Option<Area>,
    /// Whom of `users` a login name means.
    pub login: LoginFilter,
    pub page_size: u32,
    pub entries_max: usize,
    /// What lies on other servers is left out on purpose.
    pub expect_references: bool,
    pub connect_timeout: Duration,
    pub answer_timeout: Duration,
}

/// One server of the directory. Shown as the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub url: Url,
    /// A name or an address, as for a look-up.
    pub host: String,
    pub port: u16,
    pub protection: Protection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// From the first byte.
    Tls,
    /// RFC 4511 §4.14.
    StartTls,
    /// To this machine only.
    None,
}

/// Whose certificates a server's own has to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    System,
    File(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    Simple { dn: String, password: Secret<String> },
    External { certificate: PathBuf, key: PathBuf },
}

/// Where entries of one sort are: everything below `base` that `filter` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    pub base: String,
    pub filter: String,
    /// What names an entry of it for good.
    pub id_attribute: String,
}

/// What is wrong with one option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {what}")]
pub struct Invalid {
    pub option: &'static str,
    pub what: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl Settings {
    /// Checks the whole of it.
    ///
    /// # Errors
    /// Every mistake.
    pub fn of(options: &DirectoryOptions, secrets: &ConnectionSecrets) -> Result<Self, Vec<Invalid>> {
        let mut complaints = Complaints(Vec::new());
        let urls = options.urls.iter().filter_map(|url| complaints.of("url", address(url, options))).collect();
        if options.urls.is_empty() {
            complaints.add("url", "is not set: where is the directory? Set url=ldaps://HOST");
        }
        let tls = options.urls.iter().any(|url| url.starts_with("ldaps:")) || options.start_tls;
        if options.ca_file.is_some() && !tls {
            complaints.add("ca_file", "serves nothing without TLS: set url=ldaps://… or start_tls=true");
        }
        let bind = bind(options, secrets, tls, &mut complaints);
        let user_base = complaints.of("user_base", base(options.user_base.as_deref()));
        let group_base = options.group_base.as_deref().and_then(|dn| complaints.of("group_base", base(Some(dn))));
        let user_filter = complaints.of("user_filter", filter(options.user_filter.as_deref()));
        let group_filter = complaints.of("group_filter", filter(options.group_filter.as_deref()));
        let user_id = complaints.of("id_attribute", attribute(options.id_attribute.as_deref()));
        let group_id = complaints.of("group_id_attribute", attribute(options.group_id_attribute.as_deref()));
        let login_filter = options.login_filter.as_deref().unwrap_or_default();
        let login = complaints.of("login_filter", LoginFilter::parse(login_filter));
        let (Some(bind), Some(base), Some(filter), Some(id_attribute), Some(login), []) =
            (bind, user_base, user_filter, user_id, login, complaints.0.as_slice())
        else {
            return Err(complaints.0);
        };
        Ok(Self {
            server: options.server,
            urls,
            trust: options.ca_file.as_ref().map_or(Trust::System, |path| Trust::File(path.into())),
            bind,
            users: Area { base, filter, id_attribute },
            groups: group_base.zip(group_filter).zip(group_id).map(|((base, filter), id_attribute)| Area {
                base,
                filter,
                id_attribute,
            }),
            login,
            page_size: options.page_size,
            entries_max: usize::try_from(options.entries_max).unwrap_or(usize::MAX),
            expect_references: options.expect_references,
            connect_timeout: Duration::from_secs(options.connect_timeout_seconds.into()),
            answer_timeout: Duration::from_secs(options.answer_timeout_seconds.into()),
        })
    }
}

struct Complaints(Vec<Invalid>);

impl Complaints {
    fn add(&mut self, option: &'static str, what: impl Into<String>) {
        self.0.push(Invalid { option, what: what.into() });
    }

    fn of<T>(&mut self, option: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|what| self.add(option, what)).ok()
    }
}

fn address(text: &str, options: &DirectoryOptions) -> Result<Address, String> {
    let refuse = |why: &str| format!("`{text}` {why}");
    let url = Url::parse(text).map_err(|error| refuse(&format!("is no address: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        // Not repeated: there may be a password in it.
        return Err(String::from("an address holds no user and no password: set bind_dn and the secret bind_password"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("goes on after the host: where to look is user_base and user_filter"));
    }
    let tls = match url.scheme() {
        "ldaps" => true,
        "ldap" => false,
        _ => return Err(refuse("is neither ldaps://HOST nor ldap://HOST")),
    };
    let host = match url.host() {
        Some(Host::Domain(name)) if is_host(name) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => return Err(refuse("names no host; a host is letters, digits, hyphens and dots, or an address")),
    };
    let is_loopback = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let protection = match (tls, options.start_tls) {
        (true, _) => Protection::Tls,
        (false, true) => Protection::StartTls,
        (false, false) if options.allow_plaintext && is_loopback => Protection::None,
        (false, false) if options.allow_plaintext => {
            return Err(refuse("is not this machine; allow_plaintext holds for loopback alone. Use ldaps:// or start_tls=true"));
        }
        (false, false) => return Err(refuse("would show the password to the network: use ldaps://, or set start_tls=true")),
    };
    if protection != Protection::None && host.contains(':') {
        return Err(refuse("is an IPv6 address, whose certificate can't be checked here: use the server's name"));
    }
    let port = url.port().unwrap_or(if tls { 636 } else { 389 });
    if port == 0 {
        return Err(refuse("has port 0"));
    }
    Ok(Address { url, host, port, protection })
}

fn is_host(name: &str) -> bool {
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    name.len() <= 253 && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

fn bind(options: &DirectoryOptions, secrets: &ConnectionSecrets, tls: bool, complaints: &mut Complaints) -> Option<Bind> {
    let password = secrets.get("bind_password");
    match options.bind_method {
        BindMethod::Simple => {
            for (name, file) in [("client_cert_file", &options.client_cert_file), ("client_key_file", &options.client_key_file)] {
                if file.is_some() {
                    complaints.add(name, "is for bind_method=external");
                }
            }
            if options.bind_dn.is_none() {
                complaints
                    .add("bind_dn", "is not set: an account that may read the directory is needed, nothing is read anonymously");
            }
            if password.is_none() {
                complaints.add("bind_password", format!("is not set: {}", secret_ways("bind_password")));
            }
            let (dn, password) = options.bind_dn.clone().zip(password.cloned())?;
            // RFC 4513 §5.1.2: a name without a password is nobody, and some servers call that a success.
            if password.expose().is_empty() || password.expose().starts_with('\0') {
                complaints.add("bind_password", "is empty, which a directory may take for a sign-in as nobody");
            }
            Some(Bind::Simple { dn, password })
        }
        BindMethod::External => {
            if options.bind_dn.is_some() {
                complaints.add("bind_dn", "is for bind_method=simple; the directory takes the name from the certificate");
            }
            if password.is_some() {
                complaints.add("bind_password", "is for bind_method=simple: take it away with --secret bind_password=");
            }
            if !tls {
                complaints.add("bind_method", "external needs TLS: set url=ldaps://… or start_tls=true");
            }
            for (name, file) in [("client_cert_file", &options.client_cert_file), ("client_key_file", &options.client_key_file)] {
                if file.is_none() {
                    complaints.add(name, "is not set, and bind_method=external signs in by certificate");
                }
            }
            let (certificate, key) = options.client_cert_file.as_ref().zip(options.client_key_file.as_ref())?;
            Some(Bind::External { certificate: certificate.into(), key: key.into() })
        }
    }
}

fn base(dn: Option<&str>) -> Result<String, String> {
    let dn = dn.ok_or("is not set: below which entry are they? Set it to a DN like ou=people,dc=example,dc=com")?;
    // Whether it is there, and written as this server wants it, only the server knows.
    let is_dn = dn.split_once('=').is_some_and(|(name, value)| !name.trim().is_empty() && !value.is_empty());
    if is_dn { Ok(dn.to_owned()) } else { Err(format!("`{dn}` is no DN like ou=people,dc=example,dc=com")) }
}

fn filter(text: Option<&str>) -> Result<String, String> {
    let text = text.ok_or("is not set")?;
    match ldap3::parse_filter(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!(
            "`{text}` is no filter (RFC 4515): every condition stands in parentheses, & | ! before what they join, like \
             (&(objectClass=person)(mail=*)); inside a value * ( ) \\ are written \\2a \\28 \\29 \\5c"
        )),
    }
}

/// RFC 4512 §1.4: a name, or the numbers of one.
fn attribute(name: Option<&str>) -> Result<String, String> {
    let name = name.ok_or("is not set")?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_name = plain && name.len() <= 128 && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if !is_name {
        return Err(format!("`{name}` is no name of an attribute"));
    }
    match lasting(name) {
        Lasting::Never(why) => Err(format!("{name} {why}; use what the server gives and never changes ({})", identity::LASTING)),
        Lasting::Doubtful(_) | Lasting::Always => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> ConnectionSecrets {
        let mut secrets = ConnectionSecrets::default();
        secrets.set("bind_password", Some(Secret::new(String::from("s3cret"))));
        secrets
    }

    fn options(change: impl FnOnce(&mut DirectoryOptions)) -> DirectoryOptions {
        let mut options = DirectoryOptions {
            urls: vec![String::from("ldaps://dc1.example.com")],
            bind_dn: Some(String::from("cn=sync,dc=example,dc=com")),
            user_base: Some(String::from("ou=people,dc=example,dc=com")),
            ..DirectoryOptions::default()
        };
        change(&mut options);
        options.settle();
        options
    }

    fn mistakes(change: impl FnOnce(&mut DirectoryOptions)) -> Vec<String> {
        let read = Settings::of(&options(change), &secrets());
        read.map(|_| Vec::new()).unwrap_or_else(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_enough_is_taken_with_the_defaults_of_the_server() {
        let settings = Settings::of(&options(|o| o.server = DirectoryServer::OpenLdap), &secrets()).expect("valid");
        assert_eq!((settings.urls[0].host.as_str(), settings.urls[0].port), ("dc1.example.com", 636));
        assert_eq!(settings.urls[0].protection, Protection::Tls);
        assert_eq!(
            (settings.users.id_attribute.as_str(), settings.users.filter.as_str()),
            ("entryUUID", "(objectClass=inetOrgPerson)")
        );
        assert_eq!((settings.trust, settings.groups), (Trust::System, None));
        assert!(!format!("{:?}", settings.bind).contains("s3cret"));
    }

    #[test]
    fn nothing_set_tells_everything_that_is_missing() {
        let mut nothing = DirectoryOptions::default();
        nothing.settle();
        let all = Settings::of(&nothing, &ConnectionSecrets::default()).expect_err("nothing is set");
        assert_eq!(all.iter().map(|one| one.option).collect::<Vec<_>>(), ["url", "bind_dn", "bind_password", "user_base"]);
    }

    #[test]
    fn a_password_never_goes_over_the_network_in_the_clear() {
        for (url, says) in [
            ("ldap://dc1.example.com", "would show the password to the network"),
            ("ldap://127.0.0.1", "would show the password to the network"),
        ] {
            assert!(mistakes(|o| o.urls = vec![url.into()])[0].contains(says), "{url}");
        }
        let plain = |url: &str| mistakes(|o| (o.urls, o.allow_plaintext) = (vec![url.into()], true));
        for url in ["ldap://127.0.0.1:3890", "ldap://localhost", "ldap://[::1]:389"] {
            assert_eq!(plain(url), Vec::<String>::new(), "{url}");
        }
        for url in ["ldap://dc1.example.com", "ldap://10.0.0.1", "ldap://localhost.example.com"] {
            assert!(plain(url)[0].contains("is not this machine"), "{url}");
        }
        assert_eq!(mistakes(|o| (o.urls, o.start_tls) = (vec!["ldap://dc1.example.com".into()], true)), Vec::<String>::new());
    }

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        for (url, says) in [
            ("ldapi://%2Fvar%2Frun", "neither ldaps://HOST"),
            ("ldaps://", "names no host"),
            ("ldaps://dc1.example.com/dc=example", "goes on after the host"),
            ("ldaps://cn=a:secret@dc1.example.com", "holds no user"),
            ("ldaps://dc1:99999", "is no address"),
            ("ldaps://[2001:db8::1]", "IPv6"),
            ("ldaps://d\u{f6}main", "names no host"),
        ] {
            let told = mistakes(|o| o.urls = vec![url.into()]);
            assert!(told.iter().any(|one| one.starts_with("url: ") && one.contains(says)), "{url}: {told:?}");
            assert!(!told.join(" ").contains("secret@"), "{told:?}");
        }
    }

    #[test]
    fn bases_filters_and_attributes_name_the_option_they_are_wrong_in() {
        let told = mistakes(|o| {
            o.user_base = Some("people".into());
            o.user_filter = Some("(objectClass=person".into());
            o.group_base = Some("groups".into());
            o.id_attribute = Some("mail".into());
        });
        let options: Vec<&str> = told.iter().map(|one| one.split(':').next().unwrap()).collect();
        assert_eq!(options, ["user_base", "group_base", "user_filter", "id_attribute"]);
    }

    #[test]
    fn what_people_are_renamed_by_names_nobody_for_good() {
        for name in ["uid", "SAMAccountName", "cn", "mail", "userPrincipalName", "distinguishedName", "proxyAddresses"] {
            let told = mistakes(|o| o.id_attribute = Some(name.into()));
            assert!(told[0].starts_with("id_attribute: ") && told[0].contains("objectGUID"), "{told:?}");
            let told = mistakes(|o| o.group_id_attribute = Some(name.into()));
            assert!(told[0].starts_with("group_id_attribute: "), "{told:?}");
        }
        assert_eq!(mistakes(|o| o.id_attribute = Some("employeeNumber".into())), Vec::<String>::new());
    }

    #[test]
    fn external_wants_a_certificate_and_tls_and_nothing_of_a_password() {
        let told = mistakes(|o| {
            o.bind_method = BindMethod::External;
            o.urls = vec!["ldap://127.0.0.1".into()];
            o.allow_plaintext = true;
        });
        let options: Vec<&str> = told.iter().map(|one| one.split(':').next().unwrap()).collect();
        assert_eq!(options, ["bind_dn", "bind_password", "bind_method", "client_cert_file", "client_key_file"]);
    }
}
