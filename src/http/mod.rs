//! What every HTTP edge shares: request ids, logs and numbers per request, bounded bodies, bearer tokens, limits.
//!
//! Refuses: knowing a protocol. An edge gives these refusals its own wire form; only [`refusal`] has one by itself,
//! for what is turned away before any edge sees it.

pub mod authenticate;
pub mod bearer;
pub mod body;
pub mod client_address;
pub mod observe;
pub mod page;
pub mod rate;
pub mod refusal;
pub mod request_id;
pub mod same_origin;
