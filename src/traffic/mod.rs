//! The flight recorder: what clients of a connection asked and were answered, who they seem to be, and for each refusal
//! what to change on the identity provider's side.
//!
//! Owns: noting exchanges off the way of a request ([`recorder`]), taking secrets out of them ([`redact`]), recognising the
//! client ([`sign`], [`source`]), and the advice ([`advice`]); all but the recorder is pure. Refuses: holding up a request,
//! storing what no limit bounds, and every password or token.

pub mod advice;
pub mod cause;
pub mod recorder;
pub mod redact;
pub mod shown;
pub mod sign;
pub mod source;
mod writer;

pub use cause::Cause;
pub use recorder::{Recorder, Seen, Stranger};
