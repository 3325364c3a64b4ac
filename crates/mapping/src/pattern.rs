//! What simple regular expressions come down to: a literal, or one class of characters. Owns that analysis and the
//! byte loops that replace the automaton there. Everything else is [`Shape::General`], the regex crate's.

use crate::functions::Short;
use crate::limits::STRING_BYTES_MAX;
use bumpalo::Bump;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// How a pattern can be run.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shape {
    #[default]
    General,
    /// `/abc/`, `/^abc/`, `/abc$/`, `/^abc$/`: case counts.
    Literal { text: Box<str>, start: bool, end: bool },
    /// `/[^0-9+]/` or, `repeated`, `/\s+/`.
    Class(Box<ClassShape>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ClassShape {
    ascii: [bool; 128],
    /// Whether all other characters belong to it; `None` = some, so that only ASCII text can be looked at here.
    others: Option<bool>,
    /// A run of them is one match.
    repeated: bool,
}

impl Shape {
    /// The shape of a pattern; of one that does not parse, the general one.
    pub fn of(pattern: &str, ignore_case: bool) -> Self {
        let parsed = regex_syntax::ParserBuilder::new()
            .case_insensitive(ignore_case)
            .nest_limit(crate::limits::REGEX_NESTING_MAX)
            .build()
            .parse(pattern);
        let Ok(hir) = parsed else { return Self::General };
        literal(&hir).or_else(|| class(&hir)).unwrap_or(Self::General)
    }

    /// Whether it matches anywhere; `None` = ask the automaton.
    pub fn is_match(&self, text: &str) -> Option<bool> {
        Some(match self {
            Self::General => return None,
            Self::Literal { text: wanted, start: true, end: true } => text == &**wanted,
            Self::Literal { text: wanted, start: true, .. } => text.starts_with(&**wanted),
            Self::Literal { text: wanted, end: true, .. } => text.ends_with(&**wanted),
            Self::Literal { text: wanted, .. } => memchr::memmem::find(text.as_bytes(), wanted.as_bytes()).is_some(),
            Self::Class(class) => {
                let others = class.others_in(text)?;
                text.bytes().any(|byte| class.holds(byte, others))
            }
        })
    }

    /// `text` with every match replaced by `by`, taken as it stands; `None` = ask the automaton, which also counts where
    /// the result could grow over the bound of a text. Borrows `text` when nothing matches.
    pub fn replace_all<'a>(&self, arena: &'a Bump, text: &'a str, by: &str) -> Option<&'a str> {
        if text.len().saturating_mul(by.len().max(1)) > STRING_BYTES_MAX {
            return None;
        }
        match self {
            Self::General => None,
            Self::Literal { text: wanted, start, end } => Some(replace_literal(arena, text, wanted, (*start, *end), by)),
            Self::Class(class) => {
                let others = class.others_in(text)?;
                Some(class.replace(arena, text, others, by))
            }
        }
    }
}

/// The literal with its anchors, if that is all the pattern is.
fn literal(hir: &Hir) -> Option<Shape> {
    let parts = match hir.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        HirKind::Literal(_) => std::slice::from_ref(hir),
        _ => return None,
    };
    let is = |part: Option<&Hir>, look: Look| part.is_some_and(|part| *part.kind() == HirKind::Look(look));
    let start = is(parts.first(), Look::Start);
    let end = is(parts.last(), Look::End);
    match &parts[usize::from(start)..parts.len() - usize::from(end)] {
        [middle] => match middle.kind() {
            HirKind::Literal(text) => {
                let text = std::str::from_utf8(&text.0).ok()?.into();
                Some(Shape::Literal { text, start, end })
            }
            _ => None,
        },
        _ => None,
    }
}

fn class(hir: &Hir) -> Option<Shape> {
    let (hir, repeated) = match hir.kind() {
        HirKind::Repetition(repetition) if repetition.min == 1 && repetition.max.is_none() && repetition.greedy => {
            (&*repetition.sub, true)
        }
        _ => (hir, false),
    };
    let HirKind::Class(Class::Unicode(class)) = hir.kind() else { return None };
    let ascii = std::array::from_fn(|byte| {
        let wanted = u32::try_from(byte).unwrap_or(0);
        class.ranges().iter().any(|range| (range.start() as u32..=range.end() as u32).contains(&wanted))
    });
    let others = match class.ranges().last() {
        Some(last) if last.end() == char::MAX && u32::from(last.start()) <= 0x80 => Some(true),
        Some(last) if last.end().is_ascii() => Some(false),
        None => Some(false),
        Some(_) => None,
    };
    Some(Shape::Class(Box::new(ClassShape { ascii, others, repeated })))
}

impl ClassShape {
    fn others_in(&self, text: &str) -> Option<bool> {
        self.others.or_else(|| text.is_ascii().then_some(false))
    }

    fn holds(&self, byte: u8, others: bool) -> bool {
        self.ascii.get(usize::from(byte)).copied().unwrap_or(others)
    }

    fn replace<'a>(&self, arena: &'a Bump, text: &'a str, others: bool, by: &str) -> &'a str {
        let Some(first) = text.bytes().position(|byte| self.holds(byte, others)) else { return text };
        if by.is_empty() {
            return self.without(arena, text, others, first);
        }
        let mut out = bumpalo::collections::String::with_capacity_in(text.len(), arena);
        out.push_str(&text[..first]);
        // A run of bytes outside the class, or of bytes inside it, starts and ends between characters: the bytes of
        // one character are all inside or all outside.
        let mut at = first;
        let bytes = text.as_bytes();
        while at < bytes.len() {
            let inside = self.holds(bytes[at], others);
            let run = bytes[at..].iter().position(|byte| self.holds(*byte, others) != inside).unwrap_or(bytes.len() - at);
            if !inside {
                out.push_str(&text[at..at + run]);
            } else if self.repeated {
                out.push_str(by);
            } else {
                text[at..at + run].chars().for_each(|_| out.push_str(by));
            }
            at += run;
        }
        out.into_bump_str()
    }
}

impl ClassShape {
    /// The text without the characters of the class, of which the first is here. No branch on what a byte is: in phone
    /// numbers that can't be foreseen.
    fn without<'a>(&self, arena: &'a Bump, text: &'a str, others: bool, first: usize) -> &'a str {
        // All bytes of a character stay or go together.
        let keep = |out: &mut [u8]| {
            let mut length = first;
            for byte in &text.as_bytes()[first..] {
                out[length] = *byte;
                length += usize::from(!self.holds(*byte, others));
            }
            // The last one may have been written though it goes.
            out[length..].fill(0);
            length
        };
        if text.len() <= SHORT_BYTES {
            let mut short = Short::<SHORT_BYTES>::new();
            short.bytes()[..first].copy_from_slice(&text.as_bytes()[..first]);
            let length = keep(short.bytes());
            return arena.alloc_str(short.text(length));
        }
        let out = arena.alloc_slice_copy(text.as_bytes());
        let length = keep(out);
        std::str::from_utf8(&out[..length]).unwrap_or_default()
    }
}

/// A phone number is not longer.
const SHORT_BYTES: usize = 32;

fn replace_literal<'a>(arena: &'a Bump, text: &'a str, wanted: &str, anchors: (bool, bool), by: &str) -> &'a str {
    let joined = |before: &str, after: &str| -> &'a str {
        let mut out = bumpalo::collections::String::with_capacity_in(before.len() + by.len() + after.len(), arena);
        [before, by, after].into_iter().for_each(|part| out.push_str(part));
        out.into_bump_str()
    };
    match anchors {
        (true, true) if text == wanted => joined("", ""),
        (true, false) => text.strip_prefix(wanted).map_or(text, |rest| joined("", rest)),
        (false, true) => text.strip_suffix(wanted).map_or(text, |rest| joined(rest, "")),
        (true, true) => text,
        (false, false) => {
            let mut found = memchr::memmem::find_iter(text.as_bytes(), wanted.as_bytes()).peekable();
            if found.peek().is_none() {
                return text;
            }
            let mut out = bumpalo::collections::String::with_capacity_in(text.len(), arena);
            let mut at = 0;
            for hit in found {
                out.push_str(&text[at..hit]);
                out.push_str(by);
                at = hit + wanted.len();
            }
            out.push_str(&text[at..]);
            out.into_bump_str()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_and_single_classes_need_no_automaton() {
        for pattern in ["abc", "^abc", "abc$", "^a.c$", "[^0-9+]", r"\s+", r"\d", "[a-f]+"] {
            let general = Shape::of(pattern, false) == Shape::General;
            assert_eq!(general, pattern.contains('.'), "{pattern}");
        }
        assert_eq!(Shape::of("abc", true), Shape::General, "case folds");
        assert_eq!(Shape::of("(a)", false), Shape::General, "captures");
    }

    proptest! {
        #[test]
        fn a_shape_gives_what_the_automaton_gives(
            text in "[a-d0-9 ü€\u{2003}]{0,12}",
            by in "[x-]{0,2}",
            pattern in prop::sample::select(vec![
                "a", "^ab", "b$", "^abc$", "ab", "aa", "[^0-9]", "[^0-9]+", r"\s", r"\s+", "[ab]", "[ü-€]", r"\d+", "[^ü]", r"\S",
            ]),
            ignore_case: bool,
        ) {
            let regex = regex::RegexBuilder::new(pattern).case_insensitive(ignore_case).build().unwrap();
            let shape = Shape::of(pattern, ignore_case);
            let arena = Bump::new();
            if let Some(found) = shape.is_match(&text) {
                prop_assert_eq!(found, regex.is_match(&text));
            }
            if let Some(replaced) = shape.replace_all(&arena, &text, &by) {
                prop_assert_eq!(replaced, regex.replace_all(&text, regex::NoExpand(&by)));
            }
        }
    }
}
