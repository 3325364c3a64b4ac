//! Calls to addresses that somebody typed or another system named: every one goes through here.
//!
//! Owns: which addresses may be called ([`address`]), and one exchange with bounds on everything: time, bytes, redirects. A name is
//! resolved once per hop, all it stands for is judged, and the connection goes to what was judged: there is no second look-up
//! that could answer otherwise. Redirects are followed here, each like a first address, never from https to http and never
//! further inside than where it began.
//!
//! Refuses: cookies, proxies of the environment, credentials in addresses, compressed bodies, and addresses of networks that
//! the operator did not open (`outbound.allow`).

pub mod address;
mod delivery;
mod error;
mod exchange;
mod target;
pub mod tls;

pub use delivery::{Delivered, Delivery, check};
pub use error::Error;

use crate::model::network::Peer;
use crate::secret::Secret;
use address::Reach;
use rustls::ClientConfig;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use target::Target;
use tls::Trust;
use tokio::net::TcpStream;
use url::{Host, Url};

/// Bounds of one call, redirects included.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub time: Duration,
    pub bytes_max: usize,
    pub redirects_max: usize,
    /// Addresses of one name.
    pub addresses_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), bytes_max: 2 << 20, redirects_max: 3, addresses_max: 32 }
    }
}

/// What to ask for.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    pub url: String,
    /// http:// is taken, and this machine may be called.
    pub allow_plaintext: bool,
    /// The `Accept` header.
    pub accept: &'static str,
    pub known: Validators,
    /// The `Authorization` header.
    pub authorization: Option<Secret<String>>,
    /// A form to be posted. What is posted is never sent anywhere else: a redirect is then an answer that can't be used.
    pub form: Option<Secret<String>>,
    /// Asked by POST, with nothing in it.
    pub is_post: bool,
    /// Whatever the status, the answer is wanted: errors of OAuth are told in the body.
    pub any_status: bool,
}

/// What a server says of a document, by which it is asked whether that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    Found {
        body: Vec<u8>,
        validators: Validators,
        media_type: Option<String>,
        status: u16,
        /// `max-age` of its `Cache-Control`, in seconds.
        max_age: Option<u64>,
    },
    /// It is what the validators stood for.
    NotModified,
}

impl std::fmt::Debug for Answer {
    /// Without the body: tokens come in some.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Found { body, media_type, status, .. } => f
                .debug_struct("Found")
                .field("status", status)
                .field("media_type", media_type)
                .field("bytes", &body.len())
                .finish_non_exhaustive(),
            Self::NotModified => f.write_str("NotModified"),
        }
    }
}

type Resolved = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
/// What a name stands for.
pub type Resolve = Arc<dyn Fn(String, u16) -> Resolved + Send + Sync>;

type Dialled = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;
/// A connection to an address that was judged.
pub type Dial = Arc<dyn Fn(SocketAddr) -> Dialled + Send + Sync>;

/// The one who calls. Clones share what they trust.
#[derive(Clone)]
pub struct Outbound {
    opened: Arc<[Peer]>,
    resolve: Resolve,
    dial: Dial,
    trust: Trust,
    limits: Limits,
}

impl Outbound {
    /// `opened`: networks of ours and hosts in them that may be called.
    pub fn new(opened: &[Peer]) -> Self {
        let resolve: Resolve =
            Arc::new(|host, port| Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect()) }));
        let dial: Dial = Arc::new(|address| Box::pin(TcpStream::connect(address)));
        Self { opened: opened.into(), resolve, dial, trust: Trust::system(), limits: Limits::default() }
    }

    #[must_use]
    pub fn resolving_by(self, resolve: Resolve) -> Self {
        Self { resolve, ..self }
    }

    #[must_use]
    pub fn dialling_by(self, dial: Dial) -> Self {
        Self { dial, ..self }
    }

    #[must_use]
    pub fn trusting(self, config: Arc<ClientConfig>) -> Self {
        Self { trust: Trust::Given(config), ..self }
    }

    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Asks, and follows where it is sent.
    pub async fn get(&self, ask: &Ask) -> Result<Answer, Error> {
        let followed = tokio::time::timeout(self.limits.time, self.follow(ask)).await;
        followed.unwrap_or(Err(Error::TimedOut { seconds: self.limits.time.as_secs_f32() }))
    }

    async fn follow(&self, ask: &Ask) -> Result<Answer, Error> {
        let mut url = Url::parse(&ask.url).map_err(|error| Error::NoUrl { why: error.to_string() })?;
        let mut allow_plaintext = ask.allow_plaintext;
        // How far inside it may go: as far as the connection says, then as far as it began.
        let mut furthest = if ask.allow_plaintext { Reach::Loopback } else { Reach::Private };
        for _ in 0..=self.limits.redirects_max {
            let target = Target::parse(url, allow_plaintext)?;
            let (addresses, reach) = self.addresses(&target, furthest).await?;
            if !target.is_tls && reach != Reach::Loopback {
                return Err(Error::Plaintext);
            }
            allow_plaintext = !target.is_tls;
            furthest = reach;
            match exchange::exchange(&target, &addresses, ask, self).await? {
                exchange::Heard::Answer(answer) => return Ok(answer),
                exchange::Heard::Elsewhere(_) if ask.form.is_some() || ask.authorization.is_some() => {
                    return Err(Error::Redirects { max: 0 });
                }
                exchange::Heard::Elsewhere(location) => {
                    url = target.url.join(&location).map_err(|error| Error::NoUrl { why: format!("a redirect: {error}") })?;
                    if target.is_tls && url.scheme() == "http" {
                        return Err(Error::Downgrade);
                    }
                }
            }
        }
        Err(Error::Redirects { max: self.limits.redirects_max })
    }

    /// Posts, once, to where the address leads and nowhere else.
    pub async fn deliver(&self, delivery: &Delivery, within: Duration) -> Result<Delivered, Error> {
        let delivered = tokio::time::timeout(within, delivery::deliver(self, delivery)).await;
        delivered.unwrap_or(Err(Error::TimedOut { seconds: within.as_secs_f32() }))
    }

    /// What the host stands for, all of it judged, and how far inside the furthest of it lies.
    async fn addresses(&self, target: &Target, furthest: Reach) -> Result<(Vec<SocketAddr>, Reach), Error> {
        let name = target.host.to_string();
        let addresses = match &target.host {
            Host::Ipv4(address) => vec![SocketAddr::new(IpAddr::V4(*address), target.port)],
            Host::Ipv6(address) => vec![SocketAddr::new(IpAddr::V6(*address), target.port)],
            Host::Domain(host) => (self.resolve)(host.clone(), target.port)
                .await
                .map_err(|error| Error::Unresolved { host: host.clone(), why: error.to_string() })?,
        };
        if addresses.is_empty() || addresses.len() > self.limits.addresses_max {
            return Err(Error::Unresolved { host: name, why: format!("it stands for {} addresses", addresses.len()) });
        }
        let mut inmost = Reach::Public;
        for found in &addresses {
            let address = found.ip();
            let reach = address::reach(address).map_err(|why| Error::Nobodys { host: name.clone(), address, why })?;
            if reach > furthest {
                return Err(Error::Inside { host: name, address, reach });
            }
            if reach == Reach::Private && !address::is_opened(&self.opened, &name, address) {
                return Err(Error::Inside { host: name, address, reach });
            }
            inmost = inmost.max(reach);
        }
        Ok((addresses, inmost))
    }
}
