//! Whether a request that changes something was sent by a page of ours: what a browser says of it, since another site's
//! page can send requests with our cookies, or log its visitors in as somebody else. What no browser sent says nothing and
//! is let through: it has no cookies but its own.

use axum::http::{HeaderMap, HeaderValue, header};

/// Was this sent by another site's page? `Sec-Fetch-Site` (Fetch Metadata) where there is one, else `Origin` (RFC 6454 §7),
/// which has to be that of `public_url` or name the host that was asked.
pub fn is_from_elsewhere(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(text(site).as_str(), "same-origin" | "none");
    }
    let Some(origin) = headers.get(header::ORIGIN).map(text) else { return false };
    let host = headers.get(header::HOST).map(text).unwrap_or_default();
    let Some((scheme, ours)) = parts(public_url) else { return true };
    // In the clear anybody on the way can be that host.
    parts(&origin).is_none_or(|theirs| theirs.0 != scheme || (theirs.1 != ours && theirs.1 != host.to_ascii_lowercase()))
}

/// Scheme and `host[:port]` of an address, in lower case, without the port its scheme has anyway.
fn parts(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let (scheme, authority) = (scheme.to_ascii_lowercase(), rest.split(['/', '?', '#']).next()?.to_ascii_lowercase());
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(usual).map(str::to_owned).unwrap_or(authority);
    Some((scheme, authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(lines: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, value.parse().expect("a header"));
        }
        is_from_elsewhere(&headers, "https://id.example.com/roster")
    }

    #[test]
    fn a_page_of_ours_and_what_no_browser_sent_are_let_through() {
        assert!(!elsewhere(&[]));
        assert!(!elsewhere(&[("origin", "https://id.example.com")]));
        assert!(!elsewhere(&[("origin", "https://ID.example.com:443")]));
        assert!(!elsewhere(&[("origin", "https://acme.example.com"), ("host", "Acme.example.com")]), "a tenant's own host");
        assert!(!elsewhere(&[("sec-fetch-site", "same-origin"), ("origin", "https://other.example.com")]));
        assert!(!elsewhere(&[("sec-fetch-site", "none")]));
    }

    #[test]
    fn another_sites_page_is_not() {
        for origin in [
            "https://evil.example",
            "null",
            "",
            "https://id.example.com.evil.example",
            "https://id.example.com:444",
            "http://id.example.com",
        ] {
            assert!(elsewhere(&[("origin", origin), ("host", "id.example.com")]), "{origin}");
        }
        for site in ["cross-site", "same-site", "", "nonsense"] {
            assert!(elsewhere(&[("sec-fetch-site", site), ("origin", "https://id.example.com")]), "{site}");
        }
    }
}
