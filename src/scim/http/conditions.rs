//! `If-Match` and `If-None-Match` (RFC 7644 §3.14, RFC 9110 §13) of one operation on one resource. A version is
//! `W/"{number}"`; tags are compared weakly, as SCIM clients send back either form.

use crate::provisioning::Expected;
use crate::scim::error::{ScimError, ScimType};
use axum::http::{HeaderMap, HeaderName, header};

/// The entity tag of a version, also `meta.version`.
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// What a request asks of the version that it meets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`; `None`: not sent.
    matching: Option<Tags>,
    /// `If-None-Match`; `None`: not sent.
    differing: Option<Tags>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`: whatever version is there.
    Every,
    /// Those of ours; tags we never gave match nothing and are left out.
    Versions(Vec<i64>),
}

/// What a condition comes to on a GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Answer,
    /// 304.
    NotModified,
    /// 412.
    Refuse,
}

impl Conditions {
    /// Those in the headers of a request.
    ///
    /// # Errors
    /// 400 `invalidValue` for a header that is no list of entity tags.
    pub fn of(headers: &HeaderMap) -> Result<Self, ScimError> {
        Ok(Self { matching: tags(headers, &header::IF_MATCH)?, differing: tags(headers, &header::IF_NONE_MATCH)? })
    }

    /// The `version` of an operation of a bulk request, which acts as `If-Match` (RFC 7644 §3.7).
    ///
    /// # Errors
    /// 400 `invalidValue` for a text that is no list of entity tags.
    pub fn of_version(version: Option<&str>) -> Result<Self, ScimError> {
        Ok(Self { matching: version.map(|text| read(text, "version")).transpose()?, differing: None })
    }

    /// Is there an `If-Match`?
    pub fn names_version(&self) -> bool {
        self.matching.is_some()
    }

    /// What a write may meet. `If-None-Match: *` lets no existing resource through, and a PUT never creates.
    pub fn expected(&self) -> Expected {
        match (&self.matching, &self.differing) {
            (_, Some(Tags::Every)) => Expected::OneOf(Vec::new()),
            (None | Some(Tags::Every), None) => Expected::Any,
            (None | Some(Tags::Every), Some(Tags::Versions(not))) => Expected::NoneOf(not.clone()),
            (Some(Tags::Versions(these)), None) => Expected::OneOf(these.clone()),
            (Some(Tags::Versions(these)), Some(Tags::Versions(not))) => {
                Expected::OneOf(these.iter().filter(|version| !not.contains(version)).copied().collect())
            }
        }
    }

    /// What a GET of a resource with this version is answered: `If-Match` decides before `If-None-Match` (RFC 9110 §13.2.2).
    pub fn reading(&self, current: i64) -> Reading {
        let names = |tags: &Tags| match tags {
            Tags::Every => true,
            Tags::Versions(versions) => versions.contains(&current),
        };
        if self.matching.as_ref().is_some_and(|tags| !names(tags)) {
            Reading::Refuse
        } else if self.differing.as_ref().is_some_and(names) {
            Reading::NotModified
        } else {
            Reading::Answer
        }
    }
}

/// Several lines of one header are one list (RFC 9110 §5.3).
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, ScimError> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let shown = if *name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
    let mut whole = String::new();
    for value in headers.get_all(name) {
        // What is not ASCII is no tag of ours, but may stand in one.
        whole.push_str(&String::from_utf8_lossy(value.as_bytes()));
        whole.push(',');
    }
    read(&whole, shown).map(Some)
}

/// `*`, or entity tags between commas; empty elements are passed over (RFC 9110 §5.6.1).
fn read(text: &str, name: &str) -> Result<Tags, ScimError> {
    let malformed = || {
        let detail = format!("{name} must be * or entity tags like W/\"3\", separated by commas");
        ScimError::of(ScimType::InvalidValue, detail)
    };
    let mut rest = text.trim_matches([' ', '\t', ',']);
    if rest == "*" {
        return Ok(Tags::Every);
    }
    if rest.is_empty() {
        return Err(malformed());
    }
    let mut versions = Vec::new();
    while !rest.is_empty() {
        let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"').ok_or_else(malformed)?;
        let (tag, after) = opaque.split_once('"').ok_or_else(malformed)?;
        if tag.chars().any(|c| c == ' ' || c.is_control()) {
            return Err(malformed());
        }
        versions.extend(tag.parse::<i64>().ok().filter(|version| version.to_string() == tag));
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return Err(malformed());
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Ok(Tags::Versions(versions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&HeaderName, &'static str)]) -> Conditions {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append((*name).clone(), value.parse().expect("a header"));
        }
        Conditions::of(&headers).expect("tags")
    }

    const MATCH: HeaderName = header::IF_MATCH;
    const NONE: HeaderName = header::IF_NONE_MATCH;

    #[test]
    fn tags_we_never_gave_match_nothing_and_a_star_matches_all() {
        assert_eq!(with(&[]).expected(), Expected::Any);
        assert_eq!(with(&[(&MATCH, "*")]).expected(), Expected::Any);
        assert_eq!(with(&[(&MATCH, "W/\"3\", \"4\"")]).expected(), Expected::OneOf(vec![3, 4]));
        for foreign in ["\"abc\"", "W/\"+3\"", "\"03\"", "\"a,b\"", "\"\""] {
            assert_eq!(with(&[(&MATCH, foreign)]).expected(), Expected::OneOf(vec![]), "{foreign}");
        }
    }

    #[test]
    fn several_lines_of_a_header_and_empty_elements_are_one_list() {
        assert_eq!(with(&[(&MATCH, "\"1\",,"), (&MATCH, " \"2\"\t,W/\"3\"")]).expected(), Expected::OneOf(vec![1, 2, 3]));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused_by_the_name_of_the_header() {
        for bad in ["", ",", "3", "W/3", "\"3", "*, \"3\"", "\"3\" \"4\"", "w/\"3\"", "\"a b\"", "**"] {
            let headers = HeaderMap::from_iter([(NONE, bad.parse().expect("a header"))]);
            let refused = Conditions::of(&headers).expect_err(bad);
            assert_eq!((refused.status, refused.scim_type), (400, Some(ScimType::InvalidValue)), "{bad}");
            assert!(refused.detail.starts_with("If-None-Match must be"), "{}", refused.detail);
        }
        assert!(Conditions::of_version(Some("3")).expect_err("bare").detail.starts_with("version must be"));
    }

    #[test]
    fn both_headers_on_a_write_have_to_hold() {
        assert_eq!(with(&[(&NONE, "\"3\"")]).expected(), Expected::NoneOf(vec![3]));
        assert_eq!(with(&[(&NONE, "*")]).expected(), Expected::OneOf(vec![]));
        assert_eq!(with(&[(&MATCH, "*"), (&NONE, "\"3\"")]).expected(), Expected::NoneOf(vec![3]));
        assert_eq!(with(&[(&MATCH, "\"3\", \"4\""), (&NONE, "\"3\"")]).expected(), Expected::OneOf(vec![4]));
    }

    #[test]
    fn on_a_get_if_match_decides_first() {
        assert_eq!(with(&[(&NONE, "\"2\", W/\"3\"")]).reading(3), Reading::NotModified);
        assert_eq!(with(&[(&NONE, "\"2\"")]).reading(3), Reading::Answer);
        assert_eq!(with(&[(&NONE, "*")]).reading(3), Reading::NotModified);
        assert_eq!(with(&[(&MATCH, "\"2\""), (&NONE, "\"3\"")]).reading(3), Reading::Refuse);
        assert_eq!(with(&[(&MATCH, "\"3\""), (&NONE, "\"3\"")]).reading(3), Reading::NotModified);
    }
}
