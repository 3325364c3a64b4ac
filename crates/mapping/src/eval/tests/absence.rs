//! mapping.md §3, row by row.

use super::*;
use crate::plan::{Arm, Comparison, Part, Pattern, Table, TableElse};

/// What sources say: missing, null, two kinds of empty, one value, several.
fn sayings() -> [(Json, bool, bool, Json); 7] {
    [
        // entry, has, present, first
        (json!({}), false, false, json!("-")),
        (json!({"a": null}), true, false, json!("-")),
        (json!({"a": ""}), true, false, json!("-")),
        (json!({"a": []}), true, false, json!("-")),
        (json!({"a": ["", null]}), true, false, json!("-")),
        (json!({"a": "v"}), true, true, json!("v")),
        (json!({"a": ["v", "w"]}), true, true, json!("v")),
    ]
}

#[test]
fn has_present_and_the_value_follow_the_table() {
    for (entry, has, present, first) in sayings() {
        let mut build = Build::new();
        let one = build.one(A);
        let nodes = [build.node(Node::Has(A)), build.node(Node::Present(one)), one];
        for (target, node) in ["has", "present", "first"].iter().zip(nodes) {
            build.rule(target, node);
        }
        assert_eq!(build.run(&entry), json!({"has": has, "present": present, "first": first}), "{entry}");
    }
}

#[test]
fn only_json_null_is_null() {
    for (entry, null_is) in
        [(json!({}), false), (json!({"a": null}), true), (json!({"a": ""}), false), (json!({"a": "v"}), false)]
    {
        let mut build = Build::new();
        let node = build.node(Node::SlotIsNull(A));
        assert_eq!(build.value_of(node, entry), json!(null_is));
    }
}

#[test]
fn a_fallback_is_taken_for_everything_that_is_not_present() {
    for (entry, _, present, first) in sayings() {
        let mut build = Build::new();
        let (left, right) = (build.one(A), build.text("e"));
        let node = build.node(Node::Coalesce(left, right));
        assert_eq!(build.value_of(node, entry.clone()), if present { first } else { json!("e") }, "{entry}");
    }
}

#[test]
fn a_literal_empty_text_is_a_value() {
    let mut build = Build::new();
    let (source, empty, other) = (build.one(A), build.text(""), build.text("other"));
    let inner = build.node(Node::Coalesce(source, empty));
    let node = build.node(Node::Coalesce(inner, other));
    assert_eq!(build.value_of(node, json!({"a": ""})), json!(""));
}

#[test]
fn an_empty_text_that_a_function_makes_is_skipped() {
    let mut build = Build::new();
    let nothing = build.text("");
    let (made, other) = (build.call(&LOWER, &[nothing]), build.text("other"));
    let node = build.node(Node::Coalesce(made, other));
    assert_eq!(build.value_of(node, json!({})), json!("other"));
}

#[test]
fn a_template_is_absent_with_a_hole_and_empty_where_the_hole_may_be() {
    for (optional, expected) in [(false, json!("-")), (true, json!("<>"))] {
        for entry in [json!({}), json!({"a": null}), json!({"a": ""}), json!({"a": []})] {
            let mut build = Build::new();
            let value = build.one(A);
            let parts = [Part::Text("<".into()), Part::Hole { value, optional }, Part::Text(">".into())];
            let node = build.node(Node::Template(parts.into()));
            assert_eq!(build.value_of(node, entry), expected);
        }
    }
}

#[test]
fn a_template_takes_the_first_of_several_and_shows_scalars() {
    let mut build = Build::new();
    let parts = [A, B].map(|slot| Part::Hole { value: build.one(slot), optional: false });
    let node = build.node(Node::Template(parts.into()));
    assert_eq!(build.value_of(node, json!({"a": ["v", "w"], "b": 7})), json!("v7"));
}

#[test]
fn every_comparison_with_something_absent_is_false() {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    for operator in [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual] {
        for swapped in [false, true] {
            for entry in [json!({}), json!({"a": null}), json!({"a": ""})] {
                let mut build = Build::new();
                let (a, x) = (build.one(A), build.text("x"));
                let (left, right) = if swapped { (x, a) } else { (a, x) };
                let node = build.node(Node::Compare { operator, left, right });
                assert_eq!(build.value_of(node, entry), json!(false), "{operator:?}");
            }
        }
    }
}

#[test]
fn present_values_compare_by_kind() {
    use Comparison::{Equal, Less, LessOrEqual, NotEqual};
    for (a, b, operator, holds) in [
        (json!("x"), json!("x"), Equal, true),
        (json!("x"), json!("y"), NotEqual, true),
        (json!(1), json!("1"), Equal, false),
        (json!(1), json!("1"), NotEqual, true),
        (json!(1), json!("2"), Less, false),
        (json!(1), json!(1.0), Equal, true),
        (json!(1), json!(1.5), Less, true),
        (json!(true), json!(true), LessOrEqual, true),
        (json!({"p": 1, "q": 2}), json!({"q": 2, "p": 1}), Equal, true),
    ] {
        let mut build = Build::new();
        let (left, right) = (build.one(A), build.one(B));
        let node = build.node(Node::Compare { operator, left, right });
        assert_eq!(build.value_of(node, json!({"a": a, "b": b})), json!(holds), "{a} {operator:?} {b}");
    }
}

#[test]
fn and_or_and_not_take_absent_as_false() {
    let mut build = Build::new();
    let (absent, yes) = (build.one(A), build.constant(Constant::Bool(true)));
    let nodes = [Node::Not(absent), Node::And(absent, yes), Node::Or(absent, yes), Node::Or(absent, absent)];
    for (target, node) in ["not", "and", "or", "neither"].iter().zip(nodes) {
        let node = build.node(node);
        build.rule(target, node);
    }
    assert_eq!(build.run(&json!({})), json!({"not": true, "and": false, "or": true, "neither": false}));
}

#[test]
fn functions_return_absent_for_absent() {
    let mut build = Build::new();
    let absent = build.one(A);
    let lower = build.call(&LOWER, &[absent]);
    let fail = build.call(&FAIL, &[lower]);
    assert_eq!(build.value_of(fail, json!({"a": null})), json!("-"), "not even the failing one runs");
}

#[test]
fn list_builders_drop_what_is_absent() {
    let mut build = Build::new();
    let items = [build.text("x"), build.one(A), build.one(B)];
    let node = build.node(Node::List(items.into()));
    assert_eq!(build.value_of(node, json!({"b": 1})), json!(["x", 1]));
}

#[test]
fn all_values_are_a_list_whatever_the_source_says() {
    for (entry, expected) in [
        (json!({}), json!([])),
        (json!({"a": null}), json!([])),
        (json!({"a": "v"}), json!(["v"])),
        (json!({"a": ["v", "", "w"]}), json!(["v", "w"])),
    ] {
        let mut build = Build::new();
        let node = build.node(Node::All(A));
        assert_eq!(build.value_of(node, entry), expected);
    }
}

#[test]
fn a_comprehension_filters_maps_and_drops_repeats_in_one_loop() {
    for count in [4, 200] {
        let mut build = Build::new();
        build.plan.locals = 1;
        let (list, local, unwanted) = (build.node(Node::All(A)), build.node(Node::Local(0)), build.text("N0"));
        let condition = build.node(Node::Compare { operator: Comparison::NotEqual, left: local, right: unwanted });
        let item = build.call(&LOWER, &[local]);
        let node = build.node(Node::Comprehension { list, local: 0, condition: Some(condition), item, unique: true });
        let names = |from: usize| (from..count).map(|n| format!("n{n}")).collect::<Vec<_>>();
        let source: Vec<String> = names(0).into_iter().flat_map(|name| [name.to_uppercase(), name]).collect();
        // N0 is filtered out, n0 is not: it comes first.
        assert_eq!(build.value_of(node, json!({ "a": source })), json!(names(0)));
    }
}

#[test]
fn a_field_over_a_list_is_the_projection_without_what_is_absent() {
    let mut build = Build::new();
    let list = build.node(Node::All(A));
    let node = build.node(Node::Field(list, "v".into()));
    assert_eq!(build.value_of(node, json!({"a": [{"v": 1}, {}, {"v": ""}, {"v": null}, 5, {"v": 2}]})), json!([1, 2]));
}

#[test]
fn an_item_counts_from_either_end_and_is_absent_beyond() {
    for (index, expected) in
        [(0, json!("x")), (1, json!("y")), (-1, json!("y")), (2, json!("-")), (-3, json!("-")), (i64::MIN, json!("-"))]
    {
        let mut build = Build::new();
        let (list, index) = (build.node(Node::All(A)), build.constant(Constant::Int(index)));
        let node = build.node(Node::Item(list, index));
        assert_eq!(build.value_of(node, json!({"a": ["x", "y"]})), expected);
    }
}

#[test]
fn a_match_takes_the_first_pattern_that_fits() {
    for (entry, expected) in [
        (json!({}), "nothing"),
        (json!({"a": "k"}), "literal"),
        (json!({"a": 15}), "range"),
        (json!({"a": 21}), "else"),
        (json!({"a": "xyz"}), "regex"),
    ] {
        let mut build = Build::new();
        build.plan.regexes.push(crate::value::Regex::compile("y", false).unwrap());
        let subject = build.one(A);
        let mut arm = |pattern, text: &str| Arm { patterns: [pattern].into(), guard: None, value: build.text(text) };
        let arms = [
            arm(Pattern::Equals(Constant::String("k".into())), "literal"),
            arm(Pattern::Range(Constant::Int(10), Constant::Int(20)), "range"),
            arm(Pattern::Regex(0), "regex"),
            arm(Pattern::Absent, "nothing"),
        ];
        let otherwise = build.text("else");
        let node = build.node(Node::Match { subject, arms: arms.into(), otherwise });
        assert_eq!(build.value_of(node, entry), json!(expected));
    }
}

#[test]
fn a_table_does_for_an_unknown_key_what_it_says() {
    for (otherwise, expected) in [
        (TableElse::Absent, json!("-")),
        (TableElse::Key, json!("z")),
        (TableElse::Value(Constant::Int(9)), json!(9)),
        (TableElse::Error, json!("!M101 table `t` has no row for \"z\"")),
    ] {
        let mut build = Build::new();
        let rows = [("k".into(), Constant::Int(1))].into_iter().collect();
        build.plan.tables.push(Table { name: "t".into(), rows, otherwise });
        let key = build.one(A);
        let node = build.node(Node::Lookup { table: 0, key });
        build.rule("x", node);
        assert_eq!(build.run(&json!({"a": "z"}))["x"], expected);
        assert_eq!(build.run(&json!({"a": "k"}))["x"], json!(1));
        assert_eq!(build.run(&json!({}))["x"], json!("-"));
    }
}

#[test]
fn a_list_inside_a_json_value_loses_what_says_nothing_too() {
    for (inside, expected) in [
        (json!(["x", "", null, "y"]), json!(["x", "y"])),
        (json!(["x", null]), json!(["x"])),
        (json!([""]), json!([])),
        (json!("x"), json!(["x"])),
        (json!(""), json!([])),
        (Json::Null, json!([])),
    ] {
        let mut build = Build::new();
        let record = build.one(A);
        let value = build.node(Node::Field(record, "v".into()));
        let to = crate::plan::Conversion::List;
        let node = build.node(Node::Convert { to, value, optional: false });
        assert_eq!(build.value_of(node, json!({"a": {"v": inside}})), expected);
    }
}
