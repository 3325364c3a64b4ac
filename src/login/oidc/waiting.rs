//! What a browser is on its way for: a login that waits for its answer, kept sealed in a cookie of that browser (decision 0045).
//! So whoever begins one costs the store nothing, the answer is bound to the browser that began, and every replica can read it.
//! That it is answered once is for the store, which is told when it was.

use crate::clock::{Entropy, Micros, SECOND};
use crate::login::cookie;
use crate::model::connection::Connection;
use crate::secret::KeyRing;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// How long somebody may take to sign in.
const WAITS_FOR: Micros = 600 * SECOND;
/// Logins of one browser at a time; beyond it the oldest are forgotten. What waits has to fit into a request's headers.
const AT_A_TIME: usize = 5;
/// Of a state, in the cookie's name.
const NAME_CHARS: usize = 16;

/// One login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) state: String,
    pub(super) at: Micros,
    /// Checked.
    pub(super) return_to: Option<String>,
    pub(super) nonce: String,
    /// What the challenge was made of, if one was sent: only then it is shown.
    pub(super) verifier: Option<String>,
    pub(super) redirect_uri: String,
    /// Whom the browser was sent to: a code goes to nobody else.
    pub(super) token_endpoint: String,
    pub(super) issuer: Option<String>,
}

impl Waiting {
    pub(super) fn until(&self) -> Micros {
        self.at.saturating_add(WAITS_FOR)
    }
}

/// 256 random bits.
pub(super) fn random(entropy: &Entropy) -> String {
    URL_SAFE_NO_PAD.encode(entropy.bytes::<32>())
}

/// Whether cookies go over TLS alone.
fn is_secure(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

fn prefix(public_url: &str) -> &'static str {
    if is_secure(public_url) { "__Host-rosterd_oidc_" } else { "rosterd_oidc_" }
}

/// `None`: that is no state of ours.
fn name(public_url: &str, state: &str) -> Option<String> {
    let short = state.get(..NAME_CHARS)?;
    is_short(short).then(|| format!("{}{short}", prefix(public_url)))
}

fn is_short(text: &str) -> bool {
    text.len() == NAME_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Where it can be opened: at no other connection.
fn place(connection: &Connection) -> String {
    format!("oidc login {} {}", connection.tenant_id.as_str(), connection.id)
}

/// The answer comes by a link that the browser follows, which is as far as such a cookie goes along with other sites.
fn set(public_url: &str, name: &str, value: &str, seconds: i64) -> HeaderValue {
    let secure = if is_secure(public_url) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).expect("names and sealed texts are plain ASCII");
    value.set_sensitive(true);
    value
}

/// What the browser is told to keep; and to forget, if it waits for too much.
pub(super) fn keep(
    public_url: &str,
    headers: &HeaderMap,
    (ring, entropy): (&KeyRing, &Entropy),
    connection: &Connection,
    waiting: &Waiting,
) -> Vec<HeaderValue> {
    let name = name(public_url, &waiting.state).expect("a state of ours");
    let plain = serde_json::to_vec(waiting).expect("texts and numbers are JSON");
    let sealed = ring.seal_text(&plain, &place(connection), entropy);
    let is_ours = |found: &str| found.strip_prefix(prefix(public_url)).is_some_and(is_short);
    let older: Vec<&str> =
        cookie::all(headers).map(|(found, _)| found).filter(|found| is_ours(found) && *found != name).collect();
    let too_many = older.len().saturating_sub(AT_A_TIME - 1);
    let mut all: Vec<HeaderValue> = older.into_iter().take(too_many).map(|old| set(public_url, old, "", 0)).collect();
    all.push(set(public_url, &name, &sealed, WAITS_FOR / SECOND));
    all
}

/// What makes the browser forget it.
pub(super) fn forget(public_url: &str, state: &str) -> Option<HeaderValue> {
    Some(set(public_url, &name(public_url, state)?, "", 0))
}

/// The login `state` of this browser at this connection, however old.
pub(super) fn find(
    public_url: &str,
    headers: &HeaderMap,
    ring: &KeyRing,
    connection: &Connection,
    state: &str,
) -> Option<Waiting> {
    let name = name(public_url, state)?;
    let (_, sealed) = cookie::all(headers).find(|(found, _)| *found == name)?;
    let plain = ring.open_text(sealed, &place(connection)).ok()?;
    serde_json::from_slice::<Waiting>(plain.expose()).ok().filter(|waiting| waiting.state == state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::{ConnectionKind, Options};
    use crate::model::ids::{ConnectionId, TenantId};
    use crate::secret::Secret;
    use axum::http::header;

    const URL: &str = "https://id.example.com";

    fn connection(id: &str) -> Connection {
        Connection {
            tenant_id: TenantId::new("t"),
            id: ConnectionId::new(id),
            name: String::from(id),
            kind: ConnectionKind::Oidc,
            organization_id: None,
            options: Options::defaults(ConnectionKind::Oidc),
            version: 1,
            created_at: 0,
            updated_at: 0,
        }
    }

    fn waiting(entropy: &Entropy) -> Waiting {
        Waiting {
            state: random(entropy),
            at: 7,
            return_to: Some(String::from("/app")),
            nonce: random(entropy),
            verifier: Some(random(entropy)),
            redirect_uri: String::from("https://id.example.com/login/callback/x"),
            token_endpoint: String::from("https://op.example/token"),
            issuer: None,
        }
    }

    fn sent(set: &[HeaderValue]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in set {
            let pair = line.to_str().expect("text").split(';').next().expect("a pair");
            headers.append(header::COOKIE, pair.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn a_login_is_found_by_its_state_in_its_browser_at_its_connection_and_nowhere_else() {
        let (entropy, ring) = (Entropy::system(), KeyRing::new(Secret::new([1; 32]), None));
        let (acme, other, one) = (connection("con_1"), connection("con_2"), waiting(&entropy));
        let set = keep(URL, &HeaderMap::new(), (&ring, &entropy), &acme, &one);
        let text = set[0].to_str().expect("text");
        assert!(
            text.starts_with("__Host-rosterd_oidc_") && text.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure")
        );
        assert!(!text.contains(one.verifier.as_deref().expect("one")), "sealed");
        let headers = sent(&set);
        assert!(find(URL, &headers, &ring, &acme, &one.state) == Some(one.clone()));
        assert!(find(URL, &headers, &ring, &other, &one.state).is_none(), "another connection's");
        assert!(find(URL, &HeaderMap::new(), &ring, &acme, &one.state).is_none(), "another browser's");
        let foreign = KeyRing::new(Secret::new([2; 32]), None);
        assert!(find(URL, &headers, &foreign, &acme, &one.state).is_none(), "sealed by somebody else");
        let beginning = format!("{}x", &one.state[..NAME_CHARS]);
        for state in
            ["", "x", &beginning, "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", "../../../../../..", "a=b; c=d; e=f; g"]
        {
            assert!(find(URL, &headers, &ring, &acme, state).is_none(), "{state}");
        }
    }

    #[test]
    fn a_browser_waits_for_few_logins_at_a_time() {
        let (entropy, ring) = (Entropy::system(), KeyRing::new(Secret::new([1; 32]), None));
        let acme = connection("con_1");
        let mut known: Vec<HeaderValue> = Vec::new();
        for _ in 0..AT_A_TIME {
            known.extend(keep(URL, &sent(&known), (&ring, &entropy), &acme, &waiting(&entropy)));
        }
        assert_eq!(known.len(), AT_A_TIME);
        let set = keep(URL, &sent(&known), (&ring, &entropy), &acme, &waiting(&entropy));
        assert!(set.len() == 2 && set[0].to_str().expect("text").contains("=; Path=/; Max-Age=0"));
    }
}
