//! What a run has to say, as diagnostics: each failure at the expression that failed, with the reason, what becomes of
//! the entry and the way out. Owns these words, which `try`, `test` and `publish` print. Refuses values: a reason is the
//! evaluator's, and what is sensitive was hidden there.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::eval::rule;
use crate::plan::{Conversion, Evaluation, Gate, GateHit, Given, Node, NodeId, Plan, Rule, RuleValue, SlotId};
use crate::span::Span;
use crate::target::{Absent, Kind};
use crate::value::Failure;

/// All of one run: a gate that could not be decided, the rules that failed in the order of the text, and attributes of
/// which one of several values was taken.
pub fn of_run(plan: &Plan, evaluation: &Evaluation<'_>) -> Vec<Diagnostic> {
    let gate = evaluation.gate.as_ref().and_then(|hit| undecided(plan, hit));
    let failed = plan.rules.iter().zip(evaluation.given).filter_map(|(rule, given)| failed(plan, rule, given));
    let several = evaluation.several.iter().filter_map(|slot| one_of_several(plan, *slot));
    gate.into_iter().chain(failed).chain(several).collect()
}

/// Why a rule has no result; `None` if it did not fail.
pub fn failed(plan: &Plan, rule: &Rule, given: &Given<'_>) -> Option<Diagnostic> {
    let Given::Failed { failure, node } = given else { return None };
    let named = format!("`{}`", rule.target);
    let message =
        if failure.message.starts_with(&named) { failure.message.to_owned() } else { format!("{named}: {}", failure.message) };
    let refuses = rule.required || failure.code == Code::M110;
    let outcome = match (refuses, plan.to) {
        (true, _) => "the whole entry is refused",
        (false, Kind::Profile | Kind::Group) => "keeps what is stored",
        (false, _) => "is left out",
    };
    let at = place(plan, *node).unwrap_or(rule.span);
    let diagnostic = Diagnostic::new(failure.code, at, message).label(label(failure.code)).also(target(plan, rule), outcome);
    Some(diagnostic.help(way_out(plan, Some(rule), failure, *node)))
}

/// Why a gate could not be decided; `None` if it was.
pub fn undecided(plan: &Plan, hit: &GateHit<'_>) -> Option<Diagnostic> {
    let failure = hit.failure.as_ref()?;
    let Gate { deny, condition, span, .. } = plan.gates.get(usize::from(hit.gate))?;
    let word = if *deny { "deny" } else { "skip" };
    let message = format!("`{word}` can't be decided: {}", failure.message);
    // The evaluator says only which gate it was. Where one thing alone in it can fail, it was that.
    let can_fail =
        |node: &NodeId| matches!(&plan.nodes[*node as usize], Node::Call { function, optional: false, .. } if function.fallible);
    let mut suspects = rule::reachable(plan, [*condition]).filter(can_fail);
    let node = match (suspects.next(), suspects.next()) {
        (Some(only), None) => only,
        _ => *condition,
    };
    let at = place(plan, node).unwrap_or(*span);
    let diagnostic = Diagnostic::new(failure.code, at, message).label("the whole entry is refused");
    Some(diagnostic.help(way_out(plan, None, failure, node)))
}

/// One of several values was taken (N01), where the text first takes it.
pub fn one_of_several(plan: &Plan, slot: SlotId) -> Option<Diagnostic> {
    let takes = |node: &Node| matches!(node, Node::One { slot: taken, strict: false } if *taken == slot);
    let places = plan.nodes.iter().zip(&plan.spans).filter(|(node, _)| takes(node)).map(|(_, span)| *span);
    let at = places.min_by_key(|span| (span.file, span.start))?;
    let (name, written) = (&plan.slots.get(usize::from(slot))?.name, plan.text_at(at));
    let message = format!("`{name}` has several values, the first one is taken");
    let help = format!(
        "`{written}[*]` takes them all, `first(sort({written}[*]))` one whatever their order, and `only({written}[*])` \
         makes it an error"
    );
    Some(Diagnostic::new(Code::N01, at, message).label("reads one value").help(help))
}

/// All candidates of a `first_free` are taken, says whoever looked.
pub fn none_is_free(plan: &Plan, rule: &Rule) -> Diagnostic {
    let candidates: &[NodeId] = match &rule.value {
        RuleValue::FirstFree(candidates) => candidates,
        RuleValue::Expr(node) => std::slice::from_ref(node),
    };
    let places: Vec<Span> = candidates.iter().filter_map(|node| place(plan, *node)).collect();
    let at = match (places.first(), places.last()) {
        (Some(first), Some(last)) if first.file == last.file => first.to(*last),
        _ => rule.span,
    };
    Diagnostic::new(Code::M114, at, format!("`{}`: {}", rule.target, none_of(candidates.len())))
        .label("others bear them all")
        .also(target(plan, rule), "keeps what is stored")
        .help("add a last candidate that nobody can bear yet, with `uuid()` in it")
}

/// The reason of M114.
pub fn none_of(candidates: usize) -> String {
    match candidates {
        1 => "the one candidate is not free".to_owned(),
        count => format!("none of {count} candidates is free"),
    }
}

fn place(plan: &Plan, node: NodeId) -> Option<Span> {
    plan.spans.get(node as usize).copied()
}

/// What the rule writes, without the rest of it.
fn target(plan: &Plan, rule: &Rule) -> Span {
    let written = plan.text_at(rule.span);
    let before = written.split('=').next().unwrap_or_default().trim_end();
    let skipped = before.strip_prefix("override").map_or(0, |rest| before.len() - rest.trim_start().len());
    let at = |offset: usize| rule.span.start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
    Span::new(rule.span.file, at(skipped), at(before.len()))
}

/// What is said under the place itself.
const fn label(code: Code) -> &'static str {
    match code {
        Code::M102 => "another kind of value than is wanted here",
        Code::M110 => "gives nothing",
        Code::M111 => "does not hold",
        Code::M112 => "gives too much",
        Code::M113 => "takes one value",
        Code::M190 => "over the limit here",
        _ => "fails here",
    }
}

fn way_out(plan: &Plan, rule: Option<&Rule>, failure: &Failure<'_>, node: NodeId) -> String {
    let found = plan.nodes.get(node as usize);
    let written = || place(plan, node).map(|span| plan.text_at(span)).unwrap_or_default();
    match failure.code {
        Code::M110 if rule.is_some_and(|rule| !rule.required && rule.absent == Absent::Reject) => {
            "give it something to fall back on: `?? …`; under `absent keep` the stored value stays".to_owned()
        }
        Code::M110 => "give it something to fall back on: `?? …`; without `required` the entry is taken without it".to_owned(),
        Code::M111 => "correct it at the source, or take only what passes: `if … then … else absent`".to_owned(),
        Code::M112 => "allow more with `max`, or make it smaller: `left(text, n)`, `take(list, n)`".to_owned(),
        Code::M113 => match found {
            Some(Node::One { .. }) => {
                let written = written();
                format!("say which one is meant: `{written}[0]`, or `first(sort({written}[*]))` whatever their order")
            }
            _ => "`first(…)` takes the first of them, `only?(…)` gives absent".to_owned(),
        },
        Code::M190 => "make less of it: a condition in the comprehension, `take(list, n)`, `left(text, n)`; the bounds: \
                       `rosterd mapping explain M190`"
            .to_owned(),
        code => forgiving(found, code, written()),
    }
}

/// The twin that gives absent, where there is one.
fn forgiving(node: Option<&Node>, code: Code, written: &str) -> String {
    let twin = |name: &str| format!("`{name}?(…)` gives absent instead, and `?? …` behind it another value in its place");
    match node {
        Some(Node::Call { function, .. }) if function.fallible => twin(function.name),
        Some(Node::Lookup { .. } | Node::LookupAll { .. }) if code == Code::M101 => {
            "add a row for it, or say in the table what holds for all others: `else => absent`".to_owned()
        }
        Some(Node::Convert { to, .. } | Node::ConvertEach { to, .. }) => match asked_for(*to) {
            Some(function) => format!(
                "correct it at the source, or ask: `{function}?({written})` gives absent instead, and `?? …` behind it \
                 another value in its place"
            ),
            None => format!(
                "say what is meant: a member of it (`{written}.…`), all values (`[*]`), or `text({written})` of a number or a \
                 truth value"
            ),
        },
        _ => "say what holds for such a value: `if … then … else …`".to_owned(),
    }
}

/// The function that converts where it is asked to.
const fn asked_for(to: Conversion) -> Option<&'static str> {
    match to {
        Conversion::Int => Some("int"),
        Conversion::Bool => Some("bool"),
        Conversion::GuidText | Conversion::GuidBytes => Some("guid"),
        Conversion::SidText | Conversion::SidBytes => Some("sid"),
        Conversion::FileTimeToDateTime => Some("filetime"),
        Conversion::GenTimeToDateTime => Some("gentime"),
        Conversion::TextToDateTime => Some("datetime"),
        Conversion::Binary => Some("unbase64"),
        Conversion::Text
        | Conversion::Display
        | Conversion::List
        | Conversion::Record
        | Conversion::DateTimeToText
        | Conversion::DurationToText
        | Conversion::BinaryToText
        | Conversion::Wrap => None,
    }
}
