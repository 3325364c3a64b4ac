//! The `test` blocks of a mapping, as far as compiling can judge them: an expectation of something no rule writes would
//! never fail and never hold (M023).

use super::lower::Checker;
use super::nearest::suggestion;
use super::rules::shown;
use crate::ast::{Expect, Expr, ExprKind, Item, Test};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::span::Span;

impl<'a> Checker<'a> {
    /// The mapping's own tests; those of included files are theirs.
    pub fn tests(&mut self, order: &[usize]) -> Vec<Test> {
        let files = self.files;
        let tests = files.first().into_iter().flat_map(|file| &file.ast.items).filter_map(|item| match item {
            Item::Test(test) => Some(test),
            _ => None,
        });
        let written: Vec<String> = order.iter().map(|&index| shown(&self.rules[index].rule.target.path)).collect();
        tests
            .map(|test| {
                match &test.expect {
                    Expect::Record { record, .. } => self.expected(record, "", &written),
                    Expect::Error { target, .. } => self.expected_target(&shown(&target.path), target.span, &written),
                    Expect::Skip { .. } | Expect::Deny { .. } | Expect::Warning { .. } => {}
                }
                test.clone()
            })
            .collect()
    }

    fn expected(&mut self, record: &Expr, above: &str, written: &[String]) {
        let ExprKind::Record(members) = &record.kind else { return };
        for (name, value) in members {
            let path = if above.is_empty() { name.value.to_string() } else { format!("{above}.{}", name.value) };
            let below = format!("{path}.");
            if written.iter().any(|target| target.starts_with(&below)) && matches!(value.kind, ExprKind::Record(_)) {
                self.expected(value, &path, written);
            } else {
                self.expected_target(&path, name.span, written);
            }
        }
    }

    fn expected_target(&mut self, path: &str, span: Span, written: &[String]) {
        let below = format!("{path}.");
        if written.iter().any(|target| target == path || target.starts_with(&below)) {
            return;
        }
        let help = suggestion(path, written.iter().map(String::as_str), "write a rule for it, or remove it from the test");
        self.sink.push(Diagnostic::new(Code::M023, span, format!("no rule writes `{path}`")).help(help));
    }
}
