//! The words after `with` and `default`: what they mean together, which fit where (M010), and what counts where nothing
//! is said. A rule's own word beats its file's `default`, that one the default of what includes the file.

use super::lower::Checker;
use super::nearest::suggestion;
use super::rules::shown;
use crate::ast::{self, Argument, Item, Modifier};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::span::{FileId, Span};
use crate::target::{Absent, Kind, Merge, WritePolicy};
use crate::types::Type;

#[derive(Clone, Debug)]
pub struct Modifiers {
    pub policy: Option<WritePolicy>,
    pub absent: Absent,
    pub merge: Merge,
    pub required: bool,
    pub sensitive: bool,
    pub strict: bool,
    pub max_bytes: Option<u64>,
    pub attributes: Vec<(Box<str>, Box<str>)>,
}

/// What one list of words says, before defaults.
#[derive(Clone, Debug, Default)]
struct Said {
    policy: Option<(WritePolicy, Span)>,
    absent: Option<(Absent, Span)>,
    merge: Option<(Merge, Span)>,
    required: Option<Span>,
    sensitive: bool,
    strict: bool,
    max: Option<(u64, Span)>,
    checks: Vec<Span>,
    attributes: Vec<(Box<str>, Box<str>, Span)>,
}

pub const WORDS: [&str; 16] = [
    "always",
    "create",
    "if_empty",
    "on_change",
    "absent",
    "merge",
    "required",
    "check",
    "max",
    "sensitive",
    "strict",
    "format",
    "friendly",
    "name_format",
    "scope",
    "in",
];
const OUTGOING: [&str; 5] = ["format", "friendly", "name_format", "scope", "in"];

impl<'a> Checker<'a> {
    /// Words of a rule, with the defaults of its file and of what it is written for.
    pub fn modifiers(&mut self, rule: &'a ast::Rule, file: FileId, ty: &Type) -> Modifiers {
        let said = self.said(&rule.modifiers);
        self.fit(rule, &said, ty);
        let defaults = self.defaults(file);
        let incoming = self.incoming();
        let target = shown(&rule.target.path);
        let absent = said.absent.map(|(absent, _)| absent).or(defaults.absent.map(|(absent, _)| absent));
        let absent = absent.unwrap_or(match &*target {
            "email" | "user_id" => Absent::Keep,
            _ if self.schema.kind.absent_clears() => Absent::Clear,
            _ => Absent::Keep,
        });
        let merge = said.merge.or(defaults.merge.filter(|_| ty.is_list() || *ty == Type::Json)).map(|(merge, _)| merge);
        Modifiers {
            policy: said.policy.or(defaults.policy).map(|(policy, _)| policy).filter(|_| incoming),
            absent,
            merge: merge.unwrap_or(if target == "groups" && incoming { Merge::Owned } else { Merge::Replace }),
            required: said.required.is_some(),
            sensitive: said.sensitive || defaults.sensitive,
            strict: said.strict || defaults.strict,
            max_bytes: said.max.map(|(max, _)| max),
            attributes: said.attributes.into_iter().map(|(word, value, _)| (word, value)).collect(),
        }
    }

    const fn incoming(&self) -> bool {
        matches!(self.to, Kind::Profile | Kind::Group)
    }

    pub fn strict_default(&mut self, file: FileId) -> bool {
        self.defaults(file).strict
    }

    /// The defaults a file's rules have: its own, then those of what includes it.
    fn defaults(&mut self, file: FileId) -> Said {
        let mut all = Said::default();
        let mut at = Some(file);
        let mut seen = Vec::new();
        while let Some(id) = at.filter(|id| !seen.contains(id)) {
            seen.push(id);
            let files = self.files;
            let Some(loaded) = files.get(usize::from(id.0)) else { break };
            for item in &loaded.ast.items {
                if let Item::Default { modifiers, .. } = item {
                    let said = self.said(modifiers);
                    all.policy = all.policy.or(said.policy);
                    all.absent = all.absent.or(said.absent);
                    all.merge = all.merge.or(said.merge);
                    all.sensitive |= said.sensitive;
                    all.strict |= said.strict;
                }
            }
            at =
                files.iter().position(|user| user.uses.contains(&Some(id))).and_then(|user| u16::try_from(user).ok()).map(FileId);
        }
        all
    }

    /// Says what is wrong with each file's `default` on its own.
    pub fn check_defaults(&mut self) {
        let files = self.files;
        for loaded in files {
            for item in &loaded.ast.items {
                let Item::Default { modifiers, .. } = item else { continue };
                let said = self.said(modifiers);
                let of_one = said.required.into_iter().chain(said.max.map(|(_, span)| span)).chain(said.checks);
                let of_one: Vec<Span> = of_one.chain(said.attributes.iter().map(|(.., span)| *span)).collect();
                for span in of_one {
                    let word = self.text_of(span).split_whitespace().next().unwrap_or_default();
                    let message = format!("`{word}` belongs to one rule, not into `default`");
                    self.misfit(span, message, "write it after `with` at the rules that need it");
                }
                if !self.incoming()
                    && let Some((_, span)) = said.policy
                {
                    self.misfit(span, "what goes out is not stored, so it has no write policy".to_owned(), "remove it");
                }
            }
        }
    }

    fn misfit(&mut self, span: Span, message: String, help: &str) {
        self.sink.push(Diagnostic::new(Code::M010, span, message).help(help));
    }

    fn fit(&mut self, rule: &ast::Rule, said: &Said, ty: &Type) {
        let name = shown(&rule.target.path);
        if self.incoming() {
            for (word, _, span) in &said.attributes {
                self.misfit(*span, format!("`{word}` describes what goes out, `{name}` is stored"), "remove it");
            }
        } else {
            let stored = [said.policy.map(|(_, span)| span), said.merge.map(|(_, span)| span)];
            for span in stored.into_iter().flatten() {
                let word = self.text_of(span);
                self.misfit(span, format!("`{word}` says how a value is stored, `{name}` goes out"), "remove it");
            }
        }
        if let Some((_, span)) = said.merge
            && !matches!(ty, Type::List(_) | Type::Json | Type::Unknown)
        {
            self.misfit(span, format!("`merge` is for lists, `{name}` is {ty}"), "remove it");
        }
        if let (Some(required), Some((Absent::Clear, span))) = (said.required, said.absent) {
            let diagnostic =
                Diagnostic::new(Code::M010, span, "a required value is never cleared").also(required, "required here");
            self.sink.push(diagnostic.help("keep one of the two"));
        }
    }

    fn said(&mut self, modifiers: &'a [Modifier]) -> Said {
        let mut said = Said::default();
        let mut seen: Vec<(&str, Span)> = Vec::new();
        for modifier in modifiers {
            let word = &*modifier.word.value;
            let slot = match word {
                "always" | "create" | "if_empty" | "on_change" => "a write policy",
                "check" => "",
                // A claim may go into several tokens and belong to several scopes.
                "in" | "scope" => "",
                _ => word,
            };
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == slot && !slot.is_empty()) {
                let what = if slot == word {
                    format!("`{word}` is there twice")
                } else {
                    format!("a rule has one write policy, `{word}` is the second")
                };
                let diagnostic = Diagnostic::new(Code::M010, modifier.span, what).also(*first, "first here");
                self.sink.push(diagnostic.help("keep one of them"));
                continue;
            }
            seen.push((slot, modifier.span));
            self.one_word(modifier, &mut said);
        }
        said
    }

    fn one_word(&mut self, modifier: &'a Modifier, said: &mut Said) {
        let (word, span) = (&*modifier.word.value, modifier.span);
        match (word, &modifier.argument) {
            ("always", None) => said.policy = Some((WritePolicy::Always, span)),
            ("create", None) => said.policy = Some((WritePolicy::Create, span)),
            ("if_empty", None) => said.policy = Some((WritePolicy::IfEmpty, span)),
            ("on_change", None) => said.policy = Some((WritePolicy::OnChange, span)),
            ("required", None) => said.required = Some(span),
            ("sensitive", None) => said.sensitive = true,
            ("strict", None) => said.strict = true,
            ("max", Some(Argument::Size(size))) => said.max = Some((size.value, span)),
            ("check", Some(_)) => said.checks.push(span),
            ("absent", Some(Argument::Word(how))) => match &*how.value {
                "clear" => said.absent = Some((Absent::Clear, span)),
                "keep" => said.absent = Some((Absent::Keep, span)),
                "reject" => said.absent = Some((Absent::Reject, span)),
                other => self.unknown_word("absent", other, how.span, &["clear", "keep", "reject"]),
            },
            ("merge", Some(Argument::Word(how))) => match &*how.value {
                "owned" => said.merge = Some((Merge::Owned, span)),
                "replace" => said.merge = Some((Merge::Replace, span)),
                "union" => said.merge = Some((Merge::Union, span)),
                other => self.unknown_word("merge", other, how.span, &["owned", "replace", "union"]),
            },
            (word, Some(Argument::Word(value))) if OUTGOING.contains(&word) => {
                said.attributes.push((word.into(), value.value.clone(), span));
            }
            (word, Some(Argument::Text(value))) if OUTGOING.contains(&word) => {
                said.attributes.push((word.into(), value.value.clone(), span));
            }
            (word, _) if WORDS.contains(&word) => {
                let message = format!("`{word}` is written another way");
                self.misfit(span, message, usage(word));
            }
            (word, _) => {
                let all = format!("one of: {}", WORDS.join(", "));
                let help = suggestion(word, WORDS, &all);
                let diagnostic = Diagnostic::new(Code::M010, span, format!("there is no modifier `{word}`")).help(help);
                self.sink.push(diagnostic);
            }
        }
    }

    fn unknown_word(&mut self, of: &str, word: &str, span: Span, words: &[&str]) {
        let all = format!("one of: {}", words.join(", "));
        let help = suggestion(word, words.iter().copied(), &all);
        self.sink.push(Diagnostic::new(Code::M010, span, format!("`{of}` does not know `{word}`")).help(help));
    }
}

fn usage(word: &str) -> &'static str {
    match word {
        "absent" => "absent clear, absent keep or absent reject",
        "merge" => "merge owned, merge replace or merge union",
        "max" => "with a size: max 64kb",
        "check" => "check email, check /^re$/ or check (condition over it)",
        "format" | "friendly" | "name_format" | "scope" | "in" => "with a name: format email, friendly \"mail\", in id_token",
        _ => "alone, without an argument",
    }
}

impl WritePolicy {
    /// As `explain` prints it when nothing was said.
    pub fn word(policy: Option<Self>) -> &'static str {
        policy.map_or("the connection's", Self::as_str)
    }
}
