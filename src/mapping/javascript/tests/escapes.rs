//! Ways out of the sandbox, and from one person to the next. Each is named after the attack.

use super::*;

/// Everything a script finds on the global object, whichever way it gets hold of it.
const GLOBALS: &[&str] = &[
    "AggregateError",
    "Array",
    "ArrayBuffer",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Boolean",
    "Buffer",
    "DataView",
    "Date",
    "Error",
    "EvalError",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "Function",
    "Infinity",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "InternalError",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "RangeError",
    "ReferenceError",
    "Reflect",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "WeakMap",
    "WeakSet",
    "console",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "eval",
    "globalThis",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
    "unescape",
];

fn globals() -> Value {
    GLOBALS.iter().copied().collect()
}

#[test]
fn require_process_timers_and_network_are_not_there() {
    for name in [
        "require",
        "process",
        "global",
        "window",
        "self",
        "setTimeout",
        "setInterval",
        "setImmediate",
        "queueMicrotask",
        "fetch",
        "XMLHttpRequest",
        "WebSocket",
        "Worker",
        "SharedArrayBuffer",
        "Atomics",
        "WebAssembly",
        "std",
        "os",
        "bjson",
        "print",
        "scriptArgs",
        "performance",
        "navigator",
        "Proxy",
        "WeakRef",
        "FinalizationRegistry",
        "__dirname",
        "__filename",
        "gc",
    ] {
        assert_eq!(it(&format!("typeof {name}"), json!({})), "undefined", "{name}");
    }
    let failed = failure("module.exports = function (raw) {\n  return require('fs').readFileSync('/etc/passwd');\n}");
    assert_eq!(failed.to_string(), "require is not defined (profileMapper.js:2:10)");
}

#[test]
fn function_constructor_return_this_finds_the_listed_globals_and_nothing_else() {
    for this in [
        "(function(){}).constructor('return this')()",
        "(0, eval)('this')",
        "new Function('return globalThis')()",
        "(function () { return this })()",
        "console.log.constructor('return this')()",
        "raw_data.constructor.constructor('return this')()",
    ] {
        assert_eq!(
            it(&format!("Reflect.ownKeys({this}).filter((k) => typeof k === 'string').sort()"), json!({})),
            globals(),
            "{this}"
        );
    }
    for maker in ["async function () {}", "function* () {}", "async function* () {}"] {
        let kind = format!("typeof ({maker}).constructor('return typeof require')");
        assert_eq!(it(&kind, json!({})), "function");
    }
}

#[test]
fn import_of_files_and_modules_fails() {
    assert!(load_in(sandbox(), "import fs from 'fs';").is_err());
    let text = "module.exports = (raw, cb) => { import('/etc/passwd').then((m) => cb(null, { it: 'read' }), (e) => cb(e)) }";
    assert!(matches!(failure(text), Failure::Thrown { .. } | Failure::NoAnswer));
}

#[test]
fn prototype_pollution_does_not_reach_the_next_entry() {
    let text = "module.exports = function (raw) {
      var profile = { id: raw.uid, seen: String({}.mail), own: raw.mail, made: Object.prototype.hasOwnProperty.call({}, 'x') };
      Object.prototype.mail = raw.mail;
      Array.prototype.last = raw.mail;
      String.prototype.toString = function () { return raw.mail };
      JSON.parse = function () { return raw };
      JSON.stringify = function () { return 'stolen' };
      globalThis.Object.keys = null;
      return profile;
    }";
    let mapping = load(text);
    for uid in ["anna", "ben", "carl"] {
        let mapped =
            mapping.run(&entry(json!({"uid": uid, "mail": format!("{uid}@x.example")})), NOW).outcome.expect("a profile");
        assert_eq!(given(&mapped, "user_id"), &Given::Value(uid.into()));
        assert_eq!(mapped.extras["seen"], "undefined", "{uid}");
        assert_eq!(mapped.extras["own"], format!("{uid}@x.example"));
    }
}

#[test]
fn module_state_and_globals_do_not_reach_the_next_entry() {
    let text = "var last = 'nobody'; leaked = typeof leaked === 'undefined' ? 'nobody' : leaked;
    module.exports = function (raw) {
      var profile = { last: last, leaked: leaked, memo: module.exports.memo || 'nobody' };
      last = leaked = module.exports.memo = raw.uid;
      return profile;
    }";
    let mapping = load(text);
    for uid in ["anna", "ben"] {
        let mapped = mapping.run(&entry(json!({"uid": uid})), NOW).outcome.expect("a profile");
        assert_eq!(Value::Object(mapped.extras), json!({"last": "nobody", "leaked": "nobody", "memo": "nobody"}));
    }
}

#[test]
fn a_job_left_behind_does_not_run_in_the_next_entry() {
    let text = "module.exports = (raw, cb) => { cb(null, { id: raw.uid }); Promise.resolve().then(() => { Object.prototype.uid = raw.uid }) }";
    let mapping = load(text);
    drop(mapping.run(&entry(json!({"uid": "anna"})), NOW).outcome.expect("a profile"));
    let next = mapping.run(&Entry::default(), NOW).outcome.expect("a profile");
    assert_eq!(given(&next, "user_id"), &Given::Absent);
}

#[test]
fn an_attribute_named_like_a_prototype_is_a_plain_attribute() {
    let raw = json!({"__proto__": ["a", "b"], "constructor": "c", "cn": "x"});
    assert_eq!(
        it("[Object.getPrototypeOf(raw_data) === Object.prototype, raw_data['constructor']]", raw.clone()),
        json!([true, "c"])
    );
    assert_eq!(it("Object.getOwnPropertyDescriptor(raw_data, '__proto__').value", raw), json!(["a", "b"]));
}

#[test]
fn a_result_that_names_a_prototype_is_plain_data() {
    let text = "module.exports = (raw) => JSON.parse('{\"__proto__\": {\"blocked\": false}, \"id\": \"a\"}')";
    assert_eq!(mapped(text, json!({})).extras["__proto__"], json!({"blocked": false}));
}

#[test]
fn rewriting_built_ins_deceives_only_the_script_itself() {
    let text =
        "for (const f of ['slice', 'indexOf', 'toLowerCase', 'toWellFormed']) String.prototype[f] = () => { throw new Error(f) };
      Function.prototype.call = Function.prototype.apply = Function.prototype.bind = null; Array.isArray = () => true;
      Object.defineProperty(Object.prototype, 'then', { get() { return undefined } });
      module.exports = function (raw) { console.log('still here'); return { id: raw.uid, at: new Date() } }";
    let run = run(text, json!({"uid": "anna"}));
    assert_eq!(given(&run.outcome.expect("a profile"), "user_id"), &Given::Value("anna".into()));
    assert_eq!(run.trace, "still here\n");
}

#[test]
fn date_stands_still_at_the_given_instant() {
    let all = "[Date.now(), new Date().toISOString(), new (new Date().constructor)().getTime(), Date.length, typeof Date(), \
               Object.getPrototypeOf(new Date()) === Date.prototype, new Date() instanceof Date, Reflect.construct(Date, []).getTime(), \
               (class extends Date {}).now()]";
    let now = NOW / 1_000;
    assert_eq!(it(all, json!({})), json!([now, "2025-11-24T16:00:00.123Z", now, 7, "string", true, true, now, now]));
}

#[test]
fn date_still_reads_and_calculates_and_knows_no_zone_of_the_machine() {
    let all = "[new Date(131906592000000000 / 1e4 - 11644473600000).toISOString(), new Date(2026, 0, 31, 12).toISOString(), \
               new Date('2026-01-31').getHours(), Date.parse('2026-01-31T12:00:00'), Date.parse('31 Jan 2026 12:00'), \
               Date.parse('2026-01-31T12:00:00+01:00'), new Date(0).getTimezoneOffset(), new Date(0).toString(), \
               new Date(0).toTimeString(), new Date(0).toDateString(), String(new Date(NaN)), new Date('nonsense').getTime()]";
    assert_eq!(
        it(all, json!({})),
        json!([
            "2018-12-30T16:00:00.000Z",
            "2026-01-31T12:00:00.000Z",
            0,
            1_769_860_800_000_i64,
            1_769_860_800_000_i64,
            1_769_857_200_000_i64,
            0,
            "Thu Jan 01 1970 00:00:00 GMT+0000",
            "00:00:00 GMT+0000",
            "Thu Jan 01 1970",
            "Invalid Date",
            null
        ])
    );
}

#[test]
fn random_numbers_are_the_same_in_every_run() {
    let mapping = load("module.exports = (raw) => ({ it: [Math.random(), Math.random()] })");
    let draw = || mapping.run(&Entry::default(), NOW).outcome.expect("a profile").extras["it"].clone();
    let first = draw();
    assert_eq!(first, draw());
    assert!(first[0] != first[1] && first[0].as_f64().is_some_and(|x| (0.0..1.0).contains(&x)));
}

#[test]
fn eval_and_function_work_and_are_bounded_like_the_rest() {
    assert_eq!(it("eval('1 + 1') + new Function('a', 'return a')(1)", json!({})), 3);
    assert!(matches!(failure("module.exports = (raw) => eval('(function f() { return f() + 1 })()')"), Failure::Stack { .. }));
}

#[test]
fn closing_the_module_s_function_early_gains_nothing() {
    let text = "}); globalThis.loot = [typeof module, typeof require, typeof kit, typeof trace]; (function (exports, module) { \
                module.exports = (raw) => ({ it: globalThis.loot })";
    // Either it is no module any more, or it runs where it would have run anyway.
    match load_in(sandbox(), text) {
        Ok(mapping) => {
            let mapped = mapping.run(&Entry::default(), NOW).outcome.expect("a profile");
            assert_eq!(mapped.extras["it"], json!(["undefined", "undefined", "undefined", "undefined"]));
        }
        Err(failure) => assert!(matches!(failure, Failure::Thrown { .. } | Failure::NoMapper { .. }), "{failure}"),
    }
}

#[test]
fn the_stack_shows_no_path_of_the_machine() {
    let failed = it("new Error('x').stack", json!({}));
    let stack = failed.as_str().expect("a text");
    assert!(!stack.contains('/') && stack.contains("profileMapper.js:1:"), "{stack}");
}
