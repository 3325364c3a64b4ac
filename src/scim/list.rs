//! Paging: the query parameters of a list (RFC 7644 §3.4.2), the body of a `/.search` (§3.4.3) and the ListResponse.
//!
//! Owns: clamping, and which parameters are errors. Refuses: reading filters and projections; their texts
//! are handed on. Parameters nobody knows are ignored: some clients leave flags such as `aadOptscim062020` behind.

use super::error::{ScimError, ScimType};
use super::filter::excerpt;
use super::schema::LIST_URN;
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
    /// As sent; sorting is not supported yet.
    pub sort_by: Option<String>,
    /// As sent.
    pub sort_order: Option<String>,
    pub attributes: Option<String>,
    pub excluded_attributes: Option<String>,
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
        }
    }

    /// Reads the decoded pairs of a query string. Names match in any case; an empty value is no value, except for
    /// `filter`, which is handed on to be refused; of a repeated parameter the last counts.
    ///
    /// Errors: `invalidValue` for a number that is none, `invalidFilter` for a second `filter`: dropping either
    /// would answer another question than the one asked.
    pub fn parse<N, V>(pairs: impl IntoIterator<Item = (N, V)>, pages: PageSizes) -> Result<Self, ScimError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut params = Self::first(pages);
        for (name, value) in pairs {
            let value = value.as_ref();
            let some = || Some(value.to_owned()).filter(|value| !value.trim().is_empty());
            match name.as_ref().to_ascii_lowercase().as_str() {
                "filter" if params.filter.is_some() => {
                    return Err(ScimError::of(ScimType::InvalidFilter, "filter stands more than once"));
                }
                "filter" => params.filter = Some(value.to_owned()),
                "startindex" => params.start_index = start_index(number("startIndex", value)?),
                "count" => params.count = count(number("count", value)?, pages),
                "sortby" => params.sort_by = some(),
                "sortorder" => params.sort_order = some(),
                "attributes" => params.attributes = some(),
                "excludedattributes" => params.excluded_attributes = some(),
                _ => {}
            }
        }
        Ok(params)
    }

    /// Reads a SearchRequest: the same parameters as members of a body; the two attribute lists are arrays (a comma
    /// list is taken too). Members nobody knows are ignored.
    ///
    /// Errors: `invalidValue` for a member of the wrong type, and those of [`Self::parse`].
    pub fn from_search_request(body: &Map<String, Value>, pages: PageSizes) -> Result<Self, ScimError> {
        let mut pairs = Vec::new();
        for (name, value) in body {
            let text = match (name.to_ascii_lowercase().as_str(), value) {
                (_, Value::Null) | ("schemas", _) => continue,
                ("filter" | "sortby" | "sortorder" | "attributes" | "excludedattributes", Value::String(text)) => text.clone(),
                ("startindex" | "count", Value::Number(number)) => number.to_string(),
                ("startindex" | "count", Value::String(text)) => text.clone(),
                ("attributes" | "excludedattributes", Value::Array(names)) => comma_list(name, names)?,
                ("filter" | "sortby" | "sortorder" | "attributes" | "excludedattributes" | "startindex" | "count", _) => {
                    return Err(invalid_value(format!("{} has the wrong type", excerpt(name))));
                }
                _ => continue,
            };
            pairs.push((name, text));
        }
        Self::parse(pairs, pages)
    }

    /// How many resources of the ordered result come before the page.
    pub fn offset(&self) -> i64 {
        self.start_index - 1
    }
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
