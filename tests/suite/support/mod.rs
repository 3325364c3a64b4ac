//! What the tests stand on: real servers, started on free loopback ports and stopped with the test program.

pub mod binary;
pub mod postgres;
pub mod stores;
