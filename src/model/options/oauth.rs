//! Options of a connection by OAuth 2.0 or OpenID Connect.

use super::{Form, NEXT, OptionSpec, claim_path, line, lines, number, optional, some_text, web_address};
use crate::model::connection::{ConnectionKind, Options};
use crate::model::oidc::{ClientAuthentication, Pkce, ProfileMethod, TokenIn};

/// Whose issuer is known or can be set.
const WITH_ISSUER: &[ConnectionKind] = &[
    ConnectionKind::GoogleOauth2,
    ConnectionKind::Waad,
    ConnectionKind::WindowsLive,
    ConnectionKind::Gitlab,
    ConnectionKind::Linkedin,
    ConnectionKind::Apple,
    ConnectionKind::Slack,
    ConnectionKind::Salesforce,
    ConnectionKind::Oidc,
];
const OAUTH: &[ConnectionKind] = ConnectionKind::OAUTH;
const MICROSOFT: &[ConnectionKind] = &[ConnectionKind::Waad];
const GITHUB: &[ConnectionKind] = &[ConnectionKind::Github];
const GENERIC: &[ConnectionKind] = &[ConnectionKind::Oauth2];
const APPLE: &[ConnectionKind] = &[ConnectionKind::Apple];

pub(super) fn oauth() -> Vec<OptionSpec> {
    let mut table = providers();
    table.extend(clients());
    table
}

/// Who signs people in, and where.
fn providers() -> Vec<OptionSpec> {
    vec![
        option!("issuer" WITH_ISSUER, Text, "an https:// address, or nothing",
            "What the provider calls itself, letter by letter; its endpoints are read from there. Unset: the kind's.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.issuer = url), |o| o.oidc.issuer.clone())),
        option!("tenant" MICROSOFT, Text, "organizations, common, a domain or the id of a tenant",
            "Whose accounts sign in at Microsoft. Unset: organizations, and then allowed_tenants has to say which.",
            (|o, t| line(t).map(|text| o.oidc.tenant = text), |o| o.oidc.tenant.clone())),
        option!("allowed_tenants" MICROSOFT, Texts, "the id of a tenant, up to 16, or *",
            "Whose people are let in, by tenant; * is everybody's with a Microsoft account of any company.",
            (|o, t| lines(t).map(|all| o.oidc.allowed_tenants = all),
                |o| some_text(o.oidc.allowed_tenants.join(&NEXT.to_string())))),
        option!("authorization_url" OAUTH, Text, "an https:// address, or nothing",
            "Where browsers are sent to sign in. Unset: the kind's, or what the provider's metadata says.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.authorization_url = url), |o| o.oidc.authorization_url.clone())),
        option!("token_url" OAUTH, Text, "an https:// address, or nothing",
            "Where the gateway turns a code into tokens. Unset: the kind's, or what the provider's metadata says.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.token_url = url), |o| o.oidc.token_url.clone())),
        option!("profile_url" OAUTH, Text, "an https:// address, or nothing",
            "Where the gateway reads who signed in. Unset: the kind's, or what the provider's metadata says.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.profile_url = url), |o| o.oidc.profile_url.clone())),
        option!("more_profile_urls" GENERIC, Texts, "https:// addresses, up to 16",
            "Where more is read of whoever signed in, in this order; what an earlier one says stands.",
            (|o, t| lines(t).filter(|all| all.iter().all(|one| web_address(one).is_some())).map(|all| o.oidc.more_profile_urls = all),
                |o| some_text(o.oidc.more_profile_urls.join(&NEXT.to_string())))),
        option!("profile_method" GENERIC, Text, "get or post",
            "How profiles are asked for; post: with nothing in the body.",
            words!(oidc.profile_method: "get" => ProfileMethod::Get, "post" => ProfileMethod::Post)),
        option!("token_in" GENERIC, Text, "header or query",
            "Where the access token goes when a profile is read. In a query it stands in the logs of whatever lies between: \
             only for a service that takes it nowhere else.",
            words!(oidc.token_in: "header" => TokenIn::Header, "query" => TokenIn::Query)),
        option!("emails_url" GITHUB, Text, "an https:// address, or nothing",
            "Where a person's addresses are read. Unset: profile_url with /emails behind it.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.emails_url = url), |o| o.oidc.emails_url.clone())),
        option!("teams_url" GITHUB, Text, "an https:// address, or nothing",
            "Where a person's teams are read: https://api.github.com/user/teams, with read:org in scopes. Unset: they are not asked for.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.teams_url = url), |o| o.oidc.teams_url.clone())),
        option!("graph_url" MICROSOFT, Text, "an https:// address, or nothing",
            "Where Microsoft Graph says more of a person: https://graph.microsoft.com/v1.0/me, with User.Read in scopes. Unset: it is not asked.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.graph_url = url), |o| o.oidc.graph_url.clone())),
        option!("jwks_url" WITH_ISSUER, Text, "an https:// address, or nothing",
            "Where the provider publishes its keys. Unset: what its metadata says.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.jwks_url = url), |o| o.oidc.jwks_url.clone())),
        option!("allow_plaintext" OAUTH, Boolean, "true or false",
            "Whether the provider's addresses may be http://. Only for a server on this machine (loopback).",
            words!(oidc.allow_plaintext: "true" => true, "false" => false)),
    ]
}

/// What we are there, and what we ask for.
fn clients() -> Vec<OptionSpec> {
    vec![
        option!("client_id" OAUTH, Text, "a text", "What the provider calls us: it is given when an application is registered there.",
            (|o, t| line(t).map(|id| o.oidc.client_id = id), |o| o.oidc.client_id.clone())),
        option!("scopes" OAUTH, Text, "scopes with blanks between them, or nothing",
            "What the gateway asks to be told. Unset: the kind's.",
            (|o, t| line(t).map(|text| o.oidc.scopes = text), |o| o.oidc.scopes.clone())),
        option!("required_scopes" OAUTH, Texts, "scopes, up to 16",
            "Which of the scopes a person has to grant: without one of them nobody is let in. Unset: what was not granted is told in the trace of the login.",
            (|o, t| lines(t).map(|all| o.oidc.required_scopes = all),
                |o| some_text(o.oidc.required_scopes.join(&NEXT.to_string())))),
        option!("user_id_path" OAUTH, Text, "a path like id or data.id, or nothing",
            "Which claim names a person for good. Unset: what the kind is known by; kind oauth2 has to be told.",
            (|o, t| optional(t, claim_path).map(|path| o.oidc.user_id_path = path), |o| o.oidc.user_id_path.clone())),
        option!("pkce" OAUTH, Text, "auto, always or never",
            "Whether a login carries a challenge that only its beginner can answer; auto: as the kind or the metadata says.",
            words!(oidc.pkce: "auto" => Pkce::Auto, "always" => Pkce::Always, "never" => Pkce::Never)),
        option!("client_authentication" OAUTH, Text, "auto, basic or post",
            "How the client secret is shown to the provider; auto: as the kind or the metadata says.",
            words!(oidc.client_authentication: "auto" => ClientAuthentication::Auto, "basic" => ClientAuthentication::Basic,
                "post" => ClientAuthentication::Post)),
        option!("authorize_params" OAUTH, Texts, "NAME=VALUE, up to 16",
            "What else is sent along when a login begins, like prompt=select_account. A visitor can leave it out: it restricts nobody.",
            (|o, t| lines(t).map(|all| o.oidc.authorize_params = all),
                |o| some_text(o.oidc.authorize_params.join(&NEXT.to_string())))),
        option!("algorithms" WITH_ISSUER, Texts, "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA",
            "What ID tokens may be signed with. Unset: any of these.",
            (|o, t| lines(t).map(|all| o.oidc.algorithms = all), |o| some_text(o.oidc.algorithms.join(&NEXT.to_string())))),
        option!("max_age_seconds" WITH_ISSUER, Integer, "a whole number from 1 to 2592000, or nothing",
            "How long ago people may have shown who they are; the ID token is held to it. Unset: however long.",
            (|o, t| if t.is_empty() { o.oidc.max_age_seconds = None; Some(()) } else {
                number(t, 1, 30 * 86_400).map(|value| o.oidc.max_age_seconds = Some(value)) },
                |o| o.oidc.max_age_seconds.map(|value| value.to_string()))),
        option!("team_id" APPLE, Text, "a text", "Who we are to Apple: the id of the developer team.",
            (|o, t| line(t).map(|id| o.oidc.team_id = id), |o| o.oidc.team_id.clone())),
        option!("key_id" APPLE, Text, "a text", "Which key of that team the secret client_key is.",
            (|o, t| line(t).map(|id| o.oidc.key_id = id), |o| o.oidc.key_id.clone())),
    ]
}
