//! Any bytes as what a directory says of its changes, and as a place that was kept: no panic; a place that is read is written
//! the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd::ldap::delta::cookie::Cookie;
use rosterd::ldap::delta::wire;
use rosterd::ldap::dn::is_within;

fuzz_target!(|data: &[u8]| {
    let _ = (wire::sync_state(data), wire::sync_done(data), wire::sync_info(data), wire::dir_sync_response(data));
    if let Ok(cookie) = Cookie::from_bytes(data) {
        assert_eq!(cookie.to_bytes(), data);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = is_within(text, "ou=people,dc=x");
        assert!(text.is_empty() || !is_within("", text) || is_within(text, ""));
    }
});
