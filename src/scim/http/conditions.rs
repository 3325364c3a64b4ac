//! `If-Match` and `If-None-Match` (RFC 7644 §3.14, RFC 9110 §13). A version is `W/"{number}"`; a strong tag of the
//! same number is read alike, as SCIM clients mix both.

use crate::provisioning::Expected;
use axum::http::{HeaderMap, HeaderName, header};

/// The entity tag of a version, also `meta.version`.
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// What `If-Match` asks for. `*` matches any existing resource; tags we never gave match nothing.
pub fn expected(headers: &HeaderMap) -> Expected {
    match tags(headers, &header::IF_MATCH) {
        None => Expected::Any,
        Some(tags) if tags.iter().any(|tag| tag == "*") => Expected::Any,
        Some(tags) => Expected::OneOf(tags.iter().filter_map(|tag| version(tag)).collect()),
    }
}

/// Does `If-None-Match` name this version, or any?
pub fn none_match_hits(headers: &HeaderMap, current: i64) -> bool {
    tags(headers, &header::IF_NONE_MATCH).is_some_and(|tags| tags.iter().any(|tag| tag == "*" || version(tag) == Some(current)))
}

/// Is `If-None-Match: *` there? On a PUT it can only be refused: the resource exists.
pub fn refuses_existing(headers: &HeaderMap) -> bool {
    tags(headers, &header::IF_NONE_MATCH).is_some_and(|tags| tags.iter().any(|tag| tag == "*"))
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    if !headers.contains_key(name) {
        return None;
    }
    Some(values.iter().flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect())
}

fn version(tag: &str) -> Option<i64> {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_MATCH, value.parse().expect("a header"))])
    }

    #[test]
    fn tags_we_never_gave_match_nothing_and_a_star_matches_all() {
        assert_eq!(expected(&HeaderMap::new()), Expected::Any);
        assert_eq!(expected(&with("*")), Expected::Any);
        assert_eq!(expected(&with("W/\"3\", \"4\"")), Expected::OneOf(vec![3, 4]));
        assert_eq!(expected(&with("\"abc\"")), Expected::OneOf(vec![]));
    }
}
