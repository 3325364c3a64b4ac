//! The pure half of a request, without a server or a database: reading a body, validating a resource, filters, PATCH.
//! A regression shows here before it shows as requests per second.

use criterion::{Criterion, criterion_group, criterion_main};
use rosterd::scim::json::{self, Limits};
use rosterd::scim::mode::Mode;
use rosterd::scim::resource;
use rosterd::scim::schema::ResourceType;
use rosterd::scim::{filter, patch};
use serde_json::{Map, Value};
use std::hint::black_box;

const ENTRA: Mode = Mode { strict: false };
const OPERATIONS_MAX: usize = 1_000;
const ID: &str = "0190c2f5-5b1e-7c3a-9d6e-2f4a8b1c0d3e";

/// A user as Entra creates one, about 1.2 KB.
const USER: &str = r#"{
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
    "externalId": "4f6a1c9e-2b1d-4a57-9f0e-8a6b7c5d4e3f", "userName": "ada.lovelace@example.com", "active": true,
    "displayName": "Ada Lovelace", "title": "Principal Analyst", "preferredLanguage": "en-GB",
    "name": {"formatted": "Ada Lovelace", "familyName": "Lovelace", "givenName": "Ada"},
    "emails": [{"value": "ada.lovelace@example.com", "type": "work", "primary": true},
               {"value": "ada@home.example.net", "type": "home"}],
    "phoneNumbers": [{"value": "+44 20 7946 0123", "type": "work"}, {"value": "+44 7700 900123", "type": "mobile"}],
    "addresses": [{"type": "work", "streetAddress": "12 St James's Square", "locality": "London", "postalCode": "SW1Y 4JH",
                   "country": "GB", "formatted": "12 St James's Square\nLondon SW1Y 4JH"}],
    "roles": [],
    "meta": {"resourceType": "User"},
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "1815", "department": "Computation",
        "manager": {"value": "0190c2f5-0000-7000-8000-000000000001"}}
}"#;

/// One attribute, as a deactivation sends it.
const DEACTIVATE: &str = r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}"#;

/// What a change of department and address looks like: several paths, two of them through a filter.
const MOVE: &str = r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
    {"op": "Replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Research"},
    {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Cambridge"},
    {"op": "Add", "path": "addresses[type eq \"work\"].postalCode", "value": "CB2 1TN"},
    {"op": "Replace", "path": "emails[type eq \"other\"].value", "value": "ada@research.example.com"},
    {"op": "Remove", "path": "title"}]}"#;

/// What Entra matches by, and the longest kind of filter that a person writes.
const FILTERS: [(&str, &str); 2] = [
    ("match", r#"userName eq "ada.lovelace@example.com""#),
    (
        "search",
        r#"active eq true and (emails[type eq "work" and value ew "@example.com"] or not (title pr)) and meta.lastModified gt "2026-01-01T00:00:00Z""#,
    ),
];

fn body(text: &str) -> Value {
    json::parse(text.as_bytes(), &Limits::default()).expect("a valid body")
}

fn stored_user() -> Map<String, Value> {
    resource::accept(&ResourceType::user(), body(USER), ENTRA).expect("a valid user").document
}

fn reading(criterion: &mut Criterion) {
    let user = ResourceType::user();
    criterion.bench_function("json: read a user", |bench| bench.iter(|| body(black_box(USER))));
    criterion.bench_function("resource: accept a user", |bench| {
        bench.iter_batched(|| body(USER), |body| resource::accept(&user, body, ENTRA), criterion::BatchSize::SmallInput);
    });
}

fn filters(criterion: &mut Criterion) {
    let user = ResourceType::user();
    for (name, text) in FILTERS {
        criterion.bench_function(&format!("filter: parse and compile, {name}"), |bench| {
            bench.iter(|| {
                filter::parse(black_box(text), ENTRA)
                    .and_then(|parsed| filter::compile(&parsed, &user, ENTRA))
                    .expect("a valid filter")
            });
        });
    }
}

fn patches(criterion: &mut Criterion) {
    let user = ResourceType::user();
    let current = stored_user();
    for (name, text) in [("deactivate", DEACTIVATE), ("move", MOVE)] {
        criterion.bench_function(&format!("patch: {name}"), |bench| {
            bench.iter_batched(
                || body(text),
                |body| patch::apply(&user, &current, body, ID, ENTRA, OPERATIONS_MAX).expect("a valid PATCH"),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, reading, filters, patches);
criterion_main!(benches);
