//! Pages by checkpoint: `from` (what an earlier answer gave as `next`) and `take`. A checkpoint is sealed, so that nobody can
//! make one up, and belongs to one list of one tenant.

use super::call::Call;
use super::problem::Problem;

/// Entries of a page if the caller doesn't say, and at most.
const TAKE_DEFAULT: i64 = 50;
const TAKE_MAX: i64 = 100;
/// Longest checkpoint that is looked at.
const CHECKPOINT_CHARS_MAX: usize = 512;

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The key after which the page begins; empty at the beginning.
    pub(super) after: String,
    pub(super) take: i64,
}

impl Page {
    /// # Errors
    /// 400 for a number out of range, and for a checkpoint that is altered, or of another list.
    pub(super) fn of(call: &Call<'_>, list: &str) -> Result<Self, Problem> {
        let take = match call.parameter("take") {
            None => TAKE_DEFAULT,
            Some(text) => text.parse().ok().filter(|take| (1..=TAKE_MAX).contains(take)).ok_or_else(|| {
                Problem::query(format!("Query validation error: 'take' must be a whole number from 1 to {TAKE_MAX}"))
            })?,
        };
        let after = match call.parameter("from") {
            None => String::new(),
            Some(text) => opened(call, list, text).ok_or_else(|| {
                Problem::query("Query validation error: 'from' must be the 'next' of an earlier page of this list")
            })?,
        };
        Ok(Self { after, take })
    }

    /// The checkpoint behind the entry with this key.
    pub(super) fn next(call: &Call<'_>, list: &str, key: &str) -> String {
        call.api.keys.seal_text(key.as_bytes(), &place(call, list), &call.api.entropy)
    }
}

fn opened(call: &Call<'_>, list: &str, text: &str) -> Option<String> {
    if text.len() > CHECKPOINT_CHARS_MAX {
        return None;
    }
    let opened = call.api.keys.open_text(text, &place(call, list)).ok()?;
    String::from_utf8(opened.expose().clone()).ok()
}

fn place(call: &Call<'_>, list: &str) -> String {
    format!("api page {} {list}", call.tenant)
}
