//! The bearer token of a request (RFC 6750 §2.1): from the `Authorization` header alone, never from a URL or a body.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// Why there is no token to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    Missing,
    /// Two headers, another scheme, or no token after the scheme.
    Malformed,
}

/// The token's text.
pub fn bearer(headers: &HeaderMap) -> Result<&str, BearerError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(BearerError::Missing)?;
    if values.next().is_some() {
        return Err(BearerError::Malformed);
    }
    let text = value.to_str().map_err(|_| BearerError::Malformed)?;
    let (scheme, token) = text.trim().split_once(' ').ok_or(BearerError::Malformed)?;
    let token = token.trim();
    let plain = !token.is_empty() && !token.contains(char::is_whitespace);
    if scheme.eq_ignore_ascii_case("bearer") && plain { Ok(token) } else { Err(BearerError::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<String, BearerError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().expect("a header value"));
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        assert_eq!(of(&["Bearer abc"]), Ok(String::from("abc")));
        assert_eq!(of(&["bearer  abc "]), Ok(String::from("abc")));
    }

    #[test]
    fn anything_else_is_no_token() {
        assert_eq!(of(&[]), Err(BearerError::Missing));
        for bad in [&["Basic abc"][..], &["Bearer"], &["Bearer "], &["Bearer a b"], &["Bearer a", "Bearer a"]] {
            assert_eq!(of(bad), Err(BearerError::Malformed), "{bad:?}");
        }
    }
}
