//! What a connection by OAuth 2.0 or OpenID Connect may be told, as types. Their spelling on the outside is
//! [`super::options`]; what its kind has where nothing was set is for `oidc::kind`.

/// Whether a login carries a challenge that only its beginner can answer (RFC 7636, S256).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// As the kind has it, or as the provider's metadata says.
    Auto,
    Always,
    Never,
}

/// How we show the provider who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// As the kind has it, or as the provider's metadata says.
    Auto,
    Basic,
    Post,
}

/// Where an access token goes when a profile is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenIn {
    Header,
    /// Into the address, where servers write it down: only for services that know no better.
    Query,
}

/// How a profile is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileMethod {
    Get,
    Post,
}

/// The options of one connection, each with its default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcOptions {
    pub issuer: Option<String>,
    pub client_id: Option<String>,
    /// With blanks between them.
    pub scopes: Option<String>,
    pub authorization_url: Option<String>,
    pub token_url: Option<String>,
    pub profile_url: Option<String>,
    pub more_profile_urls: Vec<String>,
    pub profile_method: ProfileMethod,
    pub token_in: TokenIn,
    pub emails_url: Option<String>,
    /// Unset: they are not asked for.
    pub teams_url: Option<String>,
    pub graph_url: Option<String>,
    /// Without which nobody is let in.
    pub required_scopes: Vec<String>,
    pub jwks_url: Option<String>,
    pub user_id_path: Option<String>,
    pub pkce: Pkce,
    pub client_authentication: ClientAuthentication,
    /// `NAME=VALUE`.
    pub authorize_params: Vec<String>,
    /// Empty: every one that is known to be safe.
    pub algorithms: Vec<String>,
    pub max_age_seconds: Option<u32>,
    pub allow_plaintext: bool,
    /// Of Microsoft: whose accounts, as a word, a domain or an id.
    pub tenant: Option<String>,
    pub allowed_tenants: Vec<String>,
    /// Of Apple: who mints our client secret, and with which key.
    pub team_id: Option<String>,
    pub key_id: Option<String>,
}

impl Default for OidcOptions {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            scopes: None,
            authorization_url: None,
            token_url: None,
            profile_url: None,
            more_profile_urls: Vec::new(),
            profile_method: ProfileMethod::Get,
            token_in: TokenIn::Header,
            emails_url: None,
            teams_url: None,
            graph_url: None,
            required_scopes: Vec::new(),
            jwks_url: None,
            user_id_path: None,
            pkce: Pkce::Auto,
            client_authentication: ClientAuthentication::Auto,
            authorize_params: Vec::new(),
            algorithms: Vec::new(),
            max_age_seconds: None,
            allow_plaintext: false,
            tenant: None,
            allowed_tenants: Vec::new(),
            team_id: None,
            key_id: None,
        }
    }
}
