//! Requests as Entra, Okta and others send them (their published guides and traces), and what must come of them.

use super::*;

fn manager(user: &Map<String, Value>) -> &Value {
    &user[ENTERPRISE_URN]["manager"]
}

fn after(operations: Value) -> Map<String, Value> {
    patched(&barbara(), operations, COMPAT)
}

#[test]
fn entra_disables_a_user_with_a_capital_and_a_string() {
    let user = after(json!([{"op": "Replace", "path": "active", "value": "False"}]));
    assert_eq!(user["active"], json!(false));
}

#[test]
fn entra_builds_one_address_with_several_operations() {
    let user = after(json!([
        {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "DE"},
        {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Berlin"},
        {"op": "Add", "path": "addresses[type eq \"work\"].postalCode", "value": "10115"},
    ]));
    assert_eq!(user["addresses"], json!([{"type": "work", "country": "DE", "locality": "Berlin", "postalCode": "10115"}]));
}

#[test]
fn entra_replaces_an_email_that_is_not_there_yet() {
    let user = after(json!([{"op": "Replace", "path": "emails[type eq \"other\"].value", "value": "x@y"}]));
    assert_eq!(user["emails"].as_array().unwrap().len(), 3, "the others are kept");
    assert_eq!(user["emails"][2], json!({"type": "other", "value": "x@y"}));
}

#[test]
fn entra_sets_a_manager_as_text_as_an_object_or_by_its_value() {
    let path = format!("{ENTERPRISE_URN}:manager");
    for (path, value) in [
        (path.clone(), json!("271")),
        (path.clone(), json!({"value": "271"})),
        (path.clone(), json!({"$ref": null, "value": "271", "displayName": "Boss"})),
        (path.clone(), json!({"managerId": "271"})),
        (format!("{path}.value"), json!("271")),
    ] {
        let user = after(json!([{"op": "Add", "path": path, "value": value}]));
        assert_eq!(manager(&user), &json!({"value": "271"}), "{value}");
    }
    let user = after(json!([{"op": "Remove", "path": path}]));
    assert_eq!(user[ENTERPRISE_URN], json!({"department": "Tours"}));
}

#[test]
fn entra_folds_attributes_into_one_value_with_dots_and_urns() {
    let user = after(json!([{"op": "Add", "value": {
        format!("{ENTERPRISE_URN}:department"): "Rides", "name.givenName": "Babs", "emails[type eq \"work\"].value": "n@x",
        format!("{USER_URN}:title"): "Boss", "displayName": "Babs Jensen", format!("{ENTERPRISE_URN}:manager"): "271",
    }}]));
    assert_eq!(user[ENTERPRISE_URN], json!({"department": "Rides", "manager": {"value": "271"}}));
    assert_eq!(user["name"], json!({"givenName": "Babs", "familyName": "Jensen"}));
    assert_eq!(user["emails"][0], json!({"value": "n@x", "type": "work", "primary": true}));
    assert_eq!((&user["title"], &user["displayName"]), (&json!("Boss"), &json!("Babs Jensen")));
}

#[test]
fn entra_names_core_attributes_by_urn_and_packs_json_into_roles() {
    let packed = "{\"id\":\"18d\",\"value\":\"admin\",\"displayName\":\"Admin\"}";
    let user = after(json!([
        {"op": "Replace", "path": format!("{USER_URN}:title"), "value": "T"},
        {"op": "Add", "path": "roles", "value": [{"value": packed}]},
        {"op": "Replace", "path": "externalId", "value": "e-1"},
        {"op": "Remove", "path": "nickName"},
    ]));
    assert_eq!(user["title"], json!("T"));
    assert_eq!(user["roles"], json!([{"value": packed}]));
    assert_eq!(user["externalId"], json!("e-1"));
}

#[test]
fn entra_removes_the_members_it_names_and_no_others() {
    let named = json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u1"}]}]);
    assert_eq!(member_ops(named, COMPAT), [MemberOp::Remove(vec!["u1".into()])]);
    let nobody = json!([{"op": "Remove", "path": "members", "value": []}]);
    assert_eq!(member_ops(nobody, COMPAT), [], "an empty list names nobody");
    let all = json!([{"op": "Remove", "path": "members"}]);
    assert_eq!(member_ops(all, COMPAT), [MemberOp::Replace(vec![])]);
}

#[test]
fn entra_adds_members_in_each_of_its_styles() {
    for value in [json!([{"$ref": null, "value": "u1"}]), json!({"value": "u1"}), json!("u1"), json!(["u1"])] {
        let operation = json!([{"op": "Add", "path": "members", "value": value}]);
        assert_eq!(member_ops(operation, COMPAT), [MemberOp::Add(vec![member("u1")])]);
    }
    let without_path = json!([{"op": "Add", "value": {"members": [{"value": "u1"}, {"value": "u1"}]}}]);
    assert_eq!(member_ops(without_path, COMPAT), [MemberOp::Add(vec![member("u1")])]);
}

#[test]
fn okta_activates_deactivates_and_syncs_passwords_without_a_path() {
    let user = after(json!([{"op": "replace", "value": {"active": false}}]));
    assert_eq!(user["active"], json!(false));
    let patched = patch_user(&barbara(), json!([{"op": "replace", "value": {"password": "hunter2"}}]), STRICT).unwrap();
    assert!(patched.password_given && !patched.changed);
    assert!(!Value::Object(patched.document).to_string().contains("hunter2"));
}

#[test]
fn okta_renames_a_group_with_its_id_inside() {
    let rename = |id: &str| json!([{"op": "replace", "value": {"id": id, "displayName": "N"}}]);
    assert_eq!(patch_group(rename("group-1"), STRICT).unwrap().document["displayName"], "N");
    assert_eq!(group_refusal(rename("another"), COMPAT), ScimType::Mutability);
}

#[test]
fn okta_swaps_members_in_order() {
    let operations = json!([
        {"op": "remove", "path": "members[value eq \"a\"]"},
        {"op": "add", "path": "members", "value": [{"value": "b", "display": "b@x"}]},
    ]);
    assert_eq!(member_ops(operations, STRICT), [MemberOp::Remove(vec!["a".into()]), MemberOp::Add(vec![member("b")])]);
}

#[test]
fn okta_pushes_a_whole_group_even_an_empty_one() {
    for (value, members) in [(json!([{"value": "a"}, {"value": "b"}]), vec![member("a"), member("b")]), (json!([]), vec![])] {
        let operation = json!([{"op": "replace", "path": "members", "value": value}]);
        assert_eq!(member_ops(operation, STRICT), [MemberOp::Replace(members)]);
    }
}

#[test]
fn the_message_may_lack_schemas_and_spell_its_members_as_it_likes_unless_strict() {
    let operation = json!({"OP": "REPLACE", "Path": "title", "Value": "Boss", "name": "ignored"});
    for body in [
        json!({"operations": [operation]}),
        json!({"schemas": ["urn:other"], "OPERATIONS": [operation]}),
        json!({"Operations": operation}),
    ] {
        let lenient = apply(&registry().user, &barbara(), body.clone(), USER_ID, COMPAT, OPERATIONS_MAX).unwrap();
        assert_eq!(lenient.document["title"], "Boss");
        let strict = apply(&registry().user, &barbara(), body, USER_ID, STRICT, OPERATIONS_MAX).unwrap_err();
        assert_eq!(strict.scim_type, Some(ScimType::InvalidSyntax));
    }
}
