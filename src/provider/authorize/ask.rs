//! The page that asks a person whether an application may have what it wants.

use super::decide::Question;
use super::{CONFIRMED, hidden};
use crate::http::page::Page;
use crate::model::client::Client;
use crate::model::tenant::Organization;
use crate::provider::Call;
use crate::provider::parameters::Parameters;
use crate::provider::request::Request;
use crate::provider::{claims, dress};
use axum::http::StatusCode;
use axum::response::Response;
use rosterd_saml::write::html;

pub(super) fn page(
    call: &Call,
    (client, organization): (&Client, Option<&Organization>),
    request: &Request,
    parameters: &Parameters,
    question: Question,
) -> Response {
    let (text, knows) = match question {
        Question::MayItKnow => (
            format!("{} wants to know of you:", client.name),
            known(&claims::words(&request.scope, &request.asked), client.options.claims_mapping.is_some()),
        ),
        Question::IsItYours | Question::None => {
            let text = "A program on this device asks to sign you in. Go on only if you have just opened it yourself.";
            (text.to_owned(), String::new())
        }
    };
    let form = format!(
        "{knows}<form method=\"post\" action=\"{}\">{}<button type=\"submit\" name=\"{CONFIRMED}\" value=\"yes\">Continue</button> \
         <button type=\"submit\" name=\"{CONFIRMED}\" value=\"no\">Cancel</button></form>",
        html(&call.path("/authorize")),
        hidden(parameters.iter()),
    );
    let title = format!("Continue to {}?", client.name);
    let page = Page { title: &title, text: &text, reference: None, form: &form };
    page.dressed(dress(organization), StatusCode::OK, &call.provider.logins.entropy)
}

/// Scopes in words.
fn known(scope: &str, has_own_claims: bool) -> String {
    let word = |scope: &str| match scope {
        "openid" => Some("who you are here"),
        "profile" => Some("your name, picture and language"),
        "email" => Some("your e-mail address"),
        "phone" => Some("your telephone number"),
        "address" => Some("your postal address"),
        "groups" => Some("your groups"),
        "read:current_user" => Some("everything that is kept of you here"),
        "create:current_user_metadata" | "update:current_user_metadata" => Some("and to change what you may change of it"),
        "update:current_user_identities" => Some("and to connect your other accounts with this one"),
        "offline_access" => Some("and to stay signed in when you are away"),
        _ => None,
    };
    let own = has_own_claims.then_some("what your administrator set up for it");
    let items: String = scope.split(' ').filter_map(word).chain(own).map(|text| format!("<li>{text}</li>")).collect();
    format!("<ul>{items}</ul>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::claims::SCOPES;

    #[test]
    fn each_scope_is_said_in_words() {
        for scope in SCOPES.into_iter().chain(crate::model::access::OWN_SCOPES) {
            assert!(known(scope, false).contains("<li>"), "{scope}");
        }
    }
}
