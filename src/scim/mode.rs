//! How much of what the RFCs don't allow is taken. Owns the choice; each part of the protocol says itself what it
//! takes in which mode. docs/scim.md lists all of it.

/// The connection option `strict`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Only what the RFCs allow. Otherwise also what is known of Entra, Okta, OneLogin and others: string booleans,
    /// bare words in filters, enterprise attributes without their URN, unknown attributes (dropped), legacy URNs.
    pub strict: bool,
}
