//! The fields of a posted message. Refuses a field that stands there twice: two readers would take different ones.

use super::refuse::Stopped;
use crate::login::answer::Refused;
use rosterd_saml::limits::{ENCODED_BYTES_MAX, RELAY_STATE_BYTES_MAX};
use rosterd_saml::rule::Rule;
use url::form_urlencoded;

/// Longest body in bytes: percent signs may treble what of base64 has to be encoded, and little of it has.
pub(super) const BYTES_MAX: usize = ENCODED_BYTES_MAX + (64 << 10);
/// Fields that are looked at.
const FIELDS_MAX: usize = 16;

/// What was posted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) request: Option<String>,
    pub(super) response: Option<String>,
    pub(super) return_to: Option<String>,
    /// Given back to whoever asked with it, and nothing else.
    pub(super) relay_state: Option<String>,
}

pub(super) fn fields(bytes: &[u8]) -> Result<Fields, Stopped> {
    let mut fields = Fields::default();
    for (name, value) in form_urlencoded::parse(bytes).take(FIELDS_MAX) {
        let field = match name.as_ref() {
            "SAMLRequest" => &mut fields.request,
            "SAMLResponse" => &mut fields.response,
            "RelayState" => &mut fields.relay_state,
            "return_to" => &mut fields.return_to,
            _ => continue,
        };
        if field.replace(value.into_owned()).is_some() {
            return Err(Stopped::Other(Refused::request("invalid_body", "a field stands in the form twice")));
        }
    }
    if fields.relay_state.as_ref().is_some_and(|state| state.len() > RELAY_STATE_BYTES_MAX) {
        return Err(Stopped::of_rule(Rule::RelayStateTooLong));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_there_once() {
        let read = fields(b"SAMLResponse=PHg%2B&RelayState=_1&other=x").expect("a form");
        assert_eq!(
            read,
            Fields { response: Some(String::from("PHg+")), relay_state: Some(String::from("_1")), ..Fields::default() }
        );
        for twice in ["SAMLResponse=a&SAMLResponse=a", "RelayState=a&RelayState=b"] {
            assert!(fields(twice.as_bytes()).is_err(), "{twice}");
        }
        assert!(fields(format!("RelayState={}", "x".repeat(RELAY_STATE_BYTES_MAX + 1)).as_bytes()).is_err());
    }
}
