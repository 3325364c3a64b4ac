//! A compiled mapping: a flat arena of instructions over attribute slots. Owns the instruction set, the contract
//! between checker and evaluator. Every conversion is an instruction of its own, so the evaluator knows no types.
//! `Send + Sync`, immutable; shared by all workers behind an `Arc`.

use crate::diagnostic::codes::Code;
use crate::functions::Function;
use crate::span::Span;
use crate::target::{Absent, Kind, Merge, WritePolicy};
use crate::types::Typed;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

pub type NodeId = u32;
pub type SlotId = u16;

/// Found by a text that the author of the mapping wrote down: nobody else can choose keys that collide.
pub type ByText<T> = HashMap<Box<str>, T, foldhash::fast::FixedState>;

#[derive(Debug)]
pub struct Plan {
    pub name: Box<str>,
    pub from: Kind,
    pub to: Kind,
    /// What the mapping reads of an entry, by slot number. The read set to push down into an LDAP search.
    pub slots: Vec<SlotSpec>,
    pub nodes: Vec<Node>,
    /// Where each node was written, for traces and failures; as long as `nodes`.
    pub spans: Vec<Span>,
    /// Evaluated at most once per entry, on first use: [`Node::Let`] is an index into this.
    pub lets: Vec<(Box<str>, NodeId)>,
    /// In order; the first that holds ends the run.
    pub gates: Vec<Gate>,
    /// In the order of the text (inherited ones first).
    pub rules: Vec<Rule>,
    /// Indexes into `rules` in the order of evaluation, so that `new.x` is there when it is read.
    pub order: Vec<u16>,
    pub tables: Vec<Table>,
    pub regexes: Vec<crate::value::Regex>,
    /// Sets of literal text for `in`.
    pub sets: Vec<ByText<()>>,
    /// Paths into the stored profile that `old.…` reads.
    pub old: Vec<Box<[Box<str>]>>,
    /// Loop variables alive at once; [`Node::Local`] indexes them.
    pub locals: u16,
    /// Made last, from all the rest. A plan without any does the same, slower.
    pub shortcuts: crate::shortcut::Shortcuts,
    /// The texts, by [`crate::span::FileId`]: name and contents.
    pub files: Vec<(Box<str>, Box<str>)>,
}

impl Plan {
    /// The text at a place, as written.
    pub fn text_at(&self, span: Span) -> &str {
        self.files.get(usize::from(span.file.0)).and_then(|(_, text)| text.get(span.range())).unwrap_or_default()
    }
}

/// One attribute the mapping reads.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotSpec {
    /// As the source names it (prefix expanded). `$dn`, `$all`, `$name_id` and the like are pseudo-attributes.
    pub name: Box<str>,
    pub ty: Typed,
    pub list: bool,
    pub sensitive: bool,
    /// For `nested($x[*])`: the transitive values the reader supplies.
    pub nested: bool,
}

#[derive(Debug)]
pub struct Gate {
    pub deny: bool,
    pub condition: NodeId,
    /// Text.
    pub reason: NodeId,
    pub span: Span,
    pub line: u32,
}

#[derive(Debug)]
pub struct Rule {
    /// `email`, `app_metadata.title`; segments joined by `.`.
    pub target: Box<str>,
    pub path: Box<[Box<str>]>,
    pub span: Span,
    /// Line in the file of `span`, from 1.
    pub line: u32,
    pub value: RuleValue,
    /// `false` ⇒ keep.
    pub condition: Option<NodeId>,
    /// What the target wants; `value` has been converted to it.
    pub ty: Typed,
    pub policy: Option<WritePolicy>,
    pub absent: Absent,
    pub merge: Merge,
    pub required: bool,
    pub sensitive: bool,
    /// More than one value where one is taken is a failure.
    pub strict: bool,
    pub max_bytes: Option<u64>,
    pub checks: Vec<Check>,
    /// Modifiers of outgoing targets: `format`, `friendly`, `name_format`, `scope`, `in`, as written.
    pub attributes: Vec<(Box<str>, Box<str>)>,
}

#[derive(Debug)]
pub enum RuleValue {
    Expr(NodeId),
    /// Text each; the store is asked which is unused.
    FirstFree(Box<[NodeId]>),
}

#[derive(Debug)]
pub struct Check {
    /// A condition over [`Node::It`], the value (or each item of a list).
    pub condition: NodeId,
    /// What to say when it does not hold.
    pub message: Box<str>,
}

#[derive(Debug)]
pub struct Table {
    pub name: Box<str>,
    /// Keys are text; an int or bool key is its text.
    pub rows: ByText<Constant>,
    pub otherwise: TableElse,
}

/// One table of a plan is one table.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

#[derive(Debug)]
pub enum TableElse {
    Value(Constant),
    Absent,
    Key,
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    Absent,
    Keep,
    Bool(bool),
    Int(i64),
    String(Box<str>),
    Binary(Box<[u8]>),
    DateTime(Timestamp),
    Duration(SignedDuration),
}

#[derive(Debug)]
pub enum Node {
    Constant(Constant),
    /// The first value of a slot; counts as N01 (or fails, `strict`) when there are several.
    One {
        slot: SlotId,
        strict: bool,
    },
    /// All values of a slot, as a list; missing is the empty list.
    All(SlotId),
    /// The slot has the attribute at all (null and empty included).
    Has(SlotId),
    /// The slot holds JSON null.
    SlotIsNull(SlotId),
    /// The value is JSON null (`is_null` on anything but a slot).
    IsNull(NodeId),
    Let(u16),
    Local(u16),
    /// The item of `any`/`all`, or the value under a `check`.
    It,
    Now,
    /// `new.x`: the result of a rule, absent when it has none.
    New(u16),
    /// `old.x`: an index into [`Plan::old`].
    Old(u16),
    /// A record's member; over a list, the projection.
    Field(NodeId, Box<str>),
    /// A list's item; negative counts from the end.
    Item(NodeId, NodeId),
    /// A record's member by a computed name.
    Member(NodeId, NodeId),
    /// Items (bound to a local) for which the condition holds.
    Filter {
        list: NodeId,
        local: u16,
        condition: NodeId,
    },
    /// One fused loop: for each of `list` that `condition` lets through, `item`; absent items drop out; with
    /// `unique`, repeated ones as well.
    Comprehension {
        list: NodeId,
        local: u16,
        condition: Option<NodeId>,
        item: NodeId,
        unique: bool,
    },
    Any {
        list: NodeId,
        condition: NodeId,
    },
    Every {
        list: NodeId,
        condition: NodeId,
    },
    List(Box<[NodeId]>),
    Record(Box<[(Box<str>, NodeId)]>),
    /// Parts are text; one that is absent makes the whole absent unless `optional`.
    Template(Box<[Part]>),
    Not(NodeId),
    And(NodeId, NodeId),
    Or(NodeId, NodeId),
    /// `??`: the left if present (not absent, null, `""`, `[]`), else the right. A literal `""` counts as a value.
    Coalesce(NodeId, NodeId),
    If {
        condition: NodeId,
        then: NodeId,
        otherwise: NodeId,
    },
    Match {
        subject: NodeId,
        arms: Box<[Arm]>,
        otherwise: NodeId,
    },
    Compare {
        operator: Comparison,
        left: NodeId,
        right: NodeId,
    },
    /// Text against a regex of the plan.
    Matches {
        text: NodeId,
        regex: u16,
    },
    /// `like "West*"`, compiled to a regex: only `*` and `?` are special, case counts.
    In {
        needle: NodeId,
        list: NodeId,
    },
    /// `x in ["a", "b"]` of literals.
    InSet {
        needle: NodeId,
        set: u16,
    },
    /// Text, list, int, datetime or duration by what the operands turn out to be.
    Add(NodeId, NodeId),
    Subtract(NodeId, NodeId),
    Negative(NodeId),
    Lookup {
        table: u16,
        key: NodeId,
    },
    /// Keys of a list; those without a row drop out unless the table says otherwise.
    LookupAll {
        table: u16,
        keys: NodeId,
    },
    Call {
        function: &'static Function,
        arguments: Box<[NodeId]>,
        optional: bool,
    },
    /// A table or a regex as an argument.
    RegexArgument(u16),
    TableArgument(u16),
    Present(NodeId),
    Convert {
        to: Conversion,
        value: NodeId,
        optional: bool,
    },
    /// Applies a conversion to each item of a list.
    ConvertEach {
        to: Conversion,
        list: NodeId,
    },
}

impl Node {
    /// Calls `f` with every node this one may evaluate itself; a [`Node::Let`] and a [`Node::New`] refer elsewhere.
    pub fn each_child(&self, mut f: impl FnMut(NodeId)) {
        match self {
            Self::IsNull(a)
            | Self::Field(a, _)
            | Self::Not(a)
            | Self::Negative(a)
            | Self::Present(a)
            | Self::Matches { text: a, .. }
            | Self::InSet { needle: a, .. }
            | Self::Lookup { key: a, .. }
            | Self::LookupAll { keys: a, .. }
            | Self::Convert { value: a, .. }
            | Self::ConvertEach { list: a, .. } => f(*a),
            Self::Item(a, b)
            | Self::Member(a, b)
            | Self::Filter { list: a, condition: b, .. }
            | Self::Any { list: a, condition: b }
            | Self::Every { list: a, condition: b }
            | Self::And(a, b)
            | Self::Or(a, b)
            | Self::Coalesce(a, b)
            | Self::Compare { left: a, right: b, .. }
            | Self::In { needle: a, list: b }
            | Self::Add(a, b)
            | Self::Subtract(a, b) => {
                f(*a);
                f(*b);
            }
            Self::Comprehension { list, condition, item, .. } => {
                f(*list);
                condition.iter().for_each(|condition| f(*condition));
                f(*item);
            }
            Self::If { condition, then, otherwise } => [condition, then, otherwise].into_iter().for_each(|id| f(*id)),
            Self::Match { subject, arms, otherwise } => {
                f(*subject);
                for arm in arms {
                    arm.guard.iter().for_each(|guard| f(*guard));
                    f(arm.value);
                }
                f(*otherwise);
            }
            Self::List(items) => items.iter().for_each(|id| f(*id)),
            Self::Call { arguments, .. } => arguments.iter().for_each(|id| f(*id)),
            Self::Record(members) => members.iter().for_each(|(_, id)| f(*id)),
            Self::Template(parts) => parts.iter().for_each(|part| {
                if let Part::Hole { value, .. } = part {
                    f(*value);
                }
            }),
            Self::Constant(_)
            | Self::One { .. }
            | Self::All(_)
            | Self::Has(_)
            | Self::SlotIsNull(_)
            | Self::Let(_)
            | Self::Local(_)
            | Self::It
            | Self::Now
            | Self::New(_)
            | Self::Old(_)
            | Self::RegexArgument(_)
            | Self::TableArgument(_) => {}
        }
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[derive(Debug)]
pub struct Arm {
    pub patterns: Box<[Pattern]>,
    pub guard: Option<NodeId>,
    pub value: NodeId,
}

#[derive(Debug)]
pub enum Pattern {
    Equals(Constant),
    Range(Constant, Constant),
    Regex(u16),
    Absent,
}

#[derive(Debug)]
pub enum Part {
    Text(Box<str>),
    Hole { value: NodeId, optional: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// From what a source gave to what the place wants. Each looks at the value it gets: a reader may have decoded already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// Source text (LDAP `"514"`) or JSON number to int; a fraction fails.
    Int,
    /// `TRUE`, `FALSE` of LDAP, or a JSON boolean.
    Bool,
    /// JSON text; a number or boolean fails (use `text(x)`).
    Text,
    /// A literal's or number's text, for templates.
    Display,
    /// JSON list; one value is a list of one, null and missing are empty.
    List,
    Record,
    /// Bytes from bytes, or from base64 text (the JSON form of an entry).
    Binary,
    /// 16 bytes, base64 of them, or dashed text, to dashed lower-case text.
    GuidText,
    GuidBytes,
    SidText,
    SidBytes,
    /// Filetime ticks to datetime; never is absent.
    FileTimeToDateTime,
    GenTimeToDateTime,
    /// RFC 3339 text to datetime.
    TextToDateTime,
    /// RFC 3339 text of a datetime.
    DateTimeToText,
    /// ISO 8601 text of a duration.
    DurationToText,
    /// Base64 of bytes: what JSON holds.
    BinaryToText,
    /// One value as a list of one; absent as the empty list.
    Wrap,
}

/// What one rule gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Given<'a> {
    Value(crate::value::Value<'a>),
    Absent,
    Keep,
    /// Candidates of `first_free`, in order.
    FirstFree(&'a [&'a str]),
    Failed {
        failure: crate::value::Failure<'a>,
        node: NodeId,
    },
}

/// The result of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation<'a> {
    pub gate: Option<GateHit<'a>>,
    /// One per rule of the plan, in its order; empty when a gate held.
    pub given: &'a [Given<'a>],
    /// Slots of which several values were there and one was taken (N01).
    pub several: &'a [SlotId],
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateHit<'a> {
    pub gate: u16,
    pub reason: &'a str,
    /// The condition could not be decided. The run ends all the same (a `deny` that can't be decided lets nobody in),
    /// but nothing may be taken away from anybody for it.
    pub failure: Option<crate::value::Failure<'a>>,
    /// The rule for `blocked` says true all the same: what is left out of an entry is no reason to let its person stay.
    pub bars: bool,
}

/// The code a failed rule carries into logs.
pub fn failure_code(given: &Given<'_>) -> Option<Code> {
    match given {
        Given::Failed { failure, .. } => Some(failure.code),
        _ => None,
    }
}
