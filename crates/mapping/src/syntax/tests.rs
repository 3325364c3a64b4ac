//! What the parser promises of every text, and of the mappings of the reference.

use super::*;
use crate::ast::Item;

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
