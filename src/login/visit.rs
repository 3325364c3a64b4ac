//! How a login begins in the browser, whatever protocol it goes on with: who may begin one, and where the person wants to go
//! afterwards.

use super::answer::Refused;
use super::{Logins, return_to};
use axum::http::request::Parts;
use url::form_urlencoded;

/// Longest address to go on to: it travels in a cookie.
pub const RETURN_TO_BYTES_MAX: usize = 1_024;
/// Longest query.
const QUERY_BYTES_MAX: usize = 8_192;

/// A person goes there, and no page fetches it: each login that begins is a cookie, and there is room for few.
pub(super) fn is_a_visit(parts: &Parts) -> bool {
    parts.headers.get("sec-fetch-mode").is_none_or(|mode| mode.as_bytes() == b"navigate")
}

/// Where the person wants to go afterwards, checked.
pub(super) fn return_to_of(logins: &Logins, query: &str) -> Result<Option<String>, Refused> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(Refused::request("invalid_query", "the query is too long"));
    }
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "return_to");
    let given = found.next().map(|(_, value)| value.into_owned());
    if found.next().is_some() {
        return Err(Refused::request("invalid_return_to", "return_to: is there twice"));
    }
    checked(logins, given)
}

/// Whether the person is to prove who they are, and not go on by a session they have there.
pub(super) fn is_forced(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "force" && value == "1")
}

pub(super) fn checked(logins: &Logins, given: Option<String>) -> Result<Option<String>, Refused> {
    let given = given.filter(|text| !text.is_empty());
    if given.as_ref().is_some_and(|text| text.len() > RETURN_TO_BYTES_MAX) {
        let message = format!("return_to: wanted at most {RETURN_TO_BYTES_MAX} bytes, since the browser carries it");
        return Err(Refused::request("invalid_return_to", message));
    }
    let checked = given.map(|text| return_to::check(&text, &logins.public_url, &logins.return_to)).transpose();
    checked.map_err(|message| Refused::request("invalid_return_to", message))
}
