//! Rules that go across operations: shape of the message, order, atomicity, primary, immutability, members, limits.

use super::*;
use crate::model::query::Query;
use crate::scim::path::{PatchPath, parse_patch_path};
use crate::scim::resource::ELEMENTS_MAX;
use crate::scim::schema::Type;

#[test]
fn what_is_no_patch_op_is_refused() {
    for body in [
        json!([]),
        json!({}),
        message(json!([])),
        message(json!("x")),
        message(json!([1])),
        message(json!([{}])),
        message(json!([{"op": "move", "path": "title"}])),
        message(json!([{"op": 1}])),
    ] {
        let error = apply(&registry().user, &barbara(), body.clone(), USER_ID, COMPAT, OPERATIONS_MAX).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax), "{body}");
    }
    let path = json!([{"op": "remove", "path": 5}]);
    assert_eq!(refusal(&barbara(), path, COMPAT), ScimType::InvalidPath);
}

#[test]
fn each_operation_sees_what_the_one_before_did() {
    let user = patched(
        &barbara(),
        json!([
            {"op": "replace", "path": "emails", "value": [{"value": "a@x", "type": "work"}]},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@x"},
            {"op": "add", "path": "emails", "value": [{"value": "c@x", "type": "home"}]},
            {"op": "remove", "path": "emails[value eq \"b@x\"]"},
        ]),
        STRICT,
    );
    assert_eq!(user["emails"], json!([{"value": "c@x", "type": "home"}]));
}

#[test]
fn a_failure_is_told_with_the_number_of_its_operation() {
    let operations = json!([{"op": "replace", "path": "title", "value": "T"}, {"op": "replace", "path": "colour", "value": "x"}]);
    let error = patch_user(&barbara(), operations, STRICT).unwrap_err();
    assert_eq!(error.detail, "operation 2: there is no attribute \"colour\"");
}

#[test]
fn only_a_real_change_counts_as_one() {
    let unchanged = [
        json!([{"op": "replace", "path": "title", "value": "Guide"}]),
        json!([{"op": "replace", "path": "name", "value": {"familyName": "Jensen", "givenName": "Barbara"}}]),
        json!([{"op": "remove", "path": "nickName"}]),
        json!([{"op": "replace", "path": "title", "value": "X"}, {"op": "replace", "path": "title", "value": "Guide"}]),
        json!([{"op": "remove", "path": "title"}, {"op": "add", "path": "title", "value": "Guide"}]),
    ];
    for operations in unchanged {
        assert!(!patch_user(&barbara(), operations.clone(), STRICT).unwrap().changed, "{operations}");
    }
    assert!(patch_user(&barbara(), json!([{"op": "remove", "path": "title"}]), STRICT).unwrap().changed);
}

#[test]
fn the_last_extension_attribute_takes_the_urn_out_of_schemas_and_the_first_brings_it_in() {
    let manager = format!("{ENTERPRISE_URN}:manager");
    let department = format!("{ENTERPRISE_URN}:department");
    let without = patched(&barbara(), json!([{"op": "remove", "path": manager}, {"op": "remove", "path": department}]), STRICT);
    assert_eq!(without["schemas"], json!([USER_URN]));
    assert!(!without.contains_key(ENTERPRISE_URN));
    let with = patched(&without, json!([{"op": "add", "path": department, "value": "D"}]), STRICT);
    assert_eq!(with["schemas"], json!([USER_URN, ENTERPRISE_URN]));
    assert_eq!(with.keys().next().unwrap(), "schemas");
}

#[test]
fn a_new_primary_element_demotes_the_old_one() {
    let one = json!([{"value": "o@x", "type": "other", "primary": true}]);
    for operation in [
        json!({"op": "add", "path": "emails", "value": one}),
        json!({"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}),
        json!({"op": "add", "path": "emails[type eq \"home\"]", "value": {"primary": true}}),
        json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "h@x", "primary": true}}),
        json!({"op": "add", "path": "emails[type eq \"other\" and primary eq true].value", "value": "o@x"}),
    ] {
        let user = patched(&barbara(), json!([operation]), STRICT);
        let emails = user["emails"].as_array().unwrap();
        assert_eq!(emails[0], json!({"value": "w@x", "type": "work", "primary": false}), "{operation}");
        assert_eq!(emails.iter().filter(|email| email["primary"] == true).count(), 1, "{operation}");
    }
}

#[test]
fn two_new_primary_elements_in_one_operation_are_refused() {
    let two = json!([{"value": "1", "primary": true}, {"value": "2", "primary": true}]);
    for operation in [
        json!({"op": "add", "path": "emails", "value": two}),
        json!({"op": "replace", "path": "emails", "value": two}),
        json!({"op": "replace", "path": "emails[value pr].primary", "value": true}),
    ] {
        assert_eq!(refusal(&barbara(), json!([operation]), COMPAT), ScimType::InvalidValue, "{operation}");
    }
}

#[test]
fn an_immutable_attribute_may_be_set_once() {
    let mut custom = ResourceType::user();
    let title = custom.core.find("title").unwrap().clone();
    custom.core.attributes.extend([
        Attribute { name: "badge".into(), mutability: Mutability::Immutable, ..title.clone() },
        Attribute {
            name: "desk".into(),
            kind: Type::Complex,
            sub_attributes: vec![Attribute { name: "floor".into(), mutability: Mutability::Immutable, ..title.clone() }, title],
            ..custom.core.find("name").unwrap().clone()
        },
    ]);
    let patch = |current: &Map<String, Value>, op: &str, path: &str, value: &str| {
        let operation = json!([{"op": op, "path": path, "value": value}]);
        apply(&custom, current, message(operation), USER_ID, STRICT, OPERATIONS_MAX).map(|patched| patched.document)
    };
    for path in ["badge", "desk.floor"] {
        let set = patch(&barbara(), "add", path, "A1").unwrap();
        assert!(patch(&set, "add", path, "a1").is_ok(), "the same, whatever its case");
        assert!(patch(&set, "add", "desk.title", "T").is_ok());
        for op in ["add", "replace", "remove"] {
            let error = patch(&set, op, path, "B2").unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::Mutability), "{op} {path}");
            assert!(error.detail.starts_with(&format!("{path} is immutable")), "{}", error.detail);
        }
    }
}

#[test]
fn members_are_added_and_removed_but_never_edited() {
    for operation in [
        json!({"op": "replace", "path": "members[value eq \"u1\"].value", "value": "u2"}),
        json!({"op": "add", "path": "members[value eq \"u1\"].type", "value": "Group"}),
        json!({"op": "replace", "path": "members[value eq \"u1\"]", "value": {"value": "u2"}}),
        json!({"op": "add", "path": "members[value eq \"u1\"]", "value": {"value": "u2"}}),
        json!({"op": "replace", "path": "members.value", "value": "u2"}),
        json!({"op": "remove", "path": "members[value eq \"u1\"].value"}),
        json!({"op": "replace", "path": "members[value eq \"u1\"].display", "value": "D"}),
    ] {
        for mode in [STRICT, COMPAT] {
            assert_eq!(group_refusal(json!([operation]), mode), ScimType::Mutability, "{operation}");
        }
    }
}

#[test]
fn a_filter_over_members_becomes_one_id_or_a_query() {
    let one = json!([{"op": "remove", "path": "members[value eq \"U1\"]"}]);
    assert_eq!(member_ops(one, STRICT), [MemberOp::Remove(vec!["U1".into()])], "ids compare exactly");
    let path = "members[type eq \"Group\" or value sw \"a\"]";
    let Ok(PatchPath::Attribute { filter: Some(filter), .. }) = parse_patch_path(&registry().group, path, STRICT) else {
        panic!()
    };
    let ops = member_ops(json!([{"op": "remove", "path": path}]), STRICT);
    assert_eq!(ops, [MemberOp::RemoveWhere(filter.query)]);
    assert!(matches!(&ops[0], MemberOp::RemoveWhere(Query::Or(_))));
    let added = json!([{"op": "add", "path": "members[value eq \"u1\"]", "value": {"type": "group"}}]);
    let expected = MemberRef { id: "u1".into(), kind: Some(MemberKind::Group) };
    assert_eq!(member_ops(added, COMPAT), [MemberOp::Add(vec![expected])]);
}

#[test]
fn a_member_without_an_id_is_refused() {
    for value in [json!([{"display": "x"}]), json!([{"value": 7}]), json!([[]]), json!([""])] {
        let operation = json!([{"op": "add", "path": "members", "value": value}]);
        assert_eq!(group_refusal(operation, STRICT), ScimType::InvalidValue, "{value}");
    }
}

#[test]
fn the_name_of_a_group_can_be_changed_but_not_removed() {
    let group = patch_group(json!([{"op": "replace", "path": "displayName", "value": "N"}]), STRICT).unwrap().document;
    assert_eq!(group["displayName"], "N");
    let group = patch_group(json!([{"op": "add", "path": "externalId", "value": "e"}]), STRICT).unwrap().document;
    assert_eq!(group["externalId"], "e");
    assert_eq!(group_refusal(json!([{"op": "remove", "path": "displayName"}]), STRICT), ScimType::Mutability);
    assert_eq!(group_refusal(json!([{"op": "replace", "path": "displayName", "value": null}]), COMPAT), ScimType::InvalidValue);
}

#[test]
fn a_password_is_noted_and_forgotten() {
    for operation in
        [json!({"op": "replace", "path": "password", "value": "hunter2"}), json!({"op": "add", "value": {"PASSWORD": "hunter2"}})]
    {
        let patched = patch_user(&barbara(), json!([operation]), STRICT).unwrap();
        assert!(patched.password_given && !patched.changed);
        assert_eq!(patched.document, barbara());
    }
    assert!(!patch_user(&barbara(), json!([{"op": "remove", "path": "password"}]), STRICT).unwrap().password_given);
    let error = patch_user(&barbara(), json!([{"op": "replace", "path": "password", "value": ["hunter2"]}]), STRICT).unwrap_err();
    assert_eq!(error.detail, "password must be a string, not an array");
}

#[test]
fn dropped_names_are_told_once_each() {
    let operations = json!([{"op": "add", "value": {"colour": 1}}, {"op": "add", "value": {"colour": 2, "name": {"nick": "B"}}}]);
    assert_eq!(patch_user(&barbara(), operations, COMPAT).unwrap().ignored, ["colour", "name.nick"]);
}

#[test]
fn operations_are_counted_with_the_keys_of_path_less_values() {
    let titles = |n: usize| Value::from(vec![json!({"op": "replace", "path": "title", "value": "T"}); n]);
    assert!(patch_user(&barbara(), titles(OPERATIONS_MAX), STRICT).is_ok());
    assert_eq!(refusal(&barbara(), titles(OPERATIONS_MAX + 1), STRICT), ScimType::InvalidValue);
    let pairs = |n: usize| Value::from(vec![json!({"op": "replace", "value": {"title": "T", "nickName": "N"}}); n]);
    assert!(patch_user(&barbara(), pairs(OPERATIONS_MAX / 2), STRICT).is_ok());
    assert_eq!(refusal(&barbara(), pairs(OPERATIONS_MAX / 2 + 1), STRICT), ScimType::InvalidValue);
}

#[test]
fn how_many_operations_a_request_has_is_configured() {
    let run = |operations: Value| apply(&registry().user, &barbara(), message(operations), USER_ID, STRICT, 3);
    let titles = |n: usize| Value::from(vec![json!({"op": "replace", "path": "title", "value": "T"}); n]);
    assert!(run(titles(3)).is_ok());
    let error = run(titles(4)).unwrap_err();
    assert_eq!(
        (error.scim_type, error.detail.as_str()),
        (Some(ScimType::InvalidValue), "a PATCH has at most 3 operations, not 4")
    );
    assert!(run(json!([{"op": "add", "value": {"title": "T", "nickName": "N", "locale": "de"}}])).is_ok());
    let error =
        run(json!([{"op": "add", "value": {"title": "T", "nickName": "N", "locale": "de", "timezone": "UTC"}}])).unwrap_err();
    let detail = "a PATCH has at most 3 operations; a key of a path-less value counts as one";
    assert_eq!((error.scim_type, error.detail.as_str()), (Some(ScimType::InvalidValue), detail));
}

#[test]
fn strict_paths_and_keys_are_spelled_as_the_rfc_has_them() {
    let department = format!("{ENTERPRISE_URN}:department");
    for (sent, standard, scim_type) in [
        ("department", department.as_str(), ScimType::InvalidPath),
        ("emails[type eq work].value", r#"emails[type eq "work"].value"#, ScimType::InvalidFilter),
        (r#"emails[primary eq "True"].value"#, "emails[primary eq true].value", ScimType::InvalidFilter),
    ] {
        let replace = |path: &str| json!([{"op": "replace", "path": path, "value": "X"}]);
        assert_eq!(refusal(&barbara(), replace(sent), STRICT), scim_type, "{sent}");
        let expected = patched(&barbara(), replace(standard), STRICT);
        assert_ne!(expected, barbara(), "{standard}");
        assert_eq!(patched(&barbara(), replace(sent), COMPAT), expected, "{sent}");
        let key = json!([{"op": "replace", "value": {sent: "X"}}]);
        assert_eq!(refusal(&barbara(), key.clone(), STRICT), ScimType::InvalidSyntax, "{sent} as a key");
        assert_eq!(patched(&barbara(), key, COMPAT), expected, "{sent} as a key");
    }
}

#[test]
fn the_id_of_the_resource_in_a_value_says_nothing_in_either_mode() {
    for mode in [STRICT, COMPAT] {
        let renamed = json!([{"op": "replace", "value": {"id": USER_ID, "title": "T"}}]);
        assert_eq!(patched(&barbara(), renamed, mode)["title"], "T");
        let other = json!([{"op": "replace", "value": {"id": "other", "title": "T"}}]);
        assert_eq!(refusal(&barbara(), other, mode), ScimType::Mutability);
    }
}

#[test]
fn a_list_does_not_grow_beyond_its_limit_nor_the_work_beyond_its_budget() {
    let emails: Vec<Value> = (0..ELEMENTS_MAX).map(|n| json!({"value": format!("{n}@x")})).collect();
    let mut full = barbara();
    full.insert("emails".into(), emails.into());
    let one_more = json!([{"op": "add", "path": "emails", "value": [{"value": "more@x"}]}]);
    assert_eq!(refusal(&full, one_more, STRICT), ScimType::InvalidValue);
    let look = json!({"op": "replace", "path": "emails[value ew \"@y\" or value ew \"@z\"].display", "value": "D"});
    assert_eq!(refusal(&full, vec![look; OPERATIONS_MAX].into(), COMPAT), ScimType::NoTarget);
    let look = json!({"op": "remove", "path": "emails[value ew \"@y\" or value ew \"@z\"]"});
    assert_eq!(refusal(&full, vec![look; OPERATIONS_MAX].into(), COMPAT), ScimType::TooMany);
}
