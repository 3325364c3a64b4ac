//! Test blocks as written, against a plan built by hand: `email` is `a`, `app_metadata.x` is all of `b`, `user_id` is
//! `c` and required, a record of type `skip` is skipped.

use super::*;
use crate::plan::{Comparison, Constant, Gate, Node, Rule, RuleValue};
use crate::source::tests::plan_reading;
use crate::span::FileId;
use crate::target::{Absent, Kind, Merge};
use crate::types::Type;

fn plan(text: &str) -> Plan {
    let mut plan = plan_reading(Kind::Json, &["a", "b", "c", "type"]);
    let one = |slot| Node::One { slot, strict: false };
    let text_node = |text: &str| Node::Constant(Constant::String(text.into()));
    plan.nodes = vec![
        one(0),
        Node::All(1),
        one(2),
        one(3),
        text_node("skip"),
        Node::Compare { operator: Comparison::Equal, left: 3, right: 4 },
        text_node("of type skip"),
    ];
    plan.spans = vec![Span::default(); plan.nodes.len()];
    plan.gates = vec![Gate { deny: false, condition: 5, reason: 6, span: Span::default(), line: 1 }];
    plan.files = vec![("t.mapping".into(), text.into())];
    for (index, target) in (0..).zip(["email", "app_metadata.x", "user_id"]) {
        plan.order.push(index);
        plan.rules.push(Rule {
            target: target.into(),
            path: target.split('.').map(Into::into).collect(),
            span: Span::default(),
            line: 1,
            value: RuleValue::Expr(u32::from(index)),
            condition: None,
            ty: Type::Json.or_absent(),
            policy: None,
            absent: if index == 0 { Absent::Keep } else { Absent::Clear },
            merge: Merge::Owned,
            required: index == 2,
            sensitive: false,
            strict: false,
            max_bytes: None,
            checks: vec![],
            attributes: vec![],
        });
    }
    plan
}

fn run_text(tests: &str) -> TestRun {
    let text = format!("mapping t from json to profile\n{tests}\n");
    let parsed = crate::syntax::parse(&text, FileId(0));
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let tests: Vec<Test> = parsed
        .file
        .items
        .into_iter()
        .filter_map(|item| if let crate::ast::Item::Test(test) = item { Some(test) } else { None })
        .collect();
    assert!(!tests.is_empty());
    run_tests(&plan(&text), &tests, &[])
}

/// What is wrong, as `what: expected / actual`.
fn wrong(test: &str) -> Vec<String> {
    let run = run_text(test);
    let one = |m: &Mismatch| format!("{}: {} / {}", m.what, m.expected, m.actual);
    run.tests[0].mismatches.iter().map(one).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn a_record_is_a_subset_and_may_hold_regexes_and_nested_targets() {
    assert_eq!(
        wrong(
            r#"test "t" { given { a: "x@y", b: ["1", "2"], c: "id" } expect { email: /@/, app_metadata: { x: ["1", /^2$/] } } }"#
        ),
        NONE
    );
    assert_eq!(
        wrong(r#"test "t" { given { a: "x", b: "1", c: "id" } expect { email: "y", app_metadata: { x: ["2"] } } }"#),
        [r#"email: "y" / "x""#, r#"app_metadata.x: ["2"] / ["1"]"#]
    );
}

#[test]
fn exactly_wants_every_result_named() {
    assert_eq!(
        wrong(r#"test "t" { given { a: "x", c: "id" } expect exactly { email: "x", user_id: "id" } }"#),
        ["app_metadata.x: nothing / []"]
    );
    assert_eq!(
        wrong(r#"test "t" { given { c: "id" } expect exactly { email: absent, user_id: "id", app_metadata: { x: [] } } }"#),
        NONE
    );
}

#[test]
fn keep_also_fits_absent_where_absent_keeps() {
    assert_eq!(wrong(r#"test "t" { given { c: "id" } expect { email: keep } }"#), NONE);
    assert_eq!(wrong(r#"test "t" { given { a: "x", c: "id" } expect { email: keep } }"#), [r#"email: keep / "x""#]);
}

#[test]
fn a_profile_is_not_what_comes_when_something_required_is_missing() {
    let found = wrong(r#"test "t" { given { a: "x" } expect { email: "x" } }"#);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("outcome: a profile / rejected: `user_id` M110"), "{found:?}");
}

#[test]
fn errors_are_expected_by_target_and_a_part_of_their_text() {
    assert_eq!(wrong(r#"test "t" { given {} expect error user_id }"#), NONE);
    assert_eq!(wrong(r#"test "t" { given {} expect error user_id "M110" }"#), NONE);
    assert_eq!(wrong(r#"test "t" { given { c: "id" } expect error user_id "gives" }"#), [r#"user_id: error "gives" / "id""#]);
    assert_eq!(wrong(r#"test "t" { given {} expect error nothing }"#), ["nothing: an error / no rule has this target"]);
}

#[test]
fn skip_and_deny_are_told_apart_and_their_reason_counts() {
    assert_eq!(wrong(r#"test "t" { given { type: "skip" } expect skip }"#), NONE);
    assert_eq!(wrong(r#"test "t" { given { type: "skip" } expect skip "of type skip" }"#), NONE);
    assert_eq!(
        wrong(r#"test "t" { given { type: "skip" } expect skip "else" }"#),
        [r#"outcome: skip "else" / skip "of type skip""#]
    );
    assert_eq!(wrong(r#"test "t" { given { type: "skip" } expect deny }"#), [r#"outcome: deny / skip "of type skip""#]);
    assert_eq!(wrong(r#"test "t" { given { c: "id" } expect skip }"#), ["outcome: skip / a profile"]);
    assert_eq!(
        wrong(r#"test "t" { given { type: "skip" } expect { email: "x" } }"#),
        [r#"outcome: a profile / skip "of type skip""#]
    );
}

#[test]
fn a_warning_is_expected_by_its_code() {
    assert_eq!(wrong(r#"test "t" { given { a: ["x", "y"], c: "id" } expect warning N01 }"#), NONE);
    assert_eq!(wrong(r#"test "t" { given { a: "x", c: "id" } expect warning N01 }"#), ["outcome: warning N01 / no warning"]);
}

#[test]
fn rules_nobody_expects_anything_of_are_listed() {
    let run = run_text(r#"test "t" { given { a: "x", c: "id" } expect { email: "x" } }"#);
    assert!(run.passed());
    assert_eq!(run.untested, [1, 2]);
    let lints = run.lints(&plan(""));
    assert!(lints[0].message.contains("`app_metadata.x`") && lints[0].code == Code::L07);
}
