//! Keeping a roster in step with a directory. A run surveys first: it reads everything to the end and compares it with
//! what is stored, without writing. Then [`guard`] says what of it may happen and what waits for somebody's word, and
//! only then is written, through `provisioning`, under the fencing number of the run's lease.
//!
//! Owns what is asked for, what counts as a change, when absence may be concluded and the order of a run. Refuses to
//! write a profile by itself, and to conclude anything from a part.

pub mod affected;
pub mod changes;
pub mod confirmed;
pub mod entry;
pub mod group_places;
pub mod guard;
pub mod inbox;
pub mod kind;
pub mod lease;
pub mod members;
pub mod run;
pub mod schedule;
pub mod survey;
pub mod undo;
pub mod wanted;

use crate::provisioning;
use crate::store;

/// What ended a run. Whatever was written before it stays, in whole batches, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run of this connection is under way.
    #[error("{owner} is running this sync; nothing was done. It is free {free} at the latest")]
    Busy { owner: String, free: String },
    /// The lease ran out, and somebody else took it: nothing more was written.
    #[error("the run was overtaken: it took too long between two steps, and another one began. Nothing more was written")]
    Overtaken,
    /// The directory could not be used, or not read to its end. Says what to change.
    #[error("{0}")]
    Directory(String),
    /// It was told to stop, after so many people; what was done stays, and it can be gone on with.
    #[error("stopped after {people} people; the same command goes on from there")]
    Stopped { people: u64 },
    /// It waits for somebody's word.
    #[error(
        "run {run} is held: look at `rosterd runs show {run}` and let it through with `rosterd runs confirm {run} --hash HASH`"
    )]
    Held { run: String },
    /// There is nothing to go on with.
    #[error("run {run} is {state} already")]
    Ended { run: String, state: String },
    /// The connection can't be synced as it is set up.
    #[error("{0}")]
    Setup(String),
    #[error(transparent)]
    Provisioning(#[from] provisioning::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}
