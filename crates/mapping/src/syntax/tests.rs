//! What the parser promises of every text, and of the mappings of the reference.

use super::*;
use crate::ast::Item;
use crate::diagnostic::render::{Source, terminal};
use proptest::prelude::*;

/// The six mappings of the reference.
pub(super) const MAPPINGS: [(&str, &str); 6] = [
    ("ad", include_str!("../../tests/data/mappings/ad.mapping")),
    ("openldap", include_str!("../../tests/data/mappings/openldap.mapping")),
    ("entra-saml", include_str!("../../tests/data/mappings/entra-saml.mapping")),
    ("shibboleth", include_str!("../../tests/data/mappings/shibboleth.mapping")),
    ("google", include_str!("../../tests/data/mappings/google.mapping")),
    ("github", include_str!("../../tests/data/mappings/github.mapping")),
];

pub(super) fn parsed(text: &str) -> Parsed {
    let parsed = parse(text, FileId(0));
    assert_eq!(parsed.tree.text().to_string(), text, "the tree holds the text");
    parsed
}

#[test]
fn the_six_mappings_of_the_reference_are_read_without_complaint() {
    for (name, text) in MAPPINGS {
        let parsed = parsed(text);
        assert_eq!(parsed.diagnostics, [], "{name}");
        assert_eq!(&*parsed.file.header.unwrap().name.value, name);
        assert!(!format!("{:?}", parsed.file.items).contains("Error,"), "{name}");
    }
}

#[test]
fn every_item_of_the_six_mappings_is_there() {
    let counts: Vec<_> = MAPPINGS
        .iter()
        .map(|(name, text)| {
            let items = parsed(text).file.items;
            let count = |wanted: fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count();
            (
                *name,
                items.len(),
                count(|item| matches!(item, Item::Rule(_))),
                count(|item| matches!(item, Item::Gate(_))),
                count(|item| matches!(item, Item::Test(_))),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("ad", 24, 16, 2, 3),
            ("openldap", 13, 11, 0, 1),
            ("entra-saml", 14, 8, 1, 2),
            ("shibboleth", 16, 9, 1, 2),
            ("google", 13, 9, 1, 2),
            ("github", 13, 9, 0, 2),
        ]
    );
}

/// The syntax tree of a text without its spans.
pub(super) fn meaning(text: &str) -> String {
    let spans = regex::Regex::new(r"Span \{[^}]*\}").unwrap();
    spans.replace_all(&format!("{:?}", parsed(text).file), "").into_owned()
}

/// Pieces the language is made of, and some it is not.
const PIECES: &[&str] = &[
    "mapping",
    "m",
    "from",
    "ldap",
    "to",
    "profile",
    "let",
    "const",
    "table",
    "attrs",
    "test",
    "given",
    "expect",
    "skip",
    "when",
    "because",
    "with",
    "default",
    "override",
    "remove",
    "use",
    "prefix",
    "if",
    "then",
    "else",
    "match",
    "for",
    "in",
    "and",
    "or",
    "not",
    "like",
    "absent",
    "keep",
    "it",
    "now",
    "new",
    "old",
    "true",
    "x",
    "$mail",
    "$c:upn",
    "$\"a b\"",
    "\"text\"",
    "\"a{",
    "}\"",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ";",
    ":",
    ".",
    "..",
    "|",
    "?",
    "??",
    "=",
    "=>",
    "<=>",
    "==",
    "!=",
    "<",
    "~",
    "+",
    "-",
    "*",
    "\"",
    "'",
    "/re/i",
    "/",
    "r\"raw\"",
    "hex\"00\"",
    "@2026-01-31T00:00:00Z",
    "90d",
    "64kb",
    "0x1F",
    "12",
    "12ab",
    "\n",
    "\n",
    "\n",
    " ",
    "\t",
    "\r\n",
    "# comment\n",
    "\\",
    "&&",
    "!",
    "ß",
    "“",
    "\u{a0}",
    "\u{feff}",
    "\0",
    "first_free",
    "sensitive",
    "list",
    "create",
    "required",
    "check",
    "max",
];

pub(super) fn soup() -> impl Strategy<Value = String> {
    proptest::collection::vec((proptest::sample::select(PIECES), proptest::bool::ANY), 0..80)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, space)| [piece, if space { " " } else { "" }]).collect())
}

/// One of the six mappings after a few cuts, insertions and moves.
pub(super) fn mutation() -> impl Strategy<Value = String> {
    let change = (0.0..1.0f64, 0usize..24, proptest::sample::select(PIECES), 0u8..4);
    (0..MAPPINGS.len(), proptest::collection::vec(change, 0..6)).prop_map(|(which, changes)| {
        let mut text = MAPPINGS[which].1.to_owned();
        for (place, length, piece, kind) in changes {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
            let start = text.floor_char_boundary((place * text.len() as f64) as usize);
            let end = text.floor_char_boundary((start + length).min(text.len()));
            match kind {
                0 => text.replace_range(start..end, ""),
                1 => text.insert_str(start, piece),
                2 => text.replace_range(start..end, piece),
                _ => text.insert_str(start, "# c\n"),
            }
        }
        text
    })
}

proptest! {
    #[test]
    fn any_soup_of_tokens_gives_a_tree_of_that_text(text in soup()) {
        let parsed = parsed(&text);
        prop_assert!(parsed.diagnostics.len() <= DIAGNOSTICS_MAX);
    }

    #[test]
    fn any_mutation_of_a_mapping_gives_a_tree_of_that_text(text in mutation()) {
        let parsed = parsed(&text);
        prop_assert!(parsed.diagnostics.len() <= DIAGNOSTICS_MAX);
        for diagnostic in &parsed.diagnostics {
            prop_assert!(diagnostic.help.is_some(), "{}", diagnostic.message);
            let span = diagnostic.span;
            prop_assert!(span.start <= span.end && text.get(span.range()).is_some(), "{}", diagnostic.message);
        }
        let files = [Source { name: "m.mapping", text: &text }];
        prop_assert!(terminal(&parsed.diagnostics, &files, false).matches("error[M").count() >= parsed.diagnostics.len());
    }

    #[test]
    fn any_bytes_are_text_or_a_diagnostic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = text_of(&bytes, FileId(0)) {
            parsed(text);
        }
    }
}
