//! Connections of kind `samlp`: what is known of an identity provider, what we are called towards it, and what an assertion of
//! it says of a person. Owns addresses and names ([`addresses`]), our keys ([`keys`]), whom to believe and until when
//! ([`metadata`]), and who somebody is by an assertion ([`record`], [`subject`]).
//! What a message has to look like is `rosterd_saml`'s, the HTTP of a login `login`'s, what a login does to the roster
//! `provisioning`'s.
//!
//! Refuses: to believe a key that did not come from the connection's metadata, and to read anything of a message that was not
//! verified.

pub mod addresses;
pub mod joining;
pub mod keys;
pub mod known;
pub mod metadata;
pub mod not_a_record;
pub mod proof;
pub mod record;
pub mod subject;
