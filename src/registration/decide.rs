//! What may be said of an application, and what comes of it. Pure.

use super::keys;
use crate::model::access::CONSOLE_SCOPE;
use crate::model::client::{Client, ClientKeys, ClientKind, ClientOptions, URIS_MAX, check_uri};
use crate::model::provider_key::SigningAlg;

/// Longest name in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// Scopes of one machine, and connections of one application.
pub const ENTRIES_MAX: usize = 100;

/// What is wanted of an application; what is `None` stays as it is, or as it is by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub name: Option<String>,
    /// Of a public one.
    pub native: Option<bool>,
    pub redirect_uris: Option<Vec<String>>,
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// By name or id.
    pub connections: Option<Vec<String>>,
    pub scopes: Option<Vec<String>>,
    pub alg: Option<SigningAlg>,
    pub id_token_claims: Option<bool>,
    pub asks_consent: Option<bool>,
    /// `Some(None)`: none.
    pub claims_mapping: Option<Option<String>>,
    /// `Some(None)`: none, and a secret instead.
    pub keys: Option<Option<ClientKeys>>,
    pub without_pkce: Option<bool>,
}

/// What of an application is meant. The API's word is [`Field::as_str`]; the command line has flags of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Name,
    Kind,
    Callbacks,
    LogoutUrls,
    Connections,
    Scopes,
    Alg,
    IdTokenClaims,
    AsksConsent,
    ClaimsMapping,
    Keys,
    KeysUri,
    Pkce,
    Secret,
}

impl Field {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kind => "app_type",
            Self::Callbacks => "callbacks",
            Self::LogoutUrls => "allowed_logout_urls",
            Self::Connections => "connections",
            Self::Scopes => "scopes",
            Self::Alg => "jwt_configuration.alg",
            Self::IdTokenClaims => "id_token_claims",
            Self::AsksConsent => "asks_consent",
            Self::ClaimsMapping => "claims_mapping",
            Self::Keys => "jwks",
            Self::KeysUri => "jwks_uri",
            Self::Pkce => "pkce_required",
            Self::Secret => "client_secret",
        }
    }
}

/// Something that may not be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct Wrong {
    pub field: Field,
    pub says: String,
}

impl Wrong {
    pub fn new(field: Field, says: impl Into<String>) -> Self {
        Self { field, says: says.into() }
    }
}

/// Name and options of a new one.
///
/// # Errors
/// The first thing that may not be said of it.
pub fn created(kind: ClientKind, mut wanted: Wanted) -> Result<(String, ClientOptions), Wrong> {
    let name = checked_name(wanted.name.take().unwrap_or_default())?;
    Ok((name, with(ClientOptions::plain(kind), wanted)?))
}

/// Name and options of `client` with what is `wanted` of it.
///
/// # Errors
/// As [`created`].
pub fn changed(client: &Client, mut wanted: Wanted) -> Result<(String, ClientOptions), Wrong> {
    let name = match wanted.name.take() {
        Some(name) if name != client.name => checked_name(name)?,
        _ => client.name.clone(),
    };
    Ok((name, with(client.options.clone(), wanted)?))
}

/// # Errors
/// If it can't keep one, or proves itself by something better.
pub fn may_have_secret(options: &ClientOptions) -> Result<(), Wrong> {
    match (options.kind, &options.keys) {
        (ClientKind::Public, _) => Err(Wrong::new(Field::Secret, "a public application has no secret")),
        (_, Some(_)) => Err(Wrong::new(Field::Secret, "the application proves itself by its keys, and has no secret")),
        (ClientKind::Confidential | ClientKind::Machine, None) => Ok(()),
    }
}

fn checked_name(name: String) -> Result<String, Wrong> {
    let is_name = (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !is_name || name.starts_with("app_") {
        let says = "wanted a name of 1 to 128 characters that does not begin like a client id (app_)";
        return Err(Wrong::new(Field::Name, says));
    }
    Ok(name)
}

fn with(mut options: ClientOptions, wanted: Wanted) -> Result<ClientOptions, Wrong> {
    if options.kind == ClientKind::Machine {
        logs_nobody_in(&wanted)?;
    } else if wanted.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty()) {
        let says = "only a machine has scopes of its own; an application asks for openid, profile, email and the like";
        return Err(Wrong::new(Field::Scopes, says));
    }
    if wanted.native == Some(true) && options.kind != ClientKind::Public {
        return Err(Wrong::new(Field::Kind, "a program on somebody's machine can't keep a secret: it is a public application"));
    }
    options.native = wanted.native.unwrap_or(options.native);
    if let Some(uris) = wanted.redirect_uris {
        options.redirect_uris = checked_uris(uris, Field::Callbacks)?;
    }
    if let Some(uris) = wanted.post_logout_redirect_uris {
        options.post_logout_redirect_uris = checked_uris(uris, Field::LogoutUrls)?;
    }
    if let Some(connections) = wanted.connections {
        if connections.len() > ENTRIES_MAX {
            return Err(Wrong::new(Field::Connections, format!("an application names at most {ENTRIES_MAX} connections")));
        }
        options.connections = connections;
    }
    if let Some(scopes) = wanted.scopes {
        options.scopes = checked_scopes(scopes)?;
    }
    options.alg = wanted.alg.unwrap_or(options.alg);
    options.id_token_claims = wanted.id_token_claims.unwrap_or(options.id_token_claims);
    options.asks_consent = wanted.asks_consent.unwrap_or(options.asks_consent);
    if let Some(mapping) = wanted.claims_mapping {
        options.claims_mapping = mapping;
    }
    if let Some(keys) = wanted.keys {
        options.keys = keys.map(keys::checked).transpose()?;
    }
    if options.keys.is_some() && options.kind == ClientKind::Public {
        return Err(Wrong::new(Field::Keys, "a public application can't keep a key: whoever has the program has it too"));
    }
    options.without_pkce = wanted.without_pkce.unwrap_or(options.without_pkce);
    if options.without_pkce && options.kind != ClientKind::Confidential {
        return Err(Wrong::new(Field::Pkce, "only an application that proves which one it is may go without PKCE"));
    }
    match options.kind {
        ClientKind::Machine if options.scopes.is_empty() => Err(Wrong::new(Field::Scopes, "a machine has at least one scope")),
        ClientKind::Confidential | ClientKind::Public if options.redirect_uris.is_empty() => {
            Err(Wrong::new(Field::Callbacks, "an application that logs people in has at least one address to send them back to"))
        }
        _ => Ok(options),
    }
}

/// Of a machine nothing may be said that is about people; that there is none of it may be.
fn logs_nobody_in(wanted: &Wanted) -> Result<(), Wrong> {
    let has = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let said = [
        (Field::Callbacks, has(&wanted.redirect_uris)),
        (Field::LogoutUrls, has(&wanted.post_logout_redirect_uris)),
        (Field::Connections, has(&wanted.connections)),
        (Field::Alg, wanted.alg.is_some_and(|alg| alg != SigningAlg::Rs256)),
        (Field::IdTokenClaims, wanted.id_token_claims == Some(false)),
        (Field::AsksConsent, wanted.asks_consent == Some(true)),
        (Field::ClaimsMapping, wanted.claims_mapping.as_ref().is_some_and(Option::is_some)),
    ];
    match said.into_iter().find(|(_, said)| *said) {
        None => Ok(()),
        Some((field, _)) => {
            Err(Wrong::new(field, "a machine logs nobody in: it has neither addresses nor connections, ID tokens nor claims"))
        }
    }
}

/// Each once and fit to be one.
fn checked_uris(given: Vec<String>, field: Field) -> Result<Vec<String>, Wrong> {
    let mut uris: Vec<String> = Vec::new();
    for uri in given {
        if let Err(wanted) = check_uri(&uri) {
            return Err(Wrong::new(field, format!("{}: {wanted}", shortened(&uri))));
        }
        if !uris.contains(&uri) {
            uris.push(uri);
        }
    }
    if uris.len() > URIS_MAX {
        return Err(Wrong::new(field, format!("an application has at most {URIS_MAX} addresses of a kind")));
    }
    Ok(uris)
}

fn checked_scopes(given: Vec<String>) -> Result<Vec<String>, Wrong> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in given {
        let plain = (1..=NAME_CHARS_MAX).contains(&scope.len())
            && scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        if !plain || scope == CONSOLE_SCOPE {
            return Err(Wrong::new(
                Field::Scopes,
                format!("`{}` can't be a scope: wanted a name like read:users", shortened(&scope)),
            ));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.len() > ENTRIES_MAX {
        return Err(Wrong::new(Field::Scopes, format!("a machine has at most {ENTRIES_MAX} scopes")));
    }
    Ok(scopes)
}

/// What was sent, as far as a message repeats it.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    let printable = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    if text.chars().count() <= CHARS_MAX { printable.collect() } else { printable.take(CHARS_MAX).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{ClientId, TenantId};

    fn texts(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    fn shop() -> Wanted {
        Wanted { name: Some(String::from("shop")), redirect_uris: texts(&["https://shop.example/cb"]), ..Wanted::default() }
    }

    fn robot() -> Wanted {
        Wanted { name: Some(String::from("robot")), scopes: texts(&["read:users"]), ..Wanted::default() }
    }

    fn field(outcome: Result<(String, ClientOptions), Wrong>) -> Option<Field> {
        outcome.err().map(|wrong| wrong.field)
    }

    #[test]
    fn an_application_has_an_address_and_a_machine_has_scopes() {
        let (name, options) = created(ClientKind::Confidential, shop()).expect("an application");
        assert_eq!((name.as_str(), options.redirect_uris.len(), options.id_token_claims), ("shop", 1, true));
        assert!(created(ClientKind::Machine, robot()).is_ok());
        let nameless = Wanted { name: None, ..shop() };
        assert_eq!(field(created(ClientKind::Public, nameless)), Some(Field::Name));
        let nowhere = Wanted { redirect_uris: None, ..shop() };
        assert_eq!(field(created(ClientKind::Public, nowhere)), Some(Field::Callbacks));
        assert_eq!(field(created(ClientKind::Machine, Wanted { scopes: None, ..robot() })), Some(Field::Scopes));
        assert_eq!(field(created(ClientKind::Public, Wanted { scopes: texts(&["read:users"]), ..shop() })), Some(Field::Scopes));
        assert_eq!(field(created(ClientKind::Confidential, Wanted { native: Some(true), ..shop() })), Some(Field::Kind));
    }

    #[test]
    fn what_is_about_people_is_not_said_of_a_machine_but_may_be_said_to_be_missing() {
        for (wanted, expected) in [
            (Wanted { redirect_uris: texts(&["https://a.example"]), ..robot() }, Field::Callbacks),
            (Wanted { connections: texts(&["acme"]), ..robot() }, Field::Connections),
            (Wanted { alg: Some(SigningAlg::EdDsa), ..robot() }, Field::Alg),
            (Wanted { claims_mapping: Some(Some(String::from("m"))), ..robot() }, Field::ClaimsMapping),
        ] {
            assert_eq!(field(created(ClientKind::Machine, wanted)), Some(expected));
        }
        let empty = Wanted { redirect_uris: texts(&[]), connections: texts(&[]), claims_mapping: Some(None), ..robot() };
        assert!(created(ClientKind::Machine, empty).is_ok());
    }

    #[test]
    fn names_addresses_and_scopes_have_a_form_and_a_number() {
        for name in ["", "app_1", "a\u{7}", &"x".repeat(129)] {
            let wanted = Wanted { name: Some(name.to_owned()), ..shop() };
            assert_eq!(field(created(ClientKind::Public, wanted)), Some(Field::Name), "{name:?}");
        }
        let many: Vec<String> = (0..=URIS_MAX).map(|n| format!("https://a.example/{n}")).collect();
        let wanted = Wanted { redirect_uris: Some(many), ..shop() };
        assert_eq!(field(created(ClientKind::Public, wanted)), Some(Field::Callbacks));
        for scope in ["", "a b", "\"", CONSOLE_SCOPE] {
            let wanted = Wanted { scopes: texts(&[scope]), ..robot() };
            assert_eq!(field(created(ClientKind::Machine, wanted)), Some(Field::Scopes), "{scope:?}");
        }
        let twice = Wanted { redirect_uris: texts(&["https://a.example/", "https://a.example/"]), ..shop() };
        assert_eq!(created(ClientKind::Public, twice).expect("fine").1.redirect_uris.len(), 1);
        let wrong = Wanted { redirect_uris: texts(&[&"x".repeat(5_000)]), ..shop() };
        assert!(created(ClientKind::Public, wrong).expect_err("no address").says.len() < 500, "a message is short");
    }

    #[test]
    fn what_is_not_mentioned_stays() {
        let (name, options) = created(ClientKind::Confidential, shop()).expect("an application");
        let client = Client {
            tenant_id: TenantId::new("t"),
            id: ClientId::new("app_1"),
            name,
            options,
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        let (name, options) = changed(&client, Wanted::default()).expect("nothing");
        assert_eq!((name, &options), (client.name.clone(), &client.options));
        let wanted = Wanted { name: Some(String::from("store")), id_token_claims: Some(false), ..Wanted::default() };
        let (name, options) = changed(&client, wanted).expect("fine");
        assert_eq!((name.as_str(), options.id_token_claims, options.redirect_uris.len()), ("store", false, 1));
        let gone = Wanted { redirect_uris: texts(&[]), ..Wanted::default() };
        assert_eq!(field(changed(&client, gone)), Some(Field::Callbacks));
    }

    #[test]
    fn who_can_t_keep_a_secret_gets_none() {
        let plain = ClientOptions::plain;
        assert!(may_have_secret(&plain(ClientKind::Public)).is_err() && may_have_secret(&plain(ClientKind::Machine)).is_ok());
        let keys = Some(ClientKeys::At { uri: String::from("https://a.example/keys"), allow_plaintext: false });
        assert!(may_have_secret(&ClientOptions { keys, ..plain(ClientKind::Machine) }).is_err(), "one way to prove it");
    }

    #[test]
    fn keys_and_a_way_without_pkce_are_for_who_can_prove_itself() {
        let keys = || Some(Some(ClientKeys::At { uri: String::from("https://a.example/keys"), allow_plaintext: false }));
        for (kind, wanted) in [(ClientKind::Confidential, shop()), (ClientKind::Machine, robot())] {
            assert!(created(kind, Wanted { keys: keys(), ..wanted }).is_ok(), "{kind:?}");
        }
        assert_eq!(field(created(ClientKind::Public, Wanted { keys: keys(), ..shop() })), Some(Field::Keys));
        assert!(created(ClientKind::Confidential, Wanted { without_pkce: Some(true), ..shop() }).is_ok());
        assert_eq!(field(created(ClientKind::Public, Wanted { without_pkce: Some(true), ..shop() })), Some(Field::Pkce));
        assert_eq!(field(created(ClientKind::Machine, Wanted { without_pkce: Some(true), ..robot() })), Some(Field::Pkce));
    }
}
