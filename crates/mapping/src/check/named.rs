//! `check`: the named checks, one table; regular expressions; conditions over `it`. Each becomes a condition over the
//! value, or over each item of a list.

use super::lower::{Checker, Low};
use super::nearest::suggestion;
use crate::ast::{self, Argument, ExprKind, Modifier};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::plan::{Check, Conversion, Node, NodeId};
use crate::span::{FileId, Span};
use crate::types::Type;

/// Name, pattern, what to say when it does not hold.
const NAMED: &[(&str, &str, &str)] = &[
    (
        "email",
        // RFC 5321 §4.1.2, dot-string only, letters of any script (RFC 6531).
        r#"\A[^\s@"(),:;<>\[\]\\]+@[a-zA-Z0-9[\x{80}-\x{10FFFF}--\s]](?:[a-zA-Z0-9-[\x{80}-\x{10FFFF}--\s]]*[a-zA-Z0-9[\x{80}-\x{10FFFF}--\s]])?(?:\.[a-zA-Z0-9[\x{80}-\x{10FFFF}--\s]](?:[a-zA-Z0-9-[\x{80}-\x{10FFFF}--\s]]*[a-zA-Z0-9[\x{80}-\x{10FFFF}--\s]])?)*\z"#,
        "is not an e-mail address",
    ),
    ("url", r"(?i)\Ahttps?://[^\s/?#@]+(?:[/?#]\S*)?\z", "is not a URL of http or https"),
    ("e164", r"\A\+[1-9][0-9]{1,14}\z", "is not a telephone number like +4930123456 (E.164)"),
    ("uuid", r"(?i)\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\z", "is not a UUID"),
    ("locale", r"\A[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*\z", "is not a language tag like de-DE (RFC 5646)"),
    ("slug", r"\A[a-z0-9]+(?:-[a-z0-9]+)*\z", "is not made of small letters, digits and single hyphens"),
    (
        "dn",
        // RFC 4514 §3
        r#"\A\s*(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)\s*=(?:[^,+"\\<>;]|\\.)*(?:[,+;]\s*(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)\s*=(?:[^,+"\\<>;]|\\.)*)*\z"#,
        "is not a distinguished name",
    ),
    ("date", r"\A[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])\z", "is not a date like 2026-01-31"),
];

impl<'a> Checker<'a> {
    /// The checks of a rule, in their order.
    pub fn checks(&mut self, rule: &'a ast::Rule, file: FileId, ty: &Type) -> Vec<Check> {
        let item = match ty {
            Type::List(item) => (**item).clone(),
            other => other.clone(),
        };
        let mut checks = Vec::new();
        for modifier in rule.modifiers.iter().filter(|modifier| &*modifier.word.value == "check") {
            let ((condition, message), needs) = self.needing(|checker| {
                checker.apart(file, None, |checker| {
                    checker.frame.it = Some(item.clone());
                    checker.check(modifier)
                })
            });
            if !needs.rules.is_empty() {
                let diagnostic = Diagnostic::new(Code::M021, modifier.span, "a check looks at its own value only");
                self.sink.push(diagnostic.help("move the condition into `when`"));
            }
            if let Some(condition) = condition {
                let message = modifier.text.as_ref().map_or(message, |text| text.value.clone());
                checks.push(Check { condition, message });
            }
        }
        checks
    }

    /// The condition (`None` = reported) and what to say where the mapping says nothing.
    fn check(&mut self, modifier: &'a Modifier) -> (Option<NodeId>, Box<str>) {
        match &modifier.argument {
            Some(Argument::Word(name)) => {
                let found = NAMED.iter().find(|(known, ..)| **known == *name.value);
                let Some((_, pattern, message)) = found else {
                    let all = format!("one of: {}, or check /re/, check (condition)", names());
                    let help = suggestion(&name.value, NAMED.iter().map(|(known, ..)| *known), &all);
                    self.sink
                        .push(Diagnostic::new(Code::M010, name.span, format!("there is no check `{}`", name.value)).help(help));
                    return (None, Box::from(""));
                };
                (self.matches_it(pattern, false, modifier.span), Box::from(*message))
            }
            Some(Argument::Expr(expr)) => match &expr.kind {
                ExprKind::Regex { pattern, ignore_case } => {
                    self.anchored(pattern, expr.span);
                    let text = self.text_of(expr.span);
                    (self.matches_it(pattern, *ignore_case, expr.span), format!("does not match {text}").into())
                }
                _ => {
                    let low = self.condition(expr);
                    let text = self.text_of(expr.span);
                    let node = (!low.is_unknown()).then_some(low.node);
                    (node, format!("does not satisfy {text}").into())
                }
            },
            _ => (None, Box::from("")),
        }
    }

    fn matches_it(&mut self, pattern: &str, ignore_case: bool, span: Span) -> Option<NodeId> {
        let ty = self.frame.it.clone().unwrap_or(Type::Unknown);
        let it = self.low(Node::It, ty.clone(), false, span);
        let text: Low = match ty {
            Type::String | Type::Unknown => it,
            Type::Json => self.convert_or_absent(it, Conversion::Text, Type::String),
            other => {
                let message = format!("this check looks at text, the value is {other}");
                self.sink.push(Diagnostic::new(Code::M010, span, message).help("write a condition: check (it != 0)"));
                return None;
            }
        };
        let regex = self.regex(pattern, ignore_case, span)?;
        Some(self.add(Node::Matches { text: text.node, regex }, span))
    }

    fn anchored(&mut self, pattern: &str, span: Span) {
        let start = pattern.starts_with('^') || pattern.starts_with("\\A") || pattern.starts_with("(?") && pattern.contains('^');
        let end = pattern.ends_with("\\z") || pattern.ends_with('$') && !pattern.ends_with("\\$");
        if !start || !end {
            let diagnostic = Diagnostic::new(Code::L06, span, "this matches anywhere in the value")
                .help("anchor it: /^…$/, or /^.*…/ where that is meant");
            self.sink.push(diagnostic);
        }
    }
}

fn names() -> String {
    NAMED.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Regex;

    fn holds(name: &str, value: &str) -> bool {
        let (_, pattern, _) = NAMED.iter().find(|(known, ..)| *known == name).unwrap();
        Regex::compile(pattern, false).unwrap().0.is_match(value)
    }

    #[test]
    fn each_named_check_takes_what_it_is_for_and_refuses_its_near_miss() {
        for (name, good, bad) in [
            ("email", "ann.lee+x@corp.example", "ann@corp@example"),
            ("email", "ann@localhost", "ann@-corp.example"),
            ("email", "jürgen@büro.example", "ann @corp.example"),
            ("url", "https://p.example/a?b#c", "javascript:alert(1)"),
            ("url", "HTTP://p.example", "https://user@p.example/"),
            ("e164", "+4930123456", "030123456"),
            ("uuid", "6F1C0c4e-0a5b-103f-8d2e-3b6f6f6f6f6f", "6f1c0c4e0a5b103f8d2e3b6f6f6f6f6f"),
            ("locale", "zh-Hans-CN", "english"),
            ("slug", "a-b-1", "a--b"),
            ("dn", r"CN=Lee\, Ann,OU=Users+L=x, DC=corp", "Ann Lee"),
            ("date", "2026-01-31", "2026-13-01"),
        ] {
            assert!(holds(name, good), "{name}: {good}");
            assert!(!holds(name, bad), "{name}: {bad}");
        }
    }
}
