//! mapping.md §8: at each bound, and one past it. What is over is that attribute's failure alone.

use super::*;
use crate::limits::{LIST_VALUES_MAX, OUTPUT_BYTES_MAX, RUN_DEPTH_MAX, STRING_BYTES_MAX};

fn starts(found: &Json, target: &str, start: &str) {
    let text = found[target].as_str().unwrap_or_default();
    assert!(text.starts_with(start), "{target}: {}", text.chars().take(80).collect::<String>());
}

/// A list of `n` loops inside one another over the same attribute: n-th power of its length in steps.
fn loops(build: &mut Build, depth: u16) -> NodeId {
    build.plan.locals = depth;
    let list = build.node(Node::All(A));
    let mut item = build.node(Node::Local(0));
    for local in 0..depth {
        item = build.node(Node::Comprehension { list, local, condition: None, item, unique: false });
    }
    item
}

#[test]
fn a_rule_that_runs_wild_leaves_the_others_their_steps() {
    let mut build = Build::new();
    let wild = loops(&mut build, 3);
    let b = build.one(B);
    let lower = build.call(&LOWER, &[b]);
    build.rule("before", lower);
    build.rule("wild", wild);
    build.rule("wild_too", wild);
    build.rule("after", lower);
    let values: Vec<u32> = (0..100).collect();
    let found = build.run(&json!({"a": values, "b": "B"}));
    starts(&found, "wild", "!M190 takes more steps");
    starts(&found, "wild_too", "!M190 takes more steps");
    assert_eq!((&found["before"], &found["after"]), (&json!("b"), &json!("b")));
}

#[test]
fn text_has_a_bound() {
    let mut build = Build::new();
    let (a, b) = (build.one(A), build.one(B));
    let sum = build.node(Node::Add(a, b));
    build.rule("x", sum);
    let half = "x".repeat(STRING_BYTES_MAX / 2);
    assert_eq!(build.run(&json!({"a": half, "b": half}))["x"].as_str().unwrap().len(), STRING_BYTES_MAX);
    starts(&build.run(&json!({"a": half, "b": format!("{half}y")})), "x", "!M190 text of 1048577 bytes");
}

#[test]
fn a_function_may_not_give_more_text_either() {
    let mut build = Build::new();
    let a = build.one(A);
    let double = build.call(&DOUBLE, &[a]);
    build.rule("x", double);
    starts(&build.run(&json!({"a": "x".repeat(STRING_BYTES_MAX / 2 + 1)})), "x", "!M190 text of");
}

#[test]
fn a_list_has_a_bound() {
    let mut build = Build::new();
    let each = loops(&mut build, 1);
    build.rule("x", each);
    let values = |count: usize| json!({"a": vec![1; count]});
    assert_eq!(build.run(&values(LIST_VALUES_MAX))["x"].as_array().unwrap().len(), LIST_VALUES_MAX);
    starts(&build.run(&values(LIST_VALUES_MAX + 1)), "x", "!M190 list of 20001 values");
}

#[test]
fn a_list_taken_as_it_is_has_the_same_bound() {
    let mut build = Build::new();
    let all = build.node(Node::All(A));
    build.rule("x", all);
    starts(&build.run(&json!({"a": vec![1; LIST_VALUES_MAX + 1]})), "x", "!M190 list of 20001 values");
}

#[test]
fn the_whole_output_has_a_bound() {
    let mut build = Build::new();
    let a = build.one(A);
    let fits = OUTPUT_BYTES_MAX / STRING_BYTES_MAX;
    for index in 0..=fits {
        build.rule(&format!("r{index}"), a);
    }
    let b = build.one(B);
    build.rule("small", b);
    let found = build.run(&json!({"a": "x".repeat(STRING_BYTES_MAX)}));
    assert_eq!(found[format!("r{}", fits - 1)].as_str().unwrap().len(), STRING_BYTES_MAX);
    starts(&found, &format!("r{fits}"), "!M190 results of more than");
    assert_eq!(found["small"], json!("-"));
}

#[test]
fn lets_that_use_lets_have_a_depth() {
    let mut build = Build::new();
    let mut last = build.one(A);
    for index in 0..RUN_DEPTH_MAX {
        let not = build.node(Node::Not(last));
        last = build.bind(&format!("l{index}"), not);
    }
    build.rule("deep", last);
    let half = build.node(Node::Let(u16::try_from(RUN_DEPTH_MAX / 2 - 1).unwrap()));
    let mut shallow = Build { plan: build.plan };
    starts(&shallow.run(&json!({})), "deep", "!M190 values nested more than 256 deep");
    shallow.plan.rules.clear();
    shallow.plan.order.clear();
    shallow.rule("x", half);
    assert_eq!(shallow.run(&json!({})), json!({"x": false}));
}

#[test]
fn whole_numbers_do_not_wrap() {
    let mut build = Build::new();
    let (a, one) = (build.one(A), build.constant(Constant::Int(1)));
    let sum = build.node(Node::Add(a, one));
    build.rule("x", sum);
    assert_eq!(build.run(&json!({"a": i64::MAX - 1})), json!({"x": i64::MAX}));
    starts(&build.run(&json!({"a": i64::MAX})), "x", "!M101 the result is out of the range of an integer");
}

/// Two megabytes of stack are what a worker thread has; a debug build needs the most of it.
#[test]
fn the_deepest_nesting_of_the_largest_instructions_fits_a_worker_stack() {
    let mut build = Build::new();
    build.plan.locals = 1;
    let mut last = build.one(A);
    for index in 0..RUN_DEPTH_MAX {
        last = match index % 4 {
            0 => build.call(&LOWER, &[last]),
            1 => build.node(Node::Template([crate::plan::Part::Hole { value: last, optional: false }].into())),
            2 => build.node(Node::Comprehension { list: last, local: 0, condition: None, item: last, unique: true }),
            _ => {
                let first = build.constant(Constant::Int(0));
                build.node(Node::Item(last, first))
            }
        };
    }
    build.rule("deep", last);
    let run = move || build.run(&json!({"a": "X"}));
    let found = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(run).unwrap().join().unwrap();
    starts(&found, "deep", "!M190");
}
