//! Something posted to an address that an administrator named: judged like any other, never sent on by a redirect, and of the answer
//! no more is read than its head and, where it is a refusal, its first words.

use super::address::{Reach, reach};
use super::target::Target;
use super::{Error, Outbound, exchange};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use std::net::IpAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use url::{Host, Url};

/// What is read of a refusal, and for how long.
const WORDS_BYTES_MAX: usize = 256;
const WORDS_TIME: Duration = Duration::from_secs(2);

/// What to post.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub url: String,
    /// http:// is taken, and this machine may be called.
    pub allow_plaintext: bool,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

/// How it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub status: u16,
    pub retry_after: Option<String>,
    /// The first bytes of a refusal.
    pub words: Vec<u8>,
}

/// Whether an address may be posted to, as far as can be said without asking anybody: addresses behind names are judged at each
/// delivery.
///
/// # Errors
/// What is wrong with it.
pub fn check(url: &str, allow_plaintext: bool) -> Result<(), Error> {
    let url = Url::parse(url).map_err(|error| Error::NoUrl { why: error.to_string() })?;
    let target = Target::parse(url, allow_plaintext)?;
    let address = match &target.host {
        Host::Domain(_) => return Ok(()),
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
    };
    let host = target.host.to_string();
    match reach(address) {
        Err(why) => Err(Error::Nobodys { host, address, why }),
        Ok(Reach::Loopback) if !allow_plaintext => Err(Error::Inside { host, address, reach: Reach::Loopback }),
        Ok(inside) if !target.is_tls && inside != Reach::Loopback => Err(Error::Plaintext),
        Ok(_) => Ok(()),
    }
}

pub(super) async fn deliver(by: &Outbound, delivery: &Delivery) -> Result<Delivered, Error> {
    let url = Url::parse(&delivery.url).map_err(|error| Error::NoUrl { why: error.to_string() })?;
    let target = Target::parse(url, delivery.allow_plaintext)?;
    let furthest = if delivery.allow_plaintext { Reach::Loopback } else { Reach::Private };
    let (addresses, inmost) = by.addresses(&target, furthest).await?;
    if !target.is_tls && inmost != Reach::Loopback {
        return Err(Error::Plaintext);
    }
    let stream = exchange::connected(&target, &addresses, by).await?;
    let mut driving = JoinSet::new();
    let response = exchange::asked(stream, request(&target, delivery)?, &mut driving).await?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // Whoever took it has nothing more to say.
    let words = if response.status().is_success() { Vec::new() } else { words(response).await };
    Ok(Delivered { status, retry_after, words })
}

fn request(target: &Target, delivery: &Delivery) -> Result<Request<Full<Bytes>>, Error> {
    let mut builder = Request::builder()
        .method(Method::POST)
        .uri(target.path())
        .header(HOST, target.authority())
        .header(USER_AGENT, concat!("rosterd/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, delivery.content_type)
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    for (name, value) in &delivery.headers {
        builder = builder.header(*name, value);
    }
    builder.body(Full::new(delivery.body.clone())).map_err(|error| Error::NoUrl { why: error.to_string() })
}

async fn words(response: Response<Incoming>) -> Vec<u8> {
    let (mut incoming, mut words) = (response.into_body(), Vec::new());
    let read = async {
        while let Some(Ok(frame)) = incoming.frame().await {
            words.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if words.len() >= WORDS_BYTES_MAX {
                break;
            }
        }
    };
    // What did not come in time is not missed.
    let _ended = tokio::time::timeout(WORDS_TIME, read).await;
    words.truncate(WORDS_BYTES_MAX);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_address_by_itself_is_said_at_once() {
        for refused in [
            "",
            "example.com/hook",
            "ftp://example.com/",
            "http://example.com/hook",
            "https://user:pass@example.com/",
            "https://example.com:22/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://2130706433/",
            "https://[::ffff:127.0.0.1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://0.0.0.0/",
        ] {
            assert!(check(refused, false).is_err(), "{refused}");
        }
        for taken in ["https://example.com/hook?a=1", "https://example.com:8443/", "https://8.8.8.8/", "https://10.0.0.1/"] {
            assert!(check(taken, false).is_ok(), "{taken}: a private one is judged when it is called");
        }
        assert!(check("http://127.0.0.1:9000/", true).is_ok());
        assert_eq!(check("http://8.8.8.8/", true), Err(Error::Plaintext));
        assert!(check("https://169.254.169.254/", true).is_err());
    }
}
