//! Talks to directories (RFC 4511). Refuses to decide anything about people.

pub mod settings;
