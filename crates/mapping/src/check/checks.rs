//! `check`: named ones, a regular expression, or a condition over `it`; each becomes a condition of the plan.

use super::lower::Checker;
use super::nearest::suggestion;
use super::rules::shown;
use crate::ast::{self, Argument, ExprKind, Modifier};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan::{Check, Conversion, Node};
use crate::span::FileId;
use crate::types::Type;

/// Named checks: what they are called, what holds, and what is said when it does not.
///
/// The address: RFC 5321 §4.5.3.1 lengths, one `@`, no spaces; more would refuse real addresses. Numbers: ITU-T E.164.
const NAMED: [(&str, &str, &str); 8] = [
    ("email", r"^[^\x00-\x20@]{1,64}@[^\x00-\x20@]{1,189}$", "not an e-mail address"),
    ("url", r"^https?://[^\s/?#]+[^\s]*$", "not an http or https URL"),
    ("e164", r"^\+[1-9][0-9]{1,14}$", "not a telephone number in international form (+ and digits)"),
    ("uuid", r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$", "not a UUID"),
    ("locale", r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", "not a language tag"),
    ("slug", r"^[a-z0-9]+(-[a-z0-9]+)*$", "not a slug (lower-case letters and digits, single hyphens)"),
    ("dn", r"^\s*[A-Za-z0-9.-]+\s*=.*$", "not a distinguished name"),
    ("date", r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", "not a date (2026-01-31)"),
];

impl<'a> Checker<'a> {
    /// The conditions of a rule's `check` words. A list is checked item by item.
    pub fn checks(&mut self, rule: &'a ast::Rule, file: FileId, ty: &Type) -> Vec<Check> {
        let item = match ty {
            Type::List(item) => (**item).clone(),
            other => other.clone(),
        };
        let mut checks = Vec::new();
        for modifier in rule.modifiers.iter().filter(|modifier| &*modifier.word.value == "check") {
            let check = self.apart(file, None, |checker| {
                checker.frame.it = Some(item.clone());
                checker.check(rule, modifier, &item)
            });
            checks.extend(check);
        }
        checks
    }

    fn check(&mut self, rule: &'a ast::Rule, modifier: &'a Modifier, item: &Type) -> Option<Check> {
        let own = modifier.text.as_ref().map(|text| text.value.clone());
        let target = shown(&rule.target.path);
        match modifier.argument.as_ref()? {
            Argument::Word(name) => {
                let Some((_, pattern, said)) = NAMED.iter().find(|(known, ..)| *known == &*name.value) else {
                    let all = NAMED.map(|(name, ..)| name);
                    let otherwise = format!("checks are: {}; or check /re/, check (condition over it)", all.join(" "));
                    let message = format!("unknown check `{}`", name.value);
                    let diagnostic =
                        Diagnostic::new(Code::M010, name.span, message).help(suggestion(&name.value, all, &otherwise));
                    self.sink.push(diagnostic);
                    return None;
                };
                self.text_check(&target, modifier, item, pattern, false)
                    .map(|condition| Check { condition, message: own.unwrap_or_else(|| (*said).into()) })
            }
            Argument::Expr(expr) => {
                let shown = self.text_of(expr.span).to_owned();
                if let ExprKind::Regex { pattern, ignore_case } = &expr.kind {
                    self.unanchored(expr.span, pattern);
                    return self.text_check(&target, modifier, item, pattern, *ignore_case).map(|condition| Check {
                        condition,
                        message: own.unwrap_or_else(|| format!("does not match {shown}").into()),
                    });
                }
                let condition = self.condition(expr).node;
                Some(Check { condition, message: own.unwrap_or_else(|| format!("{shown} does not hold").into()) })
            }
            Argument::Text(_) | Argument::Size(_) => {
                let diagnostic =
                    Diagnostic::new(Code::M010, modifier.span, "`check` needs a name, a regular expression or a condition");
                self.sink.push(diagnostic.help("write check email, check /^…$/ or check (len(it) < 64)"));
                None
            }
        }
    }

    fn text_check(&mut self, target: &str, modifier: &Modifier, item: &Type, pattern: &str, ignore_case: bool) -> Option<u32> {
        if !matches!(item, Type::String | Type::Dn | Type::Json | Type::Unknown) {
            let message = format!("this check is for text, `{target}` is {item}");
            let diagnostic = Diagnostic::new(Code::M010, modifier.span, message);
            self.sink.push(diagnostic.help("write a condition: check (it > 0)"));
            return None;
        }
        let regex = self.regex(pattern, ignore_case, modifier.span)?;
        let it = self.low(Node::It, item.clone(), false, modifier.span);
        // A number where text is checked does not pass; it is no failure of another kind.
        let text = if *item == Type::Json { self.convert_or_absent(it, Conversion::Text, Type::String) } else { it };
        Some(self.add(Node::Matches { text: text.node, regex }, modifier.span))
    }

    fn unanchored(&mut self, span: crate::span::Span, pattern: &str) {
        if !(pattern.starts_with('^') && pattern.ends_with('$')) {
            let diagnostic = Diagnostic::new(Code::L06, span, "this matches anywhere in the text");
            self.sink.push(diagnostic.help(format!("check the whole of it: /^{}$/", pattern.trim_matches(['^', '$']))));
        }
    }
}
