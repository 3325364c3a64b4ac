//! Each thing the syntax can complain about, as a reader sees it. The snapshots hold the whole rendered text.

use super::tests::parsed;
use super::*;
use crate::diagnostic::render::{Source, reports, terminal};

/// What is said of `text`, a whole file.
fn said(text: &str) -> String {
    let diagnostics = parsed(text).diagnostics;
    terminal(&diagnostics, &[Source { name: "m.mapping", text }], false)
}

/// All of `cases`, each a file of its own; one complaint each, unless it says otherwise.
fn golden(cases: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (title, text) in cases {
        let count = parsed(text).diagnostics.len();
        assert_eq!(count, 1, "{title}:\n{}", said(text));
        out.push_str(&format!("── {title}\n{}\n", said(text)));
    }
    out
}

/// The same for items below a good header.
fn golden_items(cases: &[(&str, &str)]) -> String {
    let texts: Vec<_> = cases.iter().map(|(title, text)| (*title, format!("mapping m from ldap to profile\n{text}\n"))).collect();
    golden(&texts.iter().map(|(title, text)| (*title, &**text)).collect::<Vec<_>>())
}

/// Compares with the snapshot of the test's name; the input stands in it already.
macro_rules! shown {
    ($text:expr) => {
        insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!($text) })
    };
}

#[test]
fn header() {
    shown!(golden(&[
        ("no header", "email = $mail\n"),
        ("an empty file", ""),
        ("no name", "mapping from ldap to profile\nx = 1"),
        ("no target kind", "mapping m from ldap\nx = 1"),
        ("a bridge", "mapping scim-user between scim and profile\nx = 1"),
        ("a version", "mapping m from ldap to profile version 3\nx = 1"),
        ("an item behind it", "mapping m from ldap to profile x = 1\ny = 2"),
        ("a second header", "mapping m from ldap to profile\nx = 1\nmapping n from ldap to profile\ny = 1"),
    ]));
}

#[test]
fn what_the_language_does_not_have() {
    shown!(golden_items(&[
        ("functions", "fn f(x) = lower(x)"),
        ("names for includes", "use \"std/ad\" as ad"),
        ("two-way rules", "userName <=> username"),
        ("one-way bridge rules", "displayName <= name"),
        ("other bridge rules", "displayName => name"),
        ("fractions", "x = 1.5"),
        ("division", "x = $a / $b"),
        ("a size as a number", "x = 64kb"),
        ("single quotes", "x = 'it {s}'"),
        ("and", "x = $a && $b"),
        ("or", "x = $a || $b"),
        ("not", "x = !$a"),
        ("not in", "x = $a not in $b"),
        ("chained comparisons", "x = 1 < $a < 3"),
        ("conditional operator", "x = $a ? 1 : 2"),
        ("typographic quotes", "x = “text”"),
        ("names outside ASCII", "x = größe"),
        ("odd spaces", "x =\u{a0}$a"),
        ("odd signs", "x = §"),
        ("control characters", "x = \u{7}"),
        ("a lonely dollar", "x = $"),
    ]));
}

#[test]
fn rules() {
    shown!(golden_items(&[
        ("no equals sign", "email $mail\nname = $cn"),
        ("colon", "email: $mail"),
        ("walrus", "email := $mail"),
        ("two equals signs", "email == $mail"),
        ("comparison by one", "x = if $a = 1 then 2 else 3"),
        ("no value", "email =\nname = $cn"),
        ("an operator without its right side", "email = $mail ??\nname = $cn"),
        ("no target", "override = \n?"),
        ("a path that ends early", "app_metadata. = 1"),
        ("an expression in a target", "emails[type == \"work\"] = 1"),
        ("two rules on one line", "a = $x b = $y"),
        ("when behind with", "a = $x with create when $y"),
        ("no comma between modifiers", "a = $x with create required"),
        ("no modifier", "a = $x with"),
        ("a bad size", "a = $x with max 64kib"),
        ("candidates that are no list", "a = first_free $x"),
        ("a call behind a prefix", "a = $edu:9.rdn(\"CN\")"),
        ("a stray bracket", "a = $x)"),
        ("an unclosed bracket", "a = lower($x\nb = $y"),
        ("a word that cannot start", "a = then"),
    ]));
}

#[test]
fn expressions() {
    shown!(golden_items(&[
        ("fallback beside a comparison", "x = $a ?? $b == 1"),
        ("fallback on the right", "x = $c == $a ?? $b"),
        ("fallback beside and", "x = $c and $a ?? $b"),
        ("fallback under not", "x = not $a ?? false"),
        ("if as an operand", "x = $a ?? if $b then 1 else 2"),
        ("match as an operand", "x = 1 + match $a { else => 2 }"),
        ("not as an operand", "x = 1 == not $a"),
        ("if without else", "x = if $a then 1"),
        ("match without else", "x = match $a { 1 => 2, }"),
        ("match with something computed", "x = match $a { $b => 2, else => 3 }"),
        ("a record without values", "x = { a, b }"),
        ("arguments without commas", "x = f($a $b)"),
        ("a list without commas", "x = [1 2]"),
        ("a comprehension without in", "x = [ a for a of $b ]"),
        ("an unclosed string", "x = \"abc\ny = 1"),
        ("an unclosed hole", "x = \"a{$b\"\ny = 1"),
        ("an empty hole", "x = \"a{}b\""),
        ("an unclosed raw string", "x = r\"abc\ny = 1"),
        ("an unclosed attribute name", "x = $\"abc\ny = 1"),
        ("too deep", &format!("x = {}1{}", "(".repeat(65), ")".repeat(65))),
        ("too long a chain", &format!("x = 1{}", " + 1".repeat(65))),
    ]));
}

#[test]
fn literals() {
    shown!(golden_items(&[
        ("an unknown escape", "x = \"C:\\dir\""),
        ("an escape without meaning", "x = \"\\u{110000}\""),
        ("an unfinished escape", "x = \"\\u{12\""),
        ("a number out of range", "x = 9223372036854775808"),
        ("a number that is none", "x = 12ab"),
        ("a date without time", "x = @2026-01-31"),
        ("a day that is none", "x = @2026-02-31T00:00:00Z"),
        ("odd hexadecimal digits", "x = hex\"0\""),
        ("no hexadecimal digits", "x = hex\"zz\""),
        ("an unknown flag", "x = $a ~ /a/gi"),
        ("no pattern", "x = $a ~ //"),
        ("units in disorder", "x = 5m1h"),
        ("a very long time", "x = 9999999999999999999d"),
        ("a very large size", "x = $a with max 99999999999999gb"),
        ("an empty attribute name", "x = $\"\""),
    ]));
}

#[test]
fn blocks() {
    shown!(golden_items(&[
        ("a gate without reason", "skip when $x\na = 1"),
        ("a gate without when", "deny $x because \"y\""),
        ("a prefix that is computed", "prefix p = \"a{$b}\""),
        ("an include that is no string", "use std/ad"),
        ("a let without name", "let = = 1"),
        ("a table without body", "table t"),
        ("a table with something computed", "table t { \"a\" => $b }"),
        ("a table with a colon", "table t { \"a\": \"b\" }"),
        ("a table of one column", "table t from \"x.csv\" (a)"),
        ("attributes with a dash", "attrs { msDS-User: bool }"),
        ("attributes without type", "attrs { mail, cn: string }"),
        ("a test without given", "test \"t\" { expect skip }"),
        ("a test without expect", "test \"t\" { given { } }"),
        ("a test with two", "test \"t\" { given { } expect skip expect deny }"),
        ("an outcome that is none", "test \"t\" { given { } expect nothing }"),
        ("a word a test does not know", "test \"t\" { input { } expect skip }"),
        ("an unclosed test", "test \"t\" { given { a: 1 } expect { a: 1 }\nb = 2"),
    ]));
}

#[test]
fn one_mistake_costs_one_message_and_the_rest_is_read() {
    let text =
        "mapping m from ldap to profile\na = lower($x\nlet b = \nc = [1, 2\ntest \"t\" { given { } expect { a: 1 } }\nd = 4\n";
    let parsed = parsed(text);
    assert_eq!(parsed.diagnostics.len(), 3, "{}", said(text));
    assert_eq!(parsed.file.items.len(), 5, "the bindings with errors are there, so that their names are known");
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let text = "#".repeat(FILE_BYTES_MAX + 1);
    let parsed = parsed(&text);
    assert_eq!(parsed.diagnostics[0].code, Code::M015);
    assert_eq!(parsed.diagnostics[0].message, "the file has 262145 bytes, 262144 are allowed");
}

#[test]
fn bytes_that_are_not_utf8_are_told_by_their_offset() {
    let error = text_of(b"name = \xff", FileId(0)).unwrap_err();
    assert_eq!(error.message, "the file is not UTF-8: byte 0xff at offset 7");
    assert_eq!(text_of("ok".as_bytes(), FileId(0)).unwrap(), "ok");
}

#[test]
fn programs_get_places_in_lines_and_characters() {
    let text = "mapping m from ldap to profile\nx = f(\"ß\", $a ?? $b == 1)\n";
    let diagnostics = parsed(text).diagnostics;
    let reports = reports(&diagnostics, &[Source { name: "m.mapping", text }]);
    assert_eq!(
        serde_json::to_value(&reports).unwrap(),
        serde_json::json!([{
            "code": "M012", "severity": "error", "file": "m.mapping",
            "line": 2, "column": 12, "end_line": 2, "end_column": 20,
            "message": "`??` beside `==` needs parentheses",
            "label": "needs parentheses",
            "help": "put parentheses around the part with `??`",
            "fix": {"line": 2, "column": 12, "end_line": 2, "end_column": 20, "replacement": "($a ?? $b)"},
        }])
    );
}

#[test]
fn every_fix_gives_a_text_with_one_complaint_less() {
    for item in [
        "x = $a ?? $b == 1",
        "x = $c and $a ?? $b",
        "x = not $a ?? false",
        "x = $a ?? if $b then 1 else 2",
        "x = 'it {s} \"q\"'",
        "x = $a && $b",
        "x = $a || $b || $c",
        "email := $mail",
        "email == $mail",
        "x = if $a = 1 then 2 else 3",
    ] {
        let mut text = format!("mapping m from ldap to profile\n{item}\n");
        let mut left = parsed(&text).diagnostics;
        assert!(!left.is_empty());
        while let Some(first) = left.first() {
            let fix = first.fix.clone().unwrap();
            text.replace_range(fix.span.range(), &fix.replacement);
            let after = parsed(&text).diagnostics;
            assert!(after.len() < left.len(), "{text}{after:?}");
            left = after;
        }
    }
}

#[test]
fn colour_is_asked_for() {
    let text = "x = 1";
    let diagnostics = parsed(text).diagnostics;
    let files = [Source { name: "m.mapping", text }];
    assert!(terminal(&diagnostics, &files, true).contains('\u{1b}'));
    assert!(!terminal(&diagnostics, &files, false).contains('\u{1b}'));
}
