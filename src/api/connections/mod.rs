//! `/connections/…`

pub(super) mod traffic;
