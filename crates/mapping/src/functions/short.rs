//! Short text made in place. It is checked to be UTF-8 as every text is, but all of the buffer at once: how long that takes
//! does not depend on how long the text is, so the processor need not guess. A GUID, a SID, a date, a phone number.

/// Up to `N` bytes, zero beyond what was written.
#[repr(align(16))]
#[derive(Clone, Debug)]
pub(crate) struct Short<const N: usize>([u8; N]);

impl<const N: usize> Short<N> {
    pub(crate) const fn new() -> Self {
        Self([0; N])
    }

    pub(crate) const fn bytes(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    /// The first bytes as text; empty if they are none, or too few.
    #[inline]
    pub(crate) fn text(&self, length: usize) -> &str {
        std::str::from_utf8(&self.0).ok().and_then(|text| text.get(..length)).unwrap_or_default()
    }
}
