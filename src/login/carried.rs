//! What a browser carries for us while it is at somebody else's: a small document, sealed, in a cookie of its own for each thing
//! that waits (decision 0045). So whoever begins one costs the store nothing, only the browser that began can end it, and every
//! replica can read it. That it is used once is for the store.

use super::cookie;
use crate::clock::{Entropy, Micros, SECOND};
use crate::secret::KeyRing;
use axum::http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long somebody may take.
pub(super) const WAITS_FOR: Micros = 600 * SECOND;
/// Of one kind in one browser at a time; beyond it the oldest are forgotten. What waits has to fit into a request's headers.
pub(super) const AT_A_TIME: usize = 5;
/// Of an id, in the cookie's name.
pub(super) const NAME_CHARS: usize = 16;

/// One kind of things that wait.
pub(super) struct Carried {
    /// In the cookies' names.
    pub word: &'static str,
    /// Of which letters an id is.
    pub is_letter: fn(u8) -> bool,
    /// What decides which way the cookie comes back: over TLS, and in the clear.
    pub same_site: [&'static str; 2],
}

/// One thing that waits: the beginning of its id, and where alone it can be opened.
pub(super) struct Held<'a> {
    pub short: &'a str,
    pub place: &'a str,
}

/// Whether cookies go over TLS alone.
fn is_secure(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

impl Carried {
    fn prefix(&self, public_url: &str) -> String {
        format!("{}rosterd_{}_", if is_secure(public_url) { "__Host-" } else { "" }, self.word)
    }

    fn is_short(&self, text: &str) -> bool {
        text.len() == NAME_CHARS && text.bytes().all(self.is_letter)
    }

    /// `None`: that is no id of ours.
    fn name(&self, public_url: &str, short: &str) -> Option<String> {
        self.is_short(short).then(|| format!("{}{short}", self.prefix(public_url)))
    }

    fn set(&self, public_url: &str, name: &str, value: &str, seconds: i64) -> HeaderValue {
        let [secure, plain] = self.same_site;
        let attributes = if is_secure(public_url) { format!("{secure}; Secure") } else { plain.to_owned() };
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly{attributes}");
        let mut value = HeaderValue::from_str(&text).expect("names and sealed texts are plain ASCII");
        value.set_sensitive(true);
        value
    }

    /// What the browser is told to keep; and to forget, if it waits for too much.
    ///
    /// # Panics
    /// If the id is none of ours.
    pub(super) fn keep(
        &self,
        public_url: &str,
        headers: &HeaderMap,
        (ring, entropy): (&KeyRing, &Entropy),
        held: &Held<'_>,
        waiting: &impl Serialize,
    ) -> Vec<HeaderValue> {
        let name = self.name(public_url, held.short).expect("an id of ours");
        let plain = serde_json::to_vec(waiting).expect("texts and numbers are JSON");
        let sealed = ring.seal_text(&plain, held.place, entropy);
        let prefix = self.prefix(public_url);
        let is_ours = |found: &str| found.strip_prefix(prefix.as_str()).is_some_and(|short| self.is_short(short));
        let older: Vec<&str> =
            cookie::all(headers).map(|(found, _)| found).filter(|found| is_ours(found) && *found != name).collect();
        let too_many = older.len().saturating_sub(AT_A_TIME - 1);
        let mut all: Vec<HeaderValue> = older.into_iter().take(too_many).map(|old| self.set(public_url, old, "", 0)).collect();
        all.push(self.set(public_url, &name, &sealed, WAITS_FOR / SECOND));
        all
    }

    /// What makes the browser forget it.
    pub(super) fn forget(&self, public_url: &str, short: &str) -> Option<HeaderValue> {
        Some(self.set(public_url, &self.name(public_url, short)?, "", 0))
    }

    /// What this browser carries of that beginning, however old. Whether the rest of the id is the same is the caller's to see.
    pub(super) fn find<T: DeserializeOwned>(
        &self,
        public_url: &str,
        headers: &HeaderMap,
        ring: &KeyRing,
        held: &Held<'_>,
    ) -> Option<T> {
        let name = self.name(public_url, held.short)?;
        let (_, sealed) = cookie::all(headers).find(|(found, _)| *found == name)?;
        let plain = ring.open_text(sealed, held.place).ok()?;
        serde_json::from_slice(plain.expose()).ok()
    }
}
