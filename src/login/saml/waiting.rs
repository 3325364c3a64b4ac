//! What a browser is on its way for: a request of ours that waits for its answer, kept sealed in a cookie of that browser. So
//! whoever asks to sign in costs the store nothing, the answer is bound to the browser that asked, and every replica can read
//! it. That it is answered once is for the store, which is told when it was.

use crate::clock::{Entropy, Micros, SECOND};
use crate::login::cookie;
use crate::model::connection::Connection;
use crate::secret::{KeyRing, TokenHash};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// How long somebody may take to sign in.
pub(super) const WAITS_FOR: Micros = 600 * SECOND;
/// Requests of one browser at a time; beyond it the oldest are forgotten. What waits has to fit into a request's headers.
const AT_A_TIME: usize = 5;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    Login,
    Logout,
}

impl For {
    fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
        }
    }
}

/// One request. Its id has 128 random bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) at: Micros,
    /// Checked.
    pub(super) return_to: Option<String>,
    pub(super) force_authn: bool,
    /// The hash of the session the browser had, in base64: it does not come along when another site's page posts the answer.
    pub(super) session: Option<String>,
}

impl Waiting {
    pub(super) fn replaced(&self) -> Option<TokenHash> {
        URL_SAFE_NO_PAD.decode(self.session.as_ref()?).ok().and_then(|bytes| TokenHash::from_bytes(&bytes))
    }

    pub(super) fn until(&self) -> Micros {
        self.at.saturating_add(WAITS_FOR)
    }
}

/// An id of a request: XML wants a letter or `_` in front, some identity providers refuse anything else.
pub(super) fn new_id(entropy: &Entropy) -> String {
    entropy.bytes::<16>().iter().fold(String::from("_"), |text, byte| text + &format!("{byte:02x}"))
}

/// Whether cookies go over TLS alone.
fn is_secure(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

fn prefix(public_url: &str) -> &'static str {
    if is_secure(public_url) { "__Host-rosterd_saml_" } else { "rosterd_saml_" }
}

/// `None`: that is no id of ours.
fn name(public_url: &str, id: &str) -> Option<String> {
    let short = id.strip_prefix('_')?.get(..16)?;
    let plain = short.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    plain.then(|| format!("{}{short}", prefix(public_url)))
}

/// Where it can be opened: nobody else's answer, and no logout's.
fn place(what: For, connection: &Connection) -> String {
    format!("saml {} {} {}", what.word(), connection.tenant_id.as_str(), connection.id)
}

/// The answer is posted by another site's page: only a cookie that is sent with those comes along. In the clear there is no such
/// cookie; browsers then send one without the attribute for two minutes, and to the same host for ever.
fn set(public_url: &str, name: &str, value: &str, seconds: i64) -> HeaderValue {
    let attributes = if is_secure(public_url) { "; SameSite=None; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly{attributes}");
    let mut value = HeaderValue::from_str(&text).expect("names and sealed texts are plain ASCII");
    value.set_sensitive(true);
    value
}

/// What the browser is told to keep; and to forget, if it waits for too much.
pub(super) fn keep(
    public_url: &str,
    headers: &HeaderMap,
    (ring, entropy): (&KeyRing, &Entropy),
    (what, connection): (For, &Connection),
    waiting: &Waiting,
) -> Vec<HeaderValue> {
    let name = name(public_url, &waiting.id).expect("an id of ours");
    let plain = serde_json::to_vec(waiting).expect("texts and numbers are JSON");
    let sealed = ring.seal_text(&plain, &place(what, connection), entropy);
    let older = cookie::all(headers).filter(|(found, _)| found.starts_with(prefix(public_url))).map(|(found, _)| found);
    let older: Vec<&str> = older.collect();
    let too_many = older.len().saturating_sub(AT_A_TIME - 1);
    let forgotten = older.into_iter().take(too_many).filter(|old| *old != name && is_name(public_url, old));
    let mut all: Vec<HeaderValue> = forgotten.map(|old| set(public_url, old, "", 0)).collect();
    all.push(set(public_url, &name, &sealed, WAITS_FOR / SECOND));
    all
}

fn is_name(public_url: &str, text: &str) -> bool {
    text.strip_prefix(prefix(public_url)).is_some_and(|short| name(public_url, &format!("_{short}")).as_deref() == Some(text))
}

/// What makes the browser forget it.
pub(super) fn forget(public_url: &str, id: &str) -> Option<HeaderValue> {
    Some(set(public_url, &name(public_url, id)?, "", 0))
}

/// The request `id` of this browser at this connection, however old.
pub(super) fn find(
    public_url: &str,
    headers: &HeaderMap,
    ring: &KeyRing,
    (what, connection): (For, &Connection),
    id: &str,
) -> Option<Waiting> {
    let name = name(public_url, id)?;
    let (_, sealed) = cookie::all(headers).find(|(found, _)| *found == name)?;
    let plain = ring.open_text(sealed, &place(what, connection)).ok()?;
    serde_json::from_slice::<Waiting>(plain.expose()).ok().filter(|waiting| waiting.id == id)
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
            kind: ConnectionKind::Samlp,
            organization_id: None,
            options: Options::defaults(ConnectionKind::Samlp),
            version: 1,
            created_at: 0,
            updated_at: 0,
        }
    }

    fn waiting(entropy: &Entropy) -> Waiting {
        Waiting { id: new_id(entropy), at: 7, return_to: Some("/app".into()), force_authn: true, session: None }
    }

    fn sent(set: &[HeaderValue]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in set {
            let text = line.to_str().expect("text");
            let pair = text.split(';').next().expect("a pair");
            headers.append(header::COOKIE, pair.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn a_request_is_found_by_its_id_in_its_browser_at_its_connection_and_nowhere_else() {
        let (entropy, ring) = (Entropy::system(), KeyRing::new(Secret::new([1; 32]), None));
        let (acme, other) = (connection("con_1"), connection("con_2"));
        let (one, two) = (waiting(&entropy), waiting(&entropy));
        let mut set = keep(URL, &HeaderMap::new(), (&ring, &entropy), (For::Login, &acme), &one);
        assert!(set[0].to_str().expect("text").ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=None; Secure"));
        set.extend(keep(URL, &sent(&set), (&ring, &entropy), (For::Login, &acme), &two));
        let headers = sent(&set);
        assert_eq!(find(URL, &headers, &ring, (For::Login, &acme), &one.id), Some(one.clone()));
        assert_eq!(find(URL, &headers, &ring, (For::Login, &acme), &two.id), Some(two));
        assert_eq!(find(URL, &headers, &ring, (For::Login, &other), &one.id), None, "another connection's");
        assert_eq!(find(URL, &headers, &ring, (For::Logout, &acme), &one.id), None, "for something else");
        assert_eq!(find(URL, &HeaderMap::new(), &ring, (For::Login, &acme), &one.id), None, "another browser's");
        let foreign = KeyRing::new(Secret::new([2; 32]), None);
        assert_eq!(find(URL, &headers, &foreign, (For::Login, &acme), &one.id), None, "sealed by somebody else");
        for id in ["", "_", "_0123456789abcdeg0000", "x", "_\u{e4}"] {
            assert_eq!(find(URL, &headers, &ring, (For::Login, &acme), id), None);
        }
    }

    #[test]
    fn a_browser_waits_for_few_things_at_a_time() {
        let (entropy, ring) = (Entropy::system(), KeyRing::new(Secret::new([1; 32]), None));
        let acme = connection("con_1");
        let mut known: Vec<HeaderValue> = Vec::new();
        for _ in 0..AT_A_TIME {
            known.extend(keep(URL, &sent(&known), (&ring, &entropy), (For::Login, &acme), &waiting(&entropy)));
        }
        assert_eq!(known.len(), AT_A_TIME);
        let set = keep(URL, &sent(&known), (&ring, &entropy), (For::Login, &acme), &waiting(&entropy));
        assert_eq!(set.len(), 2);
        assert!(set[0].to_str().expect("text").contains("=; Path=/; Max-Age=0"));
    }
}
