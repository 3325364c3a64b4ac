//! Every limit, with a script that runs into it. Time is moved by hand: a reading is a millisecond later than the last.

use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Every reading moves the time by `step`.
fn ticking(step: Duration) -> Monotonic {
    let readings = AtomicU64::new(0);
    Monotonic::from_fn(move || step * u32::try_from(readings.fetch_add(1, Ordering::SeqCst)).unwrap_or(u32::MAX))
}

fn failure_in_time(text: &str) -> Failure {
    let sandbox = Sandbox::new(Limits::default(), ticking(Duration::from_millis(1)));
    let mapping = load_in(sandbox, text).unwrap_or_else(|failure| panic!("{failure}"));
    mapping.run(&entry(json!({"dn": "cn=anna"})), NOW).outcome.expect_err("it runs too long")
}

fn function(body: &str) -> String {
    format!("module.exports = function (raw) {{ {body}; return {{}}; }}")
}

/// What a limit stopped must not spoil the next entry on the same thread.
fn the_next_entry_maps(sandbox: Arc<Sandbox>) {
    let mapping = load_in(sandbox, "module.exports = function (raw) { return { id: raw.uid } }").expect("it loads");
    let mapped = mapping.run(&entry(json!({"uid": "next"})), NOW).outcome.expect("a profile");
    assert_eq!(given(&mapped, "user_id"), &Given::Value("next".into()));
}

#[test]
fn time_an_endless_loop_is_stopped_and_its_last_call_named() {
    let failed =
        failure_in_time("module.exports = function (raw) {\n  var n = 0;\n  for (;;) {\n    n += raw.dn.indexOf('x');\n  }\n}");
    assert!(failed.to_string().starts_with("ran longer than 20 ms (profileMapper.js:4:"), "{failed}");
}

#[test]
fn time_catching_and_finally_do_not_outlive_the_deadline() {
    let failed = failure_in_time(&function("for (;;) { try { for (;;) {} } catch (e) {} finally { for (;;) {} } }"));
    assert!(matches!(failed, Failure::Time { .. }), "{failed}");
}

#[test]
fn time_a_regular_expression_that_backtracks_for_ever_is_stopped() {
    let failed = failure_in_time(&function("/^(a+)+$/.test('a'.repeat(50) + 'b'); for (;;) {}"));
    assert!(matches!(failed, Failure::Time { .. }), "{failed}");
}

#[test]
fn time_promises_that_follow_each_other_for_ever_are_stopped() {
    let failed = failure_in_time("module.exports = (raw, cb) => { (function f() { Promise.resolve().then(f) })() }");
    assert!(matches!(failed, Failure::Time { .. }), "{failed}");
}

#[test]
fn time_a_getter_of_the_result_that_never_returns_is_stopped() {
    let failed = failure_in_time("module.exports = (raw) => ({ get a() { for (;;) {} }, toJSON() { for (;;) {} } })");
    assert!(matches!(failed, Failure::Time { .. }), "{failed}");
}

#[test]
fn time_a_module_that_never_ends_is_refused_at_load() {
    let sandbox = Sandbox::new(Limits::default(), ticking(Duration::from_millis(1)));
    let refused = load_in(sandbox, "for (;;) {}").err().expect("no mapping");
    assert!(matches!(refused, Failure::Time { .. }), "{refused}");
}

#[test]
fn time_by_the_real_clock_an_endless_loop_costs_about_its_limit() {
    let sandbox = Sandbox::new(Limits::default(), Monotonic::system());
    let mapping = load_in(Arc::clone(&sandbox), &function("for (;;) {}")).expect("it loads");
    let start = Instant::now();
    let failed = mapping.run(&Entry::default(), NOW).outcome.expect_err("it runs too long");
    assert!(matches!(failed, Failure::Time { .. }), "{failed}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(sandbox.lost(), 0);
}

#[test]
fn time_what_can_not_be_interrupted_keeps_its_thread_and_not_its_caller() {
    let limits = Limits { patience: Duration::from_millis(300), lost_max: 1, ..Limits::default() };
    let sandbox = Sandbox::new(limits, Monotonic::system());
    let healthy = load_in(Arc::clone(&sandbox), &function("")).expect("it loads");
    // Joining nothing with nothing, so often that no memory limit ever helps.
    let endless = "if (raw.cn === 'x') Array.prototype.join.call({ length: 60000000 }, '')";
    let hostile = load_in(Arc::clone(&sandbox), &function(endless)).expect("it loads");
    // Both loaded on the one thread there is; the healthy one needs another from here on.
    let stuck = hostile.run(&entry(json!({"cn": "x"})), NOW).outcome;
    assert_eq!((stuck.err(), sandbox.lost()), (Some(Failure::Stuck), 1));
    // That version runs no more, not even over an entry that would do no harm.
    assert_eq!(hostile.run(&entry(json!({"cn": "y"})), NOW).outcome.err(), Some(Failure::Stuck));
    assert_eq!(healthy.run(&Entry::default(), NOW).outcome.err(), Some(Failure::NoThread { lost: 1 }));
    // The step ends some time, and its thread with it.
    let start = Instant::now();
    while sandbox.lost() > 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "the thread never ends");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(healthy.run(&Entry::default(), NOW).outcome.is_ok());
}

#[test]
fn memory_a_growing_list_is_stopped() {
    let failed = failure(&function("var a = []; for (;;) a.push(new Array(1000).fill(a))"));
    assert!(matches!(failed, Failure::Memory { bytes_max: 33_554_432, .. }), "{failed}");
}

#[test]
fn memory_a_doubling_text_is_stopped() {
    let failed = failure(&function("var s = 'x'; for (;;) { s += s; s.charCodeAt(0) }"));
    assert!(matches!(failed, Failure::Memory { .. }), "{failed}");
}

#[test]
fn memory_an_array_buffer_of_a_gigabyte_is_refused() {
    assert!(matches!(failure(&function("new ArrayBuffer(1 << 30)")), Failure::Memory { .. }));
}

#[test]
fn memory_is_whole_again_for_the_next_entry() {
    let sandbox = sandbox();
    let hungry = load_in(Arc::clone(&sandbox), &function("var a = []; for (;;) a.push(new Array(1000).fill(a))")).expect("loads");
    for _ in 0..5 {
        let outcome = hungry.run(&Entry::default(), NOW).outcome;
        assert!(matches!(outcome, Err(Failure::Memory { .. })), "{outcome:?}");
    }
    // 20 MiB per entry fit only if nothing of the one before is left, cycles included.
    let large = function("var a = { b: new Float64Array(2500000) }; a.a = a");
    let large = load_in(Arc::clone(&sandbox), &large).expect("loads");
    for _ in 0..5 {
        assert!(large.run(&Entry::default(), NOW).outcome.is_ok());
    }
    the_next_entry_maps(sandbox);
}

/// Wherever memory runs out, in the script, in the prelude or while answering: an error, never a crash.
#[test]
fn memory_may_run_out_anywhere() {
    for kib in (64..2_048).step_by(16) {
        let limits = Limits { memory_bytes_max: kib * 1024, ..Limits::default() };
        let sandbox = Sandbox::new(limits, stopped());
        let text = function(
            "var a = [], o = {}; for (var i = 0; i < 3000; i++) { a.push({ i: i }); o['k' + i] = a } console.log('x'.repeat(400))",
        );
        match load_in(sandbox, &text) {
            Ok(mapping) => drop(mapping.run(&entry(json!({"cn": "x".repeat(10_000)})), NOW)),
            Err(failure) => assert!(!failure.to_string().is_empty()),
        }
    }
}

#[test]
fn stack_endless_recursion_is_stopped() {
    let failed = failure(&function("(function f() { return f() + 1 })()"));
    assert!(matches!(failed, Failure::Stack { bytes_max: 262_144, .. }), "{failed}");
}

#[test]
fn stack_recursion_through_built_ins_is_stopped() {
    for body in [
        "(function f() { [1].map(f) })()",
        "(function f() { return 'x'.replace(/x/, f) })()",
        "(function f() { JSON.stringify({ toJSON: f }) })()",
        "(function f() { console.log({ toJSON: f }); f() })()",
        "(function f() { String({ toString: f }) })()",
        "(function f() { eval('f()') })()",
        "var a = []; for (var i = 0; i < 100000; i++) a = [a]; JSON.stringify(a)",
        "JSON.parse('['.repeat(100000))",
        "eval('('.repeat(100000))",
        "new RegExp('('.repeat(100000) + ')'.repeat(100000))",
        "var f = function () {}; for (var i = 0; i < 100000; i++) f = f.bind(null); f()",
    ] {
        let sandbox = sandbox();
        let mapping = load_in(Arc::clone(&sandbox), &function(body)).expect("it loads");
        // Some are caught on the way (the console's); none may bring down the thread.
        let outcome = mapping.run(&Entry::default(), NOW).outcome;
        assert!(!matches!(outcome, Err(Failure::Engine { .. } | Failure::Stuck)), "{body}: {outcome:?}");
        the_next_entry_maps(sandbox);
    }
}

#[test]
fn output_longer_than_four_mebibytes_is_refused() {
    let failed = failure("module.exports = (raw) => ({ a: 'x'.repeat(5 << 20) })");
    assert!(matches!(failed, Failure::Output { bytes_max: 4_194_304, .. }), "{failed}");
}

#[test]
fn output_nested_deeper_than_64_levels_is_refused() {
    let nested = |levels: usize| {
        format!(
            "module.exports = (raw) => {{ var a = '[{{]'; for (var i = 0; i < {}; i++) a = [a]; return {{ a: a }} }}",
            levels - 1
        )
    };
    assert!(run(&nested(64), json!({})).outcome.is_ok());
    assert_eq!(run(&nested(65), json!({})).outcome.err(), Some(Failure::Depth { depth_max: 64 }));
}

#[test]
fn output_that_contains_itself_is_an_error() {
    let failed = failure("module.exports = (raw) => { raw.raw = raw; return raw }");
    assert!(matches!(failed, Failure::Thrown { .. }), "{failed}");
}

#[test]
fn output_of_a_message_is_cut() {
    let failed = failure(&function("throw new Error('m'.repeat(100000))"));
    let Failure::Thrown { message, .. } = failed else { panic!("{failed}") };
    assert_eq!(message.len(), 500);
}

#[test]
fn console_keeps_a_hundred_lines_of_five_hundred_characters() {
    let run = run(&function("for (var i = 0; i < 1000; i++) console.log(i, 'x'.repeat(1000), 'y'.repeat(1000))"), json!({}));
    assert!(run.outcome.is_ok());
    assert_eq!(run.trace.lines().count(), 101);
    assert!(run.trace.lines().all(|line| line.len() <= 500));
    assert!(run.trace.ends_with("(900 more lines)\n"));
}

#[test]
fn console_is_kept_when_the_script_fails() {
    let run = run(&function("console.log('before'); throw new Error('no')"), json!({}));
    assert_eq!((run.outcome.is_err(), run.trace.as_str()), (true, "before\n"));
}

#[test]
fn script_longer_than_256_kib_is_refused() {
    let text = function(&format!("/*{}*/", " ".repeat(256 * 1024)));
    assert!(matches!(load_in(sandbox(), &text).err(), Some(Failure::TooLong { bytes_max: 262_144, .. })));
}
