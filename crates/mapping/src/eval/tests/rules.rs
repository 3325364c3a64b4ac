//! What becomes of a rule's result, gates, lets, and who else a failure touches: nobody.

use super::*;
use crate::plan::{Check, Comparison, Part};

#[test]
fn the_first_gate_that_holds_ends_the_run_with_its_reason() {
    let mut build = Build::new();
    let (a, x) = (build.one(A), build.text("x"));
    let absent = build.one(B);
    let condition = build.node(Node::Compare { operator: Comparison::Equal, left: a, right: x });
    let parts = [Part::Text("because ".into()), Part::Hole { value: absent, optional: false }];
    let reason = build.node(Node::Template(parts.into()));
    build.gate(false, absent, reason);
    build.gate(true, condition, reason);
    build.rule("r", a);
    assert_eq!(build.run(&json!({"a": "x"})), json!({"gate": 1, "reason": "because ", "failed": null}));
    assert_eq!(build.run(&json!({"a": "y"})), json!({"r": "y"}));
}

#[test]
fn a_gate_that_cannot_be_decided_ends_the_run_and_says_so() {
    let mut build = Build::new();
    let a = build.one(A);
    build.gate(true, a, a);
    build.rule("r", a);
    let found = build.run(&json!({"a": "text"}));
    assert_eq!(found, json!({"gate": 0, "reason": "a boolean is wanted, the source gives text", "failed": "M102"}));
}

#[test]
fn a_gate_hides_no_blocked_that_is_true_whatever_it_is_made_of() {
    let mut build = Build::new();
    let (a, b, x) = (build.one(A), build.one(B), build.text("x"));
    let is_x = build.node(Node::Compare { operator: Comparison::Equal, left: a, right: x });
    let bars = build.node(Node::Compare { operator: Comparison::Equal, left: b, right: x });
    let shared = build.bind("shared", bars);
    build.gate(false, is_x, x);
    build.rule("first", shared);
    let first = build.node(Node::New(0));
    build.rule("blocked", first);
    let gate = |bars: bool| {
        let mut shown = json!({"gate": 0, "reason": "x", "failed": null});
        if bars {
            shown["bars"] = true.into();
        }
        shown
    };
    assert_eq!(build.run(&json!({"a": "x", "b": "x"})), gate(true));
    assert_eq!(build.run(&json!({"a": "x", "b": "y"})), gate(false));
    assert_eq!(build.run(&json!({"a": "x"})), gate(false));
    assert_eq!(build.run(&json!({"a": "y", "b": "x"})), json!({"first": true, "blocked": true}));
    // Nor does one that can't be decided.
    let mut undecided = Build::new();
    let (a, b) = (undecided.one(A), undecided.one(B));
    undecided.gate(false, a, a);
    let x = undecided.text("x");
    let bars = undecided.node(Node::Compare { operator: Comparison::Equal, left: b, right: x });
    undecided.rule("blocked", bars);
    assert_eq!(undecided.run(&json!({"a": "text", "b": "x"}))["bars"], json!(true));
    assert_eq!(undecided.run(&json!({"a": "text", "b": "y"})).get("bars"), None);
}

#[test]
fn a_failure_stays_with_its_rule_and_with_those_that_build_on_it() {
    let mut build = Build::new();
    let a = build.one(A);
    let failing = build.call(&FAIL, &[a]);
    let shared = build.bind("shared", failing);
    build.rule("bad", shared);
    build.rule("worse", shared);
    build.rule("good", a);
    let new = build.node(Node::New(0));
    build.rule("built", new);
    let expected = json!("!M101 fail: String(\"v\")");
    assert_eq!(build.run(&json!({"a": "v"})), json!({"bad": expected, "worse": expected, "good": "v", "built": expected}));
}

#[test]
fn a_sensitive_input_is_not_quoted_by_a_failure() {
    let mut build = Build::new();
    sensitive(&mut build.plan, A);
    let a = build.one(A);
    let failing = build.call(&FAIL, &[a]);
    let bound = build.bind("bound", failing);
    build.rule("x", bound);
    assert_eq!(build.run(&json!({"a": "secret"}))["x"], json!("!M101 failed on ‹redacted›"));
}

#[test]
fn the_twin_of_a_failing_function_gives_absent() {
    let mut build = Build::new();
    let a = build.one(A);
    let node = build.node(Node::Call { function: &FAIL, arguments: [a].into(), optional: true });
    assert_eq!(build.value_of(node, json!({"a": "v"})), json!("-"));
}

#[test]
fn required_and_reject_fail_when_there_is_nothing() {
    for entry in [json!({}), json!({"a": null}), json!({"a": ""})] {
        let mut build = Build::new();
        let a = build.one(A);
        build.rule("required", a).required = true;
        build.rule("reject", a).absent = Absent::Reject;
        let all = build.node(Node::All(A));
        build.rule("list", all).required = true;
        let found = build.run(&entry);
        for target in ["required", "reject", "list"] {
            assert!(found[target].as_str().unwrap().starts_with("!M110 "), "{found}");
        }
    }
}

#[test]
fn an_empty_list_is_a_value_where_nothing_is_required() {
    let mut build = Build::new();
    let all = build.node(Node::All(A));
    assert_eq!(build.value_of(all, json!({})), json!([]));
}

#[test]
fn keep_and_a_condition_that_does_not_hold_leave_the_value_alone() {
    let mut build = Build::new();
    let (a, keep, x) = (build.one(A), build.constant(Constant::Keep), build.text("x"));
    let or_keep = build.node(Node::Coalesce(a, keep));
    build.rule("or_keep", or_keep);
    build.rule("when", x).condition = Some(a);
    build.rule("when_required", x).condition = Some(a);
    build.plan.rules[2].required = true;
    assert_eq!(build.run(&json!({})), json!({"or_keep": "keep", "when": "keep", "when_required": "keep"}));
}

#[test]
fn checks_see_the_value_or_each_item() {
    let mut build = Build::new();
    let (it, bad) = (build.node(Node::It), build.text("bad"));
    let condition = build.node(Node::Compare { operator: Comparison::NotEqual, left: it, right: bad });
    let (one, all) = (build.one(A), build.node(Node::All(A)));
    for (target, node) in [("one", one), ("all", all)] {
        build.rule(target, node).checks.push(Check { condition, message: "is bad".into() });
    }
    assert_eq!(build.run(&json!({"a": ["ok", "bad"]})), json!({"one": "ok", "all": "!M111 is bad"}));
    assert_eq!(build.run(&json!({"a": "bad"})), json!({"one": "!M111 is bad", "all": "!M111 is bad"}));
    assert_eq!(build.run(&json!({})), json!({"one": "-", "all": []}));
}

#[test]
fn max_holds_at_its_bound_and_fails_one_past_it() {
    let mut build = Build::new();
    let a = build.one(A);
    build.rule("x", a).max_bytes = Some(3);
    assert_eq!(build.run(&json!({"a": "abc"})), json!({"x": "abc"}));
    assert_eq!(build.run(&json!({"a": "abcd"})), json!({"x": "!M112 `x` is 4 bytes, `max` allows 3"}));
}

#[test]
fn strict_refuses_several_values_and_others_note_it() {
    let mut build = Build::new();
    let strict = build.node(Node::One { slot: A, strict: true });
    let first = build.one(A);
    build.rule("strict", strict);
    build.rule("first", first);
    let entry = json!({"a": ["x", "y"]});
    assert_eq!(build.run(&entry), json!({"strict": "!M113 `a` has 2 values where one is wanted", "first": "x"}));
    let arena = Bump::new();
    let names = Names::new(&build.plan);
    let entry = json::read_map(&arena, &names, entry.as_object().unwrap()).unwrap();
    let evaluation = run(&arena, &build.plan, &entry, &environment(), &mut NoTrace);
    assert_eq!(evaluation.several, [A]);
}

#[test]
fn first_free_hands_over_the_candidates_that_are_there_and_pass() {
    let mut build = Build::new();
    let candidates = [build.one(A), build.one(B), build.one(A), build.text("bad"), build.text("z")];
    let (it, bad) = (build.node(Node::It), build.text("bad"));
    let condition = build.node(Node::Compare { operator: Comparison::NotEqual, left: it, right: bad });
    let rule = build.rule("x", 0);
    rule.value = RuleValue::FirstFree(candidates.into());
    rule.checks.push(Check { condition, message: "is bad".into() });
    assert_eq!(build.run(&json!({"a": "v"})), json!({"x": {"free": ["v", "z"]}}));
}

#[test]
fn new_reads_a_result_in_the_order_of_evaluation() {
    let mut build = Build::new();
    let new = build.node(Node::New(1));
    let a = build.one(A);
    build.rule("first", new);
    build.rule("second", a);
    build.plan.order = vec![1, 0];
    assert_eq!(build.run(&json!({"a": "v"})), json!({"first": "v", "second": "v"}));
}

#[test]
fn old_reads_the_stored_profile_and_is_absent_on_create() {
    let mut build = Build::new();
    build.plan.old = vec![["app_metadata".into(), "x".into()].into()];
    let old = build.node(Node::Old(0));
    build.rule("x", old);
    assert_eq!(build.run(&json!({})), json!({"x": "-"}));
    let stored = json!({"app_metadata": {"x": 5}});
    let environment = Environment { stored: stored.as_object(), ..environment() };
    assert_eq!(build.run_in(&json!({}), &environment), json!({"x": 5}));
}

#[test]
fn random_bytes_depend_on_the_seed_and_the_rule_alone() {
    let mut alone = Build::new();
    let random = alone.call(&RANDOM, &[]);
    alone.rule("x", random);
    let mut among = Build::new();
    let random = among.call(&RANDOM, &[]);
    among.rule("other", random);
    among.rule("x", random);
    let (first, second) = (alone.run(&json!({})), among.run(&json!({})));
    assert_eq!(first["x"], second["x"]);
    assert_ne!(second["other"], second["x"]);
    let seeded = alone.run_in(&json!({}), &Environment { seed: [1; 32], ..environment() });
    assert_ne!(first["x"], seeded["x"]);
}

#[test]
fn a_let_draws_once_for_all_who_use_it() {
    let mut build = Build::new();
    let random = build.call(&RANDOM, &[]);
    let bound = build.bind("id", random);
    build.rule("x", bound);
    build.rule("y", bound);
    let found = build.run(&json!({}));
    assert_eq!(found["x"], found["y"]);
}

#[test]
fn a_let_first_used_inside_a_loop_leaves_the_loop_variable_alone() {
    let mut build = Build::new();
    build.plan.locals = 1;
    let (list, local) = (build.node(Node::All(B)), build.node(Node::Local(0)));
    let inner = build.node(Node::Comprehension { list, local: 0, condition: None, item: local, unique: false });
    let bound = build.bind("inner", inner);
    let (outer, zero) = (build.node(Node::All(A)), build.constant(Constant::Int(0)));
    let first = build.node(Node::Item(bound, zero));
    let parts = [first, local].map(|value| Part::Hole { value, optional: false });
    let item = build.node(Node::Template(parts.into()));
    let node = build.node(Node::Comprehension { list: outer, local: 0, condition: None, item, unique: false });
    assert_eq!(build.value_of(node, json!({"a": ["1", "2"], "b": "z"})), json!(["z1", "z2"]));
}

#[test]
fn results_are_written_as_text_like_the_map() {
    let mut build = Build::new();
    let (a, b, deep) = (build.one(A), build.one(B), build.node(Node::All(A)));
    build.rule("app_metadata.x.y", a);
    build.rule("name", b);
    build.rule("app_metadata.z", deep);
    build.rule("user_metadata.none", b);
    let arena = Bump::new();
    let entry = json!({"a": ["q\"\n", 1.5]});
    let names = Names::new(&build.plan);
    let entry = json::read_map(&arena, &names, entry.as_object().unwrap()).unwrap();
    let evaluation = run(&arena, &build.plan, &entry, &environment(), &mut NoTrace);
    let mut out = Vec::new();
    crate::output::Writer::new(&build.plan).write(&evaluation, &mut out);
    assert_eq!(String::from_utf8(out.clone()).unwrap(), r#"{"app_metadata":{"x":{"y":"q\"\n"},"z":["q\"\n",1.5]}}"#);
    assert_eq!(serde_json::from_slice::<Json>(&out).unwrap(), Json::Object(to_map(&build.plan, &evaluation)));
}

#[test]
fn a_trace_tells_reads_fallbacks_and_redacts() {
    use crate::trace::{Gave, Read, WithTrace, unused};
    let mut build = Build::new();
    sensitive(&mut build.plan, B);
    let (a, b, c) = (build.one(A), build.one(B), build.one(2));
    let chosen = build.node(Node::Coalesce(c, a));
    let bound = build.bind("chosen", chosen);
    build.rule("x", bound);
    build.rule("again", bound);
    build.rule("secret", b);
    let arena = Bump::new();
    let names = Names::new(&build.plan);
    let entry = json!({"a": ["v", "w"], "b": "s", "d": 1});
    let entry = json::read_map(&arena, &names, entry.as_object().unwrap()).unwrap();
    let mut trace = WithTrace::new(&build.plan);
    let evaluation = run(&arena, &build.plan, &entry, &environment(), &mut trace);
    let report = trace.report(&evaluation);
    let read =
        |attribute: &str, first: Option<&str>, count| Read { attribute: attribute.into(), first: first.map(Into::into), count };
    for rule in &report.rules[..2] {
        assert_eq!(rule.gave, Gave::Value("\"v\"".into()));
        assert_eq!(rule.reads, [read("c", None, 0), read("a", Some("\"v\""), 2)]);
        assert_eq!((rule.fallbacks.len(), rule.notes.len()), (1, 1));
    }
    assert_eq!(report.rules[2].gave, Gave::Value("‹redacted›".into()));
    assert_eq!(report.rules[2].reads, [read("b", Some("‹redacted›"), 1)]);
    assert_eq!(unused(&names, ["a", "d"]), ["d"]);
}

#[test]
fn conversions_take_what_any_reader_gives() {
    use crate::plan::Conversion as C;
    for (to, from, expected) in [
        (C::Int, json!("514"), json!(514)),
        (C::Int, json!(5.0), json!(5)),
        (C::Int, json!("+5"), json!("!M101 \"+5\" is not an integer")),
        (C::Int, json!(true), json!("!M102 an integer is wanted, the source gives a boolean")),
        (C::Bool, json!("TRUE"), json!(true)),
        (C::Text, json!(7), json!("!M102 text is wanted, the source gives an integer")),
        (C::Display, json!(7), json!("7")),
        (C::GuidText, json!("MyIRAFVEd2aImaq7zN3u/w=="), json!("00112233-4455-6677-8899-aabbccddeeff")),
        (C::GuidText, json!("{00112233-4455-6677-8899-AABBCCDDEEFF}"), json!("00112233-4455-6677-8899-aabbccddeeff")),
        (C::GuidBytes, json!("00112233-4455-6677-8899-aabbccddeeff"), json!("MyIRAFVEd2aImaq7zN3u/w==")),
        (C::SidText, json!("AQIAAAAAAAUgAAAAIAIAAA=="), json!("S-1-5-32-544")),
        (C::SidBytes, json!("S-1-5-32-544"), json!("AQIAAAAAAAUgAAAAIAIAAA==")),
        (C::FileTimeToDateTime, json!("116444736000000000"), json!("1970-01-01T00:00:00Z")),
        (C::FileTimeToDateTime, json!(0), json!("-")),
        (C::FileTimeToDateTime, json!(i64::MAX), json!("-")),
        (C::GenTimeToDateTime, json!("20260131120000Z"), json!("2026-01-31T12:00:00Z")),
        (C::TextToDateTime, json!("2026-01-31T12:00:00+01:00"), json!("2026-01-31T11:00:00Z")),
        (C::BinaryToText, json!("AQI="), json!("AQI=")),
        (C::Wrap, json!("x"), json!(["x"])),
        (C::Wrap, json!(null), json!([])),
    ] {
        let mut build = Build::new();
        let value = build.one(A);
        let node = build.node(Node::Convert { to, value, optional: false });
        assert_eq!(build.value_of(node, json!({ "a": from })), expected, "{to:?} {from}");
    }
}

#[test]
fn the_twin_forgives_the_conversion_of_its_argument_but_not_another_call_in_it() {
    for (optional, inner_fails, expected) in [
        (true, false, json!("-")),
        (false, false, json!("!M102 text is wanted, the source gives an integer")),
        (true, true, json!("!M101 fail: String(\"v\")")),
    ] {
        let mut build = Build::new();
        let (a, b) = (build.one(A), build.one(B));
        let argument = if inner_fails {
            build.call(&FAIL, &[b])
        } else {
            build.node(Node::Convert { to: crate::plan::Conversion::Text, value: a, optional: false })
        };
        let node = build.node(Node::Call { function: &LOWER, arguments: [argument].into(), optional });
        assert_eq!(build.value_of(node, json!({"a": 7, "b": "v"})), expected);
    }
}
