//! Parts of lists. By checkpoint: `from` (what an earlier answer gave as `next`) and `take`; a checkpoint is sealed, so that nobody
//! can make one up, and belongs to one list of one tenant. By offset: `page`, `per_page`, `include_totals`, as far as [`REACH`].
//! And of each entry the members that `fields` names.

use super::call::Call;
use super::problem::Problem;
use serde_json::{Value, json};

/// Entries of a page if the caller doesn't say, and at most.
const TAKE_DEFAULT: i64 = 50;
const TAKE_MAX: i64 = 100;
/// How far offsets lead, whatever there is.
const REACH: i64 = 1_000;
/// Longest checkpoint that is looked at.
const CHECKPOINT_CHARS_MAX: usize = 1_024;

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
        let take = take(call)?;
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

/// How many entries are asked for.
///
/// # Errors
/// 400 for a number out of range.
pub(super) fn take(call: &Call<'_>) -> Result<i64, Problem> {
    let Some(text) = call.parameter("take") else { return Ok(TAKE_DEFAULT) };
    text.parse()
        .ok()
        .filter(|take| (1..=TAKE_MAX).contains(take))
        .ok_or_else(|| Problem::query(format!("Query validation error: 'take' must be a whole number from 1 to {TAKE_MAX}")))
}

/// Which part of a list is asked for by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    pub(super) page: i64,
    pub(super) per_page: i64,
    totals: bool,
}

impl Offset {
    /// `None`: the part is asked for by checkpoint.
    ///
    /// # Errors
    /// 400 for a number out of range, and beyond [`REACH`].
    pub(super) fn of(call: &Call<'_>) -> Result<Option<Self>, Problem> {
        if call.parameter("from").is_some() || call.parameter("take").is_some() {
            return Ok(None);
        }
        Self::by_number(call).map(Some)
    }

    /// The same of a list that has no other way.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn by_number(call: &Call<'_>) -> Result<Self, Problem> {
        let number = |name: &str, default: i64, least: i64, most: i64| match call.parameter(name) {
            None => Ok(default),
            Some(text) => text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
                Problem::query(format!("Query validation error: '{name}' must be a whole number from {least} to {most}"))
            }),
        };
        let (page, per_page) = (number("page", 0, 0, 1_000_000)?, number("per_page", TAKE_DEFAULT, 1, TAKE_MAX)?);
        if (page + 1) * per_page > REACH {
            let message = format!("pages by number reach the first {REACH} entries; beyond them go by 'take' and 'from'");
            return Err(Problem::paging(message));
        }
        Ok(Self { page, per_page, totals: call.flag("include_totals")? })
    }

    /// Whether it is asked how many there are in all.
    pub(super) const fn wants_total(self) -> bool {
        self.totals
    }

    /// Whether the number of all is asked for.
    pub(super) const fn has_totals(self) -> bool {
        self.totals
    }

    pub(super) const fn start(self) -> i64 {
        self.page * self.per_page
    }

    /// The entries as they are, or under `key` with how many there are in all.
    pub(super) fn answer(self, key: &str, entries: Vec<Value>, total: i64) -> Value {
        if !self.totals {
            return Value::Array(entries);
        }
        let mut answer = json!({ "start": self.start(), "limit": self.per_page, "length": entries.len(), "total": total });
        answer[key] = Value::Array(entries);
        answer
    }
}

/// `entry` with the root members that `fields` names, or without them (`include_fields=false`).
///
/// # Errors
/// 400 if `include_fields` is neither `true` nor `false`.
pub(super) fn with_fields(call: &Call<'_>, mut entry: Value) -> Result<Value, Problem> {
    let include = call.parameter("include_fields").is_none() || call.flag("include_fields")?;
    if let (Some(fields), Some(members)) = (call.parameter("fields"), entry.as_object_mut()) {
        members.retain(|name, _| fields.split(',').any(|field| field.trim() == name) == include);
    }
    Ok(entry)
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
