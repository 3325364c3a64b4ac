//! What an application asks `/authorize` for (OpenID Connect Core §3.1.2, RFC 7636): read and checked. Pure.
//!
//! Refuses: to say anything to an address that is not the application's own. Whatever is wrong before that is known is told to the
//! person, on a page.

use super::claims::{Asked, SCOPES};
use super::parameters::Parameters;
use super::strength::Strength;
use crate::model::access::OWN_SCOPES;
use crate::model::client::{Client, ClientKind};

/// Told on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    Unreadable,
    NoClient,
    NoRedirect,
}

impl Stranger {
    /// For whoever runs the application.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable_request",
            Self::NoClient => "unknown_client",
            Self::NoRedirect => "unregistered_redirect_uri",
        }
    }
}

/// How the answer goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Query,
    FormPost,
}

/// Where the answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Back {
    pub(super) redirect_uri: String,
    pub(super) mode: Mode,
    pub(super) state: Option<String>,
}

/// What the application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) error: &'static str,
    pub(super) says: &'static str,
}

/// Longest nonce: it is stored with the code.
const NONCE_BYTES_MAX: usize = 512;

const fn invalid(says: &'static str) -> Told {
    Told { error: "invalid_request", says }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Nobody may be asked anything.
    pub(super) none: bool,
    /// The person signs in anew.
    pub(super) login: bool,
    /// The person says how.
    pub(super) select: bool,
    /// The person is asked again whether they want it.
    pub(super) consent: bool,
}

/// A request that can be decided on. Prints none of its values: a hint is a token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
    /// Not there where the application was let go without.
    pub(super) challenge: Option<String>,
    pub(super) prompt: Prompt,
    pub(super) max_age_seconds: Option<i64>,
    pub(super) id_token_hint: Option<String>,
    pub(super) login_hint: Option<String>,
    pub(super) connection: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) asked: Asked,
    pub(super) strength: Strength,
}

impl Request {
    /// What the application made for this one request and can be held to.
    pub(super) fn own_mark(&self) -> &str {
        self.challenge.as_deref().or(self.nonce.as_deref()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Request").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Which application asks; it has to be looked up before anything else.
pub(super) fn client_id(parameters: &Parameters) -> Result<&str, Stranger> {
    parameters.one("client_id").ok_or(Stranger::NoClient)
}

/// Where `client` is answered.
pub(super) fn back(parameters: &Parameters, client: &Client) -> Result<Back, Stranger> {
    if client.options.kind == ClientKind::Machine {
        return Err(Stranger::NoClient);
    }
    let uri = parameters.one("redirect_uri").filter(|uri| client.options.redirects_to(uri)).ok_or(Stranger::NoRedirect)?;
    let mode = if parameters.one("response_mode") == Some("form_post") { Mode::FormPost } else { Mode::Query };
    Ok(Back { redirect_uri: uri.to_owned(), mode, state: parameters.one("state").map(str::to_owned) })
}

/// The request itself. `without_pkce`: the application was let go without.
pub(super) fn read(parameters: &Parameters, without_pkce: bool) -> Result<Request, Told> {
    if parameters.repeated().is_some() {
        return Err(invalid("a parameter is there twice"));
    }
    if parameters.one("request").is_some() {
        return Err(Told { error: "request_not_supported", says: "a request object is not read" });
    }
    if parameters.one("request_uri").is_some() {
        return Err(Told { error: "request_uri_not_supported", says: "a request object is not fetched" });
    }
    match parameters.one("response_type") {
        Some("code") => {}
        None => return Err(invalid("response_type is missing")),
        Some(_) => return Err(Told { error: "unsupported_response_type", says: "wanted response_type=code" }),
    }
    if !matches!(parameters.one("response_mode"), None | Some("query" | "form_post")) {
        return Err(invalid("response_mode: wanted query or form_post"));
    }
    let words: Vec<&str> = parameters.one("scope").unwrap_or_default().split(' ').collect();
    if !words.contains(&"openid") {
        return Err(Told { error: "invalid_scope", says: "wanted a scope with openid" });
    }
    // What is not known is left out, as a request for more than there is (OpenID Connect Core §3.1.2.1).
    // What a person's own profile may be done with is given to who says that it is for the management API.
    let for_api = parameters.one("audience").is_some_and(is_the_api);
    let own = OWN_SCOPES.into_iter().filter(|_| for_api);
    let scope: Vec<&str> = SCOPES.into_iter().chain(own).filter(|known| words.contains(known)).collect();
    let max_age_seconds = match parameters.one("max_age").map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(i64::from(seconds)),
        Some(Err(_)) => return Err(invalid("max_age: wanted a number of seconds")),
    };
    let text = |name: &str| parameters.one(name).map(str::to_owned);
    if parameters.one("nonce").is_some_and(|nonce| nonce.len() > NONCE_BYTES_MAX) {
        return Err(invalid("nonce: wanted at most 512 bytes"));
    }
    Ok(Request {
        scope: scope.join(" "),
        nonce: text("nonce"),
        challenge: challenge(parameters, without_pkce)?.map(str::to_owned),
        prompt: prompt(parameters.one("prompt").unwrap_or_default())?,
        max_age_seconds,
        id_token_hint: text("id_token_hint"),
        login_hint: text("login_hint"),
        connection: text("connection"),
        organization: text("organization"),
        asked: Asked::parse(parameters.one("claims")).ok_or(invalid("claims: wanted a JSON object"))?,
        strength: Strength::of(parameters),
    })
}

/// The management API by its address; which host that is was the caller's to choose.
fn is_the_api(audience: &str) -> bool {
    audience.strip_suffix('/').unwrap_or(audience).ends_with("/api/v2")
}

fn challenge(parameters: &Parameters, without_pkce: bool) -> Result<Option<&str>, Told> {
    let Some(challenge) = parameters.one("code_challenge") else {
        return match (without_pkce, parameters.one("nonce")) {
            (false, _) => Err(invalid("code_challenge is missing: PKCE is required")),
            (true, None) => Err(invalid("nonce is missing: without PKCE it alone binds a code to the browser it was given to")),
            (true, Some(_)) if parameters.one("code_challenge_method").is_some() => Err(invalid("code_challenge is missing")),
            (true, Some(_)) => Ok(None),
        };
    };
    if parameters.one("code_challenge_method") != Some("S256") {
        return Err(invalid("code_challenge_method: wanted S256"));
    }
    let is_hash = challenge.len() == 43 && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_hash { Ok(Some(challenge)) } else { Err(invalid("code_challenge: wanted the SHA-256 of the verifier in base64url")) }
}

fn prompt(text: &str) -> Result<Prompt, Told> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let has = |word: &str| words.contains(&word);
    if has("none") && words.len() > 1 {
        return Err(invalid("prompt: none goes with nothing else"));
    }
    Ok(Prompt { none: has("none"), login: has("login"), select: has("select_account"), consent: has("consent") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::client::ClientOptions;
    use crate::model::ids::{ClientId, TenantId};

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn parameters(more: &str) -> Parameters {
        let text =
            format!("response_type=code&scope=openid+email+x&code_challenge={CHALLENGE}&code_challenge_method=S256&{more}");
        Parameters::parse(text.as_bytes()).expect("readable")
    }

    fn refused(more: &str) -> &'static str {
        read(&parameters(more), false).expect_err(more).error
    }

    #[test]
    fn a_request_is_read_and_what_is_unknown_left_out() {
        let read = read(&parameters("nonce=n&max_age=0&prompt=login+consent&ui_locales=de&display=touch&foo=bar"), false)
            .expect("valid");
        assert_eq!((read.scope.as_str(), read.nonce.as_deref(), read.max_age_seconds), ("openid email", Some("n"), Some(0)));
        assert_eq!(read.prompt, Prompt { login: true, consent: true, ..Prompt::default() });
    }

    #[test]
    fn what_is_wrong_has_its_word() {
        for more in [
            "prompt=none+login",
            "max_age=-1",
            "max_age=x",
            "claims=x",
            "response_mode=fragment",
            "nonce=a&nonce=b",
            "foo=1&foo=2",
        ] {
            assert_eq!(refused(more), "invalid_request", "{more}");
        }
        assert_eq!(refused("request=eyJ"), "request_not_supported");
        assert_eq!(refused("request_uri=https://a.example"), "request_uri_not_supported");
        let of = |text: &str| read(&Parameters::parse(text.as_bytes()).expect("readable"), false).expect_err(text).error;
        assert_eq!(of("scope=openid"), "invalid_request");
        assert_eq!(of("scope=openid&response_type=token"), "unsupported_response_type");
        assert_eq!(of("response_type=code&scope=email"), "invalid_scope");
    }

    #[test]
    fn pkce_is_required_and_plain_is_refused() {
        let of = |text: &str| {
            read(&Parameters::parse(format!("response_type=code&scope=openid&{text}").as_bytes()).expect("readable"), false)
        };
        for text in [
            "",
            "code_challenge_method=S256",
            &format!("code_challenge={CHALLENGE}"),
            &format!("code_challenge={CHALLENGE}&code_challenge_method=plain"),
            "code_challenge=short&code_challenge_method=S256",
        ] {
            assert_eq!(of(text).expect_err(text).error, "invalid_request", "{text}");
        }
    }

    #[test]
    fn whoever_was_let_go_without_pkce_has_a_nonce_and_whoever_sends_a_challenge_is_held_to_it() {
        let of = |text: &str| {
            let text = format!("response_type=code&scope=openid&{text}");
            let read = read(&Parameters::parse(text.as_bytes()).expect("readable"), true);
            read.map(|request| (request.own_mark().to_owned(), request.challenge.is_some())).map_err(|told| told.error)
        };
        assert_eq!(of("nonce=n"), Ok((String::from("n"), false)));
        assert_eq!(of(&format!("code_challenge={CHALLENGE}&code_challenge_method=S256")), Ok((CHALLENGE.to_owned(), true)));
        for text in ["", "nonce=n&code_challenge_method=S256", "nonce=n&code_challenge=plain&code_challenge_method=plain"] {
            assert_eq!(of(text), Err("invalid_request"), "{text}");
        }
    }

    #[test]
    fn nothing_is_sent_to_an_address_that_is_not_the_applications() {
        let redirect_uris = vec![String::from("https://app.example/cb")];
        let options = ClientOptions { redirect_uris, ..ClientOptions::plain(ClientKind::Confidential) };
        let mut client = Client {
            tenant_id: TenantId::new("t"),
            id: ClientId::new("app_1"),
            name: String::new(),
            options,
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        let of = |client: &Client, text: &str| back(&Parameters::parse(text.as_bytes()).expect("readable"), client);
        assert!(of(&client, "redirect_uri=https://app.example/cb&state=s").is_ok());
        for text in
            ["", "redirect_uri=https://evil.example", "redirect_uri=https://app.example/cb&redirect_uri=https://app.example/cb"]
        {
            assert_eq!(of(&client, text), Err(Stranger::NoRedirect), "{text}");
        }
        client.options.kind = ClientKind::Machine;
        assert_eq!(of(&client, "redirect_uri=https://app.example/cb"), Err(Stranger::NoClient));
    }
}
