use super::*;
use serde_json::{Map, Value, json};

fn field(path: &[&str], kind: Kind) -> Field {
    let path = path.iter().map(|&name| name.to_owned()).collect();
    Field { path, kind, case_exact: false, index: Index::Document }
}

fn text(path: &[&str]) -> Field {
    field(path, Kind::Text)
}

fn document() -> Map<String, Value> {
    let document = json!({
        "userName": "Bjensen",
        "externalId": "AbC",
        "nickName": "",
        "title": null,
        "active": true,
        "level": 7,
        "ratio": 0.5,
        "name": {"familyName": "Straße"},
        "empty": {"a": null, "b": [], "c": {"d": ""}},
        "emails": [{"value": "b@work", "type": "work"}, {"value": "b@home", "type": "home"}, {"type": "other"}],
        "tags": ["a", "b"],
        "meta": {"created": "2011-05-13T04:42:34Z"},
    });
    document.as_object().expect("an object").clone()
}

fn holds(field: Field, comparison: Comparison, literal: Literal) -> bool {
    Query::Compare(field, comparison, literal).matches(&document())
}

fn text_holds(path: &[&str], comparison: Comparison, value: &str) -> bool {
    holds(text(path), comparison, Literal::Text(value.into()))
}

#[test]
fn text_is_compared_folded_unless_case_exact() {
    assert!(text_holds(&["userName"], Comparison::Equal, "bJENSEN"));
    assert!(text_holds(&["name", "familyName"], Comparison::Equal, "STRASSE"));
    assert!(text_holds(&["name", "familyName"], Comparison::EndsWith, "SSE"));
    let exact = |value: &str| {
        let field = Field { case_exact: true, ..text(&["externalId"]) };
        holds(field, Comparison::Equal, Literal::Text(value.into()))
    };
    assert!(exact("AbC") && !exact("abc"));
}

#[test]
fn text_operators() {
    assert!(text_holds(&["userName"], Comparison::Contains, "JENS"));
    assert!(text_holds(&["userName"], Comparison::StartsWith, "bj"));
    assert!(!text_holds(&["userName"], Comparison::EndsWith, "bj"));
    assert!(text_holds(&["userName"], Comparison::Greater, "A"));
    assert!(text_holds(&["userName"], Comparison::GreaterOrEqual, "bjensen"));
    assert!(!text_holds(&["userName"], Comparison::Less, "bjensen"));
    assert!(text_holds(&["userName"], Comparison::LessOrEqual, "bjensen"));
}

#[test]
fn any_element_is_enough() {
    assert!(text_holds(&["emails", "value"], Comparison::Equal, "b@home"));
    assert!(text_holds(&["emails", "value"], Comparison::NotEqual, "b@home"), "another one differs");
    assert!(text_holds(&["tags"], Comparison::Equal, "b"));
    assert!(!text_holds(&["tags"], Comparison::Equal, "c"));
}

#[test]
fn not_equal_holds_for_what_has_no_value() {
    for path in [&["nickName"][..], &["title"], &["absent"], &["name", "givenName"], &["emails", "display"], &["empty", "a"]] {
        assert!(text_holds(path, Comparison::NotEqual, "x"), "{path:?}");
        assert!(!text_holds(path, Comparison::Equal, "x"), "{path:?}");
        assert!(!text_holds(path, Comparison::Equal, ""), "{path:?}");
    }
    assert!(!text_holds(&["userName"], Comparison::NotEqual, "BJENSEN"));
}

#[test]
fn present_needs_more_than_emptiness() {
    let present = |path: &[&str], kind| Query::Present(field(path, kind)).matches(&document());
    assert!(present(&["userName"], Kind::Text) && present(&["active"], Kind::Boolean) && present(&["emails"], Kind::Complex));
    assert!(present(&["emails", "type"], Kind::Text) && present(&["name"], Kind::Complex));
    for path in [&["nickName"][..], &["title"], &["absent"], &["empty"], &["emails", "display"], &["userName", "x"]] {
        assert!(!present(path, Kind::Complex), "{path:?}");
    }
}

#[test]
fn numbers_compare_by_value_and_instants_as_instants() {
    let number = |name: &str, comparison, value: Value| {
        let Value::Number(value) = value else { panic!("a number") };
        holds(field(&[name], Kind::Number), comparison, Literal::Number(value))
    };
    assert!(number("level", Comparison::Equal, json!(7.0)));
    assert!(number("level", Comparison::Greater, json!(6)));
    assert!(number("ratio", Comparison::Less, json!(1)));
    let created = field(&["meta", "created"], Kind::Instant);
    let instant = |text: &str| Literal::Instant(parse_instant(text).expect(text));
    assert!(holds(created.clone(), Comparison::Equal, instant("2011-05-13T06:42:34+02:00")));
    assert!(holds(created.clone(), Comparison::Greater, instant("2011-05-13T04:42:33.999Z")));
    assert!(!holds(created, Comparison::Less, instant("2011-05-13T04:42:34")));
}

#[test]
fn booleans_compare_with_booleans_only() {
    let active = || field(&["active"], Kind::Boolean);
    assert!(holds(active(), Comparison::Equal, Literal::Boolean(true)));
    assert!(holds(active(), Comparison::NotEqual, Literal::Boolean(false)));
    assert!(!holds(active(), Comparison::Equal, Literal::Text("true".into())));
}

#[test]
fn an_element_has_to_satisfy_all_of_the_conditions() {
    let element = |kind: &str, value: &str| {
        let is = |name: &str, value: &str| Query::Compare(text(&[name]), Comparison::Equal, Literal::Text(value.into()));
        let matches = Box::new(Query::And(vec![is("type", kind), is("value", value)]));
        Query::Element { list: field(&["emails"], Kind::Complex), matches }
    };
    assert!(element("work", "b@work").matches(&document()));
    assert!(!element("work", "b@home").matches(&document()));
    assert!(Query::Not(Box::new(element("work", "b@home"))).matches(&document()));
}

#[test]
fn and_or_all() {
    let (yes, no) = (Query::All, Query::Not(Box::new(Query::All)));
    assert!(Query::And(vec![]).matches(&document()) && !Query::Or(vec![]).matches(&document()));
    assert!(!Query::And(vec![yes.clone(), no.clone()]).matches(&document()));
    assert!(Query::Or(vec![no, yes]).matches(&document()));
}

#[test]
fn times_need_a_time_and_may_lack_a_zone() {
    assert_eq!(parse_instant("1970-01-01T00:00:01Z"), Some(1_000_000));
    assert_eq!(parse_instant("1970-01-01T00:00:01.5"), Some(1_500_000));
    assert_eq!(parse_instant("1970-01-01T01:00:00+01:00"), Some(0));
    for text in ["", "T", "1970-01-01", "yesterday", "1970-13-01T00:00:00Z"] {
        assert_eq!(parse_instant(text), None, "{text}");
    }
}
