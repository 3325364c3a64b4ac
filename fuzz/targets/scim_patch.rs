//! Any bytes as a body: as a user, and as a PATCH of one. No panic, and what is accepted is accepted again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd::scim::json::{self, Limits};
use rosterd::scim::mode::Mode;
use rosterd::scim::schema::ResourceType;
use rosterd::scim::{patch, resource};
use serde_json::json;

const ID: &str = "0190c2f5-5b1e-7c3a-9d6e-2f4a8b1c0d3e";

fuzz_target!(|data: &[u8]| {
    let Ok(body) = json::parse(data, &Limits::default()) else { return };
    let user = ResourceType::user();
    let mode = Mode { strict: false };
    if let Ok(accepted) = resource::accept(&user, body.clone(), mode) {
        let again = resource::accept(&user, accepted.document.clone().into(), mode);
        assert_eq!(again.map(|again| again.document).ok(), Some(accepted.document));
    }
    let stored = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada", "active": true,
        "name": {"givenName": "Ada"}, "emails": [{"value": "ada@x.example", "type": "work", "primary": true}],
        "roles": [{"value": "admin"}]
    });
    let stored = stored.as_object().expect("an object");
    drop(patch::apply(&user, stored, body, ID, mode, 100));
});
