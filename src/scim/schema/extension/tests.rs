use super::*;
use crate::scim::schema::{ENTERPRISE_URN, Registry, registry};
use proptest::prelude::*;
use serde_json::json;

const URN: &str = "urn:example:hr:2.0:User";

/// A schema with these attributes.
fn with(attributes: Value) -> Value {
    json!({"id": URN, "name": "Hr", "attributes": attributes})
}

fn one(attribute: Value) -> Value {
    with(json!([attribute]))
}

fn read_json(schema: &Value) -> Result<Schema, Vec<Problem>> {
    read(schema.to_string().as_bytes())
}

/// The schema of that text, which must be taken.
fn taken(schema: &Value) -> Schema {
    read_json(schema).unwrap_or_else(|problems| panic!("{problems:?} in {schema}"))
}

/// What is said of a schema that must be refused.
fn refused(schema: &Value) -> Vec<String> {
    let problems = read_json(schema).err().unwrap_or_else(|| panic!("{schema} was taken"));
    problems.iter().map(ToString::to_string).collect()
}

/// Asserts that one thing is wrong, in this field, and that the reason says this.
#[track_caller]
fn assert_refused(schema: &Value, field: &str, reason: &str) {
    let problems = read_json(schema).err().unwrap_or_else(|| panic!("{schema} was taken"));
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{told:?}");
    assert_eq!(problems[0].field, field, "{told:?}");
    assert!(problems[0].reason.contains(reason), "{told:?}");
}

fn named(urn: &str, name: &str) -> Extension {
    let schema = taken(&json!({"id": urn, "name": name, "attributes": [{"name": "badge"}]}));
    Extension { extends: Extends::User, schema }
}

#[test]
fn what_is_not_stated_has_the_default_of_the_rfc() {
    let schema = taken(&one(json!({"name": "badge"})));
    let badge = schema.find("BADGE").expect("found in any case");
    assert_eq!((badge.kind, badge.multi_valued, badge.required, badge.case_exact), (Type::String, false, false, false));
    assert_eq!(
        (badge.mutability, badge.returned, badge.uniqueness),
        (Mutability::ReadWrite, Returned::Default, Uniqueness::None)
    );
    assert!(schema.registered && badge.description.is_empty() && badge.sub_attributes.is_empty());
}

#[test]
fn every_characteristic_of_the_rfc_is_read_and_printed_again() {
    let schema = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": URN,
        "name": "Hr",
        "description": "What HR knows.",
        "meta": {"resourceType": "Schema", "location": "https://elsewhere.test/Schemas/x"},
        "attributes": [
            {"name": "badge", "type": "string", "multiValued": false, "description": "The number on the badge.", "required": true,
             "caseExact": true, "mutability": "immutable", "returned": "always", "uniqueness": "none",
             "canonicalValues": ["a", "b"]},
            {"name": "homepage", "type": "reference", "referenceTypes": ["external"]},
            {"name": "pin", "type": "string", "mutability": "writeOnly", "returned": "never"},
            {"name": "salary", "type": "decimal", "returned": "request"},
            {"name": "level", "type": "integer", "mutability": "readOnly"},
            {"name": "since", "type": "dateTime"},
            {"name": "photo", "type": "binary"},
            {"name": "remote", "type": "boolean"},
            {"name": "desks", "type": "complex", "multiValued": true, "subAttributes": [
                {"name": "value", "type": "string", "required": true},
                {"name": "$ref", "type": "reference", "referenceTypes": ["uri"]},
                {"name": "primary", "type": "boolean"},
            ]},
        ],
    });
    let read_once = taken(&schema);
    let printed = document(&read_once);
    assert_eq!(document(&taken(&printed)), printed, "what is stored is read as what was registered");
    let first = &printed["attributes"][0];
    for (name, value) in schema["attributes"][0].as_object().expect("an object") {
        assert_eq!(&first[name], value, "{name}");
    }
    assert_eq!(printed["attributes"][8]["subAttributes"][0]["required"], true);
    assert_eq!(printed["attributes"][6]["caseExact"], true, "binary values compare exactly");
    assert!(printed.get("meta").is_none());
}

#[test]
fn urns_of_the_standard_are_nobodys_to_define() {
    for urn in [
        ENTERPRISE_URN,
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "URN:IETF:params:SCIM:schemas:extension:Enterprise:2.0:Group",
        "urn:ietf:params:scim:api:messages:2.0:PatchOp",
        "urn:scim:schemas:core:1.0",
    ] {
        assert_refused(&json!({"id": urn, "name": "X", "attributes": [{"name": "a"}]}), "id", "the standard's");
    }
}

#[test]
fn an_id_is_a_urn_that_a_path_can_hold() {
    // One is what providers' guides have customers write.
    let customary = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
    for urn in ["urn:acme:x", customary, "urn:ex-ample:params:HR_1:2.0:User", "URN:acme:x.y"] {
        taken(&json!({"id": urn, "name": "X", "attributes": [{"name": "a"}]}));
    }
    for urn in [
        "acme",
        "http://acme.example/schema",
        "urn:acme",
        "urn:a:x",
        "urn:-acme:x",
        "urn:acme:",
        "urn:acme::x",
        "urn:acme:x:",
        "urn:acme:x y",
        "urn:acme:x[y]",
        "urn:acme:x/y",
        "urn:acme:é",
        "urn:acme:x..y",
        "urn:acme:x.",
        "urn:acme:a\"b",
        " urn:acme:x",
    ] {
        assert_refused(&json!({"id": urn, "name": "X", "attributes": [{"name": "a"}]}), "id", "must be a URN");
    }
}

#[test]
fn attribute_names_are_those_of_the_rfc() {
    for name in ["a", "badgeNumber", "x-1", "a_b", "Z9"] {
        taken(&one(json!({"name": name})));
    }
    for name in ["1a", "-a", "_a", "a b", "a.b", "a:b", "$ref", "é", "a[b]", "a\"b", "a/b"] {
        assert_refused(&one(json!({"name": name})), "attributes[0].name", "must be a letter and then");
    }
    assert_refused(&one(json!({"name": ""})), "attributes[0].name", "must not be empty");
    assert_refused(&one(json!({"type": "string"})), "attributes[0].name", "is required");
}

#[test]
fn a_name_is_there_once_whatever_its_case() {
    assert_refused(&with(json!([{"name": "badge"}, {"name": "Badge"}])), "attributes[1].name", "twice");
    let parts = json!([{"name": "value"}, {"name": "VALUE"}]);
    let desks = one(json!({"name": "desks", "type": "complex", "subAttributes": parts}));
    assert_refused(&desks, "attributes[0].subAttributes[1].name", "twice");
}

#[test]
fn members_of_the_wrong_kind_are_told_by_field_and_kind() {
    for (member, value, reason) in [
        ("name", json!(1), "must be a string, not a number"),
        ("type", json!(["string"]), "must be a string, not an array"),
        (
            "type",
            json!("text"),
            "is one of string, boolean, decimal, integer, dateTime, binary, reference, complex, not \"text\"",
        ),
        ("multiValued", json!("true"), "must be true or false, not a string"),
        ("required", json!(1), "must be true or false, not a number"),
        ("caseExact", json!({}), "must be true or false, not an object"),
        ("description", json!(false), "must be a string, not a boolean"),
        ("mutability", json!("readonlyish"), "is one of readOnly, readWrite, immutable, writeOnly"),
        ("returned", json!("sometimes"), "is one of always, never, default, request"),
        ("uniqueness", json!("here"), "is one of none, server, global"),
        ("canonicalValues", json!("a"), "must be an array of strings, not a string"),
        ("multivalued", json!(true), "did you mean multiValued?"),
        ("wibble", json!(true), "no member of this name"),
    ] {
        let mut attribute = json!({"name": "badge"});
        attribute[member] = value;
        assert_refused(&one(attribute), &format!("attributes[0].{member}"), reason);
    }
    let canonical = one(json!({"name": "a", "canonicalValues": ["x", 1]}));
    assert_refused(&canonical, "attributes[0].canonicalValues[1]", "must be a string, not a number");
    assert_refused(&with(json!("badge")), "attributes", "must be an array of attributes, not a string");
    assert_refused(&with(json!(["badge"])), "attributes[0]", "must be an object, not a string");
    assert_refused(&with(json!([])), "attributes", "at least one");
    assert_refused(&json!({"id": URN, "name": "X", "attributes": null}), "attributes", "at least one");
    assert_refused(&json!({"name": "X", "attributes": [{"name": "a"}]}), "id", "is required");
    assert_refused(&json!({"id": URN, "attributes": [{"name": "a"}]}), "name", "is required");
    assert_refused(
        &json!({"id": URN, "name": "X", "attribute": 1, "attributes": [{"name": "a"}]}),
        "attribute",
        "did you mean attributes?",
    );
    assert_refused(&json!([1]), "", "must be an object, not an array");
}

#[test]
fn text_that_is_no_json_is_told_by_line_and_nothing_of_it_is_repeated() {
    let told = |text: &[u8]| read(text).expect_err("refused").iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told(b"{\n  \"id\": urn:acme }"), ["the schema is not valid JSON (line 2, column 9)"]);
    assert_eq!(told(b""), ["the schema ends too early (line 1, column 0)"]);
    assert_eq!(told(b"{\"id\":\"a\",\"ID\":\"b\"}"), ["the member \"ID\" appears twice in one object (names ignore case)"]);
    assert!(told(b"\xff")[0].contains("not UTF-8"));
}

#[test]
fn complex_attributes_have_parts_and_others_have_none() {
    let complex = |parts: Value| one(json!({"name": "desk", "type": "complex", "subAttributes": parts}));
    assert_eq!(taken(&complex(json!([{"name": "room"}]))).attributes[0].sub_attributes.len(), 1);
    assert_refused(&complex(json!([])), "attributes[0].subAttributes", "at least one");
    assert_refused(&one(json!({"name": "desk", "type": "complex"})), "attributes[0].subAttributes", "at least one");
    let simple = one(json!({"name": "desk", "type": "string", "subAttributes": [{"name": "room"}]}));
    assert_refused(&simple, "attributes[0].subAttributes", "only a complex attribute has them");
    taken(&one(json!({"name": "desk", "type": "string", "subAttributes": []})));
}

#[test]
fn parts_of_parts_are_refused_at_any_depth() {
    let part = json!({"name": "inner", "type": "complex"});
    let nested = one(json!({"name": "desk", "type": "complex", "subAttributes": [part]}));
    assert_refused(&nested, "attributes[0].subAttributes[0].type", "can't be complex");
    let mut deeper = json!({"name": "inner", "type": "complex", "subAttributes": [{"name": "a"}]});
    assert!(
        refused(&one(json!({"name": "desk", "type": "complex", "subAttributes": [deeper.clone()]})))[0]
            .contains("can't be complex")
    );
    for _ in 0..100 {
        deeper = json!({"name": "inner", "type": "complex", "subAttributes": [deeper]});
    }
    assert_refused(&one(deeper), "", "nested more than 7 levels deep");
}

#[test]
fn references_say_what_to_and_nothing_else_does() {
    assert_refused(&one(json!({"name": "a", "type": "reference"})), "attributes[0].referenceTypes", "what it refers to");
    let text = one(json!({"name": "a", "type": "string", "referenceTypes": ["uri"]}));
    assert_refused(&text, "attributes[0].referenceTypes", "only a reference");
}

#[test]
fn what_would_not_be_kept_is_not_promised() {
    for word in ["server", "global"] {
        let unique = one(json!({"name": "badge", "uniqueness": word}));
        assert_refused(&unique, "attributes[0].uniqueness", "are not kept unique; write \"none\"");
    }
    let write_only = one(json!({"name": "pin", "mutability": "writeOnly"}));
    assert_refused(&write_only, "attributes[0].returned", "write \"never\"");
    let required = one(json!({"name": "pin", "returned": "never", "required": true}));
    assert_refused(&required, "attributes[0].required", "not stored");
    let read_only = one(json!({"name": "level", "mutability": "readOnly", "required": true}));
    assert_refused(&read_only, "attributes[0].required", "readOnly");
    let part = |part: Value| one(json!({"name": "desks", "type": "complex", "multiValued": true, "subAttributes": [part]}));
    let list = part(json!({"name": "floors", "multiValued": true}));
    assert_refused(&list, "attributes[0].subAttributes[0].multiValued", "one value");
    let primary = part(json!({"name": "primary", "type": "string"}));
    assert_refused(&primary, "attributes[0].subAttributes[0].type", "\"primary\" is boolean");
    let reference = part(json!({"name": "$ref", "type": "string"}));
    assert_refused(&reference, "attributes[0].subAttributes[0].type", "\"$ref\" is reference");
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_no_more_than_twenty_things() {
    let schema = json!({"id": "x", "attributes": [{"name": "1"}, {"name": "a", "type": "b"}]});
    assert_eq!(refused(&schema).len(), 4, "{:?}", refused(&schema));
    let many: Vec<Value> = (0..50).map(|index| json!({"name": format!("{index}")})).collect();
    assert_eq!(refused(&with(many.into())).len(), PROBLEMS_MAX);
}

#[test]
fn limits_hold_at_the_bound_and_not_one_past_it() {
    let attributes = |count: usize| with((0..count).map(|index| json!({"name": format!("a{index}")})).collect());
    assert_eq!(taken(&attributes(ATTRIBUTES_MAX)).attributes.len(), ATTRIBUTES_MAX);
    assert_refused(&attributes(ATTRIBUTES_MAX + 1), "attributes[200]", "at most 200 attributes");

    let parts = |count: usize| {
        let parts: Value = (0..count).map(|index| json!({"name": format!("a{index}")})).collect();
        one(json!({"name": "desk", "type": "complex", "subAttributes": parts}))
    };
    taken(&parts(ATTRIBUTES_MAX - 1));
    assert!(refused(&parts(ATTRIBUTES_MAX))[0].contains("sub-attributes counted"));

    taken(&one(json!({"name": "a".repeat(NAME_BYTES_MAX)})));
    assert_refused(&one(json!({"name": "a".repeat(NAME_BYTES_MAX + 1)})), "attributes[0].name", "at most 64 bytes, not 65");

    let urn = |bytes: usize| {
        let id = format!("urn:acme:{}", "x".repeat(bytes - "urn:acme:".len()));
        json!({"id": id, "name": "X", "attributes": [{"name": "a"}]})
    };
    taken(&urn(URN_BYTES_MAX));
    assert_refused(&urn(URN_BYTES_MAX + 1), "id", "at most 256 bytes, not 257");

    let described = |bytes: usize| one(json!({"name": "a", "description": "d".repeat(bytes)}));
    taken(&described(TEXT_BYTES_MAX));
    assert_refused(&described(TEXT_BYTES_MAX + 1), "attributes[0].description", "at most 1024 bytes, not 1025");

    let canonical = |count: usize| one(json!({"name": "a", "canonicalValues": vec!["v"; count]}));
    taken(&canonical(WORDS_MAX));
    assert_refused(&canonical(WORDS_MAX + 1), "attributes[0].canonicalValues", "at most 100 elements, not 101");

    let mut text = one(json!({"name": "a"})).to_string().into_bytes();
    text.resize(BYTES_MAX, b' ');
    assert!(read(&text).is_ok());
    text.push(b' ');
    assert_eq!(read(&text).expect_err("refused")[0].to_string(), "the schema is 65537 bytes, and 65536 are allowed");
}

#[test]
fn a_tenants_tables_are_the_standards_and_its_own_behind_them() {
    let group = Extension { extends: Extends::Group, ..named("urn:acme:team", "Team") };
    let tables = Registry::extended(vec![named("urn:acme:hr:2.0:User", "Hr"), group]).expect("taken");
    let urns = |registry: &Registry| registry.schemas().iter().map(|schema| schema.id.clone()).collect::<Vec<_>>();
    let standard = urns(registry());
    assert_eq!(urns(&tables)[..3], standard);
    assert_eq!(urns(&tables)[3..], ["urn:acme:hr:2.0:User", "urn:acme:team"]);
    assert!(tables.user.extension("URN:acme:HR:2.0:user").is_some() && tables.group.extension("urn:acme:team").is_some());
    assert!(tables.user.extension("urn:acme:team").is_none());
    assert!(registry().user.extension("urn:acme:hr:2.0:User").is_none(), "the standard's tables are as they were");
}

#[test]
fn urns_that_could_be_taken_for_each_other_clash_and_so_do_names() {
    let clash = |first: Extension, second: Extension| {
        let problems = Registry::extended(vec![first, second]).expect_err("a clash");
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let same = clash(named("urn:acme:x", "A"), named("URN:ACME:X", "B"));
    assert_eq!(same, "id: there is a schema urn:acme:x already");
    for (one, other) in [("urn:acme:x", "urn:acme:x:badge"), ("urn:acme:x:badge", "urn:ACME:x")] {
        assert!(clash(named(one, "A"), named(other, "B")).contains("one URN goes on where the other ends"));
    }
    assert!(Registry::extended(vec![named("urn:acme:x", "A"), named("urn:acme:xy", "B")]).is_ok());
    let group = Extension { extends: Extends::Group, ..named("urn:acme:x", "B") };
    assert!(clash(named("urn:acme:x", "A"), group).contains("already"), "one URN is one schema, whatever it extends");
    assert!(
        clash(named("urn:acme:x", "Hr"), named("urn:acme:y", "hr"))
            .contains("name: the schema urn:acme:x is called \"Hr\" already")
    );
    let standard = Registry::extended(vec![named("urn:acme:x", "enterpriseUser")]).expect_err("a clash");
    assert!(standard[0].to_string().contains("is called \"EnterpriseUser\" already"));
}

#[test]
fn a_tenant_has_so_many_schemas_and_not_one_more() {
    let many = |count: usize| (0..count).map(|index| named(&format!("urn:acme:s{index}"), &format!("S{index}"))).collect();
    assert!(Registry::extended(many(SCHEMAS_MAX)).is_ok());
    let problems = Registry::extended(many(SCHEMAS_MAX + 1)).expect_err("too many");
    assert_eq!(problems[0].to_string(), "a tenant has at most 20 schemas of its own");
}

#[test]
fn what_is_never_returned_is_named_for_those_who_record() {
    let schema = taken(&with(json!([
        {"name": "Pin", "returned": "never"},
        {"name": "desk", "type": "complex", "subAttributes": [{"name": "code", "returned": "never"}, {"name": "room"}]},
        {"name": "badge"},
    ])));
    let tables = Registry::extended(vec![Extension { extends: Extends::User, schema }]).expect("taken");
    assert_eq!(*tables.secret_names(), ["pin".to_owned(), "desk".to_owned()]);
    assert!(registry().secret_names().is_empty());
}

#[test]
fn a_change_that_suits_every_stored_value_breaks_nothing() {
    let old = taken(&with(json!([
        {"name": "badge", "required": true, "mutability": "immutable"},
        {"name": "desk", "type": "complex", "subAttributes": [{"name": "room"}]},
    ])));
    let new = json!({"id": URN, "name": "HumanResources", "description": "more", "attributes": [
        {"name": "since", "type": "dateTime"},
        {"name": "badge", "returned": "request", "caseExact": true, "canonicalValues": ["a"]},
        {"name": "desk", "type": "complex", "returned": "always", "subAttributes": [{"name": "floor", "type": "integer"}, {"name": "room"}]},
        {"name": "pin", "returned": "never"},
    ]});
    let told = breaks(&old, &taken(&new));
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn a_change_that_a_stored_value_may_not_suit_is_told_by_its_field() {
    let old = taken(&with(json!([
        {"name": "badge"}, {"name": "level", "type": "integer"},
        {"name": "desk", "type": "complex", "subAttributes": [{"name": "room"}]},
    ])));
    let broken = |attributes: Value| {
        breaks(&old, &taken(&with(attributes))).iter().map(|problem| problem.field.clone()).collect::<Vec<_>>()
    };
    let level = json!({"name": "level", "type": "integer"});
    let desk = json!({"name": "desk", "type": "complex", "subAttributes": [{"name": "room"}]});
    for (badge, field) in [
        (json!({"name": "Badge"}), "attributes"),
        (json!({"name": "badge", "type": "boolean"}), "attributes[0].type"),
        (json!({"name": "badge", "multiValued": true}), "attributes[0].multiValued"),
        (json!({"name": "badge", "required": true}), "attributes[0].required"),
        (json!({"name": "badge", "returned": "never"}), "attributes[0].returned"),
    ] {
        assert_eq!(broken(json!([badge, level, desk])), [field], "{badge}");
    }
    assert_eq!(broken(json!([level, desk])), ["attributes"]);
    assert_eq!(broken(json!([{"name": "badge"}, level, desk, {"name": "new", "required": true}])), ["attributes[3].required"]);
    let other = json!({"name": "desk", "type": "complex", "subAttributes": [{"name": "room", "type": "integer"}]});
    assert_eq!(broken(json!([{"name": "badge"}, level, other])), ["attributes[2].subAttributes[0].type"]);
    let spelled = json!({"id": URN.to_uppercase(), "name": "Hr", "attributes": [{"name": "badge"}, level, desk]});
    assert_eq!(breaks(&old, &taken(&spelled))[0].field, "id");
}

/// Schemas that are nearly right: each member may be of the wrong kind, missing, or a word nobody knows.
fn nearly() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(7)),
        Just(json!("never")),
        Just(json!("complex")),
        Just(json!("reference")),
        Just(json!("readOnly")),
        Just(json!("none")),
        Just(json!(["external"])),
        Just(json!([])),
        "[a-zA-Z$:._-]{0,8}".prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let attribute = |parts: BoxedStrategy<Value>| {
        let members = prop::collection::vec((prop::sample::select(ATTRIBUTE_MEMBERS.to_vec()), word.clone()), 0..4);
        ("[a-z]{1,6}", members, parts).prop_map(|(name, members, parts)| {
            let mut attribute = json!({"name": name, "subAttributes": parts});
            members.into_iter().for_each(|(member, value)| attribute[member] = value);
            attribute
        })
    };
    let part = attribute(Just(json!(null)).boxed());
    let parts = prop::collection::vec(part, 0..3).prop_map(Value::from);
    let attributes = prop::collection::vec(attribute(parts.boxed()), 0..4).prop_map(Value::from);
    let id = prop_oneof![Just(URN.to_owned()), "urn:[a-z:.]{1,12}", ".{0,12}"];
    (id, attributes).prop_map(|(id, attributes)| json!({"id": id, "name": "Hr", "attributes": attributes}))
}

proptest! {
    #[test]
    fn any_text_is_answered_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(problems) = read(&text) {
            prop_assert!(!problems.is_empty());
        }
    }

    #[test]
    fn what_is_taken_is_taken_again_as_it_is_stored_and_what_is_refused_has_reasons(schema in nearly()) {
        match read_json(&schema) {
            Ok(taken) => {
                let stored = document(&taken);
                let again = read_json(&stored).expect("what is stored is read");
                prop_assert_eq!(document(&again), stored);
                prop_assert!(breaks(&taken, &again).is_empty());
                let alone = Registry::extended(vec![Extension { extends: Extends::User, schema: taken }]);
                prop_assert!(alone.is_ok());
            }
            Err(problems) => prop_assert!((1..=PROBLEMS_MAX).contains(&problems.len())),
        }
    }
}
