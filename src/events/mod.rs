//! What leaves the store after a commit. Owns the order readers follow ([`sequencer`]); delivery joins here later.
//! Refuses to change anything about users or groups.

pub mod sequencer;
