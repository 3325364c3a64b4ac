//! Operation × target. One line is one cell of the table: what is done, and what Barbara's attribute is afterwards.

use super::*;
use Expected::{Becomes, Gone, Refused, Stays};

enum Expected {
    Becomes(Value),
    Gone,
    Stays,
    Refused(ScimType),
}

/// `attribute` is a JSON pointer.
fn check(mode: Mode, operation: &Value, attribute: &str, expected: &Expected) {
    let current = barbara();
    let before = Value::Object(current.clone()).pointer(attribute).cloned();
    if let Refused(kind) = expected {
        assert_eq!(refusal(&current, json!([operation]), mode), *kind, "{mode:?} {operation}");
        return;
    }
    let result = patch_user(&current, json!([operation]), mode).unwrap_or_else(|error| panic!("{mode:?} {operation}: {error}"));
    let after = Value::Object(result.document).pointer(attribute).cloned();
    let wanted = match expected {
        Becomes(value) => Some(value.clone()),
        Gone => None,
        _ => before.clone(),
    };
    assert_eq!(after, wanted, "{mode:?} {operation}");
    assert_eq!(result.changed, after != before, "{mode:?} {operation}: changed");
}

fn both(operation: Value, attribute: &str, expected: Expected) {
    check(STRICT, &operation, attribute, &expected);
    check(COMPAT, &operation, attribute, &expected);
}

fn each(operation: Value, attribute: &str, strict: Expected, compat: Expected) {
    check(STRICT, &operation, attribute, &strict);
    check(COMPAT, &operation, attribute, &compat);
}

fn add(path: &str, value: Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

fn replace(path: &str, value: Value) -> Value {
    json!({"op": "replace", "path": path, "value": value})
}

fn remove(path: &str) -> Value {
    json!({"op": "remove", "path": path})
}

fn work() -> Value {
    json!({"value": "w@x", "type": "work", "primary": true})
}

fn home() -> Value {
    json!({"value": "h@x", "type": "home"})
}

#[test]
fn without_a_path() {
    for op in ["add", "replace"] {
        both(json!({"op": op, "value": {"title": "Boss"}}), "/title", Becomes(json!("Boss")));
        both(json!({"op": op, "value": {"TITLE": "Boss", "nickName": "Babs"}}), "/nickName", Becomes(json!("Babs")));
        both(
            json!({"op": op, "value": {"name": {"givenName": "Babs"}}}),
            "/name",
            Becomes(json!({"givenName": "Babs", "familyName": "Jensen"})),
        );
        both(
            json!({"op": op, "value": {ENTERPRISE_URN: {"division": "Park"}}}),
            &format!("/{ENTERPRISE_URN}"),
            Becomes(json!({"department": "Tours", "manager": {"value": "m1", "$ref": "../Users/m1"}, "division": "Park"})),
        );
        both(json!({"op": op, "value": {"id": USER_ID, "meta": {}, "schemas": []}}), "", Stays);
        both(json!({"op": op, "value": {"id": "other"}}), "", Refused(ScimType::Mutability));
        both(json!({"op": op, "value": {"groups": []}}), "", Refused(ScimType::Mutability));
        each(json!({"op": op, "value": {"colour": "red"}}), "", Refused(ScimType::InvalidSyntax), Stays);
        each(json!({"op": op, "value": {ENTERPRISE_URN: {"badge": 1}}}), "", Refused(ScimType::InvalidSyntax), Stays);
        both(json!({"op": op, "value": "x"}), "", Refused(ScimType::InvalidValue));
        both(json!({"op": op}), "", Refused(ScimType::InvalidValue));
    }
    both(
        json!({"op": "add", "value": {"emails": [{"value": "o@x", "type": "other"}]}}),
        "/emails",
        Becomes(json!([work(), home(), {"value": "o@x", "type": "other"}])),
    );
    both(json!({"op": "replace", "value": {"emails": [home()]}}), "/emails", Becomes(json!([home()])));
    both(json!({"op": "add", "value": {"title": null}}), "/title", Stays);
    both(json!({"op": "replace", "value": {"title": null}}), "/title", Gone);
    both(json!({"op": "remove"}), "", Refused(ScimType::NoTarget));
    both(json!({"op": "remove", "value": {"title": "Guide"}}), "", Refused(ScimType::NoTarget));
}

#[test]
fn a_path_in_a_path_less_key_is_taken_unless_strict() {
    let no = || Refused(ScimType::InvalidSyntax);
    let department = format!("/{ENTERPRISE_URN}/department");
    for op in ["add", "replace"] {
        let key = |key: &str, value: Value| json!({"op": op, "value": {key: value}});
        each(key("name.givenName", json!("Babs")), "/name/givenName", no(), Becomes(json!("Babs")));
        each(key("emails[type eq \"work\"].value", json!("n@x")), "/emails/0/value", no(), Becomes(json!("n@x")));
        each(
            key("emails[type eq \"other\"].value", json!("o@x")),
            "/emails/2",
            no(),
            Becomes(json!({"type": "other", "value": "o@x"})),
        );
        each(key(&format!("{ENTERPRISE_URN}:department"), json!("D")), &department, no(), Becomes(json!("D")));
        each(key(&format!("{USER_URN}:title"), json!("Boss")), "/title", no(), Becomes(json!("Boss")));
        each(key(USER_URN, json!({"title": "Boss"})), "/title", no(), Becomes(json!("Boss")));
        each(key("emails[type eq].value", json!("x")), "", no(), Refused(ScimType::InvalidFilter));
    }
}

#[test]
fn a_single_value() {
    both(add("title", json!("Boss")), "/title", Becomes(json!("Boss")));
    both(add("nickName", json!("Babs")), "/nickName", Becomes(json!("Babs")));
    both(add("title", json!("Guide")), "/title", Stays);
    both(add("title", json!(null)), "/title", Stays);
    both(replace("title", json!("Boss")), "/title", Becomes(json!("Boss")));
    both(replace("nickName", json!("Babs")), "/nickName", Becomes(json!("Babs")));
    both(replace("title", json!(null)), "/title", Gone);
    both(replace("title", json!("")), "/title", Becomes(json!("")));
    both(remove("title"), "/title", Gone);
    both(remove("nickName"), "/nickName", Gone);
    both(replace("externalId", json!("e1")), "/externalId", Becomes(json!("e1")));
    both(replace("TITLE", json!("Boss")), "/title", Becomes(json!("Boss")));
    both(replace("title", json!(1)), "", Refused(ScimType::InvalidValue));
    each(replace("active", json!("False")), "/active", Refused(ScimType::InvalidValue), Becomes(json!(false)));
    both(json!({"op": "add", "path": "title"}), "", Refused(ScimType::InvalidValue));
    both(json!({"op": "replace", "path": "title"}), "", Refused(ScimType::InvalidValue));
}

#[test]
fn a_complex_value_and_its_sub_attributes() {
    for op in [add, replace] {
        both(op("name", json!({"givenName": "Babs"})), "/name", Becomes(json!({"givenName": "Babs", "familyName": "Jensen"})));
        both(op("name.givenName", json!("Babs")), "/name/givenName", Becomes(json!("Babs")));
        both(op("name.middleName", json!("J")), "/name/middleName", Becomes(json!("J")));
        both(op("name", json!("Barbara")), "", Refused(ScimType::InvalidValue));
    }
    both(add("name", json!({"givenName": null})), "/name", Stays);
    both(replace("name", json!({"givenName": null})), "/name", Becomes(json!({"familyName": "Jensen"})));
    both(replace("name", json!({})), "/name", Stays);
    both(replace("name", json!(null)), "/name", Gone);
    both(remove("name"), "/name", Gone);
    both(remove("name.givenName"), "/name", Becomes(json!({"familyName": "Jensen"})));
    both(remove("name.middleName"), "/name", Stays);
}

#[test]
fn a_list_without_a_filter() {
    let other = || json!({"value": "o@x", "type": "other"});
    both(add("emails", json!([other()])), "/emails", Becomes(json!([work(), home(), other()])));
    both(add("emails", other()), "/emails", Becomes(json!([work(), home(), other()])));
    both(add("emails", json!([home()])), "/emails", Stays);
    both(
        add("emails", json!([{"value": "h@x", "type": "home", "display": "Home"}])),
        "/emails/1",
        Becomes(json!({"value": "h@x", "type": "home", "display": "Home"})),
    );
    both(add("emails", json!([])), "/emails", Stays);
    both(add("emails", json!(null)), "/emails", Stays);
    both(add("phoneNumbers", json!([{"value": "1"}])), "/phoneNumbers", Becomes(json!([{"value": "1"}])));
    both(replace("emails", json!([other()])), "/emails", Becomes(json!([other()])));
    both(replace("emails", json!([])), "/emails", Gone);
    both(replace("emails", json!(null)), "/emails", Gone);
    each(replace("emails", json!("o@x")), "/emails", Refused(ScimType::InvalidValue), Becomes(json!([{"value": "o@x"}])));
    both(remove("emails"), "/emails", Gone);
    both(remove("phoneNumbers"), "/phoneNumbers", Gone);
}

#[test]
fn remove_with_a_value_removes_those_elements_and_no_others() {
    let remove = |value: Value| json!({"op": "remove", "path": "emails", "value": value});
    both(remove(json!([{"value": "h@x", "display": null}])), "/emails", Becomes(json!([work()])));
    both(remove(json!([{"value": "H@X"}])), "/emails", Becomes(json!([work()])));
    both(remove(json!([{"value": "h@x", "type": "work"}])), "/emails", Stays);
    both(remove(json!([{"type": "home"}])), "/emails", Becomes(json!([work()])));
    both(remove(json!({"value": "h@x"})), "/emails", Becomes(json!([work()])));
    both(remove(json!([{"value": "w@x"}, {"value": "h@x"}])), "/emails", Gone);
    both(remove(json!([])), "/emails", Stays);
    both(remove(json!([{}, null, {"value": null}])), "/emails", Stays);
    both(remove(json!(null)), "/emails", Gone);
    each(remove(json!("h@x")), "/emails", Refused(ScimType::InvalidValue), Becomes(json!([work()])));
}

#[test]
fn a_sub_attribute_of_every_element() {
    both(add("emails.display", json!("D")), "/emails/1/display", Becomes(json!("D")));
    both(replace("emails.type", json!("other")), "/emails/0/type", Becomes(json!("other")));
    both(remove("emails.primary"), "/emails/0", Becomes(json!({"value": "w@x", "type": "work"})));
    both(remove("emails.value"), "/emails", Gone);
    both(replace("emails.primary", json!(true)), "", Refused(ScimType::InvalidValue));
    for op in [add, replace] {
        both(op("phoneNumbers.value", json!("1")), "/phoneNumbers", Becomes(json!([{"value": "1"}])));
    }
}

#[test]
fn elements_that_a_filter_matches() {
    both(
        add("emails[type eq \"work\"]", json!({"display": "Office"})),
        "/emails/0",
        Becomes(json!({"value": "w@x", "type": "work", "primary": true, "display": "Office"})),
    );
    both(
        replace("emails[type eq \"work\"]", json!({"value": "n@x", "type": "work"})),
        "/emails",
        Becomes(json!([{"value": "n@x", "type": "work"}, home()])),
    );
    each(
        replace("emails[type eq \"work\"]", json!({"value": "n@x"})),
        "/emails/0",
        Becomes(json!({"value": "n@x"})),
        Becomes(json!({"value": "n@x", "type": "work"})),
    );
    each(
        replace("emails[type eq \"work\"]", json!("n@x")),
        "/emails/0",
        Refused(ScimType::InvalidValue),
        Becomes(json!({"value": "n@x", "type": "work"})),
    );
    both(replace("emails[value pr]", json!({"value": "n@x"})), "/emails", Becomes(json!([{"value": "n@x"}])));
    both(replace("emails[type eq \"work\"]", json!(null)), "/emails", Becomes(json!([home()])));
    both(remove("emails[type eq \"WORK\"]"), "/emails", Becomes(json!([home()])));
    both(remove("emails[type eq \"work\" or type eq \"home\"]"), "/emails", Gone);
    both(remove("emails[not (type eq \"work\")]"), "/emails", Becomes(json!([work()])));
}

#[test]
fn a_filter_that_matches_nothing() {
    let made = || json!({"type": "other", "value": "o@x"});
    for op in [add, replace] {
        each(op("emails[type eq \"other\"]", json!({"value": "o@x"})), "/emails/2", Refused(ScimType::NoTarget), Becomes(made()));
        both(op("emails[type sw \"o\"]", json!({"value": "o@x"})), "", Refused(ScimType::NoTarget));
        both(op("emails[type eq \"a\" or type eq \"b\"].value", json!("o@x")), "", Refused(ScimType::NoTarget));
    }
    both(add("emails[type eq \"other\"].value", json!("o@x")), "/emails/2", Becomes(made()));
    each(replace("emails[type eq \"other\"].value", json!("o@x")), "/emails/2", Refused(ScimType::NoTarget), Becomes(made()));
    both(
        add("emails[type eq \"other\" and primary eq false].value", json!("o@x")),
        "/emails/2",
        Becomes(json!({"type": "other", "primary": false, "value": "o@x"})),
    );
    both(remove("emails[type eq \"other\"]"), "/emails", Stays);
    both(remove("emails[type eq \"other\"].value"), "/emails", Stays);
    both(add("emails[type eq \"other\"].value", json!(null)), "/emails", Stays);
}

#[test]
fn a_sub_attribute_of_the_elements_that_a_filter_matches() {
    for op in [add, replace] {
        both(op("emails[type eq \"work\"].value", json!("n@x")), "/emails/0/value", Becomes(json!("n@x")));
        both(op("emails[value pr].display", json!("D")), "/emails/1/display", Becomes(json!("D")));
        both(op("emails[type eq \"work\"].value", json!(5)), "", Refused(ScimType::InvalidValue));
    }
    both(remove("emails[type eq \"work\"].primary"), "/emails/0", Becomes(json!({"value": "w@x", "type": "work"})));
    both(remove("emails[type eq \"work\"].value"), "/emails", Becomes(json!([home()])));
    both(replace("emails[type eq \"work\"].value", json!(null)), "/emails", Becomes(json!([home()])));
}

#[test]
fn an_extension() {
    let all = format!("/{ENTERPRISE_URN}");
    let department = format!("{ENTERPRISE_URN}:department");
    let manager = format!("{ENTERPRISE_URN}:manager");
    for op in [add, replace] {
        both(op(&department, json!("D")), &format!("{all}/department"), Becomes(json!("D")));
        both(op(&format!("{manager}.value"), json!("m2")), &format!("{all}/manager"), Becomes(json!({"value": "m2"})));
        both(op(&manager, json!({"value": "m2"})), &format!("{all}/manager"), Becomes(json!({"value": "m2"})));
        both(op(&format!("{manager}.displayName"), json!("M")), "", Refused(ScimType::Mutability));
        both(
            op(ENTERPRISE_URN, json!({"department": "D"})),
            &all,
            Becomes(json!({"department": "D", "manager": {"value": "m1", "$ref": "../Users/m1"}})),
        );
        both(op(ENTERPRISE_URN, json!("x")), "", Refused(ScimType::InvalidValue));
        each(op(ENTERPRISE_URN, json!({"badge": 1})), "", Refused(ScimType::InvalidSyntax), Stays);
    }
    each(replace(&manager, json!("")), &format!("{all}/manager"), Refused(ScimType::InvalidValue), Gone);
    both(remove(&department), &format!("{all}/department"), Gone);
    both(remove(&manager), &format!("{all}/manager"), Gone);
    both(remove(ENTERPRISE_URN), &all, Gone);
    both(remove(&ENTERPRISE_URN.to_uppercase()), "/schemas", Becomes(json!([USER_URN])));
    both(replace(ENTERPRISE_URN, json!(null)), &all, Gone);
}

#[test]
fn what_may_not_be_touched() {
    for op in [add, replace] {
        for (path, value) in [
            ("id", json!(USER_ID)),
            ("meta", json!({})),
            ("meta.created", json!("2026-01-01T00:00:00Z")),
            ("groups", json!([{"value": "g"}])),
            ("groups[value eq \"g\"].display", json!("G")),
        ] {
            both(op(path, value), "", Refused(ScimType::Mutability));
        }
    }
    for path in ["id", "meta", "groups", "groups[value eq \"g\"]", "userName"] {
        both(remove(path), "", Refused(ScimType::Mutability));
    }
    both(replace("userName", json!(null)), "", Refused(ScimType::InvalidValue));
    both(replace("userName", json!("")), "", Refused(ScimType::InvalidValue));
}

#[test]
fn a_path_that_leads_nowhere() {
    for path in
        ["colour", "name.colour", "emails[type eq \"work\"].colour", "title[value eq \"x\"]", "emails[", "a..b", "urn:acme:x"]
    {
        for operation in [add(path, json!("x")), replace(path, json!("x")), remove(path)] {
            let kind = refusal(&barbara(), json!([operation]), COMPAT);
            assert!(matches!(kind, ScimType::InvalidPath | ScimType::InvalidFilter), "{path}: {kind:?}");
        }
    }
    both(replace("colour", json!("x")), "", Refused(ScimType::InvalidPath));
    both(remove("emails[colour eq \"x\"]"), "", Refused(ScimType::InvalidFilter));
    both(remove("emails[type eq]"), "", Refused(ScimType::InvalidFilter));
}
