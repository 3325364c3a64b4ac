//! Events to whoever named an address for them, as Standard Webhooks has it: signed, at least once, of one person or group in order. What may
//! be said of a webhook is [`decide`]'s; when something is tried again [`schedule`]'s; what is written down [`books`]'s, all three pure;
//! [`courier`] sends. A receiver that takes everything costs one row that moves on; only what it did not take has rows of its own.

pub mod books;
pub mod courier;
pub mod decide;
pub mod desk;
pub mod schedule;
pub mod sender;
pub mod shown;
pub mod signature;
