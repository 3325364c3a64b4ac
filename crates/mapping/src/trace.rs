//! What a run did, for people: per rule what it gave, what it read and which fallback it took. Plain data; how it looks
//! is the command line's. Sensitive values are redacted here, so that no renderer can forget to.

use crate::diagnostic::codes::Code;
use crate::eval::{Trace, rule};
use crate::output::write_value;
use crate::plan::{Evaluation, Given, NodeId, Plan, Rule, RuleValue, SlotId};
use crate::source::Names;
use crate::span::Span;
use crate::target::WritePolicy;
use crate::value::Value;

/// What is shown in place of a sensitive value.
pub const REDACTED: &str = "‹redacted›";
/// Characters of a value that are shown.
pub const EXCERPT_CHARS: usize = 80;

/// A traced run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub gate: Option<GateReport>,
    /// In the order of the text; empty when a gate held.
    pub rules: Vec<RuleReport>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GateReport {
    pub deny: bool,
    pub line: u32,
    pub reason: String,
    /// The condition could not be decided: the code.
    pub failed: Option<Code>,
    /// The rule for `blocked` gives true all the same.
    pub bars: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RuleReport {
    pub target: String,
    /// In the file of this number ([`Plan::files`]).
    pub file: u16,
    pub line: u32,
    /// The expression as written.
    pub text: String,
    pub gave: Gave,
    pub policy: Option<WritePolicy>,
    /// In the order of reading, each attribute once.
    pub reads: Vec<Read>,
    pub fallbacks: Vec<Fallback>,
    /// N01 where one of several values was taken.
    pub notes: Vec<Code>,
    /// For a list made of one attribute's values: how many of how many came through.
    pub kept: Option<(usize, usize)>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Gave {
    /// JSON text, cut to [`EXCERPT_CHARS`].
    Value(String),
    Absent,
    Keep,
    FirstFree(Vec<String>),
    Failed {
        code: Code,
        message: String,
        at: Span,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub attribute: String,
    /// The first value as JSON text (index 0), if there is one.
    pub first: Option<String>,
    pub count: usize,
}

/// A `??` whose left side gave nothing: both sides as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallback {
    pub absent: String,
    pub taken: String,
}

/// Collects while a run goes on; [`Self::report`] afterwards.
#[derive(Debug)]
pub struct WithTrace<'p> {
    plan: &'p Plan,
    rules: Vec<Collected>,
    gates: Collected,
    current: Option<u16>,
    /// What the finished lets did, told again to every rule that uses them.
    lets: Vec<Collected>,
    /// The lets being computed.
    open: Vec<u16>,
}

#[derive(Clone, Debug, Default)]
struct Collected {
    reads: Vec<(SlotId, Option<String>, usize)>,
    fallbacks: Vec<(NodeId, NodeId)>,
}

impl Collected {
    fn read(&mut self, slot: SlotId, first: Option<String>, count: usize) {
        if !self.reads.iter().any(|(known, ..)| *known == slot) {
            self.reads.push((slot, first, count));
        }
    }

    fn fell_back(&mut self, node: NodeId, right: NodeId) {
        if !self.fallbacks.contains(&(node, right)) {
            self.fallbacks.push((node, right));
        }
    }

    fn absorb(&mut self, other: Self) {
        other.reads.into_iter().for_each(|(slot, first, count)| self.read(slot, first, count));
        other.fallbacks.into_iter().for_each(|(node, right)| self.fell_back(node, right));
    }
}

impl<'p> WithTrace<'p> {
    pub fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            rules: vec![Collected::default(); plan.rules.len()],
            gates: Collected::default(),
            current: None,
            lets: vec![Collected::default(); plan.lets.len()],
            open: Vec::new(),
        }
    }

    fn scope(&mut self) -> &mut Collected {
        match (self.open.last(), self.current) {
            (Some(index), _) => &mut self.lets[usize::from(*index)],
            (None, Some(rule)) => &mut self.rules[usize::from(rule)],
            (None, None) => &mut self.gates,
        }
    }

    /// What happened, with the results of the same run.
    pub fn report(self, evaluation: &Evaluation<'_>) -> Report {
        let plan = self.plan;
        let gate = evaluation.gate.map(|hit| {
            let gate = &plan.gates[usize::from(hit.gate)];
            let failed = hit.failure.map(|failure| failure.code);
            GateReport { deny: gate.deny, line: gate.line, reason: hit.reason.to_owned(), failed, bars: hit.bars }
        });
        let rules = self.rules.into_iter().zip(evaluation.given).enumerate();
        Report { gate, rules: rules.map(|(index, (did, given))| rule_report(plan, index, did, given)).collect() }
    }
}

impl Trace for WithTrace<'_> {
    fn rule(&mut self, rule: u16) {
        self.current = Some(rule);
    }

    fn read(&mut self, slot: SlotId, first: Option<&Value<'_>>, count: usize) {
        let spec = &self.plan.slots[usize::from(slot)];
        let first = first.map(|value| if spec.sensitive { REDACTED.to_owned() } else { excerpt(*value) });
        self.scope().read(slot, first, count);
    }

    fn fallback(&mut self, node: NodeId, right: NodeId) {
        self.scope().fell_back(node, right);
    }

    fn let_begins(&mut self, index: u16) {
        self.open.push(index);
    }

    fn let_ends(&mut self, index: u16) {
        self.open.pop();
        self.let_used(index);
    }

    fn let_used(&mut self, index: u16) {
        let did = self.lets[usize::from(index)].clone();
        self.scope().absorb(did);
    }
}

/// Whether what the rule gives is not to be shown: it is marked `sensitive`, or made of something that is.
pub fn hides(plan: &Plan, rule: &Rule) -> bool {
    rule.sensitive || rule::sensitive(plan, rule::roots(rule))
}

fn rule_report(plan: &Plan, index: usize, did: Collected, given: &Given<'_>) -> RuleReport {
    let rule = &plan.rules[index];
    let hidden = hides(plan, rule);
    let shown = |value: Value<'_>| if hidden { REDACTED.to_owned() } else { excerpt(value) };
    let gave = match given {
        Given::Value(value) => Gave::Value(shown(*value)),
        Given::Absent => Gave::Absent,
        Given::Keep => Gave::Keep,
        Given::FirstFree(texts) => Gave::FirstFree(texts.iter().map(|text| shown(Value::String(text))).collect()),
        Given::Failed { failure, node } => Gave::Failed {
            code: failure.code,
            message: failure.message.to_owned(),
            at: plan.spans.get(*node as usize).copied().unwrap_or(rule.span),
        },
    };
    let kept = match (given, did.reads.as_slice()) {
        (Given::Value(Value::List(items)), [(_, _, count)]) => Some((items.len(), *count)),
        _ => None,
    };
    let several = |(slot, _, count): &(SlotId, Option<String>, usize)| *count > 1 && one_is_taken(plan, index, *slot);
    let notes = if did.reads.iter().any(several) { vec![Code::N01] } else { vec![] };
    let read = |(slot, first, count): (SlotId, Option<String>, usize)| Read {
        attribute: plan.slots[usize::from(slot)].name.to_string(),
        first,
        count,
    };
    let value = match &rule.value {
        RuleValue::Expr(node) => Some(*node),
        RuleValue::FirstFree(nodes) => nodes.first().copied(),
    };
    RuleReport {
        target: rule.target.to_string(),
        file: rule.span.file.0,
        line: rule.line,
        text: value.map(|node| written(plan, node)).unwrap_or_default(),
        gave,
        policy: rule.policy,
        reads: did.reads.into_iter().map(read).collect(),
        fallbacks: did.fallbacks.into_iter().map(|(node, right)| fallback(plan, node, right)).collect(),
        notes,
        kept,
    }
}

fn fallback(plan: &Plan, node: NodeId, right: NodeId) -> Fallback {
    let left = match &plan.nodes[node as usize] {
        crate::plan::Node::Coalesce(left, _) => *left,
        _ => node,
    };
    Fallback { absent: written(plan, left), taken: written(plan, right) }
}

/// Whether the rule takes one value of this attribute somewhere.
fn one_is_taken(plan: &Plan, rule: usize, slot: SlotId) -> bool {
    rule::reachable(plan, rule::roots(&plan.rules[rule]))
        .any(|id| matches!(&plan.nodes[id as usize], crate::plan::Node::One { slot: taken, .. } if *taken == slot))
}

/// A node as it stands in the text.
fn written(plan: &Plan, node: NodeId) -> String {
    let Some(span) = plan.spans.get(node as usize) else { return String::new() };
    plan.text_at(*span).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The start of a value's JSON text.
pub fn excerpt(value: Value<'_>) -> String {
    let mut json = Vec::new();
    write_value(value, &mut json);
    let json = String::from_utf8_lossy(&json);
    match json.char_indices().nth(EXCERPT_CHARS) {
        None => json.into_owned(),
        Some((end, _)) => format!("{}…", &json[..end]),
    }
}

/// The attributes of an entry that the mapping does not read, in their order.
pub fn unused<'n>(names: &Names, attributes: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    attributes.into_iter().filter(|name| names.find_any(name).or_else(|| names.find_option(name)).is_none()).collect()
}
