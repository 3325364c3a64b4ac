//! Metadata: the identity provider's, read by the same scanner as messages ([`idp`]), and ours, written ([`sp`]). Fetching it,
//! how often and whether to believe a change are the caller's.

pub mod idp;
pub mod sp;

pub use idp::{Binding, Endpoint, IdpMetadata, Scope};
pub use sp::SpMetadata;

pub(crate) const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
pub(crate) const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
