//! What leaves the store after a commit. Owns the order readers follow ([`sequencer`]), what they are told ([`envelope`], [`reader`]) and
//! the ways it goes: parts of the feed by [`cursor`], streams ([`streams`] says how many), [`webhooks`]. Refuses to change anything about
//! users or groups.

pub mod cursor;
pub mod envelope;
pub mod reader;
pub mod sequencer;
pub mod streams;
pub mod webhooks;
