//! How a login begins in the browser, whatever protocol it goes on with: who may begin one, and where the person wants to go
//! afterwards.

use super::answer::Refused;
use super::{Logins, return_to};
use crate::model::proof::is_word;
use axum::http::request::Parts;
use url::form_urlencoded;

/// Longest address to go on to: it travels in a cookie.
pub const RETURN_TO_BYTES_MAX: usize = 1_024;
/// Which classes of a proof are wanted, with spaces between; and that one of them has to be.
pub const ACR_VALUES: &str = "acr_values";
pub const ACR_REQUIRED: &str = "acr_required";
/// Of them.
const CLASSES_MAX: usize = 10;
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

/// Which classes of a proof an application wants.
#[derive(Default)]
pub(super) struct Classes {
    pub(super) words: Vec<String>,
    /// Without one of them it is not let go on.
    pub(super) required: bool,
}

/// What is no word is no class.
pub(super) fn classes_of(query: &str) -> Classes {
    let found = |wanted: &str| form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value);
    let text = found(ACR_VALUES).unwrap_or_default();
    let words = text.split(' ').filter(|word| is_word(word)).take(CLASSES_MAX).map(str::to_owned).collect();
    Classes { words, required: found(ACR_REQUIRED).is_some_and(|value| value == "1") }
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
