//! The answer that a browser brings: its fields, from a query or from a form. A form comes from another site's page, without the
//! cookie that says what the browser waits for; so it is sealed, and the browser sent on with it to where the cookie comes along.

use super::refuse::Stopped;
use super::{Logins, Site};
use crate::clock::{Micros, SECOND};
use crate::login::answer::{Refused, goes_to};
use crate::oidc::Rule;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

/// Longest query or form in bytes.
pub(super) const BYTES_MAX: usize = 16 << 10;
/// Fields that are looked at.
const FIELDS_MAX: usize = 32;
/// Longest value of one field.
const FIELD_BYTES_MAX: usize = 4_096;
/// How long a browser may take for being sent on.
const SEALED_FOR: Micros = 120 * SECOND;

/// What a provider says by way of the browser. A code is a secret until it is used.
#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fields {
    pub(super) state: Option<String>,
    pub(super) code: Option<String>,
    pub(super) iss: Option<String>,
    pub(super) error: Option<String>,
    pub(super) error_description: Option<String>,
    /// Apple's.
    pub(super) user: Option<String>,
    /// A form, sealed.
    #[serde(skip)]
    sealed: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    at: Micros,
    fields: Fields,
}

/// # Errors
/// Too much, or a field that is there twice: two readers would take different ones.
pub(super) fn fields(bytes: &[u8]) -> Result<Fields, Stopped> {
    let malformed = |why: &str| Stopped::from(Rule::Callback.refused().received(why));
    if bytes.len() > BYTES_MAX {
        return Err(malformed("too many bytes"));
    }
    let mut fields = Fields::default();
    for (name, value) in form_urlencoded::parse(bytes).take(FIELDS_MAX) {
        let field = match name.as_ref() {
            "state" => &mut fields.state,
            "code" => &mut fields.code,
            "iss" => &mut fields.iss,
            "error" => &mut fields.error,
            "error_description" => &mut fields.error_description,
            "user" => &mut fields.user,
            "posted" => {
                fields.sealed = Some(value.into_owned());
                continue;
            }
            _ => continue,
        };
        if value.len() > FIELD_BYTES_MAX {
            return Err(malformed("a field that is too long"));
        }
        if field.replace(value.into_owned()).is_some() {
            return Err(malformed("a field that is there twice"));
        }
    }
    Ok(fields)
}

fn place(site: &Site) -> String {
    format!("oidc posted {} {}", site.connection.tenant_id.as_str(), site.connection.id)
}

/// What a form said, if the browser was sent on with one.
pub(super) fn opened(logins: &Logins, site: &Site, fields: Fields) -> Result<Fields, Stopped> {
    let Some(sealed) = &fields.sealed else { return Ok(fields) };
    let unusable = || Stopped::from(Rule::Callback.refused().received("a form that was not posted here"));
    let plain = logins.keys.open_text(sealed, &place(site)).map_err(|_| unusable())?;
    let sealed: Sealed = serde_json::from_slice(plain.expose()).map_err(|_| unusable())?;
    if logins.clock.now().saturating_sub(sealed.at) > SEALED_FOR {
        return Err(unusable());
    }
    Ok(sealed.fields)
}

/// Sends the browser on with what was posted.
pub(super) fn sent_on(logins: &Logins, site: &Site, fields: Fields) -> Result<Response, Stopped> {
    if fields.state.is_none() {
        return Err(Rule::Callback.refused().received("no state").into());
    }
    let sealed = Sealed { at: logins.clock.now(), fields };
    let plain = serde_json::to_vec(&sealed).expect("texts are JSON");
    let sealed = logins.keys.seal_text(&plain, &place(site), &logins.entropy);
    let mut url = Url::parse(&site.callback).map_err(|_| Stopped::Other(Refused::Misconfigured))?;
    url.query_pairs_mut().append_pair("posted", &sealed);
    Ok(goes_to(url.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_there_once_and_no_longer_than_it_may_be() {
        let read = fields(b"state=s&code=c%2Bd&iss=https%3A%2F%2Fop.example&other=x&other=y").expect("fields");
        assert_eq!((read.state.as_deref(), read.code.as_deref()), (Some("s"), Some("c+d")));
        assert_eq!(read.iss.as_deref(), Some("https://op.example"));
        for twice in ["state=a&state=a", "code=a&code=b", "iss=a&iss=b"] {
            assert!(fields(twice.as_bytes()).is_err(), "{twice}");
        }
        assert!(fields(format!("code={}", "x".repeat(FIELD_BYTES_MAX + 1)).as_bytes()).is_err());
        assert!(fields(&[b'x'; BYTES_MAX + 1]).is_err());
    }
}
