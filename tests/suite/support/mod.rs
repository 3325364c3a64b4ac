//! What the integration tests share: a running gateway, the rows behind it, and recorded sequences replayed
//! against both. Nothing here asserts a rule of the product; the tests and the fixtures do.

#![allow(dead_code, reason = "every test module uses its own part")]

pub mod gateway;
pub mod matching;
pub mod postgres;
pub mod rows;
pub mod sequence;
pub mod wire;
