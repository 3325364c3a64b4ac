//! The static cost of a plan: steps for an entry whose lists have a usual length. For `explain`; fuel is counted anew
//! in every run.

use crate::plan::{Node, Plan, RuleValue};

/// Values of a list, for the estimate.
const USUAL: u64 = 20;

/// Steps of one entry that every rule sees.
pub fn of(plan: &Plan) -> u64 {
    let costs = nodes(&plan.nodes);
    let of = |node: u32| costs.get(node as usize).copied().unwrap_or(0);
    let gates: u64 = plan.gates.iter().map(|gate| of(gate.condition)).fold(0, u64::saturating_add);
    let lets: u64 = plan.lets.iter().map(|(_, node)| of(*node)).fold(0, u64::saturating_add);
    let rules = plan.rules.iter().map(|rule| {
        let value = match &rule.value {
            RuleValue::Expr(node) => of(*node),
            RuleValue::FirstFree(nodes) => nodes.iter().map(|&node| of(node)).fold(0, u64::saturating_add),
        };
        let checks = rule.checks.iter().map(|check| of(check.condition)).fold(0, u64::saturating_add);
        value.saturating_add(rule.condition.map_or(0, of)).saturating_add(checks)
    });
    gates.saturating_add(lets).saturating_add(rules.fold(0, u64::saturating_add))
}

/// Children stand before their parents, so one pass is enough.
fn nodes(nodes: &[Node]) -> Vec<u64> {
    let mut costs: Vec<u64> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let of = |child: u32| costs.get(child as usize).copied().unwrap_or(0);
        let mut cost: u64 = 1;
        node.each_child(|child| cost = cost.saturating_add(of(child)));
        // What runs once per item was counted once.
        let again = match node {
            Node::Comprehension { item, condition, .. } => of(*item).saturating_add(condition.map_or(0, of)),
            Node::Filter { condition, .. } | Node::Any { condition, .. } | Node::Every { condition, .. } => of(*condition),
            Node::ConvertEach { .. } | Node::LookupAll { .. } | Node::All(_) => 1,
            _ => 0,
        };
        costs.push(cost.saturating_add(again.saturating_mul(USUAL - 1)));
    }
    costs
}
