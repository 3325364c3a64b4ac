//! The integration tests: one binary, so that it links once. A module per capability.

mod idp_sequences;
mod support;
