//! Reading the arguments of a call. The checker has seen to their types; what only shows while running (a JSON member
//! of another kind) fails with M102 and names both kinds, never the value.

use super::Call;
use crate::diagnostic::codes::Code;
use crate::limits::{LIST_VALUES_MAX, STRING_BYTES_MAX};
use crate::value::{Failure, Value};
use jiff::{SignedDuration, Timestamp};

/// Of a set of separators, `title` and `word`.
const MARKS_BYTES_MAX: usize = 256;

macro_rules! reader {
    ($name:ident, $variant:ident, $ty:ty, $wants:literal) => {
        #[doc = concat!("The argument in this place: ", $wants, ".")]
        pub(super) fn $name(&self, arguments: &[Value<'a>], place: usize) -> Result<$ty, Failure<'a>> {
            match arguments.get(place) {
                Some(Value::$variant(value)) => Ok(*value),
                other => Err(self.wrong_kind($wants, other)),
            }
        }
    };
}

impl<'a> Call<'a> {
    reader!(string, String, &'a str, "text");
    reader!(int, Int, i64, "an integer");
    reader!(bytes, Binary, &'a [u8], "binary");
    reader!(list, List, &'a [Value<'a>], "a list");
    reader!(record, Record, &'a [(&'a str, Value<'a>)], "a record");
    reader!(instant, DateTime, Timestamp, "a datetime");
    reader!(duration, Duration, SignedDuration, "a duration");

    pub(super) fn optional_string(&self, arguments: &[Value<'a>], place: usize) -> Result<Option<&'a str>, Failure<'a>> {
        if is_given(arguments, place) { self.string(arguments, place).map(Some) } else { Ok(None) }
    }

    pub(super) fn optional_int(&self, arguments: &[Value<'a>], place: usize) -> Result<Option<i64>, Failure<'a>> {
        if is_given(arguments, place) { self.int(arguments, place).map(Some) } else { Ok(None) }
    }

    /// A set of characters each of which is a mark: few, as every character of a text is looked up in it.
    pub(super) fn optional_marks(&self, arguments: &[Value<'a>], place: usize) -> Result<Option<&'a str>, Failure<'a>> {
        match self.optional_string(arguments, place)? {
            Some(marks) if marks.len() > MARKS_BYTES_MAX => {
                Err(self.over(format_args!("more than {MARKS_BYTES_MAX} bytes of separators")))
            }
            marks => Ok(marks),
        }
    }

    pub(crate) fn wrong_kind(&self, wants: &str, got: Option<&Value<'a>>) -> Failure<'a> {
        let got = got.map_or("nothing", Value::kind);
        Failure { code: Code::M102, ..self.fail(format_args!("wants {wants}, this is {got}")) }
    }

    pub(super) fn text_too_long(&self) -> Failure<'a> {
        self.over(format_args!("text longer than {STRING_BYTES_MAX} bytes"))
    }

    pub(super) fn list_too_long(&self) -> Failure<'a> {
        self.over(format_args!("list of more than {LIST_VALUES_MAX} values"))
    }
}

fn is_given(arguments: &[Value<'_>], place: usize) -> bool {
    !matches!(arguments.get(place), None | Some(Value::Absent | Value::Null))
}
