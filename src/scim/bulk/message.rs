//! The BulkRequest message: its shape. What is wrong with the whole refuses it before anything runs; what is wrong with one
//! operation is kept with it and becomes its error.

use super::unread::{self, Fault};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::excerpt;
use crate::scim::json::{self, Limits};
use crate::scim::mode::Mode;
use crate::scim::schema::BULK_REQUEST_URN;
use serde_json::Value;
use std::collections::HashMap;

/// Longest bulkId in characters.
const BULK_ID_CHARS_MAX: usize = 128;
/// What anything but `data` may hold.
const SMALL: Limits = Limits { depth: 4, values: 100, keys: 10, string_bytes: 8 << 10 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch, Self::Delete].into_iter().find(|verb| verb.as_str().eq_ignore_ascii_case(word))
    }
}

/// A request whose operations may run.
#[derive(Debug)]
pub struct BulkRequest<'t> {
    /// After so many errors no further operation runs.
    pub fail_on_errors: Option<usize>,
    pub operations: Vec<BulkOperation<'t>>,
}

/// One operation as it was sent.
#[derive(Debug)]
pub struct BulkOperation<'t> {
    /// What the answer repeats as its method.
    pub method: String,
    pub bulk_id: Option<String>,
    /// What it asks for, or what is wrong with it.
    pub asked: Result<Asked<'t>, ScimError>,
}

#[derive(Debug)]
pub struct Asked<'t> {
    pub verb: Verb,
    pub path: String,
    pub version: Option<String>,
    /// The text of `data`; `None` on DELETE.
    pub data: Option<&'t str>,
}

fn syntax(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::InvalidSyntax, detail)
}

fn value(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}

/// Reads the message.
///
/// # Errors
/// 413 for more than `operations_max` operations; 400 `invalidSyntax` for another shape, `invalidValue` for a wrong
/// `failOnErrors` and for a bulkId that two operations create under: what refers to it would be anyone's guess.
pub fn read(text: &str, mode: Mode, operations_max: usize) -> Result<BulkRequest<'_>, ScimError> {
    let (mut operations, mut fail_on_errors, mut schemas) = (None, None, Value::Null);
    for (name, text) in unread::members(text)? {
        match name.as_str() {
            "operations" => operations = Some(text),
            "failonerrors" => fail_on_errors = errors_accepted(&small(text)?)?,
            "schemas" => schemas = small(text)?,
            _ => {}
        }
    }
    let declared = schemas.as_array().into_iter().flatten().filter_map(Value::as_str);
    if mode.strict && !declared.into_iter().any(|urn| urn.eq_ignore_ascii_case(BULK_REQUEST_URN)) {
        return Err(syntax(format!("schemas must hold \"{BULK_REQUEST_URN}\"")));
    }
    let operations = operations.ok_or_else(|| syntax("Operations is required"))?;
    let operations = unread::elements(operations, operations_max).map_err(|fault| match fault {
        Fault::TooMany => ScimError::status(413, format!("a bulk request has at most {operations_max} operations")),
        Fault::Refused(error) => error,
    })?;
    if operations.is_empty() {
        return Err(syntax("Operations must not be empty"));
    }
    let operations = operations.into_iter().map(operation).collect::<Result<Vec<_>, _>>()?;
    creators(&operations)?;
    Ok(BulkRequest { fail_on_errors, operations })
}

/// Which operation creates under which bulkId.
///
/// # Errors
/// 400 `invalidValue` if two do.
pub fn creators<'o>(operations: &'o [BulkOperation<'_>]) -> Result<HashMap<&'o str, usize>, ScimError> {
    let mut creators = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let creates = operation.asked.as_ref().is_ok_and(|asked| asked.verb == Verb::Post);
        let Some(id) = operation.bulk_id.as_deref().filter(|_| creates) else { continue };
        if creators.insert(id, index).is_some() {
            return Err(value(format!("the bulkId \"{}\" is that of two operations", excerpt(id))));
        }
    }
    Ok(creators)
}

/// A member of the message itself, which is small.
fn small(text: &str) -> Result<Value, ScimError> {
    json::parse(text.as_bytes(), &SMALL)
}

fn errors_accepted(sent: &Value) -> Result<Option<usize>, ScimError> {
    if sent.is_null() {
        return Ok(None);
    }
    let number = sent.as_u64().and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| value("failOnErrors must be a whole number from 1"))
}

/// # Errors
/// Only for what is no object, which refuses the whole message.
fn operation(text: &str) -> Result<BulkOperation<'_>, ScimError> {
    let (mut method, mut bulk_id, mut path, mut version, mut data) = (Value::Null, Value::Null, Value::Null, Value::Null, None);
    let mut fault = None;
    for (name, text) in unread::members(text)? {
        let place = match name.as_str() {
            "method" => &mut method,
            "bulkid" => &mut bulk_id,
            "path" => &mut path,
            "version" => &mut version,
            "data" => {
                data = Some(text).filter(|text| *text != "null");
                continue;
            }
            _ => continue,
        };
        match small(text) {
            Ok(read) => *place = read,
            Err(error) => fault = Some(error),
        }
    }
    let sent_method = method.as_str().map(excerpt).unwrap_or_default();
    let verb = Verb::parse(&sent_method);
    let asked = match fault {
        Some(fault) => Err(fault),
        None => asked(verb, &bulk_id, path, version, data),
    };
    Ok(BulkOperation {
        method: verb.map_or(sent_method, |verb| verb.as_str().to_owned()),
        bulk_id: bulk_id.as_str().filter(|id| is_bulk_id(id)).map(str::to_owned),
        asked,
    })
}

fn is_bulk_id(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= BULK_ID_CHARS_MAX && !text.chars().any(char::is_control)
}

fn asked<'t>(
    verb: Option<Verb>,
    bulk_id: &Value,
    path: Value,
    version: Value,
    data: Option<&'t str>,
) -> Result<Asked<'t>, ScimError> {
    let verb = verb.ok_or_else(|| value("method must be POST, PUT, PATCH or DELETE"))?;
    match bulk_id {
        Value::Null if verb == Verb::Post => return Err(value("a POST needs a bulkId")),
        Value::Null => {}
        Value::String(id) if is_bulk_id(id) => {}
        _ => {
            let detail =
                format!("bulkId must be a string of 1 to {BULK_ID_CHARS_MAX} characters, none of them a control character");
            return Err(value(detail));
        }
    }
    let Value::String(path) = path else { return Err(value("path must be a string like /Users or /Groups/{id}")) };
    let version = match version {
        Value::Null => None,
        Value::String(text) => Some(text),
        _ => return Err(value("version must be a string like W/\"3\"")),
    };
    if verb != Verb::Delete && data.is_none() {
        return Err(value(format!("a {} needs data", verb.as_str())));
    }
    Ok(Asked { verb, path, version, data: data.filter(|_| verb != Verb::Delete) })
}
