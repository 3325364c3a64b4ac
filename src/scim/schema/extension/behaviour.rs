//! What a registered extension means to each part of the protocol, with one extension that has something of everything.

use super::{Extends, Extension, read};
use crate::model::query::Query;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::mode::Mode;
use crate::scim::patch::{self, Patched};
use crate::scim::projection::Projection;
use crate::scim::schema::{ENTERPRISE_URN, PATCH_URN, Registry, USER_URN, discovery, registry};
use crate::scim::{filter, order, resource};
use serde_json::{Map, Value, json};

const URN: &str = "urn:example:hr:2.0:User";
const STRICT: Mode = Mode { strict: true };
const COMPAT: Mode = Mode { strict: false };
const BOTH: [Mode; 2] = [STRICT, COMPAT];

fn tables() -> Registry {
    let schema = json!({"id": URN, "name": "Hr", "attributes": [
        {"name": "badge", "caseExact": true},
        {"name": "department"},
        {"name": "level", "type": "integer"},
        {"name": "salary", "type": "decimal", "returned": "request"},
        {"name": "since", "type": "dateTime"},
        {"name": "remote", "type": "boolean"},
        {"name": "code", "mutability": "readOnly"},
        {"name": "hiredAs", "mutability": "immutable"},
        {"name": "pin", "mutability": "writeOnly", "returned": "never"},
        {"name": "site", "returned": "always"},
        {"name": "tags", "multiValued": true},
        {"name": "desks", "type": "complex", "multiValued": true, "subAttributes": [
            {"name": "value"}, {"name": "type"}, {"name": "floor", "type": "integer"}, {"name": "primary", "type": "boolean"}]},
        {"name": "contract", "type": "complex", "subAttributes": [
            {"name": "kind", "required": true}, {"name": "until", "type": "dateTime"}, {"name": "note", "returned": "request"}]},
        {"name": "vault", "type": "complex", "returned": "never", "subAttributes": [{"name": "box"}]},
    ]});
    let strict =
        json!({"id": "urn:example:car", "name": "Car", "attributes": [{"name": "plate", "required": true}, {"name": "model"}]});
    let schemas = [schema, strict].map(|schema| read(schema.to_string().as_bytes()).expect("a good schema"));
    Registry::extended(schemas.map(|schema| Extension { extends: Extends::User, schema }).into()).expect("they don't clash")
}

/// A POST of a user with this under the extension.
fn accept(extension: Value, mode: Mode) -> Result<Map<String, Value>, ScimError> {
    let body = json!({"schemas": [USER_URN, URN], "userName": "ada", URN: extension});
    resource::accept(&tables().user, body, mode).map(|accepted| accepted.document)
}

fn kept(extension: Value, mode: Mode) -> Value {
    let shown = extension.to_string();
    accept(extension, mode).unwrap_or_else(|error| panic!("{shown}: {error}")).get(URN).cloned().unwrap_or_default()
}

fn ada(extension: Value) -> Map<String, Value> {
    accept(extension, COMPAT).expect("a good user")
}

fn patch(current: &Map<String, Value>, operations: Value, mode: Mode) -> Result<Patched, ScimError> {
    let message = json!({"schemas": [PATCH_URN], "Operations": operations});
    patch::apply(&tables().user, current, message, "1", mode, 1_000)
}

/// What is under the extension after one operation.
fn patched(extension: Value, operation: Value) -> Value {
    let shown = operation.to_string();
    let before = ada(extension);
    let after = BOTH.map(|mode| {
        let done = patch(&before, json!([operation]), mode).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let declared = done.document["schemas"].as_array().expect("schemas").contains(&json!(URN));
        assert_eq!(declared, done.document.contains_key(URN), "schemas names it exactly where it has data: {shown}");
        done.document.get(URN).cloned().unwrap_or_default()
    });
    assert_eq!(after[0], after[1], "strict or not: {shown}");
    after[0].clone()
}

fn query(text: &str, mode: Mode) -> Result<Query, ScimError> {
    filter::compile(&filter::parse(text, mode)?, &tables().user, mode)
}

/// Whether the filter finds a user with this under the extension.
fn finds(text: &str, extension: Value) -> bool {
    let user = ada(extension);
    let found = BOTH.map(|mode| query(text, mode).unwrap_or_else(|error| panic!("{text}: {error}")).matches(&user));
    assert_eq!(found[0], found[1], "{text}");
    found[0]
}

fn shown(attributes: Option<&str>, excluded: Option<&str>, extension: Value) -> Value {
    let mut user = ada(extension);
    Projection::parse(attributes, excluded, &tables().user, COMPAT).expect("a projection").apply(&mut user);
    user.into()
}

// --- POST and PUT -----------------------------------------------------------------------------------------------

#[test]
fn values_of_every_type_are_kept_as_they_were_sent() {
    let sent = json!({
        "badge": "B-1", "level": 3, "salary": 1.5, "since": "2026-01-31T12:00:00Z", "remote": false, "hiredAs": "clerk",
        "tags": ["a", "b"], "desks": [{"value": "d1", "type": "hot", "floor": 2, "primary": true}],
        "contract": {"kind": "open", "until": "2030-01-01T00:00:00Z"},
    });
    for mode in BOTH {
        assert_eq!(kept(sent.clone(), mode), sent);
        let document = accept(sent.clone(), mode).expect("taken");
        assert_eq!(document["schemas"], json!([USER_URN, URN]));
    }
}

#[test]
fn names_and_urns_match_in_any_case_and_are_kept_in_the_schemas_spelling() {
    let body = json!({"schemas": [USER_URN], "userName": "ada", URN.to_uppercase(): {"BADGE": "B", "Desks": [{"VALUE": "d"}]}});
    let accepted = resource::accept(&tables().user, body, STRICT).expect("taken");
    assert_eq!(accepted.document[URN], json!({"badge": "B", "desks": [{"value": "d"}]}));
}

#[test]
fn without_values_there_is_no_extension_and_no_urn_in_schemas() {
    for nothing in
        [json!(null), json!({}), json!({"badge": null, "tags": [], "desks": []}), json!({"code": "x"}), json!({"pin": "1"})]
    {
        let document = accept(nothing.clone(), STRICT).expect("taken");
        assert_eq!((document.get(URN), &document["schemas"]), (None, &json!([USER_URN])), "{nothing}");
    }
}

#[test]
fn wrong_types_are_refused_as_those_of_the_core_are() {
    for extension in [
        json!({"level": "three"}),
        json!({"level": 1.5}),
        json!({"remote": "perhaps"}),
        json!({"since": "yesterday"}),
        json!({"badge": 7}),
        json!({"badge": {"value": "x"}}),
        json!({"tags": [{"value": "x"}]}),
        json!({"contract": ["x"]}),
        json!({"contract": {"until": "2030-01-01T00:00:00Z"}}),
        json!({"badge": "x".repeat(1025)}),
        json!("B-1"),
        json!({"desks": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
    ] {
        for mode in BOTH {
            let refused = accept(extension.clone(), mode).expect_err(&extension.to_string());
            assert_eq!(refused.scim_type, Some(ScimType::InvalidValue), "{extension}");
            assert!(refused.detail.contains(URN), "{}", refused.detail);
        }
    }
    for (extension, lenient) in [
        (json!({"level": "3"}), json!({"level": 3})),
        (json!({"remote": "True"}), json!({"remote": true})),
        (json!({"tags": "a"}), json!({"tags": ["a"]})),
    ] {
        assert_eq!(accept(extension.clone(), STRICT).expect_err("strict").scim_type, Some(ScimType::InvalidValue));
        assert_eq!(kept(extension, COMPAT), lenient);
    }
}

#[test]
fn unknown_attributes_are_refused_in_strict_mode_and_dropped_otherwise() {
    for extension in [json!({"badge": "B", "wibble": 1}), json!({"badge": "B", "desks": [{"wibble": 1}]})] {
        assert_eq!(accept(extension.clone(), STRICT).expect_err("strict").scim_type, Some(ScimType::InvalidSyntax));
        assert_eq!(kept(extension, COMPAT), json!({"badge": "B"}));
    }
    let other = json!({"schemas": [USER_URN, "urn:example:other"], "userName": "ada", "urn:example:other": {"badge": "B"}});
    assert!(resource::accept(&tables().user, other.clone(), STRICT).is_err());
    assert!(!resource::accept(&tables().user, other, COMPAT).expect("taken").document.contains_key("urn:example:other"));
}

#[test]
fn what_is_read_only_is_passed_over_and_what_is_never_returned_is_checked_and_forgotten() {
    for mode in BOTH {
        assert_eq!(
            kept(json!({"badge": "B", "code": "mine", "pin": "1234", "vault": {"box": "7"}}), mode),
            json!({"badge": "B"})
        );
        assert!(accept(json!({"pin": 1}), mode).expect_err("a number").detail.contains("must be a string"));
    }
}

#[test]
fn required_attributes_are_required_where_the_extension_has_data() {
    let car = |car: Value| {
        resource::accept(&tables().user, json!({"schemas": [USER_URN], "userName": "ada", "urn:example:car": car}), STRICT)
    };
    assert!(car(json!({"plate": "X", "model": "T"})).is_ok() && car(json!(null)).is_ok());
    let refused = car(json!({"model": "T"})).expect_err("no plate");
    assert_eq!((refused.scim_type, refused.detail.as_str()), (Some(ScimType::InvalidValue), "urn:example:car:plate is required"));
}

#[test]
fn put_clears_what_it_leaves_out_and_keeps_what_is_immutable() {
    let current = ada(json!({"badge": "B", "hiredAs": "clerk"}));
    let put = |extension: Value| {
        let body = json!({"schemas": [USER_URN], "userName": "ada", URN: extension});
        resource::accept_put(&tables().user, body, &current, STRICT)
    };
    assert_eq!(put(json!({"level": 1})).expect("taken").document[URN], json!({"level": 1, "hiredAs": "clerk"}));
    assert_eq!(put(json!(null)).expect("taken").document[URN], json!({"hiredAs": "clerk"}));
    assert_eq!(put(json!({"hiredAs": "boss"})).expect_err("immutable").scim_type, Some(ScimType::Mutability));
}

// --- PATCH ------------------------------------------------------------------------------------------------------

#[test]
fn patch_reaches_attributes_parts_and_elements_by_their_urn() {
    let urn = |path: &str| format!("{URN}:{path}");
    let desks = json!({"desks": [{"value": "d1", "type": "hot"}, {"value": "d2", "type": "own"}]});
    for (before, operation, after) in [
        (json!({}), json!({"op": "add", "path": urn("badge"), "value": "B"}), json!({"badge": "B"})),
        (json!({"badge": "A"}), json!({"op": "replace", "path": urn("BADGE"), "value": "B"}), json!({"badge": "B"})),
        (json!({"badge": "A", "level": 1}), json!({"op": "remove", "path": urn("badge")}), json!({"level": 1})),
        (json!({"badge": "A"}), json!({"op": "remove", "path": urn("badge")}), json!(null)),
        (json!({"tags": ["a"]}), json!({"op": "add", "path": urn("tags"), "value": ["b"]}), json!({"tags": ["a", "b"]})),
        (json!({"tags": ["a", "b"]}), json!({"op": "remove", "path": urn("tags"), "value": ["a"]}), json!({"tags": ["b"]})),
        (
            json!({"contract": {"kind": "open"}}),
            json!({"op": "add", "path": urn("contract.until"), "value": "2030-01-01T00:00:00Z"}),
            json!({"contract": {"kind": "open", "until": "2030-01-01T00:00:00Z"}}),
        ),
        (
            desks.clone(),
            json!({"op": "replace", "path": urn("desks[type eq \"hot\"].floor"), "value": 4}),
            json!({"desks": [{"value": "d1", "type": "hot", "floor": 4}, {"value": "d2", "type": "own"}]}),
        ),
        (
            desks.clone(),
            json!({"op": "remove", "path": urn("desks[value eq \"d1\"]")}),
            json!({"desks": [{"value": "d2", "type": "own"}]}),
        ),
        (
            json!({}),
            json!({"op": "add", "path": urn("desks[type eq \"hot\"].value"), "value": "d9"}),
            json!({"desks": [{"type": "hot", "value": "d9"}]}),
        ),
        (json!({"badge": "A", "level": 1}), json!({"op": "remove", "path": URN}), json!(null)),
        (json!({"badge": "A"}), json!({"op": "add", "path": URN, "value": {"level": 2}}), json!({"badge": "A", "level": 2})),
        (json!({}), json!({"op": "add", "value": {URN: {"badge": "B"}}}), json!({"badge": "B"})),
    ] {
        assert_eq!(patched(before.clone(), operation.clone()), after, "{operation} on {before}");
    }
}

#[test]
fn a_value_without_path_may_hold_paths_as_it_may_for_the_enterprise_extension() {
    let operation = json!([{"op": "replace", "value": {format!("{URN}:badge"): "B", format!("{URN}:contract.kind"): "open"}}]);
    let done = patch(&ada(json!({})), operation.clone(), COMPAT).expect("taken");
    assert_eq!(done.document[URN], json!({"badge": "B", "contract": {"kind": "open"}}));
    assert_eq!(patch(&ada(json!({})), operation, STRICT).expect_err("strict").scim_type, Some(ScimType::InvalidSyntax));
}

#[test]
fn patch_refuses_what_the_core_refuses() {
    let urn = |path: &str| format!("{URN}:{path}");
    for (operation, scim_type) in [
        (json!({"op": "replace", "path": urn("wibble"), "value": 1}), ScimType::InvalidPath),
        (json!({"op": "replace", "path": urn("contract.wibble"), "value": 1}), ScimType::InvalidPath),
        (json!({"op": "replace", "path": urn("contract[kind eq \"x\"].kind"), "value": 1}), ScimType::InvalidPath),
        (json!({"op": "replace", "path": "badge", "value": "B"}), ScimType::InvalidPath),
        (json!({"op": "replace", "path": urn("desks[wibble eq 1].value"), "value": "x"}), ScimType::InvalidFilter),
        (json!({"op": "replace", "path": urn("code"), "value": "mine"}), ScimType::Mutability),
        (json!({"op": "replace", "path": urn("hiredAs"), "value": "boss"}), ScimType::Mutability),
        (json!({"op": "remove", "path": URN}), ScimType::Mutability),
        (json!({"op": "replace", "path": urn("level"), "value": "three"}), ScimType::InvalidValue),
        (json!({"op": "remove", "path": "urn:example:car:plate"}), ScimType::Mutability),
        (json!({"op": "add", "path": "urn:example:car:model", "value": "T"}), ScimType::InvalidValue),
    ] {
        for mode in BOTH {
            let refused = patch(&ada(json!({"hiredAs": "clerk"})), json!([operation]), mode).expect_err(&operation.to_string());
            assert_eq!(refused.scim_type, Some(scim_type), "{operation}: {refused}");
        }
    }
}

#[test]
fn what_is_never_returned_is_forgotten_by_patch_too() {
    let urn = |path: &str| format!("{URN}:{path}");
    for operation in [
        json!({"op": "add", "path": urn("pin"), "value": "1234"}),
        json!({"op": "add", "path": urn("vault"), "value": {"box": "7"}}),
        json!({"op": "add", "path": urn("vault.box"), "value": "7"}),
        json!({"op": "add", "path": URN, "value": {"pin": "1234"}}),
    ] {
        assert_eq!(patched(json!({"badge": "B"}), operation), json!({"badge": "B"}));
    }
}

// --- filters, order, projection -----------------------------------------------------------------------------------

#[test]
fn filters_ask_for_values_of_every_type() {
    let user = || {
        json!({"badge": "B-1", "level": 3, "since": "2026-01-31T12:00:00Z", "remote": true, "tags": ["x", "Y"],
            "desks": [{"value": "d1", "type": "hot", "floor": 2}, {"value": "d2", "type": "own", "floor": 9}], "contract": {"kind": "open"}})
    };
    for (text, found) in [
        ("badge eq \"B-1\"", true),
        ("badge eq \"b-1\"", false),
        ("BADGE sw \"B\"", true),
        ("badge co \"-\"", true),
        ("level gt 2", true),
        ("level eq 4", false),
        ("since lt \"2026-02-01T00:00:00+01:00\"", true),
        ("remote eq true", true),
        ("tags eq \"y\"", true),
        ("tags eq \"z\"", false),
        ("desks eq \"d2\"", true),
        ("desks.floor gt 8", true),
        ("desks[type eq \"hot\" and floor gt 8]", false),
        ("desks[type eq \"own\" and floor gt 8]", true),
        ("contract.kind eq \"OPEN\"", true),
        ("contract pr", true),
        ("salary pr", false),
        ("department pr", false),
    ] {
        assert_eq!(finds(&format!("{URN}:{text}"), user()), found, "{text}");
        assert_ne!(finds(&format!("not ({}:{text})", URN.to_uppercase()), user()), found, "{text}");
    }
    assert!(finds(&format!("schemas eq \"{URN}\""), user()) && !finds(&format!("schemas eq \"{URN}\""), json!({})));
}

#[test]
fn filters_and_orders_refuse_what_nobody_has_and_what_nobody_is_shown() {
    for path in ["wibble", "pin", "vault", "vault.box", "desks.wibble"] {
        for mode in BOTH {
            let refused = query(&format!("{URN}:{path} eq \"1\""), mode).expect_err(path);
            assert_eq!(refused.scim_type, Some(ScimType::InvalidFilter), "{path}");
            let refused = order::parse(&format!("{URN}:{path}"), false, &tables().user, mode).expect_err(path);
            assert_eq!(refused.scim_type, Some(ScimType::InvalidValue), "{path}");
        }
    }
    assert!(
        query(&format!("{URN}:level eq \"three\""), COMPAT).is_err() && query(&format!("{URN}:remote gt true"), COMPAT).is_err()
    );
}

#[test]
fn a_registered_attribute_needs_its_urn_and_takes_no_name_from_the_enterprise_extension() {
    for mode in BOTH {
        let refused = query("badge eq \"B\"", mode).expect_err("without its URN");
        assert!(refused.detail.contains(&format!("needs its URN: \"{URN}:badge\"")), "{}", refused.detail);
    }
    // Both have a department; without a URN it is the one that it was before the schema was registered.
    assert_eq!(query("department eq \"D\"", COMPAT), query(&format!("{ENTERPRISE_URN}:department eq \"D\""), COMPAT));
    let done = patch(&ada(json!({})), json!([{"op": "add", "path": "department", "value": "D"}]), COMPAT).expect("taken");
    assert_eq!((&done.document[ENTERPRISE_URN], done.document.get(URN)), (&json!({"department": "D"}), None));
    // Ignored like any unknown name, as it was before; `attributes` asks for nothing that is there.
    assert_eq!(shown(Some("badge"), None, json!({"badge": "B"})), json!({"schemas": [USER_URN, URN]}));
}

#[test]
fn orders_go_by_attributes_and_parts() {
    let path = |sort_by: &str| {
        let order = order::parse(&format!("{URN}:{sort_by}"), false, &tables().user, STRICT).expect(sort_by);
        order.field.expect("a field").path.join(" ")
    };
    assert_eq!(path("level"), format!("{URN} level"));
    assert_eq!(path("contract.kind"), format!("{URN} contract kind"));
    assert_eq!(path("desks"), format!("{URN} desks value"));
}

#[test]
fn projections_name_the_extension_its_attributes_and_their_parts() {
    let user = || json!({"badge": "B", "level": 1, "desks": [{"value": "d1", "floor": 2}]});
    let under = |shown: Value| shown.get(URN).cloned().unwrap_or_default();
    let urn = |path: &str| format!("{URN}:{path}");
    assert_eq!(under(shown(Some(URN), None, user())), user());
    assert_eq!(under(shown(Some(&urn("badge")), None, user())), json!({"badge": "B"}));
    assert_eq!(under(shown(Some(&urn("desks.floor")), None, user())), json!({"desks": [{"floor": 2}]}));
    assert_eq!(under(shown(Some("userName"), None, user())), json!(null));
    assert_eq!(under(shown(None, Some(URN), user())), json!(null));
    assert_eq!(
        under(shown(None, Some(&urn("desks.floor")), user())),
        json!({"badge": "B", "level": 1, "desks": [{"value": "d1"}]})
    );
}

#[test]
fn what_is_returned_always_stays_whatever_is_asked() {
    for (attributes, excluded) in [(Some("userName"), None), (None, Some("urn:example:hr:2.0:User:site")), (None, None)] {
        assert_eq!(shown(attributes, excluded, json!({"site": "S"}))[URN], json!({"site": "S"}), "{attributes:?} {excluded:?}");
    }
}

#[test]
fn what_is_returned_on_request_is_shown_where_it_is_asked_for() {
    let user = || json!({"badge": "B", "salary": 5, "contract": {"kind": "open", "note": "n"}});
    assert_eq!(shown(None, None, user())[URN], json!({"badge": "B", "contract": {"kind": "open"}}));
    assert_eq!(shown(None, Some("title"), user())[URN], json!({"badge": "B", "contract": {"kind": "open"}}));
    assert_eq!(shown(Some(&format!("{URN}:salary")), None, user())[URN], json!({"salary": 5}));
    assert_eq!(shown(Some(&format!("{URN}:contract.note")), None, user())[URN], json!({"contract": {"note": "n"}}));
    let plain = |tables: &Registry| Projection::parse(None, None, &tables.user, COMPAT).expect("a projection").shows_all_stored();
    assert!(!plain(&tables()) && plain(registry()), "stored text is sent as it is where nothing of it is hidden");
}

#[test]
fn what_is_returned_on_request_is_shown_to_who_wrote_it() {
    let default = || Projection::parse(None, None, &tables().user, COMPAT).expect("a projection");
    let answer = |written: &[Vec<String>], document: &Map<String, Value>| {
        let mut shown = document.clone();
        default().echoing(written).apply(&mut shown);
        shown[URN].clone()
    };
    let posted = ada(json!({"badge": "B", "salary": 5}));
    assert_eq!(answer(&resource::written(&tables().user, &posted), &posted), json!({"badge": "B", "salary": 5}));
    let patched = |operations: Value| {
        let done = patch(&posted, operations, STRICT).expect("taken");
        answer(&done.written, &done.document)
    };
    assert_eq!(patched(json!([{"op": "replace", "path": format!("{URN}:badge"), "value": "C"}])), json!({"badge": "C"}));
    assert_eq!(
        patched(json!([{"op": "replace", "path": format!("{URN}:salary"), "value": 6}])),
        json!({"badge": "B", "salary": 6})
    );
}

// --- discovery ------------------------------------------------------------------------------------------------------

#[test]
fn discovery_lists_what_is_registered_and_where_it_stands() {
    let tables = tables();
    let list = serde_json::to_value(discovery::schemas(&tables, "https://x.test/scim")).expect("json");
    let urns: Vec<&str> =
        list["Resources"].as_array().expect("a list").iter().filter_map(|schema| schema["id"].as_str()).collect();
    assert_eq!(urns[3..], [URN, "urn:example:car"]);
    let schema = discovery::schema(&tables, "https://x.test/scim", &URN.to_uppercase()).expect("there");
    assert_eq!(schema["meta"]["location"], format!("https://x.test/scim/Schemas/{URN}"));
    assert_eq!(schema["attributes"][2]["type"], "integer");
    let user = discovery::resource_type(&tables, "", "User").expect("there");
    let extension = |urn: &str| json!({"schema": urn, "required": false});
    assert_eq!(user["schemaExtensions"], json!([extension(ENTERPRISE_URN), extension(URN), extension("urn:example:car")]));
    assert!(discovery::resource_type(&tables, "", "Group").expect("there").get("schemaExtensions").is_none());
    assert!(discovery::schema(registry(), "", URN).is_none());
}
