//! Any text as another product's mapping, in every format: no panic; what is imported compiles, is formatted, passes the
//! tests made of captured entries, and comes out the same a second time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd_mapping::check::{self, Sources};
use rosterd_mapping::import::{Format, ImportError, detect, import};
use rosterd_mapping::{syntax, tester};
use serde_json::{Map, Value, json};

struct Nothing;

impl Sources for Nothing {
    fn include(&self, _: &str) -> Result<String, String> {
        Err("there are no files here".into())
    }

    fn table(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("there are no files here".into())
    }
}

fn entries() -> Vec<Map<String, Value>> {
    let entries = [
        json!({ "cn": ["Zoë", "Z"], "mail": "z@x.example", "memberOf": "CN=a,DC=x", "userAccountControl": "514", "title": [] }),
        json!({}),
    ];
    entries.iter().filter_map(Value::as_object).cloned().collect()
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    drop(detect(text));
    for format in Format::ALL {
        let imported = match import("fuzz.js", text, format, &entries()) {
            Ok(imported) => imported,
            Err(error @ ImportError::Uncompilable(_)) => panic!("{error}"),
            Err(_) => continue,
        };
        let compiled = check::compile("fuzz.mapping", &imported.text, &Nothing);
        let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}\n{}", compiled.diagnostics, imported.text));
        assert!(tester::run_tests(&plan, &compiled.tests, &[]).passed(), "{}", imported.text);
        assert_eq!(syntax::format(&imported.text).ok().as_deref(), Some(&*imported.text));
        assert_eq!(import("fuzz.js", text, format, &entries()).ok().as_ref(), Some(&imported));
    }
});
