//! Shortcuts: the shapes that rules mostly have, as typed instructions of their own. A text instruction gives a text and
//! nothing else, so no kind is looked at between two of them, and what would be five nodes is one step. Made from the
//! nodes when a plan is compiled ([`find`]); run by [`crate::eval`].
//!
//! A shortcut never decides anything in its own way: whatever it does not expect (another kind of value, a text that
//! needs a close look, a bound in reach) it leaves, and the rule's nodes run instead. So there is one meaning, in the
//! nodes, and a shortcut can't fail. It never takes more steps of an entry's fuel than its nodes would.

mod find;

pub use find::DEPTH_MAX;

use crate::functions::{DnBelow, TestBody, TextBody};
use crate::plan::{NodeId, Plan, SlotId};

/// Of one plan.
#[derive(Debug, Default)]
pub struct Shortcuts {
    /// In the order of evaluation.
    steps: Box<[Option<Step>]>,
    /// By let, those that are text.
    lets: Box<[Option<Text>]>,
}

impl Shortcuts {
    /// Those there are in a plan that is complete but for them.
    pub fn of(plan: &Plan) -> Self {
        find::all(plan)
    }

    /// Of the rule that is this far in the order of evaluation.
    #[inline]
    pub fn step(&self, position: usize) -> Option<&Step> {
        self.steps.get(position)?.as_ref()
    }

    #[inline]
    pub fn bound(&self, index: u16) -> Option<&Text> {
        self.lets.get(usize::from(index))?.as_ref()
    }

    /// Targets of the rules that have one, for tests and for the curious.
    pub fn targets<'p>(&'p self, plan: &'p Plan) -> impl Iterator<Item = &'p str> {
        let with_step = plan.order.iter().zip(&self.steps).filter(|(_, step)| step.is_some());
        with_step.filter_map(|(rule, _)| plan.rules.get(usize::from(*rule))).map(|rule| &*rule.target)
    }
}

/// A rule that is no more than its value: without `when`, `check` and `max`.
#[derive(Debug)]
pub struct Step {
    pub shortcut: Shortcut,
    /// To give nothing, or an empty text, is a failure.
    pub is_wanted: bool,
}

#[derive(Debug)]
pub enum Shortcut {
    Text(Text),
    List(List),
    Truth(Truth),
}

/// A text or nothing.
#[derive(Debug)]
pub enum Text {
    Nothing,
    /// Never empty.
    Constant(Box<str>),
    Slot(SlotId),
    Let {
        index: u16,
        node: NodeId,
    },
    /// A function of one text, its other argument literal.
    Call {
        of: Box<Text>,
        link: Link,
    },
    Replace {
        of: Box<Text>,
        regex: u16,
        /// As it stands.
        by: Box<str>,
    },
    Template(Box<[Text]>),
    /// `??`
    Either {
        left: Box<Text>,
        right: Box<Text>,
        /// The `??` and its right side, for traces.
        node: NodeId,
        right_node: NodeId,
    },
    /// `if needle in [literals] then absent else of`
    Unless {
        needle: Box<Text>,
        set: u16,
        of: Box<Text>,
    },
    /// `table[key]`
    Row {
        table: u16,
        key: Box<Text>,
    },
    /// From 16 bytes in base64.
    Guid(Box<Text>),
    /// From bytes in base64.
    Sid(Box<Text>),
    /// From bytes in base64: they stay as they came.
    DataUri {
        bytes: Box<Text>,
        /// `data:image/jpeg;base64,`
        head: Box<str>,
    },
    /// From Windows ticks to RFC 3339, whole seconds.
    FileTime(Box<Text>),
}

/// A call on one text, literals beside it. The usual ones are known by name, so that they are compiled into the loop.
#[derive(Debug)]
pub enum Link {
    Lower(TextBody),
    DropPrefix(Box<str>),
    Other { body: TextBody, other: Option<Box<str>> },
}

#[derive(Debug)]
pub enum List {
    /// A function from one text to a list: `rdns`.
    Call { of: Text, body: TextBody, other: Box<str> },
    /// A comprehension over all values of an attribute.
    Each { slot: SlotId, test: Option<Test>, links: Box<[Link]>, unique: bool },
    /// `[ g.rdn(kind) for g in … if g.under(base) ]`: one pass over each name.
    Below { slot: SlotId, under: TestBody, rdn: TextBody, below: Box<DnBelow>, unique: bool },
    /// `list ?? absent`
    OrNothing { list: Box<List>, node: NodeId, right_node: NodeId },
}

#[derive(Debug)]
pub enum Test {
    StartsWith(Box<str>),
    Other { body: TestBody, other: Box<str> },
}

#[derive(Debug)]
pub enum Truth {
    /// `present($x)`
    HasValue(SlotId),
    /// `bit($x, n)` of a number in text.
    Bit { of: Text, mask: i64 },
}
