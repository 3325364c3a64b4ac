//! The PatchOp message (RFC 7644 §3.5.2): its shape, nothing of what it means for a resource.

use super::Mode;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::excerpt;
use crate::scim::resource::kind_of;
use crate::scim::schema::PATCH_URN;
use serde_json::{Map, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Add,
    Replace,
    Remove,
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }

    /// In whatever case: Entra capitalises.
    fn parse(word: &str) -> Option<Self> {
        [Self::Add, Self::Replace, Self::Remove].into_iter().find(|verb| verb.as_str().eq_ignore_ascii_case(word))
    }
}

/// One operation as it was sent.
#[derive(Debug)]
pub(super) struct Operation {
    pub verb: Verb,
    pub path: Option<String>,
    /// `None` if there was no such member; null is a value here.
    pub value: Option<Value>,
}

/// Reads the message. Lenient, `schemas` may be missing and one operation may stand without its array. At
/// most `operations_max` operations.
///
/// # Errors
/// 400 `invalidSyntax` for another shape, `invalidValue` for too many operations, `invalidPath` for a path that is
/// no string.
pub(super) fn read(body: Value, mode: Mode, operations_max: usize) -> Result<Vec<Operation>, ScimError> {
    let Value::Object(mut body) = body else {
        return Err(syntax(format!("the body must be an object, not {}", kind_of(&body))));
    };
    if mode.strict && !declares_patch(take(&mut body, "schemas").as_ref()) {
        return Err(syntax(format!("schemas must hold \"{PATCH_URN}\"")));
    }
    let operations = match take(&mut body, "Operations") {
        Some(Value::Array(operations)) => operations,
        Some(operation @ Value::Object(_)) if !mode.strict => vec![operation],
        Some(other) => return Err(syntax(format!("Operations must be an array, not {}", kind_of(&other)))),
        None => return Err(syntax("Operations is required".into())),
    };
    if operations.is_empty() {
        return Err(syntax("Operations must not be empty".into()));
    }
    if operations.len() > operations_max {
        let detail = format!("a PATCH has at most {operations_max} operations, not {}", operations.len());
        return Err(ScimError::of(ScimType::InvalidValue, detail));
    }
    operations.into_iter().enumerate().map(|(index, operation)| read_operation(index + 1, operation)).collect()
}

fn read_operation(number: usize, operation: Value) -> Result<Operation, ScimError> {
    let Value::Object(mut operation) = operation else {
        return Err(syntax(format!("operation {number} must be an object, not {}", kind_of(&operation))));
    };
    let verb = match take(&mut operation, "op") {
        Some(Value::String(word)) => Verb::parse(&word).ok_or_else(|| {
            syntax(format!("operation {number}: op must be add, replace or remove, not \"{}\"", excerpt(&word)))
        })?,
        _ => return Err(syntax(format!("operation {number}: op must be add, replace or remove"))),
    };
    let path = match take(&mut operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.trim().is_empty() => None,
        Some(Value::String(path)) => Some(path),
        Some(other) => {
            let detail = format!("operation {number}: path must be a string, not {}", kind_of(&other));
            return Err(ScimError::of(ScimType::InvalidPath, detail));
        }
    };
    Ok(Operation { verb, path, value: take(&mut operation, "value") })
}

/// The member of that name, in whatever case.
fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    object.swap_remove(&key)
}

fn declares_patch(schemas: Option<&Value>) -> bool {
    let urns = schemas.and_then(Value::as_array).into_iter().flatten();
    urns.filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(PATCH_URN))
}

fn syntax(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidSyntax, detail)
}
