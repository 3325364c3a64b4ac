//! Any text as XML, as metadata, as a query and as a form field: no panic, and what the scanner takes for a document is one for
//! another parser too, with the same elements.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quick_xml::events::Event;
use rosterd_saml::limits::Limits;
use rosterd_saml::metadata::IdpMetadata;
use rosterd_saml::redirect::Received;
use rosterd_saml::scan::scan;
use rosterd_saml::transport::Message;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = (Message::from_form(text), Received::from_query(text));
    let now = "2026-11-27T12:00:00Z".parse().expect("a time");
    let _ = IdpMetadata::read(text, None, now);
    for limits in [Limits::MESSAGE, Limits::METADATA] {
        if let Ok(document) = scan(text, limits) {
            assert_eq!(elements(text), Some(document.element_count()), "{text}");
        }
    }
});

fn elements(text: &str) -> Option<usize> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    reader.config_mut().expand_empty_elements = true;
    let mut count = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Eof => return Some(count),
            Event::Start(start) => {
                count += 1;
                if start.attributes().any(|attribute| attribute.is_err()) {
                    return None;
                }
            }
            _ => {}
        }
    }
}
