//! From [`Settings`] to a signed-in [`Session`]: each URL in turn, each address of its host, every step within its time. A
//! server that can't be used is passed over; a directory that refuses the account is not asked again elsewhere, which
//! would only lock it sooner. Owns the [`Ways`] to a directory, which a person's own sign-in goes too.

use super::failure::{Answer, Cause, Failure, Step};
use super::settings::{Address, Bind, Protection, Settings};
use super::start_tls;
use super::tls::client_config;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, StdStream};
use rustls::ClientConfig;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 8;
/// The least time for a step with one of several addresses, unless the whole is less.
const STEP_TIME_MIN: Duration = Duration::from_secs(2);

/// A connection to a directory; [`connect`] gives one that is signed in. It ends when this is dropped.
pub struct Session {
    pub(super) ldap: Ldap,
    /// `None` once it was seen to have ended.
    driver: Option<JoinHandle<Result<(), LdapError>>>,
    pub address: Address,
    pub(super) answer_timeout: Duration,
}

/// A session, and the servers that were passed over for it.
pub struct Connected {
    pub session: Session,
    pub passed_over: Vec<Failure>,
}

/// No server could be used; the last failure is the one that ended it. Never empty.
#[derive(Debug)]
pub struct NotConnected(pub Vec<Failure>);

impl NotConnected {
    /// Whether the directory refused the account, so that no other server of it should be asked.
    pub fn refuses_the_account(&self) -> bool {
        self.0.last().is_some_and(|last| refuses_the_account(last.step, &last.cause))
    }
}

/// Connects to the first server that can be used.
///
/// # Errors
/// What was wrong with each that was tried.
pub async fn connect(settings: &Settings) -> Result<Connected, NotConnected> {
    let ways = Ways::new(settings, settings.urls.iter().collect()).map_err(|failure| NotConnected(vec![failure]))?;
    first(ways).await
}

/// Signs in on the first way on which that is possible.
async fn first(mut ways: Ways<'_>) -> Result<Connected, NotConnected> {
    while let Some(mut session) = ways.next().await {
        match sign_in(&mut session, &ways.settings.bind).await {
            Ok(()) => return Ok(Connected { session, passed_over: ways.failures }),
            Err(cause) => {
                let refused = refuses_the_account(Step::Bind, &cause);
                ways.failed(Step::Bind, cause);
                if refused {
                    break;
                }
            }
        }
    }
    Err(NotConnected(ways.failures))
}

fn refuses_the_account(step: Step, cause: &Cause) -> bool {
    step == Step::Bind && matches!(cause, Cause::Answer(answer) if answer.is_about_the_account())
}

async fn sign_in(session: &mut Session, bind: &Bind) -> Result<(), Cause> {
    let within = session.answer_timeout;
    session.ldap.with_timeout(within);
    let result = match bind {
        Bind::Simple { dn, password } => session.ldap.simple_bind(dn, password.expose()).await,
        Bind::External { .. } => session.ldap.sasl_external_bind().await,
    };
    let result = result.map_err(|error| Cause::of(error, within.as_secs()))?;
    if result.rc == 0 { Ok(()) } else { Err(Cause::Answer(Answer::of(&result))) }
}

/// The ways to a directory, one after the other: each URL, each address of its host, which may be several machines.
/// Whoever walks it says of a way that it led nowhere, and takes the next.
pub(super) struct Ways<'s> {
    settings: &'s Settings,
    config: Arc<ClientConfig>,
    urls: VecDeque<&'s Address>,
    /// The URL under way, and what is left of its addresses.
    url: Option<&'s Address>,
    sockets: VecDeque<SocketAddr>,
    /// The time of one address.
    share: Duration,
    several: bool,
    /// The address under way, where there are several.
    at: Option<IpAddr>,
    pub(super) failures: Vec<Failure>,
}

impl<'s> Ways<'s> {
    /// By these URLs, in this order.
    ///
    /// # Errors
    /// There is nothing to check certificates with.
    pub(super) fn new(settings: &'s Settings, urls: VecDeque<&'s Address>) -> Result<Self, Failure> {
        let config = client_config(settings).map_err(|cause| Failure { url: None, at: None, step: Step::Tls, cause })?;
        let share = settings.connect_timeout;
        Ok(Self {
            settings,
            config,
            urls,
            url: None,
            sockets: VecDeque::new(),
            share,
            several: false,
            at: None,
            failures: Vec::new(),
        })
    }

    /// A connection on the next way that can be gone, on which nobody has signed in yet.
    pub(super) async fn next(&mut self) -> Option<Session> {
        loop {
            let (url, socket) = self.next_socket().await?;
            match open(self.settings, url, socket, (&self.config, self.share)).await {
                Ok(session) => return Some(session),
                Err((step, cause)) => self.failed(step, cause),
            }
        }
    }

    /// The way that was given last led nowhere.
    pub(super) fn failed(&mut self, step: Step, cause: Cause) {
        self.failures.push(Failure { url: self.url.map(ToString::to_string), at: self.at, step, cause });
    }

    async fn next_socket(&mut self) -> Option<(&'s Address, SocketAddr)> {
        loop {
            if let (Some(url), Some(socket)) = (self.url, self.sockets.pop_front()) {
                self.at = self.several.then(|| socket.ip());
                return Some((url, socket));
            }
            let url = self.urls.pop_front()?;
            (self.url, self.at) = (Some(url), None);
            let within = self.settings.connect_timeout;
            match timeout(within, look_up(url)).await {
                Ok(Ok(sockets)) => self.go_by(sockets),
                Ok(Err(cause)) => self.failed(Step::Reach, cause),
                Err(_) => self.failed(Step::Reach, Cause::Timeout { seconds: within.as_secs() }),
            }
        }
    }

    /// Tries these addresses of the URL under way.
    fn go_by(&mut self, sockets: Vec<SocketAddr>) {
        self.share = share(self.settings.connect_timeout, sockets.len());
        self.several = sockets.len() > 1;
        self.sockets = sockets.into();
    }
}

/// The time of each of several addresses.
fn share(within: Duration, addresses: usize) -> Duration {
    let several = u32::try_from(addresses).unwrap_or(u32::MAX).max(1);
    (within / several).max(STEP_TIME_MIN).min(within)
}

async fn look_up(address: &Address) -> Result<Vec<SocketAddr>, Cause> {
    let host = (address.host.as_str(), address.port);
    let found = lookup_host(host).await.map_err(|error| no_such_host(address, &error.to_string()))?;
    let mut sockets: Vec<SocketAddr> = Vec::new();
    for socket in found {
        if !sockets.contains(&socket) && sockets.len() < ADDRESSES_MAX {
            sockets.push(socket);
        }
    }
    if sockets.is_empty() { Err(no_such_host(address, "it has no address")) } else { Ok(sockets) }
}

/// A connection that nobody has signed in on yet.
async fn open(
    settings: &Settings,
    address: &Address,
    socket: SocketAddr,
    (config, within): (&Arc<ClientConfig>, Duration),
) -> Result<Session, (Step, Cause)> {
    let stream = timeout(within, reach(socket, within)).await;
    let stream = stream.map_err(|_| (Step::Reach, Cause::Timeout { seconds: within.as_secs() }))?;
    let stream = stream.map_err(|cause| (Step::Reach, cause))?;
    let (stream, url) = match address.protection {
        Protection::StartTls => {
            let stream = timeout(within, upgraded(stream)).await;
            let stream = stream.map_err(|_| (Step::Tls, Cause::Timeout { seconds: within.as_secs() }))?;
            (stream.map_err(|cause| (Step::Tls, cause))?, with_tls(&address.url))
        }
        Protection::Tls | Protection::None => (into_std(stream).map_err(|cause| (Step::Reach, cause))?, address.url.clone()),
    };
    let options =
        LdapConnSettings::new().set_conn_timeout(within).set_config(Arc::clone(config)).set_std_stream(StdStream::Tcp(stream));
    // With a stream at hand the only step left in here is TLS.
    let made = LdapConnAsync::from_url_with_settings(options, &url).await;
    let (connection, ldap) = made.map_err(|error| {
        let cause = match Cause::of(error, within.as_secs()) {
            // Bytes in the clear to a port that wants TLS, or the other way round, end so with some servers.
            Cause::Closed if address.protection == Protection::Tls => Cause::NotTls,
            other => other,
        };
        (Step::Tls, cause)
    })?;
    let driver = tokio::spawn(connection.drive());
    Ok(Session { ldap, driver: Some(driver), address: address.clone(), answer_timeout: settings.answer_timeout })
}

async fn reach(socket: SocketAddr, within: Duration) -> Result<TcpStream, Cause> {
    let stream = TcpStream::connect(socket).await.map_err(|error| Cause::of_io(&error, within.as_secs()))?;
    let _slower_without = stream.set_nodelay(true);
    Ok(stream)
}

/// One that goes on with a handshake.
async fn upgraded(mut stream: TcpStream) -> Result<std::net::TcpStream, Cause> {
    start_tls::ask(&mut stream).await?;
    into_std(stream)
}

fn into_std(stream: TcpStream) -> Result<std::net::TcpStream, Cause> {
    stream.into_std().map_err(|error| Cause::of_io(&error, 0))
}

/// The same address, where the first byte is of a handshake.
fn with_tls(url: &Url) -> Url {
    let mut url = url.clone();
    // Neither scheme is special to a URL, so either can stand for the other.
    let _always = url.set_scheme("ldaps");
    url
}

fn no_such_host(address: &Address, why: &str) -> Cause {
    Cause::NoSuchHost { host: address.host.clone(), why: why.to_owned() }
}

impl Session {
    /// Ends the connection now, whatever is still on its way.
    pub(super) fn end(&self) {
        self.driver.iter().for_each(JoinHandle::abort);
    }

    /// What an error of an operation means, once the task that drives the connection was asked.
    pub(super) async fn cause(&mut self, error: LdapError) -> Cause {
        let cause = Cause::of(error, self.answer_timeout.as_secs());
        if cause != Cause::Closed {
            return cause;
        }
        let Some(driver) = &mut self.driver else { return cause };
        // It ends within the same moment, and knows more.
        let Ok(end) = timeout(Duration::from_secs(1), driver).await else { return cause };
        self.driver = None;
        match end {
            Ok(Err(error)) => Cause::of(error, self.answer_timeout.as_secs()),
            Err(end) if end.is_panic() => Cause::Malformed(String::from("a message that breaks its own form")),
            Ok(Ok(())) | Err(_) => cause,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection_secrets::ConnectionSecrets;
    use crate::model::directory::DirectoryOptions;
    use crate::secret::Secret;
    use std::io::{Read as _, Write as _};

    #[test]
    fn several_addresses_share_the_time_of_one_server() {
        let seconds = Duration::from_secs;
        assert_eq!(share(seconds(10), 1), seconds(10));
        assert_eq!(share(seconds(10), 2), seconds(5));
        assert_eq!(share(seconds(10), 8), seconds(2));
        assert_eq!(share(seconds(1), 8), seconds(1));
    }

    /// A server at this address that answers the first thing it is asked with a code.
    fn serve(ip: &str, port: u16, code: u8) -> SocketAddr {
        let listener = std::net::TcpListener::bind((ip, port)).expect("loopback is a whole network");
        let socket = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let answer = [0x30, 12, 2, 1, 1, 0x61, 7, 0x0a, 1, code, 4, 0, 4, 0];
                let mut asked = [0; 1_024];
                let _gone =
                    stream.read(&mut asked).and_then(|_| stream.write_all(&answer)).and_then(|()| stream.read(&mut asked));
            }
        });
        socket
    }

    async fn tried(sockets: Vec<SocketAddr>) -> Result<Connected, NotConnected> {
        let mut options = DirectoryOptions {
            urls: vec![format!("ldap://127.0.0.1:{}", sockets[0].port())],
            allow_plaintext: true,
            bind_dn: Some("cn=sync,dc=x".into()),
            user_base: Some("dc=x".into()),
            ..DirectoryOptions::default()
        };
        options.settle();
        let mut secrets = ConnectionSecrets::default();
        secrets.set("bind_password", Some(Secret::new("s3cret".into())));
        let settings = Settings::of(&options, &secrets).unwrap();
        let config = Arc::new(
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        );
        let mut ways = Ways {
            settings: &settings,
            config,
            urls: VecDeque::new(),
            url: settings.urls.first(),
            sockets: VecDeque::new(),
            share: settings.connect_timeout,
            several: false,
            at: None,
            failures: Vec::new(),
        };
        ways.go_by(sockets);
        first(ways).await
    }

    #[tokio::test]
    async fn each_address_of_a_host_is_tried_and_those_passed_over_are_told() {
        // given a host with an address at which nothing listens, one that is busy, and one that serves
        let serves = serve("127.0.0.1", 0, 0);
        let port = serves.port();
        let (dead, busy) = (SocketAddr::from(([127, 0, 0, 2], port)), serve("127.0.0.3", port, 51));
        let connected = tried(vec![dead, busy, serves]).await.expect("one serves");
        let told: Vec<_> = connected.passed_over.iter().map(|failure| (failure.at, failure.step)).collect();
        assert_eq!(told, [(Some(dead.ip()), Step::Reach), (Some(busy.ip()), Step::Bind)]);
    }

    #[tokio::test]
    async fn an_account_that_one_address_refuses_is_not_shown_to_the_next() {
        let refuses = serve("127.0.0.1", 0, 49);
        let refused = tried(vec![refuses, serve("127.0.0.2", refuses.port(), 0)]).await.err().expect("nobody signs in");
        assert!(refused.refuses_the_account());
        assert_eq!(refused.0.len(), 1);
    }

    #[test]
    fn an_address_of_start_tls_goes_on_as_one_of_tls() {
        let url = Url::parse("ldap://dc1.example.com:389").unwrap();
        assert_eq!(with_tls(&url).as_str(), "ldaps://dc1.example.com:389");
    }

    #[test]
    fn only_an_answer_about_the_account_is_the_answer_of_all_servers() {
        let ends = |code| {
            let answer = Answer { code, matched: String::new(), text: String::new() };
            refuses_the_account(Step::Bind, &Cause::Answer(answer))
        };
        let about_the_account: Vec<u32> = (0..130).filter(|code| ends(*code)).collect();
        assert_eq!(about_the_account, [7, 8, 13, 19, 34, 48, 49, 50]);
        assert!(!refuses_the_account(Step::Bind, &Cause::Closed));
    }
}
