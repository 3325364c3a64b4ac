//! From [`Settings`] to a signed-in [`Session`]: each URL in turn, every step within its time. A server that can't be used
//! is passed over; a directory that refuses the account is not asked again elsewhere, which would only lock it sooner.

use super::failure::{Answer, Cause, Failure, Step};
use super::settings::{Address, Bind, Protection, Settings};
use super::tls::client_config;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, StdStream};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A connection that is signed in. It ends when this is dropped.
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

/// Connects to the first server that can be used.
///
/// # Errors
/// What was wrong with each that was tried.
pub async fn connect(settings: &Settings) -> Result<Connected, NotConnected> {
    let failure =
        |address: Option<&Address>, (step, cause): (Step, Cause)| Failure { url: address.map(ToString::to_string), step, cause };
    let config = client_config(settings).map_err(|cause| NotConnected(vec![failure(None, (Step::Tls, cause))]))?;
    let mut passed_over = Vec::new();
    for address in &settings.urls {
        match connect_to(settings, address, &config).await {
            Ok(session) => return Ok(Connected { session, passed_over }),
            Err(error) => {
                let ends = refuses_the_account(&error);
                passed_over.push(failure(Some(address), error));
                if ends {
                    break;
                }
            }
        }
    }
    Err(NotConnected(passed_over))
}

fn refuses_the_account((step, cause): &(Step, Cause)) -> bool {
    // 51 busy, 52 unavailable: the server's own state.
    *step == Step::Bind && matches!(cause, Cause::Answer(answer) if !matches!(answer.code, 51 | 52))
}

async fn connect_to(settings: &Settings, address: &Address, config: &Arc<ClientConfig>) -> Result<Session, (Step, Cause)> {
    let mut session = open(settings, address, config).await?;
    let answer_timeout = session.answer_timeout;
    session.ldap.with_timeout(answer_timeout);
    let result = match &settings.bind {
        Bind::Simple { dn, password } => session.ldap.simple_bind(dn, password.expose()).await,
        Bind::External { .. } => session.ldap.sasl_external_bind().await,
    };
    let result = result.map_err(|error| (Step::Bind, Cause::of(error, answer_timeout.as_secs())))?;
    if result.rc == 0 { Ok(session) } else { Err((Step::Bind, Cause::Answer(Answer::of(&result)))) }
}

/// A connection that nobody has signed in on yet.
pub(super) async fn open(settings: &Settings, address: &Address, config: &Arc<ClientConfig>) -> Result<Session, (Step, Cause)> {
    let within = settings.connect_timeout;
    let stream = timeout(within, reach(address, within)).await;
    let stream = stream.map_err(|_| (Step::Reach, Cause::Timeout { seconds: within.as_secs() }))?;
    let stream = stream.map_err(|cause| (Step::Reach, cause))?;
    let options = LdapConnSettings::new()
        .set_conn_timeout(within)
        .set_config(Arc::clone(config))
        .set_starttls(address.protection == Protection::StartTls)
        .set_std_stream(StdStream::Tcp(stream));
    // With a stream at hand the only step left in here is TLS.
    let made = LdapConnAsync::from_url_with_settings(options, &address.url).await;
    let (connection, ldap) = made.map_err(|error| {
        let cause = match Cause::of(error, within.as_secs()) {
            Cause::Answer(answer) => Cause::StartTls(answer),
            // Bytes in the clear to a port that wants TLS, or the other way round, end so with some servers.
            Cause::Closed if address.protection == Protection::Tls => Cause::NotTls,
            other => other,
        };
        (Step::Tls, cause)
    })?;
    let driver = tokio::spawn(connection.drive());
    Ok(Session { ldap, driver: Some(driver), address: address.clone(), answer_timeout: settings.answer_timeout })
}

async fn reach(address: &Address, within: Duration) -> Result<std::net::TcpStream, Cause> {
    let host = (address.host.as_str(), address.port);
    let found = lookup_host(host).await.map_err(|error| no_such_host(address, &error.to_string()))?;
    let mut last = no_such_host(address, "it has no address");
    for socket in found {
        match TcpStream::connect(socket).await {
            Ok(stream) => {
                let _slower_without = stream.set_nodelay(true);
                return stream.into_std().map_err(|error| Cause::of_io(&error, within.as_secs()));
            }
            Err(error) => last = Cause::of_io(&error, within.as_secs()),
        }
    }
    Err(last)
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
