//! What can go wrong with a directory, as facts. What to do about it is [`super::advice`].

use ldap3::{LdapError, LdapResult};
use rustls::CertificateError;
use std::error::Error as _;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;

/// How far we got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reach,
    Tls,
    Bind,
    Search,
}

/// Why one server could not be used.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The URL; `None` if none was tried.
    pub url: Option<String>,
    /// Which address of it, where its host has several.
    pub at: Option<IpAddr>,
    pub step: Step,
    pub cause: Cause,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.url, self.at) {
            (Some(url), Some(at)) => write!(f, "{url} ({at}): {}", self.cause),
            (Some(url), None) => write!(f, "{url}: {}", self.cause),
            (None, _) => self.cause.fmt(f),
        }
    }
}

/// Longest text of a server that is repeated.
const SERVER_TEXT_CHARS_MAX: usize = 300;

/// An answer other than success (RFC 4511 §4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u32,
    /// How far a name was found.
    pub matched: String,
    /// The server's words.
    pub text: String,
}

impl Answer {
    pub fn of(result: &LdapResult) -> Self {
        Self::new(result.rc, &result.matched, &result.text)
    }

    pub(super) fn new(code: u32, matched: &str, text: &str) -> Self {
        let cut = |text: &str| text.trim_end_matches('\0').chars().take(SERVER_TEXT_CHARS_MAX).collect();
        Self { code, matched: cut(matched), text: cut(text) }
    }

    /// The sub-code of Active Directory's rc 49: `data 52e`.
    pub fn data(&self) -> Option<u32> {
        let lower = self.text.to_ascii_lowercase();
        let (_, rest) = lower.split_once("data ")?;
        let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).take(8).collect();
        u32::from_str_radix(&digits, 16).ok()
    }

    /// Whether another server of the directory would say the same: the answer is about the account, not about the state the
    /// server is in. Asked elsewhere again, a wrong password would only lock it sooner.
    pub(super) fn is_about_the_account(&self) -> bool {
        matches!(self.code, 7 | 8 | 13 | 19 | 34 | 48 | 49 | 50)
    }

    fn name(&self) -> &'static str {
        match self.code {
            1 => "operationsError",
            2 => "protocolError",
            3 => "timeLimitExceeded",
            4 => "sizeLimitExceeded",
            7 => "authMethodNotSupported",
            8 => "strongerAuthRequired",
            10 => "referral",
            11 => "adminLimitExceeded",
            12 => "unavailableCriticalExtension",
            13 => "confidentialityRequired",
            14 => "saslBindInProgress",
            18 => "inappropriateMatching",
            19 => "constraintViolation",
            32 => "noSuchObject",
            34 => "invalidDNSyntax",
            48 => "inappropriateAuthentication",
            49 => "invalidCredentials",
            50 => "insufficientAccessRights",
            51 => "busy",
            52 => "unavailable",
            53 => "unwillingToPerform",
            80 => "other",
            // RFC 4533 §2.8
            4096 => "syncRefreshRequired",
            _ => "unknown",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the directory answers {} ({})", self.code, self.name())?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

/// A file of ours that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    pub option: &'static str,
    pub path: String,
    pub why: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    #[error("the name {host} is not found: {why}")]
    NoSuchHost { host: String, why: String },
    #[error("nothing listens there")]
    Refused,
    #[error("no answer within {seconds} s")]
    Timeout { seconds: u64 },
    #[error("the directory closed the connection")]
    Closed,
    #[error("{0}")]
    Io(String),
    #[error("{}: {} {}", .0.option, .0.path, .0.why)]
    File(BadFile),
    #[error("this system trusts no certificate at all")]
    NoRoots,
    #[error("what answers there does not speak TLS")]
    NotTls,
    #[error("StartTLS: {0}")]
    StartTls(Answer),
    #[error("its certificate comes from nobody we trust")]
    UnknownIssuer,
    #[error("its certificate is for {}", presented(.0))]
    WrongName(Vec<String>),
    #[error("its certificate has expired")]
    Expired,
    #[error("its certificate is not valid yet")]
    NotYetValid,
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("{0}")]
    Answer(Answer),
    #[error("what it sends is no LDAP: {0}")]
    Malformed(String),
    #[error("it sends no end of the list (the control of RFC 2696)")]
    NoPaging,
    #[error("{what} has more than {max} {unit}")]
    TooMuch { what: String, max: usize, unit: &'static str },
    #[error("it took longer than {seconds} s, though the directory went on sending")]
    TooSlow { seconds: u64 },
    /// Parts of what was searched lie on servers that nobody asked.
    #[error("{count} parts of it lie on other servers, the first at {first}")]
    References { count: usize, first: String },
    #[error("{what} was changed each time while its long attributes were read")]
    Changing { what: String },
    #[error("{what} shows neither uSNChanged, entryCSN nor modifyTimestamp, so that its long attributes can't be read safely")]
    NoStamp { what: String },
}

fn presented(names: &[String]) -> String {
    if names.is_empty() { String::from("another name") } else { names.join(", ") }
}

impl Cause {
    /// Of an operation of `ldap3` that was given `seconds`.
    pub(super) fn of(error: LdapError, seconds: u64) -> Self {
        match error {
            LdapError::Io { source } => Self::of_io(&source, seconds),
            LdapError::Timeout { .. } => Self::Timeout { seconds },
            LdapError::LdapResult { result } => Self::Answer(Answer::of(&result)),
            LdapError::Rustls { source } => Self::of_tls(&source),
            LdapError::OpSend { .. }
            | LdapError::ResultRecv { .. }
            | LdapError::IdScrubSend { .. }
            | LdapError::MiscSend { .. }
            | LdapError::EndOfStream => Self::Closed,
            other => Self::Io(other.to_string()),
        }
    }

    pub(super) fn of_io(error: &io::Error, seconds: u64) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(tls);
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut => Self::Timeout { seconds },
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                Self::Closed
            }
            _ => Self::Io(error.to_string()),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => match why {
                CertificateError::UnknownIssuer => Self::UnknownIssuer,
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
                CertificateError::NotValidForName => Self::WrongName(Vec::new()),
                CertificateError::NotValidForNameContext { presented, .. } => {
                    Self::WrongName(presented.iter().map(|name| shown_name(name)).collect())
                }
                CertificateError::Other(other) => Self::Tls(other.source().map_or_else(|| why.to_string(), ToString::to_string)),
                _ => Self::Tls(why.to_string()),
            },
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            _ => Self::Tls(error.to_string()),
        }
    }
}

/// `DnsName("dc1.example.com")` as rustls tells it: the name alone.
fn shown_name(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest.strip_suffix(')').unwrap_or(rest));
    inner.trim_matches('"').chars().take(SERVER_TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sub_code_of_a_refused_sign_in_is_found_in_the_servers_words() {
        let data = |text: &str| Answer { code: 49, matched: String::new(), text: text.into() }.data();
        let ad = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563";
        assert_eq!(data(ad), Some(0x52e));
        assert_eq!(data("Simple Bind Failed: NT_STATUS_LOGON_FAILURE, DATA 775"), Some(0x775));
        assert_eq!(data(""), None);
    }

    #[test]
    fn names_of_a_certificate_are_shown_plainly() {
        assert_eq!(shown_name("DnsName(\"dc1.example.com\")"), "dc1.example.com");
        assert_eq!(shown_name("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(shown_name("dc1"), "dc1");
    }
}
