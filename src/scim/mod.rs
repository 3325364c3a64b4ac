//! SCIM 2.0 (RFC 7643, 7644). Everything but [`http`] is the pure protocol: text and JSON in, values out; it
//! knows no store. [`http`] is the thin layer that authenticates, calls `provisioning` and the store, and answers.

pub mod bulk;
pub mod error;
pub mod filter;
pub mod json;
pub mod list;
pub mod mode;
pub mod order;
pub mod patch;
pub mod path;
pub mod projection;
pub mod resource;
pub mod schema;

pub mod http;
