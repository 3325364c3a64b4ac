//! Any text as a search of users: no panic, an error lies in the text; what is one prints as a search that reads as the same tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd::search;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let node = match search::parse(text) {
        Err(refused) => {
            assert!((1..=text.chars().count() + 1).contains(&refused.column), "{refused}");
            return;
        }
        Ok(None) => return,
        Ok(Some(node)) => node,
    };
    if let Err(refused) = search::compile(&node) {
        assert!((1..=text.chars().count() + 1).contains(&refused.column), "{refused}");
    }
    let printed = node.to_string();
    // What is written in a long way may be longer than a search may be.
    if printed.len() <= search::BYTES_MAX {
        let again = search::parse(&printed).expect("what is printed is a search").expect("and asks something");
        assert_eq!(again.to_string(), printed);
    }
});
