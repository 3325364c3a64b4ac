//! Whether an evaluation is what a test expects.

use super::{Mismatch, literal, reads_rules, rejections};
use crate::ast::{Expect, Expr, ExprKind, Test};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan::{Evaluation, Given, Plan, Rule};
use crate::said;
use crate::span::{Span, Spanned};
use crate::target::Absent;
use crate::trace::excerpt;
use crate::value::Value;
use bumpalo::Bump;

pub struct Matcher<'a, 'e> {
    pub arena: &'a Bump,
    pub plan: &'a Plan,
    pub evaluation: &'e Evaluation<'a>,
    /// By rule: a test expects something of it.
    pub tested: &'e mut [bool],
    pub mismatches: Vec<Mismatch>,
    /// The failures behind them.
    pub said: Vec<Diagnostic>,
}

impl<'a> Matcher<'a, '_> {
    pub fn outcome(&mut self, test: &'a Test) {
        if let Some(hit) = self.evaluation.gate
            && (reads_rules(&test.expect) || matches!(test.expect, Expect::Warning { .. }))
        {
            let kind = if self.plan.gates[usize::from(hit.gate)].deny { "deny" } else { "skip" };
            let expected = match &test.expect {
                Expect::Record { .. } => "a profile",
                Expect::Error { .. } => "an error",
                _ => "a warning",
            };
            self.undecided();
            return self.differs(test.name.span, "outcome", expected, format!("{kind} {:?}", hit.reason));
        }
        match &test.expect {
            Expect::Record { exactly, record } => {
                let rejections = rejections(self.plan, self.evaluation);
                if !rejections.is_empty() {
                    rejections.iter().for_each(|(rule, _)| self.failed(*rule));
                    let reasons: Vec<&str> = rejections.iter().map(|(_, reason)| reason.as_str()).collect();
                    self.differs(record.span, "outcome", "a profile", format!("rejected: {}", reasons.join("; ")));
                }
                let mut named = vec![false; self.plan.rules.len()];
                self.record(record, &mut Vec::new(), &mut named);
                if *exactly {
                    self.nothing_else(record.span, &named);
                    named.fill(true);
                }
                self.tested.iter_mut().zip(named).for_each(|(tested, named)| *tested |= named);
            }
            Expect::Skip { span, reason } => self.gate(*span, false, reason.as_ref()),
            Expect::Deny { span, reason } => self.gate(*span, true, reason.as_ref()),
            Expect::Error { span, target, text } => {
                let path: Vec<&str> = target.path.iter().map(|name| &*name.value).collect();
                let Some(rule) = self.rule_at(&path) else {
                    return self.differs(target.span, &path.join("."), "an error", "no rule has this target".to_owned());
                };
                self.tested[rule] = true;
                let wanted = text.as_ref().map_or("", |text| &*text.value);
                match &self.evaluation.given[rule] {
                    Given::Failed { failure, .. } if format!("{} {}", failure.code, failure.message).contains(wanted) => {}
                    given => {
                        let actual = shown(given);
                        self.failed(rule);
                        self.differs(*span, &path.join("."), &format!("error {wanted:?}"), actual);
                    }
                }
            }
            Expect::Warning { span, code } => {
                if &*code.value != Code::N01.as_str() {
                    self.differs(code.span, "outcome", "a note that exists: N01", code.value.to_string());
                } else if self.evaluation.several.is_empty() {
                    self.differs(*span, "outcome", "warning N01", "no warning".to_owned());
                }
            }
        }
    }

    fn gate(&mut self, span: Span, deny: bool, reason: Option<&Spanned<Box<str>>>) {
        let word = if deny { "deny" } else { "skip" };
        let expected = reason.map_or_else(|| word.to_owned(), |reason| format!("{word} {:?}", reason.value));
        match self.evaluation.gate {
            None => self.differs(span, "outcome", &expected, "a profile".to_owned()),
            Some(hit) => {
                let found = self.plan.gates[usize::from(hit.gate)].deny;
                if found != deny || reason.is_some_and(|reason| *reason.value != *hit.reason) || hit.failure.is_some() {
                    let word = if found { "deny" } else { "skip" };
                    self.undecided();
                    self.differs(span, "outcome", &expected, format!("{word} {:?}", hit.reason));
                }
            }
        }
    }

    /// Members by target; a record may stand for targets below a root.
    fn record(&mut self, record: &'a Expr, path: &mut Vec<&'a str>, named: &mut [bool]) {
        let ExprKind::Record(members) = &record.kind else {
            return self.differs(record.span, "outcome", "a record of targets", "something else".to_owned());
        };
        for (name, expected) in members {
            path.push(&name.value);
            if let Some(rule) = self.rule_at(path) {
                named[rule] = true;
                let given = &self.evaluation.given[rule];
                if !self.fits(&self.plan.rules[rule], expected, given) {
                    let actual = shown(given);
                    self.failed(rule);
                    self.differs(expected.span, &path.join("."), self.plan.text_at(expected.span), actual);
                }
            } else if matches!(expected.kind, ExprKind::Record(_)) && self.has_rules_below(path) {
                self.record(expected, path, named);
            } else if !matches!(expected.kind, ExprKind::Absent | ExprKind::Keep) {
                let expected_text = self.plan.text_at(expected.span);
                self.differs(expected.span, &path.join("."), expected_text, "no rule has this target".to_owned());
            }
            path.pop();
        }
    }

    fn nothing_else(&mut self, span: Span, named: &[bool]) {
        for (index, given) in self.evaluation.given.iter().enumerate() {
            if !named[index] && !matches!(given, Given::Absent | Given::Keep) {
                self.failed(index);
                self.differs(span, &self.plan.rules[index].target, "nothing", shown(given));
            }
        }
    }

    fn fits(&self, rule: &Rule, expected: &'a Expr, given: &Given<'a>) -> bool {
        match (&expected.kind, given) {
            (ExprKind::Absent, Given::Absent) | (ExprKind::Keep, Given::Keep) => true,
            (ExprKind::Keep, Given::Absent) => rule.absent == Absent::Keep,
            (ExprKind::Absent | ExprKind::Keep, _) => false,
            (_, Given::Value(value)) => self.equals(expected, *value),
            (ExprKind::List(_), Given::FirstFree(texts)) => {
                let texts = self.arena.alloc_slice_fill_iter(texts.iter().map(|text| Value::String(text)));
                self.equals(expected, Value::List(texts))
            }
            (_, Given::FirstFree(texts)) => texts.first().is_some_and(|text| self.equals(expected, Value::String(text))),
            (_, Given::Absent | Given::Keep | Given::Failed { .. }) => false,
        }
    }

    /// A literal against a value; records are looked at where the literal says something.
    fn equals(&self, expected: &'a Expr, found: Value<'a>) -> bool {
        match (&expected.kind, found) {
            (ExprKind::Regex { pattern, ignore_case }, Value::String(text)) => {
                crate::value::Regex::compile(pattern, *ignore_case).is_ok_and(|regex| regex.is_match(text))
            }
            (ExprKind::List(items), Value::List(values)) => {
                items.len() == values.len() && items.iter().zip(values).all(|(item, value)| self.equals(item, *value))
            }
            (ExprKind::Record(members), Value::Record(found)) => members.iter().all(|(name, expected)| {
                let found = found.iter().find(|(key, _)| *key == &*name.value).map(|(_, value)| *value);
                match (&expected.kind, found) {
                    (ExprKind::Absent, found) => !found.is_some_and(|value| value.is_present()),
                    (_, Some(value)) => self.equals(expected, value),
                    (_, None) => false,
                }
            }),
            (_, found) => literal::value(self.arena, expected).is_ok_and(|literal| same(self.arena, literal, found)),
        }
    }

    fn rule_at(&self, path: &[&str]) -> Option<usize> {
        let same = |rule: &Rule| rule.path.len() == path.len() && rule.path.iter().zip(path).all(|(a, b)| **a == **b);
        self.plan.rules.iter().position(same)
    }

    fn has_rules_below(&self, path: &[&str]) -> bool {
        let below = |rule: &Rule| rule.path.len() > path.len() && rule.path.iter().zip(path).all(|(a, b)| **a == **b);
        self.plan.rules.iter().any(below)
    }

    /// Says why this rule failed, if it did; once.
    fn failed(&mut self, rule: usize) {
        let said = said::failed(self.plan, &self.plan.rules[rule], &self.evaluation.given[rule]);
        if let Some(said) = said.filter(|said| !self.said.contains(said)) {
            self.said.push(said);
        }
    }

    /// Says why the gate that ended the run could not be decided, if that is so.
    fn undecided(&mut self) {
        self.said.extend(self.evaluation.gate.as_ref().and_then(|hit| said::undecided(self.plan, hit)));
    }

    fn differs(&mut self, span: Span, what: &str, expected: &str, actual: String) {
        self.mismatches.push(Mismatch { span, what: what.to_owned(), expected: expected.to_owned(), actual });
    }
}

/// Instants and bytes are written as text into a profile: the literal may be either.
fn same<'a>(arena: &'a Bump, literal: Value<'a>, found: Value<'a>) -> bool {
    match (literal, found) {
        (Value::DateTime(_) | Value::Duration(_) | Value::Binary(_), Value::String(text)) => {
            crate::eval::display(arena, literal) == Some(text)
        }
        (literal, found) => crate::eval::equal(literal, found),
    }
}

/// A result in the words of a test.
fn shown(given: &Given<'_>) -> String {
    match given {
        Given::Value(value) => excerpt(*value),
        Given::Absent => "absent".to_owned(),
        Given::Keep => "keep".to_owned(),
        Given::FirstFree(texts) => format!("first_free {texts:?}"),
        Given::Failed { failure, .. } => format!("error {} {:?}", failure.code, failure.message),
    }
}
