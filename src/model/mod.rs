//! What is stored and its lifecycles, and the protocol-neutral [`query`]. Pure: no I/O, no protocol words.

pub mod access;
pub mod client;
pub mod connection;
pub mod connection_secrets;
pub mod directory;
pub mod dn;
pub mod event;
pub mod fold;
pub mod grant;
pub mod group;
pub mod identity;
pub mod ids;
pub mod look;
pub mod nearest;
pub mod network;
pub mod oidc;
pub mod options;
pub mod profile_names;
pub mod provider_key;
pub mod query;
pub mod saml;
pub mod session;
pub mod tenant;
pub mod traffic;
pub mod user;
pub mod user_id;
