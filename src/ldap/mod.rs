//! Talks to directories (RFC 4511): connects, signs in, reads. Refuses to decide anything about people: it hands over
//! entries as they are, and says of every read whether it was complete.
//!
//! ```text
//!  options ──settings──► Settings ──connect──► Session ──search──► pages of Entry, then Complete or Cut
//!                                     │                   │            ├─ ranges: the rest of a long attribute
//!                                  Failure ──advice──►    └── Cause    ├─ identity: what names it for good
//!                                                                      └─ payload: what a mapping reads
//!  a login name ──person──► the one Entry it means ──bind──► its password opened, or why not
//! ```
//!
//! `ldap3` speaks the protocol; whatever it leaves to its user is here. A task of its own drives each connection, so that
//! bytes which make it panic end that connection and nothing else. It has no limit on one message: what is believed is
//! only said by a server whose certificate was checked, and counted from there on.

pub mod advice;
pub mod bind;
pub mod connect;
pub mod entry;
pub mod failure;
pub mod group_names;
pub mod identity;
pub mod payload;
pub mod person;
pub mod ranges;
pub mod search;
pub mod settings;
mod tls;
