//! Talks to directories (RFC 4511): connects, signs in, reads. Refuses to decide anything about people: it hands over
//! entries as they are, and says of every read whether it was complete.
//!
//! ```text
//!  options ──settings──► Settings ──connect──► Session ──search──► pages of Entry, then Complete or Cut
//!                                     │ │ │             │            ├─ ranges: the rest of a long attribute
//!                                     │ │ └─ root       └── Cause    ├─ identity: what names it for good
//!                                     │ └─ delta ──► Change …        └─ payload: what a mapping reads
//!                                  Failure ──advice──►     then a Verdict on what was not said
//!  a login name ──person──► the one Entry it means ──bind──► its password opened, or why not
//! ```
//!
//! `ldap3` speaks the protocol; whatever it leaves to its user is here. A task of its own drives each connection, so that
//! bytes which make it panic end that connection and nothing else. It has no limit on the size or depth of one message: so it
//! reads of nobody whose certificate was not checked (StartTLS is asked for here), and is counted from there on.

pub mod advice;
mod ber;
pub mod bind;
pub mod by_id;
pub mod connect;
pub mod delta;
pub mod dn;
pub mod entry;
pub mod failure;
pub mod group_names;
pub mod identity;
pub mod payload;
pub mod person;
mod ranges;
pub mod root;
pub mod search;
pub mod settings;
mod start_tls;
mod tls;
