//! Text and lists that grow while a body runs: in the arena, and never past the bounds. What no longer fits is counted
//! as a breach and reported once, by `finish`.

use super::Call;
use crate::limits::{LIST_VALUES_MAX, STRING_BYTES_MAX};
use crate::value::{Failure, Value};
use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};

pub(super) struct TextBuilder<'c, 'a> {
    call: &'c Call<'a>,
    text: ArenaString<'a>,
    over: bool,
}

impl<'c, 'a> TextBuilder<'c, 'a> {
    pub(super) fn new(call: &'c Call<'a>) -> Self {
        Self::with_capacity(call, 0)
    }

    /// `bytes` is a guess.
    pub(super) fn with_capacity(call: &'c Call<'a>, bytes: usize) -> Self {
        let text = ArenaString::with_capacity_in(bytes.min(STRING_BYTES_MAX), call.arena);
        Self { call, text, over: false }
    }

    pub(super) fn push_str(&mut self, text: &str) {
        if self.over || text.len() > STRING_BYTES_MAX - self.text.len() {
            self.over = true;
        } else {
            self.text.push_str(text);
        }
    }

    pub(super) fn push(&mut self, letter: char) {
        self.push_str(letter.encode_utf8(&mut [0; 4]));
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the bound was met: a long loop may stop.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn finish_str(self) -> Result<&'a str, Failure<'a>> {
        if self.over { Err(self.call.text_too_long()) } else { Ok(self.text.into_bump_str()) }
    }

    pub(super) fn finish(self) -> Result<Value<'a>, Failure<'a>> {
        self.finish_str().map(Value::String)
    }
}

impl std::fmt::Write for TextBuilder<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push_str(text);
        if self.over { Err(std::fmt::Error) } else { Ok(()) }
    }
}

pub(super) struct ListBuilder<'c, 'a> {
    call: &'c Call<'a>,
    items: ArenaVec<'a, Value<'a>>,
    over: bool,
}

impl<'c, 'a> ListBuilder<'c, 'a> {
    pub(super) fn new(call: &'c Call<'a>) -> Self {
        Self { call, items: ArenaVec::new_in(call.arena), over: false }
    }

    /// Absent items are left out, as in every list of the language.
    pub(super) fn push(&mut self, item: Value<'a>) {
        if matches!(item, Value::Absent | Value::Null | Value::Keep) {
        } else if self.over || self.items.len() == LIST_VALUES_MAX {
            self.over = true;
        } else {
            self.items.push(item);
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn finish(self) -> Result<Value<'a>, Failure<'a>> {
        if self.over { Err(self.call.list_too_long()) } else { Ok(Value::List(self.items.into_bump_slice())) }
    }
}
