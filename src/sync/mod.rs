//! Keeping a roster in step with a directory. So far the first half of a run: what a complete read of a directory says
//! beside what is stored of it. Owns what is asked for, what counts as a change, and when absence may be concluded.
//! Refuses to write: what changed goes to `provisioning`, once runs write.

pub mod comparison;
pub mod wanted;
