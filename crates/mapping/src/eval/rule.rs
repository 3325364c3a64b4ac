//! From what a rule's expression gives to what the rule gives: `when`, `required`, `absent reject`, `check`, `max`, the
//! bound of the whole output, and the words in which a failure may be shown.

use super::Trace;
use super::machine::{Fault, Machine, Outcome, is_absent};
use super::random::Drawer;
use crate::diagnostic::codes::Code;
use crate::limits::{FUEL, OUTPUT_BYTES_MAX};
use crate::plan::{Given, Node, NodeId, Plan, Rule, RuleValue};
use crate::target::Absent;
use crate::value::{Failure, Value};

impl<'a, T: Trace> Machine<'a, '_, T> {
    /// Every rule, in the order of evaluation. One that runs wild can take three quarters of the steps: a quarter is
    /// shared out beforehand, so that the others still have theirs.
    pub fn rules(&mut self) {
        let plan = self.plan;
        let count = u32::try_from(plan.order.len()).unwrap_or(u32::MAX).max(1);
        let share = self.fuel.min(FUEL) / 4 / count;
        self.reserve = share * count;
        for (position, &index) in plan.order.iter().enumerate() {
            self.reserve -= share;
            self.trace.rule(index);
            if !plan.shortcuts.step(position).is_some_and(|step| self.step(index, step)) {
                self.given[usize::from(index)] = self.by_nodes(index);
            }
            self.trace.given(index, &self.given[usize::from(index)]);
        }
    }

    #[inline(never)]
    pub fn by_nodes(&mut self, index: u16) -> Given<'a> {
        let rule = &self.plan.rules[usize::from(index)];
        self.stream.begin(Drawer::Rule(index));
        match self.rule(rule) {
            Ok(given) => given,
            Err(fault) => self.failed(rule, fault),
        }
    }

    fn rule(&mut self, rule: &'a Rule) -> Outcome<'a, Given<'a>> {
        if let Some(condition) = rule.condition
            && !self.truth(condition)?
        {
            return Ok(Given::Keep);
        }
        match &rule.value {
            RuleValue::Expr(node) => match self.value(*node)? {
                Value::Keep => Ok(Given::Keep),
                Value::Absent | Value::Null => self.absent(rule, *node),
                value if (rule.required || rule.absent == Absent::Reject) && !value.is_present() => self.absent(rule, *node),
                value => {
                    self.checked(rule, *node, value)?;
                    Ok(Given::Value(value))
                }
            },
            RuleValue::FirstFree(candidates) => self.candidates(rule, candidates),
        }
    }

    fn absent(&self, rule: &Rule, node: NodeId) -> Outcome<'a, Given<'a>> {
        if rule.required {
            Err(self.fault(node, Code::M110, format_args!("`{}` is required and the source gives nothing for it", rule.target)))
        } else if rule.absent == Absent::Reject {
            Err(self.fault(
                node,
                Code::M110,
                format_args!("`{}` may not be absent and the source gives nothing for it", rule.target),
            ))
        } else {
            Ok(Given::Absent)
        }
    }

    /// Candidates that are there and pass the checks, in order.
    fn candidates(&mut self, rule: &'a Rule, candidates: &'a [NodeId]) -> Outcome<'a, Given<'a>> {
        let mut texts = bumpalo::collections::Vec::with_capacity_in(candidates.len(), self.arena);
        let mut refused = None;
        for node in candidates {
            match self.value(*node)? {
                Value::String(text) if !text.is_empty() => match self.checked(rule, *node, Value::String(text)) {
                    Ok(()) if texts.contains(&text) => {}
                    Ok(()) => texts.push(text),
                    Err(fault) => refused = Some(fault),
                },
                value if is_absent(&value) || !value.is_present() => {}
                value => return Err(self.mismatch(*node, "text", value)),
            }
        }
        match refused {
            Some(fault) if texts.is_empty() => Err(fault),
            _ if texts.is_empty() => self.absent(rule, candidates.first().copied().unwrap_or_default()),
            _ => Ok(Given::FirstFree(texts.into_bump_slice())),
        }
    }

    /// `check` holds for the value or each item of it.
    fn holds(&mut self, rule: &'a Rule, value: Value<'a>) -> Outcome<'a, ()> {
        for check in &rule.checks {
            let items = if let Value::List(items) = value { items } else { std::slice::from_ref(&value) };
            for item in items {
                let outer = std::mem::replace(&mut self.it, *item);
                let holds = self.truth(check.condition);
                self.it = outer;
                if !holds? {
                    return Err(self.fault(check.condition, Code::M111, format_args!("{}", check.message)));
                }
            }
        }
        Ok(())
    }

    /// `check` and `max` are kept, and the bounds.
    fn checked(&mut self, rule: &'a Rule, node: NodeId, value: Value<'a>) -> Outcome<'a, ()> {
        if !rule.checks.is_empty() {
            self.holds(rule, value)?;
        }
        let size = match value {
            Value::String(text) => {
                self.bound_text(node, text.len())?;
                text.len()
            }
            Value::List(items) => {
                self.bound_list(node, items.len())?;
                size_of(value)
            }
            _ => size_of(value),
        };
        if let Some(max) = rule.max_bytes
            && size as u64 > max
        {
            let message = format_args!("`{}` is {size} bytes, `max` allows {max}", rule.target);
            return Err(self.fault(node, Code::M112, message));
        }
        if self.output.saturating_add(size) > OUTPUT_BYTES_MAX {
            let message = format_args!("results of more than {OUTPUT_BYTES_MAX} bytes in one entry");
            return Err(self.fault(node, Code::M190, message));
        }
        self.output += size;
        Ok(())
    }

    #[cold]
    fn failed(&self, rule: &'a Rule, fault: &Fault<'a>) -> Given<'a> {
        let hidden = rule.sensitive || sensitive(self.plan, roots(rule));
        Given::Failed { failure: self.shown(fault.failure, hidden), node: fault.node }
    }

    /// What a failure may say where sensitive values took part: our own words stay, a function's may quote its input.
    pub fn shown(&self, failure: Failure<'a>, hidden: bool) -> Failure<'a> {
        if hidden && failure.code == Code::M101 { Failure { message: "failed on ‹redacted›", ..failure } } else { failure }
    }
}

/// The nodes a rule starts from.
pub fn roots(rule: &Rule) -> impl Iterator<Item = NodeId> + '_ {
    let (one, several): (Option<NodeId>, &[NodeId]) = match &rule.value {
        RuleValue::Expr(node) => (Some(*node), &[]),
        RuleValue::FirstFree(nodes) => (None, nodes),
    };
    let checks = rule.checks.iter().map(|check| check.condition);
    rule.condition.into_iter().chain(one).chain(several.iter().copied()).chain(checks)
}

/// Every node that these may evaluate, each once, through lets and rules they read as well.
pub fn reachable<'p>(plan: &'p Plan, roots: impl IntoIterator<Item = NodeId>) -> impl Iterator<Item = NodeId> + 'p {
    let mut open: Vec<NodeId> = roots.into_iter().collect();
    let mut seen = vec![false; plan.nodes.len()];
    std::iter::from_fn(move || {
        loop {
            let id = open.pop()?;
            if std::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            match &plan.nodes[id as usize] {
                Node::Let(index) => open.push(plan.lets[usize::from(*index)].1),
                Node::New(rule) => open.extend(self::roots(&plan.rules[usize::from(*rule)])),
                node => node.each_child(|child| open.push(child)),
            }
            return Some(id);
        }
    })
}

/// Whether a sensitive attribute or rule is read below these nodes.
pub fn sensitive(plan: &Plan, roots: impl IntoIterator<Item = NodeId>) -> bool {
    reachable(plan, roots).any(|id| match &plan.nodes[id as usize] {
        Node::One { slot, .. } | Node::All(slot) => plan.slots[usize::from(*slot)].sensitive,
        Node::New(rule) => plan.rules[usize::from(*rule)].sensitive,
        _ => false,
    })
}

/// Bytes of the value as JSON holds it, without quotes and commas.
fn size_of(value: Value<'_>) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        Value::List(items) => {
            items.iter().map(|item| if let Value::String(text) = item { text.len() } else { size_of(*item) }).sum()
        }
        Value::Record(members) => members.iter().map(|(name, value)| name.len() + size_of(*value)).sum(),
        Value::Absent | Value::Keep | Value::Null | Value::Regex(_) | Value::Table(_) => 0,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::DateTime(_) | Value::Duration(_) => 8,
    }
}
