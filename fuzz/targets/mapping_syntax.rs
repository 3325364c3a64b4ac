//! Any text as a mapping: no panic, the tree's text is the input, diagnostics point into it and are few.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd_mapping::limits::DIAGNOSTICS_MAX;
use rosterd_mapping::span::FileId;
use rosterd_mapping::syntax;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = syntax::text_of(data, FileId(0)) else { return };
    let parsed = syntax::parse(text, FileId(0));
    assert_eq!(parsed.tree.text().to_string(), text);
    assert!(parsed.diagnostics.len() <= DIAGNOSTICS_MAX);
    for diagnostic in &parsed.diagnostics {
        assert!(text.get(diagnostic.span.range()).is_some(), "{diagnostic:?} points outside or into a character");
    }
});
