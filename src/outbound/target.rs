//! What an address of the web asks for, before anything is called. Pure.

use super::Error;
use url::{Host, Url};

/// Services that are no web servers listen below this.
const PORT_FREE: u16 = 1024;

/// One hop: where to, and what to ask there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub url: Url,
    pub host: Host<String>,
    pub port: u16,
    pub is_tls: bool,
}

impl Target {
    /// `allow_plaintext`: http:// is taken; that it leads to this machine alone is asked where the address is known.
    ///
    /// # Errors
    /// Everything that is not a plain web address: the parser has already turned every spelling of a number into an address.
    pub fn parse(url: Url, allow_plaintext: bool) -> Result<Self, Error> {
        let is_tls = match url.scheme() {
            "https" => true,
            "http" if allow_plaintext => false,
            "http" => return Err(Error::Plaintext),
            other => return Err(Error::Scheme { scheme: other.to_owned() }),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Credentials);
        }
        let host = match url.host() {
            None => return Err(Error::NoUrl { why: String::from("it names no host") }),
            Some(Host::Domain(name)) => Host::Domain(name.strip_suffix('.').unwrap_or(name).to_owned()),
            Some(Host::Ipv4(address)) => Host::Ipv4(address),
            Some(Host::Ipv6(address)) => Host::Ipv6(address),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let usual = if is_tls { 443 } else { 80 };
        if port != usual && port < PORT_FREE {
            return Err(Error::Port { port });
        }
        Ok(Self { url, host, port, is_tls })
    }

    /// Path and query.
    pub fn path(&self) -> String {
        let path = self.url.path();
        self.url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
    }

    /// The `Host` header.
    pub fn authority(&self) -> String {
        let host = &self.host;
        self.url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, allow_plaintext: bool) -> Result<Target, Error> {
        Target::parse(Url::parse(text).map_err(|error| Error::NoUrl { why: error.to_string() })?, allow_plaintext)
    }

    #[test]
    fn an_address_is_taken_apart() {
        let target = parse("https://IdP.example.com./metadata?appid=1#fragment", false).expect("a target");
        assert_eq!(
            (target.authority().as_str(), target.port, target.path().as_str()),
            ("idp.example.com", 443, "/metadata?appid=1")
        );
        assert_eq!(parse("https://[::1]:8443/", false).expect("a target").authority(), "[::1]:8443");
    }

    #[test]
    fn every_spelling_of_a_number_is_an_address() {
        for text in ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "0x7f000001", "１２７.0.0.1", "127.0.0.1."] {
            let target = parse(&format!("https://{text}/"), false).expect(text);
            assert_eq!(target.host, Host::<String>::Ipv4([127, 0, 0, 1].into()), "{text}");
        }
        assert!(parse("https://1.2.3.4.5/", false).is_err() && parse("https://256.1.1.1/", false).is_err());
    }

    #[test]
    fn what_is_no_plain_web_address_is_refused() {
        assert!(matches!(parse("http://idp.example.com/", false), Err(Error::Plaintext)));
        assert!(matches!(parse("ftp://idp.example.com/", true), Err(Error::Scheme { .. })));
        assert!(matches!(parse("file:///etc/passwd", true), Err(Error::Scheme { .. })));
        assert!(matches!(parse("https://a@idp.example.com/", true), Err(Error::Credentials)));
        assert!(matches!(parse("https://:b@idp.example.com/", true), Err(Error::Credentials)));
        assert!(matches!(parse("https://10.0.0.1#@idp.example.com/", true), Ok(target) if target.authority() == "10.0.0.1"));
    }

    #[test]
    fn ports_of_services_that_are_no_web_servers_are_refused() {
        for port in [0, 22, 25, 80, 110, 389, 636, 1023] {
            assert!(matches!(parse(&format!("https://idp.example.com:{port}/"), false), Err(Error::Port { .. })), "{port}");
        }
        for port in [443, 1024, 8443, 65535] {
            assert!(parse(&format!("https://idp.example.com:{port}/"), false).is_ok(), "{port}");
        }
        assert!(matches!(parse("http://127.0.0.1:443/", true), Err(Error::Port { .. })));
    }
}
