//! Rosterd keeps one roster from every directory.
//!
//! A source (an IdP that pushes SCIM, a directory, a login) hands over a [`profile::SourceRecord`]; a
//! [`mapping`] turns it into normalised attributes; [`provisioning`] decides a `Plan` (pure) and applies it in
//! one transaction of the [`store`]; [`scim`] and the other edges read from the store. `ARCHITECTURE.md` has
//! the flow, the invariants and the table of who may use whom.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod events;
pub mod http;
pub mod ldap;
pub mod login;
pub mod mapping;
pub mod mapping_files;
pub mod model;
pub mod oidc;
pub mod outbound;
pub mod profile;
pub mod provider;
pub mod provisioning;
pub mod registration;
pub mod replay;
pub mod saml;
pub mod scim;
pub mod search;
pub mod secret;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod traffic;
