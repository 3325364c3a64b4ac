//! What holds for any request: operations are drawn from paths that exist and ones that don't, and values of any shape.

use super::*;
use crate::scim::resource::accept;
use proptest::prelude::*;

const PATHS: [&str; 26] = [
    "title",
    "active",
    "userName",
    "password",
    "id",
    "groups",
    "externalId",
    "schemas",
    "name",
    "name.givenName",
    "emails",
    "emails.value",
    "emails.primary",
    "emails[type eq \"work\"]",
    "emails[type eq \"work\"].value",
    "emails[type eq \"work\"].primary",
    "emails[not (value pr)].type",
    "emails[value co \"x\" or primary eq true]",
    "addresses[type eq \"work\"].country",
    "photos",
    "members",
    "members[value eq \"a\"]",
    "colour",
    "emails[",
    ENTERPRISE_URN,
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        prop::sample::select(vec!["", "work", "home", "a@x", "True", "7"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let mut names = vec!["value", "type", "primary", "display", "$ref", "givenName", "department", "managerId"];
        names.extend(PATHS);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(names), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    })
}

/// A filter need not match any more what the first replace made of it; that is another question.
fn path_without_filter() -> impl Strategy<Value = &'static str> {
    prop::sample::select(PATHS.into_iter().filter(|path| !path.contains('[')).collect::<Vec<_>>())
}

fn any_operation() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["add", "Replace", "remove", "REMOVE", "replace"]);
    let path = prop::option::weighted(0.8, prop::sample::select(PATHS.to_vec()));
    (op, path, prop::option::weighted(0.9, any_value())).prop_map(|(op, path, value)| {
        let mut operation = Map::from_iter([("op".to_owned(), op.into())]);
        operation.extend(path.map(|path| ("path".to_owned(), path.into())));
        operation.extend(value.map(|value| ("value".to_owned(), value)));
        operation.into()
    })
}

fn any_operations() -> impl Strategy<Value = Value> {
    prop::collection::vec(any_operation(), 1..5).prop_map(Value::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_patch_is_answered_and_its_result_would_be_accepted_as_it_is(operations in any_operations(), strict: bool) {
        for (resource_type, current) in [(&registry().user, barbara()), (&registry().group, tour_guides())] {
            let before = current.clone();
            let answer = apply(resource_type, &current, message(operations.clone()), USER_ID, Mode { strict }, OPERATIONS_MAX);
            prop_assert_eq!(&current, &before);
            let Ok(patched) = answer else { continue };
            prop_assert_eq!(patched.changed, patched.document != before);
            let mut accepted = accept(resource_type, Value::Object(patched.document.clone()), Mode { strict }).unwrap().document;
            if !patched.document.contains_key("active") {
                accepted.shift_remove("active");
            }
            prop_assert_eq!(&accepted, &patched.document);
        }
    }

    #[test]
    fn a_replace_done_twice_is_a_replace_done_once(
        path in path_without_filter(), value in any_value(), strict: bool,
    ) {
        let operation = json!({"op": "replace", "path": path, "value": value});
        if let Ok(once) = patch_user(&barbara(), json!([operation]), Mode { strict }) {
            let twice = patch_user(&once.document, json!([operation]), Mode { strict }).unwrap();
            prop_assert!(!twice.changed, "{:?} then {:?}", once.document, twice.document);
        }
    }

    #[test]
    fn any_body_at_all_is_answered(body in any_value(), path in "[a-z:.\\[\\]\" ()]{0,20}", strict: bool) {
        let _ = apply(&registry().user, &barbara(), body.clone(), USER_ID, Mode { strict }, OPERATIONS_MAX);
        let _ = patch_user(&barbara(), json!([{"op": "add", "path": path, "value": body}]), Mode { strict });
    }
}
