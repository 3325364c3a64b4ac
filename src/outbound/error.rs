//! Why a call came to nothing, and what to change.

use super::address::Reach;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("that is no web address: {why}")]
    NoUrl { why: String },
    #[error("the address is {scheme}://, not https://")]
    Scheme { scheme: String },
    #[error("the address is http://, which anybody on the way can change")]
    Plaintext,
    #[error("the address holds a user name or a password")]
    Credentials,
    #[error("port {port} belongs to a service that is no web server")]
    Port { port: u16 },
    #[error("{host} can't be resolved: {why}")]
    Unresolved { host: String, why: String },
    #[error("{} {why}", called(host, *address))]
    Nobodys { host: String, address: IpAddr, why: &'static str },
    #[error("{} {}", called(host, *address), lies(*.reach))]
    Inside { host: String, address: IpAddr, reach: Reach },
    #[error("{host} can't be reached: {why}")]
    Unreachable { host: String, why: String },
    #[error("no encrypted connection to {host}: {why}")]
    Tls { host: String, why: String },
    #[error("this system trusts no certificate authority")]
    NoRoots,
    #[error("no whole answer within {seconds} seconds")]
    TimedOut { seconds: f32 },
    #[error("the answer is {status}")]
    Status { status: u16 },
    #[error("the answer is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("the answer is compressed ({encoding}), though that was not asked for")]
    Encoded { encoding: String },
    #[error("the answer is no whole HTTP: {why}")]
    Broken { why: String },
    #[error("a redirect leads from https to http")]
    Downgrade,
    #[error("more than {max} redirects")]
    Redirects { max: usize },
}

/// A host by its address, unless that is what it was called by.
fn called(host: &str, address: IpAddr) -> String {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(named) if named.to_canonical() == address.to_canonical() => host.to_owned(),
        _ => format!("{host} is {address}, which"),
    }
}

fn lies(reach: Reach) -> &'static str {
    match reach {
        Reach::Public => "may be called",
        Reach::Private => "lies in a private network",
        Reach::Loopback => "is this machine",
    }
}

impl Error {
    /// What to change.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoUrl { .. } | Self::Scheme { .. } => "Give the address as https://HOST/PATH.",
            Self::Plaintext | Self::Downgrade => {
                "Use the https:// address. http:// is taken only with allow_plaintext=true, of a server on this machine."
            }
            Self::Credentials => "Take user name and password out of the address; what it serves has to be public.",
            Self::Port { .. } => "Use port 443, or one from 1024 on.",
            Self::Unresolved { .. } => "Look at the spelling of the host, and whether this machine's DNS knows it.",
            Self::Nobodys { .. } => "Such addresses are never called. Look at what the host's DNS entry says.",
            Self::Inside { reach: Reach::Loopback, .. } => {
                "A server on this machine is called only with allow_plaintext=true, and not by way of a redirect from elsewhere."
            }
            Self::Inside { .. } => {
                "If that is meant, let the operator open the host or its network in rosterd.toml (outbound.allow), and name it \
                 directly: a redirect from outside does not lead there."
            }
            Self::Unreachable { .. } => "Look whether the server runs and a firewall lets this machine out to it.",
            Self::Tls { .. } => {
                "Its certificate has to be valid for the host and come from an authority this system trusts: install a company's \
                 own authority in the system."
            }
            Self::NoRoots => "Install the package ca-certificates.",
            Self::TimedOut { .. } => "Look whether the server answers in a browser, and how fast.",
            Self::Status { status: 401 | 403 } => "What the address serves has to be public; here a sign-in is wanted.",
            Self::Status { .. } => "Look at the address in a browser: it has to serve the document itself.",
            Self::TooLarge { .. } => "Use an address that serves this one identity provider instead of a whole federation.",
            Self::Encoded { .. } | Self::Broken { .. } => "The server, or a proxy before it, breaks HTTP: ask whoever runs it.",
            Self::Redirects { .. } => "Use the address that the redirects end at.",
        }
    }
}
