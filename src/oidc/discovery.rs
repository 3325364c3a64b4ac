//! What a provider says of itself (OpenID Connect Discovery, RFC 8414): read, and held against what the connection expects. Pure.

use super::hooks::{TENANT, is_uuid};
use super::kind::{Hook, Place};
use super::rule::{Refusal, Rule};
use super::settings::Settings;
use serde_json::{Map, Value};

/// Longest address, and longest issuer.
const ADDRESS_BYTES_MAX: usize = 2_048;
/// Where the document is below an issuer.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Whom tokens have to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Byte by byte, in one of these spellings.
    Exact(Vec<String>),
    /// Microsoft's for several tenants: with the token's own tenant in the place of this word.
    OfTenant(String),
}

impl Issuer {
    /// Whether `found` is it, in a token of this tenant.
    pub fn is(&self, found: &str, tenant: Option<&str>) -> bool {
        match self {
            Self::Exact(spellings) => spellings.iter().any(|spelling| spelling == found),
            Self::OfTenant(template) => {
                tenant.is_some_and(|tenant| is_uuid(tenant) && template.replacen(TENANT, tenant, 1) == found)
            }
        }
    }

    /// One of several tenants', of which only a token says which.
    pub fn is_of_tenants(&self) -> bool {
        matches!(self, Self::OfTenant(_))
    }

    /// For the administrator.
    pub fn shown(&self) -> &str {
        match self {
            Self::Exact(spellings) => spellings.first().map_or("", String::as_str),
            Self::OfTenant(template) => template,
        }
    }
}

/// What is known of a provider: by its document, by the connection and by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// `None`: it gives no ID tokens.
    pub issuer: Option<Issuer>,
    pub authorization: String,
    pub token: String,
    pub profile: Option<String>,
    pub jwks: Option<String>,
    /// S256 is listed.
    pub has_challenge: bool,
    /// `client_secret_post` is listed, and `client_secret_basic` is not.
    pub wants_post: bool,
    /// Every answer says whom it is from (RFC 9207).
    pub promises_issuer: bool,
}

/// Where the document is.
pub fn address(issuer: &str) -> String {
    format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'))
}

impl Provider {
    /// A provider without a document, or one of which the connection says everything.
    pub fn of_settings(settings: &Settings) -> Option<Self> {
        let endpoints = &settings.endpoints;
        let is_oidc = settings.kind.is_oidc();
        if is_oidc && (endpoints.jwks.is_none() || endpoints.profile.is_none()) {
            return None;
        }
        let issuer = settings.issuer.clone().map(|issuer| exact(settings, issuer));
        Some(Self {
            issuer: issuer.filter(|_| is_oidc),
            authorization: endpoints.authorization.clone()?,
            token: endpoints.token.clone()?,
            profile: endpoints.profile.clone(),
            jwks: endpoints.jwks.clone(),
            has_challenge: false,
            wants_post: false,
            promises_issuer: false,
        })
    }

    /// What a document says, where the connection does not say otherwise.
    ///
    /// # Errors
    /// It is no such document, another provider's, or lacks what a login needs.
    pub fn of_document(bytes: &[u8], settings: &Settings) -> Result<Self, Refusal> {
        let Ok(Value::Object(document)) = serde_json::from_slice(bytes) else {
            return Err(Rule::DiscoveryMalformed.refused().expected("a JSON object"));
        };
        let issuer = issuer(&document, settings)?;
        let endpoint = |set: &Option<String>, name: &'static str| match (set, text(&document, name)) {
            (Some(set), _) => Ok(Some(set.clone())),
            (None, None) => Ok(None),
            (None, Some(url)) if is_web(url, settings.allow_plaintext) => Ok(Some(url.to_owned())),
            (None, Some(url)) => Err(Rule::DiscoveryEndpoint
                .refused()
                .expected(format!("{name}: https://, at most {ADDRESS_BYTES_MAX} bytes"))
                .received(url)),
        };
        let missing = |name: &str| Rule::DiscoveryEndpoint.refused().expected(name);
        let endpoints = &settings.endpoints;
        let lists = |name: &str, word: &str| {
            document.get(name).and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == word))
        };
        let (methods, by) =
            ("token_endpoint_auth_methods_supported", |word| lists("token_endpoint_auth_methods_supported", word));
        Ok(Self {
            issuer: Some(issuer),
            authorization: endpoint(&endpoints.authorization, "authorization_endpoint")?
                .ok_or_else(|| missing("authorization_endpoint"))?,
            token: endpoint(&endpoints.token, "token_endpoint")?.ok_or_else(|| missing("token_endpoint"))?,
            profile: endpoint(&endpoints.profile, "userinfo_endpoint")?,
            jwks: Some(endpoint(&endpoints.jwks, "jwks_uri")?.ok_or_else(|| missing("jwks_uri"))?),
            has_challenge: lists("code_challenge_methods_supported", "S256"),
            wants_post: document.contains_key(methods) && by("client_secret_post") && !by("client_secret_basic"),
            promises_issuer: document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
        })
    }
}

fn text<'a>(document: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn is_web(url: &str, allow_plaintext: bool) -> bool {
    url.len() <= ADDRESS_BYTES_MAX && (url.starts_with("https://") || (allow_plaintext && url.starts_with("http://")))
}

fn exact(settings: &Settings, issuer: String) -> Issuer {
    let is_the_kinds = matches!(settings.kind.place, Place::Issuer(own) if own == issuer);
    let others = if is_the_kinds { settings.kind.spellings } else { &[] };
    Issuer::Exact(std::iter::once(issuer).chain(others.iter().map(|other| (*other).to_owned())).collect())
}

/// The issuer that a document claims, if the connection expects it.
fn issuer(document: &Map<String, Value>, settings: &Settings) -> Result<Issuer, Refusal> {
    let claimed = text(document, "issuer").unwrap_or_default();
    let expected = settings.issuer.as_deref().unwrap_or_default();
    let other = || Err(Rule::DiscoveryIssuer.refused().expected(expected).received(claimed));
    if claimed == expected && !claimed.is_empty() {
        return Ok(exact(settings, claimed.to_owned()));
    }
    if settings.kind.hook != Hook::MicrosoftTenants {
        return other();
    }
    // By a word or a domain, the document's issuer has the tenant's id, or a place for it, where that stood.
    let Some((before, after)) = around_tenant(expected) else { return other() };
    let Some(inside) = claimed.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else { return other() };
    match inside {
        TENANT => Ok(Issuer::OfTenant(claimed.to_owned())),
        id if is_uuid(id) => Ok(Issuer::Exact(vec![claimed.to_owned()])),
        _ => other(),
    }
}

/// What stands before and behind the tenant in an issuer of Microsoft.
fn around_tenant(issuer: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = issuer.split_once("://")?;
    let host_end = scheme.len() + 3 + rest.find('/')? + 1;
    let (before, rest) = issuer.split_at(host_end);
    let tenant_end = rest.find('/').unwrap_or(rest.len());
    // A tenant that is named by its id is that one.
    (!is_uuid(&rest[..tenant_end])).then(|| (before, &rest[tenant_end..]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::connection::{Connection, ConnectionKind, Options};
    use crate::model::connection_secrets::ConnectionSecrets;
    use crate::model::ids::{ConnectionId, TenantId};
    use crate::secret::Secret;
    use serde_json::json;

    /// What a connection with these options works with.
    pub fn settings(kind: ConnectionKind, set: &Value) -> Settings {
        let mut set = set.as_object().expect("an object").clone();
        set.entry("client_id").or_insert("us".into());
        let connection = Connection {
            tenant_id: TenantId::new("default"),
            id: ConnectionId::new("con_1"),
            name: String::from("acme"),
            kind,
            organization_id: None,
            options: Options::parse(kind, &set).expect("options"),
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        let mut secrets = ConnectionSecrets::default();
        secrets.set("client_secret", Some(Secret::new(String::from("s"))));
        secrets.set("client_key", Some(Secret::new(String::from("k"))));
        Settings::of(&connection, &secrets).expect("whole")
    }

    fn oidc() -> Settings {
        settings(ConnectionKind::Oidc, &json!({"issuer": "https://op.example"}))
    }

    fn document() -> Value {
        json!({
            "issuer": "https://op.example",
            "authorization_endpoint": "https://op.example/authorize",
            "token_endpoint": "https://op.example/token",
            "userinfo_endpoint": "https://op.example/me",
            "jwks_uri": "https://op.example/jwks",
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn read(document: &Value, settings: &Settings) -> Result<Provider, Rule> {
        Provider::of_document(document.to_string().as_bytes(), settings).map_err(|refusal| refusal.rule)
    }

    #[test]
    fn a_document_says_where_to_go_and_options_go_before_it() {
        let provider = read(&document(), &oidc()).expect("a provider");
        assert_eq!(provider.token, "https://op.example/token");
        assert!(provider.has_challenge && provider.promises_issuer && !provider.wants_post);
        let set = json!({"issuer": "https://op.example", "token_url": "https://proxy.example/token"});
        assert_eq!(
            read(&document(), &settings(ConnectionKind::Oidc, &set)).expect("a provider").token,
            "https://proxy.example/token"
        );
    }

    #[test]
    fn the_issuer_is_the_connections_letter_by_letter() {
        for issuer in ["https://op.example/", "https://OP.example", "http://op.example", "https://evil.example", ""] {
            let mut other = document();
            other["issuer"] = issuer.into();
            assert_eq!(read(&other, &oidc()), Err(Rule::DiscoveryIssuer), "{issuer}");
        }
        let mut none = document();
        none.as_object_mut().expect("an object").remove("issuer");
        assert_eq!(read(&none, &oidc()), Err(Rule::DiscoveryIssuer));
    }

    #[test]
    fn endpoints_are_there_and_encrypted() {
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            let mut less = document();
            less.as_object_mut().expect("an object").remove(name);
            assert_eq!(read(&less, &oidc()), Err(Rule::DiscoveryEndpoint), "{name}");
            let long = format!("https://op.example/{}", "x".repeat(ADDRESS_BYTES_MAX));
            for url in ["http://op.example/x", "javascript:alert(1)", "/x", &long] {
                less[name] = url.into();
                assert_eq!(read(&less, &oidc()), Err(Rule::DiscoveryEndpoint), "{name} {url}");
            }
        }
        assert_eq!(Provider::of_document(b"[]", &oidc()).expect_err("refused").rule, Rule::DiscoveryMalformed);
    }

    #[test]
    fn one_way_to_show_the_secret_is_taken_and_silence_means_basic() {
        let mut posts = document();
        posts["token_endpoint_auth_methods_supported"] = json!(["client_secret_post", "private_key_jwt"]);
        assert!(read(&posts, &oidc()).expect("a provider").wants_post);
        posts["token_endpoint_auth_methods_supported"] = json!(["client_secret_post", "client_secret_basic"]);
        assert!(!read(&posts, &oidc()).expect("a provider").wants_post);
    }

    const TENANT_ID: &str = "1f0c0000-0000-4000-8000-000000000001";

    #[test]
    fn microsofts_issuer_has_a_place_for_the_tenant_only_where_several_are_meant() {
        let microsoft = "https://login.microsoftonline.com";
        let mut found = document();
        found["issuer"] = format!("{microsoft}/{{tenantid}}/v2.0").into();
        let several = settings(ConnectionKind::Waad, &json!({"allowed_tenants": ["*"]}));
        let issuer = read(&found, &several).expect("a provider").issuer.expect("an issuer");
        assert!(issuer.is(&format!("{microsoft}/{TENANT_ID}/v2.0"), Some(TENANT_ID)));
        for (text, tenant) in [
            (format!("{microsoft}/{TENANT_ID}/v2.0"), None),
            (format!("{microsoft}/{TENANT_ID}/v2.0"), Some("1f0c0000-0000-4000-8000-000000000002")),
            (format!("{microsoft}/{{tenantid}}/v2.0"), Some("{tenantid}")),
            (format!("{microsoft}/a/b/v2.0"), Some("a/b")),
            (format!("https://evil.example/{TENANT_ID}/v2.0"), Some(TENANT_ID)),
        ] {
            assert!(!issuer.is(&text, tenant), "{text} {tenant:?}");
        }
        let one = settings(ConnectionKind::Waad, &json!({"tenant": TENANT_ID}));
        assert_eq!(read(&found, &one), Err(Rule::DiscoveryIssuer), "of one tenant");
        assert_eq!(read(&found, &oidc()), Err(Rule::DiscoveryIssuer), "of another kind");
        let by_domain = settings(ConnectionKind::Waad, &json!({"tenant": "acme.example", "allowed_tenants": [TENANT_ID]}));
        found["issuer"] = format!("{microsoft}/{TENANT_ID}/v2.0").into();
        let issuer = read(&found, &by_domain).expect("a provider").issuer.expect("an issuer");
        assert_eq!(issuer, Issuer::Exact(vec![format!("{microsoft}/{TENANT_ID}/v2.0")]));
        found["issuer"] = format!("https://evil.example/{TENANT_ID}/v2.0").into();
        assert_eq!(read(&found, &by_domain), Err(Rule::DiscoveryIssuer));
    }

    #[test]
    fn the_other_spelling_is_taken_for_the_kinds_own_issuer_alone() {
        let mut found = document();
        found["issuer"] = "https://accounts.google.com".into();
        let google = read(&found, &settings(ConnectionKind::GoogleOauth2, &json!({}))).expect("a provider");
        assert!(google.issuer.expect("an issuer").is("accounts.google.com", None));
        let set = json!({"issuer": "https://op.example"});
        let elsewhere = read(&document(), &settings(ConnectionKind::GoogleOauth2, &set)).expect("a provider");
        assert!(!elsewhere.issuer.expect("an issuer").is("accounts.google.com", None));
    }
}
