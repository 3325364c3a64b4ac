//! Values that must not be seen. [`Secret`] has no way to print; [`KeyRing`] owns the sealed form and the keyed
//! hash of tokens, both derived from one 32-byte key.
//!
//! Refuses: printing, comparing a token in other than constant time, opening what was sealed for another place.

use crate::clock::Entropy;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// A value whose `Debug` prints nothing and that has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Each call is a place to review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹secret›")
    }
}

/// The configured key (`secrets.key`): never used itself, only derived from.
pub type MasterKey = Secret<[u8; 32]>;

/// First bytes of everything sealed.
const FORM: &[u8; 2] = b"v1";
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const HEADER_BYTES: usize = FORM.len() + KEY_ID_BYTES + NONCE_BYTES;

/// Why sealed bytes did not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    #[error("not a sealed value of a known form")]
    Form,
    /// Sealed with a key that is neither the current nor the old one.
    #[error("sealed with another key; is secrets.key the one it was sealed with?")]
    Key,
    /// Altered, or sealed for another place.
    #[error("the sealed value was altered or moved")]
    Altered,
}

/// What one master key gives: a key per purpose, so that no two uses can be played against each other.
#[derive(Clone)]
struct Derived {
    id: [u8; KEY_ID_BYTES],
    sealing: [u8; 32],
    hashing: [u8; 32],
}

impl Derived {
    fn new(master: &MasterKey) -> Self {
        let derive = |label: &str| keyed_hash(master.expose(), label.as_bytes());
        let [a, b, c, d, ..] = derive("rosterd v1 key id");
        Self { id: [a, b, c, d], sealing: derive("rosterd v1 sealing"), hashing: derive("rosterd v1 token hash") }
    }
}

/// HMAC-SHA256. With a label as the message it derives keys (the expand half of RFC 5869 for one block).
fn keyed_hash(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The current key, and the one before it while a rotation is under way.
#[derive(Clone)]
pub struct KeyRing {
    current: Derived,
    old: Option<Derived>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(‹secret›)")
    }
}

impl KeyRing {
    pub fn new(current: MasterKey, old: Option<MasterKey>) -> Self {
        Self { current: Derived::new(&current), old: old.as_ref().map(Derived::new) }
    }

    /// Seals `plain` for the place that `context` names (`connection con_…`): it opens only with the same context.
    /// The form is `v1`, 4 bytes of key id, 24 bytes of nonce, XChaCha20-Poly1305.
    pub fn seal(&self, plain: &[u8], context: &str, entropy: &Entropy) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = entropy.bytes();
        let mut sealed = Vec::with_capacity(HEADER_BYTES + plain.len() + 16);
        sealed.extend_from_slice(FORM);
        sealed.extend_from_slice(&self.current.id);
        sealed.extend_from_slice(&nonce);
        let aad = associated(&sealed, context);
        let cipher = XChaCha20Poly1305::new(&self.current.sealing.into());
        let payload = Payload { msg: plain, aad: &aad };
        sealed.extend(cipher.encrypt(&XNonce::from(nonce), payload).expect("a value in memory is within the cipher's limit"));
        sealed
    }

    /// Opens what [`Self::seal`] made with the current or the old key.
    pub fn open(&self, sealed: &[u8], context: &str) -> Result<Secret<Vec<u8>>, OpenError> {
        if sealed.len() < HEADER_BYTES || !sealed.starts_with(FORM) {
            return Err(OpenError::Form);
        }
        let (header, body) = sealed.split_at(HEADER_BYTES);
        let (id, nonce) = header[FORM.len()..].split_at(KEY_ID_BYTES);
        let key = self.all().find(|key| key.id == id).ok_or(OpenError::Key)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Form)?;
        let payload = Payload { msg: body, aad: &associated(header, context) };
        let cipher = XChaCha20Poly1305::new(&key.sealing.into());
        cipher.decrypt(&XNonce::from(nonce), payload).map(Secret::new).map_err(|_| OpenError::Altered)
    }

    /// [`Self::seal`] as text for a URL, for instance a cursor.
    pub fn seal_text(&self, plain: &[u8], context: &str, entropy: &Entropy) -> String {
        URL_SAFE_NO_PAD.encode(self.seal(plain, context, entropy))
    }

    /// The counterpart of [`Self::seal_text`].
    pub fn open_text(&self, text: &str, context: &str) -> Result<Secret<Vec<u8>>, OpenError> {
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Form)?;
        self.open(&sealed, context)
    }

    /// The hash a new token is stored under.
    pub fn hash_token(&self, text: &str) -> TokenHash {
        TokenHash(keyed_hash(&self.current.hashing, text.as_bytes()))
    }

    /// Signs the proof of an erasure.
    pub fn sign_erasure(&self, text: &str) -> String {
        let mac = keyed_hash(&self.current.hashing, format!("erasure proof\n{text}").as_bytes());
        mac.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// Was it signed so, by the current key or the one before?
    pub fn is_erasure(&self, text: &str, signature: &str) -> bool {
        let is_by = |key: &Derived| {
            let mac = keyed_hash(&key.hashing, format!("erasure proof\n{text}").as_bytes());
            let hex = mac.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            bool::from(hex.as_bytes().ct_eq(signature.as_bytes()))
        };
        self.all().any(is_by)
    }

    /// By which two values can be compared that nobody is shown: of the current key alone, and so another one once it is replaced.
    pub fn fingerprint(&self, text: &str) -> String {
        keyed_hash(&self.current.hashing, format!("fingerprint {text}").as_bytes())[..8].iter().fold(
            String::new(),
            |mut hex, byte| {
                use std::fmt::Write;
                // Writing to a string can't fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            },
        )
    }

    /// The hashes a presented token may be stored under, the current key's first.
    pub fn token_hashes(&self, text: &str) -> Vec<TokenHash> {
        self.all().map(|key| TokenHash(keyed_hash(&key.hashing, text.as_bytes()))).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Derived> {
        std::iter::once(&self.current).chain(&self.old)
    }
}

/// What the tag covers beside the text: the header, so that it can't be swapped, and the place.
fn associated(header: &[u8], context: &str) -> Vec<u8> {
    [header, context.as_bytes()].concat()
}

/// HMAC-SHA256 of a token under the configured key: what is stored. Equality takes the same time for any two.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A stored hash; `None` if it isn't 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl std::hash::Hash for TokenHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(‹secret›)")
    }
}

/// What a token opens; its text says so, so that one can't be taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `rst_…`: the SCIM endpoint of one connection.
    Scim,
    /// `rma_…`: the management API of one tenant.
    Management,
    /// `rcc_…`: signs in to the console once.
    ConsoleCode,
    /// `rss_…`: in the cookie of somebody who is signed in.
    Session,
    /// `rcs_…`: with which an application proves which one it is.
    ClientSecret,
    /// `rac_…`: an authorization code.
    Code,
    /// `rat_…`: what an application reads a person's claims with.
    Access,
    /// `rrt_…`: what it gets the next of these with.
    Refresh,
}

impl TokenKind {
    const ALL: [Self; 8] = [
        Self::Scim,
        Self::Management,
        Self::ConsoleCode,
        Self::Session,
        Self::ClientSecret,
        Self::Code,
        Self::Access,
        Self::Refresh,
    ];

    fn prefix(self) -> &'static str {
        match self {
            Self::Scim => "rst_",
            Self::Management => "rma_",
            Self::ConsoleCode => "rcc_",
            Self::Session => "rss_",
            Self::ClientSecret => "rcs_",
            Self::Code => "rac_",
            Self::Access => "rat_",
            Self::Refresh => "rrt_",
        }
    }

    /// A new token: prefix, 43 characters for 32 random bytes, 6 characters of checksum.
    pub fn generate(self, entropy: &Entropy) -> Secret<String> {
        let body = format!("{}{}", self.prefix(), URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()));
        let checksum = checksum(&body);
        Secret::new(body + &checksum)
    }

    /// The kind of a presented text, or `None` if it can't be one of ours: a typing mistake costs no look-up.
    pub fn of(text: &str) -> Option<Self> {
        let kind = Self::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        if text.len() != TOKEN_CHARS || !text.is_ascii() {
            return None;
        }
        let (body, found) = text.split_at(TOKEN_CHARS - CHECKSUM_CHARS);
        (checksum(body) == found).then_some(kind)
    }
}

const CHECKSUM_CHARS: usize = 6;
/// Length of every token text.
pub const TOKEN_CHARS: usize = 4 + 43 + CHECKSUM_CHARS;

fn checksum(body: &str) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(Sha256::digest(body.as_bytes()));
    text.truncate(CHECKSUM_CHARS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(byte: u8) -> KeyRing {
        KeyRing::new(Secret::new([byte; 32]), None)
    }

    #[test]
    fn a_secret_does_not_print() {
        let token = TokenKind::Scim.generate(&Entropy::system());
        let keys = ring(1);
        let shown = format!("{token:?} {keys:?} {:?}", keys.hash_token(token.expose()));
        assert_eq!(shown, "‹secret› KeyRing(‹secret›) TokenHash(‹secret›)");
    }

    #[test]
    fn what_was_sealed_opens_at_its_place() {
        let keys = ring(1);
        let sealed = keys.seal(b"bind password", "connection con_1", &Entropy::system());
        assert_eq!(&sealed[..2], b"v1");
        assert_eq!(keys.open(&sealed, "connection con_1").expect("opens").expose(), b"bind password");
    }

    #[test]
    fn moved_or_altered_bytes_do_not_open() {
        let keys = ring(1);
        let sealed = keys.seal(b"x", "connection con_1", &Entropy::system());
        assert_eq!(keys.open(&sealed, "connection con_2").unwrap_err(), OpenError::Altered);
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(keys.open(&bad, "connection con_1").is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(keys.open(&sealed[..length], "connection con_1").is_err(), "length {length}");
        }
    }

    #[test]
    fn while_rotating_the_old_key_opens_and_only_the_new_one_seals() {
        let (before, after) = (ring(1), KeyRing::new(Secret::new([2; 32]), Some(Secret::new([1; 32]))));
        let old = before.seal(b"x", "p", &Entropy::system());
        assert!(after.open(&old, "p").is_ok());
        assert_eq!(before.open(&after.seal(b"x", "p", &Entropy::system()), "p").unwrap_err(), OpenError::Key);
        assert_eq!(after.token_hashes("t"), [ring(2).hash_token("t"), ring(1).hash_token("t")]);
    }

    #[test]
    fn a_cursor_survives_a_url() {
        let text = ring(3).seal_text(b"0199", "cursor", &Entropy::system());
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(ring(3).open_text(&text, "cursor").expect("opens").expose(), b"0199");
    }

    #[test]
    fn a_token_says_its_kind_and_a_typing_mistake_is_seen() {
        for kind in TokenKind::ALL {
            let token = kind.generate(&Entropy::system());
            assert_eq!(token.expose().len(), TOKEN_CHARS);
            assert_eq!(TokenKind::of(token.expose()), Some(kind));
            let mistyped = token.expose().replacen(|c: char| c.is_ascii_digit(), "_", 1) + "x";
            assert_eq!(TokenKind::of(&mistyped), None);
        }
        assert_eq!(TokenKind::of(""), None);
        assert_eq!(TokenKind::of("rst_é"), None);
    }
}
