//! The page on which people say how they sign in. Each way leads through `/login` and back to `/authorize`.
//!
//! Refuses: to tell strangers who our customers are. The ways in of an organization are shown to whom an application sent there, or
//! who gave an address of a domain that the organization has proven.

use super::authorize::{goes_to, hidden};
use super::parameters::Parameters;
use super::request::Request;
use super::strength::Strength;
use super::{Call, dress};
use crate::http::page::Page;
use crate::login::{ACR_REQUIRED, ACR_VALUES, RETURN_TO_BYTES_MAX, WayIn};
use crate::model::client::Client;
use crate::model::ids::OrganizationId;
use crate::model::tenant::Organization;
use axum::http::StatusCode;
use axum::response::Response;
use rosterd_saml::write::html;
use url::form_urlencoded;

/// Ways in that one page shows.
const SHOWN_MAX: usize = 50;

/// The ways in that are open for a request.
pub(super) struct Ways {
    shown: Vec<WayIn>,
    /// Whether an address would show more.
    has_more: bool,
    /// Whose they are.
    of: Option<Organization>,
}

impl Ways {
    pub(super) async fn of(
        call: &Call,
        client: &Client,
        request: &Request,
        organization: Option<OrganizationId>,
    ) -> Result<Self, Box<Response>> {
        let logins = &call.provider.logins;
        let mut hinted = false;
        let mut organization = organization;
        if let (None, Some(address)) = (&organization, &request.login_hint) {
            organization = logins.home_of(&call.tenant, address).await?;
            hinted = organization.is_some();
        }
        let ways = Self::of_organization(call, client, request, organization.as_ref()).await?;
        // Where an address leads nowhere it is as if none was given.
        if hinted && ways.shown.is_empty() {
            return Self::of_organization(call, client, request, None).await;
        }
        Ok(ways)
    }

    async fn of_organization(
        call: &Call,
        client: &Client,
        request: &Request,
        organization: Option<&OrganizationId>,
    ) -> Result<Self, Box<Response>> {
        let logins = &call.provider.logins;
        let mut all = Vec::new();
        let mut is_elsewhere = false;
        match &request.connection {
            Some(named) => all.extend(logins.way_in(&call.tenant, named).await?),
            None if client.options.connections.is_empty() => {
                all = logins.ways_in(&call.tenant, organization).await?;
                is_elsewhere = organization.is_none() && logins.has_way_in_of_an_organization(&call.tenant).await?;
            }
            None => {
                for name in &client.options.connections {
                    all.extend(logins.way_in(&call.tenant, name).await?);
                }
            }
        }
        let mut ways = select(all, organization, request.connection.as_deref(), |name| client.options.takes(name));
        ways.has_more |= is_elsewhere;
        ways.of = call.organization(organization).await?;
        Ok(ways)
    }
}

fn select(all: Vec<WayIn>, organization: Option<&OrganizationId>, named: Option<&str>, takes: impl Fn(&str) -> bool) -> Ways {
    let taken: Vec<WayIn> = all.into_iter().filter(|way| takes(&way.name)).collect();
    let has_more = organization.is_none() && named.is_none() && taken.iter().any(|way| way.organization.is_some());
    let is_shown = |way: &WayIn| match (named, organization) {
        (Some(named), None) => is_called(way, named),
        (Some(named), Some(organization)) => is_called(way, named) && way.organization.as_ref() == Some(organization),
        (None, organization) => way.organization.as_ref() == organization,
    };
    Ways { shown: taken.into_iter().filter(is_shown).take(SHOWN_MAX).collect(), has_more, of: None }
}

fn is_called(way: &WayIn, named: &str) -> bool {
    way.name == named || way.id.as_str() == named
}

/// How people are to sign in.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    /// By a way they choose, if there is but one.
    pub(super) asks: bool,
    /// Not by a session they have where they are sent.
    pub(super) prove: bool,
    /// Which classes of a proof the application wants.
    pub(super) strength: &'a Strength,
}

/// The page, or at once the only way there is. `None`: a browser could not carry the request. `again` is the request that is come back to.
pub(super) fn page(call: &Call, client: &Client, again: &Parameters, ways: &Ways, how: How<'_>) -> Option<Response> {
    let back = format!("{}?{}", call.path("/authorize"), again.to_query());
    // A form of ours carries twice as much.
    let is_long = |way: &WayIn| back.len() > RETURN_TO_BYTES_MAX * if way.asks_password { 2 } else { 1 };
    if ways.shown.iter().any(is_long) {
        return None;
    }
    let way_to = |way: &WayIn| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("return_to", &back);
        if how.prove {
            query.append_pair("force", "1");
        }
        if !how.strength.classes.is_empty() {
            query.append_pair(ACR_VALUES, &how.strength.classes.join(" "));
        }
        if how.strength.is_essential {
            query.append_pair(ACR_REQUIRED, "1");
        }
        let query = query.finish();
        format!("{}?{query}", call.path(&format!("/login/{}", way.called)))
    };
    if let ([only], false, false) = (ways.shown.as_slice(), ways.has_more, how.asks)
        && !only.asks_password
    {
        return Some(goes_to(&way_to(only)));
    }
    let mut form = String::new();
    for way in ways.shown.iter().filter(|way| !way.asks_password) {
        form.push_str(&format!("<li><a class=\"way\" href=\"{}\">{}</a></li>", html(&way_to(way)), html(&way.name)));
    }
    if !form.is_empty() {
        form = format!("<ul>{form}</ul>");
    }
    for way in ways.shown.iter().filter(|way| way.asks_password) {
        form.push_str(&format!(
            "<form method=\"post\" action=\"{}\"><fieldset><legend>{}</legend>{}\
             <label>User name <input name=\"username\" autocomplete=\"username\" autocapitalize=\"none\" required></label>\
             <label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\
             <button type=\"submit\">Sign in</button></fieldset></form>",
            html(&call.path(&format!("/login/{}", way.called))),
            html(&way.name),
            hidden([("return_to", back.as_str())].into_iter()),
        ));
    }
    if ways.has_more {
        let rest = again.without(&["login_hint"]);
        form.push_str(&format!(
            "<form method=\"get\" action=\"{}\"><fieldset><legend>By your organization</legend>{}\
             <label>E-mail <input name=\"login_hint\" type=\"email\" autocomplete=\"email\" required></label>\
             <button type=\"submit\">Continue</button></fieldset></form>",
            html(&call.path("/authorize")),
            hidden(rest.iter()),
        ));
    }
    let (text, status) = match form.is_empty() {
        true => (format!("There is no way to sign in to {} here.", client.name), StatusCode::FORBIDDEN),
        false => (format!("Choose how you sign in to {}.", client.name), StatusCode::OK),
    };
    let page = Page { title: "Sign in", text: &text, reference: None, form: &form };
    Some(page.dressed(dress(ways.of.as_ref()), status, &call.provider.logins.entropy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ConnectionId;

    fn way(name: &str, organization: Option<&str>) -> WayIn {
        let organization = organization.map(OrganizationId::new);
        let id = ConnectionId::new(format!("con_{name}"));
        WayIn { id, name: name.to_owned(), organization, called: name.to_owned(), asks_password: false }
    }

    fn names(ways: &Ways) -> Vec<&str> {
        ways.shown.iter().map(|way| way.name.as_str()).collect()
    }

    #[test]
    fn customers_are_shown_to_their_own_people_alone() {
        let all = || vec![way("acme", Some("org_1")), way("beta", Some("org_2")), way("corp", None)];
        let open = select(all(), None, None, |_| true);
        assert_eq!((names(&open), open.has_more), (vec!["corp"], true));
        let acme = select(all(), Some(&OrganizationId::new("org_1")), None, |_| true);
        assert_eq!((names(&acme), acme.has_more), (vec!["acme"], false));
        assert_eq!(names(&select(all(), None, Some("beta"), |_| true)), ["beta"]);
        assert_eq!(names(&select(all(), None, Some("con_beta"), |_| true)), ["beta"]);
        assert!(names(&select(all(), Some(&OrganizationId::new("org_1")), Some("beta"), |_| true)).is_empty());
        assert!(names(&select(all(), None, None, |name| name == "acme")).is_empty());
    }
}
