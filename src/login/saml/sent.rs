//! How a message of ours leaves: in a redirect whose query is signed, or in a form whose message is.

use super::Logins;
use super::refuse::Stopped;
use crate::http::page;
use crate::login::answer::{Refused, goes_to};
use axum::response::Response;
use rosterd_saml::metadata::Binding;
use rosterd_saml::redirect::{self, Kind};
use rosterd_saml::sign::{CannotSign, SigningKey};
use rosterd_saml::write::post_form;

/// A message in both its forms: plain, and with a signature inside.
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    pub(super) plain: String,
    pub(super) signed: &'a dyn Fn(&SigningKey) -> Result<String, CannotSign>,
}

/// Takes the browser to `destination` with it; signed, if there is a key.
pub(super) fn send(
    logins: &Logins,
    (binding, destination): (Binding, &str),
    message: &Message<'_>,
    relay_state: Option<&str>,
    key: Option<&SigningKey>,
) -> Result<Response, Stopped> {
    let made = match binding {
        Binding::Redirect => {
            redirect::address(destination, message.kind, &message.plain, relay_state, key).map(|to| goes_to(&to))
        }
        Binding::Post => key.map_or_else(|| Ok(message.plain.clone()), message.signed).map(|xml| {
            let form = |nonce: &str| post_form(destination, message.kind.parameter(), &xml, relay_state, nonce);
            page::posting(form, &logins.entropy)
        }),
    };
    made.map_err(|error| {
        tracing::error!(%error, "a message of ours could not be signed");
        Stopped::Other(Refused::Misconfigured)
    })
}
