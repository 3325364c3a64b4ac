//! What formatting promises.

use super::format;
use crate::syntax::tests::{MAPPINGS, meaning, mutation};
use proptest::prelude::*;

fn formatted(items: &str) -> String {
    let text = format(&format!("mapping m from ldap to profile\n{items}")).unwrap();
    text.strip_prefix("mapping m from ldap to profile\n").unwrap().to_owned()
}

#[test]
fn items_stand_on_lines_of_their_own_and_equals_signs_in_columns() {
    assert_eq!(
        formatted("given_name=$g;family_name  =  $s # both\n\n\n\nname = $cn\n# why\nlocale = $l\nuser_metadata.x = 1;"),
        "given_name  = $g\nfamily_name = $s  # both\n\nname = $cn\n# why\nlocale          = $l\nuser_metadata.x = 1\n"
    );
}

#[test]
fn a_very_long_target_pushes_nobody() {
    let long = "\"urn:oid:0.9.2342.19200300.100.1.3.9999\"";
    assert_eq!(formatted(&format!("a=1\nbb=2\n{long}=3")), format!("a  = 1\nbb = 2\n{long} = 3\n"));
}

#[test]
fn long_values_break_before_operators_when_and_with() {
    let (a, b) = ("a".repeat(60), "b".repeat(60));
    assert_eq!(
        formatted(&format!("x = ${a} ?? ${b} ?? $c when has($d) with create,required")),
        format!("x = ${a}\n    ?? ${b}\n    ?? $c\n    when has($d)\n    with create, required\n")
    );
}

#[test]
fn long_brackets_break_one_entry_per_line_and_nested_ones_only_inside() {
    let (a, b) = ("a".repeat(60), "b".repeat(60));
    assert_eq!(formatted(&format!("x = unique([\"{a}\",\"{b}\",])")), format!("x = unique([\n  \"{a}\",\n  \"{b}\"\n])\n"));
}

#[test]
fn a_test_breaks_always_and_its_records_if_they_are_long() {
    assert_eq!(
        formatted("test \"t\" { given { mail : [\"a\" ,\"b\"] } at @2026-01-31T00:00:00Z seed 7 expect exactly { x:keep } }"),
        "test \"t\" {\n  given { mail: [\"a\", \"b\"] }\n  at @2026-01-31T00:00:00Z\n  seed 7\n  expect exactly { x: keep }\n}\n"
    );
}

#[test]
fn comments_stay_where_they_are_whatever_surrounds_them() {
    assert_eq!(
        formatted(
            "table t { # head\n  # first\n  \"a\" => 1, # one\n\n  # second\n  \"b\" => 2 # two\n  # end\n}\nx = $a # left\n  ?? $b"
        ),
        "table t {\n  # head\n  # first\n  \"a\" => 1,  # one\n\n  # second\n  \"b\" => 2  # two\n  # end\n}\n\
         x = $a  # left\n    ?? $b\n"
    );
}

#[test]
fn a_prefixed_attribute_keeps_its_distance_from_a_call() {
    assert_eq!(formatted("x = $p:a .rdn( \"CN\" )"), "x = $p:a .rdn(\"CN\")\n");
}

#[test]
fn a_text_with_an_error_is_not_touched() {
    assert!(format("mapping m from ldap to profile\nx = ").is_err());
}

#[test]
fn the_six_mappings_keep_their_meaning_and_are_canonical_after_once() {
    for (name, text) in MAPPINGS {
        let once = format(text).unwrap();
        assert_eq!(meaning(&once), meaning(text), "{name}");
        assert_eq!(format(&once).unwrap(), once, "{name}");
        let comments = |text: &str| text.matches('#').count();
        assert_eq!(comments(&once), comments(text), "{name}");
    }
}

/// Wherever a comment may stand, one by one.
#[test]
fn a_comment_between_any_two_tokens_survives() {
    let mut kept = 0;
    for (name, text) in MAPPINGS {
        for token in crate::syntax::token::tokens(text) {
            let at = token.start as usize;
            let with = format!("{} # here\n{}", &text[..at], &text[at..]);
            let Ok(once) = format(&with) else { continue };
            // Inside a string it is no comment.
            kept += usize::from(once.matches("# here").count() == 1);
            assert_eq!(meaning(&once), meaning(&with), "{name} at {at}");
            assert_eq!(format(&once).unwrap(), once, "{name} at {at}");
        }
    }
    assert!(kept > 1_000, "only {kept} places took a comment");
}

proptest! {
    #[test]
    fn what_can_be_read_keeps_its_meaning_and_is_canonical_after_once(text in mutation()) {
        if let Ok(once) = format(&text) {
            prop_assert_eq!(meaning(&once), meaning(&text));
            prop_assert_eq!(format(&once).unwrap(), once);
        }
    }
}
