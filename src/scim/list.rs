//! Paging: the query parameters of a list (RFC 7644 §3.4.2), the body of a `/.search` (§3.4.3) and the ListResponse.
//!
//! Owns: clamping, which parameters are errors, and whether a list is read by index or by cursor (RFC 9865). Refuses:
//! reading filters, projections, orders and cursors; their texts are handed on. Parameters nobody knows are ignored: some
//! clients leave flags such as `aadOptscim062020` behind.

use super::error::{ScimError, ScimType};
use super::filter::excerpt;
use super::mode::Mode;
use super::schema::{LIST_URN, SEARCH_URN};
use serde::Serialize;
use serde_json::{Map, Value};

/// How many resources a page holds (settings `scim.page_size_default`, `scim.page_size_max`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSizes {
    /// If the client doesn't say; not more than `max`.
    pub default: i64,
    /// At most; a larger `count` is read as this.
    pub max: i64,
}

/// What a client asked of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListParams {
    /// 1-based, at least 1.
    pub start_index: i64,
    /// 0 to [`PageSizes::max`]; 0 asks for the totals alone.
    pub count: i64,
    pub filter: Option<String>,
    /// As sent.
    pub sort_by: Option<String>,
    /// As sent.
    pub sort_order: Option<String>,
    pub attributes: Option<String>,
    pub excluded_attributes: Option<String>,
    /// The page after this cursor; empty: the first. `None`: by index.
    pub cursor: Option<String>,
}

impl ListParams {
    /// What a request without parameters asks: the first page of all.
    fn first(pages: PageSizes) -> Self {
        Self {
            start_index: 1,
            count: pages.default,
            filter: None,
            sort_by: None,
            sort_order: None,
            attributes: None,
            excluded_attributes: None,
            cursor: None,
        }
    }

    /// Reads the decoded pairs of a query string. Names match in any case; an empty value is no value, except for
    /// `filter`, which is handed on to be refused, and `cursor`, where it asks for the first page; of a repeated
    /// parameter the last counts.
    ///
    /// Errors: `invalidValue` for a number that is none, `invalidFilter` for a second `filter`: dropping either
    /// would answer another question than the one asked. With `cursor` (RFC 9865 §2.1) `invalidCount` for a `count` that
    /// is no number from 1 to the largest page, `invalidCursor` beside `startIndex`.
    pub fn parse<N, V>(pairs: impl IntoIterator<Item = (N, V)>, pages: PageSizes) -> Result<Self, ScimError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut params = Self::first(pages);
        let (mut start_text, mut count_text) = (String::new(), String::new());
        for (name, value) in pairs {
            let value = value.as_ref();
            let some = || Some(value.to_owned()).filter(|value| !value.trim().is_empty());
            match name.as_ref().to_ascii_lowercase().as_str() {
                "filter" if params.filter.is_some() => {
                    return Err(ScimError::of(ScimType::InvalidFilter, "filter stands more than once"));
                }
                "filter" => params.filter = Some(value.to_owned()),
                "startindex" => value.trim().clone_into(&mut start_text),
                "count" => value.trim().clone_into(&mut count_text),
                "sortby" => params.sort_by = some(),
                "sortorder" => params.sort_order = some(),
                "attributes" => params.attributes = some(),
                "excludedattributes" => params.excluded_attributes = some(),
                "cursor" => params.cursor = Some(value.to_owned()),
                _ => {}
            }
        }
        if params.cursor.is_none() {
            params.start_index = start_index(number("startIndex", &start_text)?);
            params.count = count(number("count", &count_text)?, pages);
        } else if start_text.is_empty() {
            params.count = cursor_count(&count_text, pages)?;
        } else {
            return Err(ScimError::of(ScimType::InvalidCursor, "startIndex and cursor can't be used together"));
        }
        Ok(params)
    }

    /// Reads a SearchRequest: the same parameters as members of a body; the two attribute lists are arrays (a comma
    /// list is taken too). Members nobody knows are ignored. Lenient, `schemas` may be missing or say anything.
    ///
    /// Errors: `invalidSyntax` for `schemas` without the message's URN (strict), `invalidValue` for a member of the wrong
    /// type, and those of [`Self::parse`].
    pub fn from_search_request(body: &Map<String, Value>, pages: PageSizes, mode: Mode) -> Result<Self, ScimError> {
        let mut pairs = Vec::new();
        let mut declared = false;
        for (name, value) in body {
            let text = match (name.to_ascii_lowercase().as_str(), value) {
                ("schemas", urns) => {
                    declared = holds_urn(urns);
                    continue;
                }
                (_, Value::Null) => continue,
                ("filter" | "sortby" | "sortorder" | "cursor" | "attributes" | "excludedattributes", Value::String(text)) => {
                    text.clone()
                }
                ("startindex" | "count", Value::Number(number)) => number.to_string(),
                ("startindex" | "count", Value::String(text)) => text.clone(),
                ("attributes" | "excludedattributes", Value::Array(names)) => comma_list(name, names)?,
                (
                    "filter" | "sortby" | "sortorder" | "cursor" | "attributes" | "excludedattributes" | "startindex" | "count",
                    _,
                ) => {
                    return Err(invalid_value(format!("{} has the wrong type", excerpt(name))));
                }
                _ => continue,
            };
            pairs.push((name, text));
        }
        if mode.strict && !declared {
            return Err(ScimError::of(ScimType::InvalidSyntax, format!("schemas must hold \"{SEARCH_URN}\"")));
        }
        Self::parse(pairs, pages)
    }

    /// How many resources of the ordered result come before the page.
    pub fn offset(&self) -> i64 {
        self.start_index - 1
    }
}

fn holds_urn(schemas: &Value) -> bool {
    let urns = schemas.as_array().into_iter().flatten();
    urns.filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(SEARCH_URN))
}

fn comma_list(name: &str, names: &[Value]) -> Result<String, ScimError> {
    let texts: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    texts
        .map(|texts| texts.join(","))
        .ok_or_else(|| invalid_value(format!("{} holds something else than strings", excerpt(name))))
}

fn start_index(number: Option<i64>) -> i64 {
    number.unwrap_or(1).max(1)
}

fn count(number: Option<i64>, pages: PageSizes) -> i64 {
    number.unwrap_or(pages.default).clamp(0, pages.max)
}

/// The page of a cursor: RFC 9865 has it refused, not clamped.
fn cursor_count(text: &str, pages: PageSizes) -> Result<i64, ScimError> {
    let refused = || ScimError::of(ScimType::InvalidCount, format!("with a cursor count is a number from 1 to {}", pages.max));
    let asked = number("count", text).map_err(|_| refused())?.unwrap_or(pages.default);
    (1..=pages.max).contains(&asked).then_some(asked).ok_or_else(refused)
}

/// An integer of any length (what does not fit is the nearest that does); `None` for an empty text.
fn number(name: &str, text: &str) -> Result<Option<i64>, ScimError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid_value(format!("{name} is not an integer: {}", excerpt(text))));
    }
    let size = digits.parse().unwrap_or(i64::MAX);
    Ok(Some(if negative { -size } else { size }))
}

fn invalid_value(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}

/// One page (RFC 7644 §3.4.2). `Resources` is always there, `[]` when empty: clients parse it unasked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<T> {
    schemas: [&'static str; 1],
    total_results: i64,
    start_index: i64,
    items_per_page: usize,
    #[serde(rename = "Resources")]
    resources: Vec<T>,
}

impl<T: Serialize> ListResponse<T> {
    /// `total_results` counts what matches, `resources` are those of this page.
    pub fn new(total_results: i64, start_index: i64, resources: Vec<T>) -> Self {
        Self { schemas: [LIST_URN], total_results, start_index, items_per_page: resources.len(), resources }
    }

    /// A list that is one page: discovery.
    pub fn whole(resources: Vec<T>) -> Self {
        let total = i64::try_from(resources.len()).unwrap_or(i64::MAX);
        Self::new(total, 1, resources)
    }
}

#[cfg(test)]
mod tests;
