//! `sortBy` and `sortOrder` (RFC 7644 §3.4.2.3): text in, an [`Order`] out.
//!
//! Owns: which attributes can be sorted by. Refuses: complex attributes without a sub-attribute (a list of values with
//! `value` means that), and what is never returned: an order would tell its values. How values are ordered says
//! [`order`](crate::model::query::order).

use super::error::{ScimError, ScimType};
use super::filter::{self, excerpt};
use super::mode::Mode;
use super::path::{self, AttributePath};
use super::schema::{Attribute, ResourceType, Returned, Type};
use crate::model::query::order::Order;

/// Reads `sortOrder`: whether it is `descending`. Words match in any case; without one it is `ascending`.
///
/// Errors: `invalidValue` for any other word.
pub fn is_descending(sort_order: Option<&str>) -> Result<bool, ScimError> {
    match sort_order.map(str::trim) {
        None => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("ascending") => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("descending") => Ok(true),
        Some(word) => Err(refused(format!("sortOrder is ascending or descending, not {}", excerpt(word)))),
    }
}

/// Reads `sortBy` for resources of one type.
///
/// Errors: `invalidValue` for what is no attribute of the type, is complex, or is never returned; strict, also for an
/// extension's attribute without its URN.
pub fn parse(sort_by: &str, descending: bool, resource_type: &ResourceType, mode: Mode) -> Result<Order, ScimError> {
    let text = sort_by.trim();
    let path = AttributePath::parse(text).ok_or_else(|| refused(format!("sortBy is no attribute path: {}", excerpt(text))))?;
    let at = path::resolve(resource_type, path.as_str(), mode)
        .map_err(|why| refused(format!("{}: sortBy: {}", resource_type.name, why.detail(text))))?;
    let mut attribute = at.target();
    if [at.attribute, attribute].iter().any(|attribute| attribute.returned == Returned::Never) {
        return Err(refused(format!("{at} can't be sorted by")));
    }
    let mut path = at.document_path();
    if attribute.kind == Type::Complex {
        attribute = default_sub(attribute).ok_or_else(|| refused(format!("{at} is complex: sort by a sub-attribute")))?;
        path.push(attribute.name.clone());
    }
    Ok(Order { field: Some(filter::field(attribute, path)), descending })
}

/// What a list of complex values is sorted by: "the value" of an element.
fn default_sub(attribute: &Attribute) -> Option<&Attribute> {
    attribute.default_sub().filter(|_| attribute.multi_valued)
}

fn refused(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::ENTERPRISE_URN;

    fn path_of(sort_by: &str, strict: bool) -> Result<String, String> {
        let order = parse(sort_by, false, &ResourceType::user(), Mode { strict }).map_err(|error| error.detail)?;
        Ok(order.field.expect("a field").path.join(" "))
    }

    #[test]
    fn any_attribute_can_be_sorted_by_in_any_spelling() {
        for (sort_by, path) in [
            ("USERNAME", "userName"),
            ("name.familyname", "name familyName"),
            ("emails", "emails value"),
            ("emails.type", "emails type"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:title", "title"),
            ("meta.lastModified", "meta lastModified"),
            (" groups ", "groups value"),
        ] {
            assert_eq!(path_of(sort_by, true).as_deref(), Ok(path), "{sort_by}");
        }
        let department = format!("{ENTERPRISE_URN} department");
        assert_eq!(path_of(&format!("{ENTERPRISE_URN}:department"), true), Ok(department.clone()));
        assert_eq!(path_of("department", false), Ok(department));
        assert!(path_of("department", true).expect_err("no URN").contains("needs its URN"));
    }

    #[test]
    fn what_has_no_order_is_refused_and_named() {
        for (sort_by, said) in [
            ("name", "name is complex"),
            ("addresses", "addresses is complex"),
            ("manager", "manager is complex"),
            ("meta", "meta is complex"),
            ("password", "password can't be sorted by"),
            ("nothing", "there is no attribute \"nothing\""),
            ("emails[type eq \"work\"].value", "no attribute path"),
            ("userName;DROP", "no attribute path"),
        ] {
            let error = parse(sort_by, false, &ResourceType::user(), Mode::default()).expect_err(sort_by);
            assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)), "{sort_by}");
            assert!(error.detail.contains(said), "{sort_by}: {}", error.detail);
        }
    }

    #[test]
    fn sort_order_is_one_of_two_words() {
        for (word, descending) in [(None, false), (Some("Ascending"), false), (Some("DESCENDING"), true)] {
            assert_eq!(is_descending(word), Ok(descending));
        }
        assert_eq!(is_descending(Some("desc")).expect_err("no word").scim_type, Some(ScimType::InvalidValue));
    }
}
