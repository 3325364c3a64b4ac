//! What a browser is on its way for: a login that waits for its answer, carried by that browser.

use crate::clock::{Entropy, Micros};
use crate::login::carried::{Carried, Held, NAME_CHARS, WAITS_FOR};
use crate::model::connection::Connection;
use crate::secret::KeyRing;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

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
    /// The person is to prove who they are, and not go on by a session they have there.
    #[serde(default)]
    pub(super) forced: bool,
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

/// The answer comes by a link that the browser follows, which is as far as such a cookie goes along with other sites.
const LOGINS: Carried = Carried {
    word: "oidc",
    is_letter: |byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte),
    same_site: ["; SameSite=Lax"; 2],
};

/// The beginning of a state. Empty, and so no name: that is no state of ours.
fn short(state: &str) -> &str {
    state.get(..NAME_CHARS).unwrap_or_default()
}

/// Where it can be opened: at no other connection.
fn place(connection: &Connection) -> String {
    format!("oidc login {} {}", connection.tenant_id.as_str(), connection.id)
}

/// What the browser is told to keep; and to forget, if it waits for too much.
pub(super) fn keep(
    public_url: &str,
    headers: &HeaderMap,
    sealing: (&KeyRing, &Entropy),
    connection: &Connection,
    waiting: &Waiting,
) -> Vec<HeaderValue> {
    let held = Held { short: short(&waiting.state), place: &place(connection) };
    LOGINS.keep(public_url, headers, sealing, &held, waiting)
}

/// What makes the browser forget it.
pub(super) fn forget(public_url: &str, state: &str) -> Option<HeaderValue> {
    LOGINS.forget(public_url, short(state))
}

/// The login `state` of this browser at this connection, however old.
pub(super) fn find(
    public_url: &str,
    headers: &HeaderMap,
    ring: &KeyRing,
    connection: &Connection,
    state: &str,
) -> Option<Waiting> {
    let held = Held { short: short(state), place: &place(connection) };
    LOGINS.find::<Waiting>(public_url, headers, ring, &held).filter(|waiting| waiting.state == state)
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
            forced: false,
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
