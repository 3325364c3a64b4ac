//! Any text as a filter, in both modes: no panic; what parses prints as a filter that parses to the same tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd::scim::filter;
use rosterd::scim::mode::Mode;
use rosterd::scim::schema::ResourceType;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for strict in [false, true] {
        let mode = Mode { strict };
        let Ok(parsed) = filter::parse(text, mode) else { continue };
        let printed = parsed.to_string();
        let again = filter::parse(&printed, Mode { strict: false });
        assert_eq!(again.as_ref().map(ToString::to_string).ok(), Some(printed));
        drop(filter::compile(&parsed, &ResourceType::user(), mode));
    }
});
