//! `[login]`: how often people may fail to log in, and where they may be sent on to.

use super::reader::Reader;
use std::time::Duration;
use url::Url;

/// Addresses in `login.return_to`.
const ORIGINS_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginConfig {
    /// Failed logins in a row of one person on one connection before more get 429.
    pub failures_per_user: u32,
    /// The same from one address.
    pub failures_per_address: u32,
    /// How long nothing may fail for the count to begin anew.
    pub window: Duration,
    /// Origins (RFC 6454 §6.2) that `return_to` may lead to besides our own.
    pub return_to: Vec<String>,
}

impl LoginConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            // Active Directory is often set to lock after ten, sometimes after six.
            failures_per_user: reader.integer("login.failures_per_user", 5, 1, 1_000),
            // An office may share one address.
            failures_per_address: reader.integer("login.failures_per_address", 100, 1, 1_000_000),
            window: Duration::from_secs(reader.integer("login.window_seconds", 900, 1, 86_400)),
            return_to: reader.parsed("login.return_to", "", "origins like https://app.example.com, with commas between", origins),
        }
    }
}

fn origins(text: &str) -> Option<Vec<String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let all: Option<Vec<String>> = parts.map(origin).collect();
    all.filter(|all| all.len() <= ORIGINS_MAX)
}

fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    // There are no patterns.
    let plain = plain && !text.contains('*');
    (matches!(url.scheme(), "http" | "https") && plain && url.password().is_none()).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_in_one_spelling_and_anything_more_is_none() {
        assert_eq!(origins(""), Some(vec![]));
        let two = origins("https://App.example.com:443, http://127.0.0.1:3000/").expect("origins");
        assert_eq!(two, ["https://app.example.com", "http://127.0.0.1:3000"]);
        for bad in
            ["app.example.com", "https://app.example.com/in", "https://a@app.example.com", "javascript:alert(1)", "https://*"]
        {
            assert_eq!(origins(bad), None, "{bad}");
        }
    }
}
