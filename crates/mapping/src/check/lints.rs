//! What compiles and is probably not meant. Warnings about whole rules; those about one expression are raised where it
//! is lowered.

use super::lower::{Checker, Needs};
use super::rules::shown;
use crate::ast::{self, Expr, ExprKind, Part, RuleValue};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan;
use crate::span::Span;
use crate::target::{Absent, Kind};

impl<'a> Checker<'a> {
    /// All lints about the rules in force; `order` as [`Checker::rules_in_force`] gave it.
    pub fn lints(&mut self, order: &[usize], lowered: &[(plan::Rule, Needs)]) {
        for (&index, (rule, needs)) in order.iter().zip(lowered) {
            let written = self.rules[index].rule;
            self.same_as_inherited(index);
            if self.to != Kind::Profile {
                continue;
            }
            match &*rule.target {
                "user_id" => self.changing_id(written, needs),
                "email_verified" => self.always_verified(written, rule),
                "email" if rule.absent == Absent::Clear => self.clears_email(written),
                "groups" => self.groups(written),
                _ => {}
            }
        }
        self.unused_declarations();
    }

    fn warn(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        self.sink.push(Diagnostic::new(code, span, message).help(help));
    }

    fn changing_id(&mut self, rule: &ast::Rule, needs: &Needs) {
        let changing = needs.slots.iter().filter_map(|&slot| self.slots.specs.get(usize::from(slot)));
        let names: Vec<String> =
            changing.filter(|spec| self.schema.changes(&spec.name)).map(|spec| format!("`{}`", spec.name)).collect();
        if !names.is_empty() {
            let message = format!("`user_id` is made of {}, which may change while the person stays", names.join(" and "));
            self.warn(Code::L08, rule.target.span, message, "use an id that is never given again: objectGUID, entryUUID, sub");
        }
    }

    fn always_verified(&mut self, rule: &ast::Rule, lowered: &plan::Rule) {
        if let plan::RuleValue::Expr(node) = lowered.value
            && self.known_bool(node) == Some(true)
        {
            let message = "every address counts as verified, whoever typed it";
            self.warn(Code::L09, rule.target.span, message, "verify only what the source vouches for: present($mail)");
        }
    }

    fn clears_email(&mut self, rule: &ast::Rule) {
        let word = rule.modifiers.iter().find(|modifier| &*modifier.word.value == "absent");
        let span = word.map_or(rule.target.span, |modifier| modifier.span);
        let message = "an address that is missing once is deleted, one a person typed as well";
        self.warn(Code::L11, span, message, "absent keep is the default of email");
    }

    fn groups(&mut self, rule: &'a ast::Rule) {
        if self.schema.kind == Kind::Scim {
            let message = "groups that are pushed come from the group mapping, this rule counts for logins only";
            self.warn(Code::L16, rule.target.span, message, "remove it; write: mapping NAME from scim to group");
        }
        if let RuleValue::Expr(value) = &rule.value
            && !self.chooses(value, 0)
            && reads_source(value)
        {
            let message = "every group of the source is taken";
            self.warn(Code::L12, value.span, message, "choose: [ g for g in … if g.starts_with(\"APP-\") ], or a table of names");
        }
    }

    /// Whether something in an expression leaves values out.
    fn chooses(&self, expr: &Expr, depth: usize) -> bool {
        match &expr.kind {
            ExprKind::If { .. } | ExprKind::Match { .. } | ExprKind::Inherited => true,
            ExprKind::Comprehension { condition: Some(_), .. } => true,
            ExprKind::Comprehension { item, list, .. } => self.chooses(item, depth) || self.chooses(list, depth),
            ExprKind::Index(base, index) => !matches!(index.kind, ExprKind::String(_)) || self.chooses(base, depth),
            ExprKind::Call { name, arguments, .. } => {
                matches!(&*name.value, "lookup" | "take" | "drop" | "without" | "first" | "last" | "nth")
                    || arguments.iter().any(|argument| self.chooses(&argument.value, depth))
            }
            ExprKind::Field(base, _) | ExprKind::All(base) => self.chooses(base, depth),
            ExprKind::List(items) => items.iter().any(|one| self.chooses(one, depth)),
            ExprKind::Binary { left, right, .. } => self.chooses(left, depth) || self.chooses(right, depth),
            ExprKind::Name(name) if depth < 8 => match self.scope.find(expr.span.file, name) {
                Some(super::scope::Binding::Let(index)) => self.chooses(self.scope.lets[index].1, depth + 1),
                _ => false,
            },
            _ => false,
        }
    }

    /// L13: a sensitive value written into a text that is shown.
    pub fn sensitive_leak(&mut self, rule: &ast::Rule, needs: &Needs) {
        if let Some(span) = needs.sensitive_text {
            let name = shown(&rule.target.path);
            self.sink.push(
                Diagnostic::new(Code::L13, rule.target.span, format!("`{name}` shows a sensitive value"))
                    .also(span, "written into text here")
                    .help("add: with sensitive"),
            );
        }
    }

    fn same_as_inherited(&mut self, index: usize) {
        let own = self.rules[index].clone();
        let Some(base) = own.base.map(|base| self.rules[base].clone()) else { return };
        if self.body(own.rule) == self.body(base.rule) {
            let name = shown(&own.rule.target.path);
            let message = format!("`{name}` is what it was before");
            self.sink.push(
                Diagnostic::new(Code::L14, own.rule.target.span, message)
                    .also(base.rule.target.span, "inherited from here")
                    .help("remove the override"),
            );
        }
    }

    /// What a rule says after its target, without spaces. Names mean what they mean in its file, so this is a guess.
    fn body(&self, rule: &ast::Rule) -> String {
        let after = Span { start: rule.target.span.end, ..rule.span };
        self.text_of(after).split_whitespace().collect()
    }
}

/// Whether an expression reads the source; a list of literals takes no group.
fn reads_source(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Source(_) | ExprKind::Name(_) => true,
        ExprKind::Field(base, _) | ExprKind::All(base) | ExprKind::Index(base, _) => reads_source(base),
        ExprKind::Comprehension { list, .. } => reads_source(list),
        ExprKind::Call { arguments, .. } => arguments.iter().any(|argument| reads_source(&argument.value)),
        ExprKind::List(items) => items.iter().any(reads_source),
        ExprKind::Template(parts) => parts.iter().any(|part| matches!(part, Part::Hole { value, .. } if reads_source(value))),
        ExprKind::Binary { left, right, .. } => reads_source(left) || reads_source(right),
        _ => false,
    }
}
