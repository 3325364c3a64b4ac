//! What a browser is on its way for: a request of ours that waits for its answer, carried by that browser.

use crate::clock::{Entropy, Micros};
pub(super) use crate::login::carried::WAITS_FOR;
use crate::login::carried::{Carried, Held, NAME_CHARS};
use crate::model::connection::Connection;
use crate::secret::{KeyRing, TokenHash};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

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

/// The answer is posted by another site's page: only a cookie that is sent with those comes along. In the clear there is no such
/// cookie; browsers then send one without the attribute for two minutes, and to the same host for ever.
const REQUESTS: Carried = Carried {
    word: "saml",
    is_letter: |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    same_site: ["; SameSite=None", ""],
};

/// The beginning of an id. Empty, and so no name: that is no id of ours.
fn short(id: &str) -> &str {
    id.strip_prefix('_').and_then(|random| random.get(..NAME_CHARS)).unwrap_or_default()
}

/// Where it can be opened: nobody else's answer, and no logout's.
fn place(what: For, connection: &Connection) -> String {
    format!("saml {} {} {}", what.word(), connection.tenant_id.as_str(), connection.id)
}

/// What the browser is told to keep; and to forget, if it waits for too much.
pub(super) fn keep(
    public_url: &str,
    headers: &HeaderMap,
    sealing: (&KeyRing, &Entropy),
    (what, connection): (For, &Connection),
    waiting: &Waiting,
) -> Vec<HeaderValue> {
    let held = Held { short: short(&waiting.id), place: &place(what, connection) };
    REQUESTS.keep(public_url, headers, sealing, &held, waiting)
}

/// What makes the browser forget it.
pub(super) fn forget(public_url: &str, id: &str) -> Option<HeaderValue> {
    REQUESTS.forget(public_url, short(id))
}

/// The request `id` of this browser at this connection, however old.
pub(super) fn find(
    public_url: &str,
    headers: &HeaderMap,
    ring: &KeyRing,
    (what, connection): (For, &Connection),
    id: &str,
) -> Option<Waiting> {
    let held = Held { short: short(id), place: &place(what, connection) };
    REQUESTS.find::<Waiting>(public_url, headers, ring, &held).filter(|waiting| waiting.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::carried::AT_A_TIME;
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
