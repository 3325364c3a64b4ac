//! What a message may be at most. Checked while reading, so that nothing larger is ever built.

/// A form field or a query, as received.
pub const ENCODED_BYTES_MAX: usize = 512 * 1024;
/// A message after base64.
pub const MESSAGE_BYTES_MAX: usize = 384 * 1024;
/// A message that was inflated or decrypted.
pub const EXPANDED_BYTES_MAX: usize = 256 * 1024;
/// Metadata of one entity, or of a federation.
pub const METADATA_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Usable signing certificates that metadata may list for one identity provider: a few while it rolls over.
pub const CERTIFICATES_LISTED_MAX: usize = 16;
/// Certificates that one signature is tried with: each costs hashing the message and an operation with its key, and anybody can
/// send a wrong signature.
pub const CERTIFICATES_TRIED_MAX: usize = 32;
pub const RELAY_STATE_BYTES_MAX: usize = 1024;
/// What a signature covers, in its canonical form, where namespaces stand again at each element that needs them.
pub const CANONICAL_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// One name of a namespace: canonicalisation may write it once per element and attribute.
pub const NAMESPACE_BYTES_MAX: usize = 512;
/// Prefixes that a signature wants canonicalised as the inclusive form does.
pub const PREFIXES_MAX: usize = 32;
pub const PREFIX_LIST_BYTES_MAX: usize = 256;

/// Bounds of one document.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub depth_max: usize,
    pub elements_max: usize,
    pub attributes_max: usize,
    pub namespaces_max: usize,
    /// Whether comments are passed over. In a message they are refused: they cut values in two for some readers.
    pub has_comments: bool,
}

impl Limits {
    pub const MESSAGE: Self =
        Self { depth_max: 32, elements_max: 4_000, attributes_max: 64, namespaces_max: 32, has_comments: false };
    /// A federation lists its members in one document.
    pub const METADATA: Self = Self { elements_max: 100_000, has_comments: true, ..Self::MESSAGE };
}
