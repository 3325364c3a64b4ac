//! Lints over whole rules: what compiles and is probably not meant.

use super::include::Loaded;
use super::lower::{Checker, Low, Needs};
use super::rules::shown;
use super::sink::Sink;
use crate::ast::{self, Expr, ExprKind, Item, RuleValue};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan;
use crate::span::FileId;
use crate::target::Kind;

/// A header with another name than its file (L17). A text that lies in no file has none to differ from.
pub fn name_of_file(files: &[Loaded], sink: &mut Sink) {
    let Some((file, header)) = files.first().and_then(|file| Some((file, file.ast.header.as_ref()?))) else { return };
    let Some(path) = file.name.strip_suffix(".mapping") else { return };
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    if name.is_empty() || *name == *header.name.value {
        return;
    }
    let written = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'));
    let diagnostic =
        Diagnostic::new(Code::L17, header.name.span, format!("the file is called `{name}`, and the mapping goes by that"));
    sink.push(if written {
        diagnostic.help(format!("write `mapping {name} …`, or rename the file")).fix(header.name.span, name)
    } else {
        diagnostic.help(format!("call the file {}.mapping", header.name.value))
    });
}

impl<'a> Checker<'a> {
    /// A `default` of the mapping itself that none of its own rules hears (L02): what it includes keeps its own words.
    pub fn unheard_default(&mut self, order: &[usize]) {
        let Some(main) = self.files.first() else { return };
        let own_rule = order.iter().any(|&index| self.rules[index].file == FileId(0));
        // `strict` is about reading, which lets and gates do as well.
        let reads = main.ast.items.iter().any(|item| matches!(item, Item::Let { .. } | Item::Gate(_)));
        for item in &main.ast.items {
            let Item::Default { modifiers, .. } = item else { continue };
            for modifier in modifiers {
                if own_rule || reads && &*modifier.word.value == "strict" {
                    continue;
                }
                let message =
                    format!("`default {}` is heard by no rule: it counts for the rules of its own file", modifier.word.value);
                let help = "say it in the file that is included, or in the rule: override name = inherited with …";
                self.sink.push(Diagnostic::new(Code::L02, modifier.span, message).help(help));
            }
        }
    }

    /// A sensitive attribute's value in a target that shows (L13).
    pub fn sensitive_leak(&mut self, rule: &'a ast::Rule, low: &Low, needs: &Needs) {
        let read = needs.slots.iter().any(|slot| self.slots.specs.get(usize::from(*slot)).is_some_and(|spec| spec.sensitive));
        let Some(span) = needs
            .sensitive_text
            .or_else(|| (read && !low.ty.is_list() && low.ty != crate::types::Type::Bool).then_some(low.span))
        else {
            return;
        };
        let message = format!("`{}` shows what a sensitive attribute holds", shown(&rule.target.path));
        self.sink.push(Diagnostic::new(Code::L13, span, message).help("add: with sensitive"));
    }

    /// L08, L09, L12, L14, L16 over the rules in force.
    pub fn rule_lints(&mut self, order: &[usize], lowered: &[(plan::Rule, Needs)]) {
        if self.to != Kind::Profile {
            return;
        }
        for (&index, (rule, needs)) in order.iter().zip(lowered) {
            let written = self.rules[index].rule;
            match &*rule.target {
                "user_id" => self.changing_id(rule, needs),
                "email_verified" => self.always_verified(rule),
                "groups" => self.groups(written),
                _ => {}
            }
            if let Some(base) = self.rules[index].base {
                let (own, inherited) = (self.said(written), self.said(self.rules[base].rule));
                if own == inherited {
                    let diagnostic = Diagnostic::new(
                        Code::L14,
                        rule.span,
                        format!("`{}` overrides what it inherits by the same", rule.target),
                    );
                    self.sink
                        .push(diagnostic.also(self.rules[base].rule.span, "inherited from here").help("remove the override"));
                }
            }
        }
    }

    /// What a rule says after its target, without spaces.
    fn said(&self, rule: &ast::Rule) -> String {
        let span = crate::span::Span { start: rule.target.span.end, ..rule.span };
        self.text_of(span).split_whitespace().collect()
    }

    fn changing_id(&mut self, rule: &plan::Rule, needs: &Needs) {
        let changes = needs.slots.iter().filter_map(|slot| self.slots.specs.get(usize::from(*slot)));
        let Some(name) = changes.map(|spec| spec.name.clone()).find(|name| self.schema.changes(name)) else { return };
        let message = format!("`user_id` is made of `{name}`, which changes while the person stays");
        let help = "take what never changes: objectGUID, entryUUID, oid, sub, externalId";
        self.sink.push(Diagnostic::new(Code::L08, rule.span, message).help(help));
    }

    fn always_verified(&mut self, rule: &plan::Rule) {
        let plan::RuleValue::Expr(node) = rule.value else { return };
        if rule.condition.is_none() && self.known_bool(node) == Some(true) {
            let diagnostic = Diagnostic::new(Code::L09, rule.span, "every address counts as verified, whoever typed it");
            self.sink.push(diagnostic.help("say when: email_verified = present($mail)"));
        }
    }

    fn groups(&mut self, rule: &'a ast::Rule) {
        if self.schema.kind == Kind::Scim {
            let message = "`groups` of pushed users are the pushed groups; what is written here counts for nothing";
            let help = "remove the rule; a mapping `from scim to group` says which groups are taken";
            self.sink.push(Diagnostic::new(Code::L16, rule.span, message).help(help));
        } else if let RuleValue::Expr(expr) = &rule.value
            && takes_all(expr)
        {
            let diagnostic = Diagnostic::new(Code::L12, expr.span, "every group of the source becomes one here");
            self.sink.push(diagnostic.help("take those that matter: [ g for g in $groups[*] if g.starts_with(\"app-\") ]"));
        }
    }
}

/// A list of all values, with nothing that leaves one out.
fn takes_all(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::All(inner) => matches!(inner.kind, ExprKind::Source(_)),
        ExprKind::Comprehension { list, condition, .. } => condition.is_none() && takes_all(list),
        ExprKind::Call { name, arguments, .. } => {
            matches!(&*name.value, "unique" | "sort" | "nested") && arguments.first().is_some_and(|first| takes_all(&first.value))
        }
        _ => false,
    }
}
