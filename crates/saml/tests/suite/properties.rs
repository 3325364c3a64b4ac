//! Any bytes: no panic, no acceptance but of what was signed, and one reading of whatever is well-formed.

use proptest::prelude::*;
use quick_xml::events::Event;

use crate::mint::*;
use rosterd_saml::limits::Limits;
use rosterd_saml::metadata::IdpMetadata;
use rosterd_saml::redirect::Received;
use rosterd_saml::scan::scan;

/// Pieces that make well-formed documents now and then.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<a>".to_owned()),
        Just("</a>".to_owned()),
        Just("<b x='1' y=\"&amp;&#65;\">".to_owned()),
        Just("</b>".to_owned()),
        Just("<p:c xmlns:p='urn:p' p:x=''/>".to_owned()),
        Just(" \r\n\t".to_owned()),
        Just("&lt;&#x1F600;&apos;".to_owned()),
        Just("text é".to_owned()),
        "[<>&;'\"=/!?\\[\\]-]{1,4}",
        any::<char>().prop_map(String::from),
    ]
}

/// What quick-xml makes of it: names and decoded text, in order.
fn second_opinion(text: &str) -> Option<Vec<String>> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    reader.config_mut().expand_empty_elements = true;
    let mut seen = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Eof => return Some(seen),
            Event::Start(start) => {
                seen.push(String::from_utf8(start.local_name().as_ref().to_vec()).ok()?);
                for attribute in start.attributes() {
                    let attribute = attribute.ok()?;
                    let key = attribute.key;
                    if key.as_namespace_binding().is_none() {
                        seen.push(String::from_utf8(key.local_name().as_ref().to_vec()).ok()?);
                    }
                }
            }
            _ => {}
        }
    }
}

fn first_opinion(text: &str) -> Option<Vec<String>> {
    let document = scan(text, Limits::METADATA).ok()?;
    let mut seen = Vec::new();
    fn walk(node: rosterd_saml::document::Node<'_, '_>, seen: &mut Vec<String>) {
        seen.push(node.local().to_owned());
        seen.extend(node.attribute_names().map(str::to_owned));
        node.children().for_each(|child| walk(child, seen));
    }
    walk(document.root(), &mut seen);
    Some(seen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_well_formed_here_is_so_for_another_parser_and_reads_alike(pieces in proptest::collection::vec(piece(), 0..12)) {
        let text = format!("<r>{}</r>", pieces.concat());
        if let Some(ours) = first_opinion(&text) {
            prop_assert_eq!(second_opinion(&text), Some(ours));
        }
    }

    #[test]
    fn any_text_is_decided_without_a_panic(pieces in proptest::collection::vec(piece(), 0..12)) {
        let text = pieces.concat();
        prop_assert!(Gateway::default().take(&text).is_err());
        prop_assert!(Gateway::default().take_field(&text).is_err());
        prop_assert!(IdpMetadata::read(&text, None, now()).is_err());
        let _ = Received::from_query(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_changed_anywhere_is_refused_or_says_the_same(at in any::<prop::sample::Index>(), piece in piece(), cut in 0_usize..4) {
        static MESSAGES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        let messages = MESSAGES.get_or_init(|| {
            let login = Login::default();
            vec![login.signed_assertion(rsa()), login.signed_response(rsa()), login.signed_both(rsa())]
        });
        for message in messages {
            let begin = at.index(message.len());
            let end = (begin + cut).min(message.len());
            // The messages are ASCII.
            let changed = format!("{}{piece}{}", &message[..begin], &message[end..]);
            if let Ok(verified) = Gateway::default().take(&changed) {
                prop_assert_eq!(who(&verified), "alice");
                prop_assert_eq!(verified.attributes().len(), 2);
            }
        }
    }
}
