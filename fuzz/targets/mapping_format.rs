//! Whatever parses: formatting it again changes nothing, and means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd_mapping::span::FileId;
use rosterd_mapping::syntax;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = syntax::text_of(data, FileId(0)) else { return };
    let Ok(once) = syntax::format(text) else { return };
    let twice = syntax::format(&once).expect("what was formatted parses");
    assert_eq!(once, twice);
    assert!(syntax::parse(&once, FileId(0)).diagnostics.is_empty());
});
