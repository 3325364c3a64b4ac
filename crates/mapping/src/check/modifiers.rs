//! The words after `with` and `default`: which there are, where each fits, and what a rule's words come to together
//! with its file's defaults and the kinds of source and target. Acting on them is provisioning's.

use super::lower::Checker;
use super::nearest::suggestion;
use super::rules::shown;
use crate::ast::{self, Argument, Item, Modifier};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes::Code;
use crate::span::{FileId, Span};
use crate::target::{self, Absent, Kind, Merge, WritePolicy};
use crate::types::Type;
use std::collections::HashMap;

/// What a rule's words come to.
#[derive(Clone, Debug)]
pub struct Modifiers {
    pub policy: Option<WritePolicy>,
    /// The policy is the file's `default`.
    pub policy_by_default: bool,
    pub absent: Absent,
    pub merge: Merge,
    pub required: bool,
    pub sensitive: bool,
    pub strict: bool,
    pub max_bytes: Option<u64>,
    /// Words of outgoing targets, as written.
    pub attributes: Vec<(Box<str>, Box<str>)>,
}

const POLICIES: [(&str, WritePolicy); 4] = [
    ("always", WritePolicy::Always),
    ("create", WritePolicy::Create),
    ("if_empty", WritePolicy::IfEmpty),
    ("on_change", WritePolicy::OnChange),
];
const ABSENT: [(&str, Absent); 3] = [("clear", Absent::Clear), ("keep", Absent::Keep), ("reject", Absent::Reject)];
const MERGE: [(&str, Merge); 3] = [("owned", Merge::Owned), ("replace", Merge::Replace), ("union", Merge::Union)];

/// Words that only mean something towards a profile or a group, and towards an application.
const INCOMING: [&str; 6] = ["always", "create", "if_empty", "on_change", "absent", "merge"];
const OUTGOING: [&str; 5] = ["format", "friendly", "name_format", "scope", "in"];
const EITHER: [&str; 5] = ["required", "check", "sensitive", "max", "strict"];
/// What `default` may say.
const DEFAULTS: [&str; 6] = ["always", "create", "if_empty", "on_change", "absent", "strict"];

fn word_of<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == word).map(|(_, value)| *value)
}

impl<'a> Checker<'a> {
    /// Whether the file says `default strict`.
    pub fn strict_default(&self, file: FileId) -> bool {
        self.defaults(file).any(|modifier| &*modifier.word.value == "strict")
    }

    fn defaults(&self, file: FileId) -> impl Iterator<Item = &'a Modifier> + use<'a> {
        let loaded = &self.files[usize::from(file.0)];
        loaded.ast.items.iter().flat_map(|item| match item {
            Item::Default { modifiers, .. } => modifiers.as_slice(),
            _ => &[],
        })
    }

    /// Checks the words of every `default`, once per file.
    pub fn check_defaults(&mut self) {
        for number in 0..self.files.len() {
            let file = FileId(u16::try_from(number).unwrap_or(u16::MAX));
            let mut seen = Seen::default();
            for modifier in self.defaults(file) {
                let word = &*modifier.word.value;
                if !DEFAULTS.contains(&word) {
                    let help = suggestion(word, DEFAULTS, "a default is a policy word, `absent …` or `strict`");
                    let message = format!("`{word}` can't be a default");
                    self.sink.push(Diagnostic::new(Code::M010, modifier.span, message).help(help));
                } else if let Some(first) = seen.again(word, modifier.span) {
                    self.given_twice(modifier, first);
                } else {
                    self.fits(modifier);
                }
            }
        }
    }

    /// The rule's own words over its file's defaults.
    pub fn modifiers(&mut self, rule: &'a ast::Rule, file: FileId, ty: &Type) -> Modifiers {
        let name = shown(&rule.target.path);
        let keeps = matches!(&*name, "email" | "user_id") || !self.schema.kind.absent_clears();
        let mut result = Modifiers {
            policy: None,
            policy_by_default: false,
            absent: if keeps { Absent::Keep } else { Absent::Clear },
            merge: if name == "groups" && self.to == Kind::Profile { Merge::Owned } else { Merge::Replace },
            required: false,
            sensitive: false,
            strict: false,
            max_bytes: None,
            attributes: Vec::new(),
        };
        for modifier in self.defaults(file) {
            result.take(modifier);
        }
        result.policy_by_default = result.policy.is_some();
        let mut seen = Seen::default();
        for modifier in &rule.modifiers {
            if !self.fits(modifier) {
                continue;
            }
            let word = &*modifier.word.value;
            if let Some(first) = seen.again(word, modifier.span) {
                self.given_twice(modifier, first);
                continue;
            }
            if word == "merge" && !matches!(ty, Type::List(_) | Type::Json | Type::Unknown) {
                let message = format!("`merge` is for lists, `{name}` is {ty}");
                self.sink.push(Diagnostic::new(Code::M010, modifier.span, message).help("remove it"));
                continue;
            }
            if word_of(&POLICIES, word).is_some() {
                result.policy_by_default = false;
            }
            result.take(modifier);
        }
        if name == "email" && result.absent == Absent::Clear && self.to == Kind::Profile {
            let diagnostic = Diagnostic::new(Code::L11, rule.span, "`email` is deleted when the source leaves it out");
            self.sink.push(diagnostic.help("people sign in with it: leave `absent keep`, or reject the record"));
        }
        result
    }

    /// Whether the word exists, stands on the right side, and has the argument it needs; reports otherwise.
    fn fits(&mut self, modifier: &Modifier) -> bool {
        let word = &*modifier.word.value;
        let incoming = matches!(self.to, Kind::Profile | Kind::Group);
        let said = |message: String, help: String| Some(Diagnostic::new(Code::M010, modifier.span, message).help(help));
        let all = INCOMING.into_iter().chain(OUTGOING).chain(EITHER);
        let wrong = if !all.clone().any(|known| known == word) {
            let words = if incoming { [&INCOMING[..], &EITHER].concat() } else { [&OUTGOING[..], &EITHER].concat() };
            let otherwise = format!("words are: {}", words.join(" "));
            said(format!("unknown modifier `{word}`"), suggestion(word, all, &otherwise))
        } else if incoming && OUTGOING.contains(&word) {
            said(format!("`{word}` is for what goes out"), format!("it stands in mappings from profile; here remove `{word}`"))
        } else if !incoming && INCOMING.contains(&word) {
            let help = "a token or an assertion is made anew each time: remove it".to_owned();
            said(format!("`{word}` is for what is stored"), help)
        } else {
            self.argument_of(modifier)
        };
        match wrong {
            Some(diagnostic) => {
                self.sink.push(diagnostic);
                false
            }
            None => true,
        }
    }

    fn argument_of(&self, modifier: &Modifier) -> Option<Diagnostic> {
        let word = &*modifier.word.value;
        let wants = match (word, &modifier.argument) {
            ("absent", Some(Argument::Word(name))) if word_of(&ABSENT, &name.value).is_some() => return None,
            ("absent", _) => "clear, keep or reject",
            ("merge", Some(Argument::Word(name))) if word_of(&MERGE, &name.value).is_some() => return None,
            ("merge", _) => "owned, replace or union",
            ("max", Some(Argument::Size(_))) => return None,
            ("max", _) => "a size: max 64kb",
            ("check", Some(_)) => return None,
            ("check", None) => "a name, a regular expression or a condition: check email",
            ("friendly", Some(Argument::Text(_))) => return None,
            ("friendly", _) => "text: friendly \"mail\"",
            ("scope" | "in", Some(Argument::Word(name) | Argument::Text(name))) if self.to == Kind::Oidc => {
                return claim_word(modifier, word, &name.value);
            }
            ("format" | "name_format" | "scope" | "in", Some(Argument::Word(_) | Argument::Text(_))) => return None,
            ("format" | "name_format" | "scope" | "in", _) => "a word",
            (_, None) => return None,
            (_, Some(_)) => {
                return Some(
                    Diagnostic::new(Code::M010, modifier.span, format!("`{word}` stands alone")).help("remove what follows it"),
                );
            }
        };
        Some(
            Diagnostic::new(Code::M010, modifier.span, format!("`{word}` needs {wants}"))
                .help(format!("write {word} with {wants}")),
        )
    }

    fn given_twice(&mut self, modifier: &Modifier, first: Span) {
        let message = format!("`{}` contradicts what was said before", modifier.word.value);
        self.sink.push(Diagnostic::new(Code::M010, modifier.span, message).also(first, "said here").help("keep one of them"));
    }
}

/// `scope` and `in` of a claim name what there is: anything else would be a claim that nobody ever gets.
fn claim_word(modifier: &Modifier, word: &str, name: &str) -> Option<Diagnostic> {
    let (known, otherwise): (&[&str], &str) = match word {
        "scope" => (&target::SCOPES, "scopes are: openid profile email phone address groups offline_access"),
        _ => (&target::CLAIM_PLACES, "a claim is told in id_token or in userinfo, and without `in` in both"),
    };
    if known.contains(&name) {
        return None;
    }
    let message = if name == "access_token" {
        String::from("nobody reads an access token: it is no place for a claim")
    } else {
        format!("unknown {} `{name}`", if word == "scope" { "scope" } else { "place" })
    };
    let help = suggestion(name, known.iter().copied(), otherwise);
    Some(Diagnostic::new(Code::M010, modifier.span, message).help(help))
}

/// What was said already; the four policy words are one question.
#[derive(Default)]
struct Seen<'m>(HashMap<&'m str, Span>);

impl<'m> Seen<'m> {
    fn again(&mut self, word: &'m str, span: Span) -> Option<Span> {
        // Several checks hold together.
        if word == "check" {
            return None;
        }
        let question = if word_of(&POLICIES, word).is_some() { "policy" } else { word };
        self.0.insert(question, span)
    }
}

impl Modifiers {
    /// Takes a word that fits; another one says nothing here.
    fn take(&mut self, modifier: &Modifier) {
        let word = &*modifier.word.value;
        if let Some(policy) = word_of(&POLICIES, word) {
            self.policy = Some(policy);
            return;
        }
        match (word, &modifier.argument) {
            ("absent", Some(Argument::Word(name))) => self.absent = word_of(&ABSENT, &name.value).unwrap_or(self.absent),
            ("merge", Some(Argument::Word(name))) => self.merge = word_of(&MERGE, &name.value).unwrap_or(self.merge),
            ("max", Some(Argument::Size(size))) => self.max_bytes = Some(size.value),
            ("required", _) => self.required = true,
            ("sensitive", _) => self.sensitive = true,
            ("strict", _) => self.strict = true,
            (word, Some(Argument::Word(name))) if OUTGOING.contains(&word) => {
                self.attributes.push((word.into(), name.value.clone()));
            }
            (word, Some(Argument::Text(text))) if OUTGOING.contains(&word) => {
                self.attributes.push((word.into(), text.value.clone()));
            }
            _ => {}
        }
    }
}
