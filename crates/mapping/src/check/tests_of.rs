//! The test blocks of a mapping, as far as they can be judged without running: records of literals, outcomes that exist.

use super::lower::{Checker, not_constant};
use super::nearest::suggestion;
use super::rules::{key, shown};
use crate::ast::{Expect, Expr, ExprKind, Item, Test};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::span::Span;
use std::collections::HashMap;

impl<'a> Checker<'a> {
    /// Checks the tests of the mapping's own file; those of included files are theirs.
    pub fn tests(&mut self) -> Vec<Test> {
        let files = self.files;
        let Some(root) = files.first() else { return Vec::new() };
        let tests: Vec<&'a Test> = root
            .ast
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Test(test) => Some(test),
                _ => None,
            })
            .collect();
        let mut names: HashMap<&str, Span> = HashMap::new();
        for test in &tests {
            if let Some(first) = names.insert(&test.name.value, test.name.span) {
                let diagnostic =
                    Diagnostic::new(Code::M009, test.name.span, format!("two tests are called `{}`", test.name.value));
                self.sink.push(diagnostic.also(first, "first here").help("rename one of them"));
            }
            self.test(test);
        }
        tests.into_iter().cloned().collect()
    }

    fn wrong(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.sink.push(Diagnostic::new(Code::M023, span, message).help(help));
    }

    fn test(&mut self, test: &'a Test) {
        self.literals(&test.given, "given");
        if let Some(existing) = &test.existing {
            self.literals(existing, "existing");
        }
        match &test.expect {
            Expect::Record { record, .. } => self.expected(record, &mut Vec::new()),
            Expect::Error { target, .. } if !self.rule_index.contains_key(&key(&target.path)) => {
                self.no_rule(&shown(&target.path), target.span);
            }
            Expect::Warning { code, .. } if &*code.value != Code::N01.as_str() => {
                let message = format!("a run has no note `{}`", code.value);
                self.wrong(code.span, message, "notes of a run: N01, several values and the first one taken");
            }
            _ => {}
        }
    }

    fn literals(&mut self, record: &Expr, what: &str) {
        if !matches!(record.kind, ExprKind::Record(_) | ExprKind::Error) {
            self.wrong(record.span, format!("`{what}` is a record"), "write: { mail: \"a@b.example\" }");
        } else if let Some(part) = computed(record) {
            self.wrong(part.span, format!("`{what}` holds literals only"), "write out what the source would send");
        }
    }

    /// Whether what is expected is something a rule writes.
    fn expected(&mut self, record: &'a Expr, path: &mut Vec<&'a str>) {
        let ExprKind::Record(members) = &record.kind else {
            if !matches!(record.kind, ExprKind::Error) {
                self.wrong(
                    record.span,
                    "`expect` is a record, skip, deny, error or warning",
                    "write: { email: \"a@b.example\" }",
                );
            }
            return;
        };
        for (name, value) in members {
            path.push(&name.value);
            let joined = path.join("\u{1f}");
            let inner = format!("{joined}\u{1f}");
            if self.rule_index.contains_key(&joined) {
                if let Some(part) = computed(value) {
                    self.wrong(part.span, "`expect` holds literals only", "a literal, /re/, absent or keep");
                }
            } else if self.rule_index.keys().any(|known| known.starts_with(&inner)) {
                self.expected(value, path);
            } else {
                self.no_rule(&path.join("."), name.span);
            }
            path.pop();
        }
    }

    fn no_rule(&mut self, name: &str, span: Span) {
        let known: Vec<String> = self.rule_index.keys().map(|key| key.replace('\u{1f}', ".")).collect();
        let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
        known.sort_unstable();
        let help = suggestion(name, known, "expect what a rule writes");
        self.wrong(span, format!("no rule writes `{name}`"), &help);
    }
}

/// The part that is no literal. `null`, `absent` and `keep` are.
fn computed(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Absent | ExprKind::Keep => None,
        ExprKind::Name(name) => (&**name != "null").then_some(expr),
        ExprKind::List(items) => items.iter().find_map(computed),
        ExprKind::Record(members) => members.iter().find_map(|(_, value)| computed(value)),
        ExprKind::Template(_) | ExprKind::Binary { .. } => Some(expr),
        _ => not_constant(expr),
    }
}
