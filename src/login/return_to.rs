//! Where a browser goes after its login. Owns the check that a link to a login can't lead on to a stranger's page.

use url::Url;

/// Longest address.
const BYTES_MAX: usize = 2_048;

/// Where no address is given.
pub(super) const DEFAULT: &str = "/session";

/// `text` as it goes into `Location`: a path of ours, or an address whose origin is that of `public_url` or one of
/// `allowed`.
///
/// # Errors
/// What is wanted instead.
pub(super) fn check(text: &str, public_url: &str, allowed: &[String]) -> Result<String, String> {
    let wanted = || String::from("return_to: wanted a path like /app, or an address that login.return_to allows");
    // A browser drops tabs and line ends, and takes a backslash for a slash.
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if text.is_empty() || text.len() > BYTES_MAX || !plain {
        return Err(wanted());
    }
    if text.starts_with('/') {
        return if text.starts_with("//") { Err(wanted()) } else { Ok(text.to_owned()) };
    }
    let url = Url::parse(text).map_err(|_| wanted())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let origin = url.origin().ascii_serialization();
    let ours = Url::parse(public_url).is_ok_and(|ours| ours.origin().ascii_serialization() == origin);
    if is_web && (ours || allowed.contains(&origin)) { Ok(url.into()) } else { Err(wanted()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        check(text, "https://id.example.com/roster", &[String::from("https://app.example.com")]).ok()
    }

    #[test]
    fn paths_of_ours_and_allowed_origins_are_taken() {
        for text in ["/", "/app?x=1&y=%2F#part", "https://id.example.com/app", "https://app.example.com/in?a=b"] {
            assert_eq!(of(text).as_deref(), Some(text));
        }
        assert_eq!(of("https://App.example.com:443/x").as_deref(), Some("https://app.example.com/x"));
    }

    #[test]
    fn nothing_leads_to_another_site() {
        for text in [
            "",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/\n/evil.example",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https://app.example.com.evil.example",
            "https://app.example.com@evil.example",
            "https://user@app.example.com",
            "https://app.example.com:8443/",
            "http://app.example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "app",
            "../app",
            "/app\r\nSet-Cookie: a=b",
            "/\u{e4}",
            &format!("/{}", "x".repeat(BYTES_MAX)),
        ] {
            assert_eq!(of(text), None, "{text:?}");
        }
    }
}
