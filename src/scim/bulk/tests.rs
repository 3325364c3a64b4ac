use super::message::{self, BulkRequest, Verb};
use super::order::{Needs, Step, steps};
use super::references::{self, Resolved};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::mode::Mode;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LENIENT: Mode = Mode { strict: false };
const STRICT: Mode = Mode { strict: true };

fn refused(text: &str, mode: Mode) -> ScimError {
    message::read(text, mode, 3).map(|_| ()).expect_err(text)
}

fn request(operations: Value) -> String {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}).to_string()
}

/// The error of the only operation of a request that is taken as a whole.
fn fault(operation: Value) -> ScimError {
    let text = request(json!([operation]));
    let mut read = message::read(&text, STRICT, 3).expect("the whole is fine");
    read.operations.remove(0).asked.map(|_| ()).expect_err("a fault")
}

#[test]
fn operations_are_read_with_their_data_as_it_stands() {
    let text = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"failOnErrors":2,"Operations":[
        {"method":"post","path":"/Users","bulkId":"a","data":{"userName": "ada"}},
        {"method":"DELETE","path":"/Users/1","version":"W/\"3\"","data":{"ignored":1}}]}"#;
    let BulkRequest { fail_on_errors, operations } = message::read(text, STRICT, 2).expect("a request");
    assert_eq!((fail_on_errors, operations.len()), (Some(2), 2));
    assert_eq!((operations[0].method.as_str(), operations[0].bulk_id.as_deref()), ("POST", Some("a")));
    let first = operations[0].asked.as_ref().expect("fine");
    assert_eq!((first.verb, first.data), (Verb::Post, Some(r#"{"userName": "ada"}"#)));
    let second = operations[1].asked.as_ref().expect("fine");
    assert_eq!((second.version.as_deref(), second.data), (Some("W/\"3\""), None));
}

#[test]
fn one_operation_too_many_is_413_and_names_the_limit() {
    let operation = json!({"method": "DELETE", "path": "/Users/1"});
    assert!(message::read(&request(json!([operation, operation, operation])), STRICT, 3).is_ok());
    let error = refused(&request(json!([operation, operation, operation, operation])), STRICT);
    assert_eq!((error.status, error.detail.as_str()), (413, "a bulk request has at most 3 operations"));
}

#[test]
fn what_is_no_bulk_request_is_refused_as_a_whole() {
    for text in [
        "",
        "[]",
        "1",
        "{",
        "{}",
        r#"{"Operations":{}}"#,
        r#"{"Operations":[]}"#,
        r#"{"Operations":[1]}"#,
        r#"{"Operations":[{}],"operations":[{}]}"#,
        r#"{"Operations":[{"method":"DELETE","METHOD":"POST"}]}"#,
        r#"{"Operations":[{}]} {}"#,
        r#"{"Operations":[{"data":{]}"#,
    ] {
        assert_eq!(refused(text, LENIENT).scim_type, Some(ScimType::InvalidSyntax), "{text}");
    }
    for number in ["0", "-1", "1.5", "\"1\"", "true"] {
        let text = format!(r#"{{"failOnErrors":{number},"Operations":[{{}}]}}"#);
        assert_eq!(refused(&text, LENIENT).scim_type, Some(ScimType::InvalidValue), "{text}");
    }
    let undeclared = r#"{"Operations":[{"method":"DELETE","path":"/Users/1"}]}"#;
    assert!(message::read(undeclared, LENIENT, 3).is_ok());
    assert_eq!(refused(undeclared, STRICT).scim_type, Some(ScimType::InvalidSyntax));
}

#[test]
fn a_bulk_id_that_two_operations_create_under_refuses_the_request() {
    let post = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": {}});
    let error = refused(&request(json!([post, post])), STRICT);
    assert_eq!(
        (error.scim_type, error.detail.as_str()),
        (Some(ScimType::InvalidValue), "the bulkId \"a\" is that of two operations")
    );
    let patch = json!({"method": "PATCH", "path": "/Users/bulkId:a", "bulkId": "a", "data": {}});
    assert!(message::read(&request(json!([post, patch])), STRICT, 3).is_ok(), "only what creates needs a name of its own");
}

#[test]
fn what_is_wrong_with_one_operation_is_its_own_error() {
    for (operation, named) in [
        (json!({"path": "/Users", "bulkId": "a", "data": {}}), "method"),
        (json!({"method": "GET", "path": "/Users/1"}), "method"),
        (json!({"method": "POST", "path": "/Users", "data": {}}), "bulkId"),
        (json!({"method": "POST", "path": "/Users", "bulkId": "", "data": {}}), "bulkId"),
        (json!({"method": "POST", "path": "/Users", "bulkId": 7, "data": {}}), "bulkId"),
        (json!({"method": "POST", "path": "/Users", "bulkId": "x".repeat(129), "data": {}}), "bulkId"),
        (json!({"method": "POST", "path": "/Users", "bulkId": "a"}), "data"),
        (json!({"method": "PUT", "path": "/Users/1", "data": null}), "data"),
        (json!({"method": "DELETE"}), "path"),
        (json!({"method": "DELETE", "path": 1}), "path"),
        (json!({"method": "DELETE", "path": "/Users/1", "version": 3}), "version"),
        (json!({"method": "DELETE", "path": "x".repeat(9 << 10)}), "8192 bytes"),
    ] {
        let error = fault(operation.clone());
        assert!(error.status == 400 && error.detail.contains(named), "{operation}: {error}");
    }
}

fn found(mut data: Value) -> Vec<String> {
    let before = data.clone();
    let ids = references::found(&mut data);
    assert_eq!(data, before, "looking changes nothing");
    ids
}

/// `data` with each reference to `x` resolved to `X` and those to `later` left out.
fn put(mut data: Value) -> Value {
    let resolve = |id: &str| match id {
        "later" => Ok(Resolved::LeftOut),
        "gone" => Err("gone"),
        id => Ok(Resolved::To { id: id.to_uppercase(), location: format!("https://r/Users/{}", id.to_uppercase()) }),
    };
    references::put(&mut data, resolve).expect("none is gone");
    data
}

#[test]
fn references_stand_where_resources_are_named_and_nowhere_else() {
    let group = json!({"displayName": "bulkId:no", "externalId": "bulkId:no", "members": [
        {"value": "bulkId:a", "$ref": "../Users/bulkId:b", "display": "bulkId:no"}, {"value": "id"}, "bulkId:c"]});
    assert_eq!(found(group), ["a", "b", "c"]);
    let user = json!({"nickName": "bulkId:no", "urn:x:User": {"manager": {"value": "bulkId:a"}}, "managerId": "bulkId:b"});
    assert_eq!(found(user), ["a", "b"]);
    assert_eq!(found(json!({"members": ["bulkId:", "bulkid:a", " bulkId:a", "xbulkId:a"]})), [""; 0]);
    let patch = json!({"Operations": [
        {"op": "add", "path": "members", "value": [{"value": "bulkId:a"}]},
        {"op": "remove", "path": "members[value eq \"bulkId:b\" or value eq \"bulkId:c\"]"},
        {"op": "add", "value": {"urn:x:User:manager.value": "bulkId:d", "title": "bulkId:no"}},
        {"op": "add", "path": "manager", "value": "bulkId:e"}]});
    assert_eq!(found(patch), ["a", "b", "c", "d", "e"]);
}

#[test]
fn an_id_takes_the_place_of_its_reference_and_a_url_that_of_a_ref() {
    let group = json!({"members": [{"value": "bulkId:a", "$ref": "/Users/bulkId:a"}, "bulkId:b"]});
    assert_eq!(put(group), json!({"members": [{"value": "A", "$ref": "https://r/Users/A"}, "B"]}));
    let patch = json!({"Operations": [{"op": "remove", "path": "members[value eq \"bulkId:a\" or value eq \"id\"].x"}]});
    assert_eq!(put(patch), json!({"Operations": [{"op": "remove", "path": "members[value eq \"A\" or value eq \"id\"].x"}]}));
}

#[test]
fn what_is_left_out_takes_the_value_that_holds_it_along() {
    let user = json!({"userName": "u", "urn:x:User": {"department": "D", "manager": {"value": "bulkId:later", "$ref": "x"}}});
    assert_eq!(put(user), json!({"userName": "u", "urn:x:User": {"department": "D"}}));
    assert_eq!(
        put(json!({"urn:x:User": {"manager": "bulkId:later", "division": "D"}})),
        json!({"urn:x:User": {"division": "D"}})
    );
    let group = json!({"members": [{"value": "bulkId:a"}, {"value": "bulkId:later"}, "bulkId:later"]});
    assert_eq!(put(group), json!({"members": [{"value": "A"}]}));
}

fn first(needed: &[usize]) -> Needs {
    Needs { first: needed.to_vec(), later: vec![] }
}

fn later(needed: &[usize]) -> Needs {
    Needs { first: vec![], later: needed.to_vec() }
}

#[test]
fn operations_run_as_listed_but_after_what_they_need() {
    assert_eq!(steps(&[first(&[]), first(&[]), first(&[0])]), [Step::One(0), Step::One(1), Step::One(2)]);
    let needs = [first(&[2, 3]), first(&[]), later(&[3]), first(&[])];
    assert_eq!(steps(&needs), [Step::One(3), Step::One(2), Step::One(0), Step::One(1)]);
}

#[test]
fn circles_through_managers_run_and_those_through_members_do_not() {
    assert_eq!(steps(&[later(&[1]), later(&[0])]), [Step::Circle { run: vec![0, 1], stuck: vec![] }]);
    assert_eq!(steps(&[later(&[0])]), [Step::Circle { run: vec![0], stuck: vec![] }]);
    assert_eq!(steps(&[first(&[1]), first(&[0])]), [Step::Circle { run: vec![], stuck: vec![0, 1] }]);
    // A group with a member whose manager is that group: the user first, then the group.
    assert_eq!(steps(&[first(&[1]), later(&[0])]), [Step::Circle { run: vec![1, 0], stuck: vec![] }]);
    // What waits for a circle is not in it.
    assert_eq!(steps(&[first(&[1]), later(&[2]), later(&[1])]), [Step::Circle { run: vec![1, 2], stuck: vec![] }, Step::One(0)]);
}

#[test]
fn a_chain_and_a_circle_of_a_hundred_thousand_cost_their_length() {
    const LENGTH: usize = 100_000;
    let began = Instant::now();
    let chain: Vec<Needs> = (0..LENGTH).map(|at| if at + 1 < LENGTH { first(&[at + 1]) } else { first(&[]) }).collect();
    assert_eq!(steps(&chain).first(), Some(&Step::One(LENGTH - 1)));
    let circle: Vec<Needs> = (0..LENGTH).map(|at| later(&[(at + 1) % LENGTH])).collect();
    assert_eq!(steps(&circle), [Step::Circle { run: (0..LENGTH).collect(), stuck: vec![] }]);
    let stuck: Vec<Needs> = (0..LENGTH).map(|at| first(&[(at + 1) % LENGTH])).collect();
    assert_eq!(steps(&stuck).len(), 1);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

proptest! {
    /// Every operation is in one step, after all it needs that it is in no circle with.
    #[test]
    fn every_operation_runs_once_and_after_what_it_needs(
        graph in prop::collection::vec(prop::collection::vec((0..12_usize, any::<bool>()), 0..4), 12)
    ) {
        let needs: Vec<Needs> = graph.iter().map(|edges| Needs {
            first: edges.iter().filter(|(_, first)| *first).map(|(to, _)| *to).collect(),
            later: edges.iter().filter(|(_, first)| !first).map(|(to, _)| *to).collect(),
        }).collect();
        let mut position = [None; 12];
        let mut has_run = vec![];
        for (at, step) in steps(&needs).into_iter().enumerate() {
            let (run, stuck) = match step {
                Step::One(index) => (vec![index], vec![]),
                Step::Circle { run, stuck } => (run, stuck),
            };
            for index in run.iter().chain(&stuck) {
                prop_assert_eq!(position[*index].replace(at), None);
            }
            for index in run {
                has_run.push(index);
                for needed in &needs[index].first {
                    let is_stuck = position[*needed] < Some(at) && !has_run.contains(needed);
                    prop_assert!(has_run.contains(needed) || is_stuck, "{} before {}", index, needed);
                }
            }
        }
        for (index, needs) in needs.iter().enumerate() {
            prop_assert!(position[index].is_some());
            prop_assert!(needs.first.iter().chain(&needs.later).all(|needed| position[*needed] <= position[index]));
        }
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in r#"[\[\]{}:,"\\0-9a-zA-Z/ ]{0,120}"#) {
        let _ = message::read(&text, LENIENT, 3);
        let _ = message::read(&format!("{{\"Operations\":[{text}]}}"), LENIENT, 3);
    }
}
