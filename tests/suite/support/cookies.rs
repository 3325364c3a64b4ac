//! What a browser keeps of `Set-Cookie` and where it sends it (RFC 6265bis): by host, path, `Secure` and `SameSite`, and it
//! refuses a `__Host-` cookie that does not keep its promise.

use url::Url;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
    is_secure: bool,
    same_site: SameSite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SameSite {
    None,
    Lax,
    Strict,
    /// A browser treats it as `Lax`, but for two minutes lets it along with a form of another site.
    Unsaid,
}

/// Who asks for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub is_cross_site: bool,
    pub is_post: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Cookies(Vec<Cookie>);

/// A browser trusts its own machine as it trusts TLS.
pub fn is_trustworthy(url: &Url) -> bool {
    url.scheme() == "https" || url.host_str().is_some_and(|host| host.starts_with("127.") || host == "localhost")
}

/// Scheme and host: our hosts are addresses, or two labels and more that are no registry's.
pub fn site(url: &Url) -> (String, String) {
    (url.scheme().to_owned(), url.host_str().unwrap_or_default().to_owned())
}

impl Cookies {
    /// # Panics
    /// If a browser would refuse it, which nobody here wants.
    pub fn keep(&mut self, url: &Url, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).unwrap_or_else(|| panic!("no cookie: {line}"));
        let attributes: Vec<(String, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let of = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        let default_path = url.path().rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        let cookie = Cookie {
            host: url.host_str().unwrap_or_default().to_owned(),
            path: of("path").filter(|path| path.starts_with('/')).unwrap_or(default_path).to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            is_secure: of("secure").is_some(),
            same_site: match of("samesite").map(str::to_ascii_lowercase).as_deref() {
                Some("none") => SameSite::None,
                Some("strict") => SameSite::Strict,
                Some("lax") => SameSite::Lax,
                _ => SameSite::Unsaid,
            },
        };
        assert!(!cookie.is_secure || is_trustworthy(url), "{url} may not set a secure cookie: {line}");
        assert!(cookie.same_site != SameSite::None || cookie.is_secure, "SameSite=None without Secure: {line}");
        let is_host_bound = cookie.is_secure && of("domain").is_none() && cookie.path == "/";
        assert!(!name.starts_with("__Host-") || is_host_bound, "not what its name promises: {line}");
        self.0.retain(|other| (&other.host, &other.path, &other.name) != (&cookie.host, &cookie.path, &cookie.name));
        let is_over = of("max-age").and_then(|age| age.parse::<i64>().ok()).is_some_and(|age| age <= 0)
            || of("expires").is_some_and(|until| until.contains("1970"));
        if !is_over {
            self.0.push(cookie);
        }
    }

    /// The header, if there is anything to send.
    pub fn header(&self, url: &Url, asked: Asked) -> Option<String> {
        let sent: Vec<String> =
            self.0.iter().filter(|cookie| cookie.goes_to(url, asked)).map(|c| format!("{}={}", c.name, c.value)).collect();
        (!sent.is_empty()).then(|| sent.join("; "))
    }

    pub fn value(&self, host: &str, name: &str) -> Option<&str> {
        self.0.iter().find(|cookie| cookie.host == host && cookie.name == name).map(|cookie| cookie.value.as_str())
    }

    /// Forgets all of a host, as whoever deletes them there does.
    pub fn forget(&mut self, host: &str) {
        self.0.retain(|cookie| cookie.host != host);
    }
}

impl Cookie {
    fn goes_to(&self, url: &Url, asked: Asked) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_below =
            url.path().strip_prefix(self.path.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_allowed = match self.same_site {
            SameSite::None | SameSite::Unsaid => true,
            SameSite::Lax => !(asked.is_cross_site && asked.is_post),
            SameSite::Strict => !asked.is_cross_site,
        };
        self.host == host && is_below && is_allowed && (!self.is_secure || is_trustworthy(url))
    }
}
