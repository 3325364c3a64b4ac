//! SAML messages: from bytes to a decision. No database, no network, no clock and no randomness: all of these are arguments.
//!
//! ```text
//!  form field ─► transport ─► scan ─► structure ─► signature ─► signed ─────────────► read ─► protocol ─► VerifiedAssertion
//!                Message      Document Structured  Shaped       Signed (verify,       Authentic-  against an
//!                                                               decrypt)              Assertion   Expectation
//! ```
//!
//! Each stage takes what the one before made, so an illegal order does not compile, and each fails closed by a named
//! [`rule::Rule`]. From `signed` on only bytes count that a trusted key vouches for; the rest of a message can refuse it and
//! nothing else. Only a [`protocol::VerifiedAssertion`] may be mapped.
//!
//! Beside the login: requests of ours ([`request`]), logout in both directions ([`logout`]), redirects whose signature covers
//! a query ([`redirect`]), and metadata of both sides ([`metadata`]).
//!
//! Refuses to fetch, to repair, to trust a key inside a message, and to read anything twice in two ways.

pub mod decrypt;
pub mod document;
pub mod limits;
pub mod logout;
pub mod metadata;
pub mod protocol;
pub mod read;
pub mod redirect;
pub mod request;
pub mod response;
pub mod rule;
pub mod scan;
pub mod service_key;
pub mod sign;
pub mod signature;
pub mod signed;
pub mod structure;
mod time;
pub mod transport;
pub mod verify;
pub mod write;
