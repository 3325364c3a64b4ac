//! One entry of a source as the plan sees it: a slot per attribute the mapping reads, everything else skipped while
//! decoding. Owns the slots; how bytes become slots is the readers'.

use crate::value::Value;

/// What the source says of one attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Slot<'a> {
    #[default]
    Missing,
    Null,
    /// Present without a value: `""` or `[]`.
    Empty,
    One(Value<'a>),
    /// Two values or more, in source order.
    Many(&'a [Value<'a>]),
}

/// The slots of one entry, by number ([`crate::plan::Plan::slots`]).
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub slots: &'a [Slot<'a>],
}
