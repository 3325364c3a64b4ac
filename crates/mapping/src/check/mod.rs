//! From a syntax tree to a plan: what names mean, what types meet, which rules are in force. Owns every diagnostic of
//! compiling but the syntax's. Refuses: running anything, and reading files (they come through [`Sources`]).
//!
//! Each question is a file: [`include`] which texts, [`scope`] which names, [`schema`] which attributes a source has,
//! [`lower`] types and nodes, [`rules`] which rules and in which order, [`modifiers`] and [`checks`] the words after
//! `with`, [`tables`], [`lints`], [`tests_of`].

mod checks;
mod csv;
mod include;
mod lints;
mod lower;
mod modifiers;
mod nearest;
mod rules;
pub(crate) mod schema;
mod scope;
mod sink;
mod tables;
mod tests_of;

use crate::ast;
use crate::diagnostic::Diagnostic;
use crate::plan::{Node, NodeId, Plan, RuleValue};
use crate::shortcut::Shortcuts;
use lower::{Checker, Needs};
use scope::Scope;
use sink::Sink;

/// Where included files and tables come from. A path is relative, uses `/` and never leads upwards: that was checked.
pub trait Sources {
    /// The text of `use "path"`.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn include(&self, path: &str) -> Result<String, String>;

    /// The bytes of a table's CSV file.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn table(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// What compiling gave.
#[derive(Debug)]
pub struct Compiled {
    /// There iff no diagnostic is an error.
    pub plan: Option<Plan>,
    /// In the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Diagnostics beyond the bound, only counted.
    pub uncounted: usize,
    /// The mapping's own test blocks.
    pub tests: Vec<ast::Test>,
    /// Per rule of the plan, for `explain`.
    pub facts: Vec<RuleFacts>,
    /// The texts by number, as diagnostics name them: name and contents.
    pub files: Vec<(Box<str>, Box<str>)>,
}

/// What is known of a rule without running it.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleFacts {
    /// The policy word is the file's `default`, not the rule's own.
    pub policy_by_default: bool,
    /// Indexes into [`Plan::slots`].
    pub reads: Vec<u16>,
    /// Instructions it is made of, lets included: what one entry costs at most, lists aside.
    pub cost: usize,
}

/// Compiles a mapping called `name` (a file name, for messages).
pub fn compile(name: &str, text: &str, sources: &dyn Sources) -> Compiled {
    let mut sink = Sink::default();
    let files = include::load(name, text, sources, &mut sink);
    let texts: Vec<(Box<str>, Box<str>)> = files.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
    let scope = Scope::collect(&files, &mut sink);
    lints::name_of_file(&files, &mut sink);
    let Some((schema, to)) = rules::header(&files, &mut sink) else {
        let (diagnostics, uncounted) = sink.finish();
        return Compiled { plan: None, diagnostics, uncounted, tests: Vec::new(), facts: Vec::new(), files: texts };
    };
    let mut checker = Checker::new(sources, &files, scope, schema, to, sink);
    checker.declare();
    checker.check_defaults();
    let order = checker.rules_in_force();
    checker.all_tables();
    checker.all_lets();
    let gates = checker.lower_gates();
    let lowered = checker.lower_rules(&order);
    let run_order = checker.order_of(&lowered);
    checker.rule_lints(&order, &lowered);
    checker.unheard_default(&order);
    checker.unused_declarations();
    let tests = checker.tests();
    let by_default: Vec<bool> =
        order.iter().zip(&lowered).map(|(&index, (rule, _))| checker.is_by_default(index, rule)).collect();
    let Checker { nodes, spans, lets, slots, tables, regexes, sets, old, locals, sink, .. } = checker;
    let errors = sink.errors;
    let (diagnostics, uncounted) = sink.finish();
    let (rules, needs): (Vec<_>, Vec<Needs>) = lowered.into_iter().unzip();
    let mut plan = Plan {
        name: files.first().and_then(|file| file.ast.header.as_ref()).map(|header| header.name.value.clone()).unwrap_or_default(),
        from: schema.kind,
        to,
        slots: slots.specs,
        nodes,
        spans,
        lets,
        gates,
        rules,
        order: run_order,
        tables,
        regexes,
        sets,
        old,
        locals,
        shortcuts: Shortcuts::default(),
        files: texts.clone(),
    };
    // A plan with errors is not run, and may refer to what there is not.
    if errors == 0 {
        plan.shortcuts = Shortcuts::of(&plan);
    }
    let facts = facts(&plan, &needs, &by_default);
    Compiled { plan: (errors == 0).then_some(plan), diagnostics, uncounted, tests, facts, files: texts }
}

impl Checker<'_> {
    /// Does the rule's policy come from its file's `default`?
    fn is_by_default(&self, index: usize, rule: &crate::plan::Rule) -> bool {
        const POLICIES: [&str; 4] = ["always", "create", "if_empty", "on_change"];
        let own = self.rules[index].rule.modifiers.iter().any(|modifier| POLICIES.contains(&&*modifier.word.value));
        rule.policy.is_some() && !own
    }
}

fn facts(plan: &Plan, needs: &[Needs], by_default: &[bool]) -> Vec<RuleFacts> {
    plan.rules
        .iter()
        .zip(needs)
        .zip(by_default)
        .map(|((rule, needs), &policy_by_default)| {
            let roots: Vec<NodeId> = match &rule.value {
                RuleValue::Expr(node) => vec![*node],
                RuleValue::FirstFree(nodes) => nodes.to_vec(),
            };
            let cost = roots.into_iter().chain(rule.condition).map(|node| cost(plan, node)).sum();
            RuleFacts { policy_by_default, reads: needs.slots.iter().copied().collect(), cost }
        })
        .collect()
}

/// Instructions below `node`, each once.
fn cost(plan: &Plan, node: NodeId) -> usize {
    let mut seen = std::collections::HashSet::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        let Some(found) = plan.nodes.get(node as usize).filter(|_| seen.insert(node)) else { continue };
        found.each_child(|child| open.push(child));
        if let Node::Let(index) = found
            && let Some((_, value)) = plan.lets.get(usize::from(*index))
        {
            open.push(*value);
        }
    }
    seen.len()
}
