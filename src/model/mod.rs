//! What is stored and its lifecycles, and the protocol-neutral [`query`]. Pure: no I/O, no protocol words.

pub mod access;
pub mod connection;
pub mod fold;
pub mod ids;
pub mod nearest;
pub mod options;
pub mod query;
pub mod tenant;
