//! Messages minted here with keys of our own: good ones in every shape identity providers send, and every attack known to us,
//! each refused by its own rule. `scripts/saml-rules.py` switches the rules off one by one and looks which test notices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect the short way")]
#![allow(clippy::field_reassign_with_default, reason = "a login that is right, and then the one thing that is not")]

mod algorithms;
mod bombs;
mod certificates;
mod encrypted;
mod expected;
mod good;
mod identity;
mod library;
mod logout;
mod markup;
mod metadata;
mod mint;
mod outgoing;
mod placement;
mod properties;
mod redirect;
mod seal;
mod shapes;
mod transport;
mod verifier;
mod wrapping;
