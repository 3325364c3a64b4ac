//! The functions of the language, one registry. A function's name, signature, rule, examples and body stand in one
//! place; its examples are run as tests and rendered as documentation.
//!
//! Absence: unless a parameter says otherwise, an absent argument makes the call absent before the body runs.
//! A function that can fail has a twin with `?` that gives absent instead; the body is the same.

mod arguments;
mod binary;
mod build;
mod case;
mod certificate;
mod country;
mod country_table;
mod create;
mod cut;
pub(crate) mod date;
mod date_pattern;
mod dn;
pub(crate) mod identifier;
mod json;
mod list;
mod locale;
mod number;
mod order;
mod phone;
mod phone_table;
mod presence;
mod record;
pub mod reference;
mod regular;
mod rewrite;
mod short;
mod write;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod testing;

pub(crate) use case::lower_ascii;
pub use dn::Below as DnBelow;
pub(crate) use short::Short;

use crate::diagnostic::codes::Code;
use crate::types::{Type, Typed};
use crate::value::{Failure, Value};
use bumpalo::Bump;
use jiff::Timestamp;

/// All functions, in the order of the documentation.
pub fn all() -> &'static [&'static Function] {
    ALL
}

/// The function of this name (without `?`). Names have one spelling.
pub fn find(name: &str) -> Option<&'static Function> {
    ALL.iter().find(|function| function.name == name).copied()
}

/// The function whose name looks most like this one, for "did you mean"; `None` when nothing is close.
pub fn nearest(name: &str) -> Option<&'static Function> {
    let likeness = |function: &Function| strsim::jaro_winkler(name, function.name);
    let best = ALL.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= 0.8).then_some(best)
}

#[rustfmt::skip]
static ALL: &[&Function] = &[
    &presence::HAS, &presence::PRESENT, &presence::BLANK, &presence::IS_NULL, &presence::IS_STRING,
    &presence::DEFAULT, &presence::ONLY, &presence::FIRST, &presence::LAST,

    &case::LOWER, &case::UPPER, &case::TITLE, &case::SAME, &case::ASCII, &case::SLUG, &case::NFC, &case::NFKC,
    &cut::TRIM, &cut::LEN, &cut::SLICE, &cut::LEFT, &cut::RIGHT, &cut::BEFORE, &cut::AFTER, &cut::BEFORE_LAST,
    &cut::AFTER_LAST, &cut::DROP_PREFIX, &cut::DROP_SUFFIX, &cut::STARTS_WITH, &cut::ENDS_WITH, &cut::CONTAINS,
    &cut::INDEX_OF, &cut::WORD, &cut::SPLIT,
    &rewrite::JOIN, &rewrite::REPLACE, &rewrite::REPLACE_FIRST, &rewrite::STRIP_SPACES, &rewrite::SQUEEZE,
    &rewrite::PAD_LEFT, &rewrite::MASK, &rewrite::TEXT,

    &regular::CAPTURE, &regular::FIND_ALL,

    &list::COUNT, &list::UNIQUE, &list::SORT, &list::REVERSE, &list::TAKE, &list::DROP, &list::CONCAT, &list::FLATTEN,
    &list::WITHOUT, &list::INDEX, &list::SUM, &list::MIN, &list::MAX, &list::ANY, &list::EVERY, &list::LOOKUP,
    &list::NESTED,

    &dn::RDN, &dn::RDNS, &dn::PARENT, &dn::UNDER, &dn::DN_EQUAL, &dn::DN_CANONICAL, &dn::DOMAIN,

    &number::WHOLE, &number::TRUTH, &number::ROUND, &number::NUMBER_TEXT, &number::BAND, &number::BIT, &number::UAC,

    &date::PARSE, &date::FORMAT_DATE, &date::FILETIME, &date::TO_FILETIME, &date::UNIX, &date::TO_UNIX,
    &date::GENTIME, &date::TO_GENTIME, &date::ADD, &date::ADD_MONTHS, &date::DIFF, &date::DATE_ONLY, &date::EXPIRED,

    &identifier::GUID, &identifier::GUID_BYTES, &identifier::SID, &identifier::SID_RID,
    &binary::BASE64, &binary::BASE64URL, &binary::UNBASE64, &binary::HEX, &binary::UNHEX, &binary::UTF8,
    &binary::UTF16LE, &binary::DATA_URI, &binary::SHA256, &binary::HMAC, &certificate::CERT_FIELD,

    &record::MERGE, &record::PICK, &record::OMIT, &record::KEYS, &record::VALUES, &record::ZIP_RECORD, &record::PATH,
    &json::JSON_PARSE, &json::JSON_TEXT,

    &phone::E164, &country::COUNTRY, &locale::LOCALE_TAG,

    &create::UUID, &create::RANDOM_STRING,
];

/// Groups of the reference, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    Presence,
    String,
    Regex,
    List,
    DistinguishedName,
    Number,
    Date,
    Binary,
    Structure,
    PhoneAndLocale,
    CreateOnly,
}

pub struct Function {
    pub name: &'static str,
    pub group: Group,
    /// As the documentation shows it: `slice(text: string, from: int, to?: int) -> string`.
    pub signature: &'static str,
    pub parameters: &'static [Parameter],
    /// The result's type from those of the arguments (already checked against the parameters).
    pub result: fn(&[Type]) -> Type,
    /// Whether the result may be absent though no argument is.
    pub may_be_absent: bool,
    /// Has a `?` twin.
    pub fallible: bool,
    /// M011 outside a rule with `create`.
    pub create_only: bool,
    /// One sentence: what it gives, and what the surprising case is.
    pub summary: &'static str,
    pub examples: &'static [Example],
    pub body: Body,
}

/// `call` is an expression of the language, `gives` its result as JSON (`absent` for none, `error` for a failure).
pub struct Example {
    pub call: &'static str,
    pub gives: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    pub name: &'static str,
    pub accepts: Accepts,
    pub presence: Presence,
}

/// What a parameter takes; the checker inserts the conversions (json to the wanted type, guid, sid and dn to text).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    Text,
    Bool,
    Int,
    DateTime,
    Duration,
    Binary,
    Guid,
    Sid,
    FileTime,
    GenTime,
    Dn,
    Any,
    /// Any list; a single value is not one.
    List,
    TextList,
    Record,
    RecordList,
    /// A literal `/re/`.
    Regex,
    /// Text or a literal `/re/`.
    TextOrRegex,
    Table,
    /// One of these bare words: `days`, `ACCOUNTDISABLE`. Reaches the body as text.
    Word(&'static [&'static str]),
    /// A condition over each item, in which `it` is the item; only for functions the compiler knows.
    Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Absent ⇒ the call is absent.
    Required,
    /// May be left out; then the body gets [`Value::Absent`].
    Optional,
    /// The body wants to see absence itself.
    SeesAbsent,
    /// Any number of these, as the last parameter; each like `SeesAbsent`.
    Repeated,
    /// By name only (`digits: 4`), may be left out.
    Named,
}

/// How a call is carried out.
#[derive(Clone, Copy)]
pub enum Body {
    /// Gets one value per parameter (then the repeated ones), converted and present where the parameter says so.
    Native(NativeBody),
    /// From a text and perhaps another, which is what most calls are: no list of arguments is made for it.
    Text(TextBody),
    /// From two texts to a yes or no; can't fail.
    Test(TestBody),
    /// The compiler has an instruction of its own for it (`has`, `any`, `nested`, …).
    Compiled(Intrinsic),
}

pub type NativeBody = for<'a, 'c> fn(&'c Call<'a>, &'c [Value<'a>]) -> Result<Value<'a>, Failure<'a>>;
pub type TextBody = for<'a, 'c> fn(&'c Call<'a>, &'a str, Option<&'a str>) -> Result<Value<'a>, Failure<'a>>;
pub type TestBody = for<'a, 'c> fn(&'c Call<'a>, &'a str, &'a str) -> bool;

/// Functions that are instructions: they see a source attribute rather than its value, or run a condition per item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intrinsic {
    /// The source has the attribute, even null or empty.
    Has,
    Present,
    IsNull,
    /// `default(x, y)` = `x ?? y`
    Default,
    Any,
    All,
    /// The transitive groups the directory reader supplies beside `$memberOf`.
    Nested,
    /// A table over a list, or one key.
    Lookup,
}

/// What a body may use besides its arguments. Nothing ambient: time and the seed are the caller's.
pub struct Call<'a> {
    pub arena: &'a Bump,
    pub now: Timestamp,
    /// Random bytes of this run for create-only functions: `(seed, position of the call)` decide them.
    pub random: &'a dyn Fn(&mut [u8]),
    /// Secrets by name for `hmac`; `None` = unknown name.
    pub key: &'a dyn Fn(&str) -> Option<&'a [u8]>,
    /// The distinguished name that was found to read last, by where it lies.
    pub(crate) read_name: std::cell::Cell<&'a str>,
}

impl<'a> Call<'a> {
    pub fn text(&self, text: &str) -> Value<'a> {
        Value::String(self.arena.alloc_str(text))
    }

    /// A failure of this function with a message made for this entry.
    pub fn fail(&self, message: std::fmt::Arguments<'_>) -> Failure<'a> {
        let message = bumpalo::format!(in self.arena, "{}", message).into_bump_str();
        Failure { code: Code::M101, message }
    }

    /// A failure of a bound.
    pub fn over(&self, message: std::fmt::Arguments<'_>) -> Failure<'a> {
        Failure { code: Code::M190, ..self.fail(message) }
    }
}

/// The static type of a call from its function and arguments, `?` twins included.
pub fn result_of(function: &Function, optional: bool, arguments: &[Typed]) -> Typed {
    let types: Vec<Type> = arguments.iter().map(|argument| argument.ty.clone()).collect();
    let lifted = arguments
        .iter()
        .zip(function.parameters)
        .any(|(argument, parameter)| argument.may_be_absent && parameter.presence == Presence::Required);
    Typed { ty: (function.result)(&types), may_be_absent: function.may_be_absent || optional || lifted }
}
