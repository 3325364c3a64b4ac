//! The `schemas` a client declares (RFC 7643 §3). They are checked, then forgotten: the document lists what has data.

use super::value::{Reader, kind_of};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::excerpt;
use crate::scim::schema::ResourceType;
use serde_json::Value;

/// URNs that are known to stand in requests of Entra and of SCIM 1.1 templates and mean nothing to us.
const STRANGERS: [&str; 5] = [
    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/User",
    "urn:scim:schemas:core:1.0",
    "urn:scim:schemas:core:2.0",
    "urn:scim:schemas:extension:enterprise:2.0",
];

/// Whether `text` is one of the URNs, or one of its resource types (`…:core:2.0:User`), whose place is understood.
fn is_stranger(text: &str) -> bool {
    STRANGERS.iter().any(|known| {
        text.get(..known.len()).is_some_and(|head| head.eq_ignore_ascii_case(known))
            && matches!(text.as_bytes().get(known.len()), None | Some(b':'))
    })
}

/// Checks `schemas` as sent. Lenient, it may be missing and unknown URNs are dropped into `ignored`.
pub(super) fn check(resource_type: &ResourceType, declared: Value, reader: &mut Reader) -> Result<(), ScimError> {
    let strict = reader.mode().strict;
    let urns = match declared {
        Value::Null if !strict => return Ok(()),
        Value::Array(urns) => urns,
        Value::String(urn) if !strict => vec![urn.into()],
        Value::Null => return Err(invalid("schemas is required".into())),
        other => return Err(invalid(format!("schemas must be an array of strings, not {}", kind_of(&other)))),
    };
    let mut seen: Vec<String> = Vec::new();
    for urn in urns {
        let Value::String(urn) = urn else {
            return Err(invalid(format!("schemas must be an array of strings, one element is {}", kind_of(&urn))));
        };
        let known = resource_type.core.id.eq_ignore_ascii_case(&urn) || resource_type.extension(&urn).is_some();
        if strict && !known {
            return Err(invalid(format!("schemas holds \"{}\", which is no schema of {}", excerpt(&urn), resource_type.name)));
        }
        if !known && !is_stranger(&urn) {
            reader.ignore(excerpt(&urn));
        }
        if strict && seen.iter().any(|other| other.eq_ignore_ascii_case(&urn)) {
            return Err(invalid(format!("schemas holds \"{}\" twice", excerpt(&urn))));
        }
        if strict {
            seen.push(urn);
        }
    }
    if strict && !seen.iter().any(|urn| resource_type.core.id.eq_ignore_ascii_case(urn)) {
        return Err(invalid(format!("schemas must hold \"{}\"", resource_type.core.id)));
    }
    Ok(())
}

fn invalid(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}
