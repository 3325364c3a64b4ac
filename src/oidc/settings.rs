//! What a connection's options and secrets come to, with what its kind has where nothing was set. Pure: all mistakes are told,
//! each with the way out.

use super::jose::Algorithm;
use super::kind::{self, Challenge, Hook, Kind, Place, Shown, UserId};
use crate::model::connection::Connection;
use crate::model::connection_secrets::ConnectionSecrets;
use crate::model::oidc::{ClientAuthentication, Pkce, ProfileMethod, TokenIn};
use crate::secret::Secret;

/// Where Microsoft's documents are, by tenant.
const MICROSOFT: &str = "https://login.microsoftonline.com";

/// Parameters of a login that are ours to set.
const OURS: [&str; 12] = [
    "client_id",
    "response_type",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "request",
    "request_uri",
    "max_age",
];

/// What is wrong with the options among each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub what: &'static str,
    pub advice: &'static str,
}

impl Invalid {
    /// It is only not there yet.
    pub fn is_missing(&self) -> bool {
        self.what.ends_with("not set")
    }
}

/// Which claim names a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdRule {
    Path(Vec<String>),
    Pair(&'static str, &'static str, char),
}

/// Endpoints that the connection sets itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    pub authorization: Option<String>,
    pub token: Option<String>,
    pub profile: Option<String>,
    pub jwks: Option<String>,
}

/// What a login works with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub kind: &'static Kind,
    /// Where its document is, for kinds that have one; without the path of all such documents.
    pub issuer: Option<String>,
    /// By the connection, else by the kind.
    pub endpoints: Endpoints,
    /// Read after the profile, in this order.
    pub more_profiles: Vec<String>,
    pub profile_method: ProfileMethod,
    pub token_in: TokenIn,
    pub emails_url: Option<String>,
    pub teams_url: Option<String>,
    pub graph_url: Option<String>,
    pub client_id: String,
    pub client_secret: Option<Secret<String>>,
    pub apple: Option<AppleKey>,
    pub scopes: Vec<String>,
    pub required_scopes: Vec<String>,
    pub challenge: Challenge,
    pub shown: Shown,
    pub id_rule: IdRule,
    pub authorize_params: Vec<(String, String)>,
    pub algorithms: Vec<Algorithm>,
    pub max_age_seconds: Option<u32>,
    pub allow_plaintext: bool,
    /// Empty: not asked. Of Microsoft.
    pub tenants: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct AppleKey {
    pub team_id: String,
    pub key_id: String,
    pub pem: Secret<String>,
}

impl Settings {
    /// # Errors
    /// Everything that is wrong with them.
    pub fn of(connection: &Connection, secrets: &ConnectionSecrets) -> Result<Self, Vec<Invalid>> {
        let options = &connection.options.oidc;
        let Some(kind) = kind::of(connection.kind) else {
            return Err(vec![Invalid { what: "nobody signs in by OAuth here", advice: "Make a connection of another kind." }]);
        };
        let mut wrong = Wrong::default();
        if options.client_id.is_none() {
            wrong.is("client_id is not set", "Register the gateway at the provider and set client_id to what it gives.");
        }
        let (issuer, endpoints) = place(kind, connection, &mut wrong);
        let client_secret = secrets.get("client_secret").cloned();
        let apple = apple(kind, connection, secrets, &mut wrong);
        let is_public = matches!(kind.place, Place::IssuerOfConnection | Place::Connection) && options.pkce == Pkce::Always;
        if client_secret.is_none() && kind.hook != Hook::AppleClientSecret && !is_public {
            wrong.is(
                "client_secret is not set",
                "Hand it over with --secret client_secret=file:PATH. Only kinds oidc and oauth2 do without, with pkce=always.",
            );
        }
        let algorithms = if options.algorithms.is_empty() {
            Algorithm::ALL.to_vec()
        } else {
            options.algorithms.iter().filter_map(|name| Algorithm::parse(name)).collect()
        };
        if options.algorithms.iter().any(|name| Algorithm::parse(name).is_none()) {
            wrong
                .is("algorithms names one that is unknown", "Use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.");
        }
        let tenants = tenants(kind, connection, &mut wrong);
        let id_rule = id_rule(kind, connection, &mut wrong);
        let authorize_params = params(connection, &mut wrong);
        let settings = Self {
            kind,
            issuer,
            more_profiles: options.more_profile_urls.clone(),
            profile_method: options.profile_method,
            token_in: options.token_in,
            emails_url: options.emails_url.clone(),
            teams_url: options.teams_url.clone(),
            graph_url: options.graph_url.clone(),
            endpoints,
            client_id: options.client_id.clone().unwrap_or_default(),
            client_secret,
            apple,
            scopes: options.scopes.as_deref().unwrap_or(kind.scopes).split_whitespace().map(str::to_owned).collect(),
            required_scopes: options.required_scopes.clone(),
            challenge: match options.pkce {
                Pkce::Auto => kind.challenge,
                Pkce::Always => Challenge::Always,
                Pkce::Never => Challenge::Never,
            },
            shown: match options.client_authentication {
                ClientAuthentication::Auto => kind.shown,
                ClientAuthentication::Basic => Shown::Basic,
                ClientAuthentication::Post => Shown::Post,
            },
            id_rule,
            authorize_params,
            algorithms,
            max_age_seconds: options.max_age_seconds,
            allow_plaintext: options.allow_plaintext,
            tenants,
        };
        if settings.kind.is_oidc() && settings.kind.hook != Hook::AppleClientSecret && !settings.scopes.iter().any(is_openid) {
            wrong.is("scopes lacks openid", "Without it no ID token comes: put openid in front, or take the option back.");
        }
        if settings.required_scopes.iter().any(|scope| !settings.scopes.contains(scope)) {
            wrong.is(
                "required_scopes names one that scopes lacks",
                "What is not asked for is not granted: put it into scopes too.",
            );
        }
        if settings.teams_url.is_some() && !settings.scopes.iter().any(|scope| scope.ends_with(":org")) {
            wrong.is(
                "teams_url is set and scopes lacks read:org",
                "Set scopes to read:user user:email read:org, or take teams_url back.",
            );
        }
        if wrong.0.is_empty() { Ok(settings) } else { Err(wrong.0) }
    }
}

fn is_openid(scope: &String) -> bool {
    scope == "openid"
}

#[derive(Default)]
struct Wrong(Vec<Invalid>);

impl Wrong {
    fn is(&mut self, what: &'static str, advice: &'static str) {
        self.0.push(Invalid { what, advice });
    }
}

fn place(kind: &Kind, connection: &Connection, wrong: &mut Wrong) -> (Option<String>, Endpoints) {
    let options = &connection.options.oidc;
    let mut endpoints = Endpoints {
        authorization: options.authorization_url.clone(),
        token: options.token_url.clone(),
        profile: options.profile_url.clone(),
        jwks: options.jwks_url.clone(),
    };
    let set = |issuer: &str| Some(options.issuer.clone().unwrap_or_else(|| issuer.to_owned()));
    let issuer = match kind.place {
        Place::Issuer(issuer) => set(issuer),
        Place::MicrosoftTenant => set(&format!("{MICROSOFT}/{}/v2.0", options.tenant.as_deref().unwrap_or("organizations"))),
        Place::IssuerOfConnection => {
            if options.issuer.is_none() {
                wrong.is("issuer is not set", "Set it to what the provider's documents call it, letter by letter.");
            }
            options.issuer.clone()
        }
        Place::Fixed { authorization, token, profile } => {
            endpoints.authorization.get_or_insert_with(|| authorization.to_owned());
            endpoints.token.get_or_insert_with(|| token.to_owned());
            endpoints.profile.get_or_insert_with(|| profile.to_owned());
            None
        }
        Place::Connection => {
            if [&endpoints.authorization, &endpoints.token, &endpoints.profile].into_iter().any(Option::is_none) {
                wrong.is(
                    "authorization_url, token_url or profile_url is not set",
                    "Kind oauth2 knows no provider: set all three.",
                );
            }
            None
        }
    };
    let all = [&issuer, &endpoints.authorization, &endpoints.token, &endpoints.profile, &endpoints.jwks, &options.emails_url];
    if !options.allow_plaintext && all.into_iter().flatten().any(|url| url.starts_with("http://")) {
        wrong.is("an address is http://", "Use https://; for a server on this machine set allow_plaintext=true.");
    }
    if options.tenant.as_deref().is_some_and(|tenant| tenant.contains(['/', '?', '#', '%'])) {
        wrong.is("tenant is none", "Set it to organizations, common, a domain or the id of a tenant.");
    }
    (issuer, endpoints)
}

fn apple(kind: &Kind, connection: &Connection, secrets: &ConnectionSecrets, wrong: &mut Wrong) -> Option<AppleKey> {
    if kind.hook != Hook::AppleClientSecret {
        return None;
    }
    let options = &connection.options.oidc;
    let key = secrets.get("client_key").cloned();
    match (&options.team_id, &options.key_id, key) {
        (Some(team_id), Some(key_id), Some(pem)) => Some(AppleKey { team_id: team_id.clone(), key_id: key_id.clone(), pem }),
        _ => {
            let advice = "Set team_id and key_id, and hand the key over: --secret client_key=file:AuthKey_….p8";
            wrong.is("team_id, key_id or the secret client_key is not set", advice);
            None
        }
    }
}

fn tenants(kind: &Kind, connection: &Connection, wrong: &mut Wrong) -> Vec<String> {
    if kind.hook != Hook::MicrosoftTenants {
        return Vec::new();
    }
    let options = &connection.options.oidc;
    let one = options.tenant.as_ref().filter(|tenant| super::hooks::is_uuid(tenant));
    let mut tenants = options.allowed_tenants.clone();
    if tenants.is_empty() {
        tenants.extend(one.cloned());
    }
    if tenants.iter().any(|tenant| tenant != "*" && !super::hooks::is_uuid(tenant)) {
        wrong.is("allowed_tenants names something else than the id of a tenant", "An id is 32 hexadecimal digits with hyphens.");
    }
    if tenants.is_empty() {
        let advice = "Set tenant to the id of yours, or allowed_tenants to those of your customers; * takes every company's.";
        wrong.is("whose people are let in is not set", advice);
    }
    tenants
}

fn id_rule(kind: &Kind, connection: &Connection, wrong: &mut Wrong) -> IdRule {
    let path = |path: &str| IdRule::Path(path.split('.').map(str::to_owned).collect());
    match (&connection.options.oidc.user_id_path, kind.user_id) {
        (Some(set), _) => {
            let tenants = &connection.options.oidc.allowed_tenants;
            if kind.hook == Hook::MicrosoftTenants && (tenants.len() > 1 || tenants.iter().any(|tenant| tenant == "*")) {
                wrong.is(
                    "user_id_path is set though several tenants are let in",
                    "An id is one tenant's: what another says of it must not be taken for the same person. Take one of them back.",
                );
            }
            path(set)
        }
        (None, UserId::Path(names)) => IdRule::Path(names.iter().map(|name| (*name).to_owned()).collect()),
        (None, UserId::Pair(one, other, between)) => IdRule::Pair(one, other, between),
        (None, UserId::Connection) => {
            wrong.is("user_id_path is not set", "Set it to the claim that names a person for good, like id or data.id.");
            IdRule::Path(Vec::new())
        }
    }
}

fn params(connection: &Connection, wrong: &mut Wrong) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for text in &connection.options.oidc.authorize_params {
        match text.split_once('=') {
            Some((name, _)) if OURS.contains(&name) => {
                wrong.is(
                    "authorize_params sets what the gateway sets itself",
                    "Scopes, nonce, state and the like are not parameters.",
                );
            }
            Some((name, value)) if !name.is_empty() => all.push((name.to_owned(), value.to_owned())),
            _ => wrong.is("authorize_params is not NAME=VALUE", "Write it like prompt=select_account."),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::{ConnectionKind, Options};
    use crate::model::ids::{ConnectionId, TenantId};
    use serde_json::{Value, json};

    fn settings(kind: ConnectionKind, set: Value, secret: bool) -> Result<Settings, Vec<&'static str>> {
        let options = Options::parse(kind, set.as_object().expect("an object")).expect("options");
        let connection = Connection {
            tenant_id: TenantId::new("default"),
            id: ConnectionId::new("con_1"),
            name: String::from("acme"),
            kind,
            organization_id: None,
            options,
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        let mut secrets = ConnectionSecrets::default();
        if secret {
            secrets.set("client_secret", Some(Secret::new(String::from("s"))));
        }
        Settings::of(&connection, &secrets).map_err(|all| all.iter().map(|invalid| invalid.what).collect())
    }

    #[test]
    fn a_kind_needs_little_and_the_rest_is_its_own() {
        let google = settings(ConnectionKind::GoogleOauth2, json!({"client_id": "c"}), true).expect("whole");
        assert_eq!(google.issuer.as_deref(), Some("https://accounts.google.com"));
        assert_eq!(google.scopes, ["openid", "profile", "email"]);
        let github = settings(ConnectionKind::Github, json!({"client_id": "c"}), true).expect("whole");
        assert_eq!(github.endpoints.profile.as_deref(), Some("https://api.github.com/user"));
        assert_eq!(
            settings(ConnectionKind::Github, json!({}), false).unwrap_err(),
            ["client_id is not set", "client_secret is not set"]
        );
    }

    #[test]
    fn a_public_client_needs_a_challenge_instead_of_a_secret() {
        let oidc = json!({"client_id": "c", "issuer": "https://op.example"});
        assert_eq!(settings(ConnectionKind::Oidc, oidc, false).unwrap_err(), ["client_secret is not set"]);
        let oidc = json!({"client_id": "c", "issuer": "https://op.example", "pkce": "always"});
        assert!(settings(ConnectionKind::Oidc, oidc, false).is_ok());
    }

    #[test]
    fn whose_people_come_from_microsoft_has_to_be_said() {
        let of = |set: Value| settings(ConnectionKind::Waad, set, true);
        assert_eq!(of(json!({"client_id": "c"})).unwrap_err(), ["whose people are let in is not set"]);
        let tenant = "1f0c0000-0000-4000-8000-000000000001";
        let one = of(json!({"client_id": "c", "tenant": tenant})).expect("whole");
        assert_eq!((one.tenants, one.issuer), (vec![tenant.to_owned()], Some(format!("{MICROSOFT}/{tenant}/v2.0"))));
        assert!(of(json!({"client_id": "c", "allowed_tenants": ["*"]})).is_ok());
        assert!(of(json!({"client_id": "c", "allowed_tenants": ["acme"]})).is_err());
        assert!(of(json!({"client_id": "c", "allowed_tenants": ["*"], "user_id_path": "oid"})).is_err(), "anybody's oid");
        assert!(of(json!({"client_id": "c", "tenant": tenant, "user_id_path": "oid"})).is_ok());
    }

    #[test]
    fn what_contradicts_itself_is_told_with_a_way_out() {
        let oidc = |more: Value| {
            let mut set = json!({"client_id": "c", "issuer": "https://op.example"});
            set.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            settings(ConnectionKind::Oidc, set, true).map(|_| ())
        };
        assert!(oidc(json!({})).is_ok());
        for more in [
            json!({"issuer": "http://op.example"}),
            json!({"scopes": "email"}),
            json!({"algorithms": ["HS256"]}),
            json!({"algorithms": ["none"]}),
            json!({"authorize_params": ["state=x"]}),
            json!({"authorize_params": ["prompt"]}),
        ] {
            assert!(oidc(more.clone()).is_err(), "{more}");
        }
        assert!(oidc(json!({"required_scopes": ["groups"]})).is_err(), "nobody asks for it");
        assert!(oidc(json!({"scopes": "openid groups", "required_scopes": ["groups"]})).is_ok());
        assert!(settings(ConnectionKind::Oauth2, json!({"client_id": "c"}), true).is_err());
        let teams = |scopes: &str| json!({"client_id": "c", "teams_url": "https://api.github.com/user/teams", "scopes": scopes});
        assert!(settings(ConnectionKind::Github, teams("read:user user:email"), true).is_err());
        assert!(settings(ConnectionKind::Github, teams("read:user user:email read:org"), true).is_ok());
    }
}
