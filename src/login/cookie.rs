//! The cookie that holds a session's secret (RFC 6265): out of reach of scripts, sent to this host alone, and not along with
//! what other sites' pages send.

use crate::secret::{Secret, TokenKind};
use axum::http::{HeaderMap, HeaderValue, header};

/// Longest list of cookies that is looked through.
const COOKIES_MAX: usize = 100;

/// On a public URL with TLS the name itself binds the cookie to the host (RFC 6265bis §4.1.3.2).
fn name(public_url: &str) -> (&'static str, &'static str) {
    if public_url.starts_with("https://") { ("__Host-rosterd_session", "; Secure") } else { ("rosterd_session", "") }
}

/// What a browser is told to keep, for `seconds`.
pub(super) fn keep(public_url: &str, secret: &Secret<String>, seconds: i64) -> HeaderValue {
    let (name, secure) = name(public_url);
    let text = format!("{name}={}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", secret.expose());
    let mut value = HeaderValue::from_str(&text).expect("a token is plain ASCII");
    // Not shown by whoever prints headers.
    value.set_sensitive(true);
    value
}

/// What makes a browser forget it.
pub(super) fn forget(public_url: &str) -> HeaderValue {
    let (name, secure) = name(public_url);
    let text = format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("constant texts")
}

/// The secret that a request brings, if it may be one.
pub(super) fn read(public_url: &str, headers: &HeaderMap) -> Option<Secret<String>> {
    let (name, _) = name(public_url);
    let (_, text) = all(headers).find(|(found, _)| *found == name)?;
    (TokenKind::of(text) == Some(TokenKind::Session)).then(|| Secret::new(text.to_owned()))
}

/// Names and values that a request brings, in its order.
pub(super) fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).take(COOKIES_MAX).filter_map(|cookie| cookie.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Entropy;

    #[test]
    fn what_is_kept_is_read_again_and_nothing_else() {
        let secret = TokenKind::Session.generate(&Entropy::system());
        for (public_url, name) in
            [("https://id.example.com", "__Host-rosterd_session"), ("http://127.0.0.1:1", "rosterd_session")]
        {
            let set = keep(public_url, &secret, 60);
            let set = set.to_str().expect("text");
            assert!(set.starts_with(&format!("{name}={}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", secret.expose())), "{set}");
            assert_eq!(set.ends_with("; Secure"), public_url.starts_with("https"));
            let of = |line: &str| {
                let mut headers = HeaderMap::new();
                headers.insert(header::COOKIE, line.parse().expect("a header"));
                read(public_url, &headers)
            };
            let own = format!("{name}={}", secret.expose());
            assert_eq!(of(&format!("a=b; {own}; c")), Some(secret.clone()));
            let other = TokenKind::Scim.generate(&Entropy::system());
            for line in [format!("x{own}"), format!("{name}=x"), format!("{name}={}", other.expose()), String::from(name)] {
                assert_eq!(of(&line), None, "{line}");
            }
        }
    }
}
