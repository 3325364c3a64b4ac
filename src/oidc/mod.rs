//! Connections by OAuth 2.0 and OpenID Connect, as the one who asks: what a provider is ([`kind`], [`settings`]), what it says of
//! itself ([`discovery`], [`keys`]), whether an ID token can be believed ([`jose`], [`id_token`]), what the answer of a token
//! endpoint says ([`token_answer`]) and whom all of it is about ([`record`]). All of that is pure; [`providers`] remembers what was
//! read, [`application_keys`] what applications publish of theirs, and [`client`] makes the calls of one login. The HTTP of a login is `login`'s, what it does to the roster
//! `provisioning`'s.
//!
//! Owns its own small JOSE: RSA, ECDSA and Ed25519 by way of ring, which is there as the TLS of everything else.
//! Refuses: tokens of anybody but the connection's issuer, algorithms the connection does not allow, keys that a token brings
//! itself, and to keep anything a provider gave us beyond the login (decision 0046).

pub mod application_keys;
mod beside;
pub mod client;
pub mod discovery;
mod fetched_keys;
mod hooks;
pub mod id_token;
pub mod jose;
pub mod keys;
pub mod kind;
pub mod providers;
pub mod record;
mod rule;
pub mod settings;
pub mod token_answer;

pub use beside::Beside;
pub use hooks::apple_user;
pub use jose::Algorithm;
pub use rule::{Refusal, Rule};

/// An ID token taken apart, by an algorithm that is allowed; [`id_token::verified`] says whether it can be believed.
///
/// # Errors
/// It is none.
pub fn unverified<'a>(token: &'a str, allowed: &[Algorithm]) -> Result<jose::Unverified<'a>, Refusal> {
    jose::Unverified::parse(token, allowed)
}
