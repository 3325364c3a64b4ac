//! The bulk request (RFC 7644 §3.7): its shape, what its operations refer to, and the order they run in. Knows nothing
//! of what an operation does.
//!
//! A request is taken apart without being built: the data of an operation stays a piece of the body's text until its turn
//! comes and is then read like the body of a request of its own. So a large request costs little more than its length,
//! and what is wrong with one operation is the error of that one.

pub mod message;
pub mod order;
pub mod references;
mod unread;

#[cfg(test)]
mod tests;
