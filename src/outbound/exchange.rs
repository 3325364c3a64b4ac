//! One request and its answer, over a connection of its own to an address that was judged.

use super::target::Target;
use super::{Answer, Ask, Error, Outbound, Validators};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HOST, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT,
};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use url::Host;

/// Headers of an answer, in bytes and in number.
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
/// How long one address may take before the next is tried.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is kept of a server's validators.
const VALIDATOR_BYTES_MAX: usize = 512;

pub enum Heard {
    Answer(Answer),
    /// A redirect, to be resolved against the address that was asked.
    Elsewhere(String),
}

/// A connection, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub async fn exchange(target: &Target, addresses: &[SocketAddr], ask: &Ask, by: &Outbound) -> Result<Heard, Error> {
    let stream = connected(target, addresses, by).await?;
    over(stream, target, ask, by.limits.bytes_max).await
}

/// To one of the addresses, as whom the target names.
pub async fn connected(target: &Target, addresses: &[SocketAddr], by: &Outbound) -> Result<Box<dyn Stream>, Error> {
    let stream = connect(target, addresses, by).await?;
    if !target.is_tls {
        return Ok(Box::new(stream));
    }
    let tls = |why: String| Error::Tls { host: target.host.to_string(), why };
    let name = match &target.host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|error| tls(error.to_string()))?,
        Host::Ipv4(address) => ServerName::IpAddress((*address).into()),
        Host::Ipv6(address) => ServerName::IpAddress((*address).into()),
    };
    let connector = TlsConnector::from(by.trust.config().await?);
    let stream = connector.connect(name, stream).await.map_err(|error| tls(error.to_string()))?;
    Ok(Box::new(stream))
}

async fn connect(target: &Target, addresses: &[SocketAddr], by: &Outbound) -> Result<TcpStream, Error> {
    let mut why = String::from("it has no address");
    for address in addresses {
        match tokio::time::timeout(PATIENCE, (by.dial)(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = format!("{address}: {error}"),
            Err(_elapsed) => why = format!("{address}: no answer within {} seconds", PATIENCE.as_secs()),
        }
    }
    Err(Error::Unreachable { host: target.host.to_string(), why })
}

async fn over(stream: Box<dyn Stream>, target: &Target, ask: &Ask, bytes_max: usize) -> Result<Heard, Error> {
    // Ends with this call, whatever becomes of it.
    let mut driving = JoinSet::new();
    let response = asked(stream, request(target, ask)?, &mut driving).await?;
    heard(response, ask, bytes_max).await
}

/// The head of the answer; the rest of it comes as long as `driving` lives.
pub async fn asked(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    driving: &mut JoinSet<hyper::Result<()>>,
) -> Result<Response<Incoming>, Error> {
    let broken = |error: hyper::Error| Error::Broken { why: error.to_string() };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    driving.spawn(connection);
    sender.send_request(request).await.map_err(broken)
}

fn request(target: &Target, ask: &Ask) -> Result<Request<Full<Bytes>>, Error> {
    let no_request = |why: String| Error::NoUrl { why };
    let method = if ask.form.is_some() || ask.is_post { Method::POST } else { Method::GET };
    let mut builder = Request::builder()
        .method(method)
        .uri(target.path())
        .header(HOST, target.authority())
        .header(USER_AGENT, concat!("rosterd/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, ask.accept)
        // A small answer could unfold to a large one.
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    for (name, value) in [(IF_NONE_MATCH, &ask.known.etag), (IF_MODIFIED_SINCE, &ask.known.last_modified)] {
        if let Some(value) = value {
            builder = builder.header(name, value);
        }
    }
    if let Some(authorization) = &ask.authorization {
        // Not shown by whoever prints headers.
        let mut value = HeaderValue::from_str(authorization.expose()).map_err(|error| no_request(error.to_string()))?;
        value.set_sensitive(true);
        builder = builder.header(AUTHORIZATION, value);
    }
    if ask.form.is_some() {
        builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let body = ask.form.as_ref().map(|form| Bytes::from(form.expose().clone())).unwrap_or_default();
    builder.body(Full::new(body)).map_err(|error| no_request(error.to_string()))
}

async fn heard(response: Response<Incoming>, ask: &Ask, bytes_max: usize) -> Result<Heard, Error> {
    let header = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    match status {
        200 => {}
        304 if ask.known != Validators::default() => return Ok(Heard::Answer(Answer::NotModified)),
        301 | 302 | 303 | 307 | 308 => {
            let location = header(LOCATION).ok_or_else(|| Error::Broken { why: String::from("a redirect to nowhere") })?;
            return Ok(Heard::Elsewhere(location));
        }
        _ if ask.any_status => {}
        status => return Err(Error::Status { status }),
    }
    if let Some(encoding) = header(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Error::Encoded { encoding: encoding.chars().take(40).collect() });
    }
    let announced = header(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(Error::TooLarge { bytes_max });
    }
    let kept = |name| header(name).filter(|value| value.len() <= VALIDATOR_BYTES_MAX);
    let validators = Validators { etag: kept(ETAG), last_modified: kept(LAST_MODIFIED) };
    let media_type = kept(CONTENT_TYPE);
    let max_age = kept(CACHE_CONTROL).as_deref().and_then(max_age_of);
    let (mut incoming, mut body) = (response.into_body(), Vec::new());
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Error::Broken { why: error.to_string() })?;
        let Ok(data) = frame.into_data() else { continue };
        if body.len() + data.len() > bytes_max {
            return Err(Error::TooLarge { bytes_max });
        }
        body.extend_from_slice(&data);
    }
    Ok(Heard::Answer(Answer::Found { body, validators, media_type, status, max_age }))
}

fn max_age_of(cache_control: &str) -> Option<u64> {
    let mut words = cache_control.split(',').map(str::trim);
    words.find_map(|word| word.strip_prefix("max-age=")?.trim_matches('"').parse().ok())
}
