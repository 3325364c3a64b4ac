//! Rosterd's mapping language: from what a source says to a normalised profile, declarative, typed, total and pure.
//!
//! ```text
//!  text ──syntax──► tree (lossless, for fmt) ──► ast ──check──► Plan ──eval──► Evaluation
//!                                                  │ Diagnostics              ▲      (value | absent | keep | failure per rule)
//!                                     bytes ──source::read──► Entry (slots) ──┘
//! ```
//!
//! A [`plan::Plan`] is compiled once, shared by all workers, and run per entry by an [`eval::Evaluator`], which owns
//! the arena everything of one entry lives in. [`output`] writes what came of it, [`trace`] tells how it came about,
//! [`said`] why a part of it failed, [`tester`] runs a mapping's own tests. Refuses: I/O (included files and tables come through
//! `check::Sources`), clocks and randomness (both are arguments), and knowing how a result is written: policy words
//! are carried, never acted on.
//!
//! A crate of its own so that the list of its dependencies proves that purity, and so that fuzzing and editing it
//! need no server.

pub mod ast;
pub mod check;
pub mod decode;
pub mod diagnostic;
pub mod eval;
pub mod functions;
pub mod import;
pub mod limits;
pub mod output;
pub mod pattern;
pub mod plan;
pub mod said;
pub mod shortcut;
pub mod source;
pub mod span;
pub mod syntax;
pub mod target;
pub mod tester;
pub mod trace;
pub mod types;
pub mod value;
